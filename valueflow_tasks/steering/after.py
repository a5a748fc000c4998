"""After the last sample: what the judge failed at, in the provider's own words."""

import sys

from inspect_ai.hooks import Hooks, TaskEnd, hooks

from valueflow.scorers.judge.panel import forget_dead
from valueflow.scorers.records import METADATA_KEY, ResponseRecord
from valueflow.scorers.summary.run import lost_note

__all__ = ["JudgeErrors"]


@hooks(name="judge_errors", description="Says at the end of a run why windows have no ranking.")
class JudgeErrors(Hooks):
    """Tells the commonest reasons on standard error, where a run of valueflow has any."""

    async def on_task_end(self, data: TaskEnd) -> None:
        """See `Hooks.on_task_end`; logs of `eval_set` may come without samples."""
        forget_dead()
        records: list[ResponseRecord] = [
            score.metadata[METADATA_KEY]
            for sample in data.log.samples or []
            for score in (sample.scores or {}).values()
            if score.metadata and METADATA_KEY in score.metadata
        ]
        for note in lost_note(records):
            print(f"valueflow: {note} ({data.log.location})", file=sys.stderr, flush=True)
