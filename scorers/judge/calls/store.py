"""Judgements on disk, each kept the moment it is made: an append-only file of JSON lines.

A row goes to the operating system in one write before the next question is asked, so that a process
that is killed at any moment loses no judgement that it had received. Only a row that was being
written can be cut; it is the last, it is taken off when the file is opened next, and counted. A
lock keeps a second process from writing to the same file.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from valueflow.hub_assets.errors import InputFileError

__all__ = ["JudgementStore", "mirrored", "open_store", "read_store"]

Judgement = Mapping[str, Any]

_mirror: ContextVar[Callable[[Path, Judgement], None] | None] = ContextVar("mirror", default=None)


class JudgementStore:
    """Judgements by key, and a file that takes new ones; to be had from `open_store`.

    Attributes:
        path: the file.
        rows: what is known, by key.
        repaired: 1 where a row that was cut short was taken off the end of the file, else 0.
        failed: why the file took a row no more; it takes none then until it is opened again.
    """

    def __init__(self, path: Path, rows: dict[str, Judgement], repaired: int, file: int) -> None:
        self.path = path
        self.rows = rows
        self.repaired = repaired
        self.failed: InputFileError | None = None
        self._file = file

    def __contains__(self, key: str) -> bool:
        return key in self.rows

    def add(self, key: str, judgement: Judgement, *, again: bool = False) -> None:
        """Writes a row, and returns when the operating system has it.

        Args:
            key: its key.
            judgement: what else is in it.
            again: whether it may take the place of one that is there already.

        Raises:
            InputFileError: the disk takes no more, or took no more before. What was written of the
                row is taken off again: a row after it would stand in the same line.
            ValueError: the key is there already: a finished call would have been paid for twice.
        """
        if self.failed is not None:
            raise self.failed
        if key in self.rows and not again:
            raise ValueError(f"{self.path}: there is a judgement {key!r} already")
        row = {"key": key, **judgement}
        line = (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
        whole = os.fstat(self._file).st_size
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            self.failed = InputFileError(
                self.path,
                f"cannot be written to ({error.strerror}); make room, and run the same command "
                "again to go on",
            )
            with suppress(OSError):
                os.ftruncate(self._file, whole)
            raise self.failed from None
        self.rows[key] = row
        if (say := _mirror.get()) is not None:
            say(self.path, row)


@contextmanager
def mirrored(say: Callable[[Path, Judgement], None]) -> Iterator[None]:
    """Within it, each row that a store takes is said to another place too, in the same step."""
    token = _mirror.set(say)
    try:
        yield
    finally:
        _mirror.reset(token)


@contextmanager
def open_store(
    path: Path,
    busy: str = "another process is adding judgements to it; wait until that one is done",
    *,
    wait: str | None = None,
    damaged: Literal["refuse", "pass over"] = "refuse",
) -> Iterator[JudgementStore]:
    """Opens a store for reading and adding; the file is made where there is none.

    Args:
        path: the file.
        busy: what to say where another process has it open.
        wait: what to print before waiting for that process; without it, `busy` is raised.
        damaged: see `read_store`.

    Raises:
        InputFileError: another process has it open; the folder cannot be written to; or a row in
            the middle is damaged, which no kill can cause.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if wait is None:
                raise InputFileError(path, busy) from None
            print(wait, file=sys.stderr, flush=True)
            lock.acquire()
    except OSError as error:
        raise InputFileError(path, f"cannot be written to ({error.strerror})") from None
    try:
        repaired = _mend(path)
        rows = read_store(path, damaged)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            yield JudgementStore(path, rows, repaired, file)
        finally:
            os.close(file)
    finally:
        lock.release()


def read_store(
    path: Path, damaged: Literal["refuse", "pass over"] = "refuse"
) -> dict[str, Judgement]:
    """All whole rows of a store by key; empty where there is no file. Nothing is changed.

    Args:
        path: the file.
        damaged: whether a row that is none is passed over, and the last row of a key holds, as in
            a cache; what is lost of a cache is asked again.

    Raises:
        InputFileError: a row is no judgement, or a key stands twice.
    """
    rows: dict[str, Judgement] = {}
    if not path.is_file():
        return rows
    whole = path.read_bytes()
    lines = whole[: whole.rfind(b"\n") + 1].splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            key = row["key"]
        except (ValueError, KeyError, TypeError):
            if damaged == "pass over":
                continue
            raise InputFileError(
                path, "is no judgement; restore the file, or delete this row", row=number
            ) from None
        if key in rows and damaged == "refuse":
            raise InputFileError(path, f"the judgement {key!r} stands twice", row=number)
        rows[key] = row
    return rows


def _mend(path: Path) -> int:
    """Takes a row that was cut short off the end; how many there were (0 or 1)."""
    if not path.is_file():
        return 0
    size = path.stat().st_size
    with path.open("r+b") as stream:
        whole = stream.read()
        end = whole.rfind(b"\n") + 1
        if end == size:
            return 0
        stream.truncate(end)
    return 1
