"""Directions that people gave in a file of their own: a CSV (id or text, value, direction)."""

from pathlib import Path

from valueflow.hub_assets.errors import InputFileError, UnknownNameError
from valueflow.hub_assets.filled_table import filled_rows
from valueflow.hub_assets.registry import load_registry
from valueflow.hub_assets.vidb_schema import DIRECTIONS, split_hash_of

__all__ = ["file_directions"]


def file_directions(path: Path) -> dict[tuple[str, str], str]:
    """(text's id, value) to the direction that a person gave; rows left empty are passed over.

    Raises:
        InputFileError: it cannot be read, lacks a column, names an unknown direction or
            value, or says two things of one text and value.
    """
    found: dict[tuple[str, str], str] = {}
    for number, cells in filled_rows(path, "direction"):
        direction = cells["direction"].strip().lower()
        if not direction:
            continue
        if direction not in (*DIRECTIONS, "none"):
            raise InputFileError(
                path,
                f"{direction!r} is none of {', '.join(DIRECTIONS)}, none",
                row=number,
                column="direction",
            )
        try:
            value = load_registry().value(cells["value"].strip(), cells.get("theory") or None)
        except UnknownNameError as error:
            raise InputFileError(path, str(error), row=number, column="value") from None
        name = cells.get("id", "").strip() or split_hash_of(cells.get("text", "").strip())
        if found.setdefault((name, value.name), direction) != direction:
            raise InputFileError(
                path,
                f"says {direction}, and a row above says {found[name, value.name]} of the same "
                "text and value; keep one",
                row=number,
                column="direction",
            )
    return found
