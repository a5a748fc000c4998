"""Tables are read wherever they lie, and a table that cannot be read is named with its place."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from tests.hub_server import HubServer, commit_of
from valueflow.hub_assets.errors import InputFileError, OptionError, UnknownNameError
from valueflow.hub_assets.inputs.source import Row, column_map, open_source, read_rows

ROWS = [{"text": "One, two", "intensity": 1.5}, {"text": 'Say "ünö"\nthen go', "intensity": -2.0}]


def cells_of(source: object) -> list[dict[str, Any]]:
    return [dict(row.cells) for row in read_rows(open_source(source, "vidb"))]


def fails(path: Path) -> str:
    with pytest.raises(InputFileError) as caught:
        cells_of(path)
    return str(caught.value)


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    quoted = '"One, two",1.5\n"Say ""ünö""\nthen go",-2.0\n'
    (tmp_path / "t.csv").write_text("text,intensity\n" + quoted, encoding="utf-8")
    (tmp_path / "bom.csv").write_text("text,intensity\n" + quoted, encoding="utf-8-sig")
    (tmp_path / "t.tsv").write_text(
        'text\tintensity\nOne, two\t1.5\n"Say ""ünö""\nthen go"\t-2.0\n', encoding="utf-8"
    )
    (tmp_path / "t.jsonl").write_text(
        "\n\n".join(json.dumps(row) for row in ROWS), encoding="utf-8"
    )
    (tmp_path / "t.json").write_text(json.dumps(ROWS), encoding="utf-8")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "t.PARQUET")
    names = ("t.csv", "bom.csv", "t.tsv", "t.jsonl", "t.json", "t.PARQUET")
    for name in names:
        read = cells_of(tmp_path / name)
        assert [r["text"] for r in read] == [r["text"] for r in ROWS], name
        assert [float(r["intensity"]) for r in read] == [1.5, -2.0], name
    assert len(cells_of(tmp_path)) == 2 * len(names)


def test_a_folder_is_read_in_the_order_of_names_and_its_hash_follows_its_contents(
    tmp_path: Path,
) -> None:
    (tmp_path / "b").mkdir()
    for name in ("z.csv", "b/a.csv", "a.csv", "b/notes.txt"):
        (tmp_path / name).write_text(f"text\n{name}\n")
    first = open_source(tmp_path, "vidb")
    assert [str(f.relative_to(tmp_path)) for f in first.files] == ["a.csv", "b/a.csv", "z.csv"]
    assert first.reference == str(tmp_path)
    (tmp_path / "b/notes.txt").write_text("something else")
    assert open_source(tmp_path, "vidb").sha256 == first.sha256
    (tmp_path / "z.csv").write_text("text\nchanged\n")
    assert open_source(tmp_path, "vidb").sha256 != first.sha256


def test_an_embedded_asset_is_found_by_name_with_its_revision() -> None:
    source = open_source(" vidb-mini ", "vidb")
    assert (source.reference, source.revision) == ("vidb-mini", "1")
    assert len(source.files) == 32


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    for missing in (tmp_path / "no.csv", "no-such-table.csv", "./nowhere", "~no-such-user/t"):
        with pytest.raises(InputFileError, match="there is no such file or folder") as caught:
            open_source(missing, "vidb")
        assert str(missing) in str(caught.value)


def test_a_folder_without_tables_and_a_file_of_another_kind_are_named(tmp_path: Path) -> None:
    assert str(tmp_path) in fails(tmp_path)
    assert "holds no table (.csv" in fails(tmp_path)
    (tmp_path / "t.xlsx").write_text("x")
    assert "t.xlsx: is none of .csv" in fails(tmp_path / "t.xlsx")


def test_an_unknown_asset_is_answered_with_the_nearest_and_with_what_a_source_may_be() -> None:
    with pytest.raises(UnknownNameError) as caught:
        open_source("vidb-minni", "vidb")
    assert "unknown vidb source 'vidb-minni'" in str(caught.value)
    assert caught.value.suggestions[0] == "vidb-mini"
    assert "ORG/NAME@REVISION" in str(caught.value)


def test_an_asset_of_another_kind_is_not_taken() -> None:
    with pytest.raises(UnknownNameError, match="unknown asset 'queries-mini'"):
        open_source("queries-mini", "vidb")


def test_a_truncated_last_line_is_named_as_such(tmp_path: Path) -> None:
    table = tmp_path / "t.jsonl"
    table.write_text('{"text": "a"}\n{"text": "b"}\n{"text": "c')
    assert f"{table}, row 3: is not valid JSON" in fails(table)
    assert "the file may be truncated" in fails(table)
    table.write_text('{"text": "a"}\n{"text": b}\n{"text": "c"}\n')
    assert f"{table}, row 2: is not valid JSON" in fails(table)
    assert "may be truncated" not in fails(table)


@pytest.mark.parametrize("line", ["[" * 5000 + "]" * 5000, '{"text": ' + "9" * 5000 + "}"])
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_json_that_python_will_not_read_is_named(tmp_path: Path, line: str, suffix: str) -> None:
    table = tmp_path / f"t{suffix}"
    table.write_text(line + "\n")
    assert f"{table}" in fails(table)
    assert "is not valid JSON" in fails(table)


def test_rows_must_be_objects(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "a"}\n["b"]\n')
    assert "t.jsonl, row 2: is not an object with named fields" in fails(tmp_path / "t.jsonl")
    (tmp_path / "t.json").write_text('{"text": "a"}')
    assert "t.json: must be a list of objects" in fails(tmp_path / "t.json")
    (tmp_path / "t.json").write_text('[{"text": "a"}, 3]')
    assert "t.json, row 2: is not an object" in fails(tmp_path / "t.json")
    (tmp_path / "t.json").write_text("[{]")
    assert "t.json: is not valid JSON" in fails(tmp_path / "t.json")


def test_a_row_with_more_cells_than_the_header_is_named_and_quoting_is_advised(
    tmp_path: Path,
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("text,intensity\nfine,1\nYes, I would,2\n")
    message = fails(table)
    assert f"{table}, row 2: has more cells than the header" in message
    assert "quote texts with commas" in message


def test_an_open_quote_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('text,intensity\n"two\nlines",1\n"never closed,1\n')
    assert "t.csv, row 2: is not valid CSV" in fails(tmp_path / "t.csv")


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.json"])
def test_text_that_is_not_utf8_is_named_with_the_remedy(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes('text,intensity\n"Café",1\n'.encode("latin-1"))
    message = fails(tmp_path / name)
    assert f"{tmp_path / name}: is not UTF-8 text" in message
    assert "save it as UTF-8" in message


def test_a_file_that_only_calls_itself_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("text,intensity\n")
    assert "t.parquet: is not a valid Parquet file" in fails(tmp_path / "t.parquet")


ACCEPTED = {"text": ("text", "sentence"), "intensity": ("intensity", "score")}


def a_row(*columns: str) -> Row:
    return Row(dict.fromkeys(columns, ""), Path("table.csv"), 1)


def test_columns_are_found_by_name_best_first_in_any_case() -> None:
    row = a_row("Sentence", " TEXT ", "score", "other")
    assert column_map(row, ACCEPTED, ["text"], None, "columns") == {
        "text": " TEXT ",
        "intensity": "score",
    }


def test_the_users_own_mapping_wins() -> None:
    row = a_row("text", "Phrase", "score")
    found = column_map(row, ACCEPTED, ["text"], {"text": "phrase"}, "columns")
    assert found == {"text": "Phrase", "intensity": "score"}


def test_columns_that_cannot_be_mapped_are_listed_with_the_way_to_name_them() -> None:
    with pytest.raises(InputFileError) as caught:
        column_map(a_row("phrase", "mark"), ACCEPTED, ["text", "intensity"], None, "vidb_columns")
    message = str(caught.value)
    assert "table.csv: has no column for 'text' and 'intensity'" in message
    assert "Found: phrase, mark" in message
    assert "vidb_columns='{text: YOUR_COLUMN, intensity: YOUR_COLUMN}'" in message


def test_a_mapping_to_an_absent_column_or_of_an_unknown_field_is_named() -> None:
    with pytest.raises(InputFileError, match="has no column 'phrase'; it has text, score"):
        column_map(a_row("text", "score"), ACCEPTED, ["text"], {"text": "phrase"}, "columns")
    with pytest.raises(OptionError, match="columns: 'txt' is not one of text, intensity"):
        column_map(a_row("text"), ACCEPTED, ["text"], {"txt": "text"}, "columns")


def test_a_field_without_a_column_has_no_cell_even_where_a_column_has_no_name() -> None:
    row = Row({"": "17", "text": "a"}, Path("table.csv"), 1)
    assert row.cell({"text": "text"}, "level") is None
    assert row.cell({"text": "text"}, "text") == "a"


# The Hub.

TABLE = b'{"text": "I lead.", "intensity": 8}\n{"text": "I follow.", "intensity": -6.5}\n'
OLDER = {"pvq/power.jsonl": TABLE, "README.md": b"# a table"}
NEWER = {"pvq/power.jsonl": TABLE + b'{"text": "I rest.", "intensity": 0}\n'}
SCRIPT = """
import json, sys
from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.inputs.anchors import load_vidb
answers = []
for source in sys.argv[1:]:
    try:
        table = load_vidb(source)
        anchors = [[a.text, a.intensity] for a in table.anchors["pvq", "power"]]
        answers.append([anchors, table.source.reference, table.source.revision])
    except InputFileError as error:
        answers.append(str(error))
