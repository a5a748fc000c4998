"""Steer language models toward human values, and measure how far they go.

The tasks `steer`, `steer_pair`, `steer_five`, `steer_composite`, `opinionqa`, `score`,
`judge_stability` and `injection` are run by Inspect (`inspect eval valueflow/steer --model X`);
the packages `valueflow.solvers`, `valueflow.scorers` and `valueflow.hub_assets` hold what they are
made of.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from valueflow.hub_assets.lazy import lazy_exports

if TYPE_CHECKING:
    from valueflow.judge_study.injection import injection
    from valueflow.judge_study.task import judge_stability
    from valueflow.steering.existing import score
    from valueflow.steering.tasks import steer, steer_composite, steer_five, steer_pair
    from valueflow.survey.task import opinionqa

__all__ = [
    "__version__",
    "injection",
    "judge_stability",
    "opinionqa",
    "score",
    "steer",
    "steer_composite",
    "steer_five",
    "steer_pair",
]

__version__ = version("valueflow")

TASK_MODULES = {
    "steer": "valueflow.steering.tasks",
    "steer_pair": "valueflow.steering.tasks",
    "steer_five": "valueflow.steering.tasks",
    "steer_composite": "valueflow.steering.tasks",
    "opinionqa": "valueflow.survey.task",
    "score": "valueflow.steering.existing",
    "injection": "valueflow.judge_study.injection",
    "judge_stability": "valueflow.judge_study.task",
}
"""The tasks, as they are listed, and the modules that define them."""

__getattr__ = lazy_exports(__name__, TASK_MODULES)
