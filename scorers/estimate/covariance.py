"""Errors of several cells' means, and of any function of them.

Three things make the errors of two cells go together. Queries that both cells have move both: the
items' part has the correlation of the two cells' sums of influences over queries (the sandwich of
Liang and Zeger 1986), drawn toward what the cells of a value have in common where queries are few.
All cells of a value have the same judge, whose parameters are estimated. Where the persona was
worded in several ways, all cells have the same wordings, which are a sample of those that one might
have used. And the scale has ends.

A function of several means gets its interval and its standard error from seeded draws of the means:
the items' and the judge's parts are drawn jointly normal and carried to the scale by each cell's
own posterior, so that no draw leaves it and none is sure where the windows are not. Unlike the
delta method this stays honest where a denominator or a length may be zero: the error of a cosine
between a tiny shift and its target is large, not undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import t as student

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
    the estimator is the published one.  ``wording`` (E,), in points, is the error that comes of
    the sample of wordings, in directions that all cells of a run share (see
    :func:`wording_effects`); empty where there is one wording.  ``worded`` (n,) numbers the wording
    in which each item was asked, 0 where it is not known.
    """

    sd: float
    influence: Array
    query: IntArray
    judge: Array
    bounded: Bounded | None = None
    shapes: Shapes | None = None
    wording: Array = field(default_factory=lambda: np.zeros(0))
    worded: IntArray | None = None


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
    if any(len(cell.wording) for cell in errors):
        wording = np.array([cell.wording for cell in errors])
        covariance += wording @ wording.T
    return covariance


MOST_MISSED = 0.5
"""Share of the queries, at least, that a cell must have beside another to tell of wordings."""


@dataclass(frozen=True)
class WordingEffects:
    """How far the wording of the persona moves the means of steered cells.

    The mean of a cell is a value's at a level, plus a deviation of the wording's that all values
    share at this level, plus one of the value's own; over the wordings that one might have used
    these have mean 0 and the covariances ``common`` (L, L) and ``own`` (L, L) over L ``levels``, in
    squared points.  ``sd``, in points, is the standard deviation of a cell's mean between wordings,
    both parts together, over all cells.  ``strength``, by wording, is how much further than the
    average over all wordings it moves the means toward where the persona points.  ``asked`` counts
    the queries of each wording, ``values`` the values that this rests on.
    """

    wordings: tuple[int, ...]
    levels: tuple[int, ...]
    common: Array
    own: Array
    sd: Figure
    sd_common: float
    strength: dict[int, Figure]
    asked: tuple[int, ...]
    values: int


def wording_effects(
    errors: Mapping[str, CellErrors],
    values: Mapping[str, str],
    levels: Mapping[str, int],
) -> WordingEffects | None:
    """Estimates what wordings do, by the analysis of variance of questions in wordings.

    Each question was asked in one wording, the same under all conditions. So the covariance of two
    cells between wordings, less what questions within wordings make of it, is that of the wordings'
    deviations (the method of moments of a one-way multivariate analysis of variance; Searle,
    Casella and McCulloch, *Variance Components*, 1992, chapters 3 and 11). It is averaged over
    pairs of cells of different values (``common``) and of the same value (with ``own``), and made
    a covariance by leaving out negative eigenvalues.

    Args:
        errors: of the cells, whose influences stand for their items.
        values: the value of each.
        levels: the level of each cell that is steered; others are not looked at.

    Returns:
        The effects; None where no two wordings have two questions each.
    """
    names = [name for name in levels if name in errors and np.isfinite(errors[name].sd)]
    wording = _wording_of_queries([errors[name] for name in names])
    z, there = _pseudo(errors, names, len(wording))
    kept = np.array([w for w in np.unique(wording) if w > 0 and (wording == w).sum() > 1])
    if len(names) == 0 or len(kept) < 2:
        return None
    asked = np.isin(wording, kept)
    z, there, wording = z[:, asked], there[:, asked], wording[asked]
    found = _moments(z, there, wording, kept)
    value = np.array([values[name] for name in names])
    level = np.array([levels[name] for name in names])
    every = tuple(int(one) for one in np.unique(level))
    same = value[:, None] == value
    whole, common = (
        _by_level(found, which, level, every) for which in (same, ~same)
    )  # fmt: skip
    common = _covariance(common)
    own = _covariance(whole - common)
    by_value = [float(np.nanmean(np.diag(found)[value == name])) for name in dict.fromkeys(value)]
    sd = _standard_deviation(by_value, len(kept))
    return WordingEffects(
        wordings=tuple(int(one) for one in kept),
        levels=every,
        common=common,
        own=own,
        sd=sd,
        # The sum of both parts is known better than either.
        sd_common=min(float(np.sqrt(np.mean(np.diag(common)))), sd.value),
        strength=_strengths(z, there, wording, kept, np.sign(level)),
        asked=tuple(int((there.any(axis=0) & (wording == one)).sum()) for one in kept),
        values=len(by_value),
    )


