"""A number with its standard error, as every summary gives it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Figure", "mean_figure"]


@dataclass(frozen=True)
class Figure:
    """A number and its standard error (NaN where one cannot be given)."""

    value: float
    se: float = math.nan


def mean_figure(numbers: Sequence[float]) -> Figure:
    """The mean of independent numbers and its standard error, which takes at least two."""
    array = np.asarray(numbers, dtype=float)
    se = float(array.std(ddof=1) / math.sqrt(len(array))) if len(array) > 1 else math.nan
    return Figure(float(array.mean()), se)
