"""From utilities, which have no zero and no unit, to intensities in [-10, 10], and back.

The map is rising and piecewise linear. Directions (this text supports, that one opposes) fix its
zero: the utility at which a text is as likely labelled the one as the other. They say nothing of
the unit, which is set so that nearly all texts lie within the ends by their true utilities (see
`valueflow.scorers.database.ranking.unit`), so that it does not depend on how noisy the judge was or
how often it was asked. Human ratings fix the shape
too: their rising regression on the utilities, by isotonic least squares in groups of texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression
from scipy.special import expit

from valueflow.scorers.database.ranking.unit import Redraw, reach_of

__all__ = ["LIMIT", "IntensityScale", "scale_from_directions", "scale_from_ratings"]

LIMIT = 10.0
_LEAST_SLOPE = 0.05
"""Least slope of a map from ratings, as a share of its mean slope; without it there is no way
back from where ratings do not rise."""

_LOOSE = 0.25
"""Standard error of the logarithm of the unit from which a note says so."""


@dataclass(frozen=True)
class IntensityScale:
    """A rising, piecewise linear map.

    Attributes:
        utilities: of its knots, rising, at least two.
        intensities: of the knots, rising; beyond the outer knots the outer slopes go on.
        neutral: the utility whose intensity is 0.
        neutral_se: its standard error, in utility; NaN where unknown.
        fitted_on: `directions` or `ratings`.
        unit_se: standard error of the logarithm of the unit, that is, of the share by which all
            intensities may be too large or too small; NaN where unknown (scales of before).
        notes: what a reader should know.
    """

    utilities: tuple[float, ...]
    intensities: tuple[float, ...]
    neutral: float
    neutral_se: float
    fitted_on: str
    notes: tuple[str, ...] = ()
    unit_se: float = float("nan")

    def __post_init__(self) -> None:
        if len(self.utilities) < 2 or len(self.utilities) != len(self.intensities):
            raise ValueError("a scale needs two knots or more")
        if (np.diff(self.utilities) <= 0).any() or (np.diff(self.intensities) <= 0).any():
            raise ValueError("a scale must rise from knot to knot")

    def intensity(self, utility: ArrayLike) -> NDArray[np.float64]:
        """Intensities of utilities, clipped to [-10, 10]; same shape.

        Args:
            utility: of any shape, in log choice odds.
        """
        found = _through(utility, self.utilities, self.intensities)
        return np.clip(found, -LIMIT, LIMIT)

    def utility(self, intensity: ArrayLike) -> NDArray[np.float64]:
        """Utilities of intensities; the inverse of `intensity` within its ends.

        Args:
            intensity: of any shape, in points.
        """
        return _through(intensity, self.intensities, self.utilities)

    def slope(self, utility: ArrayLike) -> NDArray[np.float64]:
        """Points of intensity per unit of utility there; standard errors grow by it.

        Args:
            utility: of any shape, in log choice odds.
        """
        slopes = np.diff(self.intensities) / np.diff(self.utilities)
        place = np.searchsorted(self.utilities, np.asarray(utility, dtype=np.float64)) - 1
        return np.asarray(slopes[np.clip(place, 0, slopes.size - 1)], dtype=np.float64)

    def error(self, utility: ArrayLike, utility_se: ArrayLike) -> NDArray[np.float64]:
        """Standard errors of intensities: of the utilities, the neutral point and the unit.

        Args:
            utility: of texts, in log choice odds.
            utility_se: their standard errors; same shape, which the result has too.
        """
        slope = self.slope(utility)
        unit = 0.0 if np.isnan(self.unit_se) else self.unit_se
        zero = 0.0 if np.isnan(self.neutral_se) else self.neutral_se
        own = slope * np.hypot(np.asarray(utility_se, dtype=np.float64), zero)
        return np.asarray(np.hypot(own, unit * self.intensity(utility)), dtype=np.float64)

    def record(self) -> dict[str, Any]:
        """Plain values, to be stored; `IntensityScale(**record)` makes the scale again."""
        return asdict(self)


def _through(x: ArrayLike, knots: Sequence[float], heights: Sequence[float]) -> NDArray[np.float64]:
    x, at, to = (np.asarray(part, dtype=np.float64) for part in (x, knots, heights))
    place = np.clip(np.searchsorted(at, x) - 1, 0, at.size - 2)
    slope = (to[place + 1] - to[place]) / (at[place + 1] - at[place])
    return np.asarray(to[place] + slope * (x - at[place]), dtype=np.float64)


def scale_from_directions(
    utilities: ArrayLike,
    supports: ArrayLike,
    *,
    errors: ArrayLike | None = None,
    redraw: Redraw | None = None,
    end_quantile: float = 0.99,
    seed: int = 0,
) -> IntensityScale:
    """A straight map whose zero is where supporting and opposing texts part.

    Args:
        utilities: (n,) of texts with a direction.
        supports: (n,) from 0 (opposes the value) to 1 (supports it): a label, 0.5 where it is
            neutral, or the share of a panel's votes, which tells more.
        errors: (n,) standard errors of the utilities; None: the utilities are the truth.
        redraw: repeats the estimation of the utilities, so that the unit can be checked; see
            `valueflow.scorers.database.ranking.unit`.
        end_quantile: share of the texts whose true utility lies within [-10, 10] before clipping.
        seed: of the draws.

    Raises:
        ValueError: fewer than two texts, or all of one direction: there is nothing to part.
    """
    u, s = np.asarray(utilities, dtype=np.float64), np.asarray(supports, dtype=np.float64)
    if u.size < 2 or not (s.min() < 0.5 < s.max()):
        raise ValueError("supporting and opposing texts are both needed to find the neutral point")
    middle, spread = float(u.mean()), max(float(u.std()), 1e-9)
    a, b, covariance = _logistic((u - middle) / spread, s)
    notes = []
    if b <= 0:
        raise ValueError(
            "texts labelled as supporting rank no higher than those labelled as opposing"
        )
    neutral = middle - spread * a / b
    # By the delta method on -a / b.
    gradient = np.array([-1 / b, a / b**2])
    neutral_se = spread * float(np.sqrt(gradient @ covariance @ gradient))
    se = np.zeros(u.size) if errors is None else np.asarray(errors, dtype=np.float64)
    # The utilities' own errors move the crossing by those of the texts that lie near it.
    p = expit(a + b * (u - middle) / spread)
    near = p * (1 - p) / max(float(np.sum(p * (1 - p))), 1e-12)
    neutral_se = float(np.hypot(neutral_se, np.sqrt(np.sum((near * se) ** 2))))
    if not u.min() <= neutral <= u.max():
        notes.append("the neutral point lies outside the texts' utilities")
    far = reach_of(u, se, neutral, end_quantile, redraw, neutral_se=neutral_se, seed=seed)
    if far.log_se > _LOOSE:
        notes.append(
            f"the unit is known to {far.log_se:.0%} only: more windows a text, or more texts, tell "
            "more"
        )
    return IntensityScale(
        (neutral - far.reach, neutral + far.reach),
        (-LIMIT, LIMIT),
        neutral,
        neutral_se,
        "directions",
        tuple(notes),
        far.log_se,
    )


def _logistic(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[float, float, NDArray[np.float64]]:
    """Logistic regression with a weak normal prior (variance 100 on the standardised slope, 10,000
    on the intercept), so that labels that part cleanly have an estimate too.

    Returns:
        Intercept, slope, and their covariance (2, 2), robust to shares in place of labels.
    """
    design = np.column_stack([np.ones_like(x), x])
    prior = np.array([1e-4, 1e-2])
    beta = np.zeros(2)
    for _ in range(200):
        p = expit(design @ beta)
        information = (design.T * (p * (1 - p))) @ design + np.diag(prior)
        step = np.linalg.solve(information, design.T @ (y - p) - prior * beta)
        beta = beta + step * min(1.0, 4.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-10:
            break
    p = expit(design @ beta)
    inverse = np.linalg.inv((design.T * (p * (1 - p))) @ design + np.diag(prior))
    # The sandwich, since shares of votes vary less than labels do, and texts more than the model.
    spread = (design.T * (y - p) ** 2) @ design
    return float(beta[0]), float(beta[1]), inverse @ spread @ inverse


MOST_KNOTS = 12
"""Most knots of a map through people's ratings."""


