"""Everything that a packaged database must satisfy before it is pushed, checked at once."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.publish.statistics import read_table
from valueflow.hub_assets.vidb.licenses import LICENSES, license_of
from valueflow.hub_assets.vidb.manifest import HELD_OUT, Manifest, packaged_registry
from valueflow.hub_assets.vidb.schema import (
    VIDB,
    Form,
    Problem,
    check_table,
    form_files,
    normalised,
    one_hash_per_text,
)

__all__ = ["database_problems", "table_problems"]


Tables = Mapping[tuple[str, ...], Mapping[str, tuple[str, Any]]]
"""Names of its folders, then split, to a table's file and contents."""


def table_problems(folder: Path, form: Form) -> tuple[list[Problem], Tables]:
    """What is wrong with the tables of a packaged folder, and the tables that can be read.

    Files out of their place, empty ones, schema and ranges, licences that forbid passing rows on,
    and texts that stand twice in a table.
    """
    found = list(form_files(folder, form))
    known = {path for _, path in found}
    problems = [
        Problem(path.relative_to(folder).as_posix(), None, "", f"only {form.place} is expected")
        for path in sorted(folder.rglob("*.parquet"))
        if path not in known
    ]
    registry = packaged_registry(folder)
    tables: dict[tuple[str, ...], dict[str, tuple[str, Any]]] = {}
    for folders, path in found:
        name = path.relative_to(folder).as_posix()
        try:
            table = read_table(path)
        except InputFileError:
            problems.append(Problem(name, None, "", "is not a valid Parquet file"))
            continue
        if table.num_rows == 0:
            problems.append(Problem(name, None, "", "holds no row; leave the file out"))
        problems += check_table(table, name, form, folders, registry)
        problems += _licence_problems(table, name)
        problems += _repeated(table, name)
        tables.setdefault(folders, {})[path.stem] = (name, table)
    return problems, tables


def database_problems(folder: Path, manifest: Manifest) -> list[Problem]:
    """What is wrong with the tables of a database, and beyond `table_problems`: filtered rows that
    are not in `full` or are held out, and texts with several split hashes."""
    problems: list[Problem] = []
    held_out = _held_out(folder, problems)
    found, tables = table_problems(folder, VIDB)
    problems += found
    for splits in tables.values():
        problems += _filtered_problems(splits, held_out)
    return [*problems, *one_hash_per_text(_hashes(tables))]


def _held_out(folder: Path, problems: list[Problem]) -> set[str]:
    path = folder / HELD_OUT
    if not path.is_file():
        return set()
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if len(line) != 16 or set(line) - set("0123456789abcdef"):
            message = "is not a split hash of 16 hexadecimal digits"
            problems.append(Problem(HELD_OUT, number, "", message, repr(line[:30])))
    return set(lines)


def _column(table: Any, name: str) -> list[Any]:
    return list(table.column(name).to_pylist()) if name in table.column_names else []


def _licence_problems(table: Any, file: str) -> Iterator[Problem]:
    known = ", ".join(license.name for license in LICENSES if license.redistributable)
    for number, cell in enumerate(_column(table, "license"), start=1):
        if not isinstance(cell, str) or not cell.strip():
            continue  # named by the schema
        license = license_of(cell)
        if license is None:
            message = f"is not a licence that valueflow knows to allow passing rows on ({known})"
            yield Problem(file, number, "license", message, repr(cell[:40]))
        elif not license.redistributable:
            message = (
                f"does not allow its texts to be passed on like this: {license.note}. Package "
                "again with --leave-out-restricted"
            )
            yield Problem(file, number, "license", message, repr(license.name))


def _repeated(table: Any, file: str) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for number, text in enumerate(_column(table, "text"), start=1):
        if not isinstance(text, str):
            continue
        first = seen.setdefault(normalised(text), number)
        if first != number:
            message = "the same text stands in this file already"
            yield Problem(file, number, "text", message, f"as row {first}")


def _filtered_problems(
    splits: Mapping[str, tuple[str, Any]], held_out: set[str]
) -> Iterator[Problem]:
    if "filtered" not in splits:
        return
    file, filtered = splits["filtered"]
    if "full" not in splits:
        yield Problem(file, None, "", "has no full.parquet beside it")
        return
    full = dict(_scored(splits["full"][1]))
    for number, (text, intensity) in enumerate(_scored(filtered), start=1):
        if text not in full:
            yield Problem(file, number, "text", "is not in full.parquet")
        elif full[text] != intensity:
            message = "differs from the intensity of the same text in full.parquet"
            yield Problem(file, number, "intensity", message)
    for number, found in enumerate(_column(filtered, "split_hash"), start=1):
        if found in held_out:
            message = f"is held out by {HELD_OUT}, and must not be in the filtered split"
            yield Problem(file, number, "split_hash", message, repr(found))


def _scored(table: Any) -> Sequence[tuple[Any, Any]]:
    return list(zip(_column(table, "text"), _column(table, "intensity"), strict=False))


def _hashes(tables: Tables) -> Iterator[tuple[str, int, str, str]]:
    for splits in tables.values():
        for file, table in splits.values():
            pairs = zip(_column(table, "text"), _column(table, "split_hash"), strict=False)
            for number, (text, found) in enumerate(pairs, start=1):
                if isinstance(text, str) and isinstance(found, str):
                    yield file, number, text, found
