"""The planning table says what a study costs and marks the smallest that is good enough."""

import re
from io import StringIO
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from rich.table import Table

from valueflow.cli import main
from valueflow.commands.plan import PlannedStudy, plan_table, planned_study
from valueflow.hub_assets.errors import OptionError
from valueflow.results.steering.pilot import Pilot


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def printed(table: Table) -> str:
    """The table with what stands below it, in one line."""
    console = Console(width=160, file=StringIO())
    with console.capture() as capture:
        console.print(table)
    return " ".join(capture.get().split())


def column(table: Table, header: str) -> list[str]:
    return [str(c) for one in table.columns if one.header == header for c in one.cells]


def table_of(scale: float, queries: int, se: float | None = None, **options: Any) -> Table:
    """The table for a judge without disagreement, unless `text_sd` says otherwise."""
    return plan_table(PlannedStudy(queries, scale, options.pop("text_sd", 0.0), se, **options))


def test_one_row_per_number_of_windows_with_its_calls() -> None:
    table = table_of(0.3, 100, 0.35, values=2)
    assert column(table, "windows per response") == [str(m) for m in range(1, 11)]
    assert column(table, "judge calls")[2] == "3,000"


def test_a_rating_costs_hardly_more_than_a_ranking_and_tells_more() -> None:
    ranked, rated = table_of(1.2, 100), table_of(1.2, 100, judge_mode="rating")
    cost = [float(column(t, "tokens")[0].replace(",", "")) for t in (ranked, rated)]
    error = [float(column(t, "standard error: response")[0]) for t in (ranked, rated)]
    assert cost[0] < cost[1] < 1.05 * cost[0]
    assert error[1] < 0.8 * error[0]


def test_the_smallest_design_that_reaches_is_marked_and_said() -> None:
    table = table_of(0.3, 100, 0.35)
    marks = column(table, "")
    assert marks.count("->") == 1
    cells = [float(cell) for cell in column(table, "cell")]
    assert cells[marks.index("->")] <= 0.35 < cells[marks.index("->") - 1]
    assert "4 windows per response reach a standard error of 0.35 for a cell" in printed(table)


def test_where_no_design_reaches_the_questions_that_would_are_named() -> None:
    table = table_of(0.3, 100, 0.1)
    assert "->" not in column(table, "")
    text = printed(table)
    assert "No design above reaches" in text
    needed = [int(one.replace(",", "")) for one in column(table, "queries for 0.1")]
    windows = [int(one) for one in column(table, "windows per response")]
    calls = [n * m for n, m in zip(needed, windows, strict=True)]
    assert f"{windows[calls.index(min(calls))]} window" in text
    assert f"{needed[calls.index(min(calls))]:,} questions" in text


def test_a_plan_for_a_real_judge_says_what_the_error_is_made_of_and_asks_for_questions() -> None:
    text = printed(table_of(1.2, 100, text_sd=3.9, anchors=10_000, judge_mode="rating"))
    assert "take more questions before more windows" in text
    shares = [int(one) for one in re.findall(r"(\d+) % ", text)]
    assert sum(shares) == pytest.approx(100, abs=2)
    assert shares[1] == max(shares)  # The disagreement with single texts.
    rough = printed(table_of(0.15, 100))
    assert "the two hardly differ for so rough a judge" in rough


def test_few_anchors_are_named_as_the_floor_that_they_are() -> None:
    text = printed(table_of(1.2, 100, 0.3, text_sd=3.9))
    assert "no number of questions does with so few anchors" in text
    assert "more anchors (--anchors) do" in text
    assert "more anchors (--anchors) do" not in printed(
        table_of(1.2, 100, 0.3, text_sd=3.9, anchors=10_000)
    )


def test_a_difference_between_models_has_its_columns_and_its_power() -> None:
    table = table_of(1.2, 100, text_sd=3.9, difference=1.0, judge_mode="rating")
    cell = column(table, "queries for a difference of 1 in a cell")
    shift = column(table, "queries for a difference of 1 in a shift or range")
    assert all(int(b.replace(",", "")) > int(a.replace(",", ""))
               for a, b in zip(cell, shift, strict=True))  # fmt: skip
    surer = table_of(1.2, 100, text_sd=3.9, difference=1.0, power=0.95, judge_mode="rating")
    assert int(column(surer, "queries for a difference of 1 in a cell")[0]) > int(cell[0])
    assert "a chance of 0.95" in printed(surer)


def test_without_a_wanted_error_nothing_is_marked() -> None:
    table = table_of(1.0, 20, sampling="adaptive", most_windows=3)
    assert column(table, "") == ["", "", ""]
    assert "reach a" not in printed(table)


def test_a_wanted_error_of_responses_counts_too() -> None:
    marks = column(table_of(1.0, 100, 0.3, response_se=1.0), "")
    assert marks.index("->") == 3
    assert "A response is known to" in printed(table_of(1.2, 100, text_sd=3.9, response_se=1.0))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_what_cannot_be_planned_is_an_error_a_user_can_mend(scale: float) -> None:
    with pytest.raises(OptionError, match="scale"):
        table_of(scale, 100, 0.3)


def test_options_go_before_a_pilot_and_a_pilot_before_what_is_assumed() -> None:
    assumed = planned_study(10, {})
    assert (assumed.scale, assumed.text_sd) == (1.2, 3.9)
    pilot = Pilot("m", 0.7, 2.0, 0.01, 1.5, 300, 2, 3, 5, "rating", 9, 9, 500.0, 0.001, 0.002)
    study = planned_study(10, {"levels": 5}, pilot)
    assert (study.scale, study.text_sd, study.spread, study.anchors) == (0.7, 2.0, 1.5, 300)
    assert (study.values, study.levels, study.judge_mode) == (2, 5, "rating")
    assert study.call_tokens == 500
    assert planned_study(10, {"judge_mode": "ranking"}, pilot).call_tokens is None
    dollars = float(column(plan_table(study), "US dollars")[0])
    assert dollars == pytest.approx(10 * 2 * 5 * 0.001 + 10 * (2 * 4 + 1) * 0.002, abs=0.01)


def test_plan_says_what_a_study_costs() -> None:
    result = call("plan", "--judge-scale", "1", "--text-sd", "0", "--queries", "100", "--se", "0.3")
    assert result.exit_code == 0, result.output
    assert "->" in result.output
    assert "1,000" in result.output  # 100 queries at five levels, two windows each
    bad = call("plan", "--judge-scale", "-1", "--queries", "100")
    assert bad.exit_code == 1
    assert "scale" in bad.output
    assert "Traceback" not in bad.output


def test_prices_without_a_pilot_are_refused() -> None:
    result = call("plan", "--queries", "100", "--prices", "p.csv")
    assert result.exit_code == 1
    assert "--from" in result.output
