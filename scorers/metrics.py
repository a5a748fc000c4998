"""Inspect metric of the scorer `valueflow/intensity`: one mapping from readable names to numbers.

Names run from the smallest unit to the largest: `power/+2 mean` (a cell), `power up` (a value), the
judge, `up` (all values), and the counts. What each means is stated in `valueflow.scorers.summary`
and on the task's documentation page.
"""

import math

from inspect_ai.scorer import Metric, SampleScore, Value, metric

from valueflow.scorers.records import METADATA_KEY, ResponseRecord
from valueflow.scorers.summary import Figure, RunSummary, summarize

__all__ = ["flatten", "steering_summary"]


@metric(scores="unreduced")
def steering_summary(estimator: str = "population") -> Metric:
    """Cells, dose–response figures per value, and their averages, with standard errors.

    Args:
        estimator: `population` (this project's) or `reference` (the published scripts').
    """

    def compute(scores: list[SampleScore]) -> Value:
        records: list[ResponseRecord] = [
            score.score.metadata[METADATA_KEY]
            for score in scores
            if score.score.metadata and METADATA_KEY in score.score.metadata
        ]
        return dict(flatten(summarize(records, estimator)))

    return compute


def flatten(summary: RunSummary) -> dict[str, float]:
    """A summary as one mapping; figures that the data do not allow are left out."""
    flat: dict[str, float] = {}

    def put(name: str, figure: Figure | None) -> None:
        if figure is not None and not math.isnan(figure.value):
            flat[name] = figure.value
            if not math.isnan(figure.se):
                flat[f"{name}_stderr"] = figure.se

    for cell in summary.cells:
        name = cell.cell
        flat[f"{name} count"] = cell.count
        put(f"{name} mean", cell.mean)
        put(f"{name} shift", cell.shift)
        put(f"{name} shift_with_refusals", cell.with_refusals)
        put(f"{name} sign_accuracy", cell.sign_accuracy)
        flat[f"{name} refusal_rate"] = cell.refusals / cell.responses
        flat[f"{name} unscored"] = cell.unscored
        flat[f"{name} over_word_limit"] = cell.over_word_limit / cell.responses
    for value in summary.values:
        for figure_name, figure in value.figures.items():
            put(f"{value.group} {value.value} {figure_name}".strip(), figure)
    for pair in summary.pairs:
        for point in pair.points:
            for figure_name, figure in point.figures.items():
                put(f"{point.condition} {figure_name}", figure)
        for figure_name, figure in pair.figures.items():
            put(f"{pair.name} {figure_name}", figure)
    for square in summary.squares:
        for figure_name, figure in square.figures.items():
            put(f"five {square.name} {figure_name}", figure)
    for composite in summary.composites:
        for figure_name, figure in composite.figures.items():
            put(f"composite {composite.value} {figure_name}", figure)
    if summary.evaluation is not None:
        for name, judge in summary.evaluation.judges.items():
            put(f"{name} judge_scale", Figure(judge.scale, judge.scale_se))
            put(f"{name} place_effect", Figure(judge.place_effect, judge.place_effect_se))
            put(f"{name} judge_fit", Figure(summary.evaluation.fit[name].p_value))
    for figure_name, figure in summary.overall.items():
        put(figure_name, figure)
    responses = max(summary.counts["responses"], 1)
    flat["refusal_rate"] = summary.counts["refusals"] / responses
    flat["over_word_limit"] = summary.counts["over_word_limit"] / responses
    for name in (
        "responses",
        "unscored",
        "truncated",
        "windows",
        "windows_failed",
        "judge_calls",
        "judge_retries",
        "judge_repairs",
        "choice_fallbacks",
        "anchors_borrowed",
        "anchors_repeated",
    ):
        flat[name] = summary.counts[name]
    return flat
