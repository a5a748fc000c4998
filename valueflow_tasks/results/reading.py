"""Reads the scored responses of an Inspect log, and counts those that are not there."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from inspect_ai.log import EvalLog, list_eval_logs, read_eval_log

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import MOST_LOG_BYTES, check_file
from valueflow.scorers.records import ResponseRecord
from valueflow.scorers.saved.logs import intensity_record, log_samples, unreadable

__all__ = ["LogResponses", "find_logs", "read_header", "read_responses"]

SUFFIXES = (".eval", ".json")


class LogResponses(NamedTuple):
    """What a log holds.

    Attributes:
        header: the log without its samples.
        responses: the records of `valueflow/intensity`, in the log's order.
        left_out: what was planned but is not among the responses, with counts; empty for a whole
            run. Keys are phrases to show, such as `samples that ended in an error`.
    """

    header: EvalLog
    responses: list[ResponseRecord]
    left_out: Counter[str]


def find_logs(paths: Iterable[Path]) -> list[Path]:
    """The logs among files and folders, those of folders and their subfolders by name.

    Raises:
        InputFileError: a path does not exist, is no log, or is a folder without one.
    """
    found: list[Path] = []
    for path in paths:
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


def read_header(path: Path) -> EvalLog:
    """A log without its samples.

    Raises:
        InputFileError: the file is not there, or is not a readable log.
    """
    if not path.is_file():
        raise InputFileError(path, "there is no such file")
    try:
        return read_eval_log(str(path), header_only=True)
    except Exception as error:
        raise unreadable(path, error) from None


def read_responses(path: Path) -> LogResponses:
    """Reads the scored responses of one log, of a run that failed too.

    Raises:
        InputFileError: the file is not a readable log, holds no score of `valueflow/intensity`, or
            two of them for one sample, whose windows must not be counted together.
    """
    header = read_header(path)
    responses: list[ResponseRecord] = []
    left_out: Counter[str] = Counter()
    seen = 0
    try:
        for sample in log_samples(str(path)):
            seen += 1
            found = intensity_record(sample, path)
            if found is not None:
                responses.append(found)
            elif sample.error is not None:
                left_out["samples that ended in an error"] += 1
            else:
                left_out["samples without a score of valueflow/intensity"] += 1
    except InputFileError:
        raise
    except Exception as error:
        raise unreadable(path, error) from None
    missing = _planned(header) - seen
    if missing > 0:
        left_out["samples that were never run"] = missing
    if not responses:
        told = ", ".join(f"{count} {what}" for what, count in left_out.items())
        raise InputFileError(
            path,
            f"holds no score of valueflow/intensity{f' ({told})' if told else ''}. Score it with "
            f"`inspect score {path} --scorer valueflow/intensity --model-role grader=Y`",
        )
    return LogResponses(header, responses, left_out)


def _planned(header: EvalLog) -> int:
    """Samples that the run was to have: those within its limit, once an epoch."""
    dataset = header.eval.dataset
    size = len(dataset.sample_ids) if dataset.sample_ids else (dataset.samples or 0)
    return size * (header.eval.config.epochs or 1)
