"""A judge whose view of the scale is no straight line, found from the order of the anchors.

A judge may tell supporting texts apart better than opposing ones, or crowd the ends of the scale.
It then sees an intensity x at x + side * (|x| - 5) + ends * x * (|x| / 10 - 2/3), the two shapes
that ratings know too.  Level and slope are the judge's own: no order tells the level, and the slope
is its scale.  Responses are seen through the same bend.

The bend is one for all values of a judge.  It is proposed, where a score test finds reason to, by
maximum likelihood with all that is not known of texts as noise (Newton's method), and kept only if
the marginal likelihood, the judge's errors about recurring texts integrated out, gains more than
:data:`LEAST_GAIN` by it.  Few texts that happen to be seen elsewhere look like a bend to the first
and not to the second, whose gain also says how far the first overstates what it knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.likelihood import (
    Orders,
    by_window,
    log_likelihood_of,
    log_worths,
)

Array = NDArray[np.float64]
Bend = tuple[float, float]

END = 10.0
"""Ends of the scale, in points: beyond them a bend goes on as a straight line."""

STRAIGHT: Bend = (0.0, 0.0)

LEAST_GAIN = 6.0
"""Gain in the log of the marginal likelihood from which a bend is believed: one straight judge in
400 gains as much by chance."""

LEAST_SCORE = 4.6
"""Score statistic, clustered by anchor text (Liang and Zeger 1986), below which a bend is looked at
no further: it is exceeded by one straight judge in ten."""

LEAST_SLOPE = 0.3
"""Least part of its slope that a bend leaves a judge anywhere on the scale."""

MOST_WINDOWS = 2000
"""Most windows of a value that propose a bend: an even selection."""

_STEPS = 12


def shapes(intensity: Array) -> Array:
    """The two shapes (2, ...) of a bend at intensities (...), in points."""
    inside = np.clip(intensity, -END, END)
    ends = inside * (np.abs(inside) / END - 2 / 3) + (intensity - inside) * 4 / 3
    return np.stack([np.abs(intensity) - END / 2, ends])


def seen_at(intensity: Array, bend: Bend) -> Array:
    """Where a judge sees intensities (...), in points of its own."""
    if bend == STRAIGHT:
        return intensity
    side, ends = shapes(intensity)
    return np.asarray(intensity + bend[0] * side + bend[1] * ends)


def seen_through(orders: Orders, bend: Bend) -> Orders:
    """Orders whose anchors have the intensities at which the judge sees them."""
    if bend == STRAIGHT:
        return orders
    seen = np.where(orders.present, seen_at(orders.intensity, bend), 0.0)
    return replace(orders, intensity=np.asfortranarray(seen))


@dataclass(frozen=True)
class ProposedBend:
    """A bend with its covariance (2, 2) and the gain in log-likelihood, texts' errors as noise."""

    bend: Bend
    covariance: Array
    gain: float

    def believed(self, gain: float) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """Covariance of the bend where the marginal likelihood gained so much; None if too little.

        Where both are nearly quadratic, their gains are as the information that they have.
        """
        if not gain > LEAST_GAIN:
            return None
        a, b, c, d = (self.covariance * max(self.gain / gain, 1.0)).ravel().tolist()
        return (a, b), (c, d)


