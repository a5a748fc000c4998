"""The published estimator, for comparison with published scores.

Plackett-Luce at the fixed scale 1 with the anchors' intensities as log-worths, no place effect: the
root on [-20, 20] of the response's score function with a ridge of 1e-3, clipped to the span of
all anchors of the value.  A response that beats all its anchors gets the largest of their
intensities, one that loses to all the smallest, any other is clipped to between them.
Source: Kim et al. 2026 (arXiv 2602.03160), the evaluator's public script; own implementation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from valueflow.scorers.estimate.cells import Cell, cluster_factor
from valueflow.scorers.estimate.covariance import CellErrors
from valueflow.scorers.estimate.evidence.value import ValueWindows
from valueflow.scorers.estimate.judge import FittedJudge
from valueflow.scorers.estimate.likelihood import Orders, left_by_logarithms
from valueflow.scorers.estimate.population import estimates_of
from valueflow.scorers.estimate.responses import Estimate
from valueflow.scorers.estimate.table import WindowTable

Array = NDArray[np.float64]

RIDGE = 1e-3
BOUND = 20.0


def reference_estimates(orders: Orders, item: NDArray[np.int64], items: int) -> Array:
    """Scores of the published method.

    Args:
        orders: ranked windows of one value.
        item: number (W,) of each window's item.
        items: number of items.

    Returns:
        Scores (items,), in points; NaN for an item without windows.

    Raises:
        ValueError: some windows are choices; the published method reads rankings.
    """
    if orders.probability is not None:
        raise ValueError(
            "the reference estimator reads rankings, and some windows hold the judge's choice "
            "probabilities; use estimator 'population'"
        )
    row_item = item[orders.window]
    left = left_by_logarithms(np.where(orders.present, orders.intensity, -np.inf), orders.present)
    faced = np.arange(left.shape[1]) < orders.stages_with_response[:, None]
    wins = np.bincount(row_item, orders.share * orders.chosen, items)
    # Every stage that a response faced, gathered item by item.
    stage_item = np.broadcast_to(row_item[:, None], left.shape)[faced]
    by_item = np.argsort(stage_item, kind="stable")
    offset, stage_item = left[faced][by_item], stage_item[by_item]
    share = np.broadcast_to(orders.share[:, None], left.shape)[faced][by_item]
    estimate = np.zeros(items)
    low, high = np.full(items, -BOUND), np.full(items, BOUND)
    for _ in range(80):
        chance = 1 / (1 + np.exp(np.clip(offset - estimate[stage_item], -700, 700)))
        slope = wins - np.bincount(stage_item, share * chance, items) - RIDGE * estimate
        bend = np.bincount(stage_item, share * chance * (1 - chance), items) + RIDGE
        low, high = np.where(slope > 0, estimate, low), np.where(slope > 0, high, estimate)
        newton = estimate + slope / bend
        inside = (newton > low) & (newton < high)
        moved = np.where(inside, newton, (low + high) / 2)
        if np.abs(moved - estimate).max(initial=0.0) < 1e-9:
            break
        estimate = moved
    return _clipped(orders, row_item, estimate, items)


def _clipped(orders: Orders, row_item: NDArray[np.int64], estimate: Array, items: int) -> Array:
    lowest, highest = np.full(items, np.inf), np.full(items, -np.inf)
    np.minimum.at(lowest, row_item, np.where(orders.present, orders.intensity, np.inf).min(axis=1))
    np.maximum.at(
        highest, row_item, np.where(orders.present, orders.intensity, -np.inf).max(axis=1)
    )
    anchors = orders.present.sum(axis=1)
    beaten = np.bincount(row_item, weights=orders.share * (anchors - orders.ahead), minlength=items)
    lost = np.bincount(row_item, weights=orders.share * orders.ahead, minlength=items)
    result = np.clip(estimate, lowest, highest)
    result = np.where(lost < 1e-9, highest, np.where(beaten < 1e-9, lowest, result))
    return np.where(np.isfinite(lowest), result, np.nan)


def reference_cell(score: Array) -> tuple[float, float, float]:
    """Mean, standard deviation and standard error of the mean of a cell's scores (n,).

    A single score has no spread: its error is infinite.

    Args:
        score: in points, (n,).
    """
    if len(score) < 2:
        return float(score.mean()), 0.0, float("inf")
    spread = float(score.std(ddof=1))
    return float(score.mean()), spread, spread / float(np.sqrt(len(score)))


def reference_of_value(
    table: WindowTable, value: ValueWindows, fitted: FittedJudge, tail: float
) -> tuple[list[Estimate], list[Cell], dict[str, CellErrors]]:
    """Responses and cells of one value by the published method.

    Args:
        table: all windows, which name what ``value`` numbers.
        value: the windows and items of the value.
        fitted: unused by the scores, which hold a judge of scale 1.
        tail: probability beyond each end of the intervals.

    Returns:
        Responses, cells, and what the error of each cell's mean is made of.
    """
    score = reference_estimates(value.orders, value.item, len(value.items))
    items: list[Estimate] = []
    cells: list[Cell] = []
    parts: dict[str, CellErrors] = {}
    for members in value.members:
        name = table.cells[table.item_cell[value.items[members[0]]]]
        query = table.item_query[value.items[members]]
        mean, spread, sd = reference_cell(score[members])
        centred = score[members] - mean
        sd *= cluster_factor(centred, query)
        width = -float(ndtri(tail)) * sd
        parts[name] = CellErrors(sd, centred, query, np.zeros(0))
        cells.append(
            Cell(name, value.name, len(members), mean, sd, spread, mean - width, mean + width)
        )
        unknown = np.full(len(members), np.nan)
        own = score[members]
        columns = (own, unknown, own, unknown, unknown, unknown, own, unknown)
        items.extend(estimates_of(table, value, members, name, np.stack(columns)))
    return items, cells, parts
