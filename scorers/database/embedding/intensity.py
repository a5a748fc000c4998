"""Intensities of texts from those of their neighbours among anchors: no judge is asked.

The intensities of the k nearest anchors have a mean; how much that says of a text's own intensity
is found out on the anchors themselves, each held out in turn with its near duplicates. It is
little: neighbours share a topic, and whether a text is for or against it is a word or two.

A value with many anchors has neighbours among its own. A few dozen tell nothing (on real rows, a
correlation of 0.1 with 12 of each value); what neighbours of any value tell is at least whether a
text approves (0.4). So where a value has few, anchors of all values are neighbours, its own counted
somewhat nearer.

There are two readings of a mean, both linear in it:

- of one text, the regression of intensity on the mean (`expected`): the best guess, drawn toward
  the middle of the anchors as far as the mean tells nothing. Its standard error is the root mean
  square of the held-out errors (PRESS; Allen 1974), so that it covers texts like the anchors.
- of a cell's mean, the regression of the mean on intensity, inverted (`cell_mean`; classical
  calibration, Eisenhart 1939; Osborne 1991): averages of guesses that are drawn toward the middle
  would be, too, whatever the number of responses. Its error is larger, and it is not given where
  the anchors do not show a slope beyond doubt.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from valueflow.hub_assets.errors import ValueflowError
from valueflow.scorers.database.embedding.metrics import unit
from valueflow.scorers.database.embedding.neighbours import nearest

__all__ = ["OWN_ENOUGH", "Calibration", "NeighbourScale", "calibrated", "cell_mean"]

Floats = NDArray[np.float64]

TWIN = 0.95
"""Anchors as near as this are near duplicates: neither stands in for the other's neighbour when it
is held out, since a response has no such twin."""

NEIGHBOURS = (5, 10, 20, 40, 80)
"""Numbers of neighbours that are tried."""

OWN_ENOUGH = 500
"""With so many anchors of its own, a value needs no others."""

OWN_NEARER = 0.05
"""What is added to the cosine of two texts of one value."""

HELD_OUT = 2000
"""Anchors that are held out at most, evenly over the scale."""

LEAST_ANCHORS = 12
"""Fewer than these cannot be held out and calibrate anything."""

LEAST_T = 3.0
"""Standard errors that the slope must be away from 0 before it is divided by."""


@dataclass(frozen=True)
class Calibration:
    """What neighbours told of anchors that were held out.

    Attributes:
        texts: how many were held out.
        neighbours: k, how many anchors a mean is taken of.
        level, slope: of intensity, in points, on the neighbours' mean.
        se: root mean square of the held-out errors, in points.
        mean, spread: of the held-out intensities: mean, and sum of squares about it.
        raw_level, raw_slope: of the neighbours' mean on intensity.
        raw_sd: standard deviation about that line.
        pearson: correlation of intensity and neighbours' mean.
        sign: share of texts whose expected intensity has the right sign.
    """

    texts: int
    neighbours: int
    level: float
    slope: float
    se: float
    mean: float
    spread: float
    raw_level: float
    raw_slope: float
    raw_sd: float
    pearson: float
    sign: float

    def as_dict(self) -> dict[str, float]:
        """For a log."""
        return asdict(self)

    def expected(self, raw: Floats) -> Floats:
        """The best guess of single texts' intensities from their neighbours' means."""
        return np.clip(self.level + self.slope * np.asarray(raw, dtype=float), -10, 10)


@dataclass(frozen=True)
class NeighbourScale:
    """Anchors with their vectors, calibrated.

    Attributes:
        vectors: unit vectors, shape (anchors, d).
        intensities: shape (anchors,).
        values: number of each anchor's value, shape (anchors,), from 0.
        calibration: what they told of each other.
    """

    vectors: NDArray[np.float32]
    intensities: Floats
    values: NDArray[np.int64]
    calibration: Calibration

    def raw(self, vectors: object, value: int = 0, without: Sequence[int] = ()) -> Floats:
        """The mean intensity of the nearest anchors, shape (n,).

        Args:
            vectors: of n texts, shape (n, d).
            value: number of the value that they are measured on.
            without: numbers of anchors that must not be neighbours.
        """
        query = unit(vectors)
        count = int(self.values.max()) + 1
        asked = _with_values(query, np.full(len(query), value), count)
        kept = np.setdiff1d(np.arange(len(self.intensities)), without)
        table = _with_values(self.vectors[kept], self.values[kept], count)
        found = nearest(asked, table, self.calibration.neighbours)
        return np.asarray(self.intensities[kept][found.rows].mean(axis=1))


def _with_values(
    vectors: NDArray[np.float32], values: NDArray[np.int64], count: int
) -> NDArray[np.float32]:
    """Vectors whose inner product is the cosine, and `OWN_NEARER` more within a value."""
    more = np.zeros((len(vectors), count), dtype=np.float32)
    more[np.arange(len(vectors)), values] = np.sqrt(OWN_NEARER)
    return np.hstack([vectors, more])


def calibrated(
    vectors: NDArray[np.float32], intensities: object, values: NDArray[np.int64] | None = None
) -> NeighbourScale:
    """Holds anchors out in turn, and learns what their neighbours say of them.

    Args:
        vectors: unit vectors of the anchors, shape (n, d).
        intensities: theirs, shape (n,).
        values: number of each one's value, shape (n,), from 0; one value where not given.

    Raises:
        ValueflowError: too few anchors, all of one intensity, or all near duplicates.
    """
    known = np.asarray(intensities, dtype=float)
    if len(known) < LEAST_ANCHORS:
        raise ValueflowError(
            f"{len(known)} anchors are too few to find out what neighbours tell; at least "
            f"{LEAST_ANCHORS} are needed"
        )
    of = np.zeros(len(known), dtype=np.int64) if values is None else values
    wide = _with_values(vectors, of, int(of.max()) + 1)
    order = np.argsort(known, kind="stable")
    held = np.sort(order[np.linspace(0, len(known) - 1, min(len(known), HELD_OUT)).astype(int)])
    most = max(k for k in NEIGHBOURS if k == NEIGHBOURS[0] or 2 * k <= len(known))
    found = nearest(wide[held], wide, most, below=TWIN / (1 + OWN_NEARER))
    there = np.isfinite(found.cosines)
    alone = ~there.any(axis=1)
    held, rows, there = held[~alone], found.rows[~alone], there[~alone]
    truth = known[held]
    if len(held) < LEAST_ANCHORS or np.ptp(truth) == 0:
        raise ValueflowError(
            "the anchors are near duplicates of each other or of one intensity, so that they "
            "cannot show what neighbours tell"
        )
    sums = np.cumsum(np.where(there, known[rows], 0), axis=1)
    counts = np.maximum(np.cumsum(there, axis=1), 1)
    tried = {k: sums[:, k - 1] / counts[:, k - 1] for k in NEIGHBOURS if k <= rows.shape[1]}
    fits = {k: _line(raw, truth) for k, raw in tried.items()}
    best = min(fits, key=lambda k: fits[k][2])
    level, slope, se, guess = fits[best]
    raw = tried[best]
    raw_level, raw_slope, _, fitted = _line(truth, raw)
    told = truth != 0
    return NeighbourScale(
        vectors,
        known,
        of,
        Calibration(
            texts=len(held),
            neighbours=best,
            level=level,
            slope=slope,
            se=se,
            mean=float(truth.mean()),
            spread=float(((truth - truth.mean()) ** 2).sum()),
            raw_level=raw_level,
            raw_slope=raw_slope,
            raw_sd=float(np.sqrt(((raw - fitted) ** 2).sum() / (len(raw) - 2))),
            pearson=float(np.corrcoef(raw, truth)[0, 1]) if np.ptp(raw) else 0.0,
            sign=float((np.sign(guess) == np.sign(truth))[told].mean()),
        ),
    )


def _line(x: Floats, y: Floats) -> tuple[float, float, float, Floats]:
    """Least squares of y on x: level, slope, root mean square of the held-out errors, fit.

    A text is not the more opposed for approving neighbours: a slope below 0 is chance, and 0.
    """
    centred = x - x.mean()
    sum_squares = float((centred**2).sum())
    slope = max(float((centred * y).sum() / sum_squares), 0.0) if sum_squares > 0 else 0.0
    level = float(y.mean() - slope * x.mean())
    fit = level + slope * x
    # Of a line through the others, without fitting it n times.
    leverage = 1 / len(x) + (centred**2 / sum_squares if sum_squares > 0 else 0)
    held_out = (y - fit) / np.maximum(1 - leverage, 1e-6)
    return level, slope, float(np.sqrt((held_out**2).mean())), fit


def cell_mean(raw: object, calibration: Calibration) -> tuple[float, float]:
    """The mean intensity of texts from their neighbours' means, and its standard error, in points.

    Not kept on the scale, which would bias it. The error has the spread of the texts and of their
    neighbours' means, and that of the line; it knows nothing of what sets the texts as a kind
    apart from the anchors, such as their length.

    Args:
        raw: neighbours' means of independent texts, such as one a query, shape (n,).
        calibration: of the value.

    Returns:
        NaN twice where the anchors show no slope.
    """
    found = np.asarray(raw, dtype=float)
    slope, sd = calibration.raw_slope, calibration.raw_sd
    if slope <= LEAST_T * sd / np.sqrt(calibration.spread) or not len(found):
        return float("nan"), float("nan")
    mean = float((found.mean() - calibration.raw_level) / slope)
    own = max(float(found.var(ddof=1)) if len(found) > 1 else 0.0, sd**2) / len(found)
    line = sd**2 * (1 / calibration.texts + (mean - calibration.mean) ** 2 / calibration.spread)
    return mean, float(np.sqrt(own + line) / slope)
