"""Speed of the array part: 10,000 responses x 3 windows of 6, beside a plain loop; of commands.

Usage: python benchmarks/speed.py [--responses 1250 2500 5000 10000 20000] [--repeats 3]
       python benchmarks/speed.py --commands [--repeats 3]

The plain loop is the published method written one response at a time in NumPy: the root of the
likelihood's derivative by SciPy's ``brentq``, with early exit, fixed scale, no place effect, no
errors, no cells.  The scalar loop is the same without arrays, by bisection on Python's floats, and
the tuned loop sums the anchors of each stage once: what remains to be gained without vectors.
Beside them ``one pass``, which finds the same roots for all responses together, and ``population``,
our full evaluation: judge with place effect, lapses and anchor errors, responses with intervals,
cells of 100 by the population model, fit.  Times are the best of ``--repeats``; "times" is the
plain loop's time over ours, "of scalar" the scalar loop's, "gap" the largest difference of roots,
memory the peak of the process.

With ``--commands``: seconds of processor and wall time, least of ``--repeats``, of the commands as
people run them: the quick start, with and without figures on the screen while it runs, beside a
bare task with as many samples and calls (``bare_task.py``), and ``valueflow list``.  On a busy
machine only processor time can be compared.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from simulated_windows import Judge, cells_of_responses, simulate
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.likelihood import read_orders
from valueflow.scorers.estimate.reference import reference_estimates
from valueflow.scorers.estimate.table import WindowTable

Array = NDArray[np.float64]


def slope_as_written(windows: list[tuple[list[float], int]], response: float) -> float:
    """Derivative of the Plackett-Luce log-likelihood in the response, stage by stage.

    Windows are (anchor intensities from the most supporting on, number ahead of the response).
    """
    slope = 0.0
    for ordered, ahead in windows:
        texts = [*ordered[:ahead], response, *ordered[ahead:]]
        for stage in range(ahead + 1):
            total = sum(math.exp(text) for text in texts[stage:])
            slope -= math.exp(response) / total
        slope += 1.0
    return slope - 1e-3 * response


def numpy_estimate(windows: list[tuple[list[float], int]]) -> float:
    """Root for one response as one writes it in NumPy and SciPy."""
    every = [intensity for ordered, _ in windows for intensity in ordered]
    if all(ahead == 0 for _, ahead in windows):
        return max(every)
    if all(ahead == len(ordered) for ordered, ahead in windows):
        return min(every)
    orders = [(np.array(ordered), ahead) for ordered, ahead in windows]

    def slope(response: float) -> float:
        total = -1e-3 * response
        for ordered, ahead in orders:
            texts = np.exp(np.insert(ordered, ahead, response))
            left = np.cumsum(texts[::-1])[::-1]
            total += 1.0 - float((math.exp(response) / left[: ahead + 1]).sum())
        return total

    root = float(brentq(slope, -20.0, 20.0, xtol=1e-9))
    return min(max(root, min(every)), max(every))


def loop_estimate(windows: list[tuple[list[float], int]], *, prepared: bool) -> float:
    """Root for one response; ``prepared`` sums each stage's anchors once, ahead of the search."""
    every = [intensity for ordered, _ in windows for intensity in ordered]
    if all(ahead == 0 for _, ahead in windows):
        return max(every)
    if all(ahead == len(ordered) for ordered, ahead in windows):
        return min(every)
    left: list[float] = []
    wins = 0
    for ordered, ahead in windows if prepared else []:
        wins += ahead < len(ordered)
        sums = [sum(map(math.exp, ordered[stage:])) for stage in range(len(ordered))]
        left += [math.log(total) for total in sums[: ahead + 1]]
    low, high = -20.0, 20.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if prepared:
            lost = sum(1 / (1 + math.exp(stage - middle)) for stage in left)
            slope = wins - lost - 1e-3 * middle
        else:
            slope = slope_as_written(windows, middle)
        if abs(slope) < 1e-9:
            break
        if slope > 0:
            low = middle
        else:
            high = middle
    return min(max((low + high) / 2, min(every)), max(every))


