"""The records of the catalogue, each checked by its schema.

`valueflow.hub_assets.registry.loading` reads `registry.yaml` and users' own catalogues into them.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "Asset",
    "Defaults",
    "FiveValueSquare",
    "Kind",
    "Level",
    "Pair",
    "QueryFamily",
    "Record",
    "Target",
    "Theory",
    "Value",
    "slug",
]

Kind = Literal["ancestor", "value", "child"]

_GAPS = re.compile(r"[\s_/\-–—]+")


def slug(name: object) -> str:
    """One spelling of a name: lower case, every run of space, `_`, `/` or dashes one hyphen."""
    return _GAPS.sub("-", str(name).strip().lower()).strip("-")


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Level(Record):
    """A steering target's strength: −2 … +2; level 0 is the default and has no phrase."""

    level: int = Field(ge=-2, le=2)
    name: str
    phrase: str | None


class Value(Record):
    """One node of a theory: a macro-value that is steered and scored, an ancestor, or a child.

    Attributes:
        definition: what someone who holds it wants, one sentence; judges and panels are shown it.
        clause: what it means, as the end of "... means "; models are steered with it.
        term: its name inside a sentence, where that is not the title.
        object: what one is for or against, where "this value" would leave open whether a rejection
            is meant of all its parts or of them together.
        source: where the definition comes from, such as articles of a declaration.
        language: of all these texts.
    """

    theory: str
    name: str
    title: str
    kind: Kind
    definition: str
    clause: str | None = None
    term: str | None = None
    object: str | None = None
    source: str = ""
    language: str = "en"
    parents: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def spoken(self) -> str:
        """The name inside a sentence, for instance `power`."""
        return self.term or self.title.lower()


class Target(Record):
    """What a response is steered toward: a value of a theory at a level from −2 to 2."""

    theory: str
    value: str
    level: int = Field(ge=-2, le=2)


class Theory(Record):
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
        return self.spellings.get(slug(name))

    @cached_property
    def spellings(self) -> Mapping[str, Value]:
        """The nodes by the slugs of their names and aliases; the first has what several share."""
        found: dict[str, Value] = {}
        for node in self.nodes.values():
            for spelling in (node.name, *node.aliases):
                found.setdefault(slug(spelling), node)
        return found


class Asset(Record):
    """A text or table that valueflow can load: embedded in the package or on the Hub.

    Attributes:
        built_on: the questions that a table of group profiles was computed from, in words.
        built_on_texts: embedded table of the hashes of their texts (`text_hash`), where known.
    """

    name: str
    kind: Literal[
        "vidb", "queries", "embedding-model", "hives-corpus", "opinion-questions", "group-profiles"
    ]
    title: str
    embedded: str | None = None
    repo_id: str | None = None
    repo_type: Literal["dataset", "model"] | None = None
    path: str | None = None
    revision: str = "local"
    sha256: str | None = None
    """Hash of its files, which `valueflow pull` prints; other contents are refused."""
    license: str = "not stated"
    source: str = "the user's own"
    note: str = ""
    built_on: str = ""
    built_on_texts: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [place for place in (self.embedded, self.repo_id, self.path) if place is not None]
        if len(given) != 1:
            raise ValueError(
                f"asset '{self.name}' needs exactly one of 'embedded', 'repo_id' and 'path'"
            )
        return self


class SteerDefaults(Record):
    """Defaults of the steering tasks."""

    theory: str
    method: str
    queries: str
    n_queries: int = Field(ge=1)
    exemplars: int = Field(ge=1)


class EvaluatorDefaults(Record):
    """What the anchor-window evaluator takes for granted, and the defaults of its options.

    Attributes:
        judge_max_tokens: room for an answer, where the grader role sets none.
        judge_characters: longer responses are shown to the judge up to here, and counted.
        refusal_words: a refusal phrase decides only in a response shorter than this.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    judge_max_tokens: int = Field(ge=16)
    judge_characters: int = Field(ge=100)
    refusal_words: int = Field(ge=1)

    @property
    def options(self) -> dict[str, Any]:
        """Defaults by option; `valueflow.hub_assets.settings` declares and checks the options."""
        return dict(self.model_extra or {})


class OpinionDefaults(Record):
    """Defaults of the task `opinionqa`."""

    data: str
    profiles: str
    theory: str
    lines: int = Field(ge=1)
    seed: int
    answer_tokens: int = Field(ge=1)


class PairDefaults(Record):
    """Levels at which every pair is steered."""

    levels: tuple[tuple[int, int], ...]


class FiveValueDefaults(Record):
    """Levels of the first row of a five-value square; each further row is rotated by one."""

    levels: tuple[int, int, int, int, int]


class Defaults(Record):
    steer: SteerDefaults
    evaluator: EvaluatorDefaults
    opinionqa: OpinionDefaults
    pairs: PairDefaults
    five_values: FiveValueDefaults


class Pair(Record):
    """Two values, or children of values, of one theory that are steered together.

    Attributes:
        values: two names of nodes with a steering clause.
        levels: levels of the two, each pair of levels a condition; the defaults where not given.
        also: levels beyond the defaults.
        source: where the pair comes from.
    """

    theory: str
    values: tuple[str, str]
    levels: tuple[tuple[int, int], ...] = ()
    also: tuple[tuple[int, int], ...] = ()
    source: str = ""

    @property
    def name(self) -> str:
        """For instance `benevolence&universalism`."""
        return "&".join(self.values)


class FiveValueSquare(Record):
    """Five values of one theory, steered together in a Latin square of levels.

    Row i gives value i the first level of the pattern and goes on around, so that each value takes
    each place of the pattern once.

    Attributes:
        values: five names of nodes with a steering clause.
        why: why these five.
    """

    name: str
    theory: str
    values: tuple[str, str, str, str, str]
    why: str

    def rows(self, pattern: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        """Levels of the five values, one row a condition."""
        n = len(pattern)
        return tuple(tuple(pattern[(j - i) % n] for j in range(n)) for i in range(n))


class QueryFamily(Record):
    name: str
    title: str
