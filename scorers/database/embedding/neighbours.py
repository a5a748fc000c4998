"""The nearest of many vectors, exactly, in blocks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from valueflow.hub_assets.errors import ValueflowError
from valueflow.scorers.database.embedding.metrics import unit

__all__ = ["Nearest", "nearest"]

_BLOCK = 1024


@dataclass(frozen=True)
class Nearest:
    """The nearest vectors of n queries, the nearest first.

    Attributes:
        rows: numbers of the vectors, shape (n, k).
        cosines: with them, shape (n, k).
    """

    rows: NDArray[np.int64]
    cosines: NDArray[np.float32]


def nearest(vectors: object, among: object, k: int = 10, *, below: float | None = None) -> Nearest:
    """Finds the k nearest by cosine; of equally near ones, the first in order.

    Args:
        vectors: of the queries, shape (n, d); their length does not matter.
        among: where to look, shape (m, d).
        k: how many; all of them where there are fewer.
        below: pass over what is as near as this or nearer, such as a text itself and its near
            duplicates; where too few are left, cosines are -inf.

    Raises:
        ValueflowError: the dimensions differ (vectors of two models), or a number is not finite.
    """
    query, table = unit(vectors), unit(among)
    if query.shape[1] != table.shape[1]:
        raise ValueflowError(
            f"vectors of {query.shape[1]} and of {table.shape[1]} dimensions cannot be compared; "
            "encode both with one model"
        )
    k = min(k, len(table))
    rows = np.zeros((len(query), k), dtype=np.int64)
    cosines = np.zeros((len(query), k), dtype=np.float32)
    for start in range(0, len(query), _BLOCK):
        part = slice(start, start + _BLOCK)
        found = query[part] @ table.T
        if below is not None:
            found[found >= below] = -np.inf
        order = _first(found, k)
        rows[part] = order
        cosines[part] = np.take_along_axis(found, order, axis=1)
    return Nearest(rows, cosines)


def _first(found: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Columns of the k largest of each row, the largest first, equal ones in their order."""
    if 4 * k >= found.shape[1]:
        return np.asarray(np.argsort(-found, axis=1, kind="stable")[:, :k])
    # A partition is linear in the columns, but which of equal ones it takes is its own affair.
    least = -np.partition(-found, k - 1, axis=1)[:, k - 1]
    order = np.empty((len(found), k), dtype=np.int64)
    for row, limit in enumerate(least):
        there = np.flatnonzero(found[row] >= limit)
        order[row] = there[np.argsort(-found[row, there], kind="stable")[:k]]
    return order
