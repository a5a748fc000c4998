"""What a run says: cells, dose–response per value, and averages, from scored responses.

Knows no harness: it takes response records and returns numbers. Means and shifts come from
`evaluate`; what is read within a query (sign accuracy, monotonicity, slope) comes from the maximum-
likelihood estimates of its responses. Standard errors count a query as one observation.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from valueflow.scorers.evaluation import Evaluation, evaluate
from valueflow.scorers.records import ResponseRecord, cell_name, is_judged, window_records
from valueflow.scorers.window_table import WindowTable

__all__ = ["CellSummary", "Figure", "RunSummary", "ValueSummary", "summarize"]


@dataclass(frozen=True)
class Figure:
    """A number and its standard error (NaN where one cannot be given)."""

    value: float
    se: float = math.nan


@dataclass(frozen=True)
class CellSummary:
    """One (theory, value, level).

    Attributes:
        count: responses that were scored.
        mean: population mean of the intensity, in [−10, 10].
        spread: its standard deviation over responses.
        shift: mean minus the default's, paired by query; absent at level 0.
        sign_accuracy: share of queries whose shift has the target's sign, a zero counting half.
        refusals, unscored, over_word_limit: responses of that kind.
        responses: all responses, scored or not.
    """

    theory: str
    value: str
    group: str
    level: int
    responses: int
    count: int
    mean: Figure
    spread: float
    shift: Figure | None
    sign_accuracy: Figure | None
    refusals: int
    unscored: int
    over_word_limit: int


@dataclass(frozen=True)
class ValueSummary:
    """Dose and response of one value.

    Attributes:
        figures: `up` and `down` (shift at the highest and the lowest level, +2 and −2 by
            default), `range` (mean at the highest minus mean at the lowest), `asymmetry`
            (|up| − |down|), `monotonicity` (Kendall's τ-b of level against intensity within a
            query, averaged) and `slope` (least squares of intensity on level within a query,
            averaged); those that the data allow.
    """

    theory: str
    value: str
    group: str
    figures: dict[str, Figure]


@dataclass(frozen=True)
class RunSummary:
    """Everything that a run says; `overall` averages the figures over values."""

    cells: list[CellSummary]
    values: list[ValueSummary]
    overall: dict[str, Figure]
    counts: dict[str, int]
    evaluation: Evaluation | None
    notes: list[str] = field(default_factory=list)


def summarize(responses: Iterable[ResponseRecord], estimator: str = "population") -> RunSummary:
    """Sums up a run, or as much of one as there is.

    Args:
        responses: records of responses, from one judge, scored or not.
        estimator: see `evaluate`.

    Raises:
        ValueError: a record is malformed.
    """
    # Sorted, so that the order in which samples happen to finish changes no digit.
    records = sorted(responses, key=lambda response: (response["query"], response["item"]))
    cells = _cells_present(records)
    table = WindowTable.from_records(window_records(records))
    evaluation: Evaluation | None = None
    if table.windows:
        scored = set(table.cells)
        baselines = {
            cell: default
            for cell, (_, value, group, level) in cells.items()
            if level and cell in scored and (default := cell_name(value, 0, group)) in scored
        }
        evaluation = evaluate(table, estimator=estimator, baselines=baselines)
    by_query = _by_query(evaluation)
    cell_summaries = _cell_summaries(records, cells, evaluation, by_query)
    values, differences = _value_summaries(cell_summaries, by_query)
    return RunSummary(
        cells=cell_summaries,
        values=values,
        overall=_overall(values, differences),
        counts=_counts(records),
        evaluation=evaluation,
        notes=list(evaluation.notes) if evaluation else [],
    )


Key = tuple[str, str, str, int]
"""Theory, value, group and level of a cell."""


def _cells_present(records: Sequence[ResponseRecord]) -> dict[str, Key]:
    found: dict[str, Key] = {}
    for response in records:
        for record in response["values"].values():
            key = (record["theory"], record["value"], record["group"], record["level"])
            found[record["cell"]] = key
    # In order of appearance of the values and groups, and of the levels from low to high.
    rank = {key: i for i, key in enumerate(dict.fromkeys(key[:3] for key in found.values()))}
    return dict(sorted(found.items(), key=lambda item: (rank[item[1][:3]], item[1][3])))


ByQuery = dict[str, dict[str, float]]


def _by_query(evaluation: Evaluation | None) -> ByQuery:
    """Cell to query to the mean maximum-likelihood estimate of the query's responses."""
    collected: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for estimate in evaluation.items if evaluation else ():
        collected[estimate.cell][estimate.query].append(estimate.maximum_likelihood)
    return {
        cell: {query: float(np.mean(found)) for query, found in queries.items()}
        for cell, queries in collected.items()
    }


