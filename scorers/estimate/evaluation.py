"""From a table of windows to judges, responses, cells and shifts."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.cells import Cell
from valueflow.scorers.estimate.covariance import CellErrors, JointCells, Shift
from valueflow.scorers.estimate.evidence.place_effect import with_place_effect
from valueflow.scorers.estimate.evidence.ratings import (
    RatingJudge,
    fit_rating_judges,
    notes_on_ratings,
)
from valueflow.scorers.estimate.evidence.value import (
    RatedWindows,
    ValueWindows,
    evidence_of,
    ratings_of,
    without_derived_orders,
)
from valueflow.scorers.estimate.judge import (
    FittedJudge,
    JudgeModel,
    choice_weight_of,
    errors_of_known,
    fit_judges,
)
from valueflow.scorers.estimate.judge_fit import (
    JudgeFit,
    fit_of_judge,
    notes_on_choices,
    notes_on_judge,
)
from valueflow.scorers.estimate.population import population_estimates
from valueflow.scorers.estimate.reference import reference_of_value
from valueflow.scorers.estimate.responses import Estimate, ResponseEvidence
from valueflow.scorers.estimate.table import WindowTable

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
MANY_BEYOND = 0.2
"""Share of responses beyond all their anchors from which a figure comes with a note."""

FEW_QUERIES = 10
"""Questions of a cell below which its interval comes with a note."""

MOST_LISTED = 6
"""Cells that a note names."""

ESTIMATORS = ("population", "reference")

__all__ = [
    "Cell",
    "Estimate",
    "Evaluation",
    "JudgeFit",
    "JudgeModel",
    "RatingJudge",
    "Shift",
    "evaluate",
]


@dataclass(frozen=True)
class Evaluation:
    """Everything that :func:`evaluate` finds; judges and ``fit`` are by value.

    ``judges`` and ``fit`` tell how the judge ranks (or chooses), ``rating_judges`` how it rates.

    ``notes`` are sentences that a user of the numbers must be told.  ``choice_weights``, by value,
    tell for how many drawn choices one choice distribution was taken, where there are any.
    ``errors``, by cell, say what the error of each mean is made of (see
    `valueflow.scorers.estimate.covariance`).
    """

    judges: dict[str, JudgeModel]
    items: list[Estimate]
    cells: list[Cell]
    shifts: list[Shift]
    fit: dict[str, JudgeFit]
    notes: list[str]
    choice_weights: dict[str, float] = field(default_factory=dict)
    rating_judges: dict[str, RatingJudge] = field(default_factory=dict)
    errors: dict[str, CellErrors] = field(default_factory=dict, repr=False, compare=False)


def evaluate(
    table: WindowTable,
    *,
    estimator: str = "population",
    baselines: Mapping[str, str] | None = None,
    judge: JudgeModel | Mapping[str, JudgeModel] | None = None,
    confidence: float = 0.95,
    choice_weight: float | None = None,
    rating_judge: RatingJudge | None = None,
) -> Evaluation:
    """Estimate judges, responses, cells and, given ``baselines``, shifts.

    Args:
        table: W windows of any number of values.
        estimator: ``population`` (this package's) or ``reference`` (the published one, which has no
            error for a response: its ``se``, ``lower`` and ``upper`` are NaN).
        baselines: maps cells to the cells from which their shifts are taken.
        judge: a known judge, or one by value; by default judges are estimated from the windows.
        confidence: probability inside the intervals.
        choice_weight: for how many drawn choices a choice distribution counts; by default this is
            estimated with the judge (`valueflow.scorers.estimate.judge`), and is 1 for a known one.
        rating_judge: a known judge of rated windows, for all values.

    Returns:
        Judges, responses, cells and shifts, intensities in points of the [-10, 10] scale.

    Raises:
        ValueError: an unknown estimator; a confidence outside (0, 1); a value without a judge in
            ``judge``; a baseline that has no windows or measures another value; a weight that is
            not positive; choices, or windows without an order, where the estimator is
            ``reference``.
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator must be one of {ESTIMATORS}, not {estimator!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    if choice_weight is not None and not 0 < choice_weight < np.inf:
        raise ValueError(f"choice_weight must be positive and finite, not {choice_weight}")
    derived = None
    if estimator == "reference":
        if not table.ranked.all():
            raise ValueError(
                "the reference estimator reads rankings, and some windows hold ratings alone; use "
                "estimator 'population'"
            )
        table = replace(table, ratings=None)
    else:
        table, derived = without_derived_orders(table)
    values = [ValueWindows(table, code) for code in range(len(table.values))]
    values = [value for value in values if len(value.items)]
    judged = [value for value in values if value.orders.windows]
    anchors = int(table.anchor_key.max(initial=-1)) + 1
    if judge is None:
        fitted = _fitted(judged, anchors, choice_weight)
        fitted = [with_place_effect(one, value) for one, value in zip(fitted, judged, strict=True)]
    else:
        for value in judged:
            value.count_choices(choice_weight or 1.0)
        fitted = [_known(judge, value, anchors) for value in judged]
    ranking = {value.name: one for value, one in zip(judged, fitted, strict=True)}
    rating = _rating(table, values, rating_judge)
    result = Evaluation({}, [], [], [], {}, [derived] if derived else [])
    errors = result.errors
    tail = (1 - confidence) / 2
    for value in values:
        one, rated = ranking.get(value.name), rating.get(value.name)
        if one is not None:
            result.judges[value.name] = one.model
            fit = fit_of_judge(value.orders, one, table.anchor_names, estimated=judge is None)
            result.fit[value.name] = fit
        if rated is not None:
            result.rating_judges[value.name] = rated.judge
        if estimator == "reference" and one is not None:
            items, cells, parts = reference_of_value(table, value, one, tail)
        else:
            evidence = evidence_of(value, one, rated)
            items, cells, parts = population_estimates(table, value, evidence, tail)
        result.items.extend(items)
        result.cells.extend(cells)
        errors.update(parts)
        if estimator == "population" and one is not None:
            result.notes.extend(
                notes_on_judge(value.name, value.orders, one.model, fit, tests=len(judged))
            )
            result.notes.extend(notes_on_choices(value.name, value.orders))
            if value.orders.probability is not None:
                result.choice_weights[value.name] = value.orders.choice_weight
        if rated is not None and rating_judge is None:
            result.notes.extend(notes_on_ratings(value.name, rated.judge))
        if value.repeated and estimator == "population":
            result.notes.append(
                f"{value.name}: {value.repeated} windows repeat others in everything, as a judge's "
                "cached answers do; repeats count once."
            )
    result.notes.extend(_notes_on_ceilings(result.cells, set(result.judges)))
    result.notes.extend(_notes_on_queries(result.cells, errors))
    result.shifts.extend(_shifts(result.cells, errors, baselines or {}, confidence))
    unjudged = len(table.items) - len(result.items)
    if unjudged:
        result.notes.append(f"{unjudged} items have no window and no estimate.")
    return result


def _notes_on_ceilings(cells: list[Cell], ranked: Set[str]) -> list[str]:
    """Which means rest on responses beyond all their anchors, and what they rest on there.

    ``ranked`` names the values on which the judge ranked.
    """
    of_value: dict[str, list[str]] = {}
    for cell in cells:
        if cell.beyond_high + cell.beyond_low > MANY_BEYOND:
            sides = (("above", cell.beyond_high), ("below", cell.beyond_low))
            told = " and ".join(f"{100 * share:.0f} % {side}" for side, share in sides if share)
            of_value.setdefault(cell.value, []).append(f"{cell.cell} ({told})")
    not_known = (
        "ranked with in {}; how far beyond is not known, and means, shifts and ranges of these "
        "cells say so in their intervals only."
    )
    told_by_scale = (
        "rated with in {}; how far beyond is told by the judge's own scale, which no anchor "
        "confirms there."
    )
    return [
        f"{value}: more than a fifth of the responses lie beyond every anchor that they were "
        + (not_known if value in ranked else told_by_scale).format(_listed(names))
        for value, names in of_value.items()
    ]


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_LISTED
    return ", ".join(names[:MOST_LISTED]) + (f" and {more} more cells" if more > 0 else "")


def _notes_on_queries(cells: list[Cell], errors: Mapping[str, CellErrors]) -> list[str]:
    """Whether intervals rest on few questions; cells of one response are not meant as cells."""
    counts = [len(np.unique(errors[c.cell].query)) for c in cells if c.items > 1]
    if not counts or min(counts) >= FEW_QUERIES:
        return []
    return [
        f"Some cells rest on {min(counts)} questions: below {FEW_QUERIES}, intervals lean on the "
        "prior on how far responses spread, and a cell that splits can look as if it did not."
    ]


def _fitted(
    judged: list[ValueWindows], anchors: int, choice_weight: float | None
) -> list[FittedJudge]:
    """Judges fitted to the anchors; with choices, again once their weights are known."""
    for value in judged:
        value.count_choices(choice_weight or 1.0)
    fitted = _fit(judged, anchors)
    soft = [value.orders.probability is not None for value in judged]
    if choice_weight is not None or not any(soft):
        return fitted
    for value, one in zip(judged, fitted, strict=True):
        value.count_choices(choice_weight_of(value.orders, one.marginal))
    return _fit(judged, anchors)


def _fit(judged: list[ValueWindows], anchors: int) -> list[FittedJudge]:
    evidence = [ResponseEvidence(value.orders, value.item) for value in judged]
    return fit_judges([value.orders for value in judged], anchors, evidence)


def _rating(
    table: WindowTable, values: list[ValueWindows], known: RatingJudge | None
) -> dict[str, RatedWindows]:
    """The rated windows by value, each with its judge; all values' windows fit it together."""
    windows = np.flatnonzero(table.rated)
    if not len(windows):
        return {}
    ratings = ratings_of(table, windows)
    lapsed, judges = np.zeros(len(windows)), [known] * len(table.values)
    if known is None:
        fit = fit_rating_judges(ratings, len(table.values))
        lapsed, judges = fit.lapsed, list(fit.judges)
    result = {}
    for value in values:
        judge, rows = judges[value.code], np.searchsorted(windows, value.rated)
        if len(rows) and judge is not None:
            own = ratings.take(rows)
            own = replace(own, item=np.searchsorted(value.items, own.item))
            result[value.name] = RatedWindows(own, lapsed[rows], judge)
    return result


def _known(
    judge: JudgeModel | Mapping[str, JudgeModel], value: ValueWindows, anchors: int
) -> FittedJudge:
    if not isinstance(judge, JudgeModel):
        if value.name not in judge:
            raise ValueError(f"no judge is given for value {value.name!r}")
        judge = judge[value.name]
    return FittedJudge(judge, errors_of_known(value.orders, anchors, judge))


def _shifts(
    cells: list[Cell],
    errors: Mapping[str, CellErrors],
    baselines: Mapping[str, str],
    confidence: float,
) -> list[Shift]:
    known = {cell.cell: cell for cell in cells}
    of_base: dict[str, list[str]] = {}
    for name, base in baselines.items():
        for cell in (name, base):
            if cell not in known:
                raise ValueError(f"'baselines' names cell {cell!r}, which has no window")
        if known[name].value != known[base].value:
            raise ValueError(f"cells {name!r} and {base!r} measure different values")
        of_base.setdefault(base, []).append(name)
    tails = 50 - 50 * confidence, 50 + 50 * confidence
    found = {}
    for base, names in of_base.items():
        own = list(dict.fromkeys([base, *names]))
        joint = JointCells.of(
            {cell: known[cell].intensity for cell in own},
            {cell: known[cell].value for cell in own},
            {cell: errors[cell] for cell in own},
        )
        pairs = joint.pairs[joint.index[base]]
        unknown = not np.isfinite([errors[cell].sd for cell in own]).all()
        means = dict(zip(own, joint.draws(own).T, strict=True)) if not unknown else {}
        for name in names:
            shift = known[name].intensity - known[base].intensity
            se, lower, upper = np.inf, -np.inf, np.inf
            if not unknown:
                drawn = means[name] - means[base]
                se = float(drawn.std())
                lower, upper = (float(bound) for bound in np.percentile(drawn, tails))
            shared = int(pairs[joint.index[name]])
            found[name] = Shift(name, base, known[name].value, shift, se, lower, upper, shared)
    return [found[name] for name in baselines]
