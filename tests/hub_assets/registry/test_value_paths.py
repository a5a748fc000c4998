"""A path leads from the top of a theory down to a node, through one parent where there are two."""

import pytest

from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.registry.paths import below, level_of, path_fault, path_to

REGISTRY = load_registry()
PVQ = REGISTRY.theories["pvq"]


@pytest.mark.parametrize("theory", list(REGISTRY.theories.values()), ids=lambda t: t.name)
def test_every_node_has_a_path_that_is_in_order(theory: object) -> None:
    for node in theory.nodes.values():  # type: ignore[attr-defined]
        path = path_to(theory, node)
        assert path_fault(path, theory) == ""  # type: ignore[arg-type]
        assert path.split("/")[-1] == node.name
        assert level_of(theory, node) == path.count("/") + 1


def test_of_two_parents_the_first_of_the_registry_is_taken_unless_told() -> None:
    face = PVQ.nodes["face"]
    assert path_to(PVQ, face) == "self-protection/self-enhancement/face"
    assert path_to(PVQ, face, lambda parents: parents[-1]) == "self-protection/conservation/face"
    humility = PVQ.nodes["humility"]
    assert path_to(PVQ, humility).startswith("growth/self-transcendence")
    assert path_fault("self-protection/conservation/humility", PVQ) == ""


def test_what_lies_below_a_value_are_its_children_only() -> None:
    assert [n.name for n in below(PVQ, PVQ.nodes["power"])] == ["resources", "dominance"]
    assert below(PVQ, PVQ.nodes["growth"]) == below(PVQ, PVQ.nodes["face"]) == ()


def test_a_path_that_skips_a_level_or_begins_below_the_top_is_a_fault() -> None:
    assert "is not above it" in path_fault("growth/benevolence", PVQ)
    assert "write self-protection/conservation" in path_fault("conservation/face", PVQ)
    assert "does not know" in path_fault("growth//benevolence", PVQ)
    assert path_fault("Self-protection/Self-enhancement/Face", PVQ) == ""
