"""What people decide reaches the database: directions before ranking, ratings at any time."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import yaml
from click.testing import CliRunner

from tests.valueflow_tasks.rebuild.database.test_build_vidb import JUDGE, build, contents, prepare
from valueflow.cli import main
from valueflow.rebuild.database.review.decisions import Decision, ItemKey, open_decisions


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe whose panel is often divided, `categorized` as far as that, and `whole`."""
    folder = tmp_path_factory.mktemp("review")
    panel = {"model": "valueflow/judge", "args": {**JUDGE, "scale": 0.15}, "seats": 7}
    recipe = prepare(
        folder,
        40,
        categorize={"judges": [panel], "values": "labels"},
        rank={"judge": {"model": "valueflow/judge", "args": JUDGE}, "windows_per_text": 6},
        flag={"ask": "suspects"},
    )
    build(recipe, folder / "categorized", "--until", "categorize")
    shutil.copytree(folder / "categorized", folder / "whole")
    build(recipe, folder / "whole")
    return folder


@pytest.fixture
def folder(source: Path, tmp_path: Path) -> Path:
    shutil.copytree(source, tmp_path / "b")
    return tmp_path / "b"


def changed(folder: Path, **parts: Any) -> Path:
    raw = yaml.safe_load((folder / "recipe.yaml").read_text())
    for name, part in parts.items():
        raw[name] = {**raw.get(name, {}), **part}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(raw))
    return folder / "recipe.yaml"


