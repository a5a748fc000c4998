"""What a packaged database holds, counted: rows, intensities, sources and licences."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.vidb.schema import VIDB, form_files

__all__ = [
    "Statistics",
    "ValueStatistics",
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
    for (theory, value), path in form_files(folder, VIDB):
        tables.setdefault((theory, value), {})[path.stem] = read_table(path)
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
