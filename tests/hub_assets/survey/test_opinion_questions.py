"""Survey questions load as they are, and what cannot be scored is refused or counted."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.survey.questions import (
    OpinionSet,
    choose_questions,
    holdout_questions,
    load_opinions,
    question_hash,
)

ROW: dict[str, Any] = {
    "question": "Question: Is tea better?\nOptions: A. Yes B. No\nAnswer:",
    "options": ["Yes", "No"],
    "attribute": "RELIG_Atheist",
    "gold_distribution": [0.7, 0.3],
}


def load(tmp_path: Path, *rows: dict[str, Any]) -> OpinionSet:
    file = tmp_path / "survey.json"
    file.write_text(json.dumps(list(rows)), encoding="utf-8")
    return load_opinions(file)


def with_(**cells: Any) -> dict[str, Any]:
    return {**ROW, **cells}


def test_the_embedded_set_has_60_questions_and_every_group() -> None:
    found = load_opinions("opinionqa-mini")
    assert len(found.questions) >= 60
    assert {row.group for row in found.rows} == {g.name for g in load_registry().opinion.groups}
    assert {len(question.options) for question in found.questions} == {3, 4, 5}
    assert found.dropped == {}
    assert found.notes == ()
    assert "invented" in load_registry().assets["opinionqa-mini"].note
    tied = [row for row in found.rows if sorted(row.gold)[-1] == sorted(row.gold)[-2]]
    assert 3 <= len(tied) <= 40


def test_a_frame_of_prompt_is_taken_off_and_changes_no_hash(tmp_path: Path) -> None:
    found = load(tmp_path, ROW, with_(question="Is  tea better?", attribute="SEX_Male"))
    assert [question.text for question in found.questions] == ["Is tea better?"]
    assert found.questions[0].id == question_hash("is tea better?", ["yes", "NO"])


def test_quotation_marks_of_an_earlier_csv_are_taken_off(tmp_path: Path) -> None:
    options = ["'Has made it easier", '""Don\'t know"', '"It hasn\'t"', "Men's work"]
    found = load(tmp_path, with_(options=options, gold_distribution=[0.25] * 4))
    assert found.questions[0].options == (
        "Has made it easier",
        "Don't know",
        "It hasn't",
        "Men's work",
    )


def test_rows_that_cannot_be_scored_are_left_out_and_counted(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        ROW,
        ROW,
        with_(gold_distribution=[0.2, 0.8]),
        with_(options=["Not selected"], gold_distribution=[1.0]),
        with_(options=["Yes", "No", " yes"], gold_distribution=[0.2, 0.3, 0.5]),
    )
    assert len(found.rows) == 1
    assert found.rows[0].gold == (0.7, 0.3)
    assert found.dropped == {
        "one option only": 1,
        "repeated option texts": 1,
        "repeated question and group": 2,
    }
    assert any("1 of the repeated rows differ" in note for note in found.notes)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"gold_distribution": [0.7, 0.2, 0.1]}, "has 3 numbers for 2 options"),
        ({"gold_distribution": [0.7]}, "has 1 numbers for 2 options"),
        ({"gold_distribution": [0.7, 0.7]}, "sums to 1.4, not to 1"),
        ({"gold_distribution": [70, 30]}, "sums to 100, not to 1"),
        ({"gold_distribution": [1.3, -0.3]}, "negative or no number"),
        ({"gold_distribution": [float("nan"), 1]}, "negative or no number"),
        ({"gold_distribution": "mostly yes"}, "no list of numbers"),
        ({"gold_distribution": None}, "no list of numbers"),
        ({"options": []}, "must be a list of 2 to 26 texts"),
        ({"options": ["Yes", " "]}, "must be a list of 2 to 26 texts"),
        ({"options": "Yes, No"}, "is no list"),
        ({"question": " "}, "is empty"),
        ({"attribute": "RELIG_Buddist"}, "unknown group"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named_with_its_row(
    tmp_path: Path, cells: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputFileError, match="row 2") as error:
        load(tmp_path, ROW, with_(**{"attribute": "SEX_Male", **cells}))
    assert message in str(error.value)


def test_rounded_distributions_are_divided_by_their_sum_and_counted(tmp_path: Path) -> None:
    found = load(tmp_path, with_(gold_distribution=[0.69, 0.3]))
    assert sum(found.rows[0].gold) == pytest.approx(1)
    assert any("1 distributions sum to nearly 1" in note for note in found.notes)


def test_a_set_without_a_row_to_score_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="holds no question that can be scored"):
        load(tmp_path, with_(options=["Not selected"], gold_distribution=[1.0]))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Wie wichtig ist Ihnen das?", ["Sehr wichtig", "Überhaupt nicht"]),
        ("您觉得宗教重要吗？", ["非常重要", "不重要"]),
        ("هل تثق بالحكومة؟", ["نعم", "لا"]),
        ("Насколько вы доверяете соседям?", ["Доверяю", "Не доверяю"]),
        ("Why? " * 2000, ["Yes", "No"]),
    ],
    ids=["German", "Chinese", "Arabic", "Russian", "10,000 characters"],
)
def test_any_script_and_length_comes_through_whole(
    tmp_path: Path, text: str, options: list[str]
) -> None:
    (question,) = load(tmp_path, with_(question=text, options=options)).questions
    assert question.text == text.strip()
    assert question.options == tuple(options)


def test_a_csv_with_json_lists_and_names_of_its_own_gives_the_same(tmp_path: Path) -> None:
    file = tmp_path / "survey.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["item", "options", "who", "shares"])
        for group in ("INCOME_$100,000 or more", "INCOME__100_000_or_more"):
            writer.writerow(["Is tea better?", '["Yes", "No"]', group, "[0.7, 0.3]"])
    found = load_opinions(file, {"question": "item", "group": "who", "distribution": "shares"})
    assert found.questions == load(tmp_path, ROW).questions
    assert [row.group for row in found.rows] == ["INCOME_$100,000 or more"]
    assert found.dropped == {"repeated question and group": 1}


def test_the_wide_layout_gives_the_rows_of_the_long_one(tmp_path: Path) -> None:
    shares = {"RELIG_Atheist": [0.7, 0.3], "SEX_Male": [0.5, 0.5]}
    wide = load(tmp_path, {k: ROW[k] for k in ("question", "options")} | {"distributions": shares})
    long = load(tmp_path, ROW, with_(attribute="SEX_Male", gold_distribution=[0.5, 0.5]))
    assert wide.rows == long.rows


def test_pooling_counts_groups_alike_and_can_leave_one_out(tmp_path: Path) -> None:
    found = load(tmp_path, ROW, with_(attribute="SEX_Male", gold_distribution=[0.1, 0.9]))
    (question,) = found.questions
    pooled, others = found.pooled(question.id), found.pooled(question.id, without="SEX_Male")
    assert pooled is not None
    assert others is not None
    assert pooled == pytest.approx([0.4, 0.6])
    assert others == pytest.approx([0.7, 0.3])
    assert load(tmp_path, ROW).pooled(question.id, without="RELIG_Atheist") is None


def test_questions_are_set_aside_by_their_hash_and_the_seed_alone() -> None:
    questions = [question.id for question in load_opinions("opinionqa-mini").questions]
    apart = holdout_questions(questions, 0.25, 0)
    assert len(apart) == 16
    assert holdout_questions(questions[::-1], 0.25, 0) == apart
    assert holdout_questions(questions, 0.25, 1) != apart
    assert holdout_questions(questions, 0, 0) == frozenset()


@pytest.mark.parametrize("n_questions", ["some", 0, 65, True, 1.5])
def test_a_number_of_questions_that_there_are_not_is_refused(n_questions: object) -> None:
    questions = load_opinions("opinionqa-mini").questions
    with pytest.raises(OptionError, match="n_questions"):
        choose_questions(questions, n_questions, 0)


def test_drawn_questions_keep_their_order_and_depend_on_the_seed() -> None:
    questions = load_opinions("opinionqa-mini").questions
    drawn = choose_questions(questions, 10, 0)
    assert [q for q in questions if q in drawn] == drawn
    assert choose_questions(questions, "10", 0) == drawn
    assert choose_questions(questions, 10, 1) != drawn
