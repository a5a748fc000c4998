"""Shifts of cells from their baselines, paired by query."""

from __future__ import annotations

from collections.abc import Sequence
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
