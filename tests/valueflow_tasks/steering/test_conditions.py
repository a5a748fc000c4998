"""Conditions: what each response of a run is steered toward and scored on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valueflow.hub_assets.errors import OptionError, UnknownNameError
from valueflow.hub_assets.registry.loading import Pair, load_registry
from valueflow.hub_assets.survey.persons import Profile, ProfileValue
from valueflow.steering.conditions import (
    children_conditions,
    five_value_conditions,
    names_in_run,
    pair_conditions,
    profile_conditions,
    scored_values,
    single_conditions,
    with_default,
)
from valueflow.steering.names import pair_levels_option, pairs_option, squares_option

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


def test_levels_are_those_of_the_values_in_the_order_in_which_the_user_named_them() -> None:
    levels = pair_levels_option(REGISTRY, "2/-1")
    pairs = pairs_option(REGISTRY, "universalism+power,power+face", None, levels)
    found = [c.name for c in pair_conditions(REGISTRY, pairs)]
    # The catalogue lists power before universalism.
    assert found == ["power-1&universalism+2", "power+2&face-1"]
    (pair,) = pairs_option(REGISTRY, "authority+liberty", "mft", [(1, 2)])
    assert [c.name for c in pair_conditions(REGISTRY, [pair])] == [
        "liberty-oppression+2&authority-subversion+1"
    ]


def test_nodes_of_two_theories_that_share_a_name_stay_conditions_of_their_own() -> None:
    pairs = pairs_option(REGISTRY, "security+tradition,mft:tradition+mft:obedience", None)
    found = with_default(pair_conditions(REGISTRY, pairs, [(2, 2)], singles=True), REGISTRY)
    by_targets = {condition.targets: condition for condition in found}
    assert len(by_targets) == len(found) == 1 + 2 * 3
    alone = [c for c in found if c.name == "tradition+2"]
    assert [names(c.score_on) for c in alone] == [
        ["security", "tradition"],
        ["authority-subversion"],
    ]
    ids = names_in_run(found)
    assert len(set(ids)) == len(ids)
    assert {"pvq:tradition+2", "mft:tradition+2", "security+2", "default"} <= set(ids)


def test_a_pair_that_stands_twice_is_scored_in_the_order_of_its_targets() -> None:
    pair = Pair(theory="pvq", values=("power", "universalism"))
    found = with_default(pair_conditions(REGISTRY, [pair, pair], [(2, 1)]), REGISTRY)
    assert [c.name for c in found] == ["default", "power+2&universalism+1"]
    assert names(found[1].score_on) == ["power", "universalism"]


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


@pytest.mark.parametrize("levels", [2, 2.5, "2", "2/0", "2/3", "2/2/2", [2, 2], []])
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


def test_a_theory_that_the_named_square_is_not_of_is_refused() -> None:
    with pytest.raises(OptionError, match="duty is a square of duty, not of mft"):
        squares_option(REGISTRY, "duty", "mft")
    assert squares_option(REGISTRY, "duty", "duty")[0].theory == "duty"


def test_the_levels_of_a_users_own_pair_come_before_those_of_the_catalogue() -> None:
    own = Pair(theory="pvq", values=("power", "universalism"), levels=((2, -2),))
    registry = REGISTRY.model_copy(update={"pairs": (*REGISTRY.pairs, own)})
    (pair,) = pairs_option(registry, "power+universalism", None)
    assert registry.levels_of_pair(pair) == ((2, -2),)


def profile(name: str, **known: float) -> Profile:
    values = tuple(ProfileValue(value=value, intensity=x) for value, x in known.items())
    return Profile(name=name, theory="pvq", values=values)


def test_a_profile_is_one_condition_of_all_levels_and_bears_its_name() -> None:
    anna = profile("anna", benevolence=7.5, power=-2.5, face=1.0, hedonism=-9.0)
    (found,) = profile_conditions(REGISTRY, [anna])
    levels = {name: level for _, name, level in found.target_names}
    assert levels == {"benevolence": 2, "power": -1, "hedonism": -2}
    assert found.name == "anna"
    assert len(found.score_on) == 12
    (two,) = profile_conditions(REGISTRY, [anna], strongest=2, others=False)
    assert {name for _, name, _ in two.target_names} == {"benevolence", "hedonism"}
    assert set(names(two.score_on)) == {"benevolence", "power", "face", "hedonism"}


def test_two_profiles_of_the_same_levels_are_two_conditions() -> None:
    both = [profile("anna", power=3), profile("ben", power=5)]
    found = with_default(profile_conditions(REGISTRY, both, others=False), REGISTRY)
    assert names_in_run(found) == ["default", "anna", "ben"]
    assert [x for one in found for _, x in one.asked] == [3, 5]