def _cell_summaries(
    records: Sequence[ResponseRecord],
    cells: dict[str, Key],
    evaluation: Evaluation | None,
    by_query: ByQuery,
) -> list[CellSummary]:
    means = {cell.cell: cell for cell in evaluation.cells} if evaluation else {}
    shifts = {shift.cell: shift for shift in evaluation.shifts} if evaluation else {}
    tally: dict[str, dict[str, int]] = {cell: defaultdict(int) for cell in cells}
    for response in records:
        for record in response["values"].values():
            counts = tally[record["cell"]]
            ranked = any(is_judged(window) for window in record["windows"])
            counts["responses"] += 1
            counts["refusals"] += response["refusal"]
            counts["unscored"] += not ranked
            counts["over"] += response["over_word_limit"]
    summaries = []
    for cell, (theory, value, group, level) in cells.items():
        found, shift, counts = means.get(cell), shifts.get(cell), tally[cell]
        signs = _signs(by_query, cell, cell_name(value, 0, group), level)
        summaries.append(
            CellSummary(
                theory=theory,
                value=value,
                group=group,
                level=level,
                responses=counts["responses"],
                count=counts["responses"] - counts["unscored"],
                mean=Figure(found.intensity, found.se) if found else Figure(math.nan),
                spread=found.spread if found else math.nan,
                shift=Figure(shift.shift, shift.se) if shift else None,
                sign_accuracy=_mean_figure(signs) if signs else None,
                refusals=counts["refusals"],
                unscored=counts["unscored"],
                over_word_limit=counts["over"],
            )
        )
    return summaries


def _signs(by_query: ByQuery, cell: str, default: str, level: int) -> list[float]:
    if not level:
        return []
    base = by_query.get(default, {})
    return [
        0.5 if intensity == base[query] else float((intensity > base[query]) == (level > 0))
        for query, intensity in by_query.get(cell, {}).items()
        if query in base
    ]


def _mean_figure(numbers: Sequence[float]) -> Figure:
    array = np.asarray(numbers, dtype=float)
    se = float(array.std(ddof=1) / math.sqrt(len(array))) if len(array) > 1 else math.nan
    return Figure(float(array.mean()), se)


Differences = dict[str, dict[str, dict[str, float]]]
"""Figure to value to query to the figure within that query."""


def _value_summaries(
    cells: Sequence[CellSummary], by_query: ByQuery
) -> tuple[list[ValueSummary], Differences]:
    grouped: dict[tuple[str, str, str], dict[int, CellSummary]] = defaultdict(dict)
    for cell in cells:
        grouped[cell.theory, cell.value, cell.group][cell.level] = cell
    summaries = []
    within: Differences = defaultdict(lambda: defaultdict(dict))
    for (theory, value, group), levels in grouped.items():
        name_of = cell_name(value, 0, group)
        queries = {
            level: found
            for level in sorted(levels)
            if (found := by_query.get(cell_name(value, level, group)))
        }
        high, low = max(levels), min(levels)
        figures: dict[str, Figure] = {}
        up = levels[high].shift if high > 0 else None
        down = levels[low].shift if low < 0 else None
        if up is not None:
            figures["up"] = up
            within["up"][name_of] = _differences(queries, high, 0)
        if down is not None:
            figures["down"] = down
            within["down"][name_of] = _differences(queries, low, 0)
        if up is not None and down is not None:
            span = _differences(queries, high, low)
            rise, fall = within["up"][name_of], within["down"][name_of]
            both = {
                query: math.copysign(1, up.value) * rise[query]
                - math.copysign(1, down.value) * fall[query]
                for query in rise
                if query in fall
            }
            figures["range"] = Figure(
                levels[high].mean.value - levels[low].mean.value,
                _mean_figure(list(span.values())).se if span else math.nan,
            )
            figures["asymmetry"] = Figure(
                abs(up.value) - abs(down.value),
                _mean_figure(list(both.values())).se if both else math.nan,
            )
            within["range"][name_of], within["asymmetry"][name_of] = span, both
        for name, function in (("monotonicity", _kendall), ("slope", _slope)):
            per_query = _within_queries(queries, function)
            if per_query:
                figures[name] = _mean_figure(list(per_query.values()))
                within[name][name_of] = per_query
        summaries.append(ValueSummary(theory, value, group, figures))
    return summaries, within


