"""Judgements of the same texts by several judges in several wordings, checked and sorted.

A judgement is one answer of a judge about one text: a number for the text alone, the numbers of all
texts of a window, or their order. A window has the fields of a saved ranking; see
`valueflow.scorers.saved.rankings`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from typing_extensions import TypedDict

from valueflow.scorers.estimate.evidence.rating_scale import RatingScale
from valueflow.scorers.estimate.table import WindowRecordError

__all__ = [
    "STUDY_KEY",
    "WAYS",
    "Asked",
    "JudgedText",
    "Judgements",
    "StudyRecord",
    "Way",
    "judgements_in",
    "read_judgements",
]

STUDY_KEY = "valueflow_study"
"""Where a score's metadata keeps the record of a text's judgements."""

Way = Literal["rating", "window_rating", "ranking"]
"""How a judge was asked: for a number for the text alone, for numbers for all texts of a window, or
for their order."""

WAYS: tuple[Way, ...] = get_args(Way)

LIMIT = 10.0
"""Labels are intensities, on [-LIMIT, LIMIT]."""

SAME_FOR_ALL = "the same rating for every text"


class StudyRecord(TypedDict):
    """One text with all judgements of it, as it stands in logs.

    A judgement has `judge`, `wording`, `way` and the `version` of the question, and a window's
    fields (see `WindowRecord`) or `rating` and `rating_scale`.
    """

    item: str
    query: str
    theory: str
    value: str
    label: float | None
    words: int
    judgements: list[dict[str, Any]]
    judge_used: list[dict[str, Any]]
    versions: dict[str, str]


def judgements_in(record: StudyRecord) -> Iterator[dict[str, Any]]:
    """The judgements of a text, each as `read_judgements` takes it."""
    text: dict[str, Any] = {
        "item": record["item"],
        "query": record["query"],
        "value": record["value"],
        "label": record["label"],
    }
    for judgement in record["judgements"]:
        yield {**judgement, **text}


@dataclass(frozen=True)
class JudgedText:
    """A text that was judged.

    Attributes:
        item: its name.
        value: the value on which it was judged.
        query: what it answers, the cluster of standard errors; its own name where it answers none.
        label: the intensity that people gave it, in points; None where there is none.
    """

    item: str
    value: str
    query: str
    label: float | None = None


@dataclass(frozen=True)
class Asked:
    """Whom a question was put to, and how."""

    way: Way
    judge: str
    wording: str

    def __str__(self) -> str:
        return f"{self.judge}, {self.wording}, {self.way.replace('_', ' ')}"


@dataclass
class Judgements:
    """All judgements of a study.

    Attributes:
        texts: in order of first appearance.
        ratings: of single texts: (number of the text, number on [-10, 10]) by who was asked how.
        windows: of windows: (number of the record, number of the text, record) likewise; a record
            of a ranking holds an order and no ratings, one of rated windows the reverse.
        failed: judgements that say nothing, and why, with counts.
        repeated: ratings of a text that the same judge gave in the same wording before.
    """

    texts: list[JudgedText] = field(default_factory=list)
    ratings: dict[Asked, list[tuple[int, float]]] = field(default_factory=dict)
    windows: dict[Asked, list[tuple[int, int, dict[str, Any]]]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    repeated: int = 0

    @property
    def asked(self) -> list[Asked]:
        """Who was asked how, the ways in the order of `WAYS`."""
        both = [*self.ratings, *self.windows]
        return sorted(both, key=lambda one: WAYS.index(one.way))


def read_judgements(records: Iterable[Mapping[str, Any]]) -> Judgements:
    """Checks judgements and sorts them by way, judge and wording.

    Each record maps `judge`, `wording`, `item` and `value` to names, optionally `query` to one, and
    `label` to the text's intensity by people, or None. It holds `rating`, the judge's number for
    the text alone, or a window's `anchors` with `order`, `ratings` or both (`rating_scale`,
    `texts`, `shown` and `position` as in saved rankings). A record in which these are None is a
    question that the judge failed on; `failure` may say why.

    Raises:
        WindowRecordError: a record lacks a field or has a wrong one; number and field are named.
            What is wrong inside a window is found when its table is made.
    """
    found = Judgements()
    numbers: dict[tuple[str, str], int] = {}
    scales: dict[Asked, RatingScale] = defaultdict(RatingScale)
    raw: dict[Asked, list[tuple[int, float]]] = defaultdict(list)
    windows: dict[Asked, list[tuple[int, int, dict[str, Any]]]] = defaultdict(list)
    seen: set[tuple[Asked, int]] = set()
    for number, record in enumerate(records):
        names = {name: _name(number, record, name) for name in ("judge", "wording")}
        text = _text(number, record, found.texts, numbers)
        given = {way: record.get(at) for way, at in zip(WAYS, _FIELDS, strict=True)}
        beside = any(given[way] is not None for way in WAYS[1:])
        if given["rating"] is not None and beside:
            problem = (
                "stands beside an order or ratings of a window; a number for the text alone is an "
                "answer to another question and needs a line of its own"
            )
            raise WindowRecordError(number, "rating", problem)
        if _all_the_same(given["window_rating"]):
            found.failed[SAME_FOR_ALL] += 1
            given["window_rating"] = None
            if given["ranking"] is None:
                continue
        if all(answer is None for answer in given.values()):
            if not any(at in record for at in _FIELDS):
                raise WindowRecordError(number, "rating", f"is missing, and so are {_OTHERS}")
            found.failed[str(record.get("failure") or "no answer")] += 1
            continue
        for way in WAYS:
            if given[way] is None:
                continue
            asked = Asked(way, **names)
            if way == "rating":
                try:
                    mark = scales[asked].read_one(given[way], record.get("rating_scale"))
                except ValueError as error:
                    raise WindowRecordError(number, "rating", str(error)) from None
                found.repeated += (asked, text) in seen
                seen.add((asked, text))
                raw[asked].append((text, mark))
                continue
            window = {name: cell for name, cell in record.items() if name not in _FIELDS}
            own = _FIELDS[WAYS.index(way)]
            windows[asked].append((number, text, {**window, own: record[own]}))
    for asked, marks in raw.items():
        points, _ = scales[asked].in_points(np.array([mark for _, mark in marks]))
        texts = [text for text, _ in marks]
        found.ratings[asked] = list(zip(texts, points.tolist(), strict=True))
    found.windows.update(windows)
    return found


_FIELDS = ("rating", "ratings", "order")
_OTHERS = "'ratings' and 'order'"


def _name(number: int, record: Mapping[str, Any], field_name: str) -> str:
    name = record.get(field_name)
    if name is None or isinstance(name, bool) or not isinstance(name, str | int):
        raise WindowRecordError(number, field_name, "must be a name")
    if not str(name).strip():
        raise WindowRecordError(number, field_name, "is empty")
    return str(name)


def _text(
    number: int,
    record: Mapping[str, Any],
    texts: list[JudgedText],
    numbers: dict[tuple[str, str], int],
) -> int:
    """The number of the record's text; a text that was there before must be the same one."""
    item, value = _name(number, record, "item"), _name(number, record, "value")
    query = item if record.get("query") is None else _name(number, record, "query")
    text = JudgedText(item, value, query, _label(number, record.get("label")))
    known = numbers.setdefault((item, value), len(texts))
    if known == len(texts):
        texts.append(text)
        return known
    before = texts[known]
    if before.query != query:
        raise WindowRecordError(number, "query", f"item {item!r} already has another query")
    if text.label is not None and before.label is None:
        texts[known] = text
    elif text.label is not None and text.label != before.label:
        problem = f"is {text.label:g}, but {item!r} on {value} was labelled {before.label:g} before"
        raise WindowRecordError(number, "label", problem)
    return known


def _label(number: int, raw: object) -> float | None:
    if raw is None or raw == "" or (isinstance(raw, float) and math.isnan(raw)):
        return None
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise WindowRecordError(number, "label", f"{raw!r} is not a number")
    try:
        label = float(raw)
    except (ValueError, OverflowError):
        raise WindowRecordError(number, "label", f"{raw!r} is not a number") from None
    if not -LIMIT <= label <= LIMIT:
        problem = f"{label:g} is outside [-{LIMIT:g}, {LIMIT:g}]; rescale the labels"
        raise WindowRecordError(number, "label", problem)
    return label


def _all_the_same(ratings: object) -> bool:
    """Whether more than two texts of a window were rated, and all of them alike."""
    if not isinstance(ratings, Sequence) or isinstance(ratings, str):
        return False
    given = [rating for rating in ratings if rating is not None]
    return len(given) > 2 and all(rating == given[0] for rating in given)
