"""Reads rows from a table wherever it lies: embedded, a local file or folder, or the Hub.

A source is written as users type it:

- the name of an asset of the registry (`vidb-mini`);
- a path to a CSV, TSV, JSONL, JSON or Parquet file, or to a folder of them;
- `ORG/NAME@REVISION`, a dataset on the Hugging Face Hub (`main` where no revision is given; the
  commit that was loaded is always reported).

Columns are found by name. Every reader documents the names that it accepts, in order; users with
other names say so by a mapping such as `{text: sentence, intensity: score}`.
"""

import csv
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError, OptionError, UnknownNameError
from valueflow.hub_assets.registry import load_registry

__all__ = ["Row", "Source", "column_map", "open_source", "read_rows"]

SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
_HUB_NAME = re.compile(r"(?P<repo>[\w.\-]+/[\w.\-]+)(@(?P<revision>[\w.\-/]+))?")

# Cells of real tables hold long texts; csv's own limit of 128 KiB is too small for some.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@dataclass(frozen=True)
class Source:
    """A table that was found.

    Attributes:
        reference: what to write into a log so that another process finds the same table: an
            asset's name, an absolute path, or `ORG/NAME@COMMIT`.
        files: the files that make it up, sorted.
        root: the folder that they lie in.
        revision: asset revision or Hub commit; empty for local files.
        sha256: hash of the contents of all files.
    """

    reference: str
    files: tuple[Path, ...]
    root: Path
    revision: str
    sha256: str


@dataclass(frozen=True)
class Row:
    """One row: its cells, and where it stands, for error messages."""

    cells: Mapping[str, Any]
    file: Path
    number: int

    def cell(self, mapping: Mapping[str, str], field: str) -> Any:
        """The cell of a field, by the columns of `column_map`; None where it has no column."""
        return self.cells.get(mapping[field]) if field in mapping else None


def open_source(source: object, kind: str) -> Source:
    """Finds the files of a source.

    Args:
        source: as the user typed it, see the module's text.
        kind: kind of registry asset that may be named: `vidb` or `queries`.

    Raises:
        InputFileError: a path that does not exist or holds no table.
        UnknownNameError: neither a path, nor a Hub name, nor an asset of that kind.
    """
    registry = load_registry()
    text = str(source).strip()
    path = Path(os.path.expanduser(text))
    if text in registry.assets and not path.exists():
        asset = registry.asset(text, kind)
        if asset.embedded is not None:
            return _local(Path(__file__).parent / asset.embedded, text, asset.revision)
        if asset.path is not None:
            if not Path(asset.path).exists():
                raise InputFileError(asset.path, f"there is no such file (asset '{text}')")
            return _local(Path(asset.path), text, asset.revision)
        return _hub(str(asset.repo_id), asset.revision)
    if path.exists():
        return _local(path.resolve(), str(path.resolve()), "")
    if text.endswith(SUFFIXES) or text.startswith((".", "/", "~")):
        raise InputFileError(text, "there is no such file or folder")
    if match := _HUB_NAME.fullmatch(text):
        return _hub(match["repo"], match["revision"] or "main")
    known = [name for name, asset in registry.assets.items() if asset.kind == kind]
    raise UnknownNameError(
        f"{kind} source", text, known, "Give an asset, a path, or ORG/NAME@REVISION on the Hub."
    )


def _local(path: Path, reference: str, revision: str) -> Source:
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise InputFileError(path, f"is none of {', '.join(SUFFIXES)}")
        files, root = [path], path.parent
    else:
        # Sorted within each folder by name, so that the order is the same on every machine.
        files = sorted(f for f in path.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())
        root = path
        if not files:
            raise InputFileError(path, f"holds no table ({', '.join(SUFFIXES)})")
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(root)).encode())
        try:
            digest.update(file.read_bytes())
        except OSError as error:
            raise InputFileError(file, f"cannot be read ({error.strerror})") from None
    return Source(reference, tuple(files), root, revision, digest.hexdigest())


def _hub(repo_id: str, revision: str) -> Source:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        folder = Path(
            snapshot_download(
                repo_id,
                repo_type="dataset",
                revision=revision,
                allow_patterns=[f"*{suffix}" for suffix in SUFFIXES],
            )
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise InputFileError(
            f"{repo_id}@{revision}",
            f"cannot be loaded from the Hub ({reason}). Check the name, the revision and your "
            "access, or give a local file, or 'vidb-mini' or 'queries-mini', which are embedded",
        ) from None
    # A snapshot's folder is named for its commit.
    commit = folder.name
    return _local(folder, f"{repo_id}@{commit}", commit)


def read_rows(source: Source) -> Iterator[Row]:
    """All rows of a source's files, in order.

    Raises:
        InputFileError: a file is malformed; the message names the file and the row.
    """
    for file in source.files:
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


def column_map(
    row: Row,
    accepted: Mapping[str, Sequence[str]],
    required: Sequence[str],
    given: Mapping[str, str] | None,
    option: str,
) -> dict[str, str]:
    """Finds the column of each field.

    Args:
        row: a row whose cells show the columns.
        accepted: field name to the column names that are taken for it, best first; compared
            without regard to case.
        required: fields that must be found.
        given: the user's own mapping, field name to column name, which wins.
        option: name of the option that carries `given`, for the error.

    Returns:
        Field name to column name, for the fields that were found.

    Raises:
        InputFileError: a required field was not found; the message lists the columns that the
            file has and says how to name them.
        OptionError: `given` names an unknown field.
    """
    columns = {str(name).strip().lower(): str(name) for name in row.cells}
    found: dict[str, str] = {}
    for field, names in accepted.items():
        for name in names:
            if name in columns:
                found[field] = columns[name]
                break
    for field, name in (given or {}).items():
        if field not in accepted:
            raise OptionError(option, f"'{field}' is not one of {', '.join(accepted)}")
        if str(name).strip().lower() not in columns:
            raise InputFileError(
                row.file, f"has no column '{name}'; it has {', '.join(map(str, row.cells))}"
            )
        found[field] = columns[str(name).strip().lower()]
    missing = [field for field in required if field not in found]
    if missing:
        example = ", ".join(f"{field}: YOUR_COLUMN" for field in missing)
        raise InputFileError(
            row.file,
            f"has no column for {' and '.join(repr(f) for f in missing)}. Found: "
            f"{', '.join(map(str, row.cells))}. Name it with {option}='{{{example}}}'",
        )
    return found
