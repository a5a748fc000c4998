"""Windows of which a judge gave the probability of choosing each text first.

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

import numpy as np

from .judge_model import JudgeModel
from .window_likelihood import Array, Orders, worths

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
