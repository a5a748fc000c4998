"""How often `valueflow compare` finds differences that are there, and that are not.

Usage: python benchmarks/comparison.py [--replicates 200]

Two runs of 4 values at 5 levels (20 cells, 16 shifts) with the same questions, ranked by a
simulated judge. Every response's intensity is its cell's centre, plus what its query adds in both
runs (standard deviation `--query-sd`), plus its own deviation (1.5). Under "null" both runs have
the same centres; under "gain" the upper levels of B lie 1 and 2 points higher. Printed, for means
and for shifts: the share of single tests below 5% where nothing differs, the share of runs with at
least one false finding without correction and after Holm's, the false share of the findings after
Benjamini and Hochberg's, the share of true differences found after Holm's and after theirs, the
coverage of the 95% intervals, and the mean standard error. "unpaired" runs have different queries,
and "two judges" differ in scale and place effect.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulated_windows import Anchors, Judge, draw_anchors, rank_windows
from valueflow.scorers.figures import adjusted
from valueflow.scorers.records import ResponseRecord, WindowRecord, cell_name
from valueflow.scorers.summary.comparison import CellDifference, Comparison, compare

Array = NDArray[np.float64]
VALUES = ("benevolence", "power", "security", "tradition")
LEVELS = (-2, -1, 0, 1, 2)
CENTRES = np.array([-3.0, -1.0, 1.0, 3.0, 4.5])
GAIN = np.array([0.0, 0.0, 0.0, -1.0, -2.0])
"""A minus B of the centres, where B goes farther up."""
RESPONSE_SD = 1.5


@dataclass(frozen=True)
class Design:
    """Two runs; ``gain`` is A minus B of the centres at each level (L,).

    ``judged_again``: B holds the responses of A, judged once more.
    """

    queries: int = 20
    windows: int = 2
    scale: float = 1.0
    query_sd: float = 1.5
    gain: tuple[float, ...] = (0.0,) * len(LEVELS)
    paired: bool = True
    two_judges: bool = False
    judged_again: bool = False
    values: tuple[str, ...] = VALUES


def responses_of_run(
    generator: np.random.Generator,
    judge: Judge,
    judge_name: str,
    anchors: dict[str, Anchors],
    truth: dict[str, Array],
    first_query: int,
    windows: int,
) -> list[ResponseRecord]:
    """Records of a run; ``truth`` (levels, queries) by value."""
    found: list[ResponseRecord] = []
    for value, intensity in truth.items():
        pool = anchors[value]
        ranks, places, item, panel = rank_windows(
            generator, judge, intensity.ravel(), pool, windows
        )
        orders, shown = np.argsort(ranks, axis=1).tolist(), np.argsort(places, axis=1).tolist()
        rows: list[list[WindowRecord]] = [[] for _ in range(intensity.size)]
        for window, owner in enumerate(item.tolist()):
            chosen = panel[window].tolist()
            rows[owner].append(
                {
                    "anchors": pool.intensity[chosen].tolist(),
                    "texts": [f"text {number}" for number in chosen],
                    "shown": shown[window],
                    "position": int(places[window, 0]),
                    "labels": [],
                    "order": orders[window],
                    "raw": [],
                    "calls": 1,
                    "repaired": False,
                    "failure": None,
                    "error": None,
                }
            )
        pairs = itertools.product(LEVELS, range(intensity.shape[1]))
        for own, (level, number) in zip(rows, pairs, strict=True):
            query = f"query {first_query + number}"
            cell = cell_name(value, level)
            found.append(
                {
                    "item": f"{query}/{cell}",
                    "query": query,
                    "epoch": 1,
                    "words": 50,
                    "over_word_limit": False,
                    "refusal": False,
                    "unscored": None,
                    "judge": {"model": judge_name, "prompt_version": "1", "vidb_sha256": "0"},
                    "values": {
                        value: {
                            "theory": "pvq",
                            "value": value,
                            "level": level,
                            "group": "",
                            "cell": cell,
                            "windows": own,
                            "borrowed": 0,
                            "repeated": 0,
                        }
                    },
                }
            )
    return found


def two_runs(
    generator: np.random.Generator, design: Design
) -> tuple[list[ResponseRecord], list[ResponseRecord]]:
    """Records of both runs."""
    judge = Judge(design.scale, place_effect=0.2, text_sd=0.5)
    other = Judge(design.scale / 2, place_effect=0.6, text_sd=0.5)
    anchors = {value: draw_anchors(generator, judge, 400) for value in design.values}
    theirs = anchors
    if design.two_judges:
        # The same texts, about which the second judge is wrong in its own way.
        theirs = {
            value: Anchors(pool.intensity, generator.normal(0, 0.5, len(pool.intensity)))
            for value, pool in anchors.items()
        }
    shape = (len(LEVELS), design.queries)
    runs: list[list[ResponseRecord]] = []
    kept: dict[str, Array] = {}
    effect = {v: generator.normal(0, design.query_sd, design.queries) for v in design.values}
    for number, sign in enumerate((0.0, -1.0)):
        if number and not design.paired:
            effect = {v: generator.normal(0, design.query_sd, design.queries) for v in effect}
        truth = {}
        for value in design.values:
            centre = CENTRES + sign * np.array(design.gain)
            noise = generator.normal(0, RESPONSE_SD, shape)
            truth[value] = np.clip(centre[:, None] + effect[value] + noise, -10, 10)
        if design.judged_again:
            truth = kept = kept or truth
        first = design.queries if number and not design.paired else 0
        second = number == 1 and design.two_judges
        runs.append(
            responses_of_run(
                generator,
                other if second else judge,
                "second" if second else "first",
                theirs if second else anchors,
                truth,
                first,
                design.windows,
            )
        )
    if design.judged_again:
        for record in itertools.chain(*runs):
            record["response_sha256"] = record["item"]
    return runs[0], runs[1]


def true_differences(design: Design, draws: int = 400_000) -> dict[tuple[str, int], float]:
    """A minus B of means and shifts by level, with intensities clipped as the runs' are."""
    generator = np.random.default_rng(0)
    spread = float(np.hypot(design.query_sd, RESPONSE_SD))
    normal = generator.normal(0, spread, draws)
    gain = np.array(design.gain)
    means = {
        level: float(
            np.clip(centre + normal, -10, 10).mean() - np.clip(centre - g + normal, -10, 10).mean()
        )
        if g
        else 0.0
        for level, centre, g in zip(LEVELS, CENTRES, gain, strict=True)
    }
    found = {("mean", level): difference for level, difference in means.items()}
    return found | {("shift", level): means[level] - means[0] for level in LEVELS if level}


