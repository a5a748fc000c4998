"""Five values at once, in a Latin square of levels: what is left of each target.

Each row of a square steers its members to a rotation of one pattern of levels, so that over the
rows every member takes every level of the pattern equally often.

- `shift_at_L`: mean shift of the values that are steered to level L.
- `top_share`: share of rows in which the member at the highest level has the largest shift from
  its default; `top_share_of_means`: the largest mean, as in the paper's picture.
- `rank_agreement`: Kendall's τ-b between the levels and the shifts of a row, averaged over rows.
- `fading`: 1 − Σ −(mean shift at −l) / Σ (mean shift at +l), summed over the strengths l that stand
  in the pattern with both signs: 0 where negative targets act as much as positive ones, 1 where
  they fade toward the default altogether.
- `retained_at_L`: the mean shift at level L over that of the same members steered alone, where the
  run or a log given with it has the single conditions.

Source: VALUEFLOW (arXiv 2602.03160), its experiment with five values.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from valueflow.hub_assets.settings import condition_name
from valueflow.scorers.estimate.covariance import JointCells, Part, average_of
from valueflow.scorers.figures import Figure
from valueflow.scorers.summary.cells import CellSummary
from valueflow.scorers.summary.designs.several import DesignCells, Targets, agreement

__all__ = ["SquareRow", "SquareSummary", "square_parts", "square_summaries"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SquareRow:
    """One row: the members' levels, and mean and shift of the value that each is scored on."""

    condition: str
    levels: tuple[int, ...]
    mean: tuple[Figure, ...]
    shift: tuple[Figure, ...]


@dataclass(frozen=True)
class SquareSummary:
    """A square; `values` are the scored values, `default` their means without steering."""

    theory: str
    name: str
    values: tuple[str, ...]
    default: tuple[Figure, ...]
    rows: list[SquareRow]
    figures: dict[str, Figure] = field(default_factory=dict)


def square_summaries(
    cells: Sequence[CellSummary], joint: JointCells
) -> tuple[list[SquareSummary], dict[str, Figure]]:
    """All squares of a run, and their figures averaged over the squares.

    A row of which a cell has no ranking is left out; a square without a complete row too.

    Args:
        cells: all cells; those whose `design` is `five` say which squares there are.
        joint: the cells' means with their covariance.
    """
    design = DesignCells(cells, joint)
    summaries: list[SquareSummary] = []
    collected: dict[str, list[Part]] = {}
    for theory, square, values, base, rows in _complete(design):
        parts = _functions(design, values, base, rows)
        for figure, part in parts.items():
            collected.setdefault(figure, []).append(part)
        summaries.append(
            SquareSummary(
                theory=theory,
                name=square,
                values=values,
                default=tuple(design.mean((), value) for value in values),
                rows=[_row(design, joint, values, base, row) for row in rows],
                figures={
                    n: joint.figures(*part, ratio=_is_ratio(n))[0] for n, part in parts.items()
                },
            )
        )
    overall = {
        name: joint.figures(*average_of(parts), ratio=_is_ratio(name))[0]
        for name, parts in collected.items()
    }
    return summaries, overall


Row = tuple[Targets, list[str], Array]
"""Targets of a row of a square, the names of its cells, and its levels."""


def _complete(
    design: DesignCells,
) -> Iterator[tuple[str, str, tuple[str, ...], list[str], list[Row]]]:
    """Theory, name, values, default cells and rows of each square that has a complete row."""
    for theory, square in design.parts("five"):
        conditions = design.conditions("five", theory, square)
        values = design.values_of(conditions[0])
        base = [cell for value in values if (cell := design.cell((), value))]
        rows: list[Row] = []
        for targets in conditions:
            own = [cell for value in values if (cell := design.cell(targets, value))]
            if len(own) == len(values) == len(base):
                level = [design.level(targets, value) for value in values]
                rows.append((targets, own, np.array(level, dtype=float)))
        if rows:
            yield theory, square, values, base, rows


def square_parts(cells: Sequence[CellSummary], joint: JointCells) -> dict[str, dict[str, Part]]:
    """By square: its figures as functions of the cells' means."""
    design = DesignCells(cells, joint)
    return {
        square: _functions(design, values, base, rows)
        for _, square, values, base, rows in _complete(design)
    }


def _is_ratio(figure: str) -> bool:
    return figure.startswith(("fading", "retained"))


