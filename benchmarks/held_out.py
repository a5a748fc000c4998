"""Held-out windows of a real judge: how well each fit foretells orders that it has not seen.

Usage: python benchmarks/held_out.py --data DIR [--folds 5] [--scales 0.7 1.2 2 3 5]

DIR (or VALUEFLOW_REAL_DATA) holds ``real_judge``: windows of recurring anchors, the first two files
the same windows ranked twice.  The windows of a file are split into folds; a judge is fitted to
the others, and the probability of the order of each left-out window's anchors is taken under it,
the judge's errors about texts as the other windows tell them.  Printed is the mean of its log, a
window, with its standard error, of windows of the same pass and of the same windows as another
pass ranked them; an order at random has -4.79 for five anchors.

Fits: ``scale alone`` knows no disagreement with texts; ``scale, then texts`` finds its standard
deviation with that scale held; ``scale 1.2`` and the like hold a scale; ``joint`` is the fit that
`valueflow.scorers.evaluate` makes, scale and disagreement found together, values pooled.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.evidence.bend import seen_through
from valueflow.scorers.estimate.evidence.value import ValueWindows
from valueflow.scorers.estimate.judge import (
    FittedJudge,
    JudgePrior,
    attenuation,
    fit_judge,
    fit_judges,
    pooled_text_sd,
    text_sd_profile,
)
from valueflow.scorers.estimate.likelihood import (
    Orders,
    by_window,
    mixed_anchor_log_likelihood,
    random_anchor_log_likelihood,
)
from valueflow.scorers.estimate.responses import ResponseEvidence
from valueflow.scorers.estimate.table import WindowTable

Array = NDArray[np.float64]
Fit = Callable[[Sequence[Orders], Sequence[ResponseEvidence], int], list[FittedJudge]]


def scale_alone(
    orders: Sequence[Orders], evidence: Sequence[ResponseEvidence], anchors: int
) -> list[FittedJudge]:
    """Judges without disagreement with texts."""
    return [fit_judge(one, anchors, (0.0, 0.0)) for one in orders]


def held(
    orders: Sequence[Orders],
    evidence: Sequence[ResponseEvidence],
    anchors: int,
    scales: Sequence[float],
) -> list[FittedJudge]:
    """Judges of given scales; the standard deviations of their disagreement are found."""
    priors = [JudgePrior(log_scale=(float(np.log(scale)), 0.001)) for scale in scales]
    profiles = [
        text_sd_profile(one, anchors, own, prior)
        for one, own, prior in zip(orders, evidence, priors, strict=True)
    ]
    return [
        fit_judge(one, anchors, sd, prior)
        for one, sd, prior in zip(orders, pooled_text_sd(profiles), priors, strict=True)
    ]


def scale_then_texts(
    orders: Sequence[Orders], evidence: Sequence[ResponseEvidence], anchors: int
) -> list[FittedJudge]:
    """The scale as if there were no disagreement, then the disagreement."""
    alone = scale_alone(orders, evidence, anchors)
    return held(orders, evidence, anchors, [one.model.scale for one in alone])


def joint(
    orders: Sequence[Orders], evidence: Sequence[ResponseEvidence], anchors: int
) -> list[FittedJudge]:
    """As the package fits."""
    return fit_judges(orders, anchors, evidence)


def fits(scales: Sequence[float]) -> dict[str, Fit]:
    """All fits by name, those that hold one of the ``scales`` among them."""
    found: dict[str, Fit] = {
        "scale alone": scale_alone,
        "scale, then texts": scale_then_texts,
        "joint": joint,
    }
    for scale in scales:
        found[f"scale {scale:g}"] = lambda o, e, a, s=scale: held(o, e, a, [s] * len(o))
    return found


def log_probability(orders: Orders, fitted: FittedJudge) -> Array:
    """Log-probability (W,) of the order of each window's anchors under a judge fitted elsewhere."""
    model = fitted.model
    orders = seen_through(orders, model.bend)
    mean, variance = fitted.errors.of(orders)
    logs, _ = mixed_anchor_log_likelihood(
        orders, model.scale, model.place_effect, mean, attenuation(model.scale, variance)
    )
    ranked = by_window(orders, logs)[0]
    chance = by_window(orders, random_anchor_log_likelihood(orders))[0]
    lapse = max(model.lapse_rate, 1e-300)
    return np.asarray(np.logaddexp(np.log1p(-lapse) + ranked, np.log(lapse) + chance))


