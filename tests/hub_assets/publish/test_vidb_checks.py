"""A packaged folder is checked as a whole, and everything that is wrong is told at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from tests.hub_assets.packaged import ROWS, package
from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.publish.database import DATABASE
from valueflow.hub_assets.publish.kind import check_folder
from valueflow.hub_assets.vidb.manifest import (
    MANIFEST,
    make_manifest,
    manifest_text,
    read_manifest,
)
from valueflow.hub_assets.vidb.schema import VIDB, arrow_schema, split_hash_of

FULL = "data/pvq/power/full.parquet"
FILTERED = "data/pvq/power/filtered.parquet"
Rows = list[dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return package(tmp_path / "db", ROWS)


def rows_of(path: Path) -> Rows:
    return list(pyarrow.parquet.ParquetFile(path).read().to_pylist())


def rewrite(folder: Path, file: str, change: Callable[[Rows], Any]) -> None:
    """Changes the rows of a file, and the manifest with it."""
    rows = rows_of(folder / file)
    change(rows)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, arrow_schema(VIDB)), folder / file)
    (folder / MANIFEST).write_text(manifest_text(make_manifest(folder)))


def problems(folder: Path) -> list[tuple[str, int | None, str, str]]:
    return [(p.file, p.row, p.column, p.message) for p in check_folder(folder, DATABASE)]


def test_rows_of_two_files_with_several_faults_are_all_named(folder: Path) -> None:
    rewrite(folder, FULL, lambda rows: rows[0].update(intensity=11.0, theory="mft"))
    rewrite(folder, FILTERED, lambda rows: rows[1].update(direction="for"))
    found = {(file, row, column) for file, row, column, _ in problems(folder)}
    assert {(FULL, 1, "intensity"), (FULL, 1, "theory"), (FILTERED, 2, "direction")} <= found


@pytest.mark.parametrize("license", ["AI2-ImpACT-MR", "CC-BY-ND-4.0", "whatever"])
def test_a_row_whose_licence_does_not_allow_it_is_named(folder: Path, license: str) -> None:
    rewrite(folder, FULL, lambda rows: rows[2].update(license=license))
    [(file, row, column, message)] = problems(folder)
    assert (file, row, column) == (FULL, 3, "license")
    assert "pass" in message


def test_a_text_that_stands_twice_is_named_though_its_spelling_differs(folder: Path) -> None:
    rewrite(folder, FULL, lambda rows: rows.append({**rows[0], "text": rows[0]["text"].upper()}))
    assert [p[:3] for p in problems(folder)] == [(FULL, len(ROWS) + 1, "text")]


def test_a_filtered_row_must_be_in_full_with_the_same_intensity(folder: Path) -> None:
    def change(rows: Rows) -> None:
        rows[0]["intensity"] += 0.5
        rows[1].update(text="Elsewhere.", split_hash=split_hash_of("Elsewhere."))

    rewrite(folder, FILTERED, change)
    assert [p[:3] for p in problems(folder)] == [(FILTERED, 1, "intensity"), (FILTERED, 2, "text")]


def test_a_filtered_file_without_its_full_file_is_named(folder: Path) -> None:
    (folder / FULL).unlink()
    (folder / MANIFEST).write_text(manifest_text(make_manifest(folder)))
    assert (FILTERED, None, "", "has no full.parquet beside it") in problems(folder)


def test_a_held_out_text_in_the_filtered_split_is_a_leak_and_in_full_is_not(
    tmp_path: Path,
) -> None:
    held = tmp_path / "held.txt"
    held.write_text(f"{ROWS[0]['text']}\n")
    assert not ROWS[0]["filtered"]
    assert check_folder(package(tmp_path / "good", ROWS, held_out=held), DATABASE) == []
    # The same text under another value, and written otherwise, leaks all the same.
    leak = {**ROWS[0], "text": str(ROWS[0]["text"]).upper(), "value": "face", "filtered": True}
    # Packaging refuses it; a folder may come from elsewhere.
    bad = package(tmp_path / "bad", [*ROWS, leak])
    (bad / "held_out.txt").write_text((tmp_path / "good/held_out.txt").read_text())
    found = [p[:3] for p in problems(bad) if p[0] != "valueflow-manifest.json"]
    assert found == [("data/pvq/face/filtered.parquet", 1, "split_hash")]


def test_a_text_may_not_carry_two_hashes_which_would_hide_a_leak(folder: Path) -> None:
    rewrite(folder, FILTERED, lambda rows: rows[0].update(split_hash="0" * 16))
    assert (FILTERED in {p[0] for p in problems(folder)}) or (
        FULL in {p[0] for p in problems(folder)}
    )
    assert {p[2] for p in problems(folder)} == {"split_hash"}


def test_files_that_differ_from_the_manifest_are_named(folder: Path) -> None:
    (folder / FILTERED).write_bytes((folder / FULL).read_bytes())
    (folder / "intensities.png").unlink()
    (folder / "data/pvq/power/more.parquet").write_bytes(b"x")
    found = {(file, message) for file, _, _, message in problems(folder)}
    assert (FILTERED, "is not the file that the manifest describes") in found
    assert ("intensities.png", "is in the manifest and missing in the folder") in found
    assert ("data/pvq/power/more.parquet", "is not in the manifest") in found


def test_a_card_edited_by_hand_is_not_silently_replaced(folder: Path) -> None:
    (folder / "README.md").write_text((folder / "README.md").read_text() + "My words.")
    [(file, _, _, message)] = problems(folder)
    assert file == "README.md"
    assert "package again with --notes" in message


def test_a_file_that_is_no_parquet_is_named_beside_the_other_problems(folder: Path) -> None:
    (folder / FULL).write_bytes(b"not parquet")
    found = {(file, message) for file, _, _, message in problems(folder)}
    assert (FULL, "is not a valid Parquet file") in found


def test_a_folder_without_manifest_or_tables_is_no_database(folder: Path, tmp_path: Path) -> None:
    (folder / MANIFEST).unlink()
    for bad in (folder, tmp_path / "nothing"):
        with pytest.raises(InputFileError, match="valueflow package TABLE -o DIR"):
            check_folder(bad, DATABASE)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', "{"])
def test_a_manifest_that_cannot_be_read_is_named(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(InputFileError, match=MANIFEST):
        read_manifest(folder)


def test_a_manifest_that_was_tampered_with_contradicts_itself(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest is not None
    text = (folder / MANIFEST).read_text()
    record = manifest.files[FULL]
    (folder / MANIFEST).write_text(text.replace(record.sha256, "0" * 64))
    with pytest.raises(InputFileError, match="contradicts itself"):
        read_manifest(folder)


def test_a_manifest_counts_rows_and_bytes_and_reads_back_as_it_was(folder: Path) -> None:
    manifest = make_manifest(folder, {"ranking": "20 windows"})
    record = manifest.files[FULL]
    assert (record.rows, record.bytes) == (len(ROWS), (folder / FULL).stat().st_size)
    assert manifest.rows == len(ROWS) + sum(bool(row["filtered"]) for row in ROWS)
    (folder / MANIFEST).write_text(manifest_text(manifest))
    assert read_manifest(folder) == manifest
