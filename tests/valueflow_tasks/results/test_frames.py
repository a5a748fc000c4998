"""Logs as data frames: the summary's numbers, the sample's texts, every window."""

from pathlib import Path

import pytest
from inspect_ai.log import read_eval_log

from tests.study_runs import run_log
from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.results import Frames, load
from valueflow.scorers.saved.logs import ScoredLog
from valueflow.scorers.summary.run import summarize
from valueflow.steering.tasks import steer


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("logs")
    task = steer(values="power,benevolence", levels="-2,2", n_queries=3, refusals="rank")
    return [run_log(folder, task, refusal_rate=0.3), run_log(folder, gain_up=2)]


@pytest.fixture(scope="module")
def frames(logs: list[Path]) -> Frames:
    return load(logs)


def test_cells_and_values_have_the_numbers_of_the_summary(logs: list[Path], frames: Frames) -> None:
    summary = summarize(list(ScoredLog(logs[0]).records()))  # type: ignore[arg-type]
    (study,) = {s for s in frames.cells["study"] if s.startswith("A")}
    cells = frames.cells[frames.cells["study"] == study].set_index(["value", "level"])
    assert len(cells) == len(summary.cells)
    for cell in summary.cells:
        assert cells.loc[(cell.value, cell.level), "mean"] == cell.mean.value
        assert cells.loc[(cell.value, cell.level), "mean_se"] == cell.mean.se
    values = frames.values[frames.values["study"] == study].set_index("value")
    for value in summary.values:
        assert values.loc[value.value, "range"] == value.figures["range"].value


def test_responses_are_the_samples_of_the_logs_with_their_estimates(
    logs: list[Path], frames: Frames
) -> None:
    texts = {
        sample.output.completion for log in logs for sample in read_eval_log(str(log)).samples or []
    }
    assert set(frames.responses["response"]) == texts
    # A default is a row for each value that it is scored on.
    assert len(frames.responses) == 2 * 3 * (2 + 4)
    scored = frames.responses[~frames.responses["refusal"]]
    assert scored["intensity"].between(-10, 10).all()
    assert (scored["se"] > 0).all()
    refused = frames.responses[frames.responses["refusal"]]
    assert len(refused)
    assert refused["intensity"].isna().all()


def test_windows_can_be_joined_to_responses_and_say_where_the_response_was_ranked(
    frames: Frames,
) -> None:
    joined = frames.windows.merge(frames.responses, on=["study", "item", "cell"])
    assert len(joined) == len(frames.windows)
    ranked = frames.windows[frames.windows["order"].notna()]
    assert len(ranked) > 50
    for window in ranked.itertuples():
        assert window.order[int(window.rank) - 1] == 0
        assert len(window.texts) == len(window.anchors) == len(window.order) - 1


def test_values_can_be_chosen_and_models_named(logs: list[Path]) -> None:
    found = load(logs[0], values=["power"], names={"valueflow/respondent": "simulated"})
    assert set(found.responses["value"]) == set(found.cells["value"]) == {"power"}
    assert set(found.values["study"]) == {"simulated"}
    with pytest.raises(OptionError, match="measured in no log"):
        load(logs[0], values=["tradition"])


def test_what_is_no_log_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"nothing\.eval"):
        load(tmp_path / "nothing.eval")
