"""The seam between a judge and its provider: what it said before, may cost, and how it fares.

`judge_with` gives a copy of a model whose provider is wrapped. Every call that reaches the provider
passes here, whatever was asked and under whichever harness, and is counted; its answer is kept in
the very step in which the provider hands it over, so that a kill a moment later costs nothing.

What remembers: under Inspect its own cache (see `judge_cache`), which its other tools know; outside
of a task a file of JSON lines per judge (`remembering`); in a build the journal beside the store of
judgements. The files share one store, `valueflow.scorers.judge.calls.store`.
"""

import copy
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import Any, Protocol

import anyio
from inspect_ai.model import ChatMessage, GenerateConfig, Model, ModelAPI, ModelOutput

from valueflow.hub_assets.errors import InputFileError, ValueflowError
from valueflow.hub_assets.files import CACHE_VARIABLE, cache_folder
from valueflow.hub_assets.settings import CALL_SETTINGS
from valueflow.scorers.judge.calls.store import JudgementStore, open_store

__all__ = [
    "GIVE_UP_AFTER",
    "Budget",
    "BudgetSpent",
    "JudgeGone",
    "JudgeState",
    "Memory",
    "Used",
    "accounting",
    "check_cache_folder",
    "is_empty",
    "judge_with",
    "remembering",
    "state_of",
]

GIVE_UP_AFTER = 10
"""Calls in a row that failed or were answered with nothing, after which no more is asked."""


class JudgeGone(ValueflowError):
    """The judge gave nothing but errors, so that the rest is not asked for."""


class BudgetSpent(ValueflowError):
    """The calls that a run may make are made."""


@dataclass
class Budget:
    """Calls and tokens of a run, of all its judges together.

    Attributes:
        most: most calls; None for any number.
        calls: calls made.
        tokens_in: tokens read by judges.
        tokens_out: tokens written by them.
        cost: what providers that state it said it cost, in US dollars.
        refused: whether a call was not made for want of budget.
    """

    most: int | None = None
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    refused: bool = False

    def spent(self) -> bool:
        """Whether a call was not made for want of budget."""
        return self.refused

    def take(self) -> None:
        """Takes a call.

        Raises:
            BudgetSpent: there is none left.
        """
        if self.most is not None and self.calls >= self.most:
            self.refused = True
            raise BudgetSpent(f"the budget of {self.most:,} calls is spent")
        self.calls += 1


