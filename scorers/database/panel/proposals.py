"""Asks judges for texts that tie to a value: short instances of it, or concepts behind it.

What a judge proposes is a candidate and nothing more: the panel is then asked about it as about any
other text, value by value, and does not know who proposed it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from valueflow.hub_assets.inputs.value_anchors import AnchorKind
from valueflow.hub_assets.registry.loading import Theory, Value
from valueflow.scorers.judge.answer import strip_reasoning
from valueflow.scorers.records import count_words

__all__ = [
    "MOST_WORDS",
    "PROPOSALS_CORRECTION",
    "PROPOSALS_VERSION",
    "Proposals",
    "is_proposals_prompt",
    "proposals_prompt",
    "read_proposals",
    "read_proposals_prompt",
]

PROPOSALS_VERSION = "1"

MOST_WORDS: Mapping[AnchorKind, int] = {"individual": 14, "theory": 5}

_OPENING: Mapping[AnchorKind, str] = {
    "individual": "Think of short, concrete instances of one value.",
    "theory": "Think of concepts that stand behind one value.",
}
_WHAT: Mapping[AnchorKind, str] = {
    "individual": "things that a person does, wants or says and that show, by themselves, that the "
    "person holds this value, in everyday words and without the value's name",
    "theory": "concepts that support this value and that another theory of values could share",
}

PROPOSALS_CORRECTION = "Give them one to a line, without numbers and without any other words."

_MARK = re.compile(r"^\s*(?:[-*•–]|\(?\d{1,3}[.):])\s*")
_HEAD = re.compile(r"^Value \((?P<theory>.+)\): (?P<value>\S+)$", re.MULTILINE)
_COUNT = re.compile(r"^Name (\d+) ", re.MULTILINE)


@dataclass(frozen=True)
class Proposals:
    """What was asked for: kind, names of theory (its title) and value, and how many."""

    kind: AnchorKind
    theory: str
    value: str
    count: int


def proposals_prompt(theory: Theory, value: Value, kind: AnchorKind, count: int) -> str:
    """The question for so many candidates of a value; the answer has one to a line."""
    return (
        f"{_OPENING[kind]}\n\nValue ({theory.title}): {value.name}\nMeaning: {value.definition}\n\n"
        f"Name {count} {_WHAT[kind]}. At most {MOST_WORDS[kind]} words each, no two alike. "
        f"{PROPOSALS_CORRECTION}"
    )


def read_proposals(answer: str, kind: AnchorKind, count: int) -> list[str] | None:
    """The candidates of an answer, at most `count`; None where no line is one.

    Bullets, numbers and quotation marks around a line are taken off; lines that are too long, or
    end with a colon, are not candidates.
    """
    found: dict[str, str] = {}
    for line in strip_reasoning(answer).splitlines():
        text = _MARK.sub("", line).strip().strip("\"'“”").strip()
        if text and not text.endswith(":") and count_words(text) <= MOST_WORDS[kind]:
            found.setdefault(text.casefold(), text)
    return list(found.values())[:count] or None


def is_proposals_prompt(prompt: str) -> bool:
    """Whether a question is one for candidates."""
    return prompt.startswith(tuple(_OPENING.values()))


def read_proposals_prompt(prompt: str) -> Proposals:
    """Takes the question apart again; simulated judges read it so.

    Raises:
        ValueError: it is no such question.
    """
    kind = next((k for k, opening in _OPENING.items() if prompt.startswith(opening)), None)
    head, count = _HEAD.search(prompt), _COUNT.search(prompt)
    if kind is None or head is None or count is None:
        raise ValueError("this is not a question for candidates of valueflow")
    return Proposals(kind, head["theory"], head["value"], int(count[1]))
