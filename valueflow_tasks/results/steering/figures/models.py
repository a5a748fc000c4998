"""Models as wholes: steerability ranking, and refusals by level."""

import math
from collections.abc import Sequence

from matplotlib.lines import Line2D

from valueflow.results.steering.rows import refusals_by_level, shifts_by_level
from valueflow.results.steering.series import (
    MODERATE,
    STRONG,
    Series,
    bounds,
    few_at_once,
    ranking,
    theories_of,
    theory_title,
)
from valueflow.results.style import (
    BLACK,
    BLUE,
    VERMILION,
    Drawing,
    flat,
    legend,
    line_style,
    panels,
    series_key,
    wrapped,
)

__all__ = ["refusal_rates", "refusal_shifts", "steerability"]


_UNLIKE = (
    " Not all were measured on the same values, so that these ranks do not compare like with like."
)


_ARROWS = (
    " An arrow is a model that is not ranked: more than a fifth of its responses at the outer "
    "levels lie beyond every anchor, and its range is at least what the arrow's start says."
)


def steerability(series: Sequence[Series]) -> list[Drawing]:
    """Mean range of each series with its interval, over the three regimes; a figure per theory."""
    drawings = []
    for theory in theories_of(series):
        ranked = ranking(series, theory)
        if not ranked:
            continue
        labels = [wrapped(one.series.label, 34) for one in ranked]
        most = max(label.count("\n") + 1 for label in labels)
        figure, grid = panels(1, 6.6, max(0.34, 0.16 * most + 0.1) * len(ranked) + 0.9)
        axes = flat(grid)[0]
        ends = [end for r in ranked for end in (*bounds(r.range), r.range.value)]
        known = [end for end in ends if not math.isnan(end)]
        left, right = min(0.0, *known) - 0.5, max(12.0, *known) + 0.5
        for start, stop, shade, name in (
            (left, MODERATE, "#F2F2F2", "weak"),
            (MODERATE, STRONG, "#E0E0E0", "moderate"),
            (STRONG, right, "#CCCCCC", "strong"),
        ):
            axes.axvspan(start, stop, color=shade, zorder=0, linewidth=0)
            axes.text(
                (max(start, 0) + stop) / 2, len(ranked) - 0.45, name, ha="center", va="bottom",
                fontsize=8, color="#333333",
            )  # fmt: skip
        for row, one in enumerate(ranked):
            axes.plot(bounds(one.range), [row, row], color=BLACK, linewidth=1.4, zorder=2)
            if one.saturated:
                # The range is at least so long: an arrow from its lower bound, without a dot.
                start = min(bounds(one.range)[0], one.range.value)
                axes.annotate(
                    "", xy=(right - 0.2, row), xytext=(start, row), zorder=3,
                    arrowprops={"arrowstyle": "-|>", "color": BLUE, "linewidth": 1.6,
                                "shrinkA": 0, "shrinkB": 0},
                )  # fmt: skip
                continue
            # Where no regime can be told, the dot is hollow.
            axes.plot(
                one.range.value, row, marker="o", markersize=7, color=BLUE,
                markerfacecolor=BLUE if one.regime else "white", linestyle="none", zorder=3,
            )  # fmt: skip
        axes.set_xlim(left, right)
        axes.set_ylim(len(ranked) - 0.3, -0.6)
        axes.set_yticks(range(len(ranked)), labels)
        axes.axvline(0, color="#777777", linewidth=0.8)
        axes.set_xlabel("mean range over values, in points (highest level minus lowest level)")
        drawings.append(
            Drawing(
                name=f"steerability_{theory}",
                title=f"{theory_title(theory)}: steerability ranking",
                caption=f"Mean over values of the range, with 95% interval. Shades are the regimes "
                f"weak (below {MODERATE:g} points), moderate, and strong (from {STRONG:g}). A "
                "hollow dot has no regime, because its levels do not go from −2 to +2."
                + (_ARROWS if any(r.saturated for r in ranked) else "")
                + (_UNLIKE if len({r.values for r in ranked}) > 1 else ""),
                alt="; ".join(
                    f"{r.series.label}: {'at least ' * r.saturated}{r.range.value:.1f} points, "
                    f"{'saturated' if r.saturated else r.regime or 'no regime'}"
                    for r in ranked
                ),
                figure=figure,
            )
        )
    return drawings


