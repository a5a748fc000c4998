"""Panels of simulated judges: what two and three judges are worth, together and sharing windows.

Usage: python benchmarks/panels.py [--replicates 10] [--scale 1.2] [--text 4] [--anchors 44]

Each replicate is a run of five cells of 30 responses (spread 2, centres uniform on ±6), windows of
six, 2% lapses, and judges of one scale and text standard deviation, each with a disagreement of its
own with every text, which lasts over all windows of the text.  ``all``: each judge has so many
windows of every response; ``split``: the judges take a response's windows in turn, at the calls of
one.  ``together`` is the correlation of two judges' disagreements with one text.  Beside the panel
stands the same windows' analysis as if one judge had made them (naive).  Columns: judge calls for a
response; root mean square error of cells against the populations' means and coverage of their 95%
intervals; of responses, in their cell; the correlation of the disagreements found.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np

from simulated_windows import (
    Judge,
    as_one_judge,
    cells_of_responses,
    population_means,
    simulate_panel,
)
from valueflow.scorers.estimate.evaluation import Evaluation, evaluate

NAMES = ("cells rmse", "cells in", "items rmse", "items in", "together")


def figures(found: Evaluation, means: np.ndarray, truth: np.ndarray) -> list[float]:
    """The figures of ``NAMES``, the errors squared."""
    cells = np.array([cell.intensity for cell in found.cells])
    items = np.array([item.intensity for item in found.items])
    shared = np.nan
    if found.shared is not None:
        upper = np.triu_indices(len(found.panel), 1)
        shared = float(found.shared.correlation[upper].mean())
    return [
        float(np.mean((cells - means) ** 2)),
        float(np.mean([c.lower <= x <= c.upper for c, x in zip(found.cells, means, strict=True)])),
        float(np.mean((items - truth) ** 2)),
        float(np.mean([e.lower <= x <= e.upper for e, x in zip(found.items, truth, strict=True)])),
        shared,
    ]


def replicate(
    seed: list[int], judge: Judge, anchors: int, judges: int, windows: int, kind: str, shared: float
) -> dict[str, list[float]]:
    """One run, read as the panel's and as one judge's."""
    # The same responses in every row of the table.
    generator = np.random.default_rng(seed[0])
    centres = generator.uniform(-6, 6, 5)
    truth = cells_of_responses(generator, centres, 30, 2.0)
    generator = np.random.default_rng(seed)
    table = simulate_panel(
        generator,
        [judge] * judges,
        truth,
        windows,
        anchors=anchors,
        together=shared,
        split=kind == "split",
    )
    means, flat = population_means(centres, 2.0), truth.ravel()
    found = {"panel": figures(evaluate(table), means, flat)}
    if judges > 1:
        found["naive"] = figures(evaluate(as_one_judge(table)), means, flat)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=10)
    parser.add_argument("--scale", type=float, default=1.2)
    parser.add_argument("--text", type=float, default=4.0)
    parser.add_argument("--anchors", type=int, default=44)
    parser.add_argument("--together", type=float, nargs="+", default=[0.0, 0.5])
    arguments = parser.parse_args()
    judge = Judge(arguments.scale, 0.1, arguments.text, 0.02)
    print("judges kind   together calls as    " + "".join(f"{name:>11}" for name in NAMES))
    plans = [(1, "all", 3), (1, "all", 6)]
    plans += [(n, kind, 3) for n, kind in itertools.product((2, 3), ("all", "split"))]
    for together, (judges, kind, windows) in itertools.product(arguments.together, plans):
        if judges == 1 and together:
            continue
        runs = [
            replicate(
                [run, judges, windows, round(10 * together)],
                judge,
                arguments.anchors,
                judges,
                windows,
                kind,
                together,
            )
            for run in range(arguments.replicates)
        ]
        calls = windows if kind == "split" else windows * judges
        for way in runs[0]:
            mean = np.mean([run[way] for run in runs], axis=0)
            mean[[0, 2]] = np.sqrt(mean[[0, 2]])
            row = "".join(f"{figure:11.3f}" for figure in mean)
            print(f"{judges:6d} {kind:>5} {together:9.1f} {calls:5d} {way:5} {row}", flush=True)


if __name__ == "__main__":
    main()
