"""`valueflow plan`: what a study takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.table import Table

from valueflow.commands.screen import examples, form_options, show_tables
from valueflow.hub_assets.errors import OptionError

if TYPE_CHECKING:
    from valueflow.scorers.windows.plan import Design

__all__ = ["plan_command", "plan_table"]


@click.command(
    "plan",
    epilog=examples(
        "valueflow plan --judge-scale 0.3 --queries 100 --se 0.5",
        "valueflow plan --judge-scale 1 --queries 20 --values 12 --sampling adaptive",
        "valueflow plan --judge-scale 0.5 --queries 50 --response-se 2",
        "valueflow plan --judge-scale 1.2 --queries 100 --judge-mode rating",
    ),
)
@click.option(
    "--judge-scale",
    type=float,
    required=True,
    help="The judge's scale, from an earlier run: 0.3 is noisy, 3 is sharp.",
)
@click.option("--queries", type=int, required=True, help="Queries per cell.")
@click.option("--se", type=float, help="Wanted standard error of a cell's mean, in points.")
@click.option("--response-se", type=float, help="Wanted standard error of a response, in points.")
@click.option("--values", type=int, default=1, show_default=True, help="Values steered.")
@click.option(
    "--levels", type=int, default=5, show_default=True, help="Levels, the default included."
)
@click.option("--window-size", type=int, default=6, show_default=True, help="Texts in a window.")
@click.option(
    "--sampling",
    type=click.Choice(["bucket", "adaptive"]),
    default="bucket",
    show_default=True,
    help="How anchors are chosen.",
)
@click.option(
    "--spread",
    type=float,
    default=None,
    help="Standard deviation between the responses of a cell, in points.",
)
@click.option(
    "--judge-mode",
    type=click.Choice(["ranking", "rating", "placement"]),
    default="ranking",
    show_default=True,
    help="What the judge is asked about a window.",
)
@form_options
def plan_command(
    judge_scale: float,
    queries: int,
    se: float | None,
    response_se: float | None,
    values: int,
    levels: int,
    window_size: int,
    sampling: str,
    spread: float | None,
    judge_mode: str,
    form: str | None,
) -> None:
    """Say how many windows a design needs, and what it costs in judge calls and tokens."""
    table = plan_table(
        judge_scale,
        queries,
        se,
        response_se=response_se,
        values=values,
        levels=levels,
        window_size=window_size,
        sampling=sampling,
        spread=spread,
        judge_mode=judge_mode,
    )
    show_tables([table], form)


def plan_table(
    judge_scale: float,
    queries: int,
    se: float | None = None,
    *,
    response_se: float | None = None,
    values: int = 1,
    levels: int = 5,
    window_size: int = 6,
    sampling: str = "bucket",
    spread: float | None = None,
    most_windows: int = 10,
    judge_mode: str = "ranking",
) -> Table:
    """Designs with 1 to `most_windows` windows per response; the smallest that reaches is marked.

    Args:
        judge_scale: the judge's scale, in log-worth per point (an earlier run's report names it).
        queries: queries, each answered once per value and level.
        se: wanted standard error of a cell's mean, in points; None for none.
        response_se: wanted standard error of a response, in points; None for none.
        values: how many values are steered.
        levels: how many levels, the default included.
        window_size: k, texts in a window.
        sampling: `bucket` or `adaptive`.
        spread: standard deviation between the responses of a cell, in points; None for `SPREAD`.
        most_windows: rows.
        judge_mode: `ranking`, `rating` or `placement`.

    Raises:
        OptionError: an option is out of range.
    """
    # Imported here: SciPy takes a second, and `valueflow list` needs none of it.
    from valueflow.scorers.windows.plan import SPREAD, study_designs

    spread = SPREAD if spread is None else spread
    try:
        designs = study_designs(
            judge_scale,
            queries,
            cell_se=se,
            response_se=response_se,
            values=values,
            levels=levels,
            window_size=window_size,
            sampling=sampling,
            spread=spread,
            most_windows=most_windows,
            judge_mode=judge_mode,
        )
    except ValueError as error:
        raise OptionError("plan", str(error)) from None
    wanted = se is not None or response_se is not None
    best = next((d.windows for d in designs if d.reaches), None) if wanted else None
    kind = "" if judge_mode == "ranking" else f"{judge_mode} in "
    table = Table(
        title=f"{kind}{sampling} windows of {window_size}, judge of scale {judge_scale:g}, "
        f"{queries:,} queries x {values} {'value' if values == 1 else 'values'} x {levels} levels",
        caption=_caption(designs, best, se, response_se, spread),
    )
    table.add_column("")
    for name in ("windows per response", "judge calls", "tokens"):
        table.add_column(name, justify="right")
    for name in ("standard error: response", "cell", "shift"):
        table.add_column(name, justify="right")
    if se is not None:
        table.add_column(f"queries for {se:g}", justify="right")
    for d in designs:
        row = [
            "->" if d.windows == best else "",
            str(d.windows),
            f"{d.calls:,}",
            f"{d.tokens:,}",
            f"{d.response_se:.2f}",
            f"{d.cell_se:.3f}",
            f"{d.shift_se:.3f}",
        ]
        if d.queries_needed is not None:
            row.append(f"{d.queries_needed:,}")
        table.add_row(*row, style="bold" if d.windows == best else None)
    return table


def _caption(
    designs: list[Design],
    best: int | None,
    se: float | None,
    response_se: float | None,
    spread: float,
) -> str:
    errors = [("a cell", se), ("a response", response_se)]
    goal = " and ".join(f"{error:g} for {name}" for name, error in errors if error is not None)
    assumed = f"Between responses of a cell a standard deviation of {spread:g} points is assumed."
    if not goal:
        return assumed
    if best is not None:
        many = "1 window" if best == 1 else f"{best} windows"
        return f"{many} per response reach a standard error of {goal}. {assumed}"
    last = designs[-1]
    more = ""
    if se is not None and last.queries_needed is not None and last.cell_se > se:
        more = f"; {last.windows} windows would with {last.queries_needed:,} queries"
    return f"No design above reaches a standard error of {goal}{more}. {assumed}"
