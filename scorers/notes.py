"""Plain sentences about what the windows could not tell."""

from __future__ import annotations

import numpy as np

from .judge_fit import JudgeFit
from .judge_model import JudgeModel
from .window_likelihood import Orders

POOR_SCALE = 0.25
"""Relative standard error of a scale from which the windows count as too few to tell it."""


def notes_on_judge(value: str, orders: Orders, judge: JudgeModel, fit: JudgeFit) -> list[str]:
    """What a user of this value's numbers must be told about its judge."""
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
    if fit.p_value < 0.01:
        notes.append(
            f"{value}: the judge does not follow the model (p = {fit.p_value:.2g}); see the "
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
