"""Shared by all tests: folders of their own for logs and caches, and simple stand-in judges."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from click.testing import CliRunner, Result
from inspect_ai._cli.main import inspect
from inspect_ai._display.core import active
from inspect_ai._display.log.display import LogDisplay
from inspect_ai._eval.task import log as task_log
from inspect_ai.model import Model, ModelOutput, ModelUsage, StopReason, get_model

from valueflow.hub_assets.registry import loading as registry
from valueflow.scorers.judge.questions.ranking import read_judge_prompt

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True, scope="session")
def _nobody_looks_on() -> Iterator[None]:
    """Runs are not written for a live view and their results not drawn: more than half of the time
    of a small run. There is no public way to say so once for all."""
    defaults = task_log.eval_config_defaults
    with pytest.MonkeyPatch.context() as change:
        change.setattr(
            task_log,
            "eval_config_defaults",
            lambda: {**defaults(), "log_realtime": False, "score_display": False},
        )
        change.setattr(active, "_active_display", LogDisplay())
        change.setenv("INSPECT_EVAL_NO_LOG_REALTIME", "true")
        change.setenv("INSPECT_EVAL_NO_SCORE_DISPLAY", "true")
        change.setenv("INSPECT_DISPLAY", "log")
        yield


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSPECT_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("VALUEFLOW_CACHE_DIR", str(tmp_path / "judgements"))


@contextmanager
def _own_catalogues() -> Iterator[None]:
    """Catalogues that are opened within are gone after it."""
    opened, in_use = dict(registry._opened), dict(registry._in_use)
    yield
    for kept, before in ((registry._opened, opened), (registry._in_use, in_use)):
        kept.clear()  # type: ignore[attr-defined]
        kept.update(before)  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _catalogues_of_a_test() -> Iterator[None]:
    with _own_catalogues():
        yield


@pytest.fixture(autouse=True, scope="module")
def _catalogues_of_a_module() -> Iterator[None]:
    """Those that fixtures of a module open stay for its tests, and no longer."""
    with _own_catalogues():
        yield


def install_catalogue(monkeypatch: pytest.MonkeyPatch, own: Path) -> None:
    """Lets the installation itself have what a user's own catalogue says."""
    raw = yaml.safe_load(registry.registry_path().read_text(encoding="utf-8"))
    merged = registry._merged(raw, yaml.safe_load(own.read_text(encoding="utf-8")), own)
    path = own.with_name("installed.yaml")
    path.write_text(yaml.safe_dump(merged, sort_keys=False), encoding="utf-8")
    monkeypatch.setattr(registry, "registry_path", lambda: path)


@contextmanager
def nothing_drawn() -> Iterator[None]:
    """A report's figures are made and saved empty, for tests of what stands beside them: drawing
    takes most of a report's time."""

    def save(figure: Any, stream: Any, format: str, **_: Any) -> None:
        stream.write(
            b"" if format in ("png", "pdf") else '<svg xmlns="http://www.w3.org/2000/svg"/>'
        )

    with patch("matplotlib.figure.Figure.savefig", save):
        yield


@pytest.fixture
def not_drawn() -> Iterator[None]:
    """`nothing_drawn` during a test."""
    with nothing_drawn():
        yield


def inspect_command(*arguments: object) -> Result:
    """`inspect ...` as users type it, in this process: one of its own takes seconds to import."""
    with patch.dict(os.environ):
        return CliRunner().invoke(inspect, [*map(str, arguments)], auto_envvar_prefix="INSPECT")


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