def _wording_of_queries(cells: Sequence[CellErrors]) -> IntArray:
    """The wording of each query (Q,), 0 where it is not known or not one."""
    wording = np.zeros(max((int(cell.query.max()) + 1 for cell in cells), default=0), dtype=int)
    for cell in cells:
        told = np.zeros(len(cell.query), dtype=int) if cell.worded is None else cell.worded
        before = wording[cell.query]
        wording[cell.query] = np.where((before != 0) & (before != told), -1, told)
    return np.maximum(wording, 0)


def _pseudo(
    errors: Mapping[str, CellErrors], names: Sequence[str], queries: int
) -> tuple[Array, NDArray[np.bool_]]:
    """What each query (C, Q) adds to a cell's mean, on the scale of single queries' own means, with
    mean 0; and which queries each cell has."""
    z, there = np.zeros((len(names), queries)), np.zeros((len(names), queries), dtype=bool)
    for row, name in enumerate(names):
        cell = errors[name]
        own = np.unique(cell.query)
        sums = np.bincount(cell.query, cell.influence, queries)[own]
        sums -= sums.mean()
        size = float(np.sqrt(sums @ sums / (len(own) - 1))) if len(own) > 1 else 0.0
        if size > 0:
            # Their standard error is then the cell's own.
            z[row, own] = sums / size * cell.sd * np.sqrt(len(own))
            there[row, own] = True
    return z, there


