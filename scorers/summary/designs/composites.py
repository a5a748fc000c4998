"""A value steered by way of its children, beside the value steered directly.

- `direction_agreement`: share of levels at which the children move the value the way the level
  says; `direction_agreement_direct`: the same for direct steering.
- `relative_size`: Σ l·c / Σ l·d over the levels l, where c and d are the shifts by the children and
  by direct steering: 1 where the children do as much, 0 where they do nothing.

Source: VALUEFLOW (arXiv 2602.03160), its experiment with composed values.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.covariance import JointCells, Part, average_of
from valueflow.scorers.figures import Figure
from valueflow.scorers.summary.cells import CellSummary
from valueflow.scorers.summary.designs.several import DesignCells

__all__ = ["CompositePoint", "CompositeSummary", "composite_summaries"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CompositePoint:
    """Shifts of the value at one level, by its children and directly (None: not in the run)."""

    level: int
    shift: Figure
    direct: Figure | None


@dataclass(frozen=True)
class CompositeSummary:
    """One macro-value with its steered children."""

    theory: str
    value: str
    children: tuple[str, ...]
    points: list[CompositePoint]
    figures: dict[str, Figure] = field(default_factory=dict)


def composite_summaries(
    cells: Sequence[CellSummary], joint: JointCells
) -> tuple[list[CompositeSummary], dict[str, Figure]]:
    """All composites of a run, and their figures averaged over them.

    Args:
        cells: all cells; those whose `design` is `composite` say which composites there are.
        joint: the cells' means with their covariance.
    """
    design = DesignCells(cells, joint)
    summaries: list[CompositeSummary] = []
    collected: dict[str, list[Part]] = {}
    for theory, value in design.parts("composite"):
        base = design.cell((), value)
        if base is None:
            continue
        found = []
        children: tuple[str, ...] = ()
        for targets in design.conditions("composite", theory, value):
            level, cell = design.level(targets, value), design.cell(targets, value)
            if cell is not None and level:
                children = tuple(name for _, name, _ in targets)
                found.append((level, cell, design.cell(((theory, value, level),), value)))
        if not found:
            continue
        found.sort()
        parts = _functions(base, found)
        for figure, part in parts.items():
            collected.setdefault(figure, []).append(part)
        summaries.append(
            CompositeSummary(
                theory=theory,
                value=value,
                children=children,
                points=[
                    CompositePoint(
                        level,
                        _shift(joint, base, cell),
                        _shift(joint, base, direct) if direct else None,
                    )
                    for level, cell, direct in found
                ],
                figures={
                    n: joint.figures(*part, ratio=n == "relative_size")[0]
                    for n, part in parts.items()
                },
            )
        )
    overall = {
        name: joint.figures(*average_of(parts), ratio=name == "relative_size")[0]
        for name, parts in collected.items()
    }
    return summaries, overall


def _shift(joint: JointCells, base: str, cell: str) -> Figure:
    return joint.figures([base, cell], lambda m: (m[..., 1] - m[..., 0])[..., None])[0]


def _functions(base: str, found: Sequence[tuple[int, str, str | None]]) -> dict[str, Part]:
    levels = np.array([level for level, _, _ in found], dtype=float)
    cells = [base, *(cell for _, cell, _ in found)]

    def agreement(means: Array) -> Array:
        return np.asarray(
            (np.sign(means[..., 1:] - means[..., :1]) == np.sign(levels)).mean(axis=-1)
        )[..., None]

    parts: dict[str, Part] = {"direction_agreement": (cells, agreement)}
    direct = [cell for _, _, cell in found if cell is not None]
    if len(direct) == len(found):
        parts["direction_agreement_direct"] = ([base, *direct], agreement)
        k = len(found)

        def size(means: Array) -> Array:
            c = means[..., 1 : k + 1] - means[..., :1]
            d = means[..., k + 1 :] - means[..., :1]
            return np.asarray((c @ levels) / (d @ levels))[..., None]

        parts["relative_size"] = ([*cells, *direct], size)
    return parts
