"""Options that several commands have; those of the evaluator are declared once, in its settings."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args, get_origin

import click
import yaml

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.settings import EvaluatorSettings

__all__ = ["default_of", "evaluator_option", "mapping_option"]


def default_of(name: str) -> Any:
    """The evaluator's default of an option."""
    return EvaluatorSettings.model_fields[name].get_default(call_default_factory=True)


def evaluator_option(
    name: str,
    flag: str | None = None,
    *,
    only: Sequence[str] = (),
    otherwise: str | None = None,
    says: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A click option with the help, the choices and the default of one of the evaluator's options.

    Args:
        name: of the option in `EvaluatorSettings`.
        flag: the command's name for it; by default the same with dashes.
        only: those of its choices that the command knows; all, where none is named.
        otherwise: what takes the default's place where the option is not given, for the help; the
            command then gets None.
        says: help in the words of the command.
    """
    field = EvaluatorSettings.model_fields[name]
    default = default_of(name)
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    kind: Any = click.Choice(list(only) or list(choices)) if choices else type(default)
    if default is None:
        kind = float if "float" in str(field.annotation) else str
    told = says or (field.description or "").replace("`", "")
    told = told[0].upper() + told[1:]
    if otherwise is not None:
        told = f"{told} (default: {otherwise})"
    return click.option(
        flag or f"--{name.replace('_', '-')}",
        name,
        type=kind,
        default=default if otherwise is None else None,
        show_default=otherwise is None and default is not None,
        help=f"{told.rstrip('.')}.",
    )


def mapping_option(option: str, text: str | None) -> dict[str, str] | None:
    """An option of the form `{name: text}`.

    Raises:
        OptionError: it is of another form.
    """
    if text is None:
        return None
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict):
        raise OptionError(option, f"{text!r} is not of the form '{{name: text, name: text}}'")
    return {str(name): str(body) for name, body in found.items()}
