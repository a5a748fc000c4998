"""Values one by one: bars from strong-negative to strong-positive, and dose-response curves."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from valueflow.results.steering.series import (
    Series,
    ValueLevels,
    few_at_once,
    interval,
    is_censored,
    theories_of,
    theory_title,
    value_rank,
)
from valueflow.results.style import (
    BLUE,
    VERMILION,
    Drawing,
    flat,
    intensity_axis,
    legend,
    line_style,
    lowest,
    panels,
    series_key,
    wrapped,
)
from valueflow.scorers.estimate.evaluation import MANY_BEYOND
from valueflow.scorers.summary.run import CellSummary

__all__ = ["bars_by_model", "bars_by_value", "dose_response_curves"]

_READING = (
    "Each bar runs from the mean at the lowest level (hollow square) to the mean at the highest "
    "(filled triangle); the black dot is the default, without steering. Thin lines are 95% "
    "intervals."
)

_ARROWS = (
    " An arrow in place of a mark points from the inner end of the interval to where more than a "
    "fifth of the responses lie, beyond every anchor: how far beyond is not known."
)


def bars_by_model(series: Sequence[Series]) -> list[Drawing]:
    """One panel per series, one bar per value; a figure per theory."""
    drawings = []
    for theory in theories_of(series):
        shown = [one for one in series if one.of(theory)]
        names = _values(shown, theory)
        figure, grid = panels(
            len(shown), 3.9, 0.27 * len(names) + 1.1, columns=2 if len(shown) < 5 else 3
        )
        for axes, one in zip(flat(grid), shown, strict=True):
            for row, name in enumerate(names):
                _bar(axes, row, one.get(theory, name))
            axes.set_yticks(range(len(names)), names)
            axes.set_ylim(len(names) - 0.4, -0.6)
            intensity_axis(axes, "x", label=axes in lowest(grid))
            axes.set_title(wrapped(one.label, 44), loc="left")
        legend(figure, *_marks(shown, theory), columns=4)
        drawings.append(
            Drawing(
                name=f"values_by_model_{theory}",
                title=f"{theory_title(theory)}: how far each value goes, by model",
                caption=f"{_READING}{_arrows(shown, theory)} Values of different rows share no "
                "unit.",
                alt=f"Bars of mean intensity per value of {theory_title(theory)}, one panel per "
                f"model and method: {'; '.join(one.label for one in shown)}.",
                figure=figure,
            )
        )
    return drawings


def bars_by_value(series: Sequence[Series]) -> list[Drawing]:
    """One panel per value, one bar per series; a figure per theory that several series have."""
    drawings = []
    for theory in theories_of(series):
        shown = [one for one in series if one.of(theory)]
        if len(shown) < 2:
            continue
        values = _values(shown, theory)
        figure, grid = panels(len(values), 2.5, 0.27 * len(shown) + 0.75)
        for axes, name in zip(flat(grid), values, strict=True):
            for row, one in enumerate(shown):
                _bar(axes, row, one.get(theory, name))
            axes.set_ylim(len(shown) - 0.4, -0.6)
            first = axes in [row[0] for row in grid]
            labels = [wrapped(one.short, 22) if first else "" for one in shown]
            axes.set_yticks(range(len(shown)), labels)
            intensity_axis(axes, "x", label=False)
            if axes in lowest(grid):
                axes.set_xlabel("mean intensity")
            axes.set_title(name, loc="left")
        handles, labels = _marks(shown, theory)
        legend(figure, handles, labels, loc="outside upper center", columns=4)
        series_key(
            figure, [one.label for one in shown], [Line2D([], [], linestyle="none") for _ in shown]
        )
        drawings.append(
            Drawing(
                name=f"models_by_value_{theory}",
                title=f"{theory_title(theory)}: the models side by side, value by value",
                caption=f"{_READING}{_arrows(shown, theory)} Within a panel, models can be "
                "compared where they have the same judge, anchors and questions.",
                alt=f"Bars of mean intensity per model, one panel per value of "
                f"{theory_title(theory)}.",
                figure=figure,
            )
        )
    return drawings


def dose_response_curves(series: Sequence[Series]) -> list[Drawing]:
    """Level against mean intensity with 95% bands, one panel per value; a figure per theory, and
    for each few of many models."""
    drawings = []
    for theory, shown, which in [
        (theory, few, which)
        for theory in theories_of(series)
        for few, which in few_at_once(
            [one for one in series if any(len(v.cells) > 1 for v in one.of(theory))]
        )
    ]:
        values = _values(shown, theory)
        figure, grid = panels(len(values), 2.3, 2.0)
        shade = 0.18 if len(shown) < 4 else 0.08
        for axes, name in zip(flat(grid), values, strict=True):
            levels: set[int] = set()
            for one in shown:
                value, index = one.get(theory, name), series.index(one)
                if value is None:
                    continue
                at = sorted(value.cells)
                levels |= set(at)
                means = [value.cells[level].mean.value for level in at]
                low, high = zip(*(interval(value.cells[level]) for level in at), strict=True)
                look = line_style(index)
                axes.fill_between(at, low, high, color=look["color"], alpha=shade, linewidth=0)
                axes.plot(
                    at, means, linewidth=1.3, color=look["color"], linestyle=look["linestyle"]
                )
                for level in at:
                    _point(axes, level, value.cells[level], look)
            intensity_axis(axes, "y", label=False)
            axes.set_xlim(-2.25, 2.25)
            axes.set_xticks([-2, -1, 0, 1, 2], ["−2", "−1", "0", "+1", "+2"])
            if axes in lowest(grid):
                axes.set_xlabel("level of the target")
            if axes in [row[0] for row in grid]:
                axes.set_ylabel("mean intensity")
            axes.set_title(name, loc="left")
        handles = [
            Line2D([], [], markersize=4, **line_style(series.index(one)))  # type: ignore[arg-type]
            for one in shown
        ]
        series_key(figure, [one.label for one in shown], handles)
        drawings.append(
            Drawing(
                name=f"dose_response_{theory}{which.replace(' to ', '-').replace(', ', '_')}",
                title=f"{theory_title(theory)}: dose and response{which}",
                caption="Mean intensity (−10 opposes, 10 supports) at each level of the target, "
                "0 being no "
                "steering. Bands are pointwise 95% intervals of the mean; lines join the levels "
                f"and claim nothing between them.{_arrows(shown, theory)}",
                alt=f"Curves of mean intensity over levels for each value of "
                f"{theory_title(theory)}.",
                figure=figure,
            )
        )
    return drawings


def _values(series: Sequence[Series], theory: str) -> list[str]:
    """Names of the values that some series has, in the registry's order."""
    names = {value.value for one in series for value in one.of(theory)}
    return sorted(names, key=lambda name: value_rank(theory, name))


