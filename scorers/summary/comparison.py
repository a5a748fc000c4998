"""What a comparison of runs consists of, and what a user of it must be told.

Whether two sets of responses were measured by the same judge, and on the same scale.

Compares two runs cell by cell, paired by query: what differs, and what is noise.

Knows no harness: response records of A and of B go in. Where both have the same judge, all windows
are evaluated together, so that the judge is estimated from both and its error cancels as far as it
can; otherwise each side has its own judge, and a difference is also one between judges.

A comparison tests many cells. Its p-values are those of single two-sided tests, by Student's t with
one degree fewer than the queries of the smallest cell; what counts as a difference is decided by
p-values corrected for the number of cells.
The intervals are single ones: each holds its difference with the stated confidence, all together
with less, so that an interval may exclude 0 where the correction finds nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.scorers.estimate.cells import Cell
from valueflow.scorers.estimate.covariance import (
    CellErrors,
    JointCells,
    Part,
    average_of,
    cell_covariance,
)
from valueflow.scorers.estimate.evaluation import Evaluation, evaluate
from valueflow.scorers.estimate.table import WindowTable
from valueflow.scorers.figures import CORRECTIONS, Figure, adjusted
from valueflow.scorers.records import (
    ResponseRecord,
    baseline_name,
    is_judged,
    measured,
    window_records,
)
from valueflow.scorers.summary.cells import CellSummary, cell_summaries, cells_present
from valueflow.scorers.summary.designs.pairs import pair_parts
from valueflow.scorers.summary.designs.profiles import profile_parts
from valueflow.scorers.summary.designs.squares import square_parts
from valueflow.scorers.summary.dose_response import value_parts

__all__ = [
    "AVERAGE",
    "SIDES",
    "CellDifference",
    "Comparison",
    "FigureComparison",
    "FigureDifference",
    "SideCell",
    "Standing",
    "alike",
    "compare",
    "compare_figures",
    "judge_of",
    "notes_on_cells",
    "nothing_shared",
    "same_judge",
    "scale_differences",
]

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
            "themselves rough there, and so are intervals and p-values, small ones most."
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


JUDGE = (
    "model",
    "config",
    "model_args",
    "prompt_version",
    "wording",
    "vidb_sha256",
    "judge_mode",
    "anchor_panel",
)
"""What makes a judge: the same model asks for another scale, place effect and disagreement with
texts where it is set or asked otherwise, told otherwise what values mean, or shown other texts."""

SCALE = {
    "vidb_sha256": "anchors differ",
    "prompt_version": "versions of the judge's prompt differ",
}
"""What the scale itself rests on."""


def judge_of(responses: Iterable[ResponseRecord], name: str) -> dict[str, Any]:
    """The record of the judge of some responses; empty where none of them was judged.

    Args:
        responses: of one run.
        name: how a message calls them.

    Raises:
        ValueflowError: they have several judges.
    """
    found: dict[str, dict[str, Any]] = {}
    for response in responses:
        if judge := response.get("judge"):
            found.setdefault(_identity(judge), judge)
    if len(found) > 1:
        first, second = list(found.values())[:2]
        told = ", ".join(
            f"{key} {first.get(key)!r} and {second.get(key)!r}"
            for key in JUDGE
            if first.get(key) != second.get(key)
        )
        raise ValueflowError(
            f"{name}: responses with different judges ({told}) cannot be taken together; give the "
            "logs of one judge"
        )
    return next(iter(found.values()), {})


def same_judge(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two records are of one judge, whose parameters all windows together tell."""
    return _identity(one) == _identity(other)


def scale_differences(
    sides: tuple[Sequence[ResponseRecord], Sequence[ResponseRecord]],
    judges: tuple[dict[str, Any], dict[str, Any]],
) -> list[str]:
    """Why intensities of A and of B are not on one scale; empty where they are.

    Args:
        sides: responses of A and of B.
        judges: their judges, from `judge_of`.
    """
    found = [
        f"the {what} ({_told(judges[0], key)} and {_told(judges[1], key)})"
        for key, what in SCALE.items()
        if judges[0].get(key) != judges[1].get(key)
    ]
    ours, theirs = map(_intensities, sides)
    moved = sum(ours[text] != theirs[text] for text in ours.keys() & theirs.keys())
    if moved:
        found.append(f"{moved} anchors have another intensity in A than in B")
    return found


