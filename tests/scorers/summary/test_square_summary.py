"""Figures of five-value squares, from cells that follow a known law of composition."""

from collections.abc import Callable

import pytest

from tests.scorers.design_truth import at, given_cells
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.scorers.figures import Figure
from valueflow.scorers.summary.designs.squares import SquareSummary, square_summaries

VALUES = ("benevolence", "universalism", "conformity", "tradition", "security")
ROWS = load_registry().five_value_squares["pvq"].rows(load_registry().defaults.five_values.levels)


def square(shift: Callable[[int, tuple[int, ...]], float], singles: bool = False) -> SquareSummary:
    """A square in which a member at a level of a row is moved by `shift(level, row)`."""
    means = {(at(), value): 1.0 for value in VALUES}
    for row in ROWS:
        targets = at(**dict(zip(VALUES, row, strict=True)))
        means |= {
            (targets, value): 1.0 + shift(level, row)
            for value, level in zip(VALUES, row, strict=True)
        }
    if singles:
        means |= {
            (at(**{value: level}), value): 1.0 + 2.0 * level
            for value in VALUES
            for level in (-2, -1, 1, 2)
        }
    return square_summaries(*given_cells("five", "pvq", means, 0.05))[0][0]


def number(summary: SquareSummary, name: str) -> float:
    return summary.figures[name].value


def test_every_value_takes_every_place_of_the_pattern_once() -> None:
    assert ROWS[0] == (2, 1, 1, -1, -2)
    assert ROWS[1] == (-2, 2, 1, 1, -1)
    for column in zip(*ROWS, strict=True):
        assert sorted(column) == [-2, -1, 1, 1, 2]


def test_where_every_target_acts_in_full_nothing_fades() -> None:
    found = square(lambda level, row: 1.5 * level, singles=True)
    assert number(found, "shift_at_+2") == pytest.approx(3)
    assert number(found, "shift_at_-1") == pytest.approx(-1.5)
    assert number(found, "top_share") == 1
    assert number(found, "fading") == pytest.approx(0, abs=1e-9)
    assert number(found, "retained_at_-2") == pytest.approx(0.75)
    # Two of ten pairs are tied in the targets, which is all that tau-b can lose here.
    assert number(found, "rank_agreement") == pytest.approx(9 / (90**0.5))


def test_negative_targets_that_keep_a_quarter_fade_by_three_quarters() -> None:
    found = square(lambda level, row: 1.5 * level * (0.25 if level < 0 else 1))
    assert number(found, "fading") == pytest.approx(0.75)
    assert "retained_at_-2" not in found.figures


def test_where_the_lowest_target_wins_the_highest_never_does() -> None:
    found = square(lambda level, row: -1.0 * level)
    assert number(found, "top_share") == 0
    assert number(found, "rank_agreement") < -0.9


def test_rows_keep_levels_beside_what_was_measured() -> None:
    found = square(lambda level, row: 1.0 * level)
    assert found.values == VALUES
    assert [row.levels for row in found.rows] == list(ROWS)
    assert [f.value for f in found.rows[0].shift] == pytest.approx([2, 1, 1, -1, -2])
    assert all(isinstance(f, Figure) and f.se > 0 for f in found.rows[0].shift)
