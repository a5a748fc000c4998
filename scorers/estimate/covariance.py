"""Errors of several cells' means, and of any function of them.

Three things make the errors of two cells go together. Queries that both cells have move both: the
items' part has the correlation of the two cells' sums of influences over queries (the sandwich of
Liang and Zeger 1986), drawn toward what the cells of a value have in common where queries are few.
All cells of a value have the same judge, whose parameters are estimated. And the scale has ends.

A function of several means gets its interval and its standard error from seeded draws of the means:
the items' and the judge's parts are drawn jointly normal and carried to the scale by each cell's
own posterior, so that no draw leaves it and none is sure where the windows are not. Unlike the
delta method this stays honest where a denominator or a length may be zero: the error of a cosine
between a tiny shift and its target is large, not undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from valueflow.scorers.estimate.cells import Shapes
from valueflow.scorers.figures import Figure

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

LIMIT = 10.0
"""Means live on [-LIMIT, LIMIT]."""

SHARED = (0.0, 0.5)
"""Mean and standard deviation of the prior on Fisher's z of the correlation that the errors of the
cells of a value have in common."""

APART = (0.0, 0.3)
"""The same for cells of different values."""

PRIOR_PAIRS = 8.0
"""Queries that what all cells have in common counts for, beside the queries that two cells share,
in the correlation of their errors."""


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
class Bounded:
    """The posterior of a cell's mean m by y = atanh(m / 10), which cannot leave the scale.

    ``centre`` and ``sd``, from the items, ``skewness`` and ``kurtosis`` (excess) of y; ``judge``
    (D,), its change when the judge's parameters move by one standard error in each of D directions.
    ``scale`` (E,), in points, are errors of the scale itself, which move a mean as far as its ends.
    """

    centre: float
    sd: float
    skewness: float
    kurtosis: float
    judge: Array
    scale: Array = field(default_factory=lambda: np.zeros(0))

    def at(self, z: Array, moved: Array | float = 0.0) -> Array:
        """Means (...) where the items' part is ``z`` (...) standard deviations off its centre.

        ``moved`` (...) is added to y.  Skewness and kurtosis by Cornish and Fisher (1937), as far
        as their expansion is monotone.
        """
        first, second = np.clip(self.skewness, -0.8, 0.8), np.clip(self.kurtosis, -0.8, 2.0)
        bent = z + (z**2 - 1) * first / 6 + (z**3 - 3 * z) * second / 24
        bent -= (2 * z**3 - 5 * z) * first**2 / 36
        return np.asarray(LIMIT * np.tanh(self.centre + self.sd * bent + moved))

    def bounds(self, tail: float) -> tuple[float, float]:
        """Quantiles at ``tail`` and 1 - ``tail`` with the judge's and the scale's parts."""
        whole = float(np.sqrt(1 + self.judge @ self.judge / max(self.sd, 1e-12) ** 2))
        wide = Bounded(self.centre, self.sd * whole, self.skewness, self.kurtosis, self.judge)
        lower, middle, upper = wide.at(np.array([ndtri(tail), 0.0, -ndtri(tail)]))
        moved = float(ndtri(tail) * np.sqrt(self.scale @ self.scale))
        low = float(middle - np.hypot(middle - lower, moved))
        high = float(middle + np.hypot(upper - middle, moved))
        return max(low, -LIMIT), min(high, LIMIT)


@dataclass(frozen=True)
class CellErrors:
    """What the error of a cell's mean is made of.

    ``sd``, from its items; ``influence`` (n,) and ``query`` (n,) of the items; ``judge`` (D,), the
    change of the mean when the judge's parameters move by one standard error in each of D
    independent directions, which all cells of a value share.  ``bounded`` is the same for a scale
    with ends, and ``shapes`` what the cell's posterior says of more than its mean; both None where
    the estimator is the published one.
    """

    sd: float
    influence: Array
    query: IntArray
    judge: Array
    bounded: Bounded | None = None
    shapes: Shapes | None = None


def item_correlation(cells: Sequence[CellErrors], values: Sequence[str]) -> tuple[Array, IntArray]:
    """Correlation (C, C) of the errors of C cells' means that their items make, and counts (C, C)
    of the queries that two cells share.

    That of two cells is observed in the sums of influences over their shared queries.  It is drawn
    toward the average over all pairs of cells of the same ``values``, or of different ones, which
    is itself drawn toward its prior where queries are few.
    """
    queries, code = np.unique(np.concatenate([cell.query for cell in cells]), return_inverse=True)
    codes = np.split(code, np.cumsum([len(cell.query) for cell in cells])[:-1])
    both = list(zip(codes, cells, strict=True))
    sums = np.array([np.bincount(own, cell.influence, len(queries)) for own, cell in both])
    there = np.array([np.bincount(own, minlength=len(queries)) > 0 for own in codes], dtype=float)
    pairs = np.rint(there @ there.T).astype(np.int64)
    product = sums @ sums.T
    size = np.sqrt(np.outer(np.diag(product), np.diag(product)))
    known = (size > 0) & (pairs > 1)
    observed = np.where(known, product / np.where(size > 0, size, 1), 0.0)
    code_of = {value: code for code, value in enumerate(dict.fromkeys(values))}
    value = np.array([code_of[name] for name in values])
    same = value[:, None] == value
    usual = np.zeros_like(observed)
    for number in code_of.values():
        own = value == number
        usual[np.ix_(own, own)] = _usual(observed, pairs, known & own & own[:, None], SHARED)
    usual[~same] = _usual(observed, pairs, known & ~same, APART)
    correlation = (pairs * observed + PRIOR_PAIRS * usual) / (pairs + PRIOR_PAIRS)
    correlation = np.where(pairs > 0, correlation, 0.0)
    np.fill_diagonal(correlation, 1.0)
    return correlation, pairs


def _usual(
    observed: Array, pairs: IntArray, which: NDArray[np.bool_], prior: tuple[float, float]
) -> float:
    """The correlation that pairs of cells have on average, drawn toward its prior.

    However many cells there are, they share their queries, so that the average is known no better
    than one correlation over these.
    """
    which = which & ~np.eye(len(observed), dtype=bool)
    centre, sd = prior
    if not which.any():
        return float(np.tanh(centre))
    mean = float(np.average(observed[which], weights=pairs[which]))
    told = sd**2 * max(float(pairs[which].max()) - 1, 0.0)
    told /= 1 + told
    return float(np.tanh((1 - told) * centre + told * np.arctanh(np.clip(mean, -0.99, 0.99))))


DRAWS = 4000
"""Draws behind a standard error: its own Monte-Carlo error is about 1.1 %."""

DRAWN_AT_ONCE = 300
"""Most cells that are drawn together whether or not a figure needs them all."""

CENTRAL = (15.865525393145708, 84.1344746068543)
"""Percentiles one standard deviation below and above the middle of a normal distribution."""


def cell_covariance(errors: Sequence[CellErrors], values: Sequence[str]) -> Array:
    """Covariance (C, C) of the means of C cells, in squared points.

    ``errors`` are the cells' own, from :class:`.evaluation.Evaluation`, and ``values`` the value
    that each measures: judges of different values are taken as independent.
    """
    sd = np.array([cell.sd for cell in errors])
    correlation = item_correlation(errors, values)[0]
    # An unknown, infinite error has nothing in common with another.
    with np.errstate(invalid="ignore"):
        covariance = np.where(correlation == 0, 0.0, correlation * np.outer(sd, sd))
    for value in set(values):
        own = np.array([i for i, name in enumerate(values) if name == value])
        judge = np.array([errors[i].judge for i in own])
        covariance[np.ix_(own, own)] += judge @ judge.T
    return covariance


@dataclass(frozen=True)
class JointCells:
    """Means (C,) of cells, in points, with what their errors are made of, and the value of each."""

    index: Mapping[str, int]
    mean: Array
    errors: Sequence[CellErrors]
    values: Sequence[str]

    @classmethod
    def of(
        cls, means: Mapping[str, float], values: Mapping[str, str], errors: Mapping[str, CellErrors]
    ) -> JointCells:
        """From each cell's mean, value and errors."""
        cells = list(means)
        return cls(
            {cell: i for i, cell in enumerate(cells)},
            np.array([means[cell] for cell in cells]),
            [errors[cell] for cell in cells],
            [values[cell] for cell in cells],
        )

    @cached_property
    def _items(self) -> tuple[Array, IntArray]:
        return item_correlation(self.errors, self.values)

    @property
    def correlation(self) -> Array:
        """Correlation (C, C) of what the items do to the means."""
        return self._items[0]

    @property
    def pairs(self) -> IntArray:
        """Counts (C, C) of the queries that two cells share."""
        return self._items[1]

    @cached_property
    def _drawn(self) -> dict[tuple[str, ...], Array]:
        return {}

    def draws(self, cells: Sequence[str], count: int = DRAWS) -> Array:
        """The first ``count`` of :data:`DRAWS` draws (count, n) of the means of n named cells."""
        # By name, so that the order in which cells are given changes no draw; all cells at once
        # where they are few, so that figures of different cells belong to the same draws.
        names = tuple(sorted(self.index if len(self.index) <= DRAWN_AT_ONCE else set(cells)))
        if names not in self._drawn:
            self._drawn.clear()
            self._drawn[names] = self._draw(names)
        place = {name: i for i, name in enumerate(names)}
        return np.asarray(self._drawn[names][:count, [place[cell] for cell in cells]])

    def _draw(self, names: Sequence[str]) -> Array:
        which = [self.index[cell] for cell in names]
        # Correlations are drawn toward others by their own numbers of pairs, so that an eigenvalue
        # can be a little below 0. The symmetric root does not depend on the signs of directions.
        size, direction = np.linalg.eigh(self.correlation[np.ix_(which, which)])
        root = direction * np.sqrt(np.maximum(size, 0)) @ direction.T
        standard = np.random.default_rng(0).standard_normal((DRAWS, len(which)))
        items = standard @ (root / np.sqrt((root**2).sum(axis=0)))
        # Of many judges' errors each has directions of its own; `judge` ends with the scale's.
        width = max([MOST_DIRECTIONS, *(len(self.errors[i].judge) for i in which)])
        judge = {
            value: np.random.default_rng([1, number]).standard_normal((DRAWS, width))
            for number, value in enumerate(sorted({self.values[i] for i in which}))
        }
        means = np.empty_like(items)
        for place, i in enumerate(which):
            error, shared = self.errors[i], judge[self.values[i]]
            if error.bounded is None:
                moved = shared[:, : len(error.judge)] @ error.judge
                means[:, place] = self.mean[i] + error.sd * items[:, place] + moved
            else:
                bounded, count = error.bounded, len(error.bounded.judge)
                drawn = bounded.at(items[:, place], shared[:, :count] @ bounded.judge)
                # The last directions, whatever the number of the judge's.
                drawn += shared[:, width - len(bounded.scale) :] @ bounded.scale
                means[:, place] = np.clip(drawn, -LIMIT, LIMIT)
        return np.asarray(means)

    def figures(
        self,
        cells: Sequence[str],
        function: Callable[[Array], Array],
        *,
        ratio: bool = False,
        straight: bool = False,
    ) -> list[Figure]:
        """Figures of a function of some cells' means.

        Args:
            cells: n names.
            function: takes means (..., n) and gives M figures (..., M).
            ratio: a quotient, whose draws may be far out: its error is then half the width of the
                central 68.3 % of the draws, for a normal distribution the same.
            straight: a figure without curvature, such as a difference: its interval is that of the
                draws. Others, such as a length, are larger in the draws than in the means; their
                interval is that of the draws about their median, moved to the figure.

        Returns:
            M figures; error and interval are NaN where a cell's own error is not known.
        """
        which = [self.index[cell] for cell in cells]
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.atleast_1d(function(self.mean[which]))
            if not np.isfinite([self.errors[i].sd for i in which]).all():
                return [Figure(float(one)) for one in value]
            drawn = np.atleast_2d(function(self.draws(cells)))
        low, middle, high = np.nanpercentile(drawn, (2.5, 50, 97.5), axis=0)
        if ratio:
            near, far = np.nanpercentile(drawn, CENTRAL, axis=0)
            errors = (far - near) / 2
        else:
            errors = np.nanstd(drawn, axis=0)
        if not straight:
            low, high = value + low - middle, value + high - middle
        columns = zip(value, errors, low, high, strict=True)
        return [Figure(*(float(one) for one in row)) for row in columns]


MOST_DIRECTIONS = 16
"""More directions than the error of one judge has."""


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