def queue(folder: Path, stage: str = "categorize") -> list[dict[str, str]]:
    with (folder / stage / "queue.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def decide(folder: Path, rows: list[dict[str, str]], answer: str, reviewer: str = "Ada") -> None:
    with open_decisions(folder) as decisions:
        for row in rows:
            key = ItemKey("directions", row["id"], row["value"])
            decisions.add(Decision(key, row["theory"], reviewer, answer))


def rate(
    folder: Path, rows: list[dict[str, Any]], rating: float, reviewer: str = "Ada", blind=False
) -> None:
    with open_decisions(folder) as decisions:
        for row in rows:
            key = ItemKey("ratings", row["id"], row["value"])
            decisions.add(Decision(key, row["theory"], reviewer, rating, blind=blind))


def curated(folder: Path, value: str = "power") -> list[dict[str, Any]]:
    lines = (folder / "curate" / f"pvq.{value}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def table(folder: Path, value: str = "power") -> dict[str, dict[str, Any]]:
    path = folder / "vidb" / "data" / "pvq" / value / "full.parquet"
    return {row["text"]: row for row in pyarrow.parquet.read_table(path).to_pylist()}


def card(folder: Path) -> str:
    return (folder / "vidb" / "README.md").read_text()


def review(*options: str) -> str:
    done = CliRunner().invoke(main, ["review", *options])
    assert done.exit_code == 0, done.output
    return done.output


def test_rows_decided_before_ranking_are_ranked(folder: Path) -> None:
    recipe, output = folder / "recipe.yaml", folder / "categorized"
    divided = queue(output)
    assert len(divided) >= 4
    decide(output, divided[:2], "support")
    decide(output, divided[2:3], "none")
    told = build(recipe, output)
    assert "3 directions are from" in told
    assert f"`valueflow review {output} --queue directions`" in told
    assert len(queue(output)) == len(divided) - 3
    rows = table(output, divided[0]["value"]) | table(output, divided[1]["value"])
    for row in divided[:2]:
        assert rows[row["text"]]["direction"] == "support"
        assert rows[row["text"]]["n_comparisons"] >= 6
    assert divided[2]["text"] not in rows
    assert "3 directions on which the panel stayed divided decided by 1 reviewer" in card(output)
    before = contents(output / "vidb")
    assert "judge calls in this run: 0 " in build(recipe, output)
    assert contents(output / "vidb") == before


def test_a_direction_that_comes_late_is_kept_told_and_stops_nothing(folder: Path) -> None:
    recipe, output = folder / "recipe.yaml", folder / "whole"
    before = contents(output / "vidb")
    divided = queue(output)
    decide(output, divided, "support")
    told = build(recipe, output)
    assert f"{len(divided)} directions were decided or changed after ranking had begun" in told
    assert "judge calls in this run: 0 " in told
    assert contents(output / "vidb") == before
    fresh = folder / "fresh"
    for stage in ("import", "categorize", "review"):
        shutil.copytree(output / stage, fresh / stage)
    told = build(recipe, fresh)
    assert "after ranking had begun" not in told
    assert queue(fresh) == []
    values = {row["value"] for row in divided}
    assert sum(len(curated(fresh, v)) - len(curated(output, v)) for v in values) == len(divided)


def test_directions_in_use_stay_when_ranking_has_begun_and_minds_change(folder: Path) -> None:
    recipe, output = folder / "recipe.yaml", folder / "categorized"
    divided = queue(output)
    decide(output, divided[:1], "support")
    build(recipe, output)
    before = contents(output / "vidb")
    decide(output, divided[:1], "oppose")
    assert "1 directions were decided or changed after ranking had begun" in build(recipe, output)
    after = contents(output / "vidb")
    assert {k: v for k, v in after.items() if k.startswith("data")} == {
        k: v for k, v in before.items() if k.startswith("data")
    }


def test_reviewers_who_are_divided_leave_a_row_open(folder: Path) -> None:
    recipe, output = folder / "recipe.yaml", folder / "categorized"
    divided = queue(output)
    decide(output, divided[:2], "support", "Ada")
    decide(output, divided[:1], "oppose", "Ben")
    told = build(recipe, output, "--until", "categorize")
    assert "1 row stays undecided: as many reviewers say one thing as another" in told
    assert divided[0]["id"] in {row["id"] for row in queue(output)}
    decide(output, divided[:1], "oppose", "Cy")
    build(recipe, output, "--until", "categorize")
    rows = [json.loads(s) for s in (output / "categorize" / "rows.jsonl").read_text().splitlines()]
    assert {r["id"]: r["direction"] for r in rows}[divided[0]["id"]] == "oppose"


def test_a_file_of_directions_in_the_recipe_goes_before(folder: Path) -> None:
    output = folder / "categorized"
    divided = queue(output)
    decide(output, divided, "support")
    with (folder / "decided.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(divided[0]))
        writer.writeheader()
        writer.writerow(divided[0] | {"direction": "oppose"})
    recipe = changed(folder, categorize={"human": "decided.csv"})
    told = build(recipe, output, "--until", "categorize")
    assert "are not used, since the recipe names a file of directions (decided.csv)" in told
    assert len(queue(output)) == len(divided) - 1


def test_ratings_are_merged_without_a_word_in_the_recipe(folder: Path) -> None:
    recipe, output = folder / "recipe.yaml", folder / "whole"
    before = table(output)
    one, two, three = sorted(curated(output), key=lambda r: before[r["text"]]["intensity"])[:3]
    rate(output, [one, two], -9, "Ada", blind=True)
    rate(output, [one], -7, "Ben", blind=True)
    rate(output, [two], 9, "Ben", blind=True)
    rate(output, [three], -4, "Ben")
    rate(output, [{"id": "0" * 16, "value": "power", "theory": "pvq"}], 1)
    told = build(recipe, output)
    assert "rated 3" in told
    assert "1 ratings are of rows that are not in the database" in told
    after = table(output)
    first = 0.5 * before[one["text"]]["intensity"] - 0.5 * 8
    assert after[one["text"]]["intensity"] == pytest.approx(first, abs=1e-5)
    filtered = output / "vidb" / "data" / "pvq" / "power" / "filtered.parquet"
    kept = {row["text"] for row in pyarrow.parquet.read_table(filtered).to_pylist()}
    assert one["text"] in kept
    assert two["text"] not in kept
    assert "3 rows rated by 2 reviewers (4 ratings blind to the judge's score, 1 in sight" in card(
        output
    )
    assert "Krippendorff's alpha" in card(output)
    assert "Ada" not in card(output)


def test_the_recipes_ratings_and_the_reviews_count_once_a_reviewer(folder: Path) -> None:
    output = folder / "whole"
    before = table(output)
    one, two = curated(output)[:2]
    rate(output, [one, two], 6, "Ada")
    rate(output, [one], 3, "Ben")
    with (folder / "ratings.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "value", "rating", "reviewer"])
        writer.writerow([one["id"], "power", -3, "ADA"])
        writer.writerow([two["id"], "power", 2, ""])
    told = build(changed(folder, review={"ratings": "ratings.csv"}), output)
    assert "1 row was rated by the same reviewer in" in told
    assert "1 ratings in" in told
    assert "name no reviewer" in told
    after = table(output)
    for row, mean in ((one, 0.0), (two, 4.0)):
        merged = 0.5 * before[row["text"]]["intensity"] + 0.5 * mean
        assert after[row["text"]]["intensity"] == pytest.approx(merged, abs=1e-5)


def test_out_to_a_spreadsheet_and_back_and_how_far_they_agree(folder: Path) -> None:
    output, path = folder / "whole", folder / "sheet.csv"
    for reviewer, shift in (("Ada", 0.0), ("Ben", 1.0)):
        options = [str(output), "--export", str(path), "--sample", "12", "--blind"]
        assert "0 answers" in review(*options, "--reviewer", reviewer)
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
        for number, row in enumerate(sorted(rows, key=lambda row: row["id"])):
            row["answer"] = str(number % 9 + shift) if row["queue"] == "ratings" else "oppose"
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        told = review(str(output), "--import", str(path), "--reviewer", reviewer)
        assert f"{len(rows)} decisions taken up" in told
        assert "takes the ratings up" in told
        assert "after ranking had begun" in told
    told = review(str(output), "--agreement", "-o", str(folder / "agreement.json"))
    assert "ratings: Krippendorff's alpha (interval)" in told
    found = json.loads((folder / "agreement.json").read_text())
    whole = {row["queue"]: row for row in found if row["value"] == "all"}
    rated = whole["ratings"]
    assert rated["compared"] == rated["items"] == rated["blind"] / 2 >= 12
    assert 0.5 < rated["low"] < rated["alpha"] < rated["high"] < 1
    assert "all answers are the same" in whole["directions"]["note"]
    review(str(output), "--agreement", "-o", str(folder / "agreement.csv"), "--queue", "ratings")
    assert (folder / "agreement.csv").read_text().startswith("queue,theory,value,items,compared")
    review(str(output), "--export", str(path), "--queue", "ratings")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == rated["answers"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["none"], "is no folder"),
        (["empty"], "holds no queue yet; run `valueflow build categorize"),
        (["whole", "--values", "powr"], "Did you mean 'power'"),
        (["whole", "--export", "a.csv", "--agreement"], "give one of"),
        (["whole", "-o", "a.csv"], "belongs to --agreement"),
        (["whole", "--agreement", "-o", "a.txt"], "must end in .csv or .json"),
        (["categorized", "--sample", "3"], "when the stage 'flag' is done"),
        (["whole", "--import", "none.csv"], "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(
    source: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], told: str
) -> None:
    monkeypatch.chdir(source)
    Path("empty").mkdir(exist_ok=True)
    done = CliRunner().invoke(main, ["review", *options])
    assert done.exit_code == 1
    assert told in done.output


def test_an_empty_queue_is_said_and_opens_nothing(source: Path) -> None:
    told = review(str(source / "whole"), "--values", "face", "--no-browser")
    assert told.strip() == "Nothing waits for review."
