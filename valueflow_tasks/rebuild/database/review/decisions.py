"""What people decided on rows of a database that is being built: a file that only grows.

`DIR/review/decisions.jsonl` has one line per event: an answer, a row that was passed over for now,
or the taking back of an earlier event. A line goes to the operating system before the next row is
shown, so that a kill loses no decision; nothing is ever deleted, and what holds is worked out from
the events in their order.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.vidb.schema import DIRECTIONS
from valueflow.scorers.judge.calls.store import JudgementStore, open_store, read_store

__all__ = [
    "ANSWERS",
    "Answer",
    "Decision",
    "Decisions",
    "ItemKey",
    "QueueName",
    "checked_answer",
    "decisions_path",
    "open_decisions",
    "read_decisions",
    "reviewer_name",
]

QueueName = Literal["directions", "ratings"]
Answer = str | float

ANSWERS = (*DIRECTIONS, "none")
"""What a person can say of a row on which the panel stayed divided."""

LONGEST_NAME = 60
LONGEST_COMMENT = 5_000


class ItemKey(NamedTuple):
    """What is decided on: a text and a value, in one of the two queues."""

    queue: QueueName
    id: str
    value: str


@dataclass(frozen=True)
class Decision:
    """One reviewer's word on one item.

    Attributes:
        key: the item.
        theory: of the item's value.
        reviewer: who.
        answer: one of `ANSWERS`, or a rating in [-10, 10]; None where the item was passed over.
        comment: what the reviewer wrote beside it.
        blind: whether the model's scores and the panel's votes were hidden.
        via: `page`, or `csv`.
        time: when, in UTC.
    """

    key: ItemKey
    theory: str
    reviewer: str
    answer: Answer | None
    comment: str = ""
    blind: bool = False
    via: Literal["page", "csv"] = "page"
    time: str = ""


class Decisions:
    """The decisions that hold; from `open_decisions`, takes new ones too.

    Attributes:
        made: decisions (not undos, not rows passed over) added since it was opened.
        repaired: 1 where a line that a kill had cut was taken off, else 0.
    """

    def __init__(self, rows: Mapping[str, Mapping[str, Any]], store: JudgementStore | None) -> None:
        self.made = 0
        self.repaired = store.repaired if store is not None else 0
        self._store = store
        self._events = 0
        self._holding: dict[str, dict[str, Decision]] = {}
        """Reviewer to the number of the event to the decision, in the order of the events."""
        self._latest: dict[str, dict[ItemKey, Decision]] = {}
        """Reviewer to the last words, oldest first; made anew after an undo."""
        for row in rows.values():
            self._take(row)

    @property
    def reviewers(self) -> list[str]:
        """Who has decided or passed over anything that was not taken back."""
        return sorted(name for name, held in self._holding.items() if held)

    def known_name(self, name: str) -> str:
        """The name as it was spelled before, where the reviewer is known."""
        same = (known for known in self._holding if known.casefold() == name.casefold())
        return next(same, name)

    def latest(self, reviewer: str) -> Mapping[ItemKey, Decision]:
        """The reviewer's last word on each item, items passed over among them; oldest first."""
        if reviewer not in self._latest:
            self._latest[reviewer] = {}
            for decision in self._holding.get(reviewer, {}).values():
                self._put_last(decision)
        return self._latest[reviewer]

    def _put_last(self, decision: Decision) -> None:
        words = self._latest[decision.reviewer]
        words.pop(decision.key, None)
        words[decision.key] = decision

    def answers(self, queue: QueueName | None = None) -> dict[ItemKey, dict[str, Decision]]:
        """Item to reviewer to answer."""
        found: defaultdict[ItemKey, dict[str, Decision]] = defaultdict(dict)
        for reviewer in self._holding:
            for key, decision in self.latest(reviewer).items():
                if decision.answer is not None and queue in (None, key.queue):
                    found[key][reviewer] = decision
        return dict(found)

    def add(self, decision: Decision) -> Decision:
        """Keeps a decision, with the time; returns when the operating system has it.

        Raises:
            InputFileError: the disk takes no more.
        """
        decision = replace(decision, time=_now())
        rest = {name: getattr(decision, name) for name in _FIELDS}
        self._write({"do": "decide", **decision.key._asdict(), **rest})
        self.made += decision.answer is not None
        return decision

    def undo(self, reviewer: str) -> Decision | None:
        """Takes back the reviewer's last event on the page; None where there is none.

        Raises:
            InputFileError: the disk takes no more.
        """
        number = self._last(reviewer)
        if number is None:
            return None
        taken = self._holding[reviewer][number]
        self._write({"do": "undo", "undoes": number, "reviewer": reviewer, "time": _now()})
        self.made -= taken.answer is not None
        return taken

    def can_undo(self, reviewer: str) -> bool:
        """Whether there is anything that `undo` would take back."""
        return self._last(reviewer) is not None

    def _last(self, reviewer: str) -> str | None:
        held = self._holding.get(reviewer, {})
        return next((n for n in reversed(held) if held[n].via == "page"), None)

    def _write(self, row: dict[str, Any]) -> None:
        assert self._store is not None
        number = str(self._events + 1)
        self._store.add(number, row)
        self._take(self._store.rows[number])

    def _take(self, row: Mapping[str, Any]) -> None:
        self._events += 1
        reviewer = row["reviewer"]
        held = self._holding.setdefault(reviewer, {})
        if row["do"] == "undo":
            held.pop(row["undoes"], None)
            self._latest.pop(reviewer, None)
            return
        key = ItemKey(row["queue"], row["id"], row["value"])
        decision = Decision(key, **{name: row[name] for name in _FIELDS})
        held[row["key"]] = decision
        if reviewer in self._latest:
            self._put_last(decision)


