"""Reads the rows of CSV, TSV, JSONL, JSON and Parquet files, each row with its place."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError

__all__ = ["SUFFIXES", "Row", "rows_of"]

SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")

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


def rows_of(files: Iterable[Path]) -> Iterator[Row]:
    """All rows of files, in order.

    Raises:
        InputFileError: a file is malformed; the message names the file and the row.
    """
    for file in files:
        suffix = file.suffix.lower()
        try:
            if suffix in (".csv", ".tsv"):
                yield from _delimited(file, "\t" if suffix == ".tsv" else ",")
            elif suffix == ".jsonl":
                yield from _json_lines(file)
            elif suffix == ".json":
                yield from _json(file)
            else:
                yield from _parquet(file)
        except UnicodeDecodeError as error:
            raise InputFileError(
                file, f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
            ) from None


def _delimited(file: Path, delimiter: str) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, delimiter=delimiter, strict=True)
        number = 0
        try:
            for number, cells in enumerate(reader, start=1):
                if None in cells:
                    raise InputFileError(
                        file, "has more cells than the header; quote texts with commas", row=number
                    )
                yield Row(cells, file, number)
        except csv.Error as error:
            raise InputFileError(file, f"is not valid CSV ({error})", row=number + 1) from None


def _json_lines(file: Path) -> Iterator[Row]:
    with file.open(encoding="utf-8") as stream:
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
        rows = json.loads(file.read_text(encoding="utf-8"))
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
