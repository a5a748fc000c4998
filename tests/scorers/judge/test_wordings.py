"""The number for a text alone, read strictly, and wordings that never share an answer."""

import pytest

from valueflow.hub_assets.errors import UnknownNameError
from valueflow.scorers.judge.asking import RANKING, RATING, SINGLE, worded
from valueflow.scorers.judge.questions.wordings import (
    STANDARD,
    WORDINGS,
    read_single_rating,
    wording_of,
)

CODE = "K7PQD"


@pytest.mark.parametrize(
    ("answer", "number", "repaired"),
    [
        ("K7PQD: 7", 7, False),
        ("**K7PQD: -3**", -3, True),
        ("It stands firmly behind it.\n\nK7PQD: 10", 10, True),
        ('{"K7PQD": 0}', 0, False),
        ("7", 7, True),
        (" **−4** ", -4, True),
        ("<think>perhaps 3</think>K7PQD: 5", 5, True),
    ],
)
def test_a_number_for_a_text_alone_is_read(answer: str, number: int, repaired: bool) -> None:
    found = read_single_rating(answer, [CODE])
    assert found is not None
    assert found.numbers == {CODE: number}
    assert found.repaired is repaired


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "K7PQD: 11",
        "11",
        "-11",
        "7.5",
        "K7PQD: 7.5",
        "K7PQD: high",
        "K7PQD: 7\nK7PQD: 3",
        "OTHER: 7",
        "7 or 8",
        "7/10",
        "I would not say K7PQD: 7",
        "K7PQD:",
    ],
)
def test_anything_else_is_no_number(answer: str) -> None:
    assert read_single_rating(answer, [CODE]) is None


def test_wordings_have_answers_of_their_own_and_the_standard_one_those_of_every_run() -> None:
    for form in (RANKING, RATING, SINGLE):
        assert worded(form, STANDARD) == form
        versions = {worded(form, wording).version for wording in WORDINGS.values()}
        assert len(versions) == len(WORDINGS) > 1


def test_an_unknown_wording_is_told_with_those_that_there_are() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'plain'"):
        wording_of("plains")
