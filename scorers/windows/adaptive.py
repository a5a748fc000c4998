"""Chooses, window by window, the anchors that tell most about one response.

The response is one of k texts that a Plackett-Luce judge orders from the top.  Give every text an
exponential clock whose rate is its worth: the order in which the clocks ring is the judge's order
(Luce 1959; Plackett 1975).  The score of the response's log-worth is 1 minus the sum of its chances
p of being picked at each stage that it lived to see, so its Fisher information is the expected sum
of p (1 - p), which equals the expected share of the anchors in the worth that is left at the moment
at which the response is picked.  With r_i the worth of anchor i relative to the response, and X
and Y independent standard exponentials (Y the time at which the response's clock rings), that is

    information / scale^2 = 1 - E prod_i [1 - exp(-r_i Y) (1 - exp(-r_i X))].

The anchors enter through a product, so adding one costs one multiplication, independent random
anchors enter through their averages, and the expectation is a small sum over fixed nodes.

In use, for one response: ``next_window`` with ``posterior=None`` for the first window; after each
ranked window ``posterior_after`` and ``next_window`` again.  Both take the disagreement with single
anchors for noise, which dulls the judge's scale (``dulled_scale``), and place the response where
the judge sees it.  When to stop is another question, see `valueflow.scorers.windows.running`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.judge import JudgeModel, attenuation, errors_of_known
from valueflow.scorers.estimate.likelihood import read_orders
from valueflow.scorers.estimate.responses import (
    LIMIT,
    grid_moments,
    relative_likelihood,
    response_log_likelihood,
)
from valueflow.scorers.estimate.table import WindowTable

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

DESIGN_SCALE, DESIGN_TEXT_SD = 1.2, 3.9
"""Scale, in log-worth per point, and standard deviation of the disagreement with single texts, in
points, that are assumed of a judge before its windows are there: what a strong language model
showed on texts of known intensity."""

DESIGN_LAPSE_RATE = 0.02
"""Share of random orders assumed meanwhile, so that one odd window cannot settle a response."""

DESIGN_GRID = np.linspace(-LIMIT, LIMIT, 161)
"""Intensities (161,) on which posteriors are kept by default, an eighth of a point apart."""

LEVELS = 24
"""Equally likely intensities that stand for a posterior."""

JITTER = 0.3
"""Width, as a share of their distance, within which the anchors of the first window vary."""

_NODES = 10
_LOG_RATIO_STEP = 0.05
_LOG_RATIO_LIMIT = 14.0


def dulled_scale(scale: float, text_sd: float) -> float:
    """Scale of a judge who is asked about a response beside anchors that it disagrees with.

    ``text_sd``, in points, is the spread of what is not known of its disagreement with an anchor.
    Of the two texts that are compared, the anchor alone carries it: the judge's disagreement with
    the response is the same in all its windows.
    """
    return float(scale * attenuation(scale, text_sd**2 / 2))


DULLED = dulled_scale(DESIGN_SCALE, DESIGN_TEXT_SD)
"""Scale at which windows are chosen where nothing else is said."""


@lru_cache(maxsize=1)
def _exponential_nodes() -> tuple[Array, Array, Array]:
    """Nodes x, y (Q,) and weights (Q,) for expectations over two standard exponentials.

    The trapezoidal rule after the double-exponential substitution x = exp(t - exp(-t)) (Takahasi
    and Mori 1974), which follows functions of the logarithm of x over many decades.
    """
    t = np.linspace(-2.2, 2.2, _NODES)
    x = np.exp(t - np.exp(-t))
    weight = np.exp(-x) * x * (1 + np.exp(-t))
    weight /= weight.sum()
    both_x, both_y = np.meshgrid(x, x)
    return both_x.ravel(), both_y.ravel(), np.outer(weight, weight).ravel()


def anchor_factors(log_ratio: Array) -> Array:
    """Factors (..., Q) of the product for anchors of log-worth (...) above the response's.

    Their products over the anchors of a window (independent random anchors: products of averages)
    go into :func:`information_of_product`.
    """
    x, y, _ = _exponential_nodes()
    ratio = np.exp(np.clip(log_ratio, -40.0, 40.0))[..., None]
    return np.asarray(1 - np.exp(-ratio * y) * -np.expm1(-ratio * x))


@lru_cache(maxsize=1)
def _factor_table() -> Array:
    """:func:`anchor_factors` on equally spaced log-ratios, beyond which an anchor tells nothing."""
    count = 2 * round(_LOG_RATIO_LIMIT / _LOG_RATIO_STEP) + 1
    table = anchor_factors(np.linspace(-_LOG_RATIO_LIMIT, _LOG_RATIO_LIMIT, count))
    table.flags.writeable = False
    return table


def information_of_product(product: Array, scale: float) -> Array:
    """Fisher information (...,), per squared point, given products (..., Q) of factors."""
    return np.asarray(scale**2 * (1 - product @ _exponential_nodes()[2]))


def window_information(intensity: Array, anchors: Array, scale: float) -> Array:
    """Fisher information (n,) of one window about the response's intensity, per squared point.

    ``intensity`` (n,) of the response and ``anchors`` (A,) or (n, A) in points, ``scale`` in
    log-worth per point.  1 / sqrt of the sum over windows is the standard error of the estimate
    in large samples.
    """
    distance = np.atleast_2d(anchors) - np.asarray(intensity, dtype=np.float64)[:, None]
    return information_of_product(anchor_factors(scale * distance).prod(axis=-2), scale)


def next_window(
    intensities: Array,
    generator: np.random.Generator,
    *,
    posterior: Array | None = None,
    grid: Array = DESIGN_GRID,
    scale: float = DULLED,
    window_size: int = 6,
) -> IntArray:
    """Indices (k - 1,) of the anchors for a response's next window, in no particular order.

    ``intensities`` (A,) of the anchors that this response has not met yet, in points; they need no
    order.  ``posterior`` (G,) of the response on ``grid`` (G,), not necessarily normalised; None
    before its first window.  ``scale`` is the judge's, dulled by its disagreement with anchors, as
    assumed in the design (it may be wrong by a factor of 1.5 with little loss); ``window_size`` is
    k.

    The first window cuts the scale into k equal parts, give or take a little.  Later ones take, one
    by one, the anchor that makes the expected variance of the response smallest: 1 / (1 / V +
    information), averaged over the posterior of variance V.  Among anchors that serve equally well
    one is drawn.

    Raises ``ValueError`` for fewer than k - 1 anchors, k below 2, a scale that is not positive and
    finite, an intensity that is not finite, or a posterior that is no density on the grid.
    """
    intensities = np.asarray(intensities, dtype=np.float64)
    count = window_size - 1
    if count < 1:
        raise ValueError(f"a window needs at least 2 texts, not {window_size}")
    if len(intensities) < count:
        raise ValueError(f"{len(intensities)} anchors are left; the window needs {count}")
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"a judge's scale must be positive and finite, not {scale}")
    if not np.isfinite(intensities).all():
        raise ValueError("an anchor's intensity is not finite")
    if posterior is None:
        return _spanning(intensities, count, generator)
    density = np.asarray(posterior, dtype=np.float64)
    if (
        density.shape != np.shape(grid)
        or not (density >= 0).all()
        or not 0 < density.sum() < np.inf
    ):
        raise ValueError("a posterior must be non-negative, finite and given on the grid")
    return _informative(intensities, density / density.sum(), grid, scale, count, generator)


def _spanning(intensities: Array, count: int, generator: np.random.Generator) -> IntArray:
    """Free anchors nearest to points that cut the scale into ``count`` + 1 equal parts."""
    width = 2 * LIMIT / (count + 1)
    points = width * np.arange(1, count + 1) - LIMIT
    points = points + JITTER * width * (generator.random(count) - 0.5)
    left = intensities.copy()
    chosen = np.empty(count, dtype=np.int64)
    for place in generator.permutation(count):
        chosen[place] = np.abs(left - points[place]).argmin()
        left[chosen[place]] = np.inf
    return chosen


def _informative(
    intensities: Array,
    density: Array,
    grid: Array,
    scale: float,
    count: int,
    generator: np.random.Generator,
) -> IntArray:
    levels = _levels(density, grid)
    _, sd = grid_moments(density[None], grid)
    prior = 1 / max(float(sd[0]), 1e-3) ** 2 / scale**2
    step = min(0.25, 0.4 / scale)
    bin_of, bins = _bins(intensities, step)
    log_ratio = scale * (bins[:, None] - levels)
    index = np.rint((log_ratio + _LOG_RATIO_LIMIT) / _LOG_RATIO_STEP).astype(np.int64)
    table = _factor_table()
    kept = table[np.clip(index, 0, len(table) - 1)]
    weighted = np.broadcast_to(_exponential_nodes()[2], kept.shape[1:])
    room = np.bincount(bin_of, minlength=len(bins))
    wanted = np.zeros(len(bins), dtype=np.int64)
    for _ in range(count):
        left = np.einsum("cuq,uq->cu", kept, weighted)
        expected = (1 / (prior + 1 - left)).sum(axis=1)
        best = int(np.where(wanted < room, expected, np.inf).argmin())
        wanted[best] += 1
        weighted = weighted * kept[best]
    chosen = [
        generator.choice(np.flatnonzero(bin_of == one), wanted[one], replace=False)
        for one in np.flatnonzero(wanted)
    ]
    return np.concatenate(chosen).astype(np.int64)


def _bins(intensities: Array, step: float) -> tuple[IntArray, Array]:
    """Bin (A,) of every anchor among bins of width ``step``, and the centres of those in use."""
    number = np.rint(intensities / step).astype(np.int64)
    number -= number.min()
    used = np.bincount(number) > 0
    order = np.cumsum(used) - 1
    bin_of = order[number]
    size = np.bincount(bin_of)
    return bin_of, np.bincount(bin_of, intensities) / size


def _levels(density: Array, grid: Array) -> Array:
    """Intensities (LEVELS,) in the middle of equally likely parts of the posterior."""
    cumulative = np.cumsum(density) - density / 2
    return np.interp((np.arange(LEVELS) + 0.5) / LEVELS, cumulative, grid)


def posterior_after(
    windows: Sequence[Mapping[str, Any]],
    *,
    grid: Array = DESIGN_GRID,
    scale: float = DULLED,
) -> Array:
    """Posterior (G,) of where the judge sees one response, given its ranked windows.

    Flat without any.

    ``windows`` map ``anchors`` to intensities and ``order`` to indices from most to least
    supporting (0 is the response, i the i-th anchor), with ``position`` and ``shown`` as in
    :meth:`WindowTable.from_records`; other fields are ignored.  The judge is assumed
    to have the given scale, dulled by its disagreement with anchors, no place effect, and to lapse
    now and then.

    Raises ``WindowRecordError`` (a ``ValueError``) for a window that cannot be read.
    """
    if not windows:
        return np.full(len(grid), 1 / len(grid))
    one = {"item": "", "cell": "", "value": "", "query": None}
    fields = ("anchors", "order", "position", "shown")
    table = WindowTable.from_records(
        {**one, **{name: window[name] for name in fields if name in window}} for window in windows
    )
    assumed = JudgeModel(scale, lapse_rate=DESIGN_LAPSE_RATE)
    orders = read_orders(table)
    errors = errors_of_known(orders, len(table.anchor_names), assumed)
    likelihood = relative_likelihood(
        response_log_likelihood(orders, table.item, 1, assumed, errors, grid)
    )[0]
    return np.asarray(likelihood / likelihood.sum())
