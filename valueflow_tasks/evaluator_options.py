"""The evaluator's options as tasks take them, checked before anything is spent."""

import sys

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.registry import Value, load_registry
from valueflow.hub_assets.sample_settings import EvaluatorSettings
from valueflow.hub_assets.vidb import load_vidb
from valueflow.options import columns_option, given, number_option, positive_option
from valueflow.scorers.draw_windows import check_anchors

__all__ = ["evaluator_settings", "planned_windows"]


def evaluator_settings(
    values: list[Value],
    *,
    vidb: object,
    vidb_columns: object,
    windows: object,
    window_size: object,
    sampling: object,
    panel: object,
    judge_attempts: object,
    target_se: object,
    cell_windows: object,
    design_scale: object,
    judge_mode: object,
    responses: int,
    seed: int,
    held_out: int = 0,
) -> EvaluatorSettings:
    """Checks the evaluator's options against the anchors, before anything is spent.

    Raises:
        ValueflowError: an option or a table of anchors that cannot be used.
    """
    defaults = load_registry().defaults.evaluator
    size = number_option("window_size", given(window_size, defaults.window_size), 2)
    way = str(sampling or ("fixed" if panel else defaults.sampling))
    columns = columns_option("vidb_columns", vidb_columns)
    table = load_vidb(vidb or defaults.vidb, columns)
    panel_table = None
    if way == "fixed":
        if not panel:
            raise OptionError("panel", "sampling=fixed needs a panel of anchors: -T panel=FILE")
        panel_table = load_vidb(panel, columns)
    elif panel:
        raise OptionError("panel", f"a panel is for sampling=fixed, not sampling={way}")
    mode = str(given(judge_mode, defaults.judge_mode))
    if mode not in ("ranking", "choice"):
        raise OptionError("judge_mode", f"{mode!r} is none of ranking, choice")
    if mode == "choice" and way == "adaptive":
        raise OptionError("judge_mode", "choice does not go with sampling=adaptive")
    if target_se is not None and way != "adaptive":
        raise OptionError("target_se", f"is for sampling=adaptive, not sampling={way}")
    budget = None if cell_windows is None else number_option("cell_windows", cell_windows, 1)
    if budget is not None and budget < responses:
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
    return EvaluatorSettings(
        vidb=table.source.reference,
        vidb_columns=columns,
        windows=number_option("windows", given(windows, defaults.windows), 1),
        window_size=size,
        sampling=way,
        panel=panel_table.source.reference if panel_table else None,
        judge_attempts=number_option(
            "judge_attempts", given(judge_attempts, defaults.judge_attempts), 1
        ),
        target_se=None if target_se is None else positive_option("target_se", target_se),
        cell_windows=budget,
        judge_mode=mode,
        design_scale=positive_option("design_scale", given(design_scale, defaults.design_scale)),
        seed=seed,
    )


def planned_windows(settings: EvaluatorSettings, responses: int) -> int:
    """Most windows of a cell with that many responses."""
    return sum(settings.windows_of(index, responses) for index in range(responses))
