"""Which of two responses to one question goes further: a joint model of two cells of a value.

A question pulls the responses of all levels its way, so that the share of questions at which one
level goes further than another is not told by the two cells alone.  The two intensities of a
question are joined by a normal copula: each cell keeps its own population, of any form, and one
correlation says how far the question moves both (Nelsen 2006, section 2.3).  The correlation of
each pair of cells is integrated over, given the windows of the questions that both have, about what
the pairs of the value have in common; so are the populations, and the judge, with the errors that
all cells share.

Comparing the estimates of single responses instead counts the judge's noise as reversals: a sign
accuracy of 0.82 reads as 0.65.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from valueflow.scorers.estimate.cells import NODES, SHAPES, Shapes
from valueflow.scorers.estimate.covariance import LIMIT, CellErrors, JointCells

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

DRAWS = 256
"""Draws of two populations and their correlation behind a share."""

FISHER_Z = np.linspace(-1.6, 2.4, 17)
"""Fisher's z of the correlations on the grid, from -0.92 to 0.98."""

COMMON = (0.3, 0.6)
"""Mean and standard deviation of the prior on the z that the pairs of a value have in common."""

ALIKE = 0.8
"""Correlation of the errors of the spreads of two cells of a value: the levels of a value mostly
spread alike, and a share over several of them is no surer than that."""

PRIOR_QUESTIONS = 5.0
"""Questions that tell as much of a spread as its prior does."""

PAIR_SD = 0.35
"""Standard deviation of the z of one pair of cells about that."""


def order_draws(
    joint: JointCells, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Array]:
    """Draws of the share of questions at which one cell's response exceeds another's.

    Args:
        joint: the cells' means with their errors, of the population estimator.
        pairs: names of two cells that measure the same value.

    Returns:
        For each pair, the probability (1 + DRAWS,) that a response of the second cell to a
        question exceeds one of the first to the same question: in the middle of the posterior, and
        in draws from it.
    """
    cells = sorted({cell for pair in pairs for cell in pair})
    if not cells:
        return {}
    middle = joint.mean[[joint.index[cell] for cell in cells]]
    means = np.vstack([middle, joint.draws(cells, DRAWS)])
    generator = np.random.default_rng(2)
    alike = _alike(joint, cells, generator)
    curves = {}
    for place, cell in enumerate(cells):
        own = generator.standard_normal(DRAWS)
        off = np.sqrt(ALIKE) * alike[joint.values[joint.index[cell]]] + np.sqrt(1 - ALIKE) * own
        shapes = joint.errors[joint.index[cell]].shapes
        if shapes is not None:
            curves[cell] = _curves(shapes, np.append(0.0, off), means[:, place])
    of_value: dict[str, list[tuple[str, str]]] = {}
    # Sorted, so that the order in which cells appear changes no draw.
    for pair in sorted(pairs):
        of_value.setdefault(joint.values[joint.index[pair[0]]], []).append(pair)
    found = {}
    for members in of_value.values():
        errors = [tuple(joint.errors[joint.index[cell]] for cell in pair) for pair in members]
        weights = _correlation_weights(errors, len({cell for pair in members for cell in pair}))
        for (first, second), weight in zip(members, weights, strict=True):
            chance = (np.arange(DRAWS) + generator.random(DRAWS)) / DRAWS
            chosen = np.searchsorted(np.cumsum(weight)[:-1], generator.permutation(chance))
            correlation = np.tanh(np.append(weight @ FISHER_Z, FISHER_Z[chosen]))
            found[first, second] = exceeds(curves[second], curves[first], correlation)
    return found


def _alike(
    joint: JointCells, cells: Sequence[str], generator: np.random.Generator
) -> dict[str, Array]:
    """What the errors of the spreads have in common, by value: draws (DRAWS,).

    With few questions the prior on the spread says most, and it says the same of all values.
    """
    counts = [len(np.unique(joint.errors[joint.index[cell]].query)) for cell in cells]
    prior = PRIOR_QUESTIONS / (PRIOR_QUESTIONS + float(np.median(counts)))
    everywhere = generator.standard_normal(DRAWS)
    values = dict.fromkeys(joint.values[joint.index[cell]] for cell in cells)
    return {
        value: np.sqrt(prior) * everywhere + np.sqrt(1 - prior) * generator.standard_normal(DRAWS)
        for value in values
    }


def _curves(shapes: Shapes, off: Array, means: Array) -> Array:
    """Quantile functions (D, K) of populations of given means, whose spreads are so far ``off``."""
    rank = np.minimum((ndtr(off) * SHAPES).astype(np.int64), SHAPES - 1)
    curves = shapes.quantiles[rank].astype(np.float64)
    moved = curves + (means - curves.mean(axis=1))[:, None]
    return np.asarray(np.clip(moved, -LIMIT, LIMIT))


