"""The command `valueflow compare`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from valueflow.commands.results.summary import chosen_names, label_option
from valueflow.commands.screen import examples, paper_options, say, show_tables
from valueflow.hub_assets.errors import OptionError, ValueflowError

if TYPE_CHECKING:
    from valueflow.results.compare import Run

__all__ = ["compare_command"]


@click.command(
    "compare",
    epilog=examples(
        "valueflow compare logs/before.eval logs/after.eval",
        "valueflow compare logs/model-a logs/model-b -o comparison.csv",
        "valueflow compare logs/a.eval logs/b.eval logs/c.eval --latex",
        "valueflow compare --logs logs                     every model of a folder",
        "valueflow compare --logs logs --models openai/gpt-4o-mini google/gemini-2.5-flash",
        "valueflow compare A.eval B.eval --correction bh --confidence 0.9",
    ),
)
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path), metavar="[A B ...]")
@click.option(
    "--logs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Logs or folders, in place of A B: every model in them is a run.",
)
@click.option("--models", nargs=2, help="Two models among --logs, in place of all of them.")
@click.option(
    "--correction",
    type=click.Choice(["holm", "bh", "none"]),
    default="holm",
    show_default=True,
    help="For how many tests are made: Holm's (no false finding), Benjamini and Hochberg's (few "
    "false ones among the findings), or none.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Coverage of each interval; 1 minus this is the level of the tests.",
)
@click.option("--force", is_flag=True, help="Compare although anchors or judge prompts differ.")
@label_option
@paper_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV table of all differences (of two runs cell by cell, and beside it _figures.csv; of "
    "more of their figures); versions and notes go to a .json beside it.",
)
def compare_command(
    runs: tuple[Path, ...],
    logs: tuple[Path, ...],
    models: tuple[str, str] | None,
    correction: str,
    confidence: float,
    force: bool,
    labels: tuple[str, ...],
    form: str | None,
    output: Path | None,
) -> None:
    """Compare two or more runs, paired by query: what differs and what is noise.

    A, B, ... are Inspect logs, or folders of logs of one model. Runs are compared by what they are
    summed up by: range, up, down and slope of each value, figures of pairs, squares and profiles,
    and their averages, with a leaderboard whose letters mark models that cannot be told apart. Two
    runs are compared cell by cell too; all differences are A minus B. A star marks what survives
    the correction. Each interval stands for itself: among many some exclude 0 by chance.
    """
    from valueflow.results import compare as comparing

    if models:
        if runs or not logs:
            raise OptionError("models", "goes with --logs, and takes the place of A and B")
    elif logs and runs:
        raise OptionError("logs", "takes the place of A B; give one or the other")
    elif not logs and len(runs) < 2:
        raise OptionError("A B", f"two runs or more are compared, not {len(runs)}; or give --logs")
    if output is not None and output.suffix == ".json":
        raise OptionError("output", f"{output} is to be a CSV table; give it the suffix .csv")
    with Console(stderr=True).status("Reading and estimating ..."):
        if models:
            found = list(comparing.read_models(logs, models))
        elif logs:
            found = comparing.runs_by_model(logs)
        else:
            found = [comparing.read_run(run) for run in runs]
        if len(found) < 2:
            raise OptionError("logs", f"holds logs of one model alone ({found[0].model})")
        names = comparing.names_of_runs(found, chosen_names(labels, None)["names"])
        by_name = dict(zip(names, found, strict=True))
        settings = {"confidence": confidence, "correction": correction, "force": force}
        lacking = None
        figures = None
        try:
            figures = comparing.compare_run_figures(by_name, **settings)  # type: ignore[arg-type]
        except ValueflowError as error:
            if len(found) > 2:
                raise
            lacking = error
        cells = comparing.compare_runs(*found, **settings) if len(found) == 2 else None  # type: ignore[arg-type]
    if form is not None:
        if figures is None:
            raise lacking or ValueflowError("nothing to compare")
        show_tables(
            [comparing.as_table(figures)]
            if form in ("csv", "json")
            else comparing.figure_tables(figures),
            form,
        )
        return
    _say_runs(by_name)
    if figures is not None:
        for table in comparing.figure_tables(figures):
            show_tables([table])
    for table in comparing.tables(cells) if cells else ():
        show_tables([table])
    for name, run in zip(_letters(by_name), found, strict=True):
        for what, count in run.left_out.items():
            say(f"Left out of {name}: {count} {what}", err=True)
    notes = [*(cells.notes if cells else figures.notes if figures else ())]
    if lacking is not None:
        notes.append(f"Cells alone are compared: {lacking}")
    for note in notes:
        say(f"Note: {note}", err=True)
    for sentence in [
        *(comparing.figure_summary(figures) if figures else ()),
        *(comparing.summary(cells) if cells else ()),
    ]:
        say(sentence)
    if output is not None and cells is not None:
        beside = comparing.write_comparison(output, cells, *found)
        say(f"Table in {output}, versions and notes in {beside}")
    if output is not None and figures is not None:
        path = output.with_name(f"{output.stem}_figures.csv") if cells is not None else output
        beside = comparing.write_figures(path, figures, by_name)
        say(f"Figures in {path}, leaderboards and notes in {beside}")


def _letters(by_name: dict[str, "Run"]) -> list[str]:
    """What runs are called in sentences: two by the letters that their tables have."""
    return ["A", "B"] if len(by_name) == 2 else list(by_name)


def _say_runs(by_name: dict[str, "Run"]) -> None:
    """What the runs are; of two, by the letters that the tables have, and how they differ."""
    from valueflow.results import compare as comparing

    runs = list(by_name.values())
    for name, run in zip(_letters(by_name), runs, strict=True):
        said = f"{run.model}, " if len(runs) == 2 or name != run.model else ""
        say(
            f"{name}: {said}{len(run.responses):,} responses to {run.queries} queries "
            f"({', '.join(path.name for path in run.logs)})"
        )
    for line in comparing.differences_of_setup(*runs) if len(runs) == 2 else ():
        say(f"   {line}")
