"""Sums by group.

Likelihoods and estimates of single responses on a grid of intensities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from valueflow.scorers.estimate.judge import NOISE_VARIANCE, JudgeModel
from valueflow.scorers.estimate.likelihood import (
    Orders,
    anchor_log_likelihood,
    insertion_likelihood,
    random_anchor_log_likelihood,
)


def by_group(codes: NDArray[np.int64], groups: int) -> sparse.csr_array:
    """Matrix (groups, n) that sums the rows of an (n, ...) array by their group codes (n,)."""
    ones = np.ones(len(codes))
    return sparse.csr_array((ones, (codes, np.arange(len(codes)))), shape=(groups, len(codes)))


Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

BATCH = 4000
"""Rows that are evaluated on the grid at a time."""

LIMIT = 10.0
"""Intensities live on [-LIMIT, LIMIT]."""


@dataclass(frozen=True)
class Estimate:
    """Intensity of one response, in points of the [-10, 10] scale.

    ``intensity`` and ``se`` are mean and standard deviation of its posterior given its own windows
    and the population of its cell; ``lower`` and ``upper`` bound its interval.  ``flat_prior`` and
    ``flat_prior_se`` are the same given its own windows alone and a flat prior on the scale.
    ``maximum_likelihood`` uses its own windows only and stays on the scale; its
    ``maximum_likelihood_se`` is the root mean square distance to it under the likelihood taken as a
    distribution, so that a response above or below all its anchors gets a large, finite one.
    """

    item: str
    cell: str
    value: str
    query: str
    intensity: float
    se: float
    maximum_likelihood: float
    maximum_likelihood_se: float
    lower: float
    upper: float
    flat_prior: float
    flat_prior_se: float
    windows: int


def intensity_grid(scale: float, texts: float, windows: float) -> Array:
    """Equally spaced intensities over the scale, fine enough for what the windows tell.

    ``texts`` anchors in each of ``windows`` windows tell a response to about
    1 / sqrt(scale * anchors per point), and a single comparison turns over within 1 / scale.
    """
    error = (scale * max(windows * texts, 1.0) / (2 * LIMIT)) ** -0.5
    finest = min(0.7 * error, 1.6 / scale)
    step = 0.5 if finest >= 0.5 else 0.25 if finest >= 0.25 else 0.125
    return np.linspace(-LIMIT, LIMIT, round(2 * LIMIT / step) + 1)


@dataclass(frozen=True)
class AnchorErrors:
    """A judge's standing error about each anchor: estimates (anchors,) and what stays unknown.

    ``unknown`` is the mean variance, in squared points, of an anchor's error about its estimate.
    """

    estimate: Array
    unknown: float

    def of(self, orders: Orders) -> Array | None:
        """Errors (R, A) in the columns of the orders."""
        if not self.estimate.any():
            return None
        return np.where(orders.present, self.estimate[orders.key], 0.0)


def response_likelihood(
    orders: Orders,
    item: IntArray,
    items: int,
    judge: JudgeModel,
    errors: AnchorErrors,
    grid: Array,
    *,
    normalised: bool = True,
) -> Array:
    """Likelihood (items, G) of each response's windows on the grid, each row's maximum 1.

    ``item`` (W,) names the item of each window.  An anchor's unknown error widens the noise of a
    comparison with it: two texts of which one, or both, carry it.  A response's own error is part
    of what the judge sees in all its windows; it is integrated out by smoothing over ``text_sd``.
    Not ``normalised``, rows keep their level, for a comparison of judges.
    """
    error = errors.of(orders)
    lapsed, share = _lapses(orders, judge, errors, error)
    sharpness = 1 / np.sqrt(1 + errors.unknown / 2 * judge.scale**2 / NOISE_VARIANCE)
    scale, place_effect = judge.scale * sharpness, judge.place_effect * sharpness
    step = grid[1] - grid[0]
    beyond = int(np.ceil(3.5 * judge.text_sd / step))
    outside = step * np.arange(1, beyond + 1)
    seen = np.concatenate([grid[0] - outside[::-1], grid, grid[-1] + outside])
    chance = insertion_likelihood(orders, 0.0, 0.0, np.zeros(1))[:, 0]
    log_likelihood = np.zeros((items, len(seen)))
    weight = None if orders.probability is None else orders.weight
    for rows in _batches(orders):
        batch = orders.take(rows)
        own = None if error is None else error[rows]
        windows = insertion_likelihood(batch, scale, place_effect, seen, own)
        lapse = lapsed[batch.window]
        windows *= (share[rows] * (1 - lapse))[:, None]
        windows += (share[rows] * lapse * chance[rows])[:, None]
        numbers = batch.window
        if len(np.unique(numbers)) < len(numbers):
            numbers, code = np.unique(numbers, return_inverse=True)
            windows = by_group(code, len(numbers)) @ windows
        np.log(np.maximum(windows, 1e-300, out=windows), out=windows)
        if weight is not None:
            windows *= weight[numbers][:, None]
        log_likelihood += by_group(item[numbers], items) @ windows
    if normalised:
        log_likelihood -= log_likelihood.max(axis=1, keepdims=True)
    likelihood = np.exp(log_likelihood)
    if beyond:
        likelihood = likelihood @ _smoothing(grid, seen, judge.text_sd)
    if normalised:
        likelihood /= likelihood.max(axis=1, keepdims=True)
    return np.asarray(likelihood)


def _batches(orders: Orders) -> list[slice | IntArray]:
    """Rows in batches that fit a processor's cache; all rows of tied windows together, last."""
    strict = np.flatnonzero(orders.share == 1)
    batches: list[slice | IntArray] = []
    for start in range(0, len(strict), BATCH):
        rows = strict[start : start + BATCH]
        # Without ties, a batch is a view.
        batches.append(slice(start, start + BATCH) if len(strict) == len(orders.share) else rows)
    if len(strict) < len(orders.share):
        batches.append(np.flatnonzero(orders.share < 1))
    return batches


