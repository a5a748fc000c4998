"""Responses and cells of one value by the population model, with the judge's error included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .cells import Cell, CellPosterior, cell_posterior, cluster_factor, lone_posteriors
from .judge_estimation import FittedJudge
from .judge_model import JudgeModel
from .responses import (
    AnchorErrors,
    Estimate,
    grid_moments,
    grid_quantiles,
    intensity_grid,
    maximum_likelihood,
    response_likelihood,
)
from .shifts import CellErrors
from .value_windows import ValueWindows, estimates_of
from .window_likelihood import Orders
from .window_table import WindowTable

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

LONE_BATCH = 4000
"""Cells of one item that are integrated at a time."""

ONE_SIDED = 5000
"""Windows of a value beyond which the judge's error is so small that one-sided differences do."""


def population_estimates(
    table: WindowTable, value: ValueWindows, fitted: FittedJudge, tail: float
) -> tuple[list[Estimate], list[Cell], dict[str, CellErrors]]:
    model, orders, count = fitted.model, value.orders, len(value.items)
    errors = AnchorErrors(fitted.anchor_error, fitted.anchor_error_variance)
    texts = float(orders.present.sum(axis=1).max())
    grid = intensity_grid(model.scale, texts, value.evidence)

    def likelihood_under(judge: JudgeModel) -> Array:
        return response_likelihood(orders, value.item, count, judge, errors, grid)

    likelihood = likelihood_under(model)
    both = orders.questions <= ONE_SIDED
    others = [likelihood_under(other) for other in _other_judges(model, both_sides=both)]
    best, best_se = maximum_likelihood(likelihood, grid)
    flat, flat_se = grid_moments(likelihood / likelihood.sum(axis=1, keepdims=True), grid)
    posteriors = _posteriors(grid, likelihood, others, value.members, tail)
    level, tilt = _anchor_error(orders, model.text_sd)
    items: list[Estimate] = []
    cells: list[Cell] = []
    parts: dict[str, CellErrors] = {}
    for members, posterior in zip(value.members, posteriors, strict=True):
        index = value.items[members]
        name = table.cells[table.item_cell[index[0]]]
        query = table.item_query[index]
        moved = _directions(posterior.other_mean, posterior.mean, both)
        moved = np.append(moved, [level, tilt * posterior.mean])
        sd = posterior.sd * cluster_factor(posterior.influence, query)
        se = float(np.sqrt(sd**2 + moved @ moved))
        wider = se / posterior.sd if posterior.sd > 0 else 1.0
        parts[name] = CellErrors(sd, posterior.influence, query, moved)
        cells.append(
            Cell(
                cell=name,
                value=value.name,
                items=len(members),
                intensity=posterior.mean,
                se=se,
                spread=posterior.spread,
                lower=max(posterior.mean - wider * (posterior.mean - posterior.lower), -10.0),
                upper=min(posterior.mean + wider * (posterior.upper - posterior.mean), 10.0),
            )
        )
        mean, own = grid_moments(posterior.item, grid)
        item_moved = _directions(posterior.other_item_mean, mean, both)
        item_se = np.sqrt(own**2 + (item_moved**2).sum(axis=0))
        widen = item_se / np.maximum(own, 1e-12)
        bounds = grid_quantiles(posterior.item, grid, (tail, 1 - tail))
        bounds = np.clip(mean[:, None] + widen[:, None] * (bounds - mean[:, None]), -10, 10)
        alone = (best[members], best_se[members], flat[members], flat_se[members])
        columns = (mean, item_se, *alone[:2], bounds[:, 0], bounds[:, 1], *alone[2:])
        items.extend(estimates_of(table, value, members, name, np.stack(columns)))
    return items, cells, parts


def _posteriors(
    grid: Array, likelihood: Array, others: list[Array], members: list[IntArray], tail: float
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
            result[index] = cell_posterior(
                grid, likelihood[rows], [other[rows] for other in others], tail
            )
    return [result[index] for index in range(len(members))]


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
