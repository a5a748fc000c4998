"""An answer held against a group's distribution over the options of a question.

- An option is right where it is one of the group's most frequent; of several that share the top,
  each is right.
- The group-blind baseline answers every group of a question with the most frequent option of their
  pooled distribution; of k that share the top it gets the mean credit of the k.
- `jensen_shannon` has base 2 and lies in [0, 1]: 0 the same distribution, 1 no option in common.
- `earth_mover` is the work of moving one distribution into the other over neighbouring options,
  divided by that of moving everything from one end to the other; it needs ordered options.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["blind_credit", "credit", "earth_mover", "jensen_shannon", "top_options"]

TIE = 1e-9
"""Shares that differ by no more than this are tied."""

Array = NDArray[np.float64]


def top_options(shares: Sequence[float]) -> list[int]:
    """The most frequent options; several where they are tied."""
    top = max(shares)
    return [index for index, share in enumerate(shares) if top - share <= TIE]


def credit(option: int, gold: Sequence[float]) -> float:
    """1 where the option is one of the gold's most frequent, else 0."""
    return float(option in top_options(gold))


def blind_credit(pooled: Sequence[float], gold: Sequence[float]) -> float:
    """The baseline's credit: the mean over the most frequent options of the pooled distribution."""
    return float(np.mean([credit(option, gold) for option in top_options(pooled)]))


def jensen_shannon(first: Sequence[float], second: Sequence[float]) -> float:
    """Jensen–Shannon divergence of two distributions (Lin 1991), in bits.

    Args:
        first, second: shares over the same options, each summing to 1.
    """
    p, q = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    middle = (p + q) / 2
    return float(max(0.0, (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2))


def _relative_entropy(p: Array, q: Array) -> float:
    there = p > 0
    return float(np.sum(p[there] * np.log2(p[there] / q[there])))


def earth_mover(first: Sequence[float], second: Sequence[float]) -> float:
    """Earth mover's distance over ordered options one step apart, as a share of the largest.

    Args:
        first, second: shares over the same two or more options in order, each summing to 1.
    """
    p, q = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    return float(np.abs(np.cumsum(p - q))[:-1].sum() / (len(p) - 1))
