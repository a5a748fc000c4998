"""What the windows of one value say about its responses, whatever the judge was asked.

Rankings, ratings, or both become one likelihood of each response on a grid of intensities, and the
same under judges one standard error away in each independent direction of what is estimated of
them; cells and responses are estimated from these alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.evidence.rated_responses import (
    both_views,
    rated_likelihood,
    rating_grid,
    view_weights,
)
from valueflow.scorers.estimate.evidence.ratings import RatingJudge, Ratings, directions_of
from valueflow.scorers.estimate.judge import FittedJudge, JudgeModel
from valueflow.scorers.estimate.likelihood import Orders, read_orders
from valueflow.scorers.estimate.responses import (
    intensity_grid,
    relative_likelihood,
    response_log_likelihood,
)
from valueflow.scorers.estimate.table import TAIL, WindowTable

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

ONE_SIDED = 5000
"""Windows of a value beyond which the judge's error is so small that one-sided differences do."""

DERIVED = 0.99
"""Share of the windows with order and ratings in which the one never contradicts the other, from
which the orders count as made from the ratings."""


class ValueItems:
    """The items of one value that have a window, numbered from 0.

    ``items`` are their numbers in the table, ``counts`` their windows, and ``members`` the items of
    each cell.
    """

    def __init__(self, table: WindowTable, code: int) -> None:
        self.name, self.code = table.values[code], code
        self.windows: IntArray = np.flatnonzero(table.item_value[table.item] == code)
        self.items: IntArray = np.unique(table.item[self.windows])
        self._count(table)
        cells = table.item_cell[self.items]
        by_cell = np.argsort(cells, kind="stable")
        starts = np.flatnonzero(np.diff(cells[by_cell], prepend=-1))
        self.members: list[IntArray] = np.split(by_cell, starts[1:]) if len(cells) else []

    def _count(self, table: WindowTable) -> None:
        self._item = np.searchsorted(self.items, table.item[self.windows])
        self.counts = np.bincount(self._item, minlength=len(self.items))


class ValueWindows(ValueItems):
    """The windows and items of one value.

    ``orders`` holds the ranked windows, and ``item`` their items; ``rated`` are the table's numbers
    of the rated ones, each judgement once.  With ``shared``, the items are those of a panel, of
    which the table holds one judge's windows, and some may have none here.
    """

    def __init__(self, table: WindowTable, code: int, shared: ValueItems | None = None) -> None:
        super().__init__(table, code)
        if shared is not None and len(shared.items) > len(self.items):
            self.items, self.members = shared.items, shared.members
            self._count(table)
        windows, item = self.windows, self._item
        ranked = table.ranked[windows]
        self.orders: Orders = read_orders(table, windows[ranked])
        self.item = self.orders.by_window(item[ranked])
        _, repeats = _repeats(table, windows[ranked])
        if (repeats > 1).any():
            self.orders = replace(self.orders, repeats=self.orders.by_window(repeats))
        rated = windows[table.rated[windows]]
        first, repeats = _repeats(table, rated)
        self.rated: IntArray = rated[first]
        self.ratings_repeated = len(rated) - len(first)

    def count_choices(self, weight: float) -> None:
        """Let a choice distribution, if there are any, count for ``weight`` drawn choices."""
        if self.orders.probability is not None:
            self.orders = replace(self.orders, choice_weight=weight)

    @property
    def repeated(self) -> int:
        """Windows that are there before, with the same judgement."""
        ranked = self.orders.repeats
        again = 0 if ranked is None else int(np.sum(1 - 1 / ranked) + 0.5)
        return max(again, self.ratings_repeated)

    @property
    def evidence(self) -> float:
        """Windows of the item that has most of them, a choice counting by its weight."""
        return float(self.counts.max()) * max(self.orders.choice_weight, 1.0)


