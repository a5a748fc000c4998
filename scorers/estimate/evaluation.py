"""From a table of windows to judges, responses, cells and shifts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from valueflow.scorers.estimate.cells import Cell
from valueflow.scorers.estimate.covariance import CellErrors, Shift, shift_error
from valueflow.scorers.estimate.judge import FittedJudge, JudgeModel, choice_weight_of, fit_judges
from valueflow.scorers.estimate.judge_fit import (
    JudgeFit,
    fit_of_judge,
    notes_on_choices,
    notes_on_judge,
)
from valueflow.scorers.estimate.place_effect import with_place_effect
from valueflow.scorers.estimate.population import ValueWindows, population_estimates
from valueflow.scorers.estimate.reference import reference_of_value
from valueflow.scorers.estimate.responses import Estimate
from valueflow.scorers.estimate.table import WindowTable

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
ESTIMATORS = ("population", "reference")

__all__ = ["Cell", "Estimate", "Evaluation", "JudgeFit", "JudgeModel", "Shift", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """Everything that :func:`evaluate` finds; ``judges`` and ``fit`` are by value.

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
    errors: dict[str, CellErrors] = field(default_factory=dict, repr=False, compare=False)


def evaluate(
    table: WindowTable,
    *,
    estimator: str = "population",
    baselines: Mapping[str, str] | None = None,
    judge: JudgeModel | Mapping[str, JudgeModel] | None = None,
    confidence: float = 0.95,
    choice_weight: float | None = None,
) -> Evaluation:
    """Estimate judges, responses, cells and, given ``baselines``, shifts.

    ``estimator`` is ``population`` (this package's) or ``reference`` (the published one, which has
    no error for a response: its ``se``, ``lower`` and ``upper`` are NaN).  ``baselines`` maps cells
    to the cells from which their shifts are taken.  ``judge`` is a known judge, or one by value; by
    default judges are estimated from the windows.  ``confidence`` is that of the intervals.
    ``choice_weight`` says for how many drawn choices a choice distribution counts; by default this
    is estimated with the judge (`valueflow.scorers.estimate.judge`), and is 1 for a known judge.

    Raises ``ValueError`` for an unknown estimator, a confidence outside (0, 1), a value without a
    judge in ``judge``, a baseline that has no windows or measures another value, a weight that is
    not positive, or choices where the estimator is ``reference``.
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator must be one of {ESTIMATORS}, not {estimator!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    if choice_weight is not None and not 0 < choice_weight < np.inf:
        raise ValueError(f"choice_weight must be positive and finite, not {choice_weight}")
    judged = [ValueWindows(table, code) for code in range(len(table.values))]
    judged = [value for value in judged if value.orders.windows]
    anchors = int(table.anchor_key.max(initial=-1)) + 1
    if judge is None:
        fitted = _fitted(judged, anchors, choice_weight)
        fitted = [with_place_effect(one, value) for one, value in zip(fitted, judged, strict=True)]
    else:
        for value in judged:
            value.count_choices(choice_weight or 1.0)
        fitted = [_known(judge, value, anchors) for value in judged]
    result = Evaluation({}, [], [], [], {}, [])
    errors = result.errors
    for value, one in zip(judged, fitted, strict=True):
        result.judges[value.name] = one.model
        fit = fit_of_judge(value.orders, one, table.anchor_names, estimated=judge is None)
        result.fit[value.name] = fit
        estimate = reference_of_value if estimator == "reference" else population_estimates
        items, cells, parts = estimate(table, value, one, (1 - confidence) / 2)
        result.items.extend(items)
        result.cells.extend(cells)
        errors.update(parts)
        if estimator == "population":
            result.notes.extend(
                notes_on_judge(value.name, value.orders, one.model, fit, tests=len(judged))
            )
            result.notes.extend(notes_on_choices(value.name, value.orders))
            if value.orders.probability is not None:
                result.choice_weights[value.name] = value.orders.choice_weight
    result.shifts.extend(_shifts(result.cells, errors, baselines or {}, confidence))
    unjudged = len(table.items) - len(result.items)
    if unjudged:
        result.notes.append(f"{unjudged} items have no window and no estimate.")
    return result


def _fitted(
    judged: list[ValueWindows], anchors: int, choice_weight: float | None
) -> list[FittedJudge]:
    """Judges fitted to the anchors; with choices, again once their weights are known."""
    for value in judged:
        value.count_choices(choice_weight or 1.0)
    fitted = fit_judges([value.orders for value in judged], anchors)
    soft = [value.orders.probability is not None for value in judged]
    if choice_weight is not None or not any(soft):
        return fitted
    for value, one in zip(judged, fitted, strict=True):
        value.count_choices(choice_weight_of(value.orders, one.marginal))
    return fit_judges([value.orders for value in judged], anchors)


def _known(
    judge: JudgeModel | Mapping[str, JudgeModel], value: ValueWindows, anchors: int
) -> FittedJudge:
    if not isinstance(judge, JudgeModel):
        if value.name not in judge:
            raise ValueError(f"no judge is given for value {value.name!r}")
        judge = judge[value.name]
    nothing = np.zeros(anchors)
    return FittedJudge(judge, nothing, judge.text_sd**2, nothing, judge)


def _shifts(
    cells: list[Cell],
    errors: Mapping[str, CellErrors],
    baselines: Mapping[str, str],
    confidence: float,
) -> list[Shift]:
    known = {cell.cell: cell for cell in cells}
    width = float(ndtri(0.5 + confidence / 2))
    result = []
    for name, base in baselines.items():
        for cell in (name, base):
            if cell not in known:
                raise ValueError(f"'baselines' names cell {cell!r}, which has no window")
        if known[name].value != known[base].value:
            raise ValueError(f"cells {name!r} and {base!r} measure different values")
        shift = known[name].intensity - known[base].intensity
        se, pairs = shift_error(errors[name], errors[base])
        result.append(
            Shift(
                name,
                base,
                known[name].value,
                shift,
                se,
                shift - width * se,
                shift + width * se,
                pairs,
            )
        )
    return result
