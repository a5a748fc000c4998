"""Accuracy: responses, cells and their intervals beside the published estimator, known truth.

Usage: python benchmarks/accuracy.py [--replicates 20] [--scales 0.2 0.5 1 3] [--windows 1 2 3 10]

Every replicate draws one judge's run: 30 cells of 100 responses (spread 2; six cells at each of the
centres -6, -3, 0, 3, 6, as five steering levels would give) for the cells, and one cell of 1000
responses uniform on ±9 for the responses.  Windows of 6 texts in random order; anchors one per
intensity bucket from 2000 texts on ±9 (``--reach``): where anchors reach the very ends of the scale
the published estimator, which is clipped to them, does better with sharp judges.
The root mean square error of a cell is about the realised mean of its responses, the coverage of
its interval about the mean of the population that they were drawn from.  The number behind ± is the
Monte-Carlo standard error over replicates.
"""

from __future__ import annotations

import argparse
import itertools
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from simulated_windows import (
    Judge,
    cells_of_responses,
    draw_anchors,
    population_means,
    simulate,
)
from valueflow.scorers.estimate.evaluation import evaluate

Array = NDArray[np.float64]
CENTRES = np.repeat([-6.0, -3.0, 0.0, 3.0, 6.0], 6)
SIZE, SPREAD = 100, 2.0


def scored(estimate: Array, truth: Array) -> dict[str, float]:
    """Bias, slope of estimate on truth, root mean square error and correlation."""
    return {
        "bias": float(np.mean(estimate - truth)),
        "slope": float(np.polyfit(truth, estimate, 1)[0]),
        "rmse": float(np.sqrt(np.mean((estimate - truth) ** 2))),
        "corr": float(np.corrcoef(estimate, truth)[0, 1]),
    }


def cell_replicate(
    generator: np.random.Generator, judge: Judge, windows: int, reach: float
) -> tuple[dict[str, float], dict[str, float]]:
    """One run's cells: our figures and the reference's."""
    truth = cells_of_responses(generator, CENTRES, SIZE, SPREAD)
    anchors = draw_anchors(generator, judge, reach=reach)
    table = simulate(generator, judge, truth, windows, anchors=anchors)
    result = evaluate(table)
    ours = scored(np.array([cell.intensity for cell in result.cells]), truth.mean(axis=1))
    population = population_means(CENTRES, SPREAD)
    ours["cover"] = float(
        np.mean(
            [c.lower <= mean <= c.upper for c, mean in zip(result.cells, population, strict=True)]
        )
    )
    ours["item cover"] = float(
        np.mean(
            [e.lower <= one <= e.upper for e, one in zip(result.items, truth.ravel(), strict=True)]
        )
    )
    ours["scale"] = result.judges["value"].scale
    peer = evaluate(table, estimator="reference")
    return ours, scored(np.array([cell.intensity for cell in peer.cells]), truth.mean(axis=1))


def response_replicate(
    generator: np.random.Generator, judge: Judge, windows: int, reach: float
) -> tuple[dict[str, float], dict[str, float]]:
    """One run's responses: our figures and the reference's."""
    truth = generator.uniform(-9, 9, (1, 1000))
    anchors = draw_anchors(generator, judge, reach=reach)
    table = simulate(generator, judge, truth, windows, anchors=anchors)
    result = evaluate(table)
    real = truth.ravel()
    ours = scored(np.array([item.intensity for item in result.items]), real)
    ours["cover"] = float(
        np.mean(
            [item.lower <= one <= item.upper for item, one in zip(result.items, real, strict=True)]
        )
    )
    peak = np.array([item.maximum_likelihood for item in result.items])
    ours["ml slope"] = scored(peak, real)["slope"]
    peer = evaluate(table, estimator="reference")
    return ours, scored(np.array([item.intensity for item in peer.items]), real)


def table_rows(
    kind: str, replicates: int, scales: list[float], windows: list[int], reach: float
) -> None:
    """Print one table, a row for each judge and number of windows."""
    one = cell_replicate if kind == "cells" else response_replicate
    names: list[str] = []
    for place, scale, count in itertools.product((0.0, 0.3, 1.0), scales, windows):
        columns: dict[str, list[float]] = defaultdict(list)
        for replicate in range(replicates):
            seed = [replicate, round(100 * scale), round(10 * place), count]
            ours, peer = one(np.random.default_rng(seed), Judge(scale, place), count, reach)
            for name, figure in ours.items():
                columns[name].append(figure)
            for name, figure in peer.items():
                columns["ref " + name].append(figure)
        if not names:
            names = list(columns)
            print(f"\n{kind}, {replicates} replicates")
            print("scale place  m " + "".join(f"{name:>16}" for name in names))
        row = f"{scale:5.1f} {place:5.1f} {count:2d} "
        for name in names:
            figures = np.array(columns[name])
            error = figures.std(ddof=1) / np.sqrt(len(figures)) if len(figures) > 1 else np.nan
            row += f"{figures.mean():9.3f} ±{error:5.3f}"
        print(row, flush=True)


def place_rows(replicates: int, scales: list[float], reach: float) -> None:
    """Print by how much a place effect shifts the means of cells, by where responses are shown."""
    print(f"\nshift of cell means by the place effect, 3 windows, {replicates} replicates")
    print("scale place    shown        ours   reference")
    for scale, place, first in itertools.product(scales, (0.3, 1.0), (False, True)):
        shifts = np.empty((replicates, 2))
        for replicate in range(replicates):
            means = []
            for effect in (place, 0.0):
                generator = np.random.default_rng([replicate, round(100 * scale)])
                truth = cells_of_responses(generator, CENTRES, SIZE, SPREAD)
                judge = Judge(scale, effect)
                anchors = draw_anchors(generator, judge, reach=reach)
                table = simulate(generator, judge, truth, 3, anchors=anchors, response_first=first)
                both = (evaluate(table, estimator=name) for name in ("population", "reference"))
                means.append([np.mean([c.intensity for c in one.cells]) for one in both])
            shifts[replicate] = np.array(means[0]) - np.array(means[1])
        error = shifts.std(axis=0, ddof=1) / np.sqrt(replicates)
        ours, peer = (
            f"{m:7.3f} ±{e:5.3f}" for m, e in zip(shifts.mean(axis=0), error, strict=True)
        )
        where = "first" if first else "anywhere"
        print(f"{scale:5.1f} {place:5.1f} {where:>8} {ours} {peer}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=20)
    parser.add_argument("--scales", type=float, nargs="+", default=[0.2, 0.5, 1.0, 3.0])
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 2, 3, 10])
    parser.add_argument("--reach", type=float, default=9.0, help="largest anchor intensity")
    parser.add_argument("--tables", nargs="+", default=["cells", "responses", "places"])
    arguments = parser.parse_args()
    for kind in arguments.tables:
        if kind == "places":
            place_rows(arguments.replicates, arguments.scales, arguments.reach)
            continue
        table_rows(kind, arguments.replicates, arguments.scales, arguments.windows, arguments.reach)


if __name__ == "__main__":
    main()
