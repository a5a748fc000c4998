"""From a table of windows to judges, responses, cells and shifts."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from valueflow.scorers.estimate.cells import Cell
from valueflow.scorers.estimate.covariance import (
    LIMIT,
    CellErrors,
    JointCells,
    Shift,
    WordingEffects,
    with_wordings,
    wording_effects,
)
from valueflow.scorers.estimate.evidence.panel import (
    Disagreement,
    Shared,
    disagreement_of,
    panel_evidence,
    shared_disagreement,
)
from valueflow.scorers.estimate.evidence.place_effect import with_place_effect
from valueflow.scorers.estimate.evidence.ratings import (
    RatingJudge,
    fit_rating_judges,
    notes_on_ratings,
)
from valueflow.scorers.estimate.evidence.value import (
    ONE_SIDED,
    RatedWindows,
    ValueItems,
    ValueWindows,
    evidence_of,
    grid_of,
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
from valueflow.scorers.estimate.responses import Estimate, ResponseEvidence, grid_moments
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
    "FittedPanel",
    "JudgeFit",
    "JudgeModel",
    "RatingJudge",
    "Shift",
    "evaluate",
    "fit_panel",
    "own_estimates",
]


@dataclass(frozen=True)
class Evaluation:
    """Everything that :func:`evaluate` finds; judges and ``fit`` are by value.

    Those of a panel are by value and judge, under keys such as ``power (openai/gpt-5)``;
    ``named`` maps every key to its value and its judge, which is empty where there is one alone.

    ``judges`` and ``fit`` tell how a judge ranks (or chooses), ``rating_judges`` how it rates.

    ``notes`` are sentences that a user of the numbers must be told.  ``choice_weights``, by value,
    tell for how many drawn choices one choice distribution was taken, where there are any.
    ``errors``, by cell, say what the error of each mean is made of (see
    `valueflow.scorers.estimate.covariance`).  ``panel`` names the judges where there are several,
    and ``shared`` says how far their disagreements with single texts go together.  ``wordings``, by
    what sets groups of cells apart (empty where nothing does), say what the wordings of the persona
    do, where there are several.
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
    panel: tuple[str, ...] = ()
    shared: Shared | None = field(default=None, compare=False)
    named: dict[str, tuple[str, str]] = field(default_factory=dict)
    wordings: dict[str, WordingEffects] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class FittedPanel:
    """The judges of a table's windows, each with what its own windows tell of it.

    ``judges`` has one where the table names none or one.
    """

    judges: tuple[_FittedJudge, ...]

    def without(self, name: str) -> FittedPanel:
        """The panel without one of its judges; what is known of the others stays."""
        return FittedPanel(tuple(one for one in self.judges if one.name != name))

    @property
    def names(self) -> tuple[str, ...]:
        """The judges' names."""
        return tuple(one.name for one in self.judges)


_OwnWindows = tuple[ValueWindows, FittedJudge | None, RatedWindows | None]
"""One judge's windows of a value, and how it ranks and rates there."""


@dataclass(frozen=True)
class _FittedJudge:
    """One judge: its windows, and by value how it ranks, how it chooses and how it rates.

    ``lapsed`` (W,), of the table's rated windows, as in ``RatingFit``.
    """

    name: str
    table: WindowTable
    windows: dict[str, ValueWindows]
    ranking: dict[str, FittedJudge]
    rating: dict[str, RatingJudge]
    lapsed: Array
    known: bool
    note: str | None

    def of(self, items: ValueItems) -> _OwnWindows | None:
        """Its windows of a value, numbered as a panel's items are; None where it has none."""
        own = self.windows.get(items.name)
        if own is None:
            return None
        if len(own.items) != len(items.items):
            weight = own.orders.choice_weight
            own = ValueWindows(self.table, items.code, items)
            own.count_choices(weight)
        rated = None
        if len(own.rated) and items.name in self.rating:
            every = np.flatnonzero(self.table.rated)
            ratings = ratings_of(self.table, own.rated)
            ratings = replace(ratings, item=np.searchsorted(own.items, ratings.item))
            lapsed = self.lapsed[np.searchsorted(every, own.rated)]
            rated = RatedWindows(ratings, lapsed, self.rating[items.name])
        return own, self.ranking.get(items.name), rated


