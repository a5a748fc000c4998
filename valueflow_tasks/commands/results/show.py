"""The command `valueflow show`."""

from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from valueflow.commands.screen import examples, say
from valueflow.hub_assets.errors import OptionError, printable

__all__ = ["show_command"]


@click.command(
    "show",
    epilog=examples(
        "valueflow show logs/RUN.eval --cell power/+2",
        "valueflow show logs/RUN.eval --cell power/+2 --most 3 --raw",
        "valueflow show logs/RUN.eval --cell power/+2 -o power.html",
    ),
)
@click.argument("log", type=click.Path(path_type=Path))
@click.option("--cell", required=True, help="A cell's name, such as power/+2 or power/0.")
@click.option(
    "--most",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Most responses that are shown.",
)
@click.option("--raw", is_flag=True, help="The judge's answers word for word, too.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page of all responses, with the judge's answers, in place of text.",
)
def show_command(log: Path, cell: str, most: int, raw: bool, output: Path | None) -> None:
    """Show the responses of a cell of LOG, the most surprising first, with their windows.

    A response surprises by how far its own windows put it from the mean of its cell, in standard
    deviations. Each window shows the texts in the judge's order, most supporting first, with the
    anchors' intensities, and the response as <<response>>.
    """
    from valueflow.results.steering.texts.shown import page_of, shown_cell

    with Console(stderr=True).status("Reading and estimating ..."):
        found = shown_cell(log, cell)
    if output is not None:
        if output.suffix != ".html":
            raise OptionError("output", f"{output} is to be a page; give it the suffix .html")
        page_of(found, output)
        say(f"{len(found.responses)} responses in {output}")
        return
    console = Console(highlight=False, soft_wrap=True)
    say(f"{found.cell}: mean {found.mean}, {len(found.responses)} responses")
    for one in found.responses[:most]:
        console.print()
        console.rule(Text(printable(one.head)), align="left")
        for name, text in (("asked", one.question), ("answered", one.text)):
            console.print(Text(f"{name}: {printable(text, lines=True)}"))
        for window in one.windows:
            console.print(Text(printable(window.head), style="bold"))
            for line in window.lines:
                console.print(Text(f"  {printable(line)}"))
            for answer in window.raw if raw else ():
                console.print(Text(f"  judge: {printable(answer, lines=True)}"))
    if len(found.responses) > most:
        say(f"\n{len(found.responses) - most} more; --most N shows them")
