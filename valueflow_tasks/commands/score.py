"""`valueflow score`: intensities from saved rankings, without any model."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import write_csv, write_text
from valueflow.scorers.estimate.evaluation import Evaluation, evaluate
from valueflow.scorers.records import baseline_name
from valueflow.scorers.saved.rankings import SavedRankings, read_rankings

__all__ = ["default_baselines", "score_rankings"]

ITEM_COLUMNS = [
    "item",
    "cell",
    "value",
    "query",
    "intensity",
    "se",
    "lower",
    "upper",
    "maximum_likelihood",
    "maximum_likelihood_se",
    "flat_prior",
    "flat_prior_se",
    "windows",
    "unscored",
]
CELL_COLUMNS = [
    "cell",
    "value",
    "items",
    "intensity",
    "se",
    "spread",
    "lower",
    "upper",
    "beyond_high",
    "beyond_low",
]
SHIFT_COLUMNS = ["cell", "baseline", "value", "shift", "se", "lower", "upper", "pairs"]
JUDGE_COLUMNS = [
    "value",
    "scale",
    "scale_se",
    "place_effect",
    "place_effect_se",
    "text_sd",
    "text_sd_se",
    "lapse_rate",
    "lapse_rate_se",
    "windows",
    "fit_p_value",
]
FIT_COLUMNS = ["value", "distance_from", "distance_to", "pairs", "observed", "expected"]
CONTRADICTING_COLUMNS = ["value", "anchor", "points", "se"]


def score_rankings(
    paths: Sequence[Path],
    folder: Path,
    *,
    value: str | None = None,
    cell: str | None = None,
    estimator: str = "population",
    confidence: float = 0.95,
) -> tuple[Evaluation, SavedRankings]:
    """Estimates judges, responses and cells from saved rankings and writes them as tables.

    Writes `items.csv`, `cells.csv`, `shifts.csv` (cells named `value/level` against `value/0`),
    `judges.csv`, `fit.csv` (share of anchor pairs ordered as their intensities say, by distance,
    observed and expected), `contradicting_anchors.csv` (anchors that the judge sees elsewhere than
    their intensities say, by how many points) and `run.json` (versions, options, what was left
    out).

    Args:
        paths: rankings, see `valueflow.scorers.saved.rankings`.
        folder: where the tables go; made if it is not there.
        value, cell: for CSV files of the published scripts.
        estimator: `population` or `reference`, see `evaluate`.
        confidence: coverage of the intervals `lower` to `upper`.

    Raises:
        InputFileError: a file cannot be read, or none of its windows has a ranking.
    """
    saved = read_rankings(paths, value, cell)
    if not saved.table.windows:
        lost = "; ".join(f"{count} {what}" for what, count in saved.dropped.items())
        raise InputFileError(
            ", ".join(map(str, paths)),
            f"holds no window with a ranking{': ' + lost if lost else ''}",
        )
    found = evaluate(
        saved.table,
        estimator=estimator,
        baselines=default_baselines(saved.table.cells),
        confidence=confidence,
    )
    extras = list(dict.fromkeys(name for fields in saved.extra.values() for name in fields))
    items = [{**saved.extra.get((e.item, e.cell), {}), **asdict(e)} for e in found.items] + [
        {"item": item, "cell": c, "value": v, "windows": 0, "unscored": why}
        for (item, c, v), why in saved.without.items()
    ]
    write_csv(folder / "items.csv", ITEM_COLUMNS + extras, items)
    write_csv(folder / "cells.csv", CELL_COLUMNS, [asdict(c) for c in found.cells])
    if found.shifts:
        write_csv(folder / "shifts.csv", SHIFT_COLUMNS, [asdict(s) for s in found.shifts])
    _write_judges(folder, found)
    run = {
        "valueflow": version("valueflow"),
        "rankings": [str(path) for path in paths],
        "estimator": estimator,
        "confidence": confidence,
        "windows": saved.table.windows,
        "left_out": dict(saved.dropped),
        "notes": found.notes,
    }
    write_text(folder / "run.json", json.dumps(run, indent=2, ensure_ascii=False) + "\n")
    return found, saved


def _write_judges(folder: Path, found: Evaluation) -> None:
    """The judge of each value, how it follows the model, and the anchors that it contradicts."""
    judges = [
        {"value": name, "fit_p_value": found.fit[name].p_value, **asdict(judge)}
        for name, judge in found.judges.items()
    ]
    bands = [
        {
            "value": name,
            "distance_from": low,
            "distance_to": high,
            "pairs": pairs,
            "observed": observed,
            "expected": expected,
        }
        for name, fit in found.fit.items()
        for low, high, pairs, observed, expected in zip(
            fit.distance, fit.distance[1:], fit.pairs, fit.observed, fit.expected, strict=False
        )
    ]
    contradicting = [
        {"value": name, "anchor": anchor, "points": points, "se": se}
        for name, fit in found.fit.items()
        for anchor, points, se in fit.disagreements
    ]
    write_csv(folder / "judges.csv", JUDGE_COLUMNS, judges)
    write_csv(folder / "fit.csv", FIT_COLUMNS, bands)
    write_csv(folder / "contradicting_anchors.csv", CONTRADICTING_COLUMNS, contradicting)


def default_baselines(cells: Sequence[str]) -> dict[str, str]:
    """Each cell to the default of its value, see `baseline_name`, where both are there."""
    there = set(cells)
    pairs = {cell: baseline_name(cell) for cell in cells}
    return {cell: base for cell, base in pairs.items() if base in there}
