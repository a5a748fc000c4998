"""A database that grows: what was paid for is kept, and the scale stays what it was."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import yaml
from click.testing import CliRunner

from valueflow.cli import main

JUDGE = {"truth": "truth.csv", "seed": 1}
OLD, NEW = 40, 12


def invoke(*arguments: object, fails: bool = False) -> str:
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert (done.exit_code != 0) == fails, done.output
    return done.output


def texts() -> Iterator[tuple[str, float]]:
    generator = np.random.default_rng(3)
    for _ in range(OLD + NEW):
        text = " ".join(f"w{i}" for i in generator.integers(0, 9999, 8))
        yield text, generator.uniform(-10, 10)


def write(folder: Path, count: int, **more: Any) -> Path:
    """The recipe of the first so many texts."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        (folder / "texts.csv").open("w", newline="") as given,
        (folder / "truth.csv").open("w", newline="") as known,
    ):
        rows, truth = csv.writer(given), csv.writer(known)
        rows.writerow(["text", "value"])
        truth.writerow(["text", "value", "intensity"])
        for number, (text, intensity) in enumerate(texts()):
            truth.writerow([text, "power", intensity])
            if number < count:
                rows.writerow([text, "power"])
    panel = {"model": "valueflow/judge", "args": {**JUDGE, "seed": 10}, "seats": 7}
    recipe: dict[str, Any] = {
        "values": ["power"],
        "sources": [{"path": "texts.csv", "source": "made up", "license": "CC0-1.0"}],
        "categorize": {"judges": [panel], "values": "panel"},
        "curate": {"balance": "none"},
        "rank": {"judge": {"model": "valueflow/judge", "args": JUDGE}, "windows_per_text": 8},
        "flag": {"ask": "none"},
    }
    for name, part in more.items():
        recipe[name] = {**recipe[name], **part} if isinstance(part, dict) else part
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def calls(folder: Path) -> dict[str, set[str]]:
    """Keys of all calls that were made, by stage."""
    return {
        stage: {
            json.loads(line)["key"]
            for path in (folder / stage).glob("*.calls.jsonl")
            for line in path.read_text().splitlines()
        }
        for stage in ("categorize", "rank")
    }


def table(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "vidb" / "data" / "pvq" / "power" / "full.parquet"
    return {row["text"]: row for row in pyarrow.parquet.read_table(path).to_pylist()}


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A build of 40 texts that grew to 52, and what it was before."""
    folder = tmp_path_factory.mktemp("grown")
    invoke("build", "vidb", write(folder, OLD), "-o", folder / "b")
    before = {"calls": calls(folder / "b"), "table": table(folder / "b")}
    said = invoke("build", "vidb", write(folder, OLD + NEW), "-o", folder / "b")
    return folder, {**before, "said": said}


def test_only_new_texts_are_asked_about(grown: tuple[Path, dict[str, Any]]) -> None:
    folder, before = grown
    now = calls(folder / "b")
    added = {stage: now[stage] - before["calls"][stage] for stage in now}
    assert all(before["calls"][stage] <= now[stage] for stage in now)
    # One prompt of eight texts and one of four, for each of five seats or a few more, two steps.
    assert len(added["categorize"]) < 0.5 * len(before["calls"]["categorize"])
    assert {key.partition(".")[0] for key in added["rank"]} == {"g1"}
    # Three windows of four new texts and two links, eight times.
    assert len(added["rank"]) == 8 * NEW // 4
    assert "judgements of before are kept" in before["said"]
    assert "texts: 40 is now 52" in before["said"]


def test_old_texts_keep_their_intensities_and_new_ones_find_theirs(
    grown: tuple[Path, dict[str, Any]],
) -> None:
    folder, before = grown
    old, now = before["table"], table(folder / "b")
    assert len(now) - len(old) >= NEW - 2
    shared = [text for text in old if text in now]
    assert len(shared) == len(old)
    one, two = (np.array([rows[t]["intensity"] for t in shared]) for rows in (old, now))
    assert np.mean(one) == pytest.approx(np.mean(two), abs=0.05)
    assert np.std(one) == pytest.approx(np.std(two), rel=0.02)
    truth = dict(texts())
    new = [text for text in now if text not in old]
    # On the scale that the old texts have, whatever its unit.
    slope, level = np.polyfit([truth[t] for t in old], [now[t]["intensity"] for t in old], 1)
    off = np.array([now[t]["intensity"] - level - slope * truth[t] for t in new])
    errors = np.array([now[t]["intensity_se"] for t in new])
    assert np.mean(np.abs(off) < 2.5 * errors) > 0.7
    assert np.corrcoef([now[t]["intensity"] for t in new], [truth[t] for t in new])[0, 1] > 0.95


def test_a_kill_while_it_grows_changes_nothing(
    grown: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, _ = grown
    invoke("build", "vidb", write(tmp_path, OLD), "-o", tmp_path / "b")
    recipe = write(tmp_path, OLD + NEW)
    for budget in (3, 9, 11):
        invoke("build", "vidb", recipe, "-o", tmp_path / "b", "--max-calls", budget, fails=True)
    invoke("build", "vidb", recipe, "-o", tmp_path / "b")
    assert calls(tmp_path / "b") == calls(folder / "b")
    assert table(tmp_path / "b") == table(folder / "b")


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 7},
        {"categorize": {"accept_votes": 6}},
        {"curate": {"per_value": 20}},
        {"curate": {"per_value": 20}, "seed": 7},
    ],
)
def test_other_settings_ask_little_or_nothing_again(change: dict[str, Any], tmp_path: Path) -> None:
    invoke("build", "vidb", write(tmp_path, OLD), "-o", tmp_path / "b")
    before = calls(tmp_path / "b")
    invoke("build", "vidb", write(tmp_path, OLD, **change), "-o", tmp_path / "b")
    now = calls(tmp_path / "b")
    assert now["rank"] == before["rank"]
    assert len(now["categorize"] - before["categorize"]) <= 0.2 * len(before["categorize"])


def test_another_judge_is_refused_and_the_change_is_named(tmp_path: Path) -> None:
    invoke("build", "vidb", write(tmp_path, OLD), "-o", tmp_path / "b")
    before = calls(tmp_path / "b")
    other = {"rank": {"judge": {"model": "valueflow/judge", "args": {**JUDGE, "seed": 5}}}}
    said = invoke("build", "vidb", write(tmp_path, OLD, **other), "-o", tmp_path / "b", fails=True)
    assert "judge.args.seed: 1 is now 5" in " ".join(said.split())
    assert "delete" not in said
    assert calls(tmp_path / "b") == before
