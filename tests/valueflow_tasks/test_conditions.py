"""Conditions: what each response of a run is steered toward and scored on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valueflow.conditions import (
    children_conditions,
    five_value_conditions,
    pair_conditions,
    pair_levels_option,
    pairs_option,
    scored_values,
    single_conditions,
    squares_option,
    with_default,
)
from valueflow.hub_assets.errors import OptionError, UnknownNameError
from valueflow.hub_assets.registry import load_registry

REGISTRY = load_registry()


def names(values: object) -> list[str]:
    return [value.name for value in values]  # type: ignore[attr-defined]


def test_the_default_comes_once_and_is_scored_on_every_value() -> None:
    pairs = pairs_option(REGISTRY, None, "pvq")
    conditions = with_default(pair_conditions(REGISTRY, pairs), REGISTRY)
    assert [c.name for c in conditions].count("default") == 1
    assert conditions[0].name == "default"
    assert set(names(conditions[0].score_on)) == {v for pair in pairs for v in pair.values}
    assert len(conditions) == 1 + 5 * 4


def test_a_single_condition_that_two_pairs_share_is_asked_once_and_scored_for_both() -> None:
    pairs = pairs_option(REGISTRY, "benevolence+universalism,power+universalism", None)
    found = with_default(pair_conditions(REGISTRY, pairs, [(2, 2)], singles=True), REGISTRY)
    shared = [c for c in found if c.name == "universalism+2"]
    assert len(shared) == 1
    assert set(names(shared[0].score_on)) == {"benevolence", "universalism", "power"}
    assert len({c.name for c in found}) == len(found) == 1 + 2 + 3


def test_a_pair_may_be_named_in_either_order_and_keeps_its_own_levels() -> None:
    (pair,) = pairs_option(REGISTRY, "authority+liberty", "mft")
    assert pair.name == "liberty-oppression&authority-subversion"
    assert (2, -2) in REGISTRY.levels_of_pair(pair)


def test_a_pair_that_the_catalogue_does_not_list_has_the_default_levels() -> None:
    (pair,) = pairs_option(REGISTRY, "Power × Face", None)
    assert pair.name == "power&face"
    assert REGISTRY.levels_of_pair(pair) == REGISTRY.defaults.pairs.levels


@pytest.mark.parametrize(
    ("pairs", "error", "message"),
    [
        ("power", OptionError, "is no pair"),
        ("power+face+security", OptionError, "is no pair"),
        ("power+power", OptionError, "both sides"),
        ("power+Power", OptionError, "both sides"),
        ("power+fidelity", UnknownNameError, "It is a value of duty"),
        ("power+benevolance", UnknownNameError, "benevolence"),
        ("", OptionError, "names no pair"),
        ("power+face,face+power", OptionError, "named twice"),
    ],
)
def test_what_is_no_pair_is_said_to_be_none(pairs: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        pairs_option(REGISTRY, pairs, None)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ("2/2", [(2, 2)]),
        (["2/2", "2/-2"], [(2, 2), (2, -2)]),
        ("+2/−1,-2/-2", [(2, -1), (-2, -2)]),
        ([[2, 1], [2, 1]], [(2, 1)]),
        (None, None),
    ],
)
def test_levels_of_pairs_in_every_form_the_command_line_gives(
    levels: object, expected: object
) -> None:
    assert pair_levels_option(REGISTRY, levels) == expected


@pytest.mark.parametrize("levels", ["2", "2/0", "2/3", "2/2/2", [2, 2], []])
def test_other_levels_of_pairs_are_refused(levels: object) -> None:
    with pytest.raises(OptionError):
        pair_levels_option(REGISTRY, levels)


def test_a_square_has_five_rows_of_five_targets() -> None:
    squares = squares_option(REGISTRY, None, "right")
    conditions = five_value_conditions(REGISTRY, squares)
    assert len(conditions) == 5
    assert conditions[0].name == (
        "civil_rights+2&political_rights+1&economic_rights+1&social_rights-1&cultural_rights-2"
    )
    assert len(five_value_conditions(REGISTRY, squares, singles=True)) == 5 + 5 * 4
    with pytest.raises(UnknownNameError, match="pvq"):
        squares_option(REGISTRY, "pvk", None)


def test_a_composite_steers_all_children_and_scores_the_parent() -> None:
    value = REGISTRY.value("benevolence")
    conditions = children_conditions(REGISTRY, [value], [-2, 0, 2])
    assert [c.name for c in conditions] == [
        "benevolence-2",
        "benevolence+2",
        "dependability-2&caring-2",
        "dependability+2&caring+2",
    ]
    assert all(names(c.score_on) == ["benevolence"] for c in conditions)
    with pytest.raises(OptionError, match="tradition has no children"):
        children_conditions(REGISTRY, [REGISTRY.value("tradition")], [2])


@given(st.permutations([v.name for v in REGISTRY.theory("pvq").values]))
def test_scored_values_come_in_the_registrys_order(order: list[str]) -> None:
    values = [REGISTRY.value(name) for name in order]
    found = scored_values(single_conditions(values, [2]), REGISTRY)
    assert found == REGISTRY.theory("pvq").values
