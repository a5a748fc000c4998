"""Review in a spreadsheet: out, filled in, and back, whole or not at all."""

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.review_folder import SCRIPTS, review_folder
from valueflow.hub_assets.errors import InputFileError
from valueflow.rebuild.database.review.decisions import open_decisions, read_decisions
from valueflow.rebuild.database.review.queue import items_of
from valueflow.rebuild.database.review.table import Brought, export_table, import_table


def rows_in(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def write(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def exported(folder: Path, reviewer: str | None = "Ada", blind: bool = False) -> Path:
    decisions = read_decisions(folder)
    items = [i for q in ("directions", "ratings") for i in items_of(folder, q, decisions)]
    path = folder / "out.csv"
    export_table(path, items, decisions, reviewer, blind)
    return path


def brought(folder: Path, path: Path, reviewer: str | None = "Ada", blind=False) -> Brought:
    with open_decisions(folder) as decisions:
        return import_table(path, folder, decisions, reviewer, blind)


def filled(folder: Path, delimiter: str = ",", blind: bool = False) -> Path:
    rows = rows_in(exported(folder, blind=blind))
    for number, row in enumerate(rows[:-1]):
        row["answer"] = "support" if row["queue"] == "directions" else f"−{number},5"
    rows[0]["comment"] = "=not a formula"
    return write(folder / "in.csv", rows, delimiter)


def test_what_is_filled_in_is_taken_up_once(tmp_path: Path) -> None:
    folder = review_folder(tmp_path)
    path = filled(folder, delimiter=";", blind=True)
    assert brought(folder, path) == Brought(new=6, empty=1)
    assert brought(folder, path) == Brought(known=6, empty=1)
    found = read_decisions(folder).latest("Ada")
    assert sorted(str(d.answer) for d in found.values()) == ["-4.5", "-5.5", *["support"] * 4]
    assert all(d.blind and d.via == "csv" for d in found.values())
    again = rows_in(exported(folder))
    assert [row["comment"] for row in again if row["comment"]] == ["'=not a formula"]
    assert brought(folder, folder / "out.csv") == Brought(known=6, empty=1)


def test_a_changed_answer_replaces_the_earlier_one_and_is_counted(tmp_path: Path) -> None:
    folder = review_folder(tmp_path)
    path = filled(folder)
    brought(folder, path)
    rows = rows_in(path)
    rows[0]["answer"] = "oppose"
    write(path, rows)
    assert brought(folder, path) == Brought(new=1, changed=1, known=5, empty=1)


def test_all_faults_are_named_and_nothing_is_taken_up(tmp_path: Path) -> None:
    folder = review_folder(tmp_path)
    path = filled(folder)
    rows = rows_in(path)
    rows[1]["answer"] = "perhaps"
    rows[2]["id"] = "0123456789abcdef"
    rows[3]["value"] = "powr"
    rows[4]["answer"] = "11"
    rows[5] = dict(rows[0])
    rows[6]["answer"], rows[6]["queue"] = "3", "others"
    write(path, rows)
    with pytest.raises(InputFileError) as failed:
        brought(folder, path)
    told = str(failed.value)
    for fault in (
        "row 2, column 'answer': 'perhaps' is none of",
        "row 3, column 'id': no row of this build for benevolence",
        "row 4, column 'value': unknown value",
        "row 5, column 'answer': '11' is no number from -10 to 10",
        "row 6, column 'id': Ada has answered this text and value in row 1 already",
        "row 7, column 'queue': 'others' is neither",
    ):
        assert fault in told
    assert read_decisions(folder).answers() == {}


def test_a_spreadsheet_runs_no_text_as_a_formula(tmp_path: Path) -> None:
    folder = review_folder(tmp_path)
    queue = folder / "categorize" / "queue.csv"
    queue.write_text(queue.read_text().replace("<script>", "=HYPERLINK(0)<script>"))
    path = exported(folder)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    texts = [row["text"] for row in rows_in(path)]
    assert any(text.startswith("'=HYPERLINK") for text in texts)
    assert SCRIPTS in texts


def test_a_blind_table_holds_nothing_that_a_model_said(tmp_path: Path) -> None:
    folder = review_folder(tmp_path)
    blind, seen = ({*rows_in(exported(folder, blind=b))[0]} for b in (True, False))
    hidden = {"panel_votes", "panel_direction", "intensity", "intensity_se", "reason"}
    assert seen - blind == hidden


def test_a_queue_file_of_the_build_can_be_filled_in_as_it_is(tmp_path: Path) -> None:
    folder = review_folder(tmp_path)
    for stage, column, answer in (
        ("flag", "rating", "-3"),
        ("categorize", "direction", "none"),
    ):
        rows = rows_in(folder / stage / "queue.csv")
        rows[0][column] = answer
        rows[0]["reviewer"] = "ada"
        rows[1][column] = answer
        rows[1]["reviewer"] = "Ben"
        found = brought(folder, write(folder / "in.csv", rows), reviewer=None)
        assert (found.new, found.empty) == (2, len(rows) - 2)
    assert read_decisions(folder).reviewers == ["Ben", "ada"]
    assert brought(folder, folder / "in.csv", "Ada") == Brought(known=1, empty=2, others=1)


def test_a_row_that_is_in_no_queue_can_be_rated_too(tmp_path: Path) -> None:
    folder = review_folder(tmp_path)
    path = write(
        folder / "in.csv",
        [{"text": "Rated text  number 9.", "value": "Power", "rating": "2", "reviewer": ""}],
    )
    assert brought(folder, path).new == 1
    with pytest.raises(InputFileError, match="say who decided"):
        brought(folder, path, reviewer=None)


def test_other_files_are_refused(tmp_path: Path) -> None:
    folder = review_folder(tmp_path)
    path = folder / "in.csv"
    for content, told in (
        (b"a,b\n1,2\n", "needs the columns id"),
        (b"id,value\n1,power\n", "needs the columns queue and answer"),
        ("id,value,rating\n1,power,é\n".encode("latin-1"), "not UTF-8"),
        (b"id,value,rating\n1,power,2,3\n", "row 1: has more cells"),
        (b'id,value,rating\n1,power,"2\n', "not valid CSV"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputFileError, match=told):
            brought(folder, path)
    with pytest.raises(InputFileError, match="cannot be read"):
        brought(folder, folder / "none.csv")
