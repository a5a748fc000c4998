"""Dose and response: how far a value goes up and down, and how steadily, from its cells.

Everything is read off the cells' populations, never off estimates of single responses: these are
clipped by the scale and scattered by the judge, which makes a slope too flat and a sign accuracy
too low. Averages over values use the joint errors of all cells, since values share their questions.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from valueflow.scorers.estimate.covariance import LIMIT, JointCells, Part, average_of
from valueflow.scorers.figures import Figure, mean_figure
from valueflow.scorers.records import cell_name
from valueflow.scorers.summary.cells import ByQuery, CellKey, CellSummary
from valueflow.scorers.summary.levels import order_draws

__all__ = [
    "ValueSummary",
    "published_summaries",
    "sign_accuracies",
    "steered_orders",
    "value_parts",
    "value_summaries",
]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ValueSummary:
    """Dose and response of one value.

    Attributes:
        figures: `up` and `down` (shift at the highest and the lowest level, +2 and −2 by
            default), `range` (mean at the highest minus mean at the lowest), `asymmetry`
            (|up| − |down|) with `room_up` and `room_down` (points from the default to the ends of
            the scale, the most that either can be), `sign_accuracy` (probability that a response
            differs from the default's to the same question as the level says, averaged over
            levels), `monotonicity` (probability that of two levels the higher has the higher
            response to the same question, minus that it has the lower, averaged over pairs of
            levels: the expectation of Kendall's τ) and `slope` (least squares of the mean on the
            level); those that the data allow.
    """

    theory: str
    value: str
    group: str
    figures: dict[str, Figure]


OVERALL = ("up", "down", "range", "asymmetry", "sign_accuracy", "monotonicity", "slope")
"""Figures that are averaged over values."""

Levels = dict[int, CellSummary]
Orders = Mapping[tuple[str, str], Array]
"""Probability (1 + D,) that the second of two cells exceeds the first at a question, in the middle
of the posterior and in draws from it."""


def _by_value(cells: Sequence[CellSummary]) -> dict[tuple[str, str, str], Levels]:
    """Cells by theory, value and group, then by level from low to high."""
    grouped: dict[tuple[str, str, str], Levels] = defaultdict(dict)
    for cell in cells:
        if not cell.condition:
            grouped[cell.theory, cell.value, cell.group][cell.level] = cell
    return {key: dict(sorted(levels.items())) for key, levels in grouped.items()}


def steered_orders(cells: Mapping[str, CellKey], joint: JointCells) -> Orders:
    """Order probabilities of the levels of each value, and of what else was steered from its
    default.

    Args:
        cells: from `cells_present`.
        joint: the cells' means with their errors, of the population estimator.
    """
    alone: dict[tuple[str, str, str], dict[int, str]] = defaultdict(dict)
    pairs: list[tuple[str, str]] = []
    for name, key in cells.items():
        if name not in joint.index:
            continue
        if not key.condition:
            alone[key.theory, key.value, key.group][key.level] = name
        elif key.level and key.default in joint.index:
            pairs.append(_sign_pair(name, key))
    for levels in alone.values():
        pairs.extend(combinations([levels[level] for level in sorted(levels)], 2))
    return order_draws(joint, pairs)


def _sign_pair(name: str, key: CellKey) -> tuple[str, str]:
    """Two cells of which the second has the higher responses where the level acts as it says."""
    return (key.default, name) if key.level > 0 else (name, key.default)


def sign_accuracies(cells: Mapping[str, CellKey], orders: Orders) -> dict[str, Figure]:
    """Cell to the probability that a response differs from the default's as the level says."""
    return {
        name: _share(orders[pair])
        for name, key in cells.items()
        if key.level and (pair := _sign_pair(name, key)) in orders
    }


def _share(found: Array, low: float = 0.0) -> Figure:
    """A share between ``low`` and 1 from what `order_draws` gives, or averages of it.

    A draw scatters about an estimate that scatters itself, which takes a share near 1 toward the
    middle twice; its interval is that of the draws about their median, moved to the share on the
    probit scale.
    """
    probit = ndtri(np.clip((found - low) / (1 - low), 1e-6, 1 - 1e-6))
    bounds = np.percentile(probit[1:], (2.5, 97.5)) - np.median(probit[1:])
    lower, upper = low + (1 - low) * ndtr(probit[0] + bounds)
    return Figure(float(found[0]), float(found[1:].std()), float(lower), float(upper))


def value_summaries(
    cells: Sequence[CellSummary], joint: JointCells, orders: Orders
) -> tuple[list[ValueSummary], dict[str, Figure]]:
    """Dose and response of each value, and the averages over values.

    Args:
        cells: all cells of a run; those of several targets are left out.
        joint: the cells' means with their errors, of the population estimator.
        orders: from `steered_orders`.
    """
    summaries: list[ValueSummary] = []
    parts: dict[str, list[Part]] = defaultdict(list)
    shares: dict[str, list[Array]] = defaultdict(list)
    for (theory, value, group), levels in _by_value(cells).items():
        figures: dict[str, Figure] = {}
        known = {level: cell for level, cell in levels.items() if cell.cell in joint.index}
        for name, (names, function) in _straight(levels, known).items():
            figures[name] = joint.figures(names, function, straight=True)[0]
            parts[name].append((names, function))
        high, low = max(levels), min(levels)
        for name, level in (("up", high), ("down", low)):
            shift = levels[level].shift
            if name in figures and shift is not None:
                figures[name] = shift
        if 0 in known:
            default = known[0].mean
            for name, sign in (("room_up", 1), ("room_down", -1)):
                if {"up", "down"} & set(figures):
                    figures[name] = _room(default, known[0], sign)
        for name, drawn in _shares(levels, orders).items():
            figures[name] = _share(drawn, _LOWEST[name])
            shares[name].append(drawn)
        figures = {name: figures[name] for name in _ORDER if name in figures}
        summaries.append(ValueSummary(theory, value, group, figures))
    overall: dict[str, Figure] = {}
    for name in OVERALL:
        if parts.get(name):
            overall[name] = joint.figures(*average_of(parts[name]), straight=True)[0]
        elif shares.get(name):
            overall[name] = _share(np.mean(shares[name], axis=0), _LOWEST[name])
    return summaries, overall


