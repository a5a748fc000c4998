"""Judges responses that lm-evaluation-harness generated earlier, as their own run would have."""

import json
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.registry import load_registry
from valueflow.lm_eval_cache import check_cache_folder
from valueflow.lm_eval_grader import check_grader, grader_spec
from valueflow.lm_eval_judging import GivenResponse
from valueflow.lm_eval_leaves import leaf_named
from valueflow.lm_eval_summary import RunNumbers, numbers_of
from valueflow.lm_eval_tables import read_responses

__all__ = ["judge_later"]


def judge_later(
    path: Path, grader: str | None, output: Path, max_connections: int | None = None
) -> tuple[RunNumbers, list[str]]:
    """Judges a file of responses and writes its tables.

    Args:
        path: see `read_responses`.
        grader: the judge, or None: the variable `VALUEFLOW_GRADER`.
        output: folder for the tables.
        max_connections: most judge calls in flight; the run's own where not given.

    Returns:
        The numbers, and the names of the task's metrics.

    Raises:
        ValueflowError: the file or the judge cannot be used.
    """
    spec = grader_spec(grader)
    if spec is None:
        raise OptionError("--grader", "names no judge; give PROVIDER/MODEL")
    check_grader(spec)
    check_cache_folder()
    given = read_responses(path)
    if len({response.doc["run"] for response in given}) > 1:
        raise InputFileError(path, "holds responses of several runs; give one file per run")
    run = {**given[0].run, "grader": spec}
    if max_connections is not None:
        run["max_connections"] = max_connections
    judged = json.dumps(run, sort_keys=True, ensure_ascii=False)
    responses = [GivenResponse({**r.doc, "run": judged}, r.text) for r in given]
    leaf = leaf_named(load_registry(), run["task"])
    numbers = numbers_of(responses, keep=False, output=output)
    return numbers, leaf.metrics(singles=bool(run["singles"]))
