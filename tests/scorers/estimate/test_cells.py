"""A cell is a population: its mean does not shrink, and its interval holds the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulated_windows import (
    Judge,
    cells_of_responses,
    draw_anchors,
    population_means,
    simulate,
)
from valueflow.scorers.estimate.cells import (
    cell_posterior,
    cluster_factor,
    lone_posteriors,
    populations,
)
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.judge import JudgeModel
from valueflow.scorers.estimate.table import WindowTable

GRID = np.linspace(-10, 10, 81)


def seen_with_noise(centre: float, sd: float, count: int, seed: int = 0) -> np.ndarray:
    """Likelihoods (count, G) of responses about ``centre``, seen with normal noise of 1."""
    generator = np.random.default_rng(seed)
    observed = generator.normal(centre, sd, count) + generator.normal(0, 1, count)
    return np.asarray(np.exp(-0.5 * (GRID - observed[:, None]) ** 2))


def test_a_population_of_two_terms_is_a_normal_one_truncated_to_the_scale() -> None:
    # exp(-(x - 9)^2 / (2 * 2^2)) in Legendre polynomials of x / 10.
    one = populations(GRID, np.array([[9 * 10 / 4, -100 / (3 * 4), 0.0, 0.0]]))
    assert one.density.sum() == pytest.approx(1.0)
    assert one.mean[0] == pytest.approx(population_means(np.array([9.0]), 2.0)[0], abs=0.01)
    assert one.mean[0] < 9.0


def test_a_cell_and_its_mirror_image_get_opposite_posteriors() -> None:
    likelihood = seen_with_noise(5.0, 2.0, 25)
    one, other = (
        cell_posterior(GRID, rows, [], 0.025) for rows in (likelihood, likelihood[:, ::-1])
    )
    assert one.mean == pytest.approx(-other.mean, abs=1e-6)
    assert one.sd == pytest.approx(other.sd, abs=1e-6)


def split_windows(share: float, count: int, seed: int, scale: float = 1.2) -> WindowTable:
    """A cell in which ``share`` of the responses stand at 10 and the others at -10."""
    generator = np.random.default_rng(seed)
    truth = np.where(generator.random((1, count)) < share, 10.0, -10.0)
    anchors = draw_anchors(generator, Judge(scale), reach=9.0)
    return simulate(generator, Judge(scale), truth, 3, anchors=anchors)


@pytest.mark.parametrize(("share", "mean"), [(0.9, 8.0), (0.5, 0.0)])
def test_a_cell_that_splits_is_read_as_it_is(share: float, mean: float) -> None:
    """A truncated normal population reads the first as 6.4 with an error of 0.3."""
    found = [evaluate(split_windows(share, 100, seed)).cells[0] for seed in range(12)]
    off = np.array([cell.intensity - mean for cell in found])
    assert abs(off.mean()) < 0.3 + 2 * off.std() / np.sqrt(12)
    # The binomial error of the share, in points, is the least that it can be.
    least = 20 * np.sqrt(share * (1 - share) / 100)
    assert least * 0.7 < np.mean([cell.se for cell in found]) < least * 1.5
    assert np.mean([cell.lower <= mean <= cell.upper for cell in found]) >= 10 / 12


def test_a_split_that_few_responses_do_not_show_is_inside_the_interval() -> None:
    """Of 20 responses that flip one time in ten, one run in eight shows no flip at all."""
    generator = np.random.default_rng(0)
    truth = np.where(generator.random((60, 20)) < 0.9, 10.0, -10.0)
    anchors = draw_anchors(generator, Judge(1.2), reach=9.0)
    table = simulate(generator, Judge(1.2), truth, 3, anchors=anchors)
    cells = evaluate(table, judge=JudgeModel(1.2)).cells
    held = np.array([cell.lower <= 8.0 <= cell.upper for cell in cells])
    without = (truth > 0).all(axis=1)
    assert without.sum() >= 4
    assert held[without].all()
    # Five flips and more, of which one run in 23 has any, are too many for the upper end.
    assert held.mean() >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / 60)
    # All in the middle, nothing need be feared of the ends.
    middle = simulate(generator, Judge(1.2), np.full((1, 20), 2.0), 3, anchors=anchors)
    cell = evaluate(middle, judge=JudgeModel(1.2)).cells[0]
    assert cell.upper - cell.lower < 3


def test_a_cell_at_the_end_of_the_scale_reaches_it_and_is_not_sure() -> None:
    """Every response above every anchor: what lies beyond the anchors is not known."""
    table = split_windows(1.0, 40, 0)
    result = evaluate(table, baselines={})
    cell = result.cells[0]
    assert cell.upper == 10.0
    assert 8.5 < cell.intensity < 10.0
    assert cell.lower < cell.intensity - 0.05
    assert 0.03 < cell.se < 1.0
    assert cell.beyond_high > 0.8
    assert cell.beyond_low == 0


def test_responses_beyond_their_anchors_are_counted_by_side() -> None:
    cell = evaluate(split_windows(0.5, 40, 3, scale=20.0)).cells[0]
    assert cell.beyond_high + cell.beyond_low == 1.0
    assert 0.2 < cell.beyond_low < 0.8
    middle = np.zeros((1, 40))
    inside = evaluate(simulate(np.random.default_rng(0), Judge(3.0), middle, 3)).cells[0]
    assert (inside.beyond_high, inside.beyond_low) == (0.0, 0.0)


def test_no_error_is_larger_than_that_of_knowing_nothing() -> None:
    """One query asked ten times tells of other queries nothing, whatever the factor."""
    table = split_windows(0.5, 10, 1)
    same = replace(table, item_query=np.zeros_like(table.item_query), queries=("query",))
    cell = evaluate(same).cells[0]
    assert 1 < cell.se <= 20 / np.sqrt(12)
    assert -10 <= cell.lower < cell.upper <= 10


def test_mean_and_spread_of_a_large_cell_are_found() -> None:
    cell = cell_posterior(GRID, seen_with_noise(3.0, 2.0, 4000), [], 0.025)
    assert cell.mean == pytest.approx(3.0, abs=0.12)
    assert cell.spread == pytest.approx(2.0, abs=0.15)
    assert cell.sd == pytest.approx(np.sqrt(5 / 4000), rel=0.15)


def test_a_cell_far_from_zero_is_not_pulled_toward_zero() -> None:
    found = [
        cell_posterior(GRID, seen_with_noise(6.0, 1.0, 20, seed), [], 0.025).mean
        for seed in range(40)
    ]
    assert np.mean(found) == pytest.approx(6.0, abs=3 * np.std(found) / np.sqrt(40))


def test_windows_without_information_leave_a_cell_unknown() -> None:
    cell = cell_posterior(GRID, np.ones((30, len(GRID))), [], 0.025)
    assert cell.mean == pytest.approx(0.0, abs=0.2)
    assert cell.sd > 4


def test_items_of_a_tight_cell_borrow_from_each_other() -> None:
    likelihood = seen_with_noise(2.0, 0.4, 200)
    cell = cell_posterior(GRID, likelihood, [], 0.025)
    alone = likelihood @ GRID / likelihood.sum(axis=1)
    shared = cell.item @ GRID
    assert shared.std() < 0.5 * alone.std()
    np.testing.assert_allclose(cell.item.sum(axis=1), 1)


def test_a_lone_item_is_the_same_alone_and_among_lone_items() -> None:
    likelihood = seen_with_noise(2.0, 3.0, 5)
    together = lone_posteriors(GRID, likelihood, [likelihood], 0.025)
    alone = lone_posteriors(GRID, likelihood[3:4], [likelihood[3:4]], 0.025)[0]
    assert together[3].mean == pytest.approx(alone.mean)
    assert together[3].other_mean[0] == pytest.approx(alone.mean)
    np.testing.assert_allclose(together[3].item, alone.item)


def test_repeated_queries_widen_the_error_of_a_cell() -> None:
    influence = np.repeat(np.random.default_rng(0).normal(0, 1, 50), 4)
    assert cluster_factor(influence, np.repeat(np.arange(50), 4)) == pytest.approx(2.0, rel=0.05)
    assert cluster_factor(influence, np.arange(200)) == 1.0


def test_a_cell_of_one_query_has_the_error_of_one_query() -> None:
    assert cluster_factor(np.array([0.5, -0.5, 1.0, -1.0]), np.zeros(4, dtype=int)) == 2.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "place_effect"),
    [
        pytest.param(0.3, 0.0, marks=pytest.mark.slow),
        pytest.param(1.0, 1.0, marks=pytest.mark.slow),
        (3.0, 0.3),
    ],
)
def test_intervals_of_cells_and_responses_hold_the_truth_as_often_as_they_say(
    scale: float, place_effect: float
) -> None:
    inside: list[bool] = []
    held: list[bool] = []
    for run in range(20):
        generator = np.random.default_rng([run, round(10 * scale)])
        centres = generator.uniform(-6, 6, 25)
        truth = cells_of_responses(generator, centres, 40, 2.0)
        result = evaluate(simulate(generator, Judge(scale, place_effect), truth, 2))
        means = population_means(centres, 2.0)
        inside += [c.lower <= m <= c.upper for c, m in zip(result.cells, means, strict=True)]
        held += [e.lower <= x <= e.upper for e, x in zip(result.items, truth.ravel(), strict=True)]
    # 500 cells of 20 judges: a coverage of 0.95 is observed with an error of 0.01 or a bit more.
    assert 0.92 <= np.mean(inside) <= 0.98
    assert 0.92 <= np.mean(held) <= 0.97


def test_means_of_cells_follow_the_truth_with_slope_one() -> None:
    slopes = []
    for run in range(6):
        generator = np.random.default_rng(run)
        truth = cells_of_responses(generator, np.linspace(-6, 6, 15), 100, 2.0)
        result = evaluate(simulate(generator, Judge(0.5), truth, 1))
        estimate = [cell.intensity for cell in result.cells]
        slopes.append(np.polyfit(truth.mean(axis=1), estimate, 1)[0])
    assert np.mean(slopes) == pytest.approx(1.0, abs=0.03)
