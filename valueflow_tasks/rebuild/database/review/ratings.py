"""Human ratings from the recipe's file and from `DIR/review`, brought together.

Human ratings of texts for values: a CSV (text or id, value, rating, reviewer).
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError, UnknownNameError
from valueflow.hub_assets.registry.loading import Registry, load_registry
from valueflow.hub_assets.vidb.schema import split_hash_of
from valueflow.rebuild.database.recipe import key_of
from valueflow.rebuild.database.review.decisions import checked_answer, read_decisions
from valueflow.rebuild.database.review.directions import settle_directions
from valueflow.rebuild.database.review.table import filled_rows
from valueflow.scorers.summary.agreement import Agreement, agreement

__all__ = [
    "Gathered",
    "RatedRow",
    "Rating",
    "gather_ratings",
    "pooled",
    "rating_rows",
    "read_ratings",
    "review_told",
]

Key = tuple[str, str]
"""Id of a text, key of a value (`key_of`)."""


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


def read_ratings(path: Path, registry: Registry | None = None) -> dict[tuple[str, str], Rating]:
    """Ratings by (hash of the text, value); see `rating_rows`."""
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rating_rows(path, registry):
        found[row.id, row.value].append(row.rating)
    return {key: pooled(ratings) for key, ratings in found.items()}


def rating_rows(path: Path, registry: Registry | None = None) -> Iterator[RatedRow]:
    """Ratings in the file's order. Rows without a rating are passed over: a queue file that is
    filled in step by step can be used at any time.

    Raises:
        InputFileError: it cannot be read, lacks a column, or a rating is no number in [-10, 10].
    """
    registry = registry or load_registry()
    for number, cells in filled_rows(path, "rating"):
        raw = cells["rating"].strip()
        if not raw:
            continue
        try:
            rating = float(checked_answer("ratings", raw))
        except ValueError as error:
            raise InputFileError(path, str(error), row=number, column="rating") from None
        try:
            value = registry.value(cells["value"].strip(), cells.get("theory") or None)
        except UnknownNameError as error:
            raise InputFileError(path, str(error), row=number, column="value") from None
        name = cells.get("id", "").strip() or split_hash_of(cells.get("text", "").strip())
        reviewer = " ".join(cells.get("reviewer", "").split())
        yield RatedRow(name, key_of(value), reviewer, rating)


def pooled(ratings: Sequence[float]) -> Rating:
    """Ratings of one row as one."""
    n = len(ratings)
    mean = sum(ratings) / n
    if n == 1:
        return Rating(mean, None, 1)
    variance = sum((r - mean) ** 2 for r in ratings) / (n - 1)
    return Rating(mean, math.sqrt(variance / n), n)


@dataclass(frozen=True)
class Gathered:
    """All ratings of a build.

    Attributes:
        ratings: by row.
        reviewers: names of all who rated.
        unnamed: ratings in the file that have no reviewer's name.
        blind: ratings made in `DIR/review` without sight of the scores.
        seen: ratings made there in sight of them; of those in the file it is not known.
        by_reviewer: row to reviewer to the mean of the reviewer's ratings, for agreement.
        notes: what a user has to know.
    """

    ratings: Mapping[Key, Rating]
    reviewers: Sequence[str]
    unnamed: int
    blind: int
    seen: int
    by_reviewer: Mapping[Key, Mapping[str, float]]
    notes: Sequence[str]


def gather_ratings(
    file: Path | None, folder: Path, rows: Collection[Key], registry: Registry
) -> Gathered:
    """Ratings of the rows of a database.

    Where a reviewer has rated a row in both places, the recipe's file counts, since the recipe is
    what is published with the database.

    Args:
        file: the recipe's ratings.
        folder: of the build.
        rows: of the database; ratings of other rows are counted and told.
        registry: catalogue of the build.

    Raises:
        InputFileError: a file is malformed.
    """
    found: defaultdict[Key, list[tuple[str, float]]] = defaultdict(list)
    others = unnamed = blind = seen = twice = 0
    for rated in rating_rows(file, registry) if file is not None else ():
        key = (rated.id, rated.value)
        if key not in rows:
            others += 1
            continue
        unnamed += not rated.reviewer
        found[key].append((rated.reviewer, rated.rating))
    names = {name.casefold(): name for by in found.values() for name, _ in by if name}
    for item, decisions in read_decisions(folder).answers("ratings").items():
        key = (item.id, item.value)
        in_file = {name.casefold() for name, _ in found.get(key, ())}
        for reviewer, decision in decisions.items():
            if key not in rows:
                others += 1
            elif reviewer.casefold() in in_file:
                twice += 1
            else:
                name = names.setdefault(reviewer.casefold(), reviewer)
                found[key].append((name, float(decision.answer or 0.0)))
                blind += decision.blind
                seen += not decision.blind
    notes = []
    if others:
        notes.append(f"{others:,} ratings are of rows that are not in the database")
    if twice:
        notes.append(
            f"{twice:,} rows were rated by the same reviewer in {file} and in {folder / 'review'}; "
            "the file's ratings count"
        )
    if unnamed and blind + seen:
        notes.append(
            f"{unnamed:,} ratings in {file} name no reviewer; if they are by people who rated in "
            f"{folder / 'review'} too, these count twice"
        )
    return Gathered(
        {key: pooled([rating for _, rating in given]) for key, given in found.items()},
        sorted({name for given in found.values() for name, _ in given if name}),
        unnamed,
        blind,
        seen,
        {key: _by_reviewer(given) for key, given in found.items()},
        notes,
    )


def _by_reviewer(given: Sequence[tuple[str, float]]) -> dict[str, float]:
    by: defaultdict[str, list[float]] = defaultdict(list)
    for number, (name, rating) in enumerate(given):
        by[name.casefold() or f"\x1f{number}"].append(rating)
    return {name: sum(ratings) / len(ratings) for name, ratings in by.items()}


def review_told(found: Gathered, folder: Path, weight: float, human: bool) -> dict[str, str]:
    """What a database's card says of its review; empty where there was none.

    Args:
        found: its ratings.
        folder: of the build.
        weight: of ratings in merged scores.
        human: whether the recipe names a file of directions, which then counts.
    """
    told = {}
    if found.ratings:
        people = _people(len(found.reviewers), found.unnamed)
        told["review"] = (
            f"{len(found.ratings):,} rows rated by {people} ({_blindness(found)}); human ratings "
            f"merged with weight {weight:g}; {_alpha(agreement(found.by_reviewer, 'interval'))}"
        )
    settled = settle_directions(folder)
    if settled.directions and not human:
        by = read_decisions(folder).answers("directions")
        used = {k: {n: d.answer for n, d in v.items()} for k, v in by.items()}
        used = {k: v for k, v in used.items() if (k.id, k.value) in settled.directions}
        alpha = _alpha(agreement(used, "nominal"))
        told["divided rows"] = (
            f"{len(settled.directions):,} directions on which the panel stayed divided decided by "
            f"{_people(len({n for v in used.values() for n in v}), 0)}; {alpha}"
        )
    return told


def _people(named: int, unnamed: int) -> str:
    told = f"{named:,} {'reviewer' if named == 1 else 'reviewers'}" if named or not unnamed else ""
    if not unnamed:
        return told
    return f"{told}{' and ' if told else ''}people without a name ({unnamed:,} ratings)"


def _blindness(found: Gathered) -> str:
    total = sum(len(by) for by in found.by_reviewer.values())
    if found.blind == total:
        return "all blind to the judge's score"
    if found.seen == total:
        return "in sight of the judge's score"
    if not found.blind and not found.seen:
        return "whether blind to the judge's score is not known"
    parts = [
        f"{found.blind:,} ratings blind to the judge's score",
        f"{found.seen:,} in sight of it",
    ]
    unknown = total - found.blind - found.seen
    return ", ".join([*parts, *([f"{unknown:,} not known"] if unknown > 0 else [])])


def _alpha(found: Agreement) -> str:
    if found.alpha is None:
        return f"no figure of agreement ({found.note})"
    between = "" if found.low is None else f" (95% interval {found.low:.2f} to {found.high:.2f})"
    return (
        f"Krippendorff's alpha {found.alpha:.2f}{between} on {found.compared:,} "
        f"{'row' if found.compared == 1 else 'rows'} judged by two or more"
    )
