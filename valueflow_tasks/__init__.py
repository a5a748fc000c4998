"""Steer language models toward human values, and measure how far they go.

The tasks `steer` and `score` are run by Inspect (`inspect eval valueflow/steer --model X`); the
packages `valueflow.solvers`, `valueflow.scorers` and `valueflow.hub_assets` hold what they are made
of.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from valueflow.hub_assets.lazy import lazy_exports

if TYPE_CHECKING:
    from valueflow.scoring import score
    from valueflow.steering import steer

__all__ = ["__version__", "score", "steer"]

__version__ = version("valueflow")

__getattr__ = lazy_exports(__name__, {"score": "valueflow.scoring", "steer": "valueflow.steering"})
