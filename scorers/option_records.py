"""The record of one survey answer: what was named, and how it stands to the group's answers."""

from typing import TypedDict

from valueflow.hub_assets.opinion_sample import OpinionSample
from valueflow.scorers.answer_reading import READER_VERSION, ReadAnswer
from valueflow.scorers.option_gold import (
    blind_credit,
    credit,
    earth_mover,
    jensen_shannon,
    top_options,
)

__all__ = ["OptionRecord", "option_record"]


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
