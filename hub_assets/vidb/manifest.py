"""The manifest of a packaged asset: which files it has, with rows and hashes, and its version.

It lies beside the files as `valueflow-manifest.json`, is pushed with them, and is what a later pull
checks the files against.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import write_text
from valueflow.hub_assets.registry.loading import Registry, load_registry, open_catalogue
from valueflow.hub_assets.vidb.schema import COLUMNS, Problem

__all__ = [
    "MANIFEST",
    "FileRecord",
    "Manifest",
    "check_files",
    "make_manifest",
    "manifest_text",
    "read_manifest",
    "seal",
    "sha256_of",
]

MANIFEST = "valueflow-manifest.json"
CARD = "README.md"
CATALOGUE = "catalogue.yaml"
HELD_OUT = "held_out.txt"
NOTES = "NOTES.md"
_FORMAT = 1


@dataclass(frozen=True)
class FileRecord:
    """A file of the database: bytes, hash, and rows where it is a table."""

    bytes: int
    sha256: str
    rows: int | None = None


@dataclass(frozen=True)
class Manifest:
    """What a version of a database consists of.

    Attributes:
        version: the tag that it was pushed under; empty before.
        files: path within the folder to its record; the card and the manifest are not among them.
        card_sha256: hash of the card, which a push writes anew.
        construction: how the intensities came about, as whoever packaged them says.
        changes: what changed since the version before; empty for a first version.
        columns: name to Arrow type of the tables' columns.
        provenance: of a database that `valueflow build vidb` made: recipe, judges, versions,
            counts, neutral points, day, and whether a simulated judge had a hand in it.
        kind: of asset, as `valueflow.hub_assets.publish.kind` names it.
    """

    version: str
    files: Mapping[str, FileRecord]
    card_sha256: str = ""
    construction: Mapping[str, str] | None = None
    changes: Mapping[str, Any] | None = None
    columns: Mapping[str, str] | None = None
    provenance: Mapping[str, Any] | None = None
    kind: str = "vidb"

    @property
    def simulated(self) -> bool:
        """Whether a simulated judge had a hand in the numbers, as far as is known."""
        return bool((self.provenance or {}).get("simulated", False))

    @property
    def rows(self) -> int:
        """Rows of all tables, the filtered ones counted again."""
        return sum(record.rows or 0 for record in self.files.values())

    @property
    def sha256(self) -> str:
        """Hash over the paths and hashes of all files."""
        digest = hashlib.sha256()
        for path, record in sorted(self.files.items()):
            digest.update(f"{path}\0{record.sha256}\n".encode())
        return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes.

    Raises:
        InputFileError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror})") from None


def packaged_registry(folder: Path) -> Registry:
    """The catalogue of a packaged database: its own theories and values, where it carries any.

    Raises:
        InputFileError: the catalogue that it carries breaks the schema, or names what is there.
    """
    own = folder / CATALOGUE
    return open_catalogue(own) if own.is_file() else load_registry()


def make_manifest(
    folder: Path,
    construction: Mapping[str, str] | None = None,
    provenance: Mapping[str, Any] | None = None,
    *,
    kind: str = "vidb",
    columns: Mapping[str, str] | None = None,
) -> Manifest:
    """The manifest of what lies in a folder; hidden files, card and manifest are left out.

    Args:
        folder: the packaged one.
        construction: see `Manifest`.
        provenance: see `Manifest`.
        kind: of asset.
        columns: of its tables; those of a database where not given.
    """
    if columns is None:
        columns = {column.name: column.type for column in COLUMNS}
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and name not in (MANIFEST, CARD):
            files[name] = FileRecord(path.stat().st_size, sha256_of(path), _rows_of(path))
    card = folder / CARD
    return Manifest(
        version="",
        files=files,
        card_sha256=sha256_of(card) if card.is_file() else "",
        construction=construction,
        columns=columns,
        provenance=provenance,
        kind=kind,
    )


def seal(folder: Path, made: Manifest, card: str) -> None:
    """Writes the card, and the manifest with the card's hash; other files are not hashed again.

    Args:
        folder: the packaged one.
        made: its manifest, which the card was written from.
        card: the text.

    Raises:
        InputFileError: the folder cannot be written to.
    """
    write_text(folder / CARD, card)
    sealed = replace(made, card_sha256=sha256_of(folder / CARD))
    write_text(folder / MANIFEST, manifest_text(sealed))


def _rows_of(path: Path) -> int | None:
    if path.suffix.lower() != ".parquet":
        return None
    import pyarrow
    import pyarrow.parquet

    try:
        return int(pyarrow.parquet.read_metadata(path).num_rows)
    except pyarrow.ArrowInvalid as error:
        raise InputFileError(path, f"is not a valid Parquet file ({error})") from None


def manifest_text(manifest: Manifest) -> str:
    """The manifest as it is written to disk: the same text for the same contents."""
    body = {
        "format": _FORMAT,
        "kind": manifest.kind,
        "version": manifest.version,
        "sha256": manifest.sha256,
        "rows": manifest.rows,
        "columns": manifest.columns,
        "files": {path: asdict(record) for path, record in sorted(manifest.files.items())},
        "card_sha256": manifest.card_sha256,
        "construction": manifest.construction,
        "provenance": manifest.provenance,
        "changes": manifest.changes,
    }
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, or None where it has none.

    Raises:
        InputFileError: it cannot be read, or contradicts itself.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        if body["format"] != _FORMAT:
            raise InputFileError(
                path, f"is of format {body['format']!r}; this valueflow reads {_FORMAT}: upgrade it"
            )
        manifest = Manifest(
            version=str(body["version"]),
            files={name: FileRecord(**record) for name, record in body["files"].items()},
            card_sha256=str(body["card_sha256"]),
            construction=body["construction"],
            changes=body["changes"],
            columns=body["columns"],
            kind=str(body.get("kind", "vidb")),
            provenance=_provenance(body.get("provenance")),
        )
        stated = body["sha256"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InputFileError):
            raise
        raise InputFileError(path, f"is not a manifest that can be read ({error!r})") from None
    if manifest.sha256 != stated:
        raise InputFileError(path, "contradicts itself: its files do not give its own hash")
    return manifest


def _provenance(body: Any) -> Mapping[str, Any] | None:
    if body is not None and not isinstance(body, dict):
        raise ValueError("its provenance is no mapping")
    return body


def check_files(
    folder: Path, manifest: Manifest, patterns: Sequence[str] = ("*",)
) -> list[Problem]:
    """How the files of a folder differ from the manifest: missing, changed, or not in it.

    Args:
        folder: where the files lie.
        manifest: what they should be.
        patterns: only files of these names, such as `*.parquet`, are looked at.
    """
    problems = []
    for name, record in sorted(manifest.files.items()):
        path = folder / name
        if not any(fnmatch(name, pattern) for pattern in patterns):
            continue
        if not path.is_file():
            problems.append(Problem(name, None, "", "is in the manifest and missing in the folder"))
        elif sha256_of(path) != record.sha256:
            problems.append(Problem(name, None, "", "is not the file that the manifest describes"))
    tables = {path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")}
    problems += [
        Problem(name, None, "", "is not in the manifest")
        for name in sorted(tables - set(manifest.files))
    ]
    return problems
