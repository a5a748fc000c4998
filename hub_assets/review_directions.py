"""The directions that people gave to divided rows, and which of them a build can still use.

A judge's rankings hold for the rows that were ranked. A decision adds a row, and through near
duplicates a row of one value can change those of another; so decisions are taken up until the
first window of any value is ranked, and stay as they are from then on. Later ones are kept,
counted and told.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from valueflow.hub_assets.build_folder import read_lines, write_lines
from valueflow.hub_assets.build_recipe import fingerprint
from valueflow.hub_assets.review_decisions import read_decisions

__all__ = ["Settled", "keep_settled", "ranking_begun", "settle_directions"]

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
