"""Anchors: texts with a known intensity for a value, from VIDB or a table of one's own.

Accepted columns: the text is `text`, `sentence`, `statement`, `scenario` or `content`; its
intensity `intensity`, `final_rating`, `rating`, `score` or `value_score`; the value `value`,
`value_name` or `target_value`; the theory `theory` or `framework`; the steering level `level`
(optional). A file without a value column is taken for the value that its own name says, or its
folder's where its own says nothing: the layouts of per-value tables, such as `benevolence.csv`,
`pvq/benevolence.jsonl`, `benevolence_pvq_flag_aggregated.csv` and
`pvq_benevolence/train-00000-of-00001.parquet`.

Intensities on another scale are mapped where the user says which: the entry `range` beside the
names of the columns, `{range: 1..5}`, puts 1 at -10 and 5 at 10, in a straight line.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError, OptionError, UnknownNameError
from valueflow.hub_assets.inputs.rows import name_without_suffix
from valueflow.hub_assets.inputs.source import Row, Source, column_map, open_source, read_rows
from valueflow.hub_assets.registry.loading import Registry, Value, load_registry, slug
from valueflow.hub_assets.vidb.manifest import CATALOGUE
from valueflow.hub_assets.vidb.schema import normalised

__all__ = [
    "WEAK",
    "Anchor",
    "Vidb",
    "level_of_intensity",
    "load_vidb",
    "value_of_file",
    "vidb_of_run",
]

WEAK, STRONG = 2.0, 6.0
"""An intensity has level ±1 from `WEAK` to `STRONG`, in points of either sign, and ±2 beyond."""

COLUMNS = {
    "text": ("text", "sentence", "statement", "scenario", "content"),
    "intensity": ("intensity", "final_rating", "rating", "score", "value_score"),
    "value": ("value", "value_name", "target_value"),
    "theory": ("theory", "framework"),
    "level": ("level",),
}


RANGE = "range"
"""The entry, beside the names of columns, for the ends of the scale that a table is on."""

_RANGE = re.compile(r"\s*(-?\d+\.?\d*)\s*(?:\.\.|,|to)\s*(-?\d+\.?\d*)\s*")

# Words in the names of files and folders that say what a table holds, and not of which value.
_NO_VALUE = re.compile(
    r"\d+|aggregated|all|anchors|chunk|data|dev|final|flag|flagged|full|filtered|of|part|rated"
    r"|ratings?|scored?|scores|shard|split|test|train|val|validation|vidb"
)

HALF_SCALE = 10.0
"""Anchors of a value that span less, in points, hardly tell texts apart on the scale."""


def level_of_intensity(intensity: float) -> int:
    """The steering level whose bin an intensity, in points, falls into.

    ±2 beyond 6 points, ±1 from 2 to 6, and 0 below 2: too little to be told from no stance.
    """
    size = abs(intensity)
    level = 0 if size < WEAK else 1 if size <= STRONG else 2
    return level if intensity > 0 else -level


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
        columns: the user's names for the columns `text`, `intensity`, `value`, `theory`, `level`,
            and under `range` the scale of the intensities, `1..5`, where it is another.
        registry: whose assets and values; the installation's where not given.

    Raises:
        InputFileError: no rows, columns that cannot be mapped, an empty text, or an intensity
            that is not a number or outside its scale. Rows without one are left out and counted.
        OptionError: `range` is no scale.
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
    unknown: Counter[str] = Counter()
    names: dict[tuple[str, str | None], Value | None] = {}
    mapping: dict[str, str] = {}
    given = dict(columns)
    low, high = _range_of(given.pop(RANGE, None))
    file_value: Value | None = None
    current: Path | None = None
    for row in read_rows(opened):
        if row.file != current:
            current = row.file
            mapping = column_map(
                row, COLUMNS, ["text", "intensity"], given, "vidb_columns", opened.files
            )
            file_value = None
            if "value" not in mapping:
                file_value = _value_of_table(opened, row.file, registry)
                if file_value is None:
                    unknown[f"the file {row.file.name}"] = 0
        value = file_value
        if "value" in mapping:
            theory = row.cell(mapping, "theory")
            key = (str(row.cell(mapping, "value")), None if theory in (None, "") else str(theory))
            if key not in names:
                names[key] = _known_value(registry, *key)
            value = names[key]
            if value is None:
                unknown[key[0] if key[1] is None else f"{key[1]}:{key[0]}"] += 1
        elif value is None:
            unknown[f"the file {row.file.name}"] += 1
        if value is None:
            continue
        if _is_blank(row.cells.get(mapping["intensity"])):
            dropped["rows without an intensity"] += 1
            continue
        anchor = _anchor(row, mapping, low, high)
        texts = found.setdefault((value.theory, value.name), {})
        if normalised(anchor.text) in texts:
            dropped["repeated texts of a value (the first was kept)"] += 1
            continue
        texts[normalised(anchor.text)] = anchor
    notes = [f"{count} {what}" for what, count in dropped.items()]
    if unknown:
        most = ", ".join(f"{name} {count}" for name, count in unknown.most_common(8))
        more = f" and {len(unknown) - 8} more" if len(unknown) > 8 else ""
        own = opened.root / CATALOGUE
        carried = own.is_file() and registry.catalogue != str(own.resolve())
        hint = f"; it has values of its own: add -T catalogue={own}" if carried else ""
        notes.append(
            f"{sum(unknown.values())} rows of values that the registry does not know "
            f"({most}{more}){hint}"
        )
    if not found:
        raise InputFileError(
            opened.reference, "holds no anchor of a known value" + "".join(f"; {n}" for n in notes)
        )
    if (low, high) != (-10.0, 10.0):
        notes.append(f"intensities were mapped from {low:g} to {high:g} onto -10 to 10")
    anchors = {key: tuple(texts.values()) for key, texts in found.items()}
    return Vidb(anchors, opened, (*opened.notes, *notes, *_on_another_scale(anchors)))


def _range_of(given: str | None) -> tuple[float, float]:
    if given is None:
        return -10.0, 10.0
    match = _RANGE.fullmatch(given)
    low, high = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
    if not low < high:
        raise OptionError(
            "vidb_columns", f"the range {given!r} is no scale; write its ends, as {{range: 1..5}}"
        )
    return low, high


def _is_blank(raw: object) -> bool:
    """Whether a cell holds nothing, in the spellings of the usual tools."""
    if isinstance(raw, float):
        return math.isnan(raw)
    return raw is None or (
        isinstance(raw, str) and raw.strip().lower() in ("", "nan", "none", "null")
    )


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
    """The value that a per-value table's name says, or that of its folder; see the module's text.

    Raises:
        InputFileError: the name says none.
    """
    folders = [f.name for f in file.parents if f == opened.root or opened.root in f.parents]
    places = [name_without_suffix(file), *folders]
    theories = {
        spelling: theory.name
        for theory in registry.theories.values()
        for spelling in (slug(theory.name), *map(slug, theory.aliases))
    }
    for index, place in enumerate(places):
        around = [theories[slug(n)] for n in places[index + 1 :] if slug(n) in theories]
        for name in dict.fromkeys((slug(place), _without_filler(place))):
            if (value := _value_named(name, around, theories, registry)) is not None:
                return value
        if _without_filler(place):
            break  # It says something, and no value: its folder would be a guess.
    raise InputFileError(
        file,
        "has no column for the value, and its name says none. Add a column 'value', name "
        "yours with vidb_columns='{value: YOUR_COLUMN}', or name the file for the value, "
        "like 'benevolence.csv'",
    )


def _value_named(
    name: str, around: list[str], theories: Mapping[str, str], registry: Registry
) -> Value | None:
    for spelling, theory in theories.items():
        for short in (name.removeprefix(f"{spelling}-"), name.removesuffix(f"-{spelling}")):
            if short != name and (value := _known_value(registry, short, theory)) is not None:
                return value
    for theory in around:
        if (value := _known_value(registry, name, theory)) is not None:
            return value
    return _known_value(registry, name, None)


def _without_filler(place: str) -> str:
    words = [w for w in slug(place).split("-") if not _NO_VALUE.fullmatch(w)]
    return "-".join(words)


def _value_of_table(opened: Source, file: Path, registry: Registry) -> Value | None:
    """As `value_of_file`; None where one of several files is of no known value."""
    try:
        return value_of_file(opened, file, registry)
    except InputFileError:
        if len(opened.files) == 1:
            raise
        return None


def _anchor(row: Row, mapping: Mapping[str, str], low: float, high: float) -> Anchor:
    text = row.text(mapping, "text")
    if not text:
        raise InputFileError(row.file, "the text is empty", row=row.number, column=mapping["text"])
    raw = row.cells.get(mapping["intensity"])
    try:
        intensity = float(raw)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        intensity = math.nan
    if isinstance(raw, bool) or not math.isfinite(intensity):
        raise InputFileError(
            row.file,
            f"the intensity {raw!r} is not a number; every anchor needs one from {low:g} to "
            f"{high:g}",
            row=row.number,
            column=mapping["intensity"],
        )
    if not low <= intensity <= high:
        raise InputFileError(
            row.file,
            f"the intensity {intensity:g} is outside [{low:g}, {high:g}]; rescale the table, or "
            "say which scale it is on with vidb_columns='{range: LOW..HIGH}'",
            row=row.number,
            column=mapping["intensity"],
        )
    if (low, high) != (-10.0, 10.0):
        intensity = 20 * (intensity - low) / (high - low) - 10
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
