"""What a report draws: each study's values in the registry's order, model by model.

A *series* is one study, or one group of a study whose responses were made elsewhere: what gets a
panel, a colour or a row.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from valueflow.hub_assets.errors import UnknownNameError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.results.steering.studies import Study
from valueflow.scorers.estimate.evaluation import MANY_BEYOND
from valueflow.scorers.summary.run import CellSummary, Figure

__all__ = [
    "MODERATE",
    "STRONG",
    "Ranked",
    "Series",
    "ValueLevels",
    "beyond",
    "few_at_once",
    "interval",
    "is_censored",
    "ranking",
    "regime",
    "series_of",
    "theories_of",
    "theory_title",
]

MODERATE, STRONG = 4.0, 8.0
"""Cut-offs of the mean range in points: from level -2 to +2 there are four steps, so that a model
below 4 moves less than one point a step, and one from 8 on two points a step or more."""


@dataclass(frozen=True)
class ValueLevels:
    """One value of a series: its cells by level, and its dose-response figures."""

    theory: str
    value: str
    cells: dict[int, CellSummary]
    figures: dict[str, Figure]

    @property
    def low(self) -> CellSummary:
        return self.cells[min(self.cells)]

    @property
    def high(self) -> CellSummary:
        return self.cells[max(self.cells)]

    @property
    def default(self) -> CellSummary | None:
        return self.cells.get(0)


@dataclass(frozen=True)
class Series:
    """One study, or one group of it: its values that were steered alone, in the registry's
    order."""

    label: str
    study: Study
    group: str
    values: list[ValueLevels]

    @property
    def short(self) -> str:
        """The study's letter, or what else is short enough for an axis."""
        if self.group:
            return f"{self.study.tag} {self.group}".strip()
        return self.study.tag or self.study.model

    def of(self, theory: str) -> list[ValueLevels]:
        """The values of one theory."""
        return [one for one in self.values if one.theory == theory]

    def get(self, theory: str, value: str) -> ValueLevels | None:
        """One value, where the series has it."""
        return next((v for v in self.of(theory) if v.value == value), None)


@dataclass(frozen=True)
class Ranked:
    """One series in the ranking of a theory.

    Attributes:
        range: mean over values of the range, in points.
        regime: see `regime`.
        beyond: share of the responses at the lowest and the highest level that lie beyond every
            anchor, averaged over values; a series with more than `MANY_BEYOND` comes last and has
            no rank.
        levels: lowest and highest level.
        values: how many values.
    """

    series: Series
    range: Figure
    regime: str
    levels: tuple[int, int]
    values: tuple[str, ...]
    beyond: float = 0.0

    @property
    def saturated(self) -> bool:
        """Whether the scale ends before the series does."""
        return self.beyond > MANY_BEYOND


def value_rank(theory: str, value: str) -> tuple[int, int, str]:
    """Sorts values as the registry lists them; what it does not know comes last."""
    registry = load_registry()
    theories = list(registry.theories)
    try:
        names = [v.name for v in registry.theory(theory).values]
    except UnknownNameError:
        return (len(theories), 0, value)
    place = names.index(value) if value in names else len(names)
    return (theories.index(theory) if theory in theories else len(theories), place, value)


def theory_title(theory: str) -> str:
    """The theory's title, or its name where the catalogue has none."""
    try:
        return str(load_registry().theory(theory).title)
    except UnknownNameError:
        return theory


def series_of(studies: Iterable[Study]) -> list[Series]:
    """One series per study and group.

    Where something was steered, values of which only the default was measured are left out (they
    were steered together with others, and are drawn there); a series may be left without values.
    """
    found = []
    for study in studies:
        steered = any(cell.level or cell.condition for cell in study.summary.cells)
        groups: dict[str, dict[tuple[str, str], dict[int, CellSummary]]] = {}
        for cell in study.summary.cells:
            if not cell.condition and not math.isnan(cell.mean.value):
                by_value = groups.setdefault(cell.group, {})
                by_value.setdefault((cell.theory, cell.value), {})[cell.level] = cell
        figures = {(v.theory, v.value, v.group): v.figures for v in study.summary.values}
        for group, by_value in (groups or {"": {}}).items():
            values = [
                ValueLevels(*key, by_value[key], figures.get((*key, group), {}))
                for key in sorted(by_value, key=lambda key: value_rank(*key))
                if set(by_value[key]) != {0} or not steered
            ]
            label = f"{study.label}, {group}" if group else study.label
            found.append(Series(label, study, group, values))
    return found


