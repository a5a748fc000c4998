"""Inspect's scorer and metric of the task `judge_stability`."""

import math
from collections.abc import Mapping
from typing import Any, cast

from inspect_ai.scorer import (
    Metric,
    SampleScore,
    Score,
    Scorer,
    Target,
    Value,
    metric,
    scorer,
)
from inspect_ai.solver import TaskState

from valueflow.hub_assets.errors import clear_scorer_errors
from valueflow.hub_assets.files import sendable
from valueflow.hub_assets.settings import (
    SpendingSettings,
    read_options,
    read_sample,
    with_options,
)
from valueflow.scorers.judge.answer import strip_reasoning
from valueflow.scorers.summary.stability.judgements import (
    STUDY_KEY,
    StudyRecord,
    judgements_in,
    read_judgements,
)
from valueflow.scorers.summary.stability.study import stability_of
from valueflow.scorers.summary.while_running import figures_while_running, note_scored
from valueflow.steering.judge_study.asking import StudyJudges, TextToJudge, judge_text
from valueflow.steering.judge_study.settings import read_study_sample

__all__ = ["judge_stability_scores", "stability_summary"]


@metric(scores="unreduced")
def stability_summary() -> Metric:
    """Stability and accuracy by way of asking, raw and calibrated, with standard errors.

    While a run goes on, the counts alone: figures take an evaluation of every judge in every
    wording.
    """
    figures = figures_while_running(_figures, None, _counts)

    def compute(scores: list[SampleScore]) -> Value:
        records = [
            cast(StudyRecord, score.score.metadata[STUDY_KEY])
            for score in scores
            if score.score.metadata and STUDY_KEY in score.score.metadata
        ]
        return dict(figures(records))

    return compute


def _figures(records: list[StudyRecord]) -> dict[str, float]:
    # Sorted, so that the order in which samples happen to finish changes no digit.
    rows = [
        one for record in sorted(records, key=lambda r: r["item"]) for one in judgements_in(record)
    ]
    flat = dict(_counts(records))
    judgements = read_judgements(rows)
    if not judgements.asked:
        return flat
    for one in stability_of(judgements).figures:
        name = f"{one.way} {one.scale} {one.name}"
        flat[name] = one.figure.value
        if not math.isnan(one.figure.se):
            flat[f"{name}_stderr"] = one.figure.se
    return flat


def _counts(records: list[StudyRecord]) -> dict[str, float]:
    told = [judgement for record in records for judgement in record["judgements"]]
    used = [one for record in records for one in record["judge_used"]]
    return {
        "texts": len(records),
        "judgements": len(told),
        "judgements_failed": sum(judgement["failure"] is not None for judgement in told),
        "judge_calls": sum(one["asked"] + one["failed"] for one in used),
        "judge_cached": sum(one["cached"] for one in used),
    }


@scorer(metrics=[stability_summary()])
@clear_scorer_errors
@with_options(SpendingSettings)
def judge_stability_scores(*, options: Mapping[str, Any]) -> Scorer:
    """Asks every judge of the run about a text, in every way and wording of its sample.

    Args:
        options: `max_judge_calls`, `max_cost` and `prices`, for all judges together.
    """
    judges = StudyJudges(read_options(SpendingSettings, options))

    async def score(state: TaskState, target: Target) -> Score:
        sample, study = read_sample(state.metadata), read_study_sample(state.metadata)
        most = sample.registry.defaults.evaluator.judge_characters
        text = TextToJudge(
            text=sendable(strip_reasoning(state.output.completion))[:most],
            sample_id=str(state.sample_id),
            epoch=state.epoch,
            sample=sample,
            study=study,
        )
        record = await judge_text(text, judges.judges())
        note_scored(state.store)
        told = record["judgements"]
        answered = sum(judgement["failure"] is None for judgement in told)
        return Score(
            value={"answered": answered / len(told)},
            answer=text.text,
            reason=None if answered else "grader_failed",
            explanation=f"{answered} of {len(told)} questions answered",
            metadata={STUDY_KEY: record},
        )

    return score
