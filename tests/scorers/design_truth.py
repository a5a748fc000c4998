"""Cells of pairs, squares and composites whose means are given, for tests of their summaries."""

from collections.abc import Mapping

import numpy as np

from valueflow.hub_assets.settings import condition_name
from valueflow.scorers.estimate.covariance import CellErrors, JointCells
from valueflow.scorers.figures import Figure
from valueflow.scorers.records import cell_name
from valueflow.scorers.summary.cells import CellSummary
from valueflow.scorers.summary.designs.several import Targets


def given_cells(
    design: str,
    part_of: str,
    means: Mapping[tuple[Targets, str], float],
    se: float = 0.1,
    parents: Mapping[str, str] | None = None,
) -> tuple[list[CellSummary], JointCells]:
    """Cells with independent errors of `se` and the given means, by (targets, scored value).

    Conditions of one target are of the design `steer`. `parents` maps children to their value.
    """
    cells, places = [], {}
    for (targets, value), mean in means.items():
        place = places[targets] = places.get(targets, -1) + 1
        level = next(
            (lv for _, name, lv in targets if value in (name, (parents or {}).get(name))), 0
        )
        single = all(name == value for _, name, _ in targets)
        condition = "" if single else condition_name(targets)
        several = len(targets) > 1
        cells.append(
            CellSummary(
                theory="pvq",
                value=value,
                group="",
                level=level,
                cell=cell_name(value, level, "", condition),
                condition=condition,
                design=design if several else "steer",
                part_of=part_of if several else "",
                targets=targets,
                place=place,
                responses=10,
                count=10,
                mean=Figure(mean, se),
                lower=mean - 2 * se,
                upper=mean + 2 * se,
                spread=1.0,
                shift=None,
                with_refusals=None,
                sign_accuracy=None,
                refusals=0,
                unscored=0,
                over_word_limit=0,
            )
        )
    joint = JointCells(
        {cell.cell: i for i, cell in enumerate(cells)},
        np.array([cell.mean.value for cell in cells]),
        [CellErrors(se, np.zeros(1), np.array([i]), np.zeros(0)) for i in range(len(cells))],
        [cell.value for cell in cells],
    )
    assert len(joint.index) == len(cells)
    return cells, joint


def at(**levels: int) -> Targets:
    """Targets of pvq: `at(power=2)`."""
    return tuple(("pvq", name, level) for name, level in levels.items())
