"""`valueflow selfcheck`: truth beside estimate, with simulated judges."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.table import Table

from valueflow.commands.options import evaluator_option
from valueflow.commands.screen import examples, show_tables

__all__ = ["selfcheck_command"]


@click.command(
    "selfcheck",
    epilog=examples(
        "valueflow selfcheck",
        "valueflow selfcheck --scale 0.3 --place-effect 1 --values power,tradition",
        "valueflow selfcheck --truth uniform --n-queries 40 --noise normal",
        "valueflow selfcheck --judge-mode rating --windows 1 --scale 1.2 --text-sd 3.9",
        "valueflow selfcheck --sampling adaptive --windows 6 --target-se 1.5",
    ),
)
@click.option("--values", default="benevolence,power", show_default=True, help="Values to steer.")
@click.option("--n-queries", default="40", show_default=True, help="Queries, or 'all'.")
@evaluator_option("windows")
@evaluator_option("window_size")
@click.option(
    "--truth",
    type=click.Choice(["uniform", "dose-response"]),
    default="uniform",
    show_default=True,
    help="Where true intensities come from.",
)
@evaluator_option("judge_mode")
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
@evaluator_option("sampling", only=("bucket", "random", "adaptive"))
@evaluator_option("target_se")
@evaluator_option("vidb")
@evaluator_option("seed")
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
    sampling: str,
    target_se: float | None,
    vidb: str,
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
            "sampling": sampling,
            **({} if target_se is None else {"target_se": target_se}),
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
