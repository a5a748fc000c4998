"""Reads which option of a survey question an answer names, by rules in a strict order.

1. `letter`: the answer is a letter of an option and nothing else.
2. `marked letter`: a letter with punctuation, brackets or `Answer:` before it, with or without the
   text of its own option; what follows must not name another option.
3. `sentence`: a sentence commits to one letter ("I choose C", "my answer is B").
4. `refused`: the answer declines (`judge.questions.refusals`), or the provider filtered it.
5. `option text`: the text of one option stands in the answer; a longer match hides the shorter
   ones inside it, so that "Not a factor" is neither "A factor" nor option A. An option that is one
   word of number or frequency ("No", "Some", "Always") counts only where a clause ends with it: "I
   would say no", and not "I have no opinion".
6. `unparsed`: everything else, also what names two options or takes back what it names.

An answer is never guessed: what is refused or unparsed is counted apart and is not wrong.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Literal

from valueflow.hub_assets.vidb.schema import normalised
from valueflow.scorers.judge.answer import strip_reasoning
from valueflow.scorers.judge.questions.refusals import is_refusal

__all__ = ["READER_VERSION", "ReadAnswer", "Rule", "read_answer"]

READER_VERSION = "2"

Rule = Literal["letter", "marked letter", "sentence", "option text", "refused", "unparsed"]

_MARKS = r"[\s*_`#>\"'“”‘’(\[{«]*"
_AFTER = r"[\s*_`\"'“”‘’)\]}».:,;!\-–—]*"
_LABEL = (
    r"(?:(?:the |my |final |best )*(?:answer|option|choice|letter|response)(?: is)?\s*[:=\-]?\s*)"
)

_NOT = r"(?:not|never|n't|cannot|nor|neither|rather than|instead of|unable to)"
_COMMIT = re.compile(
    r"(?:\b(?:choose|chose|pick|select|take|answer|say|prefer|(?:go|going) (?:with|for)|"
    r"opt (?:for)?|settle on|lean towards?|vote(?: for)?|would be|must be)"
    r"|\b(?:answer|choice|option|response|pick|selection|letter)(?: is| would be|:)"
    r"|\b(?i:option|answer|letter|choice))"
    r"\s*:?\s*(?:(?i:option|answer|letter|choice|the letter)\s+)?"
    r"[*_`\"'“”‘’(\[{«]*(?P<letter>[A-Z])(?![^\W_])(?!['’])",
)
_DENIED = re.compile(rf"(?:(?:^|[\s'])(?:{_NOT}|no|isn't)\s+(?:(?:a|an|the|really)\s+)?|不|没有)$")
"""What stands before the text of an option that an answer denies."""

_BEFORE_OTHERS = frozenset(
    {"no", "none", "any", "all", "some", "most", "many", "few", "fewer", "more", "less", "both"}
    | {"either", "neither", "other", "others", "same", "never", "rarely", "seldom", "sometimes"}
    | {"often", "usually", "always"}
)
"""Options that are also words which stand before others and then say nothing of a choice."""
_CLAUSE_ENDS = r"(?=\s*(?:$|[.,;:!?)\]}*_`\"'“”‘’–—]|-\s|(?:because|since)\b))"
_NO_PRONOUN = r"|(?<=^no)(?=\s(?:i|we|they|he|she|it|you|that|this|there)\b)"
"""`No I don't think so` begins with an answer too."""

_UNSPACED = re.compile(r"[฀-໿က-႟ក-៿぀-ヿ㐀-䶿一-鿿]")
"""Scripts that are written without spaces between words."""


@dataclass(frozen=True)
class ReadAnswer:
    """The option that was named, from 0, or None; and the rule that decided."""

    option: int | None
    rule: Rule


def read_answer(answer: str, options: Sequence[str], filtered: bool = False) -> ReadAnswer:
    """Which option an answer names.

    Args:
        answer: the answer as it came, reasoning between tags included.
        options: the texts of the options; the first is A.
        filtered: whether the provider stopped the answer as filtered.
    """
    if filtered:
        return ReadAnswer(None, "refused")
    text = unicodedata.normalize("NFKC", strip_reasoning(answer)).strip()
    text = text.replace("\\boxed", "")
    letters = ascii_uppercase[: len(options)]
    if len(text) == 1 and text.upper() in letters:
        return ReadAnswer(letters.index(text.upper()), "letter")
    marked, contradicted = _marked_letter(text, options, letters)
    if marked is not None:
        return ReadAnswer(marked, "marked letter")
    committed = _committed(text, letters)
    if len(committed) == 1:
        return ReadAnswer(letters.index(committed.pop()), "sentence")
    if not text or committed or contradicted:
        return ReadAnswer(None, "unparsed")
    if is_refusal(text):
        return ReadAnswer(None, "refused")
    named = _options_named(text, options)
    if len(named) == 1:
        return ReadAnswer(named.pop(), "option text")
    return ReadAnswer(None, "unparsed")


def _marked_letter(text: str, options: Sequence[str], letters: str) -> tuple[int | None, bool]:
    """The letter with marks around it at the start; and whether what follows names another."""
    found = re.match(
        rf"{_MARKS}(?P<label>(?i:{_LABEL}))?{_MARKS}(?P<letter>[{letters}{letters.lower()}])"
        rf"(?![^\W_])(?P<after>{_AFTER})(?P<rest>.*)",
        text,
        re.DOTALL,
    )
    if found is None:
        return None, False
    letter, after, rest = found["letter"], found["after"], found["rest"].strip()
    punctuated = bool(re.search(r"[.:,;)\]}*\n\-–—]", after))
    if letter not in letters:
        # A small letter counts only where nothing else could be meant by it.
        if rest or not (found["label"] or punctuated):
            return None, False
        letter = letter.upper()
    index = letters.index(letter)
    if not rest:
        return index, False
    own = normalised(options[index])
    whole = normalised(f"{found['letter']}{after}{rest}")
    if any(whole.startswith(normalised(option)) for option in options):
        return None, False  # "A little" is an option here, and no letter.
    meant = found["label"] and (letter not in "AI" or _goes_on(after + rest))
    if not punctuated and not meant and normalised(rest).rstrip(".") != own:
        return None, False  # "A friend would say no": the letter is a word of a sentence.
    if normalised(rest).startswith(own):
        rest = rest[len(options[index]) :]
    others = {*_committed(rest, letters), *_bare_letters(rest, letters)} - {letter}
    other_texts = _options_named(rest, options) - {index}
    denied = re.match(r"(?:is|would be|isn't|was)\b.{0,20}\b(?:wrong|not|incorrect)|is not", rest)
    if others or other_texts or denied:
        return None, True
    return index, False


def _bare_letters(text: str, letters: str) -> set[str]:
    """Capital letters of options that stand alone; A and I are also words, and left out."""
    found = re.findall(r"(?<![^\W_])([A-Z])(?![^\W_])(?!['’])", text)
    return {letter for letter in found if letter in letters and letter not in "AI"}


def _committed(text: str, letters: str) -> set[str]:
    """Letters that a sentence commits to; one that is denied puts "" among them."""
    found: set[str] = set()
    for match in _COMMIT.finditer(text):
        letter = match["letter"]
        after = text[match.end() :]
        if letter not in letters:
            continue
        if letter in "AI" and re.match(r"\s+[a-z]", after) and not _goes_on(after):
            # "I choose A friend's view" or "I'd say I agree": a word, no letter.
            continue
        before = text[max(0, match.start() - 40) : match.start()]
        sentence = re.split(r"[.!?;\n]", before)[-1]
        # One that is denied makes the answer no commitment to a single letter.
        found |= {"", letter} if re.search(rf"(?<!\w){_NOT}\b|{_NOT}\b", sentence) else {letter}
    return found


def _goes_on(after: str) -> bool:
    """Whether what follows a letter goes on as it does after a letter, not after an article."""
    words = r"\s+(?:because|since|as|for|is|would|seems|best|here|and|but|over|rather|from|in)\b"
    return bool(re.match(words, after))


def _options_named(text: str, options: Sequence[str]) -> set[int]:
    """Options whose text stands in an answer; −1 is among them where one is denied."""
    normal = normalised(text)
    hits: list[tuple[int, int, int]] = []
    for index, option in enumerate(options):
        wanted = normalised(option).strip(" .")
        if not wanted:
            continue
        pattern = re.escape(wanted)
        if not _UNSPACED.search(wanted):
            pattern = rf"(?<!\w){pattern}(?!\w)"
        if wanted in _BEFORE_OTHERS:
            pattern += f"(?:{_CLAUSE_ENDS}{_NO_PRONOUN})"
        hits += [(m.start(), m.end(), index) for m in re.finditer(pattern, normal)]
    kept = {
        (start, end, index)
        for start, end, index in hits
        if not any(s <= start and end <= e and e - s > end - start for s, e, _ in hits)
    }
    named = {index for _, _, index in kept}
    for start, _, _ in kept:
        if _DENIED.search(normal[max(0, start - 30) : start]):
            named.add(-1)
    return named
