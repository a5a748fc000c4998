"""Reads task parameters, whatever form the command line gave them.

Inspect turns `-T x=a,b` into a list, `-T x=a` into a string, `-T x=-2,2` into a list of strings and
`-T x=[-2,2]` into integers. These functions take them all, and raise errors that name the option.
"""

from collections.abc import Sequence
from typing import TypeVar

from valueflow.hub_assets.errors import OptionError, TaskOptionError, clear_errors
from valueflow.hub_assets.registry.loading import Registry, Value
from valueflow.hub_assets.settings import column_names, whole_number

__all__ = [
    "TaskOptionError",
    "clear_errors",
    "columns_option",
    "given",
    "levels_option",
    "number_option",
    "one_of",
    "values_option",
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


def values_option(registry: Registry, values: object, theory: object) -> list[Value]:
    """The values to steer, in the registry's order.

    Args:
        registry: the catalogue.
        values: names in any spelling, or None for all of the theory.
        theory: a theory, or None: the theories of the named values, pvq where none is named.

    Raises:
        OptionError: a value stands twice, or the list is empty.
        UnknownNameError: an unknown value or theory.
    """
    words = words_option(values)
    if values is not None and not words:
        raise OptionError("values", "names no value; leave it out for all values of the theory")
    if not words:
        return list(registry.theory(theory or registry.defaults.steer.theory).values)
    found = [registry.value(word, theory) for word in words]
    names = [(value.theory, value.name) for value in found]
    for name in names:
        if names.count(name) > 1:
            raise OptionError("values", f"{name[0]}:{name[1]} is named twice")
    return [value for value in registry.macro_values() if (value.theory, value.name) in names]


def levels_option(registry: Registry, levels: object) -> list[int]:
    """Steering levels, sorted, 0 always among them.

    Raises:
        OptionError: not a level, a level twice, or none but 0.
    """
    if levels is None:
        return [level.level for level in registry.levels]
    found = [registry.level(word).level for word in words_option(levels)]
    if len(found) != len(set(found)):
        raise OptionError("levels", f"a level is named twice in {words_option(levels)}")
    if not set(found) - {0}:
        raise OptionError("levels", "names no level but 0; give at least one of -2, -1, 1, 2")
    return sorted({*found, 0})


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
