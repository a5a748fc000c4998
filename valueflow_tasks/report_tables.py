"""The numbers behind a report's figures, as rows: one table per subject, written as CSV."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from valueflow.hub_assets.errors import UnknownNameError
from valueflow.hub_assets.registry import load_registry
from valueflow.report_series import (
    Z95,
    Series,
    bounds,
    interval,
    ranking,
    theories_of,
    value_rank,
)
from valueflow.scorers.summary import Figure
from valueflow.studies import Studies, Study

__all__ = [
    "Table",
    "fit_by_distance",
    "judge_rows",
    "refusals_by_level",
    "shifts_by_level",
    "tables_of",
]

FIGURES = ("up", "down", "range", "asymmetry", "monotonicity", "slope")

Row = dict[str, Any]


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
    tables = [
        _table("ranking", "Steerability ranking", _ranking_rows(series)),
        _table("values", "Values", [r for s in studies for r in value_rows(s)]),
        _table("cells", "Cells", [r for s in studies for r in cell_rows(s)]),
        _table("refusals", "Refusals by level", [r for s in series for r in refusals_by_level(s)]),
        _table("judges", "Judges", [r for s in studies for r in judge_rows(s)]),
        _table("judge_fit", "Judges by distance", [r for s in studies for r in fit_rows(s)]),
        _table("counts", "Counts", [count_row(s) for s in studies]),
        _table("cost", "Tokens", [r for s in studies for r in usage_rows(s)]),
        _table("settings", "Settings", [r for s in studies for r in setting_rows(s)]),
        _table(
            "left_out",
            "Logs left out",
            [{"log": one.path, "reason": one.reason} for one in found.skipped],
        ),
    ]
    return [table for table in tables if table.rows]


def _table(name: str, title: str, rows: list[Row]) -> Table:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return Table(name, title, columns, rows)


def put(row: Row, name: str, figure: Figure | None) -> None:
    """Adds a figure and its standard error to a row."""
    row[name] = figure.value if figure else None
    row[f"{name}_se"] = figure.se if figure else None


def cell_rows(study: Study) -> list[Row]:
    """One row per cell."""
    rows = []
    for cell in study.summary.cells:
        lower, upper = interval(cell)
        row: Row = {
            "study": study.label,
            "theory": cell.theory,
            "value": cell.value,
            "group": cell.group,
            "condition": getattr(cell, "condition", ""),
            "level": cell.level,
            "responses": cell.responses,
            "scored": cell.count,
            "mean": cell.mean.value,
            "mean_se": cell.mean.se,
            "lower": lower,
            "upper": upper,
            "spread": cell.spread,
        }
        put(row, "shift", cell.shift)
        put(row, "shift_with_refusals", getattr(cell, "shift_with_refusals", None))
        put(row, "sign_accuracy", cell.sign_accuracy)
        row |= {
            "refusals": cell.refusals,
            "unscored": cell.unscored,
            "over_word_limit": cell.over_word_limit,
        }
        rows.append(row)
    return sorted(rows, key=lambda r: (value_rank(r["theory"], r["value"]), r["group"]))


def value_rows(study: Study) -> list[Row]:
    """One row per value that was steered alone."""
    rows = []
    for value in study.summary.values:
        row: Row = {
            "study": study.label,
            "theory": value.theory,
            "value": value.value,
            "group": value.group,
        }
        for name in FIGURES:
            put(row, name, value.figures.get(name))
        rows.append(row)
    return sorted(rows, key=lambda r: (value_rank(r["theory"], r["value"]), r["group"]))


def _ranking_rows(series: Sequence[Series]) -> list[Row]:
    rows = []
    for theory in theories_of(series):
        for place, one in enumerate(ranking(series, theory), start=1):
            lower, upper = bounds(one.range)
            rows.append(
                {
                    "theory": theory,
                    "rank": place,
                    "study": one.series.label,
                    "mean_range": one.range.value,
                    "mean_range_se": one.range.se,
                    "lower": lower,
                    "upper": upper,
                    "regime": one.regime or "none: levels do not go from -2 to +2",
                    "lowest_level": one.levels[0],
                    "highest_level": one.levels[1],
                    "values": len(one.values),
                }
            )
    return rows


def refusals_by_level(series: Series) -> list[Row]:
    """Refusals of responses that were steered toward one value or none; each counts once."""
    tally: dict[int, list[int]] = {}
    for record in series.study.records:
        own = [v for v in record["values"].values() if v["group"] == series.group]
        if not own or any(value.get("condition") for value in own):
            continue
        for level in {value["level"] for value in own}:
            counted = tally.setdefault(level, [0, 0, 0])
            counted[0] += 1
            counted[1] += record["refusal"]
            counted[2] += record["unscored"] is not None
    rows = []
    for level, (responses, refusals, unscored) in sorted(tally.items()):
        lower, upper = wilson(refusals, responses)
        rows.append(
            {
                "study": series.label,
                "level": level,
                "responses": responses,
                "refusals": refusals,
                "refusal_rate": refusals / responses,
                "lower": lower,
                "upper": upper,
                "unscored": unscored,
            }
        )
    return rows


def wilson(count: float, of: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share `count / of`."""
    share, z2 = count / of, Z95**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z95 / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def shifts_by_level(series: Series) -> list[Row]:
    """Mean over values of the shift at each level, without and with refused responses."""
    collected: dict[int, dict[str, list[float]]] = {}
    for value in series.values:
        for level, cell in value.cells.items():
            both = (("shift", cell.shift), ("with_refusals", _with_refusals(cell)))
            for name, figure in both:
                if figure is not None and not math.isnan(figure.value):
                    at = collected.setdefault(level, {})
                    at.setdefault(name, []).append(figure.value)
    return [
        {"level": level, **{name: sum(found) / len(found) for name, found in by_name.items()}}
        for level, by_name in sorted(collected.items())
    ]