def scale_from_ratings(utilities: ArrayLike, ratings: ArrayLike) -> IntensityScale:
    """A rising map through people's ratings.

    Texts are put into up to MOST_KNOTS groups of neighbouring utility; the groups' mean ratings are
    made to rise by isotonic least squares, and every step to rise at least a little.

    Args:
        utilities: (n,) of rated texts.
        ratings: (n,) in [-10, 10].

    Raises:
        ValueError: fewer than four ratings, or ratings that do not rise with the utilities, or
            none on one side of 0.
    """
    u, r = np.asarray(utilities, dtype=np.float64), np.asarray(ratings, dtype=np.float64)
    if u.size < 4:
        raise ValueError("at least four rated texts are needed")
    if not r.min() < 0 < r.max():
        raise ValueError("ratings on both sides of 0 are needed to find the neutral point")
    order = np.argsort(u, kind="stable")
    groups = np.array_split(order, max(2, min(MOST_KNOTS, u.size // 4)))
    x = np.array([u[g].mean() for g in groups])
    y = np.array([r[g].mean() for g in groups])
    apart = np.concatenate([[True], np.diff(x) > 1e-9])
    weights = np.array([g.size for g in groups], dtype=np.float64)[apart]
    x, y = x[apart], y[apart]
    rising = isotonic_regression(y, weights=weights).x if x.size > 1 else y
    if x.size < 2 or rising[-1] - rising[0] <= 0:
        raise ValueError("ratings do not rise with the utilities")
    least = _LEAST_SLOPE * (rising[-1] - rising[0]) / (x[-1] - x[0])
    steps = np.maximum(np.diff(rising), least * np.diff(x))
    lifted = rising[0] + np.concatenate([[0.0], np.cumsum(steps)])
    lifted += np.average(rising - lifted, weights=weights)
    neutral = float(_through(0.0, tuple(lifted), tuple(x)))
    off = r - _through(u, tuple(x), tuple(lifted))
    near = np.argsort(np.abs(u - neutral))[: max(4, u.size // max(2, x.size))]
    slope = float(_through(neutral + 1e-6, tuple(x), tuple(lifted)) / 1e-6)
    neutral_se = float(np.sqrt(np.mean(off[near] ** 2) / near.size)) / max(slope, 1e-9)
    # What the ratings' noise leaves open of the mean slope of the map.
    apart = x - np.average(x, weights=weights)
    line = float(
        np.average(apart * rising, weights=weights) / np.average(apart**2, weights=weights)
    )
    line_se = float(np.sqrt(np.sum(off**2) / (u.size - 2)) / (np.std(u) * np.sqrt(u.size)))
    return IntensityScale(
        tuple(x),
        tuple(lifted),
        neutral,
        neutral_se,
        "ratings",
        unit_se=min(1.0, line_se / max(line, 1e-9)),
    )
