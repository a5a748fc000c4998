"""Log-likelihood of rankings under Plackett-Luce, with ties, weights and partial orders.

The large fit in :mod:`valueflow.scorers.database.ranking.fit` needs the value, the gradient and the
curvature of the log-likelihood of very many short rankings. This module computes
the three in a few array operations per ranking length.

**Model.** A ranking is built from the top: each place goes to one of the texts that are still
unplaced, with probability proportional to ``exp(utility)`` (Luce 1959; Plackett 1975). For the
strict ranking ``t_1 > t_2 > ... > t_k`` with weight ``w`` the contribution is

    w * sum over j = 1 .. k - 1 of ( u[t_j] - log( sum over l = j .. k of exp(u[t_l]) ) ).

**Only the first s places stated.** The sum stops after ``j = s``; the other texts were seen and
stand below, in an order that nobody stated.

**Ties.** A tied group contributes the *mean log-likelihood over all orders of its texts*, so a
ranking with a tied group of ``d`` texts is worth exactly the ``d!`` strict rankings with the group
written out in every order, each with weight ``w / d!``. For two texts this is the rule that a draw
is half a win for each side (Elo 1978). It is symmetric in the tied texts, keeps the log-likelihood
concave, needs no further parameter, and counts a tied ranking as one ranking (the approximations of
Breslow and Efron, made for survival times, would count a tied pair twice). It does not model how
often a judge declares a tie. By symmetry the mean over ``d!`` orders is a mean over the subsets of
the group that can still be unplaced, which is what is computed.

:mod:`valueflow.scorers.estimate.likelihood` treats ties by another rule: there the *probability* of
a tie is the sum over its orders, so that a tie of two texts alone teaches nothing; here it pulls
them together. There the anchors' intensities are known, and a tie must neither blunt the judge's
scale nor count as information on the response. Here all utilities are unknown: the logarithm of a
sum need not be concave, and would leave texts that were only ever tied with each other unplaced.

References: Luce, *Individual Choice Behavior* (1959); Plackett, *The Analysis of Permutations*,
Applied Statistics 24 (1975); Elo, *The Rating of Chessplayers* (1978).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from valueflow.scorers.database.ranking.table import Rankings, RankingTable, table_of_rankings

__all__ = ["RankingLikelihood", "ranking_log_likelihood"]

# Utilities further than this below the best of their ranking are treated as if at this distance:
# exp(-300) squared is still a normal number, so that no quotient below becomes 0 / 0.
FARTHEST = -300.0


@dataclass(frozen=True)
class _Block:
    """Rankings of one length: text numbers and stage weights, both (length, rankings).

    Stage ``j`` is the choice among the texts from place ``j`` downwards; its weight is zero where
    no such choice was made. Places are the first axis, so that sums over them run on whole rows.
    """

    members: NDArray[np.intp]
    stage: NDArray[np.float64]
    pairs: NDArray[np.intp]


class RankingLikelihood:
    """The log-likelihood of a :class:`RankingTable` as a function of ``n_texts`` utilities.

    It is ``credit @ u - sum of weight * log(sum of exp(u) over a choice set)`` over all choice
    sets. ``first`` and ``second`` list the pairs of texts that share a choice set; the negative
    Hessian is the Laplacian of the graph that weighs these pairs, see :meth:`derivatives`.
    """

    def __init__(self, table: RankingTable) -> None:
        self.n_texts = table.n_texts
        self.credit = np.zeros(table.n_texts)
        raw = self._strict_and_tied(table)
        keys = [self._pair_keys(members) for members, _ in raw]
        flat = np.concatenate([key.ravel() for key in keys])
        unique, slots = np.unique(flat, return_inverse=True)
        self.first, self.second = np.divmod(unique, self.n_texts)
        ends = np.cumsum([key.size for key in keys])[:-1]
        self.blocks = [
            _Block(members, stage, part)
            for (members, stage), part in zip(raw, np.split(slots, ends), strict=True)
        ]

    def _pair_keys(self, members: NDArray[np.intp]) -> NDArray[np.intp]:
        upper, lower = np.triu_indices(members.shape[0], k=1)
        one, other = members[upper], members[lower]
        return np.minimum(one, other) * self.n_texts + np.maximum(one, other)

    def _give_credit(self, texts: NDArray[np.intp], amount: NDArray[np.float64]) -> None:
        self.credit += np.bincount(texts.ravel(), amount.ravel(), minlength=self.n_texts)

    def _strict_and_tied(
        self, table: RankingTable
    ) -> list[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Members and stage weights by ranking length, and the choice sets inside tied groups."""
        blocks = []
        inside_ties: dict[int, list[tuple[NDArray[np.intp], NDArray[np.float64]]]] = {}
        begin = np.cumsum(table.lengths) - table.lengths
        for length in np.unique(table.lengths).tolist():
            rows = np.flatnonzero(table.lengths == length)
            entries = begin[rows] + np.arange(length)[:, None]
            members, opens = table.texts[entries], table.opens[entries]
            weight = table.weights[rows]
            told = np.arange(length)[:, None] < table.stated[rows]
            credit = np.where(told, weight, 0.0)
            credit[-1, opens[-1]] = 0.0  # the last text takes the last place with certainty
            self._give_credit(members, credit)
            stage = np.where(told & opens, weight, 0.0)
            stage[-1] = 0.0
            blocks.append((members, stage))
            if not opens.all():
                self._inside_ties(members, opens, weight, inside_ties)
        for length, parts in inside_ties.items():
            members = np.concatenate([part for part, _ in parts], axis=1)
            stage = np.zeros(members.shape)
            stage[0] = np.concatenate([weight for _, weight in parts])
            if length == 1:  # log(exp(u)) is u itself
                self._give_credit(members, -stage)
            else:
                blocks.append((members, stage))
        return blocks

    def _inside_ties(
        self,
        members: NDArray[np.intp],
        opens: NDArray[np.bool_],
        weight: NDArray[np.float64],
        sets: dict[int, list[tuple[NDArray[np.intp], NDArray[np.float64]]]],
    ) -> None:
        """Add the choice sets met after the first text of a tied group has been placed.

        In an order drawn at random, the texts of the group that are still unplaced form a subset;
        each subset of a given size is equally likely, hence the weights.
        """
        length = members.shape[0]
        for start in range(length - 1):
            following = np.vstack([opens[start + 1 :], np.ones((1, opens.shape[1]), dtype=bool)])
            size = np.where(opens[start], 1 + np.argmax(following, axis=0), 1)
            for tied in np.unique(size[size > 1]).tolist():
                chosen = members[start:, size == tied]
                shared = weight[size == tied]
                for left in range(1, tied):
                    for subset in combinations(range(tied), left):
                        rows = [*subset, *range(tied, length - start)]
                        part = (chosen[rows], shared / comb(tied, left))
                        sets.setdefault(len(rows), []).append(part)

    def _choices(
        self, block: _Block, utilities: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """``exp(u - best)``, its sums from each place downwards, and the best utility."""
        values = utilities[block.members]
        best = values.max(axis=0)
        strength = np.exp(np.maximum(values - best, FARTHEST))
        remaining = strength.copy()
        for place in range(remaining.shape[0] - 2, -1, -1):
            remaining[place] += remaining[place + 1]
        return strength, remaining, best

    def value(self, utilities: NDArray[np.float64]) -> float:
        """The log-likelihood, in natural logarithms.

        Args:
            utilities: one per text, in log choice odds.
        """
        total = float(self.credit @ utilities)
        for block in self.blocks:
            _, remaining, best = self._choices(block, utilities)
            total -= float(np.sum(block.stage * (np.log(remaining) + best)))
        return total

    def derivatives(
        self, utilities: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gradient (per text) and curvature weight (per pair ``first``, ``second``).

        The negative Hessian is ``sum of weight[p] * outer(e, e)`` over pairs ``p``, where ``e`` is
        the difference of the unit vectors of the two texts: raising all utilities together changes
        nothing, so that rows sum to zero.

        Args:
            utilities: one per text, in log choice odds.

        Returns:
            The gradient, one per text, and the weights, one per pair.
        """
        gradient = self.credit.copy()
        weights = np.zeros(self.first.size)
        for block in self.blocks:
            strength, remaining, _ = self._choices(block, utilities)
            shares = block.stage / remaining
            squares = shares / remaining
            for place in range(1, shares.shape[0]):  # sums over the choices a text was part of
                shares[place] += shares[place - 1]
                squares[place] += squares[place - 1]
            expected = (strength * shares).ravel()
            gradient -= np.bincount(block.members.ravel(), expected, minlength=self.n_texts)
            # Two texts meet in the choices down to the place of the upper one.
            upper, lower = np.triu_indices(block.members.shape[0], k=1)
            shared = (strength[upper] * strength[lower] * squares[upper]).ravel()
            weights += np.bincount(block.pairs, shared, minlength=weights.size)
        return gradient, weights


def ranking_log_likelihood(
    utilities: ArrayLike,
    rankings: Rankings,
    *,
    places: Rankings | None = None,
    stated: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> float:
    """Log-likelihood of rankings at given utilities, without any penalty.

    Args:
        utilities: one finite utility per text, on the scale of log choice odds.
        rankings, places, stated, weights: as in ``fit_rankings``.

    Returns:
        The log-likelihood in natural logarithms.

    Raises:
        ValueError: utilities that are not finite or not one line; rankings as in ``fit_rankings``.
    """
    values = np.asarray(utilities, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError("utilities must be one line of finite numbers")
    table = table_of_rankings(rankings, values.size, places=places, stated=stated, weights=weights)
    return RankingLikelihood(table).value(values)
