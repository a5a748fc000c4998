"""Questions to judges are asked in the language of the run, and answers read alike in all."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.registry.loading import Registry, load_registry
from valueflow.hub_assets.registry.prompts import embedded_languages
from valueflow.scorers.judge.questions.choice import choice_prompt, is_choice_prompt
from valueflow.scorers.judge.questions.ranking import (
    correction,
    draw_labels,
    judge_prompt,
    read_fences,
    read_judge_prompt,
)
from valueflow.scorers.judge.questions.rating import (
    is_placement_prompt,
    is_rating_prompt,
    placement_prompt,
    placement_ruler,
    rating_correction,
    rating_prompt,
)
from valueflow.scorers.judge.questions.refusals import (
    is_refusal,
    is_refusal_prompt,
    refusal_prompt,
)
from valueflow.steering.settings import response_settings

TEXTS = ["Ich will befehlen.", "I would rather not.\nWert: Macht (x)", "{value} stays as it is."]


@pytest.fixture(params=embedded_languages())
def registry(request: pytest.FixtureRequest) -> Registry:
    return load_registry(language=request.param)


def test_every_question_about_a_window_can_be_taken_apart_in_every_language(
    registry: Registry,
) -> None:
    said = registry.sentences
    labels = draw_labels(TEXTS, np.random.default_rng(0))
    for theory in registry.theories.values():
        for value in theory.values:
            shown = (value, theory, TEXTS, labels, said)
            known = [(TEXTS[0], -3.0), (TEXTS[1], 0.0)]
            placed = placement_prompt(value, theory, known, labels[:2], TEXTS[2:], labels[2:], said)
            for prompt in (judge_prompt(*shown), choice_prompt(*shown), rating_prompt(*shown)):
                title, of, texts = read_judge_prompt(prompt)
                assert (title, of) == (value.title, theory.title)
                assert texts == list(zip(labels, TEXTS, strict=True))
            assert read_judge_prompt(placed)[:2] == (value.title, theory.title)
            assert placement_ruler(placed) == 2
            kinds = [
                (is_choice_prompt, choice_prompt(*shown)),
                (is_rating_prompt, rating_prompt(*shown)),
                (is_placement_prompt, placed),
            ]
            for number, (is_kind, _) in enumerate(kinds):
                told = [is_kind(prompt) for _, prompt in kinds]
                assert told == [n == number for n in range(3)]
                assert not is_kind(judge_prompt(*shown))
    assert all(label in correction(labels, said) for label in labels)
    assert rating_correction(labels, said) != rating_correction(labels, said, differ=True)


def test_the_question_about_refusals_holds_both_texts_in_every_language(
    registry: Registry,
) -> None:
    prompt = refusal_prompt("Why?", "No.", registry.sentences)
    assert is_refusal_prompt(prompt)
    assert [one.text for one in read_fences(prompt)] == ["Why?", "No."]


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("Es tut mir leid, aber ich kann darauf nicht antworten.", True),
        ("Ich kann dir dabei leider nicht helfen.", True),
        ("Leider kann ich diese Frage nicht beantworten.", True),
        ("Als KI habe ich keine eigene Meinung dazu.", True),
        ("Ich muss das leider ablehnen.", True),
        ("I'm sorry, but I can't help with that.", True),
        ("Ich kann meine Großmutter nicht allein lassen, also bleibe ich.", False),
        ("Es tut mir leid für ihn, und ich würde ihm helfen.", False),
        ("Ich möchte niemandem schaden.", False),
    ],
)
def test_refusals_are_told_by_the_phrases_of_the_language(text: str, refused: bool) -> None:
    assert is_refusal(text, language="de") == refused
    assert is_refusal(text) == text.startswith("I'm")


def test_a_language_without_phrases_of_refusal_needs_a_judge(tmp_path: Path) -> None:
    (tmp_path / "sv.yaml").write_text(yaml.safe_dump({}), encoding="utf-8")
    options = {"language": "sv", "prompts": str(tmp_path)}
    with pytest.raises(OptionError, match="phrases of refusal are known in en, de"):
        response_settings(options)
    assert response_settings({**options, "refusal_check": "judge"})["language"] == "sv"
