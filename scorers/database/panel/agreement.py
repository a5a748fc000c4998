"""How far reviewers agree: Krippendorff's alpha with a bootstrap interval over items.

Alpha is 1 minus the observed over the expected disagreement. It takes any number of reviewers, and
items that only some of them judged; items with one answer say nothing of agreement and are left
out. 1 is full agreement, 0 what chance would give, and below 0 is less than that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Agreement", "agreement"]

Level = Literal["interval", "nominal"]
Floats = NDArray[np.float64]

LOWER, UPPER = 0.025, 0.975


@dataclass(frozen=True)
class Agreement:
    """How far answers agree.

    Attributes:
        items: items with at least one answer.
        compared: items with at least two, which alpha rests on.
        reviewers: who gave any answer.
        answers: all answers.
        alpha: Krippendorff's alpha; None where it is not defined.
        low: lower end of its 95% bootstrap interval; None where it cannot be given.
        high: upper end.
        note: why a figure is missing, or what it leaves out; else empty.
    """

    items: int
    compared: int
    reviewers: int
    answers: int
    alpha: float | None
    low: float | None
    high: float | None
    note: str


def agreement(
    answers: Mapping[Any, Mapping[str, Any]],
    level: Level,
    *,
    seed: int = 0,
    draws: int = 2_000,
) -> Agreement:
    """Agreement of reviewers on items.

    Args:
        answers: item to reviewer to answer; numbers for `interval`, anything for `nominal`.
        level: the difference between answers counts squared, or only whether there is one.
        seed: of the bootstrap.
        draws: bootstrap draws of items.
    """
    given = [list(by.values()) for by in answers.values() if by]
    paired = [answered for answered in given if len(answered) > 1]
    reviewers = len({name for by in answers.values() for name in by})
    counts = (len(given), len(paired), reviewers, sum(map(len, given)))
    if not paired:
        return Agreement(*counts, None, None, None, "no item has answers of two reviewers")
    domain = sorted({answer for answered in paired for answer in answered})
    if len(domain) < 2:
        return Agreement(
            *counts, None, None, None, "all answers are the same, and alpha is not defined"
        )
    column = {answer: place for place, answer in enumerate(domain)}
    table = np.zeros((len(paired), len(domain)), dtype=np.int64)
    for row, answered in enumerate(paired):
        for answer in answered:
            table[row, column[answer]] += 1
    try:
        import krippendorff
    except ImportError:
        lacking = "alpha needs krippendorff: python -m pip install 'valueflow[review]'"
        return Agreement(*counts, None, None, None, lacking)
    alpha = float(
        krippendorff.alpha(
            value_counts=table,
            value_domain=domain if level == "interval" else np.arange(len(domain)),
            level_of_measurement=level,
        )
    )
    if len(paired) < 2:
        return Agreement(*counts, alpha, None, None, "one item gives no interval")
    found = _bootstrap(_sums(table, domain, level), seed, draws)
    known = found[np.isfinite(found)]
    if not known.size:
        return Agreement(*counts, alpha, None, None, "no draw had two different answers")
    low, high = np.quantile(known, [LOWER, UPPER])
    lost = draws - known.size
    note = f"{lost:,} of {draws:,} draws had one answer only and count for nothing" if lost else ""
    return Agreement(*counts, alpha, float(low), float(high), note)


def _sums(table: NDArray[np.int64], domain: Sequence[Any], level: Level) -> Floats:
    """Per item, all that alpha takes: the number of answers, their sum of squares, their observed
    disagreement, and their sum.

    A nominal answer is a unit vector of its own; the squared distance of two such is twice the
    nominal one, and the factor cancels in alpha.
    """
    size = table.sum(axis=1).astype(float)
    if level == "nominal":
        sums = table.astype(float)
        squares = size
    else:
        numbers = np.array(domain, dtype=float)
        numbers = numbers - numbers.mean()
        sums = (table @ numbers)[:, None]
        squares = table @ numbers**2
    within = (size * squares - (sums**2).sum(axis=1)) / (size - 1)
    return np.column_stack([size, squares, within, sums])


def _alpha(totals: Floats) -> Floats:
    """Alpha from sums over items; NaN where all answers are the same. Shapes (n, 3 + d) to (n,)."""
    size, squares, within = totals[:, 0], totals[:, 1], totals[:, 2]
    expected = (size * squares - (totals[:, 3:] ** 2).sum(axis=1)) / (size - 1)
    # Sums of squares leave a rest of rounding where all answers are the same.
    some = expected > 1e-9 * np.maximum(size, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(some, 1 - within / expected, np.nan))


def _bootstrap(sums: Floats, seed: int, draws: int) -> Floats:
    """Alpha of items drawn with replacement."""
    generator = np.random.default_rng(seed)
    n = len(sums)
    found = [sums[generator.integers(n, size=n)].sum(axis=0) for _ in range(draws)]
    return _alpha(np.array(found))
