"""Anchors: texts with a known intensity for a value, from VIDB or a table of one's own.

Accepted columns: the text is `text`, `sentence`, `statement`, `scenario` or `content`; its
intensity `intensity`, `final_rating`, `rating`, `score` or `value_score`; the value `value`,
`value_name` or `target_value`; the theory `theory` or `framework`; the steering level `level`
(optional). A file without a value column is taken for the value that its own name says
(`benevolence.csv`, `pvq_benevolence.csv`, `pvq/benevolence.jsonl`): the layout of per-value tables.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError, UnknownNameError
from valueflow.hub_assets.inputs.source import Row, Source, column_map, open_source, read_rows
from valueflow.hub_assets.registry.loading import Registry, Value, load_registry, slug
from valueflow.hub_assets.vidb.manifest import CATALOGUE
from valueflow.hub_assets.vidb.schema import normalised

__all__ = ["Anchor", "Vidb", "load_vidb", "value_of_file", "vidb_of_run"]

COLUMNS = {
    "text": ("text", "sentence", "statement", "scenario", "content"),
    "intensity": ("intensity", "final_rating", "rating", "score", "value_score"),
    "value": ("value", "value_name", "target_value"),
    "theory": ("theory", "framework"),
    "level": ("level",),
}


_UNKNOWN = "rows of values that the registry does not know"

HALF_SCALE = 10.0
"""Anchors of a value that span less, in points, hardly tell texts apart on the scale."""


@dataclass(frozen=True)
class Anchor:
    """A text and how strongly it supports (+) or opposes (−) a value, from −10 to 10.

    `level` is the steering level (−2, −1, 1, 2) that the table gives it, if it gives one.
    """

    text: str
    intensity: float
    level: int | None = None


@dataclass(frozen=True)
class Vidb:
    """A table of anchors, where it came from, and what was left out of it.

    Attributes:
        anchors: (theory, value) to its anchors, in the table's order.
        source: the files, their revision and hash.
        notes: what was dropped, with counts, one sentence each.
    """

    anchors: Mapping[tuple[str, str], tuple[Anchor, ...]]
    source: Source
    notes: tuple[str, ...]

    def of(self, value: Value) -> tuple[Anchor, ...]:
        """The anchors of a value.

        Raises:
            InputFileError: the table has none; the message lists the values that it has.
        """
        found = self.anchors.get((value.theory, value.name))
        if not found:
            there = ", ".join(f"{t}:{v}" for t, v in self.anchors) or "none"
            raise InputFileError(
                self.source.reference,
                f"has no anchors for {value.theory}:{value.name}; it has anchors for {there}",
            )
        return found


def load_vidb(
    source: object, columns: Mapping[str, str] | None = None, registry: Registry | None = None
) -> Vidb:
    """Reads a table of anchors; a table whose files have not changed is parsed once per process.

    Args:
        source: asset, path, folder or `ORG/NAME@REVISION`, see
            `valueflow.hub_assets.inputs.source`.
        columns: the user's names for the columns `text`, `intensity`, `value`, `theory`, `level`.
        registry: whose assets and values; the installation's where not given.

    Raises:
        InputFileError: no rows, columns that cannot be mapped, an empty text, or an intensity
            that is missing, not a number or outside [−10, 10].
    """
    registry = registry or load_registry()
    opened = open_source(source, "vidb", registry)
    return _read(opened, tuple(sorted((columns or {}).items())), registry)


def vidb_of_run(source: str, columns: Mapping[str, str] | None, registry: Registry) -> Vidb:
    """The table that a run's samples name, read and hashed once per process.

    `load_vidb` looks at the files each time, so that a changed table is seen; within a run the
    table that was checked at its start is the one that counts.
    """
    return _of_run(source, tuple(sorted((columns or {}).items())), registry)


@lru_cache(maxsize=8)
def _of_run(source: str, columns: tuple[tuple[str, str], ...], registry: Registry) -> Vidb:
    return load_vidb(source, dict(columns), registry)


@lru_cache(maxsize=8)
def _read(opened: Source, columns: tuple[tuple[str, str], ...], registry: Registry) -> Vidb:
    found: dict[tuple[str, str], dict[str, Anchor]] = {}
    dropped: Counter[str] = Counter()
    names: dict[tuple[str, str | None], Value | None] = {}
    mapping: dict[str, str] = {}
    file_value: Value | None = None
    current: Path | None = None
    for row in read_rows(opened):
        if row.file != current:
            current = row.file
            mapping = column_map(row, COLUMNS, ["text", "intensity"], dict(columns), "vidb_columns")
            file_value = None
            if "value" not in mapping:
                file_value = value_of_file(opened, row.file, registry)
        value = file_value
        if value is None:
            theory = row.cell(mapping, "theory")
            key = (str(row.cell(mapping, "value")), None if theory in (None, "") else str(theory))
            if key not in names:
                names[key] = _known_value(registry, *key)
            value = names[key]
        if value is None:
            dropped[_UNKNOWN] += 1
            continue
        anchor = _anchor(row, mapping)
        texts = found.setdefault((value.theory, value.name), {})
        if normalised(anchor.text) in texts:
            dropped["repeated texts of a value (the first was kept)"] += 1
            continue
        texts[normalised(anchor.text)] = anchor
    own = opened.root / CATALOGUE
    carried = own.is_file() and registry.catalogue != str(own.resolve())
    if carried and dropped[_UNKNOWN]:
        dropped[f"of which have theirs in {own}: add -T catalogue={own}"] = dropped[_UNKNOWN]
    if not found:
        raise InputFileError(
            opened.reference,
            "holds no anchor of a known value"
            + "".join(f"; {count} {what}" for what, count in dropped.items()),
        )
    anchors = {key: tuple(texts.values()) for key, texts in found.items()}
    notes = [f"{count} {what}" for what, count in dropped.items()]
    return Vidb(anchors, opened, (*opened.notes, *notes, *_on_another_scale(anchors)))


def _on_another_scale(anchors: Mapping[tuple[str, str], tuple[Anchor, ...]]) -> list[str]:
    """A warning where intensities look as if they were rated from 1 to 5, or from 0 to 10."""
    odd = []
    for (theory, value), texts in anchors.items():
        low, high = min(a.intensity for a in texts), max(a.intensity for a in texts)
        if len(texts) > 1 and (high - low < HALF_SCALE or low >= 0 or high <= 0):
            odd.append(f"{theory}:{value} from {low:g} to {high:g}")
    if not odd:
        return []
    more = f" and {len(odd) - 3} values more" if len(odd) > 3 else ""
    return [
        f"intensities span less than half of the scale from -10 to 10, or one sign only "
        f"({'; '.join(odd[:3])}{more}); if they were rated on another scale, map them to this one "
        "first (-10 opposes most, 0 is neutral): all scores are in the anchors' units"
    ]


def _known_value(registry: Registry, name: str, theory: str | None) -> Value | None:
    try:
        return registry.value(name, theory)
    except UnknownNameError:
        return None


def value_of_file(opened: Source, file: Path, registry: Registry) -> Value:
    """The value that a per-value table's name says: `value`, `theory_value` or `theory/value`.

    Raises:
        InputFileError: the name says none.
    """
    folder = file.parent.name if file.parent != opened.root else opened.root.name
    for theory in registry.theories.values():
        spellings = {slug(theory.name), *map(slug, theory.aliases)}
        for spelling in spellings:
            if slug(file.stem).startswith(spelling + "-"):
                value = _known_value(registry, slug(file.stem)[len(spelling) + 1 :], theory.name)
                if value is not None:
                    return value
        if slug(folder) in spellings:
            value = _known_value(registry, file.stem, theory.name)
            if value is not None:
                return value
    value = _known_value(registry, file.stem, None)
    if value is None:
        raise InputFileError(
            file,
            "has no column for the value, and its name says none. Add a column 'value', name "
            "yours with vidb_columns='{value: YOUR_COLUMN}', or name the file for the value, "
            "like 'benevolence.csv'",
        )
    return value


def _anchor(row: Row, mapping: Mapping[str, str]) -> Anchor:
    text = row.text(mapping, "text")
    if not text:
        raise InputFileError(row.file, "the text is empty", row=row.number, column=mapping["text"])
    raw = row.cells.get(mapping["intensity"])
    try:
        intensity = float(raw)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        intensity = math.nan
    if isinstance(raw, bool) or not math.isfinite(intensity):
        shown = "is missing" if raw in (None, "") else f"{raw!r} is not a number"
        raise InputFileError(
            row.file,
            f"the intensity {shown}; every anchor needs one from -10 to 10",
            row=row.number,
            column=mapping["intensity"],
        )
    if not -10 <= intensity <= 10:
        raise InputFileError(
            row.file,
            f"the intensity {intensity:g} is outside [-10, 10]; rescale the table",
            row=row.number,
            column=mapping["intensity"],
        )
    return Anchor(text, intensity, _level(row.cell(mapping, "level"), row, mapping))


def _level(raw: object, row: Row, mapping: Mapping[str, str]) -> int | None:
    if raw in (None, ""):
        return None
    try:
        number = float(str(raw))
    except ValueError:
        number = math.nan
    if number not in (-2, -1, 0, 1, 2):
        raise InputFileError(
            row.file,
            f"the level {raw!r} is none of -2, -1, 0, 1, 2",
            row=row.number,
            column=mapping["level"],
        )
    return int(number)
