"""What a run's own windows say of its judge while it goes on, and when a response is asked enough.

Before the run nothing is known of a judge but what is assumed; its first windows already tell.  The
judge is fitted anew whenever the number of judged windows has doubled, and from then on two things
follow it:

- which anchors are shown: at the judge's dulled scale, but in steps of ``STEP`` from the assumed
  one.  Windows arrive in any order where samples run side by side, so that two runs of one study
  fit slightly different judges; coarse steps keep the windows the same unless the judge differs
  much from what was assumed.
- when to stop: by the judge as it was last fitted, so that the number of windows of a response can
  differ by one between two runs of one study.

Estimates never rest on any of this: they are made from the windows, which the records keep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.evidence.rated_responses import rated_likelihood, rating_grid
from valueflow.scorers.estimate.evidence.ratings import (
    RatingJudge,
    assumed_rating_judge,
    fit_rating_judges,
)
from valueflow.scorers.estimate.evidence.value import ValueWindows, ratings_of
from valueflow.scorers.estimate.judge import AnchorErrors, FittedJudge, JudgeModel, fit_judges
from valueflow.scorers.estimate.likelihood import read_orders
from valueflow.scorers.estimate.responses import (
    LIMIT,
    ResponseEvidence,
    grid_moments,
    relative_likelihood,
    response_log_likelihood,
)
from valueflow.scorers.estimate.table import WindowTable
from valueflow.scorers.windows.adaptive import DESIGN_GRID, DESIGN_LAPSE_RATE, dulled_scale
from valueflow.scorers.windows.plan import rating_variance

Array = NDArray[np.float64]

STEP = 1.5
"""Ratio of neighbouring scales at which windows are chosen."""

FIRST_FIT = 16
"""Judged windows of a run from which its judge is fitted first, and then at every doubling."""

MOST_FITTED = 512
"""Ranked windows that a fit looks at: a judge is known well by then, and a fit takes a second."""

NEARLY_ALL = 1.05
"""How much larger than what no window could take away a response's error may be, to stop there."""

_FIELDS = ("anchors", "texts", "order", "ratings", "rating_scale", "position", "shown")


@dataclass(frozen=True)
class Standing:
    """What a response's windows say of it so far, in points.

    ``se`` is the standard deviation of its posterior given its own windows and a flat prior,
    anchors' errors included; ``floor`` what would be left of it after windows without end: the
    judge's disagreement with this text, and with the anchors.  ``fitted`` tells whether the judge
    was fitted to windows of the run, and is not merely assumed.
    """

    mean: float
    se: float
    floor: float
    fitted: bool

    def stops(self, target_se: float) -> str | None:
        """Why no more is asked: `target`, `disagreement`, or None where more is."""
        if self.se <= target_se:
            return "target"
        out_of_reach = self.fitted and self.floor > target_se
        return "disagreement" if out_of_reach and self.se <= NEARLY_ALL * self.floor else None


