"""Reads rows from a table wherever it lies: embedded, a local file or folder, or the Hub.

A source is written as users type it:

- the name of an asset of the registry (`vidb-mini`);
- a path to a CSV, TSV, JSONL, JSON or Parquet file (also `.csv.gz` and its like), or to a folder
  of them;
- `ORG/NAME@REVISION`, a dataset on the Hugging Face Hub (`main` where no revision is given; the
  commit that was loaded is always reported).

A packaged database (`valueflow.hub_assets.publish.package`), in a folder or on the Hub, is checked
against its manifest. Of a value it gives the rows on which judges and people agree, where these
cover the scale as all rows do, else all rows; `#full` or `#filtered` after its name decides
otherwise.

Columns are found by name. Every reader documents the names that it accepts, in order; users with
other names say so by a mapping such as `{text: sentence, intensity: score}`.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError, OptionError, UnknownNameError
from valueflow.hub_assets.files import check_file
from valueflow.hub_assets.inputs.rows import SUFFIXES, Row, is_table, rows_of
from valueflow.hub_assets.registry.loading import Registry, load_registry
from valueflow.hub_assets.vidb.download import download
from valueflow.hub_assets.vidb.manifest import CATALOGUE, MANIFEST, check_files, read_manifest
from valueflow.hub_assets.vidb.schema import ProblemsError

__all__ = [
    "SUFFIXES",
    "Row",
    "Source",
    "column_map",
    "content_hash",
    "hub_reference",
    "open_source",
    "read_rows",
]

_HUB_NAME = re.compile(r"(?P<repo>[\w.\-]+/[\w.\-]+)(@(?P<revision>[\w.\-/]+))?")
_SPLIT = re.compile(r"(?P<source>.+)#(?P<split>full|filtered)", re.DOTALL)
_NO_TABLES = (MANIFEST, "dataset_infos.json")


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
        notes: what a user should know of the choice of files.
    """

    reference: str
    files: tuple[Path, ...]
    root: Path
    revision: str
    sha256: str
    notes: tuple[str, ...] = ()


def open_source(source: object, kind: str, registry: Registry | None = None) -> Source:
    """Finds the files of a source.

    Args:
        source: as the user typed it, see the module's text.
        kind: kind of registry asset that may be named: `vidb` or `queries`.
        registry: whose assets; the installation's where not given.

    Raises:
        InputFileError: a path that does not exist or holds no table.
        UnknownNameError: neither a path, nor a Hub name, nor an asset of that kind.
        ProblemsError: files that differ from the manifest beside them.
    """
    registry = registry or load_registry()
    text, split = str(source).strip(), ""
    path = Path(os.path.expanduser(text))
    if (match := _SPLIT.fullmatch(text)) and not path.exists():
        text, split = match["source"], match["split"]
        path = Path(os.path.expanduser(text))
    if text in registry.assets and not path.exists():
        asset = registry.asset(text, kind)
        if asset.embedded is not None:
            return _local(Path(__file__).parents[1] / asset.embedded, text, asset.revision, split)
        if asset.path is not None:
            if not Path(asset.path).exists():
                raise InputFileError(asset.path, f"there is no such file (asset '{text}')")
            return _local(Path(asset.path), text, asset.revision, split)
        return _hub(str(asset.repo_id), asset.revision, split, asset.sha256)
    if path.exists():
        return _local(path.resolve(), str(path.resolve()), "", split)
    if text.endswith(SUFFIXES) or text.startswith((".", "/", "~")):
        raise InputFileError(text, "there is no such file or folder")
    if found := hub_reference(text):
        return _hub(*found, split)
    known = [name for name, asset in registry.assets.items() if asset.kind == kind]
    raise UnknownNameError(
        f"{kind} source", text, known, "Give an asset, a path, or ORG/NAME@REVISION on the Hub."
    )


def hub_reference(text: str) -> tuple[str, str] | None:
    """Repository and revision of `ORG/NAME@REVISION`, or None where a text is of another form."""
    match = _HUB_NAME.fullmatch(text)
    return (match["repo"], match["revision"] or "main") if match else None


def _local(path: Path, reference: str, revision: str, split: str = "") -> Source:
    if path.is_file():
        if not is_table(path):
            raise InputFileError(path, f"is none of {', '.join(SUFFIXES)}")
        files, root = [path], path.parent
    else:
        files, root = _tables(path), path
        if not files:
            raise InputFileError(path, f"holds no table ({', '.join(SUFFIXES)})")
    notes: tuple[str, ...] = ()
    if manifest := read_manifest(root) if path.is_dir() else None:
        if problems := check_files(root, manifest, [f"*{suffix}" for suffix in SUFFIXES]):
            raise ProblemsError(reference, problems)
        files, notes = _of_split(files, split)
        if manifest.simulated:
            notes = ("a simulated judge made its intensities, which measure nothing", *notes)
    elif split:
        raise InputFileError(reference, f"is no packaged database, and has no split '{split}'")
    return Source(
        reference + (f"#{split}" if split else ""),
        tuple(files),
        root,
        revision,
        _hash(root, files),
        notes,
    )


