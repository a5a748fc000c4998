"""Likelihoods of rated responses are exact, and two views of one response do not count twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from simulated_windows import Judge, cells_of_responses, draw_anchors, population_means, simulate
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.evidence.rated_responses import (
    both_views,
    rated_likelihood,
    view_weights,
)
from valueflow.scorers.estimate.evidence.ratings import Ratings, assumed_rating_judge
from valueflow.scorers.estimate.evidence.value import without_derived_orders
from valueflow.scorers.estimate.responses import grid_moments

GRID = np.linspace(-10, 10, 161)
Array = NDArray[np.float64]


def windows_of(rows: list[list[float]], step: float = 1.0) -> Ratings:
    """One window for each rating; ``rows`` are by response."""
    rating = np.array([[one, np.nan] for row in rows for one in row])
    item = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    count = len(item)
    return Ratings(
        rating=rating,
        intensity=np.zeros((count, 1)),
        key=np.zeros((count, 1), dtype=np.int64),
        place=np.zeros((count, 2)),
        item=item,
        value=np.zeros(count, dtype=np.int64),
        step=step,
    )


def likelihood(rows: list[list[float]], text_sd: float, noise_sd: float = 1.0) -> Array:
    judge = assumed_rating_judge(0.8, text_sd, noise_sd)
    ratings = windows_of(rows)
    return rated_likelihood(ratings, np.zeros(len(ratings.item)), len(rows), judge, GRID)


def test_the_likelihood_is_that_of_rounded_and_cut_off_ratings_of_a_text_seen_once() -> None:
    """Against integration over the disagreement with the text by brute force."""
    error = np.linspace(-14, 14, 2801)
    weight = stats.norm.pdf(error, scale=2.0)
    noise = np.sqrt(1 - 1 / 12)
    expected = []
    for s in GRID:
        mean = 0.8 * (s + error)
        seven = stats.norm.cdf(7.5, mean, noise) - stats.norm.cdf(6.5, mean, noise)
        ten = stats.norm.sf(9.5, mean, noise)
        expected.append(float(weight @ (seven * ten)))
    wanted = np.array(expected) / max(expected)
    assert np.abs(likelihood([[7.0, 10.0]], 2.0)[0] - wanted).max() < 2e-3


def test_a_rating_at_the_end_says_at_least_and_not_exactly() -> None:
    end, near = likelihood([[10.0], [8.0]], 0.5, 0.5)
    assert (np.diff(end) >= 0).all()
    assert GRID[near.argmax()] == pytest.approx(10.0, abs=0.01)
    assert near[GRID < 7].max() < 1e-3


def test_more_windows_wear_down_the_noise_and_not_the_disagreement() -> None:
    one, many = likelihood([[0.0], [0.0] * 30], 2.0)
    spread = [grid_moments((row / row.sum())[None], GRID)[1][0] for row in (one, many)]
    assert spread[0] == pytest.approx(np.hypot(2.0, 1 / 0.8), abs=0.05)
    assert spread[1] == pytest.approx(2.0, abs=0.05)


def test_a_response_without_a_rating_is_left_open() -> None:
    judge = assumed_rating_judge(0.8, 2.0, 1.0)
    found = rated_likelihood(windows_of([[3.0]]), np.zeros(1), 2, judge, GRID)
    assert (found[1] == 1).all()


def normal(mean: float, sd: float) -> Array:
    return np.exp(-0.5 * ((GRID - mean) / sd) ** 2)[None]


@pytest.mark.parametrize(("first", "second"), [(2.0, 2.0), (2.0, 1.2), (1.0, 1.1)])
def test_two_views_tell_what_their_best_linear_combination_tells(
    first: float, second: float
) -> None:
    """Their errors are all disagreement with the text here, so that they correlate by 0.8."""
    ranked, rated = normal(1.0, first), normal(-1.0, second)
    joint = both_views(ranked, rated, view_weights(ranked, rated, GRID, first, second))
    mean, sd = grid_moments(joint / joint.sum(axis=1, keepdims=True), GRID)
    covariance = np.array([[first**2, 0.8 * first * second], [0.8 * first * second, second**2]])
    precision = np.linalg.inv(covariance)
    if (precision.sum(axis=0) > 0).all():
        assert sd[0] == pytest.approx(precision.sum() ** -0.5, rel=0.02)
        assert mean[0] == pytest.approx((precision @ [1, -1]).sum() / precision.sum(), abs=0.03)
    else:  # The worse view adds nothing.
        assert sd[0] == pytest.approx(min(first, second), rel=0.02)


def test_the_same_evidence_twice_is_hardly_more_than_once() -> None:
    view = normal(1.0, 2.0)
    joint = both_views(view, view, view_weights(view, view, GRID, 2.0, 2.0))
    sd = grid_moments(joint / joint.sum(axis=1, keepdims=True), GRID)[1][0]
    assert sd == pytest.approx(2.0 * np.sqrt(0.9), rel=0.02)


def test_a_view_that_is_missing_leaves_the_other_whole() -> None:
    view, flat = normal(1.0, 2.0), np.ones((1, len(GRID)))
    for pair in ((view, flat), (flat, view)):
        joint = both_views(*pair, view_weights(*pair, GRID, 2.0, 2.0))
        assert np.allclose(joint, view / view.max())


@pytest.mark.parametrize("scale", [0.3, 1.2, 3.0])
@pytest.mark.parametrize("text_sd", [0.0, 4.0])
def test_intervals_of_responses_and_cells_hold(scale: float, text_sd: float) -> None:
    inside, held = [], []
    for seed in range(3):
        generator = np.random.default_rng(seed)
        judge = Judge(scale, text_sd=text_sd, rating_level=1.0, rating_slope=0.85)
        centres = np.array([-6.0, -2.0, 2.0, 6.0])
        truth = cells_of_responses(generator, centres, 30, 2.0)
        anchors = draw_anchors(generator, judge, 80, 9.5)
        found = evaluate(simulate(generator, judge, truth, 1, anchors=anchors, rated=True))
        pairs = zip(found.items, truth.ravel(), strict=True)
        inside += [one.lower <= t <= one.upper for one, t in pairs]
        means = zip(found.cells, population_means(centres, 2.0), strict=True)
        held += [abs(cell.intensity - mean) < 2.6 * cell.se for cell, mean in means]
    assert 0.90 <= np.mean(inside) <= 0.995
    assert np.mean(held) >= 0.9


def test_ratings_tell_more_than_rankings_of_the_same_windows() -> None:
    judge = Judge(1.2, text_sd=2.0)
    error = {}
    for rated in (True, False):
        generator = np.random.default_rng(5)
        truth = cells_of_responses(generator, np.array([-5.0, 0.0, 5.0]), 60, 2.0)
        own = generator.normal(0, 2.0, truth.size)
        anchors = draw_anchors(generator, judge, 100, 9.5)
        table = simulate(
            generator, judge, truth, 1, anchors=anchors, response_error=own, rated=rated
        )
        items = evaluate(table).items
        found = np.array([one.flat_prior for one in items])
        error[rated] = float(np.sqrt(np.mean((found - truth.ravel()) ** 2)))
    assert error[True] < 0.95 * error[False]


def test_orders_made_from_the_ratings_are_not_counted_again() -> None:
    generator = np.random.default_rng(2)
    judge = Judge(1.2, text_sd=2.0)
    truth = cells_of_responses(generator, np.array([-4.0, 4.0]), 20, 2.0)
    table = simulate(generator, judge, truth, 2, rated=True)
    assert table.ratings is not None
    derived = np.argsort(np.argsort(-table.ratings, axis=1, kind="stable"), axis=1)
    alone = evaluate(table)
    both = evaluate(replace(table, ranks=derived))
    assert both.judges == {}
    assert any("made from them" in note for note in both.notes)
    for one, other in zip(both.cells, alone.cells, strict=True):
        assert (one.intensity, one.se) == (other.intensity, other.se)


def test_orders_of_their_own_are_kept_beside_ratings() -> None:
    generator = np.random.default_rng(2)
    judge = Judge(1.2, text_sd=2.0)
    truth = cells_of_responses(generator, np.array([-4.0, 4.0]), 20, 2.0)
    anchors = draw_anchors(generator, judge, 60, 9.5)
    rated = simulate(generator, judge, truth, 2, anchors=anchors, rated=True)
    ranks = np.argsort(generator.random(rated.ranks.shape), axis=1)
    assert without_derived_orders(replace(rated, ranks=ranks))[1] is None


def test_the_reference_estimator_asks_for_rankings() -> None:
    table = simulate(np.random.default_rng(0), Judge(), np.zeros((1, 5)), 1, rated=True)
    with pytest.raises(ValueError, match="reads rankings"):
        evaluate(table, estimator="reference")
