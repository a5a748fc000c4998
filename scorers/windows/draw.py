"""Draws the anchors of a response's windows and the order in which a judge sees them.

A window is the response and k − 1 anchors of one value. `bucket` takes one anchor from each of
k − 1 equal-width intensity buckets on [−10, 10] (VALUEFLOW, arXiv 2602.03160, anchor windows);
`nearest` does the same among the anchors of each bucket that are nearest to the response; `random`
takes any; `fixed` goes through a given panel; `adaptive` windows are chosen one after the other, by
`valueflow.scorers.windows.adaptive`. The response's place is balanced, see
`place_of_window`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.anchors import Anchor
from valueflow.hub_assets.registry.loading import Value
from valueflow.hub_assets.seeds import generator_for
from valueflow.scorers.records import count_words

__all__ = [
    "DrawnWindows",
    "Nearness",
    "Sampling",
    "Window",
    "check_anchors",
    "draw_windows",
    "near_in_length",
    "nearest_of_buckets",
    "place_of_window",
    "preferred_anchors",
    "shown_order",
]

Sampling = Literal["bucket", "random", "fixed", "adaptive", "nearest"]

Nearness = Callable[[str, str, tuple[Anchor, ...]], np.ndarray]
"""How far anchors are from a response, (anchors,), of an embedding model's name and its text."""


@dataclass(frozen=True)
class Window:
    """One ranking question. Index 0 is the response and i is the i-th anchor (from 1).

    Attributes:
        anchors: the k − 1 anchors.
        shown: the k indices in the order in which the judge sees them.
    """

    anchors: tuple[Anchor, ...]
    shown: tuple[int, ...]

    @property
    def position(self) -> int:
        """The place at which the response is shown, 0 first."""
        return self.shown.index(0)


@dataclass(frozen=True)
class DrawnWindows:
    """A response's windows, with counts of what had to give way.

    Attributes:
        windows: the windows.
        borrowed: anchors taken from another bucket because theirs was empty.
        repeated: anchors that an earlier window of the same response had shown already.
    """

    windows: tuple[Window, ...]
    borrowed: int
    repeated: int


def check_anchors(
    anchors: Sequence[Anchor], value: Value, window_size: int, sampling: str, held_out: int = 0
) -> None:
    """Checks, before anything is spent, that a value's anchors can make windows.

    Args:
        anchors: the value's anchors.
        value: the value, for the message.
        window_size: k, texts in a window.
        sampling: one of `Sampling`.
        held_out: how many anchors may be taken away as exemplars.

    Raises:
        OptionError: an unknown way of sampling, k below 2, fewer than k − 1 anchors, or all of
            them in one bucket.
    """
    if sampling not in get_args(Sampling):
        raise OptionError("sampling", f"{sampling!r} is none of {', '.join(get_args(Sampling))}")
    if window_size < 2:
        raise OptionError("window_size", f"{window_size} is too small; a window needs 2 texts")
    name = f"{value.theory}:{value.name}"
    usable = len(anchors) - held_out
    if usable < window_size - 1:
        kept = f" once {held_out} serve as exemplars" if held_out else ""
        raise OptionError(
            "vidb",
            f"{name} has {usable} usable anchors{kept}; a window of {window_size} needs "
            f"{window_size - 1}. Use a larger table (after the name of a packaged database, #full "
            f"takes all of its rows), or -T window_size={usable + 1} or less",
        )
    if sampling in ("bucket", "nearest") and window_size > 2:
        buckets = {_bucket(anchor.intensity, window_size - 1) for anchor in anchors}
        if len(buckets) == 1:
            raise OptionError(
                "vidb",
                f"all {len(anchors)} anchors of {name} lie in one of {window_size - 1} intensity "
                "buckets, so that nothing outside it could be placed. Use a table that spans "
                "the scale, or -T sampling=random to go on all the same",
            )


