"""Value profiles of groups: how strongly each group holds each value, from −1 to 1.

A table has the columns `group`, `theory`, `value` and `score`; names in any usual spelling. A
profile that was computed from survey questions names them in the column `questions`: their hashes,
separated by spaces, in any rows. They must not be scored with it, and the task leaves them out.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError, OptionError, UnknownNameError
from valueflow.hub_assets.inputs.rows import rows_of
from valueflow.hub_assets.inputs.source import Row, Source, column_map, open_source, read_rows
from valueflow.hub_assets.registry.groups import Band
from valueflow.hub_assets.registry.loading import Asset, Value, load_registry

__all__ = ["GroupProfiles", "ProfileLine", "load_profiles"]

COLUMNS = {
    "group": ("group", "attribute"),
    "theory": ("theory",),
    "value": ("value",),
    "score": ("score",),
    "questions": ("questions",),
}


@dataclass(frozen=True)
class ProfileLine:
    """A value that a group holds, and how strongly."""

    value: Value
    score: float
    band: Band


@dataclass(frozen=True)
class GroupProfiles:
    """Profiles of groups.

    Attributes:
        scores: (group, theory) to the scores of its values, in [−1, 1].
        source: the table.
        questions: hashes of the questions that the profiles were built on, as far as stated.
        states_questions: whether the table states any.
        built_on: what an asset of the registry says of its questions, also of a file with scores
            of an asset; empty for the user's own.
        built_on_texts: hashes of the texts of those questions (`text_hash`), where they are known.
    """

    scores: Mapping[tuple[str, str], Mapping[str, float]]
    source: Source
    questions: frozenset[str]
    states_questions: bool
    built_on: str
    built_on_texts: frozenset[str] = frozenset()

    def lines(self, group: str, theory: str, count: int) -> tuple[ProfileLine, ...]:
        """The values that tell most of a group: half of them its highest, half its lowest.

        They are chosen by the scores as they are; of equal scores the value that stands first in
        the registry is taken. Of an odd number, one more is high.

        Args:
            group: name of the group.
            theory: name of the theory.
            count: how many lines.

        Returns:
            The highest first, in falling order.

        Raises:
            OptionError: the group has no profile of the theory, or fewer values than lines.
        """
        scores = self.scores.get((group, theory))
        if not scores:
            have = sorted({name for name, one in self.scores if one == theory})
            raise OptionError(
                "profiles",
                f"{self.source.reference} has no {theory} profile of the group '{group}'"
                + (f"; it has {', '.join(have)}" if have else "")
                + ". Add its rows, or name the groups to use with groups=...",
            )
        if count > len(scores):
            raise OptionError(
                "lines",
                f"{count} lines are asked of the {len(scores)} {theory} values that "
                f"{self.source.reference} has of '{group}'; give at most {len(scores)}",
            )
        registry = load_registry()
        values = [v for v in registry.theories[theory].values if v.name in scores]
        # Sorting is stable, so that equal scores stay in the registry's order at both ends.
        high = sorted(values, key=lambda v: -scores[v.name])[: count - count // 2]
        rest = [value for value in values if value not in high]
        low = sorted(rest, key=lambda v: scores[v.name])[: count // 2]
        chosen = [*high, *reversed(low)]
        return tuple(
            ProfileLine(v, scores[v.name], registry.opinion.band(scores[v.name])) for v in chosen
        )


def load_profiles(source: str) -> GroupProfiles:
    """Reads a table of profiles.

    Args:
        source: asset, path or `ORG/NAME@REVISION`, see `valueflow.hub_assets.inputs.source`.

    Raises:
        InputFileError: a missing column, an unknown name, a score outside [−1, 1], a value that
            stands twice, a word in `questions` that is no hash.
    """
    opened = open_source(source, "group-profiles")
    registry = load_registry()
    scores: dict[tuple[str, str], dict[str, float]] = {}
    questions: set[str] = set()
    mapping: dict[str, str] = {}
    current = None
    for row in read_rows(opened):
        if row.file != current:
            current = row.file
            mapping = column_map(
                row, COLUMNS, ["group", "theory", "value", "score"], None, "profiles"
            )
        field = "group"
        try:
            group = registry.opinion.group(row.cell(mapping, "group")).name
            field = "theory"
            theory = registry.theory(row.cell(mapping, "theory")).name
            field = "value"
            value = registry.value(row.cell(mapping, "value"), theory).name
        except UnknownNameError as error:
            raise InputFileError(
                row.file, str(error), row=row.number, column=mapping[field]
            ) from None
        own = scores.setdefault((group, theory), {})
        if value in own:
            raise InputFileError(
                row.file, f"{theory}:{value} of '{group}' stands twice", row=row.number
            )
        own[value] = _score(row, mapping)
        questions |= _hashes(row, mapping)
    if not scores:
        raise InputFileError(opened.reference, "holds no profile")
    asset = _built_on(opened.reference, scores)
    return GroupProfiles(
        scores=scores,
        source=opened,
        questions=frozenset(questions),
        states_questions=bool(questions),
        built_on=asset.built_on if asset else "",
        built_on_texts=_texts(asset.built_on_texts) if asset else frozenset(),
    )


@cache
def _texts(file: str | None) -> frozenset[str]:
    if file is None:
        return frozenset()
    rows = rows_of([Path(__file__).parents[1] / file])
    return frozenset(str(row.cells["text_hash"]) for row in rows)


def _built_on(
    reference: str, scores: Mapping[tuple[str, str], Mapping[str, float]]
) -> Asset | None:
    """The asset that a table is, or has scores of: it was built on the same questions."""
    assets = load_registry().assets
    if reference in assets:
        return assets[reference]
    for name, asset in assets.items():
        if asset.built_on:
            published = load_profiles(name).scores
            if any(published.get(of) == own for of, own in scores.items()):
                return asset
    return None


def _score(row: Row, mapping: Mapping[str, str]) -> float:
    raw = row.cell(mapping, "score")
    try:
        score = float(raw)
    except (TypeError, ValueError):
        score = math.nan
    if not -1 <= score <= 1:
        raise InputFileError(
            row.file,
            f"{raw!r} is no number from -1 to 1",
            row=row.number,
            column=mapping["score"],
        )
    return score


def _hashes(row: Row, mapping: Mapping[str, str]) -> set[str]:
    words = str(row.cell(mapping, "questions") or "").split()
    for word in words:
        if not re.fullmatch(r"[0-9a-f]{16}", word):
            raise InputFileError(
                row.file,
                f"{word[:40]!r} is no question's hash (16 hexadecimal digits)",
                row=row.number,
                column=mapping["questions"],
            )
    return set(words)
