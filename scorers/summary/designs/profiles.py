"""How near responses come to the profile that they were steered toward, value by value.

All figures are of the means of a profile's cells, over the values that the profile knows; the
intensities that it asks for are taken as given.

- `distance`: root mean square of measured minus asked, in points. What the errors of the means add
  to it on average is taken off, since an unsure mean lies further from anything than a sure one.
- `rank_correlation`: Kendall's τ-b of the intensities asked for and measured, over values.
- `sign_share`: share of the values asked for above or below 0 that are measured on that side.
- each of them with `_default`: the same of the responses that were not steered.
- `nearer`: `distance_default` − `distance`, in points.
- `leak`: root mean square shift from the default, in points, of the scored values that the prompt
  does not name; corrected like `distance`.

Intensities of different values share no unit, so that distance and rank correlation take a point
of one value for a point of another, as a profile itself does.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.covariance import DRAWS, JointCells, Part, average_of
from valueflow.scorers.figures import Figure
from valueflow.scorers.summary.cells import CellSummary
from valueflow.scorers.summary.designs.several import DesignCells, agreement

__all__ = ["ProfilePoint", "ProfileSummary", "profile_parts", "profile_summaries"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ProfilePoint:
    """One scored value: asked for and measured, in points.

    Attributes:
        value: its name.
        asked: the profile's intensity; None where the profile does not know it.
        level: what the prompt said of it; 0 where it did not name it.
        mean, default: measured, with and without steering; `default` None where it has no ranking.
    """

    value: str
    asked: float | None
    level: int
    mean: Figure
    default: Figure | None


@dataclass(frozen=True)
class ProfileSummary:
    """One profile; `missing` are values that it knows and that have no ranking."""

    theory: str
    name: str
    points: list[ProfilePoint]
    missing: tuple[str, ...]
    figures: dict[str, Figure] = field(default_factory=dict)


def profile_summaries(
    cells: Sequence[CellSummary], joint: JointCells
) -> tuple[list[ProfileSummary], dict[str, Figure]]:
    """All profiles of a run, and their figures averaged over the profiles.

    Args:
        cells: all cells; those whose `design` is `profile` say which profiles there are.
        joint: the cells' means with their covariance.
    """
    design = DesignCells(cells, joint)
    summaries: list[ProfileSummary] = []
    collected: dict[str, list[Part]] = {}
    for (theory, name), own in _profiles(design).items():
        there = [cell for cell in own if cell.cell in joint.index]
        parts = _functions(design, there, joint)
        for figure, part in parts.items():
            collected.setdefault(figure, []).append(part)
        summaries.append(
            ProfileSummary(
                theory=theory,
                name=name,
                points=[_point(design, cell) for cell in there],
                missing=tuple(c.value for c in own if c not in there and not np.isnan(c.asked)),
                figures={figure: _figure(figure, part, joint) for figure, part in parts.items()},
            )
        )
    # An average is over all profiles or it is another thing for each figure.
    overall = {
        figure: _figure(figure, average_of(parts), joint, len(parts))
        for figure, parts in collected.items()
        if len(parts) == len(summaries)
    }
    return summaries, overall


def profile_parts(cells: Sequence[CellSummary], joint: JointCells) -> dict[str, dict[str, Part]]:
    """By profile: its figures as functions of the cells' means.

    Names end with a hash of what is asked, so that two runs have only those profiles in common
    that ask the same in both.
    """
    design = DesignCells(cells, joint)
    found = {}
    for (_, name), own in _profiles(design).items():
        asked = sorted((cell.value, cell.asked) for cell in own if not np.isnan(cell.asked))
        digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:6]
        there = [cell for cell in own if cell.cell in joint.index]
        found[f"{name} {digest}"] = _functions(design, there, joint)
    return found


def _profiles(design: DesignCells) -> dict[tuple[str, str], list[CellSummary]]:
    """The cells of each profile, with a ranking or without, in the order in which it is scored."""
    found: dict[tuple[str, str], list[CellSummary]] = {}
    for cell in design.cells:
        if cell.design == "profile":
            found.setdefault((cell.theory, cell.part_of), []).append(cell)
    return {key: sorted(own, key=lambda cell: cell.place) for key, own in found.items()}


def _point(design: DesignCells, cell: CellSummary) -> ProfilePoint:
    return ProfilePoint(
        value=cell.value,
        asked=None if np.isnan(cell.asked) else cell.asked,
        level=cell.level,
        mean=cell.mean,
        default=design.mean((), cell.value) if design.cell((), cell.value) else None,
    )


def _functions(
    design: DesignCells, there: Sequence[CellSummary], joint: JointCells
) -> dict[str, Part]:
    """Each figure as a function of means; those that the cells do not allow are left out."""
    known = [cell for cell in there if not np.isnan(cell.asked)]
    asked = np.array([cell.asked for cell in known])
    parts: dict[str, Part] = {}
    steered = [cell.cell for cell in known]
    defaults = [base for cell in known if (base := design.cell((), cell.value))]
    for end, names in (("", steered), ("_default", defaults)):
        if names and len(names) == len(known):
            parts |= {f"{name}{end}": part for name, part in _beside(names, asked, joint).items()}
    if {"distance", "distance_default"} <= set(parts):
        parts["nearer"] = _minus(parts["distance_default"], parts["distance"])
    unnamed = [
        (base, cell.cell)
        for cell in there
        if not cell.level and (base := design.cell((), cell.value))
    ]
    if unnamed:
        names = [name for pair in unnamed for name in pair]
        parts["leak"] = (names, _root_mean_square(names, _shifts, joint))
    return parts


def _beside(names: Sequence[str], asked: Array, joint: JointCells) -> dict[str, Part]:
    """The figures that compare the means of some cells with what is asked of them."""
    parts: dict[str, Part] = {
        "distance": (names, _root_mean_square(names, lambda means: means - asked, joint))
    }
    if len(np.unique(asked)) > 1:
        parts["rank_correlation"] = (names, lambda means: agreement(means, asked)[..., None])
    sided = asked != 0
    if sided.any():
        own = [name for name, counts in zip(names, sided, strict=True) if counts]
        side = np.sign(asked[sided])
        parts["sign_share"] = (
            own,
            lambda means: np.asarray((np.sign(means) == side).mean(axis=-1))[..., None],
        )
    return parts


def _shifts(means: Array) -> Array:
    """From the means of a default and a cell in turns."""
    return np.asarray(means[..., 1::2] - means[..., ::2])


def _root_mean_square(
    names: Sequence[str], of: Callable[[Array], Array], joint: JointCells
) -> Callable[[Array], Array]:
    """√(mean square − what errors add to it), no less than 0, of `of(means)`."""
    which = [joint.index[name] for name in names]
    noise = 0.0
    if np.isfinite([joint.errors[i].sd for i in which]).all():
        noise = float(of(joint.draws(names)).var(axis=0).mean())

    def root(means: Array) -> Array:
        square = (of(means) ** 2).mean(axis=-1) - noise
        return np.asarray(np.sqrt(np.maximum(square, 0.0)))[..., None]

    return root


def _minus(one: Part, other: Part) -> Part:
    size = len(one[0])
    return (
        [*one[0], *other[0]],
        lambda means: np.asarray(one[1](means[..., :size]) - other[1](means[..., size:])),
    )


def _figure(name: str, part: Part, joint: JointCells, profiles: int = 1) -> Figure:
    """A figure, or its average over some profiles."""
    found = joint.figures(*part)[0]
    if name.startswith(("distance", "leak")):
        return replace(found, lower=max(found.lower, 0.0))
    if name.startswith(("sign_share", "rank_correlation")) and not np.isnan(found.se):
        # Draws that all order the values alike leave an error that they are too few to show: at
        # most that of one value on the other side, or one pair the other way, in one draw more.
        each = len(part[0]) / profiles
        step = 1 / each if name.startswith("sign_share") else 4 / (each * (each - 1))
        return replace(found, se=max(found.se, step / (profiles * np.sqrt(DRAWS))))
    return found
