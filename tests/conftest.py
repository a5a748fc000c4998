"""Shared by all tests: folders of their own for logs and caches, and simple stand-in judges."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.model import Model, ModelOutput, ModelUsage, StopReason, get_model

from valueflow.hub_assets.registry import loading as registry
from valueflow.scorers.judge.prompt import read_judge_prompt

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSPECT_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("INSPECT_DISPLAY", "none")


@pytest.fixture(autouse=True)
def _own_catalogues() -> Iterator[None]:
    """Catalogues that a test adds are gone after it."""
    before = dict(registry._own)
    yield
    registry._own.clear()
    registry._own.update(before)


def output(text: str, stop_reason: StopReason = "stop") -> ModelOutput:
    """A model's answer with a usage, so that nothing tries to count tokens."""
    made = ModelOutput.from_content("mockllm/model", text, stop_reason=stop_reason)
    made.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    return made


def mock_model(answer: Callable[..., ModelOutput]) -> Model:
    """A model that answers by a function of (messages, tools, tool_choice, config)."""
    return get_model("mockllm/model", custom_outputs=answer, memoize=False)


class CountingJudge:
    """A judge that answers with a function of (codes in shown order, attempt), and counts calls."""

    def __init__(self, answer: Callable[[list[str], int], str | ModelOutput]) -> None:
        self.calls = 0
        self.configs: list[Any] = []

        def respond(messages: list[Any], tools: Any, choice: Any, config: Any) -> ModelOutput:
            self.calls += 1
            self.configs.append(config)
            labels = [label for label, _ in read_judge_prompt(messages[0].text)[2]]
            attempt = sum(message.role == "assistant" for message in messages)
            answered = answer(labels, attempt)
            return answered if isinstance(answered, ModelOutput) else output(answered)

        self.model = mock_model(respond)


def obedient(labels: list[str], attempt: int) -> str:
    """Ranks the texts in the order in which they are shown."""
    return " > ".join(labels)
