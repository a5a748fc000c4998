"""Inspect scorer without a judge: a response's intensity from its neighbours among the anchors.

For screening and smoke tests. What neighbours tell of an intensity is little, and what they tell of
a response that is longer than the anchors is less and unmeasured; the scorer says so whenever it is
made, keeps no windows, and is no task's default.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from anyio import to_thread
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, Value, metric, scorer
from inspect_ai.solver import TaskState

from valueflow.hub_assets.errors import clear_scorer_errors
from valueflow.hub_assets.files import is_blank, sendable
from valueflow.hub_assets.inputs.anchors import Anchor, Vidb, vidb_of_run
from valueflow.hub_assets.lazy import need
from valueflow.hub_assets.registry.loading import Value as RegistryValue
from valueflow.hub_assets.settings import EXEMPLARS_KEY, SampleSettings, read_sample
from valueflow.scorers.database.embedding.hives import HivesModel, encode, find_model
from valueflow.scorers.database.embedding.intensity import (
    OWN_ENOUGH,
    Calibration,
    NeighbourScale,
    calibrated,
    cell_mean,
)
from valueflow.scorers.database.embedding.kept import ENCODING, anchor_vectors, model_of_run
from valueflow.scorers.judge.answer import strip_reasoning
from valueflow.scorers.judge.questions.refusals import is_refusal
from valueflow.scorers.records import cell_name, count_words

__all__ = ["SCREENED", "SCREENING", "hives", "hives_summary"]

MOST_OF_OTHERS = 100
"""Anchors of another value that stand in where a value has few of its own."""

_Pool = tuple[tuple[Anchor, ...], ...]
"""Anchors by value."""

SCREENED = "valueflow_screened"
"""Where a score's metadata keep what was found; readers of judged windows look elsewhere."""

SCREENING = (
    "valueflow/hives asks no judge: it reads intensities off neighbouring anchors, for screening "
    "and smoke tests only. A single response's standard error is several points of 20, and holds "
    "for texts like the anchors. Measure with valueflow/intensity"
)


@metric(scores="unreduced")
def hives_summary() -> Metric:
    """Cells' mean intensities with standard errors by query, how good neighbours are, and counts.

    `CELL mean` is NaN where neighbours do not tell the value's intensities at all. `held-out
    pearson` and `held-out sign` are averages over values, of anchors that were held out.
    """

    def compute(scores: list[SampleScore]) -> Value:
        records = [
            one.score.metadata[SCREENED]
            for one in scores
            if one.score.metadata and SCREENED in one.score.metadata
        ]
        cells: dict[str, dict[str, list[float]]] = {}
        known: dict[str, Calibration] = {}
        of_cell: dict[str, str] = {}
        for record in records:
            for name, value in record["values"].items():
                known[name] = Calibration(**value["calibration"])
                of_cell[value["cell"]] = name
                queries = cells.setdefault(value["cell"], defaultdict(list))
                queries[record["query"]].append(value["neighbours_mean"])
        found: dict[str, float] = {}
        for cell, queries in cells.items():
            means = [float(np.mean(raw)) for raw in queries.values()]
            mean, se = cell_mean(means, known[of_cell[cell]])
            found |= {f"{cell} mean": mean, f"{cell} mean_stderr": se}
        if known:
            found["held-out pearson"] = float(np.mean([c.pearson for c in known.values()]))
            found["held-out sign"] = float(np.mean([c.sign for c in known.values()]))
        unscored = [record["unscored"] for record in records]
        return {
            **found,
            "responses": len(records),
            "unscored": sum(reason is not None for reason in unscored),
            "refusals": sum(reason == "refusal" for reason in unscored),
        }

    return compute