def _with_refusals(cell: object) -> Figure | None:
    found: Figure | None = getattr(cell, "shift_with_refusals", None)
    return found


def judge_rows(study: Study) -> list[Row]:
    """One row per value: what the judge was like on it."""
    evaluation = study.summary.evaluation
    if evaluation is None:
        return []
    theories = {cell.value: cell.theory for cell in study.summary.cells}
    rows = [
        {
            "study": study.label,
            "judge": study.judge.get("model", ""),
            "theory": theories.get(value, ""),
            "value": value,
            "windows": judge.windows,
            "scale": judge.scale,
            "scale_se": judge.scale_se,
            "place_effect": judge.place_effect,
            "place_effect_se": judge.place_effect_se,
            "text_sd": judge.text_sd,
            "lapse_rate": judge.lapse_rate,
            "fit_p_value": evaluation.fit[value].p_value,
        }
        for value, judge in evaluation.judges.items()
    ]
    return sorted(rows, key=lambda row: value_rank(str(row["theory"]), str(row["value"])))


def fit_rows(study: Study) -> list[Row]:
    """One row per value and distance of two anchors."""
    evaluation = study.summary.evaluation
    return [
        {
            "study": study.label,
            "value": value,
            "distance_from": low,
            "distance_to": high,
            "pairs": pairs,
            "observed": observed,
            "expected": expected,
        }
        for value, fit in (evaluation.fit.items() if evaluation else ())
        for low, high, pairs, observed, expected in zip(
            fit.distance[:-1],
            fit.distance[1:],
            fit.pairs,
            fit.observed,
            fit.expected,
            strict=True,
        )
        if pairs
    ]


def fit_by_distance(study: Study) -> list[Row]:
    """The same over all values, each weighted by its pairs, with Wilson's interval."""
    bands: dict[tuple[float, float], list[Row]] = {}
    for row in fit_rows(study):
        bands.setdefault((row["distance_from"], row["distance_to"]), []).append(row)
    rows = []
    for (low, high), found in sorted(bands.items()):
        pairs = sum(row["pairs"] for row in found)
        observed, expected = (
            sum(row["pairs"] * row[name] for row in found) / pairs
            for name in ("observed", "expected")
        )
        lower, upper = wilson(observed * pairs, pairs)
        rows.append(
            {
                "from": low,
                "to": high,
                "pairs": pairs,
                "observed": observed,
                "expected": expected,
                "lower": lower,
                "upper": upper,
            }
        )
    return rows


def count_row(study: Study) -> Row:
    """What was planned, made, scored and lost."""
    counts = study.summary.counts
    unscored: dict[str, int] = {}
    for record in study.records:
        if record["unscored"]:
            unscored[record["unscored"]] = unscored.get(record["unscored"], 0) + 1
    return {
        "study": study.label,
        "logs": len(study.logs),
        "samples_planned": study.counts["planned"],
        "samples_in_logs": study.counts["in_log"],
        "samples_with_error": study.counts["error"],
        "samples_without_score": study.counts["without_score"],
        "generations": study.counts["generations"],
        **counts,
        **{f"unscored_{reason}": number for reason, number in sorted(unscored.items())},
    }


def usage_rows(study: Study) -> list[Row]:
    """Tokens by model, and by role where roles were named."""
    return [
        {"study": study.label, "counted_by": what, "name": name, **used}
        for (what, name), used in study.usage.items()
    ]


def setting_rows(study: Study) -> list[Row]:
    """Everything that a study's logs share, in long form."""
    return [
        {"study": study.label, "setting": name, "value": setting}
        for name, setting in study.settings.items()
    ]


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
        return f"{cell:.3g}".replace("-", "−") if abs(cell) < 1000 else f"{cell:,.0f}"
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}".replace("-", "−")
    if isinstance(cell, Mapping):
        return ", ".join(f"{name} {number}" for name, number in cell.items())
    return str(cell)
