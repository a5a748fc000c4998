"""From the documents of a task to one number per metric, in the way of lm-evaluation-harness.

The harness collects an entry per document and metric and calls each metric's function once with all
of them, after generation. So each entry carries its response, the first function that is called
sums up all responses, and the others find the numbers there. What an entry shows in the samples
file may be filled in then. The tasks that steer and those of surveys differ in what their responses
are and in how these are summed up.

An exception in such a function would lose the harness's own results: the reason is told on standard
error instead, and the number is NaN.
"""

import hashlib
import math
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from valueflow.hub_assets.errors import InputFileError, ValueflowError
from valueflow.lm_eval.leaves import ERROR
from valueflow.scorers.figures import Figure

__all__ = [
    "Entry",
    "Numbers",
    "aggregations",
    "attempt",
    "digest_of",
    "entries_of",
    "say",
    "say_once",
    "say_written",
]

T = TypeVar("T")


class Response(Protocol):
    """What the model gave to one document, with all that the figures need of the document."""

    @property
    def id(self) -> str:
        """The document's id."""

    @property
    def identity(self) -> str:
        """Tells it from every other response, and from itself under other settings."""


@dataclass(frozen=True)
class Numbers:
    """What a run says under lm-eval.

    Attributes:
        figures: by metric; a metric that the data do not allow is missing.
        shown: by document id, what its entry in the samples file shows besides what it has.
    """

    figures: Mapping[str, Figure] = field(default_factory=dict)
    shown: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def value(self, metric: str) -> float:
        """A metric's number, NaN where there is none; `NAME_stderr` is the standard error of
        `NAME`."""
        if metric in self.figures:
            return self.figures[metric].value
        figure = self.figures.get(metric.removesuffix(ERROR))
        return math.nan if figure is None or not metric.endswith(ERROR) else figure.se


class Entry(dict[str, Any]):
    """What one document adds to one metric; as a mapping, what the samples file shows of it.

    Attributes:
        response: the response; it travels along when processes exchange their entries.
    """

    def __init__(self, shown: Mapping[str, Any], response: Response) -> None:
        super().__init__(shown)
        self.response = response

    def __reduce__(self) -> tuple[Any, ...]:
        return Entry, (dict(self), self.response)


Aggregation = Callable[[Sequence[Entry]], float]


def entries_of(
    response: Response, metrics: Iterable[str], showing: str, shown: Mapping[str, Any]
) -> dict[str, Entry]:
    """A document's entry for every metric: that of `showing` shows it, the others say where."""
    see = {"see": showing}
    return {name: Entry(shown if name == showing else see, response) for name in metrics}


def digest_of(responses: Sequence[Response]) -> str:
    """A name for these responses under these settings, whatever their order."""
    parts = sorted(response.identity for response in responses)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def aggregations(
    module: str,
    is_metric: Callable[[str], bool],
    showing: str,
    sum_up: Callable[[Sequence[Any]], Numbers],
) -> Callable[[str], Aggregation]:
    """The `__getattr__` of a module whose functions, one for each metric, the YAML files name.

    Args:
        module: its name.
        is_metric: whether a metric has that name.
        showing: the metric whose entries show the document.
        sum_up: gives all numbers of a run; called once for the run's metrics.
    """
    last: dict[str, Numbers] = {}  # Of the task at hand: its metrics come one after the other.

    @cache
    def aggregation_named(metric: str) -> Aggregation:
        if metric.startswith("__") or not is_metric(metric):
            raise AttributeError(f"module {module!r} has no attribute {metric!r}")

        def aggregation(entries: Sequence[Entry]) -> float:
            responses = [entry.response for entry in entries]
            digest = digest_of(responses)
            if digest not in last:
                numbers = sum_up(responses)
                last.clear()
                last[digest] = numbers
            if metric == showing:
                for entry in entries:
                    entry.update(last[digest].shown.get(entry.response.id, {}))
            return last[digest].value(metric)

        aggregation.__name__ = aggregation.__qualname__ = metric
        aggregation.__module__ = module
        aggregation.__doc__ = f"The metric {metric} of a run; NaN where there is none."
        return aggregation

    return aggregation_named


def attempt(work: Callable[[], T], failed: Callable[[str], None]) -> T | None:
    """What `work` gives; None where it fails, which `failed` is told with the reason."""
    try:
        return work()
    except ValueflowError as error:
        failed(f": {error}")
    except Exception:
        traceback.print_exc()
        failed(", for the error above")
    return None


def say(task: str, message: str) -> None:
    """Tells something of a task on standard error."""
    print(f"valueflow: {task}: {message}", file=sys.stderr, flush=True)


@cache
def say_once(line: str, about: str = "") -> None:
    """For what holds for several tasks of a command; `about` tells the same line of other data."""
    print(f"valueflow: {line}", file=sys.stderr, flush=True)


def say_written(task: str, write: Callable[[], list[Path]]) -> None:
    """Writes a task's tables, and tells which, or why not."""
    try:
        paths = write()
        kinds = ", ".join(path.name.partition("_")[0] for path in paths)
        first = paths[0].name.partition("_")[2].rpartition(".")[0]
        say(task, f"wrote {kinds} in {paths[0].parent} as KIND_{first}")
    except InputFileError as error:
        say(task, f"tables were not written: {error}")
