"""The texts of a judge-stability study: rows of the database of anchors, or of any table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from valueflow.hub_assets.errors import InputFileError, OptionError, ValueflowError
from valueflow.hub_assets.inputs.anchors import Vidb
from valueflow.hub_assets.inputs.source import Row, column_map, open_source, read_rows
from valueflow.hub_assets.registry.loading import Registry, Value
from valueflow.hub_assets.seeds import generator_for

__all__ = ["COLUMNS", "StudyText", "texts_of_database", "texts_of_table"]

COLUMNS = {
    "text": ("text", "response", "answer", "sentence", "statement", "scenario", "content"),
    "label": ("label", "human_rating", "human", "intensity", "final_rating", "rating", "score"),
    "value": ("value", "target_value", "value_name"),
    "theory": ("theory", "framework"),
    "query": ("query", "question", "prompt", "input"),
}


@dataclass(frozen=True)
class StudyText:
    """A text to be judged.

    Attributes:
        text: the text.
        value: the value it is judged on.
        label: the intensity that people gave it, in points; None where there is none.
        query: what it answers; empty where it answers nothing, or nothing that is known.
    """

    text: str
    value: Value
    label: float | None = None
    query: str = ""


def texts_of_database(
    vidb: Vidb, values: Sequence[Value], count: int, seed: int
) -> list[StudyText]:
    """So many rows of each value, drawn from equal shares of its rows in order of intensity.

    Args:
        vidb: the database; a row's intensity is its label.
        values: of which values.
        count: texts of each.
        seed: of the draw.

    Raises:
        OptionError: a value has fewer rows.
    """
    found = []
    for value in values:
        rows = sorted(vidb.of(value), key=lambda anchor: (anchor.intensity, anchor.text))
        if len(rows) < count:
            raise OptionError(
                "n_texts",
                f"{count} texts are more than the {len(rows)} that {vidb.source.reference} has for "
                f"{value.theory}:{value.name}",
            )
        generator = generator_for(seed, "study texts", value.theory, value.name)
        ends = [len(rows) * n // count for n in range(count + 1)]
        for first, end in pairwise(ends):
            row = rows[int(generator.integers(first, end))]
            found.append(StudyText(row.text, value, row.intensity))
    return found


def texts_of_table(
    source: str,
    registry: Registry,
    columns: Mapping[str, str],
    value: str | None = None,
    theory: str | None = None,
) -> tuple[list[StudyText], str]:
    """The texts of a table, each with its value and, where it has one, its label.

    Args:
        source: CSV, TSV, JSONL, JSON or Parquet file.
        registry: the run's catalogue.
        columns: the user's names for the columns of `COLUMNS`.
        value: of all rows that name none.
        theory: of the values, where a name is in several.

    Returns:
        The texts, and the hash of the table.

    Raises:
        InputFileError: there is no text, or a row without a text or a value, or with a label that
            is no number from -10 to 10.
    """
    opened = open_source(source, "queries", registry)
    fallback = None if value is None else registry.value(value, theory)
    mapping: dict[str, str] = {}
    found = []
    for row in read_rows(opened):
        if not mapping:
            required = ["text"] if fallback else ["text", "value"]
            mapping = column_map(row, COLUMNS, required, dict(columns), "text_columns")
        text = row.text(mapping, "text", role="assistant")
        if not text:
            raise InputFileError(
                row.file, "the text is empty", row=row.number, column=mapping["text"]
            )
        own = _value(row, mapping, registry, theory) or fallback
        if own is None:
            raise InputFileError(
                row.file,
                "names no value; fill the cell, or give -T values=NAME for such rows",
                row=row.number,
                column=mapping["value"],
            )
        query = row.text(mapping, "query", role="user")
        found.append(StudyText(text, own, _label(row, mapping), query))
    if not found:
        raise InputFileError(source, "holds no text; give a file with at least one row")
    return found, opened.sha256


def _value(
    row: Row, mapping: Mapping[str, str], registry: Registry, theory: str | None
) -> Value | None:
    name = row.cell(mapping, "value")
    if name in (None, ""):
        return None
    try:
        return registry.value(name, row.cell(mapping, "theory") or theory)
    except ValueflowError as error:
        raise InputFileError(row.file, str(error), row=row.number) from None


def _label(row: Row, mapping: Mapping[str, str]) -> float | None:
    raw: Any = row.cell(mapping, "label")
    if raw is None or raw == "" or (isinstance(raw, float) and math.isnan(raw)):
        return None
    try:
        label = math.nan if isinstance(raw, bool) else float(raw)
    except (TypeError, ValueError, OverflowError):
        label = math.nan
    if not -10 <= label <= 10:
        raise InputFileError(
            row.file,
            f"the label {raw!r} is no number from -10 to 10",
            row=row.number,
            column=mapping["label"],
        )
    return label
