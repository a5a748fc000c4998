"""The windows and items of one value.

Responses and cells of one value by the population model, with the judge's error included.
"""

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
)
from valueflow.scorers.estimate.covariance import Bounded, CellErrors
from valueflow.scorers.estimate.judge import FittedJudge, JudgeModel
from valueflow.scorers.estimate.likelihood import Orders, read_orders
from valueflow.scorers.estimate.responses import (
    LIMIT,
    Estimate,
    grid_moments,
    grid_quantiles,
    intensity_grid,
    maximum_likelihood,
    relative_likelihood,
    response_log_likelihood,
)
from valueflow.scorers.estimate.table import WindowTable

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


class ValueWindows:
    """The windows and items of one value, numbered from 0."""

    def __init__(self, table: WindowTable, code: int) -> None:
        self.name = table.values[code]
        windows = np.flatnonzero(table.item_value[table.item] == code)
        self.items, self.item = np.unique(table.item[windows], return_inverse=True)
        self.orders: Orders = read_orders(table, windows)
        self.counts = np.bincount(self.item, minlength=len(self.items))
        self.item = self.orders.by_window(self.item)
        repeats = _repeats(table, windows)
        if (repeats > 1).any():
            self.orders = replace(self.orders, repeats=self.orders.by_window(repeats))
        cells = table.item_cell[self.items]
        by_cell = np.argsort(cells, kind="stable")
        starts = np.flatnonzero(np.diff(cells[by_cell], prepend=-1))
        self.members: list[IntArray] = np.split(by_cell, starts[1:]) if len(cells) else []

    def count_choices(self, weight: float) -> None:
        """Let a choice distribution, if there are any, count for ``weight`` drawn choices."""
        if self.orders.probability is not None:
            self.orders = replace(self.orders, choice_weight=weight)

    @property
    def repeated(self) -> int:
        """Windows that are there before, with the same judgement."""
        return 0 if self.orders.repeats is None else int(np.sum(1 - 1 / self.orders.repeats) + 0.5)

    @property
    def evidence(self) -> float:
        """Windows of the item that has most of them, a choice counting by its weight."""
        return float(self.counts.max()) * max(self.orders.choice_weight, 1.0)


