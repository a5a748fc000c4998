"""How often 95% intervals of pair, square and composite figures hold the truth.

Usage: python benchmarks/design_coverage.py [--replicates 200] [--queries 20 50] [--designs pair]

Each replicate is one run whose responses have known intensities: a pair of values at four pairs of
levels with the members' single conditions, a square of five values with the single conditions of
all, and a value steered by its children and directly. A response's intensity is its cell's centre,
plus what its query adds in every condition (standard deviation 1.2, in part common to all values),
plus its own deviation (1.5). Every response is ranked in two windows of six by a simulated judge,
whose scale and place effect are estimated. Nothing is known to the statistics but the windows.

Printed, for every figure: its true value (the range where there are several), the mean error, the
root mean square error, the median standard error, and the coverage of the figure's 95 % interval
over replicates and figures of that kind.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from simulated_windows import Anchors, Judge, draw_anchors, rank_windows
from valueflow.hub_assets.settings import condition_name
from valueflow.scorers.figures import Figure
from valueflow.scorers.records import ResponseRecord, ValueRecord, WindowRecord, cell_name
from valueflow.scorers.summary.run import RunSummary, summarize

Targets = tuple[tuple[str, str, int], ...]

PAIR = ("power", "universalism")
PAIR_LEVELS = ((2, 2), (-2, -2), (2, 1), (1, 2))
FIVE = ("benevolence", "universalism", "conformity", "tradition", "security")
PATTERN = (2, 1, 1, -1, -2)
COMPOSITE, CHILDREN = "benevolence", ("caring", "dependability")
LEVELS = (-2, -1, 1, 2)
DEFAULTS = {
    "power": -1.0,
    "universalism": 1.5,
    "benevolence": 1.0,
    "conformity": 0.5,
    "tradition": -0.5,
    "security": 0.0,
}
QUERY_SD, COMMON_SD, RESPONSE_SD, WINDOWS = 0.85, 0.85, 1.5, 2
"""Standard deviations, in points, of what a query adds to one value and to all of them."""


@dataclass(frozen=True)
class Law:
    """What steering does: `step` points a level on the value itself, `cross` times that on others;
    of summed effects `together` is left in a pair, and in a square `upward` and `downward`."""

    step: float = 1.8
    cross: float = -0.15
    together: float = 0.8
    upward: float = 0.8
    downward: float = 0.4
    children: float = 0.6

    def alone(self, steered: str, level: int, measured: str) -> float:
        """The shift of a value when one is steered."""
        return self.step * level * (1.0 if steered == measured else self.cross)


@dataclass(frozen=True)
class Condition:
    """One way of asking: its targets, the design that it belongs to, and true means by value."""

    targets: Targets
    design: str
    part_of: str
    means: dict[str, float]


def conditions(law: Law, design: str) -> list[Condition]:
    """The default and all conditions of a pair, a square or a composite, with the true means."""
    if design == "pair":
        values, found = PAIR, _pair(law)
    elif design == "five":
        values, found = FIVE, _square(law)
    else:
        values, found = (COMPOSITE,), _composite(law)
    return [Condition((), "steer", "", {v: DEFAULTS[v] for v in values}), *found]


def _single(law: Law, steered: str, level: int, scored: Sequence[str]) -> Condition:
    means = {v: DEFAULTS[v] + law.alone(steered, level, v) for v in scored}
    return Condition((("pvq", steered, level),), "steer", "", means)


def _pair(law: Law) -> Iterator[Condition]:
    for place, member in enumerate(PAIR):
        for level in dict.fromkeys(both[place] for both in PAIR_LEVELS):
            yield _single(law, member, level, PAIR)
    for levels in PAIR_LEVELS:
        steered = list(zip(PAIR, levels, strict=True))
        means = {
            v: DEFAULTS[v] + law.together * sum(law.alone(s, level, v) for s, level in steered)
            for v in PAIR
        }
        targets = tuple(("pvq", v, level) for v, level in steered)
        yield Condition(targets, "pair", "&".join(PAIR), means)


def _square(law: Law) -> Iterator[Condition]:
    for value, level in itertools.product(FIVE, LEVELS):
        yield _single(law, value, level, (value,))
    for row in range(len(FIVE)):
        levels = [PATTERN[(place - row) % len(FIVE)] for place in range(len(FIVE))]
        left = [law.upward if level > 0 else law.downward for level in levels]
        rows = list(zip(FIVE, levels, left, strict=True))
        means = {v: DEFAULTS[v] + share * law.alone(v, level, v) for v, level, share in rows}
        yield Condition(tuple(("pvq", v, lv) for v, lv, _ in rows), "five", "pvq", means)


def _composite(law: Law) -> Iterator[Condition]:
    for level in LEVELS:
        yield _single(law, COMPOSITE, level, (COMPOSITE,))
        mean = DEFAULTS[COMPOSITE] + law.children * law.alone(COMPOSITE, level, COMPOSITE)
        targets = tuple(("pvq", child, level) for child in CHILDREN)
        yield Condition(targets, "composite", COMPOSITE, {COMPOSITE: mean})


def run_records(
    generator: np.random.Generator, judge: Judge, asked: Sequence[Condition], queries: int
) -> list[ResponseRecord]:
    """The responses of a run to every query under every condition, ranked."""
    common = generator.normal(0, COMMON_SD, queries)
    windows: dict[tuple[int, str], list[list[WindowRecord]]] = {}
    for value in asked[0].means:
        here = [i for i, one in enumerate(asked) if value in one.means]
        centre = np.array([asked[i].means[value] for i in here])
        by_query = common + generator.normal(0, QUERY_SD, queries)
        truth = centre[:, None] + by_query + generator.normal(0, RESPONSE_SD, (len(here), queries))
        anchors = draw_anchors(generator, judge)
        found = windows_of(generator, judge, anchors, np.clip(truth, -10, 10), WINDOWS)
        windows |= {(i, value): rows for i, rows in zip(here, found, strict=True)}
    return [
        _response(one, query, {v: windows[i, v][query] for v in one.means})
        for query in range(queries)
        for i, one in enumerate(asked)
    ]


def windows_of(
    generator: np.random.Generator,
    judge: Judge,
    anchors: Anchors,
    truth: np.ndarray,
    windows_each: int,
) -> list[list[list[WindowRecord]]]:
    """Windows by cell and query, of responses of true intensities (cells, queries)."""
    ranks, places, item, panel = rank_windows(
        generator, judge, truth.ravel(), anchors, windows_each
    )
    orders, shown = np.argsort(ranks, axis=1).tolist(), np.argsort(places, axis=1).tolist()
    found: list[list[list[WindowRecord]]] = [[[] for _ in row] for row in truth]
    for window, owner in enumerate(item.tolist()):
        chosen = panel[window].tolist()
        cell, query = divmod(owner, truth.shape[1])
        found[cell][query].append(
            {
                "anchors": anchors.intensity[chosen].tolist(),
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
    return found


def _response(
    asked: Condition, query: int, windows: dict[str, list[WindowRecord]]
) -> ResponseRecord:
    values: dict[str, ValueRecord] = {}
    for value, own in windows.items():
        level = next((lv for _, name, lv in asked.targets if name == value), 0)
        if asked.design == "composite":
            level = asked.targets[0][2]
        others = [name for _, name, _ in asked.targets if name != value]
        condition = condition_name(asked.targets) if others else ""
        values[value] = {
            "theory": "pvq",
            "value": value,
            "level": level,
            "group": "",
            "condition": condition,
            "cell": cell_name(value, level, "", condition),
            "windows": own,
            "borrowed": 0,
            "repeated": 0,
        }
    return {
        "item": f"q{query}/{condition_name(asked.targets) or 'default'}#1",
        "query": f"q{query}",
        "epoch": 1,
        "words": 50,
        "over_word_limit": False,
        "refusal": False,
        "unscored": None,
        "values": values,
        "targets": [list(target) for target in asked.targets],
        "design": asked.design,
        "part_of": asked.part_of,
    }


def figures_of(summary: RunSummary) -> Iterator[tuple[str, str, Figure]]:
    """(kind, name, figure) of all figures that are continuous."""
    for pair in summary.pairs:
        for point in pair.points:
            for place, figure in enumerate(point.shift):
                yield "shift", f"{point.condition} {place}", figure
            for name, figure in point.figures.items():
                yield name.split("_")[0], f"{point.condition} {name}", figure
        for name, figure in pair.figures.items():
            yield f"pair {name}", name, figure
    for square in summary.squares:
        for name, figure in square.figures.items():
            if name.startswith(("shift_at", "fading", "retained_at")):
                yield f"five {name}", name, figure
    for composite in summary.composites:
        yield "relative_size", "relative_size", composite.figures["relative_size"]


def true_figures(asked: Sequence[Condition], law: Law, design: str) -> dict[str, float]:
    """The figures of the true means, worked out here and not by the code that is tested."""
    if design == "composite":
        return {"relative_size": law.children}
    if design == "five":
        shift = {level: law.step * level for level in LEVELS}
        left = {level: law.upward if level > 0 else law.downward for level in LEVELS}
        found = {f"shift_at_{lv:+d}": left[lv] * shift[lv] for lv in LEVELS}
        found |= {f"retained_at_{lv:+d}": left[lv] for lv in LEVELS}
        return found | {"fading": 1 - law.downward / law.upward}
    truth: dict[str, float] = {}
    means: dict[str, list[float]] = defaultdict(list)
    for one in asked:
        if one.design != "pair":
            continue
        name, levels = condition_name(one.targets), [level for _, _, level in one.targets]
        shift = [one.means[v] - DEFAULTS[v] for v in PAIR]
        size = math.hypot(*levels)
        along = sum(s * lv for s, lv in zip(shift, levels, strict=True)) / size
        truth |= {f"{name} {place}": s for place, s in enumerate(shift)}
        truth[f"{name} along"] = along
        truth[f"{name} length"] = math.hypot(*shift)
        truth[f"{name} cosine"] = along / math.hypot(*shift)
        truth[f"{name} dominance"] = shift[0] / levels[0] - shift[1] / levels[1]
        truth[f"{name} additivity"] = law.together
        for place, value in enumerate(PAIR):
            truth[f"{name} interaction_{value}"] = shift[place] * (1 - 1 / law.together)
            truth[f"{name} retained_{value}"] = shift[place] / (law.step * levels[place])
        for kind in ("along", "cosine", "additivity"):  # additivity is the same at all points
            means[kind].append(truth[f"{name} {kind}"])
    return truth | {kind: float(np.mean(found)) for kind, found in means.items()}


def table(design: str, law: Law, judge: Judge, queries: int, replicates: int, seed: int) -> None:
    """Prints one row per kind of figure."""
    asked = conditions(law, design)
    truth = true_figures(asked, law, design)
    errors: dict[str, list[tuple[float, float, float, bool]]] = defaultdict(list)
    for replicate in range(replicates):
        generator = np.random.default_rng((seed, queries, replicate))
        summary = summarize(run_records(generator, judge, asked, queries))
        for kind, name, figure in figures_of(summary):
            low, high = figure.interval
            inside = low <= truth[name] <= high
            errors[kind].append((truth[name], figure.value - truth[name], figure.se, inside))
    for kind, rows in errors.items():
        true, error, se, held = np.array(rows).T
        known = np.isfinite(se)
        inside = held[known]
        low, high = (f"{bound:.2f}" for bound in (true.min(), true.max()))
        print(
            f"| {kind} | {low if low == high else f'{low} to {high}'} | {error.mean():+.3f} "
            f"| {np.sqrt((error**2).mean()):.3f} | {np.median(se[known]):.3f} "
            f"| {inside.mean():.3f} |",
            flush=True,
        )


def main() -> None:
    """Prints a table per case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--queries", type=int, nargs="+", default=[20])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--designs", nargs="+", default=["pair", "five", "composite"])
    options = parser.parse_args()
    cases = {
        "judge of scale 1": (Law(), Judge(scale=1.0, place_effect=0.2)),
        "judge of scale 0.3": (Law(), Judge(scale=0.3, place_effect=0.1)),
        "effects a third as large": (Law(step=0.6), Judge(scale=1.0, place_effect=0.2)),
    }
    for queries, (name, (law, judge)) in itertools.product(options.queries, cases.items()):
        print(f"\n{queries} queries, {name}, {options.replicates} replicates\n")
        print("| figure | truth | mean error | RMSE | standard error | 95 % |")
        print("|---|---|---|---|---|---|")
        for design in options.designs:
            table(design, law, judge, queries, options.replicates, options.seed)


if __name__ == "__main__":
    main()
