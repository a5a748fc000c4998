"""Reads the samples of an Inspect log a few hundred at a time.

Inspect's own generator opens a log anew for each sample and looks through its whole table of
contents, so that its time grows with the square of the number of samples.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inspect_ai.log import (
    EvalSample,
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

__all__ = ["intensity_record", "log_samples", "score_record", "scored_samples", "unreadable"]

BATCH = 256
"""Samples in memory at a time."""

_LARGE = frozenset({"messages", "attachments", "store", "events", "events_data"})


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


def scored_samples(path: Path) -> tuple[str, str, int]:
    """What a run and its retries share, when a log was begun, and how many of its samples have a
    score.

    Raises:
        InputFileError: the log cannot be read.
    """
    check_file(path, MOST_LOG_BYTES)
    try:
        head = read_eval_log(str(path), header_only=True).eval
        scored = sum(bool(one.scores) for one in read_eval_log_sample_summaries(str(path)))
    except Exception as error:
        raise unreadable(path, error) from None
    return head.task_id or head.eval_id, str(head.created), scored


def unreadable(path: str | Path, error: Exception) -> InputFileError:
    """What to say of a log that cannot be read.

    Inspect raises whatever its parsers raise: of zip files, JSON, validation and missing keys.
    """
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return InputFileError(path, f"is not a readable Inspect log ({first[:200]})")


def score_record(
    sample: EvalSample, key: str, scorer: str, path: str | Path, why: str = ""
) -> Any | None:
    """What our scorer kept in the metadata of a sample's score; None where it has no such score.

    Args:
        sample: from a log.
        key: under which the record stands.
        scorer: name of the scorer, for the error.
        path: of the log, for the error.
        why: what would go wrong with two of them; finishes a sentence.

    Raises:
        InputFileError: the sample has several such scores.
    """
    found = [
        score.metadata[key]
        for score in (sample.scores or {}).values()
        if score.metadata and key in score.metadata
    ]
    if len(found) > 1:
        raise InputFileError(
            path,
            f"sample {sample.id} has {len(found)} scores of {scorer}{why}. Score the log again "
            "with --action overwrite",
        )
    return found[0] if found else None


def intensity_record(sample: EvalSample, path: str | Path) -> ResponseRecord | None:
    """The record of `valueflow/intensity` in a sample; see `score_record`."""
    record = score_record(
        sample,
        METADATA_KEY,
        "valueflow/intensity",
        path,
        ", whose windows must not be counted together",
    )
    return None if record is None else _checked(record, sample, path)


def _checked(record: Any, sample: EvalSample, path: str | Path) -> ResponseRecord:
    """A record that has the form of one, with windows that a judge can have ranked.

    Raises:
        InputFileError: it has not; the sample and the field are named.
    """
    where = f"sample {sample.id}, epoch {sample.epoch}: the record of valueflow/intensity"
    advice = "; it was written by another version or changed by hand. Score the log again"
    try:
        checked: ResponseRecord = _FORM.validate_python(record, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "as a whole"
        raise InputFileError(
            path, f"{where} cannot be used ({field}: {first['msg']}){advice}"
        ) from None
    try:
        WindowTable.from_records(window_records([checked]), most=LIMIT)
    except WindowRecordError as error:
        raise InputFileError(
            path, f"{where} has a window in which {error.problem}{advice}"
        ) from None
    return record  # type: ignore[no-any-return]


_FORM: TypeAdapter[ResponseRecord] = TypeAdapter(ResponseRecord)
