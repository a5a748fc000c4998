"""Cells as populations: the mean and spread of the responses of one condition.

The intensities of a cell's responses are taken as draws from a density whose logarithm is a
polynomial in the intensity, in Legendre terms (g-modelling; Efron 2016).  Two terms are a normal
distribution truncated to [-10, 10], or a valley with its mass at both ends; the others let a cell
split, lean or pile up.  All coefficients are integrated over (marginal likelihood of all the cell's
windows), with a flat prior on the mean and the stated weak priors on spread and shape.  This is
latent regression as in large-scale assessments (Mislevy 1984; Bock and Aitkin 1981) with a flexible
population: the mean does not shrink toward anything, unlike an average of posterior means of single
responses.

The integral is an adaptive importance sum over seeded quasi-random populations (population Monte
Carlo; Cappé et al. 2004): the same windows give the same numbers, and a standard error carries a
Monte-Carlo error of its own of some 5 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray
from scipy.special import betaincinv, gammaincinv, logsumexp, ndtri, stdtrit
from scipy.stats import qmc

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

TERMS = 4
"""Legendre terms of a population's log-density."""

PRIOR_SPREAD = (2.8, 0.7)
"""Median, in points, and standard deviation of the log of the log-normal prior on the spread of a
cell about the middle of the scale.  Toward an end the median falls with the largest spread that a
population of that mean can have, sqrt((10 - mean) * (10 + mean))."""

PRIOR_SHAPE = 6.0
"""Standard deviation of the normal prior on the coefficient of each further term: a quarter of what
splits a cell into two peaks of spread 1 that stand eight points apart."""

NARROW = 0.3
"""Spreads, in points, well below this one are held unlikely: no window tells them apart."""

LEAST = 1e-37
"""Smallest likelihood of an item under a population, relative to its best intensity's: eight
together are still a number."""

POINTS = 512
"""Populations that are tried at a time."""

FIRST_POINTS = 1024
"""Populations that are tried first, from all over the prior."""

FEWEST, ENOUGH, ROUNDS = 30.0, 150.0, 14
"""Effective populations (Kish 1965) that a round must have before its likelihood counts in full,
that all such rounds must have together, and the most rounds."""

NEGLIGIBLE = 1e-5
"""Weight of a population, relative to the largest, below which it is left out."""

TAIL_DEGREES = 6.0
"""Degrees of freedom of the multivariate t distribution that populations are drawn from."""

SHAPES = 48
"""Populations that are kept of a cell's posterior, in the order of their spreads."""

NODES = (np.arange(32) + 0.5) / 32
"""Probabilities at which the quantile functions of kept populations are known."""


@dataclass(frozen=True)
class Cell:
    """Population of the responses of one condition, in points of the [-10, 10] scale.

    ``intensity`` is the mean of the population and ``se`` its standard error, clustered by query
    and including the error of the judge's parameters; ``spread`` is the population's standard
    deviation; ``items`` counts the responses that have a window.  ``beyond_high`` and
    ``beyond_low`` are the shares of these that stand above, or below, every anchor of all their
    windows: of them the windows tell no more than that.
    """

    cell: str
    value: str
    items: int
    intensity: float
    se: float
    spread: float
    lower: float
    upper: float
    beyond_high: float = 0.0
    beyond_low: float = 0.0


@dataclass(frozen=True)
class Populations:
    """H candidate populations.

    ``coefficients`` (H, TERMS) and ``density`` (H, G) on the grid, each summing to 1, their
    ``mean`` and ``spread`` (H,), and ``log_weight`` (H,): the log of the prior density of the
    coefficients over the density that they were drawn from.
    """

    coefficients: Array
    density: Array
    mean: Array
    spread: Array
    log_weight: Array


@lru_cache(maxsize=8)
def _terms(points: int) -> tuple[Array, Array]:
    """Terms (TERMS, G) on the scale, and log weights (G,) of the trapezoidal rule."""
    log_weight = np.zeros(points)
    log_weight[[0, -1]] = np.log(0.5)
    terms = np.asarray(legvander(np.linspace(-1, 1, points), TERMS)[:, 1:].T, dtype=np.float64)
    return terms, log_weight


