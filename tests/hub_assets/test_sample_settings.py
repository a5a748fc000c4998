"""A sample says how it is steered and scored; what it leaves out has the registry's defaults."""

import json
from typing import Any

import pytest

from valueflow.hub_assets.errors import OptionError, ValueflowError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.settings import (
    SAMPLE_KEY,
    EvaluatorSettings,
    ResponseSettings,
    SampleSettings,
    evaluator_options,
    read_options,
    read_sample,
)

REGISTRY = load_registry()
SMALLEST = {"score_on": [["pvq", "power"]], "query": "q-1"}


def test_what_is_left_out_has_the_registrys_defaults() -> None:
    sample = read_sample({SAMPLE_KEY: SMALLEST})
    defaults = REGISTRY.defaults.evaluator.options
    found = {**sample.evaluator.model_dump(), "word_limit": sample.word_limit}
    assert len(defaults) >= 9
    assert {name: found[name] for name in defaults} == defaults
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


def test_options_of_the_response_are_replaced_too() -> None:
    raw = {SAMPLE_KEY: {**SMALLEST, "word_limit": 50, "refusals": "exclude"}}
    sample = read_sample(raw, {"refusals": "rank", "word_limit": 20, "windows": 4})
    assert (sample.refusals, sample.word_limit, sample.evaluator.windows) == ("rank", 20, 4)
    assert sample.rules() == {"refusal_check": "phrases", "refusals": "rank", "cut": "rank"}


def test_another_sampling_leaves_out_what_belonged_to_the_old_one() -> None:
    adaptive = {**SMALLEST, "evaluator": {"sampling": "adaptive", "target_se": 2.0}}
    assert read_sample({SAMPLE_KEY: adaptive}, {"sampling": "random"}).evaluator.target_se is None
    assert read_sample({SAMPLE_KEY: adaptive}, {"windows": 2}).evaluator.target_se == 2.0
    fixed = read_sample({SAMPLE_KEY: adaptive}, {"anchor_panel": "panel.csv"}).evaluator
    assert (fixed.sampling, fixed.anchor_panel, fixed.target_se) == ("fixed", "panel.csv", None)
    panel = {**SMALLEST, "evaluator": {"sampling": "fixed", "anchor_panel": "panel.csv"}}
    assert read_sample({SAMPLE_KEY: panel}, {"sampling": "bucket"}).evaluator.anchor_panel is None


def test_a_panel_is_one_of_judges_and_a_table_of_that_name_one_of_anchors() -> None:
    split = read_sample({SAMPLE_KEY: {**SMALLEST, "evaluator": {"panel": "split"}}}).evaluator
    assert (split.panel, split.anchor_panel, split.sampling) == ("split", None, "bucket")
    # As logs have it that are older than panels of judges.
    older = {**SMALLEST, "evaluator": {"sampling": "fixed", "panel": "panel.csv"}}
    found = read_sample({SAMPLE_KEY: older}).evaluator
    assert (found.panel, found.anchor_panel, found.sampling) == ("all", "panel.csv", "fixed")
    older = {**SMALLEST, "evaluator": {"panel": None}}
    assert read_sample({SAMPLE_KEY: older}).evaluator.panel == "all"
    with pytest.raises(ValueflowError, match="'splt' is none of all, split"):
        read_sample({SAMPLE_KEY: {**SMALLEST, "evaluator": {"panel": "splt"}}})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling": "fixed"}, "anchor_panel: sampling=fixed needs a panel"),
        ({"panel": "p.csv", "sampling": "bucket"}, "anchor_panel: a panel is for sampling=fixed"),
        ({"judge_mode": "choice", "sampling": "adaptive"}, "judge_mode: choice does not go with"),
        ({"target_se": 1}, "target_se: is for sampling=adaptive"),
    ],
)
def test_options_that_do_not_go_together_are_refused_for_tasks_and_for_scorers(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=f"^{message}"):
        read_options(EvaluatorSettings, options)
    with pytest.raises(ValueflowError, match=message):
        read_sample({SAMPLE_KEY: SMALLEST}, options)


def test_a_budget_below_one_window_a_response_is_refused_when_scoring_again() -> None:
    with pytest.raises(OptionError, match="cell_windows: 3 windows are too few for 4 responses"):
        read_sample({SAMPLE_KEY: {**SMALLEST, "queries": 4}}, {"cell_windows": 3})


def test_every_default_of_the_registry_is_an_options_and_can_be_used() -> None:
    defaults = REGISTRY.defaults.evaluator.options
    assert set(defaults) <= set(evaluator_options())
    for model in (EvaluatorSettings, ResponseSettings):
        named = {name: default for name, default in defaults.items() if name in model.model_fields}
        read = read_options(model, named)
        assert read == read_options(model, {})
        assert {name: getattr(read, name) for name in named} == named


def test_the_log_gets_the_settings_of_the_windows_without_the_table() -> None:
    settings = EvaluatorSettings(vidb_columns={"text": "phrase"}, anchor_length="near")
    assert settings.columns == {"text": "phrase"}
    assert set(settings.as_dict()) == set(EvaluatorSettings.model_fields) - {
        "vidb",
        "vidb_columns",
        "panel",
        "embedding_model",  # of sampling=nearest alone
    }


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
