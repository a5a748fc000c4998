"""Judges responses that lm-evaluation-harness generated earlier, as their own run would have.

Survey samples that lm-evaluation-harness has written, summed up as one run of several passes.

A task of the harness holds one pass, and is told nothing of the others. Their samples files
together have what Inspect's log has: the differences between passes, paired by row.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.files import check_file
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.lm_eval.figures import RunNumbers, numbers_of
from valueflow.lm_eval.judging import GivenResponse
from valueflow.lm_eval.leaves import leaf_named
from valueflow.lm_eval.options import grader_spec
from valueflow.lm_eval.survey import record_of
from valueflow.lm_eval.tables import read_responses, read_samples, write_opinion_tables
from valueflow.scorers.judge.calls.memory import check_cache_folder
from valueflow.scorers.judge.model import check_grader
from valueflow.scorers.judge.panel import check_panel
from valueflow.scorers.survey.accuracy import flatten_options, summarize_options
from valueflow.scorers.survey.records import OptionRecord

__all__ = ["is_survey", "judge_later", "sum_up_surveys"]


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
    check_panel(check_grader(spec))
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


def is_survey(path: Path) -> bool:
    """Whether a file's first line is a survey sample; files that cannot be read are none."""
    try:
        check_file(path)
        with path.open(encoding="utf-8") as stream:
            doc = json.loads(stream.readline())["doc"]
        return "sample" in doc and "run" in doc
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def sum_up_surveys(paths: Sequence[Path], output: Path) -> dict[str, float]:
    """Reads the answers of all files anew, writes tables of them, and gives their figures.

    Args:
        paths: samples files, one for each pass; settings and form of answer must be alike. That
            one model answered all of them is not in the files.
        output: folder for `figures_survey_TIME.csv` and `answers_survey_TIME.csv`.

    Returns:
        Every figure by the name that Inspect's log has for it.

    Raises:
        InputFileError: a line that is no survey sample, an answer that is there twice, files of
            different settings or forms of answer, or a folder that cannot be written to.
    """
    records: list[OptionRecord] = []
    first: tuple[Any, ...] | None = None
    seen: dict[tuple[str, str, str], Path] = {}
    problem = (
        "is no answer of a survey task; give a file samples_valueflow*opinionqa_*.jsonl of lm-eval"
    )
    for path in paths:
        for number, (record, shared) in read_samples(path, _answer, problem):
            first = first or shared
            if shared != first:
                raise InputFileError(
                    path, f"was run with other settings than {paths[0]}; give one run's files"
                )
            key = (record["pass_name"], record["group"], record["question"])
            if key in seen:
                raise InputFileError(
                    path,
                    f"repeats the {key[0]} answer of {key[1]} to question {key[2]} in {seen[key]}; "
                    "give one file for each pass",
                    row=number,
                )
            seen[key] = path
            records.append(record)
    flat = flatten_options(summarize_options(records))
    write_opinion_tables(output, "survey", records, flat)
    return flat


def _answer(row: Mapping[str, Any]) -> tuple[OptionRecord, tuple[Any, ...]]:
    """The record of an answer, and what the passes of one run have in common."""
    run = json.loads(row["doc"]["run"])
    names = ("data_sha256", "wording", "answer_reader", "style", "holdout", "seed")
    letters = str(run["task"]).partition("::")[0]
    shared = ("letters" in letters, *(run[name] for name in names))
    return record_of(row["doc"], row["filtered_resps"]), shared
