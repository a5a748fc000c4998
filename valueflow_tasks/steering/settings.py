"""Parameters that several tasks share, declared once.

A task declares its own parameters and takes `options`; `with_options` gives it the shared ones as
further parameters, so that `-T windows=2` works for every task and `valueflow list tasks` shows
them.

The evaluator's options as tasks take them, checked before anything is spent.
"""

import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from inspect_ai import Task

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.registry.loading import (
    Registry,
    Value,
    add_catalogue,
    load_registry,
    registry_with,
)
from valueflow.hub_assets.settings import JUDGE_MODES, EvaluatorSettings
from valueflow.options import columns_option, given, number_option, one_of, positive_option
from valueflow.scorers.windows.draw import check_anchors

__all__ = [
    "EvaluatorOptions",
    "RunOptions",
    "evaluator_settings",
    "open_catalogue",
    "planned_windows",
    "refusal_settings",
    "registry_of_run",
    "with_options",
]


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
        judge_mode: `ranking` (default); `rating`: the judge gives every text a number, and the
            anchors calibrate it; `placement`: it places the response and one anchor among anchors
            shown with their intensities; or `choice`: it names only the most supporting text, and
            its probabilities are read from the logprobs of one token.
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


def open_catalogue(options: EvaluatorOptions) -> str | None:
    """Adds the user's own catalogue, if there is one, and gives its absolute path.

    Raises:
        InputFileError: it cannot be read or breaks the schema.
    """
    return None if options.catalogue is None else add_catalogue(options.catalogue)


def registry_of_run(options: EvaluatorOptions) -> Registry:
    """The catalogue with the user's own, if there is one, and without those of other runs.

    Raises:
        InputFileError: the user's own cannot be read or breaks the schema.
    """
    return registry_with(open_catalogue(options))


def evaluator_settings(
    values: list[Value],
    options: EvaluatorOptions,
    *,
    responses: int,
    held_out: int = 0,
) -> EvaluatorSettings:
    """Checks the evaluator's options against the anchors, before anything is spent.

    Args:
        values: the values on which responses are scored.
        options: as the user gave them.
        responses: the size of the largest cell.
        held_out: texts per value that steer a response and are no anchors for it.

    Raises:
        ValueflowError: an option or a table of anchors that cannot be used.
    """
    defaults = load_registry().defaults.evaluator
    size = number_option("window_size", given(options.window_size, defaults.window_size), 2)
    way = str(options.sampling or ("fixed" if options.panel else defaults.sampling))
    columns = columns_option("vidb_columns", options.vidb_columns)
    table = load_vidb(options.vidb or _own_anchors(options) or defaults.vidb, columns)
    panel_table = None
    if way == "fixed":
        if not options.panel:
            raise OptionError("panel", "sampling=fixed needs a panel of anchors: -T panel=FILE")
        panel_table = load_vidb(options.panel, columns)
    elif options.panel:
        raise OptionError("panel", f"a panel is for sampling=fixed, not sampling={way}")
    mode = one_of("judge_mode", given(options.judge_mode, defaults.judge_mode), *JUDGE_MODES)
    if mode == "choice" and way == "adaptive":
        raise OptionError("judge_mode", "choice does not go with sampling=adaptive")
    if mode in ("rating", "placement") and way == "adaptive":
        raise OptionError(
            "judge_mode",
            f"{mode} does not go with sampling=adaptive: which anchors stand beside a response "
            "hardly changes what its number tells. Take sampling=bucket",
        )
    if mode == "placement" and size < 3:
        raise OptionError(
            "window_size",
            "judge_mode=placement needs at least 3 texts (the response, one anchor to be placed "
            f"and one that is known), not {size}",
        )
    if options.target_se is not None and way != "adaptive":
        raise OptionError("target_se", f"is for sampling=adaptive, not sampling={way}")
    budget = options.cell_windows
    if budget is not None:
        budget = number_option("cell_windows", budget, 1)
        if budget < responses:
            raise OptionError(
                "cell_windows",
                f"{budget} windows are too few for {responses} responses in a cell; each needs one",
            )
    for value in values:
        if panel_table is None:
            check_anchors(table.of(value), value, size, way, held_out)
        else:
            check_anchors(panel_table.of(value), value, size, way)
    for note in (*table.notes, *(panel_table.notes if panel_table else ())):
        print(f"valueflow: anchors: {note}", file=sys.stderr)
    scale = given(options.design_scale, defaults.design_scale)
    se = options.target_se
    return EvaluatorSettings(
        vidb=table.source.reference,
        vidb_columns=columns,
        windows=number_option("windows", given(options.windows, defaults.windows), 1),
        window_size=size,
        sampling=way,
        panel=panel_table.source.reference if panel_table else None,
        judge_attempts=number_option(
            "judge_attempts", given(options.judge_attempts, defaults.judge_attempts), 1
        ),
        target_se=None if se is None else positive_option("target_se", se),
        cell_windows=budget,
        judge_mode=mode,  # type: ignore[arg-type]  # checked above
        design_scale=positive_option("design_scale", scale),
        seed=seed_of(options),
    )


def seed_of(options: EvaluatorOptions) -> int:
    """The run's seed."""
    return number_option("seed", given(options.seed, load_registry().defaults.steer.seed), 0)


def refusal_settings(options: EvaluatorOptions, catalogue: str | None) -> dict[str, str]:
    """What samples say of refusals and of the catalogue.

    Raises:
        OptionError: an unknown way.
    """
    found = {
        "refusal_check": one_of(
            "refusal_check", options.refusal_check or "phrases", "phrases", "judge"
        ),
        "refusals": one_of("refusals", options.refusals or "exclude", "exclude", "rank"),
    }
    return found if catalogue is None else {**found, "catalogue": catalogue}


def _own_anchors(options: EvaluatorOptions) -> str | None:
    """The table of anchors that the user's catalogue brings, where it brings exactly one."""
    if options.catalogue is None:
        return None
    assets = registry_of_run(options).assets.values()
    own = [asset.name for asset in assets if asset.kind == "vidb" and asset.path]
    return own[0] if len(own) == 1 else None


def planned_windows(settings: EvaluatorSettings, responses: int) -> int:
    """Most windows of a cell with that many responses."""
    return sum(settings.windows_of(index, responses) for index in range(responses))
