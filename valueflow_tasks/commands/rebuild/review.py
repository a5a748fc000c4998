"""The command `valueflow review`: people decide what a panel left open, and rate odd rows."""

from pathlib import Path
from typing import Any

import click
from rich import box
from rich.table import Table

from valueflow.commands.screen import examples, say, show_tables
from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.lazy import need

__all__ = ["review_command"]

QUEUES = ("directions", "ratings")


@click.command(
    "review",
    epilog=examples(
        "valueflow review build                                  the page, in your browser",
        "valueflow review build --queue ratings --blind --sample 200",
        "valueflow review build --export queue.csv --reviewer Ada --blind",
        "valueflow review build --import queue.csv --reviewer Ada",
        "valueflow review build --agreement -o agreement.csv",
        "valueflow build package recipe.yaml -o build            takes the ratings up",
    ),
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--queue",
    type=click.Choice([*QUEUES, "both"]),
    default="both",
    show_default=True,
    help="Rows on which the panel stayed divided, flagged rows to rate, or both.",
)
@click.option("--values", help="Only these values, as 'benevolence,power'.")
@click.option(
    "--sample",
    type=click.IntRange(0),
    default=0,
    help="Rate so many rows too that are not flagged, drawn at random.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Of the sample, orders and intervals."
)
@click.option("--blind", is_flag=True, help="Hide the judge's scores and the panel's votes.")
@click.option("--reviewer", help="Your name; the page asks for it where none is given.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Of the page; 0 takes a free one."
)
@click.option("--no-browser", is_flag=True, help="Print the page's address only.")
@click.option(
    "--export",
    "exported",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the queue with the answers so far as CSV: --reviewer's, or all.",
)
@click.option(
    "--import",
    "imported",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Read the answers of a filled CSV: all of it, or nothing where any row is faulty.",
)
@click.option(
    "--catalogue",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="YAML file with values of your own; DIR keeps the one that it was built with.",
)
@click.option("--agreement", "agree", is_flag=True, help="Print how far reviewers agree.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for --agreement: .csv or .json.",
)
def review_command(
    folder: Path,
    queue: str,
    values: str | None,
    sample: int,
    seed: int,
    blind: bool,
    reviewer: str | None,
    port: int,
    no_browser: bool,
    exported: Path | None,
    imported: Path | None,
    catalogue: Path | None,
    agree: bool,
    output: Path | None,
) -> None:
    """Review a database that is being built in DIR, one text at a time.

    A page opens on this machine, to be worked by keys. Every answer is kept as it is given, in
    DIR/review; stop and go on whenever you like. Several people can use the page, or come one after
    the other, each by name. `valueflow build` takes the answers up.
    """
    from valueflow.rebuild.database.folder import check_catalogue
    from valueflow.rebuild.database.review.decisions import reviewer_name

    if not folder.is_dir():
        raise InputFileError(folder, "is no folder; give the one that `valueflow build` writes to")
    if sum([exported is not None, imported is not None, agree]) > 1:
        raise OptionError("export", "give one of --export, --import and --agreement")
    if output is not None and not agree:
        raise OptionError("output", "belongs to --agreement")
    name = reviewer_name(reviewer) if reviewer is not None else None
    if catalogue is not None:
        check_catalogue(folder, catalogue)
    chosen = _values(folder, values)
    queues: list[Any] = [*QUEUES] if queue == "both" else [queue]
    if agree:
        need("--agreement", "review", "krippendorff")
        _agreement(folder, queues, chosen, seed, output)
    elif imported is not None:
        _import(folder, imported, name, blind)
    elif exported is not None:
        _export(folder, exported, (queues, chosen, sample, seed), name, blind)
    else:
        need("the review page", "review", "starlette", "uvicorn", "jinja2")
        _page(folder, (queues, chosen, sample, seed), name, blind, port, not no_browser)


def _values(folder: Path, text: str | None) -> set[str] | None:
    from valueflow.rebuild.database.folder import registry_of
    from valueflow.rebuild.database.recipe import key_of

    if text is None:
        return None
    registry = registry_of(folder)
    names = {key_of(registry.value(name.strip())) for name in text.split(",") if name.strip()}
    if not names:
        raise OptionError("values", "names no value; leave it out for all of them")
    return names


def _items(folder: Path, asked: tuple[Any, ...], decisions: Any) -> list[Any]:
    """Items of the queues; where both are asked for, one of them need not be there yet."""
    from valueflow.rebuild.database.review.queue import items_of

    queues, values, sample, seed = asked
    there = {"directions": "categorize", "ratings": "flag"}
    ready = [q for q in queues if (folder / there[q] / "queue.csv").is_file()]
    if not ready:
        first = there[queues[0]]
        raise InputFileError(
            folder,
            f"holds no queue yet; run `valueflow build {first} RECIPE.yaml -o {folder}`, or "
            "`valueflow build vidb`",
        )
    for queue in queues:
        if queue not in ready:
            _say(f"{queue}: not there yet; the stage '{there[queue]}' writes this queue")
    if sample and "ratings" not in ready:
        raise OptionError("sample", "rows can be drawn when the stage 'flag' is done")
    return [item for q in ready for item in items_of(folder, q, decisions, values, sample, seed)]


