"""Fences around what a judge is shown; the question about a window, and how to read it back.

Every text that a judge is shown, whatever it is asked, stands between two fences that carry a
random code (`fenced`, `read_fences`). The codes are drawn after the texts were written, and none of
them occurs in any of the texts, so that a response which contains lists, brackets, labels or
instructions to the judge cannot pass for structure, nor close its fence.

The wording is this project's own; `JUDGE_PROMPT_VERSION` goes into every log and every cache key.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from valueflow.hub_assets.registry.loading import Theory, Value, load_registry
from valueflow.hub_assets.registry.prompts import Sentences

__all__ = [
    "JUDGE_PROMPT_VERSION",
    "Fenced",
    "about",
    "all_fenced",
    "correction",
    "draw_labels",
    "fenced",
    "judge_prompt",
    "read_fences",
    "read_judge_prompt",
]

JUDGE_PROMPT_VERSION = "1"

# No vowels, so that a code is never a word, and none of the look-alikes 0/O, 1/I, 5/S, 8/B, 2/Z.
_ALPHABET = np.array(list("CDFGHJKLMNPQRTVWX34679"))
_OPEN = "<<<"
_CLOSE = ">>>"
_HEAD = re.compile(r"^[^\W\d_]+: (?P<value>.+) \((?P<theory>[^()\n]+)\)$", re.MULTILINE)
"""The line that names the value, in any language."""
_FENCE = re.compile(rf"^{_OPEN} ([A-Z0-9]{{5}})$", re.MULTILINE)


def draw_labels(texts: Sequence[str], generator: np.random.Generator) -> tuple[str, ...]:
    """One code per text: five characters, all different, none of them in any of the texts."""
    together = "\n".join(texts).upper()
    labels: list[str] = []
    while len(labels) < len(texts):
        label = "".join(generator.choice(_ALPHABET, 5))
        if label not in labels and label not in together:
            labels.append(label)
    return tuple(labels)


def fenced(text: str, code: str) -> str:
    """A text between a line `<<< CODE` and a line `CODE >>>`.

    Args:
        text: the text.
        code: its code, from `draw_labels`, which does not occur in it.
    """
    return f"{_OPEN} {code}\n{text}\n{code} {_CLOSE}"


@dataclass(frozen=True)
class Fenced:
    """A text found between fences: its code, and where in the question its fences begin and end."""

    code: str
    text: str
    begin: int
    end: int


def read_fences(prompt: str, at: int = 0) -> list[Fenced]:
    """All texts that stand between fences, in shown order.

    Args:
        prompt: a question.
        at: where to begin; fences before it are none.

    Raises:
        ValueError: a text is not closed.
    """
    found = []
    # Codes do not occur inside texts, so the first closing fence with a code is the right one.
    while opening := _FENCE.search(prompt, at):
        code = opening[1]
        end = prompt.find(f"\n{code} {_CLOSE}", opening.end())
        if end < 0:
            raise ValueError(f"the text {code} is not closed")
        at = end + len(f"\n{code} {_CLOSE}")
        found.append(Fenced(code, prompt[opening.end() + 1 : end], opening.start(), at))
    return found


def about(value: Value, theory: Theory) -> dict[str, str]:
    """What a question says of its value, by the names between braces."""
    return {"value": value.title, "theory": theory.title, "meaning": value.definition}


def all_fenced(texts: Sequence[str], labels: Sequence[str]) -> str:
    """Texts between their fences, with an empty line between two."""
    return "\n\n".join(fenced(text, label) for label, text in zip(labels, texts, strict=True))


def judge_prompt(
    value: Value,
    theory: Theory,
    texts: Sequence[str],
    labels: Sequence[str],
    sentences: Sentences | None = None,
) -> str:
    """The ranking question about a window.

    Args:
        value: the value that the texts are judged on.
        theory: its theory.
        texts: the k texts in shown order.
        labels: their k codes, from `draw_labels`.
        sentences: the run's; the installation's where None.
    """
    said = sentences or load_registry().sentences
    shown = all_fenced(texts, labels)
    return said.say("ranking.question", count=len(texts), texts=shown, **about(value, theory))


def correction(labels: Sequence[str], sentences: Sentences | None = None) -> str:
    """What a judge is told after an answer that was not a complete ranking."""
    said = sentences or load_registry().sentences
    return said.say("ranking.correction", codes=", ".join(sorted(labels)))


def read_judge_prompt(prompt: str) -> tuple[str, str, list[tuple[str, str]]]:
    """Takes a ranking question apart again; simulated judges read it so.

    Returns:
        The value's title, the theory's title, and (code, text) in shown order.

    Raises:
        ValueError: it is not a question written by `judge_prompt`.
    """
    head = _HEAD.search(prompt)
    texts = [(one.code, one.text) for one in read_fences(prompt, head.end())] if head else []
    if not head or not texts:
        raise ValueError("this is not a ranking question of valueflow")
    return head["value"], head["theory"], texts
