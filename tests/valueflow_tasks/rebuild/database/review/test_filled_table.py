"""Filled tables: read whichever way a spreadsheet saved them, and nothing passed over unsaid."""

from pathlib import Path

import pytest

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.vidb.schema import split_hash_of
from valueflow.rebuild.database.review.directions import file_directions
from valueflow.rebuild.database.review.ratings import read_ratings


@pytest.mark.parametrize(
    "table",
    [
        "text,value,direction\nOne.,power,support\nTwo.,power,\n",
        "\ufefftext;value;direction\r\nOne.;power;Support\r\nTwo.;power;\r\n",
        "text\tvalue\tdirection\nOne.\tpower\tsupport\n",
    ],
)
def test_directions_are_read_with_commas_semicolons_and_tabs(tmp_path: Path, table: str) -> None:
    path = tmp_path / "decided.csv"
    path.write_text(table, encoding="utf-8", newline="")
    assert file_directions(path) == {(split_hash_of("One."), "power"): "support"}


@pytest.mark.parametrize("rating", ["-3,5", "−3.5", "-3.5"])
def test_ratings_are_read_with_a_decimal_comma_and_a_typographic_minus(
    tmp_path: Path, rating: str
) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(f"text;value;rating;reviewer\nOne.;power;{rating};A\n", encoding="utf-8-sig")
    assert read_ratings(path)[split_hash_of("One."), "power"].mean == -3.5


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (b"id,value,stance\na,power,support\n", "needs the columns text"),
        ("text,value,direction\nGrüße,power,support\n".encode("latin-1"), "save it as UTF-8"),
        (b"id,value,direction\na,powr,support\n", "row 1, column 'value': unknown value 'powr'"),
        (b"id,value,direction\na,power,yes\n", "row 1, column 'direction': 'yes' is none of"),
        (b"id,value,direction\na,power,support,x\n", "row 1: has more cells"),
        (
            b"id,value,direction\na,power,support\na,power,oppose\n",
            "row 2, column 'direction': says oppose, and a row above says support",
        ),
    ],
)
def test_faulty_directions_are_refused_with_their_place(
    tmp_path: Path, table: bytes, told: str
) -> None:
    path = tmp_path / "decided.csv"
    path.write_bytes(table)
    with pytest.raises(InputFileError, match=told.replace("'", ".")):
        file_directions(path)
