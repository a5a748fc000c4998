"""Loads and checks `registry.yaml`, the one catalogue of names.

`load_registry()` gives a frozen `Registry`; `registry.theory("svt")` and
`registry.value("care/harm")` accept every usual spelling and return the one record that the rest of
the code uses. A name that is not there raises `UnknownNameError` with the nearest right ones.

A user's own catalogue has the same schema, with any of the keys `theories`, `pairs`,
`five_value_squares` and `assets`. `add_catalogue` adds it to what `load_registry` gives for the
rest of the process; it can add to the catalogue and change nothing that is there, so that two
catalogues do not disturb each other.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import read_text
from valueflow.hub_assets.registry.names import Registry
from valueflow.hub_assets.registry.records import (
    Asset,
    FiveValueSquare,
    Kind,
    Level,
    Pair,
    Target,
    Theory,
    Value,
    slug,
)

__all__ = [
    "Asset",
    "FiveValueSquare",
    "Kind",
    "Level",
    "Pair",
    "Registry",
    "Target",
    "Theory",
    "Value",
    "add_catalogue",
    "added_catalogues",
    "definitions_hash",
    "load_registry",
    "read_registry",
    "registry_path",
    "registry_with",
    "slug",
]


def registry_path() -> Path:
    """Where `registry.yaml` lies: in `hub_assets` of a built package, else in the checkout."""
    room = Path(__file__).resolve().parents[1]
    built = room / "registry.yaml"
    return built if built.is_file() else room.parent / "registry.yaml"


def read_registry(path: Path) -> Registry:
    """Reads a catalogue and checks it against the schema.

    Raises:
        InputFileError: the file is missing, is not YAML or breaks the schema; the message names
            the file and the place in it.
    """
    return _validated(_parsed(path, read_text(path)), path)


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        # Besides wrong YAML: nesting without end, dates that do not exist, numbers of 5,000 digits.
        raise InputFileError(path, f"is not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise InputFileError(path, "must be a mapping with the keys 'theories', 'levels', ...")
    return raw


def _validated(raw: dict[str, Any], path: Path) -> Registry:
    try:
        return Registry.model_validate(_with_names(raw))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InputFileError(path, f"{place or 'the file'}: {message}") from None


def _with_names(raw: dict[str, Any]) -> dict[str, Any]:
    """Mappings are keyed by name in the file; records carry their names and children.

    What is no mapping is left as it is, for the schema to name its place.
    """
    theories = _named(raw.get("theories") or {})
    for theory in _mappings(theories):
        nodes = _named(theory.get("nodes") or {}, theory=theory["name"], children=())
        for node in _mappings(nodes):
            parents = node.get("parents")
            for parent in parents if isinstance(parents, list) else []:
                if isinstance(parent, str) and isinstance(nodes.get(parent), dict):
                    nodes[parent]["children"] += (node["name"],)
        theory["nodes"] = nodes
    named = {key: _named(raw.get(key) or {}) for key in ("assets", "five_value_squares")}
    if isinstance(raw.get("opinion"), dict):
        opinion = {key: _named(raw["opinion"].get(key)) for key in ("attributes", "presets")}
        named["opinion"] = {**raw["opinion"], **opinion}
    return {**raw, **named, "theories": theories}


def _named(records: Any, **more: Any) -> Any:
    if not isinstance(records, dict):
        return records
    return {
        name: {**body, **more, "name": name} if isinstance(body, dict) else body
        for name, body in records.items()
    }


def _mappings(records: Any) -> list[dict[str, Any]]:
    if not isinstance(records, dict):
        return []
    return [record for record in records.values() if isinstance(record, dict)]


_own: dict[str, str] = {}
"""Path to text of the catalogues that were added, in that order."""


def load_registry() -> Registry:
    """The catalogue that came with this installation, and the users' own that were added."""
    return _load(tuple(_own.items()))