def _repeats(table: WindowTable, windows: IntArray) -> IntArray:
    """How often (W,) each window is there: same response, texts, places and judgement."""
    columns = [table.item[windows, None], table.anchor_key[windows]]
    columns += [table.ranks[windows], table.places[windows]]
    if table.choice is not None:
        columns.append(table.choice[windows].view(np.int64))
    _, code, count = np.unique(
        np.concatenate(columns, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    return np.asarray(count[code.ravel()], np.int64)


def estimates_of(
    table: WindowTable, value: ValueWindows, members: IntArray, cell: str, columns: Array
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

LONE_BATCH = 4000
"""Cells of one item that are integrated at a time."""

ODDS_ANYWHERE = 40.0
"""Prior odds that a cell's responses lie anywhere on the scale, against one population, times their
number: few responses may be of any kind, many were made under one condition."""

ONE_SIDED = 5000
"""Windows of a value beyond which the judge's error is so small that one-sided differences do."""

SAMPLED_CELLS = 24
"""Cells, spread over the scale, on which the judge's error is followed where it is that small; the
others take it from their neighbours on the scale."""


def population_estimates(
    table: WindowTable, value: ValueWindows, fitted: FittedJudge, tail: float
) -> tuple[list[Estimate], list[Cell], dict[str, CellErrors]]:
    model, orders, count = fitted.model, value.orders, len(value.items)
    errors = fitted.errors
    texts = float(orders.present.sum(axis=1).max())
    grid = intensity_grid(model.scale, texts, value.evidence)

    likelihood = relative_likelihood(
        response_log_likelihood(orders, value.item, count, model, errors, grid)
    )
    best, best_se = maximum_likelihood(likelihood, grid)
    alone_density = likelihood / likelihood.sum(axis=1, keepdims=True)
    flat, flat_se = grid_moments(alone_density, grid)
    both = orders.questions <= ONE_SIDED
    sampled = range(len(value.members)) if both else _sampled_cells(value.members, flat)
    part = orders
    if len(sampled) < len(value.members):
        inside = np.zeros(count, dtype=bool)
        inside[np.concatenate([value.members[cell] for cell in sampled])] = True
        part = orders.take(np.flatnonzero(inside[value.item[orders.window]]))
    others = [
        relative_likelihood(response_log_likelihood(part, value.item, count, other, errors, grid))
        for other in _other_judges(model, both_sides=both)
    ]
    posteriors = _posteriors(grid, likelihood, others, value.members, tail, set(sampled))
    if len(sampled) < len(value.members):
        posteriors = _from_neighbours(posteriors, sampled, grid)
    level, tilt = _anchor_error(orders, model.text_sd)
    high, low = beyond_anchors(value)
    items: list[Estimate] = []
    cells: list[Cell] = []
    parts: dict[str, CellErrors] = {}
    for members, posterior in zip(value.members, posteriors, strict=True):
        index = value.items[members]
        name = table.cells[table.item_cell[index[0]]]
        query = table.item_query[index]
        error = _cell_errors(posterior, query, both, level, tilt)
        se = float(np.hypot(error.sd, np.sqrt(error.judge @ error.judge)))
        lower, upper = np.nan, np.nan
        if error.bounded is not None:
            few = few_clusters(query, tail)
            lower, upper = replace(error.bounded, sd=few * error.bounded.sd).bounds(tail)
        parts[name] = error
        cells.append(
            Cell(
                cell=name,
                value=value.name,
                items=len(members),
                intensity=posterior.mean,
                se=min(se, LARGEST_ERROR),
                spread=posterior.spread,
                lower=-LIMIT if posterior.reaches[0] else min(lower, posterior.mean),
                upper=LIMIT if posterior.reaches[1] else max(upper, posterior.mean),
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
    """The errors of a cell's mean; ``level`` and ``tilt`` are those of :func:`_anchor_error`."""
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


def beyond_anchors(value: ValueWindows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Items (n,) that stand above, and below, every anchor of all their windows.

    Such an item is censored: its windows tell no more than that it lies beyond.  A choice names the
    first text alone, so that an item with a choice counts as neither.
    """
    orders = value.orders
    above = (orders.ahead == 0) & orders.chosen
    below = orders.ahead == orders.present.sum(axis=1)
    if orders.probability is not None:
        ranked = np.isnan(orders.probability)[orders.window]
        above, below = above & ranked, below & ranked
    item, count = value.item[orders.window], len(value.items)
    inside = [np.bincount(item, ~one, count) == 0 for one in (above, below)]
    return inside[0], inside[1]


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


def _other_judges(judge: JudgeModel, *, both_sides: bool) -> list[JudgeModel]:
    """Judges one standard error away in each independent direction: below, if asked, and above."""
    covariance = judge.parameter_covariance()[:2, :2]
    sizes, directions = np.linalg.eigh(covariance)
    result = []
    for size, direction in zip(sizes, directions.T, strict=True):
        if size > 1e-10:
            for sign in (-1.0, 1.0) if both_sides else (1.0,):
                log_scale, place_effect = sign * np.sqrt(size) * direction
                result.append(
                    replace(
                        judge,
                        scale=float(judge.scale * np.exp(log_scale)),
                        place_effect=float(judge.place_effect + place_effect),
                    )
                )
    return result


def _directions(means: Array, centre: Array | float, both_sides: bool) -> Array:
    """Change of means by one standard error of the judge in each direction."""
    return np.asarray((means[1::2] - means[::2]) / 2 if both_sides else means - centre)


def _shared(level: float, tilt: float, intensity: Array) -> Array:
    """Variance (n,) of responses of given intensity that the anchors' own errors leave."""
    return np.asarray(level**2 + (tilt * intensity) ** 2)


def _anchor_error(orders: Orders, text_sd: float) -> tuple[float, float]:
    """Errors of the level and of the slope of the scale that the anchors' own errors leave.

    However many windows there are, the average of the anchors' errors, and their slope on
    intensity, cannot be told from the judge: 1 / sqrt(n) and 1 / sqrt(n * variance of intensity)
    times ``text_sd`` for n equally used anchors.
    """
    keys, intensity = orders.key[orders.present], orders.intensity[orders.present]
    if not len(keys):
        return 0.0, 0.0
    share = np.bincount(keys) / len(keys)
    level = text_sd * float(np.sqrt(share @ share))
    return level, level / max(float(intensity.std()), 1.0)
