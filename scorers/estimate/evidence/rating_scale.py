"""Saved ratings, checked, and brought to one scale.

All rated windows of a judge must have been rated on one scale, or its calibration would be of none
of them. Records may name the ends of theirs (``rating_scale``); where none does, it is -10 to 10,
or 0 to 100 where a rating lies above 10.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SCALES = ((-10.0, 10.0), (0.0, 100.0))
"""Scales that are recognised where records do not name theirs."""


class RatingScale:
    """Reads the ratings of one table's records, and knows the scale when all are read."""

    def __init__(self) -> None:
        self.named: tuple[float, float] | None = None
        self.low = self.high = 0.0
        self.step = 1.0
        self.records = 0
        self.complete: bool | None = None

    def read(self, ratings: Any, named: Any, size: int) -> list[float]:
        """Ratings of ``size`` texts as the record has them, NaN for texts without one.

        Args:
            ratings: the record's ``ratings``: the response's, then the anchors'.
            named: the record's ``rating_scale``, or None.
            size: texts in the window.

        Raises:
            ValueError: what is wrong: no list of ``size`` numbers, none for the response or for any
                anchor, one that is not finite or outside the scale, a scale that is none or is not
                that of the records before.
        """
        if isinstance(ratings, str) or not isinstance(ratings, Sequence | np.ndarray):
            raise ValueError("must be a list of numbers, the response's first")
        if len(ratings) != size:
            raise ValueError(f"has {len(ratings)} ratings for {size} texts")
        values = [math.nan if rating is None else _number(rating) for rating in ratings]
        if math.isnan(values[0]):
            raise ValueError("the response, which comes first, has no rating")
        rated = [value for value in values if not math.isnan(value)]
        if len(rated) < 2:
            raise ValueError("no anchor has a rating, so nothing tells what the response's means")
        complete = len(rated) == size
        if self.complete not in (None, complete):
            raise ValueError(
                "some windows rate all their texts and others only some; these are answers to two "
                "questions (judge_mode rating and placement). Score them on their own"
            )
        self._take_scale(named, min(rated), max(rated))
        self.complete = complete
        self._count(rated)
        return values

    def read_one(self, rating: Any, named: Any) -> float:
        """The rating of a text that was rated by itself, as the record has it.

        Args:
            rating: the record's ``rating``.
            named: the record's ``rating_scale``, or None.

        Raises:
            ValueError: no finite number, or one outside the scale; a scale that is none or is not
                that of the records before.
        """
        value = _number(rating)
        self._take_scale(named, value, value)
        self._count([value])
        return value

    def _count(self, rated: list[float]) -> None:
        """Takes up a record's ratings: their steps are those of the scale."""
        self.records += 1
        for value in () if all(map(float.is_integer, rated)) and self.step == 1 else rated:
            while self.step > 0.01 and abs(value / self.step - round(value / self.step)) > 1e-6:
                self.step /= 2 if self.step == 1 else 5

    def _take_scale(self, named: Any, low: float, high: float) -> None:
        ends = None if named is None else _ends(named)
        if self.records and ends != self.named:
            told = [
                f"{one[0]:g} to {one[1]:g}" if one else "no scale" for one in (self.named, ends)
            ]
            raise ValueError(
                f"mixed scales: earlier records name {told[0]} and this one {told[1]}. Ratings on "
                "two scales are answers of two judges; name these in 'judge', or score each "
                "scale's windows on their own"
            )
        self.named = ends
        if ends is not None and not ends[0] <= low <= high <= ends[1]:
            out = low if low < ends[0] else high
            raise ValueError(f"{out:g} lies outside the scale from {ends[0]:g} to {ends[1]:g}")
        self.low, self.high = min(self.low, low), max(self.high, high)
        if ends is None and not any(a <= self.low and self.high <= b for a, b in SCALES):
            if low < SCALES[0][0] or high > SCALES[1][1]:
                out = low if low < SCALES[0][0] else high
                raise ValueError(
                    f"{out:g} lies outside -10 to 10 and 0 to 100; name the ends of the scale in "
                    "'rating_scale', such as [1, 7]"
                )
            raise ValueError(
                f"mixed scales: ratings from {self.low:g} to {self.high:g} fit neither -10 to 10 "
                "nor 0 to 100. Score each scale's windows on their own, or name the scale in "
                "'rating_scale'"
            )

    @property
    def ends(self) -> tuple[float, float]:
        """The scale's ends."""
        if self.named is not None:
            return self.named
        return next(one for one in SCALES if one[0] <= self.low and self.high <= one[1])

    def in_points(self, ratings: Array) -> tuple[Array, float]:
        """Ratings on [-10, 10], and the distance of two neighbouring ones."""
        low, high = self.ends
        return -10 + 20 * (ratings - low) / (high - low), 20 * self.step / (high - low)


def _number(rating: Any) -> float:
    if type(rating) is int or (type(rating) is float and math.isfinite(rating)):
        return float(rating)
    if isinstance(rating, bool) or not isinstance(rating, int | float | np.number):
        raise ValueError(f"{rating!r} is not a number")
    if not math.isfinite(rating):
        raise ValueError(f"{rating!r} is not a finite number")
    return float(rating)


def _ends(named: Any) -> tuple[float, float]:
    problem = f"'rating_scale' must be two numbers, the lower end first, not {named!r}"
    if isinstance(named, str) or not isinstance(named, Sequence) or len(named) != 2:
        raise ValueError(problem)
    low, high = (_number(end) for end in named)
    if not low < high:
        raise ValueError(problem)
    return low, high