def _page(
    folder: Path,
    asked: tuple[Any, ...],
    reviewer: str | None,
    blind: bool,
    port: int,
    browser: bool,
) -> None:
    from valueflow.rebuild.database.folder import registry_of
    from valueflow.rebuild.database.review.decisions import open_decisions
    from valueflow.rebuild.database.review.directions import ranking_begun
    from valueflow.rebuild.database.review.server import serve
    from valueflow.rebuild.database.review.session import Session

    with open_decisions(folder) as decisions:
        items = _items(folder, asked, decisions)
        if not items:
            _say("Nothing waits for review.")
            return
        session = Session(items, decisions, blind, asked[3], reviewer, registry_of(folder))
        if decisions.repaired:
            _say("A decision that a kill had cut short was taken off the file.")
        if session.counts()["directions"] and ranking_begun(folder):
            _say(
                "Ranking has begun: directions decided now are kept, and not used in this build. "
                "--queue ratings leaves them out."
            )
        serve(session, port, browser, _say)
        made = decisions.made
    _say(f"{made:,} {'decision' if made == 1 else 'decisions'} made; they are in {folder}/review.")
    _next(folder, {item.key.queue for item in items})


def _next(folder: Path, queues: set[Any]) -> None:
    from valueflow.rebuild.database.review.directions import late_note, ranking_begun

    if "directions" in queues and not ranking_begun(folder):
        _say(f"Next: `valueflow build vidb RECIPE.yaml -o {folder}` takes the directions up.")
    if "ratings" in queues:
        _say(f"Next: `valueflow build package RECIPE.yaml -o {folder}` takes the ratings up.")
    for note in late_note(folder):
        _say(f"note: {note}")


def _export(
    folder: Path, path: Path, asked: tuple[Any, ...], reviewer: str | None, blind: bool
) -> None:
    from valueflow.rebuild.database.review.decisions import read_decisions
    from valueflow.rebuild.database.review.queue import find_items, in_order
    from valueflow.rebuild.database.review.table import export_table

    decisions = read_decisions(folder)
    items = _items(folder, asked, decisions)
    known = {item.key for item in items}
    queues, values, _, seed = asked
    who = decisions.known_name(reviewer) if reviewer is not None else None
    # What was decided outside this queue, in a sample for instance, is told too.
    others = [
        key
        for key, by in decisions.answers().items()
        if key not in known and key.queue in queues and (values is None or key.value in values)
        if who is None or who in by
    ]
    items += find_items(folder, others, decisions).values()
    if who is not None:
        items = in_order(items, who, seed)
    answers = export_table(path, items, decisions, who, blind)
    _say(f"{len(items):,} rows, {answers:,} answers; wrote {path}")


def _import(folder: Path, path: Path, reviewer: str | None, blind: bool) -> None:
    from valueflow.rebuild.database.review.decisions import open_decisions
    from valueflow.rebuild.database.review.table import import_table

    with open_decisions(folder) as decisions:
        found = import_table(path, folder, decisions, reviewer, blind)
        queues = {key.queue for key in decisions.answers()}
    told = [f"{found.new:,} decisions taken up ({found.changed:,} change an earlier answer)"]
    told += [f"{found.known:,} were there already", f"{found.empty:,} rows have no answer"]
    if found.others:
        told.append(f"{found.others:,} are other reviewers' and were passed over")
    _say("; ".join(told))
    _next(folder, queues)


def _agreement(
    folder: Path, queues: list[Any], values: set[str] | None, seed: int, output: Path | None
) -> None:
    from valueflow.rebuild.database.folder import registry_of
    from valueflow.rebuild.database.review.agreement import agreement_rows, write_agreement
    from valueflow.rebuild.database.review.decisions import read_decisions

    registry = registry_of(folder)
    rows = agreement_rows(read_decisions(folder), queues, values, seed, registry)
    if not rows:
        _say("Nobody has decided on anything yet.")
    for queue in dict.fromkeys(row["queue"] for row in rows):
        _show_agreement(queue, [row for row in rows if row["queue"] == queue])
    if output is not None:
        write_agreement(output, rows)
        _say(f"wrote {output}")


def _show_agreement(queue: str, rows: list[dict[str, Any]]) -> None:
    title = f"{queue}: Krippendorff's alpha ({rows[0]['metric']}), 95% interval over items"
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    table.add_column("value", overflow="fold")
    for name in ("items", "with two", "reviewers", "blind", "alpha", "interval"):
        table.add_column(name, justify="right")
    for row in rows:
        numbers = [row[name] for name in ("items", "compared", "reviewers", "blind")]
        alpha = "" if row["alpha"] is None else f"{row['alpha']:.3f}"
        between = "" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"
        table.add_row(row["value"], *(f"{number:,}" for number in numbers), alpha, between)
    show_tables([table])
    for note in dict.fromkeys(row["note"] for row in rows if row["note"]):
        named = [row["value"] for row in rows if row["note"] == note]
        say(f"{', '.join(named)}: {note}")


def _say(text: str) -> None:
    say(text, err=True)
