"""What a metric shows while samples are still being scored: few figures, worked out rarely.

Inspect asks a scorer's metrics again and again during a run, each time for all samples so far, and
does not say that it is for the screen only. It asks in the task of the sample that has just been
scored, where `inspect_ai.util.store` is that sample's store; results are made outside of samples.
"""

import weakref
from collections.abc import Callable
from typing import TypeVar

from inspect_ai.util import Store, store

__all__ = ["figures_while_running", "note_scored"]

Record = TypeVar("Record")

_SCORED: weakref.WeakValueDictionary[int, Store] = weakref.WeakValueDictionary()

_RUNS = 8
"""Runs in one process whose last figures are kept."""


def note_scored(sample_store: Store) -> None:
    """Notes that the sample with this store is scored."""
    _SCORED[id(sample_store)] = sample_store


def _in_scored_sample() -> bool:
    # Wherever this is not certain, the metric is worked out in full.
    current = store()
    return _SCORED.get(id(current)) is current


def figures_while_running(
    figures: Callable[[list[Record]], dict[str, float]],
    few: Callable[[dict[str, float]], dict[str, float]] | None,
    counts: Callable[[list[Record]], dict[str, float]],
) -> Callable[[list[Record]], dict[str, float]]:
    """A metric that gives all figures as results, and few of them while samples are being scored.

    During a run the figures are worked out when there are twice as many records as the last time,
    so that all of it costs about as much as the results; the counts are always of now.

    Args:
        figures: all figures of some records.
        few: of these, what is shown during a run; None for none, where figures take long.
        counts: what is counted anew each time.
    """
    # By the first record of a run, which is kept beside, so that no other can get its place.
    shown: dict[int, tuple[Record, int, dict[str, float]]] = {}

    def compute(records: list[Record]) -> dict[str, float]:
        if not records or not _in_scored_sample():
            return figures(records)
        first = records[0]
        _, known, last = shown.get(id(first), (first, 0, {}))
        if few is not None and len(records) >= 2 * known:
            last = few(figures(records))
            shown[id(first)] = (first, len(records), last)
            while len(shown) > _RUNS:
                del shown[next(iter(shown))]
        return {**last, **counts(records)}

    return compute
