"""The likelihood of ranked windows under Plackett-Luce with a place effect.

A judge builds an order from the top: at each stage it takes text i among those left with
probability proportional to its worth, exp(scale * intensity_i - place_effect * place_i)
(Luce 1959; Plackett 1975, section 2).  Dropping a text from such an order leaves an order of the
same kind over the others, so a window splits exactly into the order of its anchors, which teaches
about the judge alone, and the slot at which the response was inserted, which teaches about the
response.  An order that names only its first texts uses the stages it has.  A tie says nothing on
the order inside it: its probability is the sum over the orders that it allows.  A distribution over
which text comes first is one partial order for each text, weighted by its probability.

`valueflow.scorers.database.ranking.likelihood` treats ties by another rule: there a tie is the mean
*log*-likelihood over its orders, a draw that pulls the tied texts together; here it is the sum of
their probabilities, and a tie of two texts alone teaches nothing. Here anchors have known
intensities and few windows show a response. Draws would take a coarse answer for a judge of small
scale, and count as information that nobody gave; and a window's lapse needs a true probability.
There all utilities are unknown, so that the rule must keep the log-likelihood concave and must
place texts that were only ever tied.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.table import PAD, TAIL, WindowTable

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

ORDERS_OF_A_TIE = 120
"""Most orders that the ties of one window are spelled out to; beyond, an even selection of them."""


@dataclass(frozen=True)
class Orders:
    """Windows as strict (possibly partial) orders: R rows, each one order that a window allows.

    Columns of the (R, A) arrays are anchors from the first picked to the last, then unnamed ones.
    ``window`` (R,) is the row's window, ``share`` (R,) one over the number of rows of that window.
    ``intensity`` and ``place`` (R, A) are 0 and ``present`` False in unused columns; ``key`` (R, A)
    tells anchor texts apart.  ``picks`` (R, A) is True where the order tells that this anchor was
    picked next.  ``named`` (R,) counts the anchors that the order names, ``ahead``
    (R,) those ahead of the response, ``chosen`` (R,) is True where the response itself was picked
    while anchors were left.  ``place_of_response`` (R,) counts from the same origin as ``place``.
    Rows are sorted by ``ahead`` + ``chosen``, the stages that saw the response, most first.

    A window that is a choice is split into one window for each text that might come first, with
    that text's ``probability`` (W,), NaN for windows that were ranked; ``source`` (W,) numbers the
    windows as the judge was asked them.  Both are None where no window is a choice.
    ``choice_weight`` is the number of drawn choices that one distribution counts for.
    ``repeats`` (W,) counts how often a window is there, itself included, with the same judgement:
    together they count once.  None where none is repeated.
    """

    window: IntArray
    share: Array
    intensity: Array
    place: Array
    present: NDArray[np.bool_]
    picks: NDArray[np.bool_]
    key: IntArray
    named: IntArray
    ahead: IntArray
    chosen: NDArray[np.bool_]
    place_of_response: Array
    windows: int
    probability: Array | None = None
    source: IntArray | None = None
    choice_weight: float = 1.0
    repeats: IntArray | None = None

    def take(self, rows: slice | IntArray) -> Orders:
        """Some of the rows; windows keep their numbers."""
        names = (field.name for field in fields(self) if field.name not in _BY_WINDOW)
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def every(self, step: int) -> Orders:
        """Every ``step``-th window as the judge was asked them, numbered anew.

        What is counted by window, such as lapses, must not see the windows that were left out.
        """
        part = self.take(np.flatnonzero(self.question % step == 0))
        old, window = np.unique(part.window, return_inverse=True)
        probability = None if self.probability is None else self.probability[old]
        source = None
        if self.source is not None:
            source = np.unique(self.source[old], return_inverse=True)[1]
        return replace(
            part,
            window=window,
            windows=len(old),
            probability=probability,
            source=source,
            repeats=None if self.repeats is None else self.repeats[old],
        )

    @property
    def question(self) -> IntArray:
        """Window (R,) of each row, numbered as the judge was asked."""
        return self.window if self.source is None else self.source[self.window]

    @property
    def questions(self) -> int:
        """Number of windows that the judge was asked."""
        return self.windows if self.source is None else int(self.source.max(initial=-1)) + 1

    def by_window(self, asked: IntArray) -> IntArray:
        """Numbers (W,) of the windows from those (questions,) of the windows as asked.

        Args:
            orders: R rows of W windows.
            log_probability: of the rows (R,).
        """
        return asked if self.source is None else asked[self.source]

    @property
    def part(self) -> Array:
        """Part (R,) of its question that a row stands for; they sum to 1 over a question."""
        if self.probability is None:
            return self.share
        probability = self.probability[self.window]
        return self.share * np.where(np.isnan(probability), 1.0, probability)

    @property
    def weight(self) -> Array:
        """Weight (W,) of each window's log-likelihood."""
        weight = np.ones(self.windows)
        if self.repeats is not None:
            weight = weight / self.repeats
        if self.probability is None:
            return weight
        choice = self.probability * self.choice_weight
        return weight * np.where(np.isnan(choice), 1.0, choice)

    @property
    def stages_with_response(self) -> IntArray:
        """Stages (R,) at which the response could be picked and an anchor could too."""
        return self.ahead + self.chosen


