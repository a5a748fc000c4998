"""Reads task parameters, whatever form the command line gave them.

Inspect turns `-T x=a,b` into a list, `-T x=a` into a string, `-T x=-2,2` into a list of strings and
`-T x=[-2,2]` into integers. These functions take them all, and raise errors that name the option.
"""

from collections.abc import Sequence
from typing import TypeVar

from valueflow.hub_assets.errors import OptionError, TaskOptionError, clear_errors
from valueflow.hub_assets.settings import column_names, whole_number

__all__ = [
    "TaskOptionError",
    "clear_errors",
    "columns_option",
    "given",
    "number_option",
    "one_of",
    "words_option",
    "yes_or_no",
]

T = TypeVar("T")


def words_option(raw: object) -> list[str]:
    """A list of words from `a,b`, `[a, b]` or `a`; None is the empty list."""
    if raw is None:
        return []
    parts: Sequence[object] = [raw] if isinstance(raw, str | int | float) else list(raw)  # type: ignore[call-overload]
    return [word.strip() for part in parts for word in str(part).split(",") if word.strip()]


def given(raw: T | None, default: T) -> T:
    """What the user gave, else the default; a zero or an empty text is given, not missing."""
    return default if raw is None else raw


def number_option(option: str, raw: object, least: int) -> int:
    """A whole number of at least `least`.

    Raises:
        OptionError: it is none.
    """
    try:
        return whole_number(raw, least)
    except ValueError as error:
        raise OptionError(option, str(error)) from None


def one_of(option: str, raw: object, *allowed: str) -> str:
    """One of some words.

    Raises:
        OptionError: it is none of them.
    """
    if str(raw) not in allowed:
        raise OptionError(option, f"{str(raw)!r} is none of {', '.join(allowed)}")
    return str(raw)


def yes_or_no(option: str, raw: object) -> bool:
    """A switch.

    Raises:
        OptionError: it is neither true nor false.
    """
    if isinstance(raw, bool):
        return raw
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(raw).strip().lower() not in words:
        raise OptionError(option, f"{raw!r} is neither true nor false")
    return words[str(raw).strip().lower()]


def columns_option(option: str, raw: object) -> dict[str, str]:
    """A mapping of field to column, such as `{text: sentence}`; None is the empty one.

    Raises:
        OptionError: it is no mapping.
    """
    try:
        return column_names({} if raw is None else raw)
    except ValueError as error:
        raise OptionError(option, f"{error}: -T {option}='{{text: sentence}}'") from None
