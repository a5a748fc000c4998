"""A database is built from a recipe: the truth comes back, and a kill changes nothing."""

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import yaml
from click.testing import CliRunner

from valueflow.cli import main
from valueflow.hub_assets.inputs.anchors import load_vidb

VALUES = ("benevolence", "power")
JUDGE = {"truth": "truth.csv", "seed": 1}


def prepare(folder: Path, texts: int = 60, **more: Any) -> Path:
    """Texts of known intensity for two values, and a recipe for them."""
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        (folder / "texts.csv").open("w", newline="") as given,
        (folder / "truth.csv").open("w", newline="") as known,
    ):
        rows, truth = csv.writer(given), csv.writer(known)
        rows.writerow(["text", "value"])
        truth.writerow(["text", "value", "intensity"])
        for value in VALUES:
            for _ in range(texts):
                text = " ".join(f"w{i}" for i in generator.integers(0, 9999, 8))
                rows.writerow([text, value])
                truth.writerow([text, value, generator.uniform(-10, 10)])
    panel = {"model": "valueflow/judge", "args": {**JUDGE, "seed": 10}, "seats": 7}
    recipe = {
        "theories": ["pvq"],
        "sources": [{"path": "texts.csv", "source": "made up", "license": "CC0-1.0"}],
        "categorize": {"judges": [panel], "values": "labels"},
        "curate": {"balance": "none"},
        "rank": {"judge": {"model": "valueflow/judge", "args": JUDGE}, "windows_per_text": 20},
        "flag": {"judges": [{**panel, "seats": 3}], "ask": "all"},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**recipe, **more}))
    return path


def build(recipe: Path, output: Path, *options: str) -> str:
    done = CliRunner().invoke(main, ["build", "vidb", str(recipe), "-o", str(output), *options])
    assert done.exit_code == 0, done.output
    return done.output


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def judgements(folder: Path) -> dict[str, int]:
    stores = [folder / "categorize" / "judgements.calls.jsonl"]
    stores += [*folder.glob("rank/*.calls.jsonl"), *folder.glob("flag/*.calls.jsonl")]
    return {str(p.relative_to(folder)): p.read_bytes().count(b"\n") for p in stores}


