"""Survey questions with the distribution of a group's answers over the options (OpinionQA).

Two layouts are read. Long, as the data are published: a row for each question and group, with the
columns `question`, `options` (a list), `attribute` or `group`, and `gold_distribution`. Wide: a row
for each question, with `distributions`, a mapping of group to distribution. An optional `ordinal`
says whether the options are in order, so that a distance between them has a meaning. In a CSV,
lists are JSON.

A question is known by a hash of its text and options, so that it is the same question in whatever
file, order or frame of prompt it stands.
"""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import ascii_uppercase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from valueflow.hub_assets.errors import InputFileError, OptionError, UnknownNameError
from valueflow.hub_assets.inputs.source import Row, Source, column_map, open_source, read_rows
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.vidb.schema import normalised

__all__ = [
    "OpinionQuestion",
    "OpinionRow",
    "OpinionSet",
    "choose_questions",
    "holdout_questions",
    "load_opinions",
    "question_hash",
    "text_hash",
]

COLUMNS = {
    "question": ("question", "query", "prompt", "text"),
    "options": ("options", "choices", "answers"),
    "group": ("attribute", "group"),
    "distribution": ("gold_distribution", "distribution", "gold"),
    "distributions": ("distributions",),
    "ordinal": ("ordinal",),
}

ROUNDING = 0.02
"""How far from 1 the sum of a distribution may be; published shares are often rounded."""

_FRAME = re.compile(r"^(?:Question:\s*)?(.*?)(?:\n\s*Options:.*)?$", re.DOTALL)


@dataclass(frozen=True)
class OpinionQuestion:
    """A question; `id` is its hash, `ordinal` None where the data do not say."""

    id: str
    text: str
    options: tuple[str, ...]
    ordinal: bool | None = None


@dataclass(frozen=True)
class OpinionRow:
    """How one group answered: `gold` has a share for each option, summing to 1."""

    question: OpinionQuestion
    group: str
    gold: tuple[float, ...]


@dataclass(frozen=True)
class OpinionSet:
    """A question set.

    Attributes:
        rows: in the order of the file.
        source: where they came from.
        dropped: rows that cannot be scored, by reason.
        notes: what else a reader of the results should know.
    """

    rows: tuple[OpinionRow, ...]
    source: Source
    dropped: Mapping[str, int]
    notes: tuple[str, ...]

    @cached_property
    def questions(self) -> tuple[OpinionQuestion, ...]:
        """Each question once, in the order of the file."""
        return tuple({row.question.id: row.question for row in self.rows}.values())

    @cached_property
    def by_question(self) -> dict[str, list[OpinionRow]]:
        """The rows of each question."""
        found: dict[str, list[OpinionRow]] = {}
        for row in self.rows:
            found.setdefault(row.question.id, []).append(row)
        return found

    def pooled(self, question: str, without: str | None = None) -> NDArray[np.float64] | None:
        """The mean distribution over a question's groups, each counting alike; shape (options,).

        Args:
            question: its hash.
            without: a group to leave out; None is returned where no other has the question.
        """
        golds = [row.gold for row in self.by_question[question] if row.group != without]
        return np.mean(golds, axis=0) if golds else None


