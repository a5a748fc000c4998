"""The conditions of a run: what each response is steered toward, and what it is scored on.

Plain data, the same for every harness. A run's conditions begin with the default, which steers
nothing and is scored on every value of the run, so that each query is answered once without
steering, whatever the number of conditions.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from valueflow.hub_assets.errors import OptionError, UnknownNameError
from valueflow.hub_assets.registry import FiveValueSquare, Pair, Registry, Value
from valueflow.hub_assets.sample_settings import condition_name
from valueflow.options import words_option

__all__ = [
    "Condition",
    "children_conditions",
    "five_value_conditions",
    "names_in_run",
    "pair_conditions",
    "pair_levels_option",
    "pairs_option",
    "scored_values",
    "single_conditions",
    "squares_option",
    "with_default",
]

Design = Literal["steer", "pair", "five", "composite"]


@dataclass(frozen=True)
class Condition:
    """One way of asking every query.

    Attributes:
        targets: values or children with their levels, none of them 0; empty for the default.
        score_on: the macro-values on which the response is scored.
        design: the design that it belongs to.
        part_of: which pair, square or composite.
    """

    targets: tuple[tuple[Value, int], ...]
    score_on: tuple[Value, ...]
    design: Design = "steer"
    part_of: str = ""

    @property
    def name(self) -> str:
        """For instance `default`, `power+2` or `benevolence+2&universalism+1`."""
        return condition_name(self.target_names) or "default"

    @property
    def target_names(self) -> list[tuple[str, str, int]]:
        """(theory, name, level) of each target."""
        return [(value.theory, value.name, level) for value, level in self.targets]

    def as_settings(self) -> dict[str, Any]:
        """Its part of a sample's settings, see `valueflow.hub_assets.sample_settings`."""
        return {
            "targets": [list(target) for target in self.target_names],
            "score_on": [[value.theory, value.name] for value in self.score_on],
            "design": self.design,
            "part_of": self.part_of,
        }


def with_default(conditions: Iterable[Condition], registry: Registry) -> list[Condition]:
    """The default, scored on every value of the conditions, and the conditions, each once.

    A condition that stands twice is answered once and scored on the values of both.
    """
    # By targets and not by name: theories share names of children, such as caring.
    merged: dict[tuple[tuple[str, str, int], ...], Condition] = {}
    for condition in conditions:
        key = tuple(condition.target_names)
        first = merged.get(key)
        if first is None:
            merged[key] = condition
        else:
            # What the first is scored on keeps its order, which is that of a pair's targets.
            more = tuple(value for value in condition.score_on if value not in first.score_on)
            merged[key] = replace(first, score_on=first.score_on + more)
    default = Condition((), scored_values(merged.values(), registry))
    return [default, *merged.values()]


def names_in_run(conditions: Sequence[Condition]) -> list[str]:
    """A name for each condition that no other has: with the theory where the name is shared."""
    shared = Counter(condition.name for condition in conditions)
    return [
        condition.name if shared[condition.name] == 1 else f"{theory}:{condition.name}"
        for condition in conditions
        for theory in [condition.targets[0][0].theory if condition.targets else ""]
    ]


def scored_values(conditions: Iterable[Condition], registry: Registry) -> tuple[Value, ...]:
    """All values that some condition is scored on, in the registry's order."""
    wanted = {(v.theory, v.name) for condition in conditions for v in condition.score_on}
    return tuple(v for v in registry.macro_values() if (v.theory, v.name) in wanted)


def single_conditions(values: Sequence[Value], levels: Sequence[int]) -> list[Condition]:
    """One value at a time, value by value and level by level; level 0 is the default."""
    return [Condition(((value, level),), (value,)) for value in values for level in levels if level]