def loop_estimates(
    table: WindowTable, estimate: Callable[[list[tuple[list[float], int]]], float]
) -> list[float]:
    """The published estimates of all items, one after another."""
    windows: list[list[tuple[list[float], int]]] = [[] for _ in table.items]
    rows = zip(table.item.tolist(), table.ranks.tolist(), table.intensities.tolist(), strict=True)
    for item, ranks, intensities in rows:
        anchors = sorted(zip(ranks[1:], intensities, strict=True))
        ahead = sum(rank < ranks[0] for rank in ranks[1:])
        windows[item].append(([intensity for _, intensity in anchors], ahead))
    return [estimate(one) for one in windows]


def roots_at_once(table: WindowTable) -> Array:
    """The published estimates of all items in one pass."""
    return reference_estimates(read_orders(table), table.item, len(table.items))


def best_time(function: Callable[[], object], repeats: int) -> float:
    """Least wall-clock seconds of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


HERE = Path(__file__).parent
PROGRAMS = Path(sys.executable).parent

QUICK_START = (
    f"{PROGRAMS / 'inspect'} eval valueflow/steer --display plain --model valueflow/respondent "
    "--model-role grader=valueflow/judge"
)
COMMANDS = {
    "valueflow list": f"{PROGRAMS / 'valueflow'} list",
    "valueflow list tasks": f"{PROGRAMS / 'valueflow'} list tasks",
    "quick start": QUICK_START,
    "quick start, no live figures": f"{QUICK_START} --no-score-display",
    "bare task": f"{PROGRAMS / 'inspect'} eval bare_task.py --display plain",
}


def seconds_of(command: str) -> tuple[float, float]:
    """Processor and wall seconds of a command that must succeed."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"INSPECT_LOG_DIR": folder, "COLUMNS": "100"}
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command.split(), cwd=HERE, env=environment, check=True, capture_output=True)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall


def time_commands(repeats: int) -> None:
    print(f"{'command':30s} processor s  wall s")
    least = {}
    for name, command in COMMANDS.items():
        found = [seconds_of(command) for _ in range(repeats)]
        least[name] = [min(one) for one in zip(*found, strict=True)]
        print(f"{name:30s} {least[name][0]:11.2f} {least[name][1]:7.2f}", flush=True)
    for name in ("quick start", "quick start, no live figures"):
        times = [ours / bare for ours, bare in zip(least[name], least["bare task"], strict=True)]
        print(f"{name + ' / bare':30s} {times[0]:11.2f} {times[1]:7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--responses", type=int, nargs="+", default=[1250, 2500, 5000, 10000, 20000]
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--commands", action="store_true")
    arguments = parser.parse_args()
    if arguments.commands:
        time_commands(arguments.repeats)
        return
    print(
        "responses  plain loop s  scalar loop s  tuned loop s  one pass s  times  of scalar  "
        "population s  times  of scalar  gap"
    )
    scalar_loop = partial(loop_estimate, prepared=False)
    tuned_loop = partial(loop_estimate, prepared=True)
    for responses in arguments.responses:
        generator = np.random.default_rng(responses)
        cells = max(1, responses // 100)
        truth = cells_of_responses(generator, generator.uniform(-6, 6, cells), 100, 2.0)
        table = simulate(generator, Judge(arguments.scale), truth, 3)
        repeats = arguments.repeats
        plain = best_time(partial(loop_estimates, table, numpy_estimate), 1)
        scalar = best_time(partial(loop_estimates, table, scalar_loop), 1)
        tuned = best_time(partial(loop_estimates, table, tuned_loop), repeats)
        roots = best_time(partial(roots_at_once, table), repeats)
        ours = best_time(partial(evaluate, table), repeats)
        found = roots_at_once(table)
        gap = max(
            float(np.abs(np.array(loop_estimates(table, loop)) - found).max())
            for loop in (numpy_estimate, scalar_loop)
        )
        print(
            f"{responses:9d} {plain:13.3f} {scalar:14.3f} {tuned:13.3f} {roots:11.3f} "
            f"{plain / roots:6.1f} {scalar / roots:10.1f} {ours:13.3f} {plain / ours:6.1f} "
            f"{scalar / ours:10.1f} {gap:4.0g}",
            flush=True,
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the process {memory:.0f} MB")


if __name__ == "__main__":
    main()
