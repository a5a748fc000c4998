"""What community models say about a survey question (Modular Pluralism, Feng et al. 2024).

The communities are models in the roles `community_1`, `community_2`, ...; each is asked about a
question once, and what it says is shown to the model for every group. This is their steerable mode
with all messages given at once, in this project's own words.
"""

import anyio
from inspect_ai.model import GenerateConfig, Model, get_model, model_roles
from inspect_ai.solver import Generate, Solver, TaskState, solver

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.survey.sample import OpinionSample
from valueflow.solvers.survey_wording import community_prompt

__all__ = ["COMMUNITY_TOKENS", "CommunityMessages", "communities_named", "community_roles"]

COMMUNITY_TOKENS = 200
"""Room for one message, in tokens, where the role sets none."""


def community_roles() -> list[str]:
    """The roles of the running task that are communities, in order of their numbers."""
    named = [role for role in model_roles() if role.startswith("community_")]
    return sorted(named, key=lambda role: (len(role), role))


def _checked_roles() -> list[str]:
    roles = community_roles()
    if not roles:
        raise OptionError(
            "method",
            "modular_pluralism needs community models; name at least one with "
            "--model-role community_1=MODEL",
        )
    return roles


@solver
def communities_named() -> Solver:
    """Ends a run without community models before any model is called.

    Raises:
        OptionError: no model has a community's role.
    """

    async def check(state: TaskState, generate: Generate) -> TaskState:
        _checked_roles()
        return state

    return check


class CommunityMessages:
    """The messages of a run's communities; each question is put to each of them once."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], str] = {}
        self._locks: dict[str, anyio.Lock] = {}

    async def about(self, sample: OpinionSample) -> list[str]:
        """What the communities say of a sample's question, one text each.

        Raises:
            OptionError: no model has a community's role.
        """
        roles = _checked_roles()
        config = GenerateConfig(temperature=0.0, max_tokens=COMMUNITY_TOKENS)
        question = sample.question
        async with self._locks.setdefault(question, anyio.Lock()):
            for role in roles:
                if (role, question) not in self._said:
                    model: Model = get_model(role=role, required=True, config=config)
                    asked = community_prompt(sample.text, sample.options, sample.registry)
                    output = await model.generate(asked)
                    self._said[role, question] = output.completion.strip()
        return [self._said[role, question] for role in roles]
