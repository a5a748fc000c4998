"""Whether a judge takes the length of a text for what it says.

Anchors are texts of known intensity and of all lengths; where the judge sees the longer of two
anchors of the same intensity as more supporting, it will see long responses so too. Within each
window the judge's numbers for the anchors, or the normal scores of their places in its order, are
regressed on their intensities and the logarithms of their numbers of words; the ratio of the two
slopes is what a doubling of the words is worth, in points of intensity. Its error is that of a
jackknife that leaves groups of anchors out of all windows (Tukey 1958; Efron and Tibshirani 1993,
chapter 11), since a judge's disagreement with a text comes back with it and moves those beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from valueflow.scorers.estimate.table import WindowTable
from valueflow.scorers.figures import Figure
from valueflow.scorers.records import count_words

__all__ = ["LengthEffect", "length_effect"]

Array = NDArray[np.float64]

LEAST_ANCHORS = 20
"""Anchor texts below which their lengths tell nothing."""

GROUPS = 20
"""Groups of anchors that are left out in turn."""

MOST_WINDOWS = 4_000
"""Windows that are looked at, evenly over all."""

MATTERS = 0.5
"""Points of bias from which a note is worth its place."""

SURE = 0.01
"""Two-sided p-value below which a bias is believed."""


@dataclass(frozen=True)
class LengthEffect:
    """How a judge takes the length of texts.

    Attributes:
        per_doubling: points by which it sees a text of twice the words as more supporting.
        bias: the same for the responses as they are longer (or shorter) than the anchors that they
            were shown with, in points; an extrapolation beyond the anchors' own lengths.
        anchor_words, response_words: geometric means.
        anchors: anchor texts that it rests on.
        groups: of anchors, that tell its error.
    """

    per_doubling: Figure
    bias: Figure
    anchor_words: float
    response_words: float
    anchors: int
    groups: int

    @property
    def matters(self) -> bool:
        """Whether the bias is sure, and large enough to be told."""
        if not self.bias.se > 0:
            return False
        t = abs(self.bias.value) / self.bias.se
        sure = t > float(stdtrit(self.groups - 1, 1 - SURE / 2))
        return abs(self.bias.value) >= MATTERS and sure

    def notes(self) -> list[str]:
        """A sentence where the bias matters; else none."""
        if not self.matters:
            return []
        way = "more" if self.bias.value > 0 else "less"
        return [
            f"Responses have {self.response_words:.0f} words and the anchors beside them "
            f"{self.anchor_words:.0f} (geometric means), and the judge sees an anchor of twice the "
            f"words as {abs(self.per_doubling.value):.2f} ± {self.per_doubling.se:.2f} points "
            f"{'more' if self.per_doubling.value > 0 else 'less'} supporting. If that holds on to "
            f"the responses' length, they are measured {abs(self.bias.value):.1f} ± "
            f"{self.bias.se:.1f} points {way} supporting than they are. Anchors of their own "
            "length (-T anchor_length=near, or a database of such texts) or shorter responses "
            "avoid it"
        ]


def length_effect(table: WindowTable, words: Sequence[int]) -> LengthEffect | None:
    """The effect of a text's length on one judge.

    Args:
        table: all its windows, with the anchors' texts.
        words: of the responses that were judged.

    Returns:
        None where the anchors' texts are not known, are fewer than 20 or all of one length, or the
        judge does not follow their intensities at all.
    """
    if not table.windows or len(table.anchor_names) < LEAST_ANCHORS:
        return None
    lengths = np.log2([max(count_words(name), 1) for name in table.anchor_names])
    rated = table.ratings is not None and bool(table.rated.any())
    # Numbers tell more than places: a judge that gave both is taken at its numbers.
    windows = np.flatnonzero(table.rated if rated else (table.ranks[:, 1:] >= 0).any(axis=1))
    windows = windows[:: max(1, -(-len(windows) // MOST_WINDOWS))]
    key, intensity = table.anchor_key[windows], table.intensities[windows]
    said = np.where(table.ranks[windows, 1:] >= 0, -table.ranks[windows, 1:], np.nan)
    if rated:
        assert table.ratings is not None
        said = table.ratings[windows, 1:]
    known = (key >= 0) & ~np.isnan(said)
    distinct = np.unique(key[known])
    if len(distinct) < LEAST_ANCHORS or np.ptp(lengths[distinct]) < 1e-9:
        return None
    part = np.full(len(table.anchor_names), -1)
    groups = min(GROUPS, len(distinct))
    part[np.random.default_rng(0).permutation(distinct)] = np.arange(len(distinct)) % groups

    def slopes(left_out: int | None) -> Array:
        kept = known if left_out is None else known & (part[key] != left_out)
        return _slopes(said, rated, np.stack([intensity, lengths[key]], axis=-1), kept)

    whole = slopes(None)
    without = np.array([slopes(group) for group in range(groups)])
    if not (np.isfinite(whole).all() and np.isfinite(without).all()):
        return None
    if whole[0] <= 2 * _spread(without[:, 0]):
        return None
    value, se = float(whole[1] / whole[0]), _spread(without[:, 1] / without[:, 0])
    half = float(stdtrit(groups - 1, 0.975)) * se
    anchors = float(lengths[key[known]].mean())
    own = float(np.log2(np.maximum(words, 1)).mean()) if len(words) else anchors
    apart = own - anchors
    ends = sorted((apart * (value - half), apart * (value + half)))
    return LengthEffect(
        Figure(value, se, value - half, value + half),
        Figure(value * apart, abs(apart) * se, *ends) if apart else Figure(0.0),
        float(2**anchors),
        float(2**own),
        len(distinct),
        groups,
    )


def _spread(without: Array) -> float:
    """The jackknife's standard error, of what (g,) each group's absence leaves."""
    g = len(without)
    return float(np.sqrt((g - 1) / g * ((without - without.mean()) ** 2).sum()))


def _slopes(said: Array, rated: bool, of: Array, kept: NDArray[np.bool_]) -> Array:
    """Slopes (2,) of what the judge said of the anchors (W, A) on two properties (W, A, 2), within
    windows; NaN where they are not told."""
    kept = kept & (kept.sum(axis=1, keepdims=True) > 1)
    rows = kept.any(axis=1)
    kept, of = kept[rows], of[rows]
    seen = np.where(kept, said[rows], np.nan)
    count = kept.sum(axis=1, keepdims=True)
    if not rated:
        # Ties share the mean of their places.
        below = (seen[:, None, :] < seen[:, :, None]).sum(axis=2)
        level = (seen[:, None, :] == seen[:, :, None]).sum(axis=2)
        with np.errstate(divide="ignore"):
            seen = ndtri((below + level / 2) / count)
    numbers = np.concatenate([of, seen[..., None]], axis=-1)
    numbers = np.where(kept[..., None], numbers, 0.0)
    numbers = numbers - (numbers.sum(axis=1) / count)[:, None]
    flat = numbers[kept]
    squares = flat[:, :2].T @ flat[:, :2]
    if not len(flat) or np.linalg.matrix_rank(squares) < 2:
        return np.full(2, np.nan)
    return np.linalg.solve(squares, flat[:, :2].T @ flat[:, 2])
