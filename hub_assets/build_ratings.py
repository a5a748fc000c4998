"""Human ratings of texts for values: a CSV (text or id, value, rating, reviewer)."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError, UnknownNameError
from valueflow.hub_assets.filled_table import filled_rows
from valueflow.hub_assets.registry import load_registry
from valueflow.hub_assets.review_decisions import checked_answer
from valueflow.hub_assets.vidb_schema import split_hash_of

__all__ = ["RatedRow", "Rating", "pooled", "rating_rows", "read_ratings"]


@dataclass(frozen=True)
class Rating:
    """Ratings of one text for one value: their mean, its standard error (None for one rating)."""

    mean: float
    standard_error: float | None
    count: int


@dataclass(frozen=True)
class RatedRow:
    """One rating: hash of the text, name of the value, who gave it (empty: not said), and what."""

    id: str
    value: str
    reviewer: str
    rating: float


def read_ratings(path: Path) -> dict[tuple[str, str], Rating]:
    """Ratings by (hash of the text, value); see `rating_rows`."""
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rating_rows(path):
        found[row.id, row.value].append(row.rating)
    return {key: pooled(ratings) for key, ratings in found.items()}


def rating_rows(path: Path) -> Iterator[RatedRow]:
    """Ratings in the file's order. Rows without a rating are passed over: a queue file that is
    filled in step by step can be used at any time.

    Raises:
        InputFileError: it cannot be read, lacks a column, or a rating is no number in [-10, 10].
    """
    for number, cells in filled_rows(path, "rating"):
        raw = cells["rating"].strip()
        if not raw:
            continue
        try:
            rating = float(checked_answer("ratings", raw))
        except ValueError as error:
            raise InputFileError(path, str(error), row=number, column="rating") from None
        try:
            value = load_registry().value(cells["value"].strip(), cells.get("theory") or None)
        except UnknownNameError as error:
            raise InputFileError(path, str(error), row=number, column="value") from None
        name = cells.get("id", "").strip() or split_hash_of(cells.get("text", "").strip())
        reviewer = " ".join(cells.get("reviewer", "").split())
        yield RatedRow(name, value.name, reviewer, rating)


def pooled(ratings: Sequence[float]) -> Rating:
    """Ratings of one row as one."""
    n = len(ratings)
    mean = sum(ratings) / n
    if n == 1:
        return Rating(mean, None, 1)
    variance = sum((r - mean) ** 2 for r in ratings) / (n - 1)
    return Rating(mean, math.sqrt(variance / n), n)
