"""The items of a review: both queues, a fair sample, an order of one's own."""

from collections import Counter
from pathlib import Path

import pytest

from tests.review_folder import review_folder
from valueflow.hub_assets.errors import InputFileError
from valueflow.rebuild.database.review.decisions import Decision, open_decisions, read_decisions
from valueflow.rebuild.database.review.queue import in_order, items_of


def test_a_divided_row_that_was_settled_can_still_be_judged_by_others(tmp_path: Path) -> None:
    folder = review_folder(tmp_path)
    items = items_of(folder, "directions", read_decisions(folder))
    assert len(items) == 4
    with open_decisions(folder) as decisions:
        decisions.add(Decision(items[0].key, "pvq", "Ada", "support"))
    queue = folder / "categorize" / "queue.csv"
    review_folder(tmp_path / "other", divided=0)
    queue.write_bytes((tmp_path / "other" / "categorize" / "queue.csv").read_bytes())
    left = items_of(folder, "directions", read_decisions(folder))
    assert [(item.key, item.text) for item in left] == [(items[0].key, items[0].text)]


def test_a_sample_is_of_rows_that_nobody_flagged_and_holds_smaller_ones(tmp_path: Path) -> None:
    folder = review_folder(tmp_path, rows=30)
    none = read_decisions(folder)
    flagged = {item.key for item in items_of(folder, "ratings", none)}
    assert len(flagged) == 3
    few, many = (
        {i.key for i in items_of(folder, "ratings", none, sample=n)} - flagged for n in (5, 12)
    )
    assert len(few) == 5
    assert few < many
    assert {i.key for i in items_of(folder, "ratings", none, sample=12, seed=1)} != many | flagged
    assert len(items_of(folder, "ratings", none, sample=99)) == 30
    assert items_of(folder, "ratings", none, {"face"}, sample=5) == []


def test_every_row_is_as_likely_to_be_drawn_as_any_other(tmp_path: Path) -> None:
    folder = review_folder(tmp_path, rows=9, flagged=1)
    none = read_decisions(folder)
    drawn = Counter(
        item.key
        for seed in range(400)
        for item in items_of(folder, "ratings", none, sample=2, seed=seed)[1:]
    )
    assert len(drawn) == 8
    assert all(60 <= n <= 140 for n in drawn.values())  # 100 expected, standard deviation 8.7


def test_reviewers_have_orders_of_their_own_that_a_changing_queue_keeps(tmp_path: Path) -> None:
    folder = review_folder(tmp_path, rows=30, flagged=20)
    items = items_of(folder, "ratings", read_decisions(folder))
    ada, ben = in_order(items, "Ada", 0), in_order(items, "Ben", 0)
    assert ada == in_order(reversed(items), "ADA", 0)
    assert ada != ben
    assert ada != in_order(items, "Ada", 1)
    fewer = in_order(items[5:], "Ada", 0)
    assert fewer == [item for item in ada if item in fewer]


def test_a_queue_that_is_not_there_names_its_stage(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="run the stage 'flag' first"):
        items_of(tmp_path, "ratings", read_decisions(tmp_path))
