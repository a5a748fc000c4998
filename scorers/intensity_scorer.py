"""Inspect metrics of the scorer `valueflow/intensity`: mappings from readable names to numbers.

Inspect prints every metric at the end of a run, and keeps what it prints: `steering_headline` gives
the few that a reader wants there, `steering_summary` all of them.

Names run from the smallest unit to the largest: `power/+2 mean` (a cell), `power up` (a value), the
judge, `up` (all values), and the counts. What each means is stated in
`valueflow.scorers.summary.run` and on the task's documentation page.

Inspect scorer: how strongly a response expresses each value that its sample names.

Windows are drawn from VIDB, ranked by the model in the role `grader` (or by several, see
`valueflow.scorers.judge.panel`), and turned into an intensity
with a standard error. The estimate in a sample's score uses that sample's windows alone, with a
judge of scale 1; the metrics, `valueflow score` and the reports estimate the judge and the cells
from all windows of the run together. The windows are kept, so that either can be repeated.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, Value, metric, scorer
from inspect_ai.solver import TaskState

from valueflow.hub_assets.errors import clear_scorer_errors
from valueflow.hub_assets.inputs.chats import chat_of, in_words
from valueflow.hub_assets.settings import (
    EXEMPLARS_KEY,
    SCORED,
    SpendingSettings,
    check_overrides,
    read_options,
    read_sample,
    with_options,
)
from valueflow.scorers.database.embedding.kept import nearness
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.evidence.ratings import assumed_rating_judge
from valueflow.scorers.estimate.judge import JudgeModel
from valueflow.scorers.estimate.table import WindowTable
from valueflow.scorers.judge.answer import strip_reasoning
from valueflow.scorers.judge.panel import graders_of_run
from valueflow.scorers.judge.scoring import Answer, Judging, score_response
from valueflow.scorers.records import METADATA_KEY, ResponseRecord, window_records
from valueflow.scorers.summary.run import (
    HEADLINES,
    RunSummary,
    flatten,
    run_counts,
    summarize,
)
from valueflow.scorers.summary.while_running import figures_while_running, note_scored

__all__ = [
    "intensity",
    "intensity_score",
    "steering_headline",
    "steering_summary",
    "summary_of",
]


@metric(scores="unreduced")
def steering_summary(estimator: str = "population", first: str = "") -> Metric:
    """Cells, dose–response figures per value, and their averages, with standard errors.

    While a run goes on, its headline figure and a few counts.

    Args:
        estimator: `population` (this project's) or `reference` (the published scripts').
        first: a figure that is always there and stands first, NaN where the data do not allow it.
    """

    figures = figures_while_running(
        lambda records: flatten(summary_of(records, estimator)),
        lambda flat: _few(flat, first),
        _counts,
    )

    def compute(scores: list[SampleScore]) -> Value:
        found = figures(_records(scores))
        return {**_few(found, first), **found}

    return compute


@metric(scores="unreduced")
def steering_headline(first: str = "range") -> Metric:
    """The figures that a run is summed up by, averaged over values, and counts.

    Every other figure follows from the records that the log keeps: `valueflow summary LOG --all`,
    `valueflow score LOG`, or the metric `steering_summary`.

    Args:
        first: the headline, always there, NaN where the data do not allow it.
    """

    figures = figures_while_running(
        lambda records: flatten(summary_of(records)), lambda flat: _few(flat, first), _counts
    )

    def compute(scores: list[SampleScore]) -> Value:
        records = _records(scores)
        return {**_few(figures(records), first), **_counts(records)}

    return compute


def _records(scores: list[SampleScore]) -> list[ResponseRecord]:
    return [
        score.score.metadata[METADATA_KEY]
        for score in scores
        if score.score.metadata and METADATA_KEY in score.score.metadata
    ]


_SUMMARIES: dict[tuple[str, str], RunSummary] = {}
"""The last summaries, by their estimator and their records."""

_KEPT = 8


def summary_of(records: Sequence[ResponseRecord], estimator: str = "population") -> RunSummary:
    """`summarize`, whose result is remembered: what ends a run asks for it again.

    Args:
        records: of one run, in any order.
        estimator: see `evaluate`.
    """
    lines = sorted(json.dumps(record, sort_keys=True, default=str) for record in records)
    key = (estimator, hashlib.sha256("\n".join(lines).encode()).hexdigest())
    if key not in _SUMMARIES:
        _SUMMARIES[key] = summarize(records, estimator)
        while len(_SUMMARIES) > _KEPT:
            del _SUMMARIES[next(iter(_SUMMARIES))]
    return _SUMMARIES[key]


BESIDE = {
    "range": ("up", "down"),
    "pair cosine": ("pair along", "pair additivity"),
    "five rank_agreement": ("five top_share", "five fading"),
    "composite direction_agreement": ("composite relative_size",),
    "profile distance": (
        "profile distance_default",
        "profile rank_correlation",
        "profile sign_share",
        "profile leak",
    ),
}
"""What stands beside a headline."""

OF_PANELS = ("judges", "judges_dropped", "judges alpha")
"""What is said of several judges."""


def _few(flat: Mapping[str, float], first: str) -> dict[str, float]:
    """The headline and what stands beside it; of a run without one, what there is of all."""
    found = {first: math.nan} if first else {}
    for headline in (first,) if first else HEADLINES:
        for name in (headline, *BESIDE.get(headline, ())):
            found |= {
                f"{name}{end}": flat[f"{name}{end}"]
                for end in ("", "_stderr")
                if f"{name}{end}" in flat
            }
        # Of a panel: what is left without each of its judges, and how far they agree.
        without = f"{headline} without "
        found |= {name: flat[name] for name in flat if name.startswith(without)}
    found |= {name: flat[name] for name in OF_PANELS if name in flat}
    return found


ALWAYS = ("responses", "unscored", "windows_failed", "judge_calls")
"""Counts that are shown whatever they are; others where they are not zero."""


def _counts(records: list[ResponseRecord]) -> dict[str, float]:
    counts = run_counts(records)
    told = [name for name, count in counts.items() if count or name in ALWAYS]
    return {
        "refusal_rate": counts["refusals"] / max(counts["responses"], 1),
        **{name: counts[name] for name in told if name not in ("refusals", "over_word_limit")},
    }


PROVISIONAL_JUDGE = JudgeModel(scale=1.0)
"""The judge that a single sample's estimate assumes."""

