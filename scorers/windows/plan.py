"""What a study takes, in questions and windows, before anything is asked of a judge.

The judge of a real study is sharp in its own view and disagrees with the intensities of single
texts, always in the same way.  So the variance of what a cell's n responses say of its mean has
four parts:

    (spread^2 + text_sd^2 + W) / n + anchors

``spread`` is that between the responses; ``text_sd`` the judge's disagreement with each of them,
which no window wears down, but questions do; W is what the windows leave of one response's place in
the judge's view; and the last part is the disagreement with the anchors, which all responses share:
level and slope of the scale are known to text_sd / sqrt(different anchors) alone.

W is 1 / information.  A ranked window tells about a response's place what its Fisher information
says (:func:`.adaptive.window_information`).  With one random anchor from each equal-width bucket,
the expected information is exact: the anchors are independent, so each factor of the product is
replaced by its average over the bucket.  Adaptive windows are followed step by step, at a normal
posterior that narrows with each.  Where a judge sees an anchor is its intensity and an error; what
the windows of the whole study tell of that error (:func:`anchor_variance`) is known, and the rest
dulls the judge (Zeger, Liang and Albert 1988).  Information is integrated over the responses of
cells whose centres lie across the scale.

A difference between two models that answer the same questions, measured by one judge on the same
anchors, has no anchors' part; the questions that find it with a wanted power are those of a paired
t test (Student's t on both sides, as for normal differences; Cohen 1988).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from valueflow.scorers.estimate.judge import attenuation
from valueflow.scorers.estimate.responses import LIMIT
from valueflow.scorers.windows.adaptive import (
    anchor_factors,
    dulled_scale,
    information_of_product,
    next_window,
)

Array = NDArray[np.float64]

SAMPLINGS = ("bucket", "adaptive")

JUDGE_MODES = ("ranking", "rating", "placement")

CENTRES = (-6.0, -3.0, 0.0, 3.0, 6.0)
"""Means of the cells over which a design is averaged, in points."""

SPREAD = 2.0
"""Standard deviation, in points, assumed between the responses of a cell."""

SHIFT = 5.0
"""Shift, in points, for which the error of the scale's slope is counted."""

ANCHORS = 44
"""Different anchors of a value that are assumed: those of the embedded table."""

POWER = 0.8

LEVEL_OF_TESTS = 0.05
"""Two-sided, before any correction for the number of cells."""

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
_NODES = 21
_STEP = 8
"""Nodes in a bucket, and the step of the lattice that pairs them with errors of its anchors."""

_POOL = np.linspace(-LIMIT, LIMIT, 1001)
_GRID = np.linspace(-LIMIT, LIMIT, 161)
_QUANTILES = ndtri((np.arange(7) + 0.5) / 7)
_SLOPE_VARIANCE = LIMIT**2 / 3
"""Variance of anchors' intensities that lie evenly over the scale."""


@dataclass(frozen=True)
class CellVariance:
    """Variance of a cell's mean by part, in squared points.

    ``spread``: between the responses; ``text``: the judge's disagreement with each response;
    ``windows``: what the windows leave open; ``anchors``: its disagreement with the anchors.
    """

    spread: float
    text: float
    windows: float
    anchors: float

    @property
    def total(self) -> float:
        """Their sum, the square of the cell's standard error."""
        return self.spread + self.text + self.windows + self.anchors


@dataclass(frozen=True)
class Design:
    """What a number of windows per response costs and achieves; errors are in points.

    ``calls`` and ``tokens`` are the judge's in the whole study (questions and answers, without
    reasoning).  ``response_se`` is the expected standard error of one response's intensity,
    ``cell_se`` of a cell's mean, ``cell`` its square by part, ``shift_se`` that of the difference
    between two cells that answer the same questions, for a shift of ``SHIFT`` points.  ``reaches``
    tells whether the wanted errors are reached; ``queries_needed`` with how many questions this
    number of windows would reach that of the cells (None where none is wanted, or where no number
    of questions would).  ``queries_for_difference`` are the questions that find the wanted
    difference between two models, in a cell and in a shift or a range (None where none is wanted).
    """

    windows: int
    calls: int
    tokens: int
    response_se: float
    cell_se: float
    cell: CellVariance
    shift_se: float
    reaches: bool
    queries_needed: int | None
    queries_for_difference: tuple[int, int] | None


