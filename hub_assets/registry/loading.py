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
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import yaml
from pydantic import ValidationError

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.files import parse_mapping, read_text
from valueflow.hub_assets.registry.names import Registry
from valueflow.hub_assets.registry.prompts import (
    ENGLISH,
    WORDING,
    WORDINGS,
    read_sentences,
    with_texts,
)
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
    "is_said",
    "load_registry",
    "open_catalogue",
    "opened_registries",
    "own_theories_text",
    "read_registry",
    "registry_path",
    "slug",
]

_WANTED = "the keys 'theories', 'levels', ..."


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
    sentences, texts, place = read_sentences(ENGLISH, WORDING)
    raw = with_texts(parse_mapping(path, read_text(path), _WANTED), texts, ENGLISH, place)
    return _validated({**raw, "sentences": sentences}, path)


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
"""Path to text of users' own catalogues and prompts, each as it was when a run last opened it."""

_Choice = tuple[str | None, str, str, str | None]
"""A user's own catalogue, wording, language, and a user's own prompts."""

_in_use: dict[_Choice, Registry] = {}


def load_registry(
    catalogue: str | Path | None = None,
    *,
    wording: str = WORDING,
    language: str = ENGLISH,
    prompts: str | Path | None = None,
) -> Registry:
    """The catalogue that came with this installation, with at most one of a user's own.

    The same record for the same contents. A file that was opened in this process is taken as it was
    then, so that one which changes during a run changes none of its scores.

    Args:
        catalogue: the user's own, or None.
        wording: version of all texts that reach models.
        language: of these texts.
        prompts: folder with a file `LANGUAGE.yaml` of the user's own, or None.

    Raises:
        InputFileError: a file of the user's own cannot be read, breaks the schema or names what is
            there already, or in the case of prompts what is not.
        OptionError: there are no texts in this language or wording.
    """
    if catalogue is None and prompts is None:
        return _kept(None, wording, language, None)
    files = [
        None if file is None else str(file) if str(file) in _opened else _absolute(file)
        for file in (catalogue, prompts_file(prompts, language))
    ]
    fresh = {file: read_text(Path(file)) for file in files if file and file not in _opened}
    return _kept(files[0], wording, language, files[1], fresh)


def prompts_file(folder: str | Path | None, language: str) -> Path | None:
    """The file of a language in a user's own folder of prompts.

    Raises:
        InputFileError: it is not there.
    """
    if folder is None:
        return None
    file = Path(_absolute(folder)) / f"{language}.yaml"
    if not file.is_file() and str(file) not in _opened:
        raise InputFileError(folder, f"holds no file {language}.yaml with prompts of that language")
    return file


def open_catalogue(
    path: str | Path | None,
    *,
    wording: str = WORDING,
    language: str = ENGLISH,
    prompts: str | Path | None = None,
) -> Registry:
    """`load_registry` of files of a user's own that are read anew.

    Raises:
        InputFileError: a file cannot be read, breaks the schema or names what is there already.
    """
    own = None if path is None else _absolute(path)
    said = prompts_file(prompts, language)
    fresh = {file: read_text(Path(file)) for file in (own, said and str(said)) if file}
    return _kept(own, wording, language, None if said is None else str(said), fresh)


def _kept(
    own: str | None,
    wording: str,
    language: str,
    prompts: str | None,
    fresh: Mapping[str, str] | None = None,
) -> Registry:
    """The catalogue of files that are open; what `fresh` has just been read of them is kept, unless
    it cannot be used: then it takes no place of what can."""
    texts = {**_opened, **(fresh or {})}
    found = _load(
        registry_path(),
        None if own is None else (own, texts[own]),
        wording,
        language,
        None if prompts is None else (prompts, texts[prompts]),
    )
    _opened.update(fresh or {})
    _in_use[own, wording, language, prompts] = found
    return found


def opened_registries() -> tuple[Registry, ...]:
    """The installation's catalogue, and all others that this process has opened.

    For simulated models alone, which see prompts and not whose run they belong to.
    """
    return tuple(dict.fromkeys((load_registry(), *_in_use.values())))


def is_said(prompt: str, name: str) -> bool:
    """Whether a prompt begins like a sentence, in any language and wording of this process.

    For simulated models alone, which see nothing but prompts.

    Args:
        prompt: what a model was given.
        name: of the sentence, such as `rating.question`; its first line counts.
    """
    first = prompt.partition("\n")[0]
    said = {registry.sentences.texts.get(name, "") for registry in opened_registries()}
    return any(bool(_first_line(one).fullmatch(first)) for one in said if one)


@cache
def _first_line(sentence: str) -> re.Pattern[str]:
    parts = Formatter().parse(sentence.partition("\n")[0])
    return re.compile("".join(re.escape(t) + ("" if f is None else ".*") for t, f, _, _ in parts))


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
    catalogue = registry.catalogue
    if catalogue is None or not _own_theories(catalogue):
        return None
    whole = parse_mapping(Path(catalogue), _opened[catalogue], _WANTED)
    said = {name: whole[name] for name in ("language", "theories") if whole.get(name)}
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True)


def _own_theories(catalogue: str) -> Any:
    return parse_mapping(Path(catalogue), _opened[catalogue], _WANTED).get("theories")


def _absolute(path: str | Path) -> str:
    return str(Path(path).expanduser().resolve())


@cache
def _load(
    installed: Path,
    own: tuple[str, str] | None,
    wording: str,
    language: str,
    prompts: tuple[str, str] | None,
) -> Registry:
    raw = parse_mapping(installed, read_text(installed), _WANTED)
    path = installed
    if own is not None:
        path = Path(own[0])
        raw = {**_merged(raw, parse_mapping(path, own[1], _WANTED), path), "catalogue": own[0]}
    if wording not in WORDINGS:
        raise OptionError("wording", f"{wording!r} is none of {', '.join(WORDINGS)}")
    sentences, texts, place = read_sentences(language, wording, prompts)
    raw = with_texts(raw, texts, language, place)
    return _validated({**raw, "sentences": sentences}, path)


def _merged(base: dict[str, Any], more: dict[str, Any], path: Path) -> dict[str, Any]:
    """A catalogue with a user's own added.

    Raises:
        InputFileError: an unknown key, a name that is taken, or a part that is no mapping.
    """
    allowed = ("schema_version", "language", "theories", "pairs", "five_value_squares", "assets")
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
    said = _in_language(_mapping(more.get("theories"), path, "theories"), more.get("language"))
    for name, theory in said.items():
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


def _in_language(theories: dict[str, Any], language: Any) -> dict[str, Any]:
    """A user's own theories whose nodes know the language of the catalogue."""
    if language is None:
        return theories
    made = {}
    for name, theory in theories.items():
        nodes = theory.get("nodes") if isinstance(theory, dict) else None
        if isinstance(nodes, dict):
            told = {
                key: {"language": language, **node} if isinstance(node, dict) else node
                for key, node in nodes.items()
            }
            theory = {**theory, "nodes": told}
        made[name] = theory
    return made


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