def _bar(axes: Axes, row: int, value: ValueLevels | None) -> None:
    """The lowest level's mark stands a little below the middle and the highest one's a little
    above, so that intervals that overlap can still be told apart."""
    if value is None:
        axes.text(-10, row, "not measured", fontsize=7, color="#777777", va="center")
        return
    low, high, default = value.low, value.high, value.default
    left, right = sorted((low.mean.value, high.mean.value))
    if len(value.cells) > 1:
        axes.barh(
            row, right - left, left=left, height=0.56, color="#C9DDEB", edgecolor="#5C7F99",
            linewidth=0.6, zorder=1,
        )  # fmt: skip
    look: dict[str, Any] = {"linestyle": "none", "zorder": 4}
    square = {"marker": "s", "markersize": 4.5, "markerfacecolor": "white", "markeredgewidth": 1.3}
    if low.level < 0:
        _mark(axes, low, row + 0.17, VERMILION, {**square, "markeredgecolor": VERMILION, **look})
    if high.level > 0:
        triangle = {"marker": ">", "markersize": 6, "color": BLUE}
        _mark(axes, high, row - 0.17, BLUE, {**triangle, **look})
    if default is not None:
        dot = {"marker": "o", "markersize": 4.5, "color": "black"}
        _mark(axes, default, row, "black", {**dot, **look})


def _mark(axes: Axes, cell: CellSummary, height: float, color: str, look: dict[str, Any]) -> None:
    """A cell's interval and its mark; an arrow to the end where its responses lie beyond."""
    _interval(axes, cell, height, color)
    if not is_censored(cell):
        axes.plot(cell.mean.value, height, **look)
        return
    for share, inner, end in (
        (cell.beyond_high, cell.lower, 10.3),
        (cell.beyond_low, cell.upper, -10.3),
    ):
        if share > MANY_BEYOND / 2:
            axes.annotate(
                "", xy=(end, height), xytext=(inner, height), zorder=4,
                arrowprops={"arrowstyle": "-|>", "color": color, "linewidth": 1.5,
                            "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip


def _point(axes: Axes, level: int, cell: CellSummary, look: Mapping[str, Any]) -> None:
    """A point of a dose-response curve; a hollow arrow head where responses lie beyond."""
    if not is_censored(cell):
        axes.plot(level, cell.mean.value, markersize=4, **{**look, "linestyle": "none"})
        return
    for share, marker in ((cell.beyond_high, "^"), (cell.beyond_low, "v")):
        if share > MANY_BEYOND / 2:
            axes.plot(
                level, cell.mean.value, marker=marker, markersize=6, color=look["color"],
                markerfacecolor="white", linestyle="none",
            )  # fmt: skip


def _arrows(series: Sequence[Series], theory: str) -> str:
    """What the caption says of arrows, where there are any."""
    cells = [c for one in series for value in one.of(theory) for c in value.cells.values()]
    return _ARROWS if any(is_censored(cell) for cell in cells) else ""


def _interval(axes: Axes, cell: CellSummary, height: float, color: str) -> None:
    axes.plot(interval(cell), [height] * 2, color=color, linewidth=0.9, zorder=3)


def _marks(series: Sequence[Series], theory: str) -> tuple[list[Line2D | Patch], list[str]]:
    """Legend of the bars; says which levels the ends are."""
    values = [value for one in series for value in one.of(theory)]
    lows = sorted({value.low.level for value in values if value.low.level < 0})
    highs = sorted({value.high.level for value in values if value.high.level > 0})
    handles: list[Line2D | Patch] = []
    labels: list[str] = []
    if lows:
        handles.append(
            Line2D([], [], marker="s", linestyle="none", markerfacecolor="white",
                   markeredgecolor=VERMILION, markeredgewidth=1.4, markersize=5)
        )  # fmt: skip
        labels.append("level " + " or ".join(f"−{abs(level)}" for level in lows))
    if any(value.default is not None for value in values):
        handles.append(Line2D([], [], marker="o", linestyle="none", color="black", markersize=5))
        labels.append("default")
    if highs:
        handles.append(Line2D([], [], marker=">", linestyle="none", color=BLUE, markersize=6.5))
        labels.append("level " + " or ".join(f"+{level}" for level in highs))
    handles.append(Line2D([], [], color="#333333", linewidth=0.9))
    labels.append("95% interval")
    return handles, labels
