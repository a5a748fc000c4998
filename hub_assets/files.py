"""Writes files whole or not at all."""

import csv
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError

__all__ = ["write_bytes", "write_csv", "write_text"]


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8 by way of a temporary one, so that no half of it is ever seen.

    Raises:
        InputFileError: the folder cannot be made or written to.
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file by way of a temporary one beside it, so that no half of it is ever seen.

    Raises:
        InputFileError: the folder cannot be made or written to.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "wb", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as stream:
            temporary = stream.name
            stream.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        raise InputFileError(path, f"cannot be written ({error.strerror})") from None


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Writes a CSV table; floats with six significant digits, NaN and None as empty cells."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    write_text(path, stream.getvalue())


def _cell(cell: object) -> object:
    if isinstance(cell, float):
        return "" if cell != cell else f"{cell:.6g}"
    return "" if cell is None else cell
