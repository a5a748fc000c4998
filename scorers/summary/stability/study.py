"""The figures of a judge-stability study, each with an interval.

Sums over texts are sums over clusters (queries), and every error is that of the jackknife that
leaves one cluster out (Tukey 1958; Efron and Tibshirani 1993, chapter 11), so that differences
between two ways of asking the same texts have errors of their own. Judges and wordings are those of
the study and no sample of others: intervals say what other texts would have given.

Shares have Wilson's interval (Wilson 1927) for the number of independent texts that would have the
same error, which is the design effect of Kish (1965, section 8.2); amounts that cannot be negative
have an interval of their logarithm, correlations of Fisher's z; the rest Student's t over clusters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from valueflow.scorers.figures import Z95, Figure, wilson
from valueflow.scorers.summary.stability.judgements import WAYS, JudgedText, Judgements
from valueflow.scorers.summary.stability.scores import SCALES, Scores, scores_of

__all__ = [
    "FIGURES",
    "PUBLISHED",
    "Difference",
    "JudgeRow",
    "Replicates",
    "StabilityFigure",
    "StabilityStudy",
    "figures_of",
    "stability_of",
]

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class _Kind:
    """A figure: its unit, and the form of its interval (`share`, `amount`, `correlation` or
    `number`)."""

    title: str
    unit: str
    form: str


FIGURES: Mapping[str, _Kind] = {
    "judge_variance": _Kind("mean variance across judges", "points²", "amount"),
    "judge_range": _Kind("mean maximal range across judges", "points", "amount"),
    "sign_flips": _Kind("sign-flip rate across judges", "%", "share"),
    "wording_change": _Kind("mean change across wordings", "points", "amount"),
    "wording_sign_flips": _Kind("sign-flip rate across wordings", "%", "share"),
    "sign_accuracy": _Kind("sign accuracy", "%", "share"),
    "pairwise_accuracy": _Kind("pairwise accuracy", "%", "share"),
    "deviation": _Kind("mean deviation from the labels", "points", "amount"),
    "correlation": _Kind("correlation with the labels", "", "correlation"),
    "slope": _Kind("slope on the labels", "", "number"),
}
"""The figures by name. Shares are kept as such, and shown in percent."""

PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "rating": {
        "judge_variance": 12.6,
        "judge_range": 7.1,
        "sign_flips": 0.48,
        "wording_change": 3.6,
        "sign_accuracy": 0.825,
        "pairwise_accuracy": 0.774,
    },
    "ranking": {
        "judge_variance": 2.1,
        "judge_range": 2.8,
        "sign_flips": 0.29,
        "wording_change": 2.3,
        "sign_accuracy": 0.868,
        "pairwise_accuracy": 0.842,
    },
}
"""Figures of the method's study (Kim et al., ICML 2026), by way; of other texts and judges."""


@dataclass(frozen=True)
class StabilityFigure:
    """A figure of one way of asking.

    Attributes:
        way: `rating`, `window_rating` or `ranking`.
        scale: `raw` or `calibrated`.
        name: one of `FIGURES`.
        figure: number, standard error and 95 % interval; shares in [0, 1].
        texts: texts that it rests on.
        clusters: their queries.
    """

    way: str
    scale: str
    name: str
    figure: Figure
    texts: int
    clusters: int


@dataclass(frozen=True)
class Difference:
    """How a figure of one way differs from that of another, on the same texts."""

    name: str
    way: str
    scale: str
    other_way: str
    other_scale: str
    figure: Figure


@dataclass(frozen=True)
class JudgeRow:
    """How one judge in one wording used its scale.

    Attributes:
        texts: texts that it scored.
        mean, sd: of its scores, in points.
        at_ends: share of scores at ±10.
        correlation, slope: with and on the labels; NaN without them.
    """

    way: str
    scale: str
    judge: str
    wording: str
    texts: int
    mean: float
    sd: float
    at_ends: float
    correlation: float
    slope: float


