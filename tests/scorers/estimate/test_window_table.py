"""Saved rankings become arrays, and bad ones are named by record and field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from valueflow.scorers.estimate.table import PAD, TAIL, WindowRecordError, WindowTable


def record(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "item": "answer 1",
        "cell": "power +2",
        "value": "power",
        "query": "query 1",
        "anchors": [-6.0, 0.0, 6.0],
        "order": [3, 0, 2, 1],
        "position": 2,
    }
    fields.update(changes)
    return {name: value for name, value in fields.items() if value is not ...}


def test_ranks_count_from_the_most_supporting_text() -> None:
    table = WindowTable.from_records([record()])
    assert table.ranks.tolist() == [[1, 3, 2, 0]]
    assert table.intensities.tolist() == [[-6.0, 0.0, 6.0]]


def test_tied_texts_share_a_rank() -> None:
    table = WindowTable.from_records([record(order=[3, [0, 2], 1])])
    assert table.ranks.tolist() == [[1, 2, 1, 0]]


def test_texts_that_an_order_leaves_out_form_its_tail() -> None:
    table = WindowTable.from_records([record(order=[3, 0])])
    assert table.ranks.tolist() == [[1, TAIL, TAIL, 0]]


def test_places_of_anchors_are_unknown_without_the_shown_order() -> None:
    plain, shown = (
        WindowTable.from_records([record()]),
        WindowTable.from_records([record(shown=[3, 1, 0, 2])]),
    )
    assert plain.places.tolist() == [[2, PAD, PAD, PAD]]
    assert shown.places.tolist() == [[2, 1, 3, 0]]


def test_smaller_windows_are_padded() -> None:
    table = WindowTable.from_records([record(), record(anchors=[1.5], order=[0, 1], position=0)])
    assert table.ranks[1].tolist() == [0, 1, PAD, PAD]
    assert np.isnan(table.intensities[1, 1:]).all()
    assert table.anchor_key[1, 1:].tolist() == [PAD, PAD]


def test_anchors_are_told_apart_by_text_where_texts_are_known() -> None:
    same, other = (
        [record(anchors=[1.0, 1.0], order=[0, 1, 2], position=0, texts=texts)]
        for texts in (["a", "a"], ["a", "b"])
    )
    assert len(set(WindowTable.from_records(same).anchor_key.ravel().tolist())) == 1
    assert len(set(WindowTable.from_records(other).anchor_key.ravel().tolist())) == 2


def test_an_item_without_a_query_is_its_own() -> None:
    table = WindowTable.from_records(
        [record(query=None), record(query=None), record(query=None, item="answer 2")]
    )
    assert table.item.tolist() == [0, 0, 1]
    assert len(table.queries) == 2


def test_one_name_in_two_cells_is_two_items_of_one_query() -> None:
    table = WindowTable.from_records([record(), record(cell="power 0")])
    assert table.items == ("answer 1", "answer 1")
    assert table.item_query.tolist() == [0, 0]


def test_unknown_fields_do_not_matter() -> None:
    with_more = WindowTable.from_records([record(judge="some judge", attempts=2)])
    assert with_more.ranks.tolist() == WindowTable.from_records([record()]).ranks.tolist()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"order": [3, 0, 0, 1]}, "order"),
        ({"order": [3, 0, 4, 1]}, "order"),
        ({"order": [3, 0, -1, 1]}, "order"),
        ({"order": [3, [0, 3], 1]}, "order"),
        ({"order": [3, [], 1]}, "order"),
        ({"order": []}, "order"),
        ({"order": "3021"}, "order"),
        ({"order": [3, 0, True, 2]}, "order"),
        ({"order": [3.0, 0, 1, 2]}, "order"),
        ({"order": ...}, "order"),
        ({"anchors": []}, "anchors"),
        ({"anchors": [1.0, float("nan"), 2.0]}, "anchors"),
        ({"anchors": [1.0, float("inf"), 2.0]}, "anchors"),
        ({"anchors": [1.0, "high", 2.0]}, "anchors"),
        ({"anchors": None}, "anchors"),
        ({"position": 4}, "position"),
        ({"position": -1}, "position"),
        ({"position": 0, "shown": [3, 1, 0, 2]}, "position"),
        ({"shown": [3, 1, 0]}, "shown"),
        ({"shown": [3, 1, 0, 0]}, "shown"),
        ({"texts": ["a", "b"]}, "texts"),
        ({"value": "security"}, "cell"),
        ({"query": "query 2"}, "query"),
        ({"item": ...}, "item"),
    ],
)
def test_a_bad_record_is_named_with_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(WindowRecordError, match=rf"record 1, field '{field}'") as caught:
        WindowTable.from_records([record(), record(**changes)])
    assert (caught.value.record, caught.value.field) == (1, field)
    assert isinstance(caught.value, ValueError)


def test_no_records_make_an_empty_table() -> None:
    assert WindowTable.from_records([]).windows == 0
