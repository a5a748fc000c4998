"""Single responses: finite, calibrated, and wide where a judge's view of a text may differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulated_windows import Judge, simulate
from valueflow.scorers.estimate.evaluation import Estimate, evaluate
from valueflow.scorers.estimate.judge import AnchorErrors, JudgeModel
from valueflow.scorers.estimate.likelihood import insertion_log_likelihood, read_orders
from valueflow.scorers.estimate.responses import (
    grid_quantiles,
    intensity_grid,
    maximum_likelihood,
    response_log_likelihood,
)
from valueflow.scorers.estimate.table import WindowTable

ANCHORS = [-8.0, -4.0, 0.0, 4.0, 8.0]


def ranked(slot: int, count: int = 1, **changes: Any) -> WindowTable:
    """``count`` windows of one response, with the anchors in order and the response at ``slot``."""
    order = [5, 4, 3, 2, 1]
    order.insert(slot, 0)
    record = {
        "item": "i",
        "cell": "c",
        "value": "v",
        "query": None,
        "anchors": ANCHORS,
        "order": order,
        "position": 0,
        **changes,
    }
    texts = [[f"{window}-{anchor}" for anchor in range(5)] for window in range(count)]
    return WindowTable.from_records([{"texts": names, **record} for names in texts])


def estimate(table: WindowTable, judge: JudgeModel) -> Estimate:
    return evaluate(table, judge=judge).items[0]


@pytest.mark.parametrize(("slot", "end"), [(0, 10.0), (5, -10.0)])
def test_a_response_beyond_all_its_anchors_stays_finite_with_a_large_error(
    slot: int, end: float
) -> None:
    one = estimate(ranked(slot, 3), JudgeModel(scale=1.0))
    assert one.maximum_likelihood == end
    assert one.maximum_likelihood_se > 0.7
    assert 7 < abs(one.intensity) < 10
    assert one.lower >= -10
    assert one.upper <= 10


def test_more_windows_make_the_error_smaller() -> None:
    errors = [estimate(ranked(2, count), JudgeModel(scale=0.5)).se for count in (1, 3, 10)]
    assert errors[0] > errors[1] > errors[2]


def test_a_window_that_is_there_twice_counts_once() -> None:
    once = estimate(ranked(2), JudgeModel(scale=0.5))
    result = evaluate(ranked(2, 3, texts=["a", "b", "c", "d", "e"]), judge=JudgeModel(scale=0.5))
    assert result.items[0].intensity == pytest.approx(once.intensity, abs=1e-9)
    assert result.items[0].se == pytest.approx(once.se, abs=1e-9)
    assert any("repeats count once" in note for note in result.notes)


@pytest.mark.parametrize(("scale", "slot"), [(6.6, 1), (50.0, 1), (50.0, 4)])
def test_a_sharp_judge_places_a_response_between_its_neighbours(scale: float, slot: int) -> None:
    """Windows of many texts, in which products of worths leave a processor's range."""
    one = estimate(ranked(slot, 3), JudgeModel(scale))
    neighbours = sorted(ANCHORS, reverse=True)[slot - 1 : slot + 1]
    assert neighbours[1] < one.lower < one.intensity < one.upper < neighbours[0]
    assert one.intensity == pytest.approx(np.mean(neighbours), abs=0.1)
    assert one.se == pytest.approx(4 / np.sqrt(12), rel=0.1)


def test_a_rougher_judge_makes_the_error_larger() -> None:
    judges = [JudgeModel(0.5), JudgeModel(0.5, text_sd=2.0), JudgeModel(0.5, lapse_rate=0.2)]
    smooth, disagreeing, lapsing = (estimate(ranked(2, 10), judge).se for judge in judges)
    assert disagreeing > np.hypot(smooth, 1.5)
    assert lapsing > smooth


def test_the_unknown_of_the_judge_is_part_of_the_error() -> None:
    sure, unsure = (
        estimate(ranked(1, 10), JudgeModel(0.5, place_effect_se=error)).se for error in (0.0, 0.5)
    )
    assert unsure > 1.2 * sure


def test_a_window_against_all_order_moves_a_lapsing_judges_estimate_less() -> None:
    upside_down = ranked(2, order=[1, 2, 0, 3, 4, 5])
    steady, lapsing = (
        estimate(upside_down, JudgeModel(1.0, lapse_rate=rate)) for rate in (0.0, 0.05)
    )
    assert lapsing.se > 1.5 * steady.se


