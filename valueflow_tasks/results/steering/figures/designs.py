"""Several values at once: pairs, five-value squares, and values steered by their children."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D

from valueflow.results.steering.series import theory_title
from valueflow.results.steering.studies import Study
from valueflow.results.style import (
    BLUE,
    GREY,
    VERMILION,
    Drawing,
    flat,
    intensity_axis,
    legend,
    line_style,
    panels,
    wrapped,
)
from valueflow.scorers.figures import Figure
from valueflow.scorers.summary.designs.composites import CompositeSummary
from valueflow.scorers.summary.designs.pairs import PairSummary
from valueflow.scorers.summary.designs.squares import SquareSummary

__all__ = ["composite_curves", "pair_planes", "square_maps"]

COLOUR_MAP = "PuOr_r"
"""Orange for positive and purple for negative: apart for the colour-blind; the sign stands in every
field, since in grey both ends are dark."""


def pair_planes(studies: Sequence[Study]) -> list[Drawing]:
    """Per pair of one or two values, arrows from the default to each target, a panel per study."""
    by_name: dict[tuple[str, str], list[tuple[Study, PairSummary]]] = {}
    for study in studies:
        for pair in study.summary.pairs:
            if len(pair.values) > 2:
                continue  # Children of several parents, which no plane shows.
            by_name.setdefault((pair.theory, pair.name), []).append((study, pair))
    drawings = []
    for (theory, name), found in by_name.items():
        conditions = list(dict.fromkeys(p.levels for _, pair in found for p in pair.points))
        looks = {levels: line_style(index) for index, levels in enumerate(conditions)}
        flat_pair = all(len(pair.values) == 1 for _, pair in found)
        height = 0.35 * len(conditions) + 1.4 if flat_pair else 3.5
        figure, grid = panels(len(found), 4.6 if flat_pair else 3.7, height, columns=2)
        for axes, (study, pair) in zip(flat(grid), found, strict=True):
            (_line if len(pair.values) == 1 else _plane)(axes, pair, looks)
            axes.set_title(wrapped(study.label, 44), loc="left")
        # With one axis, the rows name the levels themselves.
        labels = [] if flat_pair else [_levels_name(found[0][1], one) for one in conditions]
        handles = [_key(looks[levels]) for levels in conditions[: len(labels)]]
        handles.append(Line2D([], [], marker="o", color="black", linestyle="none"))
        legend(figure, handles, [*labels, "default"],
            columns=2 if len(found) > 1 else 1,
        )  # fmt: skip
        drawings.append(
            Drawing(
                name=f"pair_{theory}_{_file_name(name)}",
                title=f"{theory_title(theory)}: {name.replace('&', ' and ')} together",
                caption="Arrows lead from the mean without steering to the mean at each pair of "
                "levels; crosses are 95% intervals. The dotted ray shows the intended direction. "
                "The two axes share no unit, so that angles only tell which target prevails."
                if not flat_pair
                else "Both targets are parts of one value, so that there is one axis. Arrows lead "
                "from the mean without steering to the mean at each pair of levels.",
                alt=f"Arrows from the default to each target of the pair {name}.",
                figure=figure,
            )
        )
    return drawings


def _plane(axes: Axes, pair: PairSummary, looks: dict[tuple[int, int], dict[str, str]]) -> None:
    start = [figure.value for figure in pair.default]
    intensity_axis(axes, "x", label=False)
    intensity_axis(axes, "y", label=False)
    axes.set_aspect("equal")
    axes.set_xlabel(f"{pair.values[0]} (mean intensity)")
    axes.set_ylabel(f"{pair.values[1]} (mean intensity)")
    for point in pair.points:
        look, end = looks[point.levels], [figure.value for figure in point.mean]
        if any(map(math.isnan, (*end, *start))):
            continue
        size = math.hypot(*point.levels)
        reach = [s + 20 * level / size for s, level in zip(start, point.levels, strict=True)]
        axes.plot(
            [start[0], reach[0]], [start[1], reach[1]], color=look["color"], linestyle=":",
            linewidth=0.8, alpha=0.7, zorder=1,
        )  # fmt: skip
        axes.annotate(
            "", xy=(end[0], end[1]), xytext=(start[0], start[1]),
            arrowprops={"arrowstyle": "-|>", "color": look["color"], "linewidth": 1.5,
                        "linestyle": look["linestyle"], "shrinkA": 0, "shrinkB": 0},
            zorder=3,
        )  # fmt: skip
        first, second = (figure.interval for figure in point.mean)
        axes.plot(first, [end[1]] * 2, color=look["color"], lw=0.8)
        axes.plot([end[0]] * 2, second, color=look["color"], lw=0.8)
        axes.plot(*end, marker=look["marker"], color=look["color"], markersize=5, zorder=4)
    axes.plot(*start, marker="o", color="black", markersize=6, zorder=5)


def _line(axes: Axes, pair: PairSummary, looks: dict[tuple[int, int], dict[str, str]]) -> None:
    start = pair.default[0].value
    for row, point in enumerate(pair.points):
        look, end = looks[point.levels], point.mean[0]
        axes.annotate(
            "", xy=(end.value, row), xytext=(start, row),
            arrowprops={"arrowstyle": "-|>", "color": look["color"], "linewidth": 1.5,
                        "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip
        axes.plot(end.interval, [row] * 2, color=look["color"], lw=0.8)
        axes.plot(end.value, row, marker=look["marker"], color=look["color"], markersize=5)
        axes.plot(start, row, marker="o", color="black", markersize=5, zorder=5)
    axes.set_ylim(len(pair.points) - 0.4, -0.6)
    labels = [_levels_name(pair, point.levels) for point in pair.points]
    axes.set_yticks(range(len(pair.points)), labels)
    intensity_axis(axes, "x", label=False)
    axes.set_xlabel(f"{pair.values[0]} (mean intensity)")


def _key(look: dict[str, str]) -> Line2D:
    return Line2D([], [], markersize=5, **look)  # type: ignore[arg-type]


def _levels_name(pair: PairSummary, levels: tuple[int, int]) -> str:
    both = zip(pair.members, levels, strict=True)
    return ", ".join(f"{member} {_signed(level)}" for member, level in both)


def _signed(level: int) -> str:
    return f"{level:+d}".replace("-", "−")


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)


def square_maps(studies: Sequence[Study]) -> list[Drawing]:
    """Per square, the levels asked for beside the shifts that were measured, a row per study."""
    by_name: dict[tuple[str, str], list[tuple[Study, SquareSummary]]] = {}
    for study in studies:
        for square in study.summary.squares:
            by_name.setdefault((square.theory, square.name), []).append((study, square))
    drawings = []
    for (theory, name), found in by_name.items():
        most = max(len(square.rows) for _, square in found)
        figure, grid = panels(2 * len(found), 4.1, 0.45 * most + 1.5, columns=2)
        shown = [
            abs(figure_.value)
            for _, square in found
            for row in square.rows
            for figure_ in _measured(square, row)[1]
        ]
        limit = max([2.0, *(number for number in shown if not math.isnan(number))])
        for (left, right), (study, square) in zip(grid, found, strict=True):
            levels = [[float(level) for level in row.levels] for row in square.rows]
            _map(left, square, levels, [[_signed(lv) for lv in r.levels] for r in square.rows], 2.0)
            left.set_title(wrapped(f"{study.label}: levels asked for", 48), loc="left")
            what, _ = _measured(square, square.rows[0])
            cells = [_measured(square, row)[1] for row in square.rows]
            _map(
                right, square, [[f.value for f in row] for row in cells],
                [[_with_error(f) for f in row] for row in cells], limit,
            )  # fmt: skip
            right.set_title(f"{what} (points, ± standard error)", loc="left")
            right.set_yticks(range(len(square.rows)), [""] * len(square.rows))
        drawings.append(
            Drawing(
                name=f"square_{theory}_{_file_name(name)}",
                title=f"{theory_title(theory)}: five values at once ({name})",
                caption="Each row of the square is one prompt design: left the level that each "
                "value is steered to, right what was measured on it; orange is above "
                "zero and purple below. Columns share no unit.",
                alt=f"Square of levels beside the measured heat map of {name}.",
                figure=figure,
            )
        )
    return drawings


def _measured(square: SquareSummary, row: Any) -> tuple[str, Sequence[Figure]]:
    """Shifts, or the means where there is no default to take shifts from."""
    if row.shift and not all(math.isnan(figure.value) for figure in row.shift):
        return "measured shifts", row.shift
    return "measured means (no default, so no shifts)", row.mean


def _with_error(figure: Figure) -> str:
    if math.isnan(figure.value):
        return "–"
    text = f"{figure.value:+.1f}"
    if not math.isnan(figure.se):
        text += f"\n±{figure.se:.1f}"
    return text.replace("-", "−")


def _map(
    axes: Axes,
    square: SquareSummary,
    numbers: list[list[float]],
    texts: list[list[str]],
    limit: float,
) -> None:
    axes.imshow(numbers, cmap=COLOUR_MAP, norm=Normalize(-limit, limit), aspect="auto")
    colours, scale = colormaps[COLOUR_MAP], Normalize(-limit, limit)
    for y, row in enumerate(numbers):
        for x, number in enumerate(row):
            red, green, blue, _ = colours(float(scale(0.0 if math.isnan(number) else number)))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            axes.text(
                x, y, texts[y][x], ha="center", va="center", fontsize=8,
                color="white" if dark else "black",
            )  # fmt: skip
    names = [value.replace("-", "-\n", 1) if len(value) > 12 else value for value in square.values]
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(numbers)), [f"row {y + 1}" for y in range(len(numbers))])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def composite_curves(studies: Sequence[Study]) -> list[Drawing]:
    """Shift by steering all children of a value, beside the shift by steering the value itself."""
    by_theory: dict[str, list[tuple[Study, CompositeSummary]]] = {}
    for study in studies:
        for composite in study.summary.composites:
            by_theory.setdefault(composite.theory, []).append((study, composite))
    drawings = []
    for theory, found in by_theory.items():
        figure, grid = panels(len(found), 2.7, 2.3)
        for axes, (study, composite) in zip(flat(grid), found, strict=True):
            for color, marker, dash, points in (
                (BLUE, "o", "-", [(p.level, p.shift) for p in composite.points]),
                (
                    VERMILION,
                    "s",
                    "--",
                    [(p.level, p.direct) for p in composite.points if p.direct is not None],
                ),
            ):
                if points:
                    axes.errorbar(
                        [level + (0.07 if color == VERMILION else -0.07) for level, _ in points],
                        [shift.value for _, shift in points],
                        yerr=[
                            [shift.value - shift.interval[0] for _, shift in points],
                            [shift.interval[1] - shift.value for _, shift in points],
                        ],
                        color=color, marker=marker, linestyle=dash, markersize=4.5,
                        linewidth=1.2, elinewidth=0.9, capsize=2.5,
                    )  # fmt: skip
            axes.axhline(0, color=GREY, linewidth=0.8)
            axes.set_ylim(-15, 15)
            axes.set_xlim(-2.4, 2.4)
            axes.set_xticks([-2, -1, 0, 1, 2], ["−2", "−1", "0", "+1", "+2"])
            axes.set_xlabel("level of all children")
            axes.set_ylabel("shift (points)")
            tag = f"{study.tag}: " if study.tag else ""
            axes.set_title(f"{tag}{composite.value}", loc="left")
        legend(
            figure,
            [
                Line2D([], [], color=BLUE, marker="o", markersize=4.5),
                Line2D([], [], color=VERMILION, marker="s", linestyle="--", markersize=4.5),
            ],
            ["by its children", "steered directly"],
            columns=2,
        )
        drawings.append(
            Drawing(
                name=f"composites_{theory}",
                title=f"{theory_title(theory)}: values steered by way of their children",
                caption="Shift of the value from the default, with 95% intervals: all children "
                "steered to one level, and the value itself. "
                + " ".join(
                    f"{c.value}: {', '.join(c.children)}."
                    for c in {composite.value: composite for _, composite in found}.values()
                ),
                alt="Shift by steering the children and by steering the value, per level.",
                figure=figure,
            )
        )
    return drawings
