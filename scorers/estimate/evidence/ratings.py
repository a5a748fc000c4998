"""A judge that rates all texts of a window, calibrated by the anchors among them.

A judge that gives every text a number has a scale of its own.  For a text of intensity s,

    seen   = s + disagreement                       disagreement ~ N(0, text_sd^2), one per text
    rating = level + slope * seen + bend(seen) - place_effect * place + noise

rounded to the scale's steps and cut off at its ends.  The disagreement belongs to the text: it is
the same in every window that shows it.  Level and slope of a value deviate from the judge's own,
and the logs of the values' ``text_sd`` from their mean, by normal amounts (random effects: Laird
and Ware 1982), so that values borrow strength from each other.  ``bend`` is for a judge that is
sharper on one side, or that crowds or spreads the ends; it is 0 unless the marginal likelihood
gains from it clearly.

Given the variances all of this is linear and normal: coefficients are integrated out in closed
form, and the variances maximise what is left (restricted likelihood, Patterson and Thompson 1971,
with weak priors) by its exact gradient.  A text enters by the mean and the sum of squares of its
ratings.  Responses join with the squares within their own windows, which tell the noise; their
intensities are not used.  Ratings at the ends of the scale are replaced by their expectations
beyond it, and windows are weighted by the chance that they are no lapse, in turn with the fit
(expectation-maximisation, Dempster, Laird and Rubin 1977).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

END = 10.0
"""Ratings are brought to [-END, END], whatever scale the judge was given."""

PRIOR_SLOPE = (1.0, 0.75)
"""Mean and standard deviation of the prior on the judge's slope, in rating per point."""

PRIOR_LEVEL = 5.0
PRIOR_PLACE = 0.75
"""Standard deviations of the priors on level and place effect, about 0, in points of rating."""

PRIOR_TEXT = (float(np.log(2.0)), 1.0, 0.25)
"""Normal prior on the log of the disagreement's standard deviation: its mean over values has this
mean and standard deviation, and values scatter about it by the third number."""

PRIOR_NOISE = (0.0, 1.0)
"""Mean and standard deviation of the prior on the log of the noise, in points of rating."""

SPREAD_OVER_VALUES = (1.5, 0.1)
"""Scales of the half-normal priors on the spread over values of level and slope."""

BEND = 0.2
"""Scale of the half-normal prior on the standard deviation of the bend's coefficients."""

LEAST_GAIN = 4.0
"""Gain in the log of the marginal likelihood from which a bend is believed."""

STRAIGHTEST = 0.6
"""Most of its slope that a bend can take from a judge, so that a higher intensity is never rated
lower."""

PRIOR_LAPSE = 40.0
"""The prior density of the lapse rate is proportional to (1 - rate) to this power: mean 1/42."""

ROUNDS = 8
"""Most rounds of fitting, replacing ratings at the ends and weighting windows."""

LISTED = 10
"""Most anchors that are named for a value."""

_LEVEL, _SLOPE, _PLACE, _SIDE, _ENDS = range(5)
COEFFICIENTS = 5


@dataclass(frozen=True)
class Ratings:
    """W rated windows of up to K texts; A = K - 1.

    ``rating`` (W, K) on [-END, END], the response first, NaN where a text has none; ``intensity``
    (W, A), in points; ``key`` (W, A) tells anchor texts apart, those of different values too;
    ``place`` (W, K), counted from the middle of the window, 0 where unknown; ``item`` (W,) and
    ``value`` (W,) number responses and values from 0.  ``step`` is the distance between two
    neighbouring ratings.
    """

    rating: Array
    intensity: Array
    key: IntArray
    place: Array
    item: IntArray
    value: IntArray
    step: float

    def take(self, rows: IntArray) -> Ratings:
        """Some of the windows."""
        columns = ("rating", "intensity", "key", "place", "item", "value")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})


