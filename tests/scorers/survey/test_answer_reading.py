"""Answers are read by strict rules; what is not clear names no option."""

import pytest

from valueflow.scorers.survey.answers import ReadAnswer, read_answer

FACTOR = ["Major factor", "Minor factor", "Not a factor"]
AMOUNT = ["A lot", "A little", "None"]
SCALE = ["Important", "Not too important", "Not at all important", "Not sure"]


@pytest.mark.parametrize(
    ("answer", "option", "rule"),
    [
        ("A", 0, "letter"),
        (" b\n", 1, "letter"),
        ("Ｃ", 2, "letter"),
        ("<think>A or B?</think>B", 1, "letter"),
        ("C.", 2, "marked letter"),
        ("(B)", 1, "marked letter"),
        ("**B**", 1, "marked letter"),
        ("\\boxed{B}", 1, "marked letter"),
        ("b)", 1, "marked letter"),
        ("Answer: C", 2, "marked letter"),
        ("answer: c", 2, "marked letter"),
        ("The answer is B.", 1, "marked letter"),
        ("Option B", 1, "marked letter"),
        ("B. Minor factor", 1, "marked letter"),
        ("Answer: A. Major factor", 0, "marked letter"),
        ("A\n\nThat is how I see it.", 0, "marked letter"),
        ("A, since it matters", 0, "marked letter"),
        ("I choose C", 2, "sentence"),
        ("I would choose C because it fits.", 2, "sentence"),
        ("I'd go with B.", 1, "sentence"),
        ("My choice would be (C).", 2, "sentence"),
        ("A) is wrong, I choose B", 1, "sentence"),
        ("Not a factor", 2, "option text"),
        ("not a factor.", 2, "option text"),
        ("For me it would be a minor  factor", 1, "option text"),
    ],
)
def test_an_answer_that_names_one_option_is_read(answer: str, option: int, rule: str) -> None:
    found = read_answer(answer, FACTOR)
    assert (found.option, found.rule) == (option, rule)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "D",
        "I",
        "Both A and B",
        "Neither A nor B",
        "I choose A or B",
        "I don't choose C",
        "B. Major factor",
        "A: Major factor because B is too weak",
        "A factor",
        "A friend would know",
        "Major factor or minor factor",
        "It is not a major factor",
        "<think>A or",
        "Maybe",
    ],
)
def test_an_answer_that_is_not_clear_names_no_option(answer: str) -> None:
    found = read_answer(answer, FACTOR)
    assert (found.option, found.rule) == (None, "unparsed")


@pytest.mark.parametrize(
    ("answer", "option"),
    [
        ("A little", 1),
        ("A lot", 0),
        ("Answer: A little", 1),
        ("I'd say A little", 1),
        ("A. A lot", 0),
        ("A. A little", None),
        ("Answer: A because it is so", 0),
    ],
)
def test_a_text_that_begins_like_a_letter_is_no_letter(answer: str, option: int | None) -> None:
    assert read_answer(answer, AMOUNT).option == option


def test_the_longest_text_hides_those_inside_it() -> None:
    assert read_answer("Not too important", SCALE).option == 1
    assert read_answer("Important", SCALE).option == 0
    assert read_answer("Not important", SCALE).option is None


def test_refusals_are_apart_from_what_cannot_be_read() -> None:
    for answer in ("I'm sorry, but I can't help with that.", "As an AI I cannot answer that."):
        assert read_answer(answer, FACTOR).rule == "refused"
    assert read_answer("A", FACTOR, filtered=True).rule == "refused"
    assert read_answer("Purple", FACTOR).rule == "unparsed"


@pytest.mark.parametrize(
    ("answer", "options", "option"),
    [
        ("我选择非常重要。", ["非常重要", "不重要"], 0),
        ("不重要", ["重要", "不重要"], 1),
        ("مهم جدا", ["مهم", "مهم جدا"], 1),
        ("Не доверяю.", ["Доверяю", "Не доверяю"], 1),
        ("Überhaupt nicht", ["Sehr", "ÜBERHAUPT NICHT"], 1),
        ("B", ["非常重要", "不重要"], 1),
    ],
)
def test_options_in_other_scripts_are_read(answer: str, options: list[str], option: int) -> None:
    assert read_answer(answer, options).option == option


def test_a_text_that_two_options_share_names_neither() -> None:
    assert read_answer("Yes", ["Yes", "No", "Yes"]).option is None
    assert read_answer("C", ["Yes", "No", "Yes"]).option == 2


def test_nine_options_make_i_a_letter() -> None:
    assert read_answer("I", list("qwertyuio")).option == 8


@pytest.mark.parametrize(
    "answer",
    ["I have no opinion.", "There is no answer to that", "No opinion", "It makes no difference"],
)
def test_a_word_before_others_is_not_the_option_of_that_name(answer: str) -> None:
    assert read_answer(answer, ["Yes", "No"]) == ReadAnswer(None, "unparsed")
    assert read_answer("Some people always say so", ["Some", "Always", "None"]).option is None


@pytest.mark.parametrize(
    "answer",
    [
        "no",
        "No, never.",
        "I would say no",
        "My answer: no because it hurts",
        "**No**",
        "No I don't",
    ],
)
def test_a_clause_that_ends_with_such_a_word_names_it(answer: str) -> None:
    assert read_answer(answer, ["Yes", "No"]).option == 1


def test_such_a_word_takes_nothing_from_another_option() -> None:
    assert read_answer("Yes, no doubt about it", ["Yes", "No"]).option == 0
    assert read_answer("Yes and no", ["Yes", "No"]).option is None
