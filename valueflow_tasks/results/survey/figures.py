"""How figures of survey runs are drawn: a row for each scope, in it a mark per pass or study.

Figures of survey runs: accuracies and distances by scope and pass, and paired differences.

A scope is a row; what is compared stands in the row one below the other, so that long names of
groups and models have room on the left.
"""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from valueflow.results.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    VERMILION,
    Drawing,
    flat,
    line_style,
    panels,
    wrapped,
)
from valueflow.results.survey.rows import (
    accuracy_rows,
    difference_rows,
    pass_title,
    scope_rank,
    scope_title,
)
from valueflow.results.survey.studies import LEAKED, OpinionStudy
from valueflow.scorers.survey.accuracy import MACRO

__all__ = [
    "LOOKS",
    "accuracies",
    "differences",
    "distances",
    "draw_point",
    "draw_scopes",
    "group_accuracies",
    "handle_of",
    "key_below",
    "label_scopes",
    "labels_on_the_left",
    "models",
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


WIDE = ("all", "mean of attributes", "attribute")


def accuracies(studies: Sequence[OpinionStudy]) -> list[Drawing]:
    """Accuracy over all rows and by attribute; a panel per study."""
    return _scope_panels(
        studies,
        "accuracy",
        name="survey_accuracy",
        title="Accuracy by attribute and pass",
        caption="Share of answers that name the group's most frequent option, among answers that "
        "name one, with 95% intervals clustered by question. The bar is the group-blind majority: "
        "the most frequent option over all groups of a question, which needs no model and is read "
        "off the answers to that very question. Mean of "
        "attributes: each attribute counts alike.",
        axis="accuracy (%)",
        scale=100,
    )


def distances(studies: Sequence[OpinionStudy]) -> list[Drawing]:
    """Distance of the stated distribution from the group's, where logprobs were there."""
    told = (
        "with 95% intervals clustered by question; 0 is the same distribution. Only answers that "
        "begin with a letter have a stated distribution. The bar is the distance of the mean "
        "distribution over all groups from the group's, on all questions."
    )
    return [
        *_scope_panels(
            [study for study in studies if _has(study, "js")],
            "js",
            name="survey_js",
            title="Distribution match: Jensen–Shannon divergence",
            caption=f"Divergence, in bits, of the model's distribution over the options from the "
            f"group's, {told}",
            axis="Jensen–Shannon divergence (bits)",
        ),
        *_scope_panels(
            [study for study in studies if _has(study, "emd")],
            "emd",
            name="survey_emd",
            title="Distribution match: earth mover's distance",
            caption="On questions with ordered options: the work of moving the model's "
            "distribution into the group's, as a share of the largest, "
            f"{told}",
            axis="earth mover's distance (share of the largest)",
        ),
    ]


def group_accuracies(studies: Sequence[OpinionStudy]) -> list[Drawing]:
    """Accuracy of each group; a figure per study."""
    drawings = []
    for number, study in enumerate(studies):
        rows = [r for r in accuracy_rows(study.label, study.summary) if r["kind"] == "group"]
        names = list(dict.fromkeys(row["scope"] for row in rows))
        if not names:
            continue
        passes = passes_of(study)
        figure, grid = panels(1, 6.9, row_height(len(passes)) * len(names) + 0.5)
        axes = flat(grid)[0]
        draw_scopes(axes, rows, names, passes, "accuracy", 100)
        label_scopes(axes, names)
        attribute = [scope_title(name).partition(":")[0] for name in names]
        for place in range(1, len(names)):
            if attribute[place] != attribute[place - 1]:
                axes.axhline(place - 0.5, color="#777777", linewidth=0.7)
        share_axis(axes, "accuracy (%)")
        if study.tag:
            axes.set_title(wrapped(study.label, 70), loc="left")
        pass_key(figure, [study])
        drawings.append(
            Drawing(
                name="survey_groups" + (f"_{study.tag}" if study.tag else ""),
                title="Accuracy by group and pass" + (f", study {study.tag}" if study.tag else ""),
                caption="As above, for each group. Intervals are wide, and of many groups some "
                "differ by chance. An interval without width means that all answers were alike.",
                alt=f"Accuracy of {len(names)} groups in the passes "
                f"{', '.join(map(pass_title, passes))}; study {number + 1}.",
                figure=figure,
            )
        )
    return drawings


def models(studies: Sequence[OpinionStudy]) -> list[Drawing]:
    """Accuracy over all rows, study by study; where there are several."""
    if len(studies) < 2:
        return []
    present = [name for name in LOOKS if any(name in passes_of(study) for study in studies)]
    figure, grid = panels(1, 6.6, row_height(len(present)) * len(studies) + 0.7)
    axes = flat(grid)[0]
    for place, study in enumerate(studies):
        rows = [r for r in accuracy_rows(study.label, study.summary) if r["kind"] == "all"]
        rows = [{**row, "scope": place} for row in rows]
        draw_scopes(axes, rows, list(range(len(studies))), present, "accuracy", 100)
    rows_axis(axes, [wrapped(study.label, 34) for study in studies])
    share_axis(axes, "accuracy (%)")
    pass_key(figure, studies)
    return [
        Drawing(
            name="survey_models",
            title="Accuracy by model and pass",
            caption="Accuracy over all answers with 95% intervals clustered by question, and the "
            "group-blind majority on the same questions. Models compare only where questions and "
            "groups are the same.",
            alt="; ".join(_told(study) for study in studies),
            figure=figure,
        )
    ]


def differences(studies: Sequence[OpinionStudy]) -> list[Drawing]:
    """Paired differences of accuracy; a panel per comparison, a mark per study."""
    rows = {
        study.label: [
            r for r in difference_rows(study.label, study.summary) if r["kind"] in WIDE
        ]
        for study in studies
    }  # fmt: skip
    comparisons = list(dict.fromkeys(r["comparison"] for own in rows.values() for r in own))
    if not comparisons:
        return []
    names = scope_names([row for own in rows.values() for row in own])
    height = max(0.3, 0.12 * len(studies) + 0.14)
    figure, grid = panels(len(comparisons), 3.0, height * len(names) + 0.75)
    ends = [
        abs(100 * row[end])
        for own in rows.values()
        for row in own
        for end in ("difference", "lower", "upper")
        if not math.isnan(row[end])
    ]
    most = min(103.0, max(10.0, *ends) * 1.08)
    for axes, comparison in zip(flat(grid), comparisons, strict=True):
        for number, study in enumerate(studies):
            offset = offset_of(number, len(studies))
            look = {k: v for k, v in line_style(number).items() if k != "linestyle"}
            for row in rows[study.label]:
                if row["comparison"] == comparison and row["scope"] in names:
                    point = (100 * row["difference"], 100 * row["lower"], 100 * row["upper"])
                    draw_point(axes, names.index(row["scope"]) + offset, point, look)
        axes.axvline(0, color="#777777", linewidth=0.8, zorder=1)
        axes.set_xlim(-most, most)
        axes.set_title(wrapped(comparison, 34), loc="left")
        axes.set_xlabel("difference (percentage points)")
        label_scopes(axes, names)
    labels_on_the_left(grid)
    if len(studies) > 1:
        handles = [handle_of({**line_style(n), "linestyle": "none"}) for n in range(len(studies))]
        key_below(figure, handles, [study.label for study in studies])
    return [
        Drawing(
            name="survey_differences",
            title="Differences between passes",
            caption="Accuracy of the first minus that of the second, on rows that both answered, "
            "with 95% t intervals clustered by question; right of zero the first is better."
            + (f" {_leaked_text(studies)}" if any(s.is_leaked for s in studies) else ""),
            alt="; ".join(
                f"{row['study']}, {row['comparison']}: {100 * row['difference']:+.1f} points"
                for own in rows.values()
                for row in own
                if row["kind"] == "all"
            ),
            figure=figure,
        )
    ]


def _scope_panels(
    studies: Sequence[OpinionStudy],
    field: str,
    *,
    name: str,
    title: str,
    caption: str,
    axis: str,
    scale: float = 1,
) -> list[Drawing]:
    """One figure number over all rows and by attribute; a panel per study."""
    if not studies:
        return []
    rows = {
        study.label: [
            r
            for r in accuracy_rows(study.label, study.summary)
            if r["kind"] in WIDE and r[field] is not None
        ]
        for study in studies
    }
    names = scope_names([row for own in rows.values() for row in own])
    most = max(len(passes_of(study)) for study in studies)
    lone = len(studies) == 1
    height = row_height(most) * len(names) + (0.5 if lone else 0.8)
    figure, grid = panels(len(studies), 6.4 if lone else 3.6, height, 2)
    ends = [row[f"{field}_upper"] for own in rows.values() for row in own]
    ends += [row[field] for own in rows.values() for row in own]
    right = max([end for end in ends if end is not None and not math.isnan(end)])
    for axes, study in zip(flat(grid), studies, strict=True):
        draw_scopes(axes, rows[study.label], names, passes_of(study), field, scale)
        label_scopes(axes, names)
        if scale == 100:
            share_axis(axes, axis)
        else:
            axes.set_xlim(0, max(0.01, right * 1.06))
            axes.set_xlabel(axis)
        if not lone:
            axes.set_title(wrapped(study.label, 42), loc="left")
    labels_on_the_left(grid)
    pass_key(figure, studies)
    return [
        Drawing(
            name=name,
            title=title,
            caption=caption + (f" {_leaked_text(studies)}" if any(s.is_leaked for s in studies)
                               else ""),
            alt="; ".join(_told(study, field, scale) for study in studies),
            figure=figure,
        )
    ]  # fmt: skip


def _leaked_text(studies: Sequence[OpinionStudy]) -> str:
    which = ", ".join(study.tag for study in studies if study.is_leaked and study.tag)
    return f"Pass profile{f' of {which}' if which else ''}: {LEAKED}, no evidence for new ones."


def _told(study: OpinionStudy, field: str = "accuracy", scale: float = 100) -> str:
    """A study's numbers over all rows, for those who cannot see the figure."""
    rows = accuracy_rows(study.label, study.summary)
    unit = "%" if scale == 100 else ""
    numbers = [
        f"{row['pass']} {scale * row[field]:.{1 if unit else 3}f}{unit}"
        for row in rows
        if row["kind"] == "all" and row[field] is not None
    ]
    return f"{study.label}: {', '.join(numbers)}"


def _has(study: OpinionStudy, figure: str) -> bool:
    """Whether a pass of the study, and not the baseline alone, has a number."""
    return any(figure in s.figures for s in study.summary.scopes if s.pass_name in study.passes)
