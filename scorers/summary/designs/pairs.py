"""Two values at once: how far a response moves toward both, and how the two targets combine.

For a pair with levels (l₁, l₂), s is the vector of the shifts of the two values from the default.

- `along`: the part of s in the intended direction (l₁, l₂) / |(l₁, l₂)|, in points. Without bias,
  unlike `length`, which noise makes longer.
- `length`: |s|, in points; `cosine`: of the angle between s and the intended direction.
- `dominance`: s₁/l₁ − s₂/l₂, in points per level: positive where the first value prevails.
- `additivity`: `along` over the part in the intended direction of t, the sum of the two single
  effects, each on both values: 1 where the effects add, below 1 where they compete. Both are linear
  in the means; a projection on t itself would be too small, since noise makes |t| longer. That of
  a pair is the quotient of the sums over its points: a point at which the single effects all but
  cancel has a wild quotient, which an average of quotients would not get rid of.
  `interaction_VALUE`: the value's component of s − t.
- `retained_VALUE`: the value's shift in the pair over its shift when steered alone.

The last two need the single conditions, in the same run or in a log given with it. Intensities of
different values share no unit; direction, length and dominance take a point of the one for a point
of the other, as the paper's pictures do (VALUEFLOW, arXiv 2602.03160, its section on pairs).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from valueflow.hub_assets.settings import condition_name
from valueflow.scorers.estimate.covariance import JointCells, Part, average_of
from valueflow.scorers.figures import Figure
from valueflow.scorers.summary.cells import CellSummary
from valueflow.scorers.summary.designs.several import DesignCells, Targets

__all__ = ["PairPoint", "PairSummary", "pair_parts", "pair_summaries"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PairPoint:
    """One condition of a pair.

    Attributes:
        condition: for instance `benevolence+2&universalism+1`.
        targets: (theory, value or child, level) of the two.
        levels: their levels.
        mean, shift: per scored value, in the order of the pair's `values`.
        figures: see the module.
    """

    condition: str
    targets: Targets
    levels: tuple[int, int]
    mean: tuple[Figure, ...]
    shift: tuple[Figure, ...]
    figures: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class PairSummary:
    """A pair at all its levels.

    Attributes:
        members: the two that were steered, values or children.
        values: the macro-values that were scored; one, where both members are its children or the
            pair is a value with its own child: the pair is one-dimensional then.
        default: mean of each value without steering.
        figures: `along` and `cosine` averaged over the points, `additivity` of their sums.
    """

    theory: str
    name: str
    members: tuple[str, str]
    values: tuple[str, ...]
    default: tuple[Figure, ...]
    points: list[PairPoint]
    figures: dict[str, Figure] = field(default_factory=dict)

    @property
    def one_dimensional(self) -> bool:
        """Whether both members are scored on the same value."""
        return len(self.values) == 1


def pair_summaries(
    cells: Sequence[CellSummary], joint: JointCells
) -> tuple[list[PairSummary], dict[str, Figure]]:
    """All pairs of a run, and their figures averaged over the pairs with two values.

    Args:
        cells: all cells; those whose `design` is `pair` say which pairs there are.
        joint: the cells' means with their covariance.
    """
    design = DesignCells(cells, joint)
    summaries: list[PairSummary] = []
    averages: dict[str, list[Part]] = {}
    for theory, name in design.parts("pair"):
        found = _pair(design, joint, theory, name)
        if found is None:
            continue
        summaries.append(found[0])
        for figure, part in found[1].items():
            if not found[0].one_dimensional:
                averages.setdefault(figure, []).append(part)
    overall = {name: _average(joint, name, parts) for name, parts in averages.items()}
    return summaries, overall


def pair_parts(cells: Sequence[CellSummary], joint: JointCells) -> dict[str, dict[str, Part]]:
    """By pair: `along`, `cosine` and `additivity` over its points, as functions of the means."""
    design = DesignCells(cells, joint)
    found = {}
    for theory, name in design.parts("pair"):
        if (pair := _pair(design, joint, theory, name)) is not None:
            found[name] = pair[1]
    return found


def _average(joint: JointCells, name: str, parts: Sequence[Part]) -> Figure:
    return joint.figures(*average_of(parts), ratio=name == "additivity")[0]


def _pair(
    design: DesignCells, joint: JointCells, theory: str, name: str
) -> tuple[PairSummary, dict[str, Part]] | None:
    conditions = design.conditions("pair", theory, name)
    values = design.values_of(conditions[0])
    base = [design.cell((), value) for value in values]
    points: list[PairPoint] = []
    parts: dict[str, list[Part]] = {}
    for targets in conditions:
        own = [design.cell(targets, value) for value in values]
        cells = [cell for cell in (*base, *own) if cell is not None]
        if len(cells) < 2 * len(values):
            continue
        functions = _functions(design, targets, values, cells)
        figures = {
            figure: joint.figures(
                *_whole(figure, part), ratio=figure.startswith(("additivity", "retained"))
            )[0]
            for figure, part in functions.items()
        }
        points.append(
            PairPoint(
                condition=condition_name(targets),
                targets=targets,
                levels=(targets[0][2], targets[1][2]),
                mean=tuple(design.mean(targets, value) for value in values),
                shift=tuple(joint.figures(cells, _shifts)),
                figures=figures,
            )
        )
        for figure in ("along", "cosine", "additivity"):
            if figure in functions:
                parts.setdefault(figure, []).append(functions[figure])
    if not points:
        return None
    averages = {figure: _whole(figure, average_of(found)) for figure, found in parts.items()}
    summary = PairSummary(
        theory=theory,
        name=name,
        members=(points[0].targets[0][1], points[0].targets[1][1]),
        values=values,
        default=tuple(design.mean((), value) for value in values),
        points=points,
        figures={figure: _average(joint, figure, [part]) for figure, part in averages.items()},
    )
    return summary, averages


def _whole(figure: str, part: Part) -> Part:
    """The figure of a part: of additivity, which comes as two sums, their quotient."""
    if figure != "additivity":
        return part
    cells, sums = part
    return cells, lambda means: _quotient(sums(means))


def _quotient(sums: Array) -> Array:
    return np.asarray(sums[..., :1] / sums[..., 1:])


def _shifts(means: Array) -> Array:
    """Shifts (..., n) from n default means and n means of a condition."""
    n = means.shape[-1] // 2
    return np.asarray(means[..., n:] - means[..., :n])


def _functions(
    design: DesignCells, targets: Targets, values: Sequence[str], cells: list[str]
) -> dict[str, Part]:
    """Each figure of a condition as a function of means, for `cells`: defaults, then its own."""
    wanted = np.array([design.level(targets, value) for value in values], dtype=float)
    size = float(np.sqrt(wanted @ wanted))
    parts: dict[str, Part] = {"length": (cells, lambda m: _length(_shifts(m))[..., None])}
    unit = wanted / size if size else None
    if unit is not None:
        parts["along"] = (cells, lambda m: (_shifts(m) @ unit)[..., None])
        if len(values) == 2:
            parts["cosine"] = (
                cells,
                lambda m: (_shifts(m) @ unit / _length(_shifts(m)))[..., None],
            )
    if len(values) == 2 and wanted.all():
        parts["dominance"] = (
            cells,
            lambda m: (_shifts(m) @ (np.array([1, -1]) / wanted))[..., None],
        )
    return parts | _against_singles(design, targets, values, cells, unit)


def _against_singles(
    design: DesignCells,
    targets: Targets,
    values: Sequence[str],
    cells: list[str],
    unit: Array | None,
) -> dict[str, Part]:
    """What needs the members' single conditions, where they are there."""
    n = len(values)
    parts: dict[str, Part] = {}
    alone = [[design.cell((target,), value) for value in values] for target in targets]
    for place, value in enumerate(values) if n == 2 else ():
        own = alone[place][place]
        if own is not None and design.level((targets[place],), value):
            used = [cells[place], cells[n + place], own]
            parts[f"retained_{value}"] = (used, _retained)
    singles = [cell for single in alone for cell in single if cell is not None]
    if len(singles) < 2 * n:
        return parts
    used = [*cells, *singles]
    for place, value in enumerate(values):
        parts[f"interaction_{value}"] = (used, partial(_interaction, n=n, place=place))
    if unit is not None:
        parts["additivity"] = (used, partial(_both_along, n=n, unit=unit))
    return parts


def _retained(means: Array) -> Array:
    """From means (..., 3): default, in the pair, alone."""
    together, alone = means[..., 1] - means[..., 0], means[..., 2] - means[..., 0]
    return np.asarray(together / alone)[..., None]


def _together_and_summed(means: Array, n: int) -> tuple[Array, Array]:
    """Shifts in the pair and summed shifts of the singles, (..., n) each, from means (..., 4n)."""
    default, together, first, second = (means[..., i * n : (i + 1) * n] for i in range(4))
    return together - default, first + second - 2 * default


def _interaction(means: Array, n: int, place: int) -> Array:
    together, summed = _together_and_summed(means, n)
    return (together - summed)[..., place : place + 1]


def _both_along(means: Array, n: int, unit: Array) -> Array:
    """(..., 2): how far the pair and the summed single effects go in the intended direction."""
    together, summed = _together_and_summed(means, n)
    return np.stack([together @ unit, summed @ unit], axis=-1)


def _length(shifts: Array) -> Array:
    return np.asarray(np.sqrt((shifts**2).sum(axis=-1)))
