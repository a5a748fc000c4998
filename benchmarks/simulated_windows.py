"""Judges of known scale, place effect and roughness ranking responses of known intensity.

Shared by the benchmarks and the tests: everything is seeded and nothing is fitted here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from valueflow.scorers.estimate.table import TAIL, WindowTable

Array = NDArray[np.float64]
NOISES = ("gumbel", "normal", "reversed gumbel")


@dataclass(frozen=True)
class Judge:
    """A simulated judge.

    ``noise`` is drawn anew for each text of each window and divided by ``scale``; ``normal`` and
    ``reversed gumbel`` have the same standard deviation as ``gumbel``, with which the judge is
    exactly Plackett-Luce.  ``text_sd`` is the spread, in points, of its standing disagreement with
    single texts, anchors and responses alike; ``lapse_rate`` the share of windows in random order.
    ``view`` maps true intensities to those that the judge perceives.  Asked for numbers, it gives
    ``rating_level`` + ``rating_slope`` times what it perceives, noise included, in whole numbers
    from -10 to 10; in a lapse they stand beside the wrong texts.
    """

    scale: float = 1.0
    place_effect: float = 0.0
    text_sd: float = 0.0
    lapse_rate: float = 0.0
    noise: str = "gumbel"
    view: Callable[[Array], Array] = np.asarray
    rating_level: float = 0.0
    rating_slope: float = 1.0


@dataclass(frozen=True)
class Anchors:
    """Texts of known intensity and the simulated judge's standing error about each."""

    intensity: Array
    error: Array = field(default_factory=lambda: np.empty(0))


def draw_anchors(
    generator: np.random.Generator, judge: Judge, count: int = 2000, reach: float = 10.0
) -> Anchors:
    """Intensities uniform on [-reach, reach], rounded to hundredths."""
    intensity = np.round(generator.uniform(-reach, reach, count), 2)
    return Anchors(intensity, generator.normal(0, 1, count) * judge.text_sd)


def cells_of_responses(
    generator: np.random.Generator, centres: Array, size: int, spread: float
) -> Array:
    """Intensities (cells, size), normal about each centre, truncated to [-10, 10] by rejection."""
    result = generator.normal(centres[:, None], spread, (len(centres), size))
    while (outside := np.abs(result) > 10).any():
        fresh = generator.normal(centres[:, None], spread, result.shape)
        result = np.where(outside, fresh, result)
    return result


def population_means(centres: Array, spread: float) -> Array:
    """Means of normal populations about ``centres`` truncated to [-10, 10]."""
    return np.asarray(
        stats.truncnorm.mean((-10 - centres) / spread, (10 - centres) / spread, centres, spread)
    )


def bucket_panels(
    generator: np.random.Generator, anchors: Anchors, windows: int, count: int
) -> NDArray[np.int64]:
    """Anchor indices (windows, count), one from each of ``count`` equal-width intensity buckets."""
    bucket = np.minimum((anchors.intensity + 10) / (20 / count), count - 1).astype(int)
    return np.stack(
        [generator.choice(np.flatnonzero(bucket == index), windows) for index in range(count)],
        axis=1,
    )


def _noise(generator: np.random.Generator, kind: str, shape: tuple[int, int]) -> Array:
    if kind == "normal":
        return generator.normal(0, np.pi / np.sqrt(6), shape)
    sign = -1.0 if kind == "reversed gumbel" else 1.0
    return sign * generator.gumbel(0, 1, shape)


