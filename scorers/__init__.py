"""Measuring: windows, the judge, the mathematics of the evaluator, and the Inspect scorer.

The mathematics (`window_table`, `evaluation` and what they call) imports NumPy and SciPy only.
"""

from typing import TYPE_CHECKING

from valueflow.hub_assets.lazy import lazy_exports

if TYPE_CHECKING:
    from valueflow.scorers.database.ranking.fit import fit_rankings
    from valueflow.scorers.estimate.evaluation import Evaluation, evaluate
    from valueflow.scorers.estimate.table import WindowTable
    from valueflow.scorers.intensity_scorer import intensity, steering_summary
    from valueflow.scorers.saved.rankings import read_rankings
    from valueflow.scorers.summary.run import summarize

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
        "Evaluation": "valueflow.scorers.estimate.evaluation",
        "WindowTable": "valueflow.scorers.estimate.table",
        "evaluate": "valueflow.scorers.estimate.evaluation",
        "fit_rankings": "valueflow.scorers.database.ranking.fit",
        "intensity": "valueflow.scorers.intensity_scorer",
        "read_rankings": "valueflow.scorers.saved.rankings",
        "steering_summary": "valueflow.scorers.intensity_scorer",
        "summarize": "valueflow.scorers.summary.run",
    },
)
