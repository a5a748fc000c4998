"""Turns a table of scored texts into a packaged database: the folder that is pushed to the Hub.

    data/THEORY/VALUE/full.parquet       every row of the value
    data/THEORY/VALUE/filtered.parquet   those on which judges and people agree
    held_out.txt                         hashes of texts that are kept for tests, where given
    NOTES.md                             the packager's own words for the card, where given
    intensities.png                      a picture for the card, where matplotlib is there
    catalogue.yaml                       theories and values of the packager's own, where there are
    README.md                            the card
    valueflow-manifest.json              files, rows and hashes

Any pipeline that ends in a database ends here.
"""

import os
import re
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError, OptionError, UnknownNameError
from valueflow.hub_assets.files import read_text, write_text
from valueflow.hub_assets.inputs.anchors import value_of_file
from valueflow.hub_assets.inputs.source import Row, column_map, open_source, read_rows
from valueflow.hub_assets.registry.loading import (
    Registry,
    Value,
    load_registry,
    own_theories_text,
)
from valueflow.hub_assets.vidb.licenses import license_of
from valueflow.hub_assets.vidb.manifest import (
    CATALOGUE,
    HELD_OUT,
    MANIFEST,
    NOTES,
    make_manifest,
    seal,
)
from valueflow.hub_assets.vidb.schema import (
    COLUMNS,
    SPLITS,
    VIDB,
    Problem,
    ProblemsError,
    arrow_schema,
    normalised,
    row_problems,
    split_hash_of,
)

__all__ = ["Packaged", "held_out_hashes", "package_table"]


ACCEPTED: dict[str, Sequence[str]] = {
    **{column.name: (column.name,) for column in COLUMNS},
    "text": ("text", "sentence", "statement", "scenario", "content"),
    "intensity": ("intensity", "final_rating", "rating", "score", "value_score"),
    "intensity_se": ("intensity_se", "se", "standard_error"),
    "value": ("value", "value_name", "target_value"),
    "theory": ("theory", "framework"),
    "source": ("source", "dataset"),
    "license": ("license", "licence"),
    "filtered": ("filtered", "split"),
}
_TRUE, _FALSE = ("true", "1", "yes", "filtered"), ("false", "0", "no", "full", "")


@dataclass(frozen=True)
class Packaged:
    """What was written: rows per split, what was left out, and what a push will not accept."""

    folder: Path
    rows: Mapping[str, int]
    values: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Defaults:
    """What stands in for a column that the table does not have."""

    source: str | None
    license: str | None


