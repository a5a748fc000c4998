"""Probabilities of the letters of some options, made into a distribution over the options."""

import math
from collections.abc import Sequence

__all__ = ["LEAST_COVERED", "letter_shares"]

LEAST_COVERED = 0.5
"""Least probability that the letters must have together where one is named."""


def letter_shares(probabilities: Sequence[float]) -> tuple[tuple[float, ...] | None, float]:
    """The probabilities divided by their sum, and that sum.

    Args:
        probabilities: of each letter at the place of the answer, in [0, 1].

    Returns:
        The distribution, or None where the letters have less than `LEAST_COVERED` together; and
        what they have, at most 1.
    """
    # Summed from rounded logarithms, they may exceed 1 by a little.
    total = math.fsum(probabilities)
    if not total >= LEAST_COVERED:
        return None, total
    return tuple(one / total for one in probabilities), min(total, 1.0)
