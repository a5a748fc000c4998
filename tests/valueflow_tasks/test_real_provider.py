"""A provider's real client gives the same numbers as the simulated models that answer behind it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog

from tests.chat_server import ChatServer
from tests.valueflow_tasks.rebuild.database.test_build_vidb import JUDGE, build, contents, prepare
from valueflow.cli import main
from valueflow.steering.tasks import steer

pytest.importorskip("openai", reason="the provider's client is not installed")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with ChatServer({"respondent": {}, "judge": {}}) as running:
        monkeypatch.setenv("LOCAL_BASE_URL", running.url)
        monkeypatch.setenv("LOCAL_API_KEY", "none")
        yield running


def run(provider: str, folder: Path) -> EvalLog:
    [log] = inspect_eval(
        steer(values="power", levels="-2,2", n_queries=3, windows=1, figures="all"),
        model=f"{provider}/respondent",
        model_roles={"grader": f"{provider}/judge"},
        log_dir=str(folder),
        display="none",
    )
    assert log.status == "success", log.error
    return log


def figures(log: EvalLog) -> dict[str, float]:
    assert log.results is not None
    return {n: m.value for score in log.results.scores for n, m in score.metrics.items()}


def tables(folder: Path) -> dict[str, str]:
    """Hashes of the fitted and scaled tables."""
    found = {
        f"{part}/{n}": h for part in ("fit", "scale") for n, h in contents(folder / part).items()
    }
    return {name: sha for name, sha in found.items() if name.endswith(".csv")}


def test_a_run_over_the_network_measures_what_a_run_without_it_does(
    server: ChatServer, tmp_path: Path
) -> None:
    near, far = run("valueflow", tmp_path / "near"), run("openai-api/local", tmp_path / "far")
    assert figures(far) == pytest.approx(figures(near), abs=1e-12, nan_ok=True)
    assert server.asked["respondent"] == 9
    assert server.asked["judge"] == 9 + 1  # one before the first generation


def test_a_database_built_over_the_network_is_the_same_and_a_busy_server_costs_no_call_twice(
    server: ChatServer, tmp_path: Path
) -> None:
    near = prepare(tmp_path / "near", texts=12)
    build(near, tmp_path / "near" / "build")
    truth = str(tmp_path / "near" / "truth.csv")
    with ChatServer({"judge": {**JUDGE, "truth": truth}}) as other:
        far = prepare(
            tmp_path / "far",
            texts=12,
            rank={
                "judge": {"model": "openai-api/local/judge", "config": {"base_url": other.url}},
                "windows_per_text": 20,
            },
        )
        other.fails = [429, 500, 503]
        build(far, tmp_path / "far" / "build")
        asked = other.asked["judge"]
        near_tables, far_tables = (tables(tmp_path / name / "build") for name in ("near", "far"))
        assert len(near_tables) == 4
        assert near_tables == far_tables
        kept = [
            json.loads(line)
            for path in (tmp_path / "far" / "build" / "rank").glob("*.calls.jsonl")
            for line in path.read_text().splitlines()
        ]
        assert len(kept) == asked
        # Another address of the same model goes on with the judgements that are there.
        moved = far.read_text().replace(other.url, server.url)
        far.write_text(moved)
        assert "judge calls in this run: 0 " in build(far, tmp_path / "far" / "build")


def test_a_judge_that_is_not_served_is_told_in_a_sentence_and_no_answer_is_lost(
    server: ChatServer, tmp_path: Path
) -> None:
    rank = {"judge": {"model": "openai-api/local/gone"}, "windows_per_text": 2}
    recipe = prepare(tmp_path, texts=6, rank=rank)
    done = CliRunner().invoke(main, ["build", "vidb", str(recipe), "-o", str(tmp_path / "build")])
    assert done.exit_code == 1
    assert "there is no model gone" in done.output
    assert "run the same command again" in done.output


@pytest.mark.parametrize("broken", ["empty text", "no choices"])
def test_an_outage_that_answers_with_nothing_leaves_no_failed_window_in_a_database(
    server: ChatServer, tmp_path: Path, broken: Any
) -> None:
    prepare(tmp_path, texts=12)
    with ChatServer({"judge": {**JUDGE, "truth": str(tmp_path / "truth.csv")}}) as other:
        judge = {"model": "openai-api/local/judge", "config": {"base_url": other.url}}
        rank = {"judge": judge, "windows_per_text": 4}
        recipe = prepare(tmp_path, texts=12, rank=rank, values=["power"])
        other.breaks["judge"] = (3, broken)
        line = ["build", "vidb", str(recipe), "-o", str(tmp_path / "build")]
        done = CliRunner().invoke(main, line)
        assert done.exit_code == 1
        assert "the judge answered with nothing" in done.output
        [file] = (tmp_path / "build" / "rank").glob("*.power.jsonl")
        kept = [json.loads(row) for row in file.read_text().splitlines()]
        assert len(kept) == 3
        other.breaks.clear()
        build(recipe, tmp_path / "build")
        rows = [json.loads(row) for row in file.read_text().splitlines()]
    assert rows[:3] == kept
    assert all(row["order"] for row in rows)
