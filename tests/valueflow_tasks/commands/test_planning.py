"""The planning table says what a study costs and marks the smallest that is good enough."""

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from valueflow.commands.plan import plan_table
from valueflow.hub_assets.errors import OptionError


def printed(table: Table) -> str:
    console = Console(width=160, file=StringIO())
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def column(table: Table, header: str) -> list[str]:
    return [str(c) for one in table.columns if one.header == header for c in one.cells]


def test_one_row_per_number_of_windows_with_its_calls() -> None:
    table = plan_table(0.3, 100, 0.35, values=2)
    assert column(table, "windows per response") == [str(m) for m in range(1, 11)]
    assert column(table, "judge calls")[2] == "3,000"


def test_a_rating_costs_hardly_more_than_a_ranking_and_tells_more() -> None:
    ranked, rated = plan_table(1.2, 100), plan_table(1.2, 100, judge_mode="rating")
    cost = [float(column(t, "tokens")[0].replace(",", "")) for t in (ranked, rated)]
    error = [float(column(t, "standard error: response")[0]) for t in (ranked, rated)]
    assert cost[0] < cost[1] < 1.05 * cost[0]
    assert error[1] < 0.8 * error[0]
    with pytest.raises(OptionError, match="does not go with sampling adaptive"):
        plan_table(1.2, 100, judge_mode="rating", sampling="adaptive")


def test_the_smallest_design_that_reaches_is_marked_and_said() -> None:
    table = plan_table(0.3, 100, 0.35)
    marks = column(table, "")
    assert marks.count("->") == 1
    cells = [float(cell) for cell in column(table, "cell")]
    assert cells[marks.index("->")] <= 0.35 < cells[marks.index("->") - 1]
    assert "4 windows per response reach a standard error of 0.35 for a cell" in printed(table)


def test_where_no_design_reaches_the_queries_that_would_are_named() -> None:
    table = plan_table(0.3, 100, 0.1)
    assert "->" not in column(table, "")
    text = printed(table)
    assert "No design above reaches" in text
    assert column(table, "queries for 0.1")[-1] in text


def test_without_a_wanted_error_nothing_is_marked() -> None:
    table = plan_table(1.0, 20, sampling="adaptive", most_windows=3)
    assert column(table, "") == ["", "", ""]
    assert "reach" not in printed(table)


def test_a_wanted_error_of_responses_counts_too() -> None:
    marks = column(plan_table(1.0, 100, 0.3, response_se=1.0), "")
    assert marks.index("->") == 3


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_what_cannot_be_planned_is_an_error_a_user_can_mend(scale: float) -> None:
    with pytest.raises(OptionError, match="scale"):
        plan_table(scale, 100, 0.3)
