"""The one reader of Inspect logs: their samples, the record that our scorer kept of each, counts.

Everything that reads a log (`valueflow score`, `report`, `compare`, the examples) reads it here, so
that all leave out the same samples and take the same score. Samples are read a few hundred at a
time: Inspect's own generator opens a log anew for each sample and looks through its whole table of
contents, so that its time grows with the square of the number of samples.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from inspect_ai.log import (
    EvalLog,
    EvalSample,
    list_eval_logs,
    read_eval_log,
    read_eval_log_sample_summaries,
    read_eval_log_samples_by_id,
)
from pydantic import TypeAdapter, ValidationError

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import MOST_LOG_BYTES, check_file
from valueflow.scorers.estimate.responses import LIMIT
from valueflow.scorers.estimate.table import WindowRecordError, WindowTable
from valueflow.scorers.records import METADATA_KEY, ResponseRecord, window_records

__all__ = [
    "INTENSITY",
    "SUFFIXES",
    "Kind",
    "ScoredLog",
    "find_logs",
    "hidden",
    "is_log_of",
    "last_attempts",
    "left_out",
    "log_samples",
    "read_header",
]

BATCH = 256
"""Samples in memory at a time."""

SUFFIXES = (".eval", ".json")

SECRET = re.compile("key|token|secret|password|credential", re.IGNORECASE)

COUNTED = ("planned", "in_log", "generations", "scored", "error", "without_score", "rescored")

_LARGE = frozenset({"messages", "attachments", "store", "events", "events_data"})


class Kind(NamedTuple):
    """What a log is read for.

    Attributes:
        key: under which the scorer keeps a sample's record in the metadata of its score.
        scorer: its name, for `inspect score --scorer` and for messages.
        task: a task whose logs are of this kind even where nothing was scored.
    """

    key: str
    scorer: str
    task: str = ""


INTENSITY = Kind(METADATA_KEY, "valueflow/intensity")


def find_logs(paths: Iterable[str | Path]) -> list[Path]:
    """The logs among files and folders (and their subfolders), those of folders by name; each once.

    Raises:
        InputFileError: a path does not exist, is no log, or is a folder without one.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = list_eval_logs(str(path.resolve()), descending=False)
            logs = sorted(Path(log.name.removeprefix("file://")) for log in inside)
            if not logs:
                raise InputFileError(path, "is a folder without an Inspect log (.eval, .json)")
            found.extend(logs)
        elif not path.exists():
            raise InputFileError(path, "there is no such file or folder")
        elif path.suffix not in SUFFIXES:
            raise InputFileError(path, "is no Inspect log; give a .eval or .json file, or a folder")
        else:
            check_file(path, MOST_LOG_BYTES)
            found.append(path)
    return list(dict.fromkeys(path.resolve() for path in found))


def read_header(path: str | Path) -> EvalLog:
    """A log without its samples.

    Raises:
        InputFileError: the file is not there, or is not a readable log.
    """
    if not Path(path).is_file():
        raise InputFileError(path, "there is no such file")
    if Path(path).suffix == ".json":
        _check_json(Path(path))
    try:
        return read_eval_log(str(path), header_only=True)
    except Exception as error:
        raise _unreadable(path, error) from None


# What makes the parsers of JSON logs end the process, or take all of its memory.
_UNPARSABLE = re.compile(rb"[\[:,]\s*-?\d{1000}|(?:[\[{]\s*){300}")
_LOG_BEGINS = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"(?:version|status|eval)"\s*:')


def _check_json(path: Path) -> None:
    """Sees to it that a JSON file is a log, before a parser that wrong files can crash has it.

    Raises:
        InputFileError: it begins otherwise than a log, or holds what no log does.
    """
    try:
        with path.open("rb") as stream:
            piece = stream.read(2**20)
            if not _LOG_BEGINS.match(piece):
                raise InputFileError(path, "is not a readable Inspect log (it begins otherwise)")
            while piece:
                if _UNPARSABLE.search(piece):
                    raise InputFileError(
                        path,
                        "is not a readable Inspect log (it holds a number of more than 1,000 "
                        "digits, or nesting without end)",
                    )
                # What lies across the border of two pieces is looked at with the second one.
                more = stream.read(2**20)
                piece = piece[-2048:] + more if more else b""
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror})") from None


