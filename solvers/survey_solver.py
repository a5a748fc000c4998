"""Inspect solver: puts a survey question to the model as a group would be asked, and generates."""

from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver

from valueflow.hub_assets.survey.sample import read_opinion_sample
from valueflow.solvers.communities import CommunityMessages
from valueflow.solvers.shared_answers import SharedAnswers
from valueflow.solvers.survey_wording import sample_prompt
from valueflow.solvers.wording import Style

__all__ = ["answer_as_group"]

ALTERNATIVES = {
    "hf": 20,
    "vllm": 20,
    "sglang": 20,
    "together": 20,
    "grok": 8,
    "fireworks": 5,
    "valueflow": 20,
}
"""Providers that return logprobs for all their models, and alternatives of a token at most."""


@solver
def answer_as_group(style: Style = "system", logprobs: str = "auto") -> Solver:
    """Asks the sample's question in the sample's pass; the same prompt once in an epoch.

    Args:
        style: where the persona stands: `system` message, `user` message, or `base`, one text for
            a base model to continue.
        logprobs: ask for the probabilities of the letters: `auto`, `true` or `false`.

    Raises:
        OptionError: the pass `modular_pluralism` without a model in a role `community_1`.
    """
    communities = CommunityMessages()
    shared = SharedAnswers()

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        sample = read_opinion_sample(state.metadata)
        messages: list[str] = []
        if sample.pass_name == "modular_pluralism":
            messages = await communities.about(sample)
            state.store.set("valueflow:communities", messages)
        prompt = sample_prompt(sample, style, messages)
        conversation: list[ChatMessage] = []
        if prompt.system is not None:
            conversation.append(ChatMessageSystem(content=prompt.system))
        conversation.append(ChatMessageUser(content=prompt.user))
        state.messages = conversation
        model = get_model()
        provider = str(model).split("/")[0]

        async def ask() -> TaskState:
            if logprobs == "true" or (logprobs == "auto" and provider in ALTERNATIVES):
                alternatives = ALTERNATIVES.get(provider, 20)
                return await generate(state, logprobs=True, top_logprobs=alternatives)
            return await generate(state)

        # One solver may serve several runs, with other models or settings; each has a `generate`.
        return await shared.answer(state, (generate, prompt, state.epoch), ask)

    return solve
