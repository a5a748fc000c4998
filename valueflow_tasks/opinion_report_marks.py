"""How figures of survey runs are drawn: a row for each scope, in it a mark per pass or study."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from valueflow.opinion_report_rows import pass_title, scope_rank, scope_title
from valueflow.opinion_report_studies import LEAKED, OpinionStudy
from valueflow.report_style import BLACK, BLUE, GREEN, GREY, VERMILION, wrapped
from valueflow.scorers.option_accuracy import MACRO

__all__ = [
    "LOOKS",
    "draw_point",
    "draw_scopes",
    "handle_of",
    "key_below",
    "label_scopes",
    "labels_on_the_left",
    "offset_of",
    "pass_key",
    "passes_of",
    "row_height",
    "rows_axis",
    "scope_names",
    "share_axis",
]

LOOKS = {
    "profile": {"color": VERMILION, "marker": "^"},
    "modular_pluralism": {"color": GREEN, "marker": "D"},
    "default": {"color": BLUE, "marker": "o"},
    "blind": {"color": GREY, "marker": "s"},
    "baseline": {"color": BLACK, "marker": "|"},
}
"""Passes in the order in which they stand in a row, from above."""

SCOPES = {"all": "", "mean of attributes": MACRO}
"""Scopes as rows name them, and as the statistics do."""

Point = tuple[float, float, float]
"""A number and the ends of its interval; NaN where there is none."""


def passes_of(study: OpinionStudy) -> list[str]:
    """What is drawn of a study: its passes and the baseline."""
    return [name for name in LOOKS if name in study.passes or name == "baseline"]


def scope_names(rows: Sequence[dict[str, object]]) -> list[str]:
    """The scopes of some rows: all, the mean of attributes where there are several, attributes."""
    names: set[str] = {str(row["scope"]) for row in rows}
    if sum(name not in SCOPES for name in names) < 2:
        names -= {"mean of attributes"}
    return sorted(names, key=_rank)


def _rank(name: str) -> tuple[int, int, str]:
    return scope_rank(SCOPES.get(name, name))


def row_height(marks: int) -> float:
    """Inches that a row of so many marks needs."""
    return max(0.3, 0.11 * marks + 0.06)


def offset_of(place: int, of: int) -> float:
    """How far below its row's middle a mark stands, in rows."""
    return (place - (of - 1) / 2) * min(0.22, 0.72 / of)


def draw_scopes(
    axes: Axes,
    rows: Sequence[dict[str, object]],
    names: Sequence[object],
    passes: Sequence[str],
    field: str,
    scale: float,
) -> None:
    """Draws rows of `accuracy_rows`: marks with intervals for passes, a bar for the baseline.

    Args:
        names: the scopes, from above.
        field: the figure.
        scale: what it is multiplied by.
    """
    drawn = {pass_title(name): name for name in passes}
    models_only = [name for name in passes if name != "baseline"]
    for row in rows:
        name = drawn.get(str(row["pass"]))
        if name is None or row["scope"] not in names or row[field] is None:
            continue
        numbers = [row[key] for key in (field, f"{field}_lower", f"{field}_upper")]
        value, low, high = (math.nan if n is None else scale * float(str(n)) for n in numbers)
        place = names.index(row["scope"])
        if name == "baseline":
            # A bar through the whole row, which the passes are held against.
            axes.plot([value, value], [place - 0.4, place + 0.4], color=BLACK, linewidth=1.6)
        else:
            at = place + offset_of(models_only.index(name), len(models_only))
            draw_point(axes, at, (value, low, high), LOOKS[name])


def draw_point(axes: Axes, at: float, point: Point, look: dict[str, str]) -> None:
    """A mark at a height, with a line from end to end of its interval."""
    value, low, high = point
    if not math.isnan(low):
        axes.plot([low, high], [at, at], color=look["color"], linewidth=1.1, zorder=2)
    axes.plot(
        value, at, markersize=4.5, linestyle="none", color=look["color"], marker=look["marker"],
        zorder=3, clip_on=False,
    )  # fmt: skip


def label_scopes(axes: Axes, names: Sequence[str]) -> None:
    """Names the rows after their scopes."""
    rows_axis(axes, [wrapped(scope_title(SCOPES.get(name, name)), 30) for name in names])


def rows_axis(axes: Axes, labels: Sequence[str]) -> None:
    """Rows from above, with a shade on every second one."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    for place in range(0, len(labels), 2):
        axes.axhspan(place - 0.5, place + 0.5, color="#F4F4F4", zorder=-1, linewidth=0)


def labels_on_the_left(grid: Sequence[Sequence[Axes]]) -> None:
    """Rows are named once in a line of panels."""
    for line in grid:
        for axes in line[1:]:
            axes.set_yticklabels([])


def share_axis(axes: Axes, label: str) -> None:
    """Makes the axis across one of percent, whole."""
    axes.set_xlim(0, 100)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel(label)


def handle_of(look: dict[str, str]) -> Line2D:
    """A mark for a legend."""
    return Line2D([], [], markersize=5, linestyle="none", color=look["color"],
                  marker=look["marker"])  # fmt: skip


def pass_key(figure: Canvas, studies: Sequence[OpinionStudy]) -> None:
    """A legend below the panels that names the passes, and marks those that are not evidence."""
    present = [name for name in LOOKS if any(name in passes_of(study) for study in studies)]
    leaked = [study for study in studies if study.is_leaked]
    which = "" if len(leaked) == len(studies) else f"{', '.join(study.tag for study in leaked)}: "
    labels = [
        f"{pass_title(name)} ({which}{LEAKED})"
        if name == "profile" and leaked
        else pass_title(name)
        for name in present
    ]
    handles = [handle_of(LOOKS[name]) for name in present]
    for name, handle in zip(present, handles, strict=True):
        if name == "baseline":
            handle.set(markersize=9, markeredgewidth=1.6)
    key_below(figure, handles, labels)


def key_below(figure: Canvas, handles: Sequence[Line2D], labels: Sequence[str]) -> None:
    """A legend below the panels, in one line where it has room."""
    width = max(40, int(figure.get_figwidth() * 13))
    told = [wrapped(label, width) for label in labels]
    in_a_line = sum(map(len, labels)) + 8 * len(labels) <= width
    lines = 1 if in_a_line else sum(label.count("\n") + 1 for label in told)
    figure.set_figheight(figure.get_figheight() + 0.17 * lines)
    columns = len(told) if in_a_line else 1
    figure.legend(handles, told, loc="outside lower left", ncols=columns)
