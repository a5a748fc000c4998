"""Finds the cells of pairs, squares and composites among all cells of a run; what they share."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.covariance import JointCells
from valueflow.scorers.figures import Figure
from valueflow.scorers.summary.cells import CellSummary

__all__ = ["DesignCells", "Targets", "agreement"]

Array = NDArray[np.float64]

Targets = tuple[tuple[str, str, int], ...]
"""(theory, value or child, level) of a condition; empty for the default."""


class DesignCells:
    """The cells of a run by targets and scored value; cells without a ranking are not there."""

    def __init__(self, cells: Sequence[CellSummary], joint: JointCells) -> None:
        self.cells = [cell for cell in cells if not cell.group]
        self._known = {
            (cell.targets, cell.value): cell
            for cell in self.cells
            # Profiles go by name: two of them may have the same targets.
            if cell.cell in joint.index and cell.design != "profile"
        }

    def parts(self, design: str) -> list[tuple[str, str]]:
        """(theory, name) of the pairs, squares or composites, in order of appearance."""
        there = [(c.theory, c.part_of) for c in self.cells if c.design == design]
        return list(dict.fromkeys(there))

    def conditions(self, design: str, theory: str, name: str) -> list[Targets]:
        """The targets of each condition of one of them, in order of appearance."""
        there = [
            cell.targets
            for cell in self.cells
            if (cell.design, cell.theory, cell.part_of) == (design, theory, name)
        ]
        return list(dict.fromkeys(there))

    def values_of(self, targets: Targets) -> tuple[str, ...]:
        """The macro-values that a condition's responses are scored on, in the targets' order."""
        there = [cell for cell in self.cells if cell.targets == targets]
        return tuple(cell.value for cell in sorted(there, key=lambda cell: cell.place))

    def cell(self, targets: Targets, value: str) -> str | None:
        """The name of a cell, or None where it has no ranking."""
        found = self._known.get((targets, value))
        return found.cell if found else None

    def level(self, targets: Targets, value: str) -> int:
        """The level toward which a condition steers a value; 0 where it steers others only."""
        found = self._known.get((targets, value))
        return found.level if found else 0

    def mean(self, targets: Targets, value: str) -> Figure:
        """The mean of a cell that has one."""
        return self._known[targets, value].mean


def agreement(outcome: Array, wanted: Array) -> Array:
    """Kendall's τ-b (1945) of outcomes (..., n) with what was wanted (..., n), shape (...).

    It allows for ties among what was wanted; outcomes have none.
    """
    i, j = np.triu_indices(wanted.shape[-1], 1)
    order = np.sign(wanted[..., i] - wanted[..., j])
    found = np.sign(outcome[..., i] - outcome[..., j])
    untied = np.abs(order).sum(axis=-1)
    return np.asarray((order * found).sum(axis=-1) / np.sqrt(untied * len(i)))
