"""A table is held to the schema, and everything that breaks it is named with its place."""

from pathlib import Path
from typing import Any

import pyarrow
import pytest

from valueflow.hub_assets.vidb.licenses import LICENSES
from valueflow.hub_assets.vidb.schema import (
    COLUMNS,
    VIDB,
    Problem,
    ProblemsError,
    arrow_schema,
    check_table,
    one_hash_per_text,
    split_hash_of,
)

GOOD: dict[str, Any] = {
    "text": "I lead.",
    "theory": "pvq",
    "value": "power",
    "path": "self-protection/self-enhancement/power/dominance",
    "direction": "support",
    "intensity": 8.0,
    "intensity_se": 0.5,
    "utility": 1.5,
    "n_comparisons": 20,
    "source": "made-up",
    "license": "CC-BY-4.0",
    "split_hash": split_hash_of("I lead."),
}


def table(*rows: dict[str, Any]) -> Any:
    return pyarrow.Table.from_pylist([{**GOOD, **row} for row in rows], arrow_schema(VIDB))


def test_a_good_table_has_no_problem_with_and_without_its_optional_cells() -> None:
    empty = {column.name: None for column in COLUMNS if column.optional}
    assert check_table(table({}, empty), "t.parquet", VIDB, ("pvq", "power")) == []


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        ("text", None, "is empty"),
        ("text", "  ", "is empty"),
        ("theory", "svt", "is none of pvq, mft"),
        ("value", "fidelity", "is not a value of pvq"),
        ("value", "Power", "is not a value of pvq"),
        ("path", "self-protection", "does not pass through the row's value"),
        ("path", "growth/nonsense/power", "has a label that pvq does not know"),
        ("path", "growth/power", "puts power under growth, which is not above it in pvq"),
        (
            "path",
            "power",
            "does not begin at the top of pvq; write self-protection/self-enhancement/power",
        ),
        ("direction", "for", "is none of support, oppose, neutral"),
        ("intensity", None, "is empty"),
        ("intensity", 10.01, "is outside [-10, 10]"),
        ("intensity", -11.0, "is outside [-10, 10]"),
        ("intensity", float("nan"), "is not a finite number"),
        ("intensity_se", -0.1, "is negative"),
        ("intensity_se", float("inf"), "is not a finite number"),
        ("utility", float("nan"), "is not a finite number"),
        ("n_comparisons", -1, "is negative"),
        ("source", "", "is empty"),
        ("license", None, "is empty"),
        ("split_hash", "abc", "is not 16 hexadecimal digits"),
    ],
)
def test_a_cell_out_of_range_is_named_with_file_row_and_column(
    column: str, cell: object, says: str
) -> None:
    rows = [GOOD, {**GOOD, column: cell}]
    types = pyarrow.schema([field.with_nullable(True) for field in arrow_schema(VIDB)])
    problems = check_table(pyarrow.Table.from_pylist(rows, types), "t.parquet", VIDB)
    assert [(p.file, p.row, p.column) for p in problems] == [("t.parquet", 2, column)]
    assert says in problems[0].message


def test_all_problems_of_a_table_come_at_once() -> None:
    wrong = table({"intensity": 11.0}, {}, {"direction": "for", "value": "face"})
    found = {(p.row, p.column) for p in check_table(wrong, "t", VIDB, ("pvq", "power"))}
    assert found == {(1, "intensity"), (3, "direction"), (3, "path"), (3, "value")}


def test_missing_foreign_and_mistyped_columns_are_named() -> None:
    cells = {name: cell for name, cell in GOOD.items() if name != "source"}
    wrong = pyarrow.Table.from_pylist([{**cells, "intensity": "8", "mood": 1}])
    messages = {p.column: p.message for p in check_table(wrong, "t", VIDB)}
    assert messages["source"] == "the column is missing"
    assert messages["mood"] == "is not a column of the schema; take it out"
    assert "type string; it must be double" in messages["intensity"]


def test_the_hash_is_the_same_for_texts_that_read_the_same() -> None:
    assert split_hash_of(" I\nLEAD. ") == split_hash_of("I lead.")
    assert split_hash_of("I lead.") != split_hash_of("I lead!")
    assert len(split_hash_of("\ud800")) == 16


def test_one_text_with_two_hashes_is_named_wherever_it_stands() -> None:
    rows = [("a", 1, "I lead.", "0" * 16), ("b", 7, "i LEAD.", "1" * 16), ("b", 8, "x", "1" * 16)]
    assert [(p.file, p.row, p.column) for p in one_hash_per_text(rows)] == [("b", 7, "split_hash")]


def test_a_long_list_of_problems_is_grouped_by_what_is_wrong() -> None:
    problems = [Problem("t", row, "intensity", "is wrong", str(row)) for row in range(1, 1001)]
    problems.append(Problem("t", None, "", "is odd"))
    problems += [Problem(file, 1, "text", "is bad") for file in "abcde"]
    message = str(ProblemsError("DIR", problems))
    assert message.splitlines() == [
        "DIR: 1,006 problems",
        "  t, rows 1 (1), 2 (2), 3 (3), 4 (4), 5 (5) and 995 more, column 'intensity': is wrong",
        "  t: is odd",
        "  a, row 1; b, row 1; c, row 1; 2 more places in 2 more files, column 'text': is bad",
    ]


def test_the_page_about_the_database_tells_the_same_columns_and_licences() -> None:
    page = (Path(__file__).parents[3] / "docs/vidb.md").read_text(encoding="utf-8")
    for column in COLUMNS:
        assert f"| `{column.name}` | {column.type} | {'yes' if column.optional else 'no'} |" in page
    for license in LICENSES:
        [line] = [x for x in page.splitlines() if x.startswith("| ") and license.name in names(x)]
        assert line.split("|")[2].strip() == ("yes" if license.redistributable else "no")
        assert ("no commercial use" in line) == (license.redistributable and license.non_commercial)
        assert ("share alike" in line) == (license.redistributable and license.share_alike)


def names(line: str) -> set[str]:
    return {name.split(" (")[0].strip() for name in line.split("|")[1].split(",")}