def is_log_of(kind: Kind, path: str | Path) -> bool:
    """Whether a log's header names the scorer or the task of a kind; false where it is unreadable.

    An unfinished log may have scores that its header does not name.
    """
    try:
        log = read_header(path)
    except InputFileError:
        return False
    return _names(kind, log)


def _names(kind: Kind, log: EvalLog) -> bool:
    head = log.eval
    named = [head.task_registry_name or head.task, *(s.name for s in head.scorers or [])]
    named += [score.scorer for score in (log.results.scores if log.results else [])]
    wanted = {kind.scorer.split("/")[-1], kind.task}
    # A second score of one scorer is numbered: intensity, intensity1.
    return any(re.sub(r"\d+$", "", name.split("/")[-1]) in wanted for name in named)


class ScoredLog:
    """A log and its records; going through it yields each sample with its record, or with None.

    Where `inspect score` appended a second score, the newest one counts. A record without the
    response's hash gets it from the sample.

    Attributes:
        path: where it lies.
        kind: what it is read for.
        header: the log without samples.
        counts: after going through it: samples `planned` (each once an epoch) and those `in_log`;
            of these, `scored` ones, those that ended in an `error` without a score and those
            `without_score` for another reason; `generations`; `rescored` ones, which have older
            scores too.
    """

    def __init__(self, path: str | Path, kind: Kind = INTENSITY) -> None:
        self.path = Path(path)
        self.kind = kind
        self.header = read_header(path)
        self.counts: Counter[str] = Counter()

    def samples(
        self, exclude: frozenset[str] = _LARGE
    ) -> Iterator[tuple[EvalSample, dict[str, Any] | None]]:
        """All samples that the log holds, of unfinished runs too, in the order of its dataset.

        Args:
            exclude: fields of a sample that need not be read.

        Raises:
            InputFileError: the log cannot be read to its end.
        """
        counts = self.counts
        counts.clear()
        counts.update(dict.fromkeys(COUNTED, 0))
        reading = log_samples(str(self.path), exclude)
        while True:
            try:
                sample = next(reading, None)
            except Exception as error:
                raise _unreadable(self.path, error) from None
            if sample is None:
                break
            counts["in_log"] += 1
            counts["generations"] += bool(sample.output.choices)
            record = self._record(sample)
            lacking = "error" if sample.error is not None else "without_score"
            counts["scored" if record is not None else lacking] += 1
            yield sample, record
        counts["planned"] = max(_planned(self.header), counts["in_log"])

    def records(self) -> Iterator[dict[str, Any]]:
        """The records alone; see `samples`."""
        return (record for _, record in self.samples() if record is not None)

    def _record(self, sample: EvalSample) -> dict[str, Any] | None:
        found = [
            score.metadata[self.kind.key]
            for score in (sample.scores or {}).values()
            if score.metadata and self.kind.key in score.metadata
        ]
        if not found:
            return None
        self.counts["rescored"] += len(found) > 1
        record: dict[str, Any] = found[-1]
        if self.kind is INTENSITY:
            _check_record(record, sample, self.path)
        if sample.output.choices:
            text = sample.output.completion.encode("utf-8", "backslashreplace")
            record.setdefault("response_sha256", hashlib.sha256(text).hexdigest()[:16])
        return record


