"""A review at work: whose turn which item is, what is shown of it, and what is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.registry.loading import Registry, load_registry
from valueflow.rebuild.database.review.decisions import (
    LONGEST_COMMENT,
    Answer,
    Decision,
    Decisions,
    ItemKey,
    checked_answer,
    reviewer_name,
)
from valueflow.rebuild.database.review.queue import Item, in_order

__all__ = ["Session"]


@dataclass
class Session:
    """Items, the decisions on them, and how they are shown.

    Each of `show`, `decide`, `skip` and `undo` takes a request's fields (`reviewer`, and what is
    named there) and returns what the page shows next: the item or None, the reviewer's earlier
    answer to it, and how far all reviewers are.

    Attributes:
        items: to be reviewed.
        decisions: takes what is decided.
        blind: whether scores, votes and reasons are hidden.
        seed: of the reviewers' orders.
        reviewer: the only reviewer who is let in; anyone who gives a name where None.
        registry: catalogue of the build.
    """

    items: Sequence[Item]
    decisions: Decisions
    blind: bool = False
    seed: int = 0
    reviewer: str | None = None
    registry: Registry = field(default_factory=load_registry)
    _by_name: dict[str, Item] = field(init=False)
    _orders: dict[str, list[Item]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_name = {_name(item.key): item for item in self.items}

    def counts(self) -> dict[str, int]:
        """Items by queue."""
        return {
            queue: sum(item.key.queue == queue for item in self.items)
            for queue in ("directions", "ratings")
        }

    def show(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The reviewer's next item; `again`: of those that were passed over.

        Raises:
            OptionError: the name cannot be used.
        """
        return self._state(self._who(asked), bool(asked.get("again")))

    def decide(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Keeps an `answer` to an `item`, with a `comment`.

        Raises:
            OptionError: the name, the item, the answer or the comment cannot be used.
            InputFileError: the disk takes no more.
        """
        item = self._item(asked)
        try:
            answer = checked_answer(item.key.queue, asked.get("answer"))
        except ValueError as error:
            raise OptionError("answer", str(error)) from None
        return self._keep(asked, item, answer)

    def skip(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Passes over an `item` for now, with a `comment`; raises what `decide` does."""
        return self._keep(asked, self._item(asked), None)

    def undo(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Takes back the reviewer's last step on the page, and shows its item again.

        Raises:
            OptionError: there is none.
            InputFileError: the disk takes no more.
        """
        reviewer = self._who(asked)
        again = bool(asked.get("again"))
        taken = self.decisions.undo(reviewer)
        if taken is None:
            raise OptionError("undo", "there is nothing to take back")
        state = self._state(reviewer, again)
        item = self._by_name.get(_name(taken.key))
        if item is not None:
            state |= {"item": self._shown(item), "undone": taken.answer or "passed over"}
            state |= {"answer": taken.answer, "comment": taken.comment}
        return state

    def _keep(self, asked: Mapping[str, Any], item: Item, answer: Answer | None) -> dict[str, Any]:
        reviewer = self._who(asked)
        comment = _writable(str(asked.get("comment") or "").strip())
        if len(comment) > LONGEST_COMMENT:
            raise OptionError("comment", f"keep it under {LONGEST_COMMENT:,} characters")
        self.decisions.add(
            Decision(item.key, item.theory, reviewer, answer, comment, self.blind, "page")
        )
        return self._state(reviewer, bool(asked.get("again")))

    def _who(self, asked: Mapping[str, Any]) -> str:
        name = self.decisions.known_name(reviewer_name(str(asked.get("reviewer") or "")))
        if self.reviewer is not None and name.casefold() != self.reviewer.casefold():
            raise OptionError("reviewer", f"this review is {self.reviewer}'s")
        return name

    def _item(self, asked: Mapping[str, Any]) -> Item:
        item = self._by_name.get(str(asked.get("item")))
        if item is None:
            raise OptionError("item", "is not in this review; load the page again")
        return item

    def _state(self, reviewer: str, again: bool) -> dict[str, Any]:
        latest = self.decisions.latest(reviewer)
        if reviewer not in self._orders:
            self._orders[reviewer] = in_order(self.items, reviewer, self.seed)
        order = self._orders[reviewer]
        item = next((item for item in order if item.key not in latest), None)
        if item is None and again:
            # The one that was passed over longest ago comes first.
            mine = {_name(key): None for key, d in latest.items() if d.answer is None}
            item = next((self._by_name[name] for name in mine if name in self._by_name), None)
        before = latest.get(item.key) if item is not None else None
        return {
            "reviewer": reviewer,
            "item": self._shown(item) if item is not None else None,
            "answer": None,
            "comment": before.comment if before is not None else "",
            "progress": self._progress(reviewer),
            "can_undo": self.decisions.can_undo(reviewer),
        }

    def _shown(self, item: Item) -> dict[str, Any]:
        """What the page is told of an item; nothing hidden is sent."""
        registry = self.registry
        value = registry.value(item.key.value, item.theory)
        shown: dict[str, Any] = {
            "name": _name(item.key),
            "queue": item.key.queue,
            "text": _writable(item.text),
            "value": value.title,
            "theory": registry.theories[value.theory].title,
            "definition": value.definition,
        }
        if not self.blind:
            shown["evidence"] = _told(item)
        return shown

    def _progress(self, reviewer: str) -> dict[str, Any]:
        keys = {item.key for item in self.items}
        done = []
        for name in dict.fromkeys((reviewer, *self.decisions.reviewers)):
            latest = self.decisions.latest(name)
            mine = [d for key, d in latest.items() if key in keys]
            answered = sum(d.answer is not None for d in mine)
            done.append(
                {
                    "reviewer": name,
                    "done": answered,
                    "skipped": len(mine) - answered,
                    "left": len(keys) - answered,
                }
            )
        return {"items": len(keys), "reviewers": done}


def _name(key: ItemKey) -> str:
    return "/".join(key)


def _writable(text: str) -> str:
    """The text without halves of characters, which no file in UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _told(item: Item) -> list[list[str]]:
    """Evidence as (name, text) for people."""
    evidence = item.evidence
    told = []
    if evidence.get("panel_votes"):
        votes = ", ".join(str(evidence["panel_votes"]).split()).replace(":", " ")
        told.append(["The panel's votes", votes])
    if "intensity" in evidence:
        score, error = evidence["intensity"], evidence["intensity_se"]
        told.append(["The judge's score", f"{score:+.1f} (standard error {error:.1f})"])
        told.append(["The panel's direction", str(evidence["panel_direction"])])
        told.append(["Why it is here", str(evidence["reason"])])
    return told