def pair_conditions(
    registry: Registry,
    pairs: Sequence[Pair],
    levels: Sequence[tuple[int, int]] | None = None,
    singles: bool = False,
) -> list[Condition]:
    """Pairs at all their levels.

    Args:
        registry: the catalogue.
        pairs: the pairs; a child among them is scored on its parents.
        levels: levels of every pair, in place of its own.
        singles: also each member alone at the levels that it has in its pair, scored on both
            values, so that additivity can be told.
    """
    conditions = []
    for pair in pairs:
        members = registry.check_pair(pair)
        score_on = _parents(registry, members)
        chosen = tuple(levels) if levels else registry.levels_of_pair(pair)
        if singles:
            conditions += [
                Condition(((member, level),), score_on)
                for place, member in enumerate(members)
                for level in dict.fromkeys(both[place] for both in chosen)
            ]
        conditions += [
            Condition(tuple(zip(members, both, strict=True)), score_on, "pair", pair.name)
            for both in chosen
        ]
    return conditions


def five_value_conditions(
    registry: Registry, squares: Sequence[FiveValueSquare], singles: bool = False
) -> list[Condition]:
    """Each row of each square; with `singles`, each value alone at each level of the pattern."""
    pattern = registry.defaults.five_values.levels
    conditions = []
    for square in squares:
        members = [registry.steerable(name, square.theory) for name in square.values]
        score_on = _parents(registry, members)
        if singles:
            conditions += [
                Condition(((member, level),), _parents(registry, [member]))
                for member in members
                for level in sorted(set(pattern))
            ]
        conditions += [
            Condition(tuple(zip(members, row, strict=True)), score_on, "five", square.name)
            for row in square.rows(pattern)
        ]
    return conditions


def children_conditions(
    registry: Registry, values: Sequence[Value], levels: Sequence[int], direct: bool = True
) -> list[Condition]:
    """All children of a value steered to one level, scored on the value.

    Args:
        registry: the catalogue.
        values: macro-values with children.
        levels: levels of all children.
        direct: also the value itself at each level, to compare with.

    Raises:
        OptionError: a value without children.
    """
    conditions = []
    for value in values:
        children = registry.children_of(value)
        if not children:
            with_children = ", ".join(v.name for v in registry.composites(value.theory))
            raise OptionError(
                "values",
                f"{value.theory}:{value.name} has no children to steer"
                + (f"; these have: {with_children}" if with_children else ""),
            )
        for level in levels:
            if level and direct:
                conditions.append(Condition(((value, level),), (value,)))
        for level in levels:
            if level:
                targets = tuple((child, level) for child in children)
                conditions.append(Condition(targets, (value,), "composite", value.name))
    return conditions


def pairs_option(
    registry: Registry,
    pairs: object,
    theory: object | None,
    levels: Sequence[tuple[int, int]] | None = None,
) -> list[Pair]:
    """The pairs to steer: names such as `power+universalism`, or all of a theory.

    A pair that the catalogue lists has its levels, another one the default levels. The members may
    stand in either order and any spelling; a pair of the catalogue keeps the catalogue's order.

    Args:
        registry: the catalogue.
        pairs: the names, or None.
        theory: whose pairs, where none is named.
        levels: levels of every pair in place of its own, the first that of the member which is
            named first.

    Raises:
        OptionError: a pair without two members, or of a value with itself.
        UnknownNameError: an unknown theory or value.
    """
    words = words_option(pairs)
    if pairs is not None and not words:
        raise OptionError("pairs", "names no pair; leave it out for all pairs of the theory")
    if not words:
        wanted = registry.theory(theory or registry.defaults.steer.theory).name
        found = [pair for pair in registry.pairs if registry.theory(pair.theory).name == wanted]
        if not found:
            raise OptionError("pairs", f"the catalogue has no pair of {wanted}; name some")
        return [_at(pair, levels) for pair in found]
    chosen = [_pair(registry, word, theory, levels) for word in words]
    sets = [frozenset(pair.values) for pair in chosen]
    for pair in chosen:
        if sets.count(frozenset(pair.values)) > 1:
            raise OptionError("pairs", f"{pair.name} is named twice")
    return chosen


