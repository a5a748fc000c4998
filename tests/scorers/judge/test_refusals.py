"""Refusals are told from answers by phrases and length."""

import pytest

from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.scorers.judge.questions.refusals import count_words, is_refusal


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but I cannot take on this persona.",
        "I can’t assist with adopting this persona.",
        "As an AI language model, I don't have personal opinions.",
        "I must decline.",
        "I must respectfully decline to answer.",
        "I'm not comfortable taking on this role.",
        "I'm unable to respond to that.",
        "This request goes against my guidelines.",
        "  **I cannot provide a response to this.**",
    ],
)
def test_a_short_refusal_is_found(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "I cannot stand by while others suffer, so I would help.",
        "I would not answer the phone at dinner.",
        "I won't support a law like that; people deserve to choose.",
        "Sorry is what I would say to her first.",
        "I can't help but smile when my neighbour sings.",
        "I would refuse the bribe.",
        "No.",
        "",
        "我不会那样做。",
    ],
)
def test_an_answer_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)


def test_a_long_answer_that_opens_like_a_refusal_is_an_answer() -> None:
    opening = "I cannot help with everything at once, "
    assert is_refusal(opening + "so no.")
    assert not is_refusal(opening + "but I would start with the neighbours. " * 10)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", 0), ("one two  three", 3), ("well - yes", 2), ("power=+3.0, x", 2), ("我会帮助他", 3)],
)
def test_words_are_counted_as_a_reader_does(text: str, words: int) -> None:
    assert count_words(text) == words


def test_no_embedded_text_is_taken_for_a_refusal() -> None:
    texts = [a.text for anchors in load_vidb("vidb-mini").anchors.values() for a in anchors]
    assert [text for text in texts if is_refusal(text)] == []


def test_the_length_up_to_which_a_phrase_decides_is_in_words() -> None:
    text = "I can't help with that" + " again" * 5
    assert count_words(text) == 10
    assert is_refusal(text, 11)
    assert not is_refusal(text, 10)


def test_a_phrase_further_on_decides_nothing() -> None:
    assert not is_refusal("She asked, and I said: I can't help with that.")
