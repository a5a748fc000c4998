"""Two questions that ask a judge for numbers, and how to read them back.

`rating_prompt` asks for a number for every text of a window; the anchors, whose intensities the
judge is not told, calibrate it. `placement_prompt` shows anchors with their intensities as a ruler
and asks for the number of the response and of one more anchor, whose intensity is not told either:
without it nothing would say how good the judge's placing is.

Texts stand between the same fences with random codes as in a ranking question. An answer is read
strictly: every code exactly once, each with a whole number of the scale, and nothing else.

The wording is this project's own; `RATING_PROMPT_VERSION` and `PLACEMENT_PROMPT_VERSION` go into
logs and cache keys.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from valueflow.hub_assets.registry.loading import (
    Theory,
    Value,
    is_said,
    load_registry,
    opened_registries,
)
from valueflow.hub_assets.registry.prompts import Sentences
from valueflow.scorers.judge.answer import introduced_as_other, strip_reasoning
from valueflow.scorers.judge.questions.ranking import about, all_fenced, fenced

__all__ = [
    "PLACEMENT_PROMPT_VERSION",
    "RATING_PROMPT_VERSION",
    "RATING_READER_VERSION",
    "RATING_SCALE",
    "Rated",
    "is_placement_prompt",
    "is_rating_prompt",
    "placement_prompt",
    "placement_ruler",
    "rating_correction",
    "rating_prompt",
    "read_ratings",
]

RATING_PROMPT_VERSION = "1"
PLACEMENT_PROMPT_VERSION = "1"

RATING_READER_VERSION = "1"
"""Changes when an answer is read otherwise than before; no part of a cache's key."""

RATING_SCALE = (-10, 10)
"""Ends of the scale that a judge is given; ratings are whole numbers."""

_SIGN = r"[+\-−–]?"
_ASSIGNS = r"(?::|=|→|->|=>)"


@dataclass(frozen=True)
class Rated:
    """Numbers that were understood.

    Attributes:
        numbers: by code.
        repaired: whether anything but plain `CODE: number` lines had to be passed over.
    """

    numbers: dict[str, int]
    repaired: bool


def rating_prompt(
    value: Value,
    theory: Theory,
    texts: Sequence[str],
    labels: Sequence[str],
    sentences: Sentences | None = None,
) -> str:
    """The question how strongly each text of a window supports or opposes a value.

    Args:
        value: the value that the texts are judged on.
        theory: its theory.
        texts: the k texts in shown order.
        labels: their k codes, from `draw_labels`.
        sentences: the run's; the installation's where None.
    """
    return (sentences or load_registry().sentences).say(
        "rating.question",
        count=len(texts),
        texts=all_fenced(texts, labels),
        **_scale(),
        **about(value, theory),
    )


def placement_prompt(
    value: Value,
    theory: Theory,
    known: Sequence[tuple[str, float]],
    known_labels: Sequence[str],
    texts: Sequence[str],
    labels: Sequence[str],
    sentences: Sentences | None = None,
) -> str:
    """The question where texts stand on a scale that other texts mark.

    Args:
        value: the value that the texts are judged on.
        theory: its theory.
        known: texts with their intensities, in points.
        known_labels: their codes.
        texts: the texts to be placed, in shown order.
        labels: their codes; all codes from one draw of `draw_labels`.
        sentences: see `rating_prompt`.
    """
    said = sentences or load_registry().sentences
    ruler = "\n\n".join(
        f"{said.say('placement.known', intensity=_signed(intensity))}\n{fenced(text, label)}"
        for (text, intensity), label in zip(known, known_labels, strict=True)
    )
    return said.say(
        "placement.question",
        count=len(texts),
        known=len(known),
        ruler=ruler,
        texts=all_fenced(texts, labels),
        **_scale(),
        **about(value, theory),
    )


def is_rating_prompt(prompt: str) -> bool:
    """Whether a question is one written by `rating_prompt`; `read_judge_prompt` reads it."""
    return is_said(prompt, "rating.question")


def is_placement_prompt(prompt: str) -> bool:
    """Whether a question is one written by `placement_prompt`."""
    return is_said(prompt, "placement.question")


def placement_ruler(prompt: str) -> int:
    """How many of the fenced texts of a placement question are known; they come first."""
    marks = {registry.sentences.texts.get("placement.known") for registry in opened_registries()}
    known = "|".join(
        re.escape(one).replace(r"\{intensity\}", r"[+−]?[0-9.]+") for one in marks if one
    )
    return len(re.findall(rf"^(?:{known})\n<<< ", prompt, re.MULTILINE))


def rating_correction(
    labels: Sequence[str], sentences: Sentences | None = None, *, differ: bool = False
) -> str:
    """What a judge is told after an answer that cannot be used.

    Args:
        labels: the codes that want a number.
        sentences: see `rating_prompt`.
        differ: whether one number for all texts is no answer.
    """
    said = sentences or load_registry().sentences
    name = "rating.correction_differ" if differ else "rating.correction"
    return said.say(name, codes=", ".join(sorted(labels)), **_scale())


