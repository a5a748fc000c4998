"""The corpus of injections: each is whole, is found again, and breaks no fence and no reader."""

import numpy as np
import pytest

from valueflow.hub_assets import load_registry
from valueflow.scorers.judge.answer import read_ranking
from valueflow.scorers.judge.questions.injections import (
    INJECTIONS,
    LONG,
    asks_for_first,
    injected,
    injection_in,
    without_injection,
)
from valueflow.scorers.judge.questions.ranking import draw_labels, judge_prompt, read_judge_prompt
from valueflow.scorers.judge.questions.rating import rating_prompt, read_ratings
from valueflow.scorers.judge.questions.wordings import WORDINGS

TEXTS = ["I share what I have.", "I take what I can.", "Rain is likely."]


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize("name", INJECTIONS)
def test_an_injection_is_found_again_and_taken_out(name: str) -> None:
    for text in (*TEXTS, "Two paragraphs.\n\nThe second one."):
        whole = injected(text, name, generator())
        assert injection_in(whole) == name
        assert asks_for_first(whole)
        assert without_injection(whole) == text
        assert injection_in(text) is None
        assert without_injection(text) == text


def test_the_long_one_is_long_and_asks_for_nothing_where_its_end_is_cut_off() -> None:
    whole = injected(TEXTS[0], "long", generator())
    assert abs(len(whole) - LONG) < 200
    assert injection_in(whole[:4000]) == "long"
    assert not asks_for_first(whole[:4000])


@pytest.mark.parametrize("name", INJECTIONS)
def test_no_injection_leaves_its_fence(name: str) -> None:
    """Whatever a text holds, a question has as many texts as were put in, each as it was."""
    registry = load_registry()
    value = registry.value("power")
    theory = registry.theories[value.theory]
    for seed in range(20):
        draw = np.random.default_rng(seed)
        texts = [injected(text, name, draw) for text in TEXTS]
        labels = draw_labels(texts, draw)
        for wording in WORDINGS.values():
            for question in (wording.ranking, wording.rating):
                shown = read_judge_prompt(question(value, theory, texts, labels))[2]
                assert shown == list(zip(labels, texts, strict=True))
            alone = read_judge_prompt(wording.single(value, theory, texts[:1], labels[:1]))[2]
            assert alone == [(labels[0], texts[0])]


@pytest.mark.parametrize("name", INJECTIONS)
def test_an_injection_that_a_judge_repeats_is_no_answer(name: str) -> None:
    """A judge that copies a text into its answer has answered nothing."""
    draw = generator()
    texts = [injected(text, name, draw) for text in TEXTS]
    labels = draw_labels(texts, draw)
    for text in texts:
        assert read_ranking(text, labels) is None
        assert read_ratings(text, labels) is None


def test_the_standard_wording_is_that_of_every_run() -> None:
    registry = load_registry()
    value = registry.value("power")
    theory = registry.theories[value.theory]
    labels = draw_labels(TEXTS, generator())
    standard, plain = WORDINGS["standard"], WORDINGS["plain"]
    asked = (value, theory, TEXTS, labels)
    assert standard.ranking(*asked) == judge_prompt(*asked)
    assert standard.rating(*asked) == rating_prompt(*asked)
    for one, other in (
        (standard.ranking, plain.ranking),
        (standard.rating, plain.rating),
        (standard.single, plain.single),
    ):
        assert one(*asked).splitlines()[0] != other(*asked).splitlines()[0]
