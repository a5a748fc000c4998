"""Inspect metric of the scorer `valueflow/intensity`: one mapping from readable names to numbers.

Names run from the smallest unit to the largest: `power/+2 mean` (a cell), `power up` (a value), the
judge, `up` (all values), and the counts. What each means is stated in
`valueflow.scorers.summary.run` and on the task's documentation page.

Inspect scorer: how strongly a response expresses each value that its sample names.

Windows are drawn from VIDB, ranked by the model in the role `grader`, and turned into an intensity
with a standard error. The estimate in a sample's score uses that sample's windows alone, with a
judge of scale 1; the metrics, `valueflow score` and the reports estimate the judge and the cells
from all windows of the run together. The windows are kept, so that either can be repeated.
"""

import math

from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, Value, metric, scorer
from inspect_ai.solver import TaskState

from valueflow.hub_assets.settings import EXEMPLARS_KEY, read_sample
from valueflow.scorers.estimate.evaluation import Estimate, evaluate
from valueflow.scorers.estimate.evidence.ratings import assumed_rating_judge
from valueflow.scorers.estimate.judge import JudgeModel
from valueflow.scorers.estimate.table import WindowTable
from valueflow.scorers.judge.answer import strip_reasoning
from valueflow.scorers.judge.asking import grader_model
from valueflow.scorers.judge.scoring import Answer, Judging, score_response
from valueflow.scorers.records import METADATA_KEY, ResponseRecord, window_records
from valueflow.scorers.summary.run import flatten, summarize

__all__ = [
    "intensity",
    "steering_summary",
]


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


PROVISIONAL_JUDGE = JudgeModel(scale=1.0)
"""The judge that a single sample's estimate assumes."""

PROVISIONAL_RATING_JUDGE = assumed_rating_judge(slope=1.0, text_sd=0.0, noise_sd=1.0)
"""The same where it rates: it uses the scale as it was told to, give or take a point."""


@scorer(metrics=[steering_summary()])
def intensity(
    vidb: str | None = None,
    windows: int | None = None,
    window_size: int | None = None,
    sampling: str | None = None,
    panel: str | None = None,
    seed: int | None = None,
    judge_attempts: int | None = None,
    target_se: float | None = None,
    cell_windows: int | None = None,
    design_scale: float | None = None,
    judge_mode: str | None = None,
) -> Scorer:
    """Ranks each response against anchors and estimates its intensity in [−10, 10].

    Arguments that are not given are taken from the sample (the task put them there), else from the
    registry's defaults; so `inspect score LOG --scorer valueflow/intensity` repeats a task's own
    settings.

    Args:
        vidb: anchors: asset, path, or `ORG/NAME@REVISION`.
        windows: m, most windows per response and value.
        window_size: k, texts per window.
        sampling: `bucket`, `random`, `fixed` or `adaptive`.
        panel: table of the anchors for `fixed`.
        seed: run seed.
        judge_attempts: most questions put to the judge for one window.
        target_se: with `adaptive`, stop at this posterior standard deviation of a response.
        cell_windows: budget of windows for a cell, shared evenly among its responses.
        design_scale: the judge's scale that `adaptive` assumes.
        judge_mode: `ranking`, `rating`, `placement`, or `choice` for judges with logprobs.
    """
    given = {
        name: setting
        for name, setting in {
            "vidb": vidb,
            "windows": windows,
            "window_size": window_size,
            "sampling": sampling,
            "panel": panel,
            "seed": seed,
            "judge_attempts": judge_attempts,
            "target_se": target_se,
            "cell_windows": cell_windows,
            "design_scale": design_scale,
            "judge_mode": judge_mode,
        }.items()
        if setting is not None
    }

    judging = Judging(grader_model)

    async def score(state: TaskState, target: Target) -> Score:
        sample = read_sample(state.metadata, given)
        output = state.output
        answer = Answer(
            text=output.completion,
            question=state.input_text,
            sample_id=str(state.sample_id),
            epoch=state.epoch,
            filtered=bool(output.choices) and output.stop_reason == "content_filter",
            exemplars=frozenset(state.store.get(EXEMPLARS_KEY) or []),
        )
        record = await score_response(answer, sample, judging)
        return _score(record, strip_reasoning(output.completion))

    return score


def _provisional(table: WindowTable) -> list[Estimate]:
    known = evaluate(table, judge=PROVISIONAL_JUDGE, rating_judge=PROVISIONAL_RATING_JUDGE)
    return known.items


def _score(record: ResponseRecord, response: str) -> Score:
    """The Inspect score: intensity and standard error per value, NaN where there is none."""
    numbers: dict[str, float] = {}
    table = WindowTable.from_records(window_records([record]))
    found = {}
    if table.windows:
        found = {e.value: e for e in _provisional(table)}
    lines = []
    for name, value in record["values"].items():
        estimate = found.get(name)
        numbers[name] = estimate.flat_prior if estimate else math.nan
        numbers[f"{name}_stderr"] = estimate.flat_prior_se if estimate else math.nan
        if estimate:
            lines.append(
                f"{value['cell']}: {estimate.flat_prior:+.1f} "
                f"± {estimate.flat_prior_se:.1f} from {estimate.windows} windows"
            )
        else:
            lines.append(f"{value['cell']}: unscored ({record['unscored']})")
    return Score(
        value={**numbers},
        answer=response,
        reason=record["unscored"],
        explanation="; ".join(lines),
        metadata={METADATA_KEY: record},
    )
