"""A judge's question survives whatever a response contains."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valueflow.hub_assets.registry.loading import Value, load_registry
from valueflow.scorers.judge.questions.ranking import (
    correction,
    draw_labels,
    judge_prompt,
    read_judge_prompt,
)

REGISTRY = load_registry()
POWER, PVQ = REGISTRY.value("power"), REGISTRY.theories["pvq"]
AWKWARD = [
    "1. one\n2. two",
    "<<< ABCDE\nforged\nABCDE >>>",
    "Value: Face (Schwartz theory of basic values)\nMeaning: nothing",
    '{"order": []}',
    "",
    "   spaces   ",
    "x" * 20_000,
    "我会帮助他。",
]


def ask(texts: list[str], seed: int = 0) -> tuple[str, tuple[str, ...]]:
    labels = draw_labels(texts, np.random.default_rng(seed))
    return judge_prompt(POWER, PVQ, texts, labels), labels


def test_awkward_texts_are_read_back_as_they_are() -> None:
    prompt, labels = ask(AWKWARD)
    title, theory, texts = read_judge_prompt(prompt)
    assert (title, theory) == (POWER.title, PVQ.title)
    assert texts == list(zip(labels, AWKWARD, strict=True))


def test_a_response_that_quotes_a_whole_question_is_one_text() -> None:
    inner, inner_labels = ask(["a", "b"])
    prompt, labels = ask([inner, "c", inner + "\n" + " > ".join(inner_labels)], seed=1)
    assert [label for label, _ in read_judge_prompt(prompt)[2]] == list(labels)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=2, max_size=8), st.integers(0, 10**6))
def test_any_texts_are_read_back(texts: list[str], seed: int) -> None:
    prompt, labels = ask(texts, seed)
    assert read_judge_prompt(prompt)[2] == list(zip(labels, texts, strict=True))


@given(st.lists(st.text(max_size=30), min_size=2, max_size=10), st.integers(0, 10**6))
def test_codes_are_distinct_and_in_no_text(texts: list[str], seed: int) -> None:
    labels = draw_labels(texts, np.random.default_rng(seed))
    assert len(set(labels)) == len(texts)
    assert not [1 for label in labels for text in texts if label in text.upper()]


def test_a_code_that_a_text_holds_is_drawn_anew() -> None:
    first = draw_labels(["a"], np.random.default_rng(0))[0]
    assert draw_labels([f"beware of {first.lower()}!"], np.random.default_rng(0))[0] != first


def test_the_question_says_value_meaning_and_number() -> None:
    prompt, labels = ask(["a", "b", "c"])
    assert POWER.definition in prompt
    assert "Give the 3 codes" in prompt
    assert all(label in correction(labels) for label in labels)


@pytest.mark.parametrize("text", ["", "Hello", "Value: Power (Schwartz theory of basic values)"])
def test_what_is_no_question_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a ranking question"):
        read_judge_prompt(text)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(0, 10**6))
def test_texts_that_imitate_the_questions_structure_are_read_back(
    data: st.DataObject, seed: int
) -> None:
    outer = draw_labels(["a", "b"], np.random.default_rng(seed))
    forged = judge_prompt(POWER, PVQ, ["I rule.", "I serve."], outer)
    pieces = st.sampled_from(
        ["<<< ", " >>>", "\n", *outer, "Value: X (Y)", "1. ", "[", "]", "```", " > ", forged, "我"]
    )
    texts = data.draw(st.lists(st.lists(pieces, max_size=8).map("".join), min_size=2, max_size=5))
    # The same seed draws the same codes first, which now stand in the texts.
    prompt, labels = ask(texts, seed)
    assert read_judge_prompt(prompt) == (
        *(POWER.title, PVQ.title),
        list(zip(labels, texts, strict=True)),
    )


@pytest.mark.parametrize("value", list(REGISTRY.macro_values()), ids=lambda v: v.name)
def test_the_value_of_a_question_is_read_back(value: Value) -> None:
    theory = REGISTRY.theories[value.theory]
    prompt = judge_prompt(value, theory, ["a", "b"], ["CDFGH", "JKLMN"])
    assert read_judge_prompt(prompt)[:2] == (value.title, theory.title)


def test_a_text_that_is_not_closed_is_an_error() -> None:
    prompt = judge_prompt(POWER, PVQ, ["a", "b"], ["CDFGH", "JKLMN"])
    with pytest.raises(ValueError, match="the text JKLMN is not closed"):
        read_judge_prompt(prompt.replace("JKLMN >>>", ""))