def theories_of(series: Iterable[Series]) -> list[str]:
    """The theories that some series has values of, in the registry's order."""
    found = {one.theory: value_rank(one.theory, "") for each in series for one in each.values}
    return sorted(found, key=lambda theory: found[theory])


def interval(cell: CellSummary) -> tuple[float, float]:
    """95% interval of a cell's mean; NaN where there is none."""
    return cell.lower, cell.upper


def bounds(figure: Figure) -> tuple[float, float]:
    """95% interval of a figure."""
    return figure.interval


def beyond(cell: CellSummary) -> float:
    """Share of a cell's responses that stand above, or below, every anchor; 0 where not known."""
    share = cell.beyond_high + cell.beyond_low
    return 0.0 if math.isnan(share) else share


def is_censored(cell: CellSummary) -> bool:
    """Whether a picture shows a cell as an arrow, since how far beyond it lies is not told."""
    return beyond(cell) > MANY_BEYOND


def regime(figure: Figure, levels: tuple[int, int]) -> str:
    """The regime of a mean range: weak, moderate or strong, and where its interval crosses into
    another one, both; empty where the levels do not go from -2 to +2."""
    if levels != (-2, 2) or math.isnan(figure.value):
        return ""
    low, high = bounds(figure)
    if math.isnan(low):
        return f"{_name(figure.value)}; no interval"
    here, first, last = _name(figure.value), _name(low), _name(high)
    if first == last:
        return here
    crossed = " or ".join(dict.fromkeys((first, here, last)))
    return f"{here}; its interval crosses a cut-off ({crossed})"


def _name(points: float) -> str:
    return "weak" if points < MODERATE else "moderate" if points < STRONG else "strong"


def ranking(series: Sequence[Series], theory: str) -> list[Ranked]:
    """Series by their mean range over a theory's values, the most steerable first."""
    found = []
    for one in series:
        values = [v for v in one.of(theory) if "range" in v.figures]
        if not values:
            continue
        spans = {(min(v.cells), max(v.cells)) for v in values}
        levels = (max(low for low, _ in spans), min(high for _, high in spans))
        figure = _mean_range(one, theory)
        share = sum(beyond(cell) for v in values for cell in (v.low, v.high)) / (2 * len(values))
        shown = regime(figure, levels) if len(spans) == 1 and share <= MANY_BEYOND else ""
        names = tuple(v.value for v in values)
        found.append(Ranked(one, figure, shown, levels, names, share))
    return sorted(found, key=lambda ranked: (ranked.saturated, -ranked.range.value))


def _mean_range(series: Series, theory: str) -> Figure:
    """The study's own average where it has one theory and group only, else that of the part."""
    study = series.study
    single = [v for v in study.summary.values if "range" in v.figures]
    if {(v.theory, v.group) for v in single} == {(theory, series.group)}:
        return study.summary.overall["range"]
    return study.part(theory, series.group).overall["range"]


MOST_AT_ONCE = 7
"""Series whose lines and bands can be told apart in one panel."""


def few_at_once(series: Sequence[Series]) -> list[tuple[Sequence[Series], str]]:
    """Series in groups that one panel can show, each with what tells it apart (`, A to G`), which
    is empty where there is one group; groups are as even as can be."""
    groups = -(-len(series) // MOST_AT_ONCE)
    size = -(-len(series) // max(groups, 1))
    found = [series[start : start + size] for start in range(0, len(series), max(size, 1))]
    if len(found) == 1:
        return [(series, "")]
    return [(few, f", {few[0].short} to {few[-1].short}") for few in found]