@dataclass
class Used:
    """What was asked of a judge, and what it took.

    Attributes:
        asked: calls that its provider answered.
        cached: calls that a memory answered in its place, which cost nothing.
        failed: calls that ended in an error of the provider.
        tokens_in, tokens_out: tokens that the provider read and wrote.
        cost: what the provider said it cost, in US dollars; 0 where it does not say.
    """

    asked: int = 0
    cached: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0

    def add(self, output: ModelOutput) -> None:
        """Adds a call that the provider answered."""
        self.asked += 1
        if output.usage is not None:
            self.tokens_in += output.usage.input_tokens
            self.tokens_out += output.usage.output_tokens
            self.cost += getattr(output.usage, "total_cost", None) or 0.0

    def plus(self, other: "Used") -> None:
        """Adds another account."""
        for name in ("asked", "cached", "failed", "tokens_in", "tokens_out", "cost"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


_open_entries: ContextVar[tuple[Used, ...]] = ContextVar("entries", default=())


@contextmanager
def accounting() -> Iterator[Used]:
    """Within it, everything that judges are asked is added up, in tasks that it starts too."""
    entry = Used()
    token = _open_entries.set((*_open_entries.get(), entry))
    try:
        yield entry
    finally:
        _open_entries.reset(token)


def entries() -> tuple[Used, ...]:
    """The accounts that are open."""
    return _open_entries.get()


class Memory(Protocol):
    """What a judge said before.

    Attributes:
        forgets: whether an answer that could not be read may be asked for again in a later run; a
            journal's may not, since it lets a judgement go on that a kill has interrupted.
    """

    forgets: bool

    def name(self, messages: Sequence[ChatMessage], config: GenerateConfig) -> str:
        """What the answer to this call is kept under."""

    def recall(self, name: str) -> ModelOutput | None:
        """The answer, where there is one."""

    def keep(self, name: str, output: ModelOutput) -> None:
        """Takes an answer the moment it is there."""


@dataclass
class JudgeState:
    """What is known of a judge in a run.

    Attributes:
        memory: what it said before; None where Inspect's cache remembers, or nothing does.
        budget: what it may still be asked.
        limit: most calls in flight, outside of a task, where Inspect does not count them.
        asked: calls that its provider was tried with.
        found: answers that a memory gave in their place.
        failures: calls in a row that failed or were answered with nothing, since the last success.
        last_error: the provider's words at the last of them.
    """

    memory: Memory | None = None
    budget: Budget | None = None
    limit: anyio.CapacityLimiter | None = None
    asked: int = 0
    found: int = 0
    failures: int = 0
    last_error: str | None = None

    @property
    def gone(self) -> bool:
        """Whether the judge failed so often in a row that it is asked no more."""
        return self.failures >= GIVE_UP_AFTER

    def check(self) -> None:
        """Lets a call pass.

        Raises:
            JudgeGone: the judge has failed too often in a row.
        """
        if self.gone:
            raise JudgeGone(f"not asked after {self.failures} errors in a row: {self.last_error}")

    def failed(self, error: str) -> None:
        """Notes a call that failed."""
        self.failures += 1
        self.last_error = error


@dataclass
class Call:
    """A question on its way to the provider, which may be tried several times.

    Attributes:
        state: of the judge.
        name: what its answer is kept under.
        outputs: what the provider answered.
    """

    state: JudgeState
    name: str = ""
    outputs: list[ModelOutput] = field(default_factory=list)
    _begun: bool = False

    def begins(self) -> None:
        """Counts the call, and takes it from the budget, once however often it is tried."""
        self.state.check()
        if self._begun:
            return
        if self.state.budget is not None:
            self.state.budget.take()
        self.state.asked += 1
        self._begun = True

    def came(self, output: ModelOutput) -> None:
        """Takes the provider's answer, and keeps it where there is something to keep."""
        self.outputs.append(output)
        if self.state.memory is not None and not is_empty(output):
            self.state.memory.keep(self.name, output)


_call: ContextVar[Call | None] = ContextVar("call", default=None)


@contextmanager
def calling(call: Call) -> Iterator[Call]:
    """Within it, what the provider answers belongs to this call."""
    token = _call.set(call)
    try:
        yield call
    finally:
        _call.reset(token)


class _JudgeAPI(ModelAPI):
    """A provider that is watched: all but `generate` is the provider's own."""

    inner: ModelAPI
    state: JudgeState

    def __init__(self, inner: ModelAPI, state: JudgeState) -> None:
        object.__setattr__(self, "inner", inner)
        object.__setattr__(self, "state", state)

    def __getattribute__(self, name: str) -> Any:
        if name in _OWN or name.startswith("__"):
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "inner"), name)

    def __getattr__(self, name: str) -> Any:  # names between two underscores, such as Inspect's own
        return getattr(self.inner, name)

    def __setattr__(self, name: str, setting: Any) -> None:
        setattr(self.inner, name, setting)

    async def generate(self, *arguments: Any, **named: Any) -> Any:
        call = _call.get()
        if call is not None:
            call.begins()
        answered = await self.inner.generate(*arguments, **named)
        output = answered[0] if isinstance(answered, tuple) else answered
        if call is not None and isinstance(output, ModelOutput):
            call.came(output)
        return answered

    def should_retry(self, ex: Exception) -> Any:
        return False if isinstance(ex, ValueflowError) else self.inner.should_retry(ex)


_OWN = {"inner", "state", "generate", "should_retry"}


def judge_with(model: Model, state: JudgeState) -> Model:
    """A copy of a model that is asked under a state; the model itself stays as it is."""
    inner = model.api.inner if isinstance(model.api, _JudgeAPI) else model.api
    judge = copy.copy(model)
    # Inspect shares a provider's connections by the name of its class.
    kind = type(type(inner).__name__, (_JudgeAPI,), {})
    judge.api = kind(inner, state)
    return judge


