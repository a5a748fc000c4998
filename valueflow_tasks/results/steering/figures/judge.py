"""The judge: does it follow the model, and how sharp is it on each value?"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from valueflow.results.steering.rows import (
    fit_by_distance,
    judge_rows,
    rated_anchors,
    rating_judge_rows,
)
from valueflow.results.steering.series import value_rank
from valueflow.results.steering.studies import Study
from valueflow.results.style import (
    BLUE,
    GREY,
    TICKS,
    VERMILION,
    Drawing,
    flat,
    legend,
    panels,
    wrapped,
)
from valueflow.results.tables import Row
from valueflow.scorers.estimate.evidence.ratings import RatingJudge, basis
from valueflow.scorers.figures import Z95

__all__ = ["judge_fits", "judge_parameters", "judge_ratings"]

POOR_FIT = 0.01
"""p-value below which a judge is said not to follow the model, as in the evaluation's notes."""


def judge_fits(studies: Sequence[Study]) -> list[Drawing]:
    """Share of anchor pairs that the judge ordered as their intensities say, by distance."""
    found = [(study, rows) for study in studies if (rows := fit_by_distance(study))]
    if not found:
        return []
    figure, grid = panels(len(found), 3.6, 2.3, columns=2)
    for axes, (study, rows) in zip(flat(grid), found, strict=True):
        at = range(len(rows))
        for row, x in zip(rows, at, strict=True):
            axes.plot([x, x], [row["lower"], row["upper"]], color=BLUE, linewidth=1.1)
        axes.plot(at, [row["observed"] for row in rows], "o", color=BLUE, markersize=5)
        axes.plot(
            at, [row["expected"] for row in rows], "--", color=VERMILION, marker="_",
            markersize=9, linewidth=1.2, zorder=1,
        )  # fmt: skip
        axes.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
        axes.set_ylim(0.35, 1.03)
        axes.set_xticks(at, [f"{row['from']:g}–{row['to']:g}" for row in rows])
        axes.set_xlabel("distance of two anchors (points)")
        axes.set_ylabel("share ordered as stated")
        axes.set_title(
            wrapped(f"{study.label}; judge {study.judge.get('model', '')}", 46), loc="left"
        )
    legend(
        figure,
        [
            Line2D([], [], color=BLUE, marker="o", linewidth=1.1),
            Line2D([], [], color=VERMILION, linestyle="--", marker="_"),
            Line2D([], [], color=GREY, linestyle=":"),
        ],
        ["observed, 95% interval", "expected of the fitted judge", "chance"],
        columns=3,
    )
    return [
        Drawing(
            name="judge_fit",
            title="Judges: observed and expected orders of anchors",
            caption="Pairs of anchors by the distance of their intensities, over all values: the "
            "share that the judge ordered as the intensities say, and the share that a judge of "
            "the fitted scale, place effect and lapse rate would. The intervals take pairs as "
            "independent, although a window holds several.",
            alt="Observed and expected share of well-ordered anchor pairs by distance, per judge.",
            figure=figure,
        )
    ]


def judge_parameters(studies: Sequence[Study]) -> list[Drawing]:
    """Scale and place effect of each judge on each value, with intervals."""
    found = [(study, rows) for study in studies if (rows := judge_rows(study))]
    if not found:
        return []
    most = max(len(rows) for _, rows in found)
    figure, grid = panels(
        2 * len(found), 3.4 if len(found) < 3 else 2.9, 0.24 * most + 1.0,
        columns=2 if len(found) < 3 else 4,
    )  # fmt: skip
    cells = flat(grid)
    highest = max(row["scale"] + Z95 * row["scale_se"] for _, rows in found for row in rows)
    widest = max(
        0.5,
        *(
            abs(row["place_effect"]) + Z95 * row["place_effect_se"]
            for _, rows in found
            for row in rows
            if not math.isnan(row["place_effect_se"])
        ),
    )
    for index, (study, rows) in enumerate(found):
        rows = sorted(rows, key=lambda row: value_rank(row["theory"], row["value"]))
        for axes, name, label in (
            (cells[2 * index], "scale", "scale (log-worth per point)"),
            (cells[2 * index + 1], "place_effect", "place effect (log-worth per place)"),
        ):
            for y, row in enumerate(rows):
                half = Z95 * row[f"{name}_se"]
                poor = row["fit_p_value"] < POOR_FIT
                color = VERMILION if poor else BLUE
                axes.plot([row[name] - half, row[name] + half], [y, y], color=color, linewidth=1.1)
                axes.plot(
                    row[name], y, marker="s" if poor else "o", color=color, markersize=5,
                    markerfacecolor="white" if poor else color,
                )  # fmt: skip
            axes.set_ylim(len(rows) - 0.4, -0.6)
            first = name == "scale"
            axes.set_yticks(range(len(rows)), [row["value"] if first else "" for row in rows])
            axes.set_xlabel(label)
            if first:
                axes.set_xlim(0, highest * 1.08)
                axes.set_title(wrapped(study.label, 44 if len(found) < 3 else 36), loc="left")
            else:
                axes.set_xlim(-widest * 1.08, widest * 1.08)
                axes.axvline(0, color="#777777", linewidth=0.8)
    legend(
        figure,
        [
            Line2D([], [], color=BLUE, marker="o"),
            Line2D([], [], color=VERMILION, marker="s", markerfacecolor="white"),
        ],
        ["judge follows the model", f"does not (p below {POOR_FIT:g})"],
        columns=2,
    )
    return [
        Drawing(
            name="judge_parameters",
            title="Judges: scale and place effect per value",
            caption="With 95% intervals. A scale of 0.3 is a noisy judge and 3 a sharp one; a "
            "positive place effect favours texts that are shown earlier.",
            alt="Scale and place effect of each judge on each value, with intervals.",
            figure=figure,
        )
    ]


