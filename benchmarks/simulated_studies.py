"""Adaptive windows of a whole study, asked of simulated judges one after the other.

Shared by the benchmarks and the tests: everything is seeded and nothing is fitted here but the
running judge of the adaptive windows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulated_windows import Judge, cells_of_responses, draw_anchors
from valueflow.scorers.estimate.evaluation import Evaluation, evaluate
from valueflow.scorers.estimate.table import WindowTable
from valueflow.scorers.windows.adaptive import next_window, posterior_after
from valueflow.scorers.windows.draw import preferred_anchors
from valueflow.scorers.windows.running import RunningJudge

Array = NDArray[np.float64]
CENTRES = np.array([-6.0, -3.0, 0.0, 3.0, 6.0])
TEXTS = 6


@dataclass(frozen=True)
class Study:
    """What an adaptive study found, by response.

    ``truth``, ``estimate`` and ``se`` (n,) in points, the last two from a response's own windows;
    ``windows`` (n,) that it was judged in, at ``most``; ``stopped`` counts why; ``evaluation`` is
    of all windows.
    """

    truth: Array
    estimate: Array
    se: Array
    windows: Array
    most: int
    stopped: Counter[str | None]
    evaluation: Evaluation


def adaptive_study(
    seed: int,
    scale: float,
    text_sd: float,
    *,
    rated: bool,
    target_se: float | None,
    size: int = 30,
    most: int = 10,
    pool: int = 300,
) -> Study:
    """Five cells of ``size`` responses (spread 2) and one value, ``pool`` anchors."""
    generator = np.random.default_rng([seed, round(100 * scale), round(10 * text_sd), rated, pool])
    judge = Judge(scale, text_sd=text_sd, rating_level=1.0, rating_slope=0.85)
    anchors = draw_anchors(generator, judge, pool)
    truth = cells_of_responses(generator, CENTRES, size, 2.0)
    own = generator.normal(0, 1, truth.shape) * text_sd
    running = RunningJudge(rated, 1.2, 3.9)
    records: list[dict[str, Any]] = []
    stopped: Counter[str | None] = Counter()
    counts: dict[str, int] = {}
    for query in range(size):
        for cell in range(len(CENTRES)):
            item = f"{cell}-{query}"
            seen = truth[cell, query] + own[cell, query]
            preferred = preferred_anchors(
                anchors.intensity, query, size, most * (TEXTS - 1), seed, cell
            )
            usable = np.ones(pool, dtype=bool)
            judged: list[dict[str, Any]] = []
            why = None
            while len(judged) < most and usable.sum() >= TEXTS - 1 and why is None:
                free = np.flatnonzero(usable & preferred)
                free = free if len(free) >= TEXTS - 1 else np.flatnonzero(usable)
                chosen = free[
                    next_window(
                        anchors.intensity[free],
                        generator,
                        posterior=posterior_after(judged, scale=running.design_scale)
                        if judged and not rated
                        else None,
                        scale=running.design_scale,
                    )
                ]
                usable[chosen] = False
                perceived = np.append(seen, anchors.intensity[chosen] + anchors.error[chosen])
                judged.append(_answer(generator, judge, perceived, rated))
                judged[-1]["anchors"] = anchors.intensity[chosen].tolist()
                judged[-1]["texts"] = [f"anchor {one}" for one in chosen]
                running.learn("value", item, len(judged), judged[-1])
                if target_se is not None:
                    why = running.standing("value", judged, pool).stops(target_se)
            stopped[why] += 1
            counts[item] = len(judged)
            records += [
                {"item": item, "cell": f"cell {cell}", "value": "value", "query": str(query), **one}
                for one in judged
            ]
    found = evaluate(WindowTable.from_records(records))
    places = [tuple(map(int, item.item.split("-"))) for item in found.items]
    return Study(
        truth=np.array([truth[place] for place in places]),
        estimate=np.array([item.flat_prior for item in found.items]),
        se=np.array([item.flat_prior_se for item in found.items]),
        windows=np.array([counts[item.item] for item in found.items], dtype=np.float64),
        most=most,
        stopped=stopped,
        evaluation=found,
    )


def _answer(
    generator: np.random.Generator, judge: Judge, perceived: Array, rated: bool
) -> dict[str, Any]:
    """A judged window of texts that are perceived at some intensities, the response first."""
    shown = [int(one) for one in generator.permutation(len(perceived))]
    noisy = perceived + generator.gumbel(size=len(perceived)) / judge.scale
    window: dict[str, Any] = {"shown": shown, "position": shown.index(0)}
    if rated:
        numbers = np.rint(judge.rating_level + judge.rating_slope * noisy)
        window["ratings"] = [int(one) for one in np.clip(numbers, -10, 10)]
        window["rating_scale"] = [-10, 10]
    else:
        window["order"] = [int(one) for one in np.argsort(-noisy)]
    return window
