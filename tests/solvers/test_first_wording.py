"""With `wording=1` every model is told what it was told before there was a second wording."""

import hashlib
from collections.abc import Iterable
from itertools import pairwise

import pytest

from valueflow.hub_assets.registry.loading import Theory, load_registry
from valueflow.scorers.database.panel.prompts import category_prompt, plausible_prompt
from valueflow.scorers.judge.questions.choice import choice_prompt
from valueflow.scorers.judge.questions.ranking import judge_prompt
from valueflow.scorers.judge.questions.rating import rating_prompt
from valueflow.solvers.survey_wording import community_prompt, opinion_prompt, persona
from valueflow.solvers.wording import (
    Form,
    Prompt,
    Style,
    default_prompt,
    definition_prompt,
    user_texts_prompt,
)

FIRST = load_registry(wording="1")
STYLES: tuple[Style, ...] = ("system", "user", "base")
ACTIVE = [level for level in FIRST.levels if level.phrase]
THEORIES = list(FIRST.theories.values())

# Written by the version before, over all nodes, levels, styles and bands.
DIGESTS = {
    "one pvq": "d18f9c57cce95515",
    "several pvq": "9a8bc7207c50ee8d",
    "judges pvq": "fb4ef4e2ec168be4",
    "panel pvq": "1b5894c22ce0681a",
    "categories pvq": "8b5e7bfb1a0000ea",
    "survey pvq": "a0d8a508fcb5e314",
    "one mft": "01eea50fbf39ac18",
    "several mft": "f824bc9d4eb250fc",
    "judges mft": "3cc7486d2cce824e",
    "panel mft": "1f1adc90337b29d5",
    "categories mft": "c19ee0ba5cf5a3b4",
    "survey mft": "93b29ff45a64d7c9",
    "one duty": "6a2b73219a8574b5",
    "several duty": "97d3af877a72f8a2",
    "judges duty": "382acebd1582daf3",
    "panel duty": "06db8bfbc87e595c",
    "categories duty": "7ea5f2a31cb98b3a",
    "survey duty": "38701f1926f02770",
    "one right": "bdcdb58c78e3a745",
    "several right": "3a2826baa5b83572",
    "judges right": "00d8623b6769c320",
    "panel right": "e40815d0e655188a",
    "categories right": "a8a9cdfe47a592e7",
    "survey right": "6aebd16c8c4021bf",
    "default": "c10d712031cd6842",
    "texts": "2e89354fcbdbd734",
    "community": "9eaa9e87ae7011ea",
}


def digest(prompts: Iterable[Prompt | str]) -> str:
    texts = (p if isinstance(p, str) else f"{p.system}\1{p.user}" for p in prompts)
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def form(style: Style, words: int = 100) -> Form:
    return Form(words, style=style, registry=FIRST)


@pytest.mark.parametrize("theory", THEORIES, ids=lambda theory: theory.name)
def test_steering_is_worded_as_it_was(theory: Theory) -> None:
    nodes = [node for node in theory.nodes.values() if node.clause]
    one = [
        definition_prompt("Why?", [(node, level)], form(style))
        for node in nodes
        for level in ACTIVE
        for style in STYLES
    ]
    several = [
        definition_prompt("Why?", [(a, level), (b, ACTIVE[0])], form(style, 80))
        for a, b in pairwise(nodes)
        for level in ACTIVE
        for style in STYLES
    ]
    assert digest(one) == DIGESTS[f"one {theory.name}"]
    assert digest(several) == DIGESTS[f"several {theory.name}"]


@pytest.mark.parametrize("theory", THEORIES, ids=lambda theory: theory.name)
def test_judges_and_panels_are_told_what_they_were(theory: Theory) -> None:
    asked = [
        question(value, theory, ["One.", "Two."], ["CDFGH", "JKLMN"])
        for value in theory.values
        for question in (judge_prompt, choice_prompt, rating_prompt)
    ]
    assert digest(asked) == DIGESTS[f"judges {theory.name}"]
    flagged = [plausible_prompt(theory, value, "One.", "CDFGH", -3.0) for value in theory.values]
    assert digest(flagged) == DIGESTS[f"panel {theory.name}"]
    categories = [
        category_prompt(theory, [theory.values], ["One."], ["CDFGH"], kind, number, FIRST.sentences)
        for kind in ("direction", "about")
        for number in (1, 2)
    ]
    assert digest(categories) == DIGESTS[f"categories {theory.name}"]


@pytest.mark.parametrize("theory", THEORIES, ids=lambda theory: theory.name)
def test_profiles_are_worded_as_they_were(theory: Theory) -> None:
    options = ["A lot", "Nothing"]
    asked = [
        opinion_prompt(
            "How much?",
            options,
            persona(group, [(value, band) for value in theory.values], FIRST),
            ["First."],
            style,
            FIRST,
        )
        for group in FIRST.opinion.groups[:3]
        for band in FIRST.opinion.bands
        for style in STYLES
    ]
    assert digest(asked) == DIGESTS[f"survey {theory.name}"]


def test_what_names_no_value_is_worded_as_it_was() -> None:
    assert digest(default_prompt("Why?", form(style)) for style in STYLES) == DIGESTS["default"]
    texts = (user_texts_prompt("Why?", ["One.", "Two."], form(style)) for style in STYLES)
    assert digest(texts) == DIGESTS["texts"]
    assert digest([community_prompt("Why?", ["A lot", "Nothing"], FIRST)]) == DIGESTS["community"]


def test_the_first_wording_is_not_the_second() -> None:
    power = [load_registry(wording=number).value("power") for number in ("1", "2")]
    assert power[0].definition != power[1].definition
    assert FIRST.sentences.version == "1"
    assert load_registry().sentences.version == "2"