def populations(grid: Array, coefficients: Array, log_drawn: Array | float = 0.0) -> Populations:
    """Populations from coefficients (H, TERMS) that were drawn with log-density ``log_drawn``.

    Args:
        grid: intensities (G,), equally spaced and symmetric about 0, in points.
        coefficients: of the Legendre terms, (H, TERMS).
        log_drawn: log-density (H,) that they were drawn with, up to a constant.

    Returns:
        The populations with their densities, moments and weights.
    """
    terms, log_weight = _terms(len(grid))
    limit = float(grid[-1])
    density = coefficients @ terms
    density += log_weight
    density -= density.max(axis=1, keepdims=True)
    # Not so small that a processor turns to its slow, denormal numbers.
    np.exp(np.maximum(density, -80.0, out=density), out=density)
    density /= density.sum(axis=1, keepdims=True)
    powers = (grid / limit)[:, None] ** np.arange(1, 5)
    mean, second, third, fourth = (density @ powers).T
    variance = np.maximum(second - mean**2, 1e-12)
    # The expectations of an exponential family change with its coefficients as its covariances:
    # with respect to (mean, log spread), given the shape, the first two have this density.
    information = (fourth - second**2) - (third - mean * second) ** 2 / variance
    spread = limit * np.sqrt(variance)
    relative = spread / np.sqrt(np.maximum(1 - mean**2, 1e-12))
    log_prior = (
        np.log(np.maximum(information, 1e-24))
        - 0.5 * (np.log(relative / PRIOR_SPREAD[0]) / PRIOR_SPREAD[1]) ** 2
        - 0.5 * ((coefficients[:, 2:] / PRIOR_SHAPE) ** 2).sum(axis=1)
        - 0.5 * (NARROW / spread) ** 2
    )
    return Populations(coefficients, density, limit * mean, spread, log_prior - log_drawn)


@lru_cache(maxsize=8)
def normal_populations(
    points: int, limit: float, *, locations: int = 31, spreads: int = 9
) -> Populations:
    """Truncated normal populations on a grid over all locations and spreads.

    Args:
        points: number G of intensities on the grid.
        limit: the largest of them, in points; the least is its negative.
        locations: number of locations, evenly from -1.5 to 1.5 times ``limit``.
        spreads: number of spreads, from 0.035 to 0.9 times ``limit``.

    Returns:
        locations * spreads populations.
    """
    location, spread = np.meshgrid(
        np.linspace(-1.5, 1.5, locations), np.geomspace(0.035, 0.9, spreads)
    )
    variance = spread.ravel() ** 2
    coefficients = np.zeros((len(variance), TERMS))
    coefficients[:, 0], coefficients[:, 1] = location.ravel() / variance, -1 / (3 * variance)
    # Drawn with equal density in location and log spread.
    log_drawn = 2 * np.log(variance)
    return populations(np.linspace(-limit, limit, points), coefficients, log_drawn)


