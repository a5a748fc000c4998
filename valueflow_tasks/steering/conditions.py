"""The conditions of a run: what each response is steered toward, and what it is scored on.

Plain data, the same for every harness. A run's conditions begin with the default, which steers
nothing and is scored on every value of the run, so that each query is answered once without
steering, whatever the number of conditions.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.anchors import WEAK, level_of_intensity
from valueflow.hub_assets.registry.loading import FiveValueSquare, Pair, Registry, Value
from valueflow.hub_assets.settings import condition_name
from valueflow.hub_assets.survey.persons import Profile, known_values

__all__ = [
    "Condition",
    "children_conditions",
    "five_value_conditions",
    "names_in_run",
    "pair_conditions",
    "profile_conditions",
    "scored_values",
    "single_conditions",
    "with_default",
]

Design = Literal["steer", "pair", "five", "composite", "profile"]


@dataclass(frozen=True)
class Condition:
    """One way of asking every query.

    Attributes:
        targets: values or children with their levels, none of them 0; empty for the default.
        score_on: the macro-values on which the response is scored.
        design: the design that it belongs to.
        part_of: which pair, square, composite or profile.
        asked: the values that a profile knows, with their intensities in points.
    """

    targets: tuple[tuple[Value, int], ...]
    score_on: tuple[Value, ...]
    design: Design = "steer"
    part_of: str = ""
    asked: tuple[tuple[Value, float], ...] = ()

    @property
    def name(self) -> str:
        """For instance `default`, `power+2`, `benevolence+2&universalism+1`, or a profile's."""
        if self.design == "profile":
            return self.part_of
        return condition_name(self.target_names) or "default"

    @property
    def target_names(self) -> list[tuple[str, str, int]]:
        """(theory, name, level) of each target."""
        return [(value.theory, value.name, level) for value, level in self.targets]

    def as_settings(self) -> dict[str, Any]:
        """Its part of a sample's settings, see `valueflow.hub_assets.settings`."""
        return {
            "targets": [list(target) for target in self.target_names],
            "score_on": [[value.theory, value.name] for value in self.score_on],
            "design": self.design,
            "part_of": self.part_of,
            **({"asked": [[v.theory, v.name, x] for v, x in self.asked]} if self.asked else {}),
        }


def with_default(conditions: Iterable[Condition], registry: Registry) -> list[Condition]:
    """The default, scored on every value of the conditions, and the conditions, each once.

    A condition that stands twice is answered once and scored on the values of both; but each
    profile is answered for itself, since two with the same targets may ask for other intensities.
    """
    # By targets and not by name: theories share names of children, such as caring.
    merged: dict[tuple[object, ...], Condition] = {}
    for condition in conditions:
        profile = condition.part_of if condition.design == "profile" else ""
        key = (profile, *condition.target_names)
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
    """All values that some condition is scored on, in the registry's order.

    Raises:
        OptionError: two of them, of two theories, have one name.
    """
    wanted = {(v.theory, v.name) for condition in conditions for v in condition.score_on}
    for name, count in Counter(name for _, name in wanted).items():
        if count > 1:
            both = " and ".join(sorted(f"{t}:{n}" for t, n in wanted if n == name))
            raise OptionError(
                "values",
                f"{both} have one name, and a run's figures go by names; steer them in two runs",
            )
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


def profile_conditions(
    registry: Registry,
    profiles: Sequence[Profile],
    strongest: int | None = None,
    others: bool = True,
) -> list[Condition]:
    """Each profile as one condition: its intensities, each at the level whose bin it falls into.

    Args:
        registry: the catalogue.
        profiles: of one theory, with different names.
        strongest: how many values the prompt names, those furthest from 0; of equal ones the first
            in the catalogue's order. All where None.
        others: also score on the values that a profile does not know.

    Raises:
        OptionError: two profiles of one name, or one that asks for nothing.
    """
    conditions = []
    names = [profile.name for profile in profiles]
    for profile in profiles:
        if names.count(profile.name) > 1:
            raise OptionError(
                "profile", f"two profiles have the name {profile.name}; give one another name"
            )
        known = known_values(profile, registry)
        levels = [(value, level_of_intensity(x), abs(x)) for value, x in known]
        named = sorted((one for one in levels if one[1]), key=lambda one: -one[2])[:strongest]
        if not named:
            raise OptionError(
                "profile",
                f"{profile.name} asks for nothing: no intensity of it is {WEAK:g} points or more "
                "from 0, below which a value is not named",
            )
        every = registry.theory(profile.theory).values
        conditions.append(
            Condition(
                targets=tuple((one[0], one[1]) for one in levels if one in named),
                score_on=tuple(every) if others else tuple(value for value, _ in known),
                design="profile",
                part_of=profile.name,
                asked=tuple(known),
            )
        )
    return conditions


def _parents(registry: Registry, members: Iterable[Value]) -> tuple[Value, ...]:
    """The macro-values of some nodes, each once."""
    return tuple(
        {
            (parent.theory, parent.name): parent
            for member in members
            for parent in registry.scored_on(member)
        }.values()
    )