def fit_panel(
    table: WindowTable,
    *,
    judge: JudgeModel | Mapping[str, JudgeModel] | None = None,
    choice_weight: float | None = None,
    rating_judge: RatingJudge | None = None,
) -> FittedPanel:
    """Fit every judge of a table to its own windows; see :func:`evaluate`."""
    tables = [table]
    if table.judge is not None:
        tables = [one for name in table.judges if (one := table.of_judge(name)).windows]
    return FittedPanel(tuple(_fit_one(one, judge, choice_weight, rating_judge) for one in tables))


def own_estimates(table: WindowTable, fitted: FittedPanel) -> Array:
    """What each judge of a panel says of each response on its own.

    Args:
        table: the windows of the panel.
        fitted: its judges.

    Returns:
        (N, J), in points: means of the posterior of each of the table's items given one judge's
        windows and a flat prior on the scale, ``Estimate.flat_prior``; NaN where the judge has no
        window of the item.
    """
    found = np.full((len(table.items), len(fitted.judges)), np.nan)
    for code in range(len(table.values)):
        items = ValueItems(table, code)
        for column, judge in enumerate(fitted.judges):
            own = judge.of(items)
            if own is None:
                continue
            evidence = evidence_of(*own, both_sides=False)
            density = evidence.likelihood / evidence.likelihood.sum(axis=1, keepdims=True)
            seen = own[0].counts > 0
            found[own[0].items[seen], column] = grid_moments(density, evidence.grid)[0][seen]
    return found


def _fit_one(
    table: WindowTable,
    judge: JudgeModel | Mapping[str, JudgeModel] | None,
    choice_weight: float | None,
    rating_judge: RatingJudge | None,
) -> _FittedJudge:
    table, note = without_derived_orders(table)
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
    rating, lapsed = _rating(table, rating_judge)
    return _FittedJudge(
        name=table.judges[0] if table.judges else "",
        table=table,
        windows={value.name: value for value in values},
        ranking={value.name: one for value, one in zip(judged, fitted, strict=True)},
        rating=rating,
        lapsed=lapsed,
        known=judge is not None,
        note=note,
    )


