"""Tables on the terminal cut no name and no number, run no markup, and are data on request."""

import csv
import json
from io import StringIO

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from valueflow.cli import main
from valueflow.commands import listing
from valueflow.commands.screen import as_rows, show, show_tables
from valueflow.hub_assets.errors import OptionError, singular


def drawn(table: Table, width: int) -> str:
    stream = StringIO()
    show(table, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def words(text: str) -> set[str]:
    return set(text.replace("│", " ").replace("┃", " ").split())


def called(*arguments: str, columns: int = 80) -> str:
    result = CliRunner().invoke(main, list(arguments), env={"COLUMNS": str(columns)})
    assert result.exit_code == 0, result.output
    return result.output


WHAT = [
    "values",
    "pairs",
    "squares",
    "composites",
    "groups",
    "assets",
    "queries",
    "tasks",
    "levels",
]


@pytest.mark.parametrize("width", [200, 80, 40])
@pytest.mark.parametrize("what", WHAT)
def test_no_word_of_a_listing_is_cut(what: str, width: int) -> None:
    for table in listing.tables(what, everything=True):
        cells = {str(cell) for column in table.columns for cell in column.cells}
        text = drawn(table, width)
        assert words(" ".join(cells)) <= words(text.replace(":", ": ")) | words(text)
        if width >= 80:
            assert "…" not in text


@pytest.mark.parametrize("width", [120, 80, 50])
def test_no_number_of_a_plan_is_cut(width: int) -> None:
    plan = (
        "plan",
        "--judge-scale",
        "0.3",
        "--text-sd",
        "0",
        "--queries",
        "1234567",
        "--values",
        "32",
        "--se",
        "0.05",
    )
    rows = json.loads(called(*plan, "--json"))
    text = called(*plan, columns=width)
    for row in rows:
        for name in ("judge calls", "tokens", "queries for 0.05"):
            assert f"{row[name]:,}" in words(text)
    assert rows[0]["judge calls"] == 1234567 * 32 * 5
    assert [row["windows per response"] for row in rows] == list(range(1, 11))
    assert [row["marked"] for row in rows].count(True) == 1
    table = list(csv.DictReader(StringIO(called(*plan, "--csv"))))
    assert [int(row["tokens"]) for row in table] == [row["tokens"] for row in rows]


def test_a_listing_is_data_on_request() -> None:
    values = json.loads(called("list", "values", "--theory", "duty", "--json"))
    assert {row["value"] for row in values} >= {"fidelity", "non-maleficence"}
    whole = json.loads(called("list", "--json"))
    assert {"Theories", "Levels", "Assets"} <= set(whole)
    (title, *rows) = csv.reader(StringIO(called("list", "pairs", "--csv")))
    assert title[:2] == ["theory", "pair"]
    assert len(rows) > 5
    refused = CliRunner().invoke(main, ["list", "--csv"])
    assert refused.exit_code == 1
    assert "writes one table; name one of them (theories, levels" in refused.output


HOSTILE = [
    "power[high]/0",
    "[bold]x[/bold]",
    "[/]",
    "\x1b[31mred\x1b[0m",
    "a\rb",
    "=1+1",
    "\u202ex",
]


@pytest.mark.parametrize("width", [80, 12])
@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_shown_as_they_are_and_steer_nothing(name: str, width: int) -> None:
    table = Table("cell", title=f"Cells of {name}", caption=name)
    table.add_column("items", justify="right")
    table.add_row(name, "3")
    text = drawn(table, width)
    assert not any(c in text for c in "\x1b\r\u202e")
    visible = name.replace("\x1b", "\\x1b").replace("\r", "\\r").replace("\u202e", "\\u202e")
    assert visible in words(text.replace("cell: ", ""))
    assert as_rows(table) == [{"cell": name, "items": 3}]


def test_csv_on_the_screen_holds_no_formula(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("cell", title="Cells")
    table.add_row("=HYPERLINK(1)")
    show_tables([table], "csv")
    assert capsys.readouterr().out == "cell\n'=HYPERLINK(1)\n"
    with pytest.raises(OptionError, match="writes one table"):
        show_tables([table, table], "csv")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.text("abc -", max_size=30), st.text("xyz[]", max_size=12), st.integers()),
        min_size=1,
        max_size=4,
    ),
    st.integers(4, 90),
)
def test_no_word_is_lost_at_any_width(rows: list[tuple[str, str, int]], width: int) -> None:
    table = Table("first", "second", title="T")
    table.add_column("number", justify="right")
    for first, second, number in rows:
        table.add_row(first, second, f"{number:,}")
    found = words(drawn(table, width))
    for first, second, number in rows:
        assert {*first.split(), *second.split(), f"{number:,}"} <= found


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1 samples have no score (left out)", "1 sample has no score (left out)"),
        ("1 planned samples are not in the log", "1 planned sample is not in the log"),
        (
            "1 queries, 11 queries, 2.1 queries, 1 retries",
            "1 query, 11 queries, 2.1 queries, 1 retry",
        ),
        ("1,001 windows of 1 items", "1,001 windows of 1 item"),
        ("windows of 6, level -1 values", "windows of 6, level -1 values"),
    ],
)
def test_one_of_a_thing_is_told_in_the_singular(written: str, read: str) -> None:
    assert singular(written) == read
