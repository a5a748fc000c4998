"""Shifts of cells from their baselines, paired by query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


def item_covariance(one: CellErrors, other: CellErrors) -> tuple[float, int]:
    """Covariance of two cells' means from their items, and the number of shared queries.

    It is that of the two sums of influences over shared queries (Liang and Zeger 1986), with the
    correlation shrunk where few queries are shared.
    """
    queries, code = np.unique(np.concatenate([one.query, other.query]), return_inverse=True)
    split = len(one.query)
    parts = (code[:split], one.influence), (code[split:], other.influence)
    sums = [np.bincount(codes, influence, len(queries)) for codes, influence in parts]
    counts = [np.bincount(codes, minlength=len(queries)) for codes, _ in parts]
    pairs = int(((counts[0] > 0) & (counts[1] > 0)).sum())
    size = float(np.sqrt((sums[0] @ sums[0]) * (sums[1] @ sums[1])))
    correlation = float(sums[0] @ sums[1]) / size if size > 0 and pairs > 1 else 0.0
    correlation *= pairs / (pairs + SHRINK_PAIRS)
    return correlation * one.sd * other.sd, pairs


def shift_error(cell: CellErrors, baseline: CellErrors) -> tuple[float, int]:
    """Standard error of the difference of two cells' means, and the number of shared queries.

    The items' part pairs the queries; the judge's part largely cancels, since both cells have the
    same judge.
    """
    covariance, pairs = item_covariance(cell, baseline)
    variance = cell.sd**2 + baseline.sd**2 - 2 * covariance
    variance += float(np.sum((cell.judge - baseline.judge) ** 2))
    return float(np.sqrt(variance)), pairs
