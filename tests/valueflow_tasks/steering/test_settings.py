"""An option is declared once, and every place that takes options takes it."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from valueflow import score, steer, steer_composite, steer_five, steer_pair, steer_profile
from valueflow.hub_assets.errors import OptionError, ScorerOptionError, UnknownNameError
from valueflow.hub_assets.settings import described, evaluator_options
from valueflow.lm_eval.options import read_options as read_metadata
from valueflow.scorers.intensity_scorer import intensity
from valueflow.steering.settings import STEERED, SteeringSettings, response_settings

DOCS = Path(__file__).parents[3] / "docs"
MEASURING = list(evaluator_options())
STEERING = [*SteeringSettings.model_fields, *MEASURING]
PLANNED = [*STEERING, "plan"]


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (steer, PLANNED),
        (steer_pair, PLANNED),
        (steer_five, PLANNED),
        (steer_composite, PLANNED),
        (steer_profile, PLANNED),
        (score, [*MEASURING, "plan"]),
        (intensity, MEASURING),
    ],
)
def test_every_option_is_a_parameter_that_inspect_can_see(
    function: Callable[..., Any], options: list[str]
) -> None:
    parameters = inspect.signature(function).parameters
    assert set(options) <= set(parameters)
    assert "options" not in parameters
    assert all(parameters[name].default is None for name in options)


def test_every_option_is_a_key_of_lm_evals_metadata() -> None:
    given = {f"valueflow_{name}": "user" if name == "style" else 2 for name in STEERING}
    assert dict(read_metadata(given).run) == {**dict.fromkeys(STEERING, 2), "style": "user"}


@pytest.mark.parametrize(
    "function", [steer, steer_pair, steer_five, steer_composite, steer_profile]
)
def test_a_name_that_is_no_option_ends_a_task(function: Callable[..., Any]) -> None:
    with pytest.raises(click.ClickException, match=r"unknown option .*'window'.*'windows'"):
        function(window=2)


def test_a_name_that_is_no_option_ends_the_scorer() -> None:
    with pytest.raises(ScorerOptionError, match=r"unknown option of intensity 'sampeling'"):
        intensity(sampeling="bucket")


@pytest.mark.parametrize("function", [steer, intensity])
@pytest.mark.parametrize(
    ("option", "raw", "message"),
    [
        ("windows", 0, "windows: 0 is not a whole number of at least 1"),
        ("windows", "two", "windows: 'two' is not a whole number"),
        ("windows", True, "windows: True is not a whole number"),
        ("sampling", "buckets", "'buckets' is none of bucket, random, fixed, adaptive"),
        ("judge_mode", "rank", "judge_mode: 'rank' is none of ranking, rating, placement, choice"),
        ("refusals", "drop", "refusals: 'drop' is none of exclude, rank"),
        ("design_scale", "0", "design_scale: '0' is not a positive number"),
        ("design_text_sd", "-1", "design_text_sd: '-1' is not a number of 0 or more"),
        ("vidb_columns", "text", "vidb_columns: 'text' is not a mapping"),
        ("word_limit", -3, "word_limit: -3 is not a whole number"),
    ],
)
def test_an_option_that_cannot_be_is_named_wherever_it_is_given(
    function: Callable[..., Any], option: str, raw: object, message: str
) -> None:
    with pytest.raises(click.ClickException, match=message):
        function(**{option: raw})


def test_what_is_not_given_has_a_default_and_numbers_come_in_every_form() -> None:
    found = response_settings({"word_limit": "40", "windows": 9})
    assert found == {
        "word_limit": 40,
        "refusal_check": "phrases",
        "refusals": "exclude",
        "cut": "rank",
        "form": "paragraph",
        "wording": "2",
        "language": "en",
    }
    with pytest.raises(OptionError, match="word_limit"):
        response_settings({"word_limit": "many"})


def test_the_documentation_has_every_option_with_its_help_and_default() -> None:
    text = (DOCS / "steer.md").read_text(encoding="utf-8")
    for model in STEERED:
        for name, meaning, default in described(model.model_fields):
            assert meaning
            assert f"| `{name}` | {meaning} | {default} |\n" in text


def test_unknown_names_have_suggestions() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'valueflow_judge_mode'"):
        read_metadata({"valueflow_judge_mod": "ranking"})