@scorer(metrics=[hives_summary()])
@clear_scorer_errors
def hives(
    *,
    model: str = "hives",
    vidb: str | None = None,
    vidb_columns: Mapping[str, str] | None = None,
    device: str | None = None,
) -> Scorer:
    """Estimates a response's intensities in [−10, 10] from its nearest anchors, without a judge.

    Values, anchors and rules on refusals are those that the task wrote into the sample. A score has
    the best guess and its standard error for each value, as `valueflow/intensity` has.

    Args:
        model: an embedding model: a folder, an asset (`hives`) or `ORG/NAME@REVISION`.
        vidb: table of anchors in place of the sample's.
        vidb_columns: its column names.
        device: `cpu`, `cuda`, ...; the best there is where not given.

    Raises:
        ValueflowError: sentence-transformers is not installed, or the model cannot be had.
    """
    need("the scorer valueflow/hives", "hives", "sentence_transformers", "torch")
    find_model(model)
    print(f"valueflow: {SCREENING}", file=sys.stderr)
    given = {"vidb": vidb, "vidb_columns": vidb_columns}
    overrides = {name: option for name, option in given.items() if option is not None}
    scales: dict[_Pool, NeighbourScale] = {}

    async def score(state: TaskState, target: Target) -> Score:
        sample = read_sample(state.metadata, overrides)
        text = sendable(strip_reasoning(state.output.completion))
        exemplars = frozenset(state.store.get(EXEMPLARS_KEY) or [])
        return await to_thread.run_sync(one, text, sample, exemplars)

    def one(text: str, sample: SampleSettings, exemplars: frozenset[str]) -> Score:
        # One at a time: the model is busy with one, and scales are made once.
        with ENCODING:
            return _scored(text, sample, exemplars, model_of_run(model, device), scales)

    return score


def _scored(
    text: str,
    sample: SampleSettings,
    exemplars: frozenset[str],
    model: HivesModel,
    scales: dict[_Pool, NeighbourScale],
) -> Score:
    registry, settings = sample.registry, sample.evaluator
    text = "" if is_blank(text) else text[: registry.defaults.evaluator.judge_characters]
    unscored = None if text else "no_response"
    words = registry.defaults.evaluator.refusal_words
    refused = bool(text) and is_refusal(text, words, sample.language)
    if refused and sample.refusals != "rank":
        unscored = "refusal"
    table = vidb_of_run(settings.vidb, settings.columns, registry)
    vector = None if unscored else encode(model, [text])
    numbers: dict[str, float] = {}
    found: dict[str, Any] = {}
    lines: list[str] = []
    for theory, name in sample.score_on:
        value = registry.value(name, theory)
        numbers[value.name] = numbers[f"{value.name}_stderr"] = math.nan
        if vector is None:
            continue
        pool, number = _pool(table, value)
        if pool not in scales:
            anchors = tuple(anchor for own in pool for anchor in own)
            scales[pool] = calibrated(
                anchor_vectors(model, anchors),
                [anchor.intensity for anchor in anchors],
                np.repeat(np.arange(len(pool)), [len(own) for own in pool]),
            )
        scale = scales[pool]
        raw = scale.raw(vector, number, _places(pool, exemplars))
        guess, se = float(scale.calibration.expected(raw)[0]), scale.calibration.se
        numbers[value.name], numbers[f"{value.name}_stderr"] = guess, se
        level, condition = sample.level_of(value), sample.condition_of(value)
        cell = cell_name(value.name, level, sample.group, condition)
        lines.append(f"{cell}: {guess:+.1f} ± {se:.1f} by neighbours")
        found[value.name] = {
            "cell": cell,
            "neighbours_mean": float(raw[0]),
            "calibration": scale.calibration.as_dict(),
        }
    record = {
        "query": sample.query,
        "values": found,
        "unscored": unscored,
        "refusal": refused,
        "words": count_words(text),
        "model": model.name,
        "model_sha256": model.sha256,
        "vidb": table.source.reference,
        "vidb_sha256": table.source.sha256[:16],
    }
    return Score(
        value={**numbers},
        answer=text,
        reason=unscored,
        explanation=f"{'; '.join(lines) or f'unscored ({unscored})'}. {SCREENING}.",
        metadata={SCREENED: record},
    )


def _pool(table: Vidb, value: RegistryValue) -> tuple[_Pool, int]:
    """The anchors by value that may be neighbours, and the place of a value's own among them."""
    key = (value.theory, value.name)
    if len(table.of(value)) >= OWN_ENOUGH:
        return (table.of(value),), 0
    pool = [own if name == key else _some(own) for name, own in table.anchors.items()]
    return tuple(pool), list(table.anchors).index(key)


def _some(anchors: tuple[Anchor, ...]) -> tuple[Anchor, ...]:
    """At most `MOST_OF_OTHERS` of another value's anchors, evenly from the table."""
    return anchors[:: -(-len(anchors) // MOST_OF_OTHERS)]


def _places(pool: _Pool, texts: frozenset[str]) -> list[int]:
    anchors = (anchor for own in pool for anchor in own)
    return [n for n, anchor in enumerate(anchors) if anchor.text in texts] if texts else []
