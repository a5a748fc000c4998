"""Estimation of a judge from the order of the anchors alone.

Dropping the response from a window leaves an exact Plackett-Luce order of its anchors, whose
intensities are known, so the judge is estimated without any assumption on the responses.  Four
things are fitted in turn until they settle: scale and place effect (penalised Newton steps; the
log-likelihood is concave in the log-worths, Hunter 2004), the share of windows ordered at random
(a mixture), the judge's standing error about each anchor text that recurs (a normal random effect,
one Newton step at a time, as in penalised quasi-likelihood, Breslow and Clayton 1993) and the
spread of those errors.  Weak priors keep each finite when the windows cannot tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .judge_model import NOISE_VARIANCE, JudgeModel
from .window_likelihood import (
    Array,
    Orders,
    Worths,
    log_likelihood_of,
    random_anchor_log_likelihood,
    sum_from,
    worths,
)

PRIOR_LAPSE = 40.0
"""The prior density of the lapse rate is proportional to (1 - rate) to this power: mean 1/42."""

PRIOR_TEXT_SHARE = 40.0
"""The same for the share of standing disagreement with texts in the variance of the noise."""


WINDOWS_FITTED = 100_000
"""Most windows that a judge is fitted to: an even selection, which leaves errors far below 1%."""


WINDOWS_FIRST = 2000
"""Windows from which the start for the others is found."""


@dataclass(frozen=True)
class JudgePrior:
    """Weak normal priors on the log of the scale and on the place effect, as (mean, sd)."""

    log_scale: tuple[float, float] = (float(np.log(0.5)), 1.25)
    place_effect: tuple[float, float] = (0.0, 0.75)


@dataclass(frozen=True)
class FittedJudge:
    """A judge with the errors (anchors,) it makes about each anchor text, in points.

    ``anchor_error_variance`` is what remains unknown of them, on average over the windows.
    ``surprise`` (anchors,) is each anchor's score in standard errors under a judge without such
    errors; ``marginal`` is that judge, its scale taking the errors for noise, with the most likely
    lapse rate instead of the mean.
    """

    model: JudgeModel
    anchor_error: Array
    anchor_error_variance: float
    surprise: Array
    marginal: JudgeModel


@dataclass(frozen=True)
class Moments:
    """First and second derivatives of the anchors' log-likelihood.

    ``gradient`` (2,) and ``information`` (2, 2) in (scale, -place effect); ``score`` (R, A) and
    ``curvature`` (R, A) in the log-worth of each anchor; ``window_score`` (R, 2) by row.
    """

    gradient: Array
    information: Array
    score: Array
    curvature: Array
    window_score: Array


def moments(orders: Orders, known: Worths, weight: Array, error: Array | None = None) -> Moments:
    """Derivatives at given worths, rows weighted by ``weight`` (R,); ``error`` (R, A) as there."""
    share, stage = known.worth, orders.picks
    # Its square must stay finite, also for judges so sharp that the last texts have no worth left.
    inverse = stage / np.maximum(known.left, 1e-150)
    x = orders.intensity if error is None else orders.intensity + error
    p = orders.place
    weighted_x, weighted_p = share * x, share * p
    mean_x, mean_p = sum_from(weighted_x) * inverse, sum_from(weighted_p) * inverse
    mean_xx, mean_pp = sum_from(weighted_x * x) * inverse, sum_from(weighted_p * p) * inverse
    mean_xp = sum_from(weighted_x * p) * inverse
    window_score = np.column_stack(
        [(stage * x - mean_x).sum(axis=1), (stage * p - mean_p).sum(axis=1)]
    )
    xx = (mean_xx - mean_x**2).sum(axis=1) @ weight
    xp = (mean_xp - mean_x * mean_p).sum(axis=1) @ weight
    pp = (mean_pp - mean_p**2).sum(axis=1) @ weight
    # The chance of being picked, summed over the stages that an anchor lived to see.
    chance = share * sum_from(inverse[:, ::-1])[:, ::-1]
    return Moments(
        gradient=weight @ window_score,
        information=np.array([[xx, xp], [xp, pp]]),
        score=weight[:, None] * (stage - chance),
        curvature=weight[:, None] * (chance - share**2 * sum_from(inverse[:, ::-1] ** 2)[:, ::-1]),
        window_score=window_score,
    )


def fit_judge(
    orders: Orders, anchors: int, prior: JudgePrior | None = None, iterations: int = 60
) -> FittedJudge:
    """Fit one judge to one value from ``orders`` whose anchor keys lie below ``anchors``."""
    windows = orders.questions
    if windows > WINDOWS_FITTED:
        orders = orders.every(-(-windows // WINDOWS_FITTED))
    prior = JudgePrior() if prior is None else prior
    state = _State(orders, anchors, prior)
    if windows > 2 * WINDOWS_FIRST:
        few = orders.every(orders.questions // WINDOWS_FIRST)
        first = _State(few, anchors, prior)
        first.settle(iterations)
        state.parameter = first.parameter
    state.settle(iterations)
    covariance = np.zeros((4, 4))
    covariance[:2, :2] = np.linalg.inv(state.information)
    covariance[3, 3] = state.lapse_error() ** 2
    marginal = _judge(state.parameter, 0.0, state.lapse_mode, covariance, windows)
    surprise = state.surprise()
    state.find_errors(iterations)
    noise = NOISE_VARIANCE / state.scale**2
    sharper = float((1 - state.text_sd**2 / noise) ** -0.5)
    covariance[1] *= sharper
    covariance[:, 1] *= sharper
    covariance[2, 2], covariance[3, 3] = state.text_sd_error**2, state.lapse_error() ** 2
    parameter = np.array([state.parameter[0] + np.log(sharper), state.parameter[1] * sharper])
    model = _judge(parameter, state.text_sd, state.lapse, covariance, windows)
    unknown = state.text_sd**2 - state.explained
    return FittedJudge(model, state.error, unknown, surprise, marginal)


def _judge(
    parameter: Array, text_sd: float, lapse: float, covariance: Array, windows: int
) -> JudgeModel:
    scale = float(np.exp(parameter[0]))
    errors = np.sqrt(np.diag(covariance))
    return JudgeModel(
        scale=scale,
        scale_se=float(scale * errors[0]),
        place_effect=float(parameter[1]),
        place_effect_se=float(errors[1]),
        text_sd=text_sd,
        text_sd_se=float(errors[2]),
        lapse_rate=lapse,
        lapse_rate_se=float(errors[3]),
        windows=windows,
        covariance=tuple(tuple(float(entry) for entry in row) for row in covariance),
    )


class _State:
    """The quantities that are fitted in turn."""

    def __init__(self, orders: Orders, anchors: int, prior: JudgePrior) -> None:
        self.orders = orders
        self.prior_mean = np.array([prior.log_scale[0], prior.place_effect[0]])
        self.prior = np.diag([prior.log_scale[1] ** -2.0, prior.place_effect[1] ** -2.0])
        self.parameter = self.prior_mean.copy()
        self.information = self.prior
        self.sharpening = 1.0
        self.random = random_anchor_log_likelihood(orders)
        self.informative = np.bincount(
            orders.window, weights=orders.evidence * (self.random < 0), minlength=orders.windows
        )
        self.lapse, self.lapse_mode = 1 / (PRIOR_LAPSE + 2), 0.0
        self.evidence = self.weight = orders.evidence
        self.key = np.asfortranarray(np.where(orders.present, orders.key, anchors))
        self.anchors = anchors
        self.seen = np.bincount(
            self.key.ravel(), np.repeat(orders.part, self.key.shape[1]), minlength=anchors + 1
        )[:anchors]
        self.recurring = self.seen > 1.5
        self.error = np.zeros(anchors)
        self.text_sd, self.text_sd_error, self.explained = 0.0, 0.0, 0.0
        self.last = self._moments(None)

    @property
    def scale(self) -> float:
        """The marginal scale: that of a judge whose errors about texts are noise."""
        return float(np.exp(self.parameter[0]))

    def _row_error(self) -> Array | None:
        if not self.error.any():
            return None
        return np.asarray(np.append(self.error, 0.0)[self.key])

    def _moments(self, error: Array | None) -> Moments:
        """Update the lapses, and the derivatives with the windows weighted accordingly."""
        scale = self.scale * self.sharpening
        place_effect = float(self.parameter[1]) * self.sharpening
        known = worths(self.orders, scale, place_effect, error)
        ranked = log_likelihood_of(self.orders, known)
        ratio = np.exp(np.clip(self.random - ranked, -700, 700))
        told = self.evidence * (self.random < 0)
        self.lapse, self.lapse_mode = _mixture_share(ratio, told, PRIOR_LAPSE)
        lapsed = self.lapse * ratio / (self.lapse * ratio + 1 - self.lapse)
        self.weight = self.evidence * (1 - lapsed)
        return moments(self.orders, known, self.weight, error)

    def settle(self, iterations: int) -> None:
        """Scale, place effect and lapses of a judge without standing errors about texts."""
        for _ in range(iterations):
            self.last = self._moments(None)
            if np.abs(self._judge_step()).max() < 1e-5:
                break
        self.text_sd, self.text_sd_error = _text_sd(np.empty(0), np.empty(0), self.scale)

    def find_errors(self, iterations: int) -> None:
        """Errors about recurring anchors and their spread, at a fixed total noise.

        The noise of a text of unknown error has variance NOISE_VARIANCE / marginal scale^2.  What
        the estimated errors explain of it leaves a sharper judge.
        """
        if not self.recurring.any():
            return
        for _ in range(iterations):
            change = self._error_step()
            error = self._row_error()
            self.last = self._moments(error)
            if change < 1e-3:
                break

    def _judge_step(self) -> Array:
        jacobian = np.diag([float(np.exp(self.parameter[0])), -1.0])
        self.information = jacobian @ self.last.information @ jacobian + self.prior
        gradient = jacobian @ self.last.gradient
        gradient -= self.prior @ (self.parameter - self.prior_mean)
        step: Array = np.asarray(np.linalg.solve(self.information, gradient), np.float64)
        step *= min(1.0, 1.0 / float(np.abs(step).max() + 1e-12))
        self.parameter = self.parameter + step
        return step

    def lapse_error(self) -> float:
        """Standard error of the lapse rate, from a beta approximation of its posterior."""
        told = float(self.informative.sum()) + PRIOR_LAPSE + 2
        return float(np.sqrt(self.lapse * (1 - self.lapse) / told))

    def surprise(self) -> Array:
        """Scores in standard errors; one unlikely order alone, which tells little, stays small."""
        score, curvature = self._anchor_sums()
        return np.asarray(score / np.sqrt(curvature + 1))

    def _anchor_sums(self) -> tuple[Array, Array]:
        # Columns first, whatever the layout in memory: some of the rows are laid out otherwise.
        flat, count = self.key.ravel(order="F"), self.anchors + 1
        score, bend = (
            np.bincount(flat, values.ravel(order="F"), minlength=count).astype(np.float64)
            for values in (self.last.score, self.last.curvature)
        )
        return score[:-1], bend[:-1]

    def _error_step(self) -> float:
        scale = self.scale * self.sharpening
        score, curvature = self._anchor_sums()
        told = self.recurring & (curvature > 1e-9)
        precision = scale**2 * curvature[told]
        observed = self.error[told] + scale * score[told] / precision
        before = self.text_sd
        self.text_sd, self.text_sd_error = _text_sd(observed, precision, self.scale)
        shrink = precision / (precision + 1 / max(self.text_sd, 1e-6) ** 2)
        step = shrink * observed - self.error[told]
        self.error[told] += 0.7 * step
        self.explained = self.text_sd**2 * float(self.seen[told] @ shrink / self.seen.sum())
        share = self.explained * self.scale**2 / NOISE_VARIANCE
        self.sharpening = 1 / float(np.sqrt(1 - min(share, 0.99)))
        moved = float(np.sqrt((step**2).sum() / max(len(step), 1)))
        return max(moved, abs(self.text_sd - before)) * self.scale


def _mixture_share(ratio: Array, weight: Array, prior: float) -> tuple[float, float]:
    """Posterior mean, roughly, and mode of a mixture's share s.

    The log-posterior is sum weight * log(1 - s + s * ratio) + prior * log(1 - s), concave in s.
    Where its mode is 0, the mean is that of the exponential with the slope there.
    """

    def slope(share: float) -> float:
        gain = (ratio - 1) / (1 - share + share * ratio)
        return float(weight @ gain - prior / (1 - share))

    low, high = 0.0, 0.99
    if slope(0.0) <= 0:
        return float(min(1 / max(-slope(0.0), 1e-9), 1 / (prior + 2))), 0.0
    for _ in range(25):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return (low + high) / 2, (low + high) / 2


def _text_sd(observed: Array, precision: Array, scale: float) -> tuple[float, float]:
    """Root of the posterior mean of the text variance, and its error.

    ``observed`` errors have variance text_sd^2 + 1 / precision; the prior is on the share of the
    text variance in the whole noise of a judge of marginal ``scale``.
    """
    share = np.linspace(0.0, 0.95, 48) ** 2
    variance = share * NOISE_VARIANCE / scale**2
    log_weight = PRIOR_TEXT_SHARE * np.log1p(-share) + np.log(np.maximum(np.sqrt(share), 1e-3))
    if len(observed):
        total = variance + 1 / precision[:, None]
        log_weight = log_weight - 0.5 * (np.log(total) + observed[:, None] ** 2 / total).sum(axis=0)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    mean = float(weight @ variance)
    root = np.sqrt(variance)
    return float(np.sqrt(mean)), float(np.sqrt(max(weight @ (root - weight @ root) ** 2, 0.0)))