PROVISIONAL_RATING_JUDGE = assumed_rating_judge(slope=1.0, text_sd=0.0, noise_sd=1.0)
"""The same where it rates: it uses the scale as it was told to, give or take a point."""


@scorer(metrics=[steering_summary()])
@clear_scorer_errors
@with_options(*SCORED)
def intensity(*, options: Mapping[str, Any]) -> Scorer:
    """Ranks each response against anchors and estimates its intensity in [−10, 10].

    Options that are not given are taken from the sample (the task put them there), else from the
    registry's defaults; so `inspect score LOG --scorer valueflow/intensity` repeats a task's own
    settings, and `-S windows=5` replaces one of them.

    Args:
        options: those of `valueflow.hub_assets.settings.SCORED`, each a parameter of its own.

    Raises:
        OptionError: an option that cannot be used; together with the sample's own, options are
            checked again when a sample is scored.
    """
    check_overrides(options)
    judging = Judging(graders_of_run, nearness, spending=read_options(SpendingSettings, options))

    async def score(state: TaskState, target: Target) -> Score:
        sample = read_sample(state.metadata, options)
        output = state.output
        answer = Answer(
            text=output.completion,
            question=in_words(chat_of(state.input), sample.registry.sentences.say),
            sample_id=str(state.sample_id),
            epoch=state.epoch,
            filtered=bool(output.choices) and output.stop_reason == "content_filter",
            cut=bool(output.choices) and output.stop_reason in ("max_tokens", "model_length"),
            exemplars=frozenset(state.store.get(EXEMPLARS_KEY) or []),
        )
        record = await score_response(answer, sample, judging)
        note_scored(state.store)
        return intensity_score(record, strip_reasoning(output.completion))

    return score


def intensity_score(record: ResponseRecord, response: str) -> Score:
    """The Inspect score: intensity and standard error per value, NaN where there is none."""
    numbers: dict[str, float] = {}
    table = WindowTable.from_records(window_records([record]))
    found = {}
    if table.windows:
        known = evaluate(table, judge=PROVISIONAL_JUDGE, rating_judge=PROVISIONAL_RATING_JUDGE)
        found = {e.value: e for e in known.items}
    lines = []
    for name, value in record["values"].items():
        estimate = found.get(name)
        numbers[name] = estimate.flat_prior if estimate else math.nan
        numbers[f"{name}_stderr"] = estimate.flat_prior_se if estimate else math.nan
        if estimate:
            lines.append(
                f"{value['cell']}: {estimate.flat_prior:+.1f} "
                f"± {estimate.flat_prior_se:.1f} from {estimate.windows} windows"
            )
        else:
            lines.append(f"{value['cell']}: unscored ({record['unscored']})")
    return Score(
        value={**numbers},
        answer=response,
        reason=record["unscored"],
        explanation="; ".join(lines),
        metadata={METADATA_KEY: record},
    )
