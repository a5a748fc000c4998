"""A first recipe for a user's texts, with a comment on each part."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from valueflow.hub_assets.inputs.rows import rows_of
from valueflow.hub_assets.inputs.source import column_map, open_source
from valueflow.hub_assets.registry.loading import Registry
from valueflow.rebuild.database.sources import ADAPTERS

__all__ = ["Found", "found_in", "recipe_text"]


@dataclass(frozen=True)
class Found:
    """What a table of texts holds.

    Attributes:
        rows: how many there are.
        columns: our names to the table's, of the columns that were found.
        directed: whether every row names a value and a direction.
    """

    rows: int
    columns: dict[str, str]
    directed: bool


def found_in(texts: Path, columns: dict[str, str] | None = None) -> Found:
    """Looks through a table of texts.

    Args:
        texts: CSV, TSV, JSONL, JSON or Parquet file, or a folder of them.
        columns: the user's names for columns.

    Raises:
        InputFileError: it cannot be read, or has no column with texts.
    """
    opened = open_source(texts, "vidb")
    mapping: dict[str, str] = {}
    rows = directed = 0
    for row in rows_of(opened.files):
        if not mapping:
            mapping = column_map(row, ADAPTERS["table"].columns, ["text"], columns, "columns")
        rows += 1
        directed += all(
            str(row.cell(mapping, name) or "").strip() for name in ("value", "direction")
        )
    return Found(rows, mapping, rows > 0 and directed == rows)


def recipe_text(
    texts: str,
    found: Found,
    *,
    judge: str,
    theories: Sequence[str],
    registry: Registry,
    catalogue: str | None,
    source: str,
    license: str,
) -> str:
    """The recipe as YAML, valid as it stands.

    Args:
        texts: path of the table, from the recipe's folder.
        found: what it holds.
        judge: an Inspect model for all questions.
        theories: whose values the texts are about; all of the catalogue where empty.
        registry: the catalogue.
        catalogue: path of the user's own, from the recipe's folder, if there is one.
        source: where the texts are from.
        license: under which licence they are.
    """
    names = [registry.theory(name).name for name in theories] or list(registry.theories)
    values = sum(len(registry.theories[name].values) for name in names)
    given = found.directed
    lines = [
        f"# Recipe of a value intensity database: {found.rows:,} texts, {values} values.",
        "# See what it will cost, without a call:  valueflow build vidb RECIPE -o build --dry-run",
        "# Build it; the same command goes on:      valueflow build vidb RECIPE -o build",
        "",
    ]
    if catalogue is not None:
        lines += [
            "# Your own theories and values: their definitions are what judges are told.",
            f"catalogue: {_quoted(catalogue)}",
        ]
    lines += [
        "# The values that a text may be about: theories, or 'values: [NAME, NAME]'.",
        f"theories: {json.dumps(names)}",
        "# Of every random choice; the same seed gives the same database.",
        "seed: 0",
        "# Judge calls in flight.",
        "connections: 20",
        "",
        "# Your texts. 'source' and 'license' go into every row and onto the card.",
        "sources:",
        f"  - path: {_quoted(texts)}",
        f"    source: {_quoted(source)}",
        f"    license: {_quoted(license)}",
    ]
    if found.columns.get("text") not in (None, "text"):
        lines.append(f"    columns: {{text: {_quoted(found.columns['text'])}}}")
    lines += ["", "# Which values is a text about, and on which side is it?"]
    if given:
        lines += [
            "# Your table says both, so nobody is asked. 'labels' would ask for the side alone,",
            "# 'panel' for both; both need 'judges'.",
            "categorize: {values: given}",
        ]
    else:
        how = "labels" if "value" in found.columns else "panel"
        why = (
            "# Your table names the values; a panel says on which side a text is."
            if how == "labels"
            else "# A panel says both. 'labels' would take the values from a column of your table."
        )
        lines += [
            why,
            "# Seven seats of one model need a temperature; different models are better.",
            "categorize:",
            "  judges:",
            f"    - {{model: {_quoted(judge)}, config: {{temperature: 0.7, seed: 0}}, seats: 7}}",
            f"  values: {how}",
        ]
    lines += [
        "",
        "# Which rows are kept: at most so many a value; 'strict' keeps as many opposing texts as",
        "# supporting ones, 'fill' and 'none' more of what there is.",
        f"curate: {{per_value: 10000, balance: {'none' if found.rows < 1000 else 'strict'}}}",
        "",
        "# The judge orders windows of six texts; every text stands in twenty of them. Fewer cost",
        "# less and leave larger standard errors.",
        "rank:",
        f"  judge: {{model: {_quoted(judge)}}}",
        "  window_size: 6",
        "  windows_per_text: 20",
        "",
        "# Rows whose side and intensity disagree go to people: `valueflow review build`.",
        f"# A panel looks at them first with {{judges: [{{model: {_quoted(judge)}, ...}}]}}.",
        "flag: {ask: none}",
        "",
        "# How much people's ratings weigh beside the judge's intensity.",
        "review: {weight: 0.5}",
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A text as YAML (of which JSON is a part)."""
    return json.dumps(text, ensure_ascii=False)
