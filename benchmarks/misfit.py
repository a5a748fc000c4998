"""Judges outside the model: how far estimates and coverage degrade, and whether the fit tells.

Usage: python benchmarks/misfit.py [--replicates 10] [--scale 1.0] [--windows 3]

Runs of 30 cells of 100 responses (spread 2, centres uniform on ±6), anchors from 500 texts.  The
judges: the model itself; one with normal noise (Thurstone's case V); one that ignores differences
under 2 points, perceiving intensities in steps of 2; one that takes rejection for support of equal
strength; one that prefers longer texts, with anchors of all lengths (1 point a standard deviation)
and responses 1.5 points' worth longer than the anchors.  ``p`` is the median p-value of the fit,
``alarms`` the share of runs with p < 0.01, ``listed`` the mean number of anchors disagreed with.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from simulated_windows import (
    Anchors,
    Judge,
    cells_of_responses,
    draw_anchors,
    population_means,
    simulate,
)
from valueflow.scorers.estimate.evaluation import evaluate

Array = NDArray[np.float64]
JUDGES = (
    "the model",
    "normal noise",
    "steps of 2 points",
    "inverts negatives",
    "prefers longer texts",
)
NAMES = (
    "bias",
    "slope",
    "rmse",
    "cell cover",
    "item cover",
    "ref bias",
    "ref slope",
    "p",
    "listed",
)


def steps_of_two(intensity: Array) -> Array:
    """Intensities as perceived by a judge that ignores differences under 2 points."""
    return np.asarray(2 * np.round(intensity / 2))


def judge_named(name: str, scale: float) -> Judge:
    """The judge of that name."""
    if name == "normal noise":
        return Judge(scale, noise="normal")
    if name == "steps of 2 points":
        return Judge(scale, view=steps_of_two)
    if name == "inverts negatives":
        return Judge(scale, view=np.abs)
    return Judge(scale)


def replicate(seed: list[int], name: str, scale: float, windows: int) -> list[float]:
    """One run: the figures of ``NAMES``."""
    generator = np.random.default_rng(seed)
    judge = judge_named(name, scale)
    centres = generator.uniform(-6, 6, 30)
    truth = cells_of_responses(generator, centres, 100, 2.0)
    anchors = draw_anchors(generator, judge, 500)
    length: Array | None = None
    if name == "prefers longer texts":
        anchors = Anchors(anchors.intensity, generator.normal(0, 1, 500))
        length = generator.normal(1.5, 1, truth.size)
    table = simulate(generator, judge, truth, windows, anchors=anchors, response_error=length)
    result = evaluate(table)
    peer = np.array([cell.intensity for cell in evaluate(table, estimator="reference").cells])
    real, estimate = truth.mean(axis=1), np.array([cell.intensity for cell in result.cells])
    means = population_means(centres, 2.0)
    inside = [c.lower <= mean <= c.upper for c, mean in zip(result.cells, means, strict=True)]
    held = [e.lower <= x <= e.upper for e, x in zip(result.items, truth.ravel(), strict=True)]
    fit = result.fit["value"]
    return [
        float(np.mean(estimate - real)),
        float(np.polyfit(real, estimate, 1)[0]),
        float(np.sqrt(np.mean((estimate - real) ** 2))),
        float(np.mean(inside)),
        float(np.mean(held)),
        float(np.mean(peer - real)),
        float(np.polyfit(real, peer, 1)[0]),
        fit.p_value,
        float(len(fit.disagreements)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=10)
    parser.add_argument("--scales", type=float, nargs="+", default=[0.3, 1.0, 3.0])
    parser.add_argument("--windows", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{arguments.replicates} replicates, {arguments.windows} windows a response")
    print("scale                judge " + "".join(f"{n:>11}" for n in NAMES) + "     alarms")
    for scale in arguments.scales:
        for number, name in enumerate(JUDGES):
            runs = np.array(
                [
                    replicate([run, number, round(10 * scale)], name, scale, arguments.windows)
                    for run in range(arguments.replicates)
                ]
            )
            figures = runs.mean(axis=0)
            figures[7] = np.median(runs[:, 7])
            row = "".join(f"{figure:11.3f}" for figure in figures)
            alarms = np.mean(runs[:, 7] < 0.01)
            print(f"{scale:5.1f} {name:>20} {row}{alarms:11.2f}", flush=True)


if __name__ == "__main__":
    main()
