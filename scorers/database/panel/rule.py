"""When a panel's votes settle a question: enough of them, or a clear enough lead.

`settled` and `choice_settled` tell, while seats are still to be asked, whether what they say can
change anything; a seat that cannot is not worth a call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

__all__ = ["accepted", "choice", "choice_settled", "fewest_votes", "settled"]

Votes = Sequence[str | None]


def accepted(votes: Votes, enough: int, lead: int) -> str | None:
    """The answer that a panel gave, or None where it is divided.

    Args:
        votes: one a seat; None where a seat's answer could not be read, which is no vote.
        enough: votes that settle it whatever the others say.
        lead: votes ahead of the next answer that settle it too.
    """
    best, count, second = _two_best(votes)
    # Where two answers both have enough (in a large panel), the one ahead wins, if any is.
    return best if count > second and (count >= enough or count - second >= lead) else None


def settled(votes: Votes, seats: int, enough: int, lead: int) -> bool:
    """Whether the panel's answer is the same whatever the remaining seats say, or fail to say.

    Args:
        votes: of the seats asked so far; see `accepted`.
        seats: all seats of the panel.
        enough: see `accepted`.
        lead: see `accepted`; at least 1.
    """
    left = seats - len(votes)
    _, count, second = _two_best(votes)
    # The worst for the answer ahead is that all others go to the next one, which may be one that
    # nobody has given so far; more votes for a third, or for itself, do it no harm.
    ahead = count - second - left
    if ahead >= lead or (count >= enough and ahead >= 1):
        return True
    # The best for any answer is that all go to the one ahead; where even that does not do, no
    # answer can be accepted any more.
    reach = count + left
    return not (reach > second and (reach >= enough or reach - second >= lead))


def fewest_votes(seats: int, enough: int, lead: int) -> int:
    """Seats that must be asked before a panel that agrees can settle anything."""
    for asked in range(1, seats):
        if settled(["yes"] * asked, seats, enough, lead):
            return asked
    return seats


def choice(votes: Sequence[Votes], enough: int, lead: int, answer: str = "yes") -> int | None:
    """Which of several things the panel chose: of those accepted, the one with most votes.

    Args:
        votes: of each thing, in the order that decides between equals.
        enough: see `accepted`.
        lead: see `accepted`.
        answer: the answer that speaks for a thing.

    Returns:
        Its place in `votes`, or None where none is accepted.
    """
    found = [n for n, told in enumerate(votes) if accepted(told, enough, lead) == answer]
    return max(found, key=lambda n: (_count(votes[n], answer), -n), default=None)


def choice_settled(
    votes: Sequence[Votes], seats: int, enough: int, lead: int, answer: str = "yes"
) -> bool:
    """Whether `choice` gives the same whatever the remaining seats say.

    Where none can be accepted any more, it is settled only when it also stands for each of them
    whether it is refused or divided, since divided ones are asked about again.
    """
    sure = [settled(told, seats, enough, lead) for told in votes]
    taken = [accepted(told, enough, lead) == answer for told in votes]
    if all(sure) and not any(taken):
        return True
    certain = [told if s else () for told, s in zip(votes, sure, strict=True)]
    best = choice(certain, enough, lead, answer)
    if best is None:
        return False
    mine = _count(votes[best], answer)
    for n, told in enumerate(votes):
        if n == best or (sure[n] and not taken[n]):
            continue
        reach = _count(told, answer) + seats - len(told)
        if reach > mine or (reach == mine and n < best):
            return False
    return True


def _count(votes: Votes, answer: str) -> int:
    return sum(vote == answer for vote in votes)


def _two_best(votes: Votes) -> tuple[str | None, int, int]:
    """The answer with most votes, its votes, and those of the next."""
    ranked = Counter(vote for vote in votes if vote is not None).most_common(2)
    if not ranked:
        return None, 0, 0
    return ranked[0][0], ranked[0][1], ranked[1][1] if len(ranked) > 1 else 0