def draw_windows(
    anchors: Sequence[Anchor],
    *,
    windows: int,
    window_size: int,
    sampling: str,
    places: Sequence[int],
    generator: np.random.Generator,
    exclude: Collection[str] = (),
) -> DrawnWindows:
    """Draws the windows of one response for one value.

    No text stands twice in a window. Across the windows of the response a text is used again only
    when all others are used up (except with `fixed`, which repeats its panel by design).

    Args:
        anchors: the value's anchors, or the panel where `sampling` is `fixed`; where it is
            `nearest`, those of `nearest_of_buckets`.
        windows: m, how many windows.
        window_size: k, texts in a window.
        sampling: `bucket`, `nearest`, `random` or `fixed`.
        places: the response's place in each window, from `place_of_window`.
        generator: seeded for (run, sample, value).
        exclude: texts that must not serve as anchors here, such as the sample's exemplars.

    Raises:
        OptionError: fewer than k − 1 anchors are left.
    """
    size = window_size - 1
    pool = [anchor for anchor in anchors if anchor.text not in exclude]
    if len(pool) < size:
        raise OptionError(
            "vidb", f"{len(pool)} anchors are left for a window of {window_size}; {size} are needed"
        )
    intensities = np.array([anchor.intensity for anchor in pool])
    used = np.zeros(len(pool), dtype=int)
    drawn: list[Window] = []
    borrowed = repeated = 0
    for turn in range(windows):
        if sampling == "fixed":
            chosen = [(turn * size + i) % len(pool) for i in range(size)]
        else:
            # Only anchors that were used least are free; where they are too few, all of them are
            # taken and the rest comes from those used once more.
            chosen = []
            free = used == used.min()
            if free.sum() < size:
                chosen = [int(i) for i in generator.permutation(np.flatnonzero(free))]
                free = used == used.min() + 1
            if sampling == "random":
                take = generator.choice(np.flatnonzero(free), size - len(chosen), replace=False)
                chosen += [int(i) for i in take]
            else:
                more, missing = _one_per_bucket(intensities, free, chosen, size, generator)
                chosen += more
                borrowed += missing
            repeated += int((used[chosen] > 0).sum())
            used[chosen] += 1
        shown = shown_order(int(places[turn]), window_size, generator)
        drawn.append(Window(tuple(pool[i] for i in chosen), shown))
    return DrawnWindows(tuple(drawn), borrowed, repeated)


LEAST_NEAR = 0.25
"""Share of a bucket's anchors that stay where they are chosen by length or by nearness."""


def near_in_length(
    anchors: Sequence[Anchor], words: int, windows: int, window_size: int
) -> list[Anchor]:
    """The anchors of each bucket whose number of words is nearest to a response's, in their order.

    Lengths are compared by their ratio; how many stay, `nearest_of_buckets` says.

    Args:
        anchors: the value's anchors.
        words: of the response.
        windows: m, how many windows are to be drawn.
        window_size: k, texts in a window; there are k - 1 buckets.
    """
    lengths = np.array([max(count_words(anchor.text), 1) for anchor in anchors])
    apart = np.abs(np.log(lengths / max(words, 1)))
    return nearest_of_buckets(anchors, apart, windows, window_size)


def nearest_of_buckets(
    anchors: Sequence[Anchor], apart: np.ndarray, windows: int, window_size: int
) -> list[Anchor]:
    """The anchors of each bucket that are nearest to a response, in their order.

    A quarter of a bucket stays, and at least one anchor for each window, so that the draw among
    them is one.

    Args:
        anchors: the value's anchors.
        apart: how far each of them is, in any unit, shape (anchors,).
        windows: m, how many windows are to be drawn.
        window_size: k, texts in a window; there are k - 1 buckets.
    """
    if not len(anchors):
        return []
    buckets = _bucket(np.array([anchor.intensity for anchor in anchors]), window_size - 1)
    kept: list[int] = []
    for bucket in np.unique(buckets):
        members = np.flatnonzero(buckets == bucket)
        most = max(windows, int(np.ceil(LEAST_NEAR * len(members))))
        kept += members[np.argsort(apart[members], kind="stable")[:most]].tolist()
    # With buckets that hold too few, a window could not be filled.
    if len(kept) < windows * (window_size - 1):
        return list(anchors)
    return [anchors[i] for i in sorted(kept)]


