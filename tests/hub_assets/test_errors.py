"""Every error is one sentence that names the place and says what to do."""

import pytest

from valueflow.hub_assets.errors import (
    InputFileError,
    OptionError,
    UnknownNameError,
    ValueflowError,
)


def test_all_are_value_errors_that_one_clause_catches() -> None:
    for error in (
        InputFileError("t.csv", "is empty"),
        OptionError("levels", "is empty"),
        UnknownNameError("value", "x", ["y"]),
    ):
        assert isinstance(error, ValueflowError)
        assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [
        (None, None, "t.csv: is wrong"),
        (3, None, "t.csv, row 3: is wrong"),
        (None, "text", "t.csv, column 'text': is wrong"),
        (0, "text", "t.csv, row 0, column 'text': is wrong"),
    ],
)
def test_a_file_error_names_file_row_and_column(
    row: int | None, column: str | None, message: str
) -> None:
    assert str(InputFileError("t.csv", "is wrong", row=row, column=column)) == message


def test_an_option_error_carries_the_option() -> None:
    error = OptionError("levels", "3 is not a level")
    assert (error.option, str(error)) == ("levels", "levels: 3 is not a level")


def test_near_names_are_offered_best_first_and_far_ones_are_listed() -> None:
    error = UnknownNameError("value", "Powr", ["face", "power", "power", "tower"], "See the list.")
    assert error.suggestions == ["power", "tower"]
    assert str(error) == "unknown value 'Powr'. Did you mean 'power' or 'tower'? See the list."
    error = UnknownNameError("value", 17, ["power", "face"])
    assert error.suggestions == []
    assert str(error) == "unknown value '17'. Known: face, power."


def test_a_long_list_of_names_is_cut() -> None:
    message = str(UnknownNameError("value", "?", [f"name{n:03d}" for n in range(50)]))
    assert message.endswith("name039, ....")
    assert "name040" not in message