print(json.dumps(answers))
"""


def load_in_a_process(cache: Path, endpoint: str, *sources: str, offline: bool) -> list[Any]:
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment |= {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "1" if offline else "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *sources], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


def test_a_dataset_on_the_hub_loads_at_its_revision_and_then_without_the_network(
    tmp_path: Path,
) -> None:
    anchors = [["I lead.", 8.0], ["I follow.", -6.5]]
    expected = [anchors, f"org/table@{commit_of(OLDER)}", commit_of(OLDER)]
    newest = [[*anchors, ["I rest.", 0.0]], f"org/table@{commit_of(NEWER)}", commit_of(NEWER)]
    with HubServer({"org/table": {"v1": OLDER, "main": NEWER}}) as hub:
        answers = load_in_a_process(
            tmp_path,
            hub.endpoint,
            *("org/table@v1", f"org/table@{commit_of(OLDER)}", "org/table", "org/table@v9"),
            *("org/nothing@v1", "a..b/c@v1"),
            offline=False,
        )
        asked = list(hub.requests)
        offline = load_in_a_process(
            tmp_path, hub.endpoint, "org/table@v1", "org/table", "org/table@v9", offline=True
        )
        assert hub.requests == asked
    assert not any("README.md" in request for request in asked)
    at_tag, at_commit, at_main, no_revision, no_repository, no_name = answers
    assert at_tag == at_commit == expected
    assert at_main == newest
    for answer, name in (
        (no_revision, "org/table@v9"),
        (no_repository, "org/nothing@v1"),
        (no_name, "a..b/c@v1"),
    ):
        assert answer.startswith(f"{name}: cannot be loaded from the Hub")
        assert "Check the name, the revision" in answer
    assert offline[:2] == [expected, newest]
    assert offline[2].startswith("org/table@v9: cannot be loaded from the Hub")
