"""The command `valueflow score`: intensities from saved rankings, without any model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from valueflow.commands.screen import examples, say, show_tables
from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import write_csv, write_text
from valueflow.scorers.records import baseline_name

if TYPE_CHECKING:
    from valueflow.scorers.estimate.evaluation import Evaluation, FittedPanel
    from valueflow.scorers.saved.rankings import SavedRankings

__all__ = ["default_baselines", "score_command", "score_rankings"]

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
    "words",
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
    "bend_side",
    "bend_ends",
    "windows",
    "fit_p_value",
]
RATING_COLUMNS = [
    "value",
    "slope",
    "slope_se",
    "level",
    "level_se",
    "place_effect",
    "place_effect_se",
    "text_sd",
    "text_sd_se",
    "noise_sd",
    "lapse_rate",
    "bent",
    "correlation",
    "ratings",
    "texts",
]
DISAGREEMENT_COLUMNS = ["value", "anchor", "intensity", "mean_rating", "disagreement"]
FIT_COLUMNS = ["value", "distance_from", "distance_to", "pairs", "observed", "expected"]
PANEL_COLUMNS = [
    "judge",
    "judged",
    "lost",
    "dropped",
    "calls",
    "cached",
    "failed",
    "tokens_in",
    "tokens_out",
    "cost",
]
PAIR_COLUMNS = [
    "first",
    "second",
    "responses",
    "correlation",
    "correlation_se",
    "lower",
    "upper",
    "together",
    "together_se",
    "together_used",
    "anchors",
]
WITHOUT_COLUMNS = ["cell", "value", "without", "intensity", "se", "shift", "shift_se"]
CONTRADICTING_COLUMNS = ["value", "anchor", "points", "se"]


@click.command(
    "score",
    epilog=examples(
        "valueflow score logs/2026-01-01_steer.eval -o scores",
        "valueflow score windows.jsonl -o scores --estimator reference",
        "valueflow score benevolence_strong.csv -o scores --value benevolence --cell strong",
    ),
)
@click.argument("rankings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for the tables: items, cells, shifts, judges, fit.",
)
@click.option("--value", help="The value that was ranked (CSV of the published scripts).")
@click.option("--cell", help="The cell of all rows (CSV of the published scripts).")
@click.option(
    "--estimator",
    type=click.Choice(["population", "reference"]),
    default="population",
    show_default=True,
    help="Calibrated population model, or the published scripts'.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Coverage of the intervals.",
)
def score_command(
    rankings: tuple[Path, ...],
    output: Path,
    value: str | None,
    cell: str | None,
    estimator: str,
    confidence: float,
) -> None:
    """Estimate intensities from saved RANKINGS, without any model.

    RANKINGS are Inspect logs (.eval, .json), files with one window a line (.jsonl), ranking tables
    of the published scripts (.csv), or folders of them; of a run and its retry, the log with more
    responses counts. Fields of a line: item, cell, value, anchors, order,
    position; optionally shown and query. In order, a nested list is a tie, and texts that are not
    named come after those that are. Beside order or in its place a line may have ratings: the
    judge's numbers, the response's first, and rating_scale, the ends of their scale. Where several
    judges judged, every line names its judge in the field judge (in a table, a column judge).
    """
    with Console(stderr=True).status("Reading and estimating ..."):
        found, saved = score_rankings(
            rankings, output, value=value, cell=cell, estimator=estimator, confidence=confidence
        )
    table = Table("cell", "items", "intensity", "standard error", "spread", title="Cells")
    for c in found.cells[:40]:
        table.add_row(c.cell, str(c.items), f"{c.intensity:+.2f}", f"{c.se:.2f}", f"{c.spread:.2f}")
    show_tables([table])
    if len(found.cells) > 40:
        say(f"... and {len(found.cells) - 40} more in {output / 'cells.csv'}")
    for what, count in saved.dropped.items():
        say(f"Left out: {count} {what}", err=True)
    for note in found.notes:
        say(f"Note: {note}", err=True)
    say(f"{saved.table.windows:,} windows of {len(found.items):,} items; tables in {output}")


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
    out, how the judge takes the length of texts); where the judge rated, `rating_judges.csv` and
    `disagreements.csv` (the anchors that it rates farthest from what their intensities make one
    expect). Of a panel also `panel.csv` (what each judge judged and took), `agreement.csv` (every
    two judges) and `without_judge.csv` (every cell without each judge); Krippendorff's alpha stands
    in `run.json`.

    Args:
        paths: rankings, see `valueflow.scorers.saved.rankings`.
        folder: where the tables go; made if it is not there.
        value, cell: for CSV files of the published scripts.
        estimator: `population` or `reference`, see `evaluate`.
        confidence: coverage of the intervals `lower` to `upper`.

    Raises:
        InputFileError: a file cannot be read, or none of its windows has a ranking.
    """
    # Imported here: SciPy takes a second, and `valueflow list` needs none of it.
    from valueflow.scorers.estimate.evaluation import evaluate, fit_panel
    from valueflow.scorers.saved.rankings import read_rankings
    from valueflow.scorers.summary.stability.length import length_effect

    saved = read_rankings(paths, value, cell)
    if not saved.table.windows:
        lost = "; ".join(f"{count} {what}" for what, count in saved.dropped.items())
        raise InputFileError(
            ", ".join(map(str, paths)),
            f"holds no window with a ranking{': ' + lost if lost else ''}",
        )
    baselines = default_baselines(saved.table.cells)
    fitted = fit_panel(saved.table) if estimator == "population" else None
    found = evaluate(
        saved.table,
        estimator=estimator,
        baselines=baselines,
        confidence=confidence,
        fitted=fitted,
    )
    found.notes[:0] = saved.notes
    extras = list(dict.fromkeys(name for fields in saved.extra.values() for name in fields))
    # Not `asdict`, which copies each of what may be a million numbers.
    items = [{**saved.extra.get((e.item, e.cell), {}), **vars(e)} for e in found.items] + [
        {"item": item, "cell": c, "value": v, "windows": 0, "unscored": why}
        for (item, c, v), why in saved.without.items()
    ]
    write_csv(folder / "items.csv", ITEM_COLUMNS + extras, items)
    words = _words(saved)
    length = None
    if saved.table.judge is None:
        length = length_effect(saved.table, [count for of in words.values() for count in of])
    if length is not None:
        found.notes[:0] = length.notes()
    means = {c: sum(of) / len(of) for c, of in words.items()}
    cells = [{**asdict(c), "words": means.get(c.cell)} for c in found.cells]
    write_csv(folder / "cells.csv", CELL_COLUMNS, cells)
    if found.shifts:
        write_csv(folder / "shifts.csv", SHIFT_COLUMNS, [asdict(s) for s in found.shifts])
    _write_judges(folder, found)
    if found.rating_judges:
        _write_rating_judges(folder, found, saved.table.anchor_names)
    panel = None
    if fitted is not None and len(saved.judges) > 1:
        panel = _write_panel(folder, saved, found, fitted, baselines)
    run = {
        "valueflow": version("valueflow"),
        "rankings": [str(path) for path in paths],
        "estimator": estimator,
        "confidence": confidence,
        "windows": saved.table.windows,
        "left_out": dict(saved.dropped),
        "length": None if length is None else asdict(length),
        "notes": found.notes,
        **({"panel": panel} if panel else {}),
    }
    write_text(folder / "run.json", json.dumps(run, indent=2, ensure_ascii=False) + "\n")
    return found, saved


