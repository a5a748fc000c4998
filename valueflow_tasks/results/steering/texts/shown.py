"""One cell, response by response: the answer, the anchors beside it, and the judge's words."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from valueflow.hub_assets.errors import UnknownNameError
from valueflow.hub_assets.files import write_text
from valueflow.results.steering.logs import question_text, response_text
from valueflow.scorers.records import ResponseRecord, WindowRecord, is_judged
from valueflow.scorers.saved.logs import ScoredLog
from valueflow.scorers.summary.overview import figure_text
from valueflow.scorers.summary.run import summarize

__all__ = ["ShownCell", "ShownResponse", "ShownWindow", "page_of", "shown_cell"]

RESPONSE = "<<response>>"
"""Stands for the response among the texts of a window."""


@dataclass(frozen=True)
class ShownWindow:
    """A window: what came of it, its texts in the judge's order, and the judge's raw answers."""

    head: str
    lines: list[str]
    raw: list[str]


@dataclass(frozen=True)
class ShownResponse:
    """A response of a cell.

    Attributes:
        head: its item, its intensity, and how far that lies from the cell's mean.
        surprise: that distance in standard deviations; infinite where it has no score.
    """

    head: str
    question: str
    text: str
    windows: list[ShownWindow]
    surprise: float


@dataclass(frozen=True)
class ShownCell:
    """A cell with its responses, the most surprising first."""

    cell: str
    mean: str
    responses: list[ShownResponse]


def shown_cell(path: Path, cell: str) -> ShownCell:
    """Reads one cell of a log.

    Raises:
        InputFileError: the log cannot be read.
        UnknownNameError: it has no such cell.
    """
    records: list[ResponseRecord] = []
    texts: dict[str, tuple[str, str]] = {}
    for sample, found in ScoredLog(path).samples():
        if found is not None:
            record = cast(ResponseRecord, found)
            records.append(record)
            texts[record["item"]] = (question_text(sample.input), response_text(sample))
    summary = summarize(records)
    known = {one.cell: one for one in summary.cells}
    if cell not in known:
        raise UnknownNameError("cell", cell, known)
    of = known[cell]
    evaluation = summary.evaluation
    estimates = {e.item: e for e in evaluation.items if e.cell == cell} if evaluation else {}
    shown = []
    for record in records:
        for value in record["values"].values():
            if value["cell"] != cell:
                continue
            estimate = estimates.get(record["item"])
            if estimate is None:
                why = "refused" if record["refusal"] else record["unscored"] or "not ranked"
                head, surprise = f"{record['item']}: no score ({why})", math.inf
            else:
                own, error = estimate.flat_prior, estimate.flat_prior_se
                away = (own - of.mean.value) / math.hypot(of.spread, error)
                surprise = abs(away)
                head = (
                    f"{record['item']}: {estimate.intensity:+.1f} ± {estimate.se:.1f} (from its "
                    f"own windows {own:+.1f} ± {error:.1f}, {surprise:.1f} standard deviations "
                    f"{'above' if away > 0 else 'below'} the mean)"
                )
            windows = [_window(number, w) for number, w in enumerate(value["windows"], start=1)]
            shown.append(ShownResponse(head, *texts[record["item"]], windows, surprise))
    shown.sort(key=lambda one: (-one.surprise, one.head))
    return ShownCell(cell, figure_text(of.mean), shown)


def _window(number: int, window: WindowRecord) -> ShownWindow:
    """A window whose texts stand in the judge's order, or as they were shown where it gave none."""
    names = [RESPONSE, *window["texts"]]
    at = ["", *(f"{x:+.1f}" for x in window["anchors"])]
    ratings = window.get("ratings")
    order = window["order"]
    if order is None and ratings is not None:
        order = sorted(window["shown"], key=lambda i: -(ratings[i] or 0))
    told = []
    for place, index in enumerate(order or window["shown"], start=1):
        rating = f" rated {ratings[index]}" if ratings and ratings[index] is not None else ""
        told.append(f"{place}. {at[index]:>5}{rating} {names[index]}")
    head = f"window {number}, response shown in place {window['position'] + 1}"
    if not is_judged(window):
        head += f": no ranking ({window['error'] or window['failure'] or 'not judged'})"
    elif window["calls"] > 1:
        head += f": {window['calls']} questions"
    return ShownWindow(head, told, list(window["raw"]))


def page_of(found: ShownCell, path: Path) -> None:
    """Writes a cell as one page that opens offline; every text is shown as it is.

    Raises:
        InputFileError: the file cannot be written.
        ValueflowError: jinja2 is not installed.
    """
    from valueflow.hub_assets.lazy import need

    need("valueflow show -o", "report", "jinja2")
    from valueflow.results.page import Evidence, PageText, Quote, Section, Verbatim, page

    evidence = []
    for one in found.responses:
        quotes = [Quote("response", Verbatim(one.question), Verbatim(one.text))]
        for window in one.windows:
            lines = "\n".join(window.lines)
            quotes.append(Quote(window.head, Verbatim(""), Verbatim(lines)))
            quotes += [Quote("the judge answered", Verbatim(""), Verbatim(r)) for r in window.raw]
        evidence.append(Evidence(one.head, quotes))
    text = PageText(
        title=f"{found.cell}: mean {found.mean}",
        logs=1,
        cautions=[],
        methods=[],
        notes={},
        tags={},
        findings=["Responses by surprise: how far their own windows put them from the mean."],
    )
    section = Section("responses", "Responses", evidence=evidence)
    write_text(path, page(text, [section], {}))
