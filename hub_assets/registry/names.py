"""The catalogue as a record, and how a name is found in it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from valueflow.hub_assets.errors import OptionError, UnknownNameError
from valueflow.hub_assets.registry.groups import OpinionCatalogue
from valueflow.hub_assets.registry.prompts import Sentences
from valueflow.hub_assets.registry.records import (
    Asset,
    Defaults,
    FiveValueSquare,
    Kind,
    Level,
    Pair,
    QueryFamily,
    Record,
    Theory,
    Value,
    slug,
)

__all__ = ["Registry"]


class Registry(Record):
    """The whole catalogue.

    Attributes:
        catalogue: absolute path of the user's own that is part of it, if there is one.
        sentences: what models are told, in the language and wording of the catalogue's texts.
    """

    schema_version: Literal[1]
    levels: tuple[Level, ...]
    defaults: Defaults
    assets: dict[str, Asset]
    opinion: OpinionCatalogue
    query_families: tuple[QueryFamily, ...]
    theories: dict[str, Theory]
    pairs: tuple[Pair, ...] = ()
    five_value_squares: dict[str, FiveValueSquare] = Field(default_factory=dict)
    catalogue: str | None = None
    sentences: Sentences

    def __hash__(self) -> int:
        """Cheap, so that what depends on names can be kept by catalogue; equal ones have one."""
        return hash((self.catalogue, self.sentences.place, *self.theories, len(self.assets)))

    @model_validator(mode="after")
    def _check(self) -> Self:
        for pair in self.pairs:
            self.check_pair(pair)
        for square in self.five_value_squares.values():
            found = [self.steerable(name, square.theory).name for name in square.values]
            if len(set(found)) < len(found):
                raise ValueError(f"five_value_squares.{square.name}: a value stands twice")
        return self

    def check_language(self, values: Iterable[Value]) -> None:
        """Checks that values have texts in the language of the sentences around them.

        Raises:
            OptionError: one has none; the message names it and the place where it is missing.
        """
        for value in values:
            if value.language != self.sentences.language:
                raise OptionError(
                    "language",
                    f"{value.theory}:{value.name} has its texts in {value.language!r}, not in "
                    f"{self.sentences.language!r}; add catalogue.theories.{value.theory}.nodes."
                    f"{value.name} (title, definition, clause) to a file "
                    f"{self.sentences.language}.yaml and give its folder: prompts=FOLDER",
                )

    def check_pair(self, pair: Pair) -> tuple[Value, Value]:
        """The two members of a pair, as they are steered.

        Raises:
            UnknownNameError: a member is not in its theory.
            OptionError: a value with itself, or a level that steers nothing.
        """
        first, second = (self.steerable(name, pair.theory) for name in pair.values)
        if first == second:
            raise OptionError("pairs", f"{first.name} stands on both sides of {pair.name}")
        for levels in (*pair.levels, *pair.also):
            for level in levels:
                if self.level(level).level == 0:
                    raise OptionError(
                        "pairs", f"{pair.name}: level 0 steers nothing; give -2, -1, 1 or 2"
                    )
        return first, second

    def levels_of_pair(self, pair: Pair) -> tuple[tuple[int, int], ...]:
        """The pair's levels, or the defaults, then those beyond them; each once."""
        levels = pair.levels or self.defaults.pairs.levels
        return tuple(dict.fromkeys((*levels, *pair.also)))

    def steerable(self, name: object, theory: object | None = None) -> Value:
        """The value or child of that name; see `value`."""
        return self.value(name, theory, ("value", "child"))

    def scored_on(self, value: Value) -> tuple[Value, ...]:
        """The macro-values on which a response steered toward a node is scored: itself, or the
        parents of a child."""
        if value.kind == "value":
            return (value,)
        nodes = self.theories[value.theory].nodes
        return tuple(nodes[name] for name in value.parents if nodes[name].kind == "value")

    def composites(self, theory: object | None = None) -> tuple[Value, ...]:
        """The macro-values that have children, in the registry's order."""
        theories = [self.theory(theory)] if theory is not None else list(self.theories.values())
        return tuple(v for t in theories for v in t.values if self.children_of(v))

    def children_of(self, value: Value) -> tuple[Value, ...]:
        """The children of a macro-value."""
        nodes = self.theories[value.theory].nodes
        return tuple(nodes[name] for name in value.children if nodes[name].kind == "child")

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
        needed only for ancestors and children that share one, and for a user's own value of a name
        that another theory has.

        Raises:
            UnknownNameError: there is none of these kinds, or the name is in several theories.
        """
        text = str(name)
        prefix, colon, rest = text.partition(":")
        # Where a theory is given, a prefix may say the same once more.
        if colon and (theory is None or self.theory(prefix) == self.theory(theory)):
            theory, text = prefix, rest
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