@dataclass(frozen=True)
class StabilityStudy:
    """Everything that a study says.

    Attributes:
        texts: the texts that were judged.
        scores: of all texts, by everyone who was asked.
        figures: by way, scale and name, those that the judgements allow.
        differences: of the ways and of raw and calibrated scores, paired by text.
        judges: how each used its scale.
        left_out: judgements and texts that count for nothing, with counts.
        notes: sentences that a reader must be told.
    """

    texts: list[JudgedText]
    scores: list[Scores]
    figures: list[StabilityFigure]
    differences: list[Difference]
    judges: list[JudgeRow]
    left_out: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Replicates:
    """A figure, and what it is (G,) with each cluster left out."""

    kind: _Kind
    value: float
    without: Array
    texts: int
    clusters: int

    @property
    def se(self) -> float:
        """The jackknife's standard error; NaN where clusters do not tell one."""
        if self.clusters < 2:
            return math.nan
        kept = self.without[np.isfinite(self.without)]
        return _spread(kept) if len(kept) == len(self.without) else math.nan

    def figure(self) -> Figure:
        """With its interval."""
        if self.kind.form == "share":
            return _share(self.value, self.se, self.clusters)
        se = self.se
        if not se > 0:  # Nothing differs between the clusters, which says nothing of others.
            return Figure(self.value)
        half = float(stdtrit(self.clusters - 1, 0.975)) * se
        if self.kind.form == "correlation" and abs(self.value) < 1:
            # Fisher's z, on which the error is even and an interval stays below 1.
            z, wide = math.atanh(self.value), half / (1 - self.value**2)
            return Figure(self.value, se, math.tanh(z - wide), math.tanh(z + wide))
        if self.kind.form == "amount":
            factor = math.exp(half / self.value)
            return Figure(self.value, se, self.value / factor, self.value * factor)
        return Figure(self.value, se, self.value - half, self.value + half)


def _spread(without: Array) -> float:
    n = len(without)
    return float(np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2)))


def _share(value: float, se: float, clusters: int) -> Figure:
    """A share whose error is known from clusters; one of 0 or 1 counts each cluster once."""
    room = value * (1 - value)
    if clusters < 2:
        return Figure(value)
    count = room / se**2 if se > 0 and room > 0 else float(clusters)
    # Student's t for the clusters, by which the effective number shrinks (Korn and Graubard 1998).
    t = float(stdtrit(clusters - 1, 0.975))
    lower, upper = wilson(value * count * (Z95 / t) ** 2, count * (Z95 / t) ** 2)
    return Figure(value, se if se > 0 else (upper - lower) / (2 * Z95), lower, upper)


def stability_of(judgements: Judgements) -> StabilityStudy:
    """Scores all texts and compares the judges, the wordings, and both with the labels.

    Raises:
        WindowRecordError: a window cannot be read; the number of its record is named.
    """
    scores = scores_of(judgements)
    texts = judgements.texts
    queries = {query: n for n, query in enumerate(dict.fromkeys(t.query for t in texts))}
    cluster = np.array([queries[text.query] for text in texts], dtype=np.int64)
    labels = np.array([np.nan if text.label is None else text.label for text in texts])
    values = np.array([text.value for text in texts])
    found: dict[tuple[str, str, str], Replicates] = {}
    notes, left_out = [note for one in scores for note in one.notes], dict(judgements.failed)
    for way in WAYS:
        own = [one for one in scores if one.asked.way == way]
        if not own:
            continue
        notes += _lacking(way, own)
        incomplete = _incomplete(own)
        if incomplete:
            what = f"texts that not every judge and wording scored ({way.replace('_', ' ')})"
            left_out[what] = incomplete
        for scale in SCALES:
            grid = {(one.asked.judge, one.asked.wording): one.on(scale) for one in own}
            made = figures_of(grid, labels, values, cluster)
            found |= {(way, scale, name): one for name, one in made.items()}
    if np.isnan(labels).all():
        notes.append(
            "No text has a label, so there is nothing to be accurate about: sign and pairwise "
            "accuracy, deviation, correlation and slope are left out, and ratings of single texts "
            "are not calibrated"
        )
    elif np.isnan(labels).any():
        left_out["texts without a label (in the figures that need one)"] = int(
            np.isnan(labels).sum()
        )
    if judgements.repeated:
        left_out["repeated ratings of a text (averaged)"] = judgements.repeated
    if 1 < len(queries) < 10:
        notes.append(
            f"The texts are of {len(queries)} queries, which is few: intervals are wide, and their "
            "coverage is not exact"
        )
    return StabilityStudy(
        texts=texts,
        scores=scores,
        figures=[
            StabilityFigure(way, scale, name, one.figure(), one.texts, one.clusters)
            for (way, scale, name), one in found.items()
        ],
        differences=_differences(found),
        judges=[_judge_row(one, scale, labels) for one in scores for scale in SCALES],
        left_out=left_out,
        notes=notes,
    )


def _lacking(way: str, scores: Sequence[Scores]) -> list[str]:
    """Which figures cannot be, for want of judges or wordings."""
    judges = {one.asked.judge for one in scores}
    wordings = {one.asked.wording for one in scores}
    lacking = []
    if len(judges) < 2:
        lacking.append("one judge, so nothing differs between judges")
    if len(wordings) < 2:
        lacking.append("one wording, so nothing differs between wordings")
    if not lacking:
        return []
    return [f"{way.replace('_', ' ')}: there is {' and '.join(lacking)}"]