def state_of(model: Model) -> JudgeState | None:
    """The state of a judge made by `judge_with`; None of any other model."""
    return model.api.state if isinstance(model.api, _JudgeAPI) else None


def is_empty(output: ModelOutput) -> bool:
    """Whether a provider answered with nothing, as some do in an outage.

    An answer that its token limit or a filter left empty is an answer.
    """
    if not output.choices:
        return True
    choice = output.choices[0]
    if choice.stop_reason in ("max_tokens", "model_length", "content_filter"):
        return False
    if choice.logprobs is not None and choice.logprobs.content:
        return False
    content = choice.message.content
    parts = [content] if isinstance(content, str) else content
    said = [p if isinstance(p, str) else _part(p) for p in parts]
    return not any(text.strip() for text in said)


def _part(part: Any) -> str:
    return str(getattr(part, "text", None) or getattr(part, "reasoning", None) or "")


def check_cache_folder() -> None:
    """Makes the folder and writes into it, before anything is spent.

    Raises:
        InputFileError: it cannot be made or written to.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputFileError(
            folder,
            f"cannot be written to ({error.strerror}), and judgements are kept there; name another "
            f"folder in {CACHE_VARIABLE}",
        ) from None


_FORM = ["1", "1", "1"]
"""Stands in a judge's identity where versions of prompts stood once. The prompts themselves are in
the names of its answers, so that a new wording need not make a new file of all the others."""


@dataclass
class _AnswerFile:
    """One judge's answers, found by its conversation and the settings of the call."""

    identity: str
    store: JudgementStore
    forgets: bool = True
    _told: bool = False

    def name(self, messages: Sequence[ChatMessage], config: GenerateConfig) -> str:
        said = [[message.role, message.text] for message in messages]
        asked = config.model_dump(exclude_none=True)
        text = json.dumps([self.identity, said, asked], sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()

    def recall(self, name: str) -> ModelOutput | None:
        row = self.store.rows.get(name)
        return None if row is None else ModelOutput.model_validate(row["output"])

    def keep(self, name: str, output: ModelOutput) -> None:
        kept = output.model_dump(mode="json", exclude_none=True)
        try:
            self.store.add(name, {"output": kept}, again=True)
        except InputFileError as error:
            # The answer is paid for and counts in this run all the same.
            if not self._told:
                self._told = True
                print(
                    f"valueflow: {error}; from here on judgements are not kept for another run",
                    file=sys.stderr,
                    flush=True,
                )


def _identity(model: Model) -> str:
    return json.dumps(
        {
            "model": str(model),
            "base_url": model.api.base_url,
            "model_args": model.model_args,
            "config": model.config.model_dump(exclude_none=True, exclude=set(CALL_SETTINGS)),
            "prompts": _FORM,
        },
        sort_keys=True,
        default=str,
    )


@contextmanager
def remembering(
    model: Model, connections: int, budget: Budget | None = None
) -> Iterator[tuple[Model, JudgeState]]:
    """A judge that looks every answer up in its file before it asks, and keeps every new one.

    A second process that uses the same judge waits, so that it finds the answers instead of asking
    for them too. Simulated judges answer faster than a disk does and are not remembered. To be
    entered inside an event loop.

    Args:
        model: the judge.
        connections: most calls in flight.
        budget: most calls in all.

    Raises:
        InputFileError: the cache folder cannot be written to.
    """
    state = JudgeState(budget=budget, limit=anyio.CapacityLimiter(connections))
    if getattr(model.api, "simulated", False):
        yield judge_with(model, state), state
        return
    check_cache_folder()
    identity = _identity(model)
    name = re.sub(r"[^\w.\-]+", "-", str(model))[:60]
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    path = cache_folder() / f"judgements-{name}-{digest}.jsonl"
    waiting = (
        f"valueflow: another process uses {model} as its judge; waiting until it is done (other "
        f"folders in {CACHE_VARIABLE} need not wait for each other)"
    )
    with open_store(path, wait=waiting, damaged="pass over") as store:
        state.memory = _AnswerFile(identity, store)
        yield judge_with(model, state), state
