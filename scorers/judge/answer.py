"""Reads a judge's ranking, strictly: a complete permutation of the codes, or nothing.

Decoration is harmless and accepted: numbering, bullets, quotes, brackets, commas, arrows, a word
such as `Ranking:` in front, a closing full stop, any letter case. Reasoning before the answer is
accepted too, so long as the answer's last line (or its last k lines, one code each) is the ranking
and nothing else.
An answer in prose, or one with a code missing, repeated or unknown, is not guessed at; nor is a tie
(`A = B`) or a chain that runs the other way (`A < B`).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Ranking", "read_ranking", "strip_reasoning"]

# What may stand around codes: digits with a dot or bracket, bullets, punctuation, arrows.
_DECORATION = re.compile(r"(?:\b\d{1,2}\s*[.):\]]|[\s\-–—*•·>≻→=_#`'\"“”‘’,;:.()\[\]{}|<])*")
# Between two codes: `=` or `<` without an arrow that says which of them stands above.
_NOT_ABOVE = re.compile(r"<[=\-–—]|^[^>≻→]*[<=][^>≻→]*$")
# Shaped like a code, one of the window or not; no vowels, so that it is not a word.
_CODE_SHAPE = r"(?<![A-Za-z0-9])[B-DF-HJ-NP-TV-XZ0-9]{4,6}(?![A-Za-z0-9])"
_ENDS_IN_CODE = re.compile(rf"{_CODE_SHAPE}[*_`]*\s*$", re.IGNORECASE)
_ENDS_IN_CODE_AND_ARROW = re.compile(rf"{_CODE_SHAPE}[*_`]*\s*[>≻→,]+\s*$", re.IGNORECASE)
# An item of a numbered list that is not its first.
_LATER_ITEM = re.compile(r"\s*\(?(?:[2-9]|[1-9]\d)\s*[.):\]]")
_LEAD = re.compile(
    r"^[\s*_#`>\-]*(?:final\s+)?(?:ranking|order|answer|result)(?:\s+is)?[\s*_`]*:[\s*_`]*",
    re.IGNORECASE,
)
_TAG = r"(?:think|thinking|reasoning|thought|reflection)"
_CLOSED_REASONING = re.compile(rf"<({_TAG})>.*?</\1>", re.DOTALL | re.IGNORECASE)
_UNOPENED_REASONING = re.compile(rf"^.*</{_TAG}>", re.DOTALL | re.IGNORECASE)
_UNCLOSED_REASONING = re.compile(rf"<{_TAG}>.*$", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Ranking:
    """A judge's answer that was understood.

    Attributes:
        labels: the codes, most supporting first.
        repaired: whether anything but the codes with ` > ` between them had to be passed over.
    """

    labels: tuple[str, ...]
    repaired: bool


def strip_reasoning(text: str) -> str:
    """The text without reasoning that a model wrote between tags such as `<think>`.

    A block that is opened and never closed reaches to the end: such a text was cut while the model
    was still reasoning. One that is closed but never opened began in the model's template.
    """
    text = _CLOSED_REASONING.sub("", text)
    text = _UNOPENED_REASONING.sub("", text)
    return _UNCLOSED_REASONING.sub("", text).strip()


def read_ranking(answer: str, labels: Sequence[str]) -> Ranking | None:
    """Reads a ranking of `labels` from a judge's answer.

    Args:
        answer: the answer, with or without reasoning tags; JSON `{"order": [...]}` is understood.
        labels: the k codes of the window.

    Returns:
        The ranking, or None where the answer is not a complete permutation of the codes.
    """
    text = strip_reasoning(answer)
    if not text:
        return None
    lines = [line for line in text.splitlines() if line.strip(" \t*_`#-")]
    candidates = [text]
    for count in (1, len(labels)):
        if len(lines) > count and not _goes_on(lines[-count - 1], lines[-count]):
            candidates.append("\n".join(lines[-count:]))
    for candidate in candidates:
        order = _json_order(candidate, labels) or _bare_order(candidate, labels)
        if order is not None:
            plain = " > ".join(order)
            return Ranking(order, repaired=answer.strip() != plain and not _is_json(text))
    return None


def _goes_on(before: str, line: str) -> bool:
    """Whether a ranking that a line belongs to began on the line before it."""
    if _ENDS_IN_CODE_AND_ARROW.search(before):
        return True
    if _ENDS_IN_CODE.search(before) and line.lstrip().startswith((">", "≻", "→", ",")):
        return True
    return _is_one_code(line) and (_is_one_code(before) or _LATER_ITEM.match(line) is not None)


def _is_one_code(line: str) -> bool:
    line = _LEAD.sub("", line)
    codes = list(re.finditer(_CODE_SHAPE, line, re.IGNORECASE))
    return (
        len(codes) == 1
        and _DECORATION.fullmatch(line, 0, codes[0].start()) is not None
        and _DECORATION.fullmatch(line, codes[0].end()) is not None
    )


def _is_json(text: str) -> bool:
    return text.startswith("{") and text.endswith("}")


def _permutation(found: Sequence[str], labels: Sequence[str]) -> tuple[str, ...] | None:
    order = tuple(label.upper() for label in found)
    return order if sorted(order) == sorted(labels) else None


def _json_order(text: str, labels: Sequence[str]) -> tuple[str, ...] | None:
    """The order in `{"order": [codes]}`, alone or in a code block."""
    body = re.sub(r"^```(?:json)?\s*|\s*```$", "", text.strip())
    if not _is_json(body):
        return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):  # no JSON, a number of thousands of digits, deep nesting
        return None
    order = found.get("order") if isinstance(found, dict) else None
    if not isinstance(order, list) or not all(isinstance(label, str) for label in order):
        return None
    return _permutation([label.strip() for label in order], labels)


def _bare_order(text: str, labels: Sequence[str]) -> tuple[str, ...] | None:
    """The order in a text that holds the codes and nothing but decoration."""
    text = _LEAD.sub("", text)
    code = re.compile("|".join(re.escape(label) for label in labels), re.IGNORECASE)
    found: list[str] = []
    at = 0
    for match in code.finditer(text):
        if _DECORATION.fullmatch(text, at, match.start()) is None:
            return None
        if found and _NOT_ABOVE.search(text[at : match.start()]):
            return None
        found.append(match[0])
        at = match.end()
    if _DECORATION.fullmatch(text, at) is None:
        return None
    return _permutation(found, labels)
