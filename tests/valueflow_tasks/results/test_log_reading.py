"""Responses read from logs: all of them, or a count of those that are missing."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Epochs, Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log

from tests.conftest import mock_model, output
from valueflow.hub_assets.errors import InputFileError
from valueflow.results.reading import find_logs, read_responses
from valueflow.steering.tasks import steer

JUDGE = {"grader": "valueflow/judge"}


def run(model: Any = "valueflow/respondent", **options: Any) -> EvalLog:
    arguments = {key: options.pop(key) for key in ("limit", "epochs", "fail_on_error", "log_format")
                 if key in options}  # fmt: skip
    return inspect_eval(
        steer(**{"values": "power", "levels": "-2,2", "n_queries": 2, **options}),
        model=model,
        model_roles=JUDGE,
        display="none",
        **arguments,
    )[0]


@pytest.mark.parametrize("log_format", ["eval", "json"])
def test_a_whole_run_gives_all_its_responses_with_whole_texts(log_format: str) -> None:
    log = run(epochs=Epochs(2), limit=3, log_format=log_format)
    found = read_responses(Path(log.location))
    assert found.header.eval.model == "valueflow/respondent"
    assert found.header.samples is None
    assert len(found.responses) == 3 * 2
    assert not found.left_out
    windows = [w for r in found.responses for v in r["values"].values() for w in v["windows"]]
    assert len(windows) == 6 * 3
    assert not any(text.startswith("attachment:") for w in windows for text in w["texts"])


def test_samples_that_failed_are_counted_and_the_others_read() -> None:
    calls = []

    def answer(*_: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("the connection broke")
        return output("I like to be in charge.")

    judge_knows_no_text = {"grader": mock_model(lambda *_: output("no ranking"))}
    log = inspect_eval(
        steer(values="power", levels="-2,2", n_queries=2),
        model=mock_model(answer),
        model_roles=judge_knows_no_text,
        display="none",
        fail_on_error=False,
        max_samples=1,
    )[0]
    found = read_responses(Path(log.location))
    assert len(found.responses) == 5
    assert found.left_out == {"samples that ended in an error": 1}


def test_samples_that_an_interrupted_run_never_reached_are_counted(tmp_path: Path) -> None:
    log = read_eval_log(run().location)
    assert log.samples is not None
    log.samples = log.samples[:4]
    path = tmp_path / "cut.json"
    write_eval_log(log, str(path))
    found = read_responses(path)
    assert len(found.responses) == 4
    assert found.left_out == {"samples that were never run": 2}


def test_a_log_without_our_scores_is_named() -> None:
    log = inspect_eval(
        Task(dataset=[Sample(id="one", input="Hello")]),
        model=mock_model(lambda *_: output("hello")),
        display="none",
    )[0]
    with pytest.raises(InputFileError, match="holds no score of valueflow/intensity") as error:
        read_responses(Path(log.location))
    assert log.location.split("/")[-1] in str(error.value)
    assert "1 samples without a score" in str(error.value)


def test_a_sample_with_two_scores_of_ours_is_named(tmp_path: Path) -> None:
    log = read_eval_log(run().location)
    assert log.samples is not None
    scores = log.samples[0].scores
    assert scores is not None
    scores["intensity1"] = scores["intensity"]
    path = tmp_path / "twice.json"
    write_eval_log(log, str(path))
    with pytest.raises(InputFileError, match="has 2 scores of valueflow/intensity"):
        read_responses(path)


def test_files_that_are_no_logs_are_named(tmp_path: Path) -> None:
    table, text, archive = (tmp_path / name for name in ("a.csv", "b.json", "c.eval"))
    table.write_text("a,b\n")
    text.write_text(json.dumps({"hello": 1}))
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("hello.txt", "hello")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputFileError, match=r"a\.csv: is no Inspect log"):
        find_logs([table])
    for path in (text, archive):
        with pytest.raises(InputFileError, match=f"{path.name}: is not a readable Inspect log"):
            read_responses(path)
    with pytest.raises(InputFileError, match="no such file"):
        read_responses(tmp_path / "nowhere.eval")
    with pytest.raises(InputFileError, match="no such file or folder"):
        find_logs([tmp_path / "nowhere"])
    with pytest.raises(InputFileError, match="a folder without an Inspect log"):
        find_logs([tmp_path / "folder"])


def test_logs_of_folders_and_subfolders_are_found_once(tmp_path: Path) -> None:
    log = Path(run().location)
    inner = tmp_path / "logs of mine" / "inner"
    inner.mkdir(parents=True)
    copy = inner / log.name
    copy.write_bytes(log.read_bytes())
    assert find_logs([tmp_path / "logs of mine", copy]) == [copy.resolve()]