def question_hash(text: str, options: Sequence[str]) -> str:
    """16 hexadecimal digits that stand for a question and its options in their order."""
    content = json.dumps([normalised(text), *map(normalised, options)], ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8")).hexdigest()[:16]


def text_hash(text: str) -> str:
    """16 hexadecimal digits that stand for a question in whatever options it is asked with."""
    return hashlib.sha256(normalised(text).encode("utf-8")).hexdigest()[:16]


def load_opinions(source: object, columns: Mapping[str, str] | None = None) -> OpinionSet:
    """Reads a question set.

    Rows that cannot be scored are left out and counted: those with one option, those whose options
    repeat a text, and a second row of the same question and group.

    Args:
        source: asset, path, folder or `ORG/NAME@REVISION`, see
            `valueflow.hub_assets.inputs.source`.
        columns: the user's names for `question`, `options`, `group`, `distribution`,
            `distributions` and `ordinal`.

    Raises:
        InputFileError: a cell that is no list, a distribution of the wrong length or that does not
            sum to 1, an unknown group, an empty text, or no row that can be scored.
    """
    opened = open_source(source, "opinion-questions")
    rows: list[OpinionRow] = []
    dropped: Counter[str] = Counter()
    gold_of: dict[tuple[str, str], tuple[float, ...]] = {}
    questions: dict[str, OpinionQuestion] = {}
    rounded = conflicting = cut = 0
    mapping: dict[str, str] = {}
    current = None
    for row in read_rows(opened):
        if row.file != current:
            current = row.file
            mapping = _mapping(row, columns)
        question = _question(row, mapping)
        question = questions.setdefault(question.id, question)
        for group, shares in _answers(row, mapping):
            gold, exact = _distribution(row, mapping, shares, len(question.options), group)
            if len(question.options) == 1:
                dropped["one option only"] += 1
                continue
            if len({normalised(option) for option in question.options}) < len(question.options):
                dropped["repeated option texts"] += 1
                continue
            first = gold_of.get((question.id, group))
            if first is not None:
                dropped["repeated question and group"] += 1
                conflicting += first != gold
                continue
            gold_of[question.id, group] = gold
            rounded += not exact
            cut += _looks_cut(question.options)
            rows.append(OpinionRow(question, group, gold))
    if not rows:
        raise InputFileError(opened.reference, "holds no question that can be scored")
    notes = [f"{count:,} rows left out: {reason}" for reason, count in dropped.items()]
    if conflicting:
        notes.append(
            f"{conflicting:,} of the repeated rows differ in their distribution; the first is kept"
        )
    if rounded:
        notes.append(f"{rounded:,} distributions sum to nearly 1; divided by their sums")
    if cut:
        notes.append(
            f"{cut:,} rows have an option that seems to begin in mid-word; kept as they are"
        )
    return OpinionSet(tuple(rows), opened, dict(dropped), tuple(notes))


def choose_questions(
    questions: Sequence[OpinionQuestion], n_questions: object, seed: int
) -> list[OpinionQuestion]:
    """Draws questions without regard to order, and keeps the order of the set.

    Raises:
        OptionError: `n_questions` is neither `all` nor a whole number from 1 to the set's size.
    """
    if str(n_questions).strip().lower() == "all":
        return list(questions)
    text = str(n_questions).strip()
    if isinstance(n_questions, bool) or not text.isdigit() or not 1 <= int(text) <= len(questions):
        raise OptionError(
            "n_questions", f"{n_questions!r} is neither 'all' nor from 1 to {len(questions)}"
        )
    drawn = generator_for(seed, "questions").permutation(len(questions))[: int(text)]
    return [questions[index] for index in sorted(drawn.tolist())]


def holdout_questions(questions: Collection[str], share: float, seed: int) -> frozenset[str]:
    """The questions that are set aside to build profiles from, and are never scored.

    Each question is drawn by a number that depends on the seed and its own hash, so that the same
    question falls on the same side whatever else the set holds.

    Args:
        questions: their hashes.
        share: how many of them, from 0 to below 1; the smallest numbers are taken.
        seed: the run's seed.
    """
    order = sorted(questions, key=lambda q: hashlib.sha256(f"{seed} {q}".encode()).hexdigest())
    return frozenset(order[: round(share * len(order))])


def _mapping(row: Row, columns: Mapping[str, str] | None) -> dict[str, str]:
    mapping = column_map(row, COLUMNS, ["question", "options"], columns, "data_columns")
    if "distributions" not in mapping:
        required = ["question", "options", "group", "distribution"]
        mapping = column_map(row, COLUMNS, required, columns, "data_columns")
    return mapping


def _question(row: Row, mapping: Mapping[str, str]) -> OpinionQuestion:
    raw = row.text(mapping, "question")
    framed = _FRAME.match(raw)
    text = _unquoted(framed[1] if framed else raw)
    if not text:
        raise InputFileError(
            row.file, "is empty; remove the row", row=row.number, column=mapping["question"]
        )
    options = tuple(_unquoted(str(o)) for o in _list(row, mapping, "options"))
    if not options or not all(options) or len(options) > len(ascii_uppercase):
        raise InputFileError(
            row.file,
            f"must be a list of 2 to {len(ascii_uppercase)} texts, none of them empty",
            row=row.number,
            column=mapping["options"],
        )
    stated = row.cell(mapping, "ordinal")
    if isinstance(stated, str):
        stated = {"true": True, "false": False}.get(stated.strip().lower())
    ordinal = bool(stated) if isinstance(stated, bool | np.bool_) else None
    return OpinionQuestion(question_hash(text, options), text, options, ordinal)


def _answers(row: Row, mapping: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    """(group, its distribution) of a row; one in the long layout, several in the wide one."""
    opinion = load_registry().opinion
    wide = "distributions" in mapping
    column = mapping["distributions" if wide else "group"]
    if wide:
        cell = _parsed(row.cell(mapping, "distributions"))
        if not isinstance(cell, Mapping) or not cell:
            raise InputFileError(
                row.file, "is no mapping of group to distribution", row=row.number, column=column
            )
        # Parquet fills a missing group with None.
        answers = [(name, shares) for name, shares in cell.items() if shares is not None]
    else:
        answers = [(row.cell(mapping, "group"), row.cell(mapping, "distribution"))]
    for name, shares in answers:
        try:
            yield opinion.group(name).name, shares
        except UnknownNameError as error:
            raise InputFileError(row.file, str(error), row=row.number, column=column) from None


def _distribution(
    row: Row, mapping: Mapping[str, str], shares: object, options: int, group: str
) -> tuple[tuple[float, ...], bool]:
    """The shares, and whether they summed to 1 as they stood."""
    column = mapping.get("distribution") or mapping["distributions"]

    def wrong(message: str) -> InputFileError:
        return InputFileError(row.file, f"{group}: {message}", row=row.number, column=column)

    parsed = _parsed(shares)
    if not isinstance(parsed, Sequence | np.ndarray) or isinstance(parsed, str):
        raise wrong("is no list of numbers")
    try:
        numbers = [float(share) for share in parsed]
    except (TypeError, ValueError, OverflowError):
        raise wrong("is no list of numbers") from None
    if len(numbers) != options:
        raise wrong(f"has {len(numbers)} numbers for {options} options")
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        raise wrong("has a share that is negative or no number")
    total = math.fsum(numbers)
    if abs(total - 1) > ROUNDING:
        raise wrong(f"sums to {total:.4g}, not to 1; give shares, not counts or percentages")
    exact = abs(total - 1) < 1e-6
    return tuple(number / total for number in numbers), exact


def _list(row: Row, mapping: Mapping[str, str], field: str) -> Sequence[object]:
    parsed = _parsed(row.cell(mapping, field))
    if isinstance(parsed, str) or not isinstance(parsed, Sequence | np.ndarray):
        raise InputFileError(
            row.file, "is no list; in a CSV write JSON", row=row.number, column=mapping[field]
        )
    return list(parsed)


def _parsed(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def _unquoted(text: str) -> str:
    """A text without the quotation marks that an earlier CSV left around it or on one side."""
    text = text.replace('""', '"').strip()
    for mark in "\"'":
        if len(text) > 1 and text[0] == text[-1] == mark:
            text = text[1:-1].strip()
        elif text.count(mark) % 2:
            text = text.removeprefix(mark).strip() if text.startswith(mark) else text
            if mark == '"':
                text = text.removesuffix(mark).strip()
    return text


def _looks_cut(options: Sequence[str]) -> bool:
    """Whether an option begins with a small letter while the first begins with a capital."""
    return options[0][:1].isupper() and any(option[:1].islower() for option in options[1:])