def table(output: Path, value: str) -> list[dict[str, Any]]:
    path = output / "vidb" / "data" / "pvq" / value / "full.parquet"
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    return rows


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe and the undisturbed build `plain`."""
    folder = tmp_path_factory.mktemp("built")
    build(prepare(folder), folder / "plain")
    return folder


def test_the_known_truth_comes_back(built: Path) -> None:
    with (built / "truth.csv").open(newline="") as stream:
        truth = {row["text"]: float(row["intensity"]) for row in csv.DictReader(stream)}
    for value in VALUES:
        rows = table(built / "plain", value)
        assert len(rows) > 50
        real = np.array([truth[row["text"]] for row in rows])
        score, se, utility = (
            np.array([row[c] for row in rows]) for c in ("intensity", "intensity_se", "utility")
        )
        assert np.corrcoef(score, real)[0, 1] > 0.98
        scale = json.loads((built / "plain" / "scale" / f"pvq.{value}.json").read_text())
        slope = 20 / np.ptp(scale["utilities"])
        zero = np.mean(utility - real)
        assert np.mean(np.abs(utility - zero - real) < 1.96 * se / slope) > 0.88
        assert abs(slope * (zero - scale["neutral"])) < 1  # 60 texts; thousands in the benchmark
        clear = np.abs(real) >= 1
        assert np.mean(np.sign(score) == np.sign(real), where=clear) >= 0.97
        told = {"support": 1, "oppose": -1, "neutral": 0}
        labels = [told[row["direction"]] for row in rows]
        assert np.mean(labels == np.sign(real), where=clear) >= 0.97
        assert {row["n_comparisons"] for row in rows} <= {20, *range(21, 30)}


def test_an_evaluation_can_use_what_was_built(built: Path) -> None:
    vidb = load_vidb(str(built / "plain" / "vidb"))
    assert {name for _, name in vidb.anchors} == set(VALUES)


def test_a_second_run_asks_nothing(built: Path) -> None:
    before = contents(built / "plain")
    assert "judge calls in this run: 0 " in build(built / "recipe.yaml", built / "plain")
    after = contents(built / "plain")
    assert {k: v for k, v in after.items() if not k.endswith(".lock")} == {
        k: v for k, v in before.items() if not k.endswith(".lock")
    }


def test_a_budget_holds_exactly_and_the_next_run_goes_on(built: Path, tmp_path: Path) -> None:
    recipe, output = built / "recipe.yaml", tmp_path / "b"
    calls = sum(judgements(built / "plain").values())
    arguments = ["build", "vidb", str(recipe), "-o", str(output), "--max-calls", str(calls // 2)]
    stopped = CliRunner().invoke(main, arguments)
    assert stopped.exit_code == 1
    assert f"budget of {calls // 2:,} calls is spent" in stopped.output
    assert sum(judgements(output).values()) == calls // 2
    assert f"judge calls in this run: {calls - calls // 2:,} " in build(recipe, output)
    assert contents(output / "vidb") == contents(built / "plain" / "vidb")


def test_a_stop_between_an_answer_and_its_correction_loses_neither(tmp_path: Path) -> None:
    judge = {"model": "valueflow/judge", "args": {**JUDGE, "failure_rate": 0.5}}
    rank = {"judge": judge, "windows_per_text": 8}
    recipe = prepare(tmp_path, 30, rank=rank, values=["power"], connections=3)
    build(recipe, tmp_path / "plain")
    calls = judgements(tmp_path / "plain")
    assert calls["rank/pvq.power.calls.jsonl"] > 60  # 40 windows
    made = 0
    while made < sum(calls.values()):
        command = ["build", "vidb", str(recipe), "-o", str(tmp_path / "b"), "--max-calls", "45"]
        CliRunner().invoke(main, command)
        assert sum(judgements(tmp_path / "b").values()) > made
        made = sum(judgements(tmp_path / "b").values())
    build(recipe, tmp_path / "b")
    assert judgements(tmp_path / "b") == calls
    assert contents(tmp_path / "b" / "vidb") == contents(tmp_path / "plain" / "vidb")


def test_shards_join_into_the_same_database(built: Path, tmp_path: Path) -> None:
    recipe = built / "recipe.yaml"
    for shard in ("1", "2"):
        for stage in ("import", "categorize", "curate"):
            shutil.copytree(built / "plain" / stage, tmp_path / shard / stage)
    build(recipe, tmp_path / "1", "--shard", "1/2")
    missing = ["build", "vidb", str(recipe), "-o", str(tmp_path / "m"), "--merge"]
    refused = CliRunner().invoke(main, [*missing, str(tmp_path / "1")])
    assert refused.exit_code == 1
    assert "no folder has finished" in refused.output
    build(recipe, tmp_path / "2", "--shard", "2/2")
    both = [o for shard in ("1", "2") for o in ("--merge", str(tmp_path / shard))]
    assert "judge calls in this run: 0 " in build(recipe, tmp_path / "m", *both)
    assert contents(tmp_path / "m" / "vidb") == contents(built / "plain" / "vidb")


def test_a_dry_run_tells_the_calls_and_asks_nobody(built: Path, tmp_path: Path) -> None:
    told = build(built / "recipe.yaml", tmp_path / "none", "--dry-run")
    # Values and children: 120 texts, eight a prompt, five seats.
    for column in ("least", "expected", "left"):
        assert told.count(f"{column}: 75\n") == 2
    assert "210" in told  # seven seats twice, where they never agree
    assert "400" in told  # 2 values x 20 rounds x 10 windows
    assert "360" in told  # three seats about each of 120 scores
    assert not (tmp_path / "none").exists()


def test_a_changed_recipe_does_not_mix_judgements(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "plain", tmp_path / "b")
    for name in ("texts.csv", "truth.csv"):
        shutil.copy(built / name, tmp_path)
    raw = yaml.safe_load((built / "recipe.yaml").read_text())
    raw["rank"]["judge"]["args"]["scale"] = 0.5
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(raw))
    command = ["build", "vidb", str(tmp_path / "recipe.yaml"), "-o", str(tmp_path / "b")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1
    assert "holds judgements of other settings" in done.output


def test_stages_are_commands_and_say_what_comes_first(built: Path, tmp_path: Path) -> None:
    def run(stage: str) -> Any:
        command = ["build", stage, str(built / "recipe.yaml"), "-o", str(tmp_path / "b")]
        return CliRunner().invoke(main, command)

    early = run("rank")
    assert early.exit_code == 1
    assert "run the stage 'curate' first" in early.output
    for stage in ("import", "categorize", "curate", "rank", "fit", "scale", "flag", "package"):
        done = run(stage)
        assert done.exit_code == 0, done.output
    assert contents(tmp_path / "b" / "vidb") == contents(built / "plain" / "vidb")


def test_ratings_are_merged_and_mark_the_filtered_rows(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "plain", tmp_path / "b")
    for name in ("texts.csv", "truth.csv"):
        shutil.copy(built / name, tmp_path)
    one, two = table(built / "plain", "power")[:2]
    far = -10 if two["intensity"] > 0 else 10
    with (tmp_path / "ratings.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "value", "rating", "reviewer"])
        writer.writerow([one["text"], "power", one["intensity"] * 0.9, "a"])
        writer.writerow([two["text"], "power", far, "a"])
    raw = yaml.safe_load((built / "recipe.yaml").read_text())
    raw["review"] = {"ratings": "ratings.csv", "weight": 0.25}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(raw))
    build(tmp_path / "recipe.yaml", tmp_path / "b")
    scores = {row["text"]: row["intensity"] for row in table(tmp_path / "b", "power")}
    assert scores[one["text"]] == pytest.approx(0.975 * one["intensity"])
    assert scores[two["text"]] == pytest.approx(0.75 * two["intensity"] + 0.25 * far)
    filtered = tmp_path / "b" / "vidb" / "data" / "pvq" / "power" / "filtered.parquet"
    found = pyarrow.parquet.read_table(filtered).to_pylist()
    assert [row["text"] for row in found] == [one["text"]]


def test_adaptive_windows_are_the_same_after_a_stop(tmp_path: Path) -> None:
    judge = {"model": "valueflow/judge", "args": JUDGE}
    rank = {"judge": judge, "windows_per_text": 9, "adaptive": True}
    recipe = prepare(tmp_path, 40, rank=rank, values=["power"])
    build(recipe, tmp_path / "plain")
    command = ["build", "vidb", str(recipe), "-o", str(tmp_path / "b")]
    calls = str(judgements(tmp_path / "plain")["categorize/judgements.calls.jsonl"] + 30)
    assert CliRunner().invoke(main, [*command, "--max-calls", calls]).exit_code == 1
    build(recipe, tmp_path / "b")
    assert contents(tmp_path / "b" / "vidb") == contents(tmp_path / "plain" / "vidb")
    assert judgements(tmp_path / "b") == judgements(tmp_path / "plain")


def test_killed_and_resumed_it_is_the_same_for_the_same_calls(built: Path, tmp_path: Path) -> None:
    output = tmp_path / "b"
    command = [sys.executable, "-m", "valueflow.cli", "build", "vidb"]
    command += [str(built / "recipe.yaml"), "-o", str(output)]
    store = output / "categorize" / "judgements.jsonl"

    def kill_when(there: Callable[[], bool]) -> None:
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=dict(os.environ))
        while not there() and process.poll() is None:
            time.sleep(0.005)
        assert process.poll() is None, "it was done before it could be killed"
        process.kill()
        process.wait()

    kill_when(lambda: store.is_file() and store.stat().st_size > 9_000)
    kill_when(lambda: any(p.stat().st_size > 9_000 for p in output.glob("rank/*.jsonl")))
    asked = sum(judgements(output).values())
    whole = sum(judgements(built / "plain").values())
    assert 0 < asked < whole
    assert f"judge calls in this run: {whole - asked:,} " in build(built / "recipe.yaml", output)
    assert judgements(output) == judgements(built / "plain")
    assert contents(output / "vidb") == contents(built / "plain" / "vidb")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--values", "powr"], "unknown value 'powr'"),
        (["--values", ""], "values: names no value"),
        (["--values", "face"], "face is none of the recipe's values"),
        (["--values", "power", "--until", "package"], "'package' works on all values"),
    ],
)
def test_wrong_shares_are_refused_before_anybody_is_asked(
    built: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    raw = yaml.safe_load((built / "recipe.yaml").read_text()) | {"values": list(VALUES)}
    recipe = built / "two-values.yaml"
    recipe.write_text(yaml.safe_dump(raw))
    command = ["build", "vidb", str(recipe), "-o", str(tmp_path / "b"), *options]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 1
    assert told in refused.output
    assert not (tmp_path / "b").exists()


def test_a_file_that_a_late_stage_needs_is_missed_before_anything_is_asked(tmp_path: Path) -> None:
    recipe = prepare(tmp_path, texts=6, package={"held_out": "held.txt", "notes": "notes.md"})
    done = CliRunner().invoke(main, ["build", "vidb", str(recipe), "-o", str(tmp_path / "build")])
    assert done.exit_code == 1
    assert "package.held_out" in done.output
    assert "package.notes" in done.output
    assert not (tmp_path / "build").exists()


def test_more_windows_or_fewer_go_on_with_what_was_judged(tmp_path: Path) -> None:
    judge = {"model": "valueflow/judge", "args": JUDGE}

    def ranked(folder: str, windows: int) -> tuple[str, dict[str, str]]:
        rank = {"judge": judge, "windows_per_text": windows}
        recipe = prepare(tmp_path, texts=30, rank=rank, flag={"ask": "none"})
        told = build(recipe, tmp_path / folder)
        return told, contents(tmp_path / folder / "vidb")

    few = ranked("one", 6)[1]
    told, more = ranked("one", 9)
    assert "judge calls in this run: 30 " in told  # 3 rounds of 5 windows, for two values
    assert more == ranked("fresh", 9)[1]
    told, again = ranked("one", 6)
    assert "judge calls in this run: 0 " in told
    assert again == few != more


def test_a_new_scale_asks_the_panel_about_the_scores_that_changed_alone(tmp_path: Path) -> None:
    first = build(prepare(tmp_path, texts=12), tmp_path / "build")
    wider = prepare(tmp_path, texts=12, scale={"end_quantile": 0.8})
    second = build(wider, tmp_path / "build")
    kept = judgements(tmp_path / "build")
    calls = [int(re.search(r"judge calls in this run: (\d+)", t)[1]) for t in (first, second)]
    assert 0 < calls[1] <= 24 * 3
    assert sum(kept.values()) == sum(calls)
    assert "judge calls in this run: 0 " in build(wider, tmp_path / "build")