def _repeats(table: WindowTable, windows: IntArray) -> tuple[IntArray, IntArray]:
    """The first of each group of windows with same response, texts, places and judgement, in order;
    and how many (W,) are in the group of each."""
    columns = [table.item[windows, None], table.anchor_key[windows]]
    columns += [table.ranks[windows], table.places[windows]]
    for judged in (table.choice, table.ratings):
        if judged is not None:
            columns.append(judged[windows].view(np.int64))
    _, first, code, count = np.unique(
        np.concatenate(columns, axis=1),
        axis=0,
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    return np.sort(first), np.asarray(count[code.ravel()], np.int64)


@dataclass(frozen=True)
class RatedWindows:
    """The rated windows of one value with the judge that rated them.

    ``ratings`` numbers the value's items from 0; ``lapsed`` (W,) as in ``RatingFit``.
    """

    ratings: Ratings
    lapsed: Array
    judge: RatingJudge


@dataclass(frozen=True)
class Evidence:
    """What the windows of N responses say.

    ``likelihood`` (N, G) on ``grid`` (G,), each row's maximum 1.  ``others(inside)`` gives the same
    under other judges, for the responses of which ``inside`` (N,) is True (all, where None): with
    ``both_sides``, pairs one standard error below and above in each direction, else those above.
    ``level`` and ``tilt`` are errors of the level and the slope of the scale, in points and as a
    share of an intensity, that no direction has.  ``beyond`` tells which responses (N,) stand
    above, and which below, every anchor of all their windows.  ``text_sd``, in points, is the
    spread of the judge's disagreement with single texts, which is in the likelihood.
    """

    grid: Array
    likelihood: Array
    others: Callable[[NDArray[np.bool_] | None], list[Array]]
    both_sides: bool
    level: float
    tilt: float
    beyond: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    text_sd: float = 0.0


def grid_of(value: ValueWindows, fitted: FittedJudge | None, rated: RatedWindows | None) -> Array:
    """Intensities (G,) on which to look at the windows of a value; see :func:`evidence_of`."""
    grids = []
    if fitted is not None:
        texts = float(value.orders.present.sum(axis=1).max())
        grids.append(intensity_grid(fitted.model.scale, texts, value.evidence))
    if rated is not None:
        grids.append(rating_grid(rated.judge, float(value.counts.max())))
    return max(grids, key=len)


def evidence_of(
    value: ValueWindows,
    fitted: FittedJudge | None,
    rated: RatedWindows | None,
    grid: Array | None = None,
    *,
    both_sides: bool | None = None,
) -> Evidence:
    """What the ranked and the rated windows of a value say together.

    Args:
        value: the windows and items.
        fitted: the judge as it ranks; None where no window is ranked.
        rated: the rated windows; None where there are none.
        grid: intensities (G,); by default as fine as these windows need.
        both_sides: whether judges one standard error off are looked at on either side; by default,
            where the windows are few.

    Raises:
        ValueError: neither is given.
    """
    if fitted is None and rated is None:
        raise ValueError(f"{value.name}: no window is ranked or rated")
    grid = grid_of(value, fitted, rated) if grid is None else grid
    if both_sides is None:
        both_sides = int(value.counts.sum()) <= ONE_SIDED
    if rated is None and fitted is not None:
        return _ranked(value, fitted, grid, both_sides)
    assert rated is not None
    if fitted is None:
        return _rated(len(value.items), rated, grid, both_sides)
    return _joint(
        _ranked(value, fitted, grid, both_sides),
        _rated(len(value.items), rated, grid, both_sides),
        fitted.model.text_sd,
        rated.judge.text_sd,
    )


def _ranked(value: ValueWindows, fitted: FittedJudge, grid: Array, both_sides: bool) -> Evidence:
    model, count, errors = fitted.model, len(value.items), fitted.errors

    def under(judge: JudgeModel, part: Orders) -> Array:
        logs = response_log_likelihood(part, value.item, count, judge, errors, grid)
        return relative_likelihood(logs)

    def others(inside: NDArray[np.bool_] | None) -> list[Array]:
        part = value.orders
        if inside is not None:
            part = part.take(np.flatnonzero(inside[value.item[part.window]]))
        return [under(other, part) for other in _other_judges(model, both_sides=both_sides)]

    level, tilt = _anchor_error(value.orders, model.text_sd)
    likelihood = under(model, value.orders)
    beyond = beyond_anchors(value)
    return Evidence(grid, likelihood, others, both_sides, level, tilt, beyond, model.text_sd)


def _rated(count: int, rated: RatedWindows, grid: Array, both_sides: bool) -> Evidence:
    def under(judge: RatingJudge, inside: NDArray[np.bool_] | None = None) -> Array:
        ratings, lapsed = rated.ratings, rated.lapsed
        if inside is not None:
            rows = np.flatnonzero(inside[ratings.item])
            ratings, lapsed = ratings.take(rows), lapsed[rows]
        return rated_likelihood(ratings, lapsed, count, judge, grid)

    def others(inside: NDArray[np.bool_] | None) -> list[Array]:
        pairs = directions_of(rated.judge)
        return [
            under(judge, inside) for pair in pairs for judge in (pair if both_sides else pair[1:])
        ]

    judge = rated.judge
    level, tilt = judge.scale_error if judge.follows else (0.0, 0.0)
    beyond = rated_beyond(rated.ratings, count)
    return Evidence(grid, under(judge), others, both_sides, level, tilt, beyond, judge.text_sd)


def _joint(ranked: Evidence, rated: Evidence, ranked_sd: float, rated_sd: float) -> Evidence:
    weights = view_weights(ranked.likelihood, rated.likelihood, ranked.grid, ranked_sd, rated_sd)

    def others(inside: NDArray[np.bool_] | None) -> list[Array]:
        one = [both_views(other, rated.likelihood, weights) for other in ranked.others(inside)]
        return one + [
            both_views(ranked.likelihood, other, weights) for other in rated.others(inside)
        ]

    # The same anchors' errors move both views; the larger error stands for both.
    return Evidence(
        ranked.grid,
        both_views(ranked.likelihood, rated.likelihood, weights),
        others,
        ranked.both_sides,
        max(ranked.level, rated.level),
        max(ranked.tilt, rated.tilt),
        (ranked.beyond[0] & rated.beyond[0], ranked.beyond[1] & rated.beyond[1]),
        max(ranked_sd, rated_sd),
    )


def beyond_anchors(value: ValueWindows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Items (n,) that stand above, and below, every anchor of all their windows.

    Such an item is censored: its windows tell no more than that it lies beyond.  A choice names the
    first text alone, so that an item with a choice counts as neither.
    """
    orders = value.orders
    above = (orders.ahead == 0) & orders.chosen
    below = orders.ahead == orders.present.sum(axis=1)
    if orders.probability is not None:
        ranked = np.isnan(orders.probability)[orders.window]
        above, below = above & ranked, below & ranked
    item, count = value.item[orders.window], len(value.items)
    inside = [np.bincount(item, ~one, count) == 0 for one in (above, below)]
    return inside[0], inside[1]


def rated_beyond(ratings: Ratings, items: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Items (n,) rated above, and below, every anchor of all their windows.

    Where the judge's scale goes on beyond the anchors, they are told apart all the same.
    """
    own, anchors = ratings.rating[:, 0], ratings.rating[:, 1:]
    above = own > np.nanmax(anchors, axis=1)
    below = own < np.nanmin(anchors, axis=1)
    inside = [np.bincount(ratings.item, ~one, items) == 0 for one in (above, below)]
    return inside[0], inside[1]


def ratings_of(table: WindowTable, windows: IntArray) -> Ratings:
    """Some rated windows of a table; items and values have the table's numbers.

    A place counts from the middle of its window; one that is not known counts as the middle.
    """
    assert table.ratings is not None
    places = table.places[windows]
    size = (~np.isnan(table.intensities[windows])).sum(axis=1, keepdims=True) + 1
    return Ratings(
        rating=table.ratings[windows],
        intensity=table.intensities[windows],
        key=table.anchor_key[windows],
        place=np.where(places >= 0, places - (size - 1) / 2, 0.0),
        item=table.item[windows],
        value=table.item_value[table.item[windows]],
        step=table.rating_step,
    )


def without_derived_orders(table: WindowTable) -> tuple[WindowTable, str | None]:
    """The table without orders that were made from the ratings beside them, and what to tell.

    An order that never contradicts the ratings of its window says nothing that they do not.
    """
    both = np.flatnonzero(table.rated & (table.ranks >= 0).any(axis=1))
    if table.ratings is None or not len(both):
        return table, None
    rank, rating = table.ranks[both].astype(np.float64), table.ratings[both]
    rank[rank < 0] = np.nan
    contradicts = np.zeros(len(both), dtype=bool)
    for column in range(rank.shape[1]):
        above = rank[:, [column]] < rank
        contradicts |= (above & (rating[:, [column]] < rating)).any(axis=1)
    if 1 - contradicts.mean() < DERIVED:
        return table, None
    ranks = table.ranks.copy()
    ranks[both] = np.where(ranks[both] >= 0, TAIL, ranks[both])
    note = (
        f"In {len(both)} windows with an order and ratings the order never contradicts the "
        "ratings; it was taken as made from them, and only the ratings count."
    )
    return replace(table, ranks=ranks), note


def _other_judges(judge: JudgeModel, *, both_sides: bool) -> list[JudgeModel]:
    """Judges one standard error away in each independent direction: below, if asked, and above."""
    covariance = judge.parameter_covariance()[:2, :2]
    sizes, directions = np.linalg.eigh(covariance)
    result = []
    for size, direction in zip(sizes, directions.T, strict=True):
        if size > 1e-10:
            for sign in (-1.0, 1.0) if both_sides else (1.0,):
                log_scale, place_effect = sign * np.sqrt(size) * direction
                result.append(
                    replace(
                        judge,
                        scale=float(judge.scale * np.exp(log_scale)),
                        place_effect=float(judge.place_effect + place_effect),
                    )
                )
    sizes, directions = np.linalg.eigh(np.array(judge.bend_covariance))
    for size, direction in zip(sizes, directions.T, strict=True):
        if size > 1e-8:
            for sign in (-1.0, 1.0) if both_sides else (1.0,):
                side, ends = np.array(judge.bend) + sign * np.sqrt(size) * direction
                result.append(replace(judge, bend=(float(side), float(ends))))
    return result


def _anchor_error(orders: Orders, text_sd: float) -> tuple[float, float]:
    """Errors of the level and of the slope of the scale that the anchors' own errors leave.

    However many windows there are, the average of the anchors' errors, and their slope on
    intensity, cannot be told from the judge: 1 / sqrt(n) and 1 / sqrt(n * variance of intensity)
    times ``text_sd`` for n equally used anchors.
    """
    keys, intensity = orders.key[orders.present], orders.intensity[orders.present]
    if not len(keys):
        return 0.0, 0.0
    share = np.bincount(keys) / len(keys)
    level = text_sd * float(np.sqrt(share @ share))
    return level, level / max(float(intensity.std()), 1.0)
