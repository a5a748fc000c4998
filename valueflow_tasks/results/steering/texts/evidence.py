"""What the numbers rest on: responses word for word, beside the anchors that enclose them.

All of it is text from models and tables; the page shows it as such, whatever stands in it.
"""

import math
from collections.abc import Sequence

from valueflow.results.page import Evidence, Quote, Verbatim
from valueflow.results.steering.series import Series
from valueflow.results.steering.studies import Study
from valueflow.scorers.estimate.responses import Estimate
from valueflow.scorers.records import ResponseRecord, ValueRecord

__all__ = ["enclosing", "evidence_of", "median_estimate"]

EACH = 3
"""Responses that are shown of each kind that has no number."""

SURPRISING = 5
"""Responses that are shown of those furthest from their cell's mean."""

SEVERAL = 3
"""Studies above which the outer levels and the default are shown alone."""

NO_SCORE = {
    "no_response": "empty response",
    "cut": "cut by the token limit",
    "grader_failed": "the judge failed",
    "budget": "beyond the budget of the judge",
    "refusal": "refused",
}


def evidence_of(series: Sequence[Series]) -> list[Evidence]:
    """For each value the median response of each level, then the odd ones of each study."""
    found = []
    few = len({one.study.label for one in series}) > SEVERAL
    for one in series:
        study = one.study
        if study.summary.evaluation is None:
            continue
        items = _by_cell(study)
        records = {record["item"]: record for record in study.records}
        for value in one.values:
            levels = sorted(value.cells, reverse=True)
            if few:
                levels = [level for level in levels if level in (levels[0], 0, levels[-1])]
            quotes = []
            for level in levels:
                cell = value.cells[level]
                if estimates := items.get(cell.cell, []):
                    chosen = median_estimate(estimates)
                    head = f"level {_level(level)}: median of {len(estimates)} responses"
                    quotes.append(_quote(study, records[chosen.item], chosen, head))
            if quotes:
                label = f"{value.value}, {one.label}" if len(series) > 1 else value.value
                found.append(Evidence(f"{label}: median responses", quotes))
    for study in {id(one.study): one.study for one in series}.values():
        found += _odd(study)
    return found


def median_estimate(estimates: Sequence[Estimate]) -> Estimate:
    """The estimate in the middle; of an even number, the lower of the two."""
    ordered = sorted(estimates, key=lambda e: (e.intensity, e.item))
    return ordered[(len(ordered) - 1) // 2]


def enclosing(
    record: ValueRecord, intensity: float
) -> tuple[tuple[float, str] | None, tuple[float, str] | None]:
    """Of the anchors that a response was shown with, the next above and the next below it."""
    anchors = {
        (float(at), text)
        for window in record["windows"]
        for at, text in zip(window["anchors"], window["texts"], strict=True)
    }
    above = min((one for one in anchors if one[0] > intensity), default=None)
    below = max((one for one in anchors if one[0] <= intensity), default=None)
    return above, below


def _by_cell(study: Study) -> dict[str, list[Estimate]]:
    found: dict[str, list[Estimate]] = {}
    for estimate in study.summary.evaluation.items if study.summary.evaluation else ():
        found.setdefault(estimate.cell, []).append(estimate)
    return found


def _quote(study: Study, record: ResponseRecord, estimate: Estimate, head: str) -> Quote:
    (own,) = [v for v in record["values"].values() if v["cell"] == estimate.cell]
    above, below = enclosing(own, estimate.intensity)
    question, response = study.texts.get(record["item"], ("", ""))
    return Quote(
        head=f"{head}; intensity {estimate.intensity:+.1f} ± {estimate.se:.1f}".replace("-", "−"),
        question=Verbatim(question),
        text=Verbatim(response),
        above=_anchor(above),
        below=_anchor(below),
    )


def _anchor(anchor: tuple[float, str] | None) -> tuple[str, Verbatim] | None:
    if anchor is None:
        return None
    return f"{anchor[0]:+.1f}".replace("-", "−"), Verbatim(anchor[1])


def _odd(study: Study) -> list[Evidence]:
    """Responses without a score, refused ones, and those furthest from their cell's mean."""
    found = []
    refused = [record for record in study.records if record["refusal"]]
    if refused:
        title = f"{study.label}: {len(refused)} refused"
        found.append(Evidence(title, [_plain(study, r, "refused") for r in refused[:SURPRISING]]))
    by_reason: dict[str, list[ResponseRecord]] = {}
    for record in study.records:
        if record["unscored"] and not record["refusal"]:
            by_reason.setdefault(record["unscored"], []).append(record)
    for reason, records in by_reason.items():
        words = NO_SCORE.get(reason, reason)
        title = f"{study.label}: {len(records)} without a score, {words}"
        found.append(Evidence(title, [_plain(study, r, words) for r in records[:EACH]]))
    surprising = _surprising(study)
    if surprising:
        found.append(Evidence(f"{study.label}: furthest from the mean of their cell", surprising))
    return found


def _plain(study: Study, record: ResponseRecord, why: str) -> Quote:
    question, response = study.texts.get(record["item"], ("", ""))
    cells = ", ".join(value["cell"] for value in record["values"].values())
    return Quote(f"{cells}: {why}", Verbatim(question), Verbatim(response))


def _surprising(study: Study) -> list[Quote]:
    cells = {cell.cell: cell for cell in study.summary.cells}
    records = {record["item"]: record for record in study.records}
    rated = []
    for cell, estimates in _by_cell(study).items():
        summary = cells[cell]
        for estimate in estimates:
            spread = math.hypot(summary.spread, estimate.se)
            away = (estimate.intensity - summary.mean.value) / spread if spread > 0 else math.nan
            if not math.isnan(away):
                rated.append((-abs(away), estimate.item, cell, estimate, away))
    quotes = []
    for _, item, cell, estimate, away in sorted(rated, key=lambda one: one[:3])[:SURPRISING]:
        mean = cells[cell].mean.value
        head = f"{cell}: {abs(away):.1f} standard deviations {'above' if away > 0 else 'below'} "
        quotes.append(
            _quote(study, records[item], estimate, f"{head}the cell's mean of {mean:+.1f}")
        )
    return quotes


def _level(level: int) -> str:
    return f"{level:+d}".replace("-", "−") if level else "0 (no steering)"