def _row(
    design: DesignCells,
    joint: JointCells,
    values: Sequence[str],
    base: list[str],
    row: tuple[Targets, list[str], Array],
) -> SquareRow:
    targets, own, levels = row
    n = len(values)
    return SquareRow(
        condition=condition_name(targets),
        levels=tuple(int(level) for level in levels),
        mean=tuple(design.mean(targets, value) for value in values),
        shift=tuple(joint.figures([*base, *own], lambda m: m[..., n:] - m[..., :n])),
    )


def _functions(
    design: DesignCells,
    values: Sequence[str],
    base: list[str],
    rows: Sequence[tuple[Targets, list[str], Array]],
) -> dict[str, Part]:
    """Each figure as a function of means: n defaults, then the n of each row."""
    n = len(values)
    cells = [*base, *(cell for _, own, _ in rows for cell in own)]
    level = np.array([levels for _, _, levels in rows])

    def means_of_rows(means: Array) -> Array:
        return np.asarray(means[..., n:].reshape(*means.shape[:-1], len(rows), n))

    def shifts(means: Array) -> Array:
        return means_of_rows(means) - means[..., None, :n]

    parts: dict[str, Part] = {}
    for wanted in sorted(set(level.ravel().tolist()) - {0.0}, reverse=True):
        parts[f"shift_at_{wanted:+.0f}"] = (cells, _mean_where(shifts, level == wanted))
    parts["top_share"] = (cells, lambda m: _top_share(shifts(m), level))
    parts["top_share_of_means"] = (cells, lambda m: _top_share(means_of_rows(m), level))
    parts["rank_agreement"] = (cells, lambda m: _agreement(shifts(m), level))
    if np.intersect1d(level[level > 0], -level[level < 0]).size:
        parts["fading"] = (cells, lambda m: _fading(shifts(m), level))
    return parts | _retained(design, values, base, rows, level)


def _mean_where(
    shifts: Callable[[Array], Array], at: NDArray[np.bool_]
) -> Callable[[Array], Array]:
    return lambda means: np.asarray(shifts(means)[..., at].mean(axis=-1))[..., None]


def _top_share(outcome: Array, level: Array) -> Array:
    """Share of rows whose largest outcome is at the row's highest level."""
    top = np.take_along_axis(
        np.broadcast_to(level, outcome.shape), outcome.argmax(axis=-1)[..., None], axis=-1
    )[..., 0]
    return np.asarray((top == level.max(axis=-1)).mean(axis=-1))[..., None]


def _agreement(outcome: Array, level: Array) -> Array:
    return np.asarray(agreement(outcome, level).mean(axis=-1))[..., None]


def _fading(shifts: Array, level: Array) -> Array:
    # By strength, since the pattern has more weak positive members than weak negative ones.
    strengths = np.intersect1d(level[level > 0], -level[level < 0])
    down = sum(-shifts[..., level == -strength].mean(axis=-1) for strength in strengths)
    up = sum(shifts[..., level == strength].mean(axis=-1) for strength in strengths)
    return np.asarray(1 - down / up)[..., None]


def _retained(
    design: DesignCells,
    values: Sequence[str],
    base: list[str],
    rows: Sequence[tuple[Targets, list[str], Array]],
    level: Array,
) -> dict[str, Part]:
    """At each level, the summed shifts in the square over the summed shifts alone."""
    n = len(values)
    parts: dict[str, Part] = {}
    for wanted in sorted(set(level.ravel().tolist()) - {0.0}, reverse=True):
        together, alone, default = [], [], []
        for targets, own, levels in rows:
            for place in range(n):
                if levels[place] == wanted:
                    single = next((t for t in targets if _steers(design, t, values[place])), None)
                    found = single and design.cell((single,), values[place])
                    if found:
                        together.append(own[place])
                        alone.append(found)
                        default.append(base[place])
        if len(alone) == int((level == wanted).sum()):
            parts[f"retained_at_{wanted:+.0f}"] = ([*default, *together, *alone], _share_left)
    return parts


def _share_left(means: Array) -> Array:
    """From the means of as many default cells as cells in the square and cells alone."""
    k = means.shape[-1] // 3
    default, together, alone = (means[..., i * k : (i + 1) * k] for i in range(3))
    left = (together - default).sum(axis=-1) / (alone - default).sum(axis=-1)
    return np.asarray(left)[..., None]


def _steers(design: DesignCells, target: tuple[str, str, int], value: str) -> bool:
    return bool(design.level((target,), value))
