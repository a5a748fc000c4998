"""The place effect where only the response's place was recorded.

The order of the anchors teaches about the place effect only if their places are known.  Where they
are not, the responses' own slots do: a judge that favours early places ranks the responses that it
was shown first higher than those shown last.  The marginal likelihood of the windows, cells
integrated out as populations, is computed on a grid of place effects and gives mean and error.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import logsumexp

from valueflow.scorers.estimate.cells import normal_populations
from valueflow.scorers.estimate.judge import FittedJudge, JudgePrior
from valueflow.scorers.estimate.population import ValueWindows
from valueflow.scorers.estimate.responses import (
    by_group,
    intensity_grid,
    response_log_likelihood,
)

FEWEST_WINDOWS = 10
"""With fewer windows, the prior is left as it is."""


def with_place_effect(fitted: FittedJudge, value: ValueWindows) -> FittedJudge:
    """The judge with its place effect from the responses, if the anchors could not tell it."""
    orders, model = value.orders, fitted.model
    if orders.place.any() or orders.questions < FEWEST_WINDOWS:
        return fitted
    if np.ptp(orders.place_of_response) == 0:
        return fitted
    prior_mean, prior_sd = JudgePrior().place_effect
    grid = intensity_grid(model.scale, 1.0, 1.0)
    candidates = normal_populations(len(grid), float(grid[-1]))
    cell = np.empty(len(value.items), dtype=np.int64)
    for code, members in enumerate(value.members):
        cell[members] = code
    total = by_group(cell, len(value.members))

    def log_posterior(effect: float) -> float:
        judge = replace(model, place_effect=effect)
        logs = response_log_likelihood(
            orders, value.item, len(value.items), judge, fitted.errors, grid
        )
        top = logs.max(axis=1, keepdims=True)
        marginal = np.log(np.maximum(np.exp(logs - top) @ candidates.density.T, 1e-300)) + top
        cells = logsumexp(total @ marginal + candidates.log_weight, axis=1)
        return float(cells.sum()) - 0.5 * ((effect - prior_mean) / prior_sd) ** 2

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
