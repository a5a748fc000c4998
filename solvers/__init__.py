"""Steering: the wording of personas, the choice of exemplars, and the Inspect solver."""

from typing import TYPE_CHECKING

from valueflow.hub_assets.lazy import lazy_exports

if TYPE_CHECKING:
    from valueflow.solvers.exemplars import choose_exemplars
    from valueflow.solvers.steering_solver import steer_values
    from valueflow.solvers.wording import default_prompt, definition_prompt, user_texts_prompt

__all__ = [
    "choose_exemplars",
    "default_prompt",
    "definition_prompt",
    "steer_values",
    "user_texts_prompt",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "choose_exemplars": "valueflow.solvers.exemplars",
        "default_prompt": "valueflow.solvers.wording",
        "definition_prompt": "valueflow.solvers.wording",
        "steer_values": "valueflow.solvers.steering_solver",
        "user_texts_prompt": "valueflow.solvers.wording",
    },
)
