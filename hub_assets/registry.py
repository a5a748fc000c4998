"""Loads and checks `registry.yaml`, the one catalogue of names.

`load_registry()` gives a frozen `Registry`; `registry.theory("svt")` and
`registry.value("care/harm")` accept every usual spelling and return the one record that the rest of
the code uses. A name that is not there raises `UnknownNameError` with the nearest right ones.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from valueflow.hub_assets.errors import InputFileError, OptionError, UnknownNameError

__all__ = [
    "Asset",
    "Kind",
    "Level",
    "Registry",
    "Target",
    "Theory",
    "Value",
    "load_registry",
    "read_registry",
    "registry_path",
    "slug",
]

Kind = Literal["ancestor", "value", "child"]


def slug(name: object) -> str:
    """One spelling of a name: lower case, every run of space, `_`, `/` or dashes one hyphen."""
    return re.sub(r"[\s_/\-–—]+", "-", str(name).strip().lower()).strip("-")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Level(_Record):
    """A steering target's strength: −2 … +2; level 0 is the default and has no phrase."""

    level: int = Field(ge=-2, le=2)
    name: str
    phrase: str | None


class Value(_Record):
    """One node of a theory: a macro-value that is steered and scored, an ancestor, or a child."""

    theory: str
    name: str
    title: str
    kind: Kind
    definition: str
    clause: str | None = None
    parents: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


class Target(_Record):
    """What a response is steered toward: a value of a theory at a level from −2 to 2."""

    theory: str
    value: str
    level: int = Field(ge=-2, le=2)


class Theory(_Record):
    """A theory of values with its hierarchy, which is a directed acyclic graph."""

    name: str
    title: str
    source: str
    aliases: tuple[str, ...] = ()
    nodes: dict[str, Value]

    @model_validator(mode="after")
    def _check(self) -> Self:
        spellings: dict[str, str] = {}
        for node in self.nodes.values():
            for parent in node.parents:
                if parent not in self.nodes:
                    raise ValueError(f"{self.name}/{node.name}: parent '{parent}' is not a node")
            if node.kind != "ancestor" and not node.clause:
                raise ValueError(f"{self.name}/{node.name}: a {node.kind} needs a 'clause'")
            for spelling in (node.name, *node.aliases):
                taken = spellings.setdefault(slug(spelling), node.name)
                if taken != node.name:
                    raise ValueError(
                        f"{self.name}: '{spelling}' names both '{taken}' and '{node.name}'"
                    )
        for name in self.nodes:
            self._ancestors(name, ())
        return self

    def _ancestors(self, name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ValueError(f"{self.name}: the parents of '{name}' form a circle")
        for parent in self.nodes[name].parents:
            self._ancestors(parent, (*path, name))

    @property
    def values(self) -> tuple[Value, ...]:
        """The macro-values, in the registry's order."""
        return tuple(node for node in self.nodes.values() if node.kind == "value")

    def find(self, name: object) -> Value | None:
        """The node of that name or alias in any spelling, or None."""
        wanted = slug(name)
        for node in self.nodes.values():
            if wanted in {slug(node.name), *map(slug, node.aliases)}:
                return node
        return None


class Asset(_Record):
    """A text or table that valueflow can load: embedded in the package or on the Hub."""

    name: str
    kind: Literal["vidb", "queries", "embedding-model"]
    title: str
    embedded: str | None = None
    repo_id: str | None = None
    repo_type: Literal["dataset", "model"] | None = None
    revision: str
    license: str
    source: str
    note: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.embedded is None) == (self.repo_id is None):
            raise ValueError(f"asset '{self.name}' needs one of 'embedded' and 'repo_id'")
        return self


class SteerDefaults(_Record):
    """Defaults of the steering tasks."""

    theory: str
    method: str
    queries: str
    n_queries: int = Field(ge=1)
    word_limit: int = Field(ge=1)
    exemplars: int = Field(ge=1)
    seed: int


class EvaluatorDefaults(_Record):
    """Defaults of the anchor-window evaluator."""

    vidb: str
    windows: int = Field(ge=1)
    window_size: int = Field(ge=2)
    sampling: Literal["bucket", "random", "fixed", "adaptive"]
    judge_mode: Literal["ranking", "choice"]
    design_scale: float = Field(gt=0)
    judge_attempts: int = Field(ge=1)
    judge_max_tokens: int = Field(ge=16)
    judge_characters: int = Field(ge=100)
    refusal_words: int = Field(ge=1)


class Defaults(_Record):
    steer: SteerDefaults
    evaluator: EvaluatorDefaults


