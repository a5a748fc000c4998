"""Tables that people filled in with a spreadsheet, read whichever way it saved them.

Review in a spreadsheet: queues with decisions written as CSV, and filled tables read back.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from valueflow.hub_assets.errors import (
    InputFileError,
    OptionError,
    UnknownNameError,
    ValueflowError,
)
from valueflow.hub_assets.files import (
    MOST_TABLE_BYTES,
    plain_cell,
    read_text,
    spreadsheet_cell,
    write_text,
)
from valueflow.hub_assets.inputs.rows import delimiter_of
from valueflow.hub_assets.registry.loading import Registry
from valueflow.hub_assets.vidb.schema import split_hash_of
from valueflow.rebuild.database.folder import registry_of
from valueflow.rebuild.database.recipe import key_of
from valueflow.rebuild.database.review.decisions import (
    LONGEST_COMMENT,
    Decision,
    Decisions,
    ItemKey,
    QueueName,
    checked_answer,
    reviewer_name,
)
from valueflow.rebuild.database.review.queue import EVIDENCE, Item, find_items

__all__ = [
    "Brought",
    "export_table",
    "filled_rows",
    "import_table",
]


def filled_rows(path: Path, answer: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV with their numbers, the header not counted; empty cells are empty strings.

    Commas, semicolons (as spreadsheets write them where the decimal sign is a comma) or tabs stand
    between the cells.

    Args:
        path: the file.
        answer: the column that people filled in; `value` and `id` or `text` are needed too.

    Raises:
        InputFileError: it cannot be read, is not UTF-8, lacks a column, or a row has too many
            cells.
    """
    text = read_text(path, MOST_TABLE_BYTES)
    delimiter = delimiter_of(text.partition("\n")[0])
    reader = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter)
    names = set(reader.fieldnames or ())
    if {"value", answer} - names or not {"text", "id"} & names:
        raise InputFileError(path, f"needs the columns text (or id), value and {answer}")
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if None in cells:
                raise InputFileError(path, "has more cells than the header", row=number)
            yield number, {name: cell or "" for name, cell in cells.items()}
    except csv.Error as error:
        raise InputFileError(path, f"is not valid CSV ({error})", row=number + 1) from None


COLUMNS = (
    "queue",
    "id",
    "theory",
    "value",
    "text",
    "answer",
    "comment",
    "reviewer",
    "blind",
    "time",
)
SHOWN_FAULTS = 50


def export_table(
    path: Path, items: Sequence[Item], decisions: Decisions, reviewer: str | None, blind: bool
) -> int:
    """Writes items with decisions: one row per item and reviewer, an empty one where there is none.

    Args:
        path: to write; a byte-order mark makes spreadsheets read it as UTF-8.
        items: in the order of the rows.
        decisions: to fill in.
        reviewer: whose answers; all reviewers' where None.
        blind: leaves the columns of `EVIDENCE` out.

    Returns:
        How many answers stand in the table.

    Raises:
        InputFileError: it cannot be written.
    """
    columns = COLUMNS if blind else (*COLUMNS, *EVIDENCE)
    given = decisions.answers()
    answers = 0
    stream = StringIO()
    writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    for item in items:
        by = given.get(item.key, {})
        mine = [by[name] for name in sorted(by) if reviewer is None or name == reviewer]
        answers += len(mine)
        row = {**item.key._asdict(), "theory": item.theory, "text": item.text, **item.evidence}
        row |= {"reviewer": reviewer or "", "blind": "yes" if blind else "no"}
        filled: list[Decision | None] = [*mine] or [None]
        for found in filled:
            if found is not None:
                row |= {"answer": found.answer, "comment": found.comment, "time": found.time}
                row |= {"reviewer": found.reviewer, "blind": "yes" if found.blind else "no"}
            writer.writerow(
                {n: spreadsheet_cell(c) if isinstance(c, str) else c for n, c in row.items()}
            )
    write_text(path, "\ufeff" + stream.getvalue())
    return answers


@dataclass(frozen=True)
class Brought:
    """What a table held.

    Attributes:
        new: decisions that were not there before.
        changed: those of them that replace an earlier answer of the same reviewer.
        known: rows whose answer was there already.
        empty: rows without an answer.
        others: answered rows of other reviewers than the one asked for.
    """

    new: int = 0
    changed: int = 0
    known: int = 0
    empty: int = 0
    others: int = 0


@dataclass
class _Reading:
    decisions: list[Decision] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    empty: int = 0
    others: int = 0
    faults: list[tuple[int, str, str]] = field(default_factory=list)


