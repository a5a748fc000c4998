"""What several judges say of the same responses, as one likelihood.

Each judge sees a text in a way of its own: its likelihood of a response has its own disagreement
with that text integrated out (see :mod:`.value`), so that where judges differ on a response, the
difference is in its error and in that of its cell.  A panel treated as one judge would take the
windows of several for repetitions by one.

How far the disagreements of two judges go together is told by the anchors that both have seen, on
which each judge's disagreement with the published intensities is estimated.  Of anchors one cannot
tell whether the label is wrong or the judges share a view; the responses are taken to be seen like
the anchors, since a view that judges share would not average out over them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.evidence.value import Evidence, RatedWindows, ValueWindows
from valueflow.scorers.estimate.evidence.views import product_of, view_powers
from valueflow.scorers.estimate.judge import FittedJudge

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_SHARED = 0.95
"""Largest correlation of two judges' disagreements that is believed: two judges are not one."""


@dataclass(frozen=True)
class Disagreement:
    """A judge's disagreement with K anchors, in points.

    ``key`` (K,) tells anchors apart; ``error`` (K,) is the mean of what its windows tell of its
    disagreement, shrunken toward 0; ``told`` (K,), in [0, 1], the share of the variance
    ``text_sd`` squared that they take away.
    """

    key: IntArray
    error: Array
    told: Array
    text_sd: float


def disagreement_of(
    value: ValueWindows, fitted: FittedJudge | None, rated: RatedWindows | None
) -> Disagreement:
    """The disagreement of one judge with the anchors of one value: as it rates, else as it ranks.

    Args:
        value: its windows.
        fitted: the judge as it ranks; None where no window is ranked.
        rated: its rated windows; None where there are none.
    """
    if rated is None:
        assert fitted is not None
        key = np.unique(value.orders.key[value.orders.present])
        variance = fitted.model.text_sd**2
        if variance <= 0:
            return Disagreement(key, np.zeros(len(key)), np.zeros(len(key)), 0.0)
        told = np.clip(1 - fitted.errors.variance[key] / variance, 0, 1)
        return Disagreement(key, fitted.errors.mean[key], told, fitted.model.text_sd)
    judge, ratings = rated.judge, rated.ratings
    window, column = np.nonzero(~np.isnan(ratings.rating[:, 1:]))
    given = ratings.rating[window, column + 1]
    expected = judge.expected(ratings.intensity[window, column])
    expected -= judge.place_effect * ratings.place[window, column + 1]
    slope = judge.slope if abs(judge.slope) > 0.05 else 0.05
    key, code = np.unique(ratings.key[window, column], return_inverse=True)
    count = np.bincount(code, minlength=len(key))
    mean = np.bincount(code, (given - expected) / slope, len(key)) / np.maximum(count, 1)
    noise = (judge.noise_sd / slope) ** 2 / np.maximum(count, 1)
    told = judge.text_sd**2 / np.maximum(judge.text_sd**2 + noise, 1e-12)
    return Disagreement(key, told * mean, told, judge.text_sd)


@dataclass(frozen=True)
class Shared:
    """How far the disagreements of J judges go together.

    ``correlation`` (J, J), as it is used, 1 on the diagonal; ``estimate`` (J, J) and ``se`` (J, J),
    NaN on it and where two judges saw no anchor in common; ``anchors`` (J, J) counts those.
    """

    correlation: Array
    estimate: Array = field(compare=False)
    se: Array = field(compare=False)
    anchors: IntArray = field(compare=False)


def shared_disagreement(judges: Sequence[Mapping[str, Disagreement]]) -> Shared:
    """Correlations of judges' disagreements with the anchors that they both saw, over all values.

    The means of what windows tell are shrunken, and so are their products: by the product of the
    shares that are told (method of moments).  An estimate counts by what it is above its own error,
    r * r^2 / (r^2 + se^2), and as 0 below 0: without evidence judges are independent.

    Args:
        judges: by judge, the disagreements by value.
    """
    count = len(judges)
    estimate, se = np.full((count, count), np.nan), np.full((count, count), np.nan)
    anchors = np.zeros((count, count), dtype=np.int64)
    used = np.eye(count)
    for a in range(count):
        for b in range(a):
            product, usual = [], []
            for value in judges[a].keys() & judges[b].keys():
                one, other = judges[a][value], judges[b][value]
                _, i, j = np.intersect1d(one.key, other.key, return_indices=True)
                product.append(one.error[i] * other.error[j])
                usual.append(one.told[i] * other.told[j] * one.text_sd * other.text_sd)
            found = np.concatenate([*product, np.zeros(0)])
            expected = np.concatenate([*usual, np.zeros(0)])
            anchors[a, b] = anchors[b, a] = len(found)
            # Sets have no order of their own; a sum of floats must not depend on one.
            total = float(np.sort(expected).sum())
            if len(found) < 3 or total <= 1e-9:
                continue
            r = float(np.sort(found).sum()) / total
            error = float(np.sqrt(np.sort((found - r * expected) ** 2).sum())) / total
            estimate[a, b] = estimate[b, a] = r
            se[a, b] = se[b, a] = error
            kept = r**2 / (r**2 + error**2) if r > 0 else 0.0
            used[a, b] = used[b, a] = min(max(r, 0.0) * kept, MOST_SHARED)
    return Shared(_positive(used), estimate, se, anchors)


def _positive(correlation: Array) -> Array:
    """The matrix, with negative eigenvalues, which pairs estimated one by one can make, raised."""
    size, direction = np.linalg.eigh(correlation)
    if size.min(initial=1.0) > 1e-3:
        return correlation
    raised = direction * np.maximum(size, 1e-3) @ direction.T
    scale = 1 / np.sqrt(np.diag(raised))
    return np.asarray(raised * scale[:, None] * scale)


def panel_evidence(views: Sequence[Evidence], correlation: Array) -> Evidence:
    """What J judges say of N responses together.

    Args:
        views: one for each judge, on the same grid, of the same responses.
        correlation: (J, J), of the judges' disagreements with single texts.
    """
    if len(views) == 1:
        return views[0]
    grid, likelihoods = views[0].grid, [view.likelihood for view in views]
    powers, share = view_powers(likelihoods, grid, [view.text_sd for view in views], correlation)

    def others(inside: NDArray[np.bool_] | None) -> list[Array]:
        found = []
        for number, view in enumerate(views):
            for other in view.others(inside):
                every = [*likelihoods[:number], other, *likelihoods[number + 1 :]]
                found.append(product_of(every, powers))
        return found

    # Errors of the judges' levels and slopes weigh as the judges do, on average over responses.
    weight = share.mean(axis=1)
    weight /= max(weight.sum(), 1e-12)

    def pooled(errors: Sequence[float]) -> float:
        own = weight * np.asarray(errors)
        return float(np.sqrt(max(own @ correlation @ own, 0.0)))

    high, low = (np.logical_and.reduce([view.beyond[side] for view in views]) for side in (0, 1))
    return Evidence(
        grid,
        product_of(likelihoods, powers),
        others,
        views[0].both_sides,
        pooled([view.level for view in views]),
        pooled([view.tilt for view in views]),
        (high, low),
        float(np.mean([view.text_sd for view in views])),
    )
