"""Judge calls: adaptive windows beside bucket windows, at equal and at fewer windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click
import numpy as np
from numpy.typing import NDArray

from simulated_windows import Anchors, Judge, bucket_panels, cells_of_responses, draw_anchors
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.judge import AnchorErrors, JudgeModel
from valueflow.scorers.estimate.likelihood import read_orders
from valueflow.scorers.estimate.responses import response_log_likelihood
from valueflow.scorers.estimate.table import WindowTable
from valueflow.scorers.windows.adaptive import DESIGN_GRID, DESIGN_LAPSE_RATE, next_window

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
Panels = Callable[[int, WindowTable | None], IntArray]
"""Anchor indices (items, A) of all responses' windows of one round, given the round before."""

TEXTS = 6
WINDOWS = (1, 2, 3, 4, 6)
DESIGNS = (("right", 1.0), ("1.5x too high", 1.5), ("1.5x too low", 1 / 1.5))
CENTRES = np.array([-6.0, -3.0, 0.0, 3.0, 6.0])
# Scale, windows of adaptive, windows of bucket, largest ratio of root mean square errors.
TARGETS = ((3.0, 2, 3, 1.0), (3.0, 3, 6, 1.0), (1.0, 2, 3, 1.06), (1.0, 4, 6, 1.0))


def rounds(
    generator: np.random.Generator, judge: Judge, truth: Array, anchors: Anchors, panels: Panels
) -> list[WindowTable]:
    """Tables of the first 1, 2, 3, 4 and 6 windows of each response of ``truth`` (cells, size)."""
    items = truth.size
    drawn: list[tuple[IntArray, IntArray, IntArray]] = []
    tables: list[WindowTable] = []
    before: WindowTable | None = None
    for number in range(max(WINDOWS)):
        panel = panels(number, before)
        seen = np.column_stack([truth.ravel(), anchors.intensity[panel]])
        places = generator.permuted(np.tile(np.arange(TEXTS), (items, 1)), axis=1)
        worth = judge.scale * seen - judge.place_effect * places + generator.gumbel(size=seen.shape)
        drawn.append((panel, np.argsort(np.argsort(-worth, axis=1), axis=1), places))
        before = as_table(truth, anchors, drawn[-1:])
        if number + 1 in WINDOWS:
            tables.append(as_table(truth, anchors, drawn))
    return tables


def as_table(
    truth: Array, anchors: Anchors, drawn: Sequence[tuple[IntArray, IntArray, IntArray]]
) -> WindowTable:
    items = truth.size
    panel, ranks, places = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    return WindowTable(
        intensities=anchors.intensity[panel],
        ranks=ranks,
        places=places,
        item=np.tile(np.arange(items), len(drawn)),
        anchor_key=panel,
        items=tuple(f"item {index}" for index in range(items)),
        item_value=np.zeros(items, dtype=np.int64),
        item_cell=np.repeat(np.arange(len(truth)), truth.shape[1]),
        item_query=np.arange(items),
        values=("value",),
        cells=tuple(f"cell {index}" for index in range(len(truth))),
        queries=tuple(f"query {index}" for index in range(items)),
        anchor_names=tuple(f"anchor {index}" for index in range(len(anchors.intensity))),
    )


def bucket(generator: np.random.Generator, items: int, anchors: Anchors) -> Panels:
    return lambda number, before: bucket_panels(generator, anchors, items, TEXTS - 1)


def adaptive(
    generator: np.random.Generator, items: int, anchors: Anchors, design_scale: float
) -> Panels:
    """Every response's next window by ``next_window``; no response meets an anchor twice."""
    unused = np.ones((items, len(anchors.intensity)), dtype=bool)
    log_posterior = np.zeros((items, len(DESIGN_GRID)))
    judge = JudgeModel(design_scale, lapse_rate=DESIGN_LAPSE_RATE)
    nothing = np.zeros(len(anchors.intensity))
    errors = AnchorErrors(nothing, nothing, 0.0)

    def panels(number: int, before: WindowTable | None) -> IntArray:
        posterior = None
        if before is not None:
            orders = read_orders(before)
            log_posterior[:] += response_log_likelihood(
                orders, before.item, items, judge, errors, DESIGN_GRID
            )
            posterior = np.exp(log_posterior - log_posterior.max(axis=1, keepdims=True))
        panel = np.empty((items, TEXTS - 1), dtype=np.int64)
        for item in range(items):
            free = np.flatnonzero(unused[item])
            chosen = next_window(
                anchors.intensity[free],
                generator,
                posterior=None if posterior is None else posterior[item],
                scale=design_scale,
                window_size=TEXTS,
            )
            panel[item] = free[chosen]
            unused[item, panel[item]] = False
        return panel

    return panels


def response_error(table: WindowTable, truth: Array) -> float:
    found = np.array([item.intensity for item in evaluate(table).items])
    return float(np.sqrt(np.mean((found - truth.ravel()) ** 2)))


def cell_error(table: WindowTable, truth: Array) -> float:
    found = np.array([cell.intensity for cell in evaluate(table).cells])
    return float(np.sqrt(np.mean((found - truth.mean(axis=1)) ** 2)))


