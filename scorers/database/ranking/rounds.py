"""Which texts meet in which ranking window, so that all can be put on one scale.

Every text stands in the same number of windows. Windows are dealt in rounds: a round is a random
order of all texts, cut into windows, so that each text meets new neighbours each time. Two rounds
of random windows connect all but very small sets; what is still apart is joined by windows that
bridge the parts.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["bridging_windows", "deal_round", "neighbour_round", "parts_of"]

Windows = NDArray[np.int64]


def deal_round(n_texts: int, window_size: int, generator: np.random.Generator) -> Windows:
    """Windows (n, k) in which every text stands once.

    Where the number of texts is no multiple of the window size, the last window is filled up with
    texts that stand in another one too.

    Args:
        n_texts: number of texts, at least 2.
        window_size: texts in a window; cut to the number of texts.
        generator: draws the order.

    Raises:
        ValueError: fewer than two texts.
    """
    return _cut(generator.permutation(n_texts), window_size, generator)


def neighbour_round(
    utilities: NDArray[np.float64],
    errors: NDArray[np.float64],
    window_size: int,
    generator: np.random.Generator,
) -> Windows:
    """Windows (n, k) of texts of like utility, where a comparison tells most.

    A draw from each text's utility and standard error decides its place in the row that is cut, so
    that texts known well meet their true neighbours, and others still meet many.

    Args:
        utilities: one a text.
        errors: their standard errors.
        window_size: texts in a window.
        generator: draws.
    """
    drawn = utilities + errors * generator.standard_normal(utilities.size)
    order = np.argsort(drawn, kind="stable")
    size = min(window_size, order.size)
    # The row is turned so that the cuts fall elsewhere each time; the window across its two ends
    # keeps the whole scale together.
    return _cut(np.roll(order, int(generator.integers(size))), window_size, generator)


def _cut(order: NDArray[np.int64], window_size: int, generator: np.random.Generator) -> Windows:
    if order.size < 2:
        raise ValueError("at least two texts are needed for a comparison")
    size = min(window_size, order.size)
    lacking = -order.size % size
    if lacking:
        # From all but the last window, so that no text meets itself.
        pool = order[: order.size - (size - lacking)]
        order = np.concatenate([order, generator.choice(pool, lacking, replace=False)])
    windows = order.reshape(-1, size).astype(np.int64)
    return generator.permuted(windows, axis=1)


def parts_of(windows: Windows, n_texts: int) -> NDArray[np.int64]:
    """Number of the connected part of each text, (n_texts,); texts of one part share a scale.

    Args:
        windows: (n, k) numbers of texts.
        n_texts: number of texts.
    """
    first = np.repeat(windows[:, :1], windows.shape[1], axis=1).ravel()
    links = coo_array((np.ones(first.size), (first, windows.ravel())), shape=(n_texts, n_texts))
    return connected_components(links, directed=False)[1].astype(np.int64)


def bridging_windows(
    windows: Windows, n_texts: int, generator: np.random.Generator
) -> list[tuple[int, int]]:
    """Pairs of texts that join the parts of a design, each with the next; none where it is one.

    Args:
        windows: (n, k) numbers of texts.
        n_texts: number of texts.
        generator: draws a text from each part.
    """
    part = parts_of(windows, n_texts)
    chosen = [int(generator.choice(np.flatnonzero(part == p))) for p in range(int(part.max()) + 1)]
    return list(pairwise(chosen))
