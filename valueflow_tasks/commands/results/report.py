"""The command `valueflow report`."""

from importlib.util import find_spec
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from valueflow.commands.results.summary import chosen_names, selection_options
from valueflow.commands.screen import examples, say
from valueflow.hub_assets.errors import ValueflowError

__all__ = ["report_command"]

NEEDED = ("matplotlib", "jinja2", "pandas")

EXAMPLES = examples(
    "valueflow report logs -o report",
    "valueflow report logs/2026-01-01_steer.eval logs/2026-01-02_steer.eval -o report",
    'valueflow report logs other-logs -o report --title "Five models, Schwartz values"',
)


@click.command("report", epilog=EXAMPLES)
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for index.html, figures (PDF, PNG, SVG) and tables (CSV).",
)
@click.option("--title", help="The page's heading; by the logs' tasks where it is not given.")
@selection_options
def report_command(
    logs: tuple[Path, ...],
    output: Path,
    title: str | None,
    labels: tuple[str, ...],
    values: str | None,
) -> None:
    """Draw a report from Inspect LOGS, without any model.

    LOGS are Inspect logs of valueflow's tasks (.eval, .json), or folders of them, of any number of
    models and tasks. Logs that share model, method, questions, judge, anchors and versions are
    pooled; all others are shown side by side. Survey runs (opinionqa) get sections of their own on
    the same page. OUTPUT/index.html is one file that opens offline.
    """
    lacking = [name for name in NEEDED if find_spec(name) is None]
    if lacking:
        raise ValueflowError(
            f"valueflow report needs {', '.join(lacking)}: pip install 'valueflow[report]'"
        )
    from valueflow.results.report import write_report

    chosen = chosen_names(labels, values)

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what.capitalize(), total=of)
            bar.update(tasks[what], completed=done)

        report = write_report(logs, output, title, tell, **chosen)
    for one in report.skipped:
        say(f"Left out: {one.path} {one.reason}", err=True)
    for warning in report.warnings:
        say(f"Note: {warning}", err=True)
    for study in report.studies:
        for note in study.notes:
            say(f"Note: {study.label}: {note}", err=True)
    studies, figures = len(report.studies), sum(n.endswith(".svg") for n in report.files)
    say(
        f"{studies} {'study' if studies == 1 else 'studies'}, "
        f"{figures} {'figure' if figures == 1 else 'figures'}; {report.folder / 'index.html'}"
    )