def read_ratings(answer: str, labels: Sequence[str]) -> Rated | None:
    """Reads a number for each of `labels` from a judge's answer.

    Bullets, numbering, bold marks and a word such as `Ratings:` are passed over, and so is
    reasoning before the answer, so long as the answer's last k lines (or its last line) are the
    numbers and nothing else, and nothing says that they are not the answer. JSON that maps codes to
    numbers is understood.

    Args:
        answer: the answer, with or without reasoning tags.
        labels: the codes that want a number.

    Returns:
        The numbers, or None where a code is missing, repeated or unknown, or a number is not whole
        or lies outside `RATING_SCALE`.
    """
    text = strip_reasoning(answer)
    if not text:
        return None
    lines = [line for line in text.splitlines() if line.strip(" \t*_`#-")]
    candidates = [(text, "")]
    for count in (1, len(labels)):
        if len(lines) > count and not _is_pair(lines[-count - 1]):
            candidates.append(("\n".join(lines[-count:]), "\n".join(lines[:-count])))
    for candidate, before in candidates:
        found = _json_numbers(candidate, labels) or _bare_numbers(candidate, labels)
        if found is not None and introduced_as_other(before):
            return None
        if found is not None:
            plain = "\n".join(f"{label}: {number}" for label, number in found.items())
            body = re.sub(r"^```(?:json)?\s*|\s*```$", "", text)
            return Rated(found, repaired=answer.strip() != plain and not _is_json(body))
    return None


def _scale() -> dict[str, int]:
    low, high = RATING_SCALE
    return {"low": low, "high": high}


def _signed(intensity: float) -> str:
    return f"{intensity:+.1f}".replace("-", "−") if intensity else "0.0"


def _is_json(text: str) -> bool:
    return text.startswith("{") and text.endswith("}")


def _is_pair(line: str) -> bool:
    """Whether a line is nothing but something like a code with a number."""
    return bool(
        re.fullmatch(
            rf"[\s\-*•·#`\"'\d.)]*[B-DF-HJ-NP-TV-XZ0-9]{{4,6}}[\s*_`\"']*{_ASSIGNS}[\s*_`\"']*"
            rf"{_SIGN}\d+[\s*_`\"',;.]*",
            line,
            re.IGNORECASE,
        )
    )


def _whole(number: object) -> int | None:
    low, high = RATING_SCALE
    if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
        return None
    return number


def _numbers(found: Sequence[tuple[str, object]], labels: Sequence[str]) -> dict[str, int] | None:
    if sorted(label for label, _ in found) != sorted(labels):
        return None
    numbers = {label: whole for label, number in found if (whole := _whole(number)) is not None}
    return numbers if len(numbers) == len(labels) else None


def _json_numbers(text: str, labels: Sequence[str]) -> dict[str, int] | None:
    """The numbers in `{"ratings": {CODE: number, ...}}`, or without the outer name."""
    body = re.sub(r"^```(?:json)?\s*|\s*```$", "", text.strip())
    if not _is_json(body):
        return None
    try:
        # As pairs, so that a code that stands twice is seen.
        found = json.loads(body, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    if len(found) == 1 and found[0][0] == "ratings" and isinstance(found[0][1], list):
        found = found[0][1]
    if not all(isinstance(pair, tuple) for pair in found):
        return None
    return _numbers([(str(label).strip().upper(), number) for label, number in found], labels)


def _bare_numbers(text: str, labels: Sequence[str]) -> dict[str, int] | None:
    """The numbers in a text that holds `CODE: number` pairs and nothing but decoration."""
    text = re.sub(
        r"^[\s*_#`>\-]*(?:final\s+)?(?:ratings?|numbers?|scores?|answers?|results?)[\s*_`]*:[\s*_`]*\n",
        "",
        text,
        flags=re.IGNORECASE,
    )
    codes = "|".join(re.escape(label) for label in labels)
    pair = re.compile(
        rf"(?:^|(?<=[\n,;|]))[\s\-*•·#`\"'{{|]*(?:\d{{1,2}}[.)]\s*)?[\s*_`\"'\[(]*"
        rf"(?P<code>{codes})[\s*_`\"'\])]*{_ASSIGNS}[\s*_`\"']*(?P<number>{_SIGN}\d{{1,3}})"
        rf"[*_`\"' \t}}|]*(?:$|(?=[\n,;|]))",
        re.IGNORECASE,
    )
    found: list[tuple[str, object]] = []
    at = 0
    for match in pair.finditer(text):
        if text[at : match.start()].strip(" \t\n,;|`*_"):
            return None
        number = match["number"].replace("−", "-").replace("–", "-")
        found.append((match["code"].upper(), int(number)))
        at = match.end()
    if text[at:].strip(" \t\n,;|`*_."):
        return None
    return _numbers(found, labels)
