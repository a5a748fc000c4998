"""Passes of a survey question differ by the persona alone."""

import pytest

from valueflow.hub_assets.registry.loading import load_registry
from valueflow.solvers.survey_wording import (
    community_prompt,
    opinion_prompt,
    persona,
    profile_line,
)

REGISTRY = load_registry()
GROUP = REGISTRY.opinion.group("RELIG_Hindu")
JUSTICE = REGISTRY.value("justice", "duty")
OPTIONS = ["A lot", "A little", "Nothing"]


def test_the_question_is_worded_alike_in_every_pass() -> None:
    lines = [(JUSTICE, REGISTRY.opinion.band(0.5))]
    blind = opinion_prompt("How much?", OPTIONS)
    default = opinion_prompt("How much?", OPTIONS, persona(GROUP))
    profile = opinion_prompt("How much?", OPTIONS, persona(GROUP, lines))
    assert blind.system is None
    assert blind.user == default.user == profile.user
    assert default.system is not None
    assert profile.system is not None
    assert profile.system.startswith(default.system)
    assert GROUP.sentence in default.system
    assert "A. A lot\nB. A little\nC. Nothing" in blind.user


@pytest.mark.parametrize("band", REGISTRY.opinion.bands, ids=lambda band: band.name)
def test_a_line_states_value_band_and_meaning(band: object) -> None:
    for value in REGISTRY.macro_values():
        line = profile_line(value, band)  # type: ignore[arg-type]
        assert value.title in line
        assert str(value.clause) in line
        assert "\n" not in line


def test_every_line_is_different() -> None:
    lines = {profile_line(v, b) for v in REGISTRY.macro_values() for b in REGISTRY.opinion.bands}
    assert len(lines) == 32 * 5


def test_a_base_model_gets_one_text_that_ends_where_it_answers() -> None:
    prompt = opinion_prompt("How much?", OPTIONS, persona(GROUP), style="base")
    assert prompt.system is None
    assert prompt.user.endswith("\n\nAnswer:")
    assert GROUP.sentence in prompt.user
    assert opinion_prompt("How much?", OPTIONS, persona(GROUP), style="user").system is None


def test_communities_are_asked_without_a_group_and_heard_before_the_question() -> None:
    asked = community_prompt("How much?", OPTIONS)
    assert GROUP.sentence not in asked
    prompt = opinion_prompt("How much?", OPTIONS, persona(GROUP), ["First view.", "Second view."])
    assert prompt.user.index("First view.") < prompt.user.index("Second view.")
    assert prompt.user.index("Second view.") < prompt.user.index("How much?")
