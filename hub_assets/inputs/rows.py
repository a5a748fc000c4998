"""Reads the rows of CSV, TSV, JSONL, JSON and Parquet files, each row with its place; texts may be
packed by gzip."""

import csv
import gzip
import io
import json
import math
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import (
    MOST_TABLE_BYTES,
    check_file,
    is_blank,
    not_utf8,
    sendable,
)
from valueflow.hub_assets.inputs.chats import Chat, Turn, messages_in, read_chat

__all__ = ["SUFFIXES", "Row", "delimiter_of", "is_table", "name_without_suffix", "rows_of"]

PLAIN = (".csv", ".tsv", ".jsonl", ".json")
SUFFIXES = (*PLAIN, ".parquet", *(f"{suffix}.gz" for suffix in PLAIN))
"""Endings of the files that can be read as tables, in lower case."""

# Cells of real tables hold long texts; csv's own limit of 128 KiB is too small for some.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@dataclass(frozen=True)
class Row:
    """One row: its cells, and where it stands, for error messages."""

    cells: Mapping[str, Any]
    file: Path
    number: int

    def cell(self, mapping: Mapping[str, str], field: str) -> Any:
        """The cell of a field, by the columns of `column_map`; None where it has no column."""
        return self.cells.get(mapping[field]) if field in mapping else None

    def text(self, mapping: Mapping[str, str], field: str, role: str | None = None) -> str:
        """The text of a field without spaces around it, empty where there is none to be seen.

        Args:
            mapping: columns, from `column_map`.
            field: which one.
            role: `user` or `assistant`, where the cell may also be a chat of one message of that
                role, `[{"role": "user", "content": "..."}]`, whose content is taken.

        Raises:
            InputFileError: the cell is a list, an object or a truth value, which no model should
                read in the form that Python prints it in.
        """
        cell = self.cell(mapping, field)
        if role is not None:
            cell = _only_message(cell, role)
        if cell is None or (isinstance(cell, float) and math.isnan(cell)):
            return ""
        if isinstance(cell, bool) or not isinstance(cell, str | int | float):
            kind = {bool: "a truth value", list: "a list", dict: "an object"}.get(type(cell), "")
            chat = f', or messages [{{"role": "{role}", "content": "..."}}]' if role else ""
            raise InputFileError(
                self.file,
                f"is {kind or type(cell).__name__}, not a text; write the text itself{chat}",
                row=self.number,
                column=mapping[field],
            )
        text = sendable(str(cell)).strip()
        return "" if is_blank(text) else text

    def chat(self, mapping: Mapping[str, str], field: str) -> Chat:
        """The conversation of a field; a text is a question alone, and no text is no message.

        Args:
            mapping: columns, from `column_map`.
            field: which one.

        Raises:
            InputFileError: the cell is neither a text nor a conversation.
        """
        messages = messages_in(self.cell(mapping, field))
        if not (isinstance(messages, list) and any(isinstance(one, dict) for one in messages)):
            text = self.text(mapping, field, role="user")
            return (Turn("user", text),) if text else ()
        try:
            found = read_chat(messages)
        except ValueError as error:
            raise InputFileError(
                self.file, str(error), row=self.number, column=mapping[field]
            ) from None
        return tuple(Turn(turn.role, sendable(turn.text)) for turn in found)


def _only_message(cell: Any, role: str) -> Any:
    """The content of a chat of one message, also where it stands as JSON in a CSV's cell."""
    chat = messages_in(cell)
    match chat:
        case [{"role": str(said_by), "content": str(content)}] if said_by == role:
            return content
    return chat


def is_table(path: Path) -> bool:
    """Whether a file's name ends like that of a table."""
    return path.name.lower().endswith(SUFFIXES)


def name_without_suffix(path: Path) -> str:
    """A table's name without its ending, `power` of `power.csv.gz`."""
    ending = next((e for e in SUFFIXES if path.name.lower().endswith(e)), "")
    return path.name[: len(path.name) - len(ending)] if ending else path.stem


