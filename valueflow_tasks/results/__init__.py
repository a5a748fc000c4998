"""What logs say: as data frames, the report, the comparison of runs.

`load` reads logs into pandas data frames:

    from valueflow.results import load

    responses, windows, cells, values = load(["logs"])
"""

from typing import TYPE_CHECKING

from valueflow.hub_assets.lazy import lazy_exports

if TYPE_CHECKING:
    from valueflow.results.steering.frames import Frames, load

__all__ = ["Frames", "load"]

__getattr__ = lazy_exports(
    __name__,
    {"Frames": "valueflow.results.steering.frames", "load": "valueflow.results.steering.frames"},
)
