"""What is known about how one judge ranks texts for one value.

Estimation of a judge from the order of the anchors alone.

Dropping the response from a window leaves an exact Plackett-Luce order of its anchors, whose
intensities are known, so the judge is estimated without any assumption on the responses.  Four
things are fitted in turn until they settle: scale and place effect (penalised Newton steps; the
log-likelihood is concave in the log-worths, Hunter 2004), the share of windows ordered at random
(a mixture), the judge's standing error about each anchor text that recurs (a normal random effect,
one Newton step at a time, as in penalised quasi-likelihood, Breslow and Clayton 1993) and the
spread of those errors.  Weak priors keep each finite when the windows cannot tell.

Partial pooling of one judge's parameters over the values that it judged.

A judge's log-scales over values are taken as normal about a common mean, and so are its place
effects; each value's prior is what the other values say (Efron and Morris 1975, with the value's
own windows left out so that they are not used twice), never wider than the prior of a value alone.

Windows of which a judge gave the probability of choosing each text first.

A judge that names the single most supporting text draws it from a distribution; where the provider
returns log-probabilities, the distribution itself is known.  It enters the likelihood as the
cross-entropy sum_i choice_i * log P(i is chosen first): what one would expect of the log-likelihood
of a drawn choice, and the first stage of Plackett-Luce (Luce 1959; Plackett 1975) with weights.
By Gibbs' inequality it is largest where the model's probabilities equal the judge's.

So read, a distribution counts for one drawn choice.  Drawing would add noise which a judge that
states its distribution has not: if the judge's probabilities scatter about the model's by only a
share of the variance of a draw (their dispersion), one distribution is worth 1 / dispersion draws
(quasi-likelihood, Wedderburn 1974).  The dispersion is estimated from the anchors among themselves,
whose intensities are known.  Taking such a distribution for one draw is wasteful, and not merely
cautious: responses scatter less than the likelihood then expects, so the spread of cells is found
too small and their intervals hold nearly always.

A first choice tells about texts near the top and little about those that others beat clearly, so
that windows across the whole scale measure negative responses worse than positive ones, and a sharp
judge is better asked for a ranking.  ``benchmarks/choice_judging.py`` shows both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.likelihood import (
    Array,
    Orders,
    Worths,
    log_likelihood_of,
    random_anchor_log_likelihood,
    sum_from,
    worths,
)

NOISE_VARIANCE = float((15 * np.pi / (16 * np.sqrt(3))) ** 2 / 2)
"""Variance, in squared log-worth, of a normal noise on each of two texts that orders them nearly
as a Plackett-Luce judge of scale 1 does (Zeger, Liang and Albert 1988).  A normal error of variance
v about a text dulls a judge of scale s to one of scale s / sqrt(1 + v * s^2 / NOISE_VARIANCE)."""


@dataclass(frozen=True)
class JudgeModel:
    """A judge of one value: the worth of a text is exp(scale * intensity - place_effect * place).

    ``scale`` is in log-worth per point of intensity: 0.3 is a noisy judge, 3 a sharp one.
    ``place_effect`` is in log-worth per place; positive favours texts shown earlier.
    ``text_sd``, in points, is the spread of the judge's standing disagreement with single texts.
    ``lapse_rate`` is the share of windows that are ordered at random.
    Each has a standard error; ``windows`` counts the windows they were estimated from.
    ``covariance`` is the covariance of (log scale, place effect, text sd, lapse rate).
    """

    scale: float
    scale_se: float = 0.0
    place_effect: float = 0.0
    place_effect_se: float = 0.0
    text_sd: float = 0.0
    text_sd_se: float = 0.0
    lapse_rate: float = 0.0
    lapse_rate_se: float = 0.0
    windows: int = 0
    covariance: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"a judge's scale must be positive and finite, not {self.scale}")
        if self.text_sd < 0 or not 0 <= self.lapse_rate < 1:
            raise ValueError("a judge's text_sd must be >= 0 and its lapse_rate in [0, 1)")

    def parameter_covariance(self) -> NDArray[np.float64]:
        """Covariance (4, 4) of (log scale, place effect, text sd, lapse rate)."""
        if self.covariance is not None:
            return np.asarray(self.covariance, dtype=np.float64)
        errors = (self.scale_se / self.scale, self.place_effect_se, self.text_sd_se)
        return np.diag(np.square((*errors, self.lapse_rate_se)))


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


SPREAD_OVER_VALUES = 0.5
"""Scale of the half-normal prior on the standard deviation over values of both parameters."""


def fit_judges(orders: Sequence[Orders], anchors: int) -> list[FittedJudge]:
    """Fit the judge to each value, then again with what the other values say as its prior.

    ``anchors`` bounds the anchor keys of all orders.
    """
    alone = [fit_judge(one, anchors) for one in orders]
    if len(alone) < 2:
        return alone
    weak = JudgePrior()
    fitted = [judge.marginal for judge in alone]
    log_scale = np.array([np.log(judge.scale) for judge in fitted])
    log_scale_error = np.array([judge.scale_se / judge.scale for judge in fitted])
    place = np.array([judge.place_effect for judge in fitted])
    place_error = np.array([judge.place_effect_se for judge in fitted])
    result = []
    for index, one in enumerate(orders):
        others = np.arange(len(alone)) != index
        prior = JudgePrior(
            log_scale=pooled(log_scale[others], log_scale_error[others], weak.log_scale),
            place_effect=pooled(place[others], place_error[others], weak.place_effect),
        )
        result.append(fit_judge(one, anchors, prior))
    return result


def pooled(estimates: Array, errors: Array, weak: tuple[float, float]) -> tuple[float, float]:
    """Mean and standard deviation of the prior that ``estimates`` (V,) suggest for a new value.

    ``errors`` (V,) are their standard errors; ``weak`` is the prior of a value alone, which is
    already in the estimates and is taken out of them first.  The spread over values is integrated
    over a grid.
    """
    told = np.maximum(errors**-2 - weak[1] ** -2, 1e-6)
    estimates = weak[0] + (estimates - weak[0]) * errors**-2 / told
    spread = np.linspace(0.02, 2.0, 60)
    weight = 1 / (spread[:, None] ** 2 + 1 / told)
    total = weight.sum(axis=1) + weak[1] ** -2
    mean = (weight @ estimates + weak[0] * weak[1] ** -2) / total
    log_density = 0.5 * np.log(weight).sum(axis=1) - 0.5 * np.log(total)
    log_density -= 0.5 * (weight * (estimates - mean[:, None]) ** 2).sum(axis=1)
    log_density -= 0.5 * ((mean - weak[0]) / weak[1]) ** 2
    log_density -= 0.5 * (spread / SPREAD_OVER_VALUES) ** 2
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    centre = float(density @ mean)
    variance = float(density @ (spread**2 + 1 / total + (mean - centre) ** 2))
    return centre, min(float(np.sqrt(variance)), weak[1])


LARGEST_WEIGHT = 20.0
"""Most drawn choices that a distribution counts for: beyond, what the model leaves out (lapses, the
shape of the noise) is a larger error than what a judge hides, and cells' intervals hold too rarely.
"""

PRIOR_WINDOWS = 3.0
"""Windows of dispersion 1 that are added to those seen, so that few windows claim little."""


def choice_dispersion(orders: Orders, judge: JudgeModel) -> float:
    """Variance of a judge's stated probabilities about a model's, as a share of a drawn choice's.

    1 for a judge whose choices are all 0 or 1, near 0 for one that states what the model expects.
    The larger of two estimates is returned, never above 1: the squared distances themselves, and
    what the law of total variance leaves once the spread within the stated distributions is taken
    out.  Windows count by the probability that they give to the anchors.

    Args:
        orders: windows, some of them choices (others are passed over).
        judge: the judge with noise for all that is not known of texts, as in
            ``FittedJudge.marginal``.
    """
    if orders.probability is None or orders.source is None:
        return 1.0
    rows = np.flatnonzero(~np.isnan(orders.probability[orders.window]) & (orders.named == 1))
    named = orders.take(rows)
    known = worths(named, judge.scale, judge.place_effect)
    count = named.present.sum(axis=1)
    model = known.worth[:, 0] / known.left[:, 0]
    model = (1 - judge.lapse_rate) * model + judge.lapse_rate / count
    stated = orders.probability[named.window]
    question = named.question
    mass = np.bincount(question, stated)[question]
    share = stated / np.maximum(mass, 1e-300)

    def total(values: Array) -> float:
        return float(mass @ values)

    drawn = total(model * (1 - model))
    prior = PRIOR_WINDOWS * float((1 - 1 / np.maximum(count, 1)).mean()) if len(count) else 1.0
    distance = total((share - model) ** 2)
    unexplained = drawn - total(share * (1 - share))
    return float(min((max(distance, unexplained) + prior) / max(drawn + prior, 1e-12), 1.0))


def choice_weight_of(orders: Orders, judge: JudgeModel) -> float:
    """Drawn choices that one distribution counts for: 1 / dispersion, from 1 to LARGEST_WEIGHT."""
    return float(1 / max(choice_dispersion(orders, judge), 1 / LARGEST_WEIGHT))
