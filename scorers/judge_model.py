"""What is known about how one judge ranks texts for one value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOISE_VARIANCE = float((15 * np.pi / (16 * np.sqrt(3))) ** 2 / 2)
"""Variance, in squared log-worth, of a normal noise on each of two texts that orders them nearly
as a Plackett-Luce judge of scale 1 does (Zeger, Liang and Albert 1988).  A normal error of variance
v about a text dulls a judge of scale s to one of scale s / sqrt(1 + v * s^2 / NOISE_VARIANCE)."""


@dataclass(frozen=True)
class JudgeModel:
    """A judge of one value: the worth of a text is exp(scale * intensity - place_effect * place).

    ``scale`` is in log-worth per point of intensity: 0.3 is a noisy judge, 3 a sharp one.
    ``place_effect`` is in log-worth per place; positive favours texts shown earlier.
    ``text_sd``, in points, is the spread of the judge's standing disagreement with single texts.
    ``lapse_rate`` is the share of windows that are ordered at random.
    Each has a standard error; ``windows`` counts the windows they were estimated from.
    ``covariance`` is the covariance of (log scale, place effect, text sd, lapse rate).
    """

    scale: float
    scale_se: float = 0.0
    place_effect: float = 0.0
    place_effect_se: float = 0.0
    text_sd: float = 0.0
    text_sd_se: float = 0.0
    lapse_rate: float = 0.0
    lapse_rate_se: float = 0.0
    windows: int = 0
    covariance: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"a judge's scale must be positive and finite, not {self.scale}")
        if self.text_sd < 0 or not 0 <= self.lapse_rate < 1:
            raise ValueError("a judge's text_sd must be >= 0 and its lapse_rate in [0, 1)")

    def parameter_covariance(self) -> NDArray[np.float64]:
        """Covariance (4, 4) of (log scale, place effect, text sd, lapse rate)."""
        if self.covariance is not None:
            return np.asarray(self.covariance, dtype=np.float64)
        errors = (self.scale_se / self.scale, self.place_effect_se, self.text_sd_se)
        return np.diag(np.square((*errors, self.lapse_rate_se)))