_FIELDS = ("theory", "reviewer", "answer", "comment", "blind", "via", "time")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def decisions_path(folder: Path) -> Path:
    """The file of a build's decisions."""
    return folder / "review" / "decisions.jsonl"


def read_decisions(folder: Path) -> Decisions:
    """The decisions that hold in a build; none where nobody has reviewed.

    Raises:
        InputFileError: the file is damaged.
    """
    return _decisions(read_store(decisions_path(folder)), None, folder)


@contextmanager
def open_decisions(folder: Path) -> Iterator[Decisions]:
    """The decisions of a build, to add to.

    Raises:
        InputFileError: another process has them open, the file is damaged, or it cannot be written.
    """
    with open_store(
        decisions_path(folder),
        "a review is open in another process: several people can use the address that it printed, "
        "or stop it first",
    ) as store:
        yield _decisions(store.rows, store, folder)


def _decisions(
    rows: Mapping[str, Mapping[str, Any]], store: JudgementStore | None, folder: Path
) -> Decisions:
    try:
        return Decisions(rows, store)
    except (KeyError, TypeError):
        raise InputFileError(
            decisions_path(folder), "holds a line that is no decision; restore the file"
        ) from None


def reviewer_name(name: str) -> str:
    """A reviewer's name in one form: no spaces around it, no two spaces within.

    Raises:
        OptionError: it is empty, too long, or has characters that cannot be shown.
    """
    plain = " ".join(unicodedata.normalize("NFC", name).split())
    if not plain or len(plain) > LONGEST_NAME:
        raise OptionError("reviewer", f"give a name of 1 to {LONGEST_NAME} characters")
    if any(unicodedata.category(letter).startswith("C") for letter in plain):
        raise OptionError("reviewer", "the name has characters that cannot be shown")
    return plain


def checked_answer(queue: QueueName, answer: object) -> Answer:
    """An answer in the form that is kept.

    Raises:
        ValueError: it is none of `ANSWERS`, or no number from -10 to 10.
    """
    if queue == "directions":
        direction = str(answer).strip().lower()
        if direction not in ANSWERS:
            raise ValueError(f"{str(answer)!r} is none of {', '.join(ANSWERS)}")
        return direction
    try:
        # Spreadsheets write a decimal comma and a typographic minus in some languages.
        text = str(answer).strip().replace("−", "-").replace(",", ".")
        rating = float(text) if not isinstance(answer, bool) else float("nan")
    except ValueError:
        rating = float("nan")
    if not -10 <= rating <= 10:
        raise ValueError(f"{str(answer)!r} is no number from -10 to 10")
    return rating + 0.0  # not -0.0
