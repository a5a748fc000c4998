"""Do the figures of pairs and squares recover the law by which targets combine?

The real harness runs `steer_pair` with every pair of Schwartz's values and `steer_five` with its
square, both with the single conditions, over the 100 GPV queries of the real data, with its VIDB
excerpt as anchors. Respondents and judge are simulated; a respondent's law is known:

- additive: every target has its full effect, and a share of −0.2 of it on every other value;
- strongest: only the targets of the largest |level| have an effect;
- fading: negative targets keep a share of 0.3 beside a positive one.

    python benchmarks/composition.py --data DIR [--law fading] [--queries 20] [--log-dir LOGS]
"""

import os
import tempfile
import time
from pathlib import Path

import click

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import get_model

from valueflow.hub_assets.registry.loading import load_registry
from valueflow.scorers.estimate.covariance import CellErrors, JointCells
from valueflow.scorers.figures import Figure
from valueflow.scorers.records import METADATA_KEY
from valueflow.scorers.summary.designs.pairs import pair_summaries
from valueflow.scorers.summary.designs.squares import square_summaries
from valueflow.scorers.summary.run import RunSummary, summarize
from valueflow.simulated.respondent import RespondentOptions, expected_intensity
from valueflow.steering.tasks import steer_five, steer_pair

LAWS = {
    "additive": RespondentOptions(gain_down=5, cross=-0.2),
    "strongest": RespondentOptions(gain_down=5, composition="strongest"),
    "fading": RespondentOptions(gain_down=5, composition="fading", fade=0.3),
}


def run(task: Task, options: RespondentOptions, excerpt: str, log_dir: str) -> EvalLog:
    log = inspect_eval(
        task,
        model=get_model("valueflow/respondent", memoize=False, **options.model_dump()),
        model_roles={"grader": get_model("valueflow/judge", memoize=False, vidb=excerpt)},
        log_dir=log_dir,
        display="none",
    )[0]
    if log.status != "success":
        raise click.ClickException(f"the run ended as {log.status}: {log.error}")
    return log


def summary_of(log: EvalLog) -> RunSummary:
    return summarize(
        score.metadata[METADATA_KEY]
        for sample in log.samples or []
        for score in (sample.scores or {}).values()
        if score.metadata
    )


def true_joint(summary: RunSummary, options: RespondentOptions) -> JointCells:
    """The cells' true means, without error."""
    registry = load_registry()
    means = []
    for cell in summary.cells:
        targets = [(registry.steerable(name, t), level) for t, name, level in cell.targets]
        value = registry.value(cell.value, cell.theory)
        means.append(expected_intensity(value, targets, options))
    index = {cell.cell: i for i, cell in enumerate(summary.cells)}
    nothing = CellErrors(0.0, np.zeros(1), np.zeros(1, dtype=np.int64), np.zeros(0))
    return JointCells(index, np.array(means), [nothing] * len(means), [""] * len(means))


def compare(
    name: str, found: list[dict[str, Figure]], truth: list[dict[str, Figure]], figures: list[str]
) -> None:
    """Prints, for each figure, its mean, the true mean and how far off it is in standard errors."""
    for figure in figures:
        pairs = [
            (one[figure], other[figure].value)
            for one, other in zip(found, truth, strict=True)
            if figure in one and np.isfinite(other[figure].value)
        ]
        if not pairs:
            continue
        numbers = np.array([one.value for one, _ in pairs])
        true = np.array([other for _, other in pairs])
        errors = np.array([one.se for one, _ in pairs])
        off = np.abs(numbers - true) / np.maximum(errors, 1e-12)
        held = float((np.abs(numbers - true) <= 1.96 * errors + 1e-9).mean())
        click.echo(
            f"{name:10} {figure:22} {len(pairs):4d}  {numbers.mean():+7.3f}  {true.mean():+7.3f}  "
            f"{np.sqrt(((numbers - true) ** 2).mean()):6.3f}  {errors.mean():6.3f}  {held:6.2f}  "
            f"{off.max():5.1f}"
        )


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    envvar="VALUEFLOW_REAL_DATA",
    help="The real data [VALUEFLOW_REAL_DATA].",
)
@click.option("--law", "laws", type=click.Choice(list(LAWS)), multiple=True, help="All laws.")
@click.option("--queries", default="all", show_default=True, help="How many queries, or 'all'.")
@click.option("--log-dir", help="Keep the logs here.")
def main(data: Path | None, laws: tuple[str, ...], queries: str, log_dir: str | None) -> None:
    """Steer pairs and a five-value square under known laws, and print truth beside estimate."""
    if data is None:
        click.echo("skipped: give --data DIR or set VALUEFLOW_REAL_DATA to the real data")
        return
    excerpt = str(data / "vidb_excerpt" / "vidb_excerpt.jsonl")
    shared = {
        "queries": str(data / "queries" / "gpv.csv"),
        "n_queries": queries,
        "vidb": excerpt,
        "windows": 1,
        "singles": True,
    }
    click.echo(
        f"{'law':10} {'figure':22} {'n':>4}  {'mean':>7}  {'truth':>7}  {'RMSE':>6}  {'error':>6}  "
        f"{'95%':>6}  {'worst':>5}"
    )
    for law in laws or tuple(LAWS):
        options, start, counts = LAWS[law], time.perf_counter(), []
        with tempfile.TemporaryDirectory() as folder:
            kept = log_dir or folder
            pairs = summary_of(run(steer_pair(**shared), options, excerpt, kept))
            five = summary_of(run(steer_five(**shared), options, excerpt, kept))
        truth = pair_summaries(pairs.cells, true_joint(pairs, options))[0]
        compare(
            law,
            [point.figures for pair in pairs.pairs for point in pair.points],
            [point.figures for pair in truth for point in pair.points],
            ["cosine", "along", "dominance", "additivity"],
        )
        retained = [
            {"retained": figure}
            for pair in pairs.pairs
            for point in pair.points
            for name, figure in sorted(point.figures.items())
            if name.startswith("retained")
        ]
        true_retained = [
            {"retained": figure}
            for pair in truth
            for point in pair.points
            for name, figure in sorted(point.figures.items())
            if name.startswith("retained")
        ]
        compare(law, retained, true_retained, ["retained"])
        squares = square_summaries(five.cells, true_joint(five, options))[0]
        compare(
            law,
            [square.figures for square in five.squares],
            [square.figures for square in squares],
            list(five.squares[0].figures),
        )
        for summary in (pairs, five):
            counts.append(
                f"{summary.counts['responses']:,} responses, "
                f"{summary.counts['judge_calls']:,} judge calls"
            )
        click.echo(f"{law:10} {'; '.join(counts)}; {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
