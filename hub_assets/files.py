"""Reads files that users name, within bounds, and writes files whole or not at all.

What a user names may be missing, a folder, a device that never ends or a file of many gigabytes,
and in another encoding than it should be; each is told in a sentence before it is read. What is
written can be read by every program, and no spreadsheet runs it.
"""

import csv
import json
import os
import re
import stat
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import yaml

from valueflow.hub_assets.errors import InputFileError

__all__ = [
    "CACHE_VARIABLE",
    "MOST_LOG_BYTES",
    "MOST_TABLE_BYTES",
    "MOST_TEXT_BYTES",
    "cache_folder",
    "check_file",
    "is_blank",
    "not_utf8",
    "parse_mapping",
    "plain_cell",
    "read_json_object",
    "read_text",
    "sendable",
    "spreadsheet_cell",
    "write_bytes",
    "write_csv",
    "write_text",
]

CACHE_VARIABLE = "VALUEFLOW_CACHE_DIR"

MOST_TEXT_BYTES = 16 * 2**20
"""Largest catalogue, recipe or note, in bytes: far more than anybody writes by hand."""
MOST_LOG_BYTES = 64 * 2**30
"""Largest log, in bytes: logs are read a few hundred samples at a time."""
MOST_TABLE_BYTES = 2**30
"""Largest table or file of rankings, in bytes; the published database has 320,000 rows, and less
than a tenth of this."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"[+\-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+\-]?\d+)?%?")
_INVISIBLE = frozenset({"Cc", "Cf", "Cn", "Cs", "Mn", "Me", "Zl", "Zp", "Zs"})
# Letters and symbols by their category that have no shape: fillers of Hangul and blank Braille.
_SHAPELESS = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def cache_folder() -> Path:
    """`VALUEFLOW_CACHE_DIR`, else `valueflow` in the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "valueflow"


def check_file(path: Path, most: int = MOST_TABLE_BYTES) -> None:
    """Sees to it that a path is an ordinary file of a size that can be read.

    Args:
        path: as the user named it.
        most: the largest size, in bytes.

    Raises:
        InputFileError: there is nothing, or a folder, a device or a pipe, or a larger file.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        # A path with a zero byte is a ValueError.
        reason = getattr(error, "strerror", None) or error
        missing = isinstance(error, FileNotFoundError)
        raise InputFileError(
            path,
            "cannot be read: there is no such file" if missing else f"cannot be read ({reason})",
        ) from None
    if stat.S_ISDIR(status.st_mode):
        raise InputFileError(path, "is a folder; name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise InputFileError(path, "is a device or a pipe; save it to an ordinary file first")
    if status.st_size > most:
        size, limit = (f"{count / 2**20:,.0f} MiB" for count in (status.st_size, most))
        raise InputFileError(
            path, f"has {size}, more than the {limit} that are read; is it the right file?"
        )


def read_text(path: Path, most: int = MOST_TEXT_BYTES) -> str:
    """A whole text file in UTF-8, with or without a byte order mark; line ends stay as they are.

    Raises:
        InputFileError: it is no ordinary file, too large, cannot be read or is not UTF-8.
    """
    check_file(path, most)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from None


def not_utf8(path: Path, error: UnicodeDecodeError) -> InputFileError:
    """What to say of a file that is not UTF-8."""
    with path.open("rb") as stream:
        head = stream.read(4)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return InputFileError(path, "is UTF-16 text; save it as UTF-8")
    return InputFileError(path, f"is not UTF-8 text (byte {error.start}); save it as UTF-8")


def parse_mapping(path: Path, text: str, wanted: str) -> dict[str, Any]:
    """What a YAML file says, whose top is a mapping.

    Args:
        path: of the file, for errors.
        text: that stands in it.
        wanted: what the mapping holds, for the error.

    Raises:
        InputFileError: it is not YAML, or its top is no mapping.
    """
    try:
        raw = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        # Besides wrong YAML: nesting without end, dates that do not exist, numbers of 5,000 digits.
        raise InputFileError(path, f"is not valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(raw, dict):
        raise InputFileError(path, f"must be a mapping with {wanted}")
    return raw


def read_json_object(
    path: Path, most: int = MOST_TEXT_BYTES, otherwise: str = "must be a JSON object"
) -> dict[str, Any]:
    """What a JSON file says, whose top is an object.

    Args:
        path: of the file.
        most: the largest size, in bytes.
        otherwise: what to say of a file whose top is no object.

    Raises:
        InputFileError: it cannot be read, is not JSON, or its top is no object.
    """
    text = read_text(path, most)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputFileError(path, f"is not valid JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputFileError(path, otherwise)
    return found


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8 by way of a temporary one, so that no half of it is ever seen.

    Raises:
        InputFileError: the folder cannot be made or written to.
    """
    write_bytes(path, sendable(text).encode("utf-8"))


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
    """Writes a CSV table; floats with six significant digits, NaN and None as empty cells.

    Texts that a spreadsheet would run as a formula get an apostrophe in front, see
    `valueflow.hub_assets.files.spreadsheet_cell`.
    """
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    write_text(path, stream.getvalue())


def _cell(cell: object) -> object:
    if isinstance(cell, float):
        return "" if cell != cell else f"{cell:.6g}"
    if isinstance(cell, str):
        return spreadsheet_cell(cell)
    return "" if cell is None else cell


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen: it is empty, or spaces and zero-width characters."""
    return all(
        unicodedata.category(character) in _INVISIBLE or character in _SHAPELESS
        for character in text
    )


def sendable(text: str) -> str:
    """A text that every encoding can write: lone surrogates become U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def spreadsheet_cell(text: str) -> str:
    """A cell of a CSV table that no spreadsheet takes for a formula.

    A text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return gets an apostrophe in
    front, as spreadsheets themselves mark a text; numbers (`-3.5`, `+2`) are left as they are.
    Reference: OWASP, "CSV Injection".
    """
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def plain_cell(text: str) -> str:
    """A cell without the apostrophe of `spreadsheet_cell`."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(_FORMULA) else text
