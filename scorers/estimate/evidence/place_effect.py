"""The place effect where only the response's place was recorded.

The order of the anchors teaches about the place effect only if their places are known.  Where they
are not, the responses' own slots do: a judge that favours early places ranks the responses that it
was shown first higher than those shown last.  The marginal likelihood of the windows, cells
integrated out as populations, is computed on a grid of place effects and gives mean and error.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from valueflow.scorers.estimate.cells import normal_populations
from valueflow.scorers.estimate.evidence.value import ValueWindows
from valueflow.scorers.estimate.judge import FittedJudge, JudgePrior
from valueflow.scorers.estimate.likelihood import Orders
from valueflow.scorers.estimate.responses import (
    by_group,
    intensity_grid,
    response_log_likelihood,
)

IntArray = NDArray[np.int64]

FEWEST_WINDOWS = 10
"""With fewer windows, the prior is left as it is."""


MOST_WINDOWS = 6000
"""Windows beyond which an even selection of the responses tells the place effect: from so many its
error is below 0.03."""


def with_place_effect(fitted: FittedJudge, value: ValueWindows) -> FittedJudge:
    """The judge with its place effect from the responses, if the anchors could not tell it.

    Args:
        fitted: a judge of the value, its place effect that of the prior.
        value: the windows; where they know the places of anchors, or show all responses at one
            place, the judge is returned as it is.
    """
    orders, model = value.orders, fitted.model
    if orders.place.any() or orders.questions < FEWEST_WINDOWS:
        return fitted
    if np.ptp(orders.place_of_response) == 0:
        return fitted
    prior_mean, prior_sd = JudgePrior().place_effect
    grid = intensity_grid(model.scale, 1.0, 1.0)
    candidates = normal_populations(len(grid), float(grid[-1]))
    orders, item, chosen = _some(orders, value.item, len(value.items))
    cell = np.empty(len(value.items), dtype=np.int64)
    for code, members in enumerate(value.members):
        cell[members] = code
    cells, cell = np.unique(cell[chosen], return_inverse=True)
    total = by_group(cell, len(cells))

    def log_posterior(effect: float) -> float:
        judge = replace(model, place_effect=effect)
        logs = response_log_likelihood(orders, item, len(chosen), judge, fitted.errors, grid)
        top = logs.max(axis=1, keepdims=True)
        marginal = np.log(np.maximum(np.exp(logs - top) @ candidates.density.T, 1e-300)) + top
        by_cell = logsumexp(total @ marginal + candidates.log_weight, axis=1)
        return float(by_cell.sum()) - 0.5 * ((effect - prior_mean) / prior_sd) ** 2

    mean, reach = prior_mean, 3.5 * prior_sd
    for _ in range(6):
        nodes = mean + reach * np.linspace(-1, 1, 9)
        logs = np.array([log_posterior(float(node)) for node in nodes])
        weight = np.exp(logs - logs.max())
        weight /= weight.sum()
        mean = float(weight @ nodes)
        error = float(np.sqrt(weight @ (nodes - mean) ** 2))
        if error > reach / 8:
            break
        reach = max(4 * error, reach / 4)
    covariance = model.parameter_covariance()
    covariance[1, :] = covariance[:, 1] = 0.0
    covariance[1, 1] = error**2
    rows = tuple(tuple(float(entry) for entry in row) for row in covariance)
    model = replace(model, place_effect=mean, place_effect_se=error, covariance=rows)
    return replace(fitted, model=model)


def _some(orders: Orders, item: IntArray, items: int) -> tuple[Orders, IntArray, IntArray]:
    """Windows of an even selection of the items, the items (W,) of these, and which were chosen."""
    step = max(1, -(-orders.questions // MOST_WINDOWS))
    chosen = np.arange(0, items, step)
    if step == 1:
        return orders, item, chosen
    part = orders.take(np.flatnonzero(item[orders.window] % step == 0))
    old, window = np.unique(part.window, return_inverse=True)
    part = replace(
        part,
        window=window,
        windows=len(old),
        probability=None if part.probability is None else part.probability[old],
        source=None if part.source is None else np.unique(part.source[old], return_inverse=True)[1],
        repeats=None if part.repeats is None else part.repeats[old],
    )
    return part, item[old] // step, chosen
