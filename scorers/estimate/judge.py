"""What is known about how one judge ranks texts for one value, and how it is found.

Estimation of a judge from the order of the anchors alone.

Dropping the response from a window leaves a Plackett-Luce order of its anchors, whose intensities
are known, so the judge is estimated without any assumption on the responses.  The judge sees an
anchor where its intensity and a standing error of its own put it: a random effect with standard
deviation ``text_sd``, the same in all windows that show the text.  Scale, place effect, lapse rate
and ``text_sd`` are fitted to the marginal likelihood, in which the errors are integrated out.

The integral is expectation propagation (Minka 2001) with one normal distribution for each anchor
text.  A window whose anchors' errors are known up to variances v has nearly the probability of
Plackett-Luce with the scale s / sqrt(1 + v s^2 / NOISE_VARIANCE), v averaged over the window (the
attenuation of Zeger, Liang and Albert 1988), which is closed, as in the ranking updates of Weng and
Lin (2011).  For anchors seen once, that probability depends on scale and ``text_sd`` through the
attenuated scale alone: they tell how much noise there is and nothing on what part of it stands.

Partial pooling of one judge's parameters over the values that it judged.

A judge's log-scales over values are taken as normal about a common mean, and so are its place
effects and the standard deviations of its disagreement with texts; each value's prior is what the
other values say, never wider than the prior of a value alone (Efron and Morris 1975; for scale and
place effect, the value's own windows are left out so that they are not used twice).

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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from valueflow.scorers.estimate.evidence.bend import STRAIGHT, bend_told, seen_through
from valueflow.scorers.estimate.likelihood import (
    LEANING,
    Array,
    LogWorths,
    Orders,
    by_window,
    from_the_top,
    log_likelihood_of,
    log_worths,
    random_anchor_log_likelihood,
    turned,
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
    ``bend``, with its ``bend_covariance``, is how the judge's view departs from a straight line in
    intensity (see `valueflow.scorers.estimate.evidence.bend`): nothing, unless the anchors told so.
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
    bend: tuple[float, float] = STRAIGHT
    bend_covariance: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 0.0), (0.0, 0.0))

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


TEXT_SD_NODES = np.array([0.05, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.5, 7.5, 10.0])
"""Standard deviations of the standing errors, in points, at which the likelihood is computed."""

WINDOWS_PROFILED = 400
"""Most windows from which ``text_sd`` is estimated: an even selection."""

WINDOWS_FITTED = 2000
"""Most windows from which scale, place effect and lapse rate are estimated: an even selection."""

WINDOWS_FOLLOWED = 50_000
"""Most windows from which the errors about the anchors are estimated, the judge being known."""

NEGLIGIBLE = 8.0
"""Nodes whose log-likelihood lies this far below the best are not computed."""

_SWEEPS = 60
_SWEEPS_ON_THE_WAY = 15
_DAMPING = 0.5
_MOST_TOLD = 0.7
"""Most of an anchor's variance that one window takes away: the closed form exaggerates what a
window tells about texts of which nothing is known."""


@dataclass(frozen=True)
class JudgePrior:
    """Weak priors on a judge of one value.

    Normal ones on the log of the scale and on the place effect, as (mean, sd); a half-normal one
    with scale ``text_sd``, in points; a beta distribution with ``lapses`` = (a, b) of the lapse
    rate: a lapses among a + b windows.
    """

    log_scale: tuple[float, float] = (float(np.log(0.7)), 1.25)
    place_effect: tuple[float, float] = (0.0, 0.75)
    text_sd: float = 4.0
    lapses: tuple[float, float] = (0.5, 40.0)


@dataclass(frozen=True)
class AnchorErrors:
    """A judge's standing error about each anchor: mean and variance (anchors,) in points.

    ``text_sd`` is the spread of the errors under which they were estimated.
    """

    mean: Array
    variance: Array
    text_sd: float

    def of(self, orders: Orders) -> tuple[Array, Array]:
        """Means (R, A) in the columns of the orders, and the mean variance (R,) of each row."""
        key = np.where(orders.present, orders.key, 0)
        mean = np.where(orders.present, self.mean[key], 0.0)
        variance = np.where(orders.present, self.variance[key], 0.0).sum(axis=1)
        return mean, np.asarray(variance / np.maximum(orders.present.sum(axis=1), 1))


@dataclass(frozen=True)
class FittedJudge:
    """A judge with its errors about anchor texts.

    ``expected_lapses`` counts the windows, of ``model.windows``, that were probably ordered at
    random; ``log_evidence`` is the log of the marginal likelihood of those that it was fitted to.
    """

    model: JudgeModel
    errors: AnchorErrors
    expected_lapses: float = 0.0
    log_evidence: float = 0.0

    @property
    def marginal(self) -> JudgeModel:
        """The judge who takes the errors for noise."""
        model = self.model
        dulled = attenuation(model.scale, model.text_sd**2)
        return replace(
            model,
            scale=float(model.scale * dulled),
            place_effect=float(model.place_effect * dulled),
            text_sd=0.0,
        )


def attenuation(scale: float | Array, variance: float | Array) -> Array:
    """Factor by which normal errors of a variance about each text dull a judge.

    Args:
        scale: in log-worth per point; a number or an array.
        variance: of the errors, in squared points; a number or an array.

    Returns:
        Factors in (0, 1], of the common shape (Zeger, Liang and Albert 1988).
    """
    return np.asarray(1 / np.sqrt(1 + variance * np.square(scale) / NOISE_VARIANCE))


def anchor_scores(orders: Orders, worths: LogWorths) -> tuple[Array, Array]:
    """Score and curvature (R, A) of the log-likelihood in the log-worth of each anchor.

    Args:
        orders: R rows of A anchors.
        worths: their log-worths.

    Returns:
        First derivative, and negative second derivative, of each row's log-likelihood.
    """
    score = orders.picks.astype(np.float64)
    if worths.worth is not None and worths.rest is not None:
        # What an anchor's chances at all stages that it saw sum to, and their squares.
        share = score / worths.rest
        square = share / worths.rest
        for column in range(1, score.shape[1]):
            share[:, column] += share[:, column - 1]
            square[:, column] += square[:, column - 1]
        share *= worths.worth
        score -= share
        square *= worths.worth
        square *= worths.worth
        share -= square
        return score, share
    curvature = np.zeros(score.shape)
    for stage in range(score.shape[1]):
        chance = worths.chances(stage)
        chance *= orders.picks[:, stage, None]
        score[:, stage:] -= chance
        curvature[:, stage:] += chance
        chance *= chance
        curvature[:, stage:] -= chance
    return score, curvature


def judge_information(orders: Orders, worths: LogWorths, error: Array) -> Array:
    """Information (R, 3) of each row on (scale, -place effect): entries (0, 0), (0, 1), (1, 1).

    Args:
        orders: R rows of A anchors.
        worths: their log-worths.
        error: errors (R, A) about the anchors, in points.
    """
    x = np.where(orders.present, orders.intensity + error, 0.0)
    p = orders.place
    result = np.zeros((len(x), 3))
    if worths.worth is not None and worths.rest is not None:
        products = [x, p, x * x, x * p, p * p]
        left = np.zeros((5, len(x)))
        for stage in range(x.shape[1] - 1, -1, -1):
            for number, product in enumerate(products):
                left[number] += worths.worth[:, stage] * product[:, stage]
            mean_x, mean_p, *squares = left / worths.rest[:, stage]
            picked = orders.picks[:, stage]
            pairs = (mean_x * mean_x, mean_x * mean_p, mean_p * mean_p)
            for number, (square, mean) in enumerate(zip(squares, pairs, strict=True)):
                result[:, number] += picked * (square - mean)
        return result
    for stage in range(x.shape[1]):
        chance = worths.chances(stage) * orders.picks[:, stage, None]
        later_x, later_p = x[:, stage:], p[:, stage:]
        weighted_x, weighted_p = chance * later_x, chance * later_p
        mean_x, mean_p = weighted_x.sum(axis=1), weighted_p.sum(axis=1)
        result[:, 0] += (weighted_x * later_x).sum(axis=1) - mean_x**2
        result[:, 1] += (weighted_x * later_p).sum(axis=1) - mean_x * mean_p
        result[:, 2] += (weighted_p * later_p).sum(axis=1) - mean_p**2
    return result


@dataclass
class _State:
    """Where the fit stands: (log scale, place effect), lapse rate, and what they were found from.

    ``information`` (2, 2) is that of the windows and the prior, given the anchors' errors;
    ``lapses`` the expected number of random windows; ``scale_error`` the standard error of the log
    of the scale, the anchors' errors integrated out.
    """

    parameter: Array
    lapse_rate: float
    information: Array = field(default_factory=lambda: np.eye(2))
    lapses: float = 0.0
    log_evidence: float = -np.inf
    scale_error: float = 1.0


class _Propagation:
    """Expectation propagation over the errors about the anchors.

    Each row of the orders sends each of its anchors a message: a normal density of the error, as
    ``precision`` and ``shift`` (R, A), its mean times its precision.
    """

    def __init__(self, orders: Orders, prior: JudgePrior) -> None:
        self.orders, self.prior, self.turned = orders, prior, turned(orders)
        present = orders.present
        self.keys, local = np.unique(orders.key[present], return_inverse=True)
        self.key = np.full(present.shape, len(self.keys), order="F")
        self.key[present] = local
        # Column by column, as all that is computed of the orders lies in memory.
        self.flat = self.key.T.ravel()
        self.uses = np.bincount(self.flat, minlength=len(self.keys) + 1)[:-1]
        self.intensity = np.zeros(len(self.keys))
        self.intensity[local] = orders.intensity[present]
        self.count = np.maximum(present.sum(axis=1), 1)
        self.weight = orders.weight
        self.random = by_window(orders, random_anchor_log_likelihood(orders))[0]
        # A window with one named anchor tells nothing of lapses.
        self.told = self.weight * (self.random < 0)
        # Texts that a window cannot tell apart, as without their names, learn nothing from it.
        order = np.sort(self.key, axis=1)
        rows = np.flatnonzero(((np.diff(order) == 0) & (order[:, 1:] < len(self.keys))).any(1))
        doubled = np.zeros(present.shape, dtype=bool)
        for row in rows:
            _, code, count = np.unique(self.key[row], return_inverse=True, return_counts=True)
            doubled[row] = count[code] > 1
        self.doubled = doubled if len(rows) else None
        self.unused = None if present.all() else ~present
        self.precision = np.zeros(self.key.shape, order="F")
        self.shift = np.zeros(self.key.shape, order="F")
        self.reach = np.ones(len(self.keys) + 1)
        self.moved = np.zeros(len(self.keys) + 1)
        self.prior_mean = np.array([prior.log_scale[0], prior.place_effect[0]])
        self.prior_precision = np.diag([prior.log_scale[1] ** -2.0, prior.place_effect[1] ** -2.0])

    def start(self) -> _State:
        a, b = self.prior.lapses
        return _State(self.prior_mean.copy(), a / (a + b))

    def kept(self, state: _State) -> tuple[_State, Array, Array]:
        """All that :meth:`restore` needs to come back to a state."""
        state = replace(state, parameter=state.parameter.copy())
        return state, self.precision.copy(), self.shift.copy()

    def restore(self, kept: tuple[_State, Array, Array]) -> _State:
        state, self.precision, self.shift = kept
        return state

    def adopt(self, other: _Propagation) -> None:
        """Begin with the messages that each text gets on average in other windows."""
        count = np.zeros(int(max(self.keys.max(initial=0), other.keys.max(initial=0))) + 1)
        sums = {name: count.copy() for name in ("precision", "shift")}
        count[other.keys] = np.bincount(other.flat)[: len(other.keys)]
        for name, total in sums.items():
            total[other.keys] = other.by_text(getattr(other, name))[:-1]
            mean = np.append((total / np.maximum(count, 1))[self.keys], 0.0)
            setattr(self, name, self.of_text(mean))

    def by_text(self, values: Array) -> Array:
        """Sums (texts + 1,) of values (R, A); the last is that of unused columns."""
        sums = np.bincount(self.flat, values.T.ravel(), len(self.keys) + 1)
        return np.asarray(sums, dtype=np.float64)

    def of_text(self, values: Array) -> Array:
        """Values (texts + 1,) in the columns (R, A) of the orders."""
        return np.asarray(values[self.flat].reshape(self.key.shape[::-1]).T)

    def used(self, values: Array) -> Array:
        """Values (R, A) with 0 in unused columns."""
        if self.unused is not None:
            values[self.unused] = 0.0
        return values

    def posterior(self, text_sd: float) -> tuple[Array, Array]:
        """Precision (texts + 1,), and mean times precision; the last is of unused columns."""
        return self.by_text(self.precision) + text_sd**-2.0, self.by_text(self.shift)

    def errors(self, text_sd: float, anchors: int) -> AnchorErrors:
        """What the messages tell of the errors, their level and slope on intensity wholly out."""
        messages = self.shift.copy()
        self._centre(text_sd, self.posterior(text_sd), wholly=True)
        precision, shift = (values[:-1] for values in self.posterior(text_sd))
        mean, variance = np.zeros(anchors), np.full(anchors, text_sd**2)
        mean[self.keys], variance[self.keys] = shift / precision, 1 / precision
        self.shift = messages
        return AnchorErrors(mean, variance, text_sd)

    def fit(self, text_sd: float, state: _State, tolerance: float, searches: int) -> _State:
        """Find the scale at which the evidence is largest, other parameters at their best.

        Parabolas through three scales, since the other parameters and the messages follow a scale
        quickly, but all of them together move slowly along the ridge on which a judge is sharp and
        the errors are large.
        """
        sweeps = _SWEEPS_ON_THE_WAY
        for _ in range(searches):
            width = float(np.clip(state.scale_error, 0.03, 0.4))
            centre, logs = float(state.parameter[0]), []
            for offset in (-width, 0.0, width):
                self._move(state, centre + offset - float(state.parameter[0]))
                self.settle(text_sd, state, tolerance, most=sweeps)
                logs.append(state.log_evidence)
            bend = (2 * logs[1] - logs[0] - logs[2]) / width**2
            slope = (logs[2] - logs[0]) / (2 * width)
            floor = self.prior_precision[0, 0]
            step = float(np.clip(slope / max(bend, floor), -0.6, 0.6))
            state.scale_error = max(bend, floor) ** -0.5
            self._move(state, centre + step - float(state.parameter[0]))
            if abs(step) < 0.3 * state.scale_error:
                break
            # Far away, the direction is enough.
            sweeps = _SWEEPS_ON_THE_WAY if abs(step) > state.scale_error else _SWEEPS
        self.settle(text_sd, state, tolerance)
        return state

    def _move(self, state: _State, log_factor: float) -> None:
        """Change the scale, and the perceived intensities of known anchors against it."""
        state.parameter[0] += log_factor
        factor = float(np.exp(-log_factor))
        shift = self.precision * self.orders.intensity * (factor - 1) + factor * self.shift
        self.shift, self.precision = shift / factor**2, self.precision / factor**2

    def settle(
        self,
        text_sd: float,
        state: _State,
        tolerance: float,
        *,
        most: int = _SWEEPS,
        known: bool = False,
    ) -> None:
        """Sweep at a fixed scale until the evidence moves no more.

        A ``known`` judge's place effect and lapse rate stay as they are, and the errors' level and
        slope are wholly taken out at each sweep: while a scale is sought, that would hide from the
        evidence what the windows say of it.
        """
        before = -np.inf
        for sweep in range(most):
            self._sweep(text_sd, state, first=sweep == 0, known=known)
            if sweep > 1 and abs(state.log_evidence - before) < tolerance:
                break
            before = state.log_evidence

    def _sweep(self, text_sd: float, state: _State, *, first: bool, known: bool) -> None:
        orders = self.orders
        total = self.posterior(text_sd)
        # What is known of each anchor without the row: the cavity.
        precision = self.of_text(total[0])
        precision -= self.precision
        np.maximum(precision, text_sd**-2.0, out=precision)
        shift = self.of_text(total[1])
        shift -= self.shift
        variance = self.used(1 / precision)
        mean = shift * variance
        scale, place = float(np.exp(state.parameter[0])), float(state.parameter[1])
        dulled = attenuation(scale, variance.sum(axis=1) / self.count)
        row_scale = scale * dulled
        worths = log_worths(orders, row_scale, place * dulled, mean)
        logs = log_likelihood_of(orders, worths)
        score, curvature = anchor_scores(orders, worths)
        straight_up = from_the_top(dulled)
        if straight_up.min(initial=1.0) < LEANING:
            logs, score, curvature = self._mixed(
                (logs, score, curvature), straight_up, row_scale, place * dulled, mean
            )
        ranked, share = by_window(orders, logs)
        straight = np.log1p(-state.lapse_rate) + ranked
        mixture = np.logaddexp(straight, np.log(max(state.lapse_rate, 1e-300)) + self.random)
        kept = np.exp(straight - mixture)
        whole = 0.5 * (total[1] ** 2 / total[0] - np.log(total[0] * text_sd**2))[:-1]
        without = 0.5 * float((shift * mean).sum() - _sum_of_logs(precision * text_sd**2))
        state.log_evidence = float(
            self.weight @ mixture + whole.sum() - whole @ self.uses + without
        )
        state.log_evidence += self._log_prior(state)
        state.lapses = float(self.told @ (1 - kept))

        part, weight = share * kept[orders.window], self.weight[orders.window]
        total = self._send(total, score, curvature, part, weight, row_scale, mean, variance)
        self._centre(text_sd, total, wholly=known)
        if known:
            return
        if first:
            state.information = self.prior_precision + _information(
                judge_information(orders, worths, mean), weight * part, row_scale, place, dulled
            )
        slope = -(weight * part * dulled) @ (score * orders.place).sum(axis=1)
        slope -= self.prior_precision[1, 1] * (place - self.prior_mean[1])
        state.parameter[1] += float(np.clip(slope / state.information[1, 1], -0.5, 0.5))
        a, b = self.prior.lapses
        state.lapse_rate = (state.lapses + a) / (float(self.told.sum()) + a + b)

    def _mixed(
        self,
        down: tuple[Array, Array, Array],
        straight_up: Array,
        scale: Array,
        place_effect: Array,
        mean: Array,
    ) -> tuple[Array, Array, Array]:
        """Logarithm (R,), score and curvature (R, A) of the mixture with orders from the bottom.

        ``down`` are those from the top; ``straight_up`` (R,) their share.
        """
        other = self.turned
        worths = log_worths(other.orders, scale, place_effect, other.there(mean))
        score, curvature = anchor_scores(other.orders, worths)
        score = other.there(score)
        curvature = other.moved(curvature)
        first = np.log(straight_up) + down[0]
        second = np.log1p(-straight_up) + log_likelihood_of(other.orders, worths)
        logs = np.logaddexp(first, second)
        part = np.exp(first - logs)[:, None]
        rest = 1 - part
        apart = down[1] - score
        apart *= apart
        apart *= part * rest
        found = down[1] * part
        score *= rest
        found += score
        curvature = curvature * rest
        curvature += part * down[2]
        curvature -= apart
        return logs, found, curvature

    def _send(
        self,
        total: tuple[Array, Array],
        score: Array,
        curvature: Array,
        part: Array,
        weight: Array,
        scale: Array,
        mean: Array,
        variance: Array,
    ) -> tuple[Array, Array]:
        """New messages: those that give the moments of cavity times row (Minka 2001, section 3).

        Returns the posterior with them, from the ``total`` without.
        """
        bend = score * score
        bend *= -(part * (1 - part) * scale**2 * weight)[:, None]
        curvature *= (part * scale**2 * weight)[:, None]
        bend += curvature
        slope = score * (weight * part * scale)[:, None]
        if self.doubled is not None:
            slope[self.doubled] = bend[self.doubled] = 0.0
        most = np.maximum(variance, 1e-12)
        np.divide(_MOST_TOLD, most, out=most)
        np.clip(bend, 0.0, most, out=bend)
        slope += bend * mean
        left = variance * bend
        np.subtract(1, left, out=left)
        bend /= left
        slope /= left
        bend -= self.precision
        bend *= _DAMPING
        slope -= self.shift
        slope *= _DAMPING
        more = self.by_text(bend), self.by_text(slope)
        held = self._held_back(total, more)
        held_here = self.of_text(held)
        bend *= held_here
        slope *= held_here
        self.precision += bend
        self.shift += slope
        return total[0] + held * more[0], total[1] + held * more[1]

    def _held_back(self, total: tuple[Array, Array], more: tuple[Array, Array]) -> Array:
        """Part (texts + 1,) of a change of the messages that is taken for each text.

        All windows of a text speak at once, each as if it were the only one.  Where a window is
        sure, it pushes without end (the likelihood is linear there), and together they would push a
        text far beyond the place that they agree on, and back again in the next sweep.  So a text's
        mean moves by no more than its reach, in standard deviations, which halves when it turns
        back (as the steps of resilient propagation do; Riedmiller and Braun 1993).
        """
        mean = total[1] / total[0]
        moved = (total[1] + more[1]) / (total[0] + more[0]) - mean
        turned = np.sign(moved) * self.moved
        self.reach = np.clip(
            np.where(turned < 0, 0.5, np.where(turned > 0, 1.2, 1.0)) * self.reach, 0.02, 1.5
        )
        self.moved = np.sign(moved)
        most = self.reach / np.sqrt(total[0])
        target = mean + np.clip(moved, -most, most)
        with np.errstate(divide="ignore", invalid="ignore"):
            part = (target * total[0] - total[1]) / (more[1] - target * more[0])
        return np.where(np.abs(moved) > most, np.clip(part, 0.0, 1.0), 1.0)

    def _centre(self, text_sd: float, total: tuple[Array, Array], *, wholly: bool = False) -> None:
        """Take the errors' level and their slope on intensity out of them.

        No order tells their level, and of their slope only what the scale tells already.  Both are
        nothing on average, up to an error that is accounted for with the responses, and moving all
        errors one by one takes long.
        """
        precision, shift = (values[:-1] for values in total)
        told = np.maximum(1 - text_sd**-2.0 / precision, 0.0)
        if told.sum() < 1:
            return
        mean = shift / precision
        away = self.intensity - told @ self.intensity / told.sum()
        # What is taken out of the messages changes a mean by the share of it that they told: on the
        # way a little of both stays, so that what the windows say of the scale is heard.
        level, spread = (mean.sum() if wholly else told @ mean) / told.sum(), told @ away**2
        tilt = (away if wholly else told * away) @ mean / spread if spread > told.sum() else 0.0
        self.shift -= self.of_text(np.append(level + tilt * away, 0.0)) * self.precision

    def _log_prior(self, state: _State) -> float:
        distance = state.parameter - self.prior_mean
        a, b = self.prior.lapses
        lapse = a * np.log(max(state.lapse_rate, 1e-300)) + b * np.log1p(-state.lapse_rate)
        return float(lapse - 0.5 * distance @ self.prior_precision @ distance)


def _sum_of_logs(values: Array) -> float:
    """Sum of the logarithms of values (R, A) from about 1 to 1e30, of eight columns at a time."""
    total = 0.0
    for start in range(0, values.shape[1], 8):
        product = values[:, start].copy()
        for column in range(start + 1, min(start + 8, values.shape[1])):
            product *= values[:, column]
        total += float(np.log(product).sum())
    return total


def _information(
    found: Array, weight: Array, scale: Array, place_effect: float, dulled: Array
) -> Array:
    """Information (2, 2) on (log scale, place effect) from that (R, 3) of rows on their own.

    ``dulled`` (R,) is the factor by which each row's scale falls short of the judge's.
    """
    # (scale, -place effect) of a row change so with the log of the judge's scale.
    to_scale, to_place = scale * dulled**2, place_effect * dulled * (1 - dulled**2)
    xx, xp, pp = found.T
    both = weight @ (to_scale**2 * xx + 2 * to_scale * to_place * xp + to_place**2 * pp)
    cross = -weight @ (dulled * (to_scale * xp + to_place * pp))
    return np.array([[both, cross], [cross, weight @ (dulled**2 * pp)]])


Evidence = Callable[[FittedJudge], float]
"""Log-likelihood of the responses' own windows under a judge."""


