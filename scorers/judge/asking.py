"""Asks a judge, in one way whatever the question, and keeps all of what it said.

Every question of this project that a judge answers goes through `ask`: rankings, choices, refusals,
a panel's categories and marks, relevance. An answer that cannot be read is followed by a
correction; one cut by the token limit is asked for again with four times the room; an error of the
provider (after Inspect's own retries) or a spent budget ends the question and is in the reply;
Inspect's limits are raised. Answers come from a memory where they can, so that scoring a log again
costs nothing.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

from inspect_ai.model import (
    CachePolicy,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    ResponseSchema,
    get_model,
    model_roles,
)
from inspect_ai.util import JSONSchema, LimitExceededError

from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.registry.prompts import Sentences
from valueflow.scorers.judge.answer import Ranking, read_ranking, strip_reasoning
from valueflow.scorers.judge.calls.memory import (
    BudgetSpent,
    Call,
    JudgeGone,
    JudgeState,
    Used,
    calling,
    entries,
    is_empty,
    judge_with,
    state_of,
)
from valueflow.scorers.judge.questions.ranking import JUDGE_PROMPT_VERSION, correction
from valueflow.scorers.judge.questions.rating import (
    PLACEMENT_PROMPT_VERSION,
    RATING_PROMPT_VERSION,
    Rated,
    rating_correction,
    read_ratings,
)
from valueflow.scorers.judge.questions.refusals import (
    REFUSAL_PROMPT_VERSION,
    RefusalAnswer,
    read_refusal,
    refusal_prompt,
)
from valueflow.scorers.judge.questions.wordings import (
    SINGLE_PROMPT_VERSION,
    STANDARD,
    Wording,
    read_single_rating,
)

__all__ = [
    "GRADER_ROLE",
    "PLACEMENT",
    "RANKING",
    "RATING",
    "SELF_JUDGED",
    "SINGLE",
    "Form",
    "Judgement",
    "Reply",
    "ask",
    "ask_refusal",
    "grader_model",
    "judge_cache",
    "judge_window",
    "worded",
]

GRADER_ROLE = "grader"

SELF_JUDGED = (
    "No grader was given, so the evaluated model judges its own responses. "
    f"Name a judge with --model-role {GRADER_ROLE}=PROVIDER/MODEL."
)
"""What a run without a grader is told, once."""

# Providers that constrain an answer to a JSON schema (the answer is validated all the same).
_STRUCTURED = {"openai", "google", "mistral", "vllm", "sglang", "anthropic", "groq", "grok"}

_REFUSAL_ATTEMPTS = 2
"""Most times to ask whether a response declines; its phrases decide where that is not enough."""

Failure = Literal[
    "no complete ranking",
    "no complete ratings",
    "the same rating for every text",
    "cut by the token limit",
    "provider error",
]

NOTHING_SAID = "the judge answered with nothing"
"""What is said of an empty answer, which counts as an error of the provider."""

T = TypeVar("T")


@dataclass(frozen=True)
class Reply(Generic[T]):
    """What a judge answered to one question.

    Attributes:
        found: what was read of its last answer; None where nothing could be.
        raw: every answer in full, with its reasoning.
        calls: questions put to the judge, those that a memory answered included.
        used: what its provider answered of them.
        output: its last answer as it came; None where there was none.
        cut: whether the last answer was cut by the token limit.
        error: the provider's error, which ended the question; that it answered with nothing; or
            that it was not asked, and why.
    """

    found: T | None
    raw: tuple[str, ...]
    calls: int
    used: Used
    output: ModelOutput | None = None
    cut: bool = False
    error: str | None = None


async def ask(
    model: Model,
    prompt: str,
    read: Callable[[ModelOutput], T | None],
    correct: str | None = None,
    *,
    attempts: int,
    version: str,
    config: GenerateConfig | None = None,
    own_config: bool = True,
    whole: bool = True,
) -> Reply[T]:
    """Puts one question to a judge, until its answer can be read or as often as allowed.

    Args:
        model: the judge.
        prompt: the question.
        read: what an answer says; None where it cannot be read.
        correct: what the judge is told after an answer that could not be read; without it, the
            question is put again as it was.
        attempts: most times to ask.
        version: name and version of the question's wording, part of the cache's key.
        config: settings of this question, over those of the model.
        own_config: whether the model's own configuration is a judge's (it is the evaluated
            model's where no grader was named, and is overridden then).
        whole: whether an answer that the token limit cut is none, whatever can be read of it.

    Returns:
        The reply. Errors of the provider are in it, not raised, so that one dead call loses nothing
        that was paid for. Answers that a memory holds and that cannot be read do not count: the
        judge is asked anew.

    Raises:
        LimitExceededError: one of Inspect's limits (tokens, time, cost) is reached.
    """
    if state_of(model) is None:
        model = judge_with(model, JudgeState())
    again = 0
    while True:
        reply = await _ask(
            model, prompt, read, correct, attempts, version, config, own_config, whole, again
        )
        failed = reply.error is not None and reply.error != NOTHING_SAID
        remembered = reply.used.asked == 0 and not failed
        if reply.found is not None or not (remembered and _forgets(model)):
            return reply
        again += 1


def _forgets(model: Model) -> bool:
    state = state_of(model)
    return state is None or state.memory is None or state.memory.forgets


async def _ask(
    model: Model,
    prompt: str,
    read: Callable[[ModelOutput], T | None],
    correct: str | None,
    attempts: int,
    version: str,
    config: GenerateConfig | None,
    own_config: bool,
    whole: bool,
    again: int,
) -> Reply[T]:
    """`ask`, once through its attempts; `again` counts the times that a memory had none to read."""
    asked = config or GenerateConfig()
    room = (
        asked.max_tokens
        or (model.config.max_tokens if own_config else None)
        or load_registry().defaults.evaluator.judge_max_tokens
    )
    question: list[ChatMessage] = [ChatMessageUser(content=prompt)]
    messages = question
    raw: list[str] = []
    used = Used()
    named: set[str] = set()
    output: ModelOutput | None = None
    cut = False
    for attempt in range(attempts):
        now = asked.model_copy()
        if attempt > 0 or not own_config:
            now.max_tokens = room
        if not own_config:
            now.temperature = 0.0
        policy = judge_cache(model, attempt, version=version, again=again)
        try:
            output = await _answer(model, messages, now, policy, again > 0, named, used)
        except LimitExceededError:
            raise
        except (BudgetSpent, JudgeGone) as error:
            return Reply(None, tuple(raw), attempt, used, output, cut, str(error))
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"[:500]
            return Reply(None, tuple(raw), attempt + 1, used, output, cut, detail)
        raw.append(_full_answer(output))
        found = None if is_empty(output) else read(output)
        cut = _stop_reason(output) in ("max_tokens", "model_length")
        if found is not None and not (cut and whole):
            return Reply(found, tuple(raw), attempt + 1, used, output)
        if cut:
            room *= 4
        elif correct is not None and not is_empty(output):
            # The bad answer goes along, so that a judge at temperature 0 does not repeat it.
            said = output.completion.strip() or "(no answer)"
            messages = [
                *question,
                ChatMessageAssistant(content=said),
                ChatMessageUser(content=correct),
            ]
    nothing = NOTHING_SAID if output is not None and is_empty(output) else None
    return Reply(None, tuple(raw), attempts, used, output, cut, nothing)


async def _answer(
    model: Model,
    messages: list[ChatMessage],
    config: GenerateConfig,
    policy: CachePolicy | bool,
    anew: bool,
    named: set[str],
    used: Used,
) -> ModelOutput:
    """One answer, of a memory or of the provider; what the provider gives is added to `used`.

    A call that was made before for the same question (`named`) was answered badly, and is not
    looked up again.
    """
    state = state_of(model)
    assert state is not None
    memory = state.memory
    call = Call(state)
    if memory is not None:
        call.name = memory.name(messages, config)
        kept = None if anew or call.name in named else memory.recall(call.name)
        named.add(call.name)
        if kept is not None:
            state.found += 1
            for entry in (used, *entries()):
                entry.cached += 1
            return kept
        policy = False
    if policy is False:
        # Where Inspect's cache may know the answer, a call that reaches the provider is stopped.
        state.check()
    async with state.limit or nullcontext():
        try:
            with calling(call):
                output = await model.generate(messages, config=config, cache=policy)
        except (LimitExceededError, BudgetSpent, JudgeGone):
            raise
        except Exception as error:
            state.failed(f"{type(error).__name__}: {error}"[:500])
            for entry in (used, *entries()):
                entry.failed += 1
            raise
        if not call.outputs:
            state.found += 1
            for entry in (used, *entries()):
                entry.cached += 1
            return output
        for entry in (used, *entries()):
            entry.add(output)
        if state.budget is not None and output.usage is not None:
            state.budget.tokens_in += output.usage.input_tokens
            state.budget.tokens_out += output.usage.output_tokens
            state.budget.cost += getattr(output.usage, "total_cost", None) or 0.0
        if is_empty(output):
            state.failed(NOTHING_SAID)
        else:
            state.failures = 0
    return output


def _stop_reason(output: ModelOutput) -> str:
    """Why the answer ended; an answer without any choice ended for no known reason."""
    return output.choices[0].stop_reason if output.choices else "unknown"


@dataclass(frozen=True)
class Form:
    """What a judge is asked for about a window, and how its answer is read.

    Attributes:
        version: name and version of the question's wording, part of the cache's key.
        unread: what is said of answers that could not be read.
        read: what an answer says of the codes; None where it cannot be read.
        correct: what the judge is told after such an answer.
        schema: of a structured answer, by the codes.
        differ: whether an answer that gives all of more than two codes the same is none.
    """

    version: str
    unread: Failure
    read: Callable[[str, Sequence[str]], Ranking | Rated | None]
    correct: Callable[[Sequence[str], Sentences | None], str]
    schema: Callable[[Sequence[str]], ResponseSchema]
    differ: bool = False

    def tells_apart(self, found: Ranking | Rated) -> bool:
        """Whether an answer says anything of how the texts differ, as far as it must."""
        numbers = found.numbers.values() if isinstance(found, Rated) and self.differ else ()
        return len(numbers) < 3 or len(set(numbers)) > 1


def _order_schema(labels: Sequence[str]) -> ResponseSchema:
    codes = JSONSchema(type="array", items=JSONSchema(type="string", enum=sorted(labels)))
    return ResponseSchema(
        name="ranking",
        json_schema=JSONSchema(
            type="object",
            properties={"order": codes},
            required=["order"],
            additionalProperties=False,
        ),
        description="All codes, from most supporting to most opposing.",
        strict=True,
    )


def _numbers_schema(labels: Sequence[str]) -> ResponseSchema:
    codes = sorted(labels)
    return ResponseSchema(
        name="ratings",
        json_schema=JSONSchema(
            type="object",
            properties={code: JSONSchema(type="integer") for code in codes},
            required=codes,
            additionalProperties=False,
        ),
        description="A whole number of the scale for each code.",
        strict=True,
    )


RANKING = Form(
    version=JUDGE_PROMPT_VERSION,
    unread="no complete ranking",
    read=read_ranking,
    correct=correction,
    schema=_order_schema,
)
RATING = Form(
    version=f"rating {RATING_PROMPT_VERSION}",
    unread="no complete ratings",
    read=read_ratings,
    correct=lambda labels, said: rating_correction(labels, said, differ=True),
    schema=_numbers_schema,
    differ=True,
)
PLACEMENT = Form(
    version=f"placement {PLACEMENT_PROMPT_VERSION}",
    unread="no complete ratings",
    read=read_ratings,
    correct=rating_correction,
    schema=_numbers_schema,
)


SINGLE = Form(
    version=f"single rating {SINGLE_PROMPT_VERSION}",
    unread="no complete ratings",
    read=read_single_rating,
    correct=rating_correction,
    schema=_numbers_schema,
)
"""A number for one text, beside which no other is shown."""


def worded(form: Form, wording: Wording) -> Form:
    """What is asked for, in one of its wordings: each has answers of its own in a cache."""
    if wording == STANDARD:
        return form
    return replace(form, version=f"{form.version}, {wording.name} {wording.version}")


@dataclass(frozen=True)
class Judgement:
    """What a judge said about a window.

    Attributes:
        labels: the codes from most supporting to most opposing, or None where there is no ranking.
        numbers: by code, where numbers were asked for; None where there are none.
        failure: why there is neither.
        calls: questions put to the judge, those that the cache answered included.
        repaired: whether harmless decoration had to be passed over.
        raw: every answer in full.
        error: the provider's error, where there was one.
    """

    labels: tuple[str, ...] | None
    calls: int
    repaired: bool
    raw: tuple[str, ...]
    failure: Failure | None = None
    error: str | None = None
    numbers: dict[str, int] | None = None


def grader_model() -> tuple[Model, bool]:
    """The judge: the model in the role `grader`, else the evaluated model.

    Returns:
        The model, with temperature 0 and room for an answer where its role sets neither, and
        whether it was named by the role.
    """
    defaults = load_registry().defaults.evaluator
    config = GenerateConfig(temperature=0.0, max_tokens=defaults.judge_max_tokens)
    if GRADER_ROLE in model_roles():
        return get_model(role=GRADER_ROLE, required=True, config=config), True
    return get_model(), False


async def judge_window(
    model: Model,
    prompt: str,
    labels: Sequence[str],
    *,
    attempts: int,
    own_config: bool = True,
    form: Form = RANKING,
    sentences: Sentences | None = None,
) -> Judgement:
    """Puts one question about a window to a judge.

    Args:
        model: the judge, from `grader_model`.
        prompt: the question, from `judge_prompt`, `rating_prompt` or `placement_prompt`.
        labels: the codes that the answer must name.
        attempts: most questions to put.
        own_config: see `ask`.
        form: what is asked for.
        sentences: the run's, for the correction; the installation's where None.

    Returns:
        The judgement; what is raised is what `ask` raises.
    """

    def read(output: ModelOutput) -> Ranking | Rated | None:
        found = form.read(output.completion, labels)
        return found if found is not None and form.tells_apart(found) else None

    reply: Reply[Ranking | Rated] = await ask(
        model,
        prompt,
        read,
        form.correct(labels, sentences),
        attempts=attempts,
        version=form.version,
        config=_structured(model, form.schema(labels)),
        own_config=own_config,
    )
    found = reply.found
    if isinstance(found, Rated):
        said = found.numbers
        return Judgement(None, reply.calls, found.repaired, reply.raw, numbers=said)
    if found is not None:
        return Judgement(found.labels, reply.calls, found.repaired, reply.raw)
    failure = form.unread
    if reply.error is not None:
        failure = "provider error"
    elif reply.cut:
        failure = "cut by the token limit"
    elif reply.output is not None and form.read(reply.output.completion, labels) is not None:
        failure = "the same rating for every text"
    return Judgement(None, reply.calls, False, reply.raw, failure, reply.error)


def _structured(model: Model, schema: ResponseSchema) -> GenerateConfig:
    """With a schema of the answer, where the provider takes one and the judge has none."""
    config = GenerateConfig()
    if str(model).split("/")[0] in _STRUCTURED and model.config.response_schema is None:
        config.response_schema = schema
    return config


def judge_cache(
    model: Model, attempt: int, *, version: str = JUDGE_PROMPT_VERSION, again: int = 0
) -> CachePolicy | bool:
    """Judgements never expire and do not depend on the epoch: the same question has one answer.

    Inspect's cache key leaves out model arguments and the number of the attempt; both are added.
    Simulated judges answer faster than a cache does and are asked anew.

    Args:
        model: the judge.
        attempt: number of the attempt, from 0.
        version: version of the question's wording.
        again: how often the cache held answers that could not be read, so that it was asked anew.
    """
    if getattr(model.api, "simulated", False):
        return False
    arguments = json.dumps(model.model_args, sort_keys=True, default=str)
    anew = {"again": str(again)} if again else {}
    return CachePolicy(
        expiry=None,
        per_epoch=False,
        scopes={
            "valueflow": version,
            "attempt": str(attempt),
            "model_args": hashlib.sha256(arguments.encode()).hexdigest()[:16],
            **anew,
        },
    )


def _full_answer(output: ModelOutput) -> str:
    """The answer with its reasoning, for the record."""
    if not output.choices:
        return ""
    content = output.choices[0].message.content
    if isinstance(content, str):
        return content
    parts: list[str] = []
    for part in content:
        text: Any = getattr(part, "text", None) or getattr(part, "reasoning", None)
        if text:
            parts.append(str(text))
    return "\n".join(parts)


async def ask_refusal(
    model: Model,
    question: str,
    response: str,
    *,
    own_config: bool = True,
    sentences: Sentences | None = None,
) -> RefusalAnswer:
    """Asks whether a response declines to answer.

    Args:
        model: the judge.
        question: what was asked, without steering.
        response: the response, without reasoning.
        own_config: see `ask`.
        sentences: the run's; the installation's where None.

    Returns:
        The answer; what is raised is what `ask` raises.
    """

    def read(output: ModelOutput) -> bool | None:
        return read_refusal(strip_reasoning(output.completion))

    reply = await ask(
        model,
        refusal_prompt(question, response, sentences),
        read,
        (sentences or load_registry().sentences).say("refusal.correction"),
        attempts=_REFUSAL_ATTEMPTS,
        version=f"refusal {REFUSAL_PROMPT_VERSION}",
        own_config=own_config,
        whole=False,
    )
    said = reply.output.completion[:500] if reply.output is not None else ""
    error = reply.error
    if reply.found is None and error is None:
        error = "neither yes nor no"
    return RefusalAnswer(reply.found, said, error, reply.calls)
