"""When a panel's votes settle a question: enough of them, or a clear enough lead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

__all__ = ["accepted", "needs_another_vote"]


def accepted(votes: Sequence[str], enough: int, lead: int) -> str | None:
    """The answer that a panel gave, or None where it is divided.

    Args:
        votes: one a seat that answered.
        enough: votes that settle it whatever the others say.
        lead: votes ahead of the next answer that settle it too.
    """
    ranked = Counter(votes).most_common()
    if not ranked:
        return None
    best, count = ranked[0]
    second = ranked[1][1] if len(ranked) > 1 else 0
    # Where two answers both have enough (in a large panel), the one ahead wins, if any is.
    return best if count > second and (count >= enough or count - second >= lead) else None


def needs_another_vote(votes: Sequence[str], enough: int, lead: int) -> bool:
    """Whether the question goes to the next round."""
    return accepted(votes, enough, lead) is None
