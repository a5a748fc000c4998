"""Parameters that several tasks share, declared once.

A task declares its own parameters and takes `options`; `with_options` gives it the shared ones as
further parameters, so that `-T windows=2` works for every task and `valueflow list tasks` shows
them.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from inspect_ai import Task

__all__ = ["EvaluatorOptions", "RunOptions", "with_options"]


@dataclass(frozen=True)
class EvaluatorOptions:
    """How responses are measured, as the user gave it; None is the registry's default.

    Attributes:
        vidb: anchors: `vidb-mini` (embedded), a file or folder, `ORG/NAME@REVISION`.
        vidb_columns: column names of the anchors, such as `{text: sentence, intensity: score}`.
        windows: ranking windows per response and value (3).
        window_size: texts in a window, the response included (6).
        sampling: anchors per window: `bucket` (default), `random`, `fixed` or `adaptive`.
        panel: table of anchors for `sampling=fixed`.
        word_limit: most words of a response (100); longer ones are counted.
        judge_attempts: most questions to the judge for one window (3).
        target_se: with `sampling=adaptive`, stop asking about a response at this standard deviation
            of its posterior.
        cell_windows: budget of windows for each cell, shared evenly among its responses.
        design_scale: the judge's scale that `sampling=adaptive` assumes (0.3).
        judge_mode: `ranking` (default), or `choice`: the judge names only the most supporting
            text, and its probabilities are read from the logprobs of one token.
        refusal_check: who tells a refusal: `phrases` (default), or the `judge`, at one more call
            for each response.
        refusals: `exclude` (default), or `rank`: refused responses are ranked too, so that results
            are there with and without them.
        catalogue: YAML file with values, theories, pairs, squares and anchor tables of your own.
        seed: seed of every draw (0).
    """

    vidb: str | None = None
    vidb_columns: dict[str, str] | None = None
    windows: int | None = None
    window_size: int | None = None
    sampling: str | None = None
    panel: str | None = None
    word_limit: int | None = None
    judge_attempts: int | None = None
    target_se: float | None = None
    cell_windows: int | None = None
    design_scale: float | None = None
    judge_mode: str | None = None
    refusal_check: str | None = None
    refusals: str | None = None
    catalogue: str | None = None
    seed: int | None = None


@dataclass(frozen=True)
class RunOptions(EvaluatorOptions):
    """How a steering run is made and measured.

    Attributes:
        method: `definition` (default) or `user_texts`.
        queries: query set: `queries-mini` (embedded), a file or folder, `ORG/NAME@REVISION`.
        query_columns: column names of the query set, such as `{query: prompt}`.
        n_queries: how many queries, drawn evenly over their families (20), or `all`.
        exemplars: texts per target for `method=user_texts` (3).
        style: where the persona stands: `system` (default), `user`, or `base` for base models.
    """

    method: str | None = None
    queries: str | None = None
    query_columns: dict[str, str] | None = None
    n_queries: int | str | None = None
    exemplars: int | None = None
    style: str = "system"


def with_options(
    options: type[EvaluatorOptions],
) -> Callable[[Callable[..., Task]], Callable[..., Task]]:
    """Gives a task function the fields of `options` as parameters beside its own.

    Args:
        options: the class that the function takes as its keyword `options`.
    """

    def decorate(function: Callable[..., Task]) -> Callable[..., Task]:
        own = [p for p in inspect.signature(function).parameters.values() if p.name != "options"]
        shared = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=field.type,
            )
            for field in fields(options)
        ]
        names = {field.name for field in fields(options)}

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Task:
            given = {name: kwargs.pop(name) for name in list(kwargs) if name in names}
            return function(*args, **kwargs, options=options(**given))

        signature = inspect.Signature([*own, *shared], return_annotation=Task)
        wrapped.__signature__ = signature  # type: ignore[attr-defined]
        return wrapped

    return decorate
