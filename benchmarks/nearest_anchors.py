"""Anchors near the response against anchors from anywhere in a bucket.

Usage: python benchmarks/nearest_anchors.py [--replicates 10]

Each replicate is a run of five cells of 30 responses (spread 2, centres uniform on +-6), three
windows of six, 2% lapses, anchors from 44 or from 2,000 texts. Every text has a topic, a direction
in eight dimensions, by which an embedding model tells what is near; `sampling=nearest` draws from
the quarter of each bucket that is nearest to the response. The judge's standing disagreement with a
text is its own but for the share `topic`, which is a smooth function of the topic and so alike for
near texts: only that can cancel between a response and anchors near it. The judges: one that is
noise alone (scale 0.32), and one that is sharp in its own view (scale 1.2, 3.9 points).

Columns, for both samplings: root mean square error and coverage of the cells' 95% intervals against
the realised means; the same of single responses from their own windows.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from sharp_judges import alone_in

from simulated_windows import Anchors, Judge, cells_of_responses, population_means, simulate
from valueflow.hub_assets.inputs.anchors import Anchor
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.windows.draw import draw_windows, nearest_of_buckets

DIMENSIONS = 8
WINDOWS, TEXTS = 3, 6
JUDGES = ((0.32, 0.0, 0.0), (1.2, 3.9, 0.0), (1.2, 3.9, 0.5), (1.2, 3.9, 1.0))
"""Scale, disagreement in points, and the share of its variance that is the topic's."""


def topics(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Directions of so many texts."""
    found = generator.normal(size=(count, DIMENSIONS))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def panels(
    generator: np.random.Generator,
    anchors: list[Anchor],
    apart: NDArray[np.float64] | None,
    items: int,
) -> NDArray[np.int64]:
    """Anchors of all windows, drawn as runs draw them; with `apart` (items, anchors), near ones."""
    place = {anchor.text: number for number, anchor in enumerate(anchors)}
    rows = []
    for item in range(items):
        pool = anchors
        if apart is not None:
            pool = nearest_of_buckets(anchors, apart[item], WINDOWS, TEXTS)
        drawn = draw_windows(
            pool,
            windows=WINDOWS,
            window_size=TEXTS,
            sampling="bucket",
            places=[0] * WINDOWS,
            generator=generator,
        )
        rows += [[place[anchor.text] for anchor in window.anchors] for window in drawn.windows]
    return np.array(rows)


def replicate(seed: list[int], judge: Judge, share: float, count: int, near: bool) -> list[float]:
    """One run: four figures; the texts of a seed are the same for both samplings."""
    generator = np.random.default_rng(seed)
    centres = generator.uniform(-6, 6, 5)
    truth = cells_of_responses(generator, centres, 30, 2.0)
    taste = topics(generator, 1)[0]

    def errors(of: NDArray[np.float64]) -> NDArray[np.float64]:
        smooth = np.sqrt(DIMENSIONS) * of @ taste
        own = generator.normal(size=len(of))
        return np.asarray(judge.text_sd * (np.sqrt(share) * smooth + np.sqrt(1 - share) * own))

    held, asked = topics(generator, count), topics(generator, truth.size)
    intensity = np.round(generator.uniform(-10, 10, count), 2)
    texts = Anchors(intensity, errors(held))
    own = errors(asked)
    anchors = [Anchor(f"text {n}", float(x)) for n, x in enumerate(intensity)]
    panel = panels(generator, anchors, 1 - asked @ held.T if near else None, truth.size)
    table = simulate(
        generator, judge, truth, WINDOWS, anchors=texts, response_error=own, panel=panel
    )
    found = evaluate(table)
    cells = np.array([cell.intensity for cell in found.cells])
    items = np.array([item.flat_prior for item in found.items])
    inside = [
        cell.lower <= mean <= cell.upper
        for cell, mean in zip(found.cells, population_means(centres, 2.0), strict=True)
    ]
    return [
        float(np.sqrt(np.mean((cells - truth.mean(axis=1)) ** 2))),
        float(np.mean(inside)),
        float(np.sqrt(np.mean((items - truth.ravel()) ** 2))),
        alone_in(found, truth.ravel()),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicates", type=int, default=10)
    parser.add_argument("--anchors", type=int, nargs="*", default=[44, 2000])
    given = parser.parse_args()
    print("scale text topic anchors sampling  cells rmse    in   response rmse    in")
    for scale, text_sd, share in JUDGES:
        judge = Judge(scale, 0.0, text_sd, 0.02)
        for count in given.anchors:
            for near in (False, True):
                runs = [
                    replicate([run, count, round(10 * share)], judge, share, count, near)
                    for run in range(given.replicates)
                ]
                mean = np.mean(runs, axis=0)
                error = np.std([run[0] for run in runs]) / np.sqrt(len(runs))
                print(
                    f"{scale:5.2f} {text_sd:4.1f} {share:5.1f} {count:7d} "
                    f"{'nearest' if near else 'bucket':>8}  {mean[0]:5.2f} ±{error:4.2f} "
                    f"{mean[1]:5.2f}   {mean[2]:10.2f}  {mean[3]:6.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
