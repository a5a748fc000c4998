"""Steer language models toward human values, and measure how far they go.

The tasks `steer`, `steer_pair`, `steer_five`, `steer_composite`, `opinionqa` and `score` are run by
Inspect (`inspect eval valueflow/steer --model X`); the packages `valueflow.solvers`,
`valueflow.scorers` and `valueflow.hub_assets` hold what they are made of.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from valueflow.hub_assets.lazy import lazy_exports

if TYPE_CHECKING:
    from valueflow.multi_steering import steer_composite, steer_five, steer_pair
    from valueflow.opinion_survey import opinionqa
    from valueflow.scoring import score
    from valueflow.steering import steer

__all__ = [
    "__version__",
    "opinionqa",
    "score",
    "steer",
    "steer_composite",
    "steer_five",
    "steer_pair",
]

__version__ = version("valueflow")

_TASKS = {
    "opinionqa": "valueflow.opinion_survey",
    "score": "valueflow.scoring",
    "steer": "valueflow.steering",
    "steer_composite": "valueflow.multi_steering",
    "steer_five": "valueflow.multi_steering",
    "steer_pair": "valueflow.multi_steering",
}

__getattr__ = lazy_exports(__name__, _TASKS)
