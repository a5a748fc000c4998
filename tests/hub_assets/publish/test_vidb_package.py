"""A table becomes a folder that obeys the schema, whole or not at all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from tests.hub_assets.packaged import ROWS, package
from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.publish.database import DATABASE
from valueflow.hub_assets.publish.kind import check_folder
from valueflow.hub_assets.publish.package import package_table
from valueflow.hub_assets.vidb.schema import VIDB, ProblemsError, arrow_schema, split_hash_of


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def test_what_is_packaged_passes_every_check(tmp_path: Path) -> None:
    folder = package(tmp_path / "db", ROWS)
    assert check_folder(folder, DATABASE) == []
    full = pyarrow.parquet.ParquetFile(folder / "data/pvq/power/full.parquet").read()
    assert full.schema.equals(arrow_schema(VIDB))
    assert full.num_rows == len(ROWS)
    assert set(full.column("split_hash").to_pylist()) == {split_hash_of(r["text"]) for r in ROWS}


def test_the_same_rows_in_any_order_give_the_same_files(tmp_path: Path) -> None:
    first = contents(package(tmp_path / "a", ROWS))
    assert contents(package(tmp_path / "b", ROWS[::-1])) == first


def test_names_are_written_in_the_registrys_spelling(tmp_path: Path) -> None:
    rows = [
        {**ROWS[0], "value": "Care/Harm", "license": "cc by 4.0"},
        {**ROWS[1], "value": "self_direction", "theory": "svt"},
    ]
    folder = package(tmp_path / "db", rows)
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.parquet"))
    assert "data/mft/care-harm/full.parquet" in files
    assert "data/pvq/self-direction/full.parquet" in files
    assert check_folder(folder, DATABASE) == []


def test_a_folder_of_one_table_per_value_is_packaged_with_the_values_of_its_names(
    tmp_path: Path,
) -> None:
    done = package_table(
        "vidb-mini", tmp_path / "db", default_source="valueflow-mini", default_license="CC-BY-4.0"
    )
    assert (done.values, done.rows["full"]) == (32, 1408)
    assert check_folder(tmp_path / "db", DATABASE) == []


def test_packaged_anchors_are_the_filtered_rows_and_all_rows_on_demand(tmp_path: Path) -> None:
    rows = [*ROWS, {**ROWS[0], "value": "face", "filtered": False}]
    folder = package(tmp_path / "db", rows)
    some, every = load_vidb(folder), load_vidb(f"{folder}#full")
    marked = {row["text"] for row in ROWS if row["filtered"]}
    assert {a.text for a in some.anchors["pvq", "power"]} == marked
    assert len(every.anchors["pvq", "power"]) == len(ROWS)
    assert some.anchors["pvq", "face"] == every.anchors["pvq", "face"]
    assert some.notes == ("1 values have no filtered rows; their full rows are used",)
    assert every.notes == ()
    # The reference that goes into a log finds the same rows.
    assert load_vidb(every.source.reference).anchors == every.anchors


def test_filtered_rows_that_do_not_cover_the_scale_give_way_to_all_rows(tmp_path: Path) -> None:
    wide = [
        {**ROWS[0], "text": f"{value} {i}.", "value": value, "intensity": x, "filtered": marked}
        for value, marks in (("power", lambda i, x: x > 2), ("face", lambda i, x: i % 2 == 0))
        for i, x in enumerate(np.linspace(-9.9, 9.9, 80).tolist())
        for marked in [marks(i, x)]
    ]
    folder = package(tmp_path / "db", wide)
    chosen = load_vidb(folder)
    assert len(chosen.anchors["pvq", "power"]) == 80
    assert len(chosen.anchors["pvq", "face"]) == 40
    (note,) = chosen.notes
    assert "1 values do not cover the scale (power); their full rows are used" in note
    asked_for = load_vidb(f"{folder}#filtered")
    assert len(asked_for.anchors["pvq", "power"]) == sum(
        r["value"] == "power" and bool(r["filtered"]) for r in wide
    )


def test_a_folder_that_differs_from_its_manifest_is_not_used(tmp_path: Path) -> None:
    folder = package(tmp_path / "db", ROWS)
    (folder / "data/pvq/power/filtered.parquet").unlink()
    with pytest.raises(ProblemsError, match=r"filtered\.parquet: is in the manifest and missing"):
        load_vidb(folder)


def test_only_a_packaged_folder_has_splits(tmp_path: Path) -> None:
    (tmp_path / "power.csv").write_text("text,intensity\nI lead.,3\n")
    with pytest.raises(InputFileError, match="is no packaged database, and has no split 'full'"):
        load_vidb(f"{tmp_path}#full")


def test_all_faulty_rows_are_named_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    rows = [
        {**ROWS[0], "intensity": 12},
        {**ROWS[1], "value": "powr"},
        {**ROWS[2], "text": ""},
        {**ROWS[3], "license": None},
        {**ROWS[4], "filtered": "maybe"},
        ROWS[5],
        {**ROWS[5], "text": str(ROWS[5]["text"]).upper()},
        {**ROWS[6], "intensity": "much"},
        {**ROWS[6], "intensity": True},
        {**ROWS[6], "text": "half \ud800"},
    ]
    with pytest.raises(ProblemsError) as caught:
        package(tmp_path / "db", rows)
    assert [(p.row, p.column) for p in caught.value.problems] == [
        (1, "intensity"),
        (2, "value"),
        (3, "text"),
        (4, "license"),
        (5, "filtered"),
        (7, "text"),
        (8, "intensity"),
        (9, "intensity"),
        (10, "text"),
    ]
    assert "Did you mean 'power'" in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["db.json"]


def test_a_table_without_source_and_licence_is_told_so_and_may_be_given_them(
    tmp_path: Path,
) -> None:
    rows = [{k: row[k] for k in ("text", "value", "intensity")} for row in ROWS]
    with pytest.raises(InputFileError, match="has no column for 'source' and 'license'"):
        package(tmp_path / "db", rows)
    folder = package(tmp_path / "db", rows, default_source="mine", default_license="MIT")
    table = pyarrow.parquet.ParquetFile(folder / "data/pvq/power/full.parquet").read()
    assert set(table.column("source").to_pylist()) == {"mine"}
    assert set(table.column("license").to_pylist()) == {"MIT"}
    assert not (folder / "data/pvq/power/filtered.parquet").exists()


def test_rows_that_may_not_be_passed_on_are_counted_and_left_out_where_asked(
    tmp_path: Path,
) -> None:
    rows = [{**ROWS[0], "license": "AI2 ImpACT MR"}, *ROWS[1:]]
    table = tmp_path / "t.json"
    table.write_text(json.dumps(rows))
    kept = package_table(table, tmp_path / "kept")
    assert kept.rows["full"] == len(ROWS)
    assert kept.notes == (
        "1 row kept, with the licence 'AI2-ImpACT-MR', which a push does not accept",
    )
    left = package_table(table, tmp_path / "left", leave_out_restricted=True)
    assert left.rows["full"] == len(ROWS) - 1
    assert left.notes[0].startswith("1 row left out")


def test_a_folder_with_something_in_it_is_replaced_only_where_asked(tmp_path: Path) -> None:
    folder = package(tmp_path / "db", ROWS)
    before = contents(folder)
    with pytest.raises(OptionError, match="is there already; choose another, or --overwrite"):
        package(folder, ROWS[:3])
    assert contents(folder) == before
    package(folder, ROWS[:3], overwrite=True)
    assert contents(folder) != before
    assert check_folder(folder, DATABASE) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["db", "db.json"]


def test_a_failed_overwrite_leaves_the_old_folder(tmp_path: Path) -> None:
    folder = package(tmp_path / "db", ROWS)
    before = contents(folder)
    with pytest.raises(ProblemsError):
        package(folder, [{**ROWS[0], "intensity": 99}], overwrite=True)
    assert contents(folder) == before


def test_held_out_texts_are_kept_as_hashes_not_as_texts(tmp_path: Path) -> None:
    held = tmp_path / "held.txt"
    held.write_text(f"{ROWS[0]['text']}\n\n{'ab' * 8}\n")
    folder = package(tmp_path / "db", ROWS, held_out=held)
    lines = (folder / "held_out.txt").read_text().splitlines()
    assert lines == sorted([split_hash_of(str(ROWS[0]["text"])), "ab" * 8])


def test_held_out_texts_among_the_filtered_rows_are_refused_as_a_push_would(tmp_path: Path) -> None:
    held = tmp_path / "held.txt"
    held.write_text(f"{ROWS[1]['text']}\n")
    with pytest.raises(ProblemsError, match=r"row 2, column 'filtered'.*is held out"):
        package(tmp_path / "db", ROWS, held_out=held)
    assert not (tmp_path / "db").exists()


def test_columns_that_the_form_has_not_are_named(tmp_path: Path) -> None:
    table = tmp_path / "rows.json"
    table.write_text(json.dumps([{**row, "mood": "calm", "year": 2020} for row in ROWS]))
    notes = package_table(table, tmp_path / "db").notes
    assert notes == ("columns left out, since the form has none of them: mood, year",)


def test_what_a_killed_run_left_is_taken_away_and_what_it_moved_comes_back(tmp_path: Path) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    dead, alive = done.pid, os.getppid()
    folder = package(tmp_path / "db", ROWS)
    moved = tmp_path / f".db.old-{dead}-abc"
    moved.mkdir()
    os.replace(folder, moved / "old")
    for name in (f".db.new-{dead}-abc", f".db.new-{alive}-abc", ".db.mine"):
        (tmp_path / name).mkdir()
    with pytest.raises(OptionError, match="is there already"):
        package_table(tmp_path / "db.json", folder)
    assert (folder / "README.md").is_file()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"db", "db.json", f".db.new-{alive}-abc", ".db.mine"}