_BY_WINDOW = ("windows", "probability", "source", "choice_weight", "repeats")


def read_orders(table: WindowTable, windows: IntArray | None = None) -> Orders:
    """Orders of the table's windows, or of those at the given indices (numbered from 0 here).

    Columns are contiguous in memory: every hot loop runs over the few columns.

    Args:
        table: W windows.
        windows: numbers of those to read; all by default.

    Returns:
        One row for each order that a window allows.
    """
    chosen = np.arange(table.windows) if windows is None else windows
    ranks, asked, probability = table.ranks[chosen], None, None
    if table.choice is not None and not np.isnan(table.choice[chosen]).all():
        ranks, asked, probability = _spell_out_choices(ranks, table.choice[chosen])
        chosen = chosen[asked]
    places = _relative_places(table.places[chosen], ranks)
    ranks, window = _spell_out_ties(ranks)
    present = ranks[:, 1:] != PAD
    total = present.sum(axis=1)
    sort_rank = np.where(ranks == TAIL, ranks.shape[1], ranks)
    sort_rank = np.where(ranks == PAD, ranks.shape[1] + 1, sort_rank)
    picked = np.argsort(sort_rank[:, 1:], axis=1, kind="stable")
    ahead = (present & (sort_rank[:, 1:] < sort_rank[:, :1])).sum(axis=1)
    is_chosen = (ranks[:, 0] != TAIL) & (ahead < total)
    rows = np.argsort(-(ahead + is_chosen), kind="stable")
    window, picked, source = window[rows], picked[rows], chosen[window[rows]]
    present = np.take_along_axis(present[rows], picked, axis=1)

    def in_order(columns: NDArray[np.generic]) -> Array:
        values = np.where(present, np.take_along_axis(columns, picked, axis=1), 0)
        return np.asfortranarray(values, dtype=np.float64)

    named = (ranks[rows, 1:] >= 0).sum(axis=1)
    keys = np.take_along_axis(table.anchor_key[source], picked, axis=1)
    return Orders(
        window=window,
        share=1.0 / np.bincount(window, minlength=len(chosen))[window],
        intensity=in_order(table.intensities[source]),
        place=in_order(places[window][:, 1:]),
        present=np.asfortranarray(present),
        key=np.asfortranarray(np.where(present, keys, PAD)),
        picks=np.asfortranarray(np.arange(present.shape[1]) < named[:, None]),
        named=named,
        ahead=ahead[rows],
        chosen=is_chosen[rows],
        place_of_response=places[window, 0],
        windows=len(chosen),
        probability=probability,
        source=asked,
    )


def _relative_places(places: IntArray, ranks: IntArray) -> Array:
    """Places; where the anchors' are unknown, the response's relative to the mean of the others."""
    size = (ranks != PAD).sum(axis=1)
    known = ((places >= 0) | (ranks == PAD)).all(axis=1)
    others = (size * (size - 1) / 2 - places[:, 0]) / np.maximum(size - 1, 1)
    relative = np.where(places[:, 0] >= 0, places[:, 0] - others, 0.0)
    result = np.where(known[:, None], places, 0).astype(np.float64)
    result[:, 0] = np.where(known, places[:, 0], relative)
    return result


def _spell_out_choices(ranks: IntArray, choice: Array) -> tuple[IntArray, IntArray, Array]:
    """Replace each choice by orders that name one text, with their windows and probabilities."""
    ranked = np.isnan(choice[:, 0])
    soft, text = np.nonzero((ranks != PAD) & ~ranked[:, None])
    source = np.concatenate([np.flatnonzero(ranked), soft])
    spelled = ranks[source]
    spelled[np.arange(int(ranked.sum()), len(source)), text] = 0
    probability = np.concatenate([np.full(int(ranked.sum()), np.nan), choice[soft, text]])
    return spelled, source, probability


