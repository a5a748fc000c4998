"""Shifts of cells from their baselines, paired by query.

Covariance of the errors of several cells' means, and the error of any function of them.

Two things make the errors of two cells go together. Queries that both cells have move both: the
items' part has the covariance of the two cells' sums of influences over queries (the sandwich of
Liang and Zeger 1986). And all cells of a value have the same judge, whose parameters are estimated.

A function of several means gets its standard error from seeded draws of a normal distribution with
that covariance. Unlike the delta method this stays honest where a denominator or a length may be
zero: the error of a cosine between a tiny shift and its target is large, not undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.figures import Figure

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

SHRINK_PAIRS = 5.0
"""The correlation of two cells' errors is shrunk by pairs / (pairs + this): few pairs tell little
of it, and taking it for too large would make the error of the shift too small."""


@dataclass(frozen=True)
class Shift:
    """Difference of two cells' means, in points; ``pairs`` counts the queries that both have."""

    cell: str
    baseline: str
    value: str
    shift: float
    se: float
    lower: float
    upper: float
    pairs: int


@dataclass(frozen=True)
class CellErrors:
    """What the error of a cell's mean is made of.

    ``sd``, from its items; ``influence`` (n,) and ``query`` (n,) of the items; ``judge`` (D,), the
    change of the mean when the judge's parameters move by one standard error in each of D
    independent directions, which all cells of a value share.
    """

    sd: float
    influence: Array
    query: IntArray
    judge: Array


def item_covariance(cells: Sequence[CellErrors]) -> tuple[Array, IntArray]:
    """Covariance (C, C) of the means of C cells from their items, and counts (C, C) of the queries
    that two cells share.

    It is that of the sums of influences over shared queries (Liang and Zeger 1986), with the
    correlation shrunk where few queries are shared.
    """
    queries, code = np.unique(np.concatenate([cell.query for cell in cells]), return_inverse=True)
    codes = np.split(code, np.cumsum([len(cell.query) for cell in cells])[:-1])
    both = list(zip(codes, cells, strict=True))
    sums = np.array([np.bincount(own, cell.influence, len(queries)) for own, cell in both])
    there = np.array([np.bincount(own, minlength=len(queries)) > 0 for own in codes], dtype=float)
    pairs = np.rint(there @ there.T).astype(np.int64)
    product = sums @ sums.T
    size = np.sqrt(np.outer(np.diag(product), np.diag(product)))
    correlation = np.where((size > 0) & (pairs > 1), product / np.where(size > 0, size, 1), 0.0)
    correlation = correlation * pairs / (pairs + SHRINK_PAIRS)
    np.fill_diagonal(correlation, 1.0)
    sd = np.array([cell.sd for cell in cells])
    # An unknown, infinite error has nothing in common with another.
    with np.errstate(invalid="ignore"):
        covariance = np.where(correlation == 0, 0.0, correlation * np.outer(sd, sd))
    return covariance, pairs


def shift_error(cell: CellErrors, baseline: CellErrors) -> tuple[float, int]:
    """Standard error of the difference of two cells' means, and the number of shared queries.

    The items' part pairs the queries; the judge's part largely cancels, since both cells have the
    same judge.
    """
    covariance, pairs = item_covariance([cell, baseline])
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    variance += float(np.sum((cell.judge - baseline.judge) ** 2))
    return float(np.sqrt(max(variance, 0.0))), int(pairs[0, 1])


DRAWS = 4000
"""Draws behind a standard error: its own Monte-Carlo error is about 1.1 %."""

CENTRAL = (15.865525393145708, 84.1344746068543)
"""Percentiles one standard deviation below and above the middle of a normal distribution."""


def cell_covariance(errors: Sequence[CellErrors], values: Sequence[str]) -> Array:
    """Covariance (C, C) of the means of C cells, in squared points.

    ``errors`` are the cells' own, from :class:`.evaluation.Evaluation`, and ``values`` the value
    that each measures: judges of different values are taken as independent.
    """
    covariance = item_covariance(errors)[0]
    for value in set(values):
        own = np.array([i for i, name in enumerate(values) if name == value])
        judge = np.array([errors[i].judge for i in own])
        covariance[np.ix_(own, own)] += judge @ judge.T
    return covariance


@dataclass(frozen=True)
class JointCells:
    """Means (C,) of cells, in points, with the covariance (C, C) of their errors."""

    index: Mapping[str, int]
    mean: Array
    covariance: Array

    @classmethod
    def of(
        cls, means: Mapping[str, float], values: Mapping[str, str], errors: Mapping[str, CellErrors]
    ) -> JointCells:
        """From each cell's mean, value and errors."""
        cells = list(means)
        return cls(
            {cell: i for i, cell in enumerate(cells)},
            np.array([means[cell] for cell in cells]),
            cell_covariance([errors[c] for c in cells], [values[c] for c in cells]),
        )

    def figures(
        self, cells: Sequence[str], function: Callable[[Array], Array], *, ratio: bool = False
    ) -> list[Figure]:
        """Figures of a function of some cells' means.

        Args:
            cells: n names.
            function: takes means (..., n) and gives M figures (..., M).
            ratio: a quotient, whose draws may be far out: its error is then half the width of the
                central 68.3 % of the draws, for a normal distribution the same.

        Returns:
            M figures; the error is NaN where a cell's own error is not known.
        """
        # Each cell once and by name, so that the order in which they are given changes no draw.
        names = sorted(set(cells))
        which = [self.index[cell] for cell in names]
        place = [names.index(cell) for cell in cells]
        mean, covariance = self.mean[which], self.covariance[np.ix_(which, which)]
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.atleast_1d(function(mean[place]))
            if not np.isfinite(covariance).all():
                return [Figure(float(one)) for one in value]
            drawn = function(_draws(mean, covariance)[:, place])
        if ratio:
            low, high = np.nanpercentile(drawn, CENTRAL, axis=0)
            errors = (high - low) / 2
        else:
            errors = np.nanstd(drawn, axis=0)
        return [
            Figure(float(v), float(e)) for v, e in zip(value, np.atleast_1d(errors), strict=True)
        ]


Part = tuple[Sequence[str], Callable[[Array], Array]]
"""Some cells' names, and a function of their means (..., n) that gives figures (..., M)."""


def average_of(parts: Sequence[Part]) -> Part:
    """The average over parts of what each gives, as one function of all their cells."""
    parts = sorted(parts, key=lambda part: list(part[0]))
    cells = [cell for names, _ in parts for cell in names]
    ends = np.cumsum([len(names) for names, _ in parts])

    def average(means: Array) -> Array:
        split = np.split(means, ends[:-1], axis=-1)
        found = [function(own) for (_, function), own in zip(parts, split, strict=True)]
        return np.asarray(np.mean(found, axis=0))

    return cells, average


def _draws(mean: Array, covariance: Array) -> Array:
    """Draws (D, n), the same ones for the same cells."""
    # Correlations are shrunk by their own numbers of pairs, so that an eigenvalue can be a
    # little below 0.
    size, direction = np.linalg.eigh(covariance)
    # The symmetric root, which does not depend on the signs of the directions.
    root = direction * np.sqrt(np.maximum(size, 0)) @ direction.T
    standard = np.random.default_rng(0).standard_normal((DRAWS, len(mean)))
    return np.asarray(mean + standard @ root)
