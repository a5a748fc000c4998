"""Responses and cells of one value by the population model, with the judge's error included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from valueflow.scorers.estimate.cells import (
    Cell,
    CellPosterior,
    cell_posterior,
    cluster_factor,
    few_clusters,
    lone_posteriors,
    unseen_share,
)
from valueflow.scorers.estimate.covariance import Bounded, CellErrors
from valueflow.scorers.estimate.evidence.value import Evidence, ValueItems
from valueflow.scorers.estimate.responses import (
    LIMIT,
    Estimate,
    grid_moments,
    grid_quantiles,
    maximum_likelihood,
)
from valueflow.scorers.estimate.table import WindowTable

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


def estimates_of(
    table: WindowTable, value: ValueItems, members: IntArray, cell: str, columns: Array
) -> list[Estimate]:
    index = value.items[members]
    names = [table.items[item] for item in index.tolist()]
    queries = [table.queries[query] for query in table.item_query[index].tolist()]
    rows = zip(names, queries, columns.T.tolist(), value.counts[members].tolist(), strict=True)
    return [
        Estimate(item, cell, value.name, query, *numbers, windows)  # type: ignore[call-arg]
        for item, query, numbers, windows in rows
    ]


LARGEST_ERROR = LIMIT / 3**0.5
"""Standard error of a mean of which nothing is known but that it lies on the scale."""

AT_THE_END = 0.95 * LIMIT
"""An interval that goes as far is that of a cell that may stand at the end of the scale."""

LONE_BATCH = 4000
"""Cells of one item that are integrated at a time."""

ODDS_ANYWHERE = 40.0
"""Prior odds that a cell's responses lie anywhere on the scale, against one population, times their
number: few responses may be of any kind, many were made under one condition."""

SAMPLED_CELLS = 24
"""Cells, spread over the scale, on which the judge's error is followed where it is that small; the
others take it from their neighbours on the scale."""


def population_estimates(
    table: WindowTable, value: ValueItems, evidence: Evidence, tail: float
) -> tuple[list[Estimate], list[Cell], dict[str, CellErrors]]:
    """Responses and cells of one value.

    Args:
        table: all windows, which name what ``value`` numbers.
        value: the windows and items of the value.
        evidence: what the windows say.
        tail: posterior probability beyond each end of the intervals.

    Returns:
        Responses, cells, and what the error of each cell's mean is made of.
    """
    grid, likelihood, both = evidence.grid, evidence.likelihood, evidence.both_sides
    best, best_se = maximum_likelihood(likelihood, grid)
    alone_density = likelihood / likelihood.sum(axis=1, keepdims=True)
    flat, flat_se = grid_moments(alone_density, grid)
    sampled = range(len(value.members)) if both else _sampled_cells(value.members, flat)
    inside = None
    if len(sampled) < len(value.members):
        inside = np.zeros(len(value.items), dtype=bool)
        inside[np.concatenate([value.members[cell] for cell in sampled])] = True
    others = evidence.others(inside)
    posteriors = _posteriors(grid, likelihood, others, value.members, tail, set(sampled))
    if inside is not None:
        posteriors = _from_neighbours(posteriors, sampled, grid)
    level, tilt = evidence.level, evidence.tilt
    high, low = evidence.beyond
    items: list[Estimate] = []
    cells: list[Cell] = []
    parts: dict[str, CellErrors] = {}
    for members, posterior in zip(value.members, posteriors, strict=True):
        index = value.items[members]
        name = table.cells[table.item_cell[index[0]]]
        query = table.item_query[index]
        error = _cell_errors(posterior, query, both, level, tilt)
        if table.item_wording is not None:
            error = replace(error, worded=table.item_wording[index])
        se = float(np.hypot(error.sd, np.sqrt(error.judge @ error.judge)))
        lower, upper = np.nan, np.nan
        if error.bounded is not None:
            few = few_clusters(query, tail)
            lower, upper = replace(error.bounded, sd=few * error.bounded.sd).bounds(tail)
        lower = -LIMIT if posterior.reaches[0] else min(lower, posterior.mean)
        upper = LIMIT if posterior.reaches[1] else max(upper, posterior.mean)
        if len(members) > 1:
            # All seem to stand at one end: what they do not show may stand at the other.
            unseen = unseen_share(len(np.unique(query)), tail)
            if upper > AT_THE_END:
                lower = min(lower, posterior.mean - unseen * (posterior.mean + LIMIT))
            if lower < -AT_THE_END:
                upper = max(upper, posterior.mean + unseen * (LIMIT - posterior.mean))
        parts[name] = error
        cells.append(
            Cell(
                cell=name,
                value=value.name,
                items=len(members),
                intensity=posterior.mean,
                se=min(se, LARGEST_ERROR),
                spread=posterior.spread,
                lower=lower,
                upper=upper,
                beyond_high=float(high[members].mean()),
                beyond_low=float(low[members].mean()),
            )
        )
        # Responses that need not be alike are not drawn toward each other.
        alike = float(expit(posterior.log_bayes_factor - np.log(ODDS_ANYWHERE / len(members))))
        density = alike * posterior.item + (1 - alike) * alone_density[members]
        mean, own = grid_moments(density, grid)
        item_moved = _directions(posterior.other_item_mean, posterior.item @ grid, both)
        # The anchors' own errors move responses as they move cells.
        item_se = np.sqrt(own**2 + (item_moved**2).sum(axis=0) + _shared(level, tilt, mean))
        widen = item_se / np.maximum(own, 1e-12)
        bounds = grid_quantiles(density, grid, (tail, 1 - tail))
        bounds = np.clip(mean[:, None] + widen[:, None] * (bounds - mean[:, None]), -10, 10)
        best_own = np.sqrt(best_se[members] ** 2 + _shared(level, tilt, best[members]))
        flat_own = np.sqrt(flat_se[members] ** 2 + _shared(level, tilt, flat[members]))
        alone = (best[members], best_own, flat[members], flat_own)
        columns = (mean, item_se, *alone[:2], bounds[:, 0], bounds[:, 1], *alone[2:])
        items.extend(estimates_of(table, value, members, name, np.stack(columns)))
    return items, cells, parts


def _cell_errors(
    posterior: CellPosterior, query: IntArray, both: bool, level: float, tilt: float
) -> CellErrors:
    """The errors of a cell's mean; ``level`` and ``tilt`` are those of the evidence."""
    ends = LIMIT * 0.9999
    mean = float(np.clip(posterior.mean, -ends, ends))
    other = np.arctanh(np.clip(posterior.other_mean, -ends, ends) / LIMIT)
    moved = _directions(other, np.arctanh(mean / LIMIT), both)
    scale = np.array([level, tilt * mean])
    centre, sd, skewness, kurtosis = posterior.moments
    factor = cluster_factor(posterior.influence, query)
    bounded = Bounded(centre, sd * factor, skewness, kurtosis, moved, scale)
    judge = LIMIT * (np.tanh(centre + moved) - np.tanh(centre - moved)) / 2
    return CellErrors(
        sd=min(posterior.sd * factor, LARGEST_ERROR),
        influence=posterior.influence,
        query=query,
        judge=np.append(judge, scale),
        bounded=bounded,
        shapes=posterior.shapes,
    )


