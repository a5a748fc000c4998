"""Normal errors about texts: windows told from the top and from the bottom, in shares."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from simulated_windows import Judge, cells_of_responses, draw_anchors, population_means, simulate
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.judge import JudgeModel, attenuation, errors_of_known
from valueflow.scorers.estimate.likelihood import (
    Orders,
    anchor_log_likelihood,
    mixed_anchor_log_likelihood,
    read_orders,
    turned,
)
from valueflow.scorers.estimate.table import WindowTable

FIELDS = {"cell": "c", "value": "v", "query": None, "shown": [2, 0, 3, 1]}


def orders_of(records: list[dict[str, object]]) -> Orders:
    return read_orders(WindowTable.from_records([{**FIELDS, **record} for record in records]))


def test_the_probabilities_of_all_orders_sum_to_one() -> None:
    anchors = [7.0, -2.0, 4.0]
    every = itertools.permutations((1, 2, 3))
    orders = orders_of(
        [{"item": f"{n}", "anchors": anchors, "order": [0, *o]} for n, o in enumerate(every)]
    )
    nothing = np.zeros(orders.intensity.shape)
    for dulled in (0.2, 0.7, 1.0):
        logs, _ = mixed_anchor_log_likelihood(orders, 0.4, 0.3, nothing, np.full(6, dulled))
        assert np.exp(logs).sum() == pytest.approx(1.0)


def test_turned_twice_is_as_before_and_windows_that_name_few_texts_are_not_turned() -> None:
    orders = orders_of(
        [
            {"item": "whole", "anchors": [7.0, -2.0, 4.0], "order": [1, 3, 0, 2]},
            {"item": "few", "anchors": [7.0, -2.0, 4.0], "order": [1]},
        ]
    )
    once = turned(orders)
    twice = turned(once.orders)
    for name in ("intensity", "place", "key", "ahead", "chosen", "place_of_response"):
        np.testing.assert_array_equal(getattr(twice.orders, name), getattr(orders, name))
    whole, few = np.argsort([orders.window[0], orders.window[1]])
    np.testing.assert_array_equal(once.orders.intensity[whole], [2.0, -4.0, -7.0])
    np.testing.assert_array_equal(once.orders.intensity[few], orders.intensity[few])


@pytest.mark.parametrize(("scale", "text_sd"), [(1.2, 4.0), (3.0, 3.0), (0.3, 4.0)])
def test_windows_have_their_probability_whose_anchors_are_known_up_to_normal_errors(
    scale: float, text_sd: float
) -> None:
    generator = np.random.default_rng(0)
    judge = Judge(scale, text_sd=text_sd)
    anchors = draw_anchors(generator, judge, 100_000)
    orders = read_orders(
        simulate(generator, judge, generator.uniform(-9, 9, (1, 150)), 1, anchors=anchors)
    )
    nothing = np.zeros(orders.intensity.shape)
    exact = np.full(150, -np.inf)
    draws = 8000
    for _ in range(draws):
        error = text_sd * generator.normal(size=nothing.shape)
        exact = np.logaddexp(exact, anchor_log_likelihood(orders, scale, 0.0, error))
    exact -= np.log(draws)
    dulled = attenuation(scale, np.full(150, text_sd**2))
    one_way = anchor_log_likelihood(orders, scale * dulled, 0.0)
    mixed, _ = mixed_anchor_log_likelihood(orders, scale, 0.0, nothing, dulled)
    assert np.std(mixed - exact) < 0.6 * np.std(one_way - exact)
    assert np.std(mixed - exact) < 0.2
    assert abs(np.mean(mixed - exact)) < 0.03


def test_errors_about_anchors_are_found_however_many_windows_push_at_once() -> None:
    """Each of 44 anchors in 270 windows: their pushes must not throw one another off the scale."""
    generator = np.random.default_rng(4)
    judge = Judge(1.2, text_sd=4.0)
    anchors = draw_anchors(generator, judge, 44, reach=9.0)
    table = simulate(generator, judge, generator.uniform(-8, 8, (1, 2400)), 1, anchors=anchors)
    known = errors_of_known(read_orders(table), 44, JudgeModel(1.2, text_sd=4.0))
    off = known.mean - anchors.error
    # Their slope on intensity is not known, up to 4 / sqrt(44) / 5.2 = 0.12.
    tilt = np.polyfit(anchors.intensity, off, 1)
    assert abs(tilt[0]) < 0.3
    assert np.std(off - np.polyval(tilt, anchors.intensity)) < 0.6
    assert np.corrcoef(known.mean, anchors.error)[0, 1] > 0.97
    assert 0.1 < np.sqrt(known.variance.mean()) < 0.8


def test_cells_of_a_judge_that_disagrees_with_texts_lean_to_neither_side() -> None:
    """Gumbel noise leans upward; 4 points of normal disagreement about each anchor do not."""
    off, held = [], []
    for seed in range(6):
        generator = np.random.default_rng([seed, 78])
        judge = Judge(1.2, text_sd=4.0)
        centres = np.linspace(-6, 6, 8)
        truth = cells_of_responses(generator, centres, 100, 2.0)
        anchors = draw_anchors(generator, judge, 100_000, reach=9.0)
        table = simulate(generator, judge, truth, 1, anchors=anchors)
        found = evaluate(table, judge=JudgeModel(1.2, text_sd=4.0)).cells
        for cell, mean in zip(found, population_means(centres, 2.0), strict=True):
            off.append(cell.intensity - mean)
            held.append(cell.lower <= mean <= cell.upper)
    # 48 cells, each with a standard error of 0.6.
    assert abs(np.mean(off)) < 0.22
    assert np.polyfit(np.tile(population_means(centres, 2.0), 6), off, 1)[0] < 0.08
    assert np.mean(held) > 0.88
