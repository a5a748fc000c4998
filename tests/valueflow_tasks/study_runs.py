"""Small runs of the real tasks, and logs changed by hand, for the tests of studies and reports."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log

from valueflow.scorers.records import METADATA_KEY
from valueflow.steering import steer


def run_log(
    folder: Path, task: Task | None = None, judge: Any = "valueflow/judge", **arguments: Any
) -> Path:
    """Runs a task on the simulated models and returns its log; `arguments` are the respondent's."""
    log = inspect_eval(
        task or steer(values="power,benevolence", levels="-2,2", n_queries=3),
        model="valueflow/respondent",
        model_args=arguments,
        model_roles={"grader": judge} if judge else {},
        display="none",
        log_dir=str(folder),
    )[0]
    assert log.status == "success", log.error
    return Path(log.location)


def changed(path: Path, target: Path, change: Callable[[EvalLog], Any], fresh: bool = True) -> Path:
    """A copy of a log with something changed; `fresh` makes it another task's run."""
    log = read_eval_log(str(path))
    change(log)
    if fresh:
        log.eval.task_id = log.eval.eval_id = f"id-{target.stem}"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_eval_log(log, str(target))
    return target


def copied(path: Path, folder: Path) -> Path:
    """The same log in another folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(path, folder / path.name))


def records_in(log: EvalLog) -> list[dict[str, Any]]:
    """The records of all scored samples, to be changed in place."""
    return [
        score.metadata[METADATA_KEY]
        for sample in log.samples or []
        for score in (sample.scores or {}).values()
        if score.metadata
    ]
