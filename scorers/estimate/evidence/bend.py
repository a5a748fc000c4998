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
    LEANING,
    LogWorths,
    Orders,
    by_window,
    from_the_top,
    log_likelihood_of,
    log_worths,
    turned,
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


def bend_told(judged: Sequence[tuple[Orders, float, float, float]]) -> ProposedBend | None:
    """The bend that the anchors' orders propose.

    Args:
        judged: of each value the windows, the scale and place effect of the judge who takes errors
            about texts for noise, and the factor by which they dull it.

    Returns:
        The proposal; None where even this likelihood gains too little to be looked at further.
    """
    values = [
        (_Value(one.every(max(1, -(-one.questions // MOST_WINDOWS))), place, dulled), np.log(scale))
        for one, scale, place, dulled in judged
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
    """The windows of one value as a log-linear model of (log scale, side, ends).

    Normal errors about texts lean to neither side, and to orders told from the top alone would look
    like a bend: where they are large, the orders are told from both ends, in shares as elsewhere.
    """

    def __init__(self, orders: Orders, place_effect: float, dulled: float) -> None:
        self.orders, self.place = orders, place_effect
        self.shapes = shapes(orders.intensity)
        self.down = float(from_the_top(np.array(dulled)))

    def by_text(self, log_scale: float) -> Array:
        """Slopes (texts, 3) of a straight judge's log-likelihood that each anchor text makes."""
        orders = self.orders
        scale = float(np.exp(log_scale))
        row, score, _, _ = self._told(orders, scale, None)
        _, text = np.unique(orders.key[orders.present], return_inverse=True)
        own = (score * (row * scale)[:, None])[orders.present]
        regressors = (orders.intensity[orders.present], *self.shapes[:, orders.present])
        return np.stack([np.bincount(text, own * part) for part in regressors], axis=1)

    def at(self, log_scale: float, bend: Array) -> tuple[float, Array, Array]:
        """Log-likelihood, its slope (3,) and the information (3, 3)."""
        scale = float(np.exp(log_scale))
        through = seen_through(self.orders, (float(bend[0]), float(bend[1])))
        regressors = scale * np.where(
            through.present, np.stack([through.intensity, *self.shapes]), 0.0
        )
        row, score, information, logs = self._told(through, scale, regressors)
        slope = np.einsum("ra,ira,r->i", score, regressors, row)
        return float(self.orders.weight @ logs), slope, information

    def _told(
        self, orders: Orders, scale: float, regressors: Array | None
    ) -> tuple[Array, Array, Array, Array]:
        """What the orders say.

        Returns:
            Weights (R,) of the rows, scores (R, A) in the anchors' log-worths, the information
            (3, 3) on ``regressors`` (3, R, A), and the windows' log-probabilities (W,).
        """
        worths = log_worths(orders, scale, self.place)
        logs, score = log_likelihood_of(orders, worths), _scores(orders, worths)
        part = np.ones(len(logs))
        if self.down < LEANING:
            other = turned(orders)
            from_below = log_worths(other.orders, scale, self.place)
            first = np.log(self.down) + logs
            second = np.log1p(-self.down) + log_likelihood_of(other.orders, from_below)
            logs = np.logaddexp(first, second)
            part = np.exp(first - logs)
            below = other.there(_scores(other.orders, from_below))
            score = part[:, None] * score + (1 - part)[:, None] * below
        window, share = by_window(orders, logs)
        row = orders.weight[orders.window] * share
        information = np.zeros((3, 3))
        if regressors is not None:
            information += _information(orders, worths, regressors, row * part)
            if self.down < LEANING:
                moved = np.stack([other.there(one) for one in regressors])
                information += _information(other.orders, from_below, moved, row * (1 - part))
        return row, score, information, window


def _scores(orders: Orders, worths: LogWorths) -> Array:
    """Slopes (R, A) of the log-likelihood of rows in the anchors' log-worths."""
    score = orders.picks.astype(np.float64)
    for stage in range(score.shape[1]):
        score[:, stage:] -= worths.chances(stage) * orders.picks[:, stage, None]
    return score


def _information(orders: Orders, worths: LogWorths, regressors: Array, weight: Array) -> Array:
    """Information (3, 3) of weighted rows (R,) on the coefficients of regressors (3, R, A)."""
    total = np.zeros((3, 3))
    for stage in range(orders.picks.shape[1]):
        chance, later = worths.chances(stage), regressors[:, :, stage:]
        mean = (chance * later).sum(axis=2)
        square = np.einsum("ra,ira,jra->ijr", chance, later, later)
        total += (square - mean[:, None] * mean) @ (weight * orders.picks[:, stage])
    return total
