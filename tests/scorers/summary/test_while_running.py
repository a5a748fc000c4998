"""Metrics during a run: few figures, worked out rarely, and the results as if nobody had looked."""

import asyncio
import math
from typing import Any

import pytest
from inspect_ai import Task, task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, Value, metric, scorer
from inspect_ai.solver import TaskState, generate
from inspect_ai.util import Store

from tests.conftest import mock_model, output
from valueflow import opinionqa, steer
from valueflow.scorers.intensity_scorer import intensity, steering_summary
from valueflow.scorers.summary.while_running import figures_while_running, note_scored
from valueflow.scorers.survey.scorer import opinion_summary, option_choice

worked_out: list[int] = []


def everything(records: list[Any]) -> dict[str, float]:
    worked_out.append(len(records))
    return {"total": sum(record["number"] for record in records), "other": 1.0}


def total(figures: dict[str, float]) -> dict[str, float]:
    return {"total": figures["total"]}


def count(records: list[Any]) -> dict[str, float]:
    return {"count": len(records)}


@metric(scores="unreduced")
def numbers() -> Metric:
    compute = figures_while_running(everything, total, count)

    def of_scores(scores: list[SampleScore]) -> Value:
        return dict(compute([score.score.metadata for score in scores]))

    return of_scores


@scorer(metrics=[numbers()])
def in_the_sample(note: bool) -> Scorer:
    """Asks a metric after each sample, in its task, as Inspect does for the screen."""
    compute = figures_while_running(everything, total, count)
    records: list[Any] = []

    async def score(state: TaskState, target: Target) -> Score:
        records.append({"number": len(records)})
        if note:
            note_scored(state.store)
        shown = compute(list(records))
        return Score(value=0.0, metadata={"shown": shown, **records[-1]})

    return score


@task
def twenty(note: bool) -> Task:
    samples = [Sample(id=i, input="?") for i in range(20)]
    return Task(dataset=samples, solver=generate(), scorer=in_the_sample(note))


def shown_and_results(note: bool) -> tuple[list[dict[str, float]], dict[str, float]]:
    worked_out.clear()
    log = inspect_eval(
        twenty(note),
        model=mock_model(lambda *_: output("!")),
        display="none",
        score_display=False,
        max_samples=1,
    )[0]
    assert log.status == "success", log.error
    assert log.results is not None
    shown = [score.metadata["shown"] for s in log.samples or [] for score in s.scores.values()]  # type: ignore[union-attr, index]
    return shown, {name: m.value for name, m in log.results.scores[0].metrics.items()}


def test_figures_are_worked_out_at_doublings_and_counts_are_of_now() -> None:
    shown, results = shown_and_results(note=True)
    assert worked_out == [1, 2, 4, 8, 16, 20]
    assert [now["count"] for now in shown] == list(range(1, 21))
    assert [now["total"] for now in shown[:9]] == [0, 1, 1, 6, 6, 6, 6, 28, 28]
    assert set(shown[-1]) == {"total", "count"}
    assert results == {"total": 190, "other": 1}


def test_outside_of_a_sample_that_was_noted_everything_is_worked_out() -> None:
    shown, results = shown_and_results(note=False)
    assert worked_out == [*range(1, 21), 20]
    assert all("other" in now for now in shown)
    assert results["other"] == 1
    kept = Store()
    note_scored(kept)
    compute = figures_while_running(everything, total, count)
    assert compute([{"number": 3}]) == {"total": 3, "other": 1}
    assert compute([]) == {"total": 0, "other": 1}


seen: list[dict[str, float]] = []


def overheard(compute: Any) -> Any:
    def listen(scores: list[SampleScore]) -> Value:
        seen.append(compute(scores))
        return dict(seen[-1])

    return listen


@metric(scores="unreduced")
def overheard_steering() -> Metric:
    return overheard(steering_summary())  # type: ignore[no-any-return]


@metric(scores="unreduced")
def overheard_survey() -> Metric:
    return overheard(opinion_summary())  # type: ignore[no-any-return]


@scorer(metrics=[overheard_steering()])
def steered() -> Scorer:
    return intensity()


@scorer(metrics=[overheard_survey()])
def surveyed() -> Scorer:
    return option_choice()


@pytest.mark.parametrize(
    ("built", "few"),
    [
        (
            lambda: steer(values="power", levels="-2,2", n_queries=2, windows=1),
            {"refusal_rate", "responses", "unscored", "windows_failed"}
            | {"windows", "judge_calls"}
            | {f"{name}{end}" for name in ("range", "up", "down") for end in ("", "_stderr")},
        ),
        (
            lambda: opinionqa(passes="default", groups="POLPARTY_Republican", n_questions=6),
            {"answers", "refused", "unparsed", "truncated"}
            | {f"{name} accuracy" for name in ("default", "baseline", "baseline_others")},
        ),
    ],
)
def test_inspect_shows_few_numbers_during_a_run_and_all_at_its_end(
    built: Any, few: set[str]
) -> None:
    seen.clear()
    made = built()
    survey = "answers" in few
    made.scorer = [surveyed() if survey else steered()]
    made.metrics = None

    async def slow(*_: Any) -> Any:
        await asyncio.sleep(0.25)
        return output("A")

    log = inspect_eval(
        made,
        model=mock_model(slow),
        model_roles={} if survey else {"grader": "valueflow/judge"},
        display="none",
        score_display=True,
        max_samples=1,
    )[0]
    assert log.status == "success", log.error
    assert log.results is not None
    # Inspect asks once before the first sample.
    _, *during, end = seen
    assert during
    assert all(set(now) <= few for now in during)
    found = {name: m.value for name, m in log.results.scores[0].metrics.items()}
    assert found == end
    # The same as a metric says that nobody asked before.
    scores = [
        SampleScore(score=score, sample_id=sample.id)
        for sample in log.samples or []
        for score in (sample.scores or {}).values()
    ]
    alone: Any = opinion_summary() if survey else steering_summary()
    assert alone(scores) == pytest.approx(end, abs=1e-12, nan_ok=True)
    assert len(end) > 2 * len(few)
    assert not any(math.isnan(value) for value in during[-1].values())
