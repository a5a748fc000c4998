"""The functions that the survey tasks' YAML files name for results.

No model is asked here: an answer is read by the rules of `valueflow.scorers.answer_reading`, or is
the likeliest letter, and all figures come from `valueflow.scorers.option_accuracy`, by the names
that Inspect's log has for them.
"""

import hashlib
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.opinion_sample import OpinionSample
from valueflow.hub_assets.registry import load_registry
from valueflow.lm_eval_opinion_leaves import (
    ANSWERS,
    all_metrics,
    has_error,
    opinion_leaf_named,
)
from valueflow.lm_eval_opinion_tables import write_opinion_tables
from valueflow.scorers.answer_reading import ReadAnswer, read_answer
from valueflow.scorers.letter_shares import letter_shares
from valueflow.scorers.option_accuracy import flatten_options, summarize_options
from valueflow.scorers.option_records import OptionRecord, option_record

__all__ = ["OptionEntry", "process_results", "record_of"]


class OptionEntry(dict[str, Any]):
    """What one document adds to one metric; as a mapping, what the samples file shows of it.

    Attributes:
        record: of the answer; it travels along when processes exchange their entries.
        run: what the documents say of the run.
    """

    def __init__(self, shown: Mapping[str, Any], record: OptionRecord, run: str) -> None:
        super().__init__(shown)
        self.record = record
        self.run = run

    def __reduce__(self) -> tuple[Any, ...]:
        return OptionEntry, (dict(self), self.record, self.run)


def record_of(doc: Mapping[str, Any], results: Sequence[Any]) -> OptionRecord:
    """The record of one answer.

    Args:
        doc: from `valueflow.lm_eval_opinion_documents`.
        results: the answer, alone in a list; or a log-likelihood for each letter, the first of a
            pair.
    """
    sample = OpinionSample.model_validate_json(doc["sample"])
    if not opinion_leaf_named(load_registry(), json.loads(doc["run"])["task"]).letters:
        text = results[0] if isinstance(results[0], str) else results[0][0]
        return option_record(sample, read_answer(text, sample.options))
    chances = [float(result[0]) for result in results]
    if any(map(math.isnan, chances)) or max(chances) == -math.inf:
        return option_record(sample, ReadAnswer(None, "unparsed"))
    stated, covered = letter_shares([math.exp(min(chance, 0.0)) for chance in chances])
    answer = ReadAnswer(chances.index(max(chances)), "letter")
    return option_record(sample, answer, stated=stated, covered=covered)


def process_results(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, OptionEntry]:
    """The entries of one document; the function `process_results` of the YAML files.

    Args:
        doc, results: see `record_of`.
    """
    record = record_of(doc, results)
    entries = {}
    for metric in _metrics_of(doc["run"]):
        shown: Mapping[str, Any] = {**record} if metric == ANSWERS else {"see": ANSWERS}
        entries[metric] = OptionEntry(shown, record, doc["run"])
    return entries


@cache
def _metrics_of(run: str) -> tuple[str, ...]:
    """The metrics of a run's task, without those of attributes or groups that it does not ask."""
    registry = load_registry()
    told = json.loads(run)
    asked = {registry.opinion.group(name) for name in told["groups"]}
    absent = {g for g in registry.opinion.groups if g not in asked}
    names = {f"accuracy_{group.safe_name}" for group in absent}
    names |= {
        f"accuracy_{name.lower()}"
        for name, attribute in registry.opinion.attributes.items()
        if not asked & set(attribute.groups)
    }
    found: list[str] = []
    for metric in opinion_leaf_named(registry, told["task"]).metrics(registry):
        if metric not in names:
            found += [metric, f"{metric}_se"] if has_error(metric) else [metric]
    return tuple(found)


_last: dict[str, dict[str, float]] = {}
"""The figures of the task at hand: the harness goes through its metrics one after the other."""


def _aggregate(metric: str, entries: Sequence[OptionEntry]) -> float:
    run = json.loads(entries[0].run)
    records = [entry.record for entry in entries]
    digest = hashlib.sha256(
        json.dumps([entries[0].run, *records], sort_keys=True).encode()
    ).hexdigest()
    if digest not in _last:
        flat = flatten_options(summarize_options(records))
        _last.clear()
        _last[digest] = flat
        _write(run, records, flat)
    names = opinion_leaf_named(load_registry(), run["task"]).metrics(load_registry())
    if metric in names:
        return _last[digest].get(names[metric], math.nan)
    return _last[digest].get(f"{names[metric.removesuffix('_se')]}_stderr", math.nan)


def _write(
    run: Mapping[str, Any], records: Sequence[OptionRecord], flat: Mapping[str, float]
) -> None:
    """Writes the tables; an error here would lose the harness's own results, so it is only told."""
    message = (
        f"{flat['answers']:,.0f} answers, {flat['refused']:,.0f} refused, "
        f"{flat['unparsed']:,.0f} unparsed"
    )
    if run.get("leakage", "").startswith("profile"):
        message += f"; {run['leakage']}"
    _say(run, message)
    if run["output"] is not None:
        try:
            for path in write_opinion_tables(Path(run["output"]), run["task"], records, flat):
                _say(run, f"wrote {path}")
        except InputFileError as error:
            _say(run, f"tables were not written: {error}")


def _say(run: Mapping[str, Any], message: str) -> None:
    print(f"valueflow: {run['task']}: {message}", file=sys.stderr, flush=True)


@cache
def _aggregation(metric: str) -> Callable[[Sequence[OptionEntry]], float]:
    def aggregation(entries: Sequence[OptionEntry]) -> float:
        return _aggregate(metric, entries)

    aggregation.__name__ = aggregation.__qualname__ = metric
    aggregation.__doc__ = f"The metric {metric} of a run; NaN where there is none."
    return aggregation


def __getattr__(name: str) -> Callable[[Sequence[OptionEntry]], float]:
    """A function for each metric, by its name."""
    if name.startswith("__") or name not in all_metrics(load_registry()):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _aggregation(name)