@lru_cache(maxsize=4)
def first_populations(points: int, limit: float) -> Populations:
    """Populations from all over the prior, for ``points`` intensities on [-limit, limit].

    Args:
        points: number G of intensities on the grid.
        limit: the largest of them, in points; the least is its negative.

    Returns:
        FIRST_POINTS populations, always the same.
    """
    uniform = qmc.Sobol(TERMS, seed=0).random(FIRST_POINTS // 2)
    normal = ndtri(uniform[:, 1:])
    bent = _with_mirror_images(
        np.column_stack(
            [3.4 * uniform[:, 0] - 1.7, 1.0 + 1.3 * normal[:, 0], PRIOR_SHAPE * normal[:, 1:]]
        )
    )
    normal = np.concatenate([normal, normal])
    coefficients, log_size = _unbent(bent, np.zeros((TERMS - 2, 2)))
    log_drawn = -0.5 * (normal**2).sum(axis=1) - log_size
    return populations(np.linspace(-limit, limit, points), coefficients, log_drawn)


def _with_mirror_images(points: Array) -> Array:
    """Points (H, TERMS) and, after them, those of the populations turned about the scale's middle.

    A cell and its mirror image are then tried with mirror images: no asymmetry is made here.
    """
    return np.concatenate([points, points * (-1.0) ** np.arange(1, TERMS + 1)])


@lru_cache(maxsize=1)
def _draws() -> tuple[Array, Array]:
    """Draws (POINTS, TERMS) of a standard multivariate t, and their log-densities (POINTS,)."""
    uniform = qmc.Sobol(TERMS + 1, seed=1).random(POINTS // 2)
    stretch = np.sqrt(TAIL_DEGREES / (2 * gammaincinv(TAIL_DEGREES / 2, uniform[:, -1])))
    drawn = _with_mirror_images(ndtri(uniform[:, :-1]) * stretch[:, None])
    square = (drawn**2).sum(axis=1)
    return drawn, -0.5 * (TAIL_DEGREES + TERMS) * np.log1p(square / TAIL_DEGREES)


def _slant(grid: Array, density: Array) -> Array:
    """Coefficients (TERMS - 2, 2) on the first two terms of the others' projections on them.

    With them taken out, a change of the shape leaves mean and spread nearly as they are.
    """
    terms, _ = _terms(len(grid))
    basis = np.vstack([np.ones(len(grid)), terms[:2]])
    gram = (basis * density) @ basis.T + 1e-6 * np.eye(3)
    return np.asarray(np.linalg.solve(gram, (basis * density) @ terms[2:].T)[1:].T)


def _bent(coefficients: Array, slant: Array) -> Array:
    """Coordinates (H, TERMS) in which posteriors are nearer to normal than in coefficients.

    The first is the place of a mode, 1 at the end of the scale; the second is large for a narrow
    population, 0 for an exponential and negative for a valley.
    """
    head = coefficients[:, :2] + coefficients[:, 2:] @ slant
    narrow = np.arcsinh(-head[:, 1] / 8)
    place = head[:, 0] / (12 * (1 + np.exp(narrow)))
    return np.column_stack([place, narrow, coefficients[:, 2:]])


def _unbent(bent: Array, slant: Array) -> tuple[Array, Array]:
    """The inverse of :func:`_bent`, and the log (H,) of the volume of its derivative."""
    narrow = np.clip(bent[:, 1], -5.0, 4.6)
    wide = 1 + np.exp(narrow)
    head = np.column_stack([12 * bent[:, 0] * wide, -8 * np.sinh(narrow)])
    coefficients = np.column_stack([head - bent[:, 2:] @ slant, bent[:, 2:]])
    return coefficients, np.log(wide * np.cosh(narrow))


@dataclass(frozen=True)
class Shapes:
    """What a joint model of several cells needs of one cell's posterior.

    ``quantiles`` (SHAPES, K) are the quantile functions at :data:`NODES` of populations drawn from
    the posterior, in the order of their spreads; ``centre`` (K,) that of the posterior mean
    density; ``likelihood`` (n, K) the items' likelihoods there.
    """

    quantiles: NDArray[np.float32]
    centre: NDArray[np.float32]
    likelihood: NDArray[np.float32]


@dataclass(frozen=True)
class CellPosterior:
    """Posterior of one cell's population, and of its items given all the cell's windows.

    ``mean`` and ``sd`` are of the population's mean, ``spread`` is the posterior mean of its
    standard deviation.  ``moments`` are mean, standard deviation, skewness and excess kurtosis of
    atanh(mean / 10), which is nearer to normal and cannot leave the scale.  ``reaches`` says
    whether the windows allow that all items stand at the lower and at the upper end.
    ``influence`` (n,) is each item's effect on the mean, up to a common factor.  ``item`` (n, G)
    holds the items' posterior densities, each of which uses its own windows once.  ``other_mean``
    (P,) and ``other_item_mean`` (P, n) are the means under P other judges.  ``log_bayes_factor`` is
    that of one population, normal but for the scale's ends, against items that lie anywhere on it.
    """

    mean: float
    sd: float
    spread: float
    moments: tuple[float, float, float, float]
    reaches: tuple[bool, bool]
    influence: Array
    item: Array
    other_mean: Array
    other_item_mean: Array
    shapes: Shapes
    log_bayes_factor: float = 0.0


def cell_posterior(
    grid: Array, likelihood: Array, others: Sequence[Array], tail: float
) -> CellPosterior:
    """Integrate over the populations of the items of one cell.

    ``likelihood`` (n, G) and each of ``others`` (n, G), the same under another judge, are positive
    on ``grid`` (G,); ``tail`` is the posterior probability beyond each end of an interval.

    Args:
        grid: intensities (G,), equally spaced, in points.
        likelihood: (n, G) of the items, positive.
        others: P arrays (n, G), the same under other judges.
        tail: posterior probability beyond each end of an interval.

    Returns:
        Posterior of the cell's population and of its items.
    """
    likelihood, others = np.maximum(likelihood, LEAST), [np.maximum(o, LEAST) for o in others]
    candidates, weight, log_likelihood = _posterior_populations(grid, likelihood)
    marginal = np.maximum(likelihood @ candidates.density.T, LEAST)
    mean = float(weight @ candidates.mean)
    centred = candidates.mean - mean
    influence = np.log(marginal) @ (weight * centred)
    item = (weight / marginal) @ candidates.density * likelihood
    other_mean, other_item_mean = np.empty(len(others)), np.empty((len(others), len(likelihood)))
    for index, other in enumerate(others):
        changed = np.maximum(other @ candidates.density.T, LEAST)
        log_ratio = _log_product(changed) - log_likelihood
        own = weight * np.exp(log_ratio - log_ratio.max())
        own /= own.sum()
        other_mean[index] = own @ candidates.mean
        density = (own / changed) @ candidates.density * other
        other_item_mean[index] = density @ grid / density.sum(axis=1)
    order = np.argsort(candidates.spread, kind="stable")
    chosen = order[
        np.searchsorted(np.cumsum(weight[order])[:-1], (np.arange(SHAPES) + 0.5) / SHAPES)
    ]
    return CellPosterior(
        mean=mean,
        sd=float(np.sqrt(weight @ centred**2)),
        spread=float(weight @ candidates.spread),
        moments=_bounded_moments(candidates.mean / grid[-1], weight[None])[0],
        reaches=_reaches(likelihood, float(log_likelihood.max()), tail),
        influence=influence - (influence.mean() if len(influence) > 1 else 0.0),
        item=item / item.sum(axis=1, keepdims=True),
        other_mean=other_mean,
        other_item_mean=other_item_mean,
        shapes=_shapes(
            grid, quantile_functions(grid, candidates.density[chosen]),
            weight @ candidates.density, likelihood,
        ),
        log_bayes_factor=_log_bayes_factor(grid, likelihood),
    )  # fmt: skip


def _log_bayes_factor(grid: Array, likelihood: Array) -> float:
    """Log odds that the windows (n, G) give one population over items anywhere on the scale."""
    normal = normal_populations(len(grid), float(grid[-1]))
    logs = _log_product(likelihood @ normal.density.T) + normal.log_weight
    anywhere = float(np.log(likelihood.mean(axis=1)).sum())
    return float(logsumexp(logs) - logsumexp(normal.log_weight)) - anywhere


def _posterior_populations(grid: Array, likelihood: Array) -> tuple[Populations, Array, Array]:
    """Populations that represent the posterior, their weights (H,) and log-likelihoods (H,).

    Rounds of draws from a t distribution about what the rounds before have found; while a round has
    too few effective populations its likelihood is tempered.  Rounds that count in full are pooled
    in proportion to their effective populations.
    """
    candidates = first_populations(len(grid), float(grid[-1]))
    drawn, log_drawn = _draws()
    kept: list[tuple[float, Populations, Array, Array]] = []
    for step in range(ROUNDS):
        log_likelihood = _log_product(likelihood @ candidates.density.T)
        power, weight = _tempered(log_likelihood + candidates.log_weight)
        effective = 1 / float(weight @ weight)
        if power == 1.0 or (step == ROUNDS - 1 and not kept):
            kept.append((effective, candidates, weight, log_likelihood))
            if sum(one[0] for one in kept) > ENOUGH:
                break
        if step == ROUNDS - 1:
            break
        near = kept or [(effective, candidates, weight, log_likelihood)]
        share = np.array([one[0] for one in near]) / sum(one[0] for one in near)
        weights = np.concatenate([s * one[2] for s, one in zip(share, near, strict=True)])
        density = np.sum(
            [s * (one[2] @ one[1].density) for s, one in zip(share, near, strict=True)], axis=0
        )
        slant = _slant(grid, density)
        bent = _bent(np.concatenate([one[1].coefficients for one in near]), slant)
        centre = weights @ bent
        away = bent - centre
        covariance = (away * weights[:, None]).T @ away * (1.1 if power == 1.0 else 1.3)
        root = np.linalg.cholesky(covariance + 1e-9 * np.eye(TERMS))
        coefficients, log_size = _unbent(centre + drawn @ root.T, slant)
        candidates = populations(grid, coefficients, log_drawn - log_size)
    share = np.array([one[0] for one in kept]) / sum(one[0] for one in kept)
    weight = np.concatenate([s * one[2] for s, one in zip(share, kept, strict=True)])
    counts = weight > NEGLIGIBLE * weight.max()
    pooled = Populations(
        *(
            np.concatenate([getattr(one[1], name) for one in kept])[counts]
            for name in ("coefficients", "density", "mean", "spread", "log_weight")
        )
    )
    weight = weight[counts] / weight[counts].sum()
    return pooled, weight, np.concatenate([one[3] for one in kept])[counts]


def _tempered(log_posterior: Array) -> tuple[float, Array]:
    """The largest power up to 1 that leaves enough effective populations, and weights (H,)."""
    weight = _normalised(log_posterior)
    if weight @ weight * FEWEST <= 1:
        return 1.0, weight
    low, high = 0.0, 1.0
    for _ in range(10):
        middle = (low + high) / 2
        weight = _normalised(middle * log_posterior)
        low, high = (middle, high) if weight @ weight * FEWEST <= 1 else (low, middle)
    return low, _normalised(low * log_posterior)


def _reaches(likelihood: Array, best: float, tail: float) -> tuple[bool, bool]:
    """Whether a likelihood-ratio test keeps the population that lies at one end altogether."""
    least = best - ndtri(tail) ** 2 / 2
    low, high = np.log(np.maximum(likelihood[:, [0, -1]], LEAST)).sum(axis=0)
    return bool(low > least), bool(high > least)


def unseen_share(queries: int, tail: float) -> float:
    """Most of a cell's responses that may stand at the other end where all seen stand at one.

    The upper bound of Jeffreys' interval for a share of which nothing was seen (Brown, Cai and
    DasGupta 2001).

    Args:
        queries: different queries of the cell.
        tail: probability beyond the bound.

    Returns:
        A share from 0 to 1.
    """
    return float(betaincinv(0.5, queries + 0.5, 1 - tail))


def _bounded_moments(values: Array, weight: Array) -> list[tuple[float, float, float, float]]:
    """Moments of atanh of values (H,) in (-1, 1) with weights (n, H); see CellPosterior."""
    bounded = np.arctanh(np.clip(values, -0.99999, 0.99999))
    mean = weight @ bounded
    powers = [weight @ bounded**power for power in (2, 3, 4)]
    variance = np.maximum(powers[0] - mean**2, 1e-12)
    third = powers[1] - 3 * mean * powers[0] + 2 * mean**3
    fourth = powers[2] - 4 * mean * powers[1] + 6 * mean**2 * powers[0] - 3 * mean**4
    columns = (mean, np.sqrt(variance), third / variance**1.5, fourth / variance**2 - 3)
    return [(float(a), float(b), float(c), float(d)) for a, b, c, d in zip(*columns, strict=True)]


def quantile_functions(grid: Array, density: Array) -> Array:
    """Quantiles (n, K) at :data:`NODES` of densities (n, G) that sum to 1.

    Args:
        grid: intensities (G,), in points.
        density: (n, G), each row summing to 1.

    Returns:
        Quantiles (n, K), in points.
    """
    middle = np.cumsum(density, axis=1) - 0.5 * density
    return np.array([np.interp(NODES, row, grid) for row in middle])


def _shapes(grid: Array, quantiles: Array, density: Array, likelihood: Array) -> Shapes:
    centre = quantile_functions(grid, density[None])[0]
    place = np.clip((centre - grid[0]) / (grid[1] - grid[0]), 0, len(grid) - 1 - 1e-9)
    below = place.astype(np.int64)
    above = place - below
    rows = likelihood[:, below] * (1 - above) + likelihood[:, below + 1] * above
    rows /= np.maximum(rows.max(axis=1, keepdims=True), 1e-300)
    return Shapes(*(part.astype(np.float32) for part in (quantiles, centre, rows)))


@lru_cache(maxsize=4)
def _first_quantiles(points: int, limit: float) -> tuple[IntArray, Array]:
    """The order of the first populations' spreads, and their quantile functions."""
    candidates = first_populations(points, limit)
    grid = np.linspace(-limit, limit, points)
    return np.argsort(candidates.spread, kind="stable"), quantile_functions(
        grid, candidates.density
    )


def lone_posteriors(
    grid: Array, likelihood: Array, others: Sequence[Array], tail: float
) -> list[CellPosterior]:
    """The same for cells of one item each, all together; arguments as above, a row a cell.

    Args:
        grid: intensities (G,), equally spaced, in points.
        likelihood: (n, G), a row for each cell, positive.
        others: P arrays (n, G), the same under other judges.
        tail: posterior probability beyond each end of an interval.

    Returns:
        One posterior for each of the n cells.
    """
    candidates = first_populations(len(grid), float(grid[-1]))
    order, quantiles = _first_quantiles(len(grid), float(grid[-1]))
    prior = np.exp(candidates.log_weight - candidates.log_weight.max())

    def integrate(rows: Array) -> tuple[Array, Array]:
        weight = (rows @ candidates.density.T) * prior
        weight /= weight.sum(axis=1, keepdims=True)
        item = rows * (prior @ candidates.density)
        return weight, item / item.sum(axis=1, keepdims=True)

    weight, item = integrate(likelihood)
    mean, square = weight @ candidates.mean, weight @ candidates.mean**2
    sd, spread = np.sqrt(np.maximum(square - mean**2, 0)), weight @ candidates.spread
    best = np.log((likelihood @ candidates.density.T).max(axis=1))
    moments = _bounded_moments(candidates.mean / grid[-1], weight)
    cumulative = np.cumsum(weight[:, order], axis=1)[:, :-1]
    middles = (np.arange(SHAPES) + 0.5) / SHAPES
    other_mean, other_item = np.empty((len(others), len(item))), np.empty((len(others), len(item)))
    for index, other in enumerate(others):
        other_weight, density = integrate(other)
        other_mean[index], other_item[index] = other_weight @ candidates.mean, density @ grid
    return [
        CellPosterior(
            mean=float(mean[row]),
            sd=float(sd[row]),
            spread=float(spread[row]),
            moments=moments[row],
            reaches=_reaches(likelihood[row : row + 1], float(best[row]), tail),
            influence=np.ones(1),
            item=item[row : row + 1],
            other_mean=other_mean[:, row],
            other_item_mean=other_item[:, row : row + 1],
            shapes=_shapes(
                grid, quantiles[order[np.searchsorted(cumulative[row], middles)]],
                weight[row] @ candidates.density, likelihood[row : row + 1],
            ),
        )
        for row in range(len(item))
    ]  # fmt: skip


def cluster_factor(influence: Array, query: IntArray) -> float:
    """Standard error with items clustered by query over that with independent items, at least 1.

    The sandwich of the items' summed influences (Liang and Zeger 1986), with queries as clusters.

    Args:
        influence: of each item on the mean, (n,).
        query: number of each item's query, (n,).

    Returns:
        A factor of 1 or more; sqrt(n) where all items share one query.
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

    Args:
        query: number of each item's query, (n,).
        tail: probability beyond each end of an interval.

    Returns:
        A factor of 1 or more for the half-width of an interval.
    """
    clusters = len(np.unique(query))
    if clusters == len(query) or clusters < 2:
        return 1.0
    return float(stdtrit(clusters - 1, tail) / ndtri(tail))


def _log_product(marginal: Array) -> Array:
    """Log of the product over items (H,) of likelihoods (n, H), of eight at a time."""
    marginal = np.maximum(marginal, LEAST)
    whole = len(marginal) // 8 * 8
    eights = marginal[:whole].reshape(-1, 8, marginal.shape[1]).prod(axis=1)
    rest = np.log(marginal[whole:]).sum(axis=0)
    return np.asarray(np.log(eights).sum(axis=0) + rest)


def _normalised(log_weight: Array) -> Array:
    weight = np.exp(np.maximum(log_weight - log_weight.max(), -80.0))
    return np.asarray(weight / weight.sum())