@dataclass(frozen=True)
class RatingJudge:
    """A judge's scale for one value.

    ``coefficients`` (5,): level, slope, place effect and the bend's two, in points of rating (per
    point of intensity, per place), with their ``covariance`` (5, 5).  ``text_sd``, in points of
    intensity, is the spread of the disagreement with single texts, ``text_sd_log_se`` the standard
    error of its log; ``noise_sd``, in points of rating, that of one rating of one text, rounding
    included.  ``lapse_rate`` is the share of windows rated without regard to the texts, and
    ``usual`` the mean and standard deviation of all ratings, which are those of a lapse.
    ``ratings`` counts the anchors' ratings and ``texts`` their texts.  ``correlation`` is that of
    anchors' mean ratings with their intensities.  ``contradicting`` lists the anchors most
    disagreed with: key, intensity, mean rating and disagreement in points.
    """

    coefficients: Array
    covariance: Array
    text_sd: float
    text_sd_log_se: float
    noise_sd: float
    lapse_rate: float
    step: float
    usual: tuple[float, float]
    ratings: int = 0
    texts: int = 0
    correlation: float = float("nan")
    contradicting: tuple[tuple[int, float, float, float], ...] = ()

    @property
    def level(self) -> float:
        """Rating of a text of intensity 0 before any bend."""
        return float(self.coefficients[_LEVEL])

    @property
    def level_se(self) -> float:
        """Its standard error."""
        return float(np.sqrt(self.covariance[_LEVEL, _LEVEL]))

    @property
    def slope(self) -> float:
        """Points of rating per point of intensity."""
        return float(self.coefficients[_SLOPE])

    @property
    def slope_se(self) -> float:
        """Its standard error."""
        return float(np.sqrt(self.covariance[_SLOPE, _SLOPE]))

    @property
    def place_effect(self) -> float:
        """Points of rating lost with each later place."""
        return float(self.coefficients[_PLACE])

    @property
    def place_effect_se(self) -> float:
        """Its standard error."""
        return float(np.sqrt(self.covariance[_PLACE, _PLACE]))

    @property
    def text_sd_se(self) -> float:
        """Standard error of ``text_sd``."""
        return self.text_sd * self.text_sd_log_se

    @property
    def scale_error(self) -> tuple[float, float]:
        """Errors of the level, in points of intensity, and of the slope, as a share of it."""
        return self.level_se / abs(self.slope), self.slope_se / abs(self.slope)

    @property
    def bent(self) -> bool:
        """Whether the anchors' ratings told that the judge's scale bends."""
        return bool(self.coefficients[[_SIDE, _ENDS]].any())

    @property
    def follows(self) -> bool:
        """Whether the ratings rise with the intensities beyond doubt (two standard errors)."""
        return self.slope > 2 * self.slope_se

    @property
    def upside_down(self) -> bool:
        """Whether they fall beyond doubt."""
        return self.slope < -2 * self.slope_se

    def expected(self, seen: Array) -> Array:
        """Ratings (S,), before rounding, of texts that the judge sees at intensities (S,)."""
        return np.asarray(basis(seen) @ self.coefficients, np.float64)


@dataclass(frozen=True)
class RatingFit:
    """Judges by value, and the chance (W,) that a window was rated without regard to the texts."""

    judges: list[RatingJudge]
    lapsed: Array


def basis(intensity: Array, place: Array | float = 0.0) -> Array:
    """Regressors (..., 5) of a rating: 1, intensity, minus place, and two bends.

    Beyond the ends of the scale the bends go on as straight lines.

    Args:
        intensity: of any shape, in points.
        place: from the middle of the window; a number or the same shape.
    """
    inside = np.clip(intensity, -END, END)
    ends = inside * (np.abs(inside) / END - 2 / 3) + (intensity - inside) * 4 / 3
    columns = (
        np.ones_like(intensity),
        intensity,
        -np.asarray(place, dtype=np.float64),
        np.abs(intensity) - END / 2,
        ends,
    )
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def fit_rating_judges(ratings: Ratings, values: int) -> RatingFit:
    """Fit a judge's scale to each of ``values`` values, all together.

    Args:
        ratings: rated windows of one judge, on one scale, asked in one way.
        values: how many values there are.

    Returns:
        A judge for every value; one without ratings has what the others say.
    """
    plain = _fit(ratings, values, bend=False)
    if values == 0 or not len(ratings.rating):
        return plain[0]
    bent = _fit(ratings, values, bend=True)
    return bent[0] if bent[1] > plain[1] + LEAST_GAIN else plain[0]