def _check_record(record: object, sample: EvalSample, path: Path) -> None:
    """Sees to it that a record has the form of one, with windows that a judge can have ordered.

    Raises:
        InputFileError: it has not; the sample and the field are named.
    """
    where = f"sample {sample.id}, epoch {sample.epoch}: the record of {INTENSITY.scorer}"
    advice = "; it was changed by hand, or written by another version. Score the log again"
    try:
        checked = _FORM.validate_python(record, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the whole"
        raise InputFileError(
            path, f"{where} is wrong in {field} ({first['msg']}){advice}"
        ) from None
    try:
        WindowTable.from_records(window_records([checked]), most=LIMIT)
    except WindowRecordError as error:
        raise InputFileError(
            path, f"{where} has a window in which {error.problem}{advice}"
        ) from None


_FORM: TypeAdapter[ResponseRecord] = TypeAdapter(ResponseRecord)


def left_out(counts: Mapping[str, int]) -> Counter[str]:
    """What was planned and has no record, as phrases to show, with counts; empty for a whole run.

    Args:
        counts: of a `ScoredLog` that was gone through for intensities.
    """
    told = {
        "samples that ended in an error": counts["error"],
        f"samples without a score of {INTENSITY.scorer}": counts["without_score"],
        "samples that were never run": counts["planned"] - counts["in_log"],
    }
    return Counter({what: count for what, count in told.items() if count > 0})


Attempt = TypeVar("Attempt")


def last_attempts(
    logs: Sequence[Attempt], attempt_of: Callable[[Attempt], str], size: Callable[[Attempt], int]
) -> list[tuple[Attempt, Attempt]]:
    """Each log with the one that stands for it: itself, or its retry or copy.

    A retry carries over the responses of the log that it continues, so that both together would
    count them twice; the log with more scored responses stands for both, the later one of equals.

    Args:
        logs: in the order in which they were made.
        attempt_of: what a log shares with its retries alone.
        size: the number of its scored responses; asked only of logs that have a retry or copy.
    """
    # Asked once of each: the answer may take a look into the log.
    names = [attempt_of(log) for log in logs]
    attempts: dict[str, list[Attempt]] = {}
    for name, log in zip(names, logs, strict=True):
        attempts.setdefault(name, []).append(log)
    # `max` keeps the first of equals.
    best = {
        name: max(reversed(several), key=size) if len(several) > 1 else several[0]
        for name, several in attempts.items()
    }
    return [(log, best[name]) for name, log in zip(names, logs, strict=True)]


def log_samples(path: str, exclude: frozenset[str] = _LARGE) -> Iterator[EvalSample]:
    """The samples that a log holds, in the order of its dataset, of unfinished runs too.

    Args:
        path: the log's path.
        exclude: fields that need not be read; most of a log's size, and nothing that scores need.

    Raises:
        ValueError, OSError: the log cannot be read.
    """
    if path.endswith(".json"):
        # One document, which has to be read whole.
        yield from read_eval_log(path).samples or []
        return
    header = read_eval_log(path, header_only=True)
    place = {name: i for i, name in enumerate(header.eval.dataset.sample_ids or [])}
    present = [(sample.id, sample.epoch) for sample in read_eval_log_sample_summaries(path)]
    present.sort(key=lambda sample: (place.get(sample[0], len(place)), sample[1]))
    for start in range(0, len(present), BATCH):
        batch = present[start : start + BATCH]
        yield from read_eval_log_samples_by_id(path, batch, exclude_fields=set(exclude))


def hidden(name: str, argument: Any) -> Any:
    """A setting as it may be shown: `(hidden)` where its name, or a name in it, sounds secret."""
    # `max_tokens` and the like are numbers of tokens.
    if SECRET.search(name.removesuffix("tokens")):
        return "(hidden)"
    if isinstance(argument, Mapping):
        return {key: hidden(str(key), inner) for key, inner in argument.items()}
    return argument


def _planned(log: EvalLog) -> int:
    """Samples that the run was to have: those within its limit, once an epoch."""
    dataset = log.eval.dataset
    size = len(dataset.sample_ids) if dataset.sample_ids else (dataset.samples or 0)
    return size * (log.eval.config.epochs or 1)


def _unreadable(path: str | Path, error: Exception) -> InputFileError:
    # Inspect raises whatever its parsers raise: zip, JSON, validation and missing keys.
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return InputFileError(path, f"is not a readable Inspect log ({first[:200]})")