def _spell_out_ties(ranks: IntArray) -> tuple[IntArray, IntArray]:
    """Replace each tied window by the orders it allows; a tie at the very end is a tail."""
    size = (ranks != PAD).sum(axis=1)
    last = ranks.max(axis=1)
    full = (ranks != TAIL).all(axis=1)
    at_last = (ranks == last[:, None]) & (ranks >= 0)
    ranks = np.where(at_last & (full & (at_last.sum(axis=1) > 1))[:, None], TAIL, ranks)
    named = (ranks >= 0).sum(axis=1)
    tied = np.flatnonzero((named > 0) & (ranks.max(axis=1) + 1 < named))
    if not len(tied) or not len(size):
        return ranks, np.arange(len(ranks))
    strict = np.setdiff1d(np.arange(len(ranks)), tied)
    spelled, window = [ranks[strict]], [strict]
    for index in tied:
        orders = _orders_of(ranks[index])
        spelled.append(orders)
        window.append(np.full(len(orders), index))
    return np.concatenate(spelled), np.concatenate(window)


def _orders_of(ranks: IntArray) -> IntArray:
    groups = [np.flatnonzero(ranks == rank) for rank in range(ranks.max() + 1)]
    count = int(np.prod([float(np.prod(np.arange(1, len(group) + 1))) for group in groups]))
    step = max(1, count // ORDERS_OF_A_TIE)
    ways = itertools.product(*(itertools.permutations(group) for group in groups))
    chosen = itertools.islice(ways, 0, step * ORDERS_OF_A_TIE, step)
    result = []
    for way in chosen:
        strict = ranks.copy()
        strict[list(itertools.chain.from_iterable(way))] = np.arange((ranks >= 0).sum())
        result.append(strict)
    return np.array(result)


@dataclass(frozen=True)
class LogWorths:
    """Log-worths of the anchors of each row, in the order in which they were picked.

    ``own`` (R, A), minus infinity in unused columns; ``left`` (R, A), the log of the sum over the
    anchors that are left at a stage.  ``worth`` and ``rest`` (R, A) are the same as numbers, each
    row's by a factor of its own; None where they, or their squares, would leave the range of a
    processor's numbers.
    """

    own: Array
    left: Array
    worth: Array | None = None
    rest: Array | None = None

    def chances(self, stage: int) -> Array:
        """Chance (R, A - stage) of each anchor that is left to be picked at a stage."""
        return np.asarray(np.exp(self.own[:, stage:] - self.left[:, stage, None]))


WIDEST = 300.0
"""Largest difference of log-worths in a window whose worths are computed as numbers."""


def log_worths(
    orders: Orders,
    scale: float | Array,
    place_effect: float | Array,
    error: Array | None = None,
) -> LogWorths:
    """Log-worths under a judge, or one for each row (R,).

    ``error`` (R, A), in points, is added to the intensities.  Where a judge is so sharp that worths
    are no numbers any more, only their logarithms are used, so that no judge is too sharp.

    Args:
        orders: R rows of A anchors.
        scale: of the judge, in log-worth per point; one number or one a row (R,).
        place_effect: of the judge, in log-worth per place; one number or one a row (R,).
        error: the judge's errors (R, A) about the anchors, in points, added to the intensities.
    """
    scale, place_effect = (np.reshape(one, (-1, 1)) for one in (scale, place_effect))
    intensity = orders.intensity if error is None else orders.intensity + error
    own = scale * intensity - place_effect * orders.place
    whole = bool(orders.present.all())
    if not whole:
        own = np.where(orders.present, own, -np.inf)
    if own.shape[1] and (known := _as_numbers(own, orders.present, whole)) is not None:
        return known
    return LogWorths(own, left_by_logarithms(own, orders.present))


def left_by_logarithms(own: Array, present: NDArray[np.bool_]) -> Array:
    """Log of the sum over the anchors left at each stage (R, A), without leaving logarithms.

    Args:
        own: log-worths (R, A), minus infinity in unused columns.
        present: which columns are used (R, A).
    """
    left = np.empty_like(own)
    total = np.full(len(own), -np.inf)
    for column in range(own.shape[1] - 1, -1, -1):
        total = np.logaddexp(total, own[:, column])
        left[:, column] = total
    # Where nothing is left, nothing can be picked: any number does, and this one is finite.
    return np.where(present, left, 0.0)


def _as_numbers(own: Array, present: NDArray[np.bool_], whole: bool) -> LogWorths | None:
    """Worths by sums of numbers, from the last stage on so that nothing small is lost; or None."""
    top, least = own[:, 0].copy(), own[:, 0].copy()
    for column in range(1, own.shape[1]):
        np.maximum(top, own[:, column], out=top)
        low = own[:, column] if whole else np.where(present[:, column], own[:, column], least)
        np.minimum(least, low, out=least)
    # A row without any anchor has no worths; NaN is not below the bound either.
    if not whole:
        top = np.where(present[:, 0], top, 0.0)
        least = np.where(present[:, 0], least, 0.0)
    if not np.max(top - least, initial=0.0) < WIDEST:
        return None
    worth = own - top[:, None]
    np.exp(worth, out=worth)
    rest = np.empty_like(worth)
    rest[:, -1] = worth[:, -1]
    for column in range(own.shape[1] - 2, -1, -1):
        np.add(rest[:, column + 1], worth[:, column], out=rest[:, column])
    if not whole:
        rest = np.where(present, rest, 1.0)
    left = np.log(rest)
    left += top[:, None]
    # Where nothing is left, nothing can be picked: any number does.
    return LogWorths(own, left, worth, rest)


def log_likelihood_of(orders: Orders, known: LogWorths) -> Array:
    """Log-probability (R,) of the order of the anchors alone, given their log-worths.

    Args:
        orders: R rows.
        known: their log-worths.
    """
    if orders.picks.all():
        return np.asarray((known.own - known.left).sum(axis=1))
    # An unused column is never picked, so its minus infinity is not subtracted from anything.
    own = np.where(orders.picks, known.own, 0.0)
    return np.asarray((own - np.where(orders.picks, known.left, 0.0)).sum(axis=1))


def anchor_log_likelihood(
    orders: Orders,
    scale: float | Array,
    place_effect: float | Array,
    error: Array | None = None,
) -> Array:
    """Log-probability (R,) of the order of the anchors alone; arguments as in log_worths.

    Args:
        orders: R rows of A anchors.
        scale, place_effect, error: as in :func:`log_worths`.
    """
    return log_likelihood_of(orders, log_worths(orders, scale, place_effect, error))


@dataclass(frozen=True)
class Turned:
    """Orders told from the bottom: first the text that supports least, and so on to the top.

    Plackett-Luce told so is another model: its noise is that of the smallest of many numbers, not
    of the largest (reversed Gumbel noise; Marden 1995, section 5.6).  Rows that name only some
    texts cannot be told so and stay as they are.

    ``orders`` has the rows of the original in their order, *not* sorted by the stages that saw the
    response; intensities and places change their signs.  ``back`` (R, A) are the columns of the
    original, ``sign`` (R, 1) is -1 for a row that was turned and 1 for one that was not.  ``plain``
    says that every row was turned and has all columns.
    """

    orders: Orders
    back: IntArray
    sign: Array
    plain: bool = False

    def there(self, values: Array) -> Array:
        """Values (R, A), of which only order and sign change, from either to the other."""
        return np.asarray(self.sign * self.moved(values))

    def moved(self, values: Array) -> Array:
        """Values (R, A), of which only the order changes."""
        if self.plain:
            return values[:, ::-1]
        return np.asarray(np.take_along_axis(values, self.back, axis=1))


def turned(orders: Orders) -> Turned:
    """The orders told from the bottom.

    Args:
        orders: R rows; choices and rows that leave anchors unnamed are not turned.
    """
    count = orders.present.sum(axis=1)
    whole = orders.named == count
    if orders.probability is not None:
        whole &= np.isnan(orders.probability[orders.window])
    column = np.arange(orders.present.shape[1])
    inside = whole[:, None] & (column < count[:, None])
    back = np.where(inside, count[:, None] - 1 - column, column)
    sign = np.where(whole, -1.0, 1.0)[:, None]

    def there(values: Array) -> Array:
        return np.asfortranarray(np.take_along_axis(values, back, axis=1))

    other = replace(
        orders,
        intensity=np.asfortranarray(sign * there(orders.intensity)),
        place=np.asfortranarray(sign * there(orders.place)),
        key=np.asfortranarray(np.take_along_axis(orders.key, back, axis=1)),
        ahead=np.where(whole, count - orders.ahead, orders.ahead),
        chosen=np.where(whole, orders.ahead > 0, orders.chosen),
        place_of_response=sign[:, 0] * orders.place_of_response,
    )
    return Turned(other, back, sign, bool(inside.all()))


def from_the_top(dulled: Array) -> Array:
    """Share of the model told from the top where other noise dulls a judge by a factor.

    Normal noise leans to neither side, and what is left of the lean of Gumbel noise when it is
    added is its cube's share, ``dulled`` cubed: 1 without other noise, 1/2 where it is all.  The
    mixture of both models in these shares has the probability of windows with normal errors about
    their texts within 0.14 in its logarithm where errors are large (root mean square; 0.3 for the
    one model alone), and no bias.

    Args:
        dulled: factors by which normal errors dull a judge, of any shape.

    Returns:
        Shares from 1/2 to 1, of the same shape.
    """
    return np.asarray((1 + np.asarray(dulled) ** 3) / 2)


LEANING = 0.95
"""Share of the model told from the top above which the other one is left out."""


def mixed_anchor_log_likelihood(
    orders: Orders, scale: float, place_effect: float, error: Array, dulled: Array
) -> tuple[Array, Array]:
    """The order of the anchors alone where what a judge sees in them is known up to normal errors.

    Args:
        orders: R rows.
        scale: of the judge, in log-worth per point.
        place_effect: of the judge, in log-worth per place.
        error: expected errors (R, A) about the anchors, in points.
        dulled: factor (R,) by which what is unknown of them dulls the judge.

    Returns:
        Log-probability (R,) of the orders, and share (R,) of it that is told from the top: 1 for
        rows that cannot be told otherwise.
    """
    scales, places = scale * dulled, place_effect * dulled
    logs, down = anchor_log_likelihood(orders, scales, places, error), from_the_top(dulled)
    if down.min(initial=1.0) >= LEANING:
        return logs, np.ones(len(logs))
    other = turned(orders)
    up = anchor_log_likelihood(other.orders, scales, places, other.there(error))
    first = np.log(down) + logs
    both = np.logaddexp(first, np.log1p(-down) + up)
    return both, np.where(other.sign[:, 0] < 0, np.exp(first - both), 1.0)


def random_anchor_log_likelihood(orders: Orders) -> Array:
    """The same (R,) when every order is equally likely.

    Args:
        orders: R rows.
    """
    return anchor_log_likelihood(orders, 0.0, 0.0)


def insertion_log_likelihood(
    orders: Orders,
    scale: float | Array,
    place_effect: float | Array,
    intensity: Array,
    error: Array | None = None,
) -> Array:
    """Log-probability (R, G) that a response of each intensity (G,) lands at the slot where it did.

    Conditional on the order of the anchors; arguments as in :func:`log_worths`.  A stage that the
    response lived to see has the log-probability -log(1 + exp(x)), x its log-worth above that of
    all anchors that were left; taken as -max(x, 0) - log(1 + exp(-|x|)), it bends nowhere.

    Args:
        orders: R rows, sorted as :class:`Orders` says.
        scale, place_effect, error: as in :func:`log_worths`.
        intensity: of the response as the judge sees it, (G,), in points.
    """
    known = log_worths(orders, scale, place_effect, error)
    scale, place_effect = (
        np.broadcast_to(np.reshape(one, -1), len(orders.share)) for one in (scale, place_effect)
    )
    offset = known.left + (place_effect * orders.place_of_response)[:, None]
    own = scale[:, None] * np.asarray(intensity, dtype=np.float64)
    result = np.zeros(own.shape)
    product = np.ones(own.shape)
    stages = orders.stages_with_response
    for stage in range(offset.shape[1]):
        rows = int(np.searchsorted(-stages, -stage, side="left"))
        if rows == 0:
            break
        above = own[:rows] - offset[:rows, stage, None]
        result[:rows] -= np.maximum(above, 0.0)
        np.abs(above, out=above)
        np.negative(above, out=above)
        np.exp(above, out=above)
        above += 1.0
        product[:rows] *= above
    result -= np.log(product)
    rows_chosen = np.flatnonzero(orders.chosen)
    result[rows_chosen] += own[rows_chosen] - offset[rows_chosen, orders.ahead[rows_chosen], None]
    return result


def by_window(orders: Orders, log_probability: Array) -> tuple[Array, Array]:
    """Log-probability (W,) of each window from its rows' (R,), and the rows' shares (R,) of it.

    Args:
        orders: R rows of W windows.
        log_probability: of the rows (R,).
    """
    if len(orders.share) == orders.windows and (orders.share == 1).all():
        total = np.empty(orders.windows)
        total[orders.window] = log_probability
        return total, np.ones(len(log_probability))
    top = np.full(orders.windows, -np.inf)
    np.maximum.at(top, orders.window, log_probability)
    top = np.where(np.isfinite(top), top, 0.0)
    part = np.exp(log_probability - top[orders.window])
    total = np.bincount(orders.window, part, orders.windows).astype(np.float64)
    # Windows without rows, as in a selection of items, are certain.
    logs = np.log(np.where(total > 0, total, 1.0)) + top
    return np.asarray(logs), np.asarray(part / np.where(total > 0, total, 1.0)[orders.window])