def _incomplete(scores: Sequence[Scores]) -> int:
    """Texts that some judge in some wording scored, and not all did."""
    known = np.array([~np.isnan(one.raw) for one in scores])
    return int((known.any(axis=0) & ~known.all(axis=0)).sum())


Grid = Mapping[tuple[str, str], Array]
"""Scores (N,) by judge and wording."""


def figures_of(
    grid: Grid, labels: Array, values: NDArray[np.str_], cluster: IntArray
) -> dict[str, Replicates]:
    """The figures of N texts that are scored in one way, those that the scores allow.

    Args:
        grid: scores (N,) by judge and wording, in points; NaN where there is none.
        labels: (N,), in points; NaN where there is none.
        values: (N,), names of the texts' values: only texts of one value are compared.
        cluster: (N,), numbers of their queries, from 0.
    """
    clusters = int(cluster.max()) + 1
    judges = list(dict.fromkeys(judge for judge, _ in grid))
    wordings = list(dict.fromkeys(wording for _, wording in grid))
    amounts: dict[str, list[tuple[Array, IntArray]]] = {}

    def put(name: str, amount: Array, rows: IntArray) -> None:
        if len(rows):
            amounts.setdefault(name, []).append((amount, rows))

    for wording in wordings:
        several = np.array([grid[j, wording] for j in judges if (j, wording) in grid])
        rows = np.flatnonzero(~np.isnan(several).any(axis=0))
        several = several[:, rows]
        if len(several) > 1:
            put("judge_variance", several.var(axis=0, ddof=1), rows)
            put("judge_range", np.ptp(several, axis=0), rows)
            put("sign_flips", _flips(several), rows)
    for judge in judges:
        several = np.array([grid[judge, w] for w in wordings if (judge, w) in grid])
        rows = np.flatnonzero(~np.isnan(several).any(axis=0))
        several = several[:, rows]
        if len(several) > 1:
            pairs = [np.abs(one - other) for one, other in combinations(several, 2)]
            put("wording_change", np.mean(pairs, axis=0), rows)
            put("wording_sign_flips", _flips(several), rows)
    for scores in grid.values():
        rows = np.flatnonzero(~np.isnan(scores) & ~np.isnan(labels))
        put("deviation", np.abs(scores[rows] - labels[rows]), rows)
        signed = rows[labels[rows] != 0]
        agree = (1 + np.sign(scores[signed]) * np.sign(labels[signed])) / 2
        put("sign_accuracy", agree, signed)
    found = {name: _mean(FIGURES[name], of, cluster, clusters) for name, of in amounts.items()}
    pairwise = _pairwise(grid, labels, values, cluster, clusters)
    if pairwise is not None:
        found["pairwise_accuracy"] = pairwise
    found |= _regression(grid, labels, cluster, clusters)
    return {name: found[name] for name in FIGURES if name in found}


def _flips(several: Array) -> Array:
    """Whether two of several scores (S, n) of a text have opposite signs; 0 has none."""
    return ((several > 0).any(axis=0) & (several < 0).any(axis=0)).astype(float)


def _mean(
    kind: _Kind, parts: Sequence[tuple[Array, IntArray]], cluster: IntArray, clusters: int
) -> Replicates:
    """The mean of amounts of texts, which may count several times."""
    sums = np.zeros((clusters, 2))
    for amount, rows in parts:
        np.add.at(sums[:, 0], cluster[rows], amount)
        np.add.at(sums[:, 1], cluster[rows], 1.0)
    rows = np.unique(np.concatenate([rows for _, rows in parts]))
    return _replicates(kind, sums.sum(axis=0), sums, lambda s: s[..., 0] / s[..., 1], rows, cluster)


