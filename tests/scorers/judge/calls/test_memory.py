"""What stands between a judge and its provider: memory, budget, and how the judge fares."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import anyio
import pytest
from inspect_ai.model import GenerateConfig, Model, ModelOutput

from tests.conftest import mock_model, output
from valueflow.scorers.judge.asking import Reply, ask
from valueflow.scorers.judge.calls.memory import (
    GIVE_UP_AFTER,
    Budget,
    JudgeState,
    judge_with,
    remembering,
    state_of,
)


def put(model: Model, prompt: str = "Well?", **settings: Any) -> Reply[str]:
    """Asks for a word in capitals."""
    return anyio.run(lambda: _put(model, prompt, **settings))


async def _put(model: Model, prompt: str, attempts: int = 2, **settings: Any) -> Reply[str]:
    def read(said: ModelOutput) -> str | None:
        return said.completion if said.completion.isupper() else None

    return await ask(
        model, prompt, read, "In capitals.", attempts=attempts, version="test 1", **settings
    )


def remembered(model: Model, *prompts: str, **settings: Any) -> tuple[list[Reply[str]], JudgeState]:
    """Asks a judge that remembers in its file."""

    async def run() -> tuple[list[Reply[str]], JudgeState]:
        with remembering(model, 2) as (judge, state):
            return [await _put(judge, prompt, **settings) for prompt in prompts], state

    return anyio.run(run)


class Said:
    """A model that says one thing after the other, and counts."""

    def __init__(self, *told: str | Exception | ModelOutput) -> None:
        self.told = list(told)
        self.calls = 0
        self.model = mock_model(self._answer)
        self.model.config = GenerateConfig(temperature=0.0, max_tokens=50)

    def _answer(self, *_: Any) -> ModelOutput:
        self.calls += 1
        said = self.told.pop(0) if len(self.told) > 1 else self.told[0]
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, ModelOutput) else output(said)


def test_a_judge_is_a_copy_that_is_known_by_the_models_own_name() -> None:
    model = Said("YES").model
    judge = judge_with(model, JudgeState())
    assert str(judge) == str(model)
    assert judge.name == model.name
    assert judge.api.connection_key() == model.api.connection_key()
    assert type(judge.api).__name__ == type(model.api).__name__
    assert state_of(model) is None
    assert judge_with(judge, JudgeState()).api.inner is model.api  # wrapped once


def test_what_was_asked_is_told_from_what_was_remembered() -> None:
    said = Said("YES")
    first, state = remembered(said.model, "One?", "Two?")
    assert [reply.used.asked for reply in first] == [1, 1]
    assert (first[0].used.tokens_in, first[0].used.tokens_out) == (1, 1)
    assert (state.asked, state.found) == (2, 0)
    again, state = remembered(said.model, "One?", "Two?", "Three?")
    assert [(reply.found, reply.calls, reply.used.asked) for reply in again] == [
        ("YES", 1, 0),
        ("YES", 1, 0),
        ("YES", 1, 1),
    ]
    assert again[0].used.tokens_in == 0
    assert (state.asked, state.found, said.calls) == (1, 2, 3)


def test_what_inspects_cache_answered_is_not_counted_as_asked() -> None:
    said = Said("YES")
    assert put(said.model).used.asked == 1
    found = put(said.model)
    assert (found.found, found.calls, found.used.asked, said.calls) == ("YES", 1, 0, 1)


@pytest.mark.parametrize("bad", ["hm", "", ModelOutput(model="m", usage=output("").usage)])
def test_no_memory_keeps_for_good_what_could_not_be_read(bad: str | ModelOutput) -> None:
    said = Said(bad, bad, bad, bad, "YES")
    for expected in (None, None, "YES", "YES"):
        [reply], _ = remembered(said.model, "One?")
        assert reply.found == expected
    assert said.calls == 5


def test_files_of_earlier_versions_are_read(tmp_path: Path) -> None:
    # As they were written when versions of three prompts stood in the judge's identity.
    said = Said("NEW")
    identity = json.dumps(
        {
            "model": "mockllm/model",
            "base_url": None,
            "model_args": said.model.model_args,
            "config": {"temperature": 0.0, "max_tokens": 50},
            "prompts": ["1", "1", "1"],
        },
        sort_keys=True,
        default=str,
    )
    name = hashlib.sha256(
        json.dumps([identity, [["user", "One?"]], {}], sort_keys=True, default=str).encode()
    ).hexdigest()
    folder = Path(os.environ["VALUEFLOW_CACHE_DIR"])
    folder.mkdir()
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    rows = [
        json.dumps({"key": name, "output": output("EARLIER").model_dump(mode="json")}),
        '{"key": "half a li',  # what a kill had left, and a later run had ended
        json.dumps({"key": name, "output": output("LATER").model_dump(mode="json")}),
    ]
    file = folder / f"judgements-mockllm-model-{digest}.jsonl"
    file.write_text("\n".join(rows) + "\n")
    [one, two], _ = remembered(said.model, "One?", "Two?")
    assert (one.found, two.found, said.calls) == ("LATER", "NEW", 1)
    assert len(file.read_text().splitlines()) == 4


def test_a_budget_is_spent_exactly_and_the_reply_says_so() -> None:
    said = Said("hm", "YES")
    budget = Budget(3)
    judge = judge_with(said.model, JudgeState(budget=budget))
    assert put(judge, "One?").found == "YES"
    assert put(judge, "Two?").found == "YES"
    assert put(judge, "One?").calls == 2  # both from Inspect's cache, which costs nothing
    refused = put(judge, "Three?")
    assert (refused.found, refused.error) == (None, "the budget of 3 calls is spent")
    assert budget.spent()
    assert (budget.calls, budget.tokens_in, said.calls) == (3, 3, 3)


def test_a_judge_that_only_fails_is_given_up_with_its_own_words() -> None:
    said = Said(RuntimeError("the account is empty"))
    judge = judge_with(said.model, JudgeState())
    errors = [put(judge, f"{n}?", attempts=1).error for n in range(GIVE_UP_AFTER + 3)]
    assert said.calls == GIVE_UP_AFTER
    assert errors[0] == "RuntimeError: the account is empty"
    assert errors[-1] == f"not asked after 10 errors in a row: {errors[0]}"


def test_one_success_among_failures_keeps_a_judge_in_use() -> None:
    bad = [RuntimeError("busy")] * (GIVE_UP_AFTER - 1)
    said = Said(*bad, "YES", *bad, "YES")
    judge = judge_with(said.model, JudgeState())
    found = [put(judge, f"{n}?", attempts=1).found for n in range(2 * GIVE_UP_AFTER)]
    assert found.count("YES") == 2
    assert said.calls == 2 * GIVE_UP_AFTER


def test_a_judge_that_was_given_up_still_gives_what_the_cache_knows() -> None:
    said = Said("YES", RuntimeError("gone"))
    judge = judge_with(said.model, JudgeState())
    put(judge, "Known?")
    for n in range(GIVE_UP_AFTER + 1):
        put(judge, f"{n}?", attempts=1)
    assert put(judge, "Known?").found == "YES"
