"""Cells of any form and figures of few questions: bias and coverage, beside what came before.

Usage: python benchmarks/populations.py [--replicates 120] [--tables cells figures]

`cells` draws cells that are normal (centre within ±6, spread 2), split (90 % at 10 and the others
at -10; half and half) or pressed against the end of the scale (normal about 10.5, truncated),
and prints mean error, root mean square error, mean standard error and the coverage of the 95 %
interval of the mean, by the flexible population and by a truncated normal one (location and spread
integrated over on a grid). The judge is known, so that the populations alone are tested.

`figures` draws runs of one value at five levels whose questions move all levels alike, and prints
the same for slope, range, asymmetry, sign accuracy and monotonicity, by `summarize` and as they
were read before: within a question, from the maximum-likelihood estimates of its responses,
averaged over questions with 1.96 standard errors.  Here the judge is estimated.
"""

from __future__ import annotations

import argparse
import itertools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from design_coverage import windows_of
from numpy.typing import NDArray

from simulated_windows import (
    Judge,
    cells_of_responses,
    draw_anchors,
    population_means,
    simulate,
)
from valueflow.scorers.estimate.cells import normal_populations
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.evidence.value import ValueWindows
from valueflow.scorers.estimate.judge import JudgeModel, errors_of_known
from valueflow.scorers.estimate.responses import (
    intensity_grid,
    relative_likelihood,
    response_log_likelihood,
)
from valueflow.scorers.estimate.table import WindowTable
from valueflow.scorers.figures import mean_figure
from valueflow.scorers.records import ResponseRecord, cell_name
from valueflow.scorers.summary.run import summarize

Array = NDArray[np.float64]
KINDS = ("normal", "90 % at 10", "half at each end", "at the end")
LEVELS = (-2, -1, 0, 1, 2)
MEANS = (-3.0, -1.5, 0.5, 2.0, 3.5)
QUERY_SD, RESPONSE_SD = 1.2, 1.5


def responses(generator: np.random.Generator, kind: str, count: int) -> tuple[Array, float]:
    """Intensities (count,) of a cell and the mean of what they are drawn from."""
    if kind == "normal":
        centre = generator.uniform(-6, 6, 1)
        drawn = cells_of_responses(generator, centre, count, 2.0)[0]
        return drawn, float(population_means(centre, 2.0)[0])
    if kind == "at the end":
        drawn = cells_of_responses(generator, np.array([10.5]), count, 1.5)[0]
        return drawn, float(population_means(np.array([10.5]), 1.5)[0])
    share = 0.9 if kind == "90 % at 10" else 0.5
    return np.where(generator.random(count) < share, 10.0, -10.0), 20 * share - 10


def by_normal_population(table: WindowTable, judge: JudgeModel) -> list[tuple[float, ...]]:
    """Mean, standard error and interval of each cell under a truncated normal population."""
    value = ValueWindows(table, 0)
    texts = float(value.orders.present.sum(axis=1).max())
    grid = intensity_grid(judge.scale, texts, value.evidence)
    known = errors_of_known(value.orders, int(table.anchor_key.max()) + 1, judge)
    count = len(value.items)
    logs = response_log_likelihood(value.orders, value.item, count, judge, known, grid)
    rows = relative_likelihood(logs)
    fine = normal_populations(len(grid), float(grid[-1]), locations=241, spreads=25)
    found = []
    for members in value.members:
        log = np.log(np.maximum(rows[members] @ fine.density.T, 1e-300)).sum(axis=0)
        weight = np.exp(log + fine.log_weight - (log + fine.log_weight).max())
        weight /= weight.sum()
        mean = float(weight @ fine.mean)
        se = float(np.sqrt(weight @ (fine.mean - mean) ** 2))
        found.append((mean, se, max(mean - 1.96 * se, -10.0), min(mean + 1.96 * se, 10.0)))
    return found


def printed(name: str, rows: Sequence[tuple[float, ...]]) -> str:
    """Mean error, RMSE, standard error and coverage of (truth, estimate, error, lower, upper)."""
    truth, value, se, lower, upper = np.array(rows).T
    off = value - truth
    held = ((lower - 1e-9 <= truth) & (truth <= upper + 1e-9)).mean()
    return (
        f"{name} {off.mean():+.2f} | {np.sqrt((off**2).mean()):.2f} | {se.mean():.2f} | {held:.3f}"
    )


