"""The levels of a hierarchy above and below the values: from the top to them, and on to a leaf.

Above, the panel is asked which groups of values a text is about, level by level, going only into
those that it accepted; a node with several parents is asked about once, when any of them was.
Below, it is asked which child of a value a text is about; of several that are accepted the one with
most votes is taken, so that a text has one path under a value.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from valueflow.hub_assets.registry.loading import Theory, Value
from valueflow.hub_assets.registry.paths import below, level_of
from valueflow.rebuild.database.categorize.plan import Step, Unit
from valueflow.rebuild.database.categorize.votes import Outcomes, Panel, Tally, ask_step
from valueflow.rebuild.database.recipe import Recipe

__all__ = [
    "Ends",
    "Member",
    "ask_groups",
    "child_units",
    "descend",
    "group_levels",
    "is_open",
    "preferred",
]

Member = tuple[str, str]
"""A text's id and the key of a value (`key_of`)."""

Ends = dict[Member, tuple[Value, ...]]
"""The nodes below the value, from its child downwards; none where the path ends at the value."""


def group_levels(recipe: Recipe) -> list[list[Value]]:
    """The groups above the wanted values, by level from the top, in the registry's order."""
    above: set[tuple[str, str]] = set()
    theories = recipe.registry.theories

    def climb(node: Value) -> None:
        for name in node.parents:
            above.add((node.theory, name))
            climb(theories[node.theory].nodes[name])

    for value in recipe.wanted():
        climb(value)
    groups = [n for t in theories.values() for n in t.nodes.values() if (t.name, n.name) in above]
    depth = {(n.theory, n.name): level_of(theories[n.theory], n) for n in groups}
    levels = sorted(set(depth.values()))
    return [[n for n in groups if depth[n.theory, n.name] == level] for level in levels]


def ask_groups(panel: Panel, texts: Sequence[Mapping[str, Any]]) -> Outcomes:
    """Asks which groups of values each text is about, from the top down."""
    outcomes: Outcomes = {}
    for number, groups in enumerate(group_levels(panel.recipe), start=1):
        spec = panel.recipe.categorize
        step = Step(f"groups-{number}", f"groups {number}", "about", spec.texts_per_prompt)
        units = []
        for text in texts:
            for theory in dict.fromkeys(node.theory for node in groups):
                told = outcomes.get((text["id"], theory), {})
                nodes = [n for n in groups if n.theory == theory and is_open(n, told)]
                if nodes:
                    contests = _shared_parents(panel.recipe.registry.theories[theory], nodes)
                    units.append(Unit(text["id"], text["text"], tuple(nodes), contests))
        for key, tallies in ask_step(panel, step, units).items():
            outcomes.setdefault(key, {}).update(tallies)
            divided = sum(tally.answer is None for tally in tallies.values())
            panel.counts["groups_left_divided"] += divided
    return outcomes


def is_open(node: Value, told: Mapping[str, Tally]) -> bool:
    """Whether a node is asked about: it has no parent, or one of them was accepted."""
    return not node.parents or any(_taken(told, name) for name in node.parents)


def preferred(theory: Theory, told: Mapping[str, Tally]) -> Callable[[Sequence[Value]], Value]:
    """The choice between parents: an accepted one, of these the one with most votes."""

    def choose(parents: Sequence[Value]) -> Value:
        taken = [node for node in parents if _taken(told, node.name)]
        return min(
            taken, key=lambda n: _rank(told[n.name], level_of(theory, n)), default=parents[0]
        )

    return choose


def _taken(told: Mapping[str, Tally], name: str) -> bool:
    return name in told and told[name].answer == "yes"


def _rank(tally: Tally, level: int = 0) -> tuple[int, int, int]:
    """Less is better. Votes of different rounds or levels answer different questions, and are not
    compared: what was accepted at once goes before what needed a second round."""
    return tally.round_number, level, -tally.for_it


def _shared_parents(theory: Theory, nodes: Sequence[Value]) -> tuple[tuple[str, ...], ...]:
    """The nodes among which a node below chooses the parent that its path goes through."""
    names = [node.name for node in nodes]
    shared = (
        tuple(name for name in names if name in node.parents) for node in theory.nodes.values()
    )
    return tuple(dict.fromkeys(group for group in shared if len(group) > 1))


def descend(panel: Panel, members: Mapping[Member, tuple[str, Value]], alone: bool = False) -> Ends:
    """Asks which children the texts are about, level by level, until none is accepted or a leaf.

    Args:
        panel: asks.
        members: the text and the value of each.
        alone: ask about every member in a prompt of its own, so that members that come later change
            no question.
    """
    theories = panel.recipe.registry.theories

    def children(node: Value) -> tuple[Value, ...]:
        return below(theories[node.theory], node)

    at = {member: value for member, (_, value) in members.items()}
    ends: Ends = dict.fromkeys(members, ())
    level = 0
    while at:
        level += 1
        groups = {member: children(node) for member, node in at.items() if children(node)}
        asked_of = {m: (members[m][0], nodes) for m, nodes in groups.items()}
        units = child_units(theories, asked_of, alone)
        size = 1 if alone else panel.recipe.categorize.texts_per_prompt
        name = f"children-{level}{'-alone' if alone else ''}"
        told = ask_step(panel, Step(name, f"children {level}", "about", size), units)
        at = {}
        for member, nodes in groups.items():
            unit = f"{member[0]}|{member[1]}" if alone else member[0]
            chosen = _chosen(told[unit, nodes[0].theory], nodes, panel.counts)
            if chosen is not None:
                ends[member] += (chosen,)
                at[member] = chosen
    asked = [end for member, end in ends.items() if children(members[member][1])]
    panel.counts["paths_to_a_child"] += sum(bool(end) for end in asked)
    panel.counts["paths_that_end_at_the_value"] += sum(not end for end in asked)
    return ends


def child_units(
    theories: Mapping[str, Theory],
    groups: Mapping[Member, tuple[str, Sequence[Value]]],
    alone: bool = False,
) -> list[Unit]:
    """What is asked about each text: the children of all its values of a theory together.

    Args:
        theories: of the build's catalogue.
        groups: of each member its text and the children among which one is chosen.
        alone: make a unit of every member.
    """
    by_text: dict[tuple[str, str], list[Member]] = {}
    for member, (_, nodes) in groups.items():
        name = f"{member[0]}|{member[1]}" if alone else member[0]
        by_text.setdefault((name, nodes[0].theory), []).append(member)
    units = []
    for (name, theory), members in by_text.items():
        asked = {node.name for member in members for node in groups[member][1]}
        nodes = [n for n in theories[theory].nodes.values() if n.name in asked]
        contests = tuple(tuple(node.name for node in groups[member][1]) for member in members)
        units.append(Unit(name, groups[members[0]][0], tuple(nodes), contests, chosen_only=True))
    return units


def _chosen(
    told: Mapping[str, Tally], nodes: Sequence[Value], counts: Counter[str]
) -> Value | None:
    taken = [node for node in nodes if _taken(told, node.name)]
    if not taken:
        return None
    best = min(taken, key=lambda node: _rank(told[node.name]))
    equal = sum(_rank(told[node.name]) == _rank(told[best.name]) for node in taken)
    counts["ties_between_children"] += equal > 1
    return best
