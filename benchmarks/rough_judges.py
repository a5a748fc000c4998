"""Rough judges: standing disagreement with single texts, and lapses, at scale 0.3.

Usage: python benchmarks/rough_judges.py [--replicates 10] [--scale 0.3]

Each replicate is a run of 30 cells of 100 responses (spread 2, centres uniform on ±6).  Anchors
are drawn from ``pool`` texts; disagreement with anchors and responses alike stays the same in
all windows of a text.  Columns: coverage of 95% intervals of cells and responses, slope of cells,
and what was estimated of the judge.  The number behind ± is the Monte-Carlo standard error.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np

from simulated_windows import (
    Judge,
    cells_of_responses,
    draw_anchors,
    population_means,
    simulate,
)
from valueflow.scorers.estimate.evaluation import evaluate

NAMES = ("cell cover", "item cover", "cell slope", "cell rmse", "ref slope", "text sd", "lapses")


def replicate(seed: list[int], judge: Judge, windows: int, pool: int, cells: int) -> list[float]:
    """One run: the figures of ``NAMES``."""
    generator = np.random.default_rng(seed)
    centres = generator.uniform(-6, 6, cells)
    truth = cells_of_responses(generator, centres, 100, 2.0)
    anchors = draw_anchors(generator, judge, pool)
    table = simulate(generator, judge, truth, windows, anchors=anchors)
    result = evaluate(table)
    peer = evaluate(table, estimator="reference")
    real, estimate = truth.mean(axis=1), np.array([cell.intensity for cell in result.cells])
    means = population_means(centres, 2.0)
    inside = [c.lower <= mean <= c.upper for c, mean in zip(result.cells, means, strict=True)]
    held = [e.lower <= x <= e.upper for e, x in zip(result.items, truth.ravel(), strict=True)]
    model = result.judges["value"]
    return [
        float(np.mean(inside)),
        float(np.mean(held)),
        float(np.polyfit(real, estimate, 1)[0]),
        float(np.sqrt(np.mean((estimate - real) ** 2))),
        float(np.polyfit(real, [cell.intensity for cell in peer.cells], 1)[0]),
        model.text_sd,
        model.lapse_rate,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=10)
    parser.add_argument("--scale", type=float, default=0.3)
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 3, 10])
    parser.add_argument("--pools", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--cells", type=int, default=30)
    arguments = parser.parse_args()
    print(f"scale {arguments.scale}, {arguments.replicates} replicates")
    print("pool text_sd lapses  m " + "".join(f"{name:>15}" for name in NAMES))
    grid = itertools.product(arguments.pools, (0.0, 1.0, 2.0), (0.0, 0.02, 0.05), arguments.windows)
    for pool, text_sd, lapses, windows in grid:
        judge = Judge(arguments.scale, 0.0, text_sd, lapses)
        runs = np.array(
            [
                replicate(
                    [run, pool, round(text_sd), round(100 * lapses), windows],
                    judge,
                    windows,
                    pool,
                    arguments.cells,
                )
                for run in range(arguments.replicates)
            ]
        )
        mean = runs.mean(axis=0)
        error = runs.std(axis=0, ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else mean * np.nan
        figures = "".join(f"{m:8.3f} ±{e:5.3f}" for m, e in zip(mean, error, strict=True))
        print(f"{pool:5d} {text_sd:5.1f} {lapses:6.2f} {windows:3d} {figures}", flush=True)


if __name__ == "__main__":
    main()
