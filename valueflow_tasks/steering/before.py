"""Before the first generation: whether the judge answers."""

from importlib import import_module
from logging import getLogger

import anyio
from inspect_ai.model import Model
from inspect_ai.solver import Generate, Solver, TaskState, solver

from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.settings import read_sample
from valueflow.scorers.judge.asking import grader_models
from valueflow.scorers.judge.probe import probe_judge

__all__ = ["judge_answers"]

logger = getLogger(__name__)


@solver
def judge_answers(every: bool = False) -> Solver:
    """Ends a run whose judge does not answer, before anything is generated.

    The judge is asked once, by whichever sample comes first; the others wait. A simulated judge,
    which costs nothing, is asked about every value of the run, since it need not know them all.
    Without a judge of its own a run is judged by the evaluated model, which is not asked.

    Args:
        every: whether the models in all roles that begin with `grader` are asked.
    """
    asked: dict[tuple[str, str], ValueflowError | None] = {}
    locks: list[anyio.Lock] = []

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        # Registers the hook in runs of ours alone: Inspect announces, on standard output and in
        # every process, all hooks that are there when it begins.
        import_module("valueflow.steering.after")
        if not locks:
            locks.append(anyio.Lock())
        for model in grader_models() if every else grader_models()[:1]:
            await ask(model, state)
        return state

    async def ask(model: Model, state: TaskState) -> None:
        sample = read_sample(state.metadata)
        simulated = getattr(model.api, "simulated", False)
        scored = sample.score_on if simulated else sample.score_on[:1]
        for theory, name in scored:
            key = (str(model), f"{theory}:{name}" if simulated else "")
            async with locks[0]:
                if key not in asked:
                    value = sample.registry.value(name, theory)
                    asked[key] = None
                    try:
                        odd = await probe_judge(model, value, sample)
                    except ValueflowError as error:
                        asked[key] = error
                    else:
                        if odd is not None:
                            logger.warning(odd)
            if (dead := asked[key]) is not None:
                raise dead

    return solve
