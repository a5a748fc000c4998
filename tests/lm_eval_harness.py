"""lm-evaluation-harness itself, for the tests: its command, and a model in Python that answers by a
function of the prompt. All of it is offline."""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lm_eval_models import CHAT_TEMPLATE
from valueflow.lm_eval.task_files import task_folder


def _missing() -> list[str]:
    missing = []
    for name in ("lm_eval", "torch", "transformers", "accelerate"):
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    return missing


NEEDS_HARNESS = [
    pytest.mark.skipif(
        bool(_missing()), reason=f"not installed: {', '.join(_missing())} (the extra lm-eval)"
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def prefixed(metadata: dict[str, Any]) -> dict[str, Any]:
    """Options as the harness's metadata name them."""
    return {f"valueflow_{key}": setting for key, setting in metadata.items()}


def evaluate(
    tasks: list[str],
    metadata: dict[str, Any],
    answer: Callable[[str], str],
    likelihood: Callable[[str], float] | None = None,
    asked: list[tuple[str, ...]] | None = None,
    **more: Any,
) -> Any:
    """`lm_eval.simple_evaluate` on a model that answers by a function of the prompt.

    Args:
        tasks: names of tasks or groups.
        metadata: options of the tasks.
        answer: a prompt's answer.
        likelihood: log-probability of a continuation; a model that gives none where it is missing.
        asked: takes the arguments of every request, in order.
        more: arguments of `simple_evaluate`.
    """
    import lm_eval
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

    seen = [] if asked is None else asked

    class Answering(LM):
        def generate_until(self, requests: list[Any], **_: Any) -> list[str]:
            seen.extend((request.args[0],) for request in requests)
            return [answer(request.args[0]) for request in requests]

        def loglikelihood(self, requests: list[Any], **_: Any) -> list[tuple[float, bool]]:
            if likelihood is None:
                raise NotImplementedError
            seen.extend(request.args for request in requests)
            return [(likelihood(request.args[1]), False) for request in requests]

        def loglikelihood_rolling(self, requests: list[Any], **_: Any) -> Any:
            raise NotImplementedError

        @property
        def tokenizer_name(self) -> str:
            return "answering"

        def apply_chat_template(
            self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
        ) -> str:
            from jinja2 import Template

            return str(
                Template(CHAT_TEMPLATE).render(
                    messages=chat_history, add_generation_prompt=add_generation_prompt
                )
            )

    return lm_eval.simple_evaluate(
        model=Answering(),
        tasks=tasks,
        task_manager=TaskManager(
            include_path=str(task_folder()), include_defaults=False, metadata=prefixed(metadata)
        ),
        **more,
    )


def command(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command `lm_eval`, run in a folder."""
    program = Path(sys.executable).parent / "lm_eval"
    return subprocess.run(
        [str(program), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
    )


def results_in(folder: Path) -> dict[str, Any]:
    """The one results file below a folder."""
    (path,) = folder.glob("**/results_*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found