def answer_windows(
    generator: np.random.Generator,
    judge: Judge,
    response: Array,
    anchors: Anchors,
    windows_each: int,
    texts: int = 6,
    *,
    response_first: bool = False,
    response_error: Array | None = None,
    rated: bool = False,
    panel: NDArray[np.int64] | None = None,
) -> tuple[Array, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Ranks or, if ``rated``, ratings (W, K), places (W, K), item (W,), anchor indices (W, A).

    The anchors are those of ``panel`` (W, A), or one from each bucket.
    """
    items = len(response)
    item = np.repeat(np.arange(items), windows_each)
    if panel is None:
        panel = bucket_panels(generator, anchors, len(item), texts - 1)
    own = response_error
    if own is None:
        own = generator.normal(0, 1, items) * judge.text_sd
    perceived = judge.view(response) + own, judge.view(anchors.intensity) + anchors.error
    seen = np.concatenate([perceived[0][item][:, None], perceived[1][panel]], axis=1)
    places = generator.permuted(np.tile(np.arange(texts), (len(item), 1)), axis=1)
    if response_first:
        places[:, 1:] = generator.permuted(np.tile(np.arange(1, texts), (len(item), 1)), axis=1)
        places[:, 0] = 0
    worth = judge.scale * seen - judge.place_effect * places
    worth = worth + _noise(generator, judge.noise, worth.shape)
    lapse = generator.random(len(item)) < judge.lapse_rate
    if rated:
        numbers = np.rint(judge.rating_level + judge.rating_slope * worth / judge.scale)
        numbers[lapse] = generator.permuted(numbers[lapse], axis=1)
        return np.clip(numbers, -10, 10), places, item, panel
    worth = np.where(lapse[:, None], generator.random(worth.shape), worth)
    ranks = np.argsort(np.argsort(-worth, axis=1), axis=1)
    return ranks, places, item, panel


def rank_windows(
    generator: np.random.Generator,
    judge: Judge,
    response: Array,
    anchors: Anchors,
    windows_each: int,
    texts: int = 6,
    *,
    response_first: bool = False,
    response_error: Array | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Ranks (W, K), places (W, K), item (W,) and anchor indices (W, A) of simulated windows."""
    ranks, places, item, panel = answer_windows(
        generator,
        judge,
        response,
        anchors,
        windows_each,
        texts,
        response_first=response_first,
        response_error=response_error,
    )
    return ranks.astype(np.int64), places, item, panel


def simulate(
    generator: np.random.Generator,
    judge: Judge,
    truth: Array,
    windows_each: int = 3,
    texts: int = 6,
    *,
    anchors: Anchors | None = None,
    paired: bool = True,
    response_first: bool = False,
    response_error: Array | None = None,
    rated: bool = False,
    panel: NDArray[np.int64] | None = None,
) -> WindowTable:
    """Table of one value whose cells are the rows of ``truth`` (cells, size), columns queries.

    If ``rated``, the judge gave numbers instead of an order. ``panel`` (W, A): anchors of windows,
    drawn by bucket where not given.
    """
    anchors = draw_anchors(generator, judge) if anchors is None else anchors
    cells, size = truth.shape
    told, places, item, panel = answer_windows(
        generator,
        judge,
        truth.ravel(),
        anchors,
        windows_each,
        texts,
        response_first=response_first,
        response_error=response_error,
        rated=rated,
        panel=panel,
    )
    cell = np.repeat(np.arange(cells), size)
    query = np.tile(np.arange(size), cells) if paired else np.arange(cells * size)
    return WindowTable(
        intensities=anchors.intensity[panel],
        ranks=np.full(told.shape, TAIL) if rated else told.astype(np.int64),
        places=places,
        item=item,
        anchor_key=panel,
        items=tuple(f"item {index}" for index in range(cells * size)),
        item_value=np.zeros(cells * size, dtype=np.int64),
        item_cell=cell,
        item_query=query,
        values=("value",),
        cells=tuple(f"cell {index}" for index in range(cells)),
        queries=tuple(f"query {index}" for index in range(int(query.max()) + 1)),
        anchor_names=tuple(f"anchor {index}" for index in range(len(anchors.intensity))),
        ratings=told if rated else None,
    )


def simulate_panel(
    generator: np.random.Generator,
    judges: Sequence[Judge],
    truth: Array,
    windows_each: int = 3,
    *,
    anchors: int = 2000,
    together: float = 0.0,
    split: bool = False,
    rated: Sequence[bool] | None = None,
) -> WindowTable:
    """Table of one value that several judges saw, each with errors of its own about each text.

    Every response has ``windows_each`` windows of each judge or, if ``split``, in all, which the
    judges take in turn.  ``together`` is the correlation of two judges' errors about one text;
    ``rated`` tells which judges gave numbers.
    """
    count = truth.size
    intensity = np.round(generator.uniform(-10, 10, anchors), 2)
    common = generator.normal(0, 1, anchors), generator.normal(0, 1, count)
    tables = []
    for number, judge in enumerate(judges):
        own = generator.normal(0, 1, anchors), generator.normal(0, 1, count)
        errors = [
            judge.text_sd * (np.sqrt(together) * a + np.sqrt(1 - together) * b)
            for a, b in zip(common, own, strict=True)
        ]
        table = simulate(
            generator,
            judge,
            truth,
            windows_each,
            anchors=Anchors(intensity, errors[0]),
            response_error=errors[1],
            rated=rated is not None and rated[number],
        )
        if split:
            turn = table.item + np.tile(np.arange(windows_each), count)
            table = windows_of(table, np.flatnonzero(turn % len(judges) == number))
        tables.append(table)
    return panel_of(tables)


def windows_of(table: WindowTable, rows: NDArray[np.int64]) -> WindowTable:
    """Some windows of a table."""
    names = ["intensities", "ranks", "places", "item", "anchor_key"]
    names += ["ratings"] if table.ratings is not None else []
    return replace(table, **{name: getattr(table, name)[rows] for name in names})


def panel_of(tables: Sequence[WindowTable]) -> WindowTable:
    """Tables of the same items, one for each judge, as the table of a panel."""
    names = ["intensities", "ranks", "places", "item", "anchor_key"]
    columns = {name: np.concatenate([getattr(one, name) for one in tables]) for name in names}
    ratings = None
    if any(one.ratings is not None for one in tables):
        ratings = np.concatenate(
            [np.full(t.ranks.shape, np.nan) if t.ratings is None else t.ratings for t in tables]
        )
    return replace(
        tables[0],
        **columns,
        ratings=ratings,
        judge=np.repeat(np.arange(len(tables)), [one.windows for one in tables]),
        judges=tuple(f"judge {number}" for number in range(len(tables))),
        rating_steps=tuple(one.rating_step for one in tables),
    )


def as_one_judge(table: WindowTable) -> WindowTable:
    """The windows of a panel as if one judge had made them all."""
    return replace(table, judge=None, judges=(), rating_steps=())
