"""Pulls the assets of the registry, or a dataset of one's own, and says what was checked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError, UnknownNameError
from valueflow.hub_assets.inputs.anchors import COLUMNS, RANGE, load_vidb
from valueflow.hub_assets.inputs.model_folder import (
    HivesManifest,
    decides_vectors,
    fetch_model,
    model_hash,
    read_hives_manifest,
)
from valueflow.hub_assets.inputs.queries import load_queries
from valueflow.hub_assets.inputs.rows import SUFFIXES
from valueflow.hub_assets.inputs.source import (
    column_map,
    content_hash,
    hub_reference,
    open_source,
    read_rows,
)
from valueflow.hub_assets.publish.hives.corpus import ABOUT, CORPUS, packaged_rows
from valueflow.hub_assets.registry.loading import Asset, Registry, load_registry
from valueflow.hub_assets.survey.profiles import load_profiles
from valueflow.hub_assets.survey.questions import load_opinions
from valueflow.hub_assets.vidb.download import Download, download
from valueflow.hub_assets.vidb.manifest import CATALOGUE, packaged_registry

__all__ = ["KINDS", "Pulled", "assets_of", "pull_asset", "wanted_assets"]

KINDS = {
    "vidb": "vidb",
    "hives": "embedding-model",
    "corpus": "hives-corpus",
    "queries": "queries",
    "questions": "opinion-questions",
    "profiles": "group-profiles",
}
"""What a user asks for, and the registry's word for it."""


@dataclass(frozen=True)
class Pulled:
    """An asset that is on this machine now.

    Attributes:
        name: the asset's name, or `ORG/NAME`.
        where: `embedded`, or the repository and the revision that was asked for.
        commit: what the revision stands for; empty for an embedded asset.
        files: number of files.
        rows: rows of its tables that can be used; None for a model.
        sha256: hash of its files, which the registry can pin.
        checked: against what it was checked, in words.
        folder: where it lies.
        notes: what was dropped, how columns were read.
    """

    name: str
    where: str
    commit: str
    files: int
    rows: int | None
    sha256: str
    checked: str
    folder: Path
    notes: tuple[str, ...]


def wanted_assets(what: str, kind: str = "vidb", registry: Registry | None = None) -> list[Asset]:
    """The assets of a word of `KINDS`, of `all`, of an asset's name, or of `ORG/NAME@REVISION`.

    Args:
        what: the word, name or reference.
        kind: the word of `KINDS` that a reference stands for; names have a kind of their own.
        registry: whose assets; the installation's where not given.

    Raises:
        UnknownNameError: it is none of these.
    """
    assets = (registry or load_registry()).assets
    if what == "all":
        return list(assets.values())
    if what in KINDS:
        return [asset for asset in assets.values() if asset.kind == KINDS[what]]
    if what in assets:
        return [assets[what]]
    if found := hub_reference(what):
        repo_id, revision = found
        record = {"name": repo_id, "title": "", "repo_id": repo_id, "revision": revision}
        record |= {"kind": KINDS[kind], "repo_type": "model" if kind == "hives" else "dataset"}
        return [Asset.model_validate(record)]
    raise UnknownNameError("asset", what, [*KINDS, "all", *assets], "Or give ORG/NAME@REVISION.")


def pull_asset(
    asset: Asset,
    *,
    columns: Mapping[str, str] | None = None,
    offline: bool = False,
    registry: Registry | None = None,
) -> Pulled:
    """Brings one asset to this machine and checks it.

    Args:
        asset: what to bring.
        columns: the user's names for the columns of a table of anchors.
        offline: look into the cache only.
        registry: the user's own, for a database that carries none.

    Raises:
        ValueflowError: it cannot be had, is not what its manifest or the registry's hash says, or
            cannot be read; the message says what was found.
    """
    if asset.repo_id is None:
        return _read_here(asset, columns, registry)
    if asset.kind == "embedding-model":
        return _pull_model(asset, offline)
    if asset.kind == "hives-corpus":
        return _pull_corpus(asset, offline)
    patterns = [*(f"*{suffix}" for suffix in SUFFIXES), CATALOGUE]
    found = download(asset.repo_id, asset.revision, patterns, offline=offline)
    sha256 = content_hash(found.folder)
    _check_pin(asset, found, sha256)
    carried = (found.folder / CATALOGUE).is_file()
    registry = packaged_registry(found.folder) if carried else registry
    rows, notes = _contents(str(found.folder), asset.kind, columns, registry)
    if carried:
        own = f"it has values of its own: use it with -T catalogue={found.folder / CATALOGUE}"
        notes = (*notes, own)
    tables = len(open_source(found.folder, asset.kind).files)
    return _pulled(asset, found, tables, rows, sha256, notes)


def _pull_model(asset: Asset, offline: bool) -> Pulled:
    assert asset.repo_id is not None
    found, model = fetch_model(
        asset.repo_id, asset.revision, asset.sha256, encoded=True, offline=offline
    )
    files = [path for path in found.folder.rglob("*") if path.is_file()]
    sha256 = model_hash(found.folder)
    return _pulled(asset, found, len(files), None, sha256, _told(model, files, found.folder))


