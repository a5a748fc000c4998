"""The published estimator is reproduced."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from simulated_windows import Judge, simulate
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.reference import BOUND, RIDGE
from valueflow.scorers.estimate.table import WindowTable


def by_definition(table: WindowTable, item: int) -> float:
    """Root of the derivative of one response's log-likelihood, found by another method."""
    windows = []
    for row in np.flatnonzero(table.item == item):
        order = np.argsort(table.ranks[row])
        windows.append((order, np.concatenate([[np.nan], table.intensities[row]])))
    anchors = np.concatenate([x[1:] for _, x in windows])
    if all(order[0] == 0 for order, _ in windows):
        return float(anchors.max())
    if all(order[-1] == 0 for order, _ in windows):
        return float(anchors.min())

    def slope(response: float) -> float:
        total = -RIDGE * response
        for order, intensity in windows:
            worth = np.exp(np.where(np.isnan(intensity), response, intensity))[order]
            at = int(np.flatnonzero(order == 0)[0])
            total += 1 - sum(worth[at] / worth[stage:].sum() for stage in range(at + 1))
        return float(total)

    return float(np.clip(brentq(slope, -BOUND, BOUND), anchors.min(), anchors.max()))


@pytest.mark.parametrize("scale", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("windows", [1, 3])
def test_scores_are_the_roots_of_the_published_likelihood(scale: float, windows: int) -> None:
    generator = np.random.default_rng(0)
    table = simulate(generator, Judge(scale), generator.uniform(-9, 9, (1, 60)), windows)
    scores = [item.intensity for item in evaluate(table, estimator="reference").items]
    roots = [by_definition(table, item) for item in range(60)]
    np.testing.assert_allclose(scores, roots, atol=1e-4)


def test_it_states_no_error_for_a_response() -> None:
    generator = np.random.default_rng(1)
    table = simulate(generator, Judge(1.0), generator.uniform(-9, 9, (1, 20)), 1)
    result = evaluate(table, estimator="reference")
    assert all(np.isnan([item.se, item.lower, item.upper]).all() for item in result.items)
    cell = result.cells[0]
    scores = np.array([item.intensity for item in result.items])
    assert cell.intensity == pytest.approx(scores.mean())
    assert cell.se == pytest.approx(scores.std(ddof=1) / np.sqrt(20))


def test_noisy_judges_compress_it_and_not_us() -> None:
    generator = np.random.default_rng(2)
    truth = generator.normal(np.linspace(-6, 6, 12)[:, None], 1.5, (12, 100)).clip(-10, 10)
    table = simulate(generator, Judge(0.2), truth, 3)
    real = truth.mean(axis=1)
    slopes = [
        np.polyfit(real, [cell.intensity for cell in evaluate(table, estimator=name).cells], 1)[0]
        for name in ("reference", "population")
    ]
    assert slopes[0] < 0.85
    assert slopes[1] == pytest.approx(1.0, abs=0.1)
