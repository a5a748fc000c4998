"""What changed between two versions of the same tables: rows added, removed, and changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from valueflow.hub_assets.publish.statistics import read_table
from valueflow.hub_assets.vidb.manifest import Manifest
from valueflow.hub_assets.vidb.schema import Form, form_files

__all__ = ["changes_between", "told_changes"]

Key = tuple[str, ...]
Rows = Mapping[Key, Any]
"""A row's key to what is compared: a number, or the cells of several columns."""


def changes_between(old: Path, new: Path, since: str, form: Form) -> dict[str, Any]:
    """Compares two packaged folders, row by row.

    Args:
        old: the version before.
        new: the version to be pushed.
        since: the older version's tag.
        form: of their tables.

    Returns:
        `since`, `changed` (the form's word, such as `rescored`), and under `splits` for each split
        the rows added, removed, changed (a number that differs by more than 1e-9) and unchanged;
        where one column of numbers is compared, the correlation of old and new ones over the rows
        in both (None where fewer than three or constant); and, where the form has folders, the same
        for each, under `values`.
    """
    splits: dict[str, Any] = {}
    for split in form.splits:
        before, after = _rows(old, split, form), _rows(new, split, form)
        if not before and not after:
            continue
        splits[split] = _compared(before, after, form)
        if depth := len(form.folders):
            parts: dict[Key, tuple[dict[Key, Any], dict[Key, Any]]] = {
                folder: ({}, {}) for folder in sorted({key[:depth] for key in (*before, *after)})
            }
            for side, rows in enumerate((before, after)):
                for key, cell in rows.items():
                    parts[key[:depth]][side][key] = cell
            splits[split]["values"] = {
                "-".join(folder): _compared(*sides, form) for folder, sides in parts.items()
            }
    return {"since": since, "changed": form.changed, "splits": splits}


def _is_number(form: Form) -> bool:
    types = {column.name: column.type for column in form.columns}
    return len(form.compared) == 1 and types[form.compared[0]] == "double"


def _rows(folder: Path, split: str, form: Form) -> dict[Key, Any]:
    number, names = _is_number(form), [n for n in form.key if n not in form.folders]
    rows: dict[Key, Any] = {}
    for folders, path in form_files(folder, form):
        if path.stem != split:
            continue
        table = read_table(path)
        keys = [table.column(name).to_pylist() for name in names]
        cells = [table.column(name).to_pylist() for name in form.compared]
        for key, *row in zip(zip(*keys, strict=True), *cells, strict=True):
            rows[(*folders, *key)] = float(row[0]) if number else row
    return rows


def _compared(before: Rows, after: Rows, form: Form) -> dict[str, Any]:
    both = [key for key in before if key in after]
    counts: dict[str, Any] = {"added": len(after) - len(both), "removed": len(before) - len(both)}
    if not _is_number(form):
        counts[form.changed] = sum(before[key] != after[key] for key in both)
        counts["unchanged"] = len(both) - counts[form.changed]
        return counts
    old = np.array([before[key] for key in both])
    new = np.array([after[key] for key in both])
    counts[form.changed] = int((np.abs(old - new) > 1e-9).sum())
    counts["unchanged"] = len(both) - counts[form.changed]
    varies = len(both) >= 3 and old.std() > 0 and new.std() > 0
    counts["correlation"] = round(float(np.corrcoef(old, new)[0, 1]), 6) if varies else None
    return counts


def told_changes(manifest: Manifest) -> str:
    """The changes of a version in a line a split; of a first version, its rows."""
    found = manifest.changes
    if found is None:
        return f"{manifest.rows:,} rows"
    return "\n".join(
        f"{split} since {found['since']}: {counts['added']:,} added, "
        f"{counts['removed']:,} removed, {counts[found['changed']]:,} {found['changed']}"
        for split, counts in found["splits"].items()
    )
