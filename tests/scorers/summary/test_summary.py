"""What a run says, from records whose truth is known."""

import math
from typing import Any

import numpy as np
import pytest

from valueflow.scorers.summary.run import flatten, summarize

ANCHORS = [-8.0, -4.0, 0.0, 4.0, 8.0]


def record(query: str, level: int, place: int | None, **changes: Any) -> Any:
    """A response at `level` whose windows rank it below `place` of five anchors; None: unscored."""
    cell = f"power/{level:+d}" if level else "power/0"
    windows = []
    for position in (0, 5, 2):
        order = None
        if place is not None:
            anchors = [5, 4, 3, 2, 1]
            order = [*anchors[:place], 0, *anchors[place:]]
        others = [1, 2, 3, 4, 5]
        windows.append(
            {
                "anchors": ANCHORS,
                "texts": [f"t{i}" for i in range(5)],
                "shown": [*others[:position], 0, *others[position:]],
                "position": position,
                "labels": [],
                "order": order,
                "raw": ["x"],
                "calls": 2,
                "repaired": True,
                "failure": None,
                "error": None,
            }
        )
    return {
        "item": f"{query}/{level}#1",
        "query": query,
        "epoch": 1,
        "words": 10,
        "over_word_limit": False,
        "refusal": False,
        "unscored": None if place is not None else "grader_failed",
        "values": {
            "power": {
                "theory": "pvq",
                "value": "power",
                "level": level,
                "group": "",
                "cell": cell,
                "windows": windows,
                "borrowed": 1,
                "repeated": 0,
            }
        },
        **changes,
    }


def ladder(queries: int = 4) -> list[Any]:
    """Every query rises with the level: below 5, 4, 3, 2, 1 anchors."""
    return [
        record(f"q{q}", level, place)
        for q in range(queries)
        for level, place in ((-2, 5), (-1, 4), (0, 3), (1, 2), (2, 1))
    ]


def test_a_rising_ladder_is_monotone_with_most_signs_right() -> None:
    """Each level beats one anchor more than the last at every query; a few windows of an unknown
    judge do not make that certain."""
    few, more = (summarize(ladder(queries)).values[0].figures for queries in (4, 24))
    for figures in (few, more):
        assert 0.6 < figures["monotonicity"].value <= 1
        assert 0.8 < figures["sign_accuracy"].value <= 1
    assert more["monotonicity"].value > few["monotonicity"].value
    summary = summarize(ladder())
    figures = summary.values[0].figures
    assert figures["slope"].value > 2
    assert figures["up"].value > 0 > figures["down"].value
    assert figures["range"].value == pytest.approx(
        figures["up"].value - figures["down"].value, abs=1e-6
    )
    assert figures["asymmetry"].value == pytest.approx(
        abs(figures["up"].value) - abs(figures["down"].value), abs=1e-6
    )
    for cell in summary.cells:
        if cell.level:
            assert cell.sign_accuracy is not None
            assert cell.sign_accuracy.value > 0.7
    assert [cell.level for cell in summary.cells] == [-2, -1, 0, 1, 2]


def test_a_slope_is_that_of_the_means_on_the_levels() -> None:
    summary = summarize(ladder(8))
    means = {cell.level: cell.mean.value for cell in summary.cells}
    expected = np.polyfit(list(means), list(means.values()), 1)[0]
    assert summary.values[0].figures["slope"].value == pytest.approx(expected)


def test_asymmetry_stands_beside_the_room_that_the_default_leaves() -> None:
    summary = summarize(ladder(8))
    figures = summary.values[0].figures
    default = next(cell for cell in summary.cells if cell.level == 0)
    assert figures["room_up"].value == pytest.approx(10 - default.mean.value)
    assert figures["room_down"].value == pytest.approx(10 + default.mean.value)
    low, high = figures["room_up"].interval
    assert (low, high) == pytest.approx((10 - default.upper, 10 - default.lower))


def test_no_figure_of_a_saturated_run_is_certain() -> None:
    """Every steered response above, or below, all its anchors."""
    records = [
        record(f"q{q}", level, place)
        for q in range(12)
        for level, place in ((-2, 5), (-1, 5), (0, 3), (1, 0), (2, 0))
    ]
    summary = summarize(records)
    figures = summary.values[0].figures
    for name in ("range", "up", "down", "slope", "asymmetry"):
        low, high = figures[name].interval
        assert figures[name].se > 0.05, name
        assert low < figures[name].value < high
    assert figures["range"].upper <= 20
    shares = {cell.level: (cell.beyond_high, cell.beyond_low) for cell in summary.cells}
    assert shares == {-2: (0, 1), -1: (0, 1), 0: (0, 0), 1: (1, 0), 2: (1, 0)}
    flat = flatten(summary)
    assert flat["power/+2 beyond_high"] == flat["power/-2 beyond_low"] == 1
    assert any("beyond" in note and "power/+2" in note for note in summary.notes)