def _lapses(
    orders: Orders, judge: JudgeModel, errors: AnchorErrors, error: Array | None
) -> tuple[Array, Array]:
    """Chance (W,) that a window is a lapse, given its anchors; share (R,) of each allowed order."""
    dulled = 1 / np.sqrt(1 + errors.unknown * judge.scale**2 / NOISE_VARIANCE)
    ranked = anchor_log_likelihood(orders, judge.scale * dulled, judge.place_effect * dulled, error)
    chance = random_anchor_log_likelihood(orders)
    ranked = np.exp(np.clip(ranked - chance, -500, 500)) * orders.share
    total = np.bincount(orders.window, ranked, orders.windows)
    lapsed = judge.lapse_rate / (judge.lapse_rate + (1 - judge.lapse_rate) * total + 1e-300)
    return np.asarray(lapsed, np.float64), np.asarray(ranked / total[orders.window], np.float64)


def _smoothing(grid: Array, seen: Array, text_sd: float) -> Array:
    """Matrix (S, G): chance that a response of intensity g is seen at s."""
    step = grid[1] - grid[0]
    distance = (seen[:, None] - grid) / step
    if text_sd > 0.7 * step:
        kernel = np.exp(-0.5 * (distance * step / text_sd) ** 2)
    else:
        near = 0.5 * (text_sd / step) ** 2
        kernel = np.where(np.abs(distance) < 0.5, 1 - 2 * near, 0.0)
        kernel += np.where(np.abs(np.abs(distance) - 1) < 0.5, near, 0.0)
    return np.asarray(kernel / kernel.sum(axis=0))


def maximum_likelihood(likelihood: Array, grid: Array) -> tuple[Array, Array]:
    """Location (n,) of each row's maximum, refined by a parabola, and its error (n,)."""
    best = np.clip(likelihood.argmax(axis=1), 1, len(grid) - 2)
    rows = np.arange(len(likelihood))
    logs = np.log(np.maximum(likelihood, 1e-300))
    left, middle, right = (logs[rows, best + offset] for offset in (-1, 0, 1))
    bend = left - 2 * middle + right
    step = grid[1] - grid[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(bend < 0, 0.5 * (left - right) / bend, 0.0)
    edge = likelihood.argmax(axis=1)
    location = np.where(
        (edge == 0) | (edge == len(grid) - 1), grid[edge], grid[best] + np.clip(shift, -1, 1) * step
    )
    flat = likelihood.max(axis=1) <= likelihood.min(axis=1) * (1 + 1e-12)
    location = np.where(flat, 0.0, location)
    weight = likelihood / likelihood.sum(axis=1, keepdims=True)
    square = ((grid - location[:, None]) ** 2 * weight).sum(axis=1)
    return location, np.sqrt(square)


def grid_moments(density: Array, grid: Array) -> tuple[Array, Array]:
    """Mean and standard deviation (n,) of densities (n, G) that sum to 1."""
    mean = density @ grid
    return mean, np.sqrt(np.maximum(density @ grid**2 - mean**2, 0.0))


def grid_quantiles(density: Array, grid: Array, levels: tuple[float, float]) -> Array:
    """Quantiles (n, 2) of densities (n, G), by linear interpolation of the distribution."""
    step = grid[1] - grid[0]
    cumulative = np.cumsum(density, axis=1)
    rows = np.arange(len(density))
    result = np.empty((len(density), len(levels)))
    for column, level in enumerate(levels):
        above = np.minimum((cumulative < level).sum(axis=1), len(grid) - 1)
        before = np.where(above > 0, cumulative[rows, above - 1], 0.0)
        share = (level - before) / np.maximum(cumulative[rows, above] - before, 1e-300)
        result[:, column] = grid[above] - step / 2 + np.clip(share, 0, 1) * step
    return np.clip(result, -LIMIT, LIMIT)
