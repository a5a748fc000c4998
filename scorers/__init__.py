"""Measuring: windows, the judge, the mathematics of the evaluator, and the Inspect scorer.

The mathematics (`window_table`, `evaluation` and what they call) imports NumPy and SciPy only.
"""

from typing import TYPE_CHECKING

from valueflow.hub_assets.lazy import lazy_exports

if TYPE_CHECKING:
    from valueflow.scorers.evaluation import Evaluation, evaluate
    from valueflow.scorers.intensity_scorer import intensity
    from valueflow.scorers.metrics import steering_summary
    from valueflow.scorers.ranking_fit import fit_rankings
    from valueflow.scorers.saved_rankings import read_rankings
    from valueflow.scorers.summary import summarize
    from valueflow.scorers.window_table import WindowTable

__all__ = [
    "Evaluation",
    "WindowTable",
    "evaluate",
    "fit_rankings",
    "intensity",
    "read_rankings",
    "steering_summary",
    "summarize",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "Evaluation": "valueflow.scorers.evaluation",
        "WindowTable": "valueflow.scorers.window_table",
        "evaluate": "valueflow.scorers.evaluation",
        "fit_rankings": "valueflow.scorers.ranking_fit",
        "intensity": "valueflow.scorers.intensity_scorer",
        "read_rankings": "valueflow.scorers.saved_rankings",
        "steering_summary": "valueflow.scorers.metrics",
        "summarize": "valueflow.scorers.summary",
    },
)
