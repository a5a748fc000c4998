"""Rows about several values at once: pairs, five-value squares, values by their children."""

from valueflow.report_rows import Row, put
from valueflow.studies import Study

__all__ = ["composite_rows", "pair_rows", "square_figure_rows", "square_rows"]


PLACES = ("first", "second", "third", "fourth")
"""A pair has more than two values where a child has two parents."""


def pair_rows(study: Study) -> list[Row]:
    """One row per pair and levels."""
    rows = []
    for pair in study.summary.pairs:
        for point in pair.points:
            row: Row = {
                "study": study.label,
                "theory": pair.theory,
                "pair": pair.name,
                "condition": point.condition,
            }
            for place, value in enumerate(pair.values):
                name = PLACES[place]
                row[f"{name}_value"] = value
                put(row, f"{name}_default", pair.default[place])
                put(row, f"{name}_mean", point.mean[place])
                put(row, f"{name}_shift", point.shift[place])
            for name, figure in point.figures.items():
                kind, _, value = name.partition("_")
                put(row, f"{kind}_{PLACES[pair.values.index(value)]}" if value else kind, figure)
            rows.append(row)
    return rows


def square_rows(study: Study) -> list[Row]:
    """One row per square, row of the square, and value."""
    rows = []
    for square in study.summary.squares:
        for number, line in enumerate(square.rows, start=1):
            for place, value in enumerate(square.values):
                row: Row = {
                    "study": study.label,
                    "theory": square.theory,
                    "square": square.name,
                    "row": number,
                    "value": value,
                    "level": line.levels[place],
                }
                put(row, "mean", line.mean[place])
                put(row, "shift", line.shift[place] if line.shift else None)
                rows.append(row)
    return rows


def square_figure_rows(study: Study) -> list[Row]:
    """One row per square: its figures."""
    rows = []
    for square in study.summary.squares:
        row: Row = {"study": study.label, "theory": square.theory, "square": square.name}
        for name, figure in square.figures.items():
            put(row, name, figure)
        rows.append(row)
    return rows


def composite_rows(study: Study) -> list[Row]:
    """One row per value and level."""
    rows = []
    for composite in study.summary.composites:
        for point in composite.points:
            row: Row = {
                "study": study.label,
                "theory": composite.theory,
                "value": composite.value,
                "children": ", ".join(composite.children),
                "level": point.level,
            }
            put(row, "shift_by_children", point.shift)
            put(row, "shift_direct", point.direct)
            for name, figure in composite.figures.items():
                put(row, name, figure)
            rows.append(row)
    return rows
