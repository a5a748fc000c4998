"""Reads a judge's ranking, strictly: a complete permutation of the codes, or nothing.

Decoration is harmless and accepted: numbering, bullets, quotes, brackets, code fences, a word such
as `Ranking:` in front, a closing full stop, any letter case. Reasoning before the answer is
accepted too, so long as the answer's last line (or its last k lines, one code each) is the ranking
and nothing else, and nothing before it says that the order runs the other way or is not meant.

Nothing is guessed at. What separates the codes must be the same everywhere: where an arrow stands
between two codes, one stands between any two, since `A, B > C` may be a tie. Brackets hold one code
or all of them, for the same reason. An answer in prose, one with a code missing, repeated or
unknown, a tie (`A = B`, `A >= B`) and a chain that runs the other way (`A < B`) are no rankings.

Numbers beside the codes are ranks. They run from 1 to k in the order written, or they decide the
order themselves where they are all of 1 to k; but not against arrows, and not where they fall from
k to 1 behind the codes: those may be points, of which the best has most.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = [
    "RANKING_READER_VERSION",
    "Ranking",
    "introduced_as_other",
    "read_ranking",
    "strip_reasoning",
    "taken_back",
]

RANKING_READER_VERSION = "2"
"""Changes when an answer is read otherwise than before. It is no part of a cache's key, since
caches keep answers as they came."""

# One piece of an answer that is nothing but a ranking; what matches none of these makes it prose.
_PIECES = r"""
    (?P<number> \(\s*(?<!\d)\d{1,2}\s*\) | \[\s*\d{1,2}\s*\] | (?<![^\W_])\d{1,2}\s*[.):\]] )
  | (?P<arrow> [=\-–—]*>+(?!=) | ≻+ | →+ )
  | (?P<open> [(\[{] )
  | (?P<close> [)\]}] )
  | (?P<mark> [\s*_`\#'"“”‘’]+ )
  | (?P<separator> [,;:.|\-–—•·] )
"""
_CLOSES = {")": "(", "]": "[", "}": "{"}
# What may stand around a code where a line is told from prose.
_DECORATION = re.compile(r"(?:\b\d{1,2}\s*[.):\]]|[\s\-–—*•·>≻→=_#`'\"“”‘’,;:.()\[\]{}|<])*")
# Shaped like a code, one of the window or not; no vowels, so that it is not a word.
_CODE_SHAPE = r"(?<![A-Za-z0-9])[B-DF-HJ-NP-TV-XZ0-9]{4,6}(?![A-Za-z0-9])"
_ENDS_IN_CODE = re.compile(rf"{_CODE_SHAPE}[*_`]*\s*$", re.IGNORECASE)
_ENDS_IN_CODE_AND_ARROW = re.compile(rf"{_CODE_SHAPE}[*_`]*\s*[>≻→,]+\s*$", re.IGNORECASE)
_LEAD = re.compile(
    r"^[\s*_#`>\-]*(?:final\s+)?(?:ranking|order|answer|result)(?:\s+is)?[\s*_`]*:[\s*_`]*",
    re.IGNORECASE,
)
_FENCE_LINE = re.compile(r"^[ \t]*```\w*[ \t]*$", re.MULTILINE)

# Words that say which end of an order is meant: a direction, a degree, or both ("least opposing").
_SIGNS = (
    (1, r"support\w*|endors\w*|favou?r\w*|positive\w*|pro"),
    (-1, r"oppos(?:e|es|ing|ition)|against|reject\w*|negative\w*|hostile"),
)
_DEGREES = (
    (1, r"most|more|strong\w*|high\w*|best|top"),
    (-1, r"least|less|weak\w*|low|lower|lowest|worst|bottom"),
)
_WORD = re.compile(
    "|".join(
        rf"(?P<{name}>\b(?:{pattern})\b)"
        for name, pattern in (
            ("for", _SIGNS[0][1]),
            ("against", _SIGNS[1][1]),
            ("much", _DEGREES[0][1]),
            ("little", _DEGREES[1][1]),
        )
    ),
    re.IGNORECASE,
)
_FEW_WORDS = re.compile(r"\s+(?:(?!to\b|first\b|last\b)[\w'’\-]+\s+){0,2}")
_TO = re.compile(
    r"[\s\w'’\-)*_\"“”]*?(?:\b(?:to|towards?|through)\b|->|→|–|—|>)[\s\w'’\-(*_\"“”]*",
    re.IGNORECASE,
)
_FIRST = re.compile(r"(?:\s+[\w'’\-]+){0,3}?\s+(first|last)\b", re.IGNORECASE)
_TURNED = re.compile(
    r"\b(?:revers\w*|invers\w*|invert\w*|ascending|increasing|rising|backwards?|opposite|wrong)"
    r"\s+(?:\w+\s+)?(?:order|ranking|direction|sequence|list)"
    r"|\b(?:order|ranking|direction|sequence|list)\s+(?:is\s+|was\s+)?"
    r"(?:revers\w*|invers\w*|invert\w*|backwards?|wrong)\b",
    re.IGNORECASE,
)
# What says, right before an answer, that it is none.
_NOT_MEANT = re.compile(
    r"\b(?:not|never|cannot|wrong\w*|incorrect\w*|mistaken\w*|example|instead\s+of|rather\s+than"
    r"|unlike|ignor\w*|discard\w*|draft|tentative\w*)\b|n['’]t\b",
    re.IGNORECASE,
)
_NOT_THE_ANSWER = re.compile(
    r"(?:\bnot|n['’]t|\bno|\bnever)\b\W+(?:\w+\W+){0,2}"
    r"(?:ranking|order|answer|result|verdict|rating|choice)\b",
    re.IGNORECASE,
)
_BREAKS_OFF = re.compile(
    r"(?:\b(?:not|never|hardly|neither)|n['’]t)(?:\s+\w+){0,2}[\s*_`:]*$", re.IGNORECASE
)
_TAKEN_BACK = re.compile(
    r"\b(?:wait|scratch|correction|wrong|incorrect|mistake\w*|instead|actually|rather|not)\b|n['’]t\b",
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
    text = _FENCE_LINE.sub("", text).strip("\n")
    lines = [line for line in text.splitlines() if line.strip(" \t*_`#-")]
    candidates = [("", text)]
    for count in (1, len(labels)):
        if len(lines) > count and not _goes_on(lines[-count - 1], lines[-count]):
            candidates.append(("\n".join(lines[:-count]), "\n".join(lines[-count:])))
    for before, candidate in candidates:
        order = _json_order(candidate, labels) or _bare_order(candidate, labels)
        if order is not None:
            if introduced_as_other(before) or _runs_the_other_way(before):
                return None
            plain = " > ".join(order)
            return Ranking(order, repaired=answer.strip() != plain and not _is_json(text))
    return None


def introduced_as_other(before: str) -> bool:
    """Whether the sentence right before an answer says that it is not the answer.

    Args:
        before: all that stands before the answer, such as `This is not my answer:`, `An example:`
            or a sentence that breaks off at its `not`.
    """
    lines = [line.strip() for line in before.splitlines() if line.strip(" \t*_`#-")]
    if not lines:
        return False
    sentence = re.split(r"[.!?]\s+", lines[-1])[-1]
    if _NOT_THE_ANSWER.search(sentence) or _BREAKS_OFF.search(sentence):
        return True
    clause = re.split(r"[,;]", sentence)[-1]
    return sentence.rstrip(" *_`").endswith(":") and _NOT_MEANT.search(clause) is not None


def taken_back(after: str) -> bool:
    """Whether what stands behind an answer speaks against it, such as `No wait, that is wrong.`"""
    return _TAKEN_BACK.search(after) is not None


def _runs_the_other_way(before: str) -> bool:
    """Whether what was last said of the order's direction is that opposing texts come first."""
    turned = False
    for sentence in re.split(r"[.!?;:]\s+|\n", before):
        if (said := _direction(sentence)) is not None:
            turned = said < 0
    return turned


def _direction(sentence: str) -> int | None:
    """1 where a sentence says that supporting texts come first, -1 for opposing ones, else None."""
    if _TURNED.search(sentence):
        return -1
    ends = _ends_named(sentence)
    for (_, end, sign), (start, _, other) in pairwise(ends):
        if sign != other and _TO.fullmatch(sentence, end, start):
            return sign
    for _, end, sign in ends:
        if place := _FIRST.match(sentence, end):
            return sign if place[1].lower() == "first" else -sign
    return None


def _ends_named(sentence: str) -> list[tuple[int, int, int]]:
    """(start, end, sign) of what names an end of an order; a degree and a direction are one."""
    found: list[tuple[int, int, int, bool | None]] = []
    for match in _WORD.finditer(sentence):
        sign = 1 if match.lastgroup in ("for", "much") else -1
        degree = match.lastgroup in ("much", "little")
        if found and found[-1][3] is not None:
            start, end, before, was_degree = found[-1]
            if degree != was_degree and _FEW_WORDS.fullmatch(sentence, end, match.start()):
                found[-1] = (start, match.end(), before * sign, None)
                continue
        found.append((match.start(), match.end(), sign, degree))
    return [(start, end, sign) for start, end, sign, _ in found]


def _goes_on(before: str, line: str) -> bool:
    """Whether a ranking that a line belongs to began on the line before it."""
    if _ENDS_IN_CODE_AND_ARROW.search(before):
        return True
    if _ENDS_IN_CODE.search(before) and line.lstrip().startswith((">", "≻", "→", ",")):
        return True
    return _is_one_code(line) and _is_one_code(before)


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
        found = json.loads(body, object_pairs_hook=_named_once)
    except (ValueError, RecursionError):  # no JSON, a number of thousands of digits, deep nesting
        return None
    order = found.pop("order", None) if isinstance(found, dict) else None
    if not isinstance(order, list) or not all(isinstance(label, str) for label in order):
        return None
    if any(_direction(f"{name} {told}") == -1 for name, told in found.items()):
        return None
    return _permutation([label.strip() for label in order], labels)


def _named_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON.

    Raises:
        ValueError: a name stands twice, so that the object says two things.
    """
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError("a name stands twice")
    return named


@dataclass
class _Gap:
    """What stands before the first code, between two codes, or after the last."""

    numbers: list[int] = field(default_factory=list)
    arrows: int = 0
    separators: set[str] = field(default_factory=set)
    width: int = 0

    @property
    def kind(self) -> tuple[int, frozenset[str] | str]:
        """What separates two codes; numbers, quotes, brackets and line ends beside it left out."""
        spaces = "\n" if "\n" in self.separators else " "
        marks = frozenset(self.separators - {"\n"})
        return self.arrows, marks or ("" if self.arrows else spaces)


def _bare_order(text: str, labels: Sequence[str]) -> tuple[str, ...] | None:
    """The order in a text that holds the codes and nothing but decoration."""
    pieces = _pieces(_LEAD.sub("", text), labels)
    if pieces is None:
        return None
    found, gaps = pieces
    order = _permutation(found, labels)
    if order is None or any(gap.width == 0 for gap in gaps[1:-1]):
        return None
    kinds = {gap.kind for gap in gaps[1:-1]}
    if len(kinds) > 1 or any(gap.arrows > 1 for gap in gaps):
        return None
    ranks = _ranks(gaps)
    if ranks is None:
        return None
    if not ranks or ranks == sorted(ranks):
        return order
    if any(gap.arrows for gap in gaps):
        return None
    return tuple(code for _, code in sorted(zip(ranks, order, strict=True)))


def _pieces(text: str, labels: Sequence[str]) -> tuple[list[str], list[_Gap]] | None:
    """The codes in the order written, and the gaps around them; None where there is anything else.

    A tie in brackets is no ranking: each pair of brackets holds no code, one, or all of them.
    """
    codes = "|".join(map(re.escape, labels))
    wrapped = len(re.findall(rf"<(?:{codes})>", text, re.IGNORECASE)) == len(labels)
    code = rf"<(?P<code>{codes})>" if wrapped else rf"(?P<code>{codes})"
    piece = re.compile(f"{code}|{_PIECES}", re.IGNORECASE | re.VERBOSE)
    found: list[str] = []
    gaps = [_Gap()]
    opened: list[tuple[str, int]] = []
    at = 0
    while at < len(text):
        match = piece.match(text, at)
        if match is None:
            return None
        at, kind, written = match.end(), match.lastgroup, match[0]
        gap = gaps[-1]
        gap.width += len(written)
        if kind == "code":
            gap.width -= len(written)
            found.append(match["code"])
            gaps.append(_Gap())
            if len(found) > len(labels):
                return None
        elif kind == "number":
            gap.numbers.append(int(re.sub(r"\D", "", written)))
        elif kind == "arrow":
            gap.arrows += 1
        elif kind == "open":
            opened.append((written, len(found)))
        elif kind == "close":
            if not opened or opened[-1][0] != _CLOSES[written]:
                return None
            if len(found) - opened.pop()[1] not in (0, 1, len(labels)):
                return None
        elif kind == "separator":
            gap.separators.add(written)
        elif "\n" in written:
            gap.separators.add("\n")
    return None if opened else (found, gaps)


def _ranks(gaps: Sequence[_Gap]) -> list[int] | None:
    """The rank written beside each code; none at all is the empty list.

    Args:
        gaps: what stands around the k codes, k + 1 in all.

    Returns:
        The ranks in the order of the codes; None where they are not all of 1 to k, where not each
        code has one on the same side, or where they may be points.
    """
    counts = [len(gap.numbers) for gap in gaps]
    if not any(counts):
        return []
    inner = set(counts[1:-1])
    before = [gap.numbers[-1] for gap in gaps[:-1] if gap.numbers]
    behind = [gap.numbers[0] for gap in gaps[1:] if gap.numbers]
    every = list(range(1, len(gaps)))
    if counts[0] == 1 and counts[-1] == 0 and inner == {1}:
        return before if sorted(before) == every else None
    if counts[0] == 0 and counts[-1] == 1 and inner == {1}:
        return behind if sorted(behind) == every and behind != every[::-1] else None
    if counts[0] == counts[-1] == 1 and inner == {2} and before == behind:
        return before if sorted(before) == every else None
    return None
