"""Does a judge follow the model?  Observed against expected orders of anchor pairs by distance.

Plain sentences about what the windows could not tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc, ndtri, stdtr

from valueflow.scorers.estimate.evidence.bend import STRAIGHT, seen_at, seen_through
from valueflow.scorers.estimate.judge import AnchorErrors, FittedJudge, JudgeModel, anchor_scores
from valueflow.scorers.estimate.likelihood import (
    Array,
    Orders,
    log_likelihood_of,
    log_worths,
    random_anchor_log_likelihood,
)

DISTANCE_EDGES = (0.0, 2.0, 4.0, 8.0, 12.0, 16.0, 20.0)
"""Edges of the distance bands, in points; pairs further apart belong to the last."""

FEWEST_INVERSIONS = 5.0
"""Bands of which fewer inversions are expected join the next nearer band in the test."""

WINDOWS_TESTED = 600
"""Most windows that are tested: an even selection of them."""

SIMULATIONS = 120
"""Runs of the fitted judge from which the test learns how far chance goes."""

LISTED_ANCHORS = 10
CHANCE_LISTED = 0.05
"""Chance of listing any anchor when the judge disagrees with none."""

UPSIDE_DOWN = 0.01
"""One-sided level at which a negative correlation of order and intensity is told."""


@dataclass(frozen=True)
class JudgeFit:
    """Fit of one judge to one value, on pairs of anchors.

    ``distance`` (B + 1,) holds the edges of the bands, in points.  ``pairs`` (B,) counts pairs;
    ``observed`` and ``expected`` (B,) are the shares that the judge ordered as their intensities
    say, and that a judge as fitted would, its disagreement with texts included (NaN without
    pairs).  ``p_value`` tests all bands and the signs of the pairs together.  ``disagreements``
    lists the anchor texts that the judge sees elsewhere by more than chance explains, as (name,
    points, standard error; positive where the judge sees it higher), the largest first.
    ``correlation`` is that, over the anchor texts, of intensity and mean place in the judge's
    orders, from -1 for a judge that orders them upside down to 1 (NaN for fewer than three);
    ``upside_down`` tells whether it is negative beyond chance.
    """

    distance: tuple[float, ...]
    pairs: tuple[int, ...]
    observed: tuple[float, ...]
    expected: tuple[float, ...]
    p_value: float
    disagreements: tuple[tuple[str, float, float], ...] = ()
    correlation: float = float("nan")
    upside_down: bool = False


def fit_of_judge(
    orders: Orders, fitted: FittedJudge, names: tuple[str, ...], *, estimated: bool = True
) -> JudgeFit:
    """Compare the judge's order of the anchors with the model's expectation.

    The test is a conditional moment test (Newey 1985) on the surplus of well-ordered pairs in each
    band, and separately among pairs of negative and of positive anchors.  How far chance goes is
    learnt from seeded runs of the judge as fitted on the same windows, with errors about the anchor
    texts drawn anew in each, since a text seen in many windows moves all of them together.  Both
    are cleared of what estimating the judge takes away when it was ``estimated`` from these
    windows; the statistic is referred to Hotelling's distribution.  Windows that are choices are in
    the shares of the bands, not in the test.

    Args:
        orders: windows of one value.
        fitted: the judge of that value.
        names: of the anchor texts, by key.
        estimated: whether the judge was estimated from these windows.

    Returns:
        Observed and expected shares of well-ordered pairs, the test, and the anchors that the
        judge disagrees with most.
    """
    correlation, upside_down = _direction(orders)
    orders = orders.every(max(1, -(-orders.questions // WINDOWS_TESTED)))
    orders = seen_through(orders, fitted.model.bend)
    pairs = _Pairs(orders, fitted.marginal)
    count, seen, model = (
        pairs.by_band(values)
        for values in (pairs.weight, pairs.weight * pairs.agrees, pairs.weight * pairs.expected)
    )
    safe = np.where(count > 0, count, 1.0)
    return JudgeFit(
        distance=DISTANCE_EDGES,
        pairs=tuple(round(value) for value in count.tolist()),
        observed=tuple(np.where(count > 0, seen / safe, np.nan).tolist()),
        expected=tuple(np.where(count > 0, model / safe, np.nan).tolist()),
        p_value=_moment_test(orders, fitted.model, fitted.marginal, estimated=estimated),
        disagreements=_disagreements(fitted.errors, names),
        correlation=correlation,
        upside_down=upside_down,
    )


class _Pairs:
    """Pairs of anchors of the orders, (R, P) each, seen by a judge without errors about texts.

    ``agrees`` tells whether the pair is ordered as its intensities say, ``expected`` how probable
    that is, ``weight`` what the pair counts for, ``sign`` the common sign of its anchors or 0.
    """

    def __init__(self, orders: Orders, judge: JudgeModel) -> None:
        first, second = np.triu_indices(orders.intensity.shape[1], 1)
        x, place = orders.intensity, orders.place
        difference = x[:, first] - x[:, second]
        usable = orders.present[:, second] & (first < orders.named[:, None]) & (difference != 0)
        later = np.sign(difference) * (place[:, first] - place[:, second])
        logit = judge.scale * np.abs(difference) - judge.place_effect * later
        chance = 1 / (1 + np.exp(-np.clip(logit, -700, 700)))
        sides = np.sign(x[:, first]), np.sign(x[:, second])
        bands = len(DISTANCE_EDGES) - 1
        self.agrees = (difference > 0).astype(np.float64)
        self.expected = (1 - judge.lapse_rate) * chance + judge.lapse_rate / 2
        self.weight = np.where(usable, orders.part[:, None], 0.0)
        self.sign = np.where(sides[0] == sides[1], sides[0], 0.0)
        self.band = np.clip(np.digitize(np.abs(difference), DISTANCE_EDGES) - 1, 0, bands - 1)

    def by_band(self, values: Array) -> Array:
        """Sums (B,) of values (R, P)."""
        bands = len(DISTANCE_EDGES) - 1
        return np.asarray(np.bincount(self.band.ravel(), values.ravel(), bands), np.float64)

    def surplus(self, groups: NDArray[np.int64]) -> Array:
        """Well-ordered pairs (R, M) above expectation, by group of bands and by common sign."""
        residual = self.weight * (self.agrees - self.expected)
        group = groups[self.band]
        parts = [group == one for one in np.unique(groups)]
        parts += [self.sign == side for side in (-1, 1)]
        return np.stack([np.where(part, residual, 0.0).sum(axis=1) for part in parts], axis=1)


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
    worths = log_worths(orders, judge.scale, judge.place_effect)
    ranked = log_likelihood_of(orders, worths)
    ratio = np.exp(np.clip(random_anchor_log_likelihood(orders) - ranked, -300, 300))
    mixture = 1 - judge.lapse_rate + judge.lapse_rate * ratio
    score = (
        anchor_scores(orders, worths)[0] * (orders.part * (1 - judge.lapse_rate) / mixture)[:, None]
    )
    lapse = orders.part * (ratio - 1) / mixture
    return np.column_stack(
        [(score * orders.intensity).sum(axis=1), (score * orders.place).sum(axis=1), lapse]
    )


def _simulated(orders: Orders, judge: JudgeModel) -> Orders:
    """``SIMULATIONS`` runs of a judge on the same windows, one below the other."""
    generator = np.random.default_rng(0)
    rows, columns = orders.present.shape
    keys, local = np.unique(orders.key, return_inverse=True)
    error = judge.text_sd * generator.standard_normal((SIMULATIONS, len(keys)))
    seen = orders.intensity + error[:, local.reshape(rows, columns)]
    worth = judge.scale * seen - judge.place_effect * orders.place
    # A lapse is a window in which all texts have the same worth.
    lapse = generator.random((SIMULATIONS, rows, 1)) < judge.lapse_rate
    worth = np.where(lapse, 0.0, worth) + generator.gumbel(size=worth.shape)
    worth = np.where(orders.present, worth, -np.inf).reshape(-1, columns)
    order = np.argsort(-worth, axis=1, kind="stable")

    def again(values: NDArray[Any]) -> NDArray[Any]:
        return np.take_along_axis(np.tile(values, (SIMULATIONS, 1)), order, axis=1)

    return replace(
        orders,
        window=np.arange(SIMULATIONS * rows),
        share=np.ones(SIMULATIONS * rows),
        intensity=again(orders.intensity),
        place=again(orders.place),
        present=np.tile(orders.present, (SIMULATIONS, 1)),
        picks=np.tile(orders.picks, (SIMULATIONS, 1)),
        key=again(orders.key),
        named=np.tile(orders.named, SIMULATIONS),
        ahead=np.tile(orders.ahead, SIMULATIONS),
        chosen=np.tile(orders.chosen, SIMULATIONS),
        place_of_response=np.tile(orders.place_of_response, SIMULATIONS),
        windows=SIMULATIONS * rows,
        repeats=None,
        probability=None,
        source=None,
    )


def _moment_test(
    orders: Orders, judge: JudgeModel, marginal: JudgeModel, *, estimated: bool
) -> float:
    # Stated probabilities scatter less than drawn orders: they are shown, not tested.  Of the
    # orders that a tie allows, none was drawn.
    ranked = orders.share == 1
    if orders.probability is not None:
        ranked &= np.isnan(orders.probability[orders.window])
    if not ranked.any():
        return 1.0
    orders = replace(
        orders.take(np.flatnonzero(ranked)), probability=None, repeats=None, source=None
    )
    pairs = _Pairs(orders, marginal)
    groups = _joined(pairs.by_band(pairs.weight * (1 - pairs.expected)))

    def moments(some: Orders) -> Array:
        columns = [_Pairs(some, marginal).surplus(groups)]
        if estimated:
            columns.append(_judge_scores(some, marginal))
        return np.concatenate(columns, axis=1)

    found = moments(orders).sum(axis=0)
    drawn = moments(_simulated(orders, judge)).reshape(SIMULATIONS, -1, len(found)).sum(axis=1)
    tested = len(np.unique(groups)) + 2
    found, drawn = found - drawn.mean(axis=0), drawn - drawn.mean(axis=0)
    if estimated:
        slope = np.linalg.lstsq(drawn[:, tested:], drawn[:, :tested], rcond=None)[0]
        found = found[:tested] - found[tested:] @ slope
        drawn = drawn[:, :tested] - drawn[:, tested:] @ slope
    freedom_of_runs = SIMULATIONS - 1 - (3 if estimated else 0)
    values, vectors = np.linalg.eigh(drawn.T @ drawn / freedom_of_runs)
    # Directions with the variance of a couple of inversions cannot be tested.
    kept = values > 2.0
    freedom = int(kept.sum())
    if freedom == 0:
        return 1.0
    statistic = float(np.sum((found @ vectors[:, kept]) ** 2 / values[kept]))
    ratio = statistic * (freedom_of_runs - freedom + 1) / (freedom_of_runs * freedom)
    return float(fdtrc(freedom, freedom_of_runs - freedom + 1, ratio))


def _direction(orders: Orders) -> tuple[float, bool]:
    """Correlation over texts of intensity and mean place in the orders; is it negative for sure?"""
    present = orders.present & (np.arange(orders.present.shape[1]) < orders.named[:, None])
    keys, code = np.unique(orders.key[present], return_inverse=True)
    if len(keys) < 3:
        return float("nan"), False
    column = np.broadcast_to(np.arange(present.shape[1]), present.shape)
    height = 1 - (column + 0.5) / orders.present.sum(axis=1)[:, None]
    weight = np.broadcast_to(orders.part[:, None], present.shape)[present]
    total = np.maximum(np.bincount(code, weight), 1e-300)
    mean = np.bincount(code, weight * height[present]) / total
    intensity = np.bincount(code, weight * orders.intensity[present]) / total
    if np.ptp(mean) == 0 or np.ptp(intensity) == 0:
        return float("nan"), False
    r = float(np.clip(np.corrcoef(mean, intensity)[0, 1], -1 + 1e-9, 1 - 1e-9))
    freedom = len(keys) - 2
    return r, bool(stdtr(freedom, r * np.sqrt(freedom / (1 - r**2))) < UPSIDE_DOWN)


def _disagreements(
    errors: AnchorErrors, names: tuple[str, ...]
) -> tuple[tuple[str, float, float], ...]:
    sd = np.sqrt(errors.variance)
    told = errors.variance < errors.text_sd**2 * (1 - 1e-9)
    surprise = np.where(told, np.abs(errors.mean) / np.maximum(sd, 1e-12), 0.0)
    threshold = -float(ndtri(CHANCE_LISTED / 2 / max(int(told.sum()), 1)))
    listed = np.flatnonzero(surprise > threshold)
    worst = listed[np.argsort(-np.abs(errors.mean[listed]), kind="stable")][:LISTED_ANCHORS]
    return tuple(
        (names[key] if key < len(names) else str(key), float(errors.mean[key]), float(sd[key]))
        for key in worst.tolist()
    )


POOR_SCALE = 0.25
"""Relative standard error of a scale from which the windows count as too few to tell it."""

LAPSE_ALARM = 0.3
"""Share of windows in random order from which a judge is not to be trusted."""


def notes_on_judge(
    value: str, orders: Orders, judge: JudgeModel, fit: JudgeFit, *, tests: int = 1
) -> list[str]:
    """What a user of this value's numbers must be told about its judge.

    ``tests`` is the number of values whose fit the run tests: a note on the fit is made where the
    p-value, times it (Bonferroni), is below 0.01, so that a run whose judge follows the model makes
    any in at most one of a hundred.
    """
    notes = []
    if fit.upside_down:
        notes.append(
            f"{value}: the judge orders the anchors upside down (correlation of its orders with "
            f"their intensities {fit.correlation:.2f}); check the direction of the question, of "
            "the saved orders and of the anchors' intensities before using any number."
        )
    if judge.lapse_rate > LAPSE_ALARM:
        notes.append(
            f"{value}: the judge orders {judge.lapse_rate:.0%} of the windows at random; it does "
            "not do the task, or its answers are misread."
        )
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
    if judge.bend != STRAIGHT:
        low, high = (float(np.diff(seen_at(np.array(ends), judge.bend))[0] / 10)
                     for ends in ((-10.0, 0.0), (0.0, 10.0)))  # fmt: skip
        notes.append(
            f"{value}: the judge tells opposing texts apart {low:.2g} times and supporting ones "
            f"{high:.2g} times as well as the whole scale; responses are read through this bend."
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
    """What a user must be told about windows of which the judge's probabilities are known.

    Args:
        value: name of the value.
        orders: its windows.

    Returns:
        Sentences; none where there is nothing to tell.
    """
    if orders.probability is None or orders.source is None:
        return []
    choices = len(np.unique(orders.source[~np.isnan(orders.probability)]))
    return [
        f"{value}: {choices} of {orders.questions} windows are choice probabilities; one counts "
        f"for {orders.choice_weight:.2g} drawn choices, and they have no part in the test of fit."
    ]
