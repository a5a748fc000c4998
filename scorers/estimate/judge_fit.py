"""Does a judge follow the model?  Observed against expected orders of anchor pairs by distance.

Plain sentences about what the windows could not tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc, ndtri

from valueflow.scorers.estimate.judge import FittedJudge, JudgeModel, moments
from valueflow.scorers.estimate.likelihood import (
    Array,
    Orders,
    log_likelihood_of,
    random_anchor_log_likelihood,
    worths,
)

DISTANCE_EDGES = (0.0, 2.0, 4.0, 8.0, 12.0, 16.0, 20.0)
"""Edges of the distance bands, in points; pairs further apart belong to the last."""

FEWEST_INVERSIONS = 5.0
"""Bands of which fewer inversions are expected join the next nearer band in the test."""

WINDOWS_TESTED = 4000
"""Most windows that the fit is computed from: an even selection of them."""

LISTED_ANCHORS = 10
CHANCE_LISTED = 0.05
"""Chance of listing any anchor when the judge contradicts none."""


@dataclass(frozen=True)
class JudgeFit:
    """Fit of one judge to one value, on pairs of anchors.

    ``distance`` (B + 1,) holds the edges of the bands, in points.  ``pairs`` (B,) counts pairs;
    ``observed`` and ``expected`` (B,) are the shares that the judge ordered as their intensities
    say, and that a judge of the fitted scale, place effect and lapse rate would (NaN without
    pairs).  ``p_value`` tests all bands and the signs of the pairs together.  ``contradicting``
    lists anchor texts that the judge puts elsewhere by more than chance explains, as (name,
    standard errors; positive when the judge puts it higher), the largest first.
    """

    distance: tuple[float, ...]
    pairs: tuple[int, ...]
    observed: tuple[float, ...]
    expected: tuple[float, ...]
    p_value: float
    contradicting: tuple[tuple[str, float], ...] = ()


def fit_of_judge(
    orders: Orders, fitted: FittedJudge, names: tuple[str, ...], *, estimated: bool = True
) -> JudgeFit:
    """Compare the judge's order of the anchors with the model's expectation.

    The test is a conditional moment test (Newey 1985): surplus of well-ordered pairs by window in
    each band, and separately among pairs of negative and of positive anchors, cleared of what
    estimating the judge takes away when it was ``estimated`` from these windows; the statistic is
    referred to Hotelling's distribution.  Windows that are choices are in the shares of the bands,
    not in the test.
    """
    judge = fitted.marginal
    step = max(1, -(-orders.questions // WINDOWS_TESTED))
    orders = orders.every(step)
    distance, agrees, expected, weight, sign = _pairs(orders, judge)
    # Stated probabilities scatter less than drawn orders: they are shown, not tested.
    ranked = np.ones(len(weight), dtype=bool)
    if orders.probability is not None:
        ranked = np.isnan(orders.probability[orders.window])
    tested = np.where(ranked[:, None], weight, 0.0)
    bands = len(DISTANCE_EDGES) - 1
    band = np.clip(np.digitize(distance, DISTANCE_EDGES) - 1, 0, bands - 1)

    def by_band(values: Array) -> Array:
        return np.asarray(np.bincount(band.ravel(), values.ravel(), bands), np.float64)

    count, seen, model = by_band(weight), by_band(weight * agrees), by_band(weight * expected)
    inverted = by_band(tested * (1 - expected))
    residual = tested * (agrees - expected)
    groups = _joined(inverted)
    columns = [
        np.where(groups[band] == group, residual, 0.0).sum(axis=1) for group in np.unique(groups)
    ]
    columns += [np.where(sign == side, residual, 0.0).sum(axis=1) for side in (-1, 1)]
    per_window = np.stack(columns, axis=1)
    spread = tested * expected * (1 - expected)
    variance = [float(spread[groups[band] == group].sum()) for group in np.unique(groups)]
    variance += [float(spread[sign == side].sum()) for side in (-1, 1)]
    scores = _judge_scores(orders, judge) if estimated else np.empty((len(per_window), 0))
    if judge.lapse_rate == 0:
        scores = scores[:, :2]  # At its bound, the lapse rate is not fitted.
    safe = np.where(count > 0, count, 1.0)
    return JudgeFit(
        distance=DISTANCE_EDGES,
        pairs=tuple(round(value) for value in count.tolist()),
        observed=tuple(np.where(count > 0, seen / safe, np.nan).tolist()),
        expected=tuple(np.where(count > 0, model / safe, np.nan).tolist()),
        p_value=_moment_test(per_window[ranked], scores[ranked], np.asarray(variance)),
        contradicting=_contradicting(fitted.surprise, names),
    )


def _pairs(orders: Orders, judge: JudgeModel) -> tuple[Array, Array, Array, Array, Array]:
    """Distance, agreement, its expectation, weight and common sign of anchor pairs, (R, P) each."""
    first, second = np.triu_indices(orders.intensity.shape[1], 1)
    x, place = orders.intensity, orders.place
    difference = x[:, first] - x[:, second]
    usable = orders.present[:, second] & (first < orders.named[:, None]) & (difference != 0)
    agrees = difference > 0
    later = np.where(agrees, 1.0, -1.0) * (place[:, first] - place[:, second])
    logit = judge.scale * np.abs(difference) - judge.place_effect * later
    chance = 1 / (1 + np.exp(-np.clip(logit, -700, 700)))
    expected = (1 - judge.lapse_rate) * chance + judge.lapse_rate / 2
    weight = np.where(usable, orders.part[:, None], 0.0)
    sides = np.sign(x[:, first]), np.sign(x[:, second])
    sign = np.where(sides[0] == sides[1], sides[0], 0.0)
    return np.abs(difference), agrees.astype(np.float64), expected, weight, sign


def _joined(inverted: Array) -> NDArray[np.int64]:
    """Group of each band, nearest first, so that every group expects enough inversions."""
    groups = np.zeros(len(inverted), dtype=np.int64)
    for band in range(1, len(inverted)):
        rest = inverted[band:].sum()
        enough = inverted[:band][groups[:band] == groups[band - 1]].sum() >= FEWEST_INVERSIONS
        groups[band] = groups[band - 1] + int(enough and rest >= FEWEST_INVERSIONS)
    return groups


def _judge_scores(orders: Orders, judge: JudgeModel) -> Array:
    """Score (R, 3) of each row in scale, place effect and lapse rate."""
    known = worths(orders, judge.scale, judge.place_effect)
    ranked = log_likelihood_of(orders, known)
    ratio = np.exp(np.clip(random_anchor_log_likelihood(orders) - ranked, -300, 300))
    mixture = 1 - judge.lapse_rate + judge.lapse_rate * ratio
    part = orders.part
    straight = moments(orders, known, part).window_score
    kept = part * (1 - judge.lapse_rate) / mixture
    lapse = part * (ratio - 1) / mixture
    return np.column_stack([kept[:, None] * straight, lapse])


def _moment_test(residual: Array, scores: Array, variance: Array) -> float:
    if scores.shape[1]:
        residual = residual - scores @ np.linalg.lstsq(scores, residual, rcond=None)[0]
    cross = residual.T @ residual
    # Where hardly any inversion was seen, the outer product is far too small: a band that expects
    # five and shows none would be called impossible. The model's own variance is the least.
    cross[np.diag_indices_from(cross)] = np.maximum(np.diagonal(cross), variance)
    values, vectors = np.linalg.eigh(cross)
    # Directions with the variance of a couple of inversions cannot be tested.
    kept = values > 2.0
    freedom, rows = int(kept.sum()), len(residual) - scores.shape[1]
    if freedom == 0 or rows <= freedom + 1:
        return 1.0
    total = vectors[:, kept].T @ residual.sum(axis=0)
    statistic = min(float(np.sum(total**2 / values[kept])), rows - 1e-6)
    # The outer product is not centred, so the statistic cannot exceed the number of windows.
    ratio = statistic / (rows - statistic) * (rows - freedom) / freedom
    return float(fdtrc(freedom, rows - freedom, ratio))


def _contradicting(surprise: Array, names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    told = max(int(np.count_nonzero(surprise)), 1)
    threshold = -float(ndtri(CHANCE_LISTED / 2 / told))
    worst = np.argsort(-np.abs(surprise), kind="stable")[:LISTED_ANCHORS]
    return tuple(
        (names[key] if key < len(names) else str(key), float(surprise[key]))
        for key in worst.tolist()
        if abs(surprise[key]) > threshold
    )


POOR_SCALE = 0.25
"""Relative standard error of a scale from which the windows count as too few to tell it."""


def notes_on_judge(
    value: str, orders: Orders, judge: JudgeModel, fit: JudgeFit, *, tests: int = 1
) -> list[str]:
    """What a user of this value's numbers must be told about its judge.

    ``tests`` is the number of values whose fit the run tests: a note on the fit is made where the
    p-value, times it (Bonferroni), is below 0.01, so that a run whose judge follows the model makes
    any in at most one of a hundred.
    """
    notes = []
    if judge.scale_se > POOR_SCALE * judge.scale:
        notes.append(
            f"{value}: {judge.windows} windows are too few to tell how sharp the judge is (scale "
            f"{judge.scale:.2g} ± {judge.scale_se:.2g}); its prior counts."
        )
    covariance = judge.parameter_covariance()
    correlation = covariance[0, 1] / max(float(np.sqrt(covariance[0, 0] * covariance[1, 1])), 1e-12)
    if abs(correlation) > 0.85:
        notes.append(
            f"{value}: scale and place effect are hardly separable (correlation "
            f"{correlation:.2f}); show the anchors of a window in random order."
        )
    places = orders.place_of_response
    if judge.place_effect_se > 0.4:
        notes.append(
            f"{value}: the windows do not tell the effect of the place at which a text is shown "
            f"(± {judge.place_effect_se:.2g} a place); its prior counts."
        )
    elif judge.windows > 1 and np.ptp(places) == 0:
        notes.append(
            f"{value}: the response is always shown at the same place, so the correction for the "
            "place effect rests on the anchors alone."
        )
    if fit.p_value * tests < 0.01:
        among = f" among {tests} values tested" if tests > 1 else ""
        notes.append(
            f"{value}: the judge does not follow the model (p = {fit.p_value:.2g}{among}); see the "
            "observed and expected orders by distance."
        )
    return notes


def notes_on_choices(value: str, orders: Orders) -> list[str]:
    """What a user must be told about windows of which the judge's probabilities are known."""
    if orders.probability is None or orders.source is None:
        return []
    choices = len(np.unique(orders.source[~np.isnan(orders.probability)]))
    return [
        f"{value}: {choices} of {orders.questions} windows are choice probabilities; one counts "
        f"for {orders.choice_weight:.2g} drawn choices, and they have no part in the test of fit."
    ]
