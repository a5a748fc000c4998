"""The command `valueflow summary`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from valueflow.commands.screen import examples, paper_options, say, show_tables
from valueflow.hub_assets.errors import OptionError, printable

if TYPE_CHECKING:
    from valueflow.scorers.summary.overview import Overview, OverviewTable
    from valueflow.scorers.summary.run import RunSummary

__all__ = ["chosen_names", "label_option", "selection_options", "summary_command"]


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a click command `--label` and `--values`, see `chosen_names`."""
    return label_option(
        click.option(
            "--values",
            metavar="A,B",
            help="These values alone, in place of all that were measured; the judge is learnt from "
            "their windows alone, which changes numbers a little.",
        )(command)
    )


def label_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a click command `--label`, as its parameter `labels`."""
    return click.option(
        "--label",
        "labels",
        multiple=True,
        metavar="MODEL=NAME",
        help="What a model is called in tables and pictures; may be given several times.",
    )(command)


def chosen_names(labels: tuple[str, ...], values: str | None) -> dict[str, Any]:
    """The arguments of `studies_of` and `write_report` that these options stand for.

    Raises:
        OptionError: a label without `=`, or no value between the commas.
    """
    names = {}
    for label in labels:
        model, equals, name = label.rpartition("=")
        if not (equals and model and name.strip()):
            raise OptionError("label", f"{label!r} is not MODEL=NAME")
        names[model] = name.strip()
    only = [name.strip() for name in (values or "").split(",") if name.strip()]
    if values is not None and not only:
        raise OptionError("values", "names no value; leave it out for all of them")
    return {"names": names, "only": only}


@click.command(
    "summary",
    epilog=examples(
        "valueflow summary logs/RUN.eval",
        "valueflow summary logs --latex --label openai/gpt-4o-mini=GPT-4o-mini > table.tex",
        "valueflow summary logs/RUN.eval --values power,benevolence --markdown",
        "valueflow summary logs/RUN.eval --all --csv > figures.csv",
    ),
)
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--all", "every", is_flag=True, help="Every figure, a row each, in place of a row a value."
)
@selection_options
@paper_options
def summary_command(
    logs: tuple[Path, ...],
    every: bool,
    labels: tuple[str, ...],
    values: str | None,
    form: str | None,
) -> None:
    """Show what runs say, each on one screen: a row a value, the averages, the judge, the losses.

    LOGS are Inspect logs or folders of them; those with the same settings count as one study.
    Columns are the mean intensity at each level, how far the value goes up and down, and the range,
    with standard errors. An arrow marks a mean of which more than a fifth of the responses lie
    beyond every anchor.
    """
    from valueflow.results.steering.studies import studies_of
    from valueflow.results.studies import unusable
    from valueflow.scorers.saved.logs import find_logs
    from valueflow.scorers.summary.overview import overview

    with Console(stderr=True).status("Reading and estimating ..."):
        found = studies_of(find_logs(logs), **chosen_names(labels, values))
    if not found.studies:
        raise unusable(logs, found.skipped)
    for skipped in found.skipped:
        say(f"Left out: {skipped.path} {skipped.reason}", err=True)
    studies = found.studies
    told = [(study, overview(study.summary, study.records)) for study in studies]
    labels_told = [study.label if len(studies) > 1 else "" for study in studies]
    for study, one in told:
        if one.warning:
            say(f"Note: {study.label}: {one.warning}", err=True)
    if every:
        show_tables([_every(labels_told, [study.summary for study in studies])], form)
    elif form in ("csv", "json"):
        tables = _for_programs(labels_told, [one for _, one in told])
        if form == "csv" and len(tables) > 1:
            others = ", ".join(str(table.title) for table in tables[1:])
            say(f"Note: --csv writes '{tables[0].title}'; --json has also: {others}", err=True)
            tables = tables[:1]
        show_tables(tables, form)
    else:
        for label, (study, one) in zip(labels_told, told, strict=True):
            if label:
                click.echo(HEADING[form].format(printable(label)))
            show_tables([_drawn(table) for table in one.tables if table.texts], form)
            for line in [*one.lines, *study.summary.notes] if form is None else ("",):
                say(line)


HEADING = {None: "\n{}", "markdown": "**{}**\n", "latex": "% {}"}
"""How a study is named above its table."""


def _drawn(table: "OverviewTable") -> Table:
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, column in enumerate(table.columns):
        made.add_column(column, justify="right" if place else "left")
    for row in table.texts:
        made.add_row(*row)
    return made


def _for_programs(labels: Sequence[str], found: "Sequence[Overview]") -> list[Table]:
    """A table for each kind of rows, over all studies."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for label, one in zip(labels, found, strict=True):
        for table in one.tables:
            study = {"study": label} if label else {}
            kinds.setdefault(table.title, []).extend({**study, **row} for row in table.numbers)
    return [_numbers(title, rows) for title, rows in kinds.items()]


def _numbers(title: str, rows: list[dict[str, Any]]) -> Table:
    """A table for programs: numbers with six digits, standard errors in columns of their own."""
    table = Table(title=title)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for name in columns:
        numeric = any(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in columns))
    return table


def _cell(cell: Any) -> str:
    if cell is None:
        return ""
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)


def _every(labels: Sequence[str], summaries: "Sequence[RunSummary]") -> Table:
    """Every figure by the name that it has among Inspect's metrics."""
    from valueflow.scorers.summary.run import flatten

    rows = []
    for label, summary in zip(labels, summaries, strict=True):
        flat = flatten(summary)
        for name, number in flat.items():
            if not name.endswith("_stderr"):
                row = {"figure": name, "value": number, "se": flat.get(f"{name}_stderr")}
                rows.append({"study": label, **row} if label else row)
    return _numbers("figures", rows)
