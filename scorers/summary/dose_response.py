"""Dose and response: how far a value goes up and down, and how steadily, from its cells."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from valueflow.scorers.figures import Figure, mean_figure
from valueflow.scorers.records import cell_name
from valueflow.scorers.summary.cells import ByQuery, CellSummary

__all__ = ["ValueSummary", "overall_figures", "value_summaries"]


@dataclass(frozen=True)
class ValueSummary:
    """Dose and response of one value.

    Attributes:
        figures: `up` and `down` (shift at the highest and the lowest level, +2 and −2 by
            default), `sign_accuracy` (share of queries and levels that moved as the level says),
            `range` (mean at the highest minus mean at the lowest), `asymmetry`
            (|up| − |down|), `monotonicity` (Kendall's τ-b of level against intensity within a
            query, averaged) and `slope` (least squares of intensity on level within a query,
            averaged); those that the data allow.
    """

    theory: str
    value: str
    group: str
    figures: dict[str, Figure]


OVERALL = ("up", "down", "range", "asymmetry", "sign_accuracy", "monotonicity", "slope")
"""Figures that are averaged over values."""

Differences = dict[str, dict[str, dict[str, float]]]
"""Figure to value to query to the figure within that query."""


def value_summaries(
    cells: Sequence[CellSummary], by_query: ByQuery
) -> tuple[list[ValueSummary], Differences]:
    grouped: dict[tuple[str, str, str], dict[int, CellSummary]] = defaultdict(dict)
    for cell in cells:
        if cell.condition:
            continue
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
                mean_figure(list(span.values())).se if span else math.nan,
            )
            figures["asymmetry"] = Figure(
                abs(up.value) - abs(down.value),
                mean_figure(list(both.values())).se if both else math.nan,
            )
            within["range"][name_of], within["asymmetry"][name_of] = span, both
        signs = _sign_shares(queries)
        if signs:
            figures["sign_accuracy"] = mean_figure(list(signs.values()))
            within["sign_accuracy"][name_of] = signs
        for name, function in (("monotonicity", _kendall), ("slope", _slope)):
            per_query = _within_queries(queries, function)
            if per_query:
                figures[name] = mean_figure(list(per_query.values()))
                within[name][name_of] = per_query
        summaries.append(ValueSummary(theory, value, group, figures))
    return summaries, within


def _differences(queries: dict[int, dict[str, float]], one: int, other: int) -> dict[str, float]:
    base = queries.get(other, {})
    return {q: x - base[q] for q, x in queries.get(one, {}).items() if q in base}


def _sign_shares(queries: dict[int, dict[str, float]]) -> dict[str, float]:
    """Query to the share of its levels at which it moved the way the level says."""
    shares: dict[str, list[float]] = defaultdict(list)
    for level in queries:
        if level:
            for query, moved in _differences(queries, level, 0).items():
                shares[query].append(0.5 if moved == 0 else float((moved > 0) == (level > 0)))
    return {query: float(np.mean(found)) for query, found in shares.items()}


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


def overall_figures(values: Sequence[ValueSummary], within: Differences) -> dict[str, Figure]:
    """Averages over values; the standard error comes from each query's average over values."""
    overall: dict[str, Figure] = {}
    for name in OVERALL:
        found = [summary.figures[name].value for summary in values if name in summary.figures]
        if not found:
            continue
        queries: dict[str, list[float]] = defaultdict(list)
        for differences in within[name].values():
            # Centred within the value, so that values missing from a query do not count as noise.
            centre = float(np.mean(list(differences.values()))) if differences else 0.0
            for query, number in differences.items():
                queries[query].append(number - centre)
        se = mean_figure([float(np.mean(q)) for q in queries.values()]).se if queries else math.nan
        overall[name] = Figure(float(np.mean(found)), se)
    return overall
