"""A database of values of one's own: built, reviewed, packaged, pulled and used."""

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import yaml
from click.testing import CliRunner

from valueflow.cli import main
from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.publish.database import DATABASE
from valueflow.hub_assets.publish.kind import check_folder
from valueflow.hub_assets.registry.loading import open_catalogue

OWN = {
    "language": "en",
    "theories": {
        "family": {
            "title": "Values of a family business",
            "source": "Made up for this test.",
            "nodes": {
                "justice": {
                    "title": "Fair shares",
                    "kind": "value",
                    "definition": "People who value fair shares divide the gain evenly.",
                    "clause": "dividing the gain evenly",
                },
                "heirs": {
                    "title": "Fair shares for heirs",
                    "kind": "child",
                    "parents": ["justice"],
                    "definition": "People who value this leave the same to every child.",
                    "clause": "leaving the same to every child",
                },
            },
        }
    },
    "assets": {"mine": {"kind": "vidb", "title": "Own", "path": "secret/place.csv"}},
}
VALUES = ("duty:justice", "family:justice")


def invoke(*arguments: object) -> str:
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.output


def prepare(folder: Path) -> Path:
    """Texts of two values of one name, of which one is the user's own, and their recipe."""
    generator = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.yaml").write_text(yaml.safe_dump(OWN))
    with (
        (folder / "texts.csv").open("w", newline="") as given,
        (folder / "truth.csv").open("w", newline="") as known,
    ):
        rows, truth = csv.writer(given), csv.writer(known)
        rows.writerow(["text", "theory", "value", "direction"])
        truth.writerow(["text", "value", "intensity"])
        for value in VALUES:
            theory, _, name = value.partition(":")
            for number in range(16):
                text = f"{theory} {number} " + " ".join(map(str, generator.integers(0, 9999, 6)))
                intensity = generator.uniform(-10, 10)
                rows.writerow([text, theory, name, "support" if intensity > 0 else "oppose"])
                truth.writerow([text, value, intensity])
    judge = {"model": "valueflow/judge", "args": {"truth": "truth.csv", "seed": 1}}
    recipe = {
        "catalogue": "mine.yaml",
        "values": list(VALUES),
        "sources": [{"path": "texts.csv", "source": "made up", "license": "CC0-1.0"}],
        "categorize": {"values": "given"},
        "curate": {"balance": "none", "near_duplicates": None},
        "rank": {"judge": judge, "windows_per_text": 6},
        "flag": {"ask": "none"},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    invoke("build", "vidb", prepare(folder), "-o", folder / "b")
    return folder


def test_two_values_of_one_name_are_kept_apart(built: Path) -> None:
    for value in VALUES:
        theory, _, name = value.partition(":")
        path = built / "b" / "vidb" / "data" / theory / name / "full.parquet"
        rows = pyarrow.parquet.read_table(path).to_pylist()
        assert len(rows) == 16
        assert {row["text"].split()[0] for row in rows} == {theory}
        assert {row["path"] for row in rows} == {name}


def test_the_package_carries_the_catalogue_and_is_used_with_it_alone(built: Path) -> None:
    folder = built / "b" / "vidb"
    assert check_folder(folder, DATABASE) == []
    carried = folder / "catalogue.yaml"
    assert "secret" not in carried.read_text()
    assert yaml.safe_load(carried.read_text())["language"] == "en"
    used = load_vidb(folder, None, open_catalogue(carried))
    assert set(used.anchors) == {("duty", "justice"), ("family", "justice")}
    (note,) = [note for note in load_vidb(folder).notes if "catalogue" in note]
    assert f"add -T catalogue={carried}" in note


def test_the_same_table_is_packaged_with_the_option(built: Path, tmp_path: Path) -> None:
    table = tmp_path / "scored.csv"
    with table.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["text", "value", "intensity", "source", "license"])
        rows.writerows([f"Text {i}.", "family:justice", i, "me", "CC0-1.0"] for i in range(-5, 6))
    refused = CliRunner().invoke(main, ["package", str(table), "-o", str(tmp_path / "a")])
    assert refused.exit_code != 0
    invoke("package", table, "-o", tmp_path / "b", "--catalogue", built / "mine.yaml")
    assert check_folder(tmp_path / "b", DATABASE) == []


def test_push_and_review_check_the_catalogue(built: Path, tmp_path: Path) -> None:
    other = yaml.safe_load((built / "mine.yaml").read_text())
    other["theories"]["family"]["nodes"]["justice"]["clause"] = "another clause"
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(other))
    push = ["push", "vidb", str(built / "b" / "vidb"), "--repo", "a/b", "--tag", "v1"]
    push += ["--dry-run", "--offline", "--simulated", "--catalogue"]
    review = ["review", str(built / "b"), "--agreement", "--catalogue"]
    for command in (push, review):
        invoke(*command, built / "mine.yaml")
        refused = CliRunner().invoke(main, [*command, str(tmp_path / "other.yaml")])
        assert refused.exit_code == 1
        assert "other.yaml" in refused.output


def test_ratings_of_one_are_no_ratings_of_the_other(built: Path, tmp_path: Path) -> None:
    invoke("build", "vidb", built / "recipe.yaml", "-o", tmp_path / "b")
    folder = tmp_path / "b" / "vidb" / "data" / "family" / "justice"
    rows = pyarrow.parquet.read_table(folder / "full.parquet").to_pylist()
    rated = tmp_path / "rated.csv"
    with rated.open("w", newline="") as stream:
        cells = csv.writer(stream)
        cells.writerow(["text", "theory", "value", "rating"])
        cells.writerows([row["text"], "family", "justice", row["intensity"]] for row in rows)
    told = invoke("review", tmp_path / "b", "--import", rated, "--reviewer", "Ada")
    assert "16 decisions taken up" in told
    packaged = invoke("build", "package", built / "recipe.yaml", "-o", tmp_path / "b")
    assert "rated 16" in packaged
    assert (folder / "filtered.parquet").is_file()
    assert not (tmp_path / "b" / "vidb/data/duty/justice/filtered.parquet").exists()


def test_another_definition_is_another_question(built: Path, tmp_path: Path) -> None:
    recipe = prepare(tmp_path)
    invoke("build", "vidb", recipe, "-o", tmp_path / "b", "--until", "rank")
    own = yaml.safe_load((tmp_path / "mine.yaml").read_text())
    own["theories"]["family"]["nodes"]["justice"]["definition"] = "People who value it count."
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(own))
    done = CliRunner().invoke(main, ["build", "rank", str(recipe), "-o", str(tmp_path / "b")])
    assert done.exit_code != 0
    assert "family.justice" in done.output
