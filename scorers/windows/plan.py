"""How many windows a study needs, before anything is asked of a judge.

A window tells about a response's intensity what its Fisher information says
(:func:`.adaptive_windows.window_information`).  With one random anchor from each equal-width
bucket, the expected information is exact: the anchors are independent, so each factor of the
product is replaced by its average over the bucket.  Adaptive windows are followed step by step, at
a normal posterior that narrows with each.  Information is integrated over the responses of cells
whose centres lie across the scale.

A response of a cell of spread s has the posterior variance 1 / (1 / s^2 + information), and the
mean of n such responses the standard error 1 / sqrt(sum of 1 / (s^2 + 1 / information)).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from valueflow.scorers.estimate.responses import LIMIT
from valueflow.scorers.windows.adaptive import (
    anchor_factors,
    information_of_product,
    next_window,
    window_information,
)

Array = NDArray[np.float64]

SAMPLINGS = ("bucket", "adaptive")

JUDGE_MODES = ("ranking", "rating", "placement")

CENTRES = (-6.0, -3.0, 0.0, 3.0, 6.0)
"""Means of the cells over which a design is averaged, in points."""

SPREAD = 2.0
"""Standard deviation, in points, assumed between the responses of a cell."""

MOST_WINDOWS = 10

RESPONSE_TOKENS = 130
"""Tokens of a response of 100 words, the usual length limit."""

ANCHOR_TOKENS = 30
"""Tokens of an anchor, mostly one sentence."""

PROMPT_TOKENS = 300
"""Tokens of a ranking question without its texts."""

FENCE_TOKENS = 12
"""Tokens that set one text apart in a question, and again half as many to name it in the answer."""

NUMBER_TOKENS = 3
"""Tokens of a number in an answer, with what sets it apart."""

RULER_TOKENS = 8
"""Tokens that tell the intensity of an anchor that is shown with it."""

_LEVELS = 16
_BUCKET_NODES = 16
_POOL = np.linspace(-LIMIT, LIMIT, 1001)
_GRID = np.linspace(-LIMIT, LIMIT, 321)


@dataclass(frozen=True)
class Design:
    """What a number of windows per response costs and achieves; errors are in points.

    ``calls`` and ``tokens`` are the judge's in the whole study (questions and answers, without
    reasoning).  ``response_se`` is the expected standard error of one response's intensity,
    ``cell_se`` of a cell's mean, ``shift_se`` of the difference between two cells that answer the
    same queries.  ``reaches`` tells whether the wanted errors are reached; ``queries_needed`` with
    how many queries this number of windows would reach that of the cells (None where none is
    wanted).
    """

    windows: int
    calls: int
    tokens: int
    response_se: float
    cell_se: float
    shift_se: float
    reaches: bool
    queries_needed: int | None


def study_designs(
    scale: float,
    queries: int,
    *,
    cell_se: float | None = None,
    response_se: float | None = None,
    values: int = 1,
    levels: int = 5,
    window_size: int = 6,
    sampling: str = "bucket",
    spread: float = SPREAD,
    query_correlation: float = 0.0,
    most_windows: int = MOST_WINDOWS,
    response_tokens: float = RESPONSE_TOKENS,
    anchor_tokens: float = ANCHOR_TOKENS,
    judge_mode: str = "ranking",
) -> list[Design]:
    """Designs with 1 to ``most_windows`` windows per response; the first that reaches is smallest.

    ``scale`` is the judge's, in log-worth per point (0.3 is a noisy judge, 3 a sharp one).  Each of
    ``queries`` is answered once at each of ``levels`` levels (the default counts) of each of
    ``values`` values.  ``cell_se`` and ``response_se`` are the wanted standard errors, in points.
    ``spread`` is that between the responses of a cell, ``query_correlation`` the correlation of the
    true intensities of two cells' responses to the same query: what they share leaves a shift.
    ``judge_mode`` is ``ranking``, ``rating`` or ``placement``; a judge of a given scale rates with
    the noise with which it ranks, pi / sqrt(6) / scale points, and rounds to whole numbers.

    Left out are the error of the judge's estimated scale, lapses and disagreement with single
    texts.  Where a judge is so sharp that it tells texts apart across a small part of a bucket, a
    response's place between its neighbours decides and information says too much: with buckets of
    4 points its error is 5% larger than told at scale 2 and 13% at scale 3, a cell's at most 4%.

    Raises ``ValueError`` for a scale or spread that is not positive and finite, a wanted error or
    count that is not positive, k below 2, an unknown sampling or a correlation outside [-1, 1].
    """
    for name, number in (("scale", scale), ("spread", spread)):
        if not (np.isfinite(number) and number > 0):
            raise ValueError(f"{name} must be positive and finite, not {number}")
    for name, wanted in (("cell_se", cell_se), ("response_se", response_se)):
        if wanted is not None and not wanted > 0:
            raise ValueError(f"{name} must be positive, not {wanted}")
    for name, count in (("queries", queries), ("values", values), ("levels", levels)):
        if count < 1:
            raise ValueError(f"{name} must be at least 1, not {count}")
    if window_size < 2 or most_windows < 1:
        raise ValueError("a window needs at least 2 texts and a response at least 1 window")
    if sampling not in SAMPLINGS:
        raise ValueError(f"sampling must be one of {SAMPLINGS}, not {sampling!r}")
    if not -1 <= query_correlation <= 1:
        raise ValueError(f"query_correlation must lie in [-1, 1], not {query_correlation}")
    if judge_mode not in JUDGE_MODES:
        raise ValueError(f"judge_mode must be one of {JUDGE_MODES}, not {judge_mode!r}")
    if judge_mode != "ranking" and sampling != "bucket":
        raise ValueError(f"judge_mode {judge_mode} does not go with sampling {sampling}")
    if judge_mode == "ranking":
        told = information_after(scale, most_windows, window_size, sampling, spread)
    else:
        told = np.arange(1, most_windows + 1)[:, None, None] / rating_variance(scale)
        told = np.broadcast_to(told, (most_windows, len(CENTRES), _LEVELS))
    response = np.sqrt((1 / (spread**-2.0 + told)).mean(axis=(1, 2)))
    one_response = (1 / (1 / (spread**2 + 1 / told)).mean(axis=2)).mean(axis=1)
    cell = np.sqrt(one_response / queries)
    shared = query_correlation * spread**2 / queries
    shift = np.sqrt(np.maximum(2 * cell**2 - 2 * shared, 0.0))
    each = tokens_per_call(window_size, response_tokens, anchor_tokens, judge_mode)
    designs = []
    for index in range(most_windows):
        calls = queries * values * levels * (index + 1)
        reaches = cell_se is None or cell[index] <= cell_se
        reaches &= response_se is None or response[index] <= response_se
        needed = None if cell_se is None else ceil(one_response[index] / cell_se**2 - 1e-9)
        designs.append(
            Design(
                index + 1,
                calls,
                round(calls * each),
                float(response[index]),
                float(cell[index]),
                float(shift[index]),
                bool(reaches),
                needed,
            )
        )
    return designs


def tokens_per_call(
    window_size: int,
    response_tokens: float = RESPONSE_TOKENS,
    anchor_tokens: float = ANCHOR_TOKENS,
    judge_mode: str = "ranking",
) -> float:
    """Tokens of one question and its answer, a plain answer in codes being assumed."""
    texts = response_tokens + (window_size - 1) * anchor_tokens
    asked = PROMPT_TOKENS + texts + FENCE_TOKENS * window_size
    if judge_mode == "ranking":
        return asked + FENCE_TOKENS / 2 * window_size
    numbered = 2 if judge_mode == "placement" else window_size
    ruler = RULER_TOKENS * (window_size - 2) if judge_mode == "placement" else 0
    return asked + ruler + (FENCE_TOKENS / 2 + NUMBER_TOKENS) * numbered


def rating_variance(scale: float) -> float:
    """Variance, in squared points, of one rating by a judge of this scale, rounding included."""
    return float(np.pi**2 / 6 / scale**2 + 1 / 12)


def information_after(
    scale: float, windows: int, window_size: int, sampling: str, spread: float
) -> Array:
    """Information (windows, C, L), per squared point, after 1, 2, ... windows of a response.

    C cells across the scale, L equally likely responses of each.
    """
    shares = (np.arange(_LEVELS) + 0.5) / _LEVELS
    centres = np.array(CENTRES)[:, None]
    responses = np.clip(centres + spread * ndtri(shares), -LIMIT, LIMIT)
    if sampling == "bucket":
        one = bucket_information(responses.ravel(), scale, window_size).reshape(responses.shape)
        return np.asarray(np.arange(1, windows + 1)[:, None, None] * one)
    cells = np.array([_adaptive(centre, scale, windows, window_size) for centre in CENTRES])
    return np.repeat(cells.T[:, :, None], _LEVELS, axis=2)


def bucket_information(intensity: Array, scale: float, window_size: int) -> Array:
    """Expected information (n,), per squared point, of a window of one anchor from each bucket."""
    buckets = window_size - 1
    inside = (np.arange(_BUCKET_NODES) + 0.5) / _BUCKET_NODES
    anchors = -LIMIT + 2 * LIMIT / buckets * (np.arange(buckets)[:, None] + inside)
    distance = anchors[:, None, :] - np.asarray(intensity, dtype=np.float64)[:, None]
    product = anchor_factors(scale * distance).mean(axis=2).prod(axis=0)
    return information_of_product(product, scale)


def _adaptive(response: float, scale: float, windows: int, window_size: int) -> Array:
    """Information (windows,) about a response: each window adds what it tells, on average over the
    posterior; that is flat at first, then a normal one about the response.
    """
    generator = np.random.default_rng(0)
    posterior: Array | None = None
    told = np.zeros(windows + 1)
    for index in range(windows):
        chosen = next_window(
            _POOL, generator, posterior=posterior, grid=_GRID, scale=scale, window_size=window_size
        )
        density = np.ones(len(_GRID)) if posterior is None else posterior
        information = window_information(_GRID, _POOL[chosen], scale)
        told[index + 1] = told[index] + density @ information / density.sum()
        posterior = np.exp(-0.5 * (_GRID - response) ** 2 * told[index + 1])
    return told[1:]
