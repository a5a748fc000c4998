"""Asks a model the same prompt once in a run, and gives its answer to every sample that has it.

Without a group, a question is the same prompt for every group; without profile lines, a profile
pass asks what the default pass asks. To ask again would cost money and, at a temperature, add noise
to a difference that is none.
"""

from collections.abc import Awaitable, Callable, Hashable

import anyio
from inspect_ai.model import ModelOutput
from inspect_ai.solver import TaskState

__all__ = ["ANSWER_OF", "SharedAnswers"]

ANSWER_OF = "valueflow:answer_of"
"""Where a sample's store names the sample whose answer it was given."""


class SharedAnswers:
    """Answers of a task's runs, by key; samples that wait for the same prompt wait for one call."""

    def __init__(self) -> None:
        self._given: dict[Hashable, tuple[ModelOutput, str]] = {}
        self._locks: dict[Hashable, anyio.Lock] = {}

    async def answer(
        self, state: TaskState, key: Hashable, ask: Callable[[], Awaitable[TaskState]]
    ) -> TaskState:
        """The state with the answer to its prompt.

        Args:
            state: of a sample whose messages are the prompt.
            key: what decides the answer: the run with its model and settings, prompt, epoch.
            ask: has the model answer. Where it fails, nothing is kept, and the next sample asks.
        """
        async with self._locks.setdefault(key, anyio.Lock()):
            if key not in self._given:
                state = await ask()
                self._given[key] = (state.output.model_copy(deep=True), str(state.sample_id))
                return state
        output, first = self._given[key]
        state.output = output.model_copy(deep=True)
        state.messages.append(state.output.message)
        if first != str(state.sample_id):
            # One that failed after its answer is tried again, and has its own.
            state.store.set(ANSWER_OF, first)
        return state