def evaluate(
    table: WindowTable,
    *,
    estimator: str = "population",
    baselines: Mapping[str, str] | None = None,
    judge: JudgeModel | Mapping[str, JudgeModel] | None = None,
    confidence: float = 0.95,
    choice_weight: float | None = None,
    rating_judge: RatingJudge | None = None,
    fitted: FittedPanel | None = None,
) -> Evaluation:
    """Estimate judges, responses, cells and, given ``baselines``, shifts.

    Where the table has several judges, each has parameters of its own, fitted from its own windows,
    and all of them make one likelihood of a response (see :mod:`.evidence.panel`).

    Args:
        table: W windows of any number of values.
        estimator: ``population`` (this package's) or ``reference`` (the published one, which has no
            error for a response: its ``se``, ``lower`` and ``upper`` are NaN, and which knows one
            judge: it takes a panel's windows as one's).
        baselines: maps cells to the cells from which their shifts are taken.
        judge: a known judge, or one by value; by default judges are estimated from the windows.
        confidence: probability inside the intervals.
        choice_weight: for how many drawn choices a choice distribution counts; by default this is
            estimated with the judge (`valueflow.scorers.estimate.judge`), and is 1 for a known one.
        rating_judge: a known judge of rated windows, for all values.
        fitted: judges from :func:`fit_panel`, of this table or of one with more judges; the windows
            of others are left out.

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
    several: list[str] = []
    if estimator == "reference":
        if not table.ranked.all():
            raise ValueError(
                "the reference estimator reads rankings, and some windows hold ratings alone; use "
                "estimator 'population'"
            )
        if table.judge is not None:
            several = [
                f"The published estimator knows one judge: the windows of {len(table.judges)} were "
                "taken as one judge's."
            ]
        table = replace(table, ratings=None, judge=None, judges=())
    elif fitted is not None and table.judge is not None:
        table = table.of_judges(fitted.names)
    if fitted is None:
        fitted = fit_panel(
            table, judge=judge, choice_weight=choice_weight, rating_judge=rating_judge
        )
    result = Evaluation({}, [], [], [], {}, several)
    panel = fitted.judges if len(fitted.judges) > 1 else ()
    result = replace(result, panel=tuple(one.name for one in panel))
    values = [ValueItems(table, code) for code in range(len(table.values))]
    values = [value for value in values if len(value.items)]
    shared = _shared(fitted, values) if panel else None
    result = replace(result, shared=shared)
    errors = result.errors
    tail = (1 - confidence) / 2
    for one in fitted.judges:
        if one.note:
            result.notes.append(f"{one.name}: {one.note}" if panel else one.note)
    for value in values:
        there = [(n, one, own) for n, one in enumerate(fitted.judges) if (own := one.of(value))]
        for _, one, own in there:
            _add_judge(result, one, own, estimator, rating_judge is not None)
        windows, ranks, _ = there[0][2]
        if estimator == "reference" and ranks is not None:
            items, cells, parts = reference_of_value(table, windows, ranks, tail)
        else:
            grid = max((grid_of(*own) for _, _, own in there), key=len)
            both = int(value.counts.sum()) <= ONE_SIDED
            views = [evidence_of(*own, grid, both_sides=both) for _, _, own in there]
            which = [number for number, _, _ in there]
            correlation = np.ones((1, 1))
            if shared is not None:
                correlation = shared.correlation[np.ix_(which, which)]
            evidence = panel_evidence(views, correlation)
            items, cells, parts = population_estimates(table, value, evidence, tail)
        result.items.extend(items)
        result.cells.extend(cells)
        errors.update(parts)
    if panel:
        result.notes.extend(_notes_on_panel(fitted, values))
    ranked = {result.named[key][0] for key in result.judges}
    result.notes.extend(_notes_on_ceilings(result.cells, ranked))
    result.notes.extend(_notes_on_queries(result.cells, errors))
    if estimator == "population" and table.item_wording is not None:
        _add_wordings(result, tail)
    result.shifts.extend(_shifts(result.cells, errors, baselines or {}, confidence))
    unjudged = len(table.items) - len(result.items)
    if unjudged:
        result.notes.append(f"{unjudged} items have no window and no estimate.")
    return result


def _add_wordings(result: Evaluation, tail: float) -> None:
    """What the wordings of the persona do, into the errors of the cells that are steered.

    Cells of different runs and groups, which their names tell, have effects of their own.
    """
    groups: dict[str, dict[str, int]] = {}
    for cell in result.cells:
        group, found, level = cell.cell.rpartition(f"{cell.value}/")
        if found and level.lstrip("+-").isdigit() and int(level):
            groups.setdefault(group, {})[cell.cell] = int(level)
    values = {cell.cell: cell.value for cell in result.cells}
    known = {}
    for group, levels in groups.items():
        effects = wording_effects(result.errors, values, levels)
        if effects is not None:
            result.wordings[group.strip()] = effects
            known[group] = with_wordings(result.errors, values, levels, effects)
    loadings: dict[str, dict[str, Array]] = {name: {} for name in result.errors}
    for group, told in known.items():
        for name, error in told.items():
            own = error.wording if name in groups[group] else np.zeros(len(error.wording))
            loadings[name][group] = own
    for name, parts in loadings.items():
        if parts:
            wording = np.concatenate([parts[group] for group in known])
            result.errors[name] = replace(result.errors[name], wording=wording)
    for place, cell in enumerate(result.cells):
        more = float(np.linalg.norm(result.errors[cell.cell].wording))
        if more > 0:
            far = -float(ndtri(tail)) * more
            below, above = cell.intensity - cell.lower, cell.upper - cell.intensity
            result.cells[place] = replace(
                cell,
                se=float(np.hypot(cell.se, more)),
                lower=max(cell.intensity - float(np.hypot(below, far)), -LIMIT),
                upper=min(cell.intensity + float(np.hypot(above, far)), LIMIT),
            )


def _add_judge(
    result: Evaluation,
    fitted: _FittedJudge,
    own: _OwnWindows,
    estimator: str,
    known_rating: bool,
) -> None:
    """Puts one judge of one value into the result, with what must be told of it."""
    value, ranks, rates = own
    key = f"{value.name} ({fitted.name})" if result.panel else value.name
    result.named[key] = (value.name, fitted.name if result.panel else "")
    if ranks is not None:
        result.judges[key] = ranks.model
        fit = fit_of_judge(
            value.orders, ranks, fitted.table.anchor_names, estimated=not fitted.known
        )
        result.fit[key] = fit
        if estimator == "population":
            tests = len(fitted.ranking)
            result.notes.extend(notes_on_judge(key, value.orders, ranks.model, fit, tests=tests))
            result.notes.extend(notes_on_choices(key, value.orders))
            if value.orders.probability is not None:
                result.choice_weights[key] = value.orders.choice_weight
    if rates is not None:
        result.rating_judges[key] = rates.judge
        if not known_rating:
            result.notes.extend(notes_on_ratings(key, rates.judge))
    if value.repeated and estimator == "population":
        result.notes.append(
            f"{key}: {value.repeated} windows repeat others in everything, as a judge's "
            "cached answers do; repeats count once."
        )


def _shared(fitted: FittedPanel, values: list[ValueItems]) -> Shared:
    """How far the judges' disagreements with anchors go together."""
    found: list[dict[str, Disagreement]] = []
    for judge in fitted.judges:
        windows = {value.name: judge.of(value) for value in values}
        found.append({n: disagreement_of(*own) for n, own in windows.items() if own is not None})
    return shared_disagreement(found)