def _bucket(intensity: float | np.ndarray, buckets: int) -> np.ndarray:
    return np.minimum((np.asarray(intensity) + 10) // (20 / buckets), buckets - 1).astype(int)[()]


def _one_per_bucket(
    intensities: np.ndarray,
    free: np.ndarray,
    chosen: Sequence[int],
    buckets: int,
    generator: np.random.Generator,
) -> tuple[list[int], int]:
    """One free anchor per bucket not yet served; an empty one takes the nearest free anchor."""
    free = free.copy()
    bucket_of = _bucket(intensities, buckets)
    served = {int(bucket_of[i]) for i in chosen}
    room = buckets - len(chosen)
    picks: list[int] = []
    empty: list[int] = []
    wanted = [bucket for bucket in range(buckets) if bucket not in served]
    if len(wanted) > room:
        wanted = [wanted[i] for i in generator.permutation(len(wanted))[:room]]
    for bucket in wanted:
        members = np.flatnonzero(free & (bucket_of == bucket))
        if len(members):
            pick = int(generator.choice(members))
            free[pick] = False
            picks.append(pick)
        else:
            empty.append(bucket)
    # Full buckets are served first, so that an empty one never takes another's only anchor.
    for bucket in empty:
        members = np.flatnonzero(free)
        centre = -10 + (bucket + 0.5) * 20 / buckets
        distance = np.abs(intensities[members] - centre)
        nearest = members[distance <= distance.min() + 1e-9]
        pick = int(generator.choice(nearest))
        free[pick] = False
        picks.append(pick)
    return picks, len(empty)


def shown_order(place: int, size: int, generator: np.random.Generator) -> tuple[int, ...]:
    """The k indices in a random order with the response (index 0) at its place."""
    others = [int(i) for i in generator.permutation(np.arange(1, size))]
    return (*others[:place], 0, *others[place:])


def place_of_window(number: int, window_size: int, seed: int, *cell: object) -> int:
    """The response's place in a window, balanced over the windows of its cell.

    The windows of a cell are numbered in the order of its responses. Each k of them in turn use
    each of the k places once, and neighbours mirror each other about the middle, so that an effect
    of place that is linear cancels in every pair of windows (a Latin design).

    Args:
        number: the window's number within its cell, from 0.
        window_size: k.
        seed: the run's seed.
        cell: names of the cell; cells start at different places.

    Returns:
        A place from 0 (shown first) to k − 1.
    """
    block, step = divmod(number, window_size)
    generator = generator_for(seed, "places", block, *cell)
    order: list[int] = []
    for first in generator.permutation(window_size // 2):
        pair = [int(first), window_size - 1 - int(first)]
        order += pair if generator.random() < 0.5 else pair[::-1]
    if window_size % 2:
        order.append(window_size // 2)
    return order[step]


MOST_PREFERRED = 40
"""Anchors of a response's own part of a large table: enough to choose among."""


def preferred_anchors(
    intensities: np.ndarray,
    response: int,
    responses: int,
    needed: int,
    seed: int,
    *cell: object,
) -> np.ndarray:
    """A response's own part of the anchors: those that no other response of its cell prefers.

    What a judge gets wrong about an anchor is wrong for every response beside it and does not
    average out over them, so that a cell should meet as many anchors as it can. Parts are dealt
    beforehand, evenly over the scale; so they need not know what was asked of other responses
    meanwhile. Once every part was dealt, all are shuffled and dealt anew.

    Args:
        intensities: of the value's anchors, (A,).
        response: the response's number within its cell, from 0.
        responses: how many there are.
        needed: most anchors that one response meets.
        seed: the run's seed.
        cell: names of the cell.

    Returns:
        Whether each anchor is of the part, (A,). All are, where there are too few for two parts.
    """
    count = len(intensities)
    size = max(needed, min(MOST_PREFERRED, count // 2), 1)
    parts = max(1, min(responses, count // size))
    turn, part = divmod(response, parts)
    generator = generator_for(seed, "preferred anchors", turn, *cell)
    # Neighbours on the scale are dealt to different parts.
    order = np.lexsort((generator.random(count), intensities))
    dealt = generator.permuted(np.tile(np.arange(parts), (-(-count // parts), 1)), axis=1)
    own = np.empty(count, dtype=bool)
    own[order] = dealt.ravel()[:count] == part
    return own
