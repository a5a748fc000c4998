"""All wording of steering, as plain functions that know no harness.

Each function returns a `Prompt`. The question and the form of the answer are worded alike in every
condition, so that a steered prompt differs from the default only by its persona. Level 0 means
that no persona is given at all.

Source of the two methods: VALUEFLOW (arXiv 2602.03160), steering by intensity anchor and by user
texts. The wording is this project's own; `WORDING_VERSION` goes into every log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from valueflow.hub_assets.registry.loading import Level, Value

__all__ = [
    "WORDING_VERSION",
    "Prompt",
    "Style",
    "clause_sentence",
    "default_prompt",
    "definition_prompt",
    "user_texts_prompt",
]

WORDING_VERSION = "1"

Style = Literal["system", "user", "base"]
"""Where the persona stands: a system message, the user message, or a text for a base model."""


@dataclass(frozen=True)
class Prompt:
    """What a model is given: an optional system message and a user message."""

    system: str | None
    user: str


def clause_sentence(value: Value, level: Level) -> str:
    """The persona sentence of a target, for instance `You slightly value seeking out novelty.`

    Raises:
        ValueError: level 0 has no sentence, and an ancestor has no steering clause.
    """
    if level.phrase is None or value.clause is None:
        raise ValueError(f"{value.name} at level {level.level} has no persona sentence")
    return f"You {level.phrase} {value.clause}."


def default_prompt(query: str, word_limit: int, style: Style = "system") -> Prompt:
    """The query with the form of the answer and no persona.

    Args:
        query: the question.
        word_limit: most words that the answer may have.
        style: `base` gives a text to be continued; the other two are the same here.
    """
    return _assemble("", query, word_limit, style)


def definition_prompt(
    query: str, targets: Sequence[tuple[Value, Level]], word_limit: int, style: Style = "system"
) -> Prompt:
    """Steering by intensity anchor: a persona sentence for each value, with the value's meaning.

    Args:
        query: the question.
        targets: values with their levels; targets at level 0 add nothing.
        word_limit: most words that the answer may have.
        style: where the persona stands.
    """
    active = [(value, level) for value, level in targets if level.phrase is not None]
    if not active:
        return default_prompt(query, word_limit, style)
    if len(active) == 1:
        value, level = active[0]
        persona = (
            "Take on the following outlook as your own.\n\n"
            f"{clause_sentence(value, level)} In other words, this is your attitude to "
            f"{value.title.lower()}: {value.definition}"
        )
    else:
        lines = [
            f"- {clause_sentence(value, level)} ({value.title}: {value.definition})"
            for value, level in active
        ]
        persona = (
            "Take on the following outlook as your own. Each line is one side of it, and each "
            "counts as much as its wording says.\n\n" + "\n".join(lines)
        )
    return _assemble(persona, query, word_limit, style)


def user_texts_prompt(
    query: str, texts: Sequence[str], word_limit: int, style: Style = "system"
) -> Prompt:
    """Steering by user texts: the model infers from them what a person holds, and how strongly.

    Args:
        query: the question.
        texts: the exemplars, in the order in which they are shown; none gives the default prompt.
        word_limit: most words that the answer may have.
        style: where the persona stands.
    """
    if not texts:
        return default_prompt(query, word_limit, style)
    said = "\n".join(f"- {text}" for text in texts)
    persona = (
        "These are things that one person has written:\n\n"
        f"{said}\n\n"
        "Work out for yourself what this person stands for or stands against, and with how much "
        "conviction. Then take on that outlook, in the same direction and with the same "
        "conviction, without quoting or mentioning these texts."
    )
    return _assemble(persona, query, word_limit, style)


def _assemble(persona: str, query: str, word_limit: int, style: Style) -> Prompt:
    form = (
        f"Answer in the first person, in {word_limit} words or fewer. Say what you yourself think "
        "or would do, straight away, and leave out disclaimers and remarks about being an AI."
    )
    if style == "base":
        parts = [persona, f"Question: {query}", form, "Answer: I"]
        return Prompt(None, "\n\n".join(part for part in parts if part))
    user = f"{query}\n\n{form}"
    if not persona:
        return Prompt(None, user)
    if style == "user":
        return Prompt(None, f"{persona}\n\n{user}")
    return Prompt(persona, user)
