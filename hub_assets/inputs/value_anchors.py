"""Cross-theory anchors: short texts of which it is known which values of which theories they tie.

Individual anchors are concrete instances of a value; theory anchors are concepts that at least two
theories share. A table of them has a line for each: `text`, and `nodes`, names of values, of
children or of groups above them, each as `theory:name`.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from valueflow.hub_assets.errors import InputFileError, UnknownNameError
from valueflow.hub_assets.files import is_blank
from valueflow.hub_assets.inputs.rows import rows_of
from valueflow.hub_assets.registry.loading import Value, load_registry

__all__ = ["AnchorKind", "ValueAnchor", "coverage", "read_anchors"]

AnchorKind = Literal["individual", "theory"]
_EMBEDDED = Path(__file__).parents[1] / "data"


@dataclass(frozen=True)
class ValueAnchor:
    """A text and the nodes that it ties together, as `theory:name`."""

    kind: AnchorKind
    text: str
    nodes: tuple[str, ...]


def read_anchors(kind: AnchorKind, path: Path | None = None) -> tuple[ValueAnchor, ...]:
    """The anchors of a kind.

    Args:
        kind: `individual` or `theory`.
        path: a JSONL, CSV or Parquet table of one's own; the embedded one where not given. In a
            CSV, the nodes stand in one cell, parted by `|`.

    Raises:
        InputFileError: a text is empty or stands twice, a name is no node, or a theory anchor
            ties nodes of one theory only.
    """
    file = path or _EMBEDDED / f"hives-anchors-{kind}.jsonl"
    found: dict[str, ValueAnchor] = {}
    for row in rows_of([file]):
        text = str(row.cells.get("text") or "").strip()
        if is_blank(text):
            raise InputFileError(file, "is empty", row=row.number, column="text")
        if text in found:
            raise InputFileError(file, "stands twice", row=row.number, column="text")
        nodes = tuple(dict.fromkeys(_node(name, file, row.number) for name in _names(row.cells)))
        if not nodes:
            raise InputFileError(file, "names no node", row=row.number, column="nodes")
        if kind == "theory" and len({name.partition(":")[0] for name in nodes}) < 2:
            raise InputFileError(
                file,
                f"{text!r} ties nodes of one theory only; a theory anchor ties at least two",
                row=row.number,
                column="nodes",
            )
        found[text] = ValueAnchor(kind, text, nodes)
    if not found:
        raise InputFileError(file, "holds no anchors")
    return tuple(found.values())


def coverage(anchors: Iterable[ValueAnchor]) -> dict[str, int]:
    """How many anchors reach each macro-value (`theory:name`), itself or a node below it; values
    that no anchor reaches have 0."""
    registry = load_registry()
    found = Counter[str]()
    for anchor in anchors:
        reached: set[str] = set()
        for name in anchor.nodes:
            node = registry.theories[name.partition(":")[0]].nodes[name.partition(":")[2]]
            if node.kind != "ancestor":
                reached |= {f"{v.theory}:{v.name}" for v in registry.scored_on(node)}
        found.update(reached)
    values = [f"{value.theory}:{value.name}" for value in registry.macro_values()]
    return {name: found[name] for name in values}


def _names(cells: Mapping[str, object]) -> Sequence[str]:
    raw = cells.get("nodes")
    if isinstance(raw, list):
        return [str(name) for name in raw]
    text = str(raw or "").strip()
    if text.startswith("["):
        return [str(name) for name in json.loads(text)]
    return [part.strip() for part in text.split("|") if part.strip()]


def _node(name: str, file: Path, row: int) -> str:
    theory, colon, label = name.partition(":")
    if not colon:
        raise InputFileError(file, f"write {name!r} as theory:name", row=row, column="nodes")
    node: Value | None
    try:
        node = load_registry().theory(theory).find(label)
    except UnknownNameError as error:
        raise InputFileError(file, str(error), row=row, column="nodes") from None
    if node is None:
        raise InputFileError(file, f"{name!r} is no node of {theory}", row=row, column="nodes")
    return f"{node.theory}:{node.name}"
