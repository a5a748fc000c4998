"""Interval of a share (Wilson 1927)."""

import math

from scipy.special import ndtri

__all__ = ["wilson"]


def wilson(count: float, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share `count / of`, which stays inside [0, 1].

    Args:
        count: how many, out of `of` independent ones.
        of: at least 1.
        confidence: the interval's coverage.
    """
    z = float(ndtri(0.5 + confidence / 2))
    share = count / of
    middle = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * math.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    return max(0.0, middle - half), min(1.0, middle + half)
