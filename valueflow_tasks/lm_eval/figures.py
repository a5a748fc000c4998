"""From a task's responses to the numbers that lm-evaluation-harness shows.

All numbers come from `valueflow.scorers`; this module gives them the harness's names, and shows on
standard error the run on one screen and what went wrong.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.settings import SpendingSettings, read_options
from valueflow.lm_eval.aggregation import Numbers, attempt, say, say_once, say_written
from valueflow.lm_eval.judging import GivenResponse, JudgedResponses, judge_responses
from valueflow.lm_eval.leaves import METRICS, SCORED, SHARES
from valueflow.lm_eval.options import NO_GRADER
from valueflow.lm_eval.tables import keep_responses, write_tables
from valueflow.scorers.estimate.evaluation import Estimate
from valueflow.scorers.figures import Figure, share
from valueflow.scorers.records import ResponseRecord
from valueflow.scorers.summary.overview import overview, overview_text
from valueflow.scorers.summary.run import RunSummary, summarize

__all__ = ["RunNumbers", "numbers_of"]


@dataclass(frozen=True)
class RunNumbers(Numbers):
    """What a run that steers says under lm-eval.

    Attributes:
        summary: everything that the run says; None where nothing was judged.
    """

    summary: RunSummary | None = None


def numbers_of(
    responses: Sequence[GivenResponse], *, keep: bool = True, output: Path | None = None
) -> RunNumbers:
    """Judges a run, sums it up and writes its tables where the run names a folder.

    No error is raised: where the judge fails, the reason goes to standard error, with the file that
    keeps the responses and the command that finishes the job.

    Args:
        responses: all responses of one run, at least one.
        keep: whether to keep responses that were not judged (they may be in a file already).
        output: folder for tables, in place of the run's.
    """
    run = responses[0].run
    finish = responses if keep else ()
    if run["grader"] == NO_GRADER:
        _say(run, "not judged, since no grader is named", finish)
        return RunNumbers()

    def judge() -> tuple[JudgedResponses, RunSummary, RunNumbers]:
        spending = read_options(SpendingSettings, run)
        connections = int(run["max_connections"])
        judged = judge_responses(responses, run["grader"], connections, spending)
        summary = summarize(judged.records)
        return judged, summary, _numbers(judged, summary)

    found = attempt(judge, lambda why: _say(run, f"not judged{why}", finish))
    if found is None:
        return RunNumbers()
    judged, summary, numbers = found
    _report(run, judged, numbers, finish)
    print(f"\n{overview_text(overview(summary, judged.records))}\n", file=sys.stderr, flush=True)
    for note in summary.notes:
        say_once(note)
    folder = output or (Path(run["output"]) if run["output"] else None)
    if folder is not None:
        name = run["task"]
        say_written(name, lambda: write_tables(folder, name, summary, judged.records))
    return numbers


def _numbers(judged: JudgedResponses, summary: RunSummary) -> RunNumbers:
    figures = {
        metric: summary.overall[name]
        for names in METRICS.values()
        for metric, name in names.items()
        # Numbers of a judge that went away rest on whatever it was asked first.
        if name in summary.overall and not judged.gone
    }
    for metric, counts in zip(SHARES, (_refused, _unscored), strict=True):
        found = share(judged.records, counts)
        if found is not None:
            figures[metric] = found
    scored = summary.counts["responses"] - summary.counts["unscored"]
    figures[SCORED] = Figure(float(scored))
    return RunNumbers(figures, _shown(summary, judged.records), summary)


def _refused(record: ResponseRecord) -> bool:
    return record["refusal"]


def _unscored(record: ResponseRecord) -> bool:
    return record["unscored"] is not None


def _shown(summary: RunSummary, records: Sequence[ResponseRecord]) -> dict[str, dict[str, Any]]:
    """By document id: the response's cells, with its intensity in each."""
    estimates: dict[tuple[str, str], Estimate] = {}
    if summary.evaluation is not None:
        estimates = {(e.item, e.cell): e for e in summary.evaluation.items}
    shown = {}
    for record in records:
        values = {}
        for name, value in record["values"].items():
            estimate = estimates.get((record["item"], value["cell"]))
            values[name] = {
                "cell": value["cell"],
                "level": value["level"],
                "intensity": estimate.intensity if estimate else None,
                "se": estimate.se if estimate else None,
                "windows": estimate.windows if estimate else 0,
            }
        shown[record["item"].rpartition("#")[0]] = {
            "values": values,
            "refusal": record["refusal"],
            "unscored": record["unscored"],
        }
    return shown


def _report(
    run: Mapping[str, Any],
    judged: JudgedResponses,
    numbers: RunNumbers,
    finish: Sequence[GivenResponse],
) -> None:
    _say(
        run,
        f"{judged.asked:,} judge calls, {judged.remembered:,} answers from the cache; "
        f"{numbers.value(SCORED):,.0f} of {len(judged.records):,} responses scored",
    )
    if judged.failed:
        rest = "no numbers are given" if judged.gone else "the numbers rest on the other windows"
        _say(
            run,
            f"{judged.failed:,} windows could not be judged ({judged.error}); {rest}",
            finish,
        )


def _say(run: Mapping[str, Any], message: str, unfinished: Sequence[GivenResponse] = ()) -> None:
    """Prints a message, and how to finish where there are responses to be kept for that."""
    if unfinished:
        try:
            path = keep_responses(unfinished)
            message += (
                f". The responses are in {path}; to finish: valueflow lm-eval score {path} "
                "--grader PROVIDER/MODEL -o FOLDER. What was judged is not asked for again"
            )
        except InputFileError as error:
            message += f". The responses could not be kept: {error}"
    say(run["task"], message)
