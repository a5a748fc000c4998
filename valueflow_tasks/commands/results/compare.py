"""The command `valueflow compare`."""

from pathlib import Path

import click
from rich.console import Console

from valueflow.commands.screen import examples, say, show_tables
from valueflow.hub_assets.errors import OptionError

__all__ = ["compare_command"]


@click.command(
    "compare",
    epilog=examples(
        "valueflow compare logs/before.eval logs/after.eval",
        "valueflow compare logs/model-a logs/model-b -o comparison.csv",
        "valueflow compare --logs logs --models openai/gpt-4o-mini google/gemini-2.5-flash",
        "valueflow compare A.eval B.eval --correction bh --confidence 0.9",
    ),
)
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path), metavar="[A B]")
@click.option(
    "--logs", multiple=True, type=click.Path(path_type=Path), help="Logs or folders for --models."
)
@click.option("--models", nargs=2, help="Two models among --logs, in place of A and B.")
@click.option(
    "--correction",
    type=click.Choice(["holm", "bh", "none"]),
    default="holm",
    show_default=True,
    help="For how many cells are tested: Holm's (no false finding), Benjamini and Hochberg's (few "
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
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV table of all differences; versions and notes go to a .json beside it.",
)
def compare_command(
    runs: tuple[Path, ...],
    logs: tuple[Path, ...],
    models: tuple[str, str] | None,
    correction: str,
    confidence: float,
    force: bool,
    output: Path | None,
) -> None:
    """Compare two runs cell by cell, paired by query: what differs and what is noise.

    A and B are Inspect logs, or folders of logs of one model. A star marks what survives the
    correction; all figures are A minus B. Each interval stands for itself: with many cells some
    exclude 0 by chance, which is why the stars come from the corrected p-values.
    """
    from valueflow.results import compare as comparing

    if models:
        if runs or not logs:
            raise OptionError("models", "goes with --logs, and takes the place of A and B")
    elif logs:
        raise OptionError("logs", "goes with --models; two single runs are given as A B")
    elif len(runs) != 2:
        raise OptionError("A B", f"two runs are compared, not {len(runs)}; or --logs and --models")
    if output is not None and output.suffix == ".json":
        raise OptionError("output", f"{output} is to be a CSV table; give it the suffix .csv")
    with Console(stderr=True).status("Reading and estimating ..."):
        if models:
            a, b = comparing.read_models(logs, models)
        else:
            a, b = comparing.read_run(runs[0]), comparing.read_run(runs[1])
        found = comparing.compare_runs(
            a, b, confidence=confidence, correction=correction, force=force
        )
    for name, run in (("A", a), ("B", b)):
        say(
            f"{name}: {run.model}, {len(run.responses):,} responses to {run.queries} queries "
            f"({', '.join(path.name for path in run.logs)})"
        )
    for line in comparing.differences_of_setup(a, b):
        say(f"   {line}")
    for table in comparing.tables(found):
        show_tables([table])
    for name, run in (("A", a), ("B", b)):
        for what, count in run.left_out.items():
            say(f"Left out of {name}: {count} {what}", err=True)
    for note in found.notes:
        say(f"Note: {note}", err=True)
    for sentence in comparing.summary(found):
        say(sentence)
    if output is not None:
        beside = comparing.write_comparison(output, found, a, b)
        say(f"Table in {output}, versions and notes in {beside}")
