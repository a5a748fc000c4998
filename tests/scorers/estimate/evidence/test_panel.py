"""Several judges of one response: known truth, and what a panel must not claim."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulated_windows import (
    Judge,
    as_one_judge,
    cells_of_responses,
    population_means,
    simulate_panel,
    windows_of,
)
from valueflow.scorers.estimate.evaluation import evaluate, fit_panel
from valueflow.scorers.estimate.evidence.views import product_of, view_powers
from valueflow.scorers.estimate.judge import JudgeModel
from valueflow.scorers.estimate.table import WindowRecordError, WindowTable

SHARP = Judge(1.2, 0.0, 4.0)
CENTRES = np.array([-5.0, 0.0, 5.0])


def panel(
    seed: int, judges: list[Judge], size: int = 20, windows: int = 2, **options: Any
) -> tuple[WindowTable, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = cells_of_responses(generator, CENTRES, size, 2.0)
    return simulate_panel(generator, judges, truth, windows, **options), truth.ravel()


def test_every_judge_has_parameters_of_its_own() -> None:
    table, _ = panel(0, [Judge(0.4, 0.3), Judge(2.0, -0.2)], windows=3)
    found = evaluate(table)
    assert found.panel == ("judge 0", "judge 1")
    assert found.named["value (judge 1)"] == ("value", "judge 1")
    one, other = found.judges["value (judge 0)"], found.judges["value (judge 1)"]
    assert abs(one.scale - 0.4) < 3 * one.scale_se
    assert abs(other.scale - 2.0) < 3 * other.scale_se
    assert one.place_effect > 0.15 > 0 > other.place_effect
    assert all(item.windows == 6 for item in found.items)


def test_a_panel_of_one_is_that_judge() -> None:
    table, _ = panel(1, [SHARP])
    assert table.judge is not None
    alone = evaluate(as_one_judge(table))
    found = evaluate(table)
    assert (found.panel, found.items, found.cells) == ((), alone.items, alone.cells)
    assert list(found.judges) == ["value"]


def test_the_order_of_judges_changes_nothing() -> None:
    table, _ = panel(2, [SHARP, Judge(0.6)])
    assert table.judge is not None
    turned = replace(
        table, judge=1 - table.judge, judges=table.judges[::-1], rating_steps=(1.0, 1.0)
    )
    one, other = evaluate(table), evaluate(turned)
    for a, b in zip(one.cells, other.cells, strict=True):
        assert a.intensity == pytest.approx(b.intensity, abs=1e-6)
        assert a.se == pytest.approx(b.se, rel=1e-6)
    assert one.judges["value (judge 0)"] == other.judges["value (judge 0)"]


def test_responses_and_cells_are_covered_where_judges_disagree_about_texts() -> None:
    inside, cells, errors = [], [], {"panel": [], "one": []}
    for seed in range(4):
        table, truth = panel(10 + seed, [SHARP] * 3, windows=1, anchors=60)
        found = evaluate(table)
        inside += [e.lower <= x <= e.upper for e, x in zip(found.items, truth, strict=True)]
        means = population_means(CENTRES, 2.0)
        cells += [c.lower <= x <= c.upper for c, x in zip(found.cells, means, strict=True)]
        own = np.array([e.flat_prior for e in found.items])
        errors["panel"].append(np.mean((own - truth) ** 2))
        alone = evaluate(table.of_judge("judge 0"))
        own = np.array([e.flat_prior for e in alone.items])
        errors["one"].append(np.mean((own - truth) ** 2))
    assert 0.88 <= np.mean(inside) <= 1
    assert np.mean(cells) >= 0.8
    # Three independent views: far better than one, by less than three where they are shrunken.
    assert np.mean(errors["panel"]) < 0.65 * np.mean(errors["one"])


def test_disagreement_of_judges_is_in_the_error_of_a_response() -> None:
    # Twenty windows of two known judges that disagree about texts: each is sure of what it sees, so
    # that as one judge's the windows would leave an error of a fraction of a point.
    table, _ = panel(3, [SHARP] * 2, size=6, windows=10)
    found = evaluate(table)
    assert np.median([e.flat_prior_se for e in found.items]) > 1.7
    known = evaluate(as_one_judge(table), judge=JudgeModel(1.2))
    assert np.median([e.flat_prior_se for e in known.items]) < 0.7


@pytest.mark.parametrize("together", [0.0, 0.8])
def test_what_judges_share_is_told_by_the_anchors(together: float) -> None:
    found = []
    for seed in range(3):
        table, _ = panel(
            20 + seed, [SHARP, Judge(2.0, 0.1, 3.0)], windows=3, anchors=60, together=together
        )
        shared = evaluate(table).shared
        assert shared is not None
        assert shared.anchors[0, 1] == shared.anchors[1, 0] <= 60
        assert abs(shared.estimate[0, 1] - together) < 3 * shared.se[0, 1] + 0.05
        found.append(shared.correlation[0, 1])
    assert np.mean(found) == pytest.approx(together, abs=0.2)


def test_a_view_that_judges_share_does_not_average_out() -> None:
    errors = {}
    for together in (0.0, 0.9):
        table, _ = panel(30, [SHARP] * 3, windows=3, anchors=60, together=together)
        errors[together] = np.median([e.flat_prior_se for e in evaluate(table).items])
    assert errors[0.9] > 1.25 * errors[0.0]


def test_judges_that_rank_and_judges_that_rate_make_one_panel() -> None:
    table, truth = panel(4, [SHARP, Judge(2.0, 0.0, 1.0)], windows=2, rated=[False, True])
    found = evaluate(table)
    assert list(found.judges) == ["value (judge 0)"]
    assert list(found.rating_judges) == ["value (judge 1)"]
    rater = evaluate(table.of_judge("judge 1"))
    own, alone = (np.array([e.flat_prior for e in one.items]) for one in (found, rater))
    # The rater tells nearly all; the ranking must not take from it.
    assert np.mean((own - truth) ** 2) < 1.15 * np.mean((alone - truth) ** 2)


def test_judges_that_share_windows_cost_what_one_does() -> None:
    table, truth = panel(5, [SHARP] * 3, windows=3, split=True, anchors=200)
    assert table.windows == 3 * len(truth)
    found = evaluate(table)
    assert {item.windows for item in found.items} == {3}
    table, truth = panel(5, [SHARP] * 3, windows=1, split=True, anchors=200)
    found = evaluate(table)
    assert (
        np.mean([e.lower <= x <= e.upper for e, x in zip(found.items, truth, strict=True)]) > 0.85
    )
    assert any("No response was judged by two judges" in note for note in found.notes)


def test_without_one_judge_is_the_panel_of_the_others() -> None:
    table, _ = panel(6, [SHARP, Judge(0.6), Judge(2.0)], windows=1)
    fitted = fit_panel(table)
    found = evaluate(table, fitted=fitted.without("judge 1"))
    others = evaluate(table.of_judges(["judge 0", "judge 2"]))
    assert found.panel == ("judge 0", "judge 2")
    assert found.cells == others.cells


def test_two_independent_views_multiply_and_two_equal_ones_count_once() -> None:
    grid = np.linspace(-10, 10, 161)
    one, other = (np.exp(-0.5 * ((grid - at) / 2) ** 2)[None] for at in (-1.0, 1.0))
    powers, share = view_powers([one, other], grid, [2.0, 2.0], np.eye(2))
    np.testing.assert_allclose(powers, 1)
    np.testing.assert_allclose(share, 0.5)
    together = np.array([[1, 0.999], [0.999, 1]])
    powers, _ = view_powers([one, one], grid, [2.0, 2.0], together)
    joint = product_of([one, one], powers)
    np.testing.assert_allclose(joint, one / one.max(), atol=2e-3)
    nothing = np.ones_like(one)
    powers, share = view_powers([one, nothing], grid, [2.0, 2.0], together)
    np.testing.assert_allclose(powers[:, 0], 1)
    np.testing.assert_allclose(share[:, 0], [1, 0], atol=1e-5)


def test_three_correlated_views_have_the_variance_of_their_best_combination() -> None:
    grid = np.linspace(-10, 10, 801)
    sds, r = np.array([1.0, 1.5, 2.0]), np.full((3, 3), 0.4) + 0.6 * np.eye(3)
    views = [np.exp(-0.5 * (grid / sd) ** 2)[None] for sd in sds]
    powers, _ = view_powers(views, grid, sds, r)
    joint = product_of(views, powers)[0]
    variance = (joint * grid**2).sum() / joint.sum()
    best = 1 / np.linalg.inv(r * np.outer(sds, sds)).sum()
    assert variance == pytest.approx(best, rel=1e-3)


def record(**changes: Any) -> dict[str, Any]:
    return {
        "item": "i",
        "cell": "c",
        "value": "v",
        "query": "q",
        "anchors": [-6.0, 0.0, 6.0],
        "order": [3, 0, 2, 1],
        "position": 0,
        **changes,
    }


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({}, "'judge': is missing, while earlier records name theirs"),
        ({"judge": 3}, "3 is no name of a judge"),
        ({"judge": " "}, "' ' is no name of a judge"),
    ],
)
def test_records_that_name_their_judge_wrongly_are_refused(second: Any, message: str) -> None:
    with pytest.raises(WindowRecordError, match=message):
        WindowTable.from_records([record(judge="a"), record(**second)])
    with pytest.raises(WindowRecordError, match=r"record 1.*earlier records name no judge"):
        WindowTable.from_records([record(), record(judge="a")])


def test_two_judges_may_rate_on_two_scales_and_one_judge_may_not() -> None:
    ratings = {"order": None, "ratings": [2, 1, 4, 7], "rating_scale": [1, 7]}
    other = {"order": None, "ratings": [50, 0, 51, 100], "rating_scale": [0, 100]}
    table = WindowTable.from_records([record(judge="a", **ratings), record(judge="b", **other)])
    assert table.ratings is not None
    assert table.ratings[0, 0] == pytest.approx(-10 + 20 / 6)
    assert table.ratings[1, 0] == pytest.approx(0)
    assert table.of_judge("a").rating_step == pytest.approx(20 / 6)
    assert table.of_judge("b").rating_step == pytest.approx(0.2)
    with pytest.raises(WindowRecordError, match="mixed scales"):
        WindowTable.from_records([record(judge="a", **ratings), record(judge="a", **other)])


def test_a_value_that_one_judge_did_not_see_is_the_others_and_told() -> None:
    generator = np.random.default_rng(8)
    rows = []
    for judge, values in (("a", "xy"), ("b", "x")):
        for value in values:
            for i in range(8):
                anchors = sorted(generator.uniform(-10, 10, 5).round(1).tolist())
                seen = np.array([generator.normal(4, 3), *anchors]) + generator.gumbel(0, 1, 6)
                order = np.argsort(-seen).tolist()
                rows.append(
                    record(item=f"{value}{i}", cell=value, value=value, query=f"q{i}")
                    | {"anchors": anchors, "order": order, "judge": judge}
                )
    table = WindowTable.from_records(rows)
    found = evaluate(table)
    assert any(note.startswith("b judged no window of y:") for note in found.notes)
    alone = evaluate(table.of_judges(["a"]))
    assert [c for c in found.cells if c.cell == "y"] == [c for c in alone.cells if c.cell == "y"]
    assert set(found.judges) == {"x (a)", "y (a)", "x (b)"}
    assert table.judge is not None
    kept = (table.item_value[table.item] == 0) == (table.judge == 1)
    apart = replace(windows_of(table, np.flatnonzero(kept)), judge=table.judge[kept])
    told = evaluate(apart).notes
    assert any("No response was judged by two judges" in note for note in told)
    assert sum("judged no window of" in note for note in told) == 2


def test_the_reference_estimator_takes_a_panel_for_one_judge_and_says_so() -> None:
    table, _ = panel(9, [SHARP, Judge(0.6)])
    found = evaluate(table, estimator="reference")
    assert found.cells == evaluate(as_one_judge(table), estimator="reference").cells
    assert any("knows one judge" in note for note in found.notes)