@dataclass(frozen=True)
class _Texts:
    """What the ratings of each of T anchor texts say.

    ``regressors`` (T, 5), ``mean`` (T,) of its ratings, their ``count`` (T,), its ``value`` (T,),
    the variance (T,) that ends of the scale leave of the mean; ``within``: degrees of freedom, and
    sums of squares and products of ratings and places, about the texts' means.
    """

    regressors: Array
    mean: Array
    count: Array
    value: IntArray
    unseen: Array
    within: Array


class _Marginal:
    """Marginal likelihood of the variances, and the coefficients given them.

    The parameters are logs of the noise, of the disagreement by value, of the spreads of levels,
    slopes and bends, and the mean of the logs of the disagreements.
    """

    def __init__(self, texts: _Texts, values: int, step: float, *, bend: bool) -> None:
        self.texts, self.values, self.rounding, self.bend = texts, values, step**2 / 12, bend
        self.deviations = values if values > 1 else 0
        self.size = COEFFICIENTS + 2 * self.deviations
        # Texts in order of their values, so that sums by value are sums of slices.
        self.start_of = np.searchsorted(texts.value, np.arange(values + 1))

    def start(self) -> Array:
        tau = np.full(self.values, PRIOR_TEXT[0])
        return np.concatenate([[0.0], tau, np.log([0.8, 0.08, 0.1]), [PRIOR_TEXT[0]]])

    def noise(self, parameter: Array) -> float:
        return float(np.exp(2 * parameter[0]) + self.rounding)

    def _prior(self, parameter: Array) -> tuple[Array, Array]:
        level, slope, bend = np.exp(parameter[1 + self.values : 4 + self.values])
        mean, sd = np.zeros(self.size), np.empty(self.size)
        mean[_SLOPE] = PRIOR_SLOPE[0]
        bend = bend if self.bend else 1e-6
        sd[:COEFFICIENTS] = PRIOR_LEVEL, PRIOR_SLOPE[1], PRIOR_PLACE, bend, bend
        sd[COEFFICIENTS : COEFFICIENTS + self.deviations] = level
        sd[COEFFICIENTS + self.deviations :] = slope
        return mean, sd

    def _normal_equations(self, variance: Array, noise: float) -> tuple[Array, Array]:
        """Information (size, size) and its right-hand side (size,) without the prior."""
        texts, v = self.texts, self.values
        weighted = texts.regressors / variance[:, None]
        gram = np.zeros((v, COEFFICIENTS, COEFFICIENTS))
        side = np.zeros((v, COEFFICIENTS))
        for value in range(v):
            rows = slice(self.start_of[value], self.start_of[value + 1])
            gram[value] = weighted[rows].T @ texts.regressors[rows]
            side[value] = weighted[rows].T @ texts.mean[rows]
        h, right = np.zeros((self.size, self.size)), np.zeros(self.size)
        h[:COEFFICIENTS, :COEFFICIENTS] = gram.sum(axis=0)
        right[:COEFFICIENTS] = side.sum(axis=0)
        _, _, yp, pp = texts.within
        h[_PLACE, _PLACE] += pp / noise
        right[_PLACE] -= yp / noise
        for which in range(2 if self.deviations else 0):
            at = COEFFICIENTS + which * v + np.arange(v)
            h[at, :COEFFICIENTS] = gram[:, which]
            h[:COEFFICIENTS, at] = gram[:, which].T
            right[at] = side[:, which]
            for other in range(2):
                h[at, COEFFICIENTS + other * v + np.arange(v)] = gram[:, which, other]
        return h, right

    def __call__(self, parameter: Array) -> tuple[float, Array]:
        """Minus the log of the marginal posterior, and its gradient."""
        texts, v = self.texts, self.values
        noise, text = self.noise(parameter), np.exp(2 * parameter[1 : 1 + v])
        variance = text[texts.value] + noise / texts.count
        mean, sd = self._prior(parameter)
        beta, covariance, logdet = self._coefficients(variance, noise, mean, sd)
        effective, spread = self.by_value(beta, covariance)
        residual = texts.mean - (texts.regressors * effective[texts.value]).sum(axis=1)
        known = np.einsum("ti,tij,tj->t", texts.regressors, spread[texts.value], texts.regressors)
        freedom, yy, yp, pp = texts.within
        p = beta[_PLACE]
        inside = yy + 2 * p * yp + p**2 * pp
        deviation = (beta - mean) ** 2
        minus = np.log(variance).sum() + freedom * np.log(noise) + logdet + 2 * np.log(sd).sum()
        minus += ((residual**2 + texts.unseen) / variance).sum() + inside / noise
        minus = 0.5 * float(minus + (deviation / sd**2).sum())
        # Fisher's identity: the gradient is the expectation of that with known coefficients.
        square = residual**2 + texts.unseen + known
        inside += covariance[_PLACE, _PLACE] * pp
        each = 0.5 * (1 / variance - square / variance**2)
        gradient = np.zeros(len(parameter))
        slope = (each / texts.count).sum() + 0.5 * (freedom / noise - inside / noise**2)
        gradient[0] = slope * 2 * np.exp(2 * parameter[0])
        gradient[1 : 1 + v] = np.bincount(texts.value, each, v) * 2 * text
        ratio = 1 - (deviation + np.diag(covariance)) / sd**2
        blocks = (
            slice(COEFFICIENTS, COEFFICIENTS + self.deviations),
            slice(COEFFICIENTS + self.deviations, self.size),
            slice(_SIDE, COEFFICIENTS if self.bend else _SIDE),
        )
        gradient[1 + v : 4 + v] = [ratio[block].sum() for block in blocks]
        return minus + self._log_priors(parameter, gradient), gradient

    def _log_priors(self, parameter: Array, gradient: Array) -> float:
        """Minus the log of the priors on the parameters; adds to the gradient."""
        v = self.values
        off = (parameter[1 : 1 + v] - parameter[-1]) / PRIOR_TEXT[2]
        gradient[1 : 1 + v] += off / PRIOR_TEXT[2]
        gradient[-1] -= off.sum() / PRIOR_TEXT[2]
        minus = 0.5 * float(off @ off)
        for index, (location, width) in ((-1, PRIOR_TEXT[:2]), (0, PRIOR_NOISE)):
            standard = (parameter[index] - location) / width
            minus += 0.5 * standard**2
            gradient[index] += standard / width
        for index, width in enumerate((*SPREAD_OVER_VALUES, BEND)):
            square = float(np.exp(2 * parameter[1 + v + index])) / width**2
            minus += 0.5 * square
            gradient[1 + v + index] += square
        return minus

    def _coefficients(
        self, variance: Array, noise: float, mean: Array, sd: Array
    ) -> tuple[Array, Array, float]:
        h, right = self._normal_equations(variance, noise)
        h[np.diag_indices_from(h)] += sd**-2
        covariance = np.linalg.inv(h)
        covariance = (covariance + covariance.T) / 2
        return covariance @ (right + mean / sd**2), covariance, float(np.linalg.slogdet(h)[1])

    def coefficients(self, parameter: Array) -> tuple[Array, Array]:
        """Coefficients (V, 5) by value and their covariances (V, 5, 5)."""
        noise, text = self.noise(parameter), np.exp(2 * parameter[1 : 1 + self.values])
        variance = text[self.texts.value] + noise / self.texts.count
        beta, covariance, _ = self._coefficients(variance, noise, *self._prior(parameter))
        return self.by_value(beta, covariance)

    def by_value(self, beta: Array, covariance: Array) -> tuple[Array, Array]:
        v = self.values
        way = np.zeros((v, COEFFICIENTS, self.size))
        way[:, np.arange(COEFFICIENTS), np.arange(COEFFICIENTS)] = 1
        if self.deviations:
            way[np.arange(v), _LEVEL, COEFFICIENTS + np.arange(v)] = 1
            way[np.arange(v), _SLOPE, COEFFICIENTS + v + np.arange(v)] = 1
        return way @ beta, way @ covariance @ way.transpose(0, 2, 1)

    def maximise(self, start: Array) -> tuple[Array, float]:
        """Most likely parameters, and the log of their marginal posterior."""
        bounds = [(-6.0, 3.0), *[(-4.0, 3.0)] * self.values]
        bounds += [(-6.0, 2.0), (-6.0, 1.0), (-6.0, 0.0), (-4.0, 3.0)]
        found = minimize(self, start, jac=True, method="L-BFGS-B", bounds=bounds)
        return np.asarray(found.x, np.float64), -float(found.fun)