@dataclass(frozen=True)
class Tally:
    """What came out of R comparisons, for one of mean and shift; shares in [0, 1]."""

    false_positives: float
    any_false_uncorrected: float
    any_false_holm: float
    false_share_bh: float
    found_holm: float
    found_bh: float
    coverage: float
    se: float


def tally(comparisons: list[Comparison], truth: dict[tuple[str, int], float], what: str) -> Tally:
    """Sums up comparisons of one design."""
    rows: list[list[CellDifference]] = [one.of(what) for one in comparisons]
    true = np.array([truth[what, row.level] for row in rows[0]])
    p_values = np.array([[row.p_value for row in run] for run in rows])
    holm = np.array([adjusted(run, "holm") for run in p_values])
    shares = np.array([adjusted(run, "bh") for run in p_values])
    null = true == 0
    finds = shares < 0.05
    inside = np.array([[row.lower <= t <= row.upper for row, t in zip(run, true, strict=True)]
                       for run in rows])  # fmt: skip
    return Tally(
        false_positives=float((p_values[:, null] < 0.05).mean()),
        any_false_uncorrected=float((p_values[:, null] < 0.05).any(axis=1).mean()),
        any_false_holm=float((holm[:, null] < 0.05).any(axis=1).mean()),
        false_share_bh=float((finds[:, null].sum(1) / np.maximum(finds.sum(1), 1)).mean()),
        found_holm=float((holm[:, ~null] < 0.05).mean()) if (~null).any() else float("nan"),
        found_bh=float(finds[:, ~null].mean()) if (~null).any() else float("nan"),
        coverage=float(inside.mean()),
        se=float(np.mean([[row.se for row in run] for run in rows])),
    )


def replicated(design: Design, replicates: int, seed: int = 0) -> list[Comparison]:
    """Comparisons of independent pairs of runs."""
    return [
        compare(*two_runs(np.random.default_rng([seed, number]), design))
        for number in range(replicates)
    ]


def designs() -> Iterator[tuple[str, Design]]:
    gain = tuple(GAIN.tolist())
    for queries in (5, 10, 20, 50):
        yield f"null, {queries} queries", Design(queries=queries)
    yield "null, 20 queries, scale 0.3", Design(scale=0.3)
    yield "null, 20 queries, unpaired", Design(paired=False)
    yield "null, 20 queries, two judges", Design(two_judges=True)
    for queries in (10, 20, 50):
        yield f"gain, {queries} queries", Design(queries=queries, gain=gain)
    yield "gain, 20 queries, unpaired", Design(paired=False, gain=gain)
    yield "gain, 20 queries, two judges", Design(two_judges=True, gain=gain)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--replicates", type=int, default=200)
    arguments = parser.parse_args()
    print(f"{arguments.replicates} pairs of runs; 4 values, 5 levels, two windows of six")
    print(
        f"{'design':32} {'of':5} {'false':>6} {'any':>6} {'Holm':>6} {'BH fdr':>6} "
        f"{'found':>6} {'BH':>6} {'cover':>6} {'se':>5}"
    )
    for name, design in designs():
        comparisons = replicated(design, arguments.replicates)
        truth = true_differences(design)
        for what in ("mean", "shift"):
            t = tally(comparisons, truth, what)
            print(
                f"{name:32} {what:5} {t.false_positives:6.3f} {t.any_false_uncorrected:6.3f} "
                f"{t.any_false_holm:6.3f} {t.false_share_bh:6.3f} {t.found_holm:6.3f} "
                f"{t.found_bh:6.3f} {t.coverage:6.3f} {t.se:5.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
