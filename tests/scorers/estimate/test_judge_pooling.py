"""Values of one judge lend each other strength, as much as they agree."""

from __future__ import annotations

import numpy as np
import pytest

from simulated_windows import Judge, simulate
from valueflow.scorers.estimate.judge import fit_judge, fit_judges, pooled
from valueflow.scorers.estimate.likelihood import Orders, read_orders

WEAK = (0.0, 1.25)


def orders_of(scales: list[float], windows: int, seed: int) -> list[Orders]:
    generator = np.random.default_rng(seed)
    return [
        read_orders(simulate(generator, Judge(scale), generator.uniform(-9, 9, (1, windows)), 1))
        for scale in scales
    ]


def test_values_that_agree_make_a_narrow_prior_and_others_a_wide_one() -> None:
    errors = np.full(12, 0.1)
    agreeing = pooled(np.full(12, -1.0), errors, WEAK)
    scattered = pooled(np.linspace(-2, 0, 12), errors, WEAK)
    assert agreeing[0] == pytest.approx(-1.0, abs=0.02)
    assert agreeing[1] < 0.12
    assert scattered[1] > 0.5


def test_values_without_information_leave_the_weak_prior() -> None:
    mean, sd = pooled(np.zeros(3), np.full(3, WEAK[1]), WEAK)
    assert mean == pytest.approx(0.0, abs=0.05)
    assert sd == pytest.approx(WEAK[1], rel=0.05)


@pytest.mark.slow
def test_pooling_makes_scales_from_few_windows_more_accurate() -> None:
    scales = np.exp(np.random.default_rng(0).normal(np.log(0.4), 0.2, 12)).tolist()
    alone, together = [], []
    for seed in range(5):
        orders = orders_of(scales, 12, seed)
        singly = [fit_judge(one, 2000) for one in orders]
        alone += [np.log(fit.model.scale / s) for fit, s in zip(singly, scales, strict=True)]
        fits = fit_judges(orders, 2000)
        together += [np.log(fit.model.scale / s) for fit, s in zip(fits, scales, strict=True)]
    assert np.std(together) < 0.8 * np.std(alone)


def test_many_windows_overrule_the_other_values() -> None:
    fits = fit_judges(orders_of([0.3, 0.3, 0.3, 1.5], 1000, 1), 2000)
    assert fits[3].model.scale == pytest.approx(1.5, rel=0.15)


def test_a_value_alone_is_fitted_alone() -> None:
    orders = orders_of([0.5], 50, 2)
    assert fit_judges(orders, 2000)[0].model == fit_judge(orders[0], 2000).model