def _at(pair: Pair, levels: Sequence[tuple[int, int]] | None) -> Pair:
    """The pair at these levels, or at its own."""
    return pair.model_copy(update={"levels": tuple(levels), "also": ()}) if levels else pair


def _pair(
    registry: Registry,
    word: str,
    theory: object | None,
    levels: Sequence[tuple[int, int]] | None,
) -> Pair:
    parts = [part.strip() for part in re.split(r"[&+×]", word)]
    if len(parts) != 2 or not all(parts):
        raise OptionError("pairs", f"{word!r} is no pair; write two values as power+universalism")
    first = _member(registry, parts[0], theory)
    second = _member(registry, parts[1], first.theory)
    if first == second:
        raise OptionError("pairs", f"{first.name} stands on both sides of {word!r}")
    # A user's own pairs come last in the catalogue, and before it here.
    for pair in reversed(registry.pairs):
        members = registry.check_pair(pair)
        if members == (first, second):
            return _at(pair, levels)
        if members == (second, first):
            return _at(pair, levels and [(other, one) for one, other in levels])
    return _at(Pair(theory=first.theory, values=(first.name, second.name)), levels)


def _member(registry: Registry, name: str, theory: object | None) -> Value:
    """A value of that name before a child of it: `tradition` is Schwartz's, not a child of mft."""
    try:
        return registry.value(name, theory)
    except UnknownNameError:
        return registry.steerable(name, theory)


def squares_option(
    registry: Registry, sets: object, theory: object | None
) -> list[FiveValueSquare]:
    """The five-value squares to steer, by name; those of a theory where none is named.

    Raises:
        OptionError: the theory has none, or a named square is of another theory.
        UnknownNameError: an unknown theory or square.
    """
    squares = registry.five_value_squares
    words = words_option(sets)
    for word in words:
        if word not in squares:
            raise UnknownNameError("square", word, squares, "`valueflow list squares` shows them.")
        own = registry.theory(squares[word].theory).name
        if theory is not None and registry.theory(theory).name != own:
            raise OptionError(
                "sets", f"{word} is a square of {own}, not of {theory}; leave the theory out"
            )
    if words:
        return [squares[word] for word in dict.fromkeys(words)]
    wanted = registry.theory(theory or registry.defaults.steer.theory).name
    found = [s for s in squares.values() if registry.theory(s.theory).name == wanted]
    if not found:
        raise OptionError("sets", f"the catalogue has no five-value square of {wanted}")
    return found


def pair_levels_option(registry: Registry, levels: object) -> list[tuple[int, int]] | None:
    """Levels of a pair: `2/2,2/-2`, `[[2, 2], [2, -2]]`, or None for each pair's own.

    Raises:
        OptionError: no pair of levels, or a level 0.
    """
    if levels is None:
        return None
    items: Sequence[object] = levels if isinstance(levels, list | tuple) else [str(levels)]
    parts: list[list[object]] = []
    for item in items:
        if isinstance(item, str):
            parts += [list(word.split("/")) for word in item.split(",") if word.strip()]
        else:
            parts.append(list(item) if isinstance(item, list | tuple) else [item])
    found: list[tuple[int, int]] = []
    for part in parts:
        if len(part) != 2:
            raise OptionError("levels", f"{part!r} is no pair of levels; write 2/2,2/-1")
        first, second = (registry.level(level).level for level in part)
        if not first or not second:
            raise OptionError("levels", "level 0 steers nothing; give -2, -1, 1 or 2")
        found.append((first, second))
    if not found:
        raise OptionError("levels", "names no pair of levels; write 2/2,2/-1")
    return list(dict.fromkeys(found))


def _parents(registry: Registry, members: Iterable[Value]) -> tuple[Value, ...]:
    """The macro-values of some nodes, each once."""
    return tuple(
        {
            (parent.theory, parent.name): parent
            for member in members
            for parent in registry.scored_on(member)
        }.values()
    )
