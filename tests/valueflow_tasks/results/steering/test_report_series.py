"""Regimes, the ranking and the labels that figures are drawn with."""

import math
from itertools import pairwise
from typing import NamedTuple

import pytest

from valueflow.hub_assets.registry.loading import load_registry
from valueflow.results.steering.series import MODERATE, STRONG, few_at_once, regime, value_rank
from valueflow.results.studies import tag_of
from valueflow.results.style import line_style
from valueflow.results.tables import as_text
from valueflow.scorers.figures import wilson
from valueflow.scorers.summary.run import Figure


@pytest.mark.parametrize(
    ("points", "se", "expected"),
    [
        (1.0, 0.2, "weak"),
        (MODERATE, 0.0, "moderate"),
        (6.0, 0.5, "moderate"),
        (STRONG, 0.0, "strong"),
        (12.0, 1.0, "strong"),
        (3.9, 0.5, "weak; its interval crosses a cut-off (weak or moderate)"),
        (6.0, 1.5, "moderate; its interval crosses a cut-off (weak or moderate or strong)"),
        (8.1, 0.5, "strong; its interval crosses a cut-off (moderate or strong)"),
        (8.1, math.nan, "strong; no interval"),
        (math.nan, math.nan, ""),
    ],
)
def test_an_interval_that_crosses_a_cut_off_says_so(
    points: float, se: float, expected: str
) -> None:
    assert regime(Figure(points, se), (-2, 2)) == expected


@pytest.mark.parametrize("levels", [(-1, 1), (0, 2), (-2, 1)])
def test_a_range_between_other_levels_has_no_regime(levels: tuple[int, int]) -> None:
    assert regime(Figure(9.0, 0.1), levels) == ""


def test_values_sort_as_the_registry_lists_them_and_unknown_ones_come_last() -> None:
    values = [(v.theory, v.name) for v in load_registry().macro_values()]
    shuffled = [("pvq", "unheard-of"), ("nowhere", "a"), *sorted(values)]
    ordered = sorted(shuffled, key=lambda value: value_rank(*value))
    known = [value for value in ordered if value in values]
    assert known == values
    assert ordered[12] == ("pvq", "unheard-of")
    assert ordered[-1] == ("nowhere", "a")


def test_no_two_of_the_first_lines_look_alike() -> None:
    looks = [tuple(line_style(index).values()) for index in range(28)]
    assert len(set(looks)) == 28
    for one, other in pairwise(looks):
        assert all(a != b for a, b in zip(one, other, strict=True))


def test_wilsons_interval_holds_the_share_and_stays_in_bounds() -> None:
    assert wilson(0, 10) == (0.0, pytest.approx(0.2775, abs=1e-3))
    assert wilson(10, 10) == (pytest.approx(0.7225, abs=1e-3), pytest.approx(1.0))
    low, high = wilson(30, 100)
    # Published value of Wilson's interval for 30 of 100.
    assert (low, high) == (pytest.approx(0.2189, abs=1e-3), pytest.approx(0.3958, abs=1e-3))


def test_letters_go_on_after_z() -> None:
    assert [tag_of(index) for index in (0, 25, 26, 27, 51, 52)] == [
        "A",
        "Z",
        "AA",
        "AB",
        "AZ",
        "BA",
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        (math.nan, ""),
        (-1.234, "−1.23"),
        (0.0004, "0.0004"),
        (0.0, "0.00"),
        (12345, "12,345"),
        (-2, "−2"),
        ("power", "power"),
    ],
)
def test_cells_read_well(cell: object, text: str) -> None:
    assert as_text(cell) == text


def test_many_series_are_shown_a_few_at_a_time() -> None:
    class Short(NamedTuple):
        short: str

    def groups(count: int) -> list[tuple[int, str]]:
        made = [Short(chr(ord("A") + number)) for number in range(count)]
        found = few_at_once(made)  # type: ignore[arg-type]
        assert [one for few, _ in found for one in few] == made
        return [(len(few), which) for few, which in found]

    assert groups(0) == []
    assert groups(7) == [(7, "")]
    assert groups(20) == [(7, ", A to G"), (7, ", H to N"), (6, ", O to T")]
    assert groups(8) == [(4, ", A to D"), (4, ", E to H")]