def _fit(ratings: Ratings, values: int, *, bend: bool) -> tuple[RatingFit, float]:
    """Judges, and the log of the marginal likelihood."""
    # Rows by value, so that the texts are numbered in order of their values.
    window, column = np.nonzero(~np.isnan(ratings.rating[:, 1:]))
    order = np.argsort(ratings.value[window], kind="stable")
    window, column = window[order], column[order]
    y, s = ratings.rating[window, column + 1], ratings.intensity[window, column]
    place, of = ratings.place[window, column + 1], ratings.value[window]
    # One number for value and key, so that texts are in order of their values.
    keys = int(ratings.key.max(initial=-1)) + 1
    number, text = np.unique(of * keys + ratings.key[window, column], return_inverse=True)
    value_of, key, texts = number // max(keys, 1), number % max(keys, 1), len(number)
    intensity = np.bincount(text, s, texts) / np.maximum(np.bincount(text, minlength=texts), 1)
    end = np.where(np.abs(y) >= END - 1e-9, np.sign(y), 0.0)
    usual = (float(y.mean()), float(max(y.std(), 1.0))) if len(y) else (0.0, 5.0)
    bound = END - ratings.step / 2
    weight, latent = np.ones(len(ratings.rating)), y.copy()
    noise_part, text_part = np.zeros(len(y)), np.zeros(len(y))
    parameter, gain, lapse = None, 0.0, 1 / (PRIOR_LAPSE + 2)
    lapsed = np.zeros(len(weight))
    for _ in range(ROUNDS):
        w = weight[window]
        n = np.maximum(np.bincount(text, w, texts), 1e-3)
        mean = np.bincount(text, w * latent, texts) / n
        mean_place = np.bincount(text, w * place, texts) / n
        dy, dp = latent - mean[text], place - mean_place[text]
        freedom = max(float(w.sum()) - float((n > 0.5).sum()), 0.0)
        squares = [freedom, w @ (dy**2 + noise_part), w @ (dy * dp), w @ dp**2]
        summary = _Texts(
            regressors=basis(intensity, mean_place),
            mean=mean,
            count=n,
            value=value_of,
            unseen=np.bincount(text, w * text_part, texts) / n,
            within=np.array(squares) + _within_responses(ratings, weight),
        )
        marginal = _Marginal(summary, values, ratings.step, bend=bend)
        parameter, gain = marginal.maximise(marginal.start() if parameter is None else parameter)
        coefficients, covariance = marginal.coefficients(parameter)
        noise = marginal.noise(parameter)
        # What the line and the text's other ratings say of each rating; for one at an end, those
        # others that are not, since how far beyond it they lie is not known either.
        line = (basis(s, place) * coefficients[of]).sum(axis=1)
        precision = np.exp(-2 * parameter[1 : 1 + values])[of]

        before = latent
        off = latent - line
        centre, known = _without_own(text, w, off, precision, noise)
        ratio = _lapse_ratio(y, end, line + centre, known + noise, usual, bound)
        centre, known = _without_own(text, w * (end == 0), off, precision, noise)
        latent, noise_part, text_part = _beyond_ends(y, end, line + centre, known, noise, bound)
        ratio = np.exp(np.clip(np.bincount(window, ratio, len(weight)), -300, 300))
        lapse = _lapse_rate(ratio, lapse)
        lapsed = lapse * ratio / (lapse * ratio + 1 - lapse)
        moved = max(
            np.abs(latent - before).max(initial=0.0), np.abs(1 - lapsed - weight).max(initial=0.0)
        )
        weight = 1 - lapsed
        if moved < 0.02:
            break
    assert parameter is not None
    judges = []
    residual = mean - (summary.regressors * coefficients[summary.value]).sum(axis=1)
    for code in range(values):
        rows = np.flatnonzero(summary.value == code)
        tau = float(np.exp(parameter[1 + code]))
        share = tau**2 / (tau**2 + noise / n[rows])
        slope = float(coefficients[code, _SLOPE])
        scale = max(abs(slope), 0.05)
        straight = coefficients[code].copy()
        most = STRAIGHTEST * abs(slope) / np.array([1.0, 4 / 3])
        straight[[_SIDE, _ENDS]] = np.clip(straight[[_SIDE, _ENDS]], -most, most) if bend else 0.0
        correlation = float("nan")
        if len(rows) > 2 and np.ptp(mean[rows]) > 0 and np.ptp(intensity[rows]) > 0:
            correlation = float(np.corrcoef(mean[rows], intensity[rows])[0, 1])
        worst = rows[np.argsort(-np.abs(residual[rows]), kind="stable")[:LISTED]]
        judges.append(
            RatingJudge(
                coefficients=straight,
                covariance=covariance[code],
                text_sd=tau / scale,
                text_sd_log_se=float((2 * share @ share + PRIOR_TEXT[2] ** -2) ** -0.5),
                noise_sd=float(np.sqrt(noise)),
                lapse_rate=lapse,
                step=ratings.step,
                usual=usual,
                ratings=int((of == code).sum()),
                texts=len(rows),
                correlation=correlation,
                contradicting=tuple(
                    (
                        int(key[t]),
                        float(intensity[t]),
                        float(mean[t]),
                        float(residual[t] / scale),
                    )
                    for t in worst.tolist()
                ),
            )
        )
    return RatingFit(judges, lapsed), gain


