"""Parameters are read in every form that the command line gives them."""

import pytest

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.registry import load_registry
from valueflow.options import given, levels_option, number_option, values_option, words_option

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


@pytest.mark.parametrize("raw", [3, "3", 3.0, "3.0"])
def test_numbers_in_every_form(raw: object) -> None:
    assert number_option("windows", raw, 1) == 3


@pytest.mark.parametrize("raw", [0, "x", 2.5, True, None, "nan", "inf", [3]])
def test_what_is_no_number_names_the_option(raw: object) -> None:
    with pytest.raises(OptionError, match="windows"):
        number_option("windows", raw, 1)


def test_words_and_defaults() -> None:
    assert words_option(None) == []
    assert words_option(3) == ["3"]
    assert given(0, 5) == 0
    assert given(None, 5) == 5
