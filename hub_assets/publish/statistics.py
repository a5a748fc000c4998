"""What a packaged database holds, counted: rows, intensities, sources and licences.

What changed between two versions of a database: rows added, removed and rescored.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.vidb.schema import SPLITS

__all__ = [
    "Statistics",
    "ValueStatistics",
    "changes_between",
    "data_files",
    "read_table",
    "statistics_of",
]

BINS = 20
"""Bins of one point from -10 to 10."""


@dataclass(frozen=True)
class ValueStatistics:
    """The rows of one value.

    Attributes:
        full: rows of the split `full`.
        filtered: rows of the split `filtered`.
        mean: mean intensity of the full rows.
        sd: their standard deviation.
        median_se: median standard error, None where no row has one.
        median_comparisons: median number of ranking windows, None where no row has it.
        bins: rows per point of intensity, `BINS` counts from -10 upward.
    """

    theory: str
    value: str
    full: int
    filtered: int
    mean: float
    sd: float
    median_se: float | None
    median_comparisons: float | None
    bins: tuple[int, ...]


@dataclass(frozen=True)
class Statistics:
    """All values, and the rows of `full` per (source, licence) and per direction label."""

    values: tuple[ValueStatistics, ...]
    sources: Mapping[tuple[str, str], int]
    directions: Mapping[str, int]
    against_label: int

    @property
    def rows(self) -> int:
        return sum(value.full for value in self.values)

    @property
    def filtered(self) -> int:
        return sum(value.filtered for value in self.values)


def data_files(folder: Path) -> Iterator[tuple[str, str, str, Path]]:
    """(theory, value, split, path) of every table that lies where tables of the form lie."""
    for path in sorted((folder / "data").glob("*/*/*.parquet")):
        if path.stem in SPLITS:
            yield path.parent.parent.name, path.parent.name, path.stem, path


def read_table(path: Path) -> Any:
    """A Parquet file as a `pyarrow.Table`.

    Raises:
        InputFileError: it is none.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        # The file by itself: a path with folders would be read for partitions in their names.
        return pyarrow.parquet.ParquetFile(path).read()
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise InputFileError(path, f"is not a valid Parquet file ({error})") from None


def statistics_of(folder: Path) -> Statistics:
    """Counts the tables of a packaged folder, which must obey the schema."""
    tables: dict[tuple[str, str], dict[str, Any]] = {}
    for theory, value, split, path in data_files(folder):
        tables.setdefault((theory, value), {})[split] = read_table(path)
    sources: Counter[tuple[str, str]] = Counter()
    directions: Counter[str] = Counter()
    against = 0
    values = []
    for (theory, value), splits in tables.items():
        full = splits.get("full")
        filtered = splits["filtered"].num_rows if "filtered" in splits else 0
        columns = full.to_pydict() if full is not None else {}
        values.append(_value(theory, value, filtered, columns))
        sources.update(zip(columns.get("source", ()), columns.get("license", ()), strict=True))
        labels = columns.get("direction", [])
        directions.update(label for label in labels if label)
        against += sum(
            (label == "support" and x < 0) or (label == "oppose" and x > 0)
            for label, x in zip(labels, columns.get("intensity", ()), strict=True)
        )
    return Statistics(tuple(values), dict(sorted(sources.items())), directions, against)


def _value(
    theory: str, value: str, filtered: int, columns: Mapping[str, Sequence[Any]]
) -> ValueStatistics:
    import numpy as np

    x = np.array(columns.get("intensity", ()), dtype=float)

    def median(name: str) -> float | None:
        there = [cell for cell in columns.get(name, ()) if cell is not None]
        return float(np.median(there)) if there else None

    return ValueStatistics(
        theory=theory,
        value=value,
        full=len(x),
        filtered=filtered,
        mean=float(x.mean()) if len(x) else 0.0,
        sd=float(x.std()) if len(x) else 0.0,
        median_se=median("intensity_se"),
        median_comparisons=median("n_comparisons"),
        bins=tuple(int(n) for n in np.histogram(x, bins=BINS, range=(-10, 10))[0]),
    )


Scores = Mapping[tuple[str, str, str], float]
"""(theory, value, text) to intensity."""


def changes_between(old: Path, new: Path, since: str) -> dict[str, Any]:
    """Compares two packaged folders, row by row.

    Args:
        old: the version before.
        new: the version to be pushed.
        since: the older version's tag.

    Returns:
        `since`, and under `splits` for each split the rows added, removed, rescored (an intensity
        that differs by more than 1e-9) and unchanged, the correlation of old and new intensities
        over the rows in both (None where fewer than three or constant), and the same per value.
    """
    splits = {}
    for split in SPLITS:
        before, after = _scores(old, split), _scores(new, split)
        if not before and not after:
            continue
        values = sorted({key[:2] for key in (*before, *after)})
        parts = {value: ({}, {}) for value in values}  # type: dict[Any, tuple[dict[Any, float], dict[Any, float]]]
        for side, scores in enumerate((before, after)):
            for key, x in scores.items():
                parts[key[:2]][side][key] = x
        splits[split] = {
            **_compared(before, after),
            "values": {f"{v[0]}-{v[1]}": _compared(*parts[v]) for v in values},
        }
    return {"since": since, "splits": splits}


def _scores(folder: Path, split: str) -> dict[tuple[str, str, str], float]:
    scores = {}
    for theory, value, found, path in data_files(folder):
        if found == split:
            table = read_table(path).select(["text", "intensity"])
            for text, x in zip(*(column.to_pylist() for column in table.columns), strict=True):
                scores[theory, value, text] = float(x)
    return scores


def _compared(before: Scores, after: Scores) -> dict[str, Any]:
    both = [key for key in before if key in after]
    old = np.array([before[key] for key in both])
    new = np.array([after[key] for key in both])
    rescored = int((np.abs(old - new) > 1e-9).sum())
    varies = len(both) >= 3 and old.std() > 0 and new.std() > 0
    return {
        "added": len(after) - len(both),
        "removed": len(before) - len(both),
        "rescored": rescored,
        "unchanged": len(both) - rescored,
        "correlation": round(float(np.corrcoef(old, new)[0, 1]), 6) if varies else None,
    }
