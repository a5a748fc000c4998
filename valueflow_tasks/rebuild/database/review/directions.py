"""What a build and a review tell of each other: what waits, what is used, what came too late.

The directions that people gave to divided rows, and which of them a build can still use.

A judge's rankings hold for the rows that were ranked. A decision adds a row, and through near
duplicates a row of one value can change those of another; so decisions are taken up until the
first window of any value is ranked, and stay as they are from then on. Later ones are kept,
counted and told.

Directions that people gave in a file of their own: a CSV (id or text, value, direction).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError, UnknownNameError
from valueflow.hub_assets.registry.loading import Registry, load_registry
from valueflow.hub_assets.vidb.schema import DIRECTIONS, split_hash_of
from valueflow.rebuild.database.folder import read_lines, write_lines
from valueflow.rebuild.database.recipe import fingerprint, key_of
from valueflow.rebuild.database.review.decisions import read_decisions
from valueflow.rebuild.database.review.table import filled_rows

__all__ = [
    "Settled",
    "direction_notes",
    "file_directions",
    "keep_settled",
    "late_note",
    "ranking_begun",
    "settle_directions",
]


def direction_notes(folder: Path, waiting: int, human: str | None) -> list[str]:
    """Sentences on the divided rows of a build.

    Args:
        folder: of the build.
        waiting: rows without a direction.
        human: the recipe's own file of directions, where there is one.

    Raises:
        InputFileError: the file of decisions is damaged.
    """
    notes = []
    settled = settle_directions(folder)
    if human is not None:
        if settled.reviewers:
            notes.append(
                f"directions decided in {folder / 'review'} are not used, since the recipe names a "
                f"file of directions ({human}); leave 'human' out to use them"
            )
        return notes
    if settled.directions:
        notes.append(f"{len(settled.directions):,} directions are from {folder / 'review'}")
    if settled.tied:
        notes.append(
            f"{settled.tied:,} rows stay undecided: as many reviewers say one thing as another"
        )
    notes += late_note(folder)
    if waiting and not ranking_begun(folder):
        notes.append(
            f"{waiting:,} rows have no direction; `valueflow review {folder} --queue directions` "
            "asks you. Run this stage again afterwards; as soon as ranking begins it is too late"
        )
    return notes


def late_note(folder: Path) -> list[str]:
    """The sentence on decisions that came when ranking had begun; none where there are none."""
    late = settle_directions(folder).late
    if not late:
        return []
    return [
        f"{late:,} directions were decided or changed after ranking had begun; they are kept in "
        f"{folder / 'review'} and not used, since rankings hold for the rows that were ranked. "
        "To use them, copy the folders import, categorize and review into a new folder and build "
        "there: the panel is not asked again, and all values are ranked anew"
    ]


Directions = Mapping[tuple[str, str], str]
"""(id of the text, name of the value) to direction, `none` for not about the value."""


@dataclass(frozen=True)
class Settled:
    """Directions that a build uses.

    Attributes:
        directions: to be used.
        late: decisions that came, changed or were taken back when ranking had begun.
        tied: rows on which as many reviewers say one thing as another; they stay undecided.
        reviewers: who has decided on any row.
    """

    directions: Directions = field(default_factory=dict)
    late: int = 0
    tied: int = 0
    reviewers: int = 0

    @property
    def mark(self) -> str | None:
        """A fingerprint of the directions; None where there are none."""
        told = sorted([*key, direction] for key, direction in self.directions.items())
        return fingerprint(told) if told else None


def settle_directions(folder: Path) -> Settled:
    """What people decided in `DIR/review`: what most say; see the module's text.

    Raises:
        InputFileError: the file of decisions is damaged.
    """
    now: dict[tuple[str, str], str] = {}
    tied = 0
    answers = read_decisions(folder).answers("directions")
    for key, by in answers.items():
        counted = Counter(str(decision.answer) for decision in by.values()).most_common(2)
        if len(counted) == 2 and counted[0][1] == counted[1][1]:
            tied += 1
        else:
            now[key.id, key.value] = counted[0][0]
    reviewers = len({name for by in answers.values() for name in by})
    if not ranking_begun(folder):
        return Settled(now, 0, tied, reviewers)
    used = _used(folder)
    late = sum(now.get(key) != used.get(key) for key in {*now, *used})
    return Settled(used, late, tied, reviewers)


def keep_settled(folder: Path, settled: Settled) -> None:
    """Notes which directions a build uses, for when ranking has begun."""
    path = _path(folder)
    if settled.directions or path.is_file():
        rows = [
            {"id": name, "value": value, "direction": direction}
            for (name, value), direction in sorted(settled.directions.items())
        ]
        write_lines(path, rows)


def ranking_begun(folder: Path) -> bool:
    """Whether a judge has ranked any window of any value."""
    return any(file.stat().st_size for file in (folder / "rank").glob("*.jsonl"))


def _path(folder: Path) -> Path:
    return folder / "categorize" / "people.jsonl"


def _used(folder: Path) -> dict[tuple[str, str], str]:
    path = _path(folder)
    if not path.is_file():
        return {}
    rows = read_lines(path, "categorize")
    return {(row["id"], row["value"]): row["direction"] for row in rows}


def file_directions(path: Path, registry: Registry | None = None) -> dict[tuple[str, str], str]:
    """(text's id, value) to the direction that a person gave; rows left empty are passed over.

    Raises:
        InputFileError: it cannot be read, lacks a column, names an unknown direction or
            value, or says two things of one text and value.
    """
    registry = registry or load_registry()
    found: dict[tuple[str, str], str] = {}
    for number, cells in filled_rows(path, "direction"):
        direction = cells["direction"].strip().lower()
        if not direction:
            continue
        if direction not in (*DIRECTIONS, "none"):
            raise InputFileError(
                path,
                f"{direction!r} is none of {', '.join(DIRECTIONS)}, none",
                row=number,
                column="direction",
            )
        try:
            value = registry.value(cells["value"].strip(), cells.get("theory") or None)
        except UnknownNameError as error:
            raise InputFileError(path, str(error), row=number, column="value") from None
        name = cells.get("id", "").strip() or split_hash_of(cells.get("text", "").strip())
        if found.setdefault((name, key_of(value)), direction) != direction:
            raise InputFileError(
                path,
                f"says {direction}, and a row above says {found[name, key_of(value)]} of the same "
                "text and value; keep one",
                row=number,
                column="direction",
            )
    return found
