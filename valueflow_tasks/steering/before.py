"""Before the first generation: who judges, whether it answers, and what will be listed."""

import sys
from importlib import import_module
from logging import getLogger

import anyio
from inspect_ai.scorer import Metric
from inspect_ai.solver import Generate, Solver, TaskState, solver

from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.settings import SampleSettings, read_sample
from valueflow.scorers.intensity_scorer import steering_headline, steering_summary
from valueflow.scorers.judge.panel import (
    Grader,
    check_panel_mode,
    found_dead,
    grader_roles,
    graders_of_run,
)
from valueflow.scorers.judge.probe import probe_judge
from valueflow.scorers.summary.overview import self_judged
from valueflow.steering.plan import run_size
from valueflow.steering.settings import LogSettings

__all__ = ["judge_answers", "listed", "say_who_judges"]

logger = getLogger(__name__)


def listed(logged: LogSettings, first: str) -> list[Metric]:
    """The metrics of a task, of which the figure `first` is its headline."""
    if logged.figures == "all":
        return [steering_summary(first=first)]
    return [steering_headline(first)]


def say_who_judges() -> dict[str, str]:
    """Says first of all that a model will judge itself, where Inspect's command line makes a run.

    Elsewhere the roles are not known before the run; `judge_answers` says it then.

    Returns:
        Metadata of the log that say it too; empty where a judge is named.
    """
    if not run_size().known or grader_roles():
        return {}
    print(f"valueflow: {self_judged()}", file=sys.stderr, flush=True)
    return {"judge": "none was named when the log was made: the evaluated model judged itself"}


@solver
def judge_answers(every: bool = False) -> Solver:
    """Ends a run whose judge does not answer, before anything is generated.

    A panel goes on without a judge that does not, as long as one answers.

    The judge is asked once, by whichever sample comes first; the others wait. A simulated judge,
    which costs nothing, is asked about every value of the run, since it need not know them all.
    Without a judge of its own a run is judged by the evaluated model, which is not asked.

    Args:
        every: whether all judges are needed, so that one that does not answer ends the run.
    """
    asked: dict[tuple[str, str], ValueflowError | None] = {}
    locks: list[anyio.Lock] = []
    told: set[str] = set()

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        # Registers the hook in runs of ours alone: Inspect announces, on standard output and in
        # every process, all hooks that are there when it begins.
        import_module("valueflow.steering.after")
        graders = graders_of_run()
        sample = read_sample(state.metadata)
        check_panel_mode(sample.evaluator.panel, len(graders))
        if not graders[0].named:
            model = graders[0].model
            if not run_size().known and str(model) not in told:
                print(f"valueflow: {self_judged(str(model))}", file=sys.stderr, flush=True)
            told.add(str(model))
            return state
        if not locks:
            locks.append(anyio.Lock())
        dead = [
            error for grader in graders if (error := await first(grader, sample, len(graders) > 1))
        ]
        if dead and (every or len(dead) == len(graders)):
            raise dead[0]
        return state

    async def first(grader: Grader, sample: SampleSettings, several: bool) -> ValueflowError | None:
        """Why a judge cannot be asked, after a first question to it; None where it can."""
        simulated = getattr(grader.model.api, "simulated", False)
        scored = sample.score_on if simulated else sample.score_on[:1]
        for theory, name in scored:
            key = (grader.name, f"{theory}:{name}" if simulated else "")
            async with locks[0]:
                if key not in asked:
                    value = sample.registry.value(name, theory)
                    asked[key] = None
                    said: str | None = None
                    try:
                        odd = await probe_judge(grader.model, value, sample)
                    except ValueflowError as error:
                        asked[key] = error
                        said = str(error).partition(". Nothing was generated")[0]
                        odd = f"{said}. The other judges go on without it" if several else None
                    if odd is not None:
                        logger.warning(odd)
                    if several:
                        found_dead(grader, said)
            if (dead := asked[key]) is not None:
                return dead
        return None

    return solve