def _without_own(
    text: IntArray, weight: Array, off: Array, precision: Array, noise: float
) -> tuple[Array, Array]:
    """Mean and variance of each rated text about the line, given its other ratings.

    ``off`` (n,) are the ratings less the line, ``precision`` (n,) one over the variance of the
    disagreement with texts.
    """
    count = np.bincount(text, weight)[text] - weight
    rest = np.bincount(text, weight * off)[text] - weight * off
    known = 1 / (precision + count / noise)
    return rest / noise * known, known


def _within_responses(ratings: Ratings, weight: Array) -> Array:
    """Degrees of freedom, squares and products within the responses that were rated repeatedly."""
    inner = np.abs(ratings.rating[:, 0]) < END - 1e-9  # NaN is not less.
    y, place, w = ratings.rating[inner, 0], ratings.place[inner, 0], weight[inner]
    items = int(ratings.item.max(initial=-1)) + 1
    item = np.unique(ratings.value[inner] * items + ratings.item[inner], return_inverse=True)[1]
    if not len(item):
        return np.zeros(4)
    count = np.bincount(item, w)
    n = np.maximum(count, 1e-9)
    dy = y - (np.bincount(item, w * y) / n)[item]
    dp = place - (np.bincount(item, w * place) / n)[item]
    return np.array([np.maximum(count - 1, 0).sum(), w @ dy**2, w @ (dy * dp), w @ dp**2])


