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

from valueflow.hub_assets.survey.sample import OPINION_KEY, read_opinion_sample
from valueflow.scorers.judge.questions.choice import letter_distribution, option_letters
from valueflow.scorers.summary.while_running import figures_while_running, note_scored
from valueflow.scorers.survey.accuracy import (
    ORDER,
    answer_counts,
    flatten_options,
    summarize_options,
)
from valueflow.scorers.survey.answers import read_answer
from valueflow.scorers.survey.records import OptionRecord, option_record

__all__ = ["opinion_summary", "option_choice"]


@metric(scores="unreduced")
def opinion_summary() -> Metric:
    """Accuracies by pass, over all, by attribute and by group; differences; counts.

    While a run goes on, the passes' accuracies over all and the counts.
    """
    figures = figures_while_running(
        lambda records: flatten_options(summarize_options(records)), _accuracies, _counts
    )

    def compute(scores: list[SampleScore]) -> Value:
        records: list[OptionRecord] = [
            score.score.metadata[OPINION_KEY]
            for score in scores
            if score.score.metadata and OPINION_KEY in score.score.metadata
        ]
        return dict(figures(records))

    return compute


def _accuracies(flat: dict[str, float]) -> dict[str, float]:
    return {
        f"{name} accuracy": flat[f"{name} accuracy"] for name in ORDER if f"{name} accuracy" in flat
    }


def _counts(records: list[OptionRecord]) -> dict[str, float]:
    return {**answer_counts(records)}


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
        note_scored(state.store)
        return Score(
            value={"correct": math.nan if correct is None else correct},
            answer=None if answer.option is None else sample.options[answer.option],
            reason=None if answer.option is not None else answer.rule,
            explanation=f"{answer.rule}; {sample.pass_name}, {sample.group}",
            metadata={OPINION_KEY: {**record}},
        )

    return score


def stated_distribution(
    output: ModelOutput, options: int
) -> tuple[tuple[float, ...] | None, float | None]:
    """The distribution over the letters and their whole probability; None without logprobs."""
    found: Any = output.choices[0].logprobs if output.choices else None
    if found is None or not any(token.top_logprobs for token in found.content):
        return None, None
    return letter_distribution(output, option_letters(options))
