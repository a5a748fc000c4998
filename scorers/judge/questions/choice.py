"""Probabilities of the letters of some options, made into a distribution over the options.

Asks a judge for the single most supporting text and reads its whole distribution from one token.

Every text of the window is an option with a letter. Where the provider returns log-probabilities,
the token that names the letter also says how likely the others were, and these probabilities are
the evidence (see `choice_windows`). Where it does not, the result says so, and the window is to be
ranked instead.

Letters are guessable, unlike the codes of the fences; what keeps a response from passing itself off
as another option is that each option is announced beside its fence's code.

The wording is this project's own; `CHOICE_PROMPT_VERSION` goes into logs and cache keys.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase
from typing import Literal

import numpy as np
from inspect_ai.model import GenerateConfig, Logprob, Model, ModelOutput, TopLogprob

from valueflow.hub_assets.registry.loading import Theory, Value, is_said, load_registry
from valueflow.hub_assets.registry.prompts import Sentences
from valueflow.scorers.judge.asking import ask
from valueflow.scorers.judge.questions.ranking import (
    about,
    draw_labels,
    fenced,
    read_judge_prompt,
)

__all__ = [
    "CHOICE_PROMPT_VERSION",
    "LEAST_COVERED",
    "Choice",
    "ask_choice",
    "choice_prompt",
    "choose_window",
    "in_window_order",
    "is_choice_prompt",
    "letter_distribution",
    "letter_shares",
    "option_letters",
]

LEAST_COVERED = 0.5
"""Least probability that the letters must have together where one is named."""


def letter_shares(probabilities: Sequence[float]) -> tuple[tuple[float, ...] | None, float]:
    """The probabilities divided by their sum, and that sum.

    Args:
        probabilities: of each letter at the place of the answer, in [0, 1].

    Returns:
        The distribution, or None where the letters have less than `LEAST_COVERED` together; and
        what they have, at most 1.
    """
    # Summed from rounded logarithms, they may exceed 1 by a little.
    total = math.fsum(probabilities)
    if not total >= LEAST_COVERED:
        return None, total
    return tuple(one / total for one in probabilities), min(total, 1.0)


CHOICE_PROMPT_VERSION = "1"

ANSWER_TOKENS = 16
"""Room for the answer, in tokens; some providers accept no less."""

_MOST_ALTERNATIVES = {"grok": 8, "fireworks": 5}
"""Alternatives of a token that a provider returns at most, where this is fewer than 20."""

_MARKUP = " \t\r\n*_`\"'“”‘’()[]{}<>:.,;#\\-▁Ġ"  # The last two mark a space in tokenizers.

Failure = Literal["no logprobs", "no letter found", "provider error"]


@dataclass(frozen=True)
class Choice:
    """What a judge said about which text of a window supports a value most.

    Attributes:
        probabilities: of each option, in shown order, summing to 1; None where there are none. A
            letter that is not among the token's alternatives has probability 0.
        covered: probability of all letters together before it was divided by, in [0, 1].
        raw: the answer in full.
        calls: questions put to the judge, those that the cache answered included.
        failure: why there are no probabilities.
        error: the details of a failure.
        labels: the codes of the texts, in shown order (from `ask_choice`).
    """

    probabilities: tuple[float, ...] | None
    covered: float
    raw: str
    calls: int = 1
    failure: Failure | None = None
    error: str | None = None
    labels: tuple[str, ...] = ()


def option_letters(count: int) -> tuple[str, ...]:
    """The letters of `count` options: A, B, ...

    Raises:
        ValueError: fewer than 2 options, or more than there are letters.
    """
    if not 2 <= count <= len(ascii_uppercase):
        raise ValueError(f"a choice needs 2 to {len(ascii_uppercase)} texts, not {count}")
    return tuple(ascii_uppercase[:count])


def choice_prompt(
    value: Value,
    theory: Theory,
    texts: Sequence[str],
    labels: Sequence[str],
    sentences: Sentences | None = None,
) -> str:
    """The question which text of a window supports a value most.

    Args:
        value: the value that the texts are judged on.
        theory: its theory.
        texts: the k texts in shown order.
        labels: their k codes, from `draw_labels`.
        sentences: the run's; the installation's where None.

    Raises:
        ValueError: fewer than 2 texts, or more than there are letters.
    """
    said = sentences or load_registry().sentences
    letters = option_letters(len(texts))
    shown = "\n\n".join(
        f"{said.say('choice.option', letter=letter, code=label)}\n{fenced(text, label)}"
        for letter, label, text in zip(letters, labels, texts, strict=True)
    )
    return said.say(
        "choice.question", texts=shown, first=letters[0], last=letters[-1], **about(value, theory)
    )


def is_choice_prompt(prompt: str) -> bool:
    """Whether a question is one written by `choice_prompt`; `read_judge_prompt` reads both."""
    return is_said(prompt, "choice.question") and bool(read_judge_prompt(prompt)[2])


def in_window_order(probabilities: Sequence[float], shown: Sequence[int]) -> list[float]:
    """Probabilities by index of the window (0 the response, i the i-th anchor), from shown order.

    Args:
        probabilities: k probabilities in shown order.
        shown: the k indices in shown order.
    """
    of = dict(zip(shown, probabilities, strict=True))
    return [of[index] for index in range(len(shown))]


async def ask_choice(
    model: Model,
    value: Value,
    theory: Theory,
    texts: Sequence[str],
    generator: np.random.Generator,
    *,
    own_config: bool = True,
    sentences: Sentences | None = None,
) -> Choice:
    """Asks which of some texts supports a value most.

    Args:
        model: the judge, from `grader_model`.
        value: the value.
        theory: its theory.
        texts: the k texts in shown order, 2 to 26 of them.
        generator: draws the codes; seeded for the window.
        own_config: see `choose_window`.
        sentences: see `choice_prompt`.

    Returns:
        The choice, with its codes.
    """
    labels = draw_labels(texts, generator)
    prompt = choice_prompt(value, theory, texts, labels, sentences)
    letters = option_letters(len(texts))
    return replace(
        await choose_window(model, prompt, letters, own_config=own_config), labels=labels
    )


async def choose_window(
    model: Model, prompt: str, letters: Sequence[str], *, own_config: bool = True
) -> Choice:
    """Puts one choice question to a judge.

    Args:
        model: the judge, from `grader_model`.
        prompt: the question, from `choice_prompt`.
        letters: its options, from `option_letters`.
        own_config: whether the model's own configuration is a judge's (it is the evaluated
            model's where no grader was named; its temperature is overridden then).

    Returns:
        The choice; provider errors are in it, not raised. What is raised is what `ask` raises.
    """
    provider = str(model).split("/")[0]
    config = GenerateConfig(
        logprobs=True,
        top_logprobs=min(20, _MOST_ALTERNATIVES.get(provider, 20)),
        max_tokens=ANSWER_TOKENS,
    )
    if not own_config or model.config.temperature is None:
        config.temperature = 0.0

    def read(output: ModelOutput) -> Choice | None:
        choice = _read(output, letters)
        # That a judge returns no logprobs is something to know, and asked once.
        return choice if choice.failure in (None, "no logprobs") else None

    # One attempt: what gives no distribution is put again as a ranking, see `judge_response`. Its
    # first token is the answer, so that one which the room of the answer cut is whole.
    reply = await ask(
        model,
        prompt,
        read,
        attempts=1,
        version=f"choice {CHOICE_PROMPT_VERSION}",
        config=config,
        own_config=own_config,
        whole=False,
    )
    if reply.error is not None or reply.output is None:
        return Choice(None, 0.0, "", reply.calls, "provider error", reply.error)
    return replace(reply.found or _read(reply.output, letters), calls=reply.calls)


def letter_distribution(
    output: ModelOutput, letters: Sequence[str]
) -> tuple[tuple[float, ...] | None, float]:
    """The distribution over letters at the first token that is more than markup.

    Returns:
        The probabilities, summing to 1, or None where the letters have less than `LEAST_COVERED`
        of the probability together; and what they have.
    """
    logprobs = output.choices[0].logprobs if output.choices else None
    tokens = logprobs.content if logprobs is not None else []
    first = next((token for token in tokens if token.token.strip(_MARKUP)), None)
    return letter_shares(_letter_probabilities(first, letters))


def _read(output: ModelOutput, letters: Sequence[str]) -> Choice:
    raw = output.completion
    tokens = output.choices[0].logprobs if output.choices else None
    if tokens is None or not any(token.top_logprobs for token in tokens.content):
        return Choice(None, 0.0, raw, failure="no logprobs")
    named = re.match(rf"[{re.escape(_MARKUP)}]*([A-Z])(?![^\W_])", raw)
    if named is None or named[1] not in letters or _no_pick(named[1], raw[named.end() :]):
        problem = f"the answer begins with no letter of an option: {raw[:80]!r}"
        return Choice(None, 0.0, raw, failure="no letter found", error=problem)
    probabilities, covered = letter_distribution(output, letters)
    if probabilities is None:
        problem = f"the letters have {covered:.2g} of the probability, less than {LEAST_COVERED}"
        return Choice(None, covered, raw, failure="no letter found", error=problem)
    return Choice(probabilities, covered, raw)


def _no_pick(letter: str, after: str) -> bool:
    """Whether a letter at the start is a word of a sentence, or is denied by what follows it."""
    if re.match(r"\W*(?:is|was|would be)?\s*(?:not|n['’]t|isn['’]t|wrong)\b", after):
        return True
    article = letter in "AI" and re.match(r"\s+[a-z]", after) is not None
    return article and re.match(r"\s+(?:is|was|because|since|as|for|over|would)\b", after) is None


def _letter_probabilities(token: Logprob | None, letters: Sequence[str]) -> list[float]:
    """Probability of each letter at a token, over all ways of writing it."""
    alternatives: dict[str, float] = {}
    if token is not None:
        # Some providers leave the token itself out of its alternatives.
        itself = TopLogprob(token=token.token, logprob=token.logprob)
        for one in [*(token.top_logprobs or []), itself]:
            alternatives.setdefault(one.token, math.exp(min(one.logprob, 0.0)))
    found = dict.fromkeys(letters, 0.0)
    for written, probability in alternatives.items():
        letter = written.strip(_MARKUP)
        if letter in found and not math.isnan(probability):
            found[letter] += probability
    return list(found.values())
