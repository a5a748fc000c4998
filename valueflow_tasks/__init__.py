"""Steer language models toward human values, and measure how far they go.

The tasks `steer`, `steer_pair`, `steer_five`, `steer_composite`, `steer_profile`, `opinionqa`,
`score`, `judge_stability` and `injection` are run by Inspect (`inspect eval valueflow/steer --model
X`); the packages `valueflow.solvers`, `valueflow.scorers` and `valueflow.hub_assets` hold what they
are made of. `valueflow.hives` loads embedding models of values.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from valueflow.hub_assets.lazy import lazy_exports

if TYPE_CHECKING:
    from valueflow.scorers.database.embedding import hives
    from valueflow.steering.existing import score
    from valueflow.steering.judge_study.injection import injection
    from valueflow.steering.judge_study.task import judge_stability
    from valueflow.steering.tasks import (
        steer,
        steer_composite,
        steer_five,
        steer_pair,
        steer_profile,
    )
    from valueflow.survey.task import opinionqa

__all__ = [
    "__version__",
    "hives",
    "injection",
    "judge_stability",
    "opinionqa",
    "score",
    "steer",
    "steer_composite",
    "steer_five",
    "steer_pair",
    "steer_profile",
]

__version__ = version("valueflow")

TASK_MODULES = {
    "steer": "valueflow.steering.tasks",
    "steer_pair": "valueflow.steering.tasks",
    "steer_five": "valueflow.steering.tasks",
    "steer_composite": "valueflow.steering.tasks",
    "steer_profile": "valueflow.steering.tasks",
    "opinionqa": "valueflow.survey.task",
    "score": "valueflow.steering.existing",
    "injection": "valueflow.steering.judge_study.injection",
    "judge_stability": "valueflow.steering.judge_study.task",
}
"""The tasks, as they are listed, and the modules that define them."""

_task = lazy_exports(__name__, TASK_MODULES)


def __getattr__(name: str) -> Any:
    """A task, or the module of embedding models, imported when it is first asked for."""
    if name == "hives":
        return import_module("valueflow.scorers.database.embedding.hives")
    return _task(name)
