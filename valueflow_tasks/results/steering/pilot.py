"""What a pilot run tells of the study that it was made for: judge, responses and prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq

from valueflow.hub_assets.errors import InputFileError
from valueflow.results.steering.studies import Study, studies_of
from valueflow.results.studies import unusable
from valueflow.scorers.judge.calls.spending import price_of
from valueflow.scorers.records import judge_usage, panel_of
from valueflow.scorers.saved.logs import find_logs
from valueflow.scorers.windows.plan import JUDGE_MODES, scale_of_noise

__all__ = ["Pilot", "read_pilot"]

MOST_ANCHORS = 10_000
"""Anchors of a value that are assumed where none came back in the pilot."""


@dataclass(frozen=True)
class Pilot:
    """Figures of a pilot, pooled over its values and models.

    Attributes:
        judge, judges: the judge's name, or those of a panel, and how many they are.
        scale, text_sd, lapse_rate: how it judges, in log-worth per point, points, and a share; a
            judge that rates has the scale at which a judge that ranks would be as noisy.
        spread: standard deviation between the responses of a cell, in points; None where no cell
            has two.
        anchors: different anchors of a value, from how often they came back.
        values, levels, window_size, judge_mode: as they were.
        responses, windows: how many there are.
        call_tokens, call_cost, generation_cost: of one call and one response, in tokens and US
            dollars; None where not known.
    """

    judge: str
    scale: float
    text_sd: float
    lapse_rate: float
    spread: float | None
    anchors: int
    values: int
    levels: int
    window_size: int
    judge_mode: str
    responses: int
    windows: int
    call_tokens: float | None
    call_cost: float | None
    generation_cost: float | None
    judges: int = 1

    def as_options(self) -> dict[str, Any]:
        """The options of `valueflow plan` that it stands for."""
        named = ("spread", "anchors", "values", "levels", "window_size", "judge_mode")
        costs = ("call_tokens", "call_cost", "generation_cost")
        found = {name: getattr(self, name) for name in (*named, *costs)}
        found |= {"design_scale": self.scale, "design_text_sd": self.text_sd}
        return {name: one for name, one in found.items() if one is not None}

    def told(self) -> list[str]:
        """Sentences that say what is taken from it."""
        costs = [
            "tokens of a call are not known"
            if self.call_tokens is None
            else f"{self.call_tokens:,.0f} tokens a call",
            "no price is known (--prices)"
            if self.call_cost is None or self.generation_cost is None
            else f"${self.call_cost:.5f} a call and ${self.generation_cost:.5f} a response",
        ]
        spread = "too few responses to tell their spread"
        if self.spread is not None:
            spread = f"responses of a cell spread by {self.spread:.2f} points"
        return [
            f"Pilot of {self.responses:,} responses and {self.windows:,} windows: judge "
            f"{self.judge} by {self.judge_mode}, scale {self.scale:.2f}, disagreement with texts "
            f"{self.text_sd:.2f} points, lapses {100 * self.lapse_rate:.0f} %; {spread}; about "
            f"{self.anchors:,} anchors of a value; {'; '.join(costs)}.",
            *(
                [
                    f"These are {self.judges} judges on average, and what is planned is one of "
                    "them: a panel that judges every window takes as many times the calls, and "
                    "its judges' disagreements with texts average out as far as they differ."
                ]
                if self.judges > 1
                else []
            ),
        ]


def read_pilot(paths: Sequence[str | Path], prices: str | None = None) -> Pilot:
    """Reads the logs of a pilot.

    Args:
        paths: logs or folders of them, of one judge; of one model or of several.
        prices: a table of the user's.

    Raises:
        InputFileError: none of them can be used, or they are of several judges or ways of asking.
    """
    found = studies_of(find_logs(paths))
    studies = [study for study in found.studies if study.summary.evaluation is not None]
    if not studies:
        raise unusable([str(path) for path in paths], found.skipped)
    asked = {(str(s.judge.get("model")), str(s.judge.get("judge_mode", "ranking")),
              s.judge.get("window_size")) for s in studies}  # fmt: skip
    if len(asked) > 1:
        told = "; ".join(f"{name}, {mode} of {size} texts" for name, mode, size in sorted(asked))
        raise InputFileError(
            Path(paths[0]), f"holds or stands beside logs of several judges ({told}); name one's"
        )
    ((name, mode, size),) = asked
    if mode not in JUDGE_MODES:
        raise InputFileError(Path(paths[0]), f"is of judge_mode={mode}, which is not planned for")
    scale, text_sd, lapses = _judge(studies, Path(paths[0]))
    calls = _calls(studies, prices)
    windows = [w for s in studies for r in s.records for v in r["values"].values()
               for w in v["windows"]]  # fmt: skip
    cells = [cell for s in studies for cell in s.summary.cells]
    return Pilot(
        judge=name,
        judges=max(len(panel_of(study.records)) or 1 for study in studies),
        scale=scale,
        text_sd=text_sd,
        lapse_rate=lapses,
        spread=_spread(studies),
        anchors=_anchors(studies),
        values=len({cell.value for cell in cells}),
        levels=len({cell.level for cell in cells}),
        window_size=int(size or 6),
        judge_mode=mode,
        responses=sum(len(study.records) for study in studies),
        windows=len(windows),
        call_tokens=calls[0],
        call_cost=calls[1],
        generation_cost=_generation(studies, prices),
    )


def _judge(studies: Sequence[Study], path: Path) -> tuple[float, float, float]:
    """Scale (geometric mean), text standard deviation (root mean square) and lapse rate (mean)."""
    found = []
    for study in studies:
        evaluation = study.summary.evaluation
        assert evaluation is not None
        for judge in evaluation.judges.values():
            found.append((judge.scale, judge.text_sd, judge.lapse_rate, judge.windows))
        for rating in evaluation.rating_judges.values():
            if rating.follows:
                noise = scale_of_noise(rating.noise_sd / rating.slope)
                found.append((noise, rating.text_sd, rating.lapse_rate, rating.ratings))
    if not found:
        raise InputFileError(
            path, "tells nothing of the judge: its numbers do not follow the anchors'"
        )
    scale, text_sd, lapses, weight = np.array(found, dtype=np.float64).T
    weight = np.maximum(weight, 1.0)
    return (
        float(np.exp(np.average(np.log(scale), weights=weight))),
        float(np.sqrt(np.average(text_sd**2, weights=weight))),
        float(np.average(lapses, weights=weight)),
    )


def _spread(studies: Sequence[Study]) -> float | None:
    cells = [
        (cell.spread, cell.items)
        for study in studies
        if study.summary.evaluation is not None
        for cell in study.summary.evaluation.cells
        if cell.items > 1
    ]
    if not cells:
        return None
    spread, items = np.array(cells, dtype=np.float64).T
    return max(float(np.sqrt(np.average(spread**2, weights=items))), 0.1)


def _anchors(studies: Sequence[Study]) -> int:
    """Anchors of a value, from the draws that it took to see so many different ones."""
    shown: dict[str, list[str]] = {}
    for study in studies:
        for record in study.records:
            for name, value in record["values"].items():
                texts = shown.setdefault(name, [])
                # Judges of a panel see the same anchors together: one draw.
                drawn = dict.fromkeys(tuple(window["texts"]) for window in value["windows"])
                texts += [text for one in drawn for text in one]
    found = [_pool(len(texts), len(set(texts))) for texts in shown.values() if texts]
    return round(float(np.mean(found))) if found else MOST_ANCHORS


def _pool(drawn: int, different: int) -> float:
    """Size of a pool of which ``drawn`` even draws show so many different members."""

    def missing(size: float) -> float:
        return size * (1 - exp(-drawn / size)) - different

    if missing(MOST_ANCHORS) <= 0:
        return MOST_ANCHORS
    return float(brentq(missing, different, MOST_ANCHORS)) if different < drawn else MOST_ANCHORS


def _calls(studies: Sequence[Study], prices: str | None) -> tuple[float | None, float | None]:
    """Tokens and US dollars of a call that reached the judge's provider."""
    used = judge_usage(record for study in studies for record in study.records)
    tokens = cost = 0.0
    asked, priced = 0, True
    for name, one in used.items():
        asked += one["asked"]
        tokens += one["tokens_in"] + one["tokens_out"]
        price = price_of(name, prices)
        if not one["cost"] and price is None:
            priced = False
        elif one["cost"]:
            cost += one["cost"]
        elif price is not None:
            cost += price.of(one["tokens_in"], one["tokens_out"])
    if not asked:
        return None, None
    return tokens / asked or None, cost / asked if priced else None


def _generation(studies: Sequence[Study], prices: str | None) -> float | None:
    """US dollars of a response; None where a model has no price."""
    total, generations = 0.0, 0
    for study in studies:
        price = price_of(study.model, prices)
        used = study.usage.get(("model", study.model))
        if price is None or used is None:
            return None
        # Where the model judges itself, the log counts both together.
        own = judge_usage(study.records).get(study.model)
        read, written = (0, 0) if own is None else (own["tokens_in"], own["tokens_out"])
        total += price.of(max(used["input"] - read, 0), max(used["output"] - written, 0))
        generations += study.counts["generations"]
    return total / generations if generations else None
