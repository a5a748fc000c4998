"""A plan's errors are those that a simulated study then reports."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from simulated_windows import Judge, cells_of_responses, draw_anchors, simulate
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.windows.adaptive import window_information
from valueflow.scorers.windows.plan import (
    CENTRES,
    Design,
    bucket_information,
    queries_for_difference,
    rating_variance,
    scale_of_noise,
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


@pytest.mark.parametrize("rated", [False, True])
@pytest.mark.parametrize(
    ("text_sd", "pool", "windows"), [(3.9, 44, 1), (3.9, 44, 3), (2.0, 400, 2)]
)
def test_planned_errors_know_the_judges_disagreement_with_texts(
    text_sd: float, pool: int, windows: int, rated: bool
) -> None:
    generator = np.random.default_rng([round(10 * text_sd), windows, rated])
    truth = cells_of_responses(generator, np.array(CENTRES), 40, 2.0)
    judge = Judge(1.2, text_sd=text_sd)
    anchors = draw_anchors(generator, judge, pool)
    result = evaluate(simulate(generator, judge, truth, windows, anchors=anchors, rated=rated))
    design = study_designs(
        1.2, 40, text_sd=text_sd, anchors=pool, most_windows=windows,
        judge_mode="rating" if rated else "ranking",
    )[-1]  # fmt: skip
    cell = np.sqrt(np.mean([one.se**2 for one in result.cells]))
    assert design.cell_se == pytest.approx(cell, rel=0.3)
    # A judge that agrees with all labels would promise much less.
    assert study_designs(1.2, 40, most_windows=windows)[-1].cell_se < 0.85 * cell


def test_the_parts_of_a_cells_variance_add_up_and_only_one_falls_with_windows() -> None:
    one, *_, ten = (d.cell for d in study_designs(1.2, 100, text_sd=3.9))
    assert one.spread == ten.spread == pytest.approx(4 / 100)
    assert one.text == ten.text == pytest.approx(3.9**2 / 100)
    assert ten.windows < 0.25 * one.windows
    assert one.anchors == pytest.approx(3.9**2 / 44, rel=0.6)
    assert one.total == one.spread + one.text + one.windows + one.anchors
    assert study_designs(1.2, 100, text_sd=3.9)[0].cell_se == pytest.approx(one.total**0.5)


@pytest.mark.parametrize("mode", ["ranking", "rating", "placement"])
def test_for_a_real_judge_questions_come_before_windows(mode: str) -> None:
    def error(queries: int, windows: int) -> float:
        study = {"text_sd": 3.9, "anchors": 10_000, "judge_mode": mode, "most_windows": windows}
        return study_designs(1.2, queries, **study)[-1].cell_se  # type: ignore[arg-type]

    assert error(200, 1) < 0.75 * error(100, 1)
    assert error(100, 2) > 0.85 * error(100, 1)
    assert error(100, 10) > error(200, 1)


def test_anchors_are_a_floor_that_no_questions_reach_below() -> None:
    few = study_designs(1.2, 100, text_sd=3.9, anchors=44, cell_se=0.5)
    many = study_designs(1.2, 100, text_sd=3.9, anchors=10_000, cell_se=0.5)
    assert all(design.queries_needed is None for design in few)
    assert many[0].queries_needed is not None
    again = study_designs(1.2, many[0].queries_needed, text_sd=3.9, anchors=10_000)[0]
    assert again.cell_se == pytest.approx(0.5, abs=0.01)


def test_the_questions_for_a_difference_find_it_with_the_wanted_power() -> None:
    generator = np.random.default_rng(1)
    for variance, power in ((20.0, 0.8), (2.0, 0.8), (20.0, 0.5)):
        n = queries_for_difference(variance, 1.0, power)
        drawn = generator.normal(1.0, np.sqrt(variance), (20_000, n))
        t = drawn.mean(axis=1) / (drawn.std(axis=1, ddof=1) / np.sqrt(n))
        found = float(np.mean(np.abs(t) > stats.t.ppf(0.975, n - 1)))
        assert found == pytest.approx(power, abs=0.04)


def test_a_difference_between_models_has_no_error_of_the_anchors() -> None:
    few, many = (
        study_designs(1.2, 100, text_sd=3.9, anchors=count, difference=1.0, judge_mode="rating")[0]
        for count in (44, 10_000)
    )
    assert few.queries_for_difference == many.queries_for_difference
    cell, shift = few.queries_for_difference or (0, 0)
    assert shift == pytest.approx(2 * cell, rel=0.05)
    variance = 2 * (2.0**2 + 3.9**2 + rating_variance(1.2))
    assert cell == queries_for_difference(variance, 1.0, 0.8)


@pytest.mark.parametrize("rated", [False, True])
def test_the_planned_error_of_a_difference_is_that_of_two_cells_with_the_same_questions(
    rated: bool,
) -> None:
    generator = np.random.default_rng([5, rated])
    truth = cells_of_responses(generator, np.full(4, 1.0), 50, 2.0)
    judge = Judge(1.2, text_sd=3.0)
    anchors = draw_anchors(generator, judge, 300)
    table = simulate(generator, judge, truth, 1, anchors=anchors, rated=rated)
    pairs = {"cell 1": "cell 0", "cell 3": "cell 2"}
    found = np.mean([shift.se for shift in evaluate(table, baselines=pairs).shifts])
    design = study_designs(
        1.2, 50, text_sd=3.0, anchors=300, levels=4, judge_mode="rating" if rated else "ranking"
    )[0]
    parts = design.cell
    planned = np.sqrt(2 * (parts.spread + parts.text + parts.windows))
    assert planned == pytest.approx(found, rel=0.25)


def test_a_scale_and_the_noise_of_a_rating_tell_each_other() -> None:
    for scale in (0.3, 1.2, 3.0):
        assert scale_of_noise(np.sqrt(rating_variance(scale))) == pytest.approx(scale)
    assert np.isfinite(scale_of_noise(0.0))


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
    assert tokens_per_call(6) == 300 + 130 + 150 + 6 * 18
    measured = study_designs(0.5, 40, values=3, levels=5, most_windows=4, call_tokens=500)[3]
    assert measured.tokens == design.calls * 500


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
        ({"text_sd": -1.0}, "text_sd"),
        ({"text_sd": np.nan}, "text_sd"),
        ({"anchors": 0}, "anchors"),
        ({"difference": 0.0}, "difference"),
        ({"difference": 1.0, "power": 1.0}, "power"),
        ({"call_tokens": 0.0}, "call_tokens"),
        ({"judge_mode": "choice"}, "judge_mode"),
    ],
)
def test_a_plan_that_cannot_be_made_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        study_designs(**{"scale": 0.5, "queries": 10, **changes})
