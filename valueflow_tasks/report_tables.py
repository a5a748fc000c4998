"""The tables of a report: one per subject, in files and on the page."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from valueflow.hub_assets.errors import UnknownNameError
from valueflow.hub_assets.registry import load_registry
from valueflow.report_design_rows import (
    composite_rows,
    pair_rows,
    square_figure_rows,
    square_rows,
)
from valueflow.report_judge_rows import fit_rows, judge_rows
from valueflow.report_rows import (
    Row,
    cell_rows,
    count_row,
    log_rows,
    ranking_rows,
    setting_rows,
    study_row,
    usage_rows,
    value_rows,
)
from valueflow.report_series import Series
from valueflow.report_shares import refusals_by_level
from valueflow.studies import Skipped, Studies, Study

__all__ = ["Table", "as_text", "demonstration_assets", "left_out_table", "tables_of"]


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


def tables_of(found: Studies, series: Sequence[Series]) -> list[Table]:
    """All tables that hold a row."""
    studies = found.studies
    tables = [
        _table("studies", "Studies", [study_row(s) for s in studies]),
        _table("logs", "Logs", log_rows(studies)),
        _table("ranking", "Ranking", ranking_rows(series)),
        _table("values", "Values", [r for s in studies for r in value_rows(s)]),
        _table("cells", "Cells", [r for s in studies for r in cell_rows(s)]),
        _table("pairs", "Pairs", [r for s in studies for r in pair_rows(s)]),
        _table("squares", "Squares", [r for s in studies for r in square_figure_rows(s)]),
        _table("square_cells", "Cells of squares", [r for s in studies for r in square_rows(s)]),
        _table("composites", "Composites", [r for s in studies for r in composite_rows(s)]),
        _table("refusals", "Refusals by level", [r for s in series for r in refusals_by_level(s)]),
        _table("judges", "Judges per value", [r for s in studies for r in judge_rows(s)]),
        _table("judge_fit", "Orders by distance", [r for s in studies for r in fit_rows(s)]),
        _table("counts", "Counts", [count_row(s) for s in studies]),
        _table("cost", "Tokens", [r for s in studies for r in usage_rows(s)]),
        _table("settings", "All settings", [r for s in studies for r in setting_rows(s)]),
    ]
    return [table for table in tables if table.rows]


def left_out_table(skipped: Iterable[Skipped]) -> Table:
    """Logs that were not used, with the reason."""
    rows: list[Row] = [{"log": one.path, "reason": one.reason} for one in skipped]
    return _table("left_out", "Logs left out", rows)


def _table(name: str, title: str, rows: list[Row]) -> Table:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return Table(name, title, columns, rows)


def demonstration_assets(studies: Iterable[Study]) -> dict[str, str]:
    """Embedded assets that some study used, with the registry's note on each."""
    registry = load_registry()
    found = {}
    for study in studies:
        for kind in ("anchors", "queries"):
            name = study.settings.get(kind, "")
            try:
                asset = registry.asset(name)
            except UnknownNameError:
                continue
            if asset.embedded and asset.note:
                found[name] = f"{asset.title}. {asset.note}"
    return found


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
