"""Saved ratings are checked, and brought to one scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from valueflow.scorers.estimate.table import WindowRecordError, WindowTable


def record(ratings: Any, **more: Any) -> dict[str, Any]:
    return {
        "item": "a",
        "cell": "power/+1",
        "value": "power",
        "anchors": [-5.0, 5.0],
        "texts": ["low", "high"],
        "position": 0,
        "ratings": ratings,
        **more,
    }


def test_ratings_stand_in_place_of_an_order_the_response_first() -> None:
    table = WindowTable.from_records([record([4, -6, 7])])
    assert table.ratings is not None
    assert table.ratings.tolist() == [[4, -6, 7]]
    assert table.rated.tolist() == [True]
    assert table.ranked.tolist() == [False]


def test_ratings_stand_beside_an_order() -> None:
    records = [record([4, -6, 7], order=[2, 0, 1]), record(None, order=[2, 0, 1])]
    table = WindowTable.from_records(records)
    assert table.rated.tolist() == [True, False]
    assert table.ranked.tolist() == [True, True]


def test_a_scale_of_0_to_100_is_seen_from_the_ratings() -> None:
    table = WindowTable.from_records([record([50, 5, 100]), record([7, 8, 9])])
    assert table.ratings is not None
    assert table.ratings[0] == pytest.approx([0, -9, 10])
    assert table.rating_step == pytest.approx(0.2)


def test_a_named_scale_is_brought_to_points() -> None:
    table = WindowTable.from_records([record([1, 4, 7], rating_scale=[1, 7])])
    assert table.ratings is not None
    assert table.ratings[0] == pytest.approx([-10, 0, 10])
    assert table.rating_step == pytest.approx(20 / 6)


def test_halves_make_a_finer_step() -> None:
    assert WindowTable.from_records([record([1.5, 2, -3])]).rating_step == 0.5


def test_an_anchor_may_be_without_a_rating() -> None:
    table = WindowTable.from_records([record([4, None, 7])])
    assert table.ratings is not None
    assert np.isnan(table.ratings[0, 1])


def test_windows_of_different_sizes_keep_their_columns() -> None:
    small = record([4, -6], anchors=[-5.0], texts=["low"])
    table = WindowTable.from_records([small, record([1, 2, 3])])
    assert table.ratings is not None
    assert np.isnan(table.ratings[0]).tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("ratings", "more", "problem"),
    [
        ([4, -6], {}, "2 ratings for 3 texts"),
        ([4, -6, 7, 1], {}, "4 ratings for 3 texts"),
        ([4, "high", 7], {}, "'high' is not a number"),
        ([4, True, 7], {}, "True is not a number"),
        ([4, float("nan"), 7], {}, "not a finite number"),
        ([4, float("inf"), 7], {}, "not a finite number"),
        ("4 -6 7", {}, "list of numbers"),
        (7, {}, "list of numbers"),
        ([None, -6, 7], {}, "response, which comes first, has no rating"),
        ([4, None, None], {}, "no anchor has a rating"),
        ([4, -6, -11], {}, "-11 lies outside"),
        ([4, 101, 7], {}, "101 lies outside"),
        ([4, -6, 8], {"rating_scale": [1, 7]}, "-6 lies outside the scale from 1 to 7"),
        ([4, 1, 8], {"rating_scale": [1, 7]}, "8 lies outside the scale from 1 to 7"),
        ([4, 1, 5], {"rating_scale": [7, 1]}, "lower end first"),
        ([4, 1, 5], {"rating_scale": "1-7"}, "lower end first"),
    ],
)
def test_what_is_wrong_with_ratings_is_named(
    ratings: Any, more: dict[str, Any], problem: str
) -> None:
    with pytest.raises(WindowRecordError, match=problem) as error:
        WindowTable.from_records([record([1, 2, 3], **more), record(ratings, **more)])
    assert error.value.field == "ratings"
    assert error.value.record in (0, 1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (record([4, -6, 7]), record([50, 20, 90])),
        (record([50, 20, 90]), record([4, -6, 7])),
        (record([4, 5, 6], rating_scale=[1, 7]), record([4, -6, 7])),
        (record([4, 5, 6]), record([4, 5, 6], rating_scale=[1, 7])),
    ],
)
def test_two_scales_in_one_file_are_refused(first: Any, second: Any) -> None:
    with pytest.raises(WindowRecordError, match="mixed scales") as error:
        WindowTable.from_records([first, second])
    assert error.value.record == 1


def test_answers_to_two_questions_are_refused() -> None:
    with pytest.raises(WindowRecordError, match="rating and placement"):
        WindowTable.from_records([record([4, -6, 7]), record([4, None, 7])])
