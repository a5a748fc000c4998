"""A run on one screen: what it shows, what it marks, and what it leaves out."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.study_runs import run_log
from valueflow.scorers.figures import Figure
from valueflow.scorers.records import ResponseRecord
from valueflow.scorers.saved.logs import ScoredLog
from valueflow.scorers.summary.overview import (
    AGAIN,
    ceiling_mark,
    figure_text,
    overview,
    overview_text,
)
from valueflow.scorers.summary.run import RunSummary, summarize
from valueflow.steering.tasks import steer, steer_pair

Run = tuple[list[ResponseRecord], RunSummary]


def read(path: Path) -> Run:
    records = [cast(ResponseRecord, record) for record in ScoredLog(path).records()]
    return records, summarize(records)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return read(run_log(tmp_path_factory.mktemp("logs")))


def test_there_is_a_row_a_value_with_the_summarys_own_numbers(run: Run) -> None:
    records, summary = run
    (table,) = overview(summary, records).tables
    assert table.columns == ["value", "-2", "0", "+2", "up", "down", "range"]
    # In the registry's order, as the run had them, and the average below.
    assert [row[0] for row in table.texts] == ["benevolence", "power", "mean of 2"]
    figures = {value.value: value.figures for value in summary.values}
    for row in table.numbers:
        for name in ("up", "down", "range"):
            assert row[name] == figures[row["value"]][name].value
            assert row[f"{name} se"] == figures[row["value"]][name].se
    assert table.texts[-1][-1] == figure_text(summary.overall["range"])


def test_the_order_of_the_records_changes_no_number_and_rows_follow_the_records(run: Run) -> None:
    records, summary = run
    forward, backward = overview(summary, records), overview(summary, records[::-1])
    by_name = [{row[0]: row for row in one.tables[0].texts} for one in (forward, backward)]
    assert by_name[0] == by_name[1]
    assert forward.lines == backward.lines


def test_counts_are_told_where_they_are_not_zero(run: Run) -> None:
    records, summary = run
    assert overview(summary, records).lines[-1] == "15 responses"
    some = replace(summary, counts={**summary.counts, "refusals": 2, "windows_failed": 1})
    told = overview(some, records).lines[-1]
    assert told == "15 responses, 2 refused, 1 windows without a ranking"
    assert "1 window without a ranking" in overview_text(overview(some, records))


def test_the_text_fits_beside_other_things_and_quotes_no_control_character(run: Run) -> None:
    records, summary = run
    text = overview_text(overview(summary, records), ["a\x1b[31mb"])
    assert "\x1b" not in text
    assert max(map(len, text.splitlines()[:4])) <= 80
    assert "Judge valueflow/judge: 54 windows" in text


def test_a_mean_beyond_every_anchor_is_marked_and_the_mark_explained(run: Run) -> None:
    records, summary = run
    cells = [
        replace(c, beyond_high=0.5, beyond_low=0.0) if c.cell == "power/+2" else c
        for c in summary.cells
    ]
    found = overview(replace(summary, cells=cells), records)
    (row,) = [row for row in found.tables[0].texts if row[0] == "power"]
    assert row[3].endswith("▲")
    assert any(line.startswith("▲ ▼") for line in found.lines)
    within = [replace(c, beyond_high=0.0, beyond_low=0.0) for c in summary.cells]
    plain = overview(replace(summary, cells=within), records)
    assert not any(line.startswith("▲ ▼") for line in plain.lines)
    assert ceiling_mark(replace(cells[0], beyond_high=0.1, beyond_low=0.3)) == "▼"
    assert ceiling_mark(replace(cells[0], beyond_high=0.1, beyond_low=0.1)) == ""
    assert ceiling_mark(replace(cells[0], beyond_high=math.nan, beyond_low=math.nan)) == ""


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure(4.32, 0.61), "+4.3 ± 0.6"),
        (Figure(-4.32), "-4.3"),
        (Figure(0.5, 0.004), "+0.5 ± 0.004"),
        (Figure(math.nan, 1.0), ""),
        (None, ""),
    ],
)
def test_a_figure_is_told_with_an_error_that_is_never_zero(
    figure: Figure | None, text: str
) -> None:
    assert figure_text(figure) == text


def test_a_model_that_judged_itself_is_told_first_with_the_command_that_mends_it(run: Run) -> None:
    records, summary = run
    itself: list[Any] = [
        {**record, "judge": {**record["judge"], "is_evaluated_model": True}} for record in records
    ]
    text = overview_text(overview(summary, itself))
    assert text.startswith("! valueflow/judge judges its own responses")
    assert AGAIN in text.splitlines()[0]
    assert overview(summary, records).warning == ""


def test_pairs_have_rows_of_their_own_figures(tmp_path: Path) -> None:
    task = steer_pair(pairs="power+universalism", levels="2/2", n_queries=2, windows=1)
    records, summary = read(run_log(tmp_path, task))
    (table,) = overview(summary, records).tables
    assert table.columns[0] == "pairs"
    assert [row[0] for row in table.texts] == ["power&universalism"]
    assert table.numbers[0]["cosine"] == summary.overall["pair cosine"].value


def test_where_nothing_was_scored_there_are_counts_and_no_number(tmp_path: Path) -> None:
    task = steer(values="power", levels="2", n_queries=1)
    records, summary = read(run_log(tmp_path, task, refusal_rate=1))
    found = overview(summary, records)
    assert all(not any(row[1:]) for table in found.tables for row in table.texts)
    assert "refused" in found.lines[-1]