class _Unpacked(io.RawIOBase):
    """A packed file's contents, which may be no longer than a table that is not packed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stream = gzip.GzipFile(file)
        self._left = MOST_TABLE_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            found = self._stream.read(len(buffer))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputFileError(
                self._file, f"cannot be unpacked ({error}); it may be cut short, or no gzip file"
            ) from None
        self._left -= len(found)
        if self._left < 0:
            raise InputFileError(
                self._file,
                f"has more than {MOST_TABLE_BYTES / 2**20:,.0f} MiB when unpacked; is it the right "
                "file?",
            )
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _open(file: Path) -> IO[str]:
    if file.suffix.lower() != ".gz":
        return file.open(encoding="utf-8-sig", newline="")
    stream = io.BufferedReader(_Unpacked(file), 2**16)
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


def rows_of(files: Iterable[Path]) -> Iterator[Row]:
    """All rows of files, in order.

    Raises:
        InputFileError: a file is malformed; the message names the file and the row.
    """
    for file in files:
        suffix = Path(file.name.lower().removesuffix(".gz")).suffix
        check_file(file)
        try:
            if suffix in (".csv", ".tsv"):
                yield from _delimited(file, "\t" if suffix == ".tsv" else None)
            elif suffix == ".jsonl":
                yield from _json_lines(file)
            elif suffix == ".json":
                yield from _json(file)
            else:
                yield from _parquet(file)
        except UnicodeDecodeError as error:
            raise not_utf8(file, error) from None
        except OSError as error:
            raise InputFileError(file, f"cannot be read ({error.strerror})") from None


_SIGNS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def delimiter_of(header: str) -> str:
    """What parts the columns of a header line: the comma, semicolon or tab that makes most of them.

    Spreadsheets of many countries write semicolons. Of equals the comma is taken.
    """
    return max(",;\t", key=lambda sign: len(next(csv.reader([header], delimiter=sign), [])))


def _delimited(file: Path, delimiter: str | None) -> Iterator[Row]:
    if delimiter is None:
        with _open(file) as stream:
            delimiter = delimiter_of(stream.readline())
    with _open(file) as stream:
        lines = _literal_quotes(stream) if delimiter == "\t" else stream
        reader = csv.DictReader(lines, delimiter=delimiter, strict=True)
        number = 0
        try:
            for number, cells in enumerate(reader, start=1):
                if None in cells:
                    raise InputFileError(
                        file,
                        f"has more cells than the header; quote texts with {_SIGNS[delimiter]}",
                        row=number,
                    )
                yield Row(cells, file, number)
        except csv.Error as error:
            raise InputFileError(file, f"is not valid CSV ({error})", row=number + 1) from None


# A cell that begins with a quotation and goes on after it, which no quoted cell does.
_QUOTES_A_WORD = re.compile(r'"(?:[^"]|"")*"[^"\r\n].*')


def _literal_quotes(stream: Iterable[str]) -> Iterator[str]:
    """The lines of a TSV, in which a cell such as `"Yes" is no answer` stands as it is meant.

    Many such files are written without any quoting.
    """
    for line in stream:
        if '"' in line:
            body = line.rstrip("\r\n")
            cells = [_quoted(c) if _QUOTES_A_WORD.fullmatch(c) else c for c in body.split("\t")]
            line = "\t".join(cells) + line[len(body) :]
        yield line


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def _json_lines(file: Path) -> Iterator[Row]:
    with _open(file) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                cells = json.loads(line)
            except (ValueError, RecursionError) as error:
                cut = "" if line.endswith("\n") else "; the file may be truncated"
                reason = error.msg if isinstance(error, json.JSONDecodeError) else error
                raise InputFileError(
                    file, f"is not valid JSON ({reason}){cut}", row=number
                ) from None
            yield _row(cells, file, number)


def _json(file: Path) -> Iterator[Row]:
    try:
        with _open(file) as stream:
            rows = json.load(stream)
    except UnicodeDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputFileError(file, f"is not valid JSON ({error})") from None
    if not isinstance(rows, list):
        raise InputFileError(file, "must be a list of objects")
    for number, cells in enumerate(rows, start=1):
        yield _row(cells, file, number)


def _row(cells: Any, file: Path, number: int) -> Row:
    if not isinstance(cells, dict):
        raise InputFileError(file, "is not an object with named fields", row=number)
    return Row(cells, file, number)


def _parquet(file: Path) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        batches = pyarrow.parquet.ParquetFile(file).iter_batches()
        number = 0
        for batch in batches:
            for cells in batch.to_pylist():
                number += 1
                yield Row(cells, file, number)
    except pyarrow.ArrowInvalid as error:
        raise InputFileError(file, f"is not a valid Parquet file ({error})") from None
