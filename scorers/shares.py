"""Shares of responses, such as refusals, with standard errors that count a query once."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np

from valueflow.scorers.figure import Figure
from valueflow.scorers.records import ResponseRecord

__all__ = ["share"]


def share(
    responses: Iterable[ResponseRecord], counts: Callable[[ResponseRecord], bool]
) -> Figure | None:
    """Share of responses that count, a ratio with queries as clusters.

    Args:
        responses: records of responses, scored or not.
        counts: whether a response counts.

    Returns:
        The share in [0, 1] and its standard error, NaN with fewer than two queries; None without
        responses.
    """
    clusters: dict[str, list[bool]] = defaultdict(list)
    for response in responses:
        clusters[response["query"]].append(bool(counts(response)))
    if not clusters:
        return None
    sizes = np.array([len(found) for found in clusters.values()], dtype=float)
    hits = np.array([sum(found) for found in clusters.values()], dtype=float)
    value = float(hits.sum() / sizes.sum())
    n = len(sizes)
    if n < 2:
        return Figure(value)
    # The usual linearisation of a ratio of sums over clusters (Cochran 1977, section 6).
    residual = hits - value * sizes
    return Figure(value, math.sqrt(n / (n - 1) * float(residual @ residual)) / float(sizes.sum()))
