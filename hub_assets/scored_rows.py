"""The curated rows of a database that is being built, with their numbers and the panel's marks."""

from pathlib import Path
from typing import Any

from valueflow.hub_assets.build_folder import read_lines, stage_file
from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.registry import Value, load_registry
from valueflow.hub_assets.table_rows import rows_of

__all__ = ["curated_values", "flag_reasons", "scored_rows"]


def curated_values(folder: Path) -> list[Value]:
    """The values that have rows enough to be ranked, in the registry's order.

    Raises:
        InputFileError: the stage `curate` was not run.
    """
    index = read_lines(folder / "curate" / "values.jsonl", "curate")
    return [load_registry().value(row["value"]) for row in index if row["rows"] >= 2]


def scored_rows(folder: Path, value: Value) -> list[dict[str, Any]]:
    """Curated rows of a value with `utility`, `intensity`, `intensity_se` and `n_comparisons`;
    none where the value could not be scaled and is left out.

    Raises:
        InputFileError: the stage `scale` was not run, or ran before the rows were chosen anew.
    """
    scaled = stage_file(folder, "scale", value, ".csv")
    if not scaled.is_file():
        raise InputFileError(scaled, "is not there yet; run the stage 'scale' first")
    numbers = {row.cells["id"]: row.cells for row in rows_of([scaled])}
    if not numbers:
        return []
    found = []
    for row in read_lines(stage_file(folder, "curate", value, ".jsonl"), "curate"):
        if row["id"] not in numbers:
            raise InputFileError(
                scaled,
                "lacks a text that was chosen since; run `valueflow build vidb` again",
            )
        cells = numbers[row["id"]]
        for name in ("utility", "intensity", "intensity_se"):
            row[name] = float(cells[name])
        row["n_comparisons"] = int(cells["n_comparisons"])
        found.append(row)
    return found


def flag_reasons(folder: Path, value: Value) -> dict[str, str]:
    """Id of each flagged text of a value to the reason.

    Raises:
        InputFileError: the stage `flag` was not run.
    """
    part = stage_file(folder, "flag", value, ".csv")
    if not part.is_file():
        raise InputFileError(part, "is not there yet; run the stage 'flag' first")
    cells = (row.cells for row in rows_of([part]))
    return {str(c["id"]): str(c["reason"]) for c in cells if c["flagged"] == "1"}
