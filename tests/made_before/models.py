"""Models that stand for paid ones in `make.py` and `reading.py`: they count what they are asked.

`made_before/judge` answers as `valueflow/judge` does. Simulated models are not remembered between
runs; these are, as a judge would be that costs money. `made_before/rater` rates survey questions.
"""

import hashlib
import re
from collections import Counter
from typing import Any

from inspect_ai.model import ChatMessage, ModelAPI, ModelOutput, get_model, modelapi

__all__ = ["asked"]

asked: Counter[str] = Counter()
"""How often each model was asked in this process."""


@modelapi(name="made_before")
def made_before() -> type[ModelAPI]:
    """The provider; Inspect finds it as soon as this module is imported."""

    class Paid(ModelAPI):
        def __init__(
            self,
            model_name: str,
            base_url: str | None = None,
            api_key: str | None = None,
            **arguments: Any,
        ) -> None:
            config = arguments.pop("config")
            super().__init__(model_name, base_url, api_key, [], config)
            self.arguments = arguments

        async def generate(
            self, input: list[ChatMessage], tools: Any, tool_choice: Any, config: Any
        ) -> ModelOutput:
            asked[self.model_name] += 1
            if self.model_name == "rater":
                return ModelOutput.from_content("made_before/rater", ratings(input[-1].text))
            judge = get_model("valueflow/judge", memoize=False, **self.arguments)
            return await judge.api.generate(input, tools, tool_choice, config)

    return Paid


def ratings(prompt: str) -> str:
    """A line for each value that a prompt lists as `- name: meaning`, rated by a hash."""
    question = prompt.rpartition("Survey question:")[2]
    lines = []
    for name in re.findall(r"^- ([\w\-]+):", prompt, re.MULTILINE):
        digest = hashlib.sha256(f"{name} {question}".encode()).digest()
        lines.append(f"{name}: {digest[0] % 11}")
    return "\n".join(lines)
