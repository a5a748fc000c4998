"""Accuracies of a survey run: by pass, over all, by attribute and by group, with standard errors.

A row is one (group, question, epoch) of one pass. For each scope and pass:

- `accuracy`: share of right options among the answers that name one;
- `accuracy_all`: the same with refused and unparsed answers counted as wrong, the lower bound, and
  what published accuracies are;
- `refused`, `unparsed`: shares of all answers;
- `js`, `emd`: distances of the stated distribution from the group's, where there is one.

The row `baseline` is the group-blind majority on the same questions, which needs no model. It is
an oracle: it knows how the very question was answered, by all groups together. `baseline_others`
leaves the group itself out of the pool, where other groups have the question.

Groups share questions, and answers to one question go together, so standard errors are clustered
by question (Liang and Zeger 1986, with C / (C − 1) for C clusters). `macro` is the mean over the
attributes. Two passes are compared on the rows that both answered, by the mean paired difference
with a t interval on C − 1 degrees of freedom, and by McNemar's (1947) exact test, which takes rows
for independent.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from valueflow.scorers.figures import Figure
from valueflow.scorers.survey.records import OptionRecord

__all__ = [
    "MACRO",
    "ORDER",
    "OptionSummary",
    "PairedDifference",
    "PassScope",
    "answer_counts",
    "clustered_mean",
    "flatten_options",
    "mcnemar",
    "summarize_options",
]

Array = NDArray[np.float64]
MACRO = "macro"

ORDER = ("profile", "modular_pluralism", "default", "blind", "baseline", "baseline_others")
"""Passes as they are listed: what a reader came for stands first."""

PAIRS = (
    ("default", "blind"),
    ("profile", "blind"),
    ("profile", "default"),
    ("modular_pluralism", "default"),
    ("profile", "modular_pluralism"),
    ("blind", "baseline"),
    ("default", "baseline"),
    ("profile", "baseline"),
    ("modular_pluralism", "baseline"),
)
"""Comparisons, the second subtracted from the first."""


@dataclass(frozen=True)
class PassScope:
    """One pass in one scope; `scope` is empty for all rows, `macro`, an attribute or a group.

    Attributes:
        rows: those that any figure has a number for.
        figures: by name.
        bounds: ends of each figure's t interval by clusters; NaN with fewer than two.
        counts: rows that each figure is a mean of.
    """

    pass_name: str
    scope: str
    rows: int
    figures: Mapping[str, Figure]
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PairedDifference:
    """The accuracy of one pass minus another's, on the rows that both answered.

    Attributes:
        first_only, second_only: rows that only one of the two got right.
        p_value: McNemar's exact test over the first epoch; NaN for baselines with shared credit.
    """

    first: str
    second: str
    scope: str
    rows: int
    figure: Figure
    low: float
    high: float
    first_only: int
    second_only: int
    p_value: float


@dataclass(frozen=True)
class OptionSummary:
    """All that a run says; `counts` are of answers, and `gold_ties` of rows; `groups` are names."""

    scopes: list[PassScope]
    differences: list[PairedDifference]
    counts: dict[str, int]
    leakage: str
    groups: frozenset[str] = frozenset()


def clustered_mean(
    outcome: Array, cluster: NDArray[np.int64], weight: Array | None = None
) -> tuple[Figure, int]:
    """A weighted mean, its standard error by clusters, and how many clusters there are.

    Args:
        outcome: shape (n,).
        cluster: shape (n,), whole numbers from 0.
        weight: shape (n,), positive; equal where not given.

    Returns:
        The figure (NaN without rows; its error NaN with fewer than two clusters) and the count.
    """
    if not len(outcome):
        return Figure(math.nan), 0
    weight = np.ones(len(outcome)) if weight is None else weight
    share = weight / weight.sum()
    value = float(share @ outcome)
    sums = np.bincount(cluster, share * (outcome - value))
    clusters = int(np.count_nonzero(np.bincount(cluster)))
    if clusters < 2:
        return Figure(value), clusters
    return Figure(value, math.sqrt(float(sums @ sums) * clusters / (clusters - 1))), clusters


def mcnemar(first_only: int, second_only: int) -> float:
    """Two-sided exact p-value that either of two answers is as often the only right one."""
    n = first_only + second_only
    if n == 0:
        return 1.0
    return float(min(1.0, 2 * stats.binom.cdf(min(first_only, second_only), n, 0.5)))


class _Rows:
    """The records as arrays, one row per (group, question, epoch), one column set per pass."""

    def __init__(self, records: Sequence[OptionRecord]) -> None:
        keys = {(r["group"], r["question"], r["epoch"]): r for r in records}
        self.index = {key: row for row, key in enumerate(keys)}
        first = list(keys.values())
        questions = {q: n for n, q in enumerate(dict.fromkeys(r["question"] for r in first))}
        self.question = np.array([questions[r["question"]] for r in first], dtype=np.int64)
        self.attribute = np.array([r["attribute"] for r in first])
        self.group = np.array([r["group"] for r in first])
        self.first_epoch = np.array([r["epoch"] for r in first]) == min(r["epoch"] for r in first)
        self.size = len(first)
        self.tied = np.array([r["tied"] for r in first])
        self.columns: dict[str, dict[str, Array]] = {}
        by_pass: dict[str, list[OptionRecord]] = {}
        for record in records:
            by_pass.setdefault(record["pass_name"], []).append(record)
        for name, own in by_pass.items():
            correct = [_number(r["correct"]) for r in own]
            self._put(name, own, "accuracy", correct)
            self._put(name, own, "accuracy_all", np.nan_to_num(correct).tolist())
            for rule in ("refused", "unparsed"):
                self._put(name, own, rule, [float(r["rule"] == rule) for r in own])
            self._put(name, own, "js", [_number(r["js"]) for r in own])
            self._put(name, own, "emd", [_number(r["emd"]) for r in own])
            self._put(name, own, "covered", [_number(r["covered"]) for r in own])
            self._put(name, own, "with_lines", [float(r["lines"] > 0) for r in own])
        self._put("baseline", first, "accuracy", [r["baseline"] for r in first])
        others = [_number(r["baseline_others"]) for r in first]
        self._put("baseline_others", first, "accuracy", others)
        self._put("baseline", first, "js", [r["baseline_js"] for r in first])
        self._put("baseline", first, "emd", [_number(r["baseline_emd"]) for r in first])

    def _put(
        self, name: str, records: Sequence[OptionRecord], figure: str, numbers: Sequence[float]
    ) -> None:
        column = np.full(self.size, np.nan)
        places = [self.index[r["group"], r["question"], r["epoch"]] for r in records]
        column[places] = numbers
        self.columns.setdefault(name, {})[figure] = column

    def scopes(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """All rows, each attribute and each group, as masks."""
        every = np.ones(self.size, dtype=bool)
        yield "", every
        yield MACRO, every
        for name in dict.fromkeys(self.attribute.tolist()):
            yield name, self.attribute == name
        for name in dict.fromkeys(self.group.tolist()):
            yield name, self.group == name

    def mean(self, column: Array, scope: str, mask: NDArray[np.bool_]) -> tuple[Figure, int, int]:
        """Mean of a column over a scope: figure, clusters, rows that have a number."""
        there = mask & ~np.isnan(column)
        weight = None
        if scope == MACRO:
            names, inverse = np.unique(self.attribute[there], return_inverse=True)
            size = np.bincount(inverse, minlength=len(names))
            weight = 1 / size[inverse] if len(names) else None
        figure, clusters = clustered_mean(column[there], self.question[there], weight)
        return figure, clusters, int(there.sum())


def answer_counts(records: Sequence[OptionRecord]) -> dict[str, int]:
    """How many answers there are, and how many name no option."""
    return {
        "answers": len(records),
        "refused": sum(r["rule"] == "refused" for r in records),
        "unparsed": sum(r["rule"] == "unparsed" for r in records),
        "truncated": sum(r["truncated"] for r in records),
    }


def summarize_options(records: Sequence[OptionRecord], confidence: float = 0.95) -> OptionSummary:
    """All accuracies, distances and comparisons of a run.

    Args:
        records: scored answers of any passes, groups and epochs.
        confidence: coverage of the intervals.
    """
    counts = answer_counts(records)
    if not records:
        return OptionSummary([], [], counts, "")
    rows = _Rows(records)
    counts["rows"] = rows.size
    counts["questions"] = len(set(rows.question.tolist()))
    counts["gold_ties"] = int(rows.tied.sum())
    scopes, differences = [], []
    for scope, mask in rows.scopes():
        for name in sorted(rows.columns, key=ORDER.index):
            columns = rows.columns[name]
            figures, bounds, counts_of = {}, {}, {}
            for figure, column in columns.items():
                found, clusters, there = rows.mean(column, scope, mask)
                if there:
                    figures[figure] = found
                    bounds[figure] = _t_interval(found, clusters, confidence)
                    counts_of[figure] = there
            if figures:
                most = max(counts_of.values())
                scopes.append(PassScope(name, scope, most, figures, bounds, counts_of))
        for first, second in PAIRS:
            if first in rows.columns and second in rows.columns:
                differences.append(_difference(rows, first, second, scope, mask, confidence))
    return OptionSummary(
        scopes=scopes,
        differences=[one for one in differences if one.rows],
        counts=counts,
        leakage=next((r["leakage"] for r in records if r["leakage"]), ""),
        groups=frozenset(rows.group.tolist()),
    )


def flatten_options(summary: OptionSummary) -> dict[str, float]:
    """A summary as one mapping; what there is no number for is left out.

    A name is the pass, then the scope (`macro`, an attribute, a group, or nothing for all rows),
    then the figure. All figures are given over all rows; attributes and their mean have both
    accuracies and differences, groups one accuracy and differences, so that the list can be read
    (and Inspect draws it in seconds).
    """
    flat: dict[str, float] = {}

    def put(name: str, found: Figure) -> None:
        if not math.isnan(found.value):
            flat[name] = found.value
            if not math.isnan(found.se):
                flat[f"{name}_stderr"] = found.se

    for one in summary.scopes:
        name = " ".join(part for part in (one.pass_name, one.scope) if part)
        if one.scope in summary.groups and one.pass_name == "baseline_others":
            continue
        shown = {"accuracy"} if one.scope in summary.groups else {"accuracy", "accuracy_all"}
        for figure, found in one.figures.items():
            if not one.scope or figure in shown:
                put(f"{name} {figure}", found)
    for pair in summary.differences:
        if pair.scope and pair.second == "baseline":
            continue
        if pair.scope in summary.groups and pair.second != "default":
            continue
        name = " ".join(p for p in (f"{pair.first}-{pair.second}", pair.scope) if p)
        put(f"{name} difference", pair.figure)
        if pair.scope not in summary.groups:
            for end, bound in (("low", pair.low), ("high", pair.high), ("p", pair.p_value)):
                put(f"{name} {'mcnemar_p' if end == 'p' else f'difference_{end}'}", Figure(bound))
        if not pair.scope:
            flat[f"{name} only_first_right"] = pair.first_only
            flat[f"{name} only_second_right"] = pair.second_only
    flat.update(summary.counts)
    if summary.leakage.startswith(("profile", "none")):
        flat["profile_built_on_scored_questions"] = float(summary.leakage.startswith("profile"))
    return flat


def _difference(
    rows: _Rows, first: str, second: str, scope: str, mask: NDArray[np.bool_], confidence: float
) -> PairedDifference:
    one, two = (rows.columns[name]["accuracy"] for name in (first, second))
    figure, clusters, count = rows.mean(one - two, scope, mask)
    low, high = _t_interval(figure, clusters, confidence)
    there = mask & rows.first_epoch & ~np.isnan(one - two)
    whole = bool(np.isin(two[there], (0.0, 1.0)).all())
    only = [int((there & (a > b)).sum()) for a, b in ((one, two), (two, one))]
    return PairedDifference(
        first=first,
        second=second,
        scope=scope,
        rows=count,
        figure=figure,
        low=low,
        high=high,
        first_only=only[0],
        second_only=only[1],
        p_value=mcnemar(*only) if whole and scope != MACRO else math.nan,
    )


def _t_interval(figure: Figure, clusters: int, confidence: float) -> tuple[float, float]:
    """A t interval on one degree of freedom fewer than there are clusters."""
    if clusters < 2:
        return math.nan, math.nan
    half = float(stats.t.ppf((1 + confidence) / 2, clusters - 1)) * figure.se
    return figure.value - half, figure.value + half


def _number(raw: float | None) -> float:
    return math.nan if raw is None else raw
