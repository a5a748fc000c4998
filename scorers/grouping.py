"""Sums by group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


def by_group(codes: NDArray[np.int64], groups: int) -> sparse.csr_array:
    """Matrix (groups, n) that sums the rows of an (n, ...) array by their group codes (n,)."""
    ones = np.ones(len(codes))
    return sparse.csr_array((ones, (codes, np.arange(len(codes)))), shape=(groups, len(codes)))
