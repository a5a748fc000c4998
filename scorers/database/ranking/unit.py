"""How far the utilities of a value reach, once the judge's noise is taken out of them.

Estimated utilities spread more than the true ones, the more so the fewer the comparisons and the
noisier the judge. A unit of intensities that rests on their ends would thus depend on how often the
judge was asked. Here the ends are those of the distribution that the estimates come from:

1. Deconvolution. The density of the true utilities is an exponential family on a grid, with
   Legendre polynomials for statistics, a weak normal prior on their coefficients, and free ends (an
   average over candidate supports, by Laplace's approximation of their evidence); the estimates are
   that density plus normal errors of known size (Efron, *Empirical Bayes deconvolution estimates*,
   Biometrika 103, 2016).
2. What deconvolution leaves. Estimates from few rankings are stretched, their errors skew and
   shared among texts. So the whole estimation is repeated on rankings that are drawn from utilities
   of that density in the same windows; how far it is off there on average is taken out of the
   estimate, and how far from draw to draw makes its error (the parametric bootstrap: Efron and
   Tibshirani, *An Introduction to the Bootstrap*, 1993, chapters 6 and 10).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from valueflow.scorers.database.ranking.fit import (
    DENSE_ERRORS,
    StandardErrorMethod,
    fit_rankings,
)

__all__ = ["Reach", "reach_of", "redrawn"]

Array = NDArray[np.float64]

Redraw = Callable[[Array, np.random.Generator], tuple[Array, Array]]
"""From true utilities (n,) to estimates (n,) from rankings drawn anew in the same windows, and
their standard errors (n,)."""

_TERMS = 6
_PRECISION = 1.0
"""Of the prior on the coefficients of the density."""
_POINTS = 41
_BASIS = legendre.legvander(np.linspace(-1, 1, _POINTS), _TERMS)[:, 1:]
_ENDS = np.array([-0.05, 0.05, 0.1, 0.15, 0.25])
"""Candidates for where the density ends, inward from the outermost estimates, as shares of their
range."""
_GROUPS = 400
"""More texts than these are put together with their neighbours; the density hardly changes."""
_DRAWS = 12
_FEWEST_DRAWS = 5
_PILOTS = 2
_PASSES = 1
_PLACES = 6
_PROBES = 20
_TEXTS_IN_ALL = 4000
"""Texts over all draws that do; large values need fewer draws."""


@dataclass(frozen=True)
class Reach:
    """How far from the neutral point a share of the texts lies.

    Attributes:
        reach: in utility.
        log_se: standard error of its logarithm.
    """

    reach: float
    log_se: float


def reach_of(
    utilities: Array,
    errors: Array,
    neutral: float,
    share: float,
    redraw: Redraw | None = None,
    *,
    neutral_se: float = 0.0,
    seed: int = 0,
) -> Reach:
    """The distance from the neutral point within which a share of the true utilities lies.

    Args:
        utilities: (n,) estimates, in log choice odds.
        errors: (n,) their standard errors; 0 everywhere: the estimates are the truth.
        neutral: the utility of the neutral point.
        share: of the texts, in (0.5, 1].
        redraw: repeats the estimation (see `redrawn`); without it the estimate is the deconvolved
            one, and its error what the candidate supports leave open.
        neutral_se: standard error of the neutral point: one that is off lies further from one end.
        seed: of the draws.
    """
    if not (errors > 0).any():
        far = float(np.quantile(np.abs(utilities - neutral), share))
        return Reach(far, 0.0)
    found = _deconvolved(utilities, errors, neutral, share)
    if redraw is None:
        return Reach(found.reach, found.log_se)
    generator = np.random.default_rng(seed)
    draws = int(np.clip(_TEXTS_IN_ALL // utilities.size, _FEWEST_DRAWS, _DRAWS))
    pilots = _PILOTS if utilities.size <= DENSE_ERRORS else 1
    factor = np.ones(_PLACES)
    for _ in range(_PASSES):
        plausible = _like_the_estimates(found, utilities, redraw, generator, pilots)
        factor = _real_errors(plausible, redraw, generator, pilots)
        found = _deconvolved(utilities, _corrected(utilities, errors, factor), neutral, share)
    plausible = _like_the_estimates(found, utilities, redraw, generator, pilots)
    off = []
    for _ in range(draws):
        truth = plausible(generator)
        again, stated = redraw(truth, generator)
        slope = _slope(again, truth)
        # The shift that centres the redrawn estimates moves the neutral point with them.
        zero = float(again.mean()) + slope * (neutral - float(truth.mean()))
        zero += neutral_se * float(generator.standard_normal())
        corrected = _corrected(again, stated, factor)
        there = _deconvolved(again, corrected, zero, share).reach
        off.append(np.log(there / (slope * np.quantile(np.abs(truth - neutral), share))))
    spread = float(np.hypot(np.std(off, ddof=1), found.log_se))
    return Reach(found.reach * float(np.exp(-np.mean(off))), spread)


def _real_errors(
    plausible: Callable[[np.random.Generator], Array],
    redraw: Redraw,
    generator: np.random.Generator,
    pilots: int,
) -> Array:
    """What the stated errors are to be multiplied with, (places,), from the lowest estimates up.

    The stated error of a text that came first in all of its few windows is far too large.
    """
    real, stated = np.zeros(_PLACES), np.zeros(_PLACES)
    for _ in range(pilots):
        truth = plausible(generator)
        again, errors = redraw(truth, generator)
        left = again - again.mean() - _slope(again, truth) * (truth - truth.mean())
        for number, texts in enumerate(_places(again)):
            real[number] += float(np.sum(left[texts] ** 2))
            stated[number] += float(np.sum(errors[texts] ** 2))
    return np.asarray(np.sqrt(real / np.maximum(stated, 1e-12)))


def _places(utilities: Array) -> list[NDArray[np.intp]]:
    return np.array_split(np.argsort(utilities, kind="stable"), _PLACES)


def _corrected(utilities: Array, errors: Array, factor: Array) -> Array:
    corrected = errors.copy()
    for texts, times in zip(_places(utilities), factor, strict=True):
        corrected[texts] *= times
    return corrected


def _slope(estimates: Array, truth: Array) -> float:
    apart = truth - truth.mean()
    return float(apart @ estimates / (apart @ apart))


def _like_the_estimates(
    found: _Deconvolved,
    utilities: Array,
    redraw: Redraw,
    generator: np.random.Generator,
    pilots: int,
) -> Callable[[np.random.Generator], Array]:
    """Draws true utilities whose estimates would be spread as those at hand are.

    Estimates are stretched, and so is a density that is made from them; rankings drawn from it
    would be stretched once more.
    """
    middle, factor = float(utilities.mean()), 1.0
    for _ in range(pilots):
        truth = middle + factor * (found.draw(generator) - middle)
        factor *= float(np.clip(utilities.std() / redraw(truth, generator)[0].std(), 0.5, 2.0))
    return lambda generator: middle + factor * (found.draw(generator) - middle)


def redrawn(
    windows: Sequence[Sequence[int]], n_texts: int, ridge: float, errors: Array | None = None
) -> Redraw:
    """Draws rankings under Plackett-Luce in given windows, and fits them.

    Args:
        windows: the texts of each window, as numbers from 0.
        n_texts: number of texts.
        ridge: of the fit, see `fit_rankings`.
        errors: (n,) of the texts' first estimates; of very many texts these stand for those of the
            redrawn ones, which take longer than the fit.
    """
    longest = max(map(len, windows))
    table = np.full((len(windows), longest), -1, dtype=np.int64)
    for row, window in enumerate(windows):
        table[row, : len(window)] = window

    def redraw(truth: Array, generator: np.random.Generator) -> tuple[Array, Array]:
        # Worths with Gumbel noise rank by Plackett-Luce (Yellott 1977).
        worth = np.where(table >= 0, truth[table] + generator.gumbel(size=table.shape), -np.inf)
        order = np.argsort(-worth, axis=1, kind="stable")
        rankings = np.take_along_axis(table, order, axis=1)
        again = errors if n_texts > DENSE_ERRORS else None
        told: StandardErrorMethod = "auto" if again is None else "none"
        fit = fit_rankings(
            rankings, n_texts, ridge=ridge, standard_errors=told, probes=_PROBES, tolerance=1e-6
        )
        known = fit.standard_errors if again is None else again
        assert known is not None
        return fit.utilities, known

    return redraw


@dataclass(frozen=True)
class _Deconvolved:
    reach: float
    log_se: float
    grid: Array
    posterior: Array

    def draw(self, generator: np.random.Generator) -> Array:
        """True utilities of the texts, one draw of what is known of each."""
        heights = self.posterior.cumsum(axis=1)
        levels = generator.random((heights.shape[0], 1)) * heights[:, -1:]
        place = (heights < levels).sum(axis=1)
        step = self.grid[1] - self.grid[0]
        return np.asarray(self.grid[place] + step * (generator.random(place.size) - 0.5))


def _deconvolved(u: Array, errors: Array, neutral: float, share: float) -> _Deconvolved:
    se = np.maximum(errors, 1e-3 * float(u.std()) + 1e-12)
    middle, spread, weight = _grouped(u, se)
    low, high = float(u.min()), float(u.max())
    ends = _ENDS * (high - low)
    evidence, reaches, densities, grids = [], [], [], []
    for left in low + ends:
        for right in high - ends:
            grid = left + (right - left) * (np.arange(_POINTS) + 0.5) / _POINTS
            likelihood = _normal(middle, spread, grid)
            density, told = _density(likelihood, weight)
            evidence.append(told)
            densities.append(density)
            grids.append(grid)
            reaches.append(_reach(grid, density, neutral, share))
    weights = np.exp(np.array(evidence) - max(evidence))
    weights /= weights.sum()
    logs = np.log(reaches)
    mean = float(weights @ logs)
    best = int(np.argmax(evidence))
    grid, density = grids[best], densities[best]
    posterior = _normal(u, se, grid) * density
    between = float(np.sqrt(weights @ (logs - mean) ** 2))
    return _Deconvolved(float(np.exp(mean)), between, grid, posterior)


def _grouped(u: Array, se: Array) -> tuple[Array, Array, Array]:
    """Texts, or where they are very many groups of neighbours: place, error and number."""
    if u.size <= _GROUPS:
        return u, se, np.ones(u.size)
    groups = np.array_split(np.argsort(u, kind="stable"), _GROUPS)
    place = np.array([u[g].mean() for g in groups])
    error = np.array([np.sqrt(np.mean(se[g] ** 2)) for g in groups])
    return place, error, np.array([float(g.size) for g in groups])


def _normal(u: Array, se: Array, grid: Array) -> Array:
    """Likelihoods (n, points), each row up to a factor."""
    apart = (u[:, None] - grid) / se[:, None]
    return np.asarray(np.exp(-0.5 * apart**2) / se[:, None] + 1e-12)


def _reach(grid: Array, density: Array, neutral: float, share: float) -> float:
    away = np.abs(grid - neutral)
    order = np.argsort(away, kind="stable")
    below = density[order].cumsum() - density[order] / 2
    return float(np.interp(share, below, away[order]))


def _density(likelihood: Array, weight: Array) -> tuple[Array, float]:
    """The density on a grid with the largest penalised likelihood, and its log evidence."""
    basis = _BASIS
    total = float(weight.sum())

    def at(a: Array) -> tuple[float, Array, Array]:
        height = basis @ a
        density = np.exp(height - height.max())
        density /= density.sum()
        mixed = likelihood @ density
        return float(weight @ np.log(mixed)) - _PRECISION / 2 * float(a @ a), density, mixed

    a = np.zeros(_TERMS)
    value, density, mixed = at(a)
    curvature = np.full(_TERMS, _PRECISION)
    for _ in range(50):
        posterior = likelihood * density * (weight / mixed)[:, None]
        told = (posterior / weight[:, None]) @ basis
        mean = density @ basis
        gradient = weight @ told - total * mean - _PRECISION * a
        prior = (basis.T * density) @ basis - np.outer(mean, mean)
        known = (basis.T * posterior.sum(axis=0)) @ basis - (told.T * weight) @ told
        hessian = total * prior - known + _PRECISION * np.eye(_TERMS)
        curvature, axes = np.linalg.eigh(hessian)
        # Far from the maximum the objective may curve upwards; the step still leads uphill.
        firm = np.maximum(np.abs(curvature), 1e-3 * total * float(np.trace(prior)) / _TERMS)
        step = axes @ ((axes.T @ gradient) / firm)
        length = 1.0
        while True:
            reached = at(a + length * step)
            if reached[0] >= value - 1e-9 or length < 1e-4:
                break
            length /= 2
        gain = reached[0] - value
        a, (value, density, mixed) = a + length * step, reached
        if abs(gain) < 1e-3:
            break
    volume = 0.5 * float(np.log(np.maximum(curvature, _PRECISION) / _PRECISION).sum())
    return density, value - volume
