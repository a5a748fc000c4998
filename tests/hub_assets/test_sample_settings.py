"""A sample says how it is steered and scored; what it leaves out has the registry's defaults."""

import json
from typing import Any

import pytest

from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.settings import (
    SAMPLE_KEY,
    EvaluatorSettings,
    SampleSettings,
    read_sample,
)

REGISTRY = load_registry()
SMALLEST = {"score_on": [["pvq", "power"]], "query": "q-1"}


def test_what_is_left_out_has_the_registrys_defaults() -> None:
    sample = read_sample({SAMPLE_KEY: SMALLEST})
    defaults = REGISTRY.defaults.evaluator
    settings = sample.evaluator
    assert (settings.vidb, settings.windows, settings.window_size) == (
        defaults.vidb,
        defaults.windows,
        defaults.window_size,
    )
    assert (settings.sampling, settings.judge_attempts) == (
        defaults.sampling,
        defaults.judge_attempts,
    )
    assert (sample.targets, sample.queries, sample.query_index) == ((), 1, 0)


def test_a_sample_is_the_same_after_a_journey_through_a_log() -> None:
    sample = SampleSettings(
        targets=(("pvq", "power", -2), ("mft", "care-harm", 1)),
        score_on=(("pvq", "power"),),
        query="q-1",
        group="model-a",
        evaluator=EvaluatorSettings(windows=7, vidb_columns={"text": "phrase"}),
    )
    logged = json.loads(json.dumps({SAMPLE_KEY: sample.model_dump(mode="json")}))
    assert read_sample(logged) == sample


def test_the_level_of_a_value_is_its_targets_and_0_where_it_has_none() -> None:
    targets = [["pvq", "power", -2], ["mft", "care-harm", 1]]
    sample = read_sample({SAMPLE_KEY: {**SMALLEST, "targets": targets}})
    levels = {name: sample.level_of(REGISTRY.value(name)) for name in ("power", "care", "face")}
    assert levels == {"power": -2, "care": 1, "face": 0}
    # A target belongs to a theory: the same name elsewhere is another value.
    other = REGISTRY.value("power").model_copy(update={"theory": "elsewhere"})
    assert sample.level_of(other) == 0


def test_overrides_take_precedence_and_leave_the_rest() -> None:
    raw = {SAMPLE_KEY: {**SMALLEST, "evaluator": {"windows": 5, "seed": 3}}}
    settings = read_sample(raw, {"windows": 2}).evaluator
    assert (settings.windows, settings.seed) == (2, 3)
    assert raw[SAMPLE_KEY]["evaluator"] == {"windows": 5, "seed": 3}


def test_the_log_gets_the_settings_of_the_windows_without_the_table() -> None:
    settings = EvaluatorSettings(vidb_columns={"text": "phrase"})
    assert settings.columns == {"text": "phrase"}
    assert set(settings.as_dict()) == set(EvaluatorSettings.model_fields) - {"vidb", "vidb_columns"}


def test_a_cell_budget_is_shared_evenly_and_never_exceeds_the_windows_of_a_response() -> None:
    settings = EvaluatorSettings(windows=3, cell_windows=7)
    assert [settings.windows_of(i, 4) for i in range(4)] == [2, 2, 2, 1]
    assert [settings.windows_of(i, 2) for i in range(2)] == [3, 3]
    assert EvaluatorSettings(windows=3).windows_of(9, 10) == 3


def test_a_sample_of_another_task_is_told_which_task_scores_it() -> None:
    with pytest.raises(ValueflowError, match=r"no 'valueflow' in its metadata.*valueflow/score"):
        read_sample({"other": 1})


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ({"query": "q"}, "score_on"),
        ({**SMALLEST, "colour": "red"}, "colour"),
        ({**SMALLEST, "targets": [["pvq", "power", "strong"]]}, "targets.0.2"),
        ({**SMALLEST, "evaluator": {"windows": 0}}, "evaluator.windows"),
        ({**SMALLEST, "evaluator": {"window_size": 1}}, "evaluator.window_size"),
        ({**SMALLEST, "evaluator": 3}, "evaluator"),
        (None, "metadata 'valueflow'"),
        ([1, 2], "metadata 'valueflow'"),
        ("text", "metadata 'valueflow'"),
    ],
)
@pytest.mark.parametrize("overrides", [None, {"seed": 1}])
def test_broken_metadata_names_the_place(
    raw: Any, place: str, overrides: dict[str, Any] | None
) -> None:
    with pytest.raises(ValueflowError) as caught:
        read_sample({SAMPLE_KEY: raw}, overrides)
    assert str(caught.value).startswith("metadata 'valueflow': ")
    assert place in str(caught.value)


def test_an_override_that_cannot_be_is_named() -> None:
    with pytest.raises(ValueflowError, match=r"evaluator\.windows"):
        read_sample({SAMPLE_KEY: SMALLEST}, {"windows": 0})
