"""`valueflow selfcheck`: runs the real task on simulated models and compares estimates with truth.

The simulated respondent writes its true intensities at the end of each answer; the simulated judge
ranks with known noise. Everything between them is what real runs use.
"""

import math
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import get_model

from valueflow.hub_assets.errors import ValueflowError
from valueflow.scorers.records import METADATA_KEY, ResponseRecord
from valueflow.scorers.summary.run import RunSummary, summarize
from valueflow.simulated.respondent import read_trailer
from valueflow.steering.tasks import steer

__all__ = ["CellCheck", "Check", "check_log", "run_selfcheck"]


@dataclass(frozen=True)
class CellCheck:
    """Truth and estimate of one cell: means over its responses, in points of [−10, 10]."""

    cell: str
    responses: int
    truth: float
    estimate: float
    se: float


@dataclass(frozen=True)
class Check:
    """How estimates compare with truth in one run.

    Attributes:
        cells: truth beside estimate.
        responses: responses that were scored.
        rmse: root mean square error of a response's estimate from its own windows alone.
        slope: least-squares slope of a response's estimate on its truth.
        bias: mean error of a response's estimate.
        coverage: share of responses whose interval holds the truth.
        cell_rmse: root mean square error of the cells' means.
        counts: judge calls, retries and so on.
        summary: the run's summary.
    """

    cells: list[CellCheck]
    responses: int
    rmse: float
    slope: float
    bias: float
    coverage: float
    cell_rmse: float
    counts: Mapping[str, int]
    summary: RunSummary


def run_selfcheck(
    respondent: Mapping[str, Any],
    judge: Mapping[str, Any],
    task: Mapping[str, Any],
    log_dir: Path | None = None,
    display: str = "none",
) -> Check:
    """Runs `valueflow/steer` on the simulated models and compares.

    Args:
        respondent: options of `valueflow/respondent`.
        judge: options of `valueflow/judge`.
        task: options of the task.
        log_dir: where the log goes; a temporary folder where None.
        display: Inspect's display type.

    Raises:
        ValueflowError: the run ended in an error.
    """
    with tempfile.TemporaryDirectory() as temporary:
        logs = inspect_eval(
            steer(**task),
            model=get_model("valueflow/respondent", memoize=False, **respondent),
            model_roles={"grader": get_model("valueflow/judge", memoize=False, **judge)},
            log_dir=str(log_dir or temporary),
            display=display,  # type: ignore[arg-type]
            log_level="warning",
        )
        log = logs[0]
        if log.status != "success":
            raise ValueflowError(f"the run ended with status {log.status}: {log.error}")
        # Samples are read from the file when they are asked for, so before the folder goes.
        return check_log(log)


def check_log(log: EvalLog) -> Check:
    """Compares the estimates of a run on simulated models with the truth in its responses.

    Raises:
        ValueflowError: no response has a trailer, so that nothing is known of the truth.
    """
    truths: dict[tuple[str, str], float] = {}
    records: list[ResponseRecord] = []
    for sample in log.samples or []:
        for score in (sample.scores or {}).values():
            record: ResponseRecord = (score.metadata or {})[METADATA_KEY]
            records.append(record)
            trailer = read_trailer(sample.output.completion) or {}
            for name, value in record["values"].items():
                if name in trailer:
                    truths[record["item"], value["cell"]] = trailer[name]
    summary = summarize(records)
    if not truths or summary.evaluation is None:
        raise ValueflowError("no scored response states its true intensities")
    pairs = [(truths[e.item, e.cell], e) for e in summary.evaluation.items]
    truth = np.array([t for t, _ in pairs])
    estimate = np.array([e.flat_prior for _, e in pairs])
    inside = [e.lower <= t <= e.upper for t, e in pairs]
    by_cell: dict[str, list[float]] = defaultdict(list)
    for t, e in pairs:
        by_cell[e.cell].append(t)
    cells = [
        CellCheck(c.cell, c.items, float(np.mean(by_cell[c.cell])), c.intensity, c.se)
        for c in summary.evaluation.cells
    ]
    return Check(
        cells=cells,
        responses=len(pairs),
        rmse=math.sqrt(float(np.mean((estimate - truth) ** 2))),
        slope=float(np.polyfit(truth, estimate, 1)[0]) if len(set(truth)) > 1 else math.nan,
        bias=float(np.mean(estimate - truth)),
        coverage=float(np.mean(inside)),
        cell_rmse=math.sqrt(float(np.mean([(c.estimate - c.truth) ** 2 for c in cells]))),
        counts=summary.counts,
        summary=summary,
    )
