"""Choice distributions against rankings, at equal numbers of windows, known truth.

Usage: python benchmarks/choice_judging.py [--replicates 10] [--cells 12]

One judge call a window either way.  A judge ranks with the scale given; as a chooser it states its
distribution over the most supporting text.  Of the variance of its noise it does not state the
share ``hidden``: 0 is a judge whose stated probabilities are exact; near 1, it is certain of its
choices and wrong as often as the ranker.  What is hidden is drawn anew in each window, as the log
of positive stable variables, with which choices drawn by the judge are exactly Plackett-Luce
(``window``; Gumbel noise of a larger scale is the sum of the two), or as normal errors
(``normal``), or it stands with each text, the response included, as normal errors (``text``).
``choice, 1`` takes a distribution for one drawn choice, ``choice, est.`` for as many as are
estimated from the anchors (the default; column ``weight``).  Cells of 40 responses (spread 2,
centres uniform on ±6), ``--pool`` anchor texts.  Columns: RMSE of responses' posterior means and of
cells (against the realised means; ``low`` and ``high`` are the cells below and above 0), coverage
of 95% intervals (cells: of the population's mean) and slope of cells.  The number behind ± is the
Monte-Carlo standard error.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from simulated_windows import (
    Judge,
    cells_of_responses,
    draw_anchors,
    population_means,
    simulate,
)
from valueflow.scorers.estimate.evaluation import Evaluation, evaluate
from valueflow.scorers.estimate.judge import NOISE_VARIANCE
from valueflow.scorers.estimate.table import TAIL, WindowTable

Array = NDArray[np.float64]
NAMES = ("item rmse", "item cover", "cell rmse", "low", "high", "cell cover", "slope", "weight")


def log_stable(generator: np.random.Generator, index: float, shape: tuple[int, ...]) -> Array:
    """Logs of positive stable variables, Laplace transform exp(-s^index) (Kanter 1975).

    Added to Gumbel noise of scale 1 they make Gumbel noise of scale 1 / index.
    """
    if index == 1:
        return np.zeros(shape)
    angle = generator.uniform(0, np.pi, shape)
    first = np.log(np.sin(index * angle)) - np.log(np.sin(angle)) / index
    rest = np.log(np.sin((1 - index) * angle)) - np.log(generator.exponential(1, shape))
    return np.asarray(first + rest * (1 - index) / index)


def state_choices(
    table: WindowTable,
    truth: Array,
    scale: float,
    hidden_noise: Array | float = 0.0,
    text_error: tuple[Array, Array] | None = None,
    place_effect: float = 0.0,
) -> WindowTable:
    """The windows of a table with stated distributions in the place of ranks.

    ``scale`` is that of the stated softmax; ``hidden_noise`` (W, K), in log-worth, is added for
    each text of each window; ``text_error``, in points, are errors of responses and of anchors.
    """
    own, others = truth[table.item], table.intensities
    if text_error is not None:
        own, others = own + text_error[0][table.item], others + text_error[1][table.anchor_key]
    seen = np.column_stack([own, others])
    choice = softmax(scale * seen - place_effect * table.places + hidden_noise, axis=1)
    return WindowTable(
        **{**vars(table), "ranks": np.full_like(table.ranks, TAIL), "choice": np.asarray(choice)}
    )


def figures(result: Evaluation, truth: Array, centres: Array) -> list[float]:
    """The figures of ``NAMES``."""
    real, estimate = truth.mean(axis=1), np.array([cell.intensity for cell in result.cells])
    means = population_means(centres, 2.0)
    error = np.array([item.intensity for item in result.items]) - truth.ravel()
    held = [e.lower <= x <= e.upper for e, x in zip(result.items, truth.ravel(), strict=True)]
    inside = [c.lower <= mean <= c.upper for c, mean in zip(result.cells, means, strict=True)]
    return [
        float(np.sqrt(np.mean(error**2))),
        float(np.mean(held)),
        *(
            float(np.sqrt(np.mean((estimate - real)[some] ** 2)))
            for some in (slice(None), real < 0, real > 0)
        ),
        float(np.mean(inside)),
        float(np.polyfit(real, estimate, 1)[0]),
        result.choice_weights.get("value", float("nan")),
    ]


def replicate(
    seed: int, scale: float, windows: int, hidden: float, kind: str, cells: int, pool: int
) -> dict[str, list[float]]:
    """One run of each mode."""
    generator = np.random.default_rng(seed)
    centres = generator.uniform(-6, 6, cells)
    truth = cells_of_responses(generator, centres, 40, 2.0)
    noise = np.sqrt(NOISE_VARIANCE) / scale
    stated = scale / np.sqrt(1 - hidden)
    sd = noise * np.sqrt(hidden)
    ranker = Judge(stated, text_sd=sd) if kind == "text" else Judge(scale)
    anchors = draw_anchors(generator, Judge(text_sd=sd if kind == "text" else 0.0), pool)
    own = generator.normal(0, 1, truth.size) * (sd if kind == "text" else 0.0)
    table = simulate(generator, ranker, truth, windows, anchors=anchors, response_error=own)
    unstated: Array | float = 0.0
    if kind == "window":
        unstated = log_stable(generator, float(np.sqrt(1 - hidden)), table.ranks.shape)
    elif kind == "normal":
        unstated = generator.normal(0, stated * sd, table.ranks.shape)
    errors = (own, anchors.error) if kind == "text" else None
    chosen = state_choices(table, truth.ravel(), stated, unstated, errors)
    return {
        "ranking": figures(evaluate(table), truth, centres),
        "choice, 1": figures(evaluate(chosen, choice_weight=1.0), truth, centres),
        "choice, est.": figures(evaluate(chosen), truth, centres),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=10)
    parser.add_argument("--cells", type=int, default=12)
    parser.add_argument("--pool", type=int, default=200)
    parser.add_argument("--scales", type=float, nargs="+", default=[0.3, 1.0])
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--hidden", type=float, nargs="+", default=[0.0, 0.1, 0.5, 0.9])
    parser.add_argument("--kinds", nargs="+", default=["window", "normal", "text"])
    arguments = parser.parse_args()
    head = f"{'scale':>5} {'m':>2} {'hidden':>6} {'kind':>6} {'mode':>12}"
    print(head + "".join(f"{name:>15}" for name in NAMES))
    for scale, windows, hidden, kind in itertools.product(
        arguments.scales, arguments.windows, arguments.hidden, arguments.kinds
    ):
        if hidden == 0 and kind != "window":
            continue
        runs = [
            replicate(seed, scale, windows, hidden, kind, arguments.cells, arguments.pool)
            for seed in range(arguments.replicates)
        ]
        for mode in runs[0]:
            values = np.array([run[mode] for run in runs])
            mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(runs))
            row = "".join(f"{m:9.3f}±{e:5.3f}" for m, e in zip(mean, error, strict=True))
            print(
                f"{scale:5.1f} {windows:2d} {hidden:6.2f} {kind:>6} {mode:>12}{row}",
                flush=True,
            )


if __name__ == "__main__":
    main()
