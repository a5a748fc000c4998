"""A plan's errors are those that a simulated study then reports."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulated_windows import Judge, cells_of_responses, draw_anchors, simulate
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.windows.adaptive import window_information
from valueflow.scorers.windows.plan import (
    CENTRES,
    Design,
    bucket_information,
    study_designs,
    tokens_per_call,
)


def test_information_of_random_buckets_is_the_mean_over_drawn_anchors() -> None:
    generator = np.random.default_rng(0)
    points = np.array([-9.0, -3.0, 0.5, 8.0])
    for scale in (0.3, 1.0, 3.0):
        drawn = []
        for _ in range(1500):
            anchors = 4 * generator.random(5) + np.array([-10, -6, -2, 2, 6])
            drawn.append(window_information(points, anchors, scale))
        error = np.std(drawn, axis=0) / np.sqrt(1500)
        found = bucket_information(points, scale, 6)
        assert (np.abs(found - np.mean(drawn, axis=0)) < 4 * error + 0.02 * found).all()


@pytest.mark.parametrize(("scale", "windows"), [(0.3, 1), (0.3, 4), (0.5, 2), (1.0, 1), (1.0, 3)])
def test_planned_errors_are_those_of_a_simulated_study(scale: float, windows: int) -> None:
    generator = np.random.default_rng([round(100 * scale), windows])
    truth = cells_of_responses(generator, np.repeat(CENTRES, 2), 100, 2.0)
    judge = Judge(scale)
    anchors = draw_anchors(generator, judge)
    result = evaluate(simulate(generator, judge, truth, windows, anchors=anchors))
    design = study_designs(scale, 100, most_windows=windows)[-1]
    cell = np.sqrt(np.mean([one.se**2 for one in result.cells]))
    assert design.cell_se == pytest.approx(cell, rel=0.1)
    error = [item.intensity - one for item, one in zip(result.items, truth.ravel(), strict=True)]
    assert design.response_se == pytest.approx(np.sqrt(np.mean(np.square(error))), rel=0.1)


def test_adaptive_plans_are_never_worse_and_much_better_for_sharp_judges() -> None:
    for scale, least in ((0.2, 0.98), (0.5, 1.1), (1.0, 1.3), (3.0, 1.9)):
        bucket, adaptive = (
            study_designs(scale, 100, sampling=sampling)[5].response_se
            for sampling in ("bucket", "adaptive")
        )
        assert bucket / adaptive > least


def test_errors_fall_with_windows_down_to_what_the_responses_leave() -> None:
    for sampling in ("bucket", "adaptive"):
        designs = study_designs(1.0, 100, sampling=sampling, most_windows=30)
        for name in ("response_se", "cell_se", "shift_se"):
            errors = [getattr(design, name) for design in designs]
            assert (np.diff(errors) < 0).all()
        assert 0.2 < designs[-1].cell_se < 0.205


def test_calls_and_tokens_count_every_value_level_and_window() -> None:
    design = study_designs(0.5, 40, values=3, levels=5, most_windows=4)[3]
    assert design.calls == 40 * 3 * 5 * 4
    assert design.tokens == design.calls * tokens_per_call(6)
    assert tokens_per_call(6, 130, 30) == 300 + 130 + 150 + 6 * 18


def test_what_is_reached_and_how_many_queries_would_reach_it() -> None:
    def reaches(**wanted: Any) -> list[bool]:
        return [design.reaches for design in study_designs(0.3, 100, **wanted)]

    assert reaches() == [True] * 10
    assert reaches(cell_se=0.35) == [False] * 3 + [True] * 7
    assert not any(reaches(cell_se=0.35, response_se=0.5))
    design: Design
    for design in study_designs(0.3, 100, cell_se=0.2):
        needed = design.queries_needed
        assert needed is not None
        for queries, enough in ((needed, True), (needed - 1, False)):
            again = study_designs(0.3, queries, cell_se=0.2)[design.windows - 1]
            assert again.reaches == enough


def test_what_two_cells_share_by_query_leaves_their_shift() -> None:
    apart, paired = (study_designs(1.0, 100, query_correlation=r)[2] for r in (0.0, 0.5))
    assert apart.shift_se == pytest.approx(np.sqrt(2) * apart.cell_se)
    assert paired.shift_se**2 == pytest.approx(apart.shift_se**2 - 2 * 0.5 * 4 / 100)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale": 0.0}, "scale"),
        ({"scale": np.nan}, "scale"),
        ({"queries": 0}, "queries"),
        ({"cell_se": 0.0}, "cell_se"),
        ({"response_se": -1.0}, "response_se"),
        ({"values": 0}, "values"),
        ({"levels": 0}, "levels"),
        ({"window_size": 1}, "2 texts"),
        ({"most_windows": 0}, "1 window"),
        ({"sampling": "random"}, "sampling"),
        ({"spread": np.inf}, "spread"),
        ({"query_correlation": 2.0}, "query_correlation"),
    ],
)
def test_a_plan_that_cannot_be_made_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        study_designs(**{"scale": 0.5, "queries": 10, **changes})