def _replicates(
    kind: _Kind,
    totals: Array,
    touched: Array,
    function: Callable[[Array], Array],
    rows: IntArray,
    cluster: IntArray,
) -> Replicates:
    """A function of sums (M,), with and without what each cluster (G, M) takes part in."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(function(totals))
        without = np.asarray(function(totals - touched))
    used = np.unique(cluster[rows])
    # Clusters that take no part leave it as it is, and are none of those that tell its error.
    return Replicates(kind, value, without[used], len(rows), len(used))


def _pairwise(
    grid: Grid, labels: Array, values: NDArray[np.str_], cluster: IntArray, clusters: int
) -> Replicates | None:
    """Share of pairs of texts of a value whose scores are ordered as their labels are; a tie of
    scores counts half (a pair takes part in the jackknife of both its clusters)."""
    totals, touched = np.zeros(2), np.zeros((clusters, 2))
    used: list[IntArray] = []
    for value in dict.fromkeys(values.tolist()):
        of_value = (values == value) & ~np.isnan(labels)
        for scores in grid.values():
            rows = np.flatnonzero(of_value & ~np.isnan(scores))
            if len(rows) < 2:
                continue
            above = np.sign(np.subtract.outer(labels[rows], labels[rows]))
            agree = above * np.sign(np.subtract.outer(scores[rows], scores[rows]))
            told = np.stack([(above != 0) * (1 + agree) / 2, above != 0], axis=-1)
            # Every pair stands twice in these matrices, on both sides of the diagonal.
            totals += told.sum(axis=(0, 1)) / 2
            for own in np.unique(cluster[rows]):
                inside = cluster[rows] == own
                block = told[np.ix_(inside, inside)].sum(axis=(0, 1)) / 2
                touched[own] += told[inside].sum(axis=(0, 1)) - block
            used.append(rows[(above != 0).any(axis=1)])
    if not totals[1]:
        return None
    rows = np.unique(np.concatenate(used))
    kind = FIGURES["pairwise_accuracy"]
    return _replicates(kind, totals, touched, lambda s: s[..., 0] / s[..., 1], rows, cluster)


def _regression(
    grid: Grid, labels: Array, cluster: IntArray, clusters: int
) -> dict[str, Replicates]:
    """Correlation of scores with labels and slope on them, within judges and wordings."""
    sums = np.zeros((clusters, len(grid), 6))
    used = np.zeros(len(labels), dtype=bool)
    for place, scores in enumerate(grid.values()):
        rows = np.flatnonzero(~np.isnan(scores) & ~np.isnan(labels))
        label, score = labels[rows], scores[rows]
        moments = [np.ones(len(rows)), label, score, label**2, score**2, label * score]
        np.add.at(sums[:, place], cluster[rows], np.stack(moments, axis=1))
        used[rows] = True
    rows = np.flatnonzero(used)
    if len(rows) < 3 or np.ptp(labels[rows]) == 0:
        return {}

    def within(s: Array) -> tuple[Array, Array, Array]:
        n, x, y, xx, yy, xy = np.moveaxis(s, -1, 0)
        return (
            (xx - x * x / n).sum(axis=-1),
            (yy - y * y / n).sum(axis=-1),
            (xy - x * y / n).sum(axis=-1),
        )

    def correlation(s: Array) -> Array:
        xx, yy, xy = within(s)
        return np.asarray(xy / np.sqrt(xx * yy))

    def slope(s: Array) -> Array:
        xx, _, xy = within(s)
        return np.asarray(xy / xx)

    found = {}
    for name, function in (("correlation", correlation), ("slope", slope)):
        one = _replicates(FIGURES[name], sums.sum(axis=0), sums, function, rows, cluster)
        if math.isfinite(one.value):
            found[name] = one
    return found


def _differences(found: Mapping[tuple[str, str, str], Replicates]) -> list[Difference]:
    """Figures of two ways on one scale, and of raw and calibrated scores of one way; only where
    both rest on the same number of clusters, and so on the same texts' queries."""
    series = list(dict.fromkeys((way, scale) for way, scale, _ in found))
    made = []
    for one, other in combinations(series, 2):
        if one[0] != other[0] and one[1] != other[1]:
            continue
        for name, kind in FIGURES.items():
            a, b = found.get((*one, name)), found.get((*other, name))
            if a is None or b is None or a.clusters != b.clusters or a.texts != b.texts:
                continue
            number = _Kind(kind.title, kind.unit, "number")
            apart = Replicates(
                number, a.value - b.value, a.without - b.without, a.texts, a.clusters
            )
            made.append(Difference(name, *one, *other, apart.figure()))
    return made


def _judge_row(scores: Scores, scale: str, labels: Array) -> JudgeRow:
    own = scores.on(scale)
    known = own[~np.isnan(own)]
    both = ~np.isnan(own) & ~np.isnan(labels)
    correlation = slope = math.nan
    if both.sum() > 2 and np.ptp(own[both]) > 0 and np.ptp(labels[both]) > 0:
        correlation = float(np.corrcoef(own[both], labels[both])[0, 1])
        slope = float(np.polyfit(labels[both], own[both], 1)[0])
    return JudgeRow(
        scores.asked.way,
        scale,
        scores.asked.judge,
        scores.asked.wording,
        len(known),
        float(known.mean()) if len(known) else math.nan,
        float(known.std(ddof=1)) if len(known) > 1 else math.nan,
        float((np.abs(known) >= 9.999).mean()) if len(known) else math.nan,
        correlation,
        slope,
    )