@dataclass
class RunningJudge:
    """A run's judge, as its windows have shown it so far.

    Attributes:
        rated: whether it gives numbers; it ranks otherwise.
        scale, text_sd: as assumed before the first fit.
        fits: how often it was fitted.
    """

    rated: bool
    scale: float
    text_sd: float
    fits: int = 0
    _windows: dict[tuple[str, str, int], dict[str, Any]] = field(default_factory=dict, repr=False)
    _ranking: FittedJudge | None = field(default=None, repr=False)
    _ratings: dict[str, RatingJudge] = field(default_factory=dict, repr=False)
    _errors: dict[str, tuple[float, float]] = field(default_factory=dict, repr=False)

    @property
    def windows(self) -> int:
        """Judged windows of the run so far."""
        return len(self._windows)

    @property
    def design_scale(self) -> float:
        """The dulled scale at which windows are chosen, in log-worth per point."""
        assumed = dulled_scale(self.scale, self.text_sd)
        if self._ranking is None:
            return assumed
        known = dulled_scale(self._ranking.model.scale, self._ranking.model.text_sd)
        steps = np.rint(np.log(known / assumed) / np.log(STEP))
        return float(assumed * STEP**steps)

    def told(self, value: str) -> dict[str, float]:
        """The judge as it stands, for the record: scale or noise, text standard deviation, and
        the windows that the run had."""
        if self.rated:
            judge = self._rating_judge(value)
            known = {"slope": judge.slope, "noise_sd": judge.noise_sd, "text_sd": judge.text_sd}
        else:
            model = self._ranking_model()
            known = {"scale": model.scale, "text_sd": model.text_sd}
        return {**{name: round(one, 3) for name, one in known.items()}, "windows": self.windows}

    def learn(self, value: str, item: str, number: int, window: Mapping[str, Any]) -> None:
        """Takes in a judged window, number ``number`` of an item; fits anew where it is time."""
        kept = {name: window[name] for name in _FIELDS if window.get(name) is not None}
        # A text of two values has an error on each.
        kept["texts"] = [f"{value}: {text}" for text in kept["texts"]]
        self._windows[value, item, number] = kept
        count = len(self._windows)
        if count >= FIRST_FIT and count & (count - 1) == 0:
            self._fit()

    def _fit(self) -> None:
        names = sorted(self._windows)
        if not self.rated:
            names = names[:: -(-len(names) // MOST_FITTED)]
        table = _table(
            # One judge ranks all values; how it differs between them is left to the estimate.
            {
                "item": f"{value}: {item}",
                "value": value if self.rated else "",
                "cell": value if self.rated else "",
                **self._windows[value, item, number],
            }
            for value, item, number in names
        )
        self.fits += 1
        if self.rated:
            ratings = ratings_of(table, np.arange(table.windows))
            judges = fit_rating_judges(ratings, len(table.values)).judges
            self._ratings = dict(zip(table.values, judges, strict=True))
            return
        value = ValueWindows(table, 0)
        anchors = len(table.anchor_names)
        evidence = [ResponseEvidence(value.orders, value.item)]
        self._ranking = fit_judges([value.orders], anchors, evidence)[0]
        errors = self._ranking.errors
        known = zip(table.anchor_names, errors.mean, errors.variance, strict=True)
        self._errors = {name: (float(mean), float(v)) for name, mean, v in known}

    def standing(self, value: str, windows: Sequence[Mapping[str, Any]], anchors: int) -> Standing:
        """Where a response stands after its judged windows.

        Args:
            value: the value on which it was judged.
            windows: its windows, each with an order or ratings.
            anchors: how many anchors the value has: what a run can learn of the scale at most.

        Raises:
            WindowRecordError: a window that cannot be read.
        """
        grid = self.grid(value, len(windows))
        likelihood = self.likelihood(value, windows, grid)
        return _standing(likelihood, grid, self.text_sd_on(value), anchors, self.fitted(value))

    def grid(self, value: str, windows: int) -> Array:
        """Intensities (G,) that so many windows can tell apart."""
        return rating_grid(self._rating_judge(value), windows) if self.rated else DESIGN_GRID

    def text_sd_on(self, value: str) -> float:
        """Its disagreement with single texts, in points."""
        return self._rating_judge(value).text_sd if self.rated else self._ranking_model().text_sd

    def fitted(self, value: str) -> bool:
        """Whether it was fitted to windows of the run."""
        return value in self._ratings if self.rated else self._ranking is not None

    def likelihood(self, value: str, windows: Sequence[Mapping[str, Any]], grid: Array) -> Array:
        """Likelihood (G,) of a response's intensity, up to a factor, by its judged windows."""
        table = _table(
            {"item": "", "value": value, "cell": "", **one} for one in map(_own, windows)
        )
        if self.rated:
            judge = self._rating_judge(value)
            lapsed = np.full(len(windows), judge.lapse_rate)
            ratings = ratings_of(table, np.arange(table.windows))
            return np.asarray(rated_likelihood(ratings, lapsed, 1, judge, grid)[0])
        model = self._ranking_model()
        known = [
            self._errors.get(f"{value}: {name}", (0.0, model.text_sd**2))
            for name in table.anchor_names
        ]
        mean, variance = np.array(known).T
        errors = AnchorErrors(mean, variance, model.text_sd)
        log = response_log_likelihood(read_orders(table), table.item, 1, model, errors, grid)
        return np.asarray(relative_likelihood(log)[0])

    def _ranking_model(self) -> JudgeModel:
        if self._ranking is not None:
            return self._ranking.model
        return JudgeModel(self.scale, text_sd=self.text_sd, lapse_rate=DESIGN_LAPSE_RATE)

    def _rating_judge(self, value: str) -> RatingJudge:
        if value in self._ratings:
            return self._ratings[value]
        noise = float(np.sqrt(rating_variance(self.scale)))
        return assumed_rating_judge(1.0, self.text_sd, noise)


@dataclass
class RunningPanel:
    """The judges of a run, each as its own windows have shown it; a lone judge is called ``""``.

    Their disagreements with a text are taken as independent here; how far they go together is found
    when the run is evaluated.
    """

    names: tuple[str, ...]
    rated: bool
    scale: float
    text_sd: float
    judges: dict[str, RunningJudge] = field(default_factory=dict)

    def of(self, name: str) -> RunningJudge:
        """One of the judges."""
        if name not in self.judges:
            self.judges[name] = RunningJudge(self.rated, self.scale, self.text_sd)
        return self.judges[name]

    @property
    def design_scale(self) -> float:
        """The dulled scale at which windows are chosen: the geometric mean of the judges' own."""
        known = [self.of(name).design_scale for name in self.names]
        return float(np.exp(np.mean(np.log(known))))

    def told(self, value: str) -> dict[str, dict[str, float]]:
        """Each judge as it stands, for the record, see `RunningJudge.told`."""
        return {name: self.of(name).told(value) for name in self.names}

    def learn(self, value: str, item: str, number: int, window: Mapping[str, Any]) -> None:
        """Takes in a judged window, which names its judge in a panel."""
        self.of(window.get("judge", "")).learn(value, item, number, window)

    def standing(self, value: str, windows: Sequence[Mapping[str, Any]], anchors: int) -> Standing:
        """Where a response stands after its judged windows, see `RunningJudge.standing`.

        The floor is that of all judges who have judged in the run, whether or not they have seen
        this response yet: windows without end would show it to each.
        """
        own: dict[str, list[Mapping[str, Any]]] = {}
        for window in windows:
            own.setdefault(window.get("judge", ""), []).append(window)
        grids = [self.of(name).grid(value, len(told)) for name, told in own.items()]
        grid = max(grids, key=len)
        likelihood = np.ones(len(grid))
        for name, told in own.items():
            likelihood *= self.of(name).likelihood(value, told, grid)
            likelihood /= likelihood.max()
        heard = [judge for judge in self.judges.values() if judge.windows]
        sds = np.array([judge.text_sd_on(value) for judge in heard])
        together = float(1 / np.sqrt((1 / sds**2).sum())) if (sds > 0).all() else 0.0
        fitted = all(judge.fitted(value) for judge in heard)
        return _standing(likelihood, grid, together, anchors, fitted)


def _own(window: Mapping[str, Any]) -> dict[str, Any]:
    return {name: window[name] for name in _FIELDS if window.get(name) is not None}


def _table(records: Any) -> WindowTable:
    return WindowTable.from_records({"query": None, **record} for record in records)


def _standing(
    likelihood: Array, grid: Array, text_sd: float, anchors: int, fitted: bool
) -> Standing:
    mean, sd = (float(one[0]) for one in grid_moments((likelihood / likelihood.sum())[None], grid))
    # Level and slope of the scale are known to what all anchors of the value together tell.
    shared = text_sd**2 / anchors * (1 + mean**2 / (LIMIT**2 / 3))
    least = 0.0
    if text_sd > 0:
        seen = np.exp(-0.5 * ((grid - mean) / text_sd) ** 2)
        least = float(grid_moments((seen / seen.sum())[None], grid)[1][0])
    return Standing(mean, float(np.sqrt(sd**2 + shared)), float(np.sqrt(least**2 + shared)), fitted)
