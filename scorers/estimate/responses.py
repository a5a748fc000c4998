"""Sums by group.

Likelihoods and estimates of single responses on a grid of intensities.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit

from valueflow.scorers.estimate.evidence.bend import seen_at, seen_through
from valueflow.scorers.estimate.judge import AnchorErrors, FittedJudge, JudgeModel, attenuation
from valueflow.scorers.estimate.likelihood import (
    LEANING,
    Orders,
    by_window,
    insertion_log_likelihood,
    mixed_anchor_log_likelihood,
    random_anchor_log_likelihood,
    turned,
)


def by_group(codes: NDArray[np.int64], groups: int) -> sparse.csr_array:
    """Matrix (groups, n) that sums the rows of an (n, ...) array by their group codes (n,).

    Args:
        codes: group (n,) of each row, from 0.
        groups: number of groups.
    """
    ones = np.ones(len(codes))
    return sparse.csr_array((ones, (codes, np.arange(len(codes)))), shape=(groups, len(codes)))


Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

BATCH = 4000
"""Rows that are evaluated on the grid at a time."""

LEAST_LOG = 140.0
"""Fall of a log-likelihood below its maximum that counts as impossible: products with smaller
numbers would leave a processor's range, which is slow, and change nothing."""

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

    Args:
        scale: of the judge, in log-worth per point.
        texts: anchors in a window.
        windows: of the response that has most of them.

    Returns:
        Intensities (G,) on [-10, 10], in points, 0.5, 0.25 or 0.125 apart.
    """
    error = (scale * max(windows * texts, 1.0) / (2 * LIMIT)) ** -0.5
    finest = min(0.7 * error, 1.6 / scale)
    step = 0.5 if finest >= 0.5 else 0.25 if finest >= 0.25 else 0.125
    return np.linspace(-LIMIT, LIMIT, round(2 * LIMIT / step) + 1)


def response_log_likelihood(
    orders: Orders,
    item: IntArray,
    items: int,
    judge: JudgeModel,
    errors: AnchorErrors,
    grid: Array,
) -> Array:
    """Log-likelihood (items, G) of each response's windows on the grid, of the slots alone.

    ``item`` (W,) names the item of each window.  Anchors stand where the judge is estimated to see
    them; what is unknown of that widens the noise of a comparison with them: of the two texts, one
    carries it.  A response's own error is part of what the judge sees in all its windows; it is
    integrated out by smoothing over ``text_sd``.  Conditional on the order of the anchors.

    Args:
        orders: windows of one value.
        item: number (W,) of each window's item.
        items: number of items; one without a window gets 0 everywhere.
        judge: whose windows they are.
        errors: of the judge about the anchors.
        grid: intensities (G,), equally spaced, in points.
    """
    orders, at = seen_through(orders, judge.bend), seen_at(grid, judge.bend)
    mean, variance = errors.of(orders)
    chance = insertion_log_likelihood(orders, 0.0, 0.0, np.zeros(1))[:, 0]
    lapsed, share, down = _lapses(orders, judge, mean, variance)
    other = turned(orders) if down.min(initial=1.0) < LEANING else None
    if other is not None:
        mean_turned = other.there(mean)
    dulled = attenuation(judge.scale, variance / 2)
    scale, place_effect = judge.scale * dulled, judge.place_effect * dulled
    step = grid[1] - grid[0]
    beyond = int(np.ceil(3.5 * judge.text_sd / step))
    outside = step * np.arange(1, beyond + 1)
    seen = np.concatenate([grid[0] - outside[::-1], grid, grid[-1] + outside])
    if at is not grid:
        first, last = np.floor(at[0] / step) - beyond - 2, np.ceil(at[-1] / step) + beyond + 2
        seen = step * np.arange(first, last + 1)
    log_likelihood = np.zeros((items, len(seen)))
    weight = orders.weight
    with np.errstate(divide="ignore"):
        log_share, log_lapsed, log_kept = np.log(share), np.log(lapsed), np.log1p(-lapsed)
    for rows in _batches(orders):
        batch = orders.take(rows)
        slot = insertion_log_likelihood(batch, scale[rows], place_effect[rows], seen, mean[rows])
        if other is not None:
            told = (other.orders.take(rows), scale[rows], place_effect[rows], mean_turned[rows])
            slot = _with_bottom(slot, down[rows], seen, *told)
        number = batch.window
        slot += (log_kept[number] + log_share[rows])[:, None]
        if judge.lapse_rate > 0:
            slot = np.logaddexp(
                slot, (log_lapsed[number] + log_share[rows] + chance[rows])[:, None]
            )
        if len(np.unique(number)) < len(number):
            number, slot = _sum_of_rows(number, slot)
        if (weight[number] != 1).any():
            slot *= weight[number][:, None]
        log_likelihood += by_group(item[number], items) @ slot
    if not beyond and at is grid:
        return log_likelihood
    top = log_likelihood.max(axis=1, keepdims=True)
    smooth = np.exp(log_likelihood - top) @ (_smoothing(at, seen, judge.text_sd, step))
    return np.asarray(np.log(np.maximum(smooth, 1e-300)) + top)


def _with_bottom(
    slot: Array, down: Array, seen: Array, orders: Orders, scale: Array, place: Array, mean: Array
) -> Array:
    """Slots' log-probabilities (R, S) mixed with those of the orders told from the bottom.

    ``slot`` are those from the top and ``down`` (R,) their share given the anchors; the others are
    of the turned ``orders`` with their ``scale``, ``place`` effect and ``mean`` errors.
    """
    rows = np.flatnonzero(down < LEANING)
    rows = rows[np.argsort(-orders.stages_with_response[rows], kind="stable")]
    up = insertion_log_likelihood(orders.take(rows), scale[rows], place[rows], -seen, mean[rows])
    share = down[rows, None]
    slot[rows] = np.logaddexp(np.log(share) + slot[rows], np.log1p(-share) + up)
    return slot


def relative_likelihood(log_likelihood: Array) -> Array:
    """Likelihood (items, G) from its log, each row's maximum 1 and none below exp(-LEAST_LOG).

    Args:
        log_likelihood: (items, G).
    """
    relative = log_likelihood - log_likelihood.max(axis=1, keepdims=True)
    return np.asarray(np.exp(np.maximum(relative, -LEAST_LOG)))


def _sum_of_rows(number: IntArray, slot: Array) -> tuple[IntArray, Array]:
    """Windows and log of the sum over their rows of exp(slot) (R, G)."""
    windows, code = np.unique(number, return_inverse=True)
    top = np.full(len(windows), -np.inf)
    np.maximum.at(top, code, slot.max(axis=1))
    total = by_group(code, len(windows)) @ np.exp(slot - top[code, None])
    return windows, np.log(np.maximum(total, 1e-300)) + top[:, None]


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
    orders: Orders, judge: JudgeModel, mean: Array, variance: Array
) -> tuple[Array, Array, Array]:
    """What the anchors tell of how a window was ordered.

    Returns:
        Chance (W,) that the window is a lapse, share (R,) of each allowed order, and share (R,) of
        the order told from the top (1 where it cannot be told otherwise).
    """
    logs, down = mixed_anchor_log_likelihood(
        orders, judge.scale, judge.place_effect, mean, attenuation(judge.scale, variance)
    )
    ranked, share = by_window(orders, logs)
    if judge.lapse_rate <= 0:
        return np.zeros(len(ranked)), share, down
    chance = by_window(orders, random_anchor_log_likelihood(orders))[0]
    # A window of which the anchors have no order tells nothing of lapses.
    odds = np.log(judge.lapse_rate) - np.log1p(-judge.lapse_rate) + chance - ranked
    return np.asarray(expit(odds)), share, down


def _smoothing(at: Array, seen: Array, text_sd: float, step: float) -> Array:
    """Matrix (S, G): chance that a response that is expected at ``at`` is seen at ``seen``."""
    distance = (seen[:, None] - at) / step
    if (distance != np.rint(distance)).any():
        # Between the points: no narrower than they are apart.
        text_sd = max(text_sd, 0.71 * step)
    if text_sd > 0.7 * step:
        kernel = np.exp(-0.5 * (distance * step / text_sd) ** 2)
    else:
        near = 0.5 * (text_sd / step) ** 2
        kernel = np.where(np.abs(distance) < 0.5, 1 - 2 * near, 0.0)
        kernel += np.where(np.abs(np.abs(distance) - 1) < 0.5, near, 0.0)
    return np.asarray(kernel / kernel.sum(axis=0))


EVIDENCE_ITEMS = 150
"""Most responses that are looked at: an even selection."""

_EVIDENCE_GRID = np.linspace(-18.0, 18.0, 73)
_EVIDENCE_ROUNDS = 8


class ResponseEvidence:
    """Log-likelihood of the responses that have several windows, as a function of the judge.

    A judge's standing error about a response is the same in all its windows, noise is not.  Where
    anchors recur too seldom to tell the two apart, the agreement of a response's windows does.
    Items are draws from a distribution of which nothing is assumed: it is estimated on the grid
    with them (nonparametric maximum likelihood, Laird 1978, stopped early, so that it stays
    smooth).
    """

    def __init__(self, orders: Orders, item: IntArray) -> None:
        count = np.bincount(item)
        several = np.flatnonzero(count > 1)
        several = several[:: max(1, -(-len(several) // EVIDENCE_ITEMS))]
        self.items = len(several)
        number = np.full(len(count), -1)
        number[several] = np.arange(len(several))
        window = np.flatnonzero(number[item] >= 0)
        place = np.full(orders.windows, -1)
        place[window] = np.arange(len(window))
        rows = np.flatnonzero(place[orders.window] >= 0)
        part = orders.take(rows)
        self.orders = replace(
            part,
            window=place[part.window],
            windows=len(window),
            probability=None if orders.probability is None else orders.probability[window],
            repeats=None if orders.repeats is None else orders.repeats[window],
            source=None,
        )
        self.item = number[item[window]]

    def __call__(self, fitted: FittedJudge) -> float:
        """Sum over items of the log of their likelihood, integrated over what the judge sees."""
        if not self.items:
            return 0.0
        judge = replace(fitted.model, text_sd=0.0)
        logs = response_log_likelihood(
            self.orders, self.item, self.items, judge, fitted.errors, _EVIDENCE_GRID
        )
        likelihood = relative_likelihood(logs)
        density = np.full(len(_EVIDENCE_GRID), 1 / len(_EVIDENCE_GRID))
        for _ in range(_EVIDENCE_ROUNDS):
            density = density * (likelihood / (likelihood @ density)[:, None]).mean(axis=0)
        return float(np.log(likelihood @ density).sum() + logs.max(axis=1).sum())


def maximum_likelihood(likelihood: Array, grid: Array) -> tuple[Array, Array]:
    """Location (n,) of each row's maximum, refined by a parabola, and its error (n,).

    Args:
        likelihood: (n, G), positive.
        grid: intensities (G,), equally spaced, in points.

    Returns:
        Locations and errors (n,), in points; 0 for a flat row.
    """
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
    """Mean and standard deviation (n,) of densities (n, G) that sum to 1.

    Args:
        density: (n, G), each row summing to 1.
        grid: intensities (G,), in points.
    """
    mean = density @ grid
    return mean, np.sqrt(np.maximum(density @ grid**2 - mean**2, 0.0))


def grid_quantiles(density: Array, grid: Array, levels: tuple[float, float]) -> Array:
    """Quantiles (n, 2) of densities (n, G), by linear interpolation of the distribution.

    Args:
        density: (n, G), each row summing to 1.
        grid: intensities (G,), equally spaced, in points.
        levels: two probabilities.

    Returns:
        Quantiles (n, 2), in points, within [-10, 10].
    """
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
