"""Paths through the hierarchy of a theory, from a top group down to a leaf, joined by `/`.

A path begins at a node without parents, each label is a child of the one before it, and it passes
through a macro-value; it ends there or at a node below. `power` of pvq has the path
`self-protection/self-enhancement/power`. Where a node has several parents (hedonism, face and
humility of pvq have two), a path goes through one of them: the first in the registry's order,
unless `prefer` says otherwise.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from valueflow.hub_assets.registry.loading import Theory, Value

__all__ = ["below", "level_of", "path_fault", "path_to"]

Prefer = Callable[[Sequence[Value]], Value]
"""Chooses between the parents of a node, which come in the registry's order."""


def path_to(theory: Theory, node: Value, prefer: Prefer = lambda parents: parents[0]) -> str:
    """The path that ends at a node of a theory."""
    labels = [node.name]
    while parents := _in_order(theory, node.parents):
        node = prefer(parents)
        labels.append(node.name)
    return "/".join(reversed(labels))


def below(theory: Theory, node: Value) -> tuple[Value, ...]:
    """The children of a macro-value or of a child of a theory, in the registry's order."""
    return tuple(n for n in _in_order(theory, node.children) if n.kind == "child")


def level_of(theory: Theory, node: Value) -> int:
    """1 for a node of a theory without parents, else one more than its deepest parent."""
    return 1 + max((level_of(theory, theory.nodes[name]) for name in node.parents), default=0)


def path_fault(path: str, theory: Theory) -> str:
    """What is wrong with a path, in any spelling; the empty string where nothing is."""
    nodes = [theory.find(label) for label in path.split("/")]
    known = [node for node in nodes if node is not None]
    if len(known) < len(nodes):
        return f"has a label that {theory.name} does not know"
    for parent, child in pairwise(known):
        if parent.name not in child.parents:
            return f"puts {child.name} under {parent.name}, which is not above it in {theory.name}"
    if known[0].parents:
        whole = "/".join([path_to(theory, known[0]), *(node.name for node in known[1:])])
        return f"does not begin at the top of {theory.name}; write {whole}"
    return ""


def _in_order(theory: Theory, names: Sequence[str]) -> list[Value]:
    return [node for node in theory.nodes.values() if node.name in names]