def import_table(
    path: Path, folder: Path, decisions: Decisions, reviewer: str | None, blind: bool
) -> Brought:
    """Takes up the decisions of a filled table: one that `export_table` wrote, or a queue file of
    the build with its column `rating` or `direction` filled in.

    Args:
        path: the table; commas, semicolons or tabs between its cells.
        folder: of the build.
        decisions: takes them, all or none.
        reviewer: whose rows are read, rows without a name among them; all rows, each with its own
            name, where None.
        blind: whether they were made blind, where the table has no column that says it.

    Raises:
        InputFileError: the file cannot be read or a row is faulty; all faults are named.
    """
    registry = registry_of(folder)
    found = _Reading()
    for number, cells in _rows(path):
        try:
            _read_row(found, number, cells, decisions, reviewer, blind, registry)
        except _FaultyCell as fault:
            found.faults.append((number, fault.column, str(fault)))
    items = find_items(folder, {decision.key for decision in found.decisions}, decisions)
    seen: dict[tuple[ItemKey, str], int] = {}
    for number, decision in zip(found.rows, found.decisions, strict=True):
        if decision.key not in items:
            told = f"no row of this build for {decision.key.value} has the text {decision.key.id}"
            found.faults.append((number, "id", told))
        first = seen.setdefault((decision.key, decision.reviewer.casefold()), number)
        if first != number:
            told = f"{decision.reviewer} has answered this text and value in row {first} already"
            found.faults.append((number, "id", told))
    if found.faults:
        raise _all_faults(path, sorted(found.faults))
    new = changed = known = 0
    for decision in found.decisions:
        before = decisions.latest(decision.reviewer).get(decision.key)
        if before is not None and _same(before, decision):
            known += 1
            continue
        decisions.add(decision)
        new += 1
        changed += before is not None and before.answer is not None
    return Brought(new, changed, known, found.empty, found.others)


class _FaultyCell(ValueError):
    def __init__(self, column: str, message: str) -> None:
        self.column = column
        super().__init__(message)


def _read_row(
    found: _Reading,
    number: int,
    cells: Mapping[str, str],
    decisions: Decisions,
    reviewer: str | None,
    blind: bool,
    registry: Registry,
) -> None:
    """Adds one row's decision; counts it where it holds none."""
    queue, column = _queue_of(cells)
    raw = _plain(cells.get(column))
    if not raw:
        found.empty += 1
        return
    named = _plain(cells.get("reviewer"))
    try:
        who = decisions.known_name(reviewer_name(named or reviewer or ""))
    except OptionError as error:
        told = "say who decided: fill it in, or give --reviewer" if not named else str(error)
        raise _FaultyCell("reviewer", told) from None
    who = found.names.setdefault(who.casefold(), who)
    if reviewer is not None and who.casefold() != reviewer.casefold():
        found.others += 1
        return
    try:
        value = registry.value(_plain(cells.get("value")), cells.get("theory") or None)
    except UnknownNameError as error:
        raise _FaultyCell("value", str(error)) from None
    name = _plain(cells.get("id")) or split_hash_of(_plain(cells.get("text")))
    try:
        answer = checked_answer(queue, raw)
    except ValueError as error:
        raise _FaultyCell(column, str(error)) from None
    comment = _plain(cells.get("comment"))
    if len(comment) > LONGEST_COMMENT:
        raise _FaultyCell("comment", f"keep it under {LONGEST_COMMENT:,} characters")
    told_blind = _plain(cells.get("blind")).lower()
    if told_blind not in ("", "yes", "no", "true", "false"):
        raise _FaultyCell("blind", f"{told_blind!r} is neither yes nor no")
    was_blind = told_blind in ("yes", "true") if told_blind else blind
    key = ItemKey(queue, name, key_of(value))
    found.rows.append(number)
    found.decisions.append(Decision(key, value.theory, who, answer, comment, was_blind, "csv"))


def _queue_of(cells: Mapping[str, str]) -> tuple[QueueName, str]:
    """The queue of a row, and the column with its answer."""
    if "answer" not in cells:
        # A queue file of the build itself; that of `flag` has the panel's direction too.
        return ("ratings", "rating") if "rating" in cells else ("directions", "direction")
    named = _plain(cells.get("queue")).lower()
    if named == "directions":
        return "directions", "answer"
    if named == "ratings":
        return "ratings", "answer"
    raise _FaultyCell("queue", f"{named!r} is neither 'directions' nor 'ratings'")


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with their numbers, the header not counted."""
    text = read_text(path, MOST_TABLE_BYTES)
    header = text.partition("\n")[0]
    delimiter = delimiter_of(header)
    reader = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        names = set(reader.fieldnames or ())
        if "value" not in names or not names & {"id", "text"}:
            raise InputFileError(path, "needs the columns id (or text) and value")
        if not names & {"answer", "rating", "direction"} or ("answer" in names) > (
            "queue" in names
        ):
            raise InputFileError(
                path, "needs the columns queue and answer; or rating; or direction"
            )
        for number, cells in enumerate(reader, start=1):
            if None in cells:
                raise InputFileError(path, "has more cells than the header", row=number)
            yield number, {name: cell or "" for name, cell in cells.items()}
    except csv.Error as error:
        raise InputFileError(path, f"is not valid CSV ({error})", row=number + 1) from None


def _all_faults(path: Path, faults: Iterable[tuple[int, str, str]]) -> ValueflowError:
    told = [f"row {number}, column '{column}': {text}" for number, column, text in faults]
    more = len(told) - SHOWN_FAULTS
    shown = told[:SHOWN_FAULTS] + ([f"... and {more:,} more"] if more > 0 else [])
    return InputFileError(path, "nothing was taken up.\n  " + "\n  ".join(shown))


def _same(before: Decision, now: Decision) -> bool:
    return (before.answer, before.comment) == (now.answer, now.comment)


def _plain(cell: str | None) -> str:
    """A cell without spaces around it, and without the apostrophe of `spreadsheet_cell`."""
    return plain_cell((cell or "").strip()).strip()
