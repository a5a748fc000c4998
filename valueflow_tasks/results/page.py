"""The page of a report: sections of text, figures and tables, in one file that opens offline."""

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from valueflow.hub_assets.errors import printable, singular
from valueflow.results.logs import without_folders
from valueflow.results.style import Drawing
from valueflow.results.tables import Table, as_text

__all__ = [
    "Evidence",
    "PageText",
    "Quote",
    "Section",
    "Verbatim",
    "left_out_text",
    "page",
]

FILES_ONLY = ("run_id", "task_id", "pair", "children")
"""Columns that the page leaves to the files."""

LONG = 24
"""Tables of more rows are folded away."""


class Verbatim(str):
    """A text that is shown as it is, word for word; control characters are shown as escapes."""


@dataclass(frozen=True)
class Quote:
    """A response word for word.

    Attributes:
        head: what it is, and its intensity.
        question, text: what was asked and answered.
        above, below: (intensity, text) of the anchors that enclose it, where there are some.
    """

    head: str
    question: Verbatim
    text: Verbatim
    above: tuple[str, Verbatim] | None = None
    below: tuple[str, Verbatim] | None = None


@dataclass(frozen=True)
class Evidence:
    """Responses of one kind, folded under a title."""

    title: str
    quotes: list[Quote]


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    id: str
    title: str
    text: list[str] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.drawings or self.tables or self.evidence)


@dataclass(frozen=True)
class PageText:
    """What the page says around its sections.

    Attributes:
        title: its heading.
        findings: what was found, a sentence a study; first of all.
        logs: number of logs that were used.
        cautions: what a reader must know before using the numbers.
        methods: paragraphs for a paper.
        notes: the notes of each study, by its label.
        tags: letters of the studies, by label, where they have one.
    """

    title: str
    logs: int
    cautions: list[str]
    methods: list[str]
    notes: dict[str, list[str]]
    tags: dict[str, str]
    findings: list[str] = field(default_factory=list)


def page(
    text: PageText,
    sections: Sequence[Section],
    images: Mapping[str, str],
    paths: Collection[str] = (),
) -> str:
    """The whole page as HTML; every text from a log is escaped, and files go by their names alone.

    Args:
        text: what stands around the sections.
        sections: its parts, in order; empty ones are left out.
        images: name of a drawing to its SVG.
        paths: absolute paths that texts may hold, see `without_folders`.
    """
    template = files("valueflow.results").joinpath("page.html.jinja").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    parts = {
        "title": text.title,
        "findings": text.findings,
        "studies": [{"label": name, "all_notes": notes} for name, notes in text.notes.items()],
        "logs": text.logs,
        "cautions": text.cautions,
        "methods": text.methods,
        "sections": [_section(one, images, text.tags) for one in sections if not one.is_empty],
    }
    return environment.from_string(template).render(
        version=version("valueflow"), **{name: _told(part, paths) for name, part in parts.items()}
    )


def _told(part: Any, paths: Collection[str]) -> Any:
    """All texts of a part of the page as they may be shown."""
    if isinstance(part, Verbatim):
        return printable(part, lines=True)
    if isinstance(part, str):
        if part.startswith("data:image/"):
            return part
        return singular(without_folders(printable(part, lines=True), paths))
    if isinstance(part, list):
        return [_told(one, paths) for one in part]
    if isinstance(part, dict):
        return {_told(name, paths): _told(one, paths) for name, one in part.items()}
    return part


def left_out_text(skipped: int) -> list[str]:
    """That logs were left out, where some were."""
    if not skipped:
        return []
    return [f"{skipped} {'log was' if skipped == 1 else 'logs were'} left out; see Logs left out."]


def _section(
    section: Section, images: Mapping[str, str], short: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "id": section.id,
        "title": section.title,
        "text": section.text,
        "drawings": [
            {
                "name": drawing.name,
                "title": drawing.title,
                "caption": drawing.caption,
                "alt": drawing.alt,
                "source": "data:image/svg+xml;base64,"
                + base64.b64encode(images[drawing.name].encode()).decode(),
            }
            for drawing in section.drawings
        ],
        "tables": [_table(table, short) for table in section.tables],
        "evidence": [
            {
                "title": one.title,
                "quotes": [
                    {
                        "head": quote.head,
                        "question": quote.question,
                        "text": quote.text,
                        "around": [
                            {"name": name, "at": anchor[0], "text": anchor[1]}
                            for name, anchor in (("above", quote.above), ("below", quote.below))
                            if anchor is not None
                        ],
                    }
                    for quote in one.quotes
                ],
            }
            for one in section.evidence
        ],
    }


def _table(table: Table, short: Mapping[str, str]) -> dict[str, Any]:
    """A table as the page shows it: a number and its standard error share a column, studies are
    named by their letters (but where they are ranked) and logs by their files' names."""
    pairs = {name: f"{name}_se" for name in table.columns if f"{name}_se" in table.columns}
    left = {*FILES_ONLY, *table.hidden, *pairs.values()}
    columns = [c for c in table.columns if c not in left]
    # A column without any entry says nothing on the page; it stays in the file.
    columns = [c for c in columns if any(as_text(row.get(c)) for row in table.rows)]
    shown = []
    for row in [] if table.file_only else table.rows:
        cells = {}
        for name in columns:
            form = table.forms.get(name, "")
            text = as_text(row.get(name), form)
            if name == "study" and not table.name.endswith(("studies", "ranking")):
                text = _short(text, short)
            elif name == "log":
                text = Path(text).name
            error = as_text(row.get(pairs[name]), form) if name in pairs else ""
            cells[_heading(name, form)] = f"{text} ± {error}" if text and error else text
        shown.append(cells)
    headings = {name: _heading(name, table.forms.get(name, "")) for name in columns}
    words = [
        headings[name] for name in columns if any(isinstance(r.get(name), str) for r in table.rows)
    ]
    return {
        "name": table.name,
        "title": table.title,
        "columns": list(headings.values()),
        "words": words,
        "rows": shown,
        "long": len(shown) > LONG,
        "file_only": table.file_only,
        "size": len(table.rows),
    }


def _short(label: str, short: Mapping[str, str]) -> str:
    """A study's label as its letter; a group's name, which stands after it, is kept."""
    for whole, tag in short.items():
        if label == whole or label.startswith(f"{whole}, "):
            return tag + label.removeprefix(whole)
    return label


def _heading(name: str, form: str = "") -> str:
    unit = {"percent": " (%)", "points": " (points)"}.get(form, "")
    return name.replace("_", " ") + unit
