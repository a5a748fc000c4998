"""What Inspect finds through the package's entry point: tasks, solvers, scorers, the provider."""

from valueflow.scorers.database.embedding.scorer import hives, hives_summary
from valueflow.scorers.intensity_scorer import intensity, steering_headline, steering_summary
from valueflow.scorers.survey.scorer import opinion_summary, option_choice
from valueflow.simulated.models import simulated
from valueflow.solvers.steering_solver import steer_values
from valueflow.solvers.survey_solver import answer_as_group
from valueflow.steering.before import judge_answers
from valueflow.steering.existing import existing_response, score
from valueflow.steering.judge_study.injection import injection, injection_scores, injection_summary
from valueflow.steering.judge_study.scorer import judge_stability_scores, stability_summary
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
    "answer_as_group",
    "existing_response",
    "hives",
    "hives_summary",
    "injection",
    "injection_scores",
    "injection_summary",
    "intensity",
    "judge_answers",
    "judge_stability",
    "judge_stability_scores",
    "opinion_summary",
    "opinionqa",
    "option_choice",
    "score",
    "simulated",
    "stability_summary",
    "steer",
    "steer_composite",
    "steer_five",
    "steer_pair",
    "steer_profile",
    "steer_values",
    "steering_headline",
    "steering_summary",
]
