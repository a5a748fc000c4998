"""From windows to numbers: shapes, invariances, bad input, and the time that it takes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import astuple, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulated_windows import Judge, cells_of_responses, simulate
from valueflow.scorers.estimate.evaluation import Evaluation, evaluate
from valueflow.scorers.estimate.judge import JudgeModel
from valueflow.scorers.estimate.table import WindowTable


def small_run(seed: int = 0) -> WindowTable:
    generator = np.random.default_rng(seed)
    truth = cells_of_responses(generator, np.array([-3.0, 0.0, 4.0]), 15, 2.0)
    return simulate(generator, Judge(0.6, 0.2), truth, 2)


def permuted(table: WindowTable, windows: np.ndarray) -> WindowTable:
    fields = ("intensities", "ranks", "places", "item", "anchor_key")
    return replace(table, **{name: getattr(table, name)[windows] for name in fields})


def numbers(result: Evaluation) -> np.ndarray:
    cells = [astuple(cell)[2:] for cell in result.cells]
    items = [astuple(item)[4:] for item in result.items]
    return np.concatenate([np.ravel(cells), np.ravel(items)])


def window(**changes: Any) -> dict[str, Any]:
    return {
        "item": "i",
        "cell": "c",
        "value": "v",
        "query": "q",
        "anchors": [-6.0, 0.0, 6.0],
        "order": [3, 0, 2, 1],
        "position": 0,
        "shown": [0, 1, 2, 3],
        **changes,
    }


def test_the_same_windows_give_the_same_numbers() -> None:
    assert evaluate(small_run()) == evaluate(small_run())


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_windows_and_of_anchor_columns_does_not_matter(seed: int) -> None:
    table = small_run()
    generator = np.random.default_rng(seed)
    shuffled = permuted(table, generator.permutation(table.windows))
    column = generator.permutation(shuffled.intensities.shape[1])
    everything = np.concatenate([[0], 1 + column])
    shuffled = replace(
        shuffled,
        intensities=shuffled.intensities[:, column],
        anchor_key=shuffled.anchor_key[:, column],
        ranks=shuffled.ranks[:, everything],
        places=shuffled.places[:, everything],
    )
    np.testing.assert_allclose(
        numbers(evaluate(shuffled)), numbers(evaluate(table)), rtol=1e-6, atol=1e-8
    )


def test_everything_is_finite_and_on_the_scale() -> None:
    result = evaluate(small_run(), baselines={"cell 0": "cell 1", "cell 2": "cell 1"})
    assert np.isfinite(numbers(result)).all()
    for one in (*result.items, *result.cells):
        assert -10 <= one.lower <= one.intensity <= one.upper <= 10
    assert [shift.cell for shift in result.shifts] == ["cell 0", "cell 2"]
    assert result.shifts[0].shift == result.cells[0].intensity - result.cells[1].intensity


def test_a_wider_confidence_gives_wider_intervals() -> None:
    table, baselines = small_run(), {"cell 0": "cell 1"}
    half, most = (evaluate(table, confidence=c, baselines=baselines) for c in (0.5, 0.99))
    for narrow, wide in zip(
        (*half.items, *half.cells, *half.shifts), (*most.items, *most.cells, *most.shifts),
        strict=True,
    ):  # fmt: skip
        assert narrow.lower < narrow.upper
        assert wide.lower < narrow.lower or wide.lower == narrow.lower == -10
        assert wide.upper > narrow.upper or wide.upper == narrow.upper == 10


def test_values_do_not_mix() -> None:
    one = [window(item=f"i{n}", value="v", cell="c", order=[0, 3, 2, 1]) for n in range(4)]
    other = [window(item=f"i{n}", value="w", cell="d", order=[3, 2, 1, 0]) for n in range(4)]
    result = evaluate(WindowTable.from_records(one + other))
    assert set(result.judges) == {"v", "w"}
    assert [cell.cell for cell in result.cells] == ["c", "d"]
    assert result.cells[0].intensity > 0 > result.cells[1].intensity


def test_a_known_judge_is_taken_as_given() -> None:
    known = JudgeModel(scale=0.6, place_effect=0.2)
    by_value = evaluate(small_run(), judge={"value": known})
    assert by_value.judges == {"value": known}
    assert by_value == evaluate(small_run(), judge=known)


def test_one_response_with_three_windows_is_estimated_with_a_warning() -> None:
    table = WindowTable.from_records(
        [window(), window(order=[3, 2, 0, 1]), window(shown=[0, 2, 1, 3])]
    )
    result = evaluate(table)
    assert 0 < result.items[0].intensity < 6
    assert any("too few" in note for note in result.notes)


def test_a_cell_of_one_item_is_finite_and_wide() -> None:
    result = evaluate(WindowTable.from_records([window()]))
    assert result.cells[0].items == 1
    assert 1 < result.cells[0].se < 8


def test_one_anchor_a_window_is_enough() -> None:
    records = [window(anchors=[2.0], order=[0, 1], shown=[0, 1], item=f"i{n}") for n in range(9)]
    result = evaluate(WindowTable.from_records(records))
    assert np.isfinite(numbers(result)).all()
    assert result.cells[0].intensity > 0


def test_windows_of_equal_anchors_are_finite() -> None:
    records = [window(anchors=[1.0] * 3, item=f"i{n}") for n in range(5)]
    assert np.isfinite(numbers(evaluate(WindowTable.from_records(records)))).all()


def test_ties_and_partial_orders_are_evaluated_together() -> None:
    orders: list[list[Any]] = [[3, [0, 2], 1], [3, 0], [[0, 1, 2, 3]], [0], [[3, 0], [2, 1]]]
    records = [window(item=f"i{n}", order=order) for n, order in enumerate(orders)]
    result = evaluate(WindowTable.from_records(records))
    assert np.isfinite(numbers(result)).all()
    assert result.items[3].intensity > result.items[2].intensity


def test_an_item_without_a_window_is_left_out_and_reported() -> None:
    table = small_run()
    result = evaluate(permuted(table, np.flatnonzero(table.item != 3)))
    assert len(result.items) == len(table.items) - 1
    assert result.cells[0].items == 14
    assert any("1 items have no window" in note for note in result.notes)


def test_an_empty_table_has_no_numbers() -> None:
    result = evaluate(WindowTable.from_records([]))
    assert (result.items, result.cells, result.judges) == ([], [], {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimator": "mean"}, "estimator"),
        ({"confidence": 1.0}, "confidence"),
        ({"baselines": {"cell 0": "cell 9"}}, "cell 9"),
        ({"judge": {"other": JudgeModel(1.0)}}, "value"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(small_run(), **options)


def test_a_baseline_of_another_value_is_refused() -> None:
    table = WindowTable.from_records([window(), window(value="w", cell="d")])
    with pytest.raises(ValueError, match="different values"):
        evaluate(table, baselines={"c": "d"})


@pytest.mark.parametrize("bad", [{"scale": 0.0}, {"scale": np.inf}, {"scale": 1, "text_sd": -1}])
def test_an_impossible_judge_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="judge"):
        JudgeModel(**bad)


def test_the_mathematics_imports_no_harness() -> None:
    code = (
        "import sys, valueflow.scorers.estimate.evaluation;"
        "bad = {'inspect_ai', 'lm_eval', 'torch', 'pandas'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
