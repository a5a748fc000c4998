"""The few error classes of valueflow, each a `ValueError` whose message says what to do.

Each keeps its parts as attributes (`option`, `message`, `path`, `row`, `column`), so that no layer
above has to take a sentence apart. Nothing here imports a harness: at the edges of the tasks and
the scorer these become click errors, which Inspect's command line shows as one sentence.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import ParamSpec, TypeVar

import click

__all__ = [
    "InputFileError",
    "OptionError",
    "ScorerOptionError",
    "TaskOptionError",
    "UnknownNameError",
    "ValueflowError",
    "clear_errors",
    "clear_scorer_errors",
]

P = ParamSpec("P")
R = TypeVar("R")


class ValueflowError(ValueError):
    """Base of every error that a user can mend."""


class OptionError(ValueflowError):
    """An option has a value that cannot be used.

    Args:
        option: name of the option as the user types it, for instance ``levels``.
        message: what is wrong and what to do about it.
    """

    def __init__(self, option: str, message: str) -> None:
        self.option = option
        self.message = message
        super().__init__(f"{option}: {message}")


class InputFileError(ValueflowError):
    """A file cannot be used.

    Args:
        path: the file, folder or dataset.
        message: what is wrong and what to do about it.
        row: 1-based row (data rows, the header not counted) or line, where one is to blame.
        column: the column to blame, where there is one.
    """

    def __init__(
        self, path: object, message: str, *, row: int | None = None, column: str | None = None
    ) -> None:
        self.path, self.message, self.row, self.column = path, message, row, column
        place = "".join(
            [
                f", row {row}" if row is not None else "",
                f", column '{column}'" if column is not None else "",
            ]
        )
        super().__init__(f"{path}{place}: {message}")


class UnknownNameError(ValueflowError):
    """A name is not in the registry; the message offers the nearest names that are.

    Args:
        kind: what was looked for: ``value``, ``theory``, ...
        name: the name as given.
        known: every name that would have been right.
        hint: a sentence to add, for instance the command that lists the names.
    """

    def __init__(self, kind: str, name: object, known: Iterable[str], hint: str = "") -> None:
        names = sorted(set(known))
        near = get_close_matches(str(name).lower(), names, n=3, cutoff=0.5)
        if near:
            offer = f"Did you mean {' or '.join(repr(n) for n in near)}?"
        else:
            shown = ", ".join(names[:40]) + (", ..." if len(names) > 40 else "")
            offer = f"Known: {shown}."
        self.suggestions = near
        super().__init__(f"unknown {kind} {str(name)!r}. {offer}{' ' + hint if hint else ''}")


class TaskOptionError(click.ClickException, ValueflowError):
    """A task cannot be made; `inspect eval` shows its message without a traceback."""


class ScorerOptionError(click.ClickException):
    """A scorer cannot be made; `inspect score` shows its message.

    It is no `ValueError`, of which Inspect says only that the scorer could not be loaded.
    """


def clear_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Lets Inspect's command line show a `ValueflowError` of a task as one message.

    Inspect's commands are click commands, so a click error ends them with `Error: ...` and exit
    status 1; from Python it remains a `ValueflowError`.
    """
    return _clear(function, TaskOptionError)


def clear_scorer_errors(function: Callable[P, R]) -> Callable[P, R]:
    """`clear_errors` for a scorer; what it raises is a `ScorerOptionError`, from Python too."""
    return _clear(function, ScorerOptionError)


def _clear(function: Callable[P, R], error_of: type[click.ClickException]) -> Callable[P, R]:
    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TaskOptionError:
            raise
        except ValueflowError as error:
            raise error_of(str(error)) from None

    wrapped.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return wrapped
