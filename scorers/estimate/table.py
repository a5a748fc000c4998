"""Saved choice probabilities, checked.

All windows that a judge, or a panel of judges, ranked or rated, as arrays.

A window is one ranking of a response (index 0) among anchors (indices 1, 2, ...) whose intensities
are known.  Every estimator of this package reads a :class:`WindowTable`; records as they are saved
on disk become one through :meth:`WindowTable.from_records`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.evidence.rating_scale import RatingScale

ROUNDING = 0.02
"""How far the sum of saved probabilities may be from 1; they are divided by it."""


def read_choice(choice: Any, size: int) -> list[float]:
    """Probabilities of ``size`` texts, divided by their sum.

    Raises ``ValueError`` saying what is wrong: no list of ``size`` numbers, one that is negative or
    not finite, all of them zero, a sum further from 1 than rounding explains.
    """
    if isinstance(choice, str) or not isinstance(choice, Sequence | np.ndarray):
        raise ValueError("must be a list of probabilities")
    if len(choice) != size:
        raise ValueError(f"has {len(choice)} probabilities for {size} texts")
    try:
        values = [float(value) for value in choice]
    except (TypeError, ValueError, OverflowError):
        raise ValueError("must be a list of probabilities") from None
    if not all(map(math.isfinite, values)):
        raise ValueError("a probability is not finite")
    if min(values) < 0:
        raise ValueError(f"a probability is negative ({min(values):g})")
    total = math.fsum(values)
    if total == 0:
        raise ValueError("all probabilities are zero")
    if abs(total - 1) > ROUNDING:
        raise ValueError(f"the probabilities sum to {total:.4g}, not to 1")
    return [value / total for value in values]


PAD = -1
"""Rank, place and anchor key of a column that a window does not use; also an unknown place."""

TAIL = -2
"""Rank of a text that a partial order leaves unnamed: below every named text, order unknown."""


BLOCK = 20_000
"""Records that are kept as lists before they are packed into arrays."""


class WindowRecordError(ValueError):
    """A ranking record that cannot be read; the message names the record and the field."""

    def __init__(self, record: int, field: str, problem: str) -> None:
        super().__init__(f"record {record}, field '{field}': {problem}")
        self.record = record
        self.field = field
        self.problem = f"'{field}' is wrong: {problem}"


@dataclass(frozen=True)
class WindowTable:
    """Windows of a judge or a panel: W windows, N items, K texts in the largest one, A = K - 1.

    ``intensities`` (W, A), in points of the [-10, 10] scale, NaN where a window has fewer anchors.
    ``ranks`` (W, K), 0 for the most supporting text; tied texts share a rank and the next rank
    follows without a gap; ``TAIL`` for texts below all named ones, ``PAD`` for unused columns.
    ``places`` (W, K), the place at which a text was shown, 0 first; ``PAD`` where unknown.
    ``item`` (W,), index into ``items``.  ``anchor_key`` (W, A), index into ``anchor_names``.
    ``item_value``, ``item_cell``, ``item_query`` (N,), indices into ``values``, ``cells`` and
    ``queries``; ``cell_value`` follows from them, since a cell belongs to one value.
    ``choice`` (W, K), the probabilities with which the judge chooses each text as the most
    supporting, in windows of which this is known instead of an order (their ranks are ``TAIL``),
    NaN in others; None where no window has them.
    ``ratings`` (W, K), the numbers that the judge gave the texts, brought to [-10, 10], with the
    distance ``rating_step`` between neighbouring ones; NaN for texts without one, None where no
    window has any.  A window may have both an order and ratings.
    ``item_wording`` (N,) numbers the wording of the persona that each item was given, 0 where that
    is not known; None where it is known of none.
    ``judge`` (W,), index into ``judges``; None where all windows are one judge's, whose name need
    not be known.  Each judge may have a scale, and so a step, of its own: ``rating_steps`` by
    judge, where there are several.
    """

    intensities: NDArray[np.float64]
    ranks: NDArray[np.int64]
    places: NDArray[np.int64]
    item: NDArray[np.int64]
    anchor_key: NDArray[np.int64]
    items: tuple[str, ...]
    item_value: NDArray[np.int64]
    item_cell: NDArray[np.int64]
    item_query: NDArray[np.int64]
    values: tuple[str, ...]
    cells: tuple[str, ...]
    queries: tuple[str, ...]
    anchor_names: tuple[str, ...] = ()
    choice: NDArray[np.float64] | None = None
    ratings: NDArray[np.float64] | None = None
    rating_step: float = 1.0
    judge: NDArray[np.int64] | None = None
    judges: tuple[str, ...] = ()
    rating_steps: tuple[float, ...] = ()
    item_wording: NDArray[np.int64] | None = None

    def of_judge(self, name: str) -> WindowTable:
        """The windows of one judge; see :meth:`of_judges`."""
        return self.of_judges([name])

    def of_judges(self, names: Sequence[str]) -> WindowTable:
        """The windows of some judges; items, cells, queries and anchors keep their numbers.

        Raises ``ValueError`` where no judge of the table has one of these names.
        """
        if unknown := set(names) - set(self.judges):
            raise ValueError(f"the table has no judge {sorted(unknown)[0]!r}")
        kept = [number for number, name in enumerate(self.judges) if name in names]
        if self.judge is None or len(kept) == len(self.judges):
            return self
        rows = np.flatnonzero(np.isin(self.judge, kept))
        columns = ["intensities", "ranks", "places", "item", "anchor_key"]
        columns += [name for name in ("choice", "ratings") if getattr(self, name) is not None]
        steps = tuple(self.rating_steps[number] for number in kept) if self.rating_steps else ()
        several = len(kept) > 1
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in columns},
            judge=np.searchsorted(kept, self.judge[rows]) if several else None,
            judges=tuple(self.judges[number] for number in kept),
            rating_steps=steps if several else (),
            rating_step=steps[0] if steps and not several else self.rating_step,
        )

    @property
    def ranked(self) -> NDArray[np.bool_]:
        """Whether each window (W,) has an order or choice probabilities."""
        ordered = (self.ranks >= 0).any(axis=1)
        if self.choice is None:
            return np.asarray(ordered)
        return np.asarray(ordered | ~np.isnan(self.choice[:, 0]))

    @property
    def rated(self) -> NDArray[np.bool_]:
        """Whether each window (W,) has ratings."""
        if self.ratings is None:
            return np.zeros(self.windows, dtype=bool)
        return ~np.isnan(self.ratings[:, 0])

    @property
    def query_rank(self) -> NDArray[np.int64]:
        """Each item's query (N,) by its place in the order of the queries' names, which does not
        depend on the order of the records as their numbers do."""
        rank = np.argsort(np.argsort(np.array(self.queries, dtype=str), kind="stable"))
        return np.asarray(rank[self.item_query])

    @property
    def windows(self) -> int:
        """Number of windows, W."""
        return len(self.item)

    @classmethod
    def from_records(
        cls, records: Iterable[Mapping[str, Any]], *, most: float = math.inf
    ) -> WindowTable:
        """Read saved rankings.

        Each record maps ``item``, ``cell``, ``value`` and ``query`` (or None: the item is its own
        query) to strings, ``anchors`` to intensities, ``order`` to indices from most to least
        supporting (0 is the response, i the i-th anchor; a nested list is a tie; a shorter list
        leaves an unnamed tail below), ``position`` to the response's place, and optionally
        ``shown`` to all indices in the order shown and ``texts`` to the anchors' texts.
        Instead of ``order`` a record may map ``choice`` to the probabilities with which the judge
        chooses each index as the most supporting text (they sum to 1 within rounding).
        Beside an order or in its place it may map ``ratings`` to the judge's numbers, the response
        first (None for an anchor without one), and ``rating_scale`` to the ends of their scale.
        ``paraphrase`` numbers the wording of the persona, from 1.
        Items are told apart by (item, cell).  Other fields are ignored.

        Raises :class:`WindowRecordError` (a ``ValueError``) naming record and field: an index out
        of range or repeated, ``choice`` that is no distribution over the window's texts or stands
        beside an order, no anchor, an intensity that is not finite or further than ``most`` from 0,
        a position out of range, ``shown`` that is no permutation or contradicts ``position``, a
        cell of two values, an item of two queries, ``ratings`` that are not one number for each
        text, lie outside their scale or are on another scale than those of the judge before, a
        ``judge`` that is no name or stands in some records only, a ``paraphrase`` that is no whole
        number from 1.
        """
        reader = _Reader(most)
        for number, record in enumerate(records):
            reader.add(number, record)
        return reader.table()


class _Codes:
    """Integer codes in order of first appearance."""

    def __init__(self) -> None:
        self.code: dict[Any, int] = {}

    def __call__(self, key: Any) -> int:
        return self.code.setdefault(key, len(self.code))


class _Reader:
    def __init__(self, most: float) -> None:
        self.most = most
        self.items, self.values, self.cells = _Codes(), _Codes(), _Codes()
        self.queries, self.anchors = _Codes(), _Codes()
        self.item_value: list[int] = []
        self.item_cell: list[int] = []
        self.item_query: list[int] = []
        self.item_wording: list[int] = []
        self.cell_value: dict[int, int] = {}
        self.item: list[int] = []
        self.intensities: list[list[float]] = []
        self.ranks: list[list[int]] = []
        self.places: list[list[int]] = []
        self.keys: list[list[int]] = []
        self.choices: dict[int, list[float]] = {}
        self.ratings: list[list[float]] = []
        self.scales: dict[int, RatingScale] = {}
        self.judges = _Codes()
        self.judge: list[int] = []
        self.blocks: list[tuple[NDArray[Any], ...]] = []

    def add(self, number: int, record: Mapping[str, Any]) -> None:
        choice, ratings = record.get("choice"), record.get("ratings")
        instead = choice is not None or ratings is not None
        for field in ("item", "cell", "value", "anchors", "order"):
            if field not in record and not (field == "order" and instead):
                raise WindowRecordError(number, field, "is missing")
        item, value = self._identify(number, record)
        judge = self._judge(number, record)
        anchors = _intensities(number, record["anchors"], self.most)
        texts = record.get("texts")
        if texts is not None and not _all_strings(texts):
            raise WindowRecordError(number, "texts", "must be a list of the anchors' texts")
        if texts is not None and len(texts) != len(anchors):
            problem = f"has {len(texts)} texts for {len(anchors)} anchors"
            raise WindowRecordError(number, "texts", problem)
        names: Sequence[Any] = anchors if texts is None else texts
        self.item.append(item)
        self.intensities.append(anchors)
        size = len(anchors) + 1
        rated: list[float] = []
        if ratings is not None:
            try:
                scale = self.scales.setdefault(judge, RatingScale())
                rated = scale.read(ratings, record.get("rating_scale"), size)
            except ValueError as error:
                raise WindowRecordError(number, "ratings", str(error)) from None
        self.ratings.append(rated)
        if ratings is not None and choice is None and record.get("order") is None:
            self.ranks.append([TAIL] * size)
        elif choice is None:
            self.ranks.append(_ranks(number, record["order"], size))
        else:
            self.choices[len(self.item) - 1] = _choice(number, record, size)
            self.ranks.append([TAIL] * size)
        self.places.append(_places(number, record, size))
        code = self.anchors.code
        self.keys.append([code.setdefault((value, name), len(code)) for name in names])
        if len(self.keys) == BLOCK:
            self._pack()

    def _pack(self) -> None:
        """Turn the rows read so far into arrays, which take a tenth of the memory."""
        width = max((len(row) for row in self.intensities), default=1)
        count = len(self.keys)
        self.blocks.append(
            (
                _padded(self.intensities, count, width, np.nan),
                _padded(self.ranks, count, width + 1, PAD).astype(np.int64),
                _padded(self.places, count, width + 1, PAD).astype(np.int64),
                _padded(self.keys, count, width, PAD).astype(np.int64),
                _padded(self.ratings, count, width + 1 if any(self.ratings) else 0, np.nan),
            )
        )
        self.intensities, self.ranks, self.places, self.keys = [], [], [], []
        self.ratings = []

    def _judge(self, number: int, record: Mapping[str, Any]) -> int:
        name = record.get("judge")
        if name is not None and not (isinstance(name, str) and name.strip()):
            raise WindowRecordError(number, "judge", f"{name!r} is no name of a judge")
        known = self.judges.code
        if known and (name is None) != (None in known):
            first = "name no judge" if name is not None else "name theirs"
            problem = f"is {name!r}" if name is not None else "is missing"
            raise WindowRecordError(number, "judge", f"{problem}, while earlier records {first}")
        judge = self.judges(name)
        self.judge.append(judge)
        return judge

    def _identify(self, number: int, record: Mapping[str, Any]) -> tuple[int, int]:
        value = self.values(str(record["value"]))
        cell = self.cells(str(record["cell"]))
        if self.cell_value.setdefault(cell, value) != value:
            raise WindowRecordError(number, "cell", f"{record['cell']!r} belongs to another value")
        name = str(record["item"])
        query = record.get("query")
        query_code = self.queries(("item", cell, name) if query is None else ("query", str(query)))
        item = self.items((name, cell))
        if item == len(self.item_value):
            self.item_value.append(value)
            self.item_cell.append(cell)
            self.item_query.append(query_code)
            self.item_wording.append(_wording(number, record))
        elif self.item_query[item] != query_code:
            raise WindowRecordError(number, "query", f"item {name!r} already has another query")
        return item, value

    def table(self) -> WindowTable:
        self._pack()
        width = max(block[0].shape[1] for block in self.blocks)
        columns = [
            np.concatenate([_widened(block, width + extra, fill) for block in blocks])
            for blocks, extra, fill in zip(
                zip(*self.blocks, strict=True),
                (0, 1, 1, 0, 1 if self.scales else -width),
                (np.nan, PAD, PAD, PAD, np.nan),
                strict=True,
            )
        ]
        judge = np.asarray(self.judge, dtype=np.int64)
        ratings, steps = columns[4], [1.0] * len(self.judges.code)
        for number, scale in self.scales.items():
            ratings[judge == number], steps[number] = scale.in_points(ratings[judge == number])
        named = tuple(name for name in self.judges.code if name is not None)
        return WindowTable(
            intensities=columns[0],
            ranks=columns[1],
            places=columns[2],
            item=np.asarray(self.item, dtype=np.int64),
            anchor_key=columns[3],
            items=tuple(name for name, _ in self.items.code),
            item_value=np.asarray(self.item_value, dtype=np.int64),
            item_cell=np.asarray(self.item_cell, dtype=np.int64),
            item_query=np.asarray(self.item_query, dtype=np.int64),
            values=tuple(self.values.code),
            cells=tuple(self.cells.code),
            queries=tuple(str(key[-1]) for key in self.queries.code),
            anchor_names=tuple(str(name) for _, name in self.anchors.code),
            choice=self._choices(width + 1) if self.choices else None,
            ratings=ratings if self.scales else None,
            rating_step=steps[0] if len(steps) == 1 else 1.0,
            judge=judge if len(named) > 1 else None,
            judges=named,
            rating_steps=tuple(steps) if len(named) > 1 else (),
            item_wording=np.asarray(self.item_wording) if any(self.item_wording) else None,
        )

    def _choices(self, width: int) -> NDArray[np.float64]:
        array = np.full((len(self.item), width), np.nan)
        for index, row in self.choices.items():
            array[index] = 0.0
            array[index, : len(row)] = row
        return array


def _wording(number: int, record: Mapping[str, Any]) -> int:
    wording = record.get("paraphrase")
    if wording is None:
        return 0
    if not isinstance(wording, int) or isinstance(wording, bool) or wording < 1:
        raise WindowRecordError(number, "paraphrase", f"{wording!r} is no whole number from 1")
    return wording


def _padded(rows: list[list[Any]], count: int, width: int, fill: float) -> NDArray[np.float64]:
    lengths = {len(row) for row in rows}
    if lengths == {width}:
        return np.asarray(rows, dtype=np.float64)
    array = np.full((count, width), fill)
    for index, row in enumerate(rows):
        array[index, : len(row)] = row
    return array


def _widened(block: NDArray[Any], width: int, fill: float) -> NDArray[Any]:
    missing = width - block.shape[1]
    return np.pad(block, ((0, 0), (0, missing)), constant_values=fill) if missing else block


def _all_strings(texts: Any) -> bool:
    listed = isinstance(texts, Sequence) and not isinstance(texts, str)
    return listed and all(isinstance(text, str) for text in texts)


def _intensities(number: int, anchors: Any, most: float) -> list[float]:
    try:
        if isinstance(anchors, str | bytes | Mapping):
            raise TypeError
        plain = isinstance(anchors, list) and {*map(type, anchors)} <= _NUMBERS
        values = [float(anchor) if plain else _number(anchor) for anchor in anchors]
    except (TypeError, ValueError, OverflowError) as error:
        raise WindowRecordError(number, "anchors", "must be a list of numbers") from error
    if not values:
        raise WindowRecordError(number, "anchors", "a window needs at least one anchor")
    if not all(map(math.isfinite, values)):
        raise WindowRecordError(number, "anchors", "an intensity is not finite")
    if not -most <= min(values) <= max(values) <= most:
        outside = [value for value in values if not -most <= value <= most]
        problem = f"the intensity {outside[0]:g} is outside [-{most:g}, {most:g}]; rescale them"
        raise WindowRecordError(number, "anchors", problem)
    return values


_NUMBERS = {int, float}


def _number(raw: Any) -> float:
    if isinstance(raw, bool):
        raise TypeError
    return float(raw)


def _places_in(order: Any, size: int) -> list[int] | None:
    """Place of each index in a list that holds all of them once, as nearly all do; else None."""
    if type(order) is not list or len(order) != size or {*map(type, order)} != {int}:
        return None
    if sorted(order) != list(range(size)):
        return None
    places = [0] * size
    for place, index in enumerate(order):
        places[index] = place
    return places


def _ranks(number: int, order: Any, size: int) -> list[int]:
    strict = _places_in(order, size)
    if strict is not None:
        return strict
    ranks = [TAIL] * size
    if not isinstance(order, Sequence) or isinstance(order, str) or not order:
        raise WindowRecordError(number, "order", "must be a list that names at least one text")
    for rank, entry in enumerate(order):
        tied = isinstance(entry, Sequence) and not isinstance(entry, str)
        group = entry if tied else (entry,)
        if not group:
            raise WindowRecordError(number, "order", "holds an empty tie")
        for index in group:
            if not _is_index(index, size):
                problem = f"{index!r} is not an index from 0 to {size - 1}"
                raise WindowRecordError(number, "order", problem)
            if ranks[index] != TAIL:
                raise WindowRecordError(number, "order", f"index {index} is repeated")
            ranks[index] = rank
    return ranks


def _choice(number: int, record: Mapping[str, Any], size: int) -> list[float]:
    if record.get("order") is not None:
        raise WindowRecordError(number, "choice", "stands beside an order; give one of the two")
    try:
        return read_choice(record["choice"], size)
    except ValueError as error:
        raise WindowRecordError(number, "choice", str(error)) from None


def _is_index(index: Any, size: int) -> bool:
    if isinstance(index, bool) or not isinstance(index, int | np.integer):
        return False
    return 0 <= int(index) < size


def _places(number: int, record: Mapping[str, Any], size: int) -> list[int]:
    shown = record.get("shown")
    position = record.get("position")
    if position is not None and not _is_index(position, size):
        problem = f"{position!r} is not a place from 0 to {size - 1}"
        raise WindowRecordError(number, "position", problem)
    if shown is None:
        return [PAD if position is None else int(position)] + [PAD] * (size - 1)
    whole = _places_in(shown, size)
    if whole is not None and position in (None, whole[0]):
        return whole
    places = [PAD] * size
    if isinstance(shown, str) or not isinstance(shown, Sequence | np.ndarray):
        raise WindowRecordError(number, "shown", "must be a list of all indices in shown order")
    for place, index in enumerate(shown):
        if not _is_index(index, size) or places[index] != PAD:
            raise WindowRecordError(number, "shown", f"index {index!r} is repeated or out of range")
        places[index] = place
    if len(shown) != size:
        raise WindowRecordError(number, "shown", f"names {len(shown)} of {size} texts")
    if position is not None and places[0] != position:
        problem = f"is {position}, but 'shown' has the response at {places[0]}"
        raise WindowRecordError(number, "position", problem)
    return places