def judge_ratings(studies: Sequence[Study]) -> list[Drawing]:
    """How the judges' numbers for the anchors follow the anchors' intensities, with fitted lines.

    A panel a value where there is one study with ratings, else a panel a study.
    """
    # A panel's judges each have a scale of their own; they stand in the table.
    alone_judged = [study for study in studies if study.summary.panel is None]
    found = [(study, rated) for study in alone_judged if (rated := rated_anchors(study))]
    if not found:
        return []
    alone = len(found) == 1
    count = len(found[0][1]) if alone else len(found)
    figure, grid = panels(count, 2.2 if alone else 3.2, 2.2 if alone else 2.8, 4 if alone else 3)
    axes = iter(flat(grid))
    for study, rated in found:
        evaluation = study.summary.evaluation
        judges = evaluation.rating_judges if evaluation else {}
        names = [str(row["value"]) for row in rating_judge_rows(study) if row["value"] in rated]
        if alone:
            for name in names:
                one = next(axes)
                _calibration(one, {name: judges[name]}, rated)
                one.set_title(f"{name}\n{_of_scale(judges[name])}", loc="left")
        else:
            one = next(axes)
            _calibration(one, {name: judges[name] for name in names}, rated)
            title = f"{study.label}; judge {study.judge.get('model', '')}"
            one.set_title(wrapped(title, 40), loc="left")
    for row in grid:
        row[0].set_ylabel("rating (points)")
    for one in flat(grid):
        one.set_xlabel("intensity of the anchor")
    legend(
        figure,
        [
            Line2D([], [], color=GREY, marker="o", linestyle="", markersize=4),
            Line2D([], [], color=BLUE, linewidth=1.6),
            Line2D([], [], color=VERMILION, linewidth=1.6, linestyle="--"),
            Line2D([], [], color=GREY, linestyle=":"),
        ],
        [
            "an anchor, mean of its ratings",
            "fitted scale, 95% interval",
            "does not follow the anchors",
            "rating = intensity",
        ],
        columns=4,
    )
    return [
        Drawing(
            name="judge_ratings",
            title="Judges: ratings of anchors",
            caption="Each point is an anchor text: its intensity, and the mean of the numbers that "
            "the judge gave it, larger where it was rated more often. The line is the scale on "
            "which the judge was found to rate; responses are read off it. How far points lie from "
            "the line is the judge's standing disagreement with single texts, which more windows "
            "do not wear down. A line on the dotted one is a judge who uses the scale as the "
            "anchors do; what lies beyond the anchors is told by the line alone.",
            alt="Ratings of anchors against their intensities, with the fitted scale of the judge.",
            figure=figure,
        )
    ]


def _of_scale(judge: RatingJudge) -> str:
    half = Z95 * judge.slope_se
    bent = ", bent" if judge.bent else ""
    return f"slope {judge.slope:.2f} ± {half:.2f}{bent}, texts {judge.text_sd:.1f}"


def _calibration(
    axes: Axes, judges: Mapping[str, RatingJudge], rated: Mapping[str, Sequence[Row]]
) -> None:
    """Anchors' ratings of some values and the judge's scale on each of them."""
    at = np.linspace(-10, 10, 81)
    axes.plot([-10, 10], [-10, 10], color=GREY, linestyle=":", linewidth=0.8, zorder=1)
    for name, judge in judges.items():
        points = rated[name]
        often = [6 + 6 * math.log2(float(row["ratings"])) for row in points]
        axes.scatter(
            [row["intensity"] for row in points], [row["rating"] for row in points], s=often,
            color=GREY, alpha=0.55 if len(judges) == 1 else 0.3, linewidths=0, zorder=2,
        )  # fmt: skip
        color = BLUE if judge.follows else VERMILION
        line = judge.expected(at)
        if len(judges) == 1:
            regressors = basis(at)
            half = Z95 * np.sqrt(np.einsum("gi,ij,gj->g", regressors, judge.covariance, regressors))
            axes.fill_between(at, line - half, line + half, color=color, alpha=0.2, linewidth=0)
        axes.plot(
            at, line, color=color, linestyle="-" if judge.follows else "--",
            linewidth=1.6 if len(judges) == 1 else 1.0, zorder=3,
        )  # fmt: skip
    axes.set_xlim(-10.4, 10.4)
    axes.set_ylim(-10.8, 10.8)
    axes.set_xticks(TICKS)
    axes.set_yticks(TICKS)
