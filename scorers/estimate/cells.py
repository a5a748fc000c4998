"""Cells as populations: the mean and spread of the responses of one condition.

The intensities of a cell's responses are taken as draws from a normal distribution truncated to
[-10, 10].  Its location and spread are integrated over on a grid (marginal likelihood of all the
cell's windows), with a flat prior on the truncated mean and the stated weak prior on the spread.
This is latent regression as in large-scale assessments (Mislevy 1984; Bock and Aitkin 1981): the
mean does not shrink toward anything, unlike an average of posterior means of single responses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtri, stdtrit

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

SPREAD_RANGE = (0.35, 9.0)
"""Smallest and largest spread of a cell, in points."""

PRIOR_SPREAD = (2.0, 0.8)
"""Median, in points, and standard deviation of the log of the log-normal prior on the spread."""


LEAST = 1e-37
"""Smallest likelihood of an item under a population, relative to its best intensity's: eight
together are still a number."""


@dataclass(frozen=True)
class Cell:
    """Population of the responses of one condition, in points of the [-10, 10] scale.

    ``intensity`` is the mean of the (truncated) population and ``se`` its standard error, clustered
    by query and including the error of the judge's parameters; ``spread`` is the population's
    standard deviation; ``items`` counts the responses that have a window.
    """

    cell: str
    value: str
    items: int
    intensity: float
    se: float
    spread: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Populations:
    """H candidate populations.

    ``density`` (H, G) on the grid, each summing to 1, their ``mean`` and ``spread`` (H,), the
    ``location`` and ``spread_parameter`` (H,) of the normals before truncation, ``log_prior`` (H,).
    """

    density: Array
    mean: Array
    spread: Array
    location: Array
    spread_parameter: Array
    log_prior: Array


def populations(grid: Array, location: Array, spread: Array) -> Populations:
    """All pairs of the given locations and spreads (parameters of the untruncated normal)."""
    mu, sigma = (axis.ravel() for axis in np.meshgrid(location, spread, indexing="ij"))
    weight = np.ones(len(grid))
    weight[[0, -1]] = 0.5
    log_density = -0.5 * ((grid - mu[:, None]) / sigma[:, None]) ** 2
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True)) * weight
    density /= density.sum(axis=1, keepdims=True)
    mean = density @ grid
    variance = density @ grid**2 - mean**2
    # A flat prior on the truncated mean: d mean / d location = truncated variance / spread^2.
    flat = np.log(np.maximum(variance, 1e-12) / sigma**2)
    log_spread = np.log(sigma)
    prior = -0.5 * ((log_spread - np.log(PRIOR_SPREAD[0])) / PRIOR_SPREAD[1]) ** 2
    return Populations(density, mean, np.sqrt(np.maximum(variance, 0)), mu, sigma, flat + prior)


@lru_cache(maxsize=4)
def first_populations(points: int, limit: float) -> Populations:
    """A coarse grid over all means and spreads, for ``points`` intensities on [-limit, limit]."""
    grid = np.linspace(-limit, limit, points)
    return populations(grid, np.linspace(-15, 15, 31), np.geomspace(*SPREAD_RANGE, 9))


@dataclass(frozen=True)
class CellPosterior:
    """Posterior of one cell's population, and of its items given all the cell's windows.

    ``mean`` and ``sd`` are of the truncated mean, ``spread`` is the posterior mean of the truncated
    standard deviation, ``lower`` and ``upper`` are quantiles of the mean.  ``influence`` (n,) is
    each item's effect on the mean, up to a common factor.  ``item`` (n, G) holds the items'
    posterior densities, each of which uses its own windows once.  ``other_mean`` (P,) and
    ``other_item_mean`` (P, n) are the means under P other judges.  ``log_bayes_factor`` is that of
    one population, of any mean and spread, against items that lie anywhere on the scale.
    """

    mean: float
    sd: float
    spread: float
    lower: float
    upper: float
    influence: Array
    item: Array
    other_mean: Array
    other_item_mean: Array
    log_bayes_factor: float = 0.0


def cell_posterior(
    grid: Array, likelihood: Array, others: Sequence[Array], tail: float
) -> CellPosterior:
    """Integrate over location and spread for the items of one cell.

    ``likelihood`` (n, G) and each of ``others`` (n, G), the same under another judge, are positive
    on ``grid`` (G,); ``tail`` is the posterior probability beyond each end of the interval.
    """
    candidates = first_populations(len(grid), float(grid[-1]))
    for step in range(4):
        marginal = likelihood @ candidates.density.T
        logs = _log_product(marginal) + candidates.log_prior
        if step == 0:
            anywhere = np.log(likelihood.mean(axis=1)).sum()
            bayes = float(logsumexp(logs) - logsumexp(candidates.log_prior) - anywhere)
        weight = _normalised(logs)
        location, location_error, location_step = _axis(candidates.location, weight)
        log_spread, spread_error, spread_step = _axis(np.log(candidates.spread_parameter), weight)
        fine = location_error > location_step and spread_error > 0.8 * spread_step
        if fine or step == 3:
            break
        reach = max(5 * location_error, 1.5 * location_step)
        spread_reach = max(4.5 * spread_error, 1.2 * spread_step)
        low, high = np.clip(
            [log_spread - spread_reach, log_spread + spread_reach], *np.log(SPREAD_RANGE)
        )
        candidates = populations(
            grid,
            np.linspace(location - reach, location + reach, 17),
            np.exp(np.linspace(low, high, 11)),
        )
    mean = float(weight @ candidates.mean)
    centred = candidates.mean - mean
    marginal = np.maximum(marginal, LEAST)
    influence = np.log(marginal) @ (weight * centred)
    item = (weight / marginal) @ candidates.density * likelihood
    other_mean, other_item_mean = np.empty(len(others)), np.empty((len(others), len(likelihood)))
    for index, other in enumerate(others):
        changed = np.maximum(other @ candidates.density.T, LEAST)
        own = _normalised(_log_product(changed) + candidates.log_prior)
        other_mean[index] = own @ candidates.mean
        density = (own / changed) @ candidates.density * other
        other_item_mean[index] = density @ grid / density.sum(axis=1)
    lower, upper = _smooth_quantiles(candidates.mean, weight, tail)
    return CellPosterior(
        mean=mean,
        sd=float(np.sqrt(weight @ centred**2)),
        spread=float(weight @ candidates.spread),
        lower=lower,
        upper=upper,
        influence=influence - (influence.mean() if len(influence) > 1 else 0.0),
        item=item / item.sum(axis=1, keepdims=True),
        other_mean=other_mean,
        other_item_mean=other_item_mean,
        log_bayes_factor=bayes,
    )


def lone_posteriors(
    grid: Array, likelihood: Array, others: Sequence[Array], tail: float
) -> list[CellPosterior]:
    """The same for cells of one item each, all together; arguments as above, a row a cell."""
    candidates = first_populations(len(grid), float(grid[-1]))
    prior = np.exp(candidates.log_prior - candidates.log_prior.max())

    def integrate(rows: Array) -> tuple[Array, Array]:
        weight = (rows @ candidates.density.T) * prior
        weight /= weight.sum(axis=1, keepdims=True)
        item = rows * (prior @ candidates.density)
        return weight, item / item.sum(axis=1, keepdims=True)

    weight, item = integrate(likelihood)
    mean, square = weight @ candidates.mean, weight @ candidates.mean**2
    sd, spread = np.sqrt(np.maximum(square - mean**2, 0)), weight @ candidates.spread
    bounds = _quantiles(candidates.mean, weight, tail)
    other_mean, other_item = np.empty((len(others), len(item))), np.empty((len(others), len(item)))
    for index, other in enumerate(others):
        other_weight, density = integrate(other)
        other_mean[index], other_item[index] = other_weight @ candidates.mean, density @ grid
    return [
        CellPosterior(
            mean=float(mean[row]),
            sd=float(sd[row]),
            spread=float(spread[row]),
            lower=float(bounds[row, 0]),
            upper=float(bounds[row, 1]),
            influence=np.ones(1),
            item=item[row : row + 1],
            other_mean=other_mean[:, row],
            other_item_mean=other_item[:, row : row + 1],
        )
        for row in range(len(item))
    ]


def cluster_factor(influence: Array, query: IntArray) -> float:
    """Standard error with items clustered by query over that with independent items, at least 1.

    The sandwich of the items' summed influences (Liang and Zeger 1986), with queries as clusters.
    """
    if len(np.unique(query)) == len(query):
        return 1.0
    _, code = np.unique(query, return_inverse=True)
    sums = np.bincount(code, influence)
    alone = float(influence @ influence)
    count = len(sums)
    if count < 2 or alone <= 0:
        return float(np.sqrt(len(query)))
    return max(1.0, float(np.sqrt(sums @ sums / alone * count / (count - 1))))


def few_clusters(query: IntArray, tail: float) -> float:
    """Quantile of Student's distribution over the normal one's, where queries repeat.

    The sandwich rests on as many sums as there are queries, and its error is that of a variance
    from so many (Bell and McCaffrey 2002).  Without repeated queries it is not used.
    """
    clusters = len(np.unique(query))
    if clusters == len(query) or clusters < 2:
        return 1.0
    return float(stdtrit(clusters - 1, tail) / ndtri(tail))


def _axis(values: Array, weight: Array) -> tuple[float, float, float]:
    """Mean and standard deviation of one axis of the candidates, and the axis's mean step."""
    mean = float(weight @ values)
    steps = len(np.unique(values)) - 1
    span = float(values.max() - values.min())
    return mean, float(np.sqrt(weight @ (values - mean) ** 2)), span / max(steps, 1)


