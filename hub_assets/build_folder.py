"""The folder in which a database is built: what each stage wrote, and whether it still holds.

    import/texts.jsonl              texts with source, licence and given labels
    categorize/judgements.jsonl     the panel's answers, as they came
    categorize/rows.jsonl           (text, value) with its direction;  categorize/queue.csv
    curate/THEORY.VALUE.jsonl       the rows that are scored
    rank/THEORY.VALUE.jsonl         the judge's rankings, as they came
    */*.calls.jsonl                 what judges said in each call, word for word
    fit/THEORY.VALUE.csv            utilities
    scale/THEORY.VALUE.csv, .json   intensities, and the map that made them
    flag/THEORY.VALUE.jsonl, .csv   the panel's marks;  flag/queue.csv
    vidb/                           the packaged database

Each finished part has a record `*.done.json`: the fingerprint of the settings and inputs that it
was made from, and its counts. A part whose fingerprint still holds is not made again; judgements
whose settings changed are never mixed, but refused.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import write_text
from valueflow.hub_assets.registry import Value

__all__ = [
    "check_begun",
    "finish",
    "finished",
    "hash_of",
    "read_lines",
    "stage_file",
    "write_lines",
]


def stage_file(folder: Path, stage: str, value: Value, suffix: str) -> Path:
    """The file of one value in one stage."""
    return folder / stage / f"{value.theory}.{value.name}{suffix}"


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes JSON lines, whole or not at all."""
    write_text(path, "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))


def read_lines(path: Path, stage: str) -> Iterator[dict[str, Any]]:
    """Reads JSON lines that an earlier stage wrote.

    Raises:
        InputFileError: the file is not there, or a row is damaged.
    """
    if not path.is_file():
        raise InputFileError(path, f"is not there yet; run the stage '{stage}' first")
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                yield json.loads(line)
            except ValueError:
                raise InputFileError(path, "is not valid JSON", row=number) from None


def hash_of(path: Path) -> str:
    """Hash of a file's contents.

    Raises:
        InputFileError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror})") from None


def finished(part: Path, mark: str) -> dict[str, Any] | None:
    """The counts of a finished part, or None where it is not finished or was made otherwise."""
    record = _record(_done(part))
    if record is None or record.get("fingerprint") != mark or not part.exists():
        return None
    if part.is_file() and record.get("sha256") != hash_of(part):
        return None
    return dict(record["counts"])


def finish(part: Path, mark: str, counts: Mapping[str, Any]) -> None:
    """Notes that a part is finished, with what it was made from."""
    record = {"fingerprint": mark, "counts": dict(counts)}
    if part.is_file():
        record["sha256"] = hash_of(part)
    write_text(_done(part), json.dumps(record, indent=1, sort_keys=True) + "\n")


def check_begun(store: Path, mark: str, stage: str) -> None:
    """Notes what judgements of a store are asked with; refuses to mix them with others.

    Raises:
        InputFileError: the store was begun with other settings or texts.
    """
    note = store.with_name(f"{store.stem}.begun.json")
    record = _record(note)
    files = [file for file in (store, store.with_suffix(".calls.jsonl")) if file.is_file()]
    if record is None or not any(file.stat().st_size for file in files):
        write_text(note, json.dumps({"fingerprint": mark}) + "\n")
    elif record.get("fingerprint") != mark:
        named = " and ".join(map(str, files))
        raise InputFileError(
            store,
            f"holds judgements of other settings or texts (the recipe, or what came before "
            f"'{stage}', has changed); build into another folder, or delete {named} to ask again",
        )


def _done(part: Path) -> Path:
    return part.with_name(f"{part.name}.done.json")


def _record(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