def exceeds(upper: Array, lower: Array, correlation: Array) -> Array:
    """Probability (D,) that a draw from one population exceeds that from another.

    Quantile functions ``upper`` and ``lower`` (D, K) at `NODES`; the copula is normal with
    ``correlation`` (D,).
    """
    nodes = ndtri(NODES)
    count = len(NODES)
    rank = (lower[:, None, :] < upper[:, :, None]).sum(axis=2)
    ties = (lower[:, None, :] == upper[:, :, None]).sum(axis=2)
    # Between two nodes the distribution function is straight.
    below = np.take_along_axis(lower, np.clip(rank - 1, 0, count - 1), axis=1)
    above = np.take_along_axis(lower, np.clip(rank, 0, count - 1), axis=1)
    part = (upper - below) / np.maximum(above - below, 1e-9)
    inside = (rank > 0) & (rank < count)
    place = np.where(inside, rank - 0.5 + np.clip(part, 0, 1), np.where(rank > 0, count, 0.0))
    place = np.where(ties > 0, rank + ties / 2, place)
    threshold = ndtri(np.clip(place / count, 0.25 / count, 1 - 0.25 / count))
    own = correlation[:, None]
    return np.asarray(ndtr((threshold - own * nodes) / np.sqrt(1 - own**2)).mean(axis=1))


@lru_cache(maxsize=1)
def _copulas() -> Array:
    """Probabilities (R, K, K) of pairs of nodes under each correlation on the grid."""
    z = ndtri(NODES)
    result = []
    for correlation in np.tanh(FISHER_Z):
        square = z[:, None] ** 2 + z**2
        product = np.outer(z, z)
        spare = 1 - correlation**2
        log = (2 * correlation * product - correlation**2 * square) / (2 * spare)
        table = np.exp(log - log.max())
        for _ in range(60):
            table /= table.sum(axis=1, keepdims=True)
            table /= table.sum(axis=0, keepdims=True)
        result.append(table / table.sum())
    return np.array(result)


def _correlation_weights(pairs: Sequence[tuple[CellErrors, ...]], cells: int) -> Array:
    """Posterior weights (P, R) of the correlations on the grid, for each of P pairs of cells."""
    logs = np.array([_log_likelihood(one, other) for one, other in pairs])
    about = np.exp(-0.5 * ((FISHER_Z[:, None] - FISHER_Z) / PAIR_SD) ** 2)
    about /= about.sum(axis=1, keepdims=True)
    likelihood = np.exp(logs - logs.max(axis=1, keepdims=True))
    # A cell is in many pairs: together they tell what half as many pairs as cells would.
    share = min(cells / (2 * len(pairs)), 1.0)
    common = share * np.log(likelihood @ about.T).sum(axis=0)
    common += -0.5 * ((FISHER_Z - COMMON[0]) / COMMON[1]) ** 2
    common = np.exp(common - common.max())
    weights = likelihood * (common @ about)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _log_likelihood(one: CellErrors, other: CellErrors) -> Array:
    """Log-likelihood (R,) of the correlations, from the questions that two cells share.

    Where a cell has several responses to a question, the first is paired with the first, and so on.
    """
    if one.shapes is None or other.shapes is None:
        return np.zeros(len(FISHER_Z))
    first, second = _matched(one.query, other.query)
    if not len(first):
        return np.zeros(len(FISHER_Z))
    copulas = _copulas()
    rows = one.shapes.likelihood[first].astype(np.float64)
    columns = other.shapes.likelihood[second].astype(np.float64)
    joined = np.tensordot(rows, copulas, axes=(1, 1))
    marginal = np.einsum("nrk,nk->nr", joined, columns)
    return np.asarray(np.log(np.maximum(marginal, 1e-300)).sum(axis=0))


def _matched(one: IntArray, other: IntArray) -> tuple[IntArray, IntArray]:
    """Indices of the responses of two cells that answer the same question."""
    _, code = np.unique(np.concatenate([one, other]), return_inverse=True)
    parts = []
    for own in (code[: len(one)], code[len(one) :]):
        order = np.argsort(own, kind="stable")
        ordered = own[order]
        first = np.searchsorted(ordered, ordered)
        parts.append((ordered * (len(code) + 1) + np.arange(len(own)) - first, order))
    _, left, right = np.intersect1d(parts[0][0], parts[1][0], return_indices=True)
    return parts[0][1][left], parts[1][1][right]