def _moments(z: Array, there: NDArray[np.bool_], wording: IntArray, kept: IntArray) -> Array:
    """Covariance (C, C) between wordings of pairs of cells; NaN where two share too few queries."""
    total, sum_a, sum_b, inner, squares = (np.zeros((len(z), len(z))) for _ in range(5))
    count, groups = np.zeros_like(total), np.zeros_like(total)
    for one in kept:
        own, mask = z[:, wording == one], there[:, wording == one].astype(float)
        n = mask @ mask.T
        a = own @ mask.T  # Sums of the row's cell over the queries that both have.
        product = own @ own.T
        safe = np.maximum(n, 1)
        inner += product - a * a.T / safe
        total, sum_a, sum_b = total + product, sum_a + a, sum_b + a.T
        count, squares, groups = count + n, squares + n**2, groups + (n > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (total - sum_a * sum_b / count - inner) / (groups - 1)
        within = inner / (count - groups)
        usual = (count - squares / count) / (groups - 1)
        found = (between - within) / usual
    enough = (groups > 1) & (count > groups) & (count >= MOST_MISSED * count.max())
    return np.asarray(np.where(enough, found, np.nan))


def _by_level(
    found: Array, which: NDArray[np.bool_], level: IntArray, levels: Sequence[int]
) -> Array:
    """Averages (L, L) over chosen pairs of cells by their levels; 0 where there is none."""
    made = np.zeros((len(levels), len(levels)))
    for i, a in enumerate(levels):
        for j, b in enumerate(levels):
            cells = found[np.outer(level == a, level == b) & which]
            cells = cells[np.isfinite(cells)]
            made[i, j] = cells.mean() if len(cells) else 0.0
    return np.asarray((made + made.T) / 2)


def _covariance(moments: Array) -> Array:
    size, direction = np.linalg.eigh(moments)
    return np.asarray((direction * np.maximum(size, 0)) @ direction.T)


def _standard_deviation(by_value: Sequence[float], wordings: int) -> Figure:
    """Of a cell's mean between wordings, from a variance for each value."""
    known = np.array([one for one in by_value if np.isfinite(one)])
    if len(known) == 0:
        return Figure(np.nan)
    variance, degrees = float(known.mean()), len(known) * (wordings - 1)
    if len(known) > 2:
        error = float(known.std(ddof=1) / np.sqrt(len(known)))
        far = float(student.ppf(0.975, len(known) - 1)) * error
    else:
        error = far = abs(variance) * float(np.sqrt(2 / degrees))
    low, high = (float(np.sqrt(max(variance + way * far, 0.0))) for way in (-1, 1))
    middle = float(np.sqrt(max(variance, 0.0)))
    return Figure(middle, (high - low) / (2 * float(-ndtri(0.025))), low, high)


def _strengths(
    z: Array, there: NDArray[np.bool_], wording: IntArray, kept: IntArray, sign: Array
) -> dict[int, Figure]:
    """By wording, how far its questions stand from all, toward where the persona points."""
    asked = there.any(axis=0)
    with np.errstate(invalid="ignore"):
        told = (z * sign[:, None]).sum(axis=0)[asked] / there.sum(axis=0)[asked]
    code = wording[asked]
    rest = np.concatenate([told[code == one] - told[code == one].mean() for one in kept])
    spread = float(np.sqrt(rest @ rest / max(len(rest) - len(kept), 1)))
    means = {int(one): float(told[code == one].mean()) for one in kept}
    middle = float(np.mean(list(means.values())))
    found = {}
    for one in kept:
        others = [1 / int((code == other).sum()) for other in kept]
        mine, k = 1 / int((code == one).sum()), len(kept)
        error = spread * float(np.sqrt(mine * (1 - 2 / k) + sum(others) / k**2))
        value = means[int(one)] - middle
        far = float(student.ppf(0.975, max(len(rest) - k, 1))) * error
        found[int(one)] = Figure(value, error, value - far, value + far)
    return found


def with_wordings(
    errors: Mapping[str, CellErrors],
    values: Mapping[str, str],
    levels: Mapping[str, int],
    effects: WordingEffects,
) -> dict[str, CellErrors]:
    """The cells' errors with the part of the wordings, which were a sample of K.

    Means over K wordings have 1 / K of the variances of one, of which the queries' own part has
    1 / n already. Few wordings tell little of a variance: its root is widened by Student's quantile
    over the normal one's, with K - 1 degrees of freedom for what all values share.
    """
    asked = np.array(effects.asked)
    share = float((asked**2).sum() / asked.sum() ** 2 - 1 / asked.sum())
    degrees = len(effects.wordings) - 1
    roots = []
    for covariance, freedom in ((effects.common, 1), (effects.own, effects.values)):
        size, direction = np.linalg.eigh(covariance)
        wide = float(student.ppf(0.975, degrees * freedom) / -ndtri(0.025))
        roots.append(direction * np.sqrt(np.maximum(size, 0) * max(share, 0.0)) * wide)
    place = {level: number for number, level in enumerate(effects.levels)}
    row = {value: number for number, value in enumerate(dict.fromkeys(values.values()), 1)}
    found = {}
    for name, cell in errors.items():
        # Directions of all values, then of each value by itself.
        loading = np.zeros((1 + len(row), len(place)))
        if levels.get(name) in place:
            number = place[levels[name]]
            loading[0], loading[row[values[name]]] = roots[0][number], roots[1][number]
        found[name] = replace(cell, wording=loading.ravel())
    return found


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
        # What wordings do to all cells alike.
        most = max(len(self.errors[i].wording) for i in which)
        wording = np.random.default_rng(2).standard_normal((DRAWS, most))
        means = np.empty_like(items)
        for place, i in enumerate(which):
            error, shared = self.errors[i], judge[self.values[i]]
            worded = wording[:, : len(error.wording)] @ error.wording
            if error.bounded is None:
                moved = shared[:, : len(error.judge)] @ error.judge
                means[:, place] = self.mean[i] + error.sd * items[:, place] + moved + worded
            else:
                bounded, count = error.bounded, len(error.bounded.judge)
                drawn = bounded.at(items[:, place], shared[:, :count] @ bounded.judge)
                # The last directions, whatever the number of the judge's.
                drawn += shared[:, width - len(bounded.scale) :] @ bounded.scale + worded
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
