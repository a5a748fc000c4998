"""The few error classes of valueflow, each a `ValueError` whose message says what to do.

Each keeps its parts as attributes (`option`, `message`, `path`, `row`, `column`), so that no layer
above has to take a sentence apart. Nothing here imports a harness: at the edges of the tasks and
the scorer these become click errors, which Inspect's command line shows as one sentence. Messages,
tables and pages quote names and texts from anywhere; `printable` is how they are quoted.
"""

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
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
    "printable",
    "singular",
]

P = ParamSpec("P")
R = TypeVar("R")


# Control characters but tab and line feed; marks that turn the direction of what follows; lone
# surrogates; the byte order mark.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def printable(text: object, *, lines: bool = False) -> str:
    """A text as it may be shown on a terminal or a page: control characters as their escapes.

    Args:
        text: anything; its `str` is shown.
        lines: whether its line ends stay; else they are shown as `\\n`.
    """
    shown = _UNPRINTABLE.sub(_escape, str(text))
    return shown if lines else shown.replace("\n", "\\n")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return "\\r" if code == 13 else f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


_ONE_OF_MANY = re.compile(
    r"(?<![\w.,+\-−/])1(?P<between> (?:(?:judge|planned|scored|repeated|different|other|more) )?)"
    r"(?P<noun>anchor|answer|call|cell|condition|decision|epoch|field|figure|file|generation|group"
    r"|item|line|log|model|option|question|quer(?=ies)|response|retr(?=ies)|reviewer|row|sample|score"
    r"|shift|stud(?=ies)|text|token|value|window)(?P<plural>s|ies)\b"
    r"(?P<verb> (?:have|were|are|stay)\b)?"
)
_VERB = {"have": "has", "were": "was", "are": "is", "stay": "stays"}


def singular(text: str) -> str:
    """A sentence about counts, in the right number: `1 samples have` becomes `1 sample has`."""

    def one(match: re.Match[str]) -> str:
        verb = (match["verb"] or "").strip()
        ending = "y" if match["plural"] == "ies" else ""
        return f"1{match['between']}{match['noun']}{ending}{f' {_VERB[verb]}' if verb else ''}"

    return _ONE_OF_MANY.sub(one, text)


class ValueflowError(ValueError):
    """Base of every error that a user can mend.

    Messages quote names and texts of files; what would steer a terminal is shown as its escape.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(message, lines=True))


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
            _refuse_empty(kwargs)
            return function(*args, **kwargs)
        except TaskOptionError:
            raise
        except ValueflowError as error:
            raise error_of(str(error)) from None

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
    if context is None or root is None or not root.__module__.startswith("inspect_ai."):
        return
    # Scorers are made again with what a log holds, which may be None.
    if context.command.name not in ("eval", "eval-set"):
        return
    for option, raw in named.items():
        if raw is None:
            raise OptionError(
                option,
                f"-T {option}= has nothing behind its '='; is a shell variable empty? Leave the "
                "option out for its default",
            )
