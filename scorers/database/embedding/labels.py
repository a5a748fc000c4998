"""Labels of texts as arrays: which nodes of a theory's hierarchy a text is about, and which way.

A hierarchy is a directed acyclic graph: the ancestors of a node are a set, and a node with two
parents lies under both. The level of a node is 1 where it has no parent, else one more than its
deepest parent. Labels may stand at any node, inner ones too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from valueflow.hub_assets.registry.loading import Theory, load_registry
from valueflow.hub_assets.registry.paths import level_of

__all__ = ["DIRECTION_CODES", "LabelTable", "ancestors_of", "label_table", "level_bins", "overlap"]

DIRECTION_CODES = {"unknown": 0, "support": 1, "oppose": -1, "neutral": 2}
"""How a direction is kept in an array; `unknown` says nothing, `neutral` is a direction."""

SAME_DIRECTION = 0.25
"""What a shared label adds to the overlap where both texts take the same direction on it, and what
it takes off where they take opposite ones."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class LabelTable:
    """The labels of n texts in one theory of m nodes.

    Attributes:
        theory: its name.
        nodes: names, in the registry's order, m of them.
        levels: level of each node, shape (m,), from 1.
        own: which nodes a text is labelled with, shape (n, m).
        closure: these and all their ancestors, shape (n, m).
        directions: codes of `DIRECTION_CODES` where `own`, else 0, shape (n, m), int8.
    """

    theory: str
    nodes: tuple[str, ...]
    levels: NDArray[np.int64]
    own: Bools
    closure: Bools
    directions: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.own)

    def rows(self, chosen: NDArray[np.int64] | Bools) -> "LabelTable":
        """The table of some of the texts."""
        parts = (self.own[chosen], self.closure[chosen], self.directions[chosen])
        return LabelTable(self.theory, self.nodes, self.levels, *parts)

    def values(self) -> tuple[list[str], Bools]:
        """The macro-values and which texts lie under each, shape (n, values)."""
        theory = load_registry().theories[self.theory]
        names = [value.name for value in theory.values]
        return names, self.closure[:, [self.nodes.index(name) for name in names]]


def ancestors_of(theory: Theory) -> Bools:
    """Row a, column b: whether node b is node a or lies above it; shape (m, m)."""
    names = list(theory.nodes)
    place = {name: number for number, name in enumerate(names)}
    found = np.eye(len(names), dtype=bool)
    for name in names:
        waiting = list(theory.nodes[name].parents)
        while waiting:
            above = waiting.pop()
            found[place[name], place[above]] = True
            waiting += theory.nodes[above].parents
    return found


def label_table(theory: str, labels: Sequence[Iterable[tuple[str, str]]]) -> LabelTable:
    """Puts labels into arrays.

    Args:
        theory: name of the theory.
        labels: for each text, (name of a node, direction); a direction is one of
            `DIRECTION_CODES`. The same node given twice with different directions is unknown.

    Raises:
        KeyError: a name is no node of the theory.
    """
    record = load_registry().theories[theory]
    place = {name: number for number, name in enumerate(record.nodes)}
    own = np.zeros((len(labels), len(place)), dtype=bool)
    directions = np.zeros((len(labels), len(place)), dtype=np.int8)
    for row, found in enumerate(labels):
        for name, direction in found:
            node, code = place[name], DIRECTION_CODES[direction]
            clash = own[row, node] and directions[row, node] != code
            own[row, node] = True
            directions[row, node] = 0 if clash else code
    levels = np.array([level_of(record, node) for node in record.nodes.values()])
    closure = (own.astype(np.float32) @ ancestors_of(record).astype(np.float32)) > 0
    return LabelTable(theory, tuple(record.nodes), levels, own, closure, directions)


def level_bins(one: LabelTable, other: LabelTable) -> tuple[NDArray[np.int8], Mapping[int, str]]:
    """How near two texts are in the hierarchy.

    Returns:
        Bins, shape (n of one, n of other): 0 where the two share nothing, l where the deepest node
        above both is of level l, then one bin for a shared label and one for a shared label in
        the same known direction. And the name of each bin.
    """
    deepest = int(one.levels.max())
    bins = np.zeros((len(one), len(other)), dtype=np.int8)
    for level in range(1, deepest + 1):
        at = one.levels == level
        bins[_shares(one.closure[:, at], other.closure[:, at])] = level
    bins[_shares(one.own, other.own)] = deepest + 1
    same = np.zeros_like(bins, dtype=bool)
    for code in (1, -1, 2):
        same |= _shares(one.directions == code, other.directions == code)
    bins[same] = deepest + 2
    names = {
        0: "nothing shared",
        deepest + 1: "same label",
        deepest + 2: "same label and direction",
    }
    names |= {level: f"level {level}" for level in range(1, deepest + 1)}
    return bins, dict(sorted(names.items()))


def overlap(one: LabelTable, other: LabelTable) -> NDArray[np.float32]:
    """How much the labels of two texts overlap, shape (n of one, n of other).

    The Jaccard similarity of the sets of nodes (labels with all their ancestors), to which
    `SAME_DIRECTION` is added times the share of the labels in common on which both take the same
    direction, and taken off times that on which they take opposite ones.
    """
    first, second = one.closure.astype(np.float32), other.closure.astype(np.float32)
    common = first @ second.T
    union = first.sum(1)[:, None] + second.sum(1)[None, :] - common
    found = common / np.maximum(union, 1)
    shared = one.own.astype(np.float32) @ other.own.astype(np.float32).T
    agree = np.zeros_like(shared)
    for code in (1, -1, 2):
        agree += _count(one.directions == code, other.directions == code)
    oppose = _count(one.directions == 1, other.directions == -1)
    oppose += _count(one.directions == -1, other.directions == 1)
    found += SAME_DIRECTION * (agree - oppose) / np.maximum(shared, 1)
    return np.asarray(found, dtype=np.float32)


def _count(one: Bools, other: Bools) -> NDArray[np.float32]:
    return np.asarray(one.astype(np.float32) @ other.astype(np.float32).T)


def _shares(one: Bools, other: Bools) -> Bools:
    return np.asarray(_count(one, other) > 0)