def _hub(repo_id: str, revision: str, split: str, pinned: str | None = None) -> Source:
    found = download(
        repo_id,
        revision,
        [*(f"*{suffix}" for suffix in SUFFIXES), CATALOGUE],
        advice=", or give a local file, or 'vidb-mini' or 'queries-mini', which are embedded",
    )
    reference = f"{repo_id}@{found.commit}"
    if not _tables(found.folder):
        held = ", ".join(found.listing[:20]) + (" ..." if len(found.listing) > 20 else "")
        told = f"; it holds {held}" if held else ""
        raise InputFileError(reference, f"holds no table ({', '.join(SUFFIXES)}){told}")
    source = _local(found.folder, reference, found.commit, split)
    if found.unreachable:
        note = f"the Hub could not be reached; {revision} is what the cache had, {found.commit}"
        source = replace(source, notes=(note, *source.notes))
    if pinned is not None and (sha256 := content_hash(found.folder)) != pinned:
        raise InputFileError(
            reference,
            f"its tables have the hash {sha256}, and the registry pins {pinned}: this is not the "
            "data that was meant. Pin the revision, or the hash of what you mean to use",
        )
    return source


def content_hash(folder: Path) -> str:
    """The hash of all tables of a folder, which an asset's `sha256` in the registry can pin."""
    return _hash(folder, _tables(folder))


def _tables(folder: Path) -> list[Path]:
    # Sorted within each folder by name, so that the order is the same on every machine.
    return sorted(
        f for f in folder.rglob("*") if is_table(f) and f.name not in _NO_TABLES and f.is_file()
    )


_PARTS = 5
"""Equal parts of the scale, one for each anchor of a window of six."""
_ENOUGH = 6
"""Filtered rows in a part that do: three windows and three texts that steer; half of all rows of
the part always do."""


def _of_split(files: list[Path], split: str) -> tuple[list[Path], tuple[str, ...]]:
    """The files of a packaged database that are read, and what a user should know of the choice.

    Where no split is asked for, those of `filtered` for values whose filtered rows cover the scale;
    of a value without filtered rows always those of `full`.
    """
    full = {file.parent: file for file in files if file.stem == "full"}
    filtered = {file.parent: file for file in files if file.stem == "filtered"}
    if split == "full":
        return sorted(full.values()), ()
    thin = [] if split else [f for f in filtered if f in full and not _covers(filtered[f], full[f])]
    chosen = full | {f: file for f, file in filtered.items() if f not in thin}
    notes = []
    if lacking := [folder for folder in full if folder not in filtered]:
        notes.append(f"{len(lacking)} values have no filtered rows; their full rows are used")
    if thin:
        names = ", ".join(sorted(folder.name for folder in thin))
        notes.append(
            f"the filtered rows of {len(thin)} values do not cover the scale ({names}); their full "
            "rows are used. Write #filtered after the database's name for the filtered ones alone"
        )
    return sorted(chosen.values()), tuple(notes)


def _covers(filtered: Path, full: Path) -> bool:
    """Whether each part of the scale that holds rows holds filtered rows enough; parts with few
    rows may lack them where most rows are filtered."""
    some, every = _rows_by_part(filtered), _rows_by_part(full)
    thin = [p for p, rows in every.items() if some[p] < min(max(1, rows // 2), _ENOUGH)]
    most = 2 * some.total() >= every.total()
    return not thin or (most and all(every[part] < _ENOUGH for part in thin))


def _rows_by_part(file: Path) -> Counter[int]:
    """Rows in each part of the scale; rows without a number are for the reader to refuse."""
    found: Counter[int] = Counter()
    for row in rows_of([file]):
        intensity = row.cells.get("intensity")
        if isinstance(intensity, int | float) and abs(intensity) <= 10:
            found[min(int((intensity + 10) / 20 * _PARTS), _PARTS - 1)] += 1
    return found


def _hash(root: Path, files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(root)).encode())
        check_file(file)
        try:
            with file.open("rb") as stream:
                while chunk := stream.read(2**20):
                    digest.update(chunk)
        except OSError as error:
            raise InputFileError(file, f"cannot be read ({error.strerror})") from None
    return digest.hexdigest()


def read_rows(source: Source) -> Iterator[Row]:
    """All rows of a source's files, in order.

    Raises:
        InputFileError: a file is malformed; the message names the file and the row.
    """
    return rows_of(source.files)


def column_map(
    row: Row,
    accepted: Mapping[str, Sequence[str]],
    required: Sequence[str],
    given: Mapping[str, str] | None,
    option: str,
    among: Sequence[Path] = (),
) -> dict[str, str]:
    """Finds the column of each field.

    Args:
        row: a row whose cells show the columns.
        accepted: field name to the column names that are taken for it, best first; compared
            without regard to case.
        required: fields that must be found.
        given: the user's own mapping, field name to column name, which wins.
        option: name of the option that carries `given`, for the error.
        among: all files of the table, which the error lists where there are several.

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
            f"{', '.join(map(str, row.cells))}. Name it with {option}='{{{example}}}'"
            + _listed(among),
        )
    return found


def _listed(files: Sequence[Path]) -> str:
    if len(files) < 2:
        return ""
    shown = ", ".join(f"{file.parent.name}/{file.name}" for file in files[:10])
    more = f" and {len(files) - 10} more" if len(files) > 10 else ""
    return f". The files that were found: {shown}{more}"