def registry_with(path: str | Path | None) -> Registry:
    """The catalogue that came with this installation, with at most one of those that were added.

    What a run draws its values, pairs and anchors from, so that the catalogue of one run adds
    nothing to another run in the same process.

    Args:
        path: an added catalogue, or None.
    """
    if path is None:
        return _load(())
    file = str(Path(path).expanduser().resolve())
    return _load(((file, _own[file]),))


def definitions_hash(path: str | Path | None) -> str | None:
    """A hash of what an added catalogue says of theories and values; None where it says nothing."""
    if path is None:
        return None
    file = Path(path).expanduser().resolve()
    theories = _parsed(file, _own[str(file)]).get("theories")
    if not theories:
        return None
    text = json.dumps(theories, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def added_catalogues() -> tuple[tuple[str, str], ...]:
    """Path and text of each added catalogue: what a cache that depends on names must depend on."""
    return tuple(_own.items())


def add_catalogue(path: str | Path, *, again: bool = True) -> str:
    """Adds a user's own catalogue to what `load_registry` gives.

    Args:
        path: YAML file with the registry's schema.
        again: read the file again where it was added before.

    Returns:
        The file's absolute path.

    Raises:
        InputFileError: the file cannot be read, breaks the schema or names what is there already;
            nothing is added then.
    """
    file = Path(path).expanduser().resolve()
    if str(file) in _own and not again:
        return str(file)
    added = {**_own, str(file): read_text(file)}
    _load(tuple(added.items()))
    _own[str(file)] = added[str(file)]
    return str(file)


@cache
def _load(own: tuple[tuple[str, str], ...]) -> Registry:
    if not own:
        return read_registry(registry_path())
    raw = _parsed(registry_path(), read_text(registry_path()))
    merged = raw
    for path, text in own:
        merged = _merged(merged, _parsed(Path(path), text), Path(path))
    return _validated(merged, Path(own[-1][0]))


def _merged(base: dict[str, Any], more: dict[str, Any], path: Path) -> dict[str, Any]:
    """A catalogue with a user's own added.

    Raises:
        InputFileError: an unknown key, a name that is taken, or a part that is no mapping.
    """
    allowed = ("schema_version", "theories", "pairs", "five_value_squares", "assets")
    unknown = [str(key) for key in more if key not in allowed]
    if unknown:
        raise InputFileError(
            path, f"has the key {unknown[0]!r}; a catalogue of one's own has {', '.join(allowed)}"
        )
    if more.get("schema_version", base["schema_version"]) != base["schema_version"]:
        raise InputFileError(path, f"schema_version: must be {base['schema_version']}")
    merged = dict(base)
    for key in ("five_value_squares", "assets"):
        merged[key] = {**base[key], **_new(base[key], more.get(key), path, key)}
    for name, asset in merged["assets"].items():
        if isinstance(asset, dict) and asset.get("path") and name not in base["assets"]:
            merged["assets"][name] = {**asset, "path": str(path.parent / str(asset["path"]))}
    theories = dict(base["theories"])
    for name, theory in _mapping(more.get("theories"), path, "theories").items():
        if name not in theories:
            theories[name] = theory
            continue
        body = _mapping(theory, path, f"theories.{name}")
        if set(body) - {"nodes"}:
            raise InputFileError(
                path, f"theories.{name}: is there already; only 'nodes' can be added to it"
            )
        nodes = _new(theories[name]["nodes"], body.get("nodes"), path, f"theories.{name}.nodes")
        theories[name] = {**theories[name], "nodes": {**theories[name]["nodes"], **nodes}}
    pairs = more.get("pairs") or []
    if not isinstance(pairs, list):
        raise InputFileError(path, "pairs: must be a list")
    return {**merged, "theories": theories, "pairs": [*base["pairs"], *pairs]}


def _mapping(raw: Any, path: Path, place: str) -> dict[str, Any]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise InputFileError(path, f"{place}: must be a mapping of names")
    return raw


def _new(there: dict[str, Any], raw: Any, path: Path, place: str) -> dict[str, Any]:
    added = _mapping(raw, path, place)
    for name in added:
        if name in there:
            raise InputFileError(path, f"{place}.{name}: is there already; choose another name")
    return added
