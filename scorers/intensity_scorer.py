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
from typing import Any

from inspect_ai.model import Model
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState
from inspect_ai.util import collect

from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.registry import Registry, Value, load_registry
from valueflow.hub_assets.sample_settings import EvaluatorSettings, SampleSettings, read_sample
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.vidb import Anchor, vidb_of_run
from valueflow.scorers.draw_windows import DrawnWindows, Window, draw_windows, response_places
from valueflow.scorers.evaluation import evaluate
from valueflow.scorers.judge_answer import strip_reasoning
from valueflow.scorers.judge_model import JudgeModel
from valueflow.scorers.judge_prompt import JUDGE_PROMPT_VERSION, draw_labels, judge_prompt
from valueflow.scorers.judging import Judgement, grader_model, judge_window
from valueflow.scorers.metrics import steering_summary
from valueflow.scorers.records import (
    METADATA_KEY,
    ResponseRecord,
    ValueRecord,
    WindowRecord,
    cell_name,
    window_records,
)
from valueflow.scorers.refusals import REFUSAL_VERSION, count_words, is_refusal
from valueflow.scorers.window_table import WindowTable

__all__ = ["intensity"]

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
) -> Scorer:
    """Ranks each response against anchors and estimates its intensity in [−10, 10].

    Arguments that are not given are taken from the sample (the task put them there), else from the
    registry's defaults; so `inspect score LOG --scorer valueflow/intensity` repeats a task's own
    settings.

    Args:
        vidb: anchors: asset, path, or `ORG/NAME@REVISION`.
        windows: m, windows per response and value.
        window_size: k, texts per window.
        sampling: `bucket`, `random` or `fixed`.
        panel: table of the anchors for `fixed`.
        seed: run seed.
        judge_attempts: most questions put to the judge for one window.
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
        }.items()
        if setting is not None
    }

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
            "versions": {
                "valueflow": version("valueflow"),
                "judge_prompt": JUDGE_PROMPT_VERSION,
                "refusals": REFUSAL_VERSION,
            },
        }
        values = [registry.value(name, theory) for theory, name in sample.score_on]
        shown_response = response[:limit]
        exemplars = set(state.store.get("valueflow:exemplars") or [])
        drawn: dict[str, DrawnWindows] = {}
        for value in values:
            level = sample.level_of(value)
            if reason is None:
                drawn[value.name] = _draw(settings, value, level, sample, state, exemplars)
            record["values"][value.name] = {
                "theory": value.theory,
                "value": value.name,
                "level": level,
                "group": sample.group,
                "cell": cell_name(value.name, level, sample.group),
                "windows": [],
                "borrowed": drawn[value.name].borrowed if reason is None else 0,
                "repeated": drawn[value.name].repeated if reason is None else 0,
            }
        if reason is None:
            model, named = grader_model()
            key = (str(model), settings.model_dump_json())
            if key not in judge_records:
                judge_records[key] = _judge_record(model, named, settings)
            record["judge"] = judge_records[key]
            await _judge_all(
                model, named, registry, values, drawn, record, shown_response, settings, state
            )
            failed = [v for v in record["values"].values() if not _ranked(v)]
            if failed:
                record["unscored"] = "grader_failed"
        return _score(record, response)

    return score


def _ranked(record: ValueRecord) -> bool:
    return any(window["order"] is not None for window in record["windows"])


def _draw(
    settings: EvaluatorSettings,
    value: Value,
    level: int,
    sample: SampleSettings,
    state: TaskState,
    exemplars: set[str],
) -> DrawnWindows:
    anchors: tuple[Anchor, ...]
    if settings.sampling == "fixed":
        if not settings.panel:
            raise ValueflowError("sampling 'fixed' needs a panel: give -T panel=FILE")
        anchors = vidb_of_run(settings.panel, settings.columns).of(value)
    else:
        anchors = vidb_of_run(settings.vidb, settings.columns).of(value)
    index = (state.epoch - 1) * sample.queries + sample.query_index
    cell = cell_name(value.name, level, sample.group)
    return draw_windows(
        anchors,
        windows=settings.windows,
        window_size=settings.window_size,
        sampling=settings.sampling,
        places=response_places(
            settings.windows, settings.window_size, index, settings.seed, value.theory, cell
        ),
        generator=generator_for(
            settings.seed, "windows", state.sample_id, state.epoch, value.theory, value.name
        ),
        exclude=exemplars,
    )


async def _judge_all(
    model: Model,
    named: bool,
    registry: Registry,
    values: list[Value],
    drawn: dict[str, DrawnWindows],
    record: ResponseRecord,
    response: str,
    settings: EvaluatorSettings,
    state: TaskState,
) -> None:
    """Judges every window of a response, all at once, and writes the results into its record."""
    questions: list[tuple[str, Window, tuple[str, ...], str]] = []
    for value in values:
        theory = registry.theories[value.theory]
        for number, window in enumerate(drawn[value.name].windows):
            texts = [response if i == 0 else window.anchors[i - 1].text for i in window.shown]
            labels = draw_labels(
                texts,
                generator_for(
                    settings.seed,
                    "labels",
                    state.sample_id,
                    state.epoch,
                    value.theory,
                    value.name,
                    number,
                ),
            )
            questions.append(
                (value.name, window, labels, judge_prompt(value, theory, texts, labels))
            )
    asked = [
        judge_window(model, prompt, labels, attempts=settings.judge_attempts, own_config=named)
        for _, _, labels, prompt in questions
    ]
    # A single question needs no task group, which would add events to the transcript.
    judgements = [await asked[0]] if len(asked) == 1 else await collect(*asked)
    for (name, window, labels, _), judgement in zip(questions, judgements, strict=True):
        record["values"][name]["windows"].append(_window_record(window, labels, judgement))


def _window_record(window: Window, labels: tuple[str, ...], judgement: Judgement) -> WindowRecord:
    order = None
    if judgement.labels is not None:
        index_of = dict(zip(labels, window.shown, strict=True))
        order = [index_of[label] for label in judgement.labels]
    return {
        "anchors": [anchor.intensity for anchor in window.anchors],
        "texts": [anchor.text for anchor in window.anchors],
        "shown": list(window.shown),
        "position": window.position,
        "labels": list(labels),
        "order": order,
        "raw": list(judgement.raw),
        "calls": judgement.calls,
        "repaired": judgement.repaired,
        "failure": judgement.failure,
        "error": judgement.error,
    }


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
        numbers[name] = estimate.maximum_likelihood if estimate else math.nan
        numbers[f"{name}_stderr"] = estimate.maximum_likelihood_se if estimate else math.nan
        if estimate:
            lines.append(
                f"{value['cell']}: {estimate.maximum_likelihood:+.1f} "
                f"± {estimate.maximum_likelihood_se:.1f} from {estimate.windows} windows"
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