def _differences(queries: dict[int, dict[str, float]], one: int, other: int) -> dict[str, float]:
    base = queries.get(other, {})
    return {q: x - base[q] for q, x in queries.get(one, {}).items() if q in base}


def _within_queries(
    queries: dict[int, dict[str, float]], function: Callable[[np.ndarray, np.ndarray], float]
) -> dict[str, float]:
    points: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for level, found in queries.items():
        for query, intensity in found.items():
            points[query].append((level, intensity))
    return {
        query: function(*map(np.array, zip(*pairs, strict=True)))
        for query, pairs in points.items()
        if len(pairs) >= 2
    }


def _kendall(levels: np.ndarray, intensities: np.ndarray) -> float:
    """Kendall's τ-b; levels are never tied, and equal intensities all round give 0."""
    pairs = list(combinations(range(len(levels)), 2))
    signs = [
        np.sign(levels[j] - levels[i]) * np.sign(intensities[j] - intensities[i]) for i, j in pairs
    ]
    untied = sum(intensities[j] != intensities[i] for i, j in pairs)
    return float(sum(signs) / math.sqrt(len(pairs) * untied)) if untied else 0.0


def _slope(levels: np.ndarray, intensities: np.ndarray) -> float:
    centred = levels - levels.mean()
    return float(centred @ intensities / (centred @ centred))


def _overall(values: Sequence[ValueSummary], within: Differences) -> dict[str, Figure]:
    """Averages over values; the standard error comes from each query's average over values."""
    overall: dict[str, Figure] = {}
    for name in ("up", "down", "range", "asymmetry", "monotonicity", "slope"):
        found = [summary.figures[name].value for summary in values if name in summary.figures]
        if not found:
            continue
        queries: dict[str, list[float]] = defaultdict(list)
        for differences in within[name].values():
            # Centred within the value, so that values missing from a query do not count as noise.
            centre = float(np.mean(list(differences.values()))) if differences else 0.0
            for query, number in differences.items():
                queries[query].append(number - centre)
        se = _mean_figure([float(np.mean(q)) for q in queries.values()]).se if queries else math.nan
        overall[name] = Figure(float(np.mean(found)), se)
    return overall


def _counts(records: Sequence[ResponseRecord]) -> dict[str, int]:
    windows = [
        window
        for response in records
        for record in response["values"].values()
        for window in record["windows"]
    ]
    return {
        "responses": len(records),
        "refusals": sum(response["refusal"] for response in records),
        "unscored": sum(response["unscored"] is not None for response in records),
        "over_word_limit": sum(response["over_word_limit"] for response in records),
        "truncated": sum(bool(response.get("truncated")) for response in records),
        "windows": len(windows),
        "windows_failed": sum(not is_judged(window) for window in windows),
        "judge_calls": sum(window["calls"] for window in windows),
        "judge_retries": sum(max(window["calls"] - 1, 0) for window in windows),
        "judge_repairs": sum(window["repaired"] for window in windows),
        "choice_fallbacks": sum(window.get("fallback") is not None for window in windows),
        "anchors_borrowed": sum(
            record["borrowed"] for response in records for record in response["values"].values()
        ),
        "anchors_repeated": sum(
            record["repeated"] for response in records for record in response["values"].values()
        ),
    }
