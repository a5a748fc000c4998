"""What a comparison of two runs consists of, and what a user of it must be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from valueflow.scorers.evaluation import Evaluation
from valueflow.scorers.figure import Figure

__all__ = ["SIDES", "CellDifference", "Comparison", "SideCell", "notes_on_cells", "nothing_shared"]

SIDES = ("A", "B")

FEW_QUERIES = 10
"""Queries below which the standard errors themselves are too rough to pass over."""

UNEVEN = 0.1
"""Difference in the share of unscored responses from which a user must be told."""


@dataclass(frozen=True)
class SideCell:
    """One cell of one side: its responses, those scored, those that refused, and its queries that
    have a scored response."""

    responses: int
    scored: int
    refusals: int
    queries: frozenset[str]


@dataclass(frozen=True)
class CellDifference:
    """A minus B in one cell, in points.

    Attributes:
        what: `mean`, or `shift`: the mean minus the default's of the same side.
        a, b: the figure on each side.
        difference, se, lower, upper: a − b with its standard error and interval.
        shared: queries that all cells behind the difference have.
        p_value: two-sided, of this test alone.
        p_adjusted: corrected for all differences of the same `what`.
        differs: whether the corrected p-value is below 1 − confidence.
    """

    what: str
    cell: str
    theory: str
    value: str
    group: str
    condition: str
    level: int
    a: Figure
    b: Figure
    difference: float
    se: float
    lower: float
    upper: float
    shared: int
    p_value: float
    p_adjusted: float
    differs: bool


@dataclass(frozen=True)
class Comparison:
    """Everything that `compare` finds.

    Attributes:
        differences: of means, then of shifts, each in the registry's order.
        cells: cell to the counts of (A, B); a side without the cell has None.
        same_judge: whether one judge was estimated from both sides.
        judges: the record of each side's judge.
        evaluations: one evaluation of both sides, or one for each.
        notes: sentences that a user of the numbers must be told.
    """

    differences: list[CellDifference]
    cells: dict[str, tuple[SideCell | None, SideCell | None]]
    confidence: float
    correction: str
    same_judge: bool
    judges: tuple[dict[str, Any], dict[str, Any]]
    evaluations: list[Evaluation]
    notes: list[str]

    def of(self, what: str) -> list[CellDifference]:
        """The differences of means or of shifts."""
        return [one for one in self.differences if one.what == what]


def nothing_shared(cells: Mapping[str, tuple[SideCell | None, SideCell | None]]) -> str:
    """Why two sides cannot be compared: the cells that each has."""
    told = []
    for index, name in enumerate(SIDES):
        there = [c for c, both in cells.items() if (side := both[index]) and side.scored]
        more = f" and {len(there) - 12} more" if len(there) > 12 else ""
        told.append(f"{name} has {', '.join(there[:12])}{more}")
    return (
        f"A and B have no cell in common with scored responses: {'; '.join(told)}. Give runs that "
        "steer toward a common value, at a common level"
    )


def notes_on_cells(
    cells: Mapping[str, tuple[SideCell | None, SideCell | None]], means: Sequence[CellDifference]
) -> list[str]:
    """What a user must be told about queries, unscored responses and cells of one side."""
    notes = []
    for index, name in enumerate(SIDES):
        alone = [
            cell
            for cell, both in cells.items()
            if (own := both[index])
            and own.scored
            and not ((other := both[1 - index]) and other.scored)
        ]
        if alone:
            notes.append(f"Only {name} has scored responses of {_listed(alone)}: not compared.")
    apart = [one.cell for one in means if not one.shared]
    if apart:
        notes.append(
            f"A and B share no query in {_listed(apart)}: compared unpaired, so that queries count "
            "as a part of the difference."
        )
    partly, few, uneven = [], [], []
    for one in means:
        a, b = cells[one.cell]
        assert a is not None
        assert b is not None
        if 0 < one.shared < max(len(a.queries), len(b.queries)):
            partly.append(one.cell)
        if (one.shared or min(len(a.queries), len(b.queries))) < FEW_QUERIES:
            few.append(one.cell)
        lost = [1 - side.scored / side.responses for side in (a, b)]
        if abs(lost[0] - lost[1]) >= UNEVEN:
            uneven.append(f"{one.cell} ({lost[0]:.0%} of A, {lost[1]:.0%} of B)")
    if partly:
        notes.append(f"A and B share only a part of their queries in {_listed(partly)}.")
    if few:
        notes.append(
            f"Fewer than {FEW_QUERIES} queries stand behind {_listed(few)}: standard errors are "
            "themselves rough there, and so are intervals and p-values from the normal "
            "distribution, small ones most."
        )
    if uneven:
        notes.append(
            f"Unscored responses are unevenly spread in {_listed(uneven)}: the difference is one "
            "between the responses that were scored."
        )
    return notes


def _listed(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more cells" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
