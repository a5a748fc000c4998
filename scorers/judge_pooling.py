"""Partial pooling of one judge's parameters over the values that it judged.

A judge's log-scales over values are taken as normal about a common mean, and so are its place
effects; each value's prior is what the other values say (Efron and Morris 1975, with the value's
own windows left out so that they are not used twice), never wider than the prior of a value alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .judge_estimation import FittedJudge, JudgePrior, fit_judge
from .window_likelihood import Array, Orders

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
