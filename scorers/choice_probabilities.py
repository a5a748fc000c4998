"""Saved choice probabilities, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

ROUNDING = 0.02
"""How far the sum of saved probabilities may be from 1; they are divided by it."""


def read_choice(choice: Any, size: int) -> list[float]:
    """Probabilities of ``size`` texts, divided by their sum.

    Raises ``ValueError`` saying what is wrong: no list of ``size`` numbers, one that is negative or
    not finite, all of them zero, a sum further from 1 than rounding explains.
    """
    if isinstance(choice, str) or not isinstance(choice, Sequence | np.ndarray):
        raise ValueError("must be a list of probabilities")
    if len(choice) != size:
        raise ValueError(f"has {len(choice)} probabilities for {size} texts")
    try:
        values = [float(value) for value in choice]
    except (TypeError, ValueError):
        raise ValueError("must be a list of probabilities") from None
    if not all(map(math.isfinite, values)):
        raise ValueError("a probability is not finite")
    if min(values) < 0:
        raise ValueError(f"a probability is negative ({min(values):g})")
    total = math.fsum(values)
    if total == 0:
        raise ValueError("all probabilities are zero")
    if abs(total - 1) > ROUNDING:
        raise ValueError(f"the probabilities sum to {total:.4g}, not to 1")
    return [value / total for value in values]
