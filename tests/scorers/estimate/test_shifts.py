"""Shifts from a baseline: paired by query, calibrated, and symmetric where the truth is."""

from __future__ import annotations

import numpy as np
import pytest

from simulated_windows import NOISES, Judge, simulate
from valueflow.scorers.estimate.covariance import CellErrors, cell_covariance, item_correlation
from valueflow.scorers.estimate.evaluation import evaluate


def errors(influence: np.ndarray, query: np.ndarray, judge: float = 0.0) -> CellErrors:
    return CellErrors(1.0, influence, query, np.array([judge]))


def shift_error(one: CellErrors, other: CellErrors) -> float:
    covariance = cell_covariance([one, other], ["power", "power"])
    return float(np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]))


def test_cells_without_shared_queries_are_independent() -> None:
    influence = np.random.default_rng(0).normal(0, 1, 50)
    one, other = errors(influence, np.arange(50)), errors(influence, np.arange(50) + 50)
    assert item_correlation([one, other], ["power", "power"])[1][0, 1] == 0
    assert shift_error(one, other) == pytest.approx(np.sqrt(2))


def test_shared_queries_that_move_both_cells_make_the_error_small() -> None:
    generator = np.random.default_rng(1)
    query = np.arange(200)
    common = generator.normal(0, 1, 200)
    one, other = (common + 0.5 * generator.normal(0, 1, 200) for _ in range(2))
    found = shift_error(errors(one, query), errors(other, query))
    assert found == pytest.approx(np.sqrt(2 * (1 - 0.8)), rel=0.15)


def test_what_few_queries_tell_of_a_correlation_is_drawn_toward_what_is_usual() -> None:
    """Two queries always correlate by 1 or -1; five cells that do so by chance are not believed."""
    generator = np.random.default_rng(3)
    few = [errors(generator.normal(0, 1, 2), np.arange(2)) for _ in range(5)]
    correlation = item_correlation(few, ["power"] * 5)[0]
    assert np.abs(correlation[~np.eye(5, dtype=bool)]).max() < 0.5


def test_cells_of_a_value_lend_each_other_what_they_share() -> None:
    """Eight queries tell little of one pair, more of the twenty-eight pairs of eight cells."""
    alone, together = [], []
    for run in range(60):
        generator = np.random.default_rng(run)
        query = generator.normal(0, 2, 8)
        cells = [errors(query + generator.normal(0, 1, 8), np.arange(8)) for _ in range(8)]
        alone.append(item_correlation(cells[:2], ["power"] * 2)[0][0, 1])
        together.append(item_correlation(cells, ["power"] * 8)[0][0, 1])
    assert np.std(together) < np.std(alone)
    assert 0.5 < np.mean(together) < 0.8


def test_what_the_judge_does_to_both_cells_alike_cancels() -> None:
    generator = np.random.default_rng(2)
    parts = [(generator.normal(0, 1, 100), np.arange(100) + 100 * side) for side in range(2)]
    same = shift_error(errors(*parts[0], 3.0), errors(*parts[1], 3.0))
    opposite = shift_error(errors(*parts[0], 3.0), errors(*parts[1], -3.0))
    assert same == pytest.approx(np.sqrt(2))
    assert opposite == pytest.approx(np.sqrt(2 + 36))


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [pytest.param(0.0, marks=pytest.mark.slow), 0.9])
def test_intervals_of_shifts_hold_the_truth_as_often_as_they_say(correlation: float) -> None:
    held, widths = [], []
    for run in range(25):
        generator = np.random.default_rng([run, round(10 * correlation)])
        query = generator.normal(0, 1, 60)
        own = generator.normal(0, 1, (11, 60))
        mixed = np.sqrt(correlation) * query + np.sqrt(1 - correlation) * own
        centres = np.linspace(-4, 4, 11)
        table = simulate(generator, Judge(1.0), centres[:, None] + 1.5 * mixed, 2)
        baselines = {f"cell {cell}": "cell 5" for cell in range(11) if cell != 5}
        for shift in evaluate(table, baselines=baselines).shifts:
            truth = centres[int(shift.cell.split()[1])] - centres[5]
            held.append(shift.lower <= truth <= shift.upper)
            widths.append(shift.se)
            assert shift.pairs == 60
    assert 0.90 <= np.mean(held) <= 0.985
    # Queries that matter alike in both cells make the shift surer.
    assert (np.mean(widths) < 0.34) == (correlation > 0.5)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("scale", [pytest.param(0.5, marks=pytest.mark.slow), 2.0])
def test_up_is_not_made_easier_than_down(noise: str, scale: float) -> None:
    asymmetries = []
    for run in range(6):
        generator = np.random.default_rng([run, round(10 * scale)])
        half = generator.normal(0, 2, (8, 50))
        default = np.concatenate([half, -half], axis=1)
        up = np.clip(4 + generator.normal(0, 2, (8, 100)), -10, 10)
        table = simulate(generator, Judge(scale, noise=noise), np.vstack([default, up, -up]), 3)
        means = np.array([c.intensity for c in evaluate(table).cells]).reshape(3, 8).mean(axis=1)
        asymmetries.append(abs(means[1] - means[0]) - abs(means[2] - means[0]))
    assert abs(np.mean(asymmetries)) < 0.15 + 2 * np.std(asymmetries) / np.sqrt(6)
