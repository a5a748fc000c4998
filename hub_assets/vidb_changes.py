"""What changed between two versions of a database: rows added, removed and rescored."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from valueflow.hub_assets.vidb_schema import SPLITS
from valueflow.hub_assets.vidb_statistics import data_files, read_table

__all__ = ["changes_between"]

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
