"""Simulated models do what their options say, and what they do can be read back."""

import numpy as np
import pytest

from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.inputs.options import TaskOptionError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.scorers.judge.questions.ranking import draw_labels, judge_prompt
from valueflow.simulated.judge import JudgeOptions, KnownAnchors, judge_answer
from valueflow.simulated.models import SimulatedModel
from valueflow.simulated.respondent import RespondentOptions, answer, read_trailer, targets_in
from valueflow.solvers.wording import (
    Form,
    default_prompt,
    definition_prompt,
    user_texts_prompt,
)

REGISTRY = load_registry()
POWER, FACE = REGISTRY.value("power"), REGISTRY.value("face")
KNOWN = KnownAnchors(None)


def steered(query: str, *targets: tuple[str, int]) -> str:
    pairs = [(REGISTRY.value(name), REGISTRY.level(level)) for name, level in targets]
    prompt = definition_prompt(query, pairs, Form())
    return f"{prompt.system or ''}\n\n{prompt.user}"


def test_targets_are_read_from_the_prompt_alone() -> None:
    for node in (n for t in REGISTRY.theories.values() for n in t.nodes.values() if n.clause):
        for level in REGISTRY.levels:
            if level.phrase:
                prompt = str(definition_prompt("Why?", [(node, level)], Form()).system)
                assert targets_in(prompt) == [(node, level.level)]
    assert targets_in(default_prompt("Why do You say so?", Form()).user) == []
    both = targets_in(steered("Why?", ("power", 2), ("face", -1)))
    assert {(node.name, level) for node, level in both} == {("power", 2), ("face", -1)}


def test_quoted_texts_of_known_anchors_are_targets_too() -> None:
    vidb = load_vidb("vidb-mini")
    strong = [a.text for a in vidb.of(POWER) if a.intensity < -7][:3]
    prompt = str(user_texts_prompt("Why?", strong, Form()).system)
    assert targets_in(prompt, vidb) == [(POWER, -2)]


def test_truth_follows_the_stated_curve() -> None:
    options = RespondentOptions(default=1, gain_up=6, gain_down=4, spread=1)
    means = {}
    for level in (-2, -1, 0, 1, 2):
        truths = []
        for n in range(300):
            trailer = read_trailer(answer(steered(f"Why {n}?", ("power", level)), options))
            assert trailer is not None
            truths.append(trailer["power"])
        means[level] = float(np.mean(truths))
        assert float(np.std(truths)) == pytest.approx(1, abs=0.15)
    expected = {-2: -3, -1: -1, 0: 1, 1: 4, 2: 7}
    assert means == pytest.approx(expected, abs=0.25)


def test_a_default_answer_states_all_theories_and_a_steered_one_its_own() -> None:
    assert len(read_trailer(answer("Why?", RespondentOptions())) or {}) == 32
    assert len(read_trailer(answer(steered("Why?", ("power", 1)), RespondentOptions())) or {}) == 12


def test_answers_depend_on_prompt_and_seed_alone() -> None:
    options = RespondentOptions(seed=3)
    assert answer("Why?", options) == answer("Why?", options)
    assert answer("Why?", options) != answer("Why not?", options)
    assert answer("Why?", options) != answer("Why?", RespondentOptions(seed=4))


def test_refusals_come_at_their_rate() -> None:
    options = RespondentOptions(refusal_rate=0.3)
    refused = [read_trailer(answer(f"Why {n}?", options)) is None for n in range(600)]
    assert np.mean(refused) == pytest.approx(0.3, abs=0.06)


def rank(texts: list[str], n: int, **options: object) -> list[int]:
    labels = draw_labels(texts, np.random.default_rng(n))
    prompt = judge_prompt(POWER, REGISTRY.theories["pvq"], texts, labels)
    said = judge_answer(prompt, prompt, JudgeOptions.model_validate(options), KNOWN)
    return [labels.index(code) for code in said.split(" > ")]


ANCHORS = sorted(load_vidb("vidb-mini").of(POWER), key=lambda a: a.intensity)


@pytest.mark.parametrize("noise", ["gumbel", "normal", "reversed"])
def test_a_sharp_judge_ranks_by_truth(noise: str) -> None:
    texts = [ANCHORS[i].text for i in (5, 40, 20)]
    response = "I lead. [simulated intensities: power=+9.900]"
    for n in range(20):
        assert rank([*texts, response], n, scale=50, noise=noise) == [3, 1, 2, 0]


def test_pairs_are_ordered_at_the_rate_of_the_model() -> None:
    low, high = ANCHORS[20], ANCHORS[24]
    scale = 1.0
    expected = 1 / (1 + np.exp(-scale * (high.intensity - low.intensity)))
    wins = [rank([low.text, high.text], n, scale=scale)[0] == 1 for n in range(2000)]
    assert np.mean(wins) == pytest.approx(expected, abs=0.035)


def test_a_place_effect_favours_what_is_shown_first() -> None:
    first, second = ANCHORS[22], ANCHORS[23]
    difference = second.intensity - first.intensity
    expected = 1 / (1 + np.exp(difference - 1.5))
    wins = [rank([first.text, second.text], n, place_effect=1.5)[0] == 0 for n in range(2000)]
    assert np.mean(wins) == pytest.approx(expected, abs=0.035)


def test_an_unknown_text_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown text for power"):
        rank(["a stranger's words", ANCHORS[0].text], 0)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("jugde", {}, "Did you mean 'judge'"),
        ("judge", {"sharpness": 2}, "valueflow/judge: sharpness"),
        ("judge", {"scale": 0}, "valueflow/judge: scale"),
        ("respondent", {"refusal_rate": 2}, "refusal_rate"),
    ],
)
def test_bad_options_are_named(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(TaskOptionError, match=message):
        SimulatedModel(name, **options)