def cells_table(replicates: int, sizes: Sequence[int], windows: Sequence[int]) -> None:
    """One row a kind of cell, size and judge."""
    print("| cell | responses | windows | scale | text | bias | RMSE | se | 95 % ", end="")
    print("| before: bias | RMSE | se | 95 % |\n|" + "---|" * 13)
    cases = itertools.product(KINDS, sizes, windows, (0.3, 1.2, 3.0), (0.0, 2.0, 4.0))
    for kind, count, each, scale, text in cases:
        ours: list[tuple[float, ...]] = []
        before: list[tuple[float, ...]] = []
        for replicate in range(-(-replicates // 6)):
            seed = [replicate, count, each, round(10 * scale), round(10 * text), KINDS.index(kind)]
            generator = np.random.default_rng(seed)
            drawn = [responses(generator, kind, count) for _ in range(6)]
            judge = Judge(scale, text_sd=text)
            anchors = draw_anchors(generator, judge, reach=9.0)
            truth = np.array([row for row, _ in drawn])
            table = simulate(generator, judge, truth, each, anchors=anchors)
            model = JudgeModel(scale, text_sd=text)
            for cell, (_, mean) in zip(evaluate(table, judge=model).cells, drawn, strict=True):
                ours.append((mean, cell.intensity, cell.se, cell.lower, cell.upper))
            for row, (_, mean) in zip(by_normal_population(table, model), drawn, strict=True):
                before.append((mean, *row))
        start = f"| {kind} | {count} | {each} | {scale:g} | {text:g} |"
        print(printed(start, ours), printed("|", before), "|", flush=True)


def run_records(
    generator: np.random.Generator, judge: Judge, questions: int, windows: int
) -> list[ResponseRecord]:
    """Responses of one value at five levels to every question."""
    query = generator.normal(0, QUERY_SD, questions)
    own = generator.normal(0, RESPONSE_SD, (len(LEVELS), questions))
    truth = np.clip(np.array(MEANS)[:, None] + query + own, -10, 10)
    anchors = draw_anchors(generator, judge, reach=9.0)
    found = windows_of(generator, judge, anchors, truth, windows)
    return [
        {
            "item": f"q{number}/{level}#1",
            "query": f"q{number}",
            "epoch": 1,
            "words": 50,
            "over_word_limit": False,
            "refusal": False,
            "unscored": None,
            "values": {
                "power": {
                    "theory": "pvq",
                    "value": "power",
                    "level": level,
                    "group": "",
                    "cell": cell_name("power", level),
                    "windows": found[place][number],
                    "borrowed": 0,
                    "repeated": 0,
                }
            },
        }
        for number in range(questions)
        for place, level in enumerate(LEVELS)
    ]


def true_figures() -> dict[str, float]:
    """The figures of the populations, from a large draw of them."""
    generator = np.random.default_rng(0)
    query = generator.normal(0, QUERY_SD, 400_000)
    own = generator.normal(0, RESPONSE_SD, (len(LEVELS), 400_000))
    drawn = np.clip(np.array(MEANS)[:, None] + query + own, -10, 10)
    mean = drawn.mean(axis=1)
    rises = {
        (i, j): float((drawn[j] > drawn[i]).mean())
        for i, j in itertools.combinations(range(len(LEVELS)), 2)
    }
    signs = [rises[0, 2], rises[1, 2], rises[2, 3], rises[2, 4]]
    return {
        "slope": float(np.polyfit(LEVELS, mean, 1)[0]),
        "range": float(mean[4] - mean[0]),
        "asymmetry": float(abs(mean[4] - mean[2]) - abs(mean[0] - mean[2])),
        "sign_accuracy": float(np.mean(signs)),
        "monotonicity": 2 * float(np.mean(list(rises.values()))) - 1,
    }


def within_questions(peaks: Array) -> dict[str, tuple[float, ...]]:
    """The figures from estimates (levels, questions) of single responses, with 1.96 errors."""
    up, down = peaks[4] - peaks[2], peaks[0] - peaks[2]
    pairs = list(itertools.combinations(range(len(LEVELS)), 2))
    moved = np.array([up, peaks[3] - peaks[2], -down, peaks[2] - peaks[1]])
    numbers = {
        "slope": np.array(LEVELS) @ peaks / 10,
        "range": peaks[4] - peaks[0],
        "asymmetry": np.sign(up.mean()) * up + np.sign(-down.mean()) * down,
        "sign_accuracy": ((moved > 0) + 0.5 * (moved == 0)).mean(axis=0),
        "monotonicity": np.mean([np.sign(peaks[j] - peaks[i]) for i, j in pairs], axis=0),
    }
    found = {name: mean_figure(own.tolist()) for name, own in numbers.items()}
    return {
        name: (one.value, one.se, one.value - 1.96 * one.se, one.value + 1.96 * one.se)
        for name, one in found.items()
    }


def figures_table(replicates: int, sizes: Sequence[int], windows: Sequence[int]) -> None:
    """One row a figure, number of questions and judge."""
    truth = true_figures()
    print(
        "\n| figure | truth | questions | windows | scale | text | bias | RMSE | se | 95 % ", end=""
    )
    print("| before: bias | RMSE | se | 95 % |\n|" + "---|" * 14)
    for count, each, scale, text in itertools.product(sizes, windows, (0.3, 1.2), (0.0, 2.0)):
        ours: dict[str, list[tuple[float, ...]]] = defaultdict(list)
        before: dict[str, list[tuple[float, ...]]] = defaultdict(list)
        for replicate in range(replicates):
            seed = [replicate, count, each, round(10 * scale), round(10 * text)]
            generator = np.random.default_rng(seed)
            judge = Judge(scale, text_sd=text)
            summary = summarize(run_records(generator, judge, count, each))
            evaluation = summary.evaluation
            assert evaluation is not None
            peak = {(i.cell, i.query): i.maximum_likelihood for i in evaluation.items}
            names = [cell_name("power", level) for level in LEVELS]
            peaks = np.array([[peak[name, f"q{q}"] for q in range(count)] for name in names])
            for name, row in within_questions(peaks).items():
                before[name].append((truth[name], *row))
                figure = summary.values[0].figures[name]
                ours[name].append((truth[name], figure.value, figure.se, *figure.interval))
        for name, rows in ours.items():
            start = f"| {name} | {truth[name]:.2f} | {count} | {each} | {scale:g} | {text:g} |"
            print(printed(start, rows), printed("|", before[name]), "|", flush=True)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=120)
    parser.add_argument("--tables", nargs="+", default=["cells", "figures"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 3, 5, 10, 20, 100])
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 3])
    options = parser.parse_args()
    for name, table in (("cells", cells_table), ("figures", figures_table)):
        if name in options.tables:
            table(options.replicates, options.sizes, options.windows)


if __name__ == "__main__":
    main()
