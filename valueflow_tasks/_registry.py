"""What Inspect finds through the package's entry point: tasks, solvers, scorers, the provider."""

from valueflow.multi_steering import steer_composite, steer_five, steer_pair
from valueflow.opinion_survey import opinionqa
from valueflow.scorers.intensity_scorer import intensity
from valueflow.scorers.metrics import steering_summary
from valueflow.scorers.option_scorer import opinion_summary, option_choice
from valueflow.scoring import existing_response, score
from valueflow.simulated_models import simulated
from valueflow.solvers.profile_solver import answer_as_group
from valueflow.solvers.steering_solver import steer_values
from valueflow.steering import steer

__all__ = [
    "answer_as_group",
    "existing_response",
    "intensity",
    "opinion_summary",
    "opinionqa",
    "option_choice",
    "score",
    "simulated",
    "steer",
    "steer_composite",
    "steer_five",
    "steer_pair",
    "steer_values",
    "steering_summary",
]