@dataclass(frozen=True)
class TextSdProfile:
    """Log-likelihood (K,) of one value's windows at each of ``TEXT_SD_NODES``, and the log of the
    scale (K,) that is best there.  Minus infinity where it is negligible."""

    log_likelihood: Array
    log_scale: Array

    def at(self, text_sd: Array) -> Array:
        """Log-likelihood (n,) between the nodes."""
        logs = np.maximum(self.log_likelihood, -4 * NEGLIGIBLE)
        return np.asarray(PchipInterpolator(TEXT_SD_NODES, logs)(text_sd))

    def best_log_scale(self, text_sd: float) -> float:
        """Log of the best scale between the nodes."""
        known = np.isfinite(self.log_likelihood)
        return float(np.interp(text_sd, TEXT_SD_NODES[known], self.log_scale[known]))


def text_sd_profile(
    orders: Orders,
    anchors: int,
    evidence: Evidence | None = None,
    prior: JudgePrior | None = None,
    bend: tuple[float, float] = STRAIGHT,
) -> TextSdProfile:
    """Likelihood of ``text_sd`` for one value, other parameters at their best.

    ``evidence`` adds what the responses' own windows tell (see :mod:`.response_evidence`).

    Args:
        orders: windows of one value.
        anchors: number of anchor texts; the keys of the orders lie below it.
        evidence: log-likelihood of the responses' windows under a judge.
        prior: of the other parameters; weak by default.
        bend: of the judge's view.

    Returns:
        Log-likelihoods at ``TEXT_SD_NODES``, the largest 0, and the scales that are best there.
    """
    if orders.questions > WINDOWS_PROFILED:
        orders = orders.every(-(-orders.questions // WINDOWS_PROFILED))
    orders = seen_through(orders, bend)
    nodes = len(TEXT_SD_NODES)
    logs, scale = np.full(nodes, -np.inf), np.zeros(nodes)
    work = _Propagation(orders, prior or JudgePrior())

    def compute(node: int, state: _State) -> _State:
        text_sd = float(TEXT_SD_NODES[node])
        state = work.fit(text_sd, state, 0.02, 8)
        logs[node], scale[node] = state.log_evidence, state.parameter[0]
        if evidence is not None:
            fitted = _judge(work, text_sd, state, anchors, orders.questions)
            logs[node] += evidence(replace(fitted, model=replace(fitted.model, bend=bend)))
        return state

    # All noise, then half of it standing errors, then on from there to either side: a judge is best
    # found next to a known one.
    state = compute(0, work.start())
    likely = np.sqrt(NOISE_VARIANCE / 2) / np.exp(state.parameter[0])
    middle = int(np.abs(np.log(TEXT_SD_NODES[1:] / likely)).argmin()) + 1
    state.parameter[0] += np.log(2) / 2
    state = compute(middle, state)
    kept = work.kept(state)
    for node in (*range(middle + 1, nodes), *range(middle - 1, 0, -1)):
        if node == middle - 1:
            state = work.restore(kept)
        towards_middle = node + (1 if node < middle else -1)
        if logs[towards_middle] > logs.max() - NEGLIGIBLE:
            state = compute(node, state)
    return TextSdProfile(logs - logs.max(), scale)


def fit_judge(
    orders: Orders,
    anchors: int,
    text_sd: tuple[float, float] | None = None,
    prior: JudgePrior | None = None,
    log_scale: float | None = None,
    bend: tuple[float, float] = STRAIGHT,
) -> FittedJudge:
    """Fit one judge to one value.

    Args:
        orders: windows whose anchor keys lie below ``anchors``.
        anchors: number of anchor texts.
        text_sd: standard deviation of the errors about texts, in points, and its standard error; by
            default what these windows tell of it.
        prior: what is known of the other parameters.
        log_scale: where the search for the scale begins.
        bend: of the judge's view.
    """
    orders = seen_through(orders, bend)
    windows = orders.questions
    if text_sd is None:
        profile = text_sd_profile(orders, anchors, prior=prior)
        text_sd = pooled_text_sd([profile])[0]
        log_scale = profile.best_log_scale(text_sd[0])
    few = orders
    if windows > WINDOWS_FITTED:
        few = orders.every(-(-windows // WINDOWS_FITTED))
    work = _Propagation(few, prior or JudgePrior())
    sd = max(text_sd[0], float(TEXT_SD_NODES[0]))
    state = work.start()
    if log_scale is not None:
        state.parameter[0] = log_scale
    state = work.fit(sd, state, max(5e-3, 2e-5 * few.questions), 10)
    evidence = state.log_evidence
    if few is orders:
        # The judge being known now, its errors once more.
        work.settle(sd, state, max(1e-3, 1e-4 * few.questions), most=_SWEEPS_ON_THE_WAY, known=True)
    fitted = _judge(work, sd, state, anchors, windows, text_sd[1])
    fitted = replace(fitted, log_evidence=evidence)
    if few is not orders:
        fitted = replace(fitted, errors=errors_of_known(orders, anchors, fitted.model, work))
    return replace(fitted, model=replace(fitted.model, bend=bend))


def errors_of_known(
    orders: Orders, anchors: int, judge: JudgeModel, known: _Propagation | None = None
) -> AnchorErrors:
    """What the windows tell of a known judge's errors about the anchors.

    ``known`` is where to start: some of the windows, already settled.

    Args:
        orders: windows of one value.
        anchors: number of anchor texts; the keys of the orders lie below it.
        judge: its parameters are left as they are.
        known: state of a fit to some of the windows, to start from.

    Returns:
        Means and variances (anchors,) of the errors; those of no window have the prior's.
    """
    orders = seen_through(orders, judge.bend)
    if judge.text_sd <= 0:
        return AnchorErrors(np.zeros(anchors), np.zeros(anchors), 0.0)
    if orders.questions > WINDOWS_FOLLOWED:
        orders = orders.every(-(-orders.questions // WINDOWS_FOLLOWED))
    work = _Propagation(orders, JudgePrior())
    state = _State(np.array([np.log(judge.scale), judge.place_effect]), judge.lapse_rate)
    if known is not None:
        work.adopt(known)
    work.settle(judge.text_sd, state, max(1e-3, 1e-4 * orders.questions), known=True)
    return work.errors(judge.text_sd, anchors)


def _judge(
    work: _Propagation,
    text_sd: float,
    state: _State,
    anchors: int,
    windows: int,
    text_sd_error: float = 0.0,
) -> FittedJudge:
    covariance = np.zeros((4, 4))
    covariance[:2, :2] = np.linalg.inv(state.information)
    # The error of the scale is known with the anchors' errors integrated out.
    wider = state.scale_error / np.sqrt(covariance[0, 0])
    covariance[0] *= wider
    covariance[:, 0] *= wider
    covariance[2, 2] = text_sd_error**2
    rate = state.lapse_rate
    covariance[3, 3] = rate * (1 - rate) / (work.told.sum() + sum(work.prior.lapses) + 1)
    errors = np.sqrt(np.diag(covariance))
    scale = float(np.exp(state.parameter[0]))
    model = JudgeModel(
        scale=scale,
        scale_se=float(scale * errors[0]),
        place_effect=float(state.parameter[1]),
        place_effect_se=float(errors[1]),
        text_sd=text_sd,
        text_sd_se=float(errors[2]),
        lapse_rate=rate,
        lapse_rate_se=float(errors[3]),
        windows=windows,
        covariance=tuple(tuple(float(entry) for entry in row) for row in covariance),
    )
    share = state.lapses / max(float(work.told.sum()), 1e-9)
    return FittedJudge(model, work.errors(text_sd, anchors), share * windows)


SPREAD_OVER_VALUES = 0.5
"""Scale of the half-normal prior on the standard deviation over values of log-scale and place
effect."""

TEXT_SD_SPREAD = 1.5
"""The same, in points, for the standard deviation of the disagreement with texts."""


_TEXT_SDS = np.linspace(0.05, 10.0, 200)


def fit_judges(
    orders: Sequence[Orders], anchors: int, evidence: Sequence[Evidence | None] | None = None
) -> list[FittedJudge]:
    """Fit the judge to each value, with what the other values say as its prior.

    The judge's view bends, in one way for all values, where the marginal likelihood of all values
    together gains enough by it (see `valueflow.scorers.estimate.evidence.bend`).

    Args:
        orders: windows of each value.
        anchors: bound of the anchor keys of all orders.
        evidence: what each value's responses tell (see :mod:`.response_evidence`), if anything.
    """
    if not orders:
        return []
    evidence = [None] * len(orders) if evidence is None else evidence
    alone, text_sd = _fit_alone(orders, anchors, evidence, STRAIGHT)
    marginal = [
        (one, fitted.marginal.scale, fitted.marginal.place_effect)
        for one, fitted in zip(orders, alone, strict=True)
    ]
    told = bend_told(marginal)
    if told is None:
        return _with_others(orders, anchors, alone, text_sd, STRAIGHT)
    begin = [float(np.log(one.model.scale)) for one in alone]
    bent = [
        fit_judge(one, anchors, sd, log_scale=start, bend=told.bend)
        for one, sd, start in zip(orders, text_sd, begin, strict=True)
    ]
    gain = sum(one.log_evidence for one in bent) - sum(one.log_evidence for one in alone)
    covariance = told.believed(gain)
    if covariance is None:
        return _with_others(orders, anchors, alone, text_sd, STRAIGHT)
    alone, text_sd = _fit_alone(orders, anchors, evidence, told.bend)
    fitted = _with_others(orders, anchors, alone, text_sd, told.bend)
    return [replace(one, model=replace(one.model, bend_covariance=covariance)) for one in fitted]


def _fit_alone(
    orders: Sequence[Orders],
    anchors: int,
    evidence: Sequence[Evidence | None],
    bend: tuple[float, float],
) -> tuple[list[FittedJudge], list[tuple[float, float]]]:
    """Each value's judge from its own windows, and text sd with its error from all values'."""
    profiles = [
        text_sd_profile(one, anchors, own, bend=bend)
        for one, own in zip(orders, evidence, strict=True)
    ]
    text_sd = pooled_text_sd(profiles)
    start = [profile.best_log_scale(sd) for profile, (sd, _) in zip(profiles, text_sd, strict=True)]
    fitted = [
        fit_judge(one, anchors, sd, log_scale=begin, bend=bend)
        for one, sd, begin in zip(orders, text_sd, start, strict=True)
    ]
    return fitted, text_sd


def _with_others(
    orders: Sequence[Orders],
    anchors: int,
    alone: list[FittedJudge],
    text_sd: list[tuple[float, float]],
    bend: tuple[float, float],
) -> list[FittedJudge]:
    """Each value's judge with what the other values say as its prior."""
    if len(alone) < 2:
        return alone
    weak = JudgePrior()
    fitted = [judge.model for judge in alone]
    log_scale = np.array([np.log(judge.scale) for judge in fitted])
    log_scale_error = np.array([judge.scale_se / judge.scale for judge in fitted])
    place = np.array([judge.place_effect for judge in fitted])
    place_error = np.array([judge.place_effect_se for judge in fitted])
    lapses = np.array([judge.expected_lapses for judge in alone])
    windows = np.array([judge.windows for judge in fitted])
    result = []
    for index, one in enumerate(orders):
        others = np.arange(len(alone)) != index
        a, b = weak.lapses
        rate = (lapses[others].sum() + a) / (windows[others].sum() + a + b)
        prior = JudgePrior(
            log_scale=pooled(log_scale[others], log_scale_error[others], weak.log_scale),
            place_effect=pooled(place[others], place_error[others], weak.place_effect),
            lapses=(rate * (a + b), (1 - rate) * (a + b)),
        )
        begin = float(np.log(fitted[index].scale))
        result.append(fit_judge(one, anchors, text_sd[index], prior, begin, bend))
    return result


def pooled_text_sd(profiles: Sequence[TextSdProfile]) -> list[tuple[float, float]]:
    """Each value's ``text_sd`` given all values' windows.

    A value's is normal about a common centre, cut at 0; centre and spread are integrated over a
    grid, with half-normal priors.

    Args:
        profiles: one for each of V values.

    Returns:
        Posterior means and standard deviations, in points, V pairs.
    """
    prior = JudgePrior()
    likelihood = np.exp(np.array([one.at(_TEXT_SDS) for one in profiles]))
    centre, spread = (
        axis.ravel()
        for axis in np.meshgrid(np.linspace(0, 8, 33), np.linspace(0.1, 4, 14), indexing="ij")
    )
    density = np.exp(-0.5 * ((_TEXT_SDS - centre[:, None]) / spread[:, None]) ** 2)
    density /= density.sum(axis=1, keepdims=True)
    marginal = density @ likelihood.T
    log_weight = np.log(np.maximum(marginal, 1e-300)).sum(axis=1)
    log_weight -= 0.5 * (centre / prior.text_sd) ** 2 + 0.5 * (spread / TEXT_SD_SPREAD) ** 2
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    result = []
    for own, ours in zip(marginal.T, likelihood, strict=True):
        posterior = (weight / np.maximum(own, 1e-300)) @ density * ours
        posterior /= posterior.sum()
        mean = float(posterior @ _TEXT_SDS)
        square = float(posterior @ (_TEXT_SDS - mean) ** 2)
        result.append((mean, float(np.sqrt(square))))
    return result


def pooled(estimates: Array, errors: Array, weak: tuple[float, float]) -> tuple[float, float]:
    """Mean and standard deviation of the prior that ``estimates`` (V,) suggest for a new value.

    ``errors`` (V,) are their standard errors; ``weak`` is the prior of a value alone, which is
    already in the estimates and is taken out of them first.  The spread over values is integrated
    over a grid.

    Args:
        estimates: of V values.
        errors: their standard errors (V,).
        weak: mean and standard deviation of the prior of a value alone.
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
    named = seen_through(orders.take(rows), judge.bend)
    count = named.present.sum(axis=1)
    model = log_worths(named, judge.scale, judge.place_effect).chances(0)[:, 0]
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
    """Drawn choices that one distribution counts for: 1 / dispersion, from 1 to LARGEST_WEIGHT.

    Args:
        orders: windows, some of them choices.
        judge: as in :func:`choice_dispersion`.
    """
    return float(1 / max(choice_dispersion(orders, judge), 1 / LARGEST_WEIGHT))
