"""The tables of a report: one per subject, in files and on the page."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
from valueflow.studies import Studies, Study

__all__ = ["Table", "as_text", "demonstration_assets", "tables_of"]


@dataclass(frozen=True)
class Table:
    """Rows under column names; `name` is the file's name without suffix."""

    name: str
    title: str
    columns: list[str]
    rows: list[Row]


def tables_of(found: Studies, series: Sequence[Series]) -> list[Table]:
    """All tables that hold a row."""
    studies = found.studies
    skipped = [{"log": one.path, "reason": one.reason} for one in found.skipped]
    tables = [
        _table("studies", "Studies", [study_row(s) for s in studies]),
        _table("logs", "Logs", log_rows(found)),
        _table("left_out", "Logs left out", skipped),
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


def as_text(cell: object) -> str:
    """A cell as the page shows it."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, float):
        small = 0 < abs(cell) < 0.01
        return (f"{cell:.1g}" if small else f"{cell:,.2f}").replace("-", "−")
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}".replace("-", "−")
    return str(cell)
