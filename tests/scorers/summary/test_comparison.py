"""Two runs compared: differences that are there are found, others seldom, and never in silence."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from comparison import (
    GAIN,
    Design,
    replicated,
    responses_of_run,
    tally,
    true_differences,
    two_runs,
)
from scipy.special import stdtrit

from simulated_windows import Judge, draw_anchors
from valueflow.hub_assets.errors import ValueflowError
from valueflow.scorers.figures import adjusted
from valueflow.scorers.summary.comparison import Comparison, compare

SMALL = Design(values=("power", "tradition"))


def runs(seed: int, design: Design = SMALL) -> tuple[list[Any], list[Any]]:
    return two_runs(np.random.default_rng(seed), design)


def with_judge(responses: list[Any], **fields: Any) -> list[Any]:
    return [{**one, "judge": {**one["judge"], **fields}} for one in responses]


def notes(found: Comparison) -> str:
    return "\n".join(found.notes)


@pytest.fixture(scope="module")
def null_runs() -> list[Comparison]:
    return replicated(SMALL, 80)


@pytest.mark.slow
def test_where_nothing_differs_single_tests_err_at_their_level_and_holm_less_often_than_it(
    null_runs: list[Comparison],
) -> None:
    truth = true_differences(SMALL)
    for what in ("mean", "shift"):
        found = tally(null_runs, truth, what)
        # 80 runs of 10 cells: a Monte-Carlo error of about 0.01 at most for the first, and of
        # 0.025 for the chance of any false finding in a run.
        assert 0.015 <= found.false_positives <= 0.075
        assert found.any_false_holm <= 0.11
        assert found.any_false_holm < found.any_false_uncorrected
        assert 0.925 <= found.coverage <= 0.985


@pytest.mark.slow
def test_a_model_that_goes_farther_is_found_where_it_does() -> None:
    design = Design(values=SMALL.values, queries=30, gain=tuple(GAIN.tolist()))
    comparisons = replicated(design, 12)
    truth = true_differences(design)
    found = tally(comparisons, truth, "mean")
    assert 0.90 <= found.coverage <= 1
    top = [row for one in comparisons for row in one.of("mean") if row.level == 2]
    assert np.mean([row.differs for row in top]) > 0.5
    assert np.mean([row.difference for row in top]) == pytest.approx(truth["mean", 2], abs=0.25)
    shifts = [row for one in comparisons for row in one.of("shift") if row.level == 2]
    assert np.mean([row.difference for row in shifts]) == pytest.approx(truth["shift", 2], abs=0.35)


def test_pairing_by_query_narrows_intervals_where_queries_matter() -> None:
    paired = compare(*runs(1, Design(values=("power",), query_sd=3.0, queries=40)))
    apart = compare(*runs(1, Design(values=("power",), query_sd=3.0, queries=40, paired=False)))
    ours, theirs = ([row.se for row in one.of("mean")] for one in (paired, apart))
    assert np.mean(ours) < 0.75 * np.mean(theirs)
    assert {row.shared for row in paired.of("mean")} == {40}
    assert {row.shared for row in apart.of("mean")} == {0}
    assert "share no query" in notes(apart)
    assert "share no query" not in notes(paired)


def test_the_order_of_a_and_b_only_flips_signs() -> None:
    a, b = runs(2)
    for there, back in zip(compare(a, b).differences, compare(b, a).differences, strict=True):
        assert (there.what, there.cell, there.shared) == (back.what, back.cell, back.shared)
        assert there.difference == pytest.approx(-back.difference, abs=1e-6)
        assert there.se == pytest.approx(back.se, rel=1e-5)
        assert there.p_adjusted == pytest.approx(back.p_adjusted, abs=1e-5)
        assert (there.a.value, there.lower) == pytest.approx((back.b.value, -back.upper), abs=1e-5)


def test_the_order_of_responses_changes_nothing() -> None:
    a, b = runs(3)
    shuffled = [a[i] for i in np.random.default_rng(0).permutation(len(a))]
    assert compare(a, b).differences == compare(shuffled, b).differences


def test_a_run_compared_with_itself_differs_nowhere() -> None:
    a, _ = runs(4)
    found = compare(a, a)
    assert found.same_judge
    for row in found.differences:
        assert row.difference == pytest.approx(0, abs=1e-8)
        assert row.p_adjusted == pytest.approx(1)
        assert not row.differs


def test_the_same_responses_judged_twice_differ_by_their_judgements_alone() -> None:
    design = Design(values=("power",), judged_again=True)
    found = replicated(design, 12)
    # 12 runs of 5 cells: a Monte-Carlo error of about 0.03.
    assert 0.87 <= tally(found, true_differences(design), "mean").coverage <= 1.0
    assert all("judgements of the same texts" in notes(one) for one in found)
    apart = replicated(Design(values=("power",)), 6)
    ours, theirs = ([row.se for one in runs for row in one.of("mean")] for runs in (found, apart))
    assert np.mean(ours) < 0.8 * np.mean(theirs)


def test_a_log_compared_with_itself_has_no_room_for_a_difference() -> None:
    a, _ = runs(4)
    known = [{**one, "response_sha256": one["item"]} for one in a]
    # One side's responses come in another order, which rounding may tell.
    for row in compare(known, known[::-1]).differences:
        assert abs(row.difference) < 1e-8
        assert max(abs(row.lower), abs(row.upper)) < 1e-6
        assert row.p_value == 1.0
        assert not row.differs


def test_shifts_are_differences_of_differences_with_errors_of_four_cells() -> None:
    a, b = runs(5)
    found = compare(a, b)
    means = {row.cell: row for row in found.of("mean")}
    assert [row.cell for row in found.of("shift")] == [c for c in means if not c.endswith("/0")]
    for row in found.of("shift"):
        own, default = means[row.cell], means[f"{row.value}/0"]
        assert row.difference == pytest.approx(own.difference - default.difference)
        assert row.a.value == pytest.approx(own.a.value - default.a.value)
        # Each side's responses are drawn on their own: both differences have errors.
        assert row.se > 0.9 * max(own.se, default.se)
        assert row.se < 1.2 * np.hypot(own.se, default.se)


def test_two_judges_are_estimated_apart_and_the_user_is_told() -> None:
    a, b = runs(6, Design(values=("power",), two_judges=True, queries=40))
    found = compare(a, b)
    assert not found.same_judge
    assert len(found.evaluations) == 2
    scales = [evaluation.judges["power"].scale for evaluation in found.evaluations]
    assert scales[0] > 1.4 * scales[1]
    assert "different judges (first and second" in notes(found)
    # A judge's own error does not cancel against another's.
    one = compare(a, with_judge(b, model="first"))
    assert one.same_judge
    assert len(one.evaluations) == 1


@pytest.mark.slow
def test_two_judges_do_not_make_differences() -> None:
    design = Design(values=SMALL.values, two_judges=True)
    found = tally(replicated(design, 40), true_differences(design), "mean")
    assert found.false_positives <= 0.085
    assert found.coverage >= 0.915


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"vidb_sha256": "1", "vidb": "other.csv"}, "the anchors differ .*other.csv, hash 1"),
        ({"prompt_version": "2"}, "the versions of the judge's prompt differ .1 and 2."),
    ],
)
def test_scales_that_cannot_be_compared_are_compared_only_by_force(
    fields: dict[str, str], message: str
) -> None:
    a, b = runs(7)
    other = with_judge(b, **fields)
    with pytest.raises(ValueflowError, match=f"not on one scale: {message}.*--force"):
        compare(a, other)
    found = compare(a, other, force=True)
    assert not found.same_judge
    assert "Compared although the" in notes(found)


def test_anchors_whose_intensities_were_changed_are_noticed() -> None:
    a, b = runs(8)
    other = copy.deepcopy(b)
    for response in other:
        for value in response["values"].values():
            for window in value["windows"]:
                window["anchors"] = [-number for number in window["anchors"]]
    with pytest.raises(ValueflowError, match="anchors have another intensity in A than in B"):
        compare(a, other)


def test_several_judges_on_one_side_are_an_error() -> None:
    a, b = runs(9)
    with pytest.raises(
        ValueflowError, match=r"^A: responses with different judges \(model 'first'"
    ):
        compare(a[:100] + with_judge(a[100:], model="another"), b)


def test_runs_without_a_common_cell_are_an_error_that_lists_what_each_has() -> None:
    a, b = runs(10)
    upper = [r for r in a if "power/+2" in r["item"]]
    lower = [r for r in b if "power/-2" in r["item"]]
    with pytest.raises(ValueflowError, match=r"A has power/\+2; B has power/-2"):
        compare(upper, lower)
    nothing = [{**r, "values": {}, "judge": {}} for r in a]
    with pytest.raises(ValueflowError, match=r"^B: holds no response with a ranking"):
        compare(a, nothing)


def test_missing_responses_are_counted_and_the_rest_is_compared() -> None:
    a, b = runs(11)
    fewer = [
        r for r in a if r["query"] not in ("query 0", "query 1") or "power/+2" not in r["item"]
    ]
    refused = [
        {
            **r,
            "refusal": True,
            "unscored": "refusal",
            "values": {name: {**v, "windows": []} for name, v in r["values"].items()},
        }
        if "tradition/-2" in r["item"] and r["query"] < "query 13"
        else r
        for r in b
        if "power/-1" not in r["item"]
    ]
    found = compare(fewer, refused)
    shared = {row.cell: row.shared for row in found.of("mean")}
    assert shared["power/+2"] == 18
    assert shared["tradition/-2"] == 15
    assert shared["power/0"] == 20
    assert "power/-1" not in shared
    # The shift takes the queries that all four of its cells have.
    assert {row.shared for row in found.of("shift") if row.cell == "power/+2"} == {18}
    side = found.cells["tradition/-2"][1]
    assert side is not None
    assert (side.responses, side.scored, side.refusals) == (20, 15, 5)
    assert "Only A has scored responses of power/-1" in notes(found)
    assert "share only a part of their queries in power/+2, tradition/-2" in notes(found)
    assert "unevenly spread in tradition/-2 (0% of A, 25% of B)" in notes(found)


def test_few_queries_are_told() -> None:
    few = compare(*runs(12, Design(values=("power",), queries=6)))
    assert "Fewer than 10 queries stand behind power/-2" in notes(few)
    assert "Fewer than 10" not in notes(compare(*runs(12, Design(values=("power",), queries=10))))


def test_one_response_a_cell_is_no_finding() -> None:
    found = compare(*runs(13, Design(values=("power",), queries=1)))
    assert len(found.of("mean")) == 5
    assert not any(row.differs for row in found.differences)
    assert all(row.se > 0.5 for row in found.differences)


def test_cells_come_in_the_registrys_order() -> None:
    a, b = runs(14, Design(values=("tradition", "benevolence"), queries=3))
    cells = [row.cell for row in compare(a, b).of("mean")]
    levels = ("-2", "-1", "0", "+1", "+2")
    assert cells == [
        f"{value}/{level}" for value in ("benevolence", "tradition") for level in levels
    ]


def test_values_that_are_in_no_registry_are_compared_too() -> None:
    generator = np.random.default_rng(15)
    anchors = {"thrift": draw_anchors(generator, Judge(), 200)}
    a, b = (
        responses_of_run(
            generator, Judge(), "one", anchors, {"thrift": generator.normal(0, 1, (5, 4))}, 0, 2
        )
        for _ in range(2)
    )
    assert [row.value for row in compare(a, b).of("mean")] == ["thrift"] * 5


def test_corrections_are_those_of_their_authors() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.005])
    assert adjusted(p, "holm") == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjusted(p, "bh") == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert adjusted(p, "none") == pytest.approx(p)
    assert adjusted(np.array([0.6, 0.9]), "holm") == pytest.approx([1.0, 1.0])
    assert not len(adjusted(np.array([]), "bh"))
    with pytest.raises(ValueError, match="correction must be one of"):
        adjusted(p, "bonferroni")


@pytest.mark.parametrize("correction", ["holm", "bh", "none"])
def test_a_correction_changes_p_values_and_never_a_difference(correction: str) -> None:
    a, b = runs(16)
    found = compare(a, b, correction=correction, confidence=0.9)
    plain = compare(a, b, correction="none")
    for row, other in zip(found.differences, plain.differences, strict=True):
        assert (row.difference, row.se, row.p_value) == (other.difference, other.se, other.p_value)
        assert row.p_adjusted >= row.p_value
        assert row.differs == (row.p_adjusted < 1 - 0.9)
        half = stdtrit(SMALL.queries - 1, 0.95) * row.se
        assert row.upper - row.lower == pytest.approx(2 * half)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"confidence": 1.0}, "confidence must lie"), ({"correction": "tukey"}, "correction must be")],
)
def test_options_out_of_range_are_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare([], [], **options)
