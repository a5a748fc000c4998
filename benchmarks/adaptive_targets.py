"""Adaptive windows with a wanted standard error: is it met, is it honest, and what does it save?

Usage: python benchmarks/adaptive_targets.py [--replicates 4] [--size 30]

Five cells of ``--size`` responses (spread 2), at most ten windows of six texts, 300 anchors, judges
of known scale and disagreement with single texts (``text``, points).  The run assumes a judge of
scale 1.2 and text 3.9 at first, whatever it is, and learns from its own windows.  Every third row
or so wants what no window can give: the judge's own disagreement with a text is larger.

Columns: windows a response took; mean standard error from its own windows, RMSE and coverage of
mean ± 1.96 se under `evaluate` on all windows of the run; RMSE of cells about their realised means;
share of responses that stopped at the target, and because no window could take them there.  Then
RMSE of responses from 1, 3 and 10 `bucket` windows, and how many of these have the RMSE of the
adaptive ones (by interpolation of 1 / RMSE^2; their number is the same for all responses, and must
be known beforehand).
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from simulated_studies import CENTRES, adaptive_study
from simulated_windows import Judge, cells_of_responses, draw_anchors, simulate
from valueflow.scorers.estimate.evaluation import Evaluation, evaluate

Array = NDArray[np.float64]
BUCKET = (1, 2, 3, 5, 10)
# Rated, scale, text, target.
ROWS = (
    (False, 0.3, 0.0, 2.5),
    (False, 1.0, 0.0, 1.5),
    (False, 3.0, 0.0, 0.7),
    (False, 1.2, 2.0, 2.5),
    (False, 1.2, 3.9, 1.5),
    (True, 0.3, 0.0, 2.5),
    (True, 1.2, 0.0, 0.8),
    (True, 1.2, 1.0, 1.5),
    (True, 1.2, 3.9, 1.5),
)


def figures(truth: Array, estimate: Array, se: Array, cells: Array) -> Array:
    """RMSE, coverage, and RMSE of cells, from arrays by response and errors of cells."""
    error = estimate - truth
    inside = np.abs(error) < 1.96 * se
    return np.array([np.sqrt(np.mean(error**2)), inside.mean(), np.sqrt(np.mean(cells**2))])


def cell_errors(found: Evaluation, truth: Array, names: Array) -> Array:
    """Errors of cells about the means of their responses' truths."""
    means = {name: truth[names == name].mean() for name in np.unique(names)}
    return np.array([cell.intensity - means[cell.cell] for cell in found.cells])


def with_buckets(seed: int, scale: float, text_sd: float, rated: bool, size: int) -> Array:
    """Figures (BUCKET, 3) of bucket windows."""
    generator = np.random.default_rng([seed, round(100 * scale), round(10 * text_sd), rated, 1])
    judge = Judge(scale, text_sd=text_sd, rating_level=1.0, rating_slope=0.85)
    anchors = draw_anchors(generator, judge, 300)
    truth = cells_of_responses(generator, CENTRES, size, 2.0)
    rows = []
    for windows in BUCKET:
        found = evaluate(simulate(generator, judge, truth, windows, anchors=anchors, rated=rated))
        places = [int(item.item.split()[1]) for item in found.items]
        rows.append(
            figures(
                truth.ravel()[places],
                np.array([item.flat_prior for item in found.items]),
                np.array([item.flat_prior_se for item in found.items]),
                cell_errors(
                    found, truth.ravel()[places], np.array([item.cell for item in found.items])
                ),
            )
        )
    return np.array(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=4)
    parser.add_argument("--size", type=int, default=30)
    options = parser.parse_args()
    print(
        "asked   scale text target | windows   se RMSE cover cells target none "
        "| bucket of 1     3    10   same"
    )
    for rated, scale, text, target in ROWS:
        rows, buckets = [], []
        for seed in range(options.replicates):
            found = adaptive_study(
                seed, scale, text, rated=rated, target_se=target, size=options.size
            )
            names = np.array([item.cell for item in found.evaluation.items])
            cells = cell_errors(found.evaluation, found.truth, names)
            count = len(found.truth)
            rows.append(
                [
                    found.windows.mean(),
                    found.se.mean(),
                    *figures(found.truth, found.estimate, found.se, cells),
                    found.stopped["target"] / count,
                    found.stopped["disagreement"] / count,
                ]
            )
            buckets.append(with_buckets(seed, scale, text, rated, options.size))
        mean, bucket = np.mean(rows, axis=0), np.mean(buckets, axis=0)
        # The same error by bucket windows; more of them may not reach it.
        same = float(np.interp(mean[2] ** -2, bucket[:, 0] ** -2, BUCKET))
        few, three, many = bucket[[0, 2, 4], 0]
        print(
            f"{'ratings' if rated else 'ranks':7} {scale:5.1f} {text:4.1f} {target:6.1f} | "
            f"{mean[0]:7.2f} {mean[1]:4.2f} {mean[2]:4.2f} {mean[3]:5.3f} {mean[4]:5.2f} "
            f"{mean[5]:6.2f} {mean[6]:4.2f} | {few:5.2f} {three:5.2f} {many:5.2f} {same:6.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
