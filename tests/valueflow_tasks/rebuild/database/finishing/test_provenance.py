"""A database says what made it, what it may say of it, and whether its judge was a simulation."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from tests.hub_assets.packaged import package
from tests.valueflow_tasks.rebuild.database.test_build_vidb import JUDGE, build, prepare, table
from valueflow.cli import main
from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.publish.database import DATABASE
from valueflow.hub_assets.publish.kind import check_folder
from valueflow.hub_assets.publish.push import plan_push
from valueflow.hub_assets.vidb.manifest import read_manifest
from valueflow.hub_assets.vidb.schema import ProblemsError, split_hash_of
from valueflow.rebuild.database.recipe import read_recipe


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build whose judges often fail to answer; its truth lies in a folder of this machine."""
    folder = tmp_path_factory.mktemp("provenance")
    prepare(folder)
    truth = str(folder / "truth.csv")
    judge = {
        "model": "valueflow/judge",
        "args": {"truth": truth, "seed": 7, "failure_rate": 0.5, "api_key": "my-own-secret"},
    }
    rank = {"judge": judge, "windows_per_text": 4, "attempts": 1}
    panel = {"model": "valueflow/judge", "args": JUDGE, "config": {"temperature": 0.5}, "seats": 5}
    recipe = prepare(
        folder,
        texts=16,
        seed=3,
        rank=rank,
        categorize={"judges": [panel], "values": "labels", "descend": False},
        flag={"ask": "none"},
    )
    build(recipe, folder / "b")
    return folder


@pytest.fixture(scope="module")
def provenance(built: Path) -> dict[str, Any]:
    manifest = read_manifest(built / "b" / "vidb")
    assert manifest is not None
    assert manifest.provenance is not None
    return dict(manifest.provenance)


def test_what_made_the_numbers_stands_in_the_manifest(
    built: Path, provenance: dict[str, Any]
) -> None:
    assert provenance["recipe"]["seed"] == 3
    panel, rank = provenance["judges"]
    assert (panel["stage"], panel["seats"], panel["config"]) == (
        "categorize",
        5,
        {"temperature": 0.5},
    )
    assert rank["args"]["failure_rate"] == 0.5
    assert {"valueflow", "wording", "question for a ranking"} <= set(provenance["versions"])
    for value in ("benevolence", "power"):
        numbers = provenance["values"][f"pvq:{value}"]
        lines = (built / "b" / "rank" / f"pvq.{value}.jsonl").read_text().splitlines()
        orders = [json.loads(line)["order"] for line in lines]
        assert numbers["windows"] == len(orders)
        assert numbers["failed_windows"] == orders.count(None) > 0
        scale = json.loads((built / "b" / "scale" / f"pvq.{value}.json").read_text())
        assert numbers["neutral_utility"] == pytest.approx(scale["neutral"], abs=1e-4)
        assert numbers["neutral_se"] == pytest.approx(scale["neutral_se"], abs=1e-4)
    failed = sum(numbers["failed_windows"] for numbers in provenance["values"].values())
    assert provenance["asked"]["rank"]["failed windows"] == failed


def test_no_key_and_no_folder_of_this_machine_is_published(built: Path) -> None:
    for name in ("valueflow-manifest.json", "README.md"):
        text = (built / "b" / "vidb" / name).read_text(encoding="utf-8")
        assert "my-own-secret" not in text
        assert str(built) not in text


def test_the_published_recipe_is_one(
    built: Path, provenance: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "again.yaml"
    path.write_text(yaml.safe_dump(provenance["recipe"]))
    assert read_recipe(path).curate == read_recipe(built / "recipe.yaml").curate


def test_the_card_shows_it(built: Path, provenance: dict[str, Any]) -> None:
    card = (built / "b" / "vidb" / "README.md").read_text(encoding="utf-8")
    assert "Made with a simulated judge" in card
    assert f"Packaged on {provenance['packaged']} by valueflow" in card
    numbers = provenance["values"]["pvq:power"]
    assert f"| pvq:power | {numbers['windows']} | {numbers['failed_windows']} | " in card
    assert "~~~yaml\ncatalogue:" in card
    assert check_folder(built / "b" / "vidb", DATABASE) == []


def test_packaged_again_on_another_day_it_is_the_same(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = built / "b" / "vidb" / "valueflow-manifest.json"
    before = manifest.read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    build(built / "recipe.yaml", built / "b")
    assert manifest.read_bytes() == before
    raw = yaml.safe_load((built / "recipe.yaml").read_text())
    raw["review"] = {"weight": 0.25}
    (built / "other.yaml").write_text(yaml.safe_dump(raw))
    build(built / "other.yaml", built / "b")
    assert json.loads(manifest.read_text())["provenance"]["packaged"] == "1970-01-01"


def test_what_a_simulated_judge_made_is_pushed_on_purpose_only(built: Path, tmp_path: Path) -> None:
    folder = built / "b" / "vidb"
    with pytest.raises(ProblemsError, match="--simulated"):
        plan_push(folder, "org/vidb", "v1", offline=True)
    assert plan_push(folder, "org/vidb", "v1", offline=True, simulated=True).manifest.simulated
    command = ["push", "vidb", str(folder), "--repo", "org/vidb", "--tag", "v1", "--dry-run"]
    refused = CliRunner().invoke(main, [*command, "--offline"])
    assert refused.exit_code == 1
    assert "--simulated" in refused.output
    # Packaging the folder again cannot wash the mark off.
    again = CliRunner().invoke(main, ["package", str(folder), "-o", str(tmp_path / "again")])
    assert again.exit_code == 1
    assert "is packaged already" in again.output
    assert any("measure nothing" in note for note in load_vidb(str(folder)).notes)


def test_a_table_of_ones_own_says_nothing_of_simulations(tmp_path: Path) -> None:
    rows = [
        {"text": f"T {i}.", "value": "power", "intensity": i, "source": "s", "license": "CC0-1.0"}
        for i in range(3)
    ]
    manifest = read_manifest(package(tmp_path / "own", rows))
    assert manifest is not None
    assert not manifest.simulated


def test_rated_rows_that_are_held_out_stand_in_full_alone(built: Path, tmp_path: Path) -> None:
    rows = [row for row in table(built / "b", "power") if abs(row["intensity"]) > 1]
    held, kept = rows[0]["text"], rows[1]["text"]
    (tmp_path / "held.txt").write_text(f"{held}\n")
    with (tmp_path / "ratings.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "value", "rating", "reviewer"])
        writer.writerows([row["text"], "power", row["intensity"], "a"] for row in rows[:2])
    raw = yaml.safe_load((built / "recipe.yaml").read_text())
    raw["review"] = {"ratings": str(tmp_path / "ratings.csv"), "weight": 0}
    raw["package"] = {"held_out": str(tmp_path / "held.txt")}
    (built / "held.yaml").write_text(yaml.safe_dump(raw))
    told = build(built / "held.yaml", built / "b")
    assert "rated and held out 1" in told
    folder = built / "b" / "vidb"
    assert check_folder(folder, DATABASE) == []
    filtered = load_vidb(f"{folder}#filtered").anchors["pvq", "power"]
    assert [anchor.text for anchor in filtered] == [kept]
    assert (folder / "held_out.txt").read_text().split() == [split_hash_of(held)]
