"""Steered prompts differ from the default by their persona alone."""

import pytest

from valueflow.hub_assets.registry.loading import Level, Value, load_registry
from valueflow.solvers.wording import (
    Style,
    clause_sentence,
    default_prompt,
    definition_prompt,
    user_texts_prompt,
)

REGISTRY = load_registry()
POWER, TRADITION = REGISTRY.value("power"), REGISTRY.value("tradition")
STEERABLE = [n for t in REGISTRY.theories.values() for n in t.nodes.values() if n.clause]
ACTIVE = [level for level in REGISTRY.levels if level.phrase]
STYLES: list[Style] = ["system", "user", "base"]


def level(number: int) -> Level:
    return REGISTRY.level(number)


@pytest.mark.parametrize("node", STEERABLE, ids=lambda n: f"{n.theory}:{n.name}")
def test_a_clause_finishes_a_sentence_at_every_level(node: Value) -> None:
    clause = str(node.clause)
    assert clause == clause.strip()
    assert clause[-1].isalnum()
    assert clause.split()[0].islower()
    assert " not " not in f" {clause} "
    assert len({clause_sentence(node, active) for active in ACTIVE}) == 4
    assert all(clause_sentence(node, active).startswith("You ") for active in ACTIVE)


def test_no_two_values_share_a_clause() -> None:
    clauses = [str(node.clause) for node in STEERABLE]
    assert len(set(clauses)) == len(clauses)
    assert not [a for a in clauses for b in clauses if a != b and a in b]


@pytest.mark.parametrize("style", STYLES)
def test_level_0_means_no_persona_at_all(style: Style) -> None:
    plain = default_prompt("Why?", 100, style)
    assert definition_prompt("Why?", [(POWER, level(0))], 100, style) == plain
    assert user_texts_prompt("Why?", [], 100, style) == plain
    assert plain.system is None
    with pytest.raises(ValueError, match="no persona sentence"):
        clause_sentence(POWER, level(0))


def test_the_persona_is_all_that_changes() -> None:
    plain = default_prompt("Why?", 100)
    steered = definition_prompt("Why?", [(POWER, level(2))], 100)
    assert steered.user == plain.user
    assert steered.system is not None
    assert clause_sentence(POWER, level(2)) in steered.system
    joined = definition_prompt("Why?", [(POWER, level(2))], 100, "user")
    assert joined.system is None
    assert joined.user == f"{steered.system}\n\n{plain.user}"


def test_several_targets_make_one_profile() -> None:
    targets = [(POWER, level(2)), (TRADITION, level(-1))]
    system = str(definition_prompt("Why?", targets, 100).system)
    assert all(clause_sentence(*target) in system for target in targets)


def test_the_word_limit_and_the_texts_are_in_the_prompt() -> None:
    prompt = user_texts_prompt("Why?", ["One.", "Two."], 42)
    assert "42 words" in prompt.user
    assert "- One.\n- Two." in str(prompt.system)


def test_a_base_model_gets_one_text_to_continue() -> None:
    prompt = definition_prompt("Why?", [(POWER, level(2))], 100, "base")
    assert prompt.system is None
    assert prompt.user.endswith("Answer: I")
    assert "Question: Why?" in prompt.user


@pytest.mark.parametrize("style", STYLES)
def test_a_steered_prompt_ends_in_the_default_one_word_for_word(style: Style) -> None:
    plain = default_prompt("Why?", 77, style)
    for steered in (
        definition_prompt("Why?", [(POWER, level(-1))], 77, style),
        definition_prompt("Why?", [(POWER, level(-1)), (TRADITION, level(2))], 77, style),
        user_texts_prompt("Why?", ["I lead."], 77, style),
    ):
        assert f"{steered.system or ''}\n\n{steered.user}".endswith(f"\n\n{plain.user}")
        assert (steered.system is None) == (style != "system")
        assert steered != plain


def test_the_definition_is_given_with_each_target_and_level_0_adds_nothing() -> None:
    one = definition_prompt("Why?", [(POWER, level(1))], 100)
    assert POWER.definition in str(one.system)
    with_default = definition_prompt("Why?", [(TRADITION, level(0)), (POWER, level(1))], 100)
    assert with_default == one
    two = str(definition_prompt("Why?", [(POWER, level(1)), (TRADITION, level(-2))], 100).system)
    lines = [line for line in two.splitlines() if line.startswith("- ")]
    assert [POWER.definition in line for line in lines] == [True, False]
    assert [TRADITION.definition in line for line in lines] == [False, True]


def test_levels_differ_by_their_phrase_alone() -> None:
    prompts = {
        active.level: str(definition_prompt("Why?", [(POWER, active)], 100).system)
        for active in ACTIVE
    }
    blanked = {
        prompts[active.level].replace(f"You {active.phrase} ", "You ... ") for active in ACTIVE
    }
    assert len(set(prompts.values())) == 4
    assert len(blanked) == 1


def test_an_ancestor_has_no_sentence() -> None:
    growth = REGISTRY.value("growth", kinds=["ancestor"])
    with pytest.raises(ValueError, match=r"growth at level 2 has no persona sentence"):
        clause_sentence(growth, level(2))
