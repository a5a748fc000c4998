"""Tables are read wherever they lie, and a bad one is named with its row."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from valueflow.hub_assets.errors import InputFileError, UnknownNameError
from valueflow.hub_assets.tables import open_source, read_rows

ROWS = [{"text": "a, b", "intensity": 1.5}, {"text": "c\nd", "intensity": -2.0}]


def cells(path: Path) -> list[dict[str, object]]:
    return [dict(row.cells) for row in read_rows(open_source(str(path), "vidb"))]


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,intensity\n"a, b",1.5\n"c\nd",-2.0\n')
    (tmp_path / "b.tsv").write_text('text\tintensity\na, b\t1.5\n"c\nd"\t-2.0\n')
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n\n" for row in ROWS))
    (tmp_path / "d.json").write_text(json.dumps(ROWS))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "e.parquet")
    for name in ("a.csv", "b.tsv", "c.jsonl", "d.json", "e.parquet"):
        found = [(r["text"], float(str(r["intensity"]))) for r in cells(tmp_path / name)]
        assert found == [("a, b", 1.5), ("c\nd", -2.0)], name
    assert len(cells(tmp_path)) == 10


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "text,intensity\na,b,1\n", "row 1: has more cells"),
        ("a.csv", 'text\n"open\n', "not valid CSV"),
        ("a.jsonl", '{"text": "a"}\n{"text": ', "row 2: is not valid JSON.*truncated"),
        ("a.jsonl", '{"text": \n{"a": 1}\n', "row 1: is not valid JSON"),
        ("a.jsonl", "[1]\n", "row 1: is not an object"),
        ("a.json", '{"a": 1}', "must be a list"),
        ("a.json", "{", "not valid JSON"),
        ("a.parquet", "no parquet", "not a valid Parquet"),
    ],
)
def test_a_malformed_file_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputFileError, match=message) as error:
        cells(tmp_path / name)
    assert name in str(error.value)


def test_text_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("text\ncafé\n".encode("latin-1"))
    with pytest.raises(InputFileError, match="not UTF-8"):
        cells(tmp_path / "a.csv")


def test_sources_that_are_none_say_what_would_be_one(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="no such file"):
        open_source("nowhere.csv", "vidb")
    with pytest.raises(UnknownNameError, match="vidb-mini"):
        open_source("vidb-maxi", "vidb")
    with pytest.raises(InputFileError, match="holds no table"):
        open_source(str(tmp_path), "vidb")
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(InputFileError, match=r"is none of \.csv"):
        open_source(str(tmp_path / "a.doc"), "vidb")


def test_the_hash_tells_contents_apart(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text\na\n")
    first = open_source(str(file), "vidb").sha256
    file.write_text("text\nb\n")
    assert open_source(str(file), "vidb").sha256 != first