def test_a_place_effect_is_taken_out() -> None:
    first, last = (
        ranked(2, 5, position=place, shown=shown)
        for place, shown in ((0, [0, 1, 2, 3, 4, 5]), (5, [1, 2, 3, 4, 5, 0]))
    )
    judge = JudgeModel(0.5, place_effect=0.4)
    assert estimate(first, judge).intensity < estimate(last, judge).intensity - 2


def test_smoothing_over_text_errors_is_the_integral_over_them() -> None:
    orders = read_orders(ranked(2))
    grid = np.linspace(-10, 10, 81)
    judge = JudgeModel(1.0, text_sd=1.5)
    errors = AnchorErrors(np.zeros(5), np.zeros(5), 0.0)
    found = np.exp(response_log_likelihood(orders, np.zeros(1, int), 1, judge, errors, grid)[0])
    draws = np.random.default_rng(0).normal(0, 1.5, 20000)
    points = grid[[10, 40, 70]]
    truth = [
        np.exp(insertion_log_likelihood(orders, 1.0, 0.0, point + draws)).mean() for point in points
    ]
    np.testing.assert_allclose(found[[10, 70]] / found[40], np.array(truth)[[0, 2]] / truth[1],
                               rtol=0.05)  # fmt: skip


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0, 8.0])
def test_the_grid_is_fine_enough(scale: float) -> None:
    orders = read_orders(ranked(3, 3))
    grid = intensity_grid(scale, 5, 3)
    fine = np.linspace(-10, 10, 4001)
    means = []
    for points in (grid, fine):
        logs = insertion_log_likelihood(orders, scale, 0.0, points).sum(axis=0)
        likelihood = np.exp(logs - logs.max())
        means.append([points @ likelihood, points**2 @ likelihood] / likelihood.sum())
    np.testing.assert_allclose(means[0], means[1], rtol=0.01, atol=0.01)


def test_the_maximum_is_found_between_grid_points() -> None:
    grid = np.linspace(-10, 10, 41)
    location, error = maximum_likelihood(np.exp(-0.5 * (grid - 1.13) ** 2)[None], grid)
    assert location[0] == pytest.approx(1.13, abs=1e-6)
    assert error[0] == pytest.approx(1.0, rel=1e-3)


def test_quantiles_of_a_normal_density_are_those_of_the_normal() -> None:
    grid = np.linspace(-10, 10, 81)
    density = np.exp(-0.5 * ((grid - 1) / 0.8) ** 2)
    quantiles = grid_quantiles(density[None] / density.sum(), grid, (0.025, 0.975))[0]
    np.testing.assert_allclose(quantiles, [1 - 1.96 * 0.8, 1 + 1.96 * 0.8], atol=0.05)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 4), windows=st.integers(1, 4))
def test_a_window_and_its_mirror_image_get_opposite_estimates_from_tail_and_top(
    seed: int, scale: float, windows: int
) -> None:
    """With one anchor a window there is no top and no bottom: mirror images mirror exactly."""
    generator = np.random.default_rng(seed)
    anchors = generator.uniform(-9, 9, windows)
    wins = generator.random(windows) < 0.5
    fields = {"item": "i", "cell": "c", "value": "v", "query": None, "position": 0}
    found = []
    for sign in (1, -1):
        records = [
            {**fields, "anchors": [sign * x], "order": [0, 1] if win == (sign > 0) else [1, 0]}
            for x, win in zip(anchors.tolist(), wins.tolist(), strict=True)
        ]
        found.append(estimate(WindowTable.from_records(records), JudgeModel(scale)))
    assert found[0].intensity == pytest.approx(-found[1].intensity, abs=1e-6)
    assert found[0].se == pytest.approx(found[1].se, abs=1e-6)
    assert found[0].lower == pytest.approx(-found[1].upper, abs=1e-6)


def test_a_judge_that_favours_the_first_place_shifts_no_score() -> None:
    generator = np.random.default_rng(9)
    truth = generator.uniform(-6, 6, (1, 2000))
    for place_effect in (0.0, 1.0):
        result = evaluate(simulate(generator, Judge(1.0, place_effect), truth, 3))
        peak = np.array([item.maximum_likelihood for item in result.items])
        assert np.mean(peak - truth) == pytest.approx(0.0, abs=0.1)