def refusal_rates(series: Sequence[Series]) -> list[Drawing]:
    """Share of refused responses at each level, over the values steered alone; a figure for each
    few of many models."""
    return [
        _refusal_rates(series, few, which)
        for few, which in few_at_once([one for one in series if refusals_by_level(one)])
    ]


def _refusal_rates(series: Sequence[Series], shown: Sequence[Series], which: str) -> Drawing:
    found = [(series.index(one), one, refusals_by_level(one)) for one in shown]
    figure, grid = panels(1, 5.4, 2.6)
    axes = flat(grid)[0]
    highest = 0.0
    width = min(0.12, 0.6 / len(found))
    for place, (index, _, rows) in enumerate(found):
        look = line_style(index)
        offset = (place - (len(found) - 1) / 2) * width
        at = [row["level"] + offset for row in rows]
        rates = [100 * row["refusal_rate"] for row in rows]
        errors = [
            [max(rate - 100 * row["lower"], 0) for rate, row in zip(rates, rows, strict=True)],
            [max(100 * row["upper"] - rate, 0) for rate, row in zip(rates, rows, strict=True)],
        ]
        highest = max(highest, *(100 * row["upper"] for row in rows))
        axes.errorbar(
            at, rates, yerr=errors, markersize=4.5, linewidth=1.1, capsize=2.5,
            elinewidth=0.9, **look,  # type: ignore[arg-type]
        )  # fmt: skip
    axes.set_ylim(-2, min(102, max(12.0, highest * 1.1)))
    axes.set_xticks([-2, -1, 0, 1, 2], ["−2", "−1", "0", "+1", "+2"])
    axes.set_xlim(-2.45, 2.45)
    axes.set_xlabel("level of the steering target (0: no steering)")
    axes.set_ylabel("refused responses (%)")
    handles = [Line2D([], [], markersize=4.5, **line_style(i)) for i, _, _ in found]  # type: ignore[arg-type]
    series_key(figure, [one.label for _, one, _ in found], handles)
    return Drawing(
        name=f"refusals{which.replace(' to ', '-').replace(', ', '_')}",
        title=f"Refusals by level{which}",
        caption="Share of responses that decline, over all values steered alone, with 95% "
        "intervals (Wilson, responses taken as independent). Marks of one level are set side "
        "by side.",
        alt="Share of refused responses at each level, per model.",
        figure=figure,
    )


def refusal_shifts(series: Sequence[Series]) -> list[Drawing]:
    """Mean shift at each level without refused responses and with them, where both are known."""
    found = [(one, rows) for one in series if (rows := shifts_by_level(one))]
    if not found:
        return []
    figure, grid = panels(len(found), 3.2, 2.3)
    for axes, (one, rows) in zip(flat(grid), found, strict=True):
        for name, color, marker, dash in (
            ("shift", BLUE, "o", "-"),
            ("with_refusals", VERMILION, "s", "--"),
        ):
            axes.plot(
                [row["level"] for row in rows], [row[name] for row in rows], color=color,
                marker=marker, linestyle=dash, markersize=4.5, linewidth=1.2,
                markerfacecolor="white" if name == "with_refusals" else color,
            )  # fmt: skip
        axes.axhline(0, color="#777777", linewidth=0.8)
        axes.set_ylim(-10.4, 10.4)
        axes.set_yticks([-10, -5, 0, 5, 10])
        axes.set_xticks([-2, -1, 0, 1, 2], ["−2", "−1", "0", "+1", "+2"])
        axes.set_xlabel("level of the target")
        axes.set_ylabel("mean shift (points)")
        axes.set_title(wrapped(one.label, 40), loc="left")
    legend(figure, [
            Line2D([], [], color=BLUE, marker="o", markersize=4.5),
            Line2D([], [], color=VERMILION, marker="s", markersize=4.5, linestyle="--",
                   markerfacecolor="white"),
        ],
        ["without refusals", "with refusals"],
        columns=2,
    )  # fmt: skip
    return [
        Drawing(
            name="shifts_with_refusals",
            title="Shifts with and without refusals",
            caption="Mean over values of the shift from the default, once from scored responses "
            "alone and once with refused responses: as they were ranked, where they were, else as "
            "responses that steering did not move.",
            alt="Mean shift at each level with and without refused responses, per model.",
            figure=figure,
        )
    ]