def _identity(judge: dict[str, Any]) -> str:
    # Records of the first wording do not say which it is, and earlier ones have the table of
    # anchors as `panel`.
    made = {"wording": "1", "anchor_panel": judge.get("panel"), **judge}
    return json.dumps({key: made.get(key) for key in JUDGE}, sort_keys=True, default=str)


def _told(judge: dict[str, Any], key: str) -> str:
    if key == "vidb_sha256":
        return f"{judge.get('vidb')}, hash {judge.get(key)}"
    return str(judge.get(key))


def _intensities(responses: Iterable[ResponseRecord]) -> dict[tuple[str, str], float]:
    """(value, text) of every anchor shown to its intensity."""
    return {
        (record["value"], text): intensity
        for response in responses
        for record in response["values"].values()
        for window in record["windows"]
        for text, intensity in zip(window["texts"], window["anchors"], strict=True)
    }


Array = NDArray[np.float64]

Place = tuple[str, str, str, str, int]
"""Theory, value, group, condition and level of a cell."""


def compare(
    a: Iterable[ResponseRecord],
    b: Iterable[ResponseRecord],
    *,
    confidence: float = 0.95,
    correction: str = "holm",
    force: bool = False,
) -> Comparison:
    """Compares the cells that A and B share.

    Args:
        a, b: responses of each side, scored or not; within a side an item names one response.
        confidence: coverage of the intervals; 1 − confidence is the level of the tests.
        correction: `holm`, `bh` or `none`, see `adjusted`.
        force: compare although the two sides are not on one scale.

    Raises:
        ValueError: a confidence outside (0, 1), or an unknown correction.
        ValueflowError: a side has several judges or nothing scored, the scales differ, or no cell
            is shared.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    if correction not in CORRECTIONS:
        raise ValueError(f"correction must be one of {CORRECTIONS}, not {correction!r}")
    # Sorted, so that the order in which samples happen to finish changes no digit.
    sides = [sorted(side, key=lambda r: (r["query"], r["item"])) for side in (a, b)]
    judges = judge_of(sides[0], "A"), judge_of(sides[1], "B")
    for name, judge in zip(SIDES, judges, strict=True):
        if not judge:
            raise ValueflowError(f"{name}: holds no response with a ranking, so nothing to compare")
    obstacles = scale_differences((sides[0], sides[1]), judges)
    if obstacles and not force:
        raise ValueflowError(
            f"A and B are not on one scale: {'; '.join(obstacles)}. Score one of them again as the "
            "other was, or give --force to compare all the same"
        )
    places, cells = _cells(sides)
    shared = [c for c, (one, other) in cells.items() if one and other and one.scored * other.scored]
    if not shared:
        raise ValueflowError(nothing_shared(cells))
    one_judge = same_judge(*judges) and not obstacles
    evaluations, measured = _measure(sides, one_judge)
    same = _same_responses(sides)
    found: list[CellDifference] = []
    for what in ("mean", "shift"):
        tests = [
            test
            for cell in shared
            if (test := _difference(what, cell, places[cell], measured, same))
        ]
        found.extend(_decided(tests, confidence, correction))
    notes = [f"Compared although {reason}." for reason in obstacles]
    if judged_again := [cell for cell in shared if cell in same]:
        notes.append(
            f"A and B hold the same responses in {_listed(judged_again)}: a difference there is "
            "one between two judgements of the same texts, paired response by response, and says "
            "nothing about models."
        )
    if not one_judge and not obstacles:
        notes.append(
            f"A and B have different judges ({judges[0]['model']} and {judges[1]['model']}, or "
            "differently set), each estimated from its own side: a difference may lie in how they "
            "read texts."
        )
    notes.extend(notes_on_cells(cells, [one for one in found if one.what == "mean"]))
    for name, evaluation in zip(SIDES, evaluations, strict=False):
        notes.extend(note if one_judge else f"{name}: {note}" for note in evaluation.notes)
    return Comparison(found, cells, confidence, correction, one_judge, judges, evaluations, notes)


def _cells(
    sides: Sequence[Sequence[ResponseRecord]],
) -> tuple[dict[str, Place], dict[str, tuple[SideCell | None, SideCell | None]]]:
    """Places and counts of all cells, in the registry's order."""
    places: dict[str, Place] = {}
    counts: list[dict[str, list[tuple[str, bool, bool]]]] = [defaultdict(list) for _ in sides]
    for side, counted in zip(sides, counts, strict=True):
        for response in side:
            for record in response["values"].values():
                places[record["cell"]] = (
                    record["theory"],
                    record["value"],
                    record["group"],
                    record.get("condition", ""),
                    record["level"],
                )
                scored = not response["refusal"] and any(map(is_judged, record["windows"]))
                counted[record["cell"]].append((response["query"], scored, response["refusal"]))
    registry = load_registry()
    theories = list(registry.theories)
    values = [value.name for value in registry.macro_values()]

    def rank(cell: str) -> tuple[Any, ...]:
        theory, value, group, condition, level = places[cell]
        return (_place(theories, theory), _place(values, value), value, group, condition, level)

    ordered = sorted(places, key=rank)
    return {cell: places[cell] for cell in ordered}, {
        cell: (_side_cell(counts[0].get(cell)), _side_cell(counts[1].get(cell))) for cell in ordered
    }


