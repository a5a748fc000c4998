"""The functions that the YAML files name for results: what a document yields, and one per metric.

The harness collects an entry per document and metric and calls each metric's function once with all
of them, after generation. So each entry carries its response, the first function that is called
judges all responses, and the others find the numbers there. What an entry shows in the samples file
is filled in then.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from valueflow.hub_assets.registry import load_registry
from valueflow.lm_eval_judging import GivenResponse, digest_of
from valueflow.lm_eval_leaves import METRICS, SHARES, leaf_named
from valueflow.lm_eval_summary import RunNumbers, numbers_of
from valueflow.lm_eval_yaml import SCORED

__all__ = ["Entry", "process_results"]


class Entry(dict[str, Any]):
    """What one document adds to one metric; as a mapping, what the samples file shows of it.

    Attributes:
        response: the response; it travels along when processes exchange their entries.
    """

    def __init__(self, shown: Mapping[str, Any], response: GivenResponse) -> None:
        super().__init__(shown)
        self.response = response

    def __reduce__(self) -> tuple[Any, ...]:
        return Entry, (dict(self), self.response)


def process_results(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, Entry]:
    """The entries of one document; the function `process_results` of the YAML files.

    Args:
        doc: from `valueflow.lm_eval_documents`.
        results: the response, alone in a list.
    """
    text = results[0] if isinstance(results[0], str) else results[0][0]
    response = GivenResponse({key: str(cell) for key, cell in doc.items()}, text)
    run = response.run
    leaf = leaf_named(load_registry(), run["task"])
    entries = {SCORED: Entry({}, response)}
    for name in leaf.metrics(singles=bool(run["singles"])):
        for metric in (name, f"{name}_se"):
            entries[metric] = Entry({"see": SCORED}, response)
    return entries


_last: dict[str, RunNumbers] = {}
"""The numbers of the task at hand: the harness goes through its metrics one after the other."""


def _aggregate(metric: str, entries: Sequence[Entry]) -> float:
    responses = [entry.response for entry in entries]
    digest = digest_of(responses)
    if digest not in _last:
        numbers = numbers_of(responses)
        _last.clear()
        _last[digest] = numbers
    numbers = _last[digest]
    if metric == SCORED:
        for entry in entries:
            entry.update(numbers.shown.get(entry.response.id, {}))
    return numbers.value(metric)


@cache
def _aggregation(metric: str) -> Callable[[Sequence[Entry]], float]:
    def aggregation(entries: Sequence[Entry]) -> float:
        return _aggregate(metric, entries)

    aggregation.__name__ = aggregation.__qualname__ = metric
    aggregation.__doc__ = f"The metric {metric} of a run; NaN where there is none."
    return aggregation


def __getattr__(name: str) -> Callable[[Sequence[Entry]], float]:
    """A function for each metric, by its name."""
    known = {*SHARES, *(metric for names in METRICS.values() for metric in names)}
    if name != SCORED and name.removesuffix("_se") not in known:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _aggregation(name)
