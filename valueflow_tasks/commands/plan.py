"""Before a study: `valueflow plan`, what it takes, and `valueflow selfcheck`, what to trust."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from valueflow.commands.screen import examples, form_options, show_tables
from valueflow.hub_assets.errors import OptionError

if TYPE_CHECKING:
    from valueflow.scorers.windows.plan import Design

__all__ = ["plan_command", "plan_table", "selfcheck_command"]


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


@click.command(
    "selfcheck",
    epilog=examples(
        "valueflow selfcheck",
        "valueflow selfcheck --scale 0.3 --place-effect 1 --values power,tradition",
        "valueflow selfcheck --truth uniform --n-queries 40 --noise normal",
        "valueflow selfcheck --judge-mode rating --windows 1 --scale 1.2 --text-sd 3.9",
    ),
)
@click.option("--values", default="benevolence,power", show_default=True, help="Values to steer.")
@click.option("--n-queries", default="40", show_default=True, help="Queries, or 'all'.")
@click.option("--windows", default=3, show_default=True, help="Windows per response.")
@click.option("--window-size", default=6, show_default=True, help="Texts in a window.")
@click.option(
    "--truth",
    type=click.Choice(["uniform", "dose-response"]),
    default="uniform",
    show_default=True,
    help="Where true intensities come from.",
)
@click.option(
    "--judge-mode",
    type=click.Choice(["ranking", "rating", "placement", "choice"]),
    default="ranking",
    show_default=True,
    help="What the judge is asked about a window.",
)
@click.option("--scale", default=1.0, show_default=True, help="The judge's scale.")
@click.option(
    "--text-sd",
    default=0.0,
    show_default=True,
    help="Spread of the judge's standing disagreement with single texts, in points.",
)
@click.option(
    "--place-effect",
    default=0.0,
    show_default=True,
    help="The judge's preference for texts shown earlier, per place.",
)
@click.option(
    "--noise",
    type=click.Choice(["gumbel", "normal", "reversed"]),
    default="gumbel",
    show_default=True,
    help="The judge's noise.",
)
@click.option(
    "--failure-rate",
    default=0.0,
    show_default=True,
    help="Share of the judge's answers that are nonsense.",
)
@click.option(
    "--refusal-rate",
    default=0.0,
    show_default=True,
    help="Share of prompts that the respondent declines.",
)
@click.option("--vidb", help="Anchors; the embedded ones where not given.")
@click.option("--seed", default=0, show_default=True, help="Seed of truth, noise and windows.")
@click.option(
    "--log-dir", type=click.Path(path_type=Path, file_okay=False), help="Keep the Inspect log here."
)
def selfcheck_command(
    values: str,
    n_queries: str,
    windows: int,
    window_size: int,
    truth: str,
    judge_mode: str,
    scale: float,
    text_sd: float,
    place_effect: float,
    noise: str,
    failure_rate: float,
    refusal_rate: float,
    vidb: str | None,
    seed: int,
    log_dir: Path | None,
) -> None:
    """Run the real task on simulated models, and print truth beside estimate.

    This checks the instrument, not any language model: respondent and judge are simulations.
    """
    from valueflow.simulated.selfcheck import run_selfcheck

    check = run_selfcheck(
        respondent={"truth": truth, "refusal_rate": refusal_rate, "seed": seed, "vidb": vidb},
        judge={
            "scale": scale,
            "text_sd": text_sd,
            "place_effect": place_effect,
            "noise": noise,
            "failure_rate": failure_rate,
            "seed": seed,
            "vidb": vidb,
        },
        task={
            "values": values,
            "n_queries": n_queries,
            "windows": windows,
            "window_size": window_size,
            "judge_mode": judge_mode,
            "seed": seed,
            "vidb": vidb,
        },
        log_dir=log_dir,
        display="rich" if sys.stderr.isatty() else "none",
    )
    table = Table(
        "cell",
        "responses",
        "truth",
        "estimate",
        "standard error",
        "error",
        title="Simulated respondent and judge: mean intensity per cell",
    )
    for cell in check.cells:
        table.add_row(
            cell.cell,
            str(cell.responses),
            f"{cell.truth:+.2f}",
            f"{cell.estimate:+.2f}",
            f"{cell.se:.2f}",
            f"{cell.estimate - cell.truth:+.2f}",
        )
    show_tables([table])
    click.echo(
        f"responses: {check.responses}, RMSE {check.rmse:.2f}, slope {check.slope:.3f}, "
        f"bias {check.bias:+.2f}, coverage of 95% intervals {check.coverage:.3f}"
    )
    click.echo(f"cells: RMSE {check.cell_rmse:.2f}")
    if check.summary.evaluation is not None:
        for name, judge in check.summary.evaluation.judges.items():
            click.echo(
                f"judge on {name}: scale {judge.scale:.2f} ± {judge.scale_se:.2f} (true "
                f"{scale:g}), place effect {judge.place_effect:+.2f} ± "
                f"{judge.place_effect_se:.2f} (true {place_effect:+g})"
            )
        for name, rating in check.summary.evaluation.rating_judges.items():
            click.echo(
                f"judge on {name}: slope {rating.slope:.2f} ± {rating.slope_se:.2f} (true 1), "
                f"text standard deviation {rating.text_sd:.2f} ± {rating.text_sd_se:.2f} (true "
                f"{text_sd:g}), noise {rating.noise_sd:.2f}"
            )
    counts = check.counts
    click.echo(
        f"judge calls {counts['judge_calls']}, retries {counts['judge_retries']}, failed windows "
        f"{counts['windows_failed']}, unscored responses {counts['unscored']}"
    )
