"""Draws tables on the terminal, however narrow it is and whatever stands in them; or JSON, or CSV.

Cells are shown as they are: no text is taken for markup, and control characters are shown as their
escapes. No name and no number is cut or broken over lines: cells are wrapped between words, and
where the columns do not fit beside each other even so, each row is told line by line.
"""

import json
import re
from collections.abc import Callable
from csv import writer
from io import StringIO
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from valueflow.hub_assets.errors import OptionError, printable, singular
from valueflow.hub_assets.files import sendable, spreadsheet_cell

__all__ = [
    "as_latex",
    "as_markdown",
    "as_rows",
    "examples",
    "form_options",
    "paper_options",
    "say",
    "show",
    "show_tables",
]

_NUMBER = re.compile(r"[+\-−]?\d[\d,]*(?:\.\d+)?(?:e[+\-]?\d+)?")
_WIDE = 100_000
"""A width, in characters, that no table needs."""


def examples(*lines: str) -> str:
    """The end of a command's help: examples, each line as it is typed."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def form_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a click command the options `--json` and `--csv`, as its parameter `form`."""
    for form in ("csv", "json"):
        command = click.option(
            f"--{form}", "form", flag_value=form, help=f"Print {form.upper()} and nothing else."
        )(command)
    return command


def paper_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a click command `--markdown` and `--latex` beside those of `form_options`."""
    for form, told in (("latex", "LaTeX (booktabs)"), ("markdown", "Markdown")):
        command = click.option(
            f"--{form}", "form", flag_value=form, help=f"Print {told} and nothing else."
        )(command)
    return form_options(command)


def say(text: str, *, err: bool = False) -> None:
    """Prints a sentence that may quote names and texts from anywhere, in the right number."""
    click.echo(singular(printable(text, lines=True)), err=err)


def show_tables(tables: list[Table], form: str | None = None) -> None:
    """Prints tables on standard output.

    Args:
        tables: of texts; columns of numbers are those that are justified to the right.
        form: `json` (a list of rows, or a list by each table's title), `csv` (of one table),
            `markdown` or `latex`, or None for tables to
            read.

    Raises:
        OptionError: CSV of several tables.
    """
    if form == "json":
        told = {str(table.title or ""): as_rows(table) for table in tables}
        body: Any = next(iter(told.values())) if len(tables) == 1 else told
        click.echo(sendable(json.dumps(body, indent=2, ensure_ascii=False)))
    elif form == "csv":
        if len(tables) != 1:
            titles = ", ".join(str(table.title).lower() for table in tables)
            raise OptionError("--csv", f"writes one table; name one of them ({titles})")
        click.echo(_as_csv(tables[0]), nl=False)
    elif form in ("markdown", "latex"):
        draw = as_markdown if form == "markdown" else as_latex
        click.echo(sendable("\n\n".join(map(draw, tables))))
    else:
        console = Console(highlight=False)
        for table in tables:
            show(table, console)


def _grid(table: Table) -> list[list[str]]:
    """Headings and rows as one-line texts."""
    cells = [[_plain(cell) for cell in column.cells] for column in table.columns]
    rows = [[_plain(column.header) for column in table.columns]]
    rows += [list(row) for row in zip(*cells, strict=True)]
    return [[printable(" ".join(cell.split())) for cell in row] for row in rows]


_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#|~])")


def as_markdown(table: Table) -> str:
    """A table in Markdown, in which no text of it is markup."""
    head, *rows = [[_MARKDOWN.sub(r"\\\1", cell) for cell in row] for row in _grid(table)]
    rule = ["---:" if column.justify == "right" else "---" for column in table.columns]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "▲": r"$^\blacktriangle$",
    "▼": r"$^\blacktriangledown$",
    **{mark: f"\\{mark}" for mark in "&%$#_"},
}


def as_latex(table: Table) -> str:
    """A table in LaTeX (packages booktabs, and amssymb for marks), in which no text is markup."""

    def told(cell: str) -> str:
        text = "".join(_LATEX.get(mark, mark) for mark in cell)
        return re.sub(r"(?<![\w.])-(?=\d)", "$-$", text)

    head, *rows = [[told(cell) for cell in row] for row in _grid(table)]
    columns = "".join("r" if column.justify == "right" else "l" for column in table.columns)
    lines = [f"\\begin{{tabular}}{{{columns}}}", r"\toprule", f"{' & '.join(head)} \\\\"]
    lines += [r"\midrule", *(f"{' & '.join(row)} \\\\" for row in rows)]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def as_rows(table: Table) -> list[dict[str, Any]]:
    """The rows of a table by the names of its columns: numbers as numbers, empty cells as None.

    A column without a name marks rows; it becomes `marked`, true or false.
    """
    columns = [
        [_plain(cell) if column.header else bool(_plain(cell)) for cell in column.cells]
        for column in table.columns
    ]
    named = []
    for column, cells in zip(table.columns, columns, strict=True):
        right = column.justify == "right"
        named.append([_number(cell) if right else cell for cell in cells])
    names = [_plain(column.header) or "marked" for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*named, strict=True)]


def _as_csv(table: Table) -> str:
    stream = StringIO()
    rows = writer(stream, lineterminator="\n")
    found = as_rows(table)
    rows.writerow([_plain(column.header) or "marked" for column in table.columns])
    for row in found:
        rows.writerow(
            [spreadsheet_cell(sendable(c)) if isinstance(c, str) else c for c in row.values()]
        )
    return stream.getvalue()


def _number(cell: object) -> object:
    text = str(cell)
    if not _NUMBER.fullmatch(text):
        return text or None
    plain = text.replace(",", "").replace("−", "-")
    return float(plain) if re.search("[.e]", plain) else int(plain)


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def show(table: Table, console: Console) -> None:
    """Draws one table.

    Args:
        table: of texts, shown as they are.
        console: where to.
    """
    table = _literal(table)
    wide = Console(width=_WIDE)
    least, most = Measurement.get(wide, wide.options, table)
    if least > console.width:
        _show_rows(table, console)
        return
    if most > console.width:
        _fit(table.columns, most - console.width)
    console.print(table)


def _literal(table: Table) -> Table:
    """A table whose texts rich neither reads as markup nor cuts."""

    def told(text: object) -> Text | None:
        return None if text is None else Text(printable(_plain(text), lines=True))

    made = Table(
        title=told(table.title),
        caption=told(table.caption),
        box=table.box,
        padding=table.padding,
        title_justify=table.title_justify,
        caption_justify=table.caption_justify,
    )
    for column in table.columns:
        made.add_column(told(column.header) or "", justify=column.justify, overflow="fold")
    cells = [list(column.cells) for column in table.columns]
    for number, row in enumerate(table.rows):
        made.add_row(*(told(column[number]) for column in cells), style=row.style)
    return made


def _fit(columns: list[Column], excess: int) -> None:
    """Narrows the widest columns by so many characters in all, none below its longest word."""
    widths, least = [], []
    for column in columns:
        cells = [column.header, *column.cells]
        lines = [line for cell in cells for line in _plain(cell).splitlines()]
        widths.append(max(map(cell_len, lines), default=0))
        least.append(max((cell_len(word) for line in lines for word in line.split()), default=0))
    for _ in range(excess):
        room = [width if width > low else -1 for width, low in zip(widths, least, strict=True)]
        widths[room.index(max(room))] -= 1
    for column, width in zip(columns, widths, strict=True):
        column.width = width


def _show_rows(table: Table, console: Console) -> None:
    """Each row as lines of name and cell, for a terminal that is too narrow for the columns."""
    if table.title is not None:
        console.print(table.title, soft_wrap=True)
    for row in range(table.row_count):
        console.print()
        for column in table.columns:
            cell = _plain(list(column.cells)[row])
            header = _plain(column.header)
            if cell:
                console.print(Text(f"{header}: {cell}" if header else cell), soft_wrap=True)
    if table.caption is not None:
        console.print()
        console.print(table.caption, soft_wrap=True)
