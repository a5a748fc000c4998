"""After the last sample: the run on one screen, and what the judge failed at in its own words."""

import os
import sys

from inspect_ai.hooks import Hooks, TaskEnd, hooks
from inspect_ai.log import EvalLog

from valueflow.hub_assets.errors import ValueflowError
from valueflow.scorers.intensity_scorer import summary_of
from valueflow.scorers.judge.panel import forget_dead
from valueflow.scorers.records import METADATA_KEY, ResponseRecord
from valueflow.scorers.saved.logs import ScoredLog
from valueflow.scorers.summary.overview import overview, overview_text
from valueflow.scorers.summary.run import lost_note

__all__ = ["EndOfRun"]


@hooks(name="end_of_run", description="Shows what a run of valueflow says, on one screen.")
class EndOfRun(Hooks):
    """Shows the overview of a run on standard error, and why windows have no ranking."""

    async def on_task_end(self, data: TaskEnd) -> None:
        """See `Hooks.on_task_end`."""
        forget_dead()
        location = data.log.location.removeprefix("file://")
        try:
            records = _records(data.log)
            if not records:
                return
            found = overview(summary_of(records), records)
        except ValueflowError as error:
            # The log is written by now; what cannot be shown must not end the run.
            print(f"valueflow: {error}", file=sys.stderr, flush=True)
            return
        near = os.path.relpath(location)
        path = location if near.startswith(os.pardir) else near
        where = [
            "",
            "Go on with the log: valueflow summary (this table; --all, --csv, --latex),",
            "valueflow report -o report (a page with pictures), inspect view (every sample)",
            path,
        ]
        print(f"\n{overview_text(found, where)}\n", file=sys.stderr, flush=True)
        for note in lost_note(records):
            print(f"valueflow: {note} ({data.log.location})", file=sys.stderr, flush=True)


def _records(log: EvalLog) -> list[ResponseRecord]:
    """The records of a log; logs of `eval_set` may come without samples and are read again."""
    if log.samples is None:
        return list(ScoredLog(log.location.removeprefix("file://")).records())  # type: ignore[arg-type]
    return [
        score.metadata[METADATA_KEY]
        for sample in log.samples
        for score in (sample.scores or {}).values()
        if score.metadata and METADATA_KEY in score.metadata
    ]
