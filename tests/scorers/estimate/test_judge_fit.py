"""The fit says nothing about a judge that follows the model, and speaks up about others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from simulated_windows import Anchors, Judge, draw_anchors, simulate
from valueflow.scorers.estimate.evaluation import Evaluation, evaluate
from valueflow.scorers.estimate.evidence.value import ValueWindows
from valueflow.scorers.estimate.judge_fit import notes_on_judge


def judged(seed: int, judge: Judge, windows: int = 600, texts: int = 500) -> Evaluation:
    generator = np.random.default_rng(seed)
    anchors = draw_anchors(generator, judge, texts)
    truth = generator.uniform(-9, 9, (1, windows))
    return evaluate(simulate(generator, judge, truth, 1, anchors=anchors))


@pytest.mark.slow
@pytest.mark.parametrize(
    "scale",
    [pytest.param(0.3, marks=pytest.mark.slow), 1.0, pytest.param(3.0, marks=pytest.mark.slow)],
)
def test_judges_that_follow_the_model_are_seldom_rejected(scale: float) -> None:
    p = [judged(seed, Judge(scale, 0.3, 0.0, 0.02)).fit["value"].p_value for seed in range(20)]
    assert np.mean(np.array(p) < 0.05) <= 0.2
    assert np.mean(np.array(p) < 0.001) <= 0.1
    assert np.median(p) > 0.2


def steps(intensity: np.ndarray) -> np.ndarray:
    return np.asarray(5 * np.round(intensity / 5))


@pytest.mark.parametrize("view", [np.abs, steps])
def test_judges_outside_the_model_are_rejected_and_told(
    view: Callable[[np.ndarray], np.ndarray],
) -> None:
    result = judged(1, Judge(2.0, view=view), 1500)
    assert result.fit["value"].p_value < 1e-3
    assert any("does not follow the model" in note for note in result.notes)


def test_a_note_on_the_fit_counts_how_many_values_were_tested() -> None:
    result = judged(1, Judge(2.0, view=np.abs), 1500)
    generator = np.random.default_rng(1)
    truth = generator.uniform(-9, 9, (1, 60))
    orders = ValueWindows(simulate(generator, Judge(2.0), truth, 1), 0).orders
    judge, fit = result.judges["value"], replace(result.fit["value"], p_value=0.004)
    told = {
        tests: [n for n in notes_on_judge("v", orders, judge, fit, tests=tests) if "follow" in n]
        for tests in (1, 2, 3, 12)
    }
    assert told[1] == [
        "v: the judge does not follow the model (p = 0.004); see the observed and expected orders "
        "by distance."
    ]
    assert "(p = 0.004 among 2 values tested)" in told[2][0]
    assert told[3] == told[12] == []


def test_observed_and_expected_agree_by_distance() -> None:
    fit = judged(2, Judge(0.4), 6000).fit["value"]
    np.testing.assert_allclose(fit.observed, fit.expected, atol=0.03)
    assert fit.observed[0] < 0.7 < 0.98 < fit.observed[-1]
    assert len(fit.pairs) == len(fit.distance) - 1


def test_anchors_that_contradict_the_judge_are_listed() -> None:
    generator = np.random.default_rng(3)
    error = np.zeros(300)
    wrong = [17, 101]
    error[wrong] = [9.0, -9.0]
    intensity = generator.uniform(-10, 10, 300)
    intensity[wrong] = [-6.0, 6.0]
    anchors = Anchors(intensity, error)
    truth = generator.uniform(-9, 9, (1, 1500))
    fit = evaluate(simulate(generator, Judge(0.8), truth, 1, anchors=anchors)).fit["value"]
    listed = {name: points for name, points, _ in fit.disagreements}
    assert list(listed)[:2] in (["anchor 17", "anchor 101"], ["anchor 101", "anchor 17"])
    assert listed["anchor 17"] > 0 > listed["anchor 101"]
    assert len(listed) <= 4


def test_a_judge_who_disagrees_with_texts_follows_the_model() -> None:
    """As strong models judge; a test that takes each window for new evidence rejects them all."""
    p = [
        judged(seed, Judge(1.2, 0.0, 3.9), 300, texts=44).fit["value"].p_value for seed in range(12)
    ]
    assert np.mean(np.array(p) < 0.01) <= 0.1


def test_a_judge_who_orders_the_anchors_upside_down_is_told() -> None:
    result = judged(5, Judge(1.0, view=np.negative), 60, texts=30)
    assert result.fit["value"].upside_down
    assert result.fit["value"].correlation < -0.8
    assert any("upside down" in note for note in result.notes)
    straight = judged(5, Judge(1.0), 60, texts=30)
    assert straight.fit["value"].correlation > 0.8
    assert not any("upside down" in note for note in straight.notes)


@pytest.mark.parametrize(("rate", "alarm"), [(0.1, False), (0.5, True)])
def test_a_judge_who_orders_many_windows_at_random_raises_an_alarm(
    rate: float, alarm: bool
) -> None:
    result = judged(6, Judge(1.0, lapse_rate=rate), 300)
    assert any("at random" in note for note in result.notes) == alarm


def test_a_single_window_rejects_nobody() -> None:
    assert judged(4, Judge(1.0), 1).fit["value"].p_value == 1.0
