"""Tables that people filled in with a spreadsheet, read whichever way it saved them."""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError

__all__ = ["filled_rows"]


def filled_rows(path: Path, answer: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV with their numbers, the header not counted; empty cells are empty strings.

    Commas, semicolons (as spreadsheets write them where the decimal sign is a comma) or tabs stand
    between the cells.

    Args:
        path: the file.
        answer: the column that people filled in; `value` and `id` or `text` are needed too.

    Raises:
        InputFileError: it cannot be read, is not UTF-8, lacks a column, or a row has too many
            cells.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputFileError(path, "is not UTF-8 text; save it as 'CSV UTF-8'") from None
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter)
    names = set(reader.fieldnames or ())
    if {"value", answer} - names or not {"text", "id"} & names:
        raise InputFileError(path, f"needs the columns text (or id), value and {answer}")
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if None in cells:
                raise InputFileError(path, "has more cells than the header", row=number)
            yield number, {name: cell or "" for name, cell in cells.items()}
    except csv.Error as error:
        raise InputFileError(path, f"is not valid CSV ({error})", row=number + 1) from None