@dataclass(frozen=True)
class _Study:
    """What all designs of a study share; see :func:`study_designs`."""

    scale: float
    text_sd: float
    levels: int
    window_size: int
    sampling: str
    spread: float
    judge_mode: str
    anchors: int

    def one_response(self, windows: int, queries: int) -> tuple[Array, Array]:
        """Expected variances (C, L) about one response's place that its windows leave, and the
        variance (C,) that one response adds to its cell's mean."""
        shape = (len(CENTRES), _LEVELS)
        if self.judge_mode == "ranking":
            told = self._information(windows, windows * queries * self.levels)
        else:
            told = np.full(shape, windows / rating_variance(self.scale))
        left = 1 / np.maximum(told, 1e-9)
        within = self.spread**2 + self.text_sd**2 + left
        return left, 1 / (1 / within).mean(axis=1)

    def _information(self, windows: int, in_all: int) -> Array:
        if self.sampling == "adaptive":
            # What one window of each response tells of the anchors: more windows tell more.
            in_all //= windows
        variance = anchor_variance(
            self.scale, self.text_sd, in_all if self.text_sd else 1, self.window_size, self.anchors
        )
        wander = float(np.sqrt(max(self.text_sd**2 - variance, 0.0)))
        scale = dulled_scale(self.scale, np.sqrt(variance))
        if self.sampling == "bucket":
            one = _of_cells(scale, self.text_sd, self.spread, self.window_size, wander)
            return windows * one
        assumed = dulled_scale(self.scale, self.text_sd)
        rounded = -(-windows // MOST_WINDOWS) * MOST_WINDOWS
        told = [
            _adaptive(centre, scale, assumed, rounded, self.window_size, wander)[windows - 1]
            for centre in CENTRES
        ]
        return np.repeat(np.array(told)[:, None], _LEVELS, axis=1)

    def shared(self, windows: int, queries: int) -> float:
        """Variance of the level that the anchors' part has, for a text in the scale's middle."""
        shown = windows * queries * self.levels * (self.window_size - 1)
        return self.text_sd**2 * (1 / self.anchors + 1 / shown)

    @property
    def tilted(self) -> float:
        """Factor by which an unknown slope of the scale adds to the level's error in a cell."""
        return 1 + float(np.mean(np.square(CENTRES))) / _SLOPE_VARIANCE

    def cell(self, windows: int, queries: int) -> CellVariance:
        one = float(self.one_response(windows, queries)[1].mean())
        left = max(one - self.spread**2 - self.text_sd**2, 0.0)
        parts = (self.spread**2, self.text_sd**2, left)
        spread, text, rest = (part / queries for part in parts)
        return CellVariance(spread, text, rest, self.shared(windows, queries) * self.tilted)

    def queries_for(self, windows: int, cell_se: float, queries: int) -> int | None:
        """Questions with which so many windows reach a cell's error; None where none would."""
        needed = queries
        for _ in range(3):
            # More questions tell more of the anchors too, so that this is found step by step.
            one = float(self.one_response(windows, needed)[1].mean())
            once = self.text_sd**2 / (windows * self.levels * (self.window_size - 1))
            room = cell_se**2 - self.text_sd**2 / self.anchors * self.tilted
            if room <= 0:
                return None
            before, needed = needed, ceil((one + once * self.tilted) / room - 1e-9)
            if needed == before:
                break
        return needed


def study_designs(
    scale: float,
    queries: int,
    *,
    text_sd: float = 0.0,
    cell_se: float | None = None,
    response_se: float | None = None,
    difference: float | None = None,
    power: float = POWER,
    values: int = 1,
    levels: int = 5,
    window_size: int = 6,
    sampling: str = "bucket",
    spread: float = SPREAD,
    query_correlation: float = 0.0,
    most_windows: int = MOST_WINDOWS,
    anchors: int = ANCHORS,
    call_tokens: float | None = None,
    judge_mode: str = "ranking",
) -> list[Design]:
    """Designs with 1 to ``most_windows`` windows per response; the first that reaches is smallest.

    ``scale`` is the judge's, in log-worth per point (0.3 is a noisy judge, 3 a sharp one), and
    ``text_sd``, in points, the spread of its standing disagreement with single texts.  Each of
    ``queries`` is answered once at each of ``levels`` levels (the default counts) of each of
    ``values`` values.  ``cell_se`` and ``response_se`` are the wanted standard errors, in points;
    ``difference`` is one between two models, in points, that is to be found with ``power``.
    ``spread`` is that between the responses of a cell, ``query_correlation`` the correlation of the
    true intensities of two responses to the same question: what they share leaves a shift, and a
    difference between models.  ``anchors`` are a value's, ``call_tokens`` those of one judge call
    (about :func:`tokens_per_call`, where None).
    ``judge_mode`` is ``ranking``, ``rating`` or ``placement``; a judge of a given scale rates with
    the noise with which it ranks, pi / sqrt(6) / scale points, and rounds to whole numbers.

    Left out are the error of the judge's estimated scale and lapses.  Where a judge is so sharp
    that it tells texts apart across a small part of a bucket, a response's place between its
    neighbours decides and information says too much: with buckets of 4 points its error is 5%
    larger than told at scale 2 and 13% at scale 3, a cell's at most 4%.

    Raises ``ValueError`` for a scale or spread that is not positive and finite, a negative
    ``text_sd``, a wanted error, difference or count that is not positive, a power outside (0, 1),
    k below 2, an unknown sampling or a correlation outside [-1, 1].
    """
    for name, number in (("scale", scale), ("spread", spread)):
        if not (np.isfinite(number) and number > 0):
            raise ValueError(f"{name} must be positive and finite, not {number}")
    if not 0 <= text_sd < np.inf:
        raise ValueError(f"text_sd must be finite and not negative, not {text_sd}")
    goals = (("cell_se", cell_se), ("response_se", response_se), ("difference", difference))
    for name, wanted in (*goals, ("call_tokens", call_tokens)):
        if wanted is not None and not wanted > 0:
            raise ValueError(f"{name} must be positive, not {wanted}")
    if not 0 < power < 1:
        raise ValueError(f"power must lie between 0 and 1, not {power}")
    counts = (("queries", queries), ("values", values), ("levels", levels), ("anchors", anchors))
    for name, count in counts:
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
    study = _Study(scale, text_sd, levels, window_size, sampling, spread, judge_mode, anchors)
    each = call_tokens or tokens_per_call(window_size, judge_mode=judge_mode)
    designs = []
    for windows in range(1, most_windows + 1):
        calls = queries * values * levels * windows
        left, one = study.one_response(windows, queries)
        own = 1 / (spread**-2.0 + 1 / (text_sd**2 + left))
        response = float(np.sqrt(own.mean() + study.shared(windows, queries) * study.tilted))
        cell = study.cell(windows, queries)
        paired = 2 * max(float(one.mean()) - query_correlation * spread**2, 0.0)
        slope = study.shared(windows, queries) * SHIFT**2 / _SLOPE_VARIANCE
        reached = cell_se is None or cell.total <= cell_se**2 * (1 + 1e-9)
        reached &= response_se is None or response <= response_se
        found = None
        if difference is not None:
            # A shift and a range are differences of two cells, so that models differ in four.
            found = (
                queries_for_difference(paired, difference, power),
                queries_for_difference(2 * paired, difference, power),
            )
        designs.append(
            Design(
                windows=windows,
                calls=calls,
                tokens=round(calls * each),
                response_se=response,
                cell_se=float(np.sqrt(cell.total)),
                cell=cell,
                shift_se=float(np.sqrt(paired / queries + slope)),
                reaches=bool(reached),
                queries_needed=None
                if cell_se is None
                else study.queries_for(windows, cell_se, queries),
                queries_for_difference=found,
            )
        )
    return designs


def queries_for_difference(variance: float, difference: float, power: float) -> int:
    """Questions with which a paired test finds a difference with a power.

    Args:
        variance: of one question's difference, in squared points.
        difference: in points.
        power: chance of a two-sided test at ``LEVEL_OF_TESTS`` to find it, between 0 and 1.
    """
    ratio = variance / difference**2
    both = (1 - LEVEL_OF_TESTS / 2, power)
    # Student's quantiles are larger than the normal ones, with which the search begins.
    needed = max(2, ceil(ratio * sum(map(ndtri, both)) ** 2))
    while needed < ratio * sum(stdtrit(needed - 1, one) for one in both) ** 2:
        needed += 1
    return needed


def tokens_per_call(window_size: int, judge_mode: str = "ranking") -> float:
    """Tokens of one question and its answer, a plain answer in codes being assumed."""
    texts = RESPONSE_TOKENS + (window_size - 1) * ANCHOR_TOKENS
    asked = PROMPT_TOKENS + texts + FENCE_TOKENS * window_size
    if judge_mode == "ranking":
        return asked + FENCE_TOKENS / 2 * window_size
    numbered = 2 if judge_mode == "placement" else window_size
    ruler = RULER_TOKENS * (window_size - 2) if judge_mode == "placement" else 0
    return asked + ruler + (FENCE_TOKENS / 2 + NUMBER_TOKENS) * numbered


def rating_variance(scale: float) -> float:
    """Variance, in squared points, of one rating by a judge of this scale, rounding included."""
    return float(np.pi**2 / 6 / scale**2 + 1 / 12)


def scale_of_noise(noise_sd: float) -> float:
    """Scale of a judge that rates with a noise, in points: the inverse of :func:`rating_variance`.

    Noise that rounding alone explains counts as that of a very sharp judge.
    """
    return float(np.pi / np.sqrt(6 * max(noise_sd**2 - 1 / 12, 0.01)))


@lru_cache(maxsize=256)
def _of_cells(
    scale: float, text_sd: float, spread: float, window_size: int, wander: float
) -> Array:
    """Information (C, L) of a window about responses of each of the cells.

    They stand where the judge sees them, its disagreement with them included.
    """
    shares = ndtri((np.arange(_LEVELS) + 0.5) / _LEVELS)
    at = np.clip(np.array(CENTRES)[:, None] + spread * shares, -LIMIT, LIMIT)
    at = at + text_sd * np.random.default_rng(0).permutation(shares)
    return bucket_information(at.ravel(), scale, window_size, wander).reshape(at.shape)


@lru_cache(maxsize=256)
def anchor_variance(
    scale: float, text_sd: float, windows: int, window_size: int, anchors: int
) -> float:
    """Variance, in squared points, that a study's windows leave of a judge's error about an anchor.

    ``windows`` are all of a value's.  Each tells about its anchors what it tells about a response,
    the other texts' errors being known no better; the level that all anchors share is not in it.
    """
    if text_sd <= 0:
        return 0.0
    shown = windows * (window_size - 1) / anchors
    at = np.linspace(-8.0, 8.0, 9)
    variance = text_sd**2
    for _ in range(8):
        dulled = float(scale * attenuation(scale, variance))
        wander = float(np.sqrt(max(text_sd**2 - variance, 0.0)))
        told = float(bucket_information(at, dulled, window_size, wander).mean())
        variance = float(np.sqrt(variance / (text_sd**-2.0 + shown * told)))
    return variance


def bucket_information(
    intensity: Array, scale: float, window_size: int, wander: float = 0.0
) -> Array:
    """Expected information (n,), per squared point, of a window of one anchor from each bucket.

    ``wander`` is the spread, in points, of known errors about the anchors.
    """
    buckets = window_size - 1
    nodes = (np.arange(_NODES) + 0.5) / _NODES
    seen = 2 * LIMIT / buckets * nodes + wander * ndtri(nodes[np.arange(_NODES) * _STEP % _NODES])
    product = np.ones(())
    for bucket in range(buckets):
        anchors = -LIMIT + 2 * LIMIT / buckets * bucket + seen
        distance = anchors - np.asarray(intensity, dtype=np.float64)[:, None]
        product = product * anchor_factors(scale * distance).mean(axis=1)
    return information_of_product(product, scale)


@lru_cache(maxsize=64)
def _adaptive(
    response: float, scale: float, assumed: float, windows: int, window_size: int, wander: float
) -> list[float]:
    """Information about a response after 1, 2, ... windows: each adds what it tells, on average
    over the posterior; that is flat at first, then a normal one about the response.  Anchors are
    chosen at the scale ``assumed``.
    """
    generator = np.random.default_rng(0)
    posterior: Array | None = None
    seen = wander * _QUANTILES if wander else np.zeros(1)
    told = [0.0]
    for _ in range(windows):
        chosen = next_window(
            _POOL, generator, posterior=posterior, grid=_GRID, scale=assumed,
            window_size=window_size,
        )  # fmt: skip
        density = np.ones(len(_GRID)) if posterior is None else posterior
        distance = (_POOL[chosen] - _GRID[:, None])[..., None] + seen
        factors = anchor_factors(scale * distance).mean(axis=-2).prod(axis=1)
        information = information_of_product(factors, scale)
        told.append(told[-1] + float(density @ information / density.sum()))
        posterior = np.exp(-0.5 * (_GRID - response) ** 2 * told[-1])
    return told[1:]
