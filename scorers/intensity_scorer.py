"""Inspect scorer: how strongly a response expresses each value that its sample names.

Windows are drawn from VIDB, ranked by the model in the role `grader`, and turned into an intensity
with a standard error. The estimate in a sample's score uses that sample's windows alone, with a
judge of scale 1; the metrics, `valueflow score` and the reports estimate the judge and the cells
from all windows of the run together. The windows are kept, so that either can be repeated.
"""

import hashlib
import json
import math
from importlib.metadata import version
from logging import getLogger
from typing import Any

from inspect_ai.model import Model
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState

from valueflow.hub_assets.registry import load_registry
from valueflow.hub_assets.sample_settings import EXEMPLARS_KEY, EvaluatorSettings, read_sample
from valueflow.hub_assets.vidb import vidb_of_run
from valueflow.scorers.choice_judging import CHOICE_PROMPT_VERSION
from valueflow.scorers.evaluation import evaluate
from valueflow.scorers.judge_answer import strip_reasoning
from valueflow.scorers.judge_model import JudgeModel
from valueflow.scorers.judge_prompt import JUDGE_PROMPT_VERSION
from valueflow.scorers.judge_response import ResponseToJudge, judge_response, value_record
from valueflow.scorers.judging import SELF_JUDGED, grader_model
from valueflow.scorers.metrics import steering_summary
from valueflow.scorers.records import (
    METADATA_KEY,
    ResponseRecord,
    ValueRecord,
    is_judged,
    window_records,
)
from valueflow.scorers.refusals import REFUSAL_VERSION, count_words, is_refusal
from valueflow.scorers.window_table import WindowTable

__all__ = ["intensity"]

logger = getLogger(__name__)

PROVISIONAL_JUDGE = JudgeModel(scale=1.0)
"""The judge that a single sample's estimate assumes."""


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
        judge_mode: `ranking`, or `choice` for judges with logprobs.
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

    versions = {
        "valueflow": version("valueflow"),
        "judge_prompt": JUDGE_PROMPT_VERSION,
        "choice_prompt": CHOICE_PROMPT_VERSION,
        "refusals": REFUSAL_VERSION,
    }
    without_logprobs: set[str] = set()
    judge_records: dict[tuple[str, str], dict[str, Any]] = {}

    async def score(state: TaskState, target: Target) -> Score:
        registry = load_registry()
        sample = read_sample(state.metadata, given)
        settings = sample.evaluator
        response = strip_reasoning(state.output.completion)
        words = count_words(response)
        filtered = bool(state.output.choices) and state.output.stop_reason == "content_filter"
        refusal = filtered or is_refusal(response, registry.defaults.evaluator.refusal_words)
        reason = "refusal" if refusal else None if response else "no_response"
        limit = registry.defaults.evaluator.judge_characters
        record: ResponseRecord = {
            "item": f"{state.sample_id}#{state.epoch}",
            "query": sample.query,
            "epoch": state.epoch,
            "words": words,
            "over_word_limit": words > sample.word_limit,
            "refusal": refusal,
            "unscored": reason,
            "values": {},
            "truncated": len(response) > limit,
            "versions": versions,
        }
        values = [registry.value(name, theory) for theory, name in sample.score_on]
        if reason is None:
            model, named = grader_model()
            key = (str(model), settings.model_dump_json())
            if key not in judge_records:
                if not named:
                    logger.warning(SELF_JUDGED)
                judge_records[key] = _judge_record(model, named, settings)
            record["judge"] = judge_records[key]
            judged = await judge_response(
                ResponseToJudge(
                    text=response[:limit],
                    sample_id=str(state.sample_id),
                    epoch=state.epoch,
                    sample=sample,
                    exemplars=frozenset(state.store.get(EXEMPLARS_KEY) or []),
                    model=model,
                    named=named,
                    without_logprobs=without_logprobs,
                ),
                values,
            )
            if not all(map(_ranked, judged)):
                record["unscored"] = "grader_failed"
        else:
            judged = [value_record(value, sample) for value in values]
        record["values"] = {one["value"]: one for one in judged}
        return _score(record, response)

    return score


def _ranked(record: ValueRecord) -> bool:
    return any(is_judged(window) for window in record["windows"])


def _judge_record(model: Model, named: bool, settings: EvaluatorSettings) -> dict[str, Any]:
    vidb = vidb_of_run(settings.vidb, settings.columns)
    return {
        "model": str(model),
        "is_evaluated_model": not named,
        "config": model.config.model_dump(exclude_none=True, exclude={"response_schema"}),
        "model_args": hashlib.sha256(
            json.dumps(model.model_args, sort_keys=True, default=str).encode()
        ).hexdigest()[:16],
        "prompt_version": JUDGE_PROMPT_VERSION,
        "vidb": vidb.source.reference,
        "vidb_revision": vidb.source.revision,
        "vidb_sha256": vidb.source.sha256[:16],
        **settings.as_dict(),
    }


def _score(record: ResponseRecord, response: str) -> Score:
    """The Inspect score: intensity and standard error per value, NaN where there is none."""
    numbers: dict[str, float] = {}
    table = WindowTable.from_records(window_records([record]))
    found = {}
    if table.windows:
        found = {e.value: e for e in evaluate(table, judge=PROVISIONAL_JUDGE).items}
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
