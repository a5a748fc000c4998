"""Gains and losses by question, from answers whose truth is plain."""

import math

import pytest
from scipy import stats

from valueflow.hub_assets.survey.sample import OpinionSample, Pass
from valueflow.scorers.survey.accuracy import summarize_options
from valueflow.scorers.survey.answers import ReadAnswer
from valueflow.scorers.survey.questions import question_differences
from valueflow.scorers.survey.records import OptionRecord, option_record


def answer(
    question: str, group: str, name: Pass, option: int | None, epoch: int = 1
) -> OptionRecord:
    """Option 0 is right."""
    sample = OpinionSample(
        pass_name=name,
        group=group,
        attribute=group.split("_")[0],
        question=question,
        text="So?",
        options=("Yes", "No"),
        gold=(0.8, 0.2),
        pooled=(0.8, 0.2),
    )
    return option_record(
        sample, ReadAnswer(option, "unparsed" if option is None else "letter"), epoch=epoch
    )


def both(
    question: str, group: str, first: int | None, second: int | None, epoch: int = 1
) -> list[OptionRecord]:
    return [
        answer(question, group, "profile", first, epoch),
        answer(question, group, "default", second, epoch),
    ]


def test_a_question_is_gained_where_only_the_first_pass_is_right() -> None:
    records = [*both("a", "SEX_Male", 0, 1), *both("a", "SEX_Female", 0, 0)]
    (found,) = question_differences(records, "profile", "default")
    assert (found.gained, found.lost, found.rows) == (("SEX_Male",), (), 2)
    assert found.difference == 0.5
    assert (found.first_named, found.second_named) == ({0: 2}, {0: 1, 1: 1})


def test_answers_that_one_pass_lacks_do_not_count() -> None:
    records = [
        *both("a", "SEX_Male", None, 1),
        *both("b", "SEX_Male", 0, 0),
        answer("c", "SEX_Male", "default", 0),
        answer("b", "SEX_Female", "profile", 0),
    ]
    (found,) = question_differences(records, "profile", "default")
    assert (found.question, found.rows, found.net) == ("b", 1, 0)


def test_every_epoch_is_a_row_of_its_own() -> None:
    records = [r for epoch in (1, 2) for r in both("a", "SEX_Male", 1, 0, epoch)]
    (found,) = question_differences(records, "profile", "default")
    assert (found.rows, found.lost) == (2, ("SEX_Male", "SEX_Male"))


def test_many_groups_gained_stand_before_one_of_one() -> None:
    records = [
        *both("b", "SEX_Male", 0, 1),
        *(r for n in range(5) for r in both("a", f"RACE_{n}", 0, 1 if n < 3 else 0)),
        *both("c", "SEX_Male", 1, 0),
    ]
    found = question_differences(records, "profile", "default")
    assert [(one.question, one.net) for one in found] == [("a", 3), ("b", 1), ("c", -1)]


def test_accuracies_have_t_intervals_on_one_degree_less_than_questions() -> None:
    options = {"a": (0, 0), "b": (0, 1), "c": (1, 1)}
    records = [
        answer(question, group, "default", option)
        for question, pair in options.items()
        for group, option in zip(("SEX_Male", "SEX_Female"), pair, strict=True)
    ]
    scope = next(s for s in summarize_options(records).scopes if s.pass_name == "default")
    # Means by question are 1, 1/2 and 0; their standard error is 1/2 over the root of three.
    half = stats.t.ppf(0.975, 2) * 0.5 / math.sqrt(3)
    assert scope.bounds["accuracy"] == pytest.approx((0.5 - half, 0.5 + half))
    assert scope.counts["accuracy"] == 6


def test_one_question_has_no_interval() -> None:
    scope = summarize_options([answer("a", "SEX_Male", "default", 0)]).scopes[0]
    assert all(math.isnan(end) for end in scope.bounds["accuracy"])
