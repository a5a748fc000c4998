"""What a report says and draws of a model that goes beyond every anchor."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.scorers.summary.test_summary import record
from valueflow.results.steering.figures.models import steerability
from valueflow.results.steering.figures.values import bars_by_model, dose_response_curves
from valueflow.results.steering.rows import cell_rows, ranking_rows, value_rows
from valueflow.results.steering.series import Series, ranking, series_of
from valueflow.scorers.summary.run import summarize

PLACES = {"mild": (4, 3, 3, 2, 2), "beyond": (5, 5, 3, 0, 0)}
"""How many of five anchors stand above the response, from level -2 to +2."""


def study(label: str) -> Any:
    records = [
        record(f"q{q}", level, place)
        for q in range(12)
        for level, place in zip((-2, -1, 0, 1, 2), PLACES[label], strict=True)
    ]
    return SimpleNamespace(
        label=label, tag=label[0], model=label, records=records, summary=summarize(records)
    )


@pytest.fixture(scope="module")
def series() -> list[Series]:
    return series_of([study("beyond"), study("mild")])


def test_a_saturated_model_has_the_longest_range_and_no_rank(series: list[Series]) -> None:
    first, last = ranking(series, "pvq")
    assert (first.series.label, last.series.label) == ("mild", "beyond")
    assert last.range.value > first.range.value
    assert (first.saturated, last.saturated) == (False, True)
    rows = ranking_rows(series)
    assert [row["rank"] for row in rows] == [1, None]
    assert rows[1]["regime"].startswith("not ranked: 100 %")
    assert rows[1]["beyond"] == 1
    assert rows[1]["upper"] <= 20


def test_tables_have_the_shares_beyond_and_the_room_beside_the_asymmetry() -> None:
    rows = {row["level"]: row for row in cell_rows(study("beyond"))}
    assert (rows[2]["beyond_high"], rows[2]["beyond_low"]) == (1, 0)
    assert (rows[-2]["beyond_high"], rows[-2]["beyond_low"]) == (0, 1)
    assert rows[0]["beyond_high"] == rows[0]["beyond_low"] == 0
    (value,) = value_rows(study("beyond"))
    assert value["room_up"] + value["room_down"] == pytest.approx(20)
    assert abs(value["up"]) <= value["room_up"]


def arrows(drawing: Any) -> int:
    """Arrows of a figure: annotations without words."""
    texts = [text for axes in drawing.figure.axes for text in axes.texts]
    return sum(text.get_text() == "" and hasattr(text, "arrow_patch") for text in texts)


def test_pictures_of_a_saturated_model_show_arrows_and_say_what_they_are(
    series: list[Series],
) -> None:
    beyond = [one for one in series if one.label == "beyond"]
    mild = [one for one in series if one.label == "mild"]
    for draw, expected in ((steerability, 1), (bars_by_model, 2)):
        (with_arrows,), (without,) = draw(beyond), draw(mild)
        assert arrows(with_arrows) == expected
        assert "rrow" in with_arrows.caption
        assert arrows(without) == 0
        assert "rrow" not in without.caption
    (curves,) = dose_response_curves(beyond)
    marks = [line.get_marker() for axes in curves.figure.axes for line in axes.lines]
    assert marks.count("^") == marks.count("v") == 2
