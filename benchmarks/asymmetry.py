"""Up against down: an estimator must not make one direction easier than the other by itself.

Usage: python benchmarks/asymmetry.py [--replicates 20]
       python benchmarks/asymmetry.py --bent [--replicates 8]

The truth is symmetric about the default: cells at -4, 0 and +4 (100 responses each, spread 2), the
responses of the lower cell being the mirror image of the upper one's.  Judges have Plackett-Luce
(Gumbel), normal or reversed-Gumbel noise of equal variance.  Printed is |shift up| - |shift down|,
averaged over replicates, with its Monte-Carlo standard error, beside the published estimator's; and
the shift up itself, whose truth is 4.  A run holds ten such triples: the judge is estimated from
3000 responses.

With ``--bent`` the judge tells texts apart half as well on one side of the scale, beside one that
does not; its disagreement with single texts and the number of anchors vary.  Printed are asymmetry
and shift up with the bend found from the anchors' orders, the coverage of the cells' 95 % intervals
and the share of runs in which a bend was believed, beside the same of a straight judge fitted to
the same windows.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from numpy.typing import NDArray

from simulated_windows import NOISES, Judge, draw_anchors, simulate
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.evidence import bend

Array = NDArray[np.float64]
TRIPLES = 10


def mirrored_truth(generator: np.random.Generator, triples: int) -> Array:
    """Intensities (3 * triples, 100): default, up and its mirror image down, triple by triple."""
    rows = []
    for _ in range(triples):
        half = generator.normal(0, 2, 50)
        default = np.concatenate([half, -half])
        up = np.clip(4 + generator.normal(0, 2, 100), -10, 10)
        rows += [default, up, -up]
    return np.array(rows)


def replicate(seed: list[int], judge: Judge, windows: int) -> Array:
    """Asymmetry of our estimator and of the reference, our shift up and the reference's (4,)."""
    generator = np.random.default_rng(seed)
    truth = mirrored_truth(generator, TRIPLES)
    table = simulate(generator, judge, truth, windows)
    figures = []
    for estimator in ("population", "reference"):
        cells = evaluate(table, estimator=estimator).cells
        default, up, down = np.array([cell.intensity for cell in cells]).reshape(-1, 3).T
        figures.append((np.abs(up - default) - np.abs(down - default)).mean())
        figures.append((up - default).mean() - (truth[1::3] - truth[::3]).mean() + 4)
    return np.array(figures)[[0, 2, 1, 3]]


def half_as_sharp_below(intensity: Array) -> Array:
    """A view of the scale that rises half as fast on the opposing side."""
    return np.where(intensity > 0, intensity, intensity / 2)


def bent_replicate(seed: list[int], judge: Judge, anchors: int) -> list[float]:
    """Asymmetry, shift up, coverage and whether there is a bend; the same held straight."""
    generator = np.random.default_rng(seed)
    truth = mirrored_truth(generator, TRIPLES)
    table = simulate(generator, judge, truth, 1, anchors=draw_anchors(generator, judge, anchors))
    figures: list[float] = []
    least = bend.LEAST_GAIN
    for gain in (least, np.inf):
        bend.LEAST_GAIN = gain
        found = evaluate(table)
        default, up, down = np.array([c.intensity for c in found.cells]).reshape(-1, 3).T
        figures.append(float((np.abs(up - default) - np.abs(down - default)).mean()))
        figures.append(float((up - default).mean() - (truth[1::3] - truth[::3]).mean() + 4))
        held = [
            c.lower <= x <= c.upper for c, x in zip(found.cells, truth.mean(axis=1), strict=True)
        ]
        figures.append(float(np.mean(held)))
        figures.append(float(found.judges["value"].bend != bend.STRAIGHT))
    bend.LEAST_GAIN = least
    return figures


def bent_table(replicates: int) -> None:
    """A row for each judge and number of anchors."""
    print("view      scale text anchors    asymmetry  shift up  coverage    bent |  straight: same")
    views = (("straight", np.asarray), ("half below", half_as_sharp_below))
    judges = ((0.3, 0.0, 2000), (1.0, 0.0, 2000), (1.2, 3.9, 2000), (1.2, 3.9, 44))
    for (name, view), (scale, text, anchors) in itertools.product(views, judges):
        judge = Judge(scale, text_sd=text, view=view)
        runs = np.array(
            [
                bent_replicate([run, anchors, round(text)], judge, anchors)
                for run in range(replicates)
            ]
        )
        mean = runs.mean(axis=0)
        error = runs[:, 0].std(ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else np.nan
        print(
            f"{name:10} {scale:4.1f} {text:4.1f} {anchors:7d} {mean[0]:7.2f} ±{error:4.2f} "
            f"{mean[1]:9.2f} {mean[2]:9.3f} {mean[3]:7.2f} | {mean[4]:7.2f} {mean[5]:7.2f} "
            f"{mean[6]:7.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=20)
    parser.add_argument("--scales", type=float, nargs="+", default=[0.2, 0.5, 1.0, 3.0])
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--bent", action="store_true")
    arguments = parser.parse_args()
    if arguments.bent:
        bent_table(arguments.replicates)
        return
    print(f"{arguments.replicates} replicates; truth: asymmetry 0, shift 4")
    print("scale           noise  m     asymmetry   ref asymmetry      shift up    ref shift up")
    for scale, noise, windows in itertools.product(arguments.scales, NOISES, arguments.windows):
        judge = Judge(scale, noise=noise)
        runs = np.array(
            [
                replicate([run, round(10 * scale), NOISES.index(noise), windows], judge, windows)
                for run in range(arguments.replicates)
            ]
        )
        mean = runs.mean(axis=0)
        error = runs.std(axis=0, ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else mean * np.nan
        figures = "  ".join(f"{m:7.3f} ±{e:5.3f}" for m, e in zip(mean, error, strict=True))
        print(f"{scale:5.1f} {noise:>15} {windows:2d} {figures}", flush=True)


if __name__ == "__main__":
    main()
