"""No stage puts its numbers on rows, rankings or settings that have changed since."""

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from tests.valueflow_tasks.rebuild.database.test_build_vidb import build, contents, prepare, table
from valueflow.cli import main


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe and its build `plain`."""
    folder = tmp_path_factory.mktemp("marks")
    build(prepare(folder, 24, flag={}), folder / "plain")
    return folder


def changed(folder: Path, **parts: Any) -> Path:
    """The recipe with some settings changed, beside it."""
    raw = yaml.safe_load((folder / "recipe.yaml").read_text())
    for name, settings in parts.items():
        raw[name] = {**raw.get(name, {}), **settings} if isinstance(settings, dict) else settings
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def stage(name: str, recipe: Path, output: Path) -> Any:
    return CliRunner().invoke(main, ["build", name, str(recipe), "-o", str(output)])


@pytest.mark.parametrize(
    ("parts", "first"),
    [
        ({"rank": {"windows_per_text": 10}}, "rank"),
        ({"seed": 3}, "rank"),
        ({"fit": {"ridge": 0.1}}, "fit"),
        ({"scale": {"end_quantile": 0.9}}, "scale"),
        ({"flag": {"ask": "none"}}, "flag"),
    ],
)
def test_a_database_is_not_packaged_under_another_recipe(
    built: Path, parts: dict[str, Any], first: str
) -> None:
    refused = stage("package", changed(built, **parts), built / "plain")
    assert refused.exit_code == 1
    assert f"run the stage '{first}' first" in refused.output


def test_what_packaging_alone_decides_can_be_changed(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "plain", tmp_path / "b")
    recipe = changed(built, review={"weight": 0.9}, connections=3)
    assert stage("package", recipe, tmp_path / "b").exit_code == 0


def test_rows_chosen_anew_do_not_get_the_scores_of_others(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "plain", tmp_path / "b")
    recipe = changed(built, curate={"per_value": 10})
    assert stage("curate", recipe, tmp_path / "b").exit_code == 0
    for name in ("fit", "scale", "flag", "package"):
        refused = stage(name, recipe, tmp_path / "b")
        assert refused.exit_code == 1
        assert "run the stage 'rank' first" in refused.output
    build(built / "recipe.yaml", tmp_path / "b", "--max-calls", "0")
    assert contents(tmp_path / "b" / "vidb") == contents(built / "plain" / "vidb")


def test_rows_that_a_kill_left_from_another_recipe_are_written_anew(
    built: Path, tmp_path: Path
) -> None:
    shutil.copytree(built / "plain", tmp_path / "b")
    file = tmp_path / "b" / "curate" / "pvq.power.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:5]))
    build(built / "recipe.yaml", tmp_path / "b", "--max-calls", "0")
    assert contents(tmp_path / "b" / "vidb") == contents(built / "plain" / "vidb")


def test_a_value_without_a_neutral_point_is_left_out_and_the_others_go_on(tmp_path: Path) -> None:
    recipe = prepare(tmp_path, 16, categorize={"values": "given"}, flag={})
    with (tmp_path / "truth.csv").open(newline="") as known:
        truth = list(csv.DictReader(known))
    with (tmp_path / "texts.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "value", "direction"])
        for row in truth:
            opposes = row["value"] == "benevolence" and float(row["intensity"]) < 0
            writer.writerow([row["text"], row["value"], "oppose" if opposes else "support"])
    raw = yaml.safe_load(recipe.read_text())
    recipe.write_text(yaml.safe_dump(raw | {"curate": {"balance": "none"}}))
    told = build(recipe, tmp_path / "b", "--until", "curate")
    assert "without both supporting and opposing rows: pvq:power (16)" in told
    told = build(recipe, tmp_path / "b")
    assert "left out of the database" in told
    assert "left out, since they have no scale: power" in told
    assert len(table(tmp_path / "b", "benevolence")) == 16
    assert not (tmp_path / "b" / "vidb" / "data" / "pvq" / "power").exists()
    # Ratings bring it back, and no ranking is asked for again.
    with (tmp_path / "ratings.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "value", "rating"])
        writer.writerows([row["text"], row["value"], row["intensity"]] for row in truth)
    scale = {"fit_on": "ratings", "ratings": "ratings.csv"}
    build(changed(tmp_path, scale=scale), tmp_path / "b", "--max-calls", "0")
    assert len(table(tmp_path / "b", "power")) == 16


def test_a_shard_that_went_further_than_the_folder_it_joins_is_brought(
    built: Path, tmp_path: Path
) -> None:
    recipe = built / "recipe.yaml"
    shutil.copytree(built / "plain", tmp_path / "whole")
    shutil.copytree(built / "plain", tmp_path / "scaled")
    shutil.rmtree(tmp_path / "scaled" / "flag")
    shutil.rmtree(tmp_path / "scaled" / "vidb")
    told = build(recipe, tmp_path / "scaled", "--merge", str(tmp_path / "whole"))
    assert "whole: benevolence, power" in told
    assert contents(tmp_path / "scaled" / "vidb") == contents(built / "plain" / "vidb")
