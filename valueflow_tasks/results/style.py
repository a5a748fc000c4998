"""How figures look: colours that the colour-blind and a grey printer can tell apart, fixed scales.

Colours are those of Okabe and Ito; whatever a colour says, a marker, a line style or a number says
too. All intensities are drawn on the whole scale of [-10, 10] with a line at zero.
"""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "TICKS",
    "VERMILION",
    "Drawing",
    "intensity_axis",
    "legend",
    "line_style",
    "panels",
    "series_key",
    "style",
    "wrapped",
]

BLUE, VERMILION, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#000000", "#8C8C8C"
COLOURS = (BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
DASHES = ("-", "--", "-.", ":")

TICKS = (-10, -5, 0, 5, 10)


@dataclass(frozen=True)
class Drawing:
    """A figure with what has to be said of it.

    Attributes:
        name: its file's name without suffix.
        title: its heading on the page.
        caption: what it shows, and how to read it.
        alt: what a reader who cannot see it should hear.
        figure: the drawing.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure


@contextmanager
def style() -> Iterator[None]:
    """The settings under which figures are both made and saved."""
    settings: dict[Any, Any] = {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.labelsize": 9,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#444444",
        "axes.unicode_minus": True,
        # "$30,000 to $100,000" is a name and no formula.
        "text.parse_math": False,
        "figure.constrained_layout.use": True,
        # Letters as paths look the same everywhere; a fixed salt makes files repeatable.
        "svg.fonttype": "path",
        "svg.hashsalt": "valueflow",
    }
    with matplotlib.rc_context(settings):
        yield


def panels(
    count: int, width: float, height: float, columns: int = 3
) -> tuple[Figure, list[list[Axes]]]:
    """A figure of `count` panels of that many inches each, and its axes, row by row; what is left
    over in the last row is hidden."""
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    figure = Figure(figsize=(max(width * columns + 0.6, 4.5), height * rows + 0.7))
    grid = figure.subplots(rows, columns, squeeze=False)
    for index, axes in enumerate(grid.flat):
        axes.set_visible(index < count)
    return figure, [list(row) for row in grid]


def flat(grid: Sequence[Sequence[Axes]]) -> list[Axes]:
    """The visible panels in order."""
    return [axes for row in grid for axes in row if axes.get_visible()]


def lowest(grid: Sequence[Sequence[Axes]]) -> list[Axes]:
    """The visible panels with nothing below them."""
    found = []
    for column in range(len(grid[0])):
        shown = [row[column] for row in grid if row[column].get_visible()]
        found += shown[-1:]
    return found


def intensity_axis(axes: Axes, which: str, label: bool = True) -> None:
    """Makes an axis the scale of intensities, with its zero."""
    text = "mean intensity (−10 opposes, 10 supports)"
    line = {"color": "#777777", "linewidth": 0.8, "zorder": 0}
    if which == "x":
        axes.set_xlim(-10.4, 10.4)
        axes.set_xticks(TICKS)
        axes.axvline(0, **line)  # type: ignore[arg-type]
        if label:
            axes.set_xlabel(text)
    else:
        axes.set_ylim(-10.4, 10.4)
        axes.set_yticks(TICKS)
        axes.axhline(0, **line)  # type: ignore[arg-type]
        if label:
            axes.set_ylabel(text)


def line_style(index: int) -> dict[str, str]:
    """Colour, marker and dashes of series number `index`: no two of the first 28 are alike, and
    neighbours differ in all three."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": DASHES[index % len(DASHES)],
    }


def wrapped(text: str, width: int) -> str:
    """Text in lines of at most `width` characters; long words such as model names are broken."""
    return "\n".join(textwrap.wrap(text, width)) or text


def legend(
    figure: Figure,
    handles: Sequence[Artist],
    labels: Sequence[str],
    *,
    columns: int,
    loc: Literal["outside lower center", "outside upper center"] = "outside lower center",
) -> None:
    """A legend outside the panels, in at most so many columns, and in fewer where it would be wider
    than the figure."""
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    for ncols in range(columns, 0, -1):
        drawn = figure.legend(handles, labels, loc=loc, ncols=ncols)
        if ncols == 1 or drawn.get_window_extent(renderer).width <= figure.bbox.width:
            return
        drawn.remove()


def series_key(figure: Figure, labels: Sequence[str], handles: Sequence[Artist]) -> None:
    """A legend below the panels that spells out the series, with room of its own."""
    width = max(40, int(figure.get_figwidth() * 13))
    labels = [wrapped(label, width) for label in labels]
    lines = sum(label.count("\n") + 1 for label in labels)
    figure.set_figheight(figure.get_figheight() + 0.17 * lines)
    figure.legend(handles, labels, loc="outside lower left", ncols=1)