def bend_told(judged: Sequence[tuple[Orders, float, float]]) -> ProposedBend | None:
    """The bend that the anchors' orders propose.

    Args:
        judged: of each value the windows, and the scale and place effect of the judge who takes
            errors about texts for noise.

    Returns:
        The proposal; None where even this likelihood gains too little to be looked at further.
    """
    values = [
        (_Value(one.every(max(1, -(-one.questions // MOST_WINDOWS))), place), np.log(scale))
        for one, scale, place in judged
    ]
    log_scale = np.array([start for _, start in values])
    bend = np.zeros(2)
    first = None
    for step in range(_STEPS):
        parts = [value.at(s, bend) for (value, _), s in zip(values, log_scale, strict=True)]
        log_likelihood = sum(part[0] for part in parts)
        slopes = np.array([part[1] for part in parts])
        bends = np.array([part[2] for part in parts])
        # Scales are one a value: what they share with the bend is taken out of it.
        own = np.maximum(bends[:, 0, 0], 1e-9)
        cross = bends[:, 0, 1:]
        information = bends[:, 1:, 1:].sum(axis=0) - (cross / own[:, None]).T @ cross
        slope = slopes[:, 1:].sum(axis=0) - (slopes[:, 0] / own) @ cross
        covariance = np.linalg.pinv(information + 1e-6 * np.eye(2))
        if first is None:
            of_texts = [
                part[:, 1:] - part[:, :1] * shared / scale
                for part, shared, scale in zip(
                    (value.by_text(s) for (value, _), s in zip(values, log_scale, strict=True)),
                    cross,
                    own,
                    strict=True,
                )
            ]
            robust = np.linalg.pinv(sum(part.T @ part for part in of_texts) + 1e-9 * np.eye(2))
            if float(slope @ robust @ slope) < LEAST_SCORE:
                return None
            first = log_likelihood
        move = np.clip(covariance @ slope, -0.2, 0.2)
        moved = _monotone(bend + move)
        if np.abs(moved - bend).max() < 1e-3 or step == _STEPS - 1:
            break
        log_scale = log_scale + np.clip((slopes[:, 0] - cross @ (moved - bend)) / own, -0.3, 0.3)
        bend = moved
    assert first is not None
    gain = float(log_likelihood - first)
    if gain < LEAST_GAIN:
        return None
    return ProposedBend((float(bend[0]), float(bend[1])), covariance, gain)


def _monotone(bend: Array) -> Array:
    """The bend, less of it where it would leave too little slope."""
    inside = np.linspace(-END, END, 41)
    step = 1e-3
    rise = (shapes(inside + step) - shapes(inside - step)) / (2 * step)
    least = float((bend @ rise).min())
    return bend if least > LEAST_SLOPE - 1 else bend * (1 - LEAST_SLOPE) / -least


class _Value:
    """The windows of one value as a log-linear model of (log scale, side, ends)."""

    def __init__(self, orders: Orders, place_effect: float) -> None:
        self.orders, self.place = orders, place_effect
        self.shapes = shapes(orders.intensity)

    def by_text(self, log_scale: float) -> Array:
        """Slopes (texts, 3) of a straight judge's log-likelihood that each anchor text makes."""
        orders, scale = self.orders, float(np.exp(log_scale))
        worths = log_worths(orders, scale, self.place)
        _, share = by_window(orders, log_likelihood_of(orders, worths))
        chances = orders.picks.astype(np.float64)
        rows = orders.weight[orders.window] * share * scale
        for stage in range(chances.shape[1]):
            chances[:, stage:] -= worths.chances(stage) * orders.picks[:, stage, None]
        _, text = np.unique(orders.key[orders.present], return_inverse=True)
        own = (chances * rows[:, None])[orders.present]
        regressors = (orders.intensity[orders.present], *self.shapes[:, orders.present])
        return np.stack([np.bincount(text, own * part) for part in regressors], axis=1)

    def at(self, log_scale: float, bend: Array) -> tuple[float, Array, Array]:
        """Log-likelihood, its slope (3,) and the information (3, 3)."""
        orders = self.orders
        scale = float(np.exp(log_scale))
        through = seen_through(orders, (float(bend[0]), float(bend[1])))
        worths = log_worths(through, scale, self.place)
        logs, share = by_window(orders, log_likelihood_of(orders, worths))
        weight = orders.weight
        rows = weight[orders.window] * share
        regressors = scale * np.where(
            orders.present, np.stack([through.intensity, *self.shapes]), 0.0
        )
        slope, information = np.zeros(3), np.zeros((3, 3))
        for stage in range(orders.picks.shape[1]):
            part = rows * orders.picks[:, stage]
            chance = worths.chances(stage)
            later = regressors[:, :, stage:]
            mean = (chance * later).sum(axis=2)
            slope += (later[:, :, 0] - mean) @ part
            square = np.einsum("ra,ira,jra->ijr", chance, later, later)
            information += (square - mean[:, None] * mean) @ part
        return float(weight @ logs), slope, information
