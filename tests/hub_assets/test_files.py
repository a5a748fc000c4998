"""Files that users name are read within bounds; what is written harms no program that reads it."""

import csv
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valueflow.hub_assets.errors import InputFileError, ValueflowError, printable
from valueflow.hub_assets.files import (
    check_file,
    is_blank,
    plain_cell,
    read_text,
    sendable,
    spreadsheet_cell,
    write_csv,
)
from valueflow.hub_assets.inputs.rows import rows_of
from valueflow.hub_assets.inputs.source import open_source
from valueflow.hub_assets.registry.loading import load_registry, read_registry


def huge(path: Path) -> Path:
    """A file of 2 GiB that takes no room on the disk."""
    with path.open("wb") as stream:
        stream.truncate(2 * 2**30)
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


@pytest.mark.timeout(20)
def test_what_is_no_ordinary_file_is_never_read(tmp_path: Path) -> None:
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    for path, said in [
        (Path("/dev/zero"), "device or a pipe"),
        (pipe(tmp_path / "pipe.csv"), "device or a pipe"),
        (folder, "is a folder"),
        (huge(tmp_path / "huge.csv"), "2,048 MiB, more than the"),
        (tmp_path / "gone.csv", "no such file"),
    ]:
        for read in (check_file, read_text, read_registry, load_registry):
            with pytest.raises(InputFileError, match=said):
                read(path)
        with pytest.raises(InputFileError, match=said):
            list(rows_of([path]))


@pytest.mark.timeout(20)
def test_a_table_of_gigabytes_is_refused_before_its_hash_is_taken(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="more than the 1,024 MiB"):
        open_source(huge(tmp_path / "anchors.csv"), "vidb")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "latin-1"])
def test_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "anchors.csv"
    head = "\ufeff" if encoding == "utf-16-be" else ""
    file.write_bytes(f"{head}text,intensity\nCaf\u00e9,3\n".encode(encoding))
    said = "UTF-16" if "16" in encoding else "not UTF-8 text .byte"
    for read in (read_text, lambda path: list(rows_of([path]))):
        with pytest.raises(InputFileError, match=f"is {said}.*save it as UTF-8"):
            read(file)


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    for name, text in [
        ("a.csv", "text\nx\n"),
        ("a.jsonl", '{"text": "x"}'),
        ("a.json", '[{"text": "x"}]'),
    ]:
        file = tmp_path / name
        file.write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert [row.cells for row in rows_of([file])] == [{"text": "x"}]


def test_a_catalogue_that_yaml_chokes_on_is_named(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    for text, told in [
        ("a: " + "[" * 1500, "recursion"),
        ("a: 2024-99-99", "month"),
        ("a: " + "9" * 5000, "digits"),
        ("a: \x01", "not allowed"),
        ("- [}", "expected the node content"),
        ("[]", "must be a mapping"),
    ]:
        # Nothing of a file that could not be used is kept: what it says next counts.
        file.write_text(text)
        with pytest.raises(InputFileError, match=rf"own\.yaml.*{told}"):
            load_registry(file)


@given(st.text())
def test_no_text_is_a_formula_in_a_spreadsheet(text: str) -> None:
    cell = spreadsheet_cell(text)
    if cell == text:
        number = text.strip("+-.%").replace(".", "").replace("e", "").replace("E", "")
        assert not text or text[0] not in "=+-@\t\r\n" or number.strip("+-").isdecimal()
    else:
        assert cell == "'" + text
        assert plain_cell(cell) == text


@pytest.mark.parametrize("number", ["-3.5", "+2", "-1e-05", "+0", "-.5", "-12%"])
def test_numbers_stay_numbers_in_a_spreadsheet(number: str) -> None:
    assert spreadsheet_cell(number) == number


def test_every_table_that_is_written_is_safe_and_whole(tmp_path: Path) -> None:
    rows = [{"name": "=1+1", "n": -2.5}, {"name": "a\ud800b", "n": None}, {"name": "-x", "n": 3}]
    write_csv(tmp_path / "t.csv", ["name", "n"], rows)
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["name", "n"],
            ["'=1+1", "-2.5"],
            ["a\ufffdb", ""],
            ["'-x", "3"],
        ]


@given(st.text(st.characters()))
def test_what_is_sent_can_be_encoded_and_what_is_shown_steers_no_terminal(text: str) -> None:
    sendable(text + "\ud83d").encode("utf-8")
    shown = printable(f"{text}\x1b[2J\x9b\u202e\ud800\r", lines=True)
    assert not any((ord(c) < 32 and c not in "\t\n") or 127 <= ord(c) < 160 for c in shown)
    assert "\u202e" not in shown
    shown.encode("utf-8")


def test_errors_quote_names_without_steering_the_terminal() -> None:
    error = InputFileError("\x1b]0;owned\x07.csv", "has no column 'a\rb'")
    assert str(error) == "\\x1b]0;owned\\x07.csv: has no column 'a\\rb'"
    assert str(ValueflowError("one\ntwo")) == "one\ntwo"


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u200b", "\ufeff", "\u2060\u00ad", "\u3164"])
def test_a_text_of_nothing_to_be_seen_is_blank(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(text + ".")
    assert not is_blank(text + "\u4e2d")
