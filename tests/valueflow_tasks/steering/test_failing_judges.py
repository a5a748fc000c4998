"""Judges that are dead, die, or answer with nothing, behind a provider's real client."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import Model, get_model

from tests.chat_server import ChatServer
from valueflow.cli import main
from valueflow.results.steering.logs import read_study_log
from valueflow.scorers.intensity_scorer import intensity
from valueflow.scorers.judge import probe
from valueflow.scorers.judge.calls.memory import GIVE_UP_AFTER
from valueflow.scorers.records import METADATA_KEY, ResponseRecord, judge_usage, lost_windows
from valueflow.steering.tasks import steer

pytest.importorskip("openai", reason="the provider's client is not installed")

JUDGE = "openai-api/local/judge"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with ChatServer({"respondent": {}, "judge": {}}) as running:
        monkeypatch.setenv("LOCAL_BASE_URL", running.url)
        monkeypatch.setenv("LOCAL_API_KEY", "none")
        yield running


def run(server: ChatServer, folder: Path, judge: str = JUDGE, **options: Any) -> EvalLog:
    def model(name: str) -> Model:
        # Inspect remembers a model by its name, and each test has a server of its own.
        address = {} if name.startswith("valueflow/") else {"base_url": server.url}
        return get_model(name, memoize=False, **address)

    task = {"values": "power", "levels": "-2,2", "n_queries": 6, "windows": 2, **options}
    [log] = inspect_eval(
        steer(**task),
        model=model("openai-api/local/respondent"),
        model_roles={"grader": model(judge)},
        log_dir=str(folder),
        display="none",
        max_connections=2,
        max_retries=0,
    )
    return log


def records(log: EvalLog) -> list[ResponseRecord]:
    return [
        score.metadata[METADATA_KEY]
        for sample in log.samples or []
        for score in (sample.scores or {}).values()
        if score.metadata
    ]


def figures(log: EvalLog) -> dict[str, float]:
    assert log.results is not None
    found = {n: m.value for score in log.results.scores for n, m in score.metrics.items()}
    return {n: v for n, v in found.items() if not n.startswith("judge_")}


@pytest.mark.parametrize("broken", [401, "empty text", "no choices"])
def test_a_dead_judge_is_noticed_before_the_first_generation(
    server: ChatServer, tmp_path: Path, broken: Any
) -> None:
    server.breaks["judge"] = (0, broken)
    log = run(server, tmp_path)
    assert log.status == "error"
    assert log.error is not None
    said = "the account of judge is empty" if broken == 401 else "answered with nothing"
    assert said in log.error.message
    assert "Nothing was generated" in log.error.message
    assert server.requests["respondent"] == 0
    assert server.requests["judge"] == 1


def test_a_simulated_judge_that_does_not_know_the_anchors_says_so_before_anything(
    server: ChatServer, tmp_path: Path
) -> None:
    table = tmp_path / "anchors.jsonl"
    rows = [{"value": "power", "text": f"Text {n}.", "intensity": n / 2} for n in range(-19, 20)]
    table.write_text("\n".join(map(json.dumps, rows)))
    log = run(server, tmp_path, "valueflow/judge", vidb=str(table))
    assert log.status == "error"
    assert log.error is not None
    assert "simulated judge: unknown text for power" in log.error.message
    assert server.requests["respondent"] == 0


def test_a_judge_without_logprobs_is_told_before_the_first_choice(
    server: ChatServer, tmp_path: Path
) -> None:
    log = run(server, tmp_path, judge_mode="choice", n_queries=1)
    assert log.status == "success"
    told = [
        event.message.message
        for sample in log.samples or []
        for event in sample.events
        if event.event == "logger"
    ]
    assert sum("returns no logprobs, which judge_mode=choice needs" in one for one in told) == 1


def test_a_judge_that_dies_stops_the_judging_and_its_words_stand_at_the_end(
    server: ChatServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.breaks["judge"] = (5, 401)
    log = run(server, tmp_path)
    assert log.status == "success"
    assert server.requests["judge"] <= 5 + GIVE_UP_AFTER + 2  # those in flight
    told = capsys.readouterr().err
    assert "windows have no ranking" in told
    assert "the account of judge is empty" in told
    assert "valueflow repair" in told
    done = CliRunner().invoke(main, ["report", str(tmp_path), "-o", str(tmp_path / "r")])
    assert done.exit_code == 0, done.output
    assert "the account of judge is empty" in (tmp_path / "r" / "index.html").read_text()
    done = CliRunner().invoke(main, ["score", str(log.location), "-o", str(tmp_path / "scores")])
    assert done.exit_code == 0, done.output
    assert "the account of judge is empty" in done.output


@pytest.mark.parametrize("broken", ["empty text", "no choices", 401])
def test_repair_asks_only_for_what_an_outage_left_and_gives_the_numbers_of_a_whole_run(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Any
) -> None:
    whole = figures(run(server, tmp_path / "whole"))
    # Without what the run above has left in it.
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "other"))
    server.requests.clear()
    server.breaks["judge"] = (8, broken)
    log = run(server, tmp_path / "broken")
    assert log.status == "success", log.error
    failed = sum(lost_windows(records(log)).values())
    assert 0 < failed < 2 * 3 * 6
    server.breaks.clear()
    server.requests.clear()
    done = CliRunner().invoke(main, ["repair", log.location])
    assert done.exit_code == 0, done.output
    assert f"{failed} of {failed} windows without a ranking have one now" in done.output
    assert dict(server.requests) == {"judge": failed}
    mended = read_eval_log(log.location)
    assert figures(mended) == pytest.approx(whole, abs=1e-12, nan_ok=True)
    again = CliRunner().invoke(main, ["repair", log.location])
    assert "nothing was asked" in again.output
    assert server.requests["judge"] == failed
    # Scored once more, everything is in the cache.
    scored = inspect_score(mended, intensity(), action="overwrite", display="none")
    assert figures(scored) == pytest.approx(whole, abs=1e-12, nan_ok=True)
    assert server.requests["judge"] == failed


def test_a_log_is_repaired_by_its_own_judge_and_within_a_budget(
    server: ChatServer, tmp_path: Path
) -> None:
    server.breaks["judge"] = (8, 401)
    log = run(server, tmp_path, n_queries=4)
    server.breaks.clear()
    before = Path(log.location).read_bytes()
    other = CliRunner().invoke(main, ["repair", log.location, "--grader", "valueflow/judge"])
    assert other.exit_code == 1
    assert f"valueflow/judge is not {JUDGE}" in other.output
    assert Path(log.location).read_bytes() == before
    server.requests.clear()
    new = tmp_path / "new.eval"
    done = CliRunner().invoke(main, ["repair", log.location, "-o", str(new), "--max-calls", "3"])
    assert done.exit_code == 0, done.output
    assert "run the same command again" in done.output
    assert server.requests["judge"] == 3
    left = sum(lost_windows(records(read_eval_log(str(new)))).values())
    assert left == sum(lost_windows(records(log)).values()) - 3


def test_the_calls_of_a_log_are_those_of_the_judge_that_scored_it_last(
    server: ChatServer, tmp_path: Path
) -> None:
    log = run(server, tmp_path, n_queries=2)
    first = judge_usage(records(log))
    assert list(first) == [JUDGE]
    assert first[JUDGE]["asked"] == 2 * 2 * 3
    assert first[JUDGE]["cached"] == 0
    assert first[JUDGE]["tokens_in"] > 100
    again = inspect_score(log, intensity(), action="overwrite", display="none")
    same = judge_usage(records(again))
    assert (same[JUDGE]["asked"], same[JUDGE]["cached"]) == (0, 2 * 2 * 3)
    assert same[JUDGE]["tokens_in"] == 0
    assert again.results is not None
    metrics = again.results.scores[0].metrics
    assert (metrics["judge_calls"].value, metrics["judge_cached"].value) == (0, 12)
    other = inspect_score(
        log,
        intensity(),
        action="overwrite",
        display="none",
        model_roles={"grader": get_model("valueflow/judge", scale=0.5)},
    )
    write_eval_log(other, str(tmp_path / "other.eval"))
    usage = read_study_log(tmp_path / "other.eval").usage
    assert ("judge", JUDGE) not in usage
    assert ("model", JUDGE) not in usage
    assert usage["judge", "valueflow/judge"]["calls"] == 12
    assert usage["judge", "valueflow/judge"]["input"] > 100
    assert usage["model", "openai-api/local/respondent"]["total"] > 0


def test_a_judge_that_is_only_busy_is_alive(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "RETRIES", 0)
    server.fails = [429]
    log = run(server, tmp_path, n_queries=1)
    assert log.status == "success", log.error
    assert sum(lost_windows(records(log)).values()) == 0
