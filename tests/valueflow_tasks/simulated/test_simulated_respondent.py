"""The simulated respondent's options and its trailer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.simulated.respondent import RespondentOptions, answer, read_trailer, targets_in
from valueflow.solvers.wording import (
    Form,
    definition_prompt,
    target_sentence,
    user_texts_prompt,
)

REGISTRY = load_registry()
POWER = REGISTRY.value("power")


def truth(prompt: str, **options: object) -> dict[str, float]:
    found = read_trailer(answer(prompt, RespondentOptions.model_validate(options)))
    assert found is not None
    return found


@given(st.text(max_size=80), st.text(st.sampled_from("=+-.,0123456789nan ]x"), max_size=30))
def test_a_text_that_only_looks_like_a_trailer_is_none(text: str, inside: str) -> None:
    read_trailer(text)
    found = read_trailer(f"[simulated intensities: {inside}]")
    assert found is None or all(-1e30 < x < 1e30 for x in found.values())
    assert read_trailer(f"{text}[simulated intensities: {inside}x]") is None


@pytest.mark.parametrize(
    "text",
    [
        "[simulated intensities: ]",
        "[simulated intensities: power]",
        "[simulated intensities: power=+1.000, ]",
        "[simulated intensities: power=much]",
        "[simulated intensities: power=+1.000] and more",
        "power=+1.000",
    ],
)
def test_a_broken_trailer_is_none(text: str) -> None:
    assert read_trailer(text) is None


def test_a_trailer_is_read_from_the_end() -> None:
    text = "[simulated intensities: power=+1.000] no: [simulated intensities: face=-2.500]\n"
    assert read_trailer(text) == {"face": -2.5}


def test_without_spread_the_truth_is_the_curve_itself_clipped_to_the_scale() -> None:
    options = {"default": 2, "gain_up": 20, "gain_down": 3, "spread": 0}
    for level, expected in {-2: -1.0, -1: 0.5, 1: 10.0, 2: 10.0}.items():
        sentence = target_sentence(POWER, REGISTRY.level(level))
        found = truth(f"Why? {sentence}", **options)
        assert found["power"] == expected
        assert set(found.values()) == {2.0, expected}


def test_a_uniform_truth_pays_no_heed_to_targets() -> None:
    sentence = target_sentence(POWER, REGISTRY.level(2))
    found = [truth(f"{sentence} {n}", truth="uniform")["power"] for n in range(300)]
    assert all(-9 <= x <= 9 for x in found)
    assert abs(sum(found) / len(found)) < 1.3
    assert max(found) - min(found) > 16


def test_a_level_that_a_table_gives_goes_before_the_intensity_of_its_texts(
    tmp_path: object,
) -> None:
    table = f"{tmp_path}/power.csv"
    with open(table, "w") as stream:
        stream.write("text,intensity,level\nI rule,9,1\nI reign,8,1\nI yield,-3,-2\n")
    known = load_vidb(table)
    prompt = str(user_texts_prompt("Why?", ["I rule", "I reign"], Form()).system)
    assert targets_in(prompt, known) == [(POWER, 1)]
    assert targets_in(str(user_texts_prompt("Why?", ["I yield"], Form()).system), known) == [
        (POWER, -2)
    ]
    assert targets_in(prompt) == []


@pytest.mark.parametrize("style", ["system", "user", "base"])
def test_a_persona_is_found_wherever_it_stands(style: str) -> None:
    prompt = definition_prompt("Why?", [(POWER, REGISTRY.level(-1))], Form(style=style))  # type: ignore[arg-type]
    assert targets_in(f"{prompt.system or ''}\n{prompt.user}") == [(POWER, -1)]


@pytest.mark.parametrize("bad", [{"refusal_rate": 1.5}, {"spread": -1}, {"gain": 2}])
def test_options_that_cannot_be_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(bad))):
        RespondentOptions.model_validate(bad)
