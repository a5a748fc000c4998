"""Accuracies, distances and tests agree with what can be worked out by hand."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from valueflow.scorers.survey.accuracy import (
    MACRO,
    OptionSummary,
    PairedDifference,
    clustered_mean,
    flatten_options,
    mcnemar,
    summarize_options,
)
from valueflow.scorers.survey.records import (
    OptionRecord,
    blind_credit,
    credit,
    earth_mover,
    jensen_shannon,
    top_options,
)


def record(correct: float | None = 1.0, **fields: Any) -> OptionRecord:
    found = {
        "pass_name": "default",
        "group": "SEX_Male",
        "attribute": "SEX",
        "question": "q0",
        "epoch": 1,
        "option": None if correct is None else 0,
        "rule": "unparsed" if correct is None else "letter",
        "truncated": False,
        "correct": correct,
        "tied": False,
        "baseline": 1.0,
        "baseline_others": None,
        "lines": 0,
        "js": None,
        "emd": None,
        "baseline_js": 0.1,
        "baseline_emd": None,
        "covered": None,
        "leakage": "",
        "reader": "1",
    }
    return OptionRecord(**{**found, **fields})  # type: ignore[typeddict-item]


def figure(summary: OptionSummary, name: str, key: str = "accuracy", scope: str = "") -> Any:
    (found,) = [s for s in summary.scopes if (s.pass_name, s.scope) == (name, scope)]
    return found.figures[key]


def difference(summary: OptionSummary, first: str, second: str) -> PairedDifference:
    (found,) = [
        d for d in summary.differences if (d.first, d.second, d.scope) == (first, second, "")
    ]
    return found


def test_each_of_the_tied_options_is_right() -> None:
    gold = [0.4, 0.4, 0.2]
    assert top_options(gold) == [0, 1]
    assert [credit(option, gold) for option in range(3)] == [1, 1, 0]
    assert blind_credit([0.1, 0.5, 0.4], gold) == 1
    assert blind_credit([0.1, 0.45, 0.45], gold) == 0.5


def test_jensen_shannon_is_0_for_the_same_and_1_for_nothing_in_common() -> None:
    assert jensen_shannon([0.2, 0.8], [0.2, 0.8]) == 0
    assert jensen_shannon([1, 0], [0, 1]) == pytest.approx(1)
    # H(3/4) - 1/2 for a certain against an even answer.
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert jensen_shannon([1, 0], [0.5, 0.5]) == pytest.approx(entropy - 0.5)


def test_the_earth_is_moved_further_between_options_that_lie_apart() -> None:
    assert earth_mover([1, 0, 0], [0, 0, 1]) == 1
    assert earth_mover([1, 0, 0], [0, 1, 0]) == 0.5
    assert earth_mover([0.5, 0, 0.5], [0, 1, 0]) == 0.5
    assert earth_mover([0.3, 0.7], [0.3, 0.7]) == 0


def test_rows_of_one_question_count_as_one_for_the_error() -> None:
    generator = np.random.default_rng(0)
    single = generator.integers(0, 2, 50).astype(float)
    alone, clusters = clustered_mean(single, np.arange(50))
    assert clusters == 50
    assert alone.se == pytest.approx(single.std(ddof=1) / math.sqrt(50))
    repeated, _ = clustered_mean(np.repeat(single, 4), np.repeat(np.arange(50), 4))
    assert repeated.value == pytest.approx(alone.value)
    assert repeated.se == pytest.approx(alone.se)


def test_the_clustered_error_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    inside = 0
    for _ in range(400):
        easy = generator.normal(0, 0.25, 60) + 0.5
        outcome = generator.random((60, 5)) < np.clip(easy, 0, 1)[:, None]
        found, clusters = clustered_mean(outcome.astype(float).ravel(), np.repeat(np.arange(60), 5))
        half = stats.t.ppf(0.975, clusters - 1) * found.se
        inside += abs(found.value - 0.5) <= half
    assert 0.92 <= inside / 400 <= 0.975


def test_no_error_is_given_for_one_question() -> None:
    found, _ = clustered_mean(np.array([0.0, 1.0]), np.array([0, 0]))
    assert found.value == 0.5
    assert math.isnan(found.se)


@pytest.mark.parametrize("counts", [(3, 9), (0, 5), (7, 7), (0, 0), (40, 12)])
def test_mcnemar_is_the_two_sided_binomial_test(counts: tuple[int, int]) -> None:
    n = sum(counts)
    wanted = stats.binomtest(counts[0], n).pvalue if n else 1.0
    assert mcnemar(*counts) == pytest.approx(wanted)


def test_unparsed_and_refused_answers_are_neither_right_nor_wrong() -> None:
    found = summarize_options(
        [
            record(1.0, question="q0"),
            record(0.0, question="q1"),
            record(None, question="q2"),
            record(None, question="q3", rule="refused", truncated=True),
        ]
    )
    assert figure(found, "default").value == 0.5
    assert figure(found, "default", "accuracy_all").value == 0.25
    assert figure(found, "default", "unparsed").value == 0.25
    assert figure(found, "default", "refused").value == 0.25
    assert found.counts["unparsed"] == found.counts["refused"] == found.counts["truncated"] == 1
    flat = flatten_options(found)
    scopes = {name.split(" ")[1] for name in flat if name.endswith(" accuracy_all")}
    attributes = {one.scope for one in found.scopes} - {"", *found.groups}
    # Over all, as their mean and by attribute; the published figures are such.
    assert scopes - {"accuracy_all"} == attributes
    assert flat["default macro accuracy_all"] == 0.25


def test_macro_weighs_attributes_alike_and_micro_rows() -> None:
    rows = [record(1.0, question=f"q{n}") for n in range(3)]
    rows.append(record(0.0, question="q9", attribute="RACE", group="RACE_Asian"))
    found = summarize_options(rows)
    assert figure(found, "default").value == 0.75
    assert figure(found, "default", scope=MACRO).value == 0.5
    assert figure(found, "default", scope="SEX").value == 1
    assert figure(found, "default", scope="RACE_Asian").value == 0


def test_passes_are_compared_on_the_rows_that_both_answered() -> None:
    rows = []
    outcomes = [(1.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (None, 1.0), (1.0, None)]
    for n, (profile, default) in enumerate(outcomes):
        rows.append(record(profile, question=f"q{n}", pass_name="profile"))
        rows.append(record(default, question=f"q{n}"))
    found = difference(summarize_options(rows), "profile", "default")
    assert (found.rows, found.first_only, found.second_only) == (4, 2, 1)
    assert found.figure.value == pytest.approx(0.25)
    values = np.array([1, 1, -1, 0])
    assert found.figure.se == pytest.approx(values.std(ddof=1) / 2)
    assert found.high - found.figure.value == pytest.approx(stats.t.ppf(0.975, 3) * found.figure.se)
    assert found.p_value == mcnemar(2, 1)


def test_the_baseline_stands_beside_and_needs_no_answer() -> None:
    rows = [record(None, question="q0", baseline=1.0), record(1.0, question="q1", baseline=0.5)]
    found = summarize_options(rows)
    assert figure(found, "baseline").value == 0.75
    pair = difference(found, "default", "baseline")
    assert pair.figure.value == 0.5
    assert math.isnan(pair.p_value)


def test_epochs_are_averaged_and_do_not_swell_mcnemars_counts() -> None:
    rows = []
    for epoch in (1, 2, 3):
        for n in range(4):
            rows.append(record(1.0, question=f"q{n}", epoch=epoch, pass_name="profile"))
            rows.append(record(float(n == 0), question=f"q{n}", epoch=epoch))
    found = difference(summarize_options(rows), "profile", "default")
    assert found.rows == 12
    assert found.first_only == 3
    assert found.figure.value == 0.75


def test_ties_of_the_gold_are_counted_once_a_row() -> None:
    rows = [record(tied=True), record(tied=True, pass_name="profile"), record(question="q1")]
    assert summarize_options(rows).counts["gold_ties"] == 1


def test_no_records_give_no_figures() -> None:
    found = summarize_options([])
    assert found.scopes == []
    assert found.counts["answers"] == 0
