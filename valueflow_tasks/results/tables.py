"""The tables of a report: one per subject, in files and on the page."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from valueflow.results.studies import LoggedStudy, Skipped

__all__ = [
    "Row",
    "Table",
    "as_text",
    "left_out_table",
    "log_rows",
    "setting_rows",
    "table_of",
    "usage_rows",
]


Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows under column names.

    Attributes:
        name: the file's name without suffix.
        title: its heading.
        columns, rows: what it holds.
        forms: columns that the page shows in percent (`percent`, of shares), in percentage points
            (`points`, of differences of shares) or with three decimals (`fine`).
        hidden: columns that the page leaves to the file.
        file_only: whether the page names the file alone.
    """

    name: str
    title: str
    columns: list[str]
    rows: list[Row]
    forms: Mapping[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    file_only: bool = False


def left_out_table(skipped: Iterable[Skipped]) -> Table:
    """Logs that were not used, with the reason."""
    rows: list[Row] = [{"log": one.path, "reason": one.reason} for one in skipped]
    return table_of("left_out", "Logs left out", rows)


def table_of(name: str, title: str, rows: list[Row]) -> Table:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return Table(name, title, columns, rows)


def as_text(cell: object, form: str = "") -> str:
    """A cell as the page shows it, in one of the forms of `Table`."""
    if form and isinstance(cell, float) and not math.isnan(cell):
        text = f"{cell:.3f}" if form == "fine" else f"{100 * cell:.1f}"
        return text.replace("-", "−")
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, float):
        small = 0 < abs(cell) < 0.01
        return (f"{cell:.1g}" if small else f"{cell:,.2f}").replace("-", "−")
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}".replace("-", "−")
    return str(cell)


def usage_rows(study: LoggedStudy[Any]) -> list[Row]:
    """Tokens by model, and by role where roles were named."""
    return [
        {"study": study.label, "counted_by": what, "name": name, **used}
        for (what, name), used in study.usage.items()
    ]


def setting_rows(study: LoggedStudy[Any]) -> list[Row]:
    """Everything that a study's logs share, in long form."""
    return [
        {"study": study.label, "setting": name, "value": setting}
        for name, setting in study.settings.items()
    ]


def log_rows(studies: Sequence[LoggedStudy[Any]]) -> list[Row]:
    """The header of every log that was used."""
    from inspect_ai.log import read_eval_log

    rows = []
    of = {log.path: study for study in studies for log in study.logs}
    for path, study in of.items():
        log = read_eval_log(path, header_only=True)
        rows.append(
            {
                "study": study.tag or study.label,
                "log": path,
                "task": log.eval.task,
                "model": log.eval.model,
                "created": log.eval.created,
                "status": log.status,
                "samples_planned": log.results.total_samples if log.results else None,
                "samples_completed": log.results.completed_samples if log.results else None,
                "run_id": log.eval.run_id,
                "task_id": log.eval.task_id,
            }
        )
    return rows
