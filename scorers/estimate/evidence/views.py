"""Several views of one response, whose errors may go together, as one likelihood.

Two judges each see a text in a way of their own, and a judge that ranks and rates has two views of
it.  Views with independent errors multiply.  Where the errors correlate, each view enters the
product with a power: two normal views with variances v and w and correlated errors tell together
what the best linear combination tells (generalised least squares, Aitken 1936), and raised to these
powers the product of their likelihoods has its mean and variance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.responses import grid_moments

Array = NDArray[np.float64]

TELLS_NOTHING = 1e8
"""Variance, in squared points, that stands for a view without any window of a response."""


def view_powers(
    views: Sequence[Array], grid: Array, text_sds: Sequence[float], correlation: Array
) -> tuple[Array, Array]:
    """Powers (J, n) at which J views of n responses enter their joint likelihood.

    1 for independent errors, 1 / (1 + r) each for two of equal variance, 0 for a view that adds
    nothing to the others, which are then left whole.

    Args:
        views: J likelihoods (n, G) on ``grid`` (G,); a row without windows is flat.
        grid: intensities.
        text_sds: J spreads, in points, of the disagreements with single texts.
        correlation: (J, J), of these disagreements; the rest of the errors is independent.

    Returns:
        The powers, and the share (J, n) of each view in the joint estimate: they sum to 1 where
        there is any view.
    """
    flat = np.array([np.ptp(view, axis=1) < 1e-12 for view in views])
    spread = np.array(
        [grid_moments(view / view.sum(axis=1, keepdims=True), grid)[1] for view in views]
    )
    variance = np.where(flat, TELLS_NOTHING, np.maximum(spread, 1e-3) ** 2)
    common = np.minimum(np.square(text_sds)[:, None] / variance, 1)
    r = correlation[:, :, None] * np.sqrt(common[:, None] * common)
    r = np.where(flat[:, None] | flat, 0.0, r)
    r[np.arange(len(views)), np.arange(len(views))] = 1.0
    sd = np.sqrt(variance)
    covariance = np.moveaxis(r * sd[:, None] * sd, 2, 0)
    used = np.ones_like(flat)
    weight = _weights(covariance, used)
    # A view whose weight would be negative adds nothing; without it the others' change.
    for _ in range(len(views) - 1):
        worst = weight.argmin(axis=0)
        negative = np.flatnonzero(weight.min(axis=0) < 0)
        if not len(negative):
            break
        used[worst[negative], negative] = False
        weight = _weights(covariance, used)
    powers = np.clip(weight * variance, 0, 1)
    powers[flat] = 1.0
    share = np.where(flat, 0.0, weight)
    total = share.sum(axis=0)
    return powers, np.asarray(share / np.where(total > 0, total, 1))


def _weights(covariance: Array, used: NDArray[np.bool_]) -> Array:
    """Row sums (J, n) of the inverses of covariances (n, J, J) among the views that are used."""
    both = used.T[:, :, None] & used.T[:, None, :]
    kept = np.where(both, covariance, 0.0)
    views = np.arange(len(used))
    kept[:, views, views] = np.where(used.T, covariance[:, views, views], 1.0)
    right = used.T.astype(np.float64)[..., None]
    return np.asarray(np.linalg.solve(kept, right)[..., 0].T)


def product_of(views: Sequence[Array], powers: Array) -> Array:
    """Joint likelihood (n, G) of J views at powers (J, n), each row's maximum 1."""
    logs = np.zeros_like(views[0])
    for view, power in zip(views, powers, strict=True):
        logs += power[:, None] * np.log(np.maximum(view, 1e-300))
    return np.asarray(np.exp(logs - logs.max(axis=1, keepdims=True)))
