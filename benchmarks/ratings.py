"""Ratings of whole windows against rankings, at equal windows: known truth, and real judgements.

Usage: python benchmarks/ratings.py [--replicates 10] [--windows 1 3] [--pool 60]
       python benchmarks/ratings.py --data DIR

One judge call a window either way, and nearly the same tokens (`valueflow plan --judge-mode
rating` counts them).  A judge of a scale sees texts with the same noise whether it ranks or rates,
and disagrees with the intensities of single texts by ``text`` points, persistently; it rates with a
scale of its own (level 1, slope 0.85), in whole numbers from -10 to 10.  Cells of 30 responses
(spread 2, centres uniform on ±7), ``--pool`` anchor texts.

Columns, for ratings and then for rankings: correlation of responses' maximum-likelihood estimates
with truth and its slope, RMSE of their posterior means and coverage of their 95% intervals, RMSE of
cells (against the realised means) and coverage of theirs (of the population's mean).

With ``--data``, the folder of real judgements: each file of rated or ranked windows by itself, from
one window of each item and from all; items whose published intensity is known.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulated_windows import Judge, cells_of_responses, draw_anchors, population_means, simulate
from valueflow.scorers.estimate.evaluation import Evaluation, evaluate
from valueflow.scorers.estimate.table import WindowTable

Array = NDArray[np.float64]
SCALES = (0.3, 1.2, 3.0)
TEXTS = (0.0, 2.0, 4.0)
CELLS, SIZE, SPREAD = 8, 30, 2.0


def figures(found: Evaluation, truth: Array, means: Array) -> list[float]:
    """The columns of one way, from truths by item and population means by cell."""
    items, cells = found.items, found.cells
    place = np.array([int(item.item.split()[1]) for item in items])
    true = truth.ravel()[place]
    best = np.array([item.maximum_likelihood for item in items])
    middle = np.array([item.intensity for item in items])
    inside = [one.lower <= t <= one.upper for one, t in zip(items, true, strict=True)]
    of = [int(cell.cell.split()[1]) for cell in cells]
    error = np.array([cell.intensity for cell in cells]) - truth.mean(axis=1)[of]
    held = [c.lower <= m <= c.upper for c, m in zip(cells, means[of], strict=True)]
    return [
        float(np.corrcoef(best, true)[0, 1]),
        float(np.polyfit(true, best, 1)[0]),
        float(np.sqrt(np.mean((middle - true) ** 2))),
        float(np.mean(inside)),
        float(np.sqrt(np.mean(error**2))),
        float(np.mean(held)),
    ]


def one_study(seed: int, scale: float, text: float, windows: int, pool: int) -> list[float]:
    """Figures of ratings, then of rankings, of one simulated study."""
    generator = np.random.default_rng([seed, round(10 * scale), round(text), windows])
    judge = Judge(scale, text_sd=text, rating_level=1.0, rating_slope=0.85)
    anchors = draw_anchors(generator, judge, pool, 9.5)
    centres = generator.uniform(-7, 7, CELLS)
    truth = cells_of_responses(generator, centres, SIZE, SPREAD)
    means, own = population_means(centres, SPREAD), generator.normal(0, 1, truth.size) * text
    told: list[float] = []
    for rated in (True, False):
        table = simulate(
            generator, judge, truth, windows, anchors=anchors, response_error=own, rated=rated
        )
        told += figures(evaluate(table), truth, means)
    return told


def simulated(replicates: int, windows: Iterable[int], pool: int) -> None:
    """Prints the table of simulated judges."""
    names = "corr slope RMSE cover cellRMSE cellcover"
    print(f"{'scale':>5} {'text':>4} {'m':>2} | {'ratings: ' + names:<45} | rankings: {names}")
    for m in windows:
        for scale in SCALES:
            for text in TEXTS:
                rows = [one_study(seed, scale, text, m, pool) for seed in range(replicates)]
                mean = np.mean(rows, axis=0)
                halves = [" ".join(f"{x:7.3f}" for x in half) for half in np.split(mean, 2)]
                print(
                    f"{scale:5.1f} {text:4.0f} {m:2d} | {halves[0]:<45} | {halves[1]}", flush=True
                )


def real(folder: Path) -> None:
    """Prints what real judgements say, where the published intensity of an item is known."""
    print(f"{'windows':<36} {'items':>5}  corr  sign slope  RMSE cover")
    for path in sorted(folder.glob("*.jsonl")):
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if not all("truth" in record for record in records):
            cells(path.name, records)
            continue
        _print(f"{path.stem}, all", records, evaluate(WindowTable.from_records(records)))
        # All windows calibrate the judge; later ones of an item stand for other responses.
        first: dict[str, int] = {}
        for number, record in enumerate(records):
            first.setdefault(record["item"], number)
        apart = [
            record if first[record["item"]] == number else {**record, "item": f"other {number}"}
            for number, record in enumerate(records)
        ]
        found = evaluate(WindowTable.from_records(apart))
        _print(f"{path.stem}, one", apart, found)


def cells(name: str, records: list[Mapping[str, Any]]) -> None:
    """Prints the cells of responses of which no intensity is known, by what the judge was asked."""
    ways = {
        "ranked": [{**r, "ratings": None} for r in records if r.get("order")],
        "rated": [{**r, "order": None} for r in records if r.get("ratings")],
        "both": records,
    }
    for way, chosen in ways.items():
        if chosen:
            found = evaluate(WindowTable.from_records(chosen))
            told = sorted(found.cells, key=lambda cell: cell.cell)
            print(f"{name}, {way}: {len(chosen)} windows")
            print("   " + "; ".join(f"{c.cell} {c.intensity:+.1f} ± {c.se:.1f}" for c in told))


def _print(name: str, records: Iterable[Mapping[str, Any]], found: Evaluation) -> None:
    truth = {(r["item"], r["cell"]): r["truth"] for r in records}
    items = [one for one in found.items if not one.item.startswith("other ")]
    true = np.array([truth[one.item, one.cell] for one in items])
    best = np.array([one.maximum_likelihood for one in items])
    inside = [one.lower <= t <= one.upper for one, t in zip(items, true, strict=True)]
    print(
        f"{name:<36} {len(items):5d} {np.corrcoef(best, true)[0, 1]:5.3f} "
        f"{np.mean(np.sign(best) == np.sign(true)):5.2f} {np.polyfit(true, best, 1)[0]:5.2f} "
        f"{np.sqrt(np.mean((best - true) ** 2)):5.2f} {np.mean(inside):5.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=10)
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--pool", type=int, default=60)
    parser.add_argument("--data", type=Path, help="folder of real judgements (.jsonl)")
    options = parser.parse_args()
    if options.data is None:
        simulated(options.replicates, options.windows, options.pool)
    else:
        real(options.data)


if __name__ == "__main__":
    main()
