"""Reads task parameters, whatever form the command line gave them.

Inspect turns `-T x=a,b` into a list, `-T x=a` into a string, `-T x=-2,2` into a list of strings and
`-T x=[-2,2]` into integers. These functions take them all, and raise errors that name the option.
"""

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import click

from valueflow.hub_assets.errors import OptionError, ValueflowError
from valueflow.hub_assets.registry.loading import Registry, Value

__all__ = [
    "TaskOptionError",
    "clear_errors",
    "columns_option",
    "given",
    "levels_option",
    "number_option",
    "one_of",
    "positive_option",
    "values_option",
    "words_option",
    "yes_or_no",
]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class TaskOptionError(click.ClickException, ValueflowError):
    """A task cannot be made; `inspect eval` shows its message without a traceback."""


def clear_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Lets Inspect's command line show a `ValueflowError` as one message.

    Inspect's commands are click commands, so a click error ends them with `Error: ...` and exit
    status 1; from Python it remains a `ValueflowError`.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            _refuse_empty(kwargs)
            return function(*args, **kwargs)
        except TaskOptionError:
            raise
        except ValueflowError as error:
            raise TaskOptionError(str(error)) from None

    wrapped.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return wrapped


def _refuse_empty(named: Mapping[str, object]) -> None:
    """Refuses `-T values=`, which Inspect's command line hands on as None, as if it were not there.

    An empty shell variable would else run a whole theory. From Python, None is a default like any.

    Raises:
        OptionError: an option was given on Inspect's command line with nothing behind its `=`.
    """
    context = click.get_current_context(silent=True)
    root = context.find_root().command.callback if context is not None else None
    if root is None or not root.__module__.startswith("inspect_ai."):
        return
    for option, raw in named.items():
        if raw is None:
            raise OptionError(
                option,
                f"-T {option}= has nothing behind its '='; is a shell variable empty? Leave the "
                "option out for its default",
            )


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
        number = float(str(raw))
    except ValueError:
        number = math.nan
    if isinstance(raw, bool) or not number.is_integer() or number < least:
        raise OptionError(option, f"{raw!r} is not a whole number of at least {least}")
    return int(number)


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


def positive_option(option: str, raw: object) -> float:
    """A positive number.

    Raises:
        OptionError: it is none.
    """
    try:
        number = float(str(raw))
    except ValueError:
        number = math.nan
    if isinstance(raw, bool) or not (number > 0 and math.isfinite(number)):
        raise OptionError(option, f"{raw!r} is not a positive number")
    return number


def columns_option(option: str, raw: object) -> dict[str, str]:
    """A mapping of field to column, such as `{text: sentence}`.

    Raises:
        OptionError: it is no mapping.
    """
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        example: Any = f"-T {option}='{{text: sentence}}'"
        raise OptionError(option, f"{raw!r} is not a mapping of fields to columns; write {example}")
    return {str(field): str(column) for field, column in raw.items()}
