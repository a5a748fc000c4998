"""Corrections of p-values for how many tests were made."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CORRECTIONS = ("holm", "bh", "none")

__all__ = ["CORRECTIONS", "adjusted"]


def adjusted(p_values: Array, correction: str) -> Array:
    """P-values (n,) corrected for n tests; a test survives where its own is below the level.

    Args:
        p_values: of the single tests.
        correction: `holm` (Holm 1979) keeps the chance of even one false finding below the level,
            however the tests depend on one another; `bh` (Benjamini and Hochberg 1995) keeps the
            expected share of false ones among the findings below it, for independent or positively
            dependent tests; `none` leaves them as they are.

    Raises:
        ValueError: an unknown correction.
    """
    if correction not in CORRECTIONS:
        raise ValueError(f"correction must be one of {CORRECTIONS}, not {correction!r}")
    count = len(p_values)
    if correction == "none" or not count:
        return np.array(p_values, dtype=float)
    order = np.argsort(p_values, kind="stable")
    ranked = np.asarray(p_values, dtype=float)[order]
    if correction == "holm":
        raised = np.maximum.accumulate(ranked * np.arange(count, 0, -1))
    else:
        raised = np.minimum.accumulate((ranked * count / np.arange(1, count + 1))[::-1])[::-1]
    result = np.empty(count)
    result[order] = np.minimum(raised, 1.0)
    return result
