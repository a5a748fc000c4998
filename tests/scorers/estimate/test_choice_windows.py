"""Choice probabilities as evidence: what they are read from, and what they are worth."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from choice_judging import log_stable, state_choices
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from simulated_windows import Judge, cells_of_responses, draw_anchors, simulate
from valueflow.scorers.estimate import judge as judge_estimation
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.judge import (
    AnchorErrors,
    JudgeModel,
    choice_dispersion,
    choice_weight_of,
    fit_judge,
)
from valueflow.scorers.estimate.likelihood import read_orders
from valueflow.scorers.estimate.responses import response_log_likelihood
from valueflow.scorers.estimate.table import TAIL, WindowRecordError, WindowTable

GRID = np.linspace(-10, 10, 41)
JUDGE = JudgeModel(scale=0.6, place_effect=0.2)


def record(**fields: Any) -> dict[str, Any]:
    made = {
        "item": "a",
        "cell": "c",
        "value": "v",
        "query": None,
        "anchors": [-6.0, 0.5, 7.0],
        "position": 1,
        "shown": [3, 0, 1, 2],
        "choice": [0.2, 0.1, 0.3, 0.4],
    }
    made |= fields
    return {name: field for name, field in made.items() if field is not ...}


def table(*records: dict[str, Any]) -> WindowTable:
    return WindowTable.from_records(records)


def log_likelihood(made: WindowTable, judge: JudgeModel = JUDGE) -> np.ndarray:
    """Of the response's slot, by intensity, up to the anchors' part."""
    nothing = np.zeros(len(made.anchor_names))
    none = AnchorErrors(nothing, nothing, 0.0)
    orders = read_orders(made)
    return response_log_likelihood(orders, orders.by_window(made.item), 1, judge, none, GRID)[0]


def chosen(
    seed: int, scale: float, hidden: float = 0.0, cells: int = 6, place_effect: float = 0.0
) -> tuple[WindowTable, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = cells_of_responses(generator, np.linspace(-4, 6, cells), 40, 2.0)
    anchors = draw_anchors(generator, Judge(), 300)
    made = simulate(generator, Judge(scale), truth, 3, anchors=anchors)
    noise = log_stable(generator, math.sqrt(1 - hidden), made.ranks.shape)
    stated = scale / math.sqrt(1 - hidden)
    return state_choices(made, truth.ravel(), stated, noise, place_effect=place_effect), truth


def test_the_likelihood_is_the_cross_entropy_of_the_first_choice() -> None:
    choice = np.array([0.2, 0.1, 0.3, 0.4])
    found = log_likelihood(table(record()))
    intensity = np.column_stack([GRID, np.tile([-6.0, 0.5, 7.0], (len(GRID), 1))])
    worth = JUDGE.scale * intensity - JUDGE.place_effect * np.array([1, 2, 3, 0])
    expected = log_softmax(worth, axis=1) @ choice
    # The part of the anchors among themselves does not depend on the response.
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-10)


def test_it_is_largest_where_the_model_states_what_the_judge_states() -> None:
    worth = 0.6 * np.array([2.5, -6.0, 0.5, 7.0]) - 0.2 * np.array([1, 2, 3, 0])
    stated = np.exp(log_softmax(worth)).tolist()
    assert GRID[np.argmax(log_likelihood(table(record(choice=stated))))] == 2.5


def test_a_certain_choice_is_the_partial_order_that_names_one_text() -> None:
    generator = np.random.default_rng(3)
    ranked = simulate(
        generator,
        Judge(0.4, 0.1),
        cells_of_responses(generator, np.array([-2.0, 1, 4]), 40, 2.0),
        2,
    )
    first = ranked.ranks == 0
    named = replace(ranked, ranks=np.where(first, 0, TAIL))
    certain = replace(
        ranked, ranks=np.full_like(ranked.ranks, TAIL), choice=first.astype(np.float64)
    )
    one = evaluate(named, baselines={"cell 2": "cell 0"})
    other = evaluate(certain, baselines={"cell 2": "cell 0"})
    assert other.choice_weights == {"value": 1.0}

    def numbers(found: Any) -> list[float]:
        parts = [*found.items, *found.cells, *found.shifts, *found.judges.values()]
        fields = [number for part in parts for number in vars(part).values()]
        return [number for number in fields if isinstance(number, int | float)]

    np.testing.assert_allclose(numbers(other), numbers(one), atol=1e-8, rtol=0)
    assert other.fit["value"].observed == pytest.approx(one.fit["value"].observed, nan_ok=True)


def test_a_judge_and_its_cells_are_recovered_from_choices_alone() -> None:
    made, truth = chosen(0, 0.5, hidden=0.3, place_effect=0.15)
    found = evaluate(made)
    judge = found.judges["value"]
    # The scale of choices drawn by the judge; its place effect is dulled alike.
    assert judge.scale == pytest.approx(0.5, abs=4 * judge.scale_se + 0.02)
    assert judge.place_effect == pytest.approx(0.15 * math.sqrt(0.7), abs=0.04)
    for cell, real in zip(found.cells, truth.mean(axis=1), strict=True):
        assert cell.intensity == pytest.approx(real, abs=3.5 * cell.se)


def test_stated_distributions_tell_more_than_drawn_choices() -> None:
    made, _ = chosen(1, 0.5)
    generator = np.random.default_rng(9)
    assert made.choice is not None
    drawn = (made.choice.cumsum(axis=1) > generator.random((made.windows, 1))).argmax(axis=1)
    hard = np.eye(6)[drawn]
    stated, draws = evaluate(made), evaluate(replace(made, choice=hard))
    assert stated.choice_weights["value"] > 10
    assert draws.choice_weights["value"] == 1
    assert np.mean([item.se for item in stated.items]) < np.mean([i.se for i in draws.items])


def test_the_weight_falls_with_what_the_judge_hides() -> None:
    weights = [evaluate(chosen(2, 0.5, hidden)[0]).choice_weights["value"] for hidden in (0.1, 0.5)]
    assert weights[0] > 2 * weights[1] > 2
    assert evaluate(chosen(2, 0.5, 0.5)[0], choice_weight=2.5).choice_weights == {"value": 2.5}


def test_few_windows_claim_little() -> None:
    made, _ = chosen(4, 0.5)
    few = read_orders(made, np.arange(3))
    fitted = fit_judge(few, len(made.anchor_names))
    assert 1 <= choice_weight_of(few, fitted.marginal) < 3
    assert choice_dispersion(read_orders(simulated(2)), JUDGE) == 1


def simulated(seed: int) -> WindowTable:
    generator = np.random.default_rng(seed)
    return simulate(generator, Judge(0.5), cells_of_responses(generator, np.zeros(2), 10, 2.0), 2)


def test_a_selection_of_many_windows_keeps_each_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    # One in six windows of six texts: a selection by text would keep one text of each.
    made, _ = chosen(5, 1.0)
    monkeypatch.setattr(judge_estimation, "WINDOWS_FITTED", 120)
    fitted = fit_judge(read_orders(made), len(made.anchor_names))
    assert fitted.model.windows == made.windows
    assert fitted.model.scale == pytest.approx(1.0, abs=0.1)


def test_rankings_and_choices_stand_in_one_table() -> None:
    both = table(
        record(),
        record(item="b", choice=..., order=[3, 0, 2, 1]),
        record(item="c", anchors=[1.0, 2.0], shown=[0, 1, 2], position=0, choice=[0.5, 0.2, 0.3]),
    )
    assert both.choice is not None
    np.testing.assert_array_equal(np.isnan(both.choice[:, 0]), [False, True, False])
    assert both.choice[2].tolist() == [0.5, 0.2, 0.3, 0.0]
    found = evaluate(both)
    assert [item.windows for item in found.items] == [1, 1, 1]
    assert found.judges["v"].windows == 3
    assert any("2 of 3 windows are choice probabilities" in note for note in found.notes)
    alone = evaluate(table(record(item="b", choice=..., order=[3, 0, 2, 1])), judge=JUDGE)
    known = evaluate(both, judge=JUDGE)
    assert known.items[1].maximum_likelihood == alone.items[0].maximum_likelihood
    assert known.choice_weights == {"v": 1.0}


def test_a_table_of_rankings_has_no_trace_of_choices() -> None:
    made = table(record(choice=None, order=[0, 1, 2, 3]))
    assert made.choice is None
    found = evaluate(made)
    assert found.choice_weights == {}
    assert not any("choice" in note for note in found.notes)


@pytest.mark.parametrize(
    ("fields", "field", "problem"),
    [
        ({"choice": [0.5, 0.5]}, "choice", "2 probabilities for 4 texts"),
        ({"choice": [0.5, 0.6, -0.1, 0]}, "choice", "negative"),
        ({"choice": [0.5, math.nan, 0.5, 0]}, "choice", "not finite"),
        ({"choice": [math.inf, 0, 0, 0]}, "choice", "not finite"),
        ({"choice": [0, 0, 0, 0]}, "choice", "all probabilities are zero"),
        ({"choice": [0.9, 0.9, 0, 0]}, "choice", "sum to 1.8"),
        ({"choice": "0.5"}, "choice", "list of probabilities"),
        ({"choice": [None, 0, 0, 1]}, "choice", "list of probabilities"),
        ({"order": [0, 1, 2, 3]}, "choice", "beside an order"),
        ({"choice": ...}, "order", "missing"),
        ({"choice": None, "order": None}, "order", "at least one"),
    ],
)
def test_a_bad_choice_is_named(fields: dict[str, Any], field: str, problem: str) -> None:
    with pytest.raises(WindowRecordError, match=problem) as caught:
        table(record(), record(**fields))
    assert (caught.value.record, caught.value.field) == (1, field)


def test_rounded_probabilities_are_divided_by_their_sum() -> None:
    made = table(record(choice=[0.2, 0.1, 0.3, 0.405]))
    assert made.choice is not None
    assert made.choice.sum() == pytest.approx(1, abs=1e-15)


def test_the_reference_estimator_and_bad_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="reference estimator reads rankings"):
        evaluate(table(record()), estimator="reference")
    for weight in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="choice_weight must be positive"):
            evaluate(table(record()), choice_weight=weight)


shares = st.lists(st.floats(1e-3, 1), min_size=4, max_size=4).map(
    lambda values: [value / math.fsum(values) for value in values]
)


@given(shares, st.permutations([1, 2, 3]))
@settings(max_examples=30, deadline=None)
def test_the_order_in_which_anchors_are_listed_does_not_matter(
    choice: list[float], order: list[int]
) -> None:
    made = record(choice=choice)
    number = {old: new for new, old in enumerate([0, *order])}
    renamed = record(
        choice=[choice[i] for i in (0, *order)],
        anchors=[made["anchors"][i - 1] for i in order],
        shown=[number[i] for i in made["shown"]],
    )
    lapsing = replace(JUDGE, lapse_rate=0.05, text_sd=1.0)
    np.testing.assert_allclose(
        log_likelihood(table(made), lapsing), log_likelihood(table(renamed), lapsing), atol=1e-10
    )


@given(shares)
@settings(max_examples=30, deadline=None)
def test_a_distribution_is_the_average_of_the_choices_that_it_may_draw(choice: list[float]) -> None:
    lapsing = replace(JUDGE, lapse_rate=0.05)
    drawn = [
        log_likelihood(table(record(choice=..., order=[index])), lapsing) for index in range(4)
    ]
    expected = np.array(choice) @ np.array(drawn)
    found = log_likelihood(table(record(choice=choice)), lapsing)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@given(shares, st.floats(-3, 3))
@settings(max_examples=30, deadline=None)
def test_only_differences_of_intensity_count(choice: list[float], shift: float) -> None:
    def best(by: float) -> float:
        moved = record(choice=choice, anchors=[x + by for x in (-2.0, 0.5, 2.0)])
        sharp = JudgeModel(scale=1.0)
        none = AnchorErrors(np.zeros(3), np.zeros(3), 0.0)
        made = table(moved)
        grid = np.linspace(-10, 10, 41) + by
        orders = read_orders(made)
        rows = response_log_likelihood(orders, orders.by_window(made.item), 1, sharp, none, grid)
        return float(grid[rows[0].argmax()] - by)

    assert best(shift) == pytest.approx(best(0.0), abs=1e-9)
