"""The task `valueflow/steer`: steer a model toward one value at a time and measure it.

inspect eval valueflow/steer --model X --model-role grader=Y -T values=benevolence,power
"""

from typing import Any

from inspect_ai import Task, task

from valueflow.conditions import single_conditions
from valueflow.evaluator_options import registry_of_run
from valueflow.options import clear_errors, levels_option, values_option
from valueflow.run_design import steering_design, steering_task
from valueflow.run_options import RunOptions, with_options

__all__ = ["steer"]


@task
@clear_errors
@with_options(RunOptions)
def steer(
    theory: str | None = None,
    values: str | list[str] | None = None,
    levels: str | int | list[Any] | None = None,
    *,
    options: RunOptions,
) -> Task:
    """Steers a model toward one value at a time, at each level, and measures the intensity.

    Each query is answered once without steering (level 0) and once per value and level; the default
    response is scored on every value of the run. Samples are ordered query by query, so `--limit`
    keeps whole designs when it is a multiple of 1 + values × (levels − 1).

    Args:
        theory: `pvq` (default), `mft`, `duty` or `right`, in any usual spelling.
        values: names of values; all values of the theory where not given.
        levels: some of -2, -1, 0, 1, 2 (all); 0 is always generated.
        options: the parameters of `valueflow.run_options.RunOptions`, each one of the task's own.
    """
    registry = registry_of_run(options)
    chosen = values_option(registry, values, theory)
    design = steering_design(single_conditions(chosen, levels_option(registry, levels)), options)
    return steering_task(design, name=f"{chosen[0].theory} steering", headline="range")
