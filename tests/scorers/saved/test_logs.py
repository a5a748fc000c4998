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
from valueflow.scorers.saved.logs import (
    BATCH,
    ScoredLog,
    find_logs,
    hidden,
    last_attempts,
    left_out,
    log_samples,
)
from valueflow.steering.tasks import steer

JUDGE = {"grader": "valueflow/judge"}


def read(path: str | Path) -> tuple[ScoredLog, list[dict[str, Any]]]:
    log = ScoredLog(path)
    return log, list(log.records())


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
    found, responses = read(log.location)
    assert found.header.eval.model == "valueflow/respondent"
    assert found.header.samples is None
    assert len(responses) == 3 * 2
    assert not left_out(found.counts)
    assert found.counts["planned"] == found.counts["scored"] == found.counts["generations"] == 6
    assert len({response["response_sha256"] for response in responses}) > 1
    windows = [w for r in responses for v in r["values"].values() for w in v["windows"]]
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
    found, responses = read(log.location)
    assert len(responses) == 5
    assert left_out(found.counts) == {"samples that ended in an error": 1}


def test_samples_that_an_interrupted_run_never_reached_are_counted(tmp_path: Path) -> None:
    log = read_eval_log(run().location)
    assert log.samples is not None
    log.samples = log.samples[:4]
    path = tmp_path / "cut.json"
    write_eval_log(log, str(path))
    found, responses = read(path)
    assert len(responses) == 4
    assert left_out(found.counts) == {"samples that were never run": 2}


def test_a_log_without_our_scores_has_no_record() -> None:
    log = inspect_eval(
        Task(dataset=[Sample(id="one", input="Hello")]),
        model=mock_model(lambda *_: output("hello")),
        display="none",
    )[0]
    found, responses = read(log.location)
    assert not responses
    assert left_out(found.counts) == {"samples without a score of valueflow/intensity": 1}


def test_of_two_scores_of_a_sample_the_newest_counts(tmp_path: Path) -> None:
    log = read_eval_log(run().location)
    assert log.samples is not None
    scores = log.samples[0].scores
    assert scores is not None
    scores["intensity1"] = scores["intensity"].model_copy(deep=True)
    assert scores["intensity1"].metadata is not None
    scores["intensity1"].metadata["valueflow"]["words"] = 77
    path = tmp_path / "twice.json"
    write_eval_log(log, str(path))
    found, responses = read(path)
    assert len(responses) == len(log.samples)
    assert [r["words"] for r in responses].count(77) == 1
    assert found.counts["rescored"] == 1


def test_of_a_run_and_its_retries_the_fullest_stands_for_all() -> None:
    logs = [("run", 5), ("other", 2), ("run", 9), ("run", 9)]
    pairs = last_attempts(list(range(4)), lambda i: logs[i][0], lambda i: logs[i][1])
    assert pairs == [(0, 3), (1, 1), (2, 3), (3, 3)]


def test_what_sounds_secret_is_hidden_at_any_depth() -> None:
    given = {"api_key": "sk-1", "headers": {"Auth-Token": "t"}, "max_tokens": 9, "seed": 3}
    shown = {"api_key": "(hidden)", "headers": {"Auth-Token": "(hidden)"}, "max_tokens": 9,
             "seed": 3}  # fmt: skip
    assert hidden("model_args", given) == shown
    assert hidden("password", {"user": "me"}) == "(hidden)"


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
            ScoredLog(path)
    with pytest.raises(InputFileError, match="no such file"):
        ScoredLog(tmp_path / "nowhere.eval")
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


@pytest.mark.parametrize("log_format", ["eval", "json"])
def test_all_samples_come_in_the_datasets_order_without_what_is_large(
    log_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("valueflow.scorers.saved.logs.BATCH", 4)
    assert BATCH > 4
    task = steer(values="power,face", levels=2, n_queries=2)
    log = inspect_eval(
        task,
        model="valueflow/respondent",
        model_roles={"grader": "valueflow/judge"},
        epochs=Epochs(2),
        log_format=log_format,  # type: ignore[arg-type]
        display="none",
    )[0]
    found = list(log_samples(log.location))
    expected = [(sample.id, epoch) for sample in task.dataset for epoch in (1, 2)]
    assert sorted((s.id, s.epoch) for s in found) == sorted(expected)
    if log_format == "eval":
        assert [(s.id, s.epoch) for s in found] == expected
        assert not any(sample.messages or sample.events for sample in found)
    assert all(sample.scores for sample in found)


def test_an_unreadable_log_says_so(tmp_path: Path) -> None:
    path = tmp_path / "run.eval"
    path.write_bytes(b"PK nothing")
    with pytest.raises((ValueError, OSError)):
        list(log_samples(str(path)))
