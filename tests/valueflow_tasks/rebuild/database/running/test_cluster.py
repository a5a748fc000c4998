"""Values ranked on a cluster make the database that one machine makes, whatever dies meanwhile.

The cluster is one of two workers on this machine.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.valueflow_tasks.rebuild.database.test_build_vidb import (
    JUDGE,
    VALUES,
    build,
    contents,
    judgements,
    prepare,
)
from valueflow.hub_assets.errors import OptionError, ValueflowError
from valueflow.rebuild.database.judging import Budget, BudgetSpent
from valueflow.rebuild.database.recipe import read_recipe
from valueflow.rebuild.database.running.cluster import Keeper, keeper_name, run_on_cluster
from valueflow.rebuild.database.running.stages import SHARED_STAGES, VALUE_STAGES, Run, run_stage


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, built on one machine."""
    folder = tmp_path_factory.mktemp("plain")
    judge = {"model": "valueflow/judge", "args": {**JUDGE, "failure_rate": 0.2}}
    panel = {"model": "valueflow/judge", "args": {**JUDGE, "seed": 10}, "seats": 3}
    recipe = prepare(
        folder,
        texts=40,
        rank={"judge": judge, "windows_per_text": 12},
        categorize={"judges": [{**panel, "seats": 7}], "values": "labels", "descend": False},
        flag={"judges": [panel], "ask": "all"},
        connections=2,
    )
    build(recipe, folder / "b")
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="needs ray: pip install 'valueflow[ray]'")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


def curated(plain: Path, folder: Path, budget: Budget | None = None) -> tuple[Run, list[str]]:
    told: list[str] = []
    recipe = read_recipe(plain / "recipe.yaml")
    run = Run(recipe, folder, budget or Budget(), say=told.append)
    for stage in SHARED_STAGES:
        run_stage(run, stage)
    return run, told


@pytest.mark.slow
def test_the_command_makes_the_database_of_one_machine(
    plain: Path, cluster: None, tmp_path: Path
) -> None:
    told = build(plain / "recipe.yaml", tmp_path / "b", "--ray")
    assert contents(tmp_path / "b" / "vidb") == contents(plain / "b" / "vidb")
    calls = judgements(plain / "b")
    assert judgements(tmp_path / "b") == calls
    assert f"judge calls in this run: {sum(calls.values()):,} " in told
    # One machine goes on with what the cluster did, and asks nobody.
    assert "judge calls in this run: 0 " in build(plain / "recipe.yaml", tmp_path / "b")


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_costs_no_finished_call(
    plain: Path, cluster: None, tmp_path: Path
) -> None:
    import ray

    run, told = curated(plain, tmp_path / "b")
    killed: list[int] = []

    def kill() -> None:
        while not killed:
            time.sleep(0.01)
            try:
                status = ray.get(ray.get_actor(keeper_name(run.folder)).status.remote())
            except ValueError:
                continue  # It is not there yet.
            for key, count in status.done.items():
                if count > 15 and not killed:
                    killed.append(status.pids[key][0])
                    os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    run_on_cluster(run, VALUE_STAGES)
    killer.join(timeout=5)
    assert len(killed) == 1
    assert any("its worker died" in line for line in told)
    run_stage(run, "package")
    assert contents(tmp_path / "b" / "vidb") == contents(plain / "b" / "vidb")
    assert judgements(tmp_path / "b") == judgements(plain / "b")


@pytest.mark.slow
def test_a_budget_holds_for_all_workers_together(
    plain: Path, cluster: None, tmp_path: Path
) -> None:
    panel = judgements(plain / "b")["categorize/judgements.calls.jsonl"]
    run, _ = curated(plain, tmp_path / "b", Budget(panel + 60))
    run = Run(run.recipe, run.folder, Budget(60))
    with pytest.raises(BudgetSpent, match="budget"):
        run_on_cluster(run, VALUE_STAGES)
    assert run.budget.calls == 60
    assert sum(judgements(tmp_path / "b").values()) == panel + 60
    whole = sum(judgements(plain / "b").values())
    left = f"judge calls in this run: {whole - panel - 60:,} "
    assert left in build(plain / "recipe.yaml", tmp_path / "b")
    assert contents(tmp_path / "b" / "vidb") == contents(plain / "b" / "vidb")


@pytest.mark.slow
def test_a_judge_that_fails_is_told_in_its_own_words(
    plain: Path, cluster: None, tmp_path: Path
) -> None:
    raw = yaml.safe_load((plain / "recipe.yaml").read_text())
    raw["rank"]["judge"]["args"] = {"truth": "truth.csv", "no_such_argument": 1}
    (plain / "other.yaml").write_text(yaml.safe_dump(raw))
    run = Run(read_recipe(plain / "other.yaml"), tmp_path / "b", Budget())
    for stage in SHARED_STAGES:
        run_stage(run, stage)
    with pytest.raises(ValueflowError, match="no_such_argument"):
        run_on_cluster(run, VALUE_STAGES)


def test_a_keeper_keeps_each_line_once_and_takes_no_files_that_lack_one(tmp_path: Path) -> None:
    keeper = Keeper(str(tmp_path), most=2)
    value = f"pvq:{VALUES[0]}"
    assert keeper.begin("pvq", VALUES[0], 11) == {}
    row = {"key": "0.1", "order": ["a", "b"]}
    for name in ("rank/pvq.benevolence.calls.jsonl", "rank/pvq.benevolence.jsonl"):
        for _ in range(2):
            keeper.add(value, name, row, b'{"generation": 0}', (5, 1, 0.0))
    assert [keeper.take() for _ in range(3)] == [True, True, False]
    status = keeper.status()
    assert (status.done, status.pids, status.calls) == ({value: 1}, {value: (11, 1)}, 2)
    assert (status.tokens_in, status.tokens_out) == (5, 1)
    # A worker that takes up again gets all of it.
    assert set(keeper.begin("pvq", VALUES[0], 12)) == {
        "rank/pvq.benevolence.begun.json",
        "rank/pvq.benevolence.calls.jsonl",
        "rank/pvq.benevolence.jsonl",
    }
    assert "lacks 1 judgements" in keeper.finish("pvq", VALUES[0], {})
    whole = b'{"key": "0.1", "order": ["a", "b"]}\n{"key": "0.2", "order": null}\n'
    files = {f"rank/pvq.benevolence{end}": whole for end in (".calls.jsonl", ".jsonl")}
    assert keeper.finish("pvq", VALUES[0], files) == ""
    assert (tmp_path / "rank" / "pvq.benevolence.jsonl").read_bytes() == whole


def test_a_clients_address_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("valueflow.rebuild.database.running.cluster.need", lambda *_: None)
    run = Run(read_recipe(prepare(tmp_path, 4)), tmp_path / "b", Budget())
    with pytest.raises(OptionError, match="run this on one of its machines"):
        run_on_cluster(run, VALUE_STAGES, "ray://host:10001")
