"""Inspect scorer and metric of the task `opinionqa`: which option was named, and how often rightly.

The value of a sample is NaN where its answer names no option, so that it is neither right nor
wrong; the metric counts such answers apart. Where the provider returns logprobs, the distribution
over the letters is read from the first token of an answer that begins with a letter.
"""

import math
from typing import Any

from inspect_ai.model import ModelOutput
from inspect_ai.scorer import (
    Metric,
    SampleScore,
    Score,
    Scorer,
    Target,
    Value,
    metric,
    scorer,
)
from inspect_ai.solver import TaskState

from valueflow.hub_assets.opinion_sample import OPINION_KEY, OpinionSample, read_opinion_sample
from valueflow.scorers.answer_reading import READER_VERSION, ReadAnswer, read_answer
from valueflow.scorers.choice_judging import letter_distribution, option_letters
from valueflow.scorers.figure import Figure
from valueflow.scorers.option_accuracy import OptionRecord, OptionSummary, summarize_options
from valueflow.scorers.option_gold import (
    blind_credit,
    credit,
    earth_mover,
    jensen_shannon,
    top_options,
)

__all__ = ["flatten_options", "opinion_summary", "option_choice", "option_record"]


@metric(scores="unreduced")
def opinion_summary() -> Metric:
    """Accuracies by pass, over all, by attribute and by group; differences; counts."""

    def compute(scores: list[SampleScore]) -> Value:
        records: list[OptionRecord] = [
            score.score.metadata[OPINION_KEY]
            for score in scores
            if score.score.metadata and OPINION_KEY in score.score.metadata
        ]
        return dict(flatten_options(summarize_options(records)))

    return compute


def flatten_options(summary: OptionSummary) -> dict[str, float]:
    """A summary as one mapping; what there is no number for is left out.

    A name is the pass, then the scope (`macro`, an attribute, a group, or nothing for all rows),
    then the figure. All figures are given over all rows; attributes and groups have accuracies and
    differences, so that the list can be read (and Inspect draws it in seconds).
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
        for figure, found in one.figures.items():
            if not one.scope or figure == "accuracy":
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


@scorer(metrics=[opinion_summary()])
def option_choice() -> Scorer:
    """Reads the option that an answer names and holds it against the group's distribution."""

    async def score(state: TaskState, target: Target) -> Score:
        sample = read_opinion_sample(state.metadata)
        output = state.output
        answer = read_answer(
            output.completion,
            sample.options,
            filtered=bool(output.choices) and output.stop_reason == "content_filter",
        )
        stated, covered = None, None
        if answer.rule in ("letter", "marked letter"):
            stated, covered = stated_distribution(output, len(sample.options))
        record = option_record(
            sample,
            answer,
            epoch=state.epoch,
            truncated=bool(output.choices) and output.stop_reason == "max_tokens",
            stated=stated,
            covered=covered,
        )
        correct = record["correct"]
        return Score(
            value={"correct": math.nan if correct is None else correct},
            answer=None if answer.option is None else sample.options[answer.option],
            reason=None if answer.option is not None else answer.rule,
            explanation=f"{answer.rule}; {sample.pass_name}, {sample.group}",
            metadata={OPINION_KEY: {**record}},
        )

    return score


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


def stated_distribution(
    output: ModelOutput, options: int
) -> tuple[tuple[float, ...] | None, float | None]:
    """The distribution over the letters and their whole probability; None without logprobs."""
    found: Any = output.choices[0].logprobs if output.choices else None
    if found is None or not any(token.top_logprobs for token in found.content):
        return None, None
    return letter_distribution(output, option_letters(options))