def _log_product(marginal: Array) -> Array:
    """Log of the product over items (H,) of likelihoods (n, H), of eight at a time."""
    marginal = np.maximum(marginal, LEAST)
    whole = len(marginal) // 8 * 8
    eights = marginal[:whole].reshape(-1, 8, marginal.shape[1]).prod(axis=1)
    rest = np.log(marginal[whole:]).sum(axis=0)
    return np.asarray(np.log(eights).sum(axis=0) + rest)


def _normalised(log_weight: Array) -> Array:
    weight = np.exp(log_weight - log_weight.max())
    return np.asarray(weight / weight.sum())


def _smooth_quantiles(values: Array, weight: Array, tail: float) -> tuple[float, float]:
    """Quantiles from mean, variance and skewness (Cornish and Fisher 1937).

    A few coarse nodes integrate smooth functions such as moments well, but not a step function.
    """
    mean = float(weight @ values)
    sd = float(np.sqrt(weight @ (values - mean) ** 2))
    skewness = float(weight @ ((values - mean) / max(sd, 1e-12)) ** 3)
    z = np.array([ndtri(tail), -ndtri(tail)])
    found = mean + sd * (z + (z**2 - 1) * np.clip(skewness, -1, 1) / 6)
    return float(found[0]), float(found[1])


def _quantiles(values: Array, weight: Array, tail: float) -> Array:
    """Quantiles (n, 2) at ``tail`` and 1 - ``tail`` of values (H,) with weights (n, H)."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weight[:, order], axis=1) - 0.5 * weight[:, order]
    ordered = values[order]
    return np.array([np.interp([tail, 1 - tail], row, ordered) for row in cumulative])
