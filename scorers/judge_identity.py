"""Whether two sets of responses were measured by the same judge, and on the same scale."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from valueflow.hub_assets.errors import ValueflowError
from valueflow.scorers.records import ResponseRecord

__all__ = ["judge_of", "same_judge", "scale_differences"]

JUDGE = ("model", "config", "model_args", "prompt_version", "vidb_sha256", "judge_mode", "panel")
"""What makes a judge: the same model asks for another scale, place effect and disagreement with
texts where it is set or asked otherwise, or shown other texts."""

SCALE = {
    "vidb_sha256": "anchors differ",
    "prompt_version": "versions of the judge's prompt differ",
}
"""What the scale itself rests on."""


def judge_of(responses: Iterable[ResponseRecord], name: str) -> dict[str, Any]:
    """The record of the judge of some responses; empty where none of them was judged.

    Args:
        responses: of one run.
        name: how a message calls them.

    Raises:
        ValueflowError: they have several judges.
    """
    found: dict[str, dict[str, Any]] = {}
    for response in responses:
        if judge := response.get("judge"):
            found.setdefault(_identity(judge), judge)
    if len(found) > 1:
        first, second = list(found.values())[:2]
        told = ", ".join(
            f"{key} {first.get(key)!r} and {second.get(key)!r}"
            for key in JUDGE
            if first.get(key) != second.get(key)
        )
        raise ValueflowError(
            f"{name}: responses with different judges ({told}) cannot be taken together; give the "
            "logs of one judge"
        )
    return next(iter(found.values()), {})


def same_judge(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two records are of one judge, whose parameters all windows together tell."""
    return _identity(one) == _identity(other)


def scale_differences(
    sides: tuple[Sequence[ResponseRecord], Sequence[ResponseRecord]],
    judges: tuple[dict[str, Any], dict[str, Any]],
) -> list[str]:
    """Why intensities of A and of B are not on one scale; empty where they are.

    Args:
        sides: responses of A and of B.
        judges: their judges, from `judge_of`.
    """
    found = [
        f"the {what} ({_told(judges[0], key)} and {_told(judges[1], key)})"
        for key, what in SCALE.items()
        if judges[0].get(key) != judges[1].get(key)
    ]
    ours, theirs = map(_intensities, sides)
    moved = sum(ours[text] != theirs[text] for text in ours.keys() & theirs.keys())
    if moved:
        found.append(f"{moved} anchors have another intensity in A than in B")
    return found


def _identity(judge: dict[str, Any]) -> str:
    return json.dumps({key: judge.get(key) for key in JUDGE}, sort_keys=True, default=str)


def _told(judge: dict[str, Any], key: str) -> str:
    if key == "vidb_sha256":
        return f"{judge.get('vidb')}, hash {judge.get(key)}"
    return str(judge.get(key))


def _intensities(responses: Iterable[ResponseRecord]) -> dict[tuple[str, str], float]:
    """(value, text) of every anchor shown to its intensity."""
    return {
        (record["value"], text): intensity
        for response in responses
        for record in response["values"].values()
        for window in record["windows"]
        for text, intensity in zip(window["texts"], window["anchors"], strict=True)
    }