def value_parts(
    cells: Sequence[CellSummary], joint: JointCells
) -> dict[tuple[str, str, str], dict[str, Part]]:
    """By theory, value and group: `up`, `down`, `range`, `asymmetry` and `slope` as functions of
    the cells' means; those that the data allow. See `value_summaries`."""
    found = {}
    for key, levels in _by_value(cells).items():
        known = {level: cell for level, cell in levels.items() if cell.cell in joint.index}
        found[key] = _straight(levels, known)
    return found


_LOWEST = {"sign_accuracy": 0.0, "monotonicity": -1.0}
_ORDER = ("up", "down", "range", "asymmetry", "room_up", "room_down", *OVERALL[4:])


def _room(default: Figure, cell: CellSummary, sign: int) -> Figure:
    lower, upper = LIMIT - sign * cell.upper, LIMIT - sign * cell.lower
    return Figure(LIMIT - sign * default.value, default.se, min(lower, upper), max(lower, upper))


def _straight(levels: Levels, known: Levels) -> dict[str, Part]:
    """The figures that are weighted sums of means, as functions of the cells' means."""
    high, low = max(levels), min(levels)
    rise = high > 0 and {0, high} <= set(known)
    fall = low < 0 and {0, low} <= set(known)
    weights: dict[str, dict[int, float]] = {}
    if rise:
        weights["up"] = {high: 1.0, 0: -1.0}
    if fall:
        weights["down"] = {low: 1.0, 0: -1.0}
    if rise and fall:
        up = math.copysign(1, known[high].mean.value - known[0].mean.value)
        down = math.copysign(1, known[low].mean.value - known[0].mean.value)
        weights["range"] = {high: 1.0, low: -1.0}
        weights["asymmetry"] = {high: up, low: -down, 0: down - up}
    if len(known) > 1:
        centred = np.array(list(known)) - np.mean(list(known))
        slope = centred / (centred @ centred)
        weights["slope"] = dict(zip(known, slope.tolist(), strict=True))
    return {
        name: ([known[level].cell for level in own], _weighted(list(own.values())))
        for name, own in weights.items()
    }


def _weighted(weights: Sequence[float]) -> Callable[[Array], Array]:
    fixed = np.array(weights)
    return lambda means: np.asarray(means @ fixed)[..., None]


def _shares(levels: Levels, orders: Orders) -> dict[str, Array]:
    """Draws of sign accuracy and monotonicity, where there are levels to compare."""
    found = {}
    names = {level: cell.cell for level, cell in levels.items()}
    pairs = {
        (one, other): orders[names[one], names[other]]
        for one, other in combinations(names, 2)
        if (names[one], names[other]) in orders
    }
    signs = [drawn for levels_of, drawn in pairs.items() if 0 in levels_of]
    if signs:
        found["sign_accuracy"] = np.mean(signs, axis=0)
    if pairs:
        found["monotonicity"] = 2 * np.mean(list(pairs.values()), axis=0) - 1
    return found


Differences = dict[str, dict[str, dict[str, float]]]
"""Figure to value to query to the figure within that query."""


def published_summaries(
    cells: Sequence[CellSummary], by_query: ByQuery
) -> tuple[list[ValueSummary], dict[str, Figure]]:
    """The same for the published estimator, which knows single responses only.

    What is read within a query is averaged over queries, with Student's t; the error of an average
    over values comes from each query's average over values.
    """
    summaries = []
    within: Differences = defaultdict(lambda: defaultdict(dict))
    for (theory, value, group), levels in _by_value(cells).items():
        name_of = cell_name(value, 0, group)
        queries = {
            level: found
            for level in levels
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
            figures["range"] = _centred(span, levels[high].mean.value - levels[low].mean.value)
            figures["asymmetry"] = _centred(both, abs(up.value) - abs(down.value))
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
    return summaries, _averages(summaries, within)


def _centred(differences: Mapping[str, float], value: float) -> Figure:
    """A figure with the error and the interval of what it is within queries."""
    if not differences:
        return Figure(value)
    found = mean_figure(list(differences.values()))
    move = value - found.value
    return Figure(value, found.se, found.lower + move, found.upper + move)


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
    queries: dict[int, dict[str, float]], function: Callable[[Array, Array], float]
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


def _kendall(levels: Array, intensities: Array) -> float:
    """Kendall's τ-b; levels are never tied, and equal intensities all round give 0."""
    pairs = list(combinations(range(len(levels)), 2))
    signs = [
        np.sign(levels[j] - levels[i]) * np.sign(intensities[j] - intensities[i]) for i, j in pairs
    ]
    untied = sum(intensities[j] != intensities[i] for i, j in pairs)
    return float(sum(signs) / math.sqrt(len(pairs) * untied)) if untied else 0.0


def _slope(levels: Array, intensities: Array) -> float:
    centred = levels - levels.mean()
    return float(centred @ intensities / (centred @ centred))


def _averages(values: Sequence[ValueSummary], within: Differences) -> dict[str, Figure]:
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
        own = {query: float(np.mean(numbers)) for query, numbers in queries.items()}
        overall[name] = _centred(own, float(np.mean(found)))
    return overall