def test_the_published_estimator_reads_within_queries_with_students_t() -> None:
    figures = summarize(ladder(3), "reference").values[0].figures
    assert figures["monotonicity"].value == 1
    assert "room_up" not in figures
    records = [*ladder(2), *[record("q5", level, 3) for level in (-2, -1, 0, 1, 2)]]
    slope = summarize(records, "reference").values[0].figures["slope"]
    # Three queries: the quantile of t with 2 degrees of freedom is 4.30.
    assert slope.interval[1] - slope.value == pytest.approx(4.3027 * slope.se, rel=1e-4)


def test_below_ten_questions_a_note_says_so() -> None:
    few, enough = summarize(ladder(4)).notes, summarize(ladder(10)).notes
    assert any("4 questions" in note for note in few)
    assert not any("questions" in note for note in enough)


def test_a_response_that_does_not_move_counts_half() -> None:
    flat = [record(f"q{q}", level, 3) for q in range(3) for level in (0, 2)]
    cell = next(cell for cell in summarize(flat).cells if cell.level == 2)
    assert cell.sign_accuracy is not None
    assert cell.sign_accuracy.value == pytest.approx(0.5, abs=1e-6)
    monotonicity = summarize(flat).values[0].figures["monotonicity"]
    assert monotonicity.value == pytest.approx(0, abs=1e-6)
    low, high = monotonicity.interval
    assert low < 0 < high


def test_unscored_responses_are_counted_and_change_no_mean() -> None:
    whole = ladder()
    lost = [*whole, record("q9", 2, None), record("q8", 0, None, refusal=True, unscored="refusal")]
    with_lost, without = summarize(lost), summarize(whole)
    for a, b in zip(with_lost.cells, without.cells, strict=True):
        assert a.mean.value == pytest.approx(b.mean.value, abs=1e-9)
        assert a.count == b.count
    assert with_lost.counts["unscored"] == 2
    assert with_lost.counts["refusals"] == 1
    assert next(c for c in with_lost.cells if c.level == 2).unscored == 1


def test_calls_retries_and_repairs_are_summed() -> None:
    counts = summarize(ladder(2)).counts
    assert counts["judge_calls"] == 2 * 5 * 3 * 2
    assert counts["judge_retries"] == 2 * 5 * 3
    assert counts["judge_repairs"] == counts["windows"] == 2 * 5 * 3
    assert counts["anchors_borrowed"] == 10


def test_a_question_whether_a_response_declines_is_a_judge_call_too() -> None:
    records = ladder(2)
    before = summarize(records).counts
    counts = summarize([{**r, "refusal_raw": "no"} for r in records]).counts
    assert counts["judge_calls"] == before["judge_calls"] + len(records)
    assert counts["judge_retries"] == before["judge_retries"]


def test_a_run_without_a_default_has_means_but_no_shifts() -> None:
    summary = summarize([r for r in ladder() if not r["item"].endswith("/0#1")])
    assert all(cell.shift is None for cell in summary.cells)
    assert "up" not in summary.values[0].figures
    assert not math.isnan(summary.cells[0].mean.value)


def test_nothing_at_all_is_summed_up_as_nothing() -> None:
    summary = summarize([])
    assert summary.cells == []
    assert summary.evaluation is None
    assert summary.counts["responses"] == 0
    only_lost = summarize([record("q", 2, None)])
    assert only_lost.evaluation is None
    assert math.isnan(only_lost.cells[0].mean.value)


def test_the_order_of_the_records_changes_no_digit() -> None:
    assert flatten(summarize(ladder())) == flatten(summarize(ladder()[::-1]))


def test_groups_are_cells_of_their_own() -> None:
    records = []
    for group, place in (("model-a", 1), ("model-b", 5)):
        for level in (0, 2):
            one = record(f"q{level}", level, place if level else 3)
            one["item"] = f"{group}{level}"
            body = one["values"]["power"]
            body["group"] = group
            body["cell"] = f"{group} {body['cell']}"
            records.append(one)
    summary = summarize(records)
    shifts = {c.group: c.shift.value for c in summary.cells if c.shift is not None}
    assert shifts["model-a"] > 0 > shifts["model-b"]