class QueryFamily(_Record):
    name: str
    title: str


class Registry(_Record):
    """The whole catalogue."""

    schema_version: Literal[1]
    levels: tuple[Level, ...]
    defaults: Defaults
    assets: dict[str, Asset]
    query_families: tuple[QueryFamily, ...]
    theories: dict[str, Theory]

    def theory(self, name: object) -> Theory:
        """The theory of that name or alias.

        Raises:
            UnknownNameError: there is none; the message offers the nearest names.
        """
        wanted = slug(name)
        for theory in self.theories.values():
            if wanted in {slug(theory.name), *map(slug, theory.aliases)}:
                return theory
        known = [n for t in self.theories.values() for n in (t.name, *t.aliases)]
        raise UnknownNameError("theory", name, known, "`valueflow list theories` shows them.")

    def value(
        self, name: object, theory: object | None = None, kinds: Sequence[Kind] = ("value",)
    ) -> Value:
        """The value of that name in any spelling, within one theory or across all.

        `theory:value` names both at once. The 32 macro-values have distinct names, so a theory is
        needed only for ancestors and children that share one.

        Raises:
            UnknownNameError: there is none of these kinds, or the name is in several theories.
        """
        text = str(name)
        if theory is None and ":" in text:
            theory, text = text.split(":", 1)
        theories = [self.theory(theory)] if theory is not None else list(self.theories.values())
        found = [
            node for t in theories if (node := t.find(text)) is not None and node.kind in kinds
        ]
        if len(found) == 1:
            return found[0]
        known = [
            spelling
            for t in theories
            for node in t.nodes.values()
            if node.kind in kinds
            for spelling in (node.name, *node.aliases)
        ]
        where = f" of {theories[0].name}" if theory is not None else ""
        if found:
            options = " or ".join(f"{node.theory}:{node.name}" for node in found)
            raise UnknownNameError(f"value{where}", text, known, f"Several fit: write {options}.")
        elsewhere = [
            node
            for t in self.theories.values()
            if t not in theories and (node := t.find(text)) is not None and node.kind in kinds
        ]
        hint = (
            f"It is a value of {elsewhere[0].theory}: give theory={elsewhere[0].theory}."
            if elsewhere
            else "`valueflow list values` shows them."
        )
        raise UnknownNameError(f"value{where}", text, known, hint)

    def level(self, level: object) -> Level:
        """The level with that number, given as a number or as text such as `+2`.

        Raises:
            OptionError: it is not one of −2, −1, 0, 1, 2.
        """
        known = {item.level: item for item in self.levels}
        text = str(level).strip().replace("−", "-")
        try:
            number = float(text)
            if number in known:
                return known[int(number)]
        except ValueError:
            pass
        raise OptionError(
            "levels", f"{str(level)!r} is not a level; levels are {', '.join(map(str, known))}"
        )

    def asset(self, name: object, kind: str | None = None) -> Asset:
        """The asset of that name.

        Raises:
            UnknownNameError: there is none (of that kind).
        """
        fitting = {n: a for n, a in self.assets.items() if kind in (None, a.kind)}
        if str(name) in fitting:
            return fitting[str(name)]
        raise UnknownNameError("asset", name, fitting, "`valueflow list assets` shows them.")

    def macro_values(self) -> Iterator[Value]:
        """All macro-values, theory by theory, in the registry's order."""
        for theory in self.theories.values():
            yield from theory.values


def registry_path() -> Path:
    """Where `registry.yaml` lies: beside this module in a built package, else in the checkout."""
    here = Path(__file__).resolve().parent
    beside = here / "registry.yaml"
    return beside if beside.is_file() else here.parent / "registry.yaml"


def read_registry(path: Path) -> Registry:
    """Reads a catalogue and checks it against the schema.

    Raises:
        InputFileError: the file is missing, is not YAML or breaks the schema; the message names
            the file and the place in it.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InputFileError(path, f"is not UTF-8 text (byte {error.start})") from None
    except yaml.YAMLError as error:
        raise InputFileError(path, f"is not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise InputFileError(path, "must be a mapping with the keys 'theories', 'levels', ...")
    try:
        return Registry.model_validate(_with_names(raw))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputFileError(path, f"{place or 'the file'}: {first['msg']}") from None


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
    return {**raw, "assets": _named(raw.get("assets") or {}), "theories": theories}


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


@cache
def load_registry() -> Registry:
    """The catalogue that came with this installation, read once."""
    return read_registry(registry_path())
