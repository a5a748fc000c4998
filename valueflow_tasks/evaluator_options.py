"""The evaluator's options as tasks take them, checked before anything is spent."""

import sys

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.registry import (
    Registry,
    Value,
    add_catalogue,
    load_registry,
    registry_with,
)
from valueflow.hub_assets.sample_settings import EvaluatorSettings
from valueflow.hub_assets.vidb import load_vidb
from valueflow.options import columns_option, given, number_option, one_of, positive_option
from valueflow.run_options import EvaluatorOptions
from valueflow.scorers.draw_windows import check_anchors

__all__ = [
    "evaluator_settings",
    "open_catalogue",
    "planned_windows",
    "refusal_settings",
    "registry_of_run",
]


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
    mode = one_of("judge_mode", given(options.judge_mode, defaults.judge_mode), "ranking", "choice")
    if mode == "choice" and way == "adaptive":
        raise OptionError("judge_mode", "choice does not go with sampling=adaptive")
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
        judge_mode=mode,
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
