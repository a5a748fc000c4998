"""Parameters are read in every form that the command line gives them."""

import inspect

import click
import pytest

from valueflow.hub_assets.errors import OptionError, ValueflowError
from valueflow.hub_assets.inputs.options import (
    TaskOptionError,
    clear_errors,
    columns_option,
    given,
    number_option,
    words_option,
)


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


def test_a_number_below_the_least_is_told_the_least() -> None:
    with pytest.raises(OptionError, match="windows: 1 is not a whole number of at least 2"):
        number_option("windows", 1, 2)


def test_columns_are_a_mapping() -> None:
    assert columns_option("vidb_columns", None) == {}
    assert columns_option("vidb_columns", {"text": 3}) == {"text": "3"}
    with pytest.raises(
        OptionError, match=r"vidb_columns: 'text' is not a mapping.*-T vidb_columns"
    ):
        columns_option("vidb_columns", "text")


def test_a_users_error_becomes_one_message_on_the_command_line_and_other_errors_do_not() -> None:
    @clear_errors
    def task(kind: str, number: int = 3) -> int:
        if kind == "ours":
            raise OptionError("levels", "is wrong")
        if kind == "other":
            raise ValueError("a bug")
        return number

    assert task("fine", number=4) == 4
    assert list(inspect.signature(task).parameters) == ["kind", "number"]
    with pytest.raises(TaskOptionError, match="levels: is wrong") as caught:
        task("ours")
    assert isinstance(caught.value, ValueflowError)
    assert isinstance(caught.value, click.ClickException)
    with pytest.raises(ValueError, match="a bug") as bug:
        task("other")
    assert not isinstance(bug.value, ValueflowError)