def _posteriors(
    grid: Array,
    likelihood: Array,
    others: list[Array],
    members: list[IntArray],
    tail: float,
    sampled: set[int],
) -> list[CellPosterior]:
    lone = [index for index, rows in enumerate(members) if len(rows) == 1]
    result: dict[int, CellPosterior] = {}
    for start in range(0, len(lone), LONE_BATCH):
        batch = lone[start : start + LONE_BATCH]
        rows = np.concatenate([members[index] for index in batch])
        alone = lone_posteriors(grid, likelihood[rows], [other[rows] for other in others], tail)
        result.update(zip(batch, alone, strict=True))
    for index, rows in enumerate(members):
        if len(rows) > 1:
            own = [other[rows] for other in others] if index in sampled else []
            result[index] = cell_posterior(grid, likelihood[rows], own, tail)
    return [result[index] for index in range(len(members))]


def _sampled_cells(members: list[IntArray], flat: Array) -> list[int]:
    """Cells evenly spread over the order of their means, with both ends; all, if one is lone."""
    if len(members) <= 2 * SAMPLED_CELLS or min(map(len, members)) == 1:
        return list(range(len(members)))
    order = np.argsort([float(flat[rows].mean()) for rows in members], kind="stable")
    picks = np.linspace(0, len(members) - 1, SAMPLED_CELLS).round().astype(np.int64)
    return sorted(order[picks].tolist())


def _from_neighbours(
    posteriors: list[CellPosterior], sampled: Sequence[int], grid: Array
) -> list[CellPosterior]:
    """Means under the other judges for cells that were not sampled, and for their items.

    What a small change of the judge does to a mean is a smooth function of the mean; it is
    interpolated between the sampled cells, and for items between means over a grid's step.
    """
    known = [posteriors[cell] for cell in sampled]
    centre = np.array([one.mean for one in known])
    order = np.argsort(centre, kind="stable")
    change = np.array([one.other_mean - one.mean for one in known])[order]
    item_mean = np.concatenate([one.item @ grid for one in known])
    item_change = np.concatenate([one.other_item_mean - one.item @ grid for one in known], axis=1)
    number = np.rint((item_mean - grid[0]) / (grid[1] - grid[0])).astype(np.int64)
    count = np.bincount(number, minlength=len(grid))
    used = count > 0
    steps = [np.bincount(number, row, len(grid))[used] / count[used] for row in item_change]
    chosen = set(sampled)
    result = []
    for cell, one in enumerate(posteriors):
        if cell not in chosen:
            mean = one.item @ grid
            one = replace(
                one,
                other_mean=np.array(
                    [one.mean + np.interp(one.mean, centre[order], row) for row in change.T]
                ),
                other_item_mean=np.array(
                    [mean + np.interp(mean, grid[used], row) for row in steps]
                ),
            )
        result.append(one)
    return result


def _directions(means: Array, centre: Array | float, both_sides: bool) -> Array:
    """Change of means by one standard error of the judge in each direction."""
    return np.asarray((means[1::2] - means[::2]) / 2 if both_sides else means - centre)


def _shared(level: float, tilt: float, intensity: Array) -> Array:
    """Variance (n,) of responses of given intensity that the anchors' own errors leave."""
    return np.asarray(level**2 + (tilt * intensity) ** 2)
