"""Logs as pandas data frames: responses, windows, cells and values, in long form.

The numbers are those of `valueflow summary` and of the report: logs with the same settings are one
study, refusals stay out of cells, the newest score of a sample counts.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from valueflow.hub_assets.lazy import need
from valueflow.results.steering.rows import cell_rows, value_rows
from valueflow.results.steering.studies import Study, studies_of
from valueflow.results.studies import unusable
from valueflow.scorers.saved.logs import find_logs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Frames", "load"]

KEYS = ("item", "cell")
"""What rows of `responses` and `windows` have in common."""

RESPONSES = (
    *("study", "model", "item", "query", "epoch", "theory", "value", "group", "condition"),
    *("level", "cell", "question", "response", "words", "refusal", "unscored", "cut"),
    *("intensity", "se", "lower", "upper", "own_intensity", "own_se", "windows"),
)
WINDOWS = (
    *("study", "model", "item", "cell", "value", "window", "position", "rank", "texts"),
    *("anchors", "order", "ratings", "choice", "calls", "repaired", "failure", "error"),
)


class Frames(NamedTuple):
    """Four data frames; intensities and their errors are in points of the [−10, 10] scale.

    Attributes:
        responses: a row per response and value: its texts, its place, its `intensity` with `se`
            given all windows of its cell, and `own_intensity` with `own_se` from its own alone.
            Cells' means are no averages of these: take them from `cells`.
        windows: a row per window: anchors as lists, the response's place among the texts shown
            (`position`) and among the texts in the judge's order (`rank`, 1 supports most).
        cells: a row per cell, with standard errors and 95 % intervals.
        values: a row per value: `up`, `down`, `range`, `asymmetry`, `monotonicity`, `slope`, each
            with `_se`.
    """

    responses: "pd.DataFrame"
    windows: "pd.DataFrame"
    cells: "pd.DataFrame"
    values: "pd.DataFrame"


def load(
    logs: str | Path | Iterable[str | Path],
    *,
    names: Mapping[str, str] | None = None,
    values: Collection[str] = (),
) -> Frames:
    """Reads logs of steering tasks, finished or not, into data frames.

    Args:
        logs: Inspect logs and folders of them.
        names: what models are called, where they are not called by their own names.
        values: names of the values that are read; all where empty.

    Returns:
        The frames; the column `study` tells apart what was run or judged otherwise.

    Raises:
        InputFileError: a path is not there, or no log can be used.
        OptionError: no log has such a value, or is of such a model.
        ValueflowError: pandas is not installed.
    """
    need("valueflow.results.load", "report", "pandas")
    import pandas as pd

    paths = [logs] if isinstance(logs, str | Path) else list(logs)
    found = studies_of(find_logs(paths), names=names, only=values)
    if not found.studies:
        raise unusable(paths, found.skipped)
    studies = found.studies
    responses = [row for study in studies for row in _responses(study)]
    windows = [row for study in studies for row in _windows(study)]
    return Frames(
        pd.DataFrame(responses, columns=list(RESPONSES)),
        pd.DataFrame(windows, columns=list(WINDOWS)),
        pd.DataFrame([{**row, "model": s.model} for s in studies for row in cell_rows(s)]),
        pd.DataFrame([{**row, "model": s.model} for s in studies for row in value_rows(s)]),
    )


def _responses(study: Study) -> Iterable[dict[str, Any]]:
    evaluation = study.summary.evaluation
    estimates = {(e.item, e.cell): e for e in evaluation.items} if evaluation else {}
    for record in study.records:
        question, response = study.texts.get(record["item"], ("", ""))
        for value in record["values"].values():
            row: dict[str, Any] = {
                "study": study.label,
                "model": study.model,
                "item": record["item"],
                "query": record["query"],
                "epoch": record["epoch"],
                "theory": value["theory"],
                "value": value["value"],
                "group": value["group"],
                "condition": value.get("condition", ""),
                "level": value["level"],
                "cell": value["cell"],
                "question": question,
                "response": response,
                "words": record["words"],
                "refusal": record["refusal"],
                "unscored": record["unscored"],
                "cut": bool(record.get("cut")),
                "windows": 0,
            }
            estimate = estimates.get((record["item"], value["cell"]))
            if estimate is not None:
                row |= {
                    "intensity": estimate.intensity,
                    "se": estimate.se,
                    "lower": estimate.lower,
                    "upper": estimate.upper,
                    "own_intensity": estimate.flat_prior,
                    "own_se": estimate.flat_prior_se,
                    "windows": estimate.windows,
                }
            yield row


def _windows(study: Study) -> Iterable[dict[str, Any]]:
    for record in study.records:
        for value in record["values"].values():
            for number, window in enumerate(value["windows"], start=1):
                order = window["order"]
                yield {
                    "study": study.label,
                    "model": study.model,
                    "item": record["item"],
                    "cell": value["cell"],
                    "value": value["value"],
                    "window": number,
                    "position": window["position"],
                    "rank": order.index(0) + 1 if order else math.nan,
                    "texts": window["texts"],
                    "anchors": window["anchors"],
                    "order": order,
                    "ratings": window.get("ratings"),
                    "choice": window.get("choice"),
                    "calls": window["calls"],
                    "repaired": window["repaired"],
                    "failure": window["failure"],
                    "error": window["error"],
                }