def tables_of(records: list[dict[str, object]], names: dict[str, int]) -> WindowTable:
    """Table of ranked windows whose anchor keys are those of ``names``."""
    table = WindowTable.from_records([{**record, "ratings": None} for record in records])
    known = np.array([names.setdefault(name, len(names)) for name in table.anchor_names])
    key = np.where(table.anchor_key >= 0, known[table.anchor_key], table.anchor_key)
    return WindowTable(**{**vars(table), "anchor_key": key, "anchor_names": tuple(names)})


def of_values(table: WindowTable) -> dict[str, ValueWindows]:
    """The windows of each value that has any."""
    values = [ValueWindows(table, code) for code in range(len(table.values))]
    return {value.name: value for value in values if value.orders.windows}


def compare(
    name: str, passes: list[list[dict[str, object]]], folds: int, chosen: dict[str, Fit]
) -> None:
    """Print a row for each fit, made from the windows of the first of the passes."""
    generator = np.random.default_rng(0)
    fold = generator.permutation(len(passes[0])) % folds
    told: dict[str, tuple[list[Array], ...]] = {}
    judges: dict[str, list[FittedJudge]] = {}
    for index in range(folds):
        names: dict[str, int] = {}
        training = of_values(
            tables_of([r for r, f in zip(passes[0], fold, strict=True) if f != index], names)
        )
        left_out = [
            of_values(tables_of([r for r, f in zip(one, fold, strict=True) if f == index], names))
            for one in passes
        ]
        values = list(training)
        orders = [training[value].orders for value in values]
        evidence = [ResponseEvidence(training[v].orders, training[v].item) for v in values]
        for fit, function in chosen.items():
            found = dict(zip(values, function(orders, evidence, len(names)), strict=True))
            judges.setdefault(fit, []).extend(found.values())
            columns = told.setdefault(fit, tuple([] for _ in passes))
            for column, windows in zip(columns, left_out, strict=True):
                column += [log_probability(windows[v].orders, found[v]) for v in windows]
    print(f"\n{name}: {len(passes[0])} windows, {folds} folds")
    print(f"{'fit':<18} {'scale':>6} {'text sd':>8} {'lapses':>7}   log-probability a window")
    for fit, columns in told.items():
        middle = [
            np.median([getattr(one.model, field) for one in judges[fit]])
            for field in ("scale", "text_sd", "lapse_rate")
        ]
        logs = [np.concatenate(column) for column in columns]
        shown = "   ".join(
            f"{place} {x.mean():6.3f} ± {x.std(ddof=1) / np.sqrt(len(x)):.3f}"
            for place, x in zip(("same pass", "other pass"), logs, strict=False)
        )
        print(f"{fit:<18} {middle[0]:6.2f} {middle[1]:8.2f} {middle[2]:7.3f}   {shown}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("VALUEFLOW_REAL_DATA"))
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--scales", type=float, nargs="*", default=[0.7, 1.2, 2.0, 3.0, 5.0])
    arguments = parser.parse_args()
    if arguments.data is None:
        print("no real windows: set VALUEFLOW_REAL_DATA or give --data")
        return

    def read(name: str) -> list[dict[str, object]]:
        path = Path(arguments.data, "real_judge", f"{name}.jsonl")
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [record for record in records if record.get("order")]

    first, second = read("rankings_first"), read("rankings_second")
    compare("rankings_first", [first, second], arguments.folds, fits(arguments.scales))
    compare("rankings_second", [second, first], arguments.folds, fits(arguments.scales))
    steered = [read("steered_responses")]
    compare("steered_responses", steered, arguments.folds, fits(arguments.scales))


if __name__ == "__main__":
    main()
