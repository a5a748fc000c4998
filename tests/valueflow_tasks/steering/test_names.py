"""Values and levels are read in every form that the command line gives them."""

import pytest

from valueflow.hub_assets.errors import OptionError, UnknownNameError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.steering.names import levels_option, values_option

REGISTRY = load_registry()


@pytest.mark.parametrize("raw", ["-2,0,2", ["-2", "0", "2"], [-2, 0, 2], "2,-2", [2, -2], "+2, -2"])
def test_levels_in_every_form(raw: object) -> None:
    assert levels_option(REGISTRY, raw) == [-2, 0, 2]


def test_level_0_is_always_there_and_all_are_the_default() -> None:
    assert levels_option(REGISTRY, 2) == [0, 2]
    assert levels_option(REGISTRY, None) == [-2, -1, 0, 1, 2]
    with pytest.raises(OptionError, match="named twice"):
        levels_option(REGISTRY, "2,+2")


@pytest.mark.parametrize("raw", ["power,face", ["power", "face"], ["power,face"], "Face, POWER"])
def test_values_come_in_the_registrys_order(raw: object) -> None:
    assert [v.name for v in values_option(REGISTRY, raw, None)] == ["power", "face"]


def test_values_of_several_theories_may_be_mixed() -> None:
    found = values_option(REGISTRY, "justice,power", None)
    assert [v.theory for v in found] == ["pvq", "duty"]
    with pytest.raises(OptionError, match="names no value"):
        values_option(REGISTRY, "", None)


def test_all_values_of_a_theory_are_the_default() -> None:
    assert len(values_option(REGISTRY, None, None)) == 12
    assert [v.theory for v in values_option(REGISTRY, None, "moral foundations")] == ["mft"] * 6


@pytest.mark.parametrize("raw", ["power,Power", ["power", "pvq:power"], "care,care/harm"])
def test_a_value_named_twice_in_any_spelling_is_an_error(raw: object) -> None:
    with pytest.raises(OptionError, match=r"values: \w+:[\w-]+ is named twice"):
        values_option(REGISTRY, raw, None)


def test_an_unknown_value_or_theory_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown value 'powr'. Did you mean 'power'"):
        values_option(REGISTRY, "face,powr", None)
    with pytest.raises(UnknownNameError, match=r"unknown theory 'mtf'. Did you mean 'mft'"):
        values_option(REGISTRY, None, "mtf")
    with pytest.raises(UnknownNameError, match=r"unknown value of mft 'power'.*give theory=pvq"):
        values_option(REGISTRY, "power", "mft")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("0", "levels: names no level but 0"),
        ([], "levels: names no level but 0"),
        ("3", "levels: '3' is not a level; levels are -2, -1, 0, 1, 2"),
        ("high", "levels: 'high' is not a level"),
        (True, "levels: 'True' is not a level"),
    ],
)
def test_levels_that_cannot_be_name_the_levels_that_can(raw: object, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        levels_option(REGISTRY, raw)