def _beyond_ends(
    y: Array, end: Array, centre: Array, known: Array, noise: float, bound: float
) -> tuple[Array, Array, Array]:
    """Expected ratings on a scale without ends, and what stays unknown of their noise and text.

    The mean and variance of a normal variable beyond a bound, where ``centre`` and ``known`` are
    mean and variance of what is known of the text without this rating.
    """
    latent, noise_part, text_part = y.copy(), np.zeros(len(y)), np.zeros(len(y))
    rows = np.flatnonzero(end)
    total = known[rows] + noise
    sd = np.sqrt(total)
    toward = end[rows] * centre[rows]
    z = (bound - toward) / sd
    hazard = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(-z))
    left = np.clip(1 - hazard * (hazard - z), 1e-3, 1.0)
    latent[rows] = end[rows] * (toward + sd * hazard)
    noise_part[rows], text_part[rows] = left * noise, left * known[rows]
    return latent, noise_part, text_part


def _lapse_ratio(
    y: Array, end: Array, centre: Array, variance: Array, usual: tuple[float, float], bound: float
) -> Array:
    """Log of the density of each rating in a lapse over that in earnest."""

    def log_density(mean: Array | float, sd: Array | float) -> Array:
        inner = -0.5 * ((y - mean) / sd) ** 2 - np.log(sd)
        beyond = log_ndtr(-(bound - end * mean) / sd) + 0.5 * np.log(2 * np.pi)
        return np.asarray(np.where(end == 0, inner, beyond))

    return log_density(*usual) - log_density(centre, np.sqrt(variance))