def package_table(
    source: object,
    folder: Path,
    *,
    columns: Mapping[str, str] | None = None,
    default_source: str | None = None,
    default_license: str | None = None,
    held_out: Path | None = None,
    notes: Path | None = None,
    construction: Mapping[str, str] | None = None,
    provenance: Mapping[str, Any] | None = None,
    leave_out_restricted: bool = False,
    overwrite: bool = False,
    registry: Registry | None = None,
) -> Packaged:
    """Writes the packaged folder of a table, whole or not at all.

    Args:
        source: a table as `valueflow.hub_assets.inputs.source` reads it, with at least a text and
            an intensity, a value (in a column, or in the names of files), and a source and licence
            where the defaults do not give them. A column `filtered` (true or false) or `split`
            (`filtered` or `full`) marks the filtered rows.
        folder: where to write.
        columns: the user's names for columns.
        default_source: source of all rows, for a table without that column.
        default_license: licence of all rows, for a table without that column.
        held_out: text file of texts or split hashes, one a line, that are kept for tests.
        notes: Markdown to put into the card.
        construction: how the intensities came about, step to description, for the card.
        provenance: what the rows were made from and with, see `Manifest`.
        leave_out_restricted: leave out rows whose licence forbids passing them on; counted.
        overwrite: replace a folder that has something in it.
        registry: catalogue of the values; the installation's where not given. What a user's own
            says of theories and values goes into the folder.

    Raises:
        ProblemsError: rows that break the schema or repeat; all of them.
        InputFileError: the table cannot be read, lacks columns or holds no row.
        OptionError: the folder has something in it.
    """
    folder = folder.resolve()
    registry = registry or load_registry()
    left_over = _clear_leftovers(folder) if folder.parent.is_dir() else []
    if folder.exists() and not (folder.is_dir() and (overwrite or not any(folder.iterdir()))):
        raise OptionError("output", f"{folder} is there already; choose another, or --overwrite")
    held = held_out_hashes(held_out) if held_out is not None else frozenset()
    rows, notes_found = _read(
        source,
        columns,
        _Defaults(default_source, default_license),
        leave_out_restricted,
        held,
        registry,
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    notes_found = (*left_over, *notes_found)
    temporary = _own_folder(folder, "new")
    try:
        _write_tables(temporary, rows)
        if held_out is not None:
            write_text(temporary / HELD_OUT, "".join(f"{found}\n" for found in sorted(held)))
        if notes is not None:
            write_text(temporary / NOTES, read_text(notes))
        if (own := own_theories_text(registry)) is not None:
            write_text(temporary / CATALOGUE, own)
        write_card(temporary, construction, provenance)
        os.chmod(temporary, 0o755)
        _put_in_place(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    counts = Counter(split for row in rows for split in SPLITS[: 1 + bool(row["filtered"])])
    values = len({(row["theory"], row["value"]) for row in rows})
    return Packaged(folder, counts, values, notes_found)


def write_card(
    folder: Path,
    construction: Mapping[str, str] | None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Writes picture, card and manifest of a folder that holds the tables."""
    from valueflow.hub_assets.publish.card import card_text, draw_intensities
    from valueflow.hub_assets.publish.statistics import statistics_of

    statistics = statistics_of(folder)
    draw_intensities(statistics, folder)
    draft = make_manifest(folder, construction, provenance)
    seal(folder, draft, card_text(folder, draft, statistics))


def _own_folder(folder: Path, role: str) -> Path:
    """A new folder beside `folder`, which carries this process's number, so that what a killed
    process left can be told from what a living one works on."""
    return Path(tempfile.mkdtemp(prefix=f".{folder.name}.{role}-{os.getpid()}-", dir=folder.parent))


def _clear_leftovers(folder: Path) -> list[str]:
    """Takes away what killed runs left beside a folder, and puts back what one had moved away."""
    told = []
    pattern = re.compile(re.escape(f".{folder.name}.") + r"(new|old)-(\d+)-\w+")
    for path in sorted(folder.parent.iterdir()):
        match = pattern.fullmatch(path.name)
        if match is None or _is_alive(int(match[2])):
            continue
        if match[1] == "old" and (path / "old").is_dir() and not folder.exists():
            os.replace(path / "old", folder)
            told.append(f"{folder.name} was put back as it was before a run that was killed")
        shutil.rmtree(path, ignore_errors=True)
        told.append(f"{path.name}, which a run that was killed had left, was taken away")
    return told


def _is_alive(process: int) -> bool:
    if process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # Somebody else's.
    return True


def _put_in_place(temporary: Path, folder: Path) -> None:
    """Moves the finished folder to its place; what was there goes only after that."""
    old = None
    try:
        if folder.exists():
            old = _own_folder(folder, "old")
            os.replace(folder, old / "old")
        os.replace(temporary, folder)
    except OSError as error:
        if old is not None and not folder.exists():
            os.replace(old / "old", folder)
        raise InputFileError(folder, f"cannot be written ({error.strerror})") from None
    finally:
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)


def _read(
    source: object,
    columns: Mapping[str, str] | None,
    defaults: _Defaults,
    leave_out_restricted: bool,
    held: frozenset[str],
    registry: Registry,
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    opened = open_source(source, "vidb", registry)
    if (opened.root / MANIFEST).is_file():
        raise InputFileError(
            opened.reference,
            "is packaged already, and packaging it again would lose what it says of its rows; "
            "give the table that it was made from, or run `valueflow build package` again",
        )
    dropped: dict[str, None] = {}
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    counts: Counter[str] = Counter()
    seen: set[tuple[str, str, str]] = set()
    mapping: dict[str, str] = {}
    current = None
    for row in read_rows(opened):
        if row.file != current:
            current = row.file
            mapping = _columns_of(row, columns, defaults)
            value = None if "value" in mapping else value_of_file(opened, row.file, registry)
            name = row.file.relative_to(opened.root).as_posix()
            dropped |= dict.fromkeys(str(c) for c in row.cells if c and c not in mapping.values())
        cells, faults = _cells(row, mapping, defaults, name, value, registry)
        faults += row_problems(cells, name, row.number, VIDB, registry)
        problems += faults
        if faults:
            continue
        known = license_of(cells["license"])
        if known is None or not known.redistributable:
            what = f"with the licence {cells['license']!r}, which a push does not accept"
            counts[f"{'left out' if leave_out_restricted else 'kept'}, {what}"] += 1
            if leave_out_restricted:
                continue
        key = (cells["theory"], cells["value"], normalised(cells["text"]))
        if key in seen:
            message = "the same text stands in the table already, for the same value; keep one"
            problems.append(Problem(name, row.number, mapping["text"], message))
        seen.add(key)
        if cells["filtered"] and cells["split_hash"] in held:
            message = "is held out, and must not be among the filtered rows; mark it as full"
            problems.append(Problem(name, row.number, mapping["filtered"], message))
        rows.append(cells)
    if problems:
        raise ProblemsError(opened.reference, problems)
    if not rows:
        raise InputFileError(opened.reference, "holds no row to package")
    told = [f"{count:,} row{'s' * (count != 1)} {what}" for what, count in counts.items()]
    if dropped:
        told.append(f"columns left out, since the form has none of them: {', '.join(dropped)}")
    return rows, tuple(told)


def _columns_of(row: Row, columns: Mapping[str, str] | None, defaults: _Defaults) -> dict[str, str]:
    required = ["text", "intensity"]
    required += [n for n in ("source", "license") if getattr(defaults, n) is None]
    return column_map(row, ACCEPTED, required, columns, "columns")


def _cells(
    row: Row,
    mapping: Mapping[str, str],
    defaults: _Defaults,
    name: str,
    value: Value | None,
    registry: Registry,
) -> tuple[dict[str, Any], list[Problem]]:
    """A row in the schema's columns and types, with the registry's spelling of names."""
    faults: list[Problem] = []
    cells: dict[str, Any] = {}
    for column in COLUMNS:
        cell = row.cell(mapping, column.name)
        if isinstance(cell, float) and cell != cell:
            cell = None
        if isinstance(cell, str):
            cell = cell.strip() or None
        if cell is not None and column.type != "string":
            cell = _number(cell, column.type)
        elif cell is not None and column.name == "path" and isinstance(cell, list | tuple):
            cell = "/".join(map(str, cell))
        cells[column.name] = cell
    cells["source"] = cells["source"] or defaults.source
    cells["license"] = cells["license"] or defaults.license
    known = license_of(cells["license"])
    cells["license"] = known.name if known else cells["license"]
    if isinstance(cells["text"], str) and cells["split_hash"] is None:
        cells["split_hash"] = split_hash_of(cells["text"])
    elif cells["split_hash"] is None:
        cells["split_hash"] = "0" * 16  # there is no text to hash, and that is what is reported
    try:
        value = value or registry.value(cells["value"], cells["theory"])
        cells["theory"], cells["value"] = value.theory, value.name
    except UnknownNameError as error:
        faults.append(Problem(name, row.number, mapping["value"], str(error)))
        for dropped in ("theory", "value", "path"):
            del cells[dropped]
    mark = str(row.cell(mapping, "filtered") or "").strip().lower()
    if mark not in _TRUE + _FALSE:
        message = "is none of true, false, filtered, full"
        faults.append(Problem(name, row.number, mapping["filtered"], message, repr(mark)))
    cells["filtered"] = mark in _TRUE
    return cells, faults


def _number(cell: Any, kind: str) -> Any:
    """A number where the cell is one; else the cell, for the schema to name."""
    if isinstance(cell, bool):
        return cell
    try:
        number = float(cell)
    except (TypeError, ValueError, OverflowError):
        return cell
    return int(number) if kind == "int64" and number.is_integer() else number


def _write_tables(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    groups: defaultdict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        for split in SPLITS[: 1 + bool(row["filtered"])]:
            groups[row["theory"], row["value"], split].append(row)
    schema = arrow_schema(VIDB)
    for (theory, value, split), members in groups.items():
        # An order of its own, so that the same rows give the same file however they arrived.
        members.sort(key=lambda row: (row["split_hash"], row["text"]))
        path = folder / "data" / theory / value / f"{split}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = [{c.name: row[c.name] for c in COLUMNS} for row in members]
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(cells, schema), path)


def held_out_hashes(path: Path) -> frozenset[str]:
    """The split hashes of a file of texts or split hashes, one a line.

    Raises:
        InputFileError: it cannot be read.
    """
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    return frozenset(s if re.fullmatch(r"[0-9a-f]{16}", s) else split_hash_of(s) for s in lines)