def _words(saved: SavedRankings) -> dict[str, list[int]]:
    """Words of the responses of each cell, as far as the rankings say."""
    found: dict[str, list[int]] = {}
    unranked = {key[:2] for key in saved.without}
    for (item, cell), count in saved.words.items():
        if (item, cell) not in unranked:
            found.setdefault(cell, []).append(count)
    return found


def _write_judges(folder: Path, found: Evaluation) -> None:
    """The judge of each value, how it follows the model, and the anchors that it contradicts."""
    judges = [
        {
            **_named(found, name),
            "fit_p_value": found.fit[name].p_value,
            **dict(zip(("bend_side", "bend_ends"), judge.bend, strict=True)),
            **asdict(judge),
        }
        for name, judge in found.judges.items()
    ]
    bands = [
        {
            **_named(found, name),
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
        {**_named(found, name), "anchor": anchor, "points": points, "se": se}
        for name, fit in found.fit.items()
        for anchor, points, se in fit.disagreements
    ]
    more = ["judge"] if found.panel else []
    write_csv(folder / "judges.csv", JUDGE_COLUMNS + more, judges)
    write_csv(folder / "fit.csv", FIT_COLUMNS + more, bands)
    write_csv(folder / "contradicting_anchors.csv", CONTRADICTING_COLUMNS + more, contradicting)


def _named(found: Evaluation, key: str) -> dict[str, str]:
    """The value, and of a panel the judge, that a key of an evaluation's judges is about."""
    value, judge = found.named[key]
    return {"value": value, "judge": judge} if judge else {"value": value}


def _write_panel(
    folder: Path,
    saved: SavedRankings,
    found: Evaluation,
    fitted: FittedPanel,
    baselines: dict[str, str],
) -> dict[str, Any]:
    """Who judged how much, how far judges agree, and every cell without each of them.

    Returns:
        Krippendorff's alpha with its interval, for `run.json`.
    """
    from valueflow.scorers.estimate.evaluation import evaluate, own_estimates
    from valueflow.scorers.summary.agreement import panel_summary

    without = []
    for name in found.panel:
        rest = fitted.without(name)
        table = saved.table.of_judges(rest.names)
        there = {table.cells[code] for code in set(table.item_cell[table.item].tolist())}
        known = {cell: base for cell, base in baselines.items() if {cell, base} <= there}
        others = evaluate(table, baselines=known, fitted=rest)
        shifts = {shift.cell: shift for shift in others.shifts}
        for cell in others.cells:
            row: dict[str, Any] = {"cell": cell.cell, "value": cell.value, "without": name}
            row |= {"intensity": cell.intensity, "se": cell.se}
            if cell.cell in shifts:
                row |= {"shift": shifts[cell.cell].shift, "shift_se": shifts[cell.cell].se}
            without.append(row)
    summary = panel_summary(
        fitted.names,
        own_estimates(saved.table, fitted),
        saved.table.query_rank,
        found.shared,
        saved.judges,
        saved.used,
        {},
    )
    judges = []
    for judge in summary.judges:
        used = dict(judge.used or {})
        used["calls"] = used.pop("asked", None)
        counted: dict[str, Any] = {"judge": judge.name, "judged": judge.judged, "lost": judge.lost}
        judges.append({**counted, "dropped": judge.dropped, **used})
    pairs = [
        {
            **asdict(pair),
            "correlation": pair.correlation.value,
            "correlation_se": pair.correlation.se,
            "lower": pair.correlation.lower,
            "upper": pair.correlation.upper,
            "together": pair.together.value,
            "together_se": pair.together.se,
            "together_used": pair.used,
        }
        for pair in summary.pairs
    ]
    write_csv(folder / "panel.csv", PANEL_COLUMNS, judges)
    write_csv(folder / "agreement.csv", PAIR_COLUMNS, pairs)
    write_csv(folder / "without_judge.csv", WITHOUT_COLUMNS, without)
    return asdict(summary.agreement)


def _write_rating_judges(folder: Path, found: Evaluation, anchors: Sequence[str]) -> None:
    """How the judge rates, by value, and the anchors that it rates unlike their intensities."""
    judges = [
        {
            **_named(found, name),
            **{column: getattr(judge, column) for column in RATING_COLUMNS[1:]},
        }
        for name, judge in found.rating_judges.items()
    ]
    disagreements = [
        _named(found, name)
        | dict(zip(DISAGREEMENT_COLUMNS[1:], (anchors[key], *numbers), strict=True))
        for name, judge in found.rating_judges.items()
        for key, *numbers in judge.contradicting
    ]
    more = ["judge"] if found.panel else []
    write_csv(folder / "rating_judges.csv", RATING_COLUMNS + more, judges)
    write_csv(folder / "disagreements.csv", DISAGREEMENT_COLUMNS + more, disagreements)


def default_baselines(cells: Sequence[str]) -> dict[str, str]:
    """Each cell to the default of its value, see `baseline_name`, where both are there."""
    there = set(cells)
    pairs = {cell: baseline_name(cell) for cell in cells}
    return {cell: base for cell, base in pairs.items() if base in there}
