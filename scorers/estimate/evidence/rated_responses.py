"""Likelihoods of responses that were rated, alone or beside rankings of the same responses.

A response's ratings are independent given what the judge sees in the text, which is the response's
intensity and the judge's disagreement with it.  The disagreement is shared by all its windows, so
it is integrated out once for a response, and more windows do not wear it down.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from valueflow.scorers.estimate.evidence.ratings import END, RatingJudge, Ratings
from valueflow.scorers.estimate.evidence.views import product_of, view_powers
from valueflow.scorers.estimate.responses import BATCH, LIMIT, by_group

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

VIEW_CORRELATION = 0.8
"""Correlation of the disagreements with one text that a judge shows when it ranks and when it
rates: rankings and ratings of one response are two views of it, and hardly two judges."""

FARTHEST = 3.5
"""Standard deviations of the disagreement that are followed."""


def rating_grid(judge: RatingJudge, windows: float) -> Array:
    """Equally spaced intensities, fine enough for ``windows`` ratings of one response.

    Args:
        judge: whose ratings are read.
        windows: ratings of the response that has most of them.

    Returns:
        Intensities (G,), in points.
    """
    slope = max(abs(judge.slope), 0.05)
    finest = float(np.hypot(judge.noise_sd / slope / np.sqrt(max(windows, 1.0)), judge.text_sd))
    finest = min(0.7 * finest, judge.noise_sd / slope)
    step = 0.5 if finest >= 0.5 else 0.25 if finest >= 0.25 else 0.125
    return np.linspace(-LIMIT, LIMIT, round(2 * LIMIT / step) + 1)


def rated_likelihood(
    ratings: Ratings, lapsed: Array, items: int, judge: RatingJudge, grid: Array
) -> Array:
    """Likelihood (items, G) of each response's ratings on the grid, each row's maximum 1.

    Args:
        ratings: the windows of one value; ``item`` numbers the responses from 0.
        lapsed: chance (W,) that a window was rated without regard to the texts.
        items: number of responses; those without a rating get 1 everywhere.
        judge: the judge's scale. Where ratings do not follow the anchors, all rows are 1.
        grid: intensities (G,), equally spaced.
    """
    told = np.flatnonzero(~np.isnan(ratings.rating[:, 0]))
    if not judge.follows and judge.ratings:
        return np.ones((items, len(grid)))
    step = float(grid[1] - grid[0])
    seen, kernel = _text_kernel(
        float(grid[0]), step, len(grid), judge.text_sd, judge.text_sd_log_se
    )
    rating, place = ratings.rating[told, 0], ratings.place[told, 0]
    # Both lie on coarse lattices: one number tells a pair of them.
    _, example, kind = np.unique(
        np.round(1e3 * rating) * 1e4 + np.round(2 * place), return_index=True, return_inverse=True
    )
    earnest, random = _probabilities(rating[example], place[example], judge, seen)
    order = np.argsort(ratings.item[told], kind="stable")
    likelihood = np.ones((items, len(grid)))
    numbers, start = np.unique(ratings.item[told][order], return_index=True)
    ends = np.append(start, len(order))
    for first in range(0, len(numbers), BATCH):
        last = min(first + BATCH, len(numbers))
        rows = order[ends[first] : ends[last]]
        lapse = lapsed[told[rows], None]
        logs = np.log((1 - lapse) * earnest[kind[rows]] + lapse * random[kind[rows], None] + 1e-300)
        code = np.repeat(np.arange(last - first), np.diff(ends[first : last + 1]))
        total = by_group(code, last - first) @ logs
        part = np.exp(total - total.max(axis=1, keepdims=True)) @ kernel
        likelihood[numbers[first:last]] = part / part.max(axis=1, keepdims=True)
    return likelihood


def _probabilities(
    rating: Array, place: Array, judge: RatingJudge, seen: Array
) -> tuple[Array, Array]:
    """Probability of each rating (n,) by seen intensity (n, S), and in a lapse (n,)."""
    half = judge.step / 2
    upper = np.where(rating >= END - 1e-9, np.inf, rating + half)
    lower = np.where(rating <= -END + 1e-9, -np.inf, rating - half)
    # The interval is the rounding, which the noise includes.
    sd = float(np.sqrt(max(judge.noise_sd**2 - judge.step**2 / 12, (judge.step / 4) ** 2)))
    expected = judge.expected(seen) - judge.place_effect * place[:, None]
    low, high = (lower[:, None] - expected) / sd, (upper[:, None] - expected) / sd
    # In the upper tail the difference of two numbers near 1 would lose all digits.
    flipped = low + high > 0
    inside = np.where(flipped, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))
    mean, width = judge.usual
    random = ndtr((upper - mean) / width) - ndtr((lower - mean) / width)
    return inside, np.maximum(random, 1e-9)


@lru_cache(maxsize=4)
def _text_kernel(
    start: float, step: float, points: int, text_sd: float, log_se: float
) -> tuple[Array, Array]:
    """Seen intensities (S,), and the matrix (S, G) of the chance that g is seen at s.

    ``text_sd`` is uncertain: three nodes of its log stand for a normal distribution.
    """
    nodes = np.sqrt(3.0) * log_se * np.array([-1.0, 0.0, 1.0])
    beyond = int(np.ceil(FARTHEST * text_sd * np.exp(nodes[-1]) / step))
    distance = step * np.arange(-beyond - points + 1, beyond + points)
    near = np.zeros(len(distance))
    for node, share in zip(nodes, (1 / 6, 2 / 3, 1 / 6), strict=True):
        sd = max(text_sd * float(np.exp(node)), 1e-9)
        near += share * (ndtr((distance + step / 2) / sd) - ndtr((distance - step / 2) / sd))
    number = np.arange(points + 2 * beyond)
    kernel = near[number[:, None] - np.arange(points) + points - 1]
    seen = np.asarray(start + step * (number - beyond), np.float64)
    return seen, np.asarray(kernel / kernel.sum(axis=0), np.float64)


def view_weights(
    ranked: Array, rated: Array, grid: Array, ranked_text_sd: float, rated_text_sd: float
) -> tuple[Array, Array]:
    """Powers (n,) and (n,) at which two views of one response enter their joint likelihood.

    See :func:`.views.view_powers`.

    Args:
        ranked: likelihood (n, G) of the rankings on ``grid`` (G,).
        rated: likelihood (n, G) of the ratings; a row without either view is flat.
        grid: intensities.
        ranked_text_sd: spread of the judge's disagreement with single texts when it ranks.
        rated_text_sd: the same when it rates.
    """
    correlation = np.array([[1.0, VIEW_CORRELATION], [VIEW_CORRELATION, 1.0]])
    powers, _ = view_powers((ranked, rated), grid, (ranked_text_sd, rated_text_sd), correlation)
    return powers[0], powers[1]


def both_views(ranked: Array, rated: Array, weights: tuple[Array, Array]) -> Array:
    """Joint likelihood (n, G) of two views at the powers of :func:`view_weights`, maximum 1.

    Args:
        ranked: likelihood (n, G) of the rankings.
        rated: likelihood (n, G) of the ratings.
        weights: powers (n,) and (n,).
    """
    return product_of((ranked, rated), np.stack(weights))