def replicate(seed: int, scale: float, responses: int, cells: bool) -> Array:
    """Root mean square errors (1 + designs, windows) of one replicate, bucket in the first row."""
    truth_generator = np.random.default_rng([seed, round(100 * scale), cells])
    size = responses // len(CENTRES)
    if cells:
        truth = cells_of_responses(truth_generator, CENTRES, size, 2.0)
    else:
        truth = truth_generator.uniform(-9, 9, (1, responses))
    judge, error = Judge(scale), cell_error if cells else response_error
    anchors = draw_anchors(truth_generator, judge)
    result = np.empty((1 + len(DESIGNS), len(WINDOWS)))
    for row in range(1 + len(DESIGNS)):
        generator = np.random.default_rng([seed, round(100 * scale), cells, row])
        panels = bucket(generator, truth.size, anchors)
        if row:
            panels = adaptive(generator, truth.size, anchors, scale * DESIGNS[row - 1][1])
        tables = rounds(generator, judge, truth, anchors, panels)
        result[row] = [error(table, truth) for table in tables]
    return result


def spelled(figures: Array, digits: int = 3) -> str:
    """Mean over replicates and its Monte-Carlo standard error."""
    error = figures.std(ddof=1) / np.sqrt(len(figures)) if len(figures) > 1 else np.nan
    return f"{figures.mean():6.{digits}f} ±{error:5.3f}"


def pooled_ratio(errors: Array, others: Array) -> tuple[float, float]:
    """Ratio of pooled root mean squares (replicates,) and its jackknife standard error."""
    count = len(errors)
    upper, lower = (errors**2).sum(), (others**2).sum()
    ratio = float(np.sqrt(upper / lower))
    if count < 2:
        return ratio, float("nan")
    without = np.sqrt((upper - errors**2) / (lower - others**2))
    spread = np.square(without - without.mean()).sum()
    return ratio, float(np.sqrt((count - 1) / count * spread))


def print_errors(kind: str, scale: float, errors: Array) -> None:
    """``errors`` (replicates, 1 + designs, windows)."""
    print(f"\n{kind}, judge of scale {scale:g}: root mean square error, points")
    print(f"{'windows':>24}" + "".join(f"{count:>15}" for count in WINDOWS))
    names = ["bucket", *(f"adaptive, {name}" for name, _ in DESIGNS)]
    for row, name in enumerate(names):
        figures = "".join(f"{spelled(errors[:, row, m]):>15}" for m in range(len(WINDOWS)))
        print(f"{name:>24}" + figures)
    for row, name in enumerate(names[1:], start=1):
        pairs = (pooled_ratio(errors[:, row, m], errors[:, 0, m]) for m in range(len(WINDOWS)))
        figures = "".join(f"{ratio:8.3f} ±{noise:5.3f}" for ratio, noise in pairs)
        print(f"{'ratio ' + name.split(', ')[1]:>24}" + figures, flush=True)


def print_targets(scale: float, errors: Array) -> None:
    """Whether each target for responses is met, within its Monte-Carlo error where so said."""
    at = {count: index for index, count in enumerate(WINDOWS)}
    wanted = [(few, many, limit) for s, few, many, limit in TARGETS if s == scale]
    wanted += [(count, count, 1.0) for count in WINDOWS[1:]]
    print("  targets (ratio of adaptive's error to bucket's):")
    for few, many, limit in wanted:
        for row, (name, _) in enumerate(DESIGNS, start=1):
            if few != many and row > 1:
                continue
            ratio, noise = pooled_ratio(errors[:, row, at[few]], errors[:, 0, at[many]])
            verdict = "met" if ratio <= limit else "missed"
            if limit < ratio <= limit + 2 * noise:
                verdict = "missed by less than two Monte-Carlo errors"
            print(
                f"  {few} adaptive against {many} bucket, design scale {name}: "
                f"{ratio:.3f} ±{noise:.3f} (at most {limit:g}): {verdict}",
                flush=True,
            )


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  python benchmarks/judge_calls.py --quick\n"
    "  python benchmarks/judge_calls.py --scales 1,3 --replicates 40",
)
@click.option("--replicates", default=8, show_default=True, help="Replicates.")
@click.option("--responses", default=500, show_default=True, help="Responses of a replicate.")
@click.option("--scales", default="0.2,0.5,1,3", show_default=True, help="Scales of the judge.")
@click.option("--cells/--no-cells", default=True, show_default=True, help="Cells too.")
@click.option("--quick", is_flag=True, help="2 replicates of 150 responses: a smoke test.")
def main(replicates: int, responses: int, scales: str, cells: bool, quick: bool) -> None:
    """Errors of adaptive beside bucket windows, known truth, estimates by evaluate() for both.

    Windows of 6 texts in random order, 2000 anchors on ±10, a fresh judge's answers for each way of
    drawing. Responses: one cell, uniform on ±9. Cells: five with centres from -6 to 6 and spread 2,
    errors about the realised means. The design scale, which adaptive windows assume of the judge,
    is right, 1.5 times too high or 1.5 times too low. Behind ± stands the Monte-Carlo standard
    error over replicates.
    """
    if quick:
        replicates, responses = 2, 150
    print(f"{replicates} replicates, {responses} responses each")
    for scale in (float(one) for one in scales.split(",")):
        for kind in (False, True) if cells else (False,):
            errors = np.array(
                [replicate(seed, scale, responses, kind) for seed in range(replicates)]
            )
            print_errors("cells" if kind else "responses", scale, errors)
            if not kind:
                print_targets(scale, errors)


if __name__ == "__main__":
    main()