def _lapse_rate(ratio: Array, rate: float) -> float:
    """Mean of the lapse rate, from each window's density in a lapse over that in earnest."""
    for _ in range(20):
        lapsed = rate * ratio / (rate * ratio + 1 - rate)
        rate = float((lapsed.sum() + 1) / (len(ratio) + PRIOR_LAPSE + 2))
    return rate


def directions_of(judge: RatingJudge) -> list[tuple[RatingJudge, RatingJudge]]:
    """Judges one standard error below and above in the place effect and each way of bending.

    Errors of level and slope are not among them: see ``RatingJudge.scale_error``.

    Args:
        judge: with the covariance of its coefficients.
    """
    rest = [_PLACE, _SIDE, _ENDS]
    sizes, ways = np.linalg.eigh(judge.covariance[np.ix_(rest, rest)])
    pairs: list[tuple[RatingJudge, RatingJudge]] = []
    for size, way in zip(sizes, ways.T, strict=True):
        if size > 1e-8:
            step = np.zeros(COEFFICIENTS)
            step[rest] = np.sqrt(size) * way
            below, above = (
                replace(judge, coefficients=judge.coefficients + sign * step) for sign in (-1, 1)
            )
            pairs.append((below, above))
    return pairs


def assumed_rating_judge(slope: float, text_sd: float, noise_sd: float) -> RatingJudge:
    """A judge of known scale, for a study that is still planned.

    Args:
        slope: points of rating per point of intensity.
        text_sd: standard deviation of its disagreement with single texts, in points of intensity.
        noise_sd: standard deviation of its noise, in points of rating.

    Returns:
        A judge that rates in whole numbers.
    """
    coefficients = np.zeros(COEFFICIENTS)
    coefficients[_SLOPE] = slope
    return RatingJudge(
        coefficients=coefficients,
        covariance=np.zeros((COEFFICIENTS, COEFFICIENTS)),
        text_sd=text_sd,
        text_sd_log_se=0.0,
        noise_sd=noise_sd,
        lapse_rate=1 / (PRIOR_LAPSE + 2),
        step=1.0,
        usual=(0.0, 5.0),
    )


def notes_on_ratings(value: str, judge: RatingJudge) -> list[str]:
    """What a user of this value's numbers must be told about a judge's ratings.

    Args:
        value: name of the value.
        judge: as fitted.

    Returns:
        Sentences; none where there is nothing to tell.
    """
    notes = []
    if judge.upside_down:
        notes.append(
            f"{value}: the judge rates the anchors upside down (slope {judge.slope:.2f} ± "
            f"{judge.slope_se:.2f}); its ratings are not used. Check which end of the scale means "
            "support."
        )
    elif not judge.follows:
        notes.append(
            f"{value}: the judge's ratings do not follow the anchors' intensities (slope "
            f"{judge.slope:.2f} ± {judge.slope_se:.2f}); they are not used. Take another judge."
        )
    if judge.texts < 10:
        notes.append(
            f"{value}: {judge.texts} rated anchors are few to calibrate a judge with; what other "
            "values and the prior say counts much."
        )
    if judge.lapse_rate > 0.3:
        notes.append(
            f"{value}: the judge rated {judge.lapse_rate:.0%} of its windows without regard to the "
            "texts."
        )
    return notes
