"""How far reviewers or judges agree: Krippendorff's alpha and correlations, with intervals.

Alpha (Krippendorff 2011) is 1 minus the observed over the expected disagreement. It takes any
number of reviewers, and items that only some of them judged; items with one answer say nothing of
agreement and are left out. 1 is full agreement, 0 what chance would give, and below 0 is less than
that. Intervals are those of a percentile bootstrap (Efron and Tibshirani 1993) over items, or over
the clusters, such as queries, that items belong to.

What a panel of judges says of itself: who judged how much, and how far the judges agree on the same
responses, each by its own estimates, calibrated by the anchors of its own windows, so that a judge
that uses the scale in its own way is not a judge that disagrees.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.figures import Figure
from valueflow.scorers.records import JudgeUsed

if TYPE_CHECKING:
    from valueflow.scorers.estimate.evidence.panel import Shared

__all__ = [
    "Agreement",
    "JudgePair",
    "PanelJudge",
    "PanelSummary",
    "agreement",
    "agreement_of_numbers",
    "correlation_of_numbers",
    "panel_summary",
]

Level = Literal["interval", "nominal"]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

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
    return _with_interval(counts, alpha, _sums(table, domain, level), seed, draws)


def agreement_of_numbers(
    numbers: Floats, clusters: Integers | None = None, *, seed: int = 0, draws: int = 2_000
) -> Agreement:
    """Agreement on the interval scale, where the answers are numbers of any precision.

    The same alpha as that of `agreement`, in closed form: the time grows with the number of
    answers, and not with the square of the number of different ones.

    Args:
        numbers: (N, J), what each of J judges says of N items; NaN where it says nothing.
        clusters: (N,), numbers of what the items share, such as their queries, drawn whole by the
            bootstrap; every item is its own by default.
        seed: of the bootstrap.
        draws: bootstrap draws of clusters.

    Raises:
        ValueError: the shapes do not fit.
    """
    numbers = np.asarray(numbers, dtype=float)
    if numbers.ndim != 2 or (clusters is not None and len(clusters) != len(numbers)):
        raise ValueError("numbers must be (items, judges), with one cluster for each item")
    told = ~np.isnan(numbers)
    size = told.sum(axis=1)
    paired = size > 1
    counts = (
        int((size > 0).sum()),
        int(paired.sum()),
        int(told.any(axis=0).sum()),
        int(told.sum()),
    )
    if not paired.any():
        return Agreement(*counts, None, None, None, "no item has answers of two judges")
    given, size = np.where(told, numbers, 0.0)[paired], size[paired].astype(float)
    given = np.where(told[paired], given - given.sum() / size.sum(), 0.0)
    sums = _numeric_sums(size, given.sum(axis=1), (given**2).sum(axis=1))
    alpha = float(_alpha(sums.sum(axis=0)[None])[0])
    if np.isnan(alpha):
        return Agreement(
            *counts, None, None, None, "all answers are the same, and alpha is not defined"
        )
    if clusters is not None:
        sums = _by_cluster(sums, np.asarray(clusters)[paired])
    if len(sums) < 2:
        return Agreement(*counts, alpha, None, None, "one item gives no interval")
    return _with_interval(counts, alpha, sums, seed, draws)


def correlation_of_numbers(
    first: Floats,
    second: Floats,
    clusters: Integers | None = None,
    *,
    seed: int = 0,
    draws: int = 2_000,
) -> Figure:
    """Pearson's correlation of what two judges say of the same items.

    Args:
        first, second: (N,), NaN where a judge says nothing.
        clusters: (N,), as for `agreement_of_numbers`.
        seed: of the bootstrap.
        draws: bootstrap draws of clusters.

    Returns:
        The correlation, the standard deviation of its bootstrap draws and their central 95 %; NaN
        where fewer than three items have both, or one judge says the same of all of them. Error
        and interval are NaN with fewer than two clusters.
    """
    both = ~(np.isnan(first) | np.isnan(second))
    x, y = np.asarray(first, dtype=float)[both], np.asarray(second, dtype=float)[both]
    if len(x) < 3:
        return Figure(float("nan"))
    x, y = x - x.mean(), y - y.mean()
    sums = np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y])
    value = float(_pearson(sums.sum(axis=0)[None])[0])
    if clusters is not None:
        sums = _by_cluster(sums, np.asarray(clusters)[both])
    if np.isnan(value) or len(sums) < 2:
        return Figure(value)
    found = _pearson(_resampled(sums, seed, draws))
    found = found[np.isfinite(found)]
    if not found.size:
        return Figure(value)
    low, high = np.quantile(found, [LOWER, UPPER])
    return Figure(value, float(found.std()), float(low), float(high))


def _pearson(totals: Floats) -> Floats:
    """Correlations (n,) from sums (n, 6) of 1, x, y, x^2, y^2 and xy."""
    n, x, y, xx, yy, xy = totals.T
    within_x, within_y = xx - x**2 / n, yy - y**2 / n
    some = (within_x > 1e-9 * np.maximum(xx, 1)) & (within_y > 1e-9 * np.maximum(yy, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(some, (xy - x * y / n) / np.sqrt(within_x * within_y), np.nan))


def _by_cluster(sums: Floats, clusters: Integers) -> Floats:
    """Sums over the items (n, d) of each cluster."""
    names, code = np.unique(clusters, return_inverse=True)
    total = np.zeros((len(names), sums.shape[1]))
    np.add.at(total, code, sums)
    return total


def _with_interval(
    counts: tuple[int, int, int, int], alpha: float, sums: Floats, seed: int, draws: int
) -> Agreement:
    found = _alpha(_resampled(sums, seed, draws))
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
        return _numeric_sums(size, table.astype(float), size)
    numbers = np.array(domain, dtype=float)
    numbers = numbers - numbers.mean()
    return _numeric_sums(size, table @ numbers, table @ numbers**2)


def _numeric_sums(size: Floats, sums: Floats, squares: Floats) -> Floats:
    """`_sums` from the number (n,), sum (n,) or (n, d), and sum of squares (n,) of the answers."""
    sums = sums.reshape(len(size), -1)
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


def _resampled(sums: Floats, seed: int, draws: int) -> Floats:
    """Sums (draws, d) over rows drawn with replacement."""
    generator = np.random.default_rng(seed)
    n = len(sums)
    return np.array([sums[generator.integers(n, size=n)].sum(axis=0) for _ in range(draws)])


@dataclass(frozen=True)
class PanelJudge:
    """One judge of a panel.

    Attributes:
        name: its name.
        judged, lost: windows that it judged, and those of its windows that have no judgement.
        dropped: whether it was left out of the figures, since most are lost.
        used: calls, tokens and money; None where the records do not tell.
        without: the figures of the run without this judge, by name; empty where it was dropped.
    """

    name: str
    judged: int
    lost: int
    dropped: bool = False
    used: JudgeUsed | None = None
    without: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class JudgePair:
    """How far two judges agree.

    Attributes:
        first, second: their names.
        responses: responses' values that both judged.
        correlation: of their estimates of these.
        together: the correlation of their disagreements with the anchors that both saw, with its
            standard error; `used` is what of it the estimates of responses take for granted.
        anchors: how many anchors both saw.
    """

    first: str
    second: str
    responses: int
    correlation: Figure
    together: Figure
    used: float
    anchors: int


@dataclass(frozen=True)
class PanelSummary:
    """A panel of judges.

    Attributes:
        judges: in the order of their roles.
        agreement: Krippendorff's alpha (interval) of the judges' estimates of responses.
        pairs: every two judges that were not dropped.
    """

    judges: list[PanelJudge]
    agreement: Agreement
    pairs: list[JudgePair]


def panel_summary(
    names: Sequence[str],
    own: Floats,
    query: Integers,
    shared: "Shared | None",
    counts: Mapping[str, tuple[int, int]],
    used: Mapping[str, JudgeUsed],
    without: Mapping[str, Mapping[str, Figure]],
) -> PanelSummary:
    """Sums up a panel.

    Args:
        names: its judges, without those that were dropped.
        own: (N, J), what each of them says of each response on its own, from `own_estimates`.
        query: (N,), numbers of the responses' queries.
        shared: how far their disagreements with anchors go together; None for one judge.
        counts: windows judged and lost, by judge, of those that were dropped too.
        used: what each judge took.
        without: the run's figures without each judge.
    """
    pairs = []
    for b in range(len(names)):
        for a in range(b):
            both = ~np.isnan(own[:, [a, b]]).any(axis=1)
            together, kept, anchors = Figure(float("nan")), 0.0, 0
            if shared is not None:
                together = Figure(float(shared.estimate[a, b]), float(shared.se[a, b]))
                kept, anchors = float(shared.correlation[a, b]), int(shared.anchors[a, b])
            pairs.append(
                JudgePair(
                    names[a],
                    names[b],
                    int(both.sum()),
                    correlation_of_numbers(own[:, a], own[:, b], query),
                    together,
                    kept,
                    anchors,
                )
            )
    judges = [
        PanelJudge(
            name,
            *counts.get(name, (0, 0)),
            dropped=name not in names,
            used=used.get(name),
            without=dict(without.get(name, {})),
        )
        for name in dict.fromkeys([*counts, *names])
    ]
    return PanelSummary(judges, agreement_of_numbers(own, query), pairs)
