"""The items that people review: rows that the panel left divided, and rows to be rated."""

import hashlib
import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import plain_cell
from valueflow.hub_assets.inputs.rows import rows_of
from valueflow.rebuild.database.folder import (
    curated_values,
    flag_reasons,
    read_lines,
    registry_of,
    scored_rows,
)
from valueflow.rebuild.database.recipe import key_named, key_of
from valueflow.rebuild.database.review.decisions import Decisions, ItemKey, QueueName

__all__ = ["EVIDENCE", "Item", "find_items", "in_order", "items_of"]

EVIDENCE = ("panel_votes", "panel_direction", "intensity", "intensity_se", "reason")
"""What the machines said of an item; a blind reviewer does not see it."""

DRAWN = "drawn at random"
"""The reason of a row that nobody flagged and that was drawn to be rated."""


@dataclass(frozen=True)
class Item:
    """A text to be judged for a value, and what the machines said of it (see `EVIDENCE`)."""

    key: ItemKey
    theory: str
    text: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def items_of(
    folder: Path,
    queue: QueueName,
    decisions: Decisions,
    values: Collection[str] | None = None,
    sample: int = 0,
    seed: int = 0,
) -> list[Item]:
    """The items of a queue.

    Args:
        folder: of the build.
        queue: `directions`, rows on which the panel stayed divided, those among them that were
            decided earlier; or `ratings`, flagged rows.
        decisions: what was decided so far.
        values: names of values; all where None.
        sample: so many rows that are not flagged are rated too, drawn evenly from all; a larger
            sample holds the smaller one.
        seed: of the draw.

    Raises:
        InputFileError: the queue, or what the sample is drawn from, is not there yet.
    """
    if queue == "directions":
        found = _divided(folder, decisions)
        return [item for item in found if values is None or item.key.value in values]
    flagged = [
        item
        for row in _queue(folder, "flag")
        if values is None or key_named(row["theory"], row["value"]) in values
        for item in [_rated(row)]
    ]
    return [*flagged, *_drawn(folder, values, sample, seed)]


def in_order(items: Iterable[Item], reviewer: str, seed: int) -> list[Item]:
    """The items in an order of the reviewer's own, divided rows first.

    An item's place depends on nothing but the item, the reviewer and the seed, so that it keeps
    its order where the queue grows or shrinks.
    """
    return sorted(
        items, key=lambda i: (i.key.queue, _digest(seed, "order", reviewer.casefold(), *i.key))
    )


def find_items(folder: Path, wanted: Collection[ItemKey], decisions: Decisions) -> dict[Any, Item]:
    """Items by key, of any row that can be reviewed, flagged or not; unknown ones are left out.

    Raises:
        InputFileError: a file of the build is damaged.
    """
    found: dict[Any, Item] = {}
    if any(key.queue == "directions" for key in wanted):
        found |= {item.key: item for item in _divided(folder, decisions)}
    if any(key.queue == "ratings" for key in wanted):
        if (folder / "flag" / "queue.csv").is_file():
            found |= {item.key: item for item in items_of(folder, "ratings", decisions)}
        lacking = {k.value for k in wanted if k.queue == "ratings" and k not in found}
        for value in curated_values(folder) if lacking else ():
            if key_of(value) in lacking:
                for row in scored_rows(folder, value):
                    item = _rated(row | {"reason": DRAWN})
                    found.setdefault(item.key, item)
    return {key: found[key] for key in wanted if key in found}


def _queue(folder: Path, stage: str) -> Sequence[Mapping[str, Any]]:
    path = folder / stage / "queue.csv"
    if not path.is_file():
        raise InputFileError(path, f"is not there yet; run the stage '{stage}' first")
    return [
        {name: plain_cell(cell or "") for name, cell in row.cells.items()}
        for row in rows_of([path])
    ]


def _divided(folder: Path, decisions: Decisions) -> list[Item]:
    """Rows that the panel left divided; what people settled is no longer in the queue file."""
    found = {}
    for row in _queue(folder, "categorize"):
        key = ItemKey("directions", row["id"], key_named(row["theory"], row["value"]))
        found[key] = Item(key, row["theory"], row["text"], {"panel_votes": row["votes"]})
    settled = {k for k in decisions.answers("directions") if k not in found}
    if settled:
        names = {key.id for key in settled}
        source = read_lines(folder / "import" / "texts.jsonl", "import")
        texts = {row["id"]: row["text"] for row in source if row["id"] in names}
        rows = read_lines(folder / "categorize" / "rows.jsonl", "categorize")
        votes = {
            (row["id"], key_named(row["theory"], row["value"])): row["votes"]
            for row in rows
            if row["id"] in names
        }
        registry = registry_of(folder)
        for key in sorted(settled):
            if key.id in texts:
                theory = registry.value(key.value).theory
                told = {"panel_votes": votes.get((key.id, key.value), "")}
                found[key] = Item(key, theory, texts[key.id], told)
    return list(found.values())


def _rated(row: Mapping[str, Any]) -> Item:
    evidence = {
        "panel_direction": row["direction"],
        "intensity": float(row["intensity"]),
        "intensity_se": float(row["intensity_se"]),
        "reason": row["reason"],
    }
    key = ItemKey("ratings", row["id"], key_named(row["theory"], row["value"]))
    return Item(key, row["theory"], row["text"], evidence)


def _drawn(folder: Path, values: Collection[str] | None, sample: int, seed: int) -> Iterator[Item]:
    """Rows that are not flagged, those with the smallest digests: each as likely as the others."""
    if sample < 1:
        return

    def candidates() -> Iterator[tuple[str, Item]]:
        for value in curated_values(folder):
            if values is None or key_of(value) in values:
                flagged = flag_reasons(folder, value)
                for row in scored_rows(folder, value):
                    if row["id"] not in flagged:
                        item = _rated(row | {"reason": DRAWN})
                        yield _digest(seed, "sample", *item.key), item

    for _, item in heapq.nsmallest(sample, candidates(), key=lambda pair: pair[0]):
        yield item


def _digest(*parts: object) -> str:
    return hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()
