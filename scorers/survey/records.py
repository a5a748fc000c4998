"""An answer held against a group's distribution over the options of a question.

- An option is right where it is one of the group's most frequent; of several that share the top,
  each is right.
- The group-blind baseline answers every group of a question with the most frequent option of their
  pooled distribution; of k that share the top it gets the mean credit of the k.
- `jensen_shannon` has base 2 and lies in [0, 1]: 0 the same distribution, 1 no option in common.
- `earth_mover` is the work of moving one distribution into the other over neighbouring options,
  divided by that of moving everything from one end to the other; it needs ordered options.

The record of one survey answer: what was named, and how it stands to the group's answers.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from valueflow.hub_assets.survey.sample import OpinionSample
from valueflow.scorers.survey.answers import READER_VERSION, ReadAnswer

__all__ = [
    "OptionRecord",
    "blind_credit",
    "credit",
    "earth_mover",
    "jensen_shannon",
    "option_record",
    "top_options",
]

TIE = 1e-9
"""Shares that differ by no more than this are tied."""

Array = NDArray[np.float64]


def top_options(shares: Sequence[float]) -> list[int]:
    """The most frequent options; several where they are tied."""
    top = max(shares)
    return [index for index, share in enumerate(shares) if top - share <= TIE]


def credit(option: int, gold: Sequence[float]) -> float:
    """1 where the option is one of the gold's most frequent, else 0."""
    return float(option in top_options(gold))


def blind_credit(pooled: Sequence[float], gold: Sequence[float]) -> float:
    """The baseline's credit: the mean over the most frequent options of the pooled distribution."""
    return float(np.mean([credit(option, gold) for option in top_options(pooled)]))


def jensen_shannon(first: Sequence[float], second: Sequence[float]) -> float:
    """Jensen–Shannon divergence of two distributions (Lin 1991), in bits.

    Args:
        first, second: shares over the same options, each summing to 1.
    """
    p, q = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    middle = (p + q) / 2
    return float(max(0.0, (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2))


def _relative_entropy(p: Array, q: Array) -> float:
    there = p > 0
    return float(np.sum(p[there] * np.log2(p[there] / q[there])))


def earth_mover(first: Sequence[float], second: Sequence[float]) -> float:
    """Earth mover's distance over ordered options one step apart, as a share of the largest.

    Args:
        first, second: shares over the same two or more options in order, each summing to 1.
    """
    p, q = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    return float(np.abs(np.cumsum(p - q))[:-1].sum() / (len(p) - 1))


class OptionRecord(TypedDict):
    """What a scored answer leaves in its log; None where there is nothing.

    `correct` is the credit of the named option; `tied` says that several options share the top of
    the group's distribution; `baseline` and `baseline_others` are the credits of the majorities.
    """

    pass_name: str
    group: str
    attribute: str
    question: str
    epoch: int
    option: int | None
    rule: str
    truncated: bool
    correct: float | None
    tied: bool
    baseline: float
    baseline_others: float | None
    lines: int
    js: float | None
    emd: float | None
    baseline_js: float
    baseline_emd: float | None
    covered: float | None
    leakage: str
    reader: str


def option_record(
    sample: OpinionSample,
    answer: ReadAnswer,
    *,
    epoch: int = 1,
    truncated: bool = False,
    stated: tuple[float, ...] | None = None,
    covered: float | None = None,
) -> OptionRecord:
    """The record of one answer.

    Args:
        sample: what was asked.
        answer: what was read.
        epoch: number of the epoch.
        truncated: whether the answer was cut at the limit of tokens.
        stated: the model's own distribution over the options.
        covered: probability of the letters before it was divided by.
    """
    ordered = bool(sample.ordinal)
    return OptionRecord(
        pass_name=sample.pass_name,
        group=sample.group,
        attribute=sample.attribute,
        question=sample.question,
        epoch=epoch,
        option=answer.option,
        rule=answer.rule,
        truncated=truncated and answer.option is None,
        correct=None if answer.option is None else credit(answer.option, sample.gold),
        tied=len(top_options(sample.gold)) > 1,
        baseline=blind_credit(sample.pooled, sample.gold),
        baseline_others=blind_credit(sample.others, sample.gold) if sample.others else None,
        lines=len(sample.lines),
        js=jensen_shannon(stated, sample.gold) if stated else None,
        emd=earth_mover(stated, sample.gold) if stated and ordered else None,
        baseline_js=jensen_shannon(sample.pooled, sample.gold),
        baseline_emd=earth_mover(sample.pooled, sample.gold) if ordered else None,
        covered=covered,
        leakage=sample.leakage,
        reader=READER_VERSION,
    )