def _notes_on_panel(fitted: FittedPanel, values: list[ValueItems]) -> list[str]:
    """Which judges did not see all values, and whether any response has two judges."""
    notes = []
    for judge in fitted.judges:
        lacking = [value.name for value in values if value.name not in judge.windows]
        if lacking:
            notes.append(
                f"{judge.name} judged no window of {_listed(lacking)}: the figures of these values "
                "rest on the other judges, and are not to be set beside those of a full panel."
            )
    seen: dict[int, str] = {}
    for judge in fitted.judges:
        for item in np.unique(judge.table.item).tolist():
            if seen.setdefault(item, judge.name) != judge.name:
                return notes
    notes.append(
        "No response was judged by two judges: how far they agree on responses is not known."
    )
    return notes


def _notes_on_ceilings(cells: list[Cell], ranked: Set[str]) -> list[str]:
    """Which means rest on responses beyond all their anchors, and what they rest on there.

    ``ranked`` names the values on which the judge ranked.
    """
    by_order: dict[bool, list[str]] = {}
    for cell in cells:
        if cell.beyond_high + cell.beyond_low > MANY_BEYOND:
            sides = (("above", cell.beyond_high), ("below", cell.beyond_low))
            told = " and ".join(f"{100 * share:.0f} % {side}" for side, share in sides if share)
            by_order.setdefault(cell.value in ranked, []).append(f"{cell.cell} ({told})")
    not_known = (
        "ranked with in {}; how far beyond is not known, and means, shifts and ranges of these "
        "cells say so in their intervals only."
    )
    told_by_scale = (
        "rated with in {}; how far beyond is told by the judge's own scale, which no anchor "
        "confirms there."
    )
    return [
        "More than a fifth of the responses lie beyond every anchor that they were "
        + (not_known if orders else told_by_scale).format(_listed(names))
        for orders, names in by_order.items()
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


def _rating(table: WindowTable, known: RatingJudge | None) -> tuple[dict[str, RatingJudge], Array]:
    """How the judge rates, by value, and as in ``RatingFit`` the chances of lapses in the rated
    windows; all values' windows fit it together."""
    windows = np.flatnonzero(table.rated)
    if not len(windows):
        return {}, np.zeros(0)
    ratings = ratings_of(table, windows)
    lapsed, judges = np.zeros(len(windows)), [known] * len(table.values)
    if known is None:
        fit = fit_rating_judges(ratings, len(table.values))
        lapsed, judges = fit.lapsed, list(fit.judges)
    rated = set(ratings.value.tolist())
    found = {
        name: judge
        for code, (name, judge) in enumerate(zip(table.values, judges, strict=True))
        if judge is not None and code in rated
    }
    return found, lapsed


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
