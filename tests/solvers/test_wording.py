"""Steered prompts differ from the default by their persona alone."""

import pytest

from valueflow.hub_assets.inputs.chats import Turn
from valueflow.hub_assets.registry.loading import Level, Value, load_registry
from valueflow.hub_assets.settings import Baseline
from valueflow.simulated.respondent import targets_in
from valueflow.solvers.wording import (
    Form,
    Style,
    clause_sentence,
    default_prompt,
    definition_prompt,
    target_sentence,
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
    plain = default_prompt("Why?", Form(100, style=style))
    assert definition_prompt("Why?", [(POWER, level(0))], Form(100, style=style)) == plain
    assert user_texts_prompt("Why?", [], Form(100, style=style)) == plain
    assert plain.system is None
    with pytest.raises(ValueError, match="no persona sentence"):
        clause_sentence(POWER, level(0))


def test_the_persona_is_all_that_changes() -> None:
    plain = default_prompt("Why?", Form())
    steered = definition_prompt("Why?", [(POWER, level(2))], Form())
    assert steered.user == plain.user
    assert steered.system is not None
    assert clause_sentence(POWER, level(2)) in steered.system
    joined = definition_prompt("Why?", [(POWER, level(2))], Form(style="user"))
    assert joined.system is None
    assert joined.user == f"{steered.system}\n\n{plain.user}"


def test_several_targets_make_one_profile() -> None:
    targets = [(POWER, level(2)), (TRADITION, level(-1))]
    system = str(definition_prompt("Why?", targets, Form()).system)
    assert all(clause_sentence(*target) in system for target in targets)


def test_the_word_limit_and_the_texts_are_in_the_prompt() -> None:
    prompt = user_texts_prompt("Why?", ["One.", "Two."], Form(42))
    assert "42 words" in prompt.user
    assert "- One.\n- Two." in str(prompt.system)


def test_a_base_model_gets_one_text_to_continue() -> None:
    prompt = definition_prompt("Why?", [(POWER, level(2))], Form(style="base"))
    assert prompt.system is None
    assert prompt.user.endswith("\n\nAnswer:")
    assert "Question: Why?" in prompt.user


@pytest.mark.parametrize("style", STYLES)
def test_a_steered_prompt_ends_in_the_default_one_word_for_word(style: Style) -> None:
    plain = default_prompt("Why?", Form(77, style=style))
    for steered in (
        definition_prompt("Why?", [(POWER, level(-1))], Form(77, style=style)),
        definition_prompt(
            "Why?", [(POWER, level(-1)), (TRADITION, level(2))], Form(77, style=style)
        ),
        user_texts_prompt("Why?", ["I lead."], Form(77, style=style)),
    ):
        assert f"{steered.system or ''}\n\n{steered.user}".endswith(f"\n\n{plain.user}")
        assert (steered.system is None) == (style != "system")
        assert steered != plain


def test_the_definition_is_given_with_each_target_and_level_0_adds_nothing() -> None:
    one = definition_prompt("Why?", [(POWER, level(1))], Form())
    assert str(POWER.clause) in str(one.system)
    with_default = definition_prompt("Why?", [(TRADITION, level(0)), (POWER, level(1))], Form())
    assert with_default == one
    two = str(definition_prompt("Why?", [(POWER, level(1)), (TRADITION, level(-2))], Form()).system)
    lines = [line for line in two.splitlines() if line.startswith("- ")]
    assert [str(POWER.clause) in line for line in lines] == [True, False]
    assert [str(TRADITION.clause) in line for line in lines] == [False, True]


@pytest.mark.parametrize("node", STEERABLE, ids=lambda n: f"{n.theory}:{n.name}")
def test_levels_differ_by_their_stance_alone_which_comes_last(node: Value) -> None:
    for several in ([], [(TRADITION, level(1))]):
        prompts, before = set(), set()
        for active in ACTIVE:
            stance = clause_sentence(node, active)
            targets = [*several, (node, active)]
            persona = str(definition_prompt("Why?", targets, Form()).system)
            assert persona.endswith(f"{node.clause}. {stance}")
            prompts.add(persona)
            before.add(persona.removesuffix(stance))
        assert len(prompts) == 4
        assert len(before) == 1


def test_who_rejects_a_value_of_several_parts_is_against_each() -> None:
    assert POWER.object is not None
    assert clause_sentence(POWER, level(-2)) == f"You are strongly against {POWER.object}."
    assert clause_sentence(POWER, level(1)) == f"You are slightly in favour of {POWER.object}."
    assert clause_sentence(TRADITION, level(2)) == "You are strongly in favour of this value."
    assert clause_sentence(TRADITION, level(-1)) == "You are slightly against this value."


@pytest.mark.parametrize("node", STEERABLE, ids=lambda n: f"{n.theory}:{n.name}")
def test_a_value_has_a_name_inside_a_sentence(node: Value) -> None:
    # Neither a pair of opposites nor the value that a child is of.
    assert not {"/", ":"} & set(node.spoken)
    assert "(" not in node.definition
    degrees = {"strictly", "strict", "scrupulously", "actively", "warmly", "strongly", "slightly"}
    assert not degrees & set(f"{node.clause} {node.object or ''}".split())


@pytest.mark.parametrize("style", STYLES)
def test_a_plain_baseline_changes_the_default_alone(style: Style) -> None:
    first, plain = Form(style=style), Form(style=style, baseline="plain")
    asked = default_prompt("Why?", plain).user
    assert "100 words" in asked
    assert "AI" not in asked
    assert "person" not in asked
    assert default_prompt("Why?", first) != default_prompt("Why?", plain)
    target = [(POWER, level(2))]
    assert definition_prompt("Why?", target, first) == definition_prompt("Why?", target, plain)
    assert user_texts_prompt("Why?", ["One."], first) == user_texts_prompt("Why?", ["One."], plain)


@pytest.mark.parametrize("baseline", ["first_person", "plain"])
def test_a_sentence_is_asked_for_in_every_condition(baseline: Baseline) -> None:
    form = Form(18, "sentence", baseline=baseline)
    for prompt in (
        default_prompt("Why?", form),
        definition_prompt("Why?", [(POWER, level(2))], form),
        user_texts_prompt("Why?", ["One."], form),
    ):
        assert "one plain sentence of at most 18 words" in prompt.user


@pytest.mark.parametrize("style", STYLES)
def test_a_system_prompt_of_ones_own_stands_before_the_persona_in_every_condition(
    style: Style,
) -> None:
    bare, own = Form(style=style), Form(style=style, system="You are a pharmacist.")
    for targets in ([], [(POWER, level(2))], [(POWER, level(2)), (TRADITION, level(-1))]):
        without, with_it = (definition_prompt("Why?", targets, form) for form in (bare, own))
        shown = [f"{p.system or ''}\n\n{p.user}".strip() for p in (without, with_it)]
        assert shown[1] == f"You are a pharmacist.\n\n{shown[0]}"
        assert (with_it.system is None) == (style != "system")


def test_no_question_is_forced_into_the_first_person() -> None:
    asked = default_prompt("How should the junior employee proceed?", Form()).user
    assert "in the first person where the question is put to you" in asked


def test_an_ancestor_has_no_sentence() -> None:
    growth = REGISTRY.value("growth", kinds=["ancestor"])
    with pytest.raises(ValueError, match=r"growth at level 2 has no persona sentence"):
        clause_sentence(growth, level(2))


def test_every_paraphrase_says_the_same_and_levels_differ_in_the_stance_alone() -> None:
    numbers = range(1, REGISTRY.sentences.wordings_of_persona + 1)
    assert len(numbers) == 5
    for node in (n for n in STEERABLE if n.kind == "value"):
        told = {
            (number, one.level): target_sentence(node, one, REGISTRY, paraphrase=number)
            for number in numbers
            for one in ACTIVE
        }
        assert len(set(told.values())) == 5 * 4
        for number in numbers:
            own = [told[number, one.level] for one in ACTIVE]
            assert len({sentence.partition(str(node.clause))[0] for sentence in own}) == 1
            assert all(str(node.clause) in sentence for sentence in own)
    for number in numbers:
        form = Form(paraphrase=number)
        persona = str(definition_prompt("Why?", [(POWER, level(-1))], form).system)
        assert targets_in(persona) == [(POWER, -1)]
        assert default_prompt("Why?", form) == default_prompt("Why?", Form())


BEFORE = (Turn("system", "Be kind."), Turn("user", "I lead."), Turn("assistant", "Since when?"))


@pytest.mark.parametrize("style", STYLES)
def test_a_conversation_stays_as_it_was_and_the_persona_stands_before_it(style: Style) -> None:
    alone = definition_prompt("Why?", [(POWER, level(2))], Form(style=style))
    told = definition_prompt("Why?", [(POWER, level(2))], Form(style=style, before=BEFORE))
    persona = target_sentence(POWER, level(2))
    texts = "\n".join(told.texts)
    places = [texts.index(part) for part in ("Be kind.", persona, "I lead.", "Since", "Why?")]
    assert places == sorted(places)
    if style == "system":
        assert told.history == BEFORE[1:]
        assert told.user == alone.user
    if style == "user":
        assert told.system is None
        assert [turn.role for turn in told.history] == ["user", "assistant"]
    if style == "base":
        assert not told.history
        assert told.user.endswith("Question: Why?\n\n" + alone.user.partition("Why?\n\n")[2])


def test_a_conversation_in_one_text_has_the_same_words() -> None:
    form = Form(style="user", before=BEFORE, one_text=True)
    told = definition_prompt("Why?", [(POWER, level(2))], form)
    assert told.history == ()
    assert "Question: I lead.\n\nAnswer: Since when?\n\nQuestion: Why?\n\n" in told.user
    alone = Form(style="user", one_text=True)
    assert default_prompt("Why?", alone) == default_prompt("Why?", Form(style="user"))
