"""Asks a judge model about one window, and keeps all of what it said.

A judgement is asked for up to `attempts` times. An answer that cannot be read is followed by a
correction; an answer cut by the token limit is asked again with four times the room; an error
of the provider (after Inspect's own retries) ends the window. Answers come from Inspect's cache
where they can, so that scoring a log again costs nothing.
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

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
from valueflow.scorers.judge.answer import Ranking, read_ranking, strip_reasoning
from valueflow.scorers.judge.prompt import JUDGE_PROMPT_VERSION, correction
from valueflow.scorers.judge.rating import (
    PLACEMENT_PROMPT_VERSION,
    RATING_PROMPT_VERSION,
    Rated,
    rating_correction,
    read_ratings,
)
from valueflow.scorers.judge.refusals import REFUSAL_PROMPT_VERSION, RefusalAnswer, refusal_prompt

__all__ = [
    "GRADER_ROLE",
    "PLACEMENT",
    "RANKING",
    "RATING",
    "SELF_JUDGED",
    "Form",
    "Judgement",
    "ask_refusal",
    "grader_model",
    "judge_cache",
    "judge_window",
]

GRADER_ROLE = "grader"

SELF_JUDGED = (
    "No grader was given, so the evaluated model judges its own responses. "
    f"Name a judge with --model-role {GRADER_ROLE}=PROVIDER/MODEL."
)
"""What a run without a grader is told, once."""

# Providers that constrain an answer to a JSON schema (the answer is validated all the same).
_STRUCTURED = {"openai", "google", "mistral", "vllm", "sglang", "anthropic", "groq", "grok"}

Failure = Literal[
    "no complete ranking",
    "no complete ratings",
    "the same rating for every text",
    "cut by the token limit",
    "provider error",
]


@dataclass(frozen=True)
class Form:
    """What a judge is asked for about a window, and how its answer is read.

    Attributes:
        version: version of the question's wording, part of the cache key.
        unread: what an answer that cannot be read is called.
        read: gives what the answer says of the codes, or None.
        correct: what the judge is told after such an answer, or after one that is all the same.
        schema: of a structured answer, by the codes.
        differ: whether an answer that gives every code the same is none.
    """

    version: str
    unread: Failure
    read: Callable[[str, Sequence[str]], Ranking | Rated | None]
    correct: Callable[[Sequence[str], bool], str]
    schema: Callable[[Sequence[str]], ResponseSchema]
    differ: bool = False

    def fault(self, found: Ranking | Rated | None) -> Failure | None:
        """What is wrong with an answer that was read, or not."""
        if found is None:
            return self.unread
        if self.differ and isinstance(found, Rated) and len(found.numbers) > 2:
            same = len(set(found.numbers.values())) == 1
            return "the same rating for every text" if same else None
        return None


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
    correct=lambda labels, same: correction(labels),
    schema=_order_schema,
)
RATING = Form(
    version=f"rating {RATING_PROMPT_VERSION}",
    unread="no complete ratings",
    read=read_ratings,
    correct=lambda labels, same: rating_correction(labels, same=same),
    schema=_numbers_schema,
    differ=True,
)
PLACEMENT = Form(
    version=f"placement {PLACEMENT_PROMPT_VERSION}",
    unread="no complete ratings",
    read=read_ratings,
    correct=lambda labels, same: rating_correction(labels, same=same),
    schema=_numbers_schema,
)


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
    named = GRADER_ROLE in model_roles()
    return get_model(role=GRADER_ROLE, config=config), named


async def judge_window(
    model: Model,
    prompt: str,
    labels: Sequence[str],
    *,
    attempts: int,
    own_config: bool = True,
    form: Form = RANKING,
) -> Judgement:
    """Puts one question about a window to a judge.

    Args:
        model: the judge, from `grader_model`.
        prompt: the question, from `judge_prompt`, `rating_prompt` or `placement_prompt`.
        labels: the codes that the answer must name.
        attempts: most questions to put.
        own_config: whether the model's own configuration is a judge's (it is the evaluated
            model's where no grader was named, and is overridden then).
        form: what is asked for.

    Returns:
        The judgement; provider errors are in it, not raised, so that one dead call loses nothing
        that was paid for. Inspect's limits (tokens, time, cost) are raised as everywhere.
    """
    defaults = load_registry().defaults.evaluator
    room = (model.config.max_tokens if own_config else None) or defaults.judge_max_tokens
    messages: list[ChatMessage] = [ChatMessageUser(content=prompt)]
    raw: list[str] = []
    failure: Failure = form.unread
    for attempt in range(attempts):
        config = _config(model, form.schema(labels), room, own_config, attempt)
        try:
            output = await model.generate(
                messages, config=config, cache=judge_cache(model, attempt, version=form.version)
            )
        except LimitExceededError:
            raise
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"
            return Judgement(None, attempt + 1, False, tuple(raw), "provider error", detail[:500])
        raw.append(_full_answer(output))
        found = form.read(output.completion, labels)
        fault = form.fault(found)
        cut = output.stop_reason in ("max_tokens", "model_length")
        if fault is None and not cut:
            if isinstance(found, Rated):
                numbers = found.numbers
                return Judgement(None, attempt + 1, found.repaired, tuple(raw), numbers=numbers)
            assert found is not None
            return Judgement(found.labels, attempt + 1, found.repaired, tuple(raw))
        if cut:
            failure = "cut by the token limit"
            room *= 4
            continue
        failure = fault or form.unread
        # The bad answer goes along, so that a judge at temperature 0 does not repeat it.
        messages = [
            ChatMessageUser(content=prompt),
            ChatMessageAssistant(content=output.completion.strip() or "(no answer)"),
            ChatMessageUser(content=form.correct(labels, found is not None)),
        ]
    return Judgement(None, attempts, False, tuple(raw), failure)


def _config(
    model: Model, schema: ResponseSchema, room: int, own_config: bool, attempt: int
) -> GenerateConfig:
    config = GenerateConfig()
    if attempt > 0 or not own_config:
        config.max_tokens = room
    if not own_config:
        config.temperature = 0.0
    if str(model).split("/")[0] in _STRUCTURED and model.config.response_schema is None:
        config.response_schema = schema
    return config


def judge_cache(
    model: Model, attempt: int, *, version: str = JUDGE_PROMPT_VERSION
) -> CachePolicy | bool:
    """Judgements never expire and do not depend on the epoch: the same question has one answer.

    Inspect's cache key leaves out model arguments and the number of the attempt; both are added.
    Simulated judges answer faster than a cache does and are asked anew.

    Args:
        model: the judge.
        attempt: number of the attempt, from 0.
        version: version of the question's wording.
    """
    if getattr(model.api, "simulated", False):
        return False
    arguments = json.dumps(model.model_args, sort_keys=True, default=str)
    return CachePolicy(
        expiry=None,
        per_epoch=False,
        scopes={
            "valueflow": version,
            "attempt": str(attempt),
            "model_args": hashlib.sha256(arguments.encode()).hexdigest()[:16],
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
    model: Model, question: str, response: str, *, own_config: bool = True
) -> RefusalAnswer:
    """Puts the question once; an error of the provider is in the answer, not raised.

    Args:
        model: the judge.
        question: what was asked, without steering.
        response: the response, without reasoning.
        own_config: whether the model's configuration is a judge's, see `judge_window`.
    """
    config = GenerateConfig() if own_config else GenerateConfig(temperature=0.0)
    try:
        output = await model.generate(
            refusal_prompt(question, response),
            config=config,
            cache=judge_cache(model, 0, version=f"refusal {REFUSAL_PROMPT_VERSION}"),
        )
    except LimitExceededError:
        raise
    except Exception as error:
        return RefusalAnswer(None, "", f"{type(error).__name__}: {error}"[:500])
    said = strip_reasoning(output.completion)
    words = set(re.findall(r"[a-z]+", said.lower()))
    if ("yes" in words) == ("no" in words):
        return RefusalAnswer(None, output.completion[:500], "neither yes nor no")
    return RefusalAnswer("yes" in words, output.completion[:500])
