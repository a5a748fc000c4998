"""The command `valueflow`. Each command reads its options, calls one function and prints."""

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from valueflow.commands.build_database import build_command
from valueflow.commands.compare import compare_command
from valueflow.commands.hub import package_command, pull_command, push_command
from valueflow.commands.lm_eval import lm_eval_commands
from valueflow.commands.repair import repair_command
from valueflow.commands.report import report_command
from valueflow.commands.review import review_command
from valueflow.commands.screen import form_options, say, show_tables
from valueflow.hub_assets.errors import ValueflowError, singular

__all__ = ["main"]


class _Commands(click.Group):
    """A group whose commands end with `Error: ...` where a user can mend what went wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException:
            raise
        except ValueflowError as error:
            raise click.ClickException(singular(str(error))) from None


def _examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_examples(
        "inspect eval valueflow/steer --model valueflow/respondent \\",
        "    --model-role grader=valueflow/judge       steer and measure, simulated and offline",
        "valueflow list values --theory mft           what can be steered",
        "valueflow selfcheck                          truth beside estimate",
        "valueflow plan --judge-scale 0.3 --queries 100 --se 0.5   what a study costs",
        "valueflow score logs/RUN.eval -o scores      tables from saved rankings",
        "valueflow repair logs/RUN.eval               ask again for rankings that are missing",
        "valueflow report logs -o report              pictures and tables of any number of runs",
        "valueflow compare A.eval B.eval              what changed, and what is noise",
        "valueflow build vidb recipe.yaml -o build    a database from your own texts and judges",
        "valueflow review build                       what its judges left to people",
        "valueflow push vidb DIR --repo ORG/NAME --tag v1.1",
    ),
)
@click.version_option(package_name="valueflow")
def main() -> None:
    """Steer language models toward human values, and measure how far they go.

    The studies themselves are run by Inspect: `inspect eval valueflow/steer --model X`. This
    command shows what there is to steer, checks the instrument and works on saved results.
    """


@main.command(
    "list",
    epilog=_examples(
        "valueflow list",
        "valueflow list values",
        "valueflow list values --theory duty --all",
        "valueflow list pairs --theory right",
        "valueflow list assets --json",
    ),
)
@click.argument(
    "what",
    type=click.Choice(
        [
            "overview",
            "theories",
            "values",
            "levels",
            "pairs",
            "squares",
            "composites",
            "groups",
            "tasks",
            "options",
            "assets",
            "queries",
        ]
    ),
    default="overview",
)
@click.option("--theory", help="Only this theory (values, pairs, squares, composites).")
@click.option("--all", "everything", is_flag=True, help="Ancestors and children too (values).")
@form_options
def list_command(what: str, theory: str | None, everything: bool, form: str | None) -> None:
    """Show the catalogue: theories, values, pairs, squares, tasks, assets and so on."""
    from valueflow.commands import listing

    show_tables(list(listing.tables(what, theory, everything)), form)


@main.command(
    "score",
    epilog=_examples(
        "valueflow score logs/2026-01-01_steer.eval -o scores",
        "valueflow score windows.jsonl -o scores --estimator reference",
        "valueflow score benevolence_strong.csv -o scores --value benevolence --cell strong",
    ),
)
@click.argument("rankings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for the tables: items, cells, shifts, judges, fit.",
)
@click.option("--value", help="The value that was ranked (CSV of the published scripts).")
@click.option("--cell", help="The cell of all rows (CSV of the published scripts).")
@click.option(
    "--estimator",
    type=click.Choice(["population", "reference"]),
    default="population",
    show_default=True,
    help="Calibrated population model, or the published scripts'.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Coverage of the intervals.",
)
def score_command(
    rankings: tuple[Path, ...],
    output: Path,
    value: str | None,
    cell: str | None,
    estimator: str,
    confidence: float,
) -> None:
    """Estimate intensities from saved RANKINGS, without any model.

    RANKINGS are Inspect logs (.eval, .json), files with one window a line (.jsonl), ranking tables
    of the published scripts (.csv), or folders of them; of a run and its retry, the log with more
    responses counts. Fields of a line: item, cell, value, anchors, order,
    position; optionally shown and query. In order, a nested list is a tie, and texts that are not
    named come after those that are. Beside order or in its place a line may have ratings: the
    judge's numbers, the response's first, and rating_scale, the ends of their scale.
    """
    from valueflow.commands.score import score_rankings

    with Console(stderr=True).status("Reading and estimating ..."):
        found, saved = score_rankings(
            rankings, output, value=value, cell=cell, estimator=estimator, confidence=confidence
        )
    table = Table("cell", "items", "intensity", "standard error", "spread", title="Cells")
    for c in found.cells[:40]:
        table.add_row(c.cell, str(c.items), f"{c.intensity:+.2f}", f"{c.se:.2f}", f"{c.spread:.2f}")
    show_tables([table])
    if len(found.cells) > 40:
        say(f"... and {len(found.cells) - 40} more in {output / 'cells.csv'}")
    for what, count in saved.dropped.items():
        say(f"Left out: {count} {what}", err=True)
    for note in found.notes:
        say(f"Note: {note}", err=True)
    say(f"{saved.table.windows:,} windows of {len(found.items):,} items; tables in {output}")


@main.command(
    "selfcheck",
    epilog=_examples(
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


main.add_command(report_command)


@main.command(
    "plan",
    epilog=_examples(
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
    from valueflow.commands.plan import plan_table
    from valueflow.scorers.windows.plan import SPREAD

    table = plan_table(
        judge_scale,
        queries,
        se,
        response_se=response_se,
        values=values,
        levels=levels,
        window_size=window_size,
        sampling=sampling,
        spread=SPREAD if spread is None else spread,
        judge_mode=judge_mode,
    )
    show_tables([table], form)


main.add_command(build_command)
main.add_command(compare_command)
main.add_command(lm_eval_commands)
main.add_command(repair_command)
main.add_command(review_command)


for _command in (pull_command, package_command, push_command):
    main.add_command(_command)

if __name__ == "__main__":
    main()