def _told(model: HivesManifest | None, files: Sequence[Path], folder: Path) -> tuple[str, ...]:
    """What a model is, in sentences."""
    if model is None:
        unknown = (
            "a sentence-transformers model without hives.json: what it was trained on is unknown"
        )
        return (unknown,)
    values = f"{len(model.values)} values of {', '.join(model.theories)}"
    told = [f"{values}; {model.dimensions} dimensions; trained from {model.base.name}"]
    own = [p.relative_to(folder).as_posix() for p in files]
    if encoded := [n for n in own if n.startswith("encoded/") and not decides_vectors(n)]:
        told.append(f"vectors of a database's texts: {', '.join(sorted(encoded))}")
    return tuple(told)


def assets_of(pulled: Pulled) -> list[Asset]:
    """The assets that one which was pulled is made of: a model's corpus, where it is published."""
    model = read_hives_manifest(pulled.folder)
    if model is None or not model.corpus.repo:
        return []
    repo_id, _, revision = model.corpus.repo.partition("@")
    record = {"name": repo_id, "title": "", "repo_id": repo_id, "revision": revision}
    record |= {"kind": "hives-corpus", "repo_type": "dataset", "sha256": model.corpus.repo_sha256}
    return [Asset.model_validate(record)]


def _pull_corpus(asset: Asset, offline: bool) -> Pulled:
    assert asset.repo_id is not None
    found = download(asset.repo_id, asset.revision, ["*.parquet", ABOUT], offline=offline)
    if found.manifest is None or found.manifest.kind != CORPUS.name:
        kind = "no manifest" if found.manifest is None else f"a manifest of '{found.manifest.kind}'"
        raise InputFileError(
            f"{asset.repo_id}@{found.commit}",
            f"is no corpus that valueflow published: it has {kind}, and the files "
            f"{', '.join(found.listing[:12]) or 'nothing'}",
        )
    sha256 = found.manifest.sha256
    _check_pin(asset, found, sha256)
    rows = packaged_rows(found.folder)
    splits = Counter(row["split"] for row in rows)
    told = ", ".join(f"{name} {splits[name]:,}" for name in splits)
    tables = sum(name.endswith(".parquet") for name in found.manifest.files)
    use = f"evaluate on it: valueflow hives evaluate MODEL {found.folder} --split test"
    return _pulled(asset, found, tables, len(rows), sha256, (told, use))


def _check_pin(asset: Asset, found: Download, sha256: str) -> None:
    if asset.sha256 is not None and sha256 != asset.sha256:
        raise InputFileError(
            f"{asset.repo_id}@{found.commit}",
            f"its files have the hash {sha256}, and the registry pins {asset.sha256}: these are "
            "not the data that were meant",
        )


def _read_here(
    asset: Asset, columns: Mapping[str, str] | None, registry: Registry | None
) -> Pulled:
    source = open_source(asset.name, asset.kind, registry)
    rows, notes = _contents(asset.name, asset.kind, columns, registry)
    where = "embedded" if asset.embedded else "a local file"
    checked = f"{where}; nothing to fetch"
    return Pulled(
        asset.name, where, "", len(source.files), rows, source.sha256, checked, source.root, notes
    )


def _contents(
    source: str,
    kind: str,
    columns: Mapping[str, str] | None,
    registry: Registry | None = None,
) -> tuple[int, tuple[str, ...]]:
    """Rows that can be used, and notes."""
    if kind == "queries":
        queries = load_queries(source)
        return len(queries.queries), queries.notes
    if kind == "opinion-questions":
        survey = load_opinions(source)
        dropped = [f"{n:,} rows left out: {why}" for why, n in survey.dropped.items()]
        questions = f"questions: {len(survey.questions):,}"
        return len(survey.rows), (questions, *dropped, *survey.notes)
    if kind == "group-profiles":
        profiles = load_profiles(source)
        groups = len({group for group, _ in profiles.scores})
        built = (f"built on {profiles.built_on}",) if profiles.built_on else ()
        return sum(map(len, profiles.scores.values())), (f"groups: {groups}", *built)
    table = load_vidb(source, columns, registry)
    first = next(read_rows(table.source))
    given = {field: name for field, name in (columns or {}).items() if field != RANGE}
    mapping = column_map(first, COLUMNS, ["text", "intensity"], given, "vidb_columns")
    read = ", ".join(f"{field} from '{column}'" for field, column in mapping.items())
    rows = sum(map(len, table.anchors.values()))
    return rows, (f"{len(table.anchors)} values; {read}", *table.notes)


def _pulled(
    asset: Asset,
    found: Download,
    files: int,
    rows: int | None,
    sha256: str,
    notes: Sequence[str],
) -> Pulled:
    where = f"{asset.repo_id}@{asset.revision}"
    checked = _checked(found, asset.sha256)
    if found.unreachable:
        notes = ("the Hub could not be reached; this is what the cache had", *notes)
    return Pulled(
        asset.name, where, found.commit, files, rows, sha256, checked, found.folder, tuple(notes)
    )


def _checked(found: Download, pinned: str | None) -> str:
    checks = []
    if found.manifest is not None:
        version = found.manifest.version or "of no version"
        checks.append(f"manifest {version}: rows, columns and hashes of its files")
    if pinned is not None:
        checks.append("the hash that the registry pins")
    if found.seen_before:
        checks.append("the hashes of the first download")
    return "; ".join(checks) or "nothing: it has no manifest, and the registry pins no sha256"
