"""Loads and checks `registry.yaml`, the one catalogue of names.

`load_registry()` gives a frozen `Registry`; `registry.theory("svt")` and
`registry.value("care/harm")` accept every usual spelling and return the one record that the rest of
the code uses. A name that is not there raises `UnknownNameError` with the nearest right ones.

A user's own catalogue has the same schema, with any of the keys `theories`, `pairs`,
`five_value_squares` and `assets`; it can add to the installation's and change nothing that is
there. `load_registry(path)` gives both as one `Registry`, which a run holds and passes on; nothing
of it reaches `load_registry()` or another run.
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
    "definitions_hash",
    "load_registry",
    "open_catalogue",
    "opened_registries",
    "own_theories_text",
    "read_registry",
    "registry_path",
    "slug",
]


@cache
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


_opened: dict[str, str] = {}
"""Path to text of users' own catalogues, each as it was when a run last opened it."""


def load_registry(catalogue: str | Path | None = None) -> Registry:
    """The catalogue that came with this installation, with at most one of a user's own.

    The same record for the same contents. A catalogue that was opened in this process is taken as
    it was then, so that a file which changes during a run changes none of its scores.

    Args:
        catalogue: the user's own, or None.

    Raises:
        InputFileError: the user's own cannot be read, breaks the schema or names what is there
            already.
    """
    if catalogue is None:
        return _load(registry_path(), None, None)
    file = str(catalogue)
    file = file if file in _opened else _absolute(file)
    return _load(registry_path(), file, _opened[file]) if file in _opened else open_catalogue(file)


def open_catalogue(path: str | Path) -> Registry:
    """`load_registry` of a user's own catalogue, whose file is read anew.

    Raises:
        InputFileError: the file cannot be read, breaks the schema or names what is there already.
    """
    file = _absolute(path)
    text = read_text(Path(file))
    found = _load(registry_path(), file, text)
    _opened[file] = text
    return found


def opened_registries() -> tuple[Registry, ...]:
    """The installation's catalogue, and it with each of those that this process has opened.

    For simulated models alone, which see prompts and not whose run they belong to.
    """
    return (load_registry(), *(load_registry(path) for path in _opened))


def definitions_hash(registry: Registry) -> str | None:
    """A hash of what a user's own catalogue says of theories and values; None where it is silent.

    Args:
        registry: a run's, with or without a user's own.
    """
    if registry.catalogue is None:
        return None
    theories = _own_theories(registry.catalogue)
    if not theories:
        return None
    text = json.dumps(theories, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def own_theories_text(registry: Registry) -> str | None:
    """What a user's own catalogue says of theories and values, as a catalogue of its own; None
    where it says nothing.

    Pairs, squares and assets are left out: they may name files of one machine.
    """
    theories = registry.catalogue and _own_theories(registry.catalogue)
    if not theories:
        return None
    return yaml.safe_dump({"theories": theories}, sort_keys=False, allow_unicode=True)


def _own_theories(catalogue: str) -> Any:
    return _parsed(Path(catalogue), _opened[catalogue]).get("theories")


def _absolute(path: str | Path) -> str:
    return str(Path(path).expanduser().resolve())


@cache
def _load(installed: Path, own: str | None, text: str | None) -> Registry:
    if own is None or text is None:
        return read_registry(installed)
    path = Path(own)
    merged = _merged(_parsed(installed, read_text(installed)), _parsed(path, text), path)
    return _validated({**merged, "catalogue": own}, path)


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