def _place(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _side_cell(responses: list[tuple[str, bool, bool]] | None) -> SideCell | None:
    if responses is None:
        return None
    return SideCell(
        len(responses),
        sum(scored for _, scored, _ in responses),
        sum(refused for _, _, refused in responses),
        frozenset(query for query, scored, _ in responses if scored),
    )


@dataclass(frozen=True)
class _Measured:
    """Cells of both sides by (side, cell), with errors whose queries and judges are coded alike."""

    cells: dict[tuple[str, str], Cell]
    errors: dict[tuple[str, str], CellErrors]
    queries: dict[tuple[str, str], frozenset[int]]


def _measure(
    sides: Sequence[Sequence[ResponseRecord]], one_judge: bool, names: Sequence[str] = SIDES
) -> tuple[list[Evaluation], _Measured]:
    if one_judge:
        both = (w for name, side in zip(names, sides, strict=True) for w in _windows(name, side))
        tables = [WindowTable.from_records(both)]
    else:
        tables = [
            WindowTable.from_records(_windows(name, side))
            for name, side in zip(names, sides, strict=True)
        ]
    evaluations = [evaluate(table) for table in tables]
    code: dict[str, int] = {}
    sizes = [max((len(e.wording) for e in one.errors.values()), default=0) for one in evaluations]
    most = max((len(e.judge) for one in evaluations for e in one.errors.values()), default=0)
    measured = _Measured({}, {}, {})
    for number, (table, evaluation) in enumerate(zip(tables, evaluations, strict=True)):
        recoded = np.array([code.setdefault(query, len(code)) for query in table.queries])
        for cell in evaluation.cells:
            name, _, own = cell.cell.partition(": ")
            errors = evaluation.errors[cell.cell]
            query = recoded[errors.query]
            judge = errors.judge if one_judge else _apart(errors.judge, number, most)
            # What one run's wordings do is its own, even where another run has the same.
            wording = np.zeros(sum(sizes))
            first = sum(sizes[:number])
            wording[first : first + len(errors.wording)] = errors.wording
            measured.cells[name, own] = cell
            measured.errors[name, own] = replace(errors, query=query, judge=judge, wording=wording)
            measured.queries[name, own] = frozenset(query.tolist())
    return evaluations, measured


def _same_responses(sides: Sequence[Sequence[ResponseRecord]]) -> frozenset[str]:
    """The cells of which both sides have the very same scored responses, known by their hashes."""
    held: list[dict[str, set[tuple[str, str]]]] = []
    unknown: set[str] = set()
    for side in sides:
        cells: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for response in measured(side):
            digest = response.get("response_sha256")
            for record in response["values"].values():
                if digest is None:
                    unknown.add(record["cell"])
                elif any(map(is_judged, record["windows"])):
                    cells[record["cell"]].add((response["query"], digest))
        held.append(cells)
    return (
        frozenset(cell for cell, texts in held[0].items() if texts == held[1].get(cell)) - unknown
    )


def _windows(name: str, side: Iterable[ResponseRecord]) -> Iterator[dict[str, Any]]:
    """The windows of a side, whose cells bear its name, so that its items do too.

    Refused responses stay out, as they do in every headline, even where they were ranked.
    """
    for record in window_records(measured(side)):
        yield {**record, "cell": f"{name}: {record['cell']}"}


def _apart(judge: Array, number: int, most: int) -> Array:
    """Errors of one of two judges or panels, in directions that the other's do not share; neither
    has more than ``most``."""
    nothing = np.zeros(most)
    own = np.concatenate([judge, np.zeros(most - len(judge))])
    return np.concatenate([own, nothing] if number == 0 else [nothing, own])


def _difference(
    what: str, cell: str, place: Place, measured: _Measured, same: frozenset[str]
) -> tuple[CellDifference, int] | None:
    """The difference in one cell, not yet tested, and its degrees of freedom, one fewer than the
    queries of the cell that has fewest; None where a side lacks a cell it takes.

    ``same`` names the cells whose responses are the same on both sides: there the error is that of
    the judgements alone, from the differences within queries.
    """
    names = [cell]
    if what == "shift":
        default = baseline_name(cell)
        if default is None or any((side, default) not in measured.cells for side in SIDES):
            return None
        names.append(default)
    keys = [(side, name) for side in SIDES for name in names]
    means = np.array([measured.cells[key].intensity for key in keys])
    covariance = cell_covariance([measured.errors[key] for key in keys], [place[1]] * len(keys))
    own = np.array([1.0, -1.0][: len(names)])
    nothing = np.zeros(len(names))
    a, b, difference = (
        _figure(np.concatenate(weights), means, covariance)
        for weights in ((own, nothing), (nothing, own), (own, -own))
    )
    if same.issuperset(names):
        errors = [measured.errors[key] for key in keys]
        difference = replace(difference, se=_paired_error(np.concatenate([own, -own]), errors))
    shared = frozenset.intersection(*(measured.queries[key] for key in keys))
    nan = float("nan")
    test = CellDifference(
        what, cell, *place, a, b, difference.value, difference.se, nan, nan, len(shared), nan, nan,
        False,
    )  # fmt: skip
    return test, max(min(len(measured.queries[key]) for key in keys) - 1, 1)


def _paired_error(weights: Array, errors: Sequence[CellErrors]) -> float:
    """Standard error of a contrast of cells that hold the same responses.

    The sums of influences over each query are set against each other as they are, so that what the
    responses have in common cancels; their correlation is not drawn toward a common one.  The
    judges' parts are added.
    """
    queries = np.unique(np.concatenate([one.query for one in errors]))
    contrast = np.zeros(len(queries))
    for weight, one in zip(weights, errors, strict=True):
        sums = np.bincount(np.searchsorted(queries, one.query), one.influence, len(queries))
        size = float(np.sqrt(sums @ sums))
        contrast += weight * one.sd * (sums / size if size > 0 else 0.0)
    width = max(len(one.judge) for one in errors)
    judge = np.array([np.pad(one.judge, (0, width - len(one.judge))) for one in errors])
    moved = weights @ judge
    return float(np.sqrt(contrast @ contrast + moved @ moved))


def _figure(weights: Array, means: Array, covariance: Array) -> Figure:
    """A contrast of means; its error is infinite where that of one of its cells is."""
    used = weights != 0
    value = float(weights @ means)
    part = covariance[np.ix_(used, used)]
    if not np.isfinite(part).all():
        return Figure(value, float("inf"))
    # Correlations are shrunk by their own numbers of pairs, so that an eigenvalue can be a little
    # below 0.
    size, direction = np.linalg.eigh(part)
    return Figure(value, float(np.sqrt(np.maximum(size, 0) @ (weights[used] @ direction) ** 2)))


def _decided(
    found: Sequence[tuple[CellDifference, int]], confidence: float, correction: str
) -> list[CellDifference]:
    """The same differences with intervals and p-values."""
    tests = [test for test, _ in found]
    degrees = np.array([degrees for _, degrees in found], dtype=np.float64)
    difference = np.array([test.difference for test in tests])
    se = np.array([test.se for test in tests])
    width = stdtrit(degrees, 0.5 + confidence / 2) * se
    p_value = _p_values(difference, se, degrees)
    corrected = adjusted(p_value, correction)
    columns = (difference - width, difference + width, p_value, corrected)
    return [
        replace(
            test,
            lower=float(lower),
            upper=float(upper),
            p_value=float(p),
            p_adjusted=float(after),
            differs=bool(after < 1 - confidence),
        )
        for test, lower, upper, p, after in zip(tests, *columns, strict=True)
    ]


def _p_values(difference: Array, se: Array, degrees: Array) -> Array:
    """Two-sided p-values; 1 where nothing but rounding differs, however small the error is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(np.abs(difference) < ROUNDING, 0.0, np.abs(difference) / se)
    return np.asarray(2 * stdtr(degrees, -size))


ROUNDING = 1e-9
"""Points by which the same responses may differ where sums are taken in another order."""

AVERAGE = "average"
"""Stands for all units of a figure that every run has, averaged."""

MOST_RUNS = 30
"""More runs than can be compared at once."""


@dataclass(frozen=True)
class FigureDifference:
    """A figure of one run minus that of another.

    Attributes:
        what: `range`, `up`, `down`, `slope`, `asymmetry`, or `pair along`, `five fading`, ...
        unit: the value, pair, square or profile, or `average` over those that all runs have.
        first, second: names of the runs.
        a, b: the figure of each.
        difference, se, lower, upper: a − b with its standard error and interval.
        queries: those of the cell that has fewest.
        p_value: two-sided, of this test alone.
        p_adjusted: corrected for all differences of the same `what`: of single units, or of the
            averages.
        differs: whether the corrected p-value is below 1 − confidence.
    """

    what: str
    unit: str
    first: str
    second: str
    a: Figure
    b: Figure
    difference: float
    se: float
    lower: float
    upper: float
    queries: int
    p_value: float
    p_adjusted: float
    differs: bool


@dataclass(frozen=True)
class Standing:
    """A run's place in one averaged figure.

    Attributes:
        run: its name.
        figure: its average over the units that all runs have.
        groups: numbers of the groups that it is in; two runs that share a group cannot be told
            apart.
    """

    run: str
    figure: Figure
    groups: tuple[int, ...]


@dataclass(frozen=True)
class FigureComparison:
    """Everything that `compare_figures` finds.

    Attributes:
        differences: by figure, then unit, averages last.
        leaderboards: by figure, its averages from the largest down.
        units: by figure, what its averages are taken over.
        notes: sentences that a user of the numbers must be told.
    """

    differences: list[FigureDifference]
    leaderboards: dict[str, list[Standing]]
    units: dict[str, list[str]]
    confidence: float
    correction: str
    notes: list[str]


def compare_figures(
    runs: Mapping[str, Sequence[ResponseRecord]],
    *,
    confidence: float = 0.95,
    correction: str = "holm",
    force: bool = False,
) -> FigureComparison:
    """Compares what runs are summed up by: how far values go, pairs and squares.

    All windows are evaluated together, with one judge; differences are functions of the cells of
    both runs, drawn jointly, so that queries which both have, and the judge, cancel as far as they
    can. P-values are Student's, with one degree fewer than the queries of the smallest cell.

    Args:
        runs: responses of each, by name; names hold no `: `.
        confidence: coverage of the intervals; 1 − confidence is the level of the tests.
        correction: `holm`, `bh` or `none`, see `adjusted`.
        force: compare although the runs are not on one scale.

    Raises:
        ValueError: fewer than two runs or more than `MOST_RUNS`, or an unknown correction.
        ValueflowError: runs have different judges or scales, or no figure in common.
    """
    if not 2 <= len(runs) <= MOST_RUNS:
        raise ValueError(f"2 to {MOST_RUNS} runs are compared, not {len(runs)}")
    if correction not in CORRECTIONS:
        raise ValueError(f"correction must be one of {CORRECTIONS}, not {correction!r}")
    names = list(runs)
    sides = [sorted(runs[name], key=lambda r: (r["query"], r["item"])) for name in names]
    notes = _check_judges(names, sides, force)
    evaluations, found = _measure(sides, True, names)
    evaluation = evaluations[0]
    joint = JointCells.of(
        {f"{run}: {cell}": one.intensity for (run, cell), one in found.cells.items()},
        {f"{run}: {cell}": one.value for (run, cell), one in found.cells.items()},
        {f"{run}: {cell}": one for (run, cell), one in found.errors.items()},
    )
    queries = {f"{run}: {cell}": len(own) for (run, cell), own in found.queries.items()}
    parts = [
        _parts(_named(name, side, evaluation), joint)
        for name, side in zip(names, sides, strict=True)
    ]
    differences: list[FigureDifference] = []
    boards: dict[str, list[Standing]] = {}
    units: dict[str, list[str]] = {}
    for what in dict.fromkeys(what for own in parts for what, _ in own):
        single = [
            _figure_difference(what, unit, (one, other), joint, queries)
            for unit in dict.fromkeys(u for own in parts for w, u in own if w == what)
            for one, other in _both(names, parts, (what, unit))
        ]
        shared = [u for w, u in parts[0] if w == what and all((w, u) in own for own in parts)]
        differences += _decided_figures(single, confidence, correction)
        if not shared:
            continue
        units[what] = shared
        averages = {
            name: average_of([own[what, unit] for unit in shared])
            for name, own in zip(names, parts, strict=True)
        }
        tests = [
            _figure_difference(
                what, AVERAGE, ((one, averages[one]), (other, averages[other])), joint, queries
            )
            for place, one in enumerate(names)
            for other in names[place + 1 :]
        ]
        decided = _decided_figures(tests, confidence, correction)
        if len(shared) > 1:
            # An average over one unit is that unit's own difference, which is there.
            differences += decided
        figures = {name: _figure_of(what, averages[name], joint) for name in names}
        boards[what] = _standings(figures, decided)
    if not differences:
        raise ValueflowError(
            f"{', '.join(names)} have no figure in common; give runs that steer toward a common "
            "value, pair or square, at common levels"
        )
    notes += evaluation.notes
    return FigureComparison(differences, boards, units, confidence, correction, notes)


def _check_judges(
    names: Sequence[str], sides: Sequence[Sequence[ResponseRecord]], force: bool
) -> list[str]:
    """What must be noted; runs with different judges or scales are refused."""
    judges = [judge_of(side, name) for name, side in zip(names, sides, strict=True)]
    notes = []
    for name, judge, side in zip(names, judges, sides, strict=True):
        if not judge:
            raise ValueflowError(f"{name}: holds no response with a ranking, so nothing to compare")
        problems = scale_differences((sides[0], side), (judges[0], judge))
        if problems and not force:
            raise ValueflowError(
                f"{names[0]} and {name} are not on one scale: {'; '.join(problems)}. Score one of "
                "them again as the other was, or give --force to compare all the same"
            )
        notes += [f"{names[0]} and {name} are compared although {problem}." for problem in problems]
        if not same_judge(judges[0], judge):
            raise ValueflowError(
                f"{names[0]} and {name} have different judges ({judges[0]['model']} and "
                f"{judge['model']}, or differently set): their figures cannot be compared. Score "
                "them by one judge, or compare two runs cell by cell"
            )
    return notes


def _named(name: str, side: Sequence[ResponseRecord], evaluation: Evaluation) -> list[CellSummary]:
    """The cells of a run, whose names bear the run's."""
    named: list[Any] = [
        {
            **response,
            "values": {
                key: {**value, "cell": f"{name}: {value['cell']}"}
                for key, value in response["values"].items()
            },
        }
        for response in side
    ]
    return cell_summaries(named, cells_present(named), evaluation, {})


Unit = tuple[str, str]
"""A figure's name, and the value, pair or square that it is of."""


def _parts(cells: Sequence[CellSummary], joint: JointCells) -> dict[Unit, Part]:
    """Every figure of a run as a function of the means of its cells."""
    found: dict[Unit, Part] = {}
    for (_, value, group), own in value_parts(cells, joint).items():
        for name in ("range", "up", "down", "slope", "asymmetry"):
            if name in own:
                found[name, f"{group} {value}".strip()] = own[name]
    for prefix, units in (
        ("pair", pair_parts(cells, joint)),
        ("five", square_parts(cells, joint)),
        ("profile", profile_parts(cells, joint)),
    ):
        for unit, own in units.items():
            found |= {(f"{prefix} {name}", unit): part for name, part in own.items()}
    return found


def _both(
    names: Sequence[str], parts: Sequence[Mapping[Unit, Part]], unit: Unit
) -> Iterator[tuple[tuple[str, Part], tuple[str, Part]]]:
    """Each two runs that have a figure."""
    there = [(n, own[unit]) for n, own in zip(names, parts, strict=True) if unit in own]
    for place, one in enumerate(there):
        for other in there[place + 1 :]:
            yield one, other


def _is_quotient(what: str) -> bool:
    return what.endswith("additivity") or " fading" in what or " retained" in what


def _is_straight(what: str) -> bool:
    return " " not in what


def _figure_of(what: str, part: Part, joint: JointCells) -> Figure:
    cells, function = part
    return joint.figures(cells, function, ratio=_is_quotient(what), straight=_is_straight(what))[0]


def _figure_difference(
    what: str,
    unit: str,
    both: tuple[tuple[str, Part], tuple[str, Part]],
    joint: JointCells,
    queries: Mapping[str, int],
) -> tuple[FigureDifference, int]:
    """A difference that is not yet tested, and its degrees of freedom."""
    (first, one), (second, other) = both
    size = len(one[0])

    def minus(means: Array) -> Array:
        return np.asarray(one[1](means[..., :size]) - other[1](means[..., size:]))

    found = _figure_of(what, ([*one[0], *other[0]], minus), joint)
    fewest = min(queries[cell] for cell in (*one[0], *other[0]))
    a, b = _figure_of(what, one, joint), _figure_of(what, other, joint)
    nan = float("nan")
    test = FigureDifference(
        what, unit, first, second, a, b, found.value, found.se, nan, nan, fewest, nan, nan, False
    )
    return test, max(fewest - 1, 1)


def _decided_figures(
    found: Sequence[tuple[FigureDifference, int]], confidence: float, correction: str
) -> list[FigureDifference]:
    """The same differences with intervals and p-values; those without an error are left out."""
    known = [(test, degrees) for test, degrees in found if test.se > 0]
    degrees = np.array([one for _, one in known], dtype=np.float64)
    difference = np.array([test.difference for test, _ in known])
    se = np.array([test.se for test, _ in known])
    width = stdtrit(degrees, 0.5 + confidence / 2) * se
    p_value = _p_values(difference, se, degrees)
    corrected = adjusted(p_value, correction)
    return [
        replace(
            test,
            lower=float(test.difference - half),
            upper=float(test.difference + half),
            p_value=float(p),
            p_adjusted=float(after),
            differs=bool(after < 1 - confidence),
        )
        for (test, _), half, p, after in zip(known, width, p_value, corrected, strict=True)
    ]


def _standings(figures: Mapping[str, Figure], tests: Sequence[FigureDifference]) -> list[Standing]:
    ordered = sorted(figures, key=lambda name: (-figures[name].value, name))
    apart = {frozenset((test.first, test.second)) for test in tests if test.differs}
    groups = alike(ordered, apart)
    return [
        Standing(
            name,
            figures[name],
            tuple(number for number, group in enumerate(groups, start=1) if name in group),
        )
        for name in ordered
    ]


def alike(ordered: Sequence[str], apart: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    """The largest groups of which no two members can be told apart.

    Insert and absorb (Piepho 2004, *An algorithm for a letter-based representation of all-pairwise
    comparisons*): beginning with one group of all, each two that differ split every group that has
    both, and a group inside another is dropped.

    Args:
        ordered: names, by which groups are sorted.
        apart: pairs of names that differ.

    Returns:
        Groups in the order of their first members; every name is in one at least.
    """
    place = {name: number for number, name in enumerate(ordered)}
    groups = [frozenset(ordered)]
    for pair in sorted(apart, key=lambda pair: sorted(place[name] for name in pair)):
        split = [
            part
            for group in groups
            for part in ([group - {name} for name in pair] if pair <= group else [group])
        ]
        unique = list(dict.fromkeys(split))
        groups = [one for one in unique if not any(one < other for other in unique)]
    return sorted(groups, key=lambda group: sorted(place[name] for name in group))
