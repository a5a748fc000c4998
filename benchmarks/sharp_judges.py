"""Judges that are sharp in their own view and disagree with the labels of single texts.

Usage: python benchmarks/sharp_judges.py [--replicates 10] [--scales 0.3 1.2 3] [--data DIR]
       python benchmarks/sharp_judges.py --anchors 2000 --size 160 --scales 1.2 --texts 4

Each replicate is a run of five cells of 30 responses (spread 2, centres uniform on ±6), windows of
six, 2% lapses, anchors from 44 or from 20,000 texts; the judge's disagreement with anchors and
responses alike stays the same in all windows of a text.  With 2000 anchors and 160 responses a
cell, three windows show each anchor six times.  Columns: slope of cells, and the same without what
chance gave it: the tilts of this run's disagreements with responses and anchors; root mean square
error of cells against the realised means, coverage of their 95% intervals; coverage of responses'
intervals in their cell, root mean square error, coverage from their own windows alone; scale, text
standard deviation and lapse rate found; share of runs that the test of fit rejects at 0.01.
With ``--data`` (or VALUEFLOW_REAL_DATA) the same of responses for windows that a real judge ranked,
with the published intensities as truth.

Beside each table stand, where they were measured, the figures of the estimator before scale and
disagreement were fitted together (commit e70c345): at scale 1.2, text 3.9, 44 anchors and three
windows slope 1.32, root mean square error 2.10, coverage of cells 0.68 and of responses 0.63; with
20,000 anchors coverage of responses 0.79 to 0.90; on real windows coverage in the cell 0.77.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from pathlib import Path

import numpy as np

from simulated_windows import (
    Judge,
    cells_of_responses,
    draw_anchors,
    population_means,
    simulate,
)
from valueflow.scorers.estimate.evaluation import Evaluation, evaluate
from valueflow.scorers.estimate.table import WindowTable

NAMES = (
    "slope",
    "in view",
    "rmse",
    "cells in",
    "items in",
    "item rmse",
    "alone in",
    "scale",
    "text sd",
    "lapses",
    "rejected",
)


def alone_in(found: Evaluation, truth: np.ndarray) -> float:
    """Share of responses within 1.96 standard errors of what their own windows say."""
    own = np.array([item.flat_prior for item in found.items])
    errors = np.array([item.flat_prior_se for item in found.items])
    return float(np.mean(np.abs(own - truth) < 1.96 * errors))


def replicate(seed: list[int], judge: Judge, anchors: int, windows: int, size: int) -> list[float]:
    """One run: the figures of ``NAMES``."""
    generator = np.random.default_rng(seed)
    centres = generator.uniform(-6, 6, 5)
    truth = cells_of_responses(generator, centres, size, 2.0)
    texts = draw_anchors(generator, judge, anchors)
    error = generator.normal(0, 1, truth.shape) * judge.text_sd
    table = simulate(generator, judge, truth, windows, anchors=texts, response_error=error.ravel())
    found = evaluate(table)
    of_responses = np.polyfit(truth.mean(axis=1), error.mean(axis=1), 1)[0]
    of_anchors = np.polyfit(texts.intensity, texts.error, 1)[0]
    cells = np.array([cell.intensity for cell in found.cells])
    items = np.array([item.intensity for item in found.items])
    means, flat = population_means(centres, 2.0), truth.ravel()
    model = found.judges["value"]
    slope = float(np.polyfit(truth.mean(axis=1), cells, 1)[0])
    return [
        slope,
        float(slope - of_responses + of_anchors),
        float(np.sqrt(np.mean((cells - truth.mean(axis=1)) ** 2))),
        float(np.mean([c.lower <= x <= c.upper for c, x in zip(found.cells, means, strict=True)])),
        float(np.mean([e.lower <= x <= e.upper for e, x in zip(found.items, flat, strict=True)])),
        float(np.sqrt(np.mean((items - flat) ** 2))),
        alone_in(found, flat),
        model.scale,
        model.text_sd,
        model.lapse_rate,
        float(found.fit["value"].p_value < 0.01),
    ]


def simulated(arguments: argparse.Namespace) -> None:
    """Print a row for each judge, number of anchors and number of windows."""
    print("anchors scale text m " + "".join(f"{name:>10}" for name in NAMES))
    grid = itertools.product(arguments.anchors, arguments.scales, arguments.texts, (1, 3))
    for anchors, scale, text_sd, windows in grid:
        judge = Judge(scale, 0.1, text_sd, 0.02)
        runs = [
            replicate(
                [run, anchors, round(10 * scale), round(10 * text_sd)],
                judge,
                anchors,
                windows,
                arguments.size,
            )
            for run in range(arguments.replicates)
        ]
        row = "".join(f"{figure:10.3f}" for figure in np.mean(runs, axis=0))
        print(f"{anchors:7d} {scale:5.1f} {text_sd:4.1f} {windows} {row}", flush=True)


def real(folder: Path) -> None:
    """Print how well the published intensities of texts are found from a real judge's orders."""
    print("\nreal windows          column  correlation  slope   rmse  coverage")
    for name in ("rankings_first", "rankings_second"):
        lines = (folder / "real_judge" / f"{name}.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        known = {record["item"]: record["truth"] for record in records}
        found = evaluate(WindowTable.from_records(records))
        truth = np.array([known[item.item] for item in found.items])
        inside = np.mean([e.lower <= x <= e.upper for e, x in zip(found.items, truth, strict=True)])
        for column, held in (("intensity", inside), ("flat_prior", alone_in(found, truth))):
            own = np.array([getattr(item, column) for item in found.items])
            slope = np.polyfit(truth, own, 1)[0]
            rmse = np.sqrt(np.mean((own - truth) ** 2))
            r = np.corrcoef(own, truth)[0, 1]
            print(f"{name:>16} {column:>12} {r:12.3f} {slope:6.2f} {rmse:6.2f} {held:9.3f}")
        judges = found.judges.values()
        print(
            f"scale {np.median([j.scale for j in judges]):.2f}, text standard deviation "
            f"{np.median([j.text_sd for j in judges]):.2f} (medians over values); fit rejected at "
            f"0.01 for {sum(f.p_value < 0.01 for f in found.fit.values())} of {len(found.fit)}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=10)
    parser.add_argument("--scales", type=float, nargs="+", default=[0.3, 1.2, 3.0])
    parser.add_argument("--texts", type=float, nargs="+", default=[0.0, 2.0, 4.0])
    parser.add_argument("--anchors", type=int, nargs="+", default=[44, 20_000])
    parser.add_argument("--size", type=int, default=30)
    parser.add_argument("--data", type=Path, default=os.environ.get("VALUEFLOW_REAL_DATA"))
    arguments = parser.parse_args()
    if arguments.replicates:
        simulated(arguments)
    if arguments.data is None:
        print("no real windows: set VALUEFLOW_REAL_DATA or give --data")
    else:
        real(Path(arguments.data))


if __name__ == "__main__":
    main()
