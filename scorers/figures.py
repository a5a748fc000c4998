"""A number with its standard error, as every summary gives it.

Interval of a share (Wilson 1927).

Corrections of p-values for how many tests were made.

Shares of responses, such as refusals, with standard errors that count a query once.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit
from scipy.stats import beta

from valueflow.scorers.records import ResponseRecord

__all__ = [
    "CORRECTIONS",
    "Figure",
    "adjusted",
    "mean_figure",
    "share",
    "wilson",
]


@dataclass(frozen=True)
class Figure:
    """A number, its standard error and its 95 % interval (NaN where one cannot be given)."""

    value: float
    se: float = math.nan
    lower: float = math.nan
    upper: float = math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval; that of a normal distribution where no other is known."""
        if math.isnan(self.lower) or math.isnan(self.upper):
            return self.value - Z95 * self.se, self.value + Z95 * self.se
        return self.lower, self.upper


Z95 = float(ndtri(0.975))
"""Standard errors on each side of a 95 % interval of a normal distribution."""


def mean_figure(numbers: Sequence[float]) -> Figure:
    """The mean of independent numbers, its standard error, which takes at least two, and the
    interval of Student's t."""
    array = np.asarray(numbers, dtype=float)
    mean = float(array.mean())
    if len(array) < 2:
        return Figure(mean)
    se = float(array.std(ddof=1) / math.sqrt(len(array)))
    half = float(stdtrit(len(array) - 1, 0.975)) * se
    return Figure(mean, se, mean - half, mean + half)


def wilson(count: float, of: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share `count / of`, which stays inside [0, 1].

    Args:
        count: how many, out of `of` independent ones.
        of: at least 1.
        confidence: the interval's coverage.
    """
    z = float(ndtri(0.5 + confidence / 2))
    share = count / of
    middle = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * math.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    return max(0.0, middle - half), min(1.0, middle + half)


Array = NDArray[np.float64]

CORRECTIONS = ("holm", "bh", "none")


def adjusted(p_values: Array, correction: str) -> Array:
    """P-values (n,) corrected for n tests; a test survives where its own is below the level.

    Args:
        p_values: of the single tests.
        correction: `holm` (Holm 1979) keeps the chance of even one false finding below the level,
            however the tests depend on one another; `bh` (Benjamini and Hochberg 1995) keeps the
            expected share of false ones among the findings below it, for independent or positively
            dependent tests; `none` leaves them as they are.

    Raises:
        ValueError: an unknown correction.
    """
    if correction not in CORRECTIONS:
        raise ValueError(f"correction must be one of {CORRECTIONS}, not {correction!r}")
    count = len(p_values)
    if correction == "none" or not count:
        return np.array(p_values, dtype=float)
    order = np.argsort(p_values, kind="stable")
    ranked = np.asarray(p_values, dtype=float)[order]
    if correction == "holm":
        raised = np.maximum.accumulate(ranked * np.arange(count, 0, -1))
    else:
        raised = np.minimum.accumulate((ranked * count / np.arange(1, count + 1))[::-1])[::-1]
        # Times n over n may round to less than it was.
        raised = np.maximum(raised, ranked)
    result = np.empty(count)
    result[order] = np.minimum(raised, 1.0)
    return result


def share(
    responses: Iterable[ResponseRecord], counts: Callable[[ResponseRecord], bool]
) -> Figure | None:
    """Share of responses that count, a ratio with queries as clusters.

    Args:
        responses: records of responses, scored or not.
        counts: whether a response counts.

    Returns:
        The share in [0, 1] and its standard error, NaN with fewer than two queries; None without
        responses.  Where all responses are alike, what was not seen may still happen: the error and
        the interval are then those of Jeffreys' prior (Brown, Cai and DasGupta 2001), with queries
        for trials, since the responses to one query may go together.
    """
    clusters: dict[str, list[bool]] = defaultdict(list)
    for response in responses:
        clusters[response["query"]].append(bool(counts(response)))
    if not clusters:
        return None
    sizes = np.array([len(found) for found in clusters.values()], dtype=float)
    hits = np.array([sum(found) for found in clusters.values()], dtype=float)
    value = float(hits.sum() / sizes.sum())
    n = len(sizes)
    if n < 2:
        return Figure(value)
    if value in (0.0, 1.0):
        rest = beta(0.5, n + 0.5) if value == 0 else beta(n + 0.5, 0.5)
        ends = (0.0, rest.ppf(0.975)) if value == 0 else (rest.ppf(0.025), 1.0)
        return Figure(value, float(rest.std()), *map(float, ends))
    # The usual linearisation of a ratio of sums over clusters (Cochran 1977, section 6).
    residual = hits - value * sizes
    return Figure(value, math.sqrt(n / (n - 1) * float(residual @ residual)) / float(sizes.sum()))
