"""Which of two responses to a question goes further: shares whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from simulated_windows import Judge, draw_anchors, simulate
from valueflow.scorers.estimate.cells import NODES
from valueflow.scorers.estimate.covariance import JointCells
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.judge import JudgeModel
from valueflow.scorers.summary.levels import exceeds, order_draws


def normal_curve(mean: float, sd: float) -> np.ndarray:
    return np.asarray(mean + sd * ndtri(NODES))[None]


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.7])
@pytest.mark.parametrize("difference", [-1.0, 0.0, 2.5])
def test_of_two_normal_populations_the_share_is_the_closed_form(
    correlation: float, difference: float
) -> None:
    first, second = normal_curve(difference, 1.5), normal_curve(0.0, 1.0)
    sd = np.sqrt(1.5**2 + 1 - 2 * correlation * 1.5)
    found = exceeds(first, second, np.array([correlation]))[0]
    assert found == pytest.approx(ndtr(difference / sd), abs=0.012)


def test_equal_populations_exceed_each_other_half_the_time() -> None:
    for curve in (normal_curve(1.0, 2.0), np.full((1, len(NODES)), 10.0)):
        assert exceeds(curve, curve, np.array([0.5]))[0] == pytest.approx(0.5, abs=1e-6)


def test_populations_that_do_not_meet_leave_no_doubt() -> None:
    apart = exceeds(normal_curve(8.0, 0.5), normal_curve(-8.0, 0.5), np.array([0.3]))[0]
    assert apart > 0.99


@pytest.mark.parametrize("scale", [0.4, 1.2])
def test_the_share_of_questions_that_rise_is_not_lowered_by_the_judges_noise(scale: float) -> None:
    """Two levels whose responses to a question correlate by 0.5; comparing single estimates of the
    noisy judge finds less."""
    difference, spread, correlation = 1.6, 2.0, 0.5
    truth = float(ndtr(difference / (spread * np.sqrt(2 * (1 - correlation)))))
    found, counted, held = [], [], []
    for run in range(16):
        generator = np.random.default_rng([run, round(10 * scale)])
        common = generator.normal(0, 1, 60)
        own = generator.normal(0, 1, (2, 60))
        means = np.array([[-difference / 2], [difference / 2]])
        mixed = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
        judge = Judge(scale)
        table = simulate(
            generator, judge, means + spread * mixed, 1, anchors=draw_anchors(generator, judge)
        )
        result = evaluate(table, judge=JudgeModel(scale))
        cells = {cell.cell: cell for cell in result.cells}
        joint = JointCells.of(
            {name: cell.intensity for name, cell in cells.items()},
            {name: cell.value for name, cell in cells.items()},
            result.errors,
        )
        share = order_draws(joint, [("cell 0", "cell 1")])["cell 0", "cell 1"]
        found.append(share[0])
        low, high = np.percentile(share[1:], (1, 99))
        held.append(low <= truth <= high)
        peak = {item.item: item.maximum_likelihood for item in result.items}
        counted.append(np.mean([peak[f"item {60 + q}"] > peak[f"item {q}"] for q in range(60)]))
    assert np.mean(found) == pytest.approx(truth, abs=0.03 + 2 * np.std(found) / 4)
    assert abs(np.mean(found) - truth) < abs(np.mean(counted) - truth)
    assert np.mean(held) >= 13 / 16
