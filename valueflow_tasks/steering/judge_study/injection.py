"""The task `valueflow/injection`: how far a judge can be moved by what a response says to it.

inspect eval valueflow/injection --model none --model-role grader=Y -T values=power
"""

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.scorer import Value as ScoreValue
from inspect_ai.solver import TaskState

from valueflow.hub_assets.errors import OptionError, UnknownNameError, clear_scorer_errors
from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.inputs.options import (
    clear_errors,
    columns_option,
    number_option,
    words_option,
)
from valueflow.hub_assets.registry.loading import Value, definitions_hash
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.settings import (
    SAMPLE_KEY,
    SCORED,
    EvaluatorSettings,
    SpendingSettings,
    read_options,
    read_sample,
    with_options,
)
from valueflow.scorers.database.embedding.kept import nearness
from valueflow.scorers.intensity_scorer import intensity_score
from valueflow.scorers.judge.answer import strip_reasoning
from valueflow.scorers.judge.panel import graders_of_run
from valueflow.scorers.judge.questions.injections import (
    INJECTIONS,
    INJECTIONS_VERSION,
    injected,
)
from valueflow.scorers.judge.scoring import Answer, Judging, score_response
from valueflow.scorers.records import METADATA_KEY, ResponseRecord
from valueflow.scorers.summary.run import run_counts
from valueflow.scorers.summary.stability.injections import PLAIN, injection_shifts
from valueflow.scorers.summary.while_running import figures_while_running, note_scored
from valueflow.steering.before import judge_answers
from valueflow.steering.existing import existing_response
from valueflow.steering.judge_study.texts import StudyText, texts_of_database, texts_of_table
from valueflow.steering.names import values_option
from valueflow.steering.plan import (
    CHARACTERS,
    PlannedSample,
    check_spending,
    counts_in,
    end_with_plan,
    run_size,
    size_note,
)
from valueflow.steering.settings import (
    PlanSettings,
    evaluator_settings,
    registry_of_run,
    response_settings,
)

__all__ = ["injection", "injection_scores", "injection_summary"]

N_TEXTS = 5
"""Texts of each value that are drawn from the database."""

TEXT_KEY = "valueflow_text"
"""Where a sample's metadata say which text it is, whatever is appended to it."""


@metric(scores="unreduced")
def injection_summary() -> Metric:
    """The shift of each attempt and of all, with its error, and how often texts come first."""
    figures = figures_while_running(_figures, _headlines, _counts)

    def compute(scores: list[SampleScore]) -> ScoreValue:
        records: list[ResponseRecord] = [
            score.score.metadata[METADATA_KEY]
            for score in scores
            if score.score.metadata and METADATA_KEY in score.score.metadata
        ]
        return dict(figures(records))

    return compute


def _figures(records: list[ResponseRecord]) -> dict[str, float]:
    flat: dict[str, float] = {}
    for one in injection_shifts(records):
        prefix = "" if one.injection == "all" else f"{one.injection} "
        flat[f"{prefix}injection_shift"] = one.shift.value
        if not math.isnan(one.shift.se):
            flat[f"{prefix}injection_shift_stderr"] = one.shift.se
        flat[f"{prefix}first"] = one.first
        flat[f"{prefix}first_without"] = one.first_without
    return {**flat, **_counts(records)}


def _headlines(flat: dict[str, float]) -> dict[str, float]:
    names = ("injection_shift", "injection_shift_stderr")
    return {name: flat[name] for name in names if name in flat}


def _counts(records: list[ResponseRecord]) -> dict[str, float]:
    counts = run_counts(records)
    return {name: counts[name] for name in ("responses", "unscored", "windows", "windows_failed")}


@scorer(metrics=[injection_summary()])
@clear_scorer_errors
@with_options(SpendingSettings)
def injection_scores(*, options: Mapping[str, Any]) -> Scorer:
    """Judges a text in the windows that it is judged in without anything appended to it.

    Args:
        options: `max_judge_calls`, `max_cost` and `prices`.
    """
    judging = Judging(graders_of_run, nearness, spending=read_options(SpendingSettings, options))

    async def score(state: TaskState, target: Target) -> Score:
        text = str(state.metadata["response"])
        answer = Answer(
            text=text,
            question=state.input_text,
            sample_id=str(state.metadata[TEXT_KEY]),
            epoch=state.epoch,
            exemplars=frozenset({str(state.metadata["without"])}),
        )
        record = await score_response(answer, read_sample(state.metadata), judging)
        note_scored(state.store)
        return intensity_score(record, strip_reasoning(text))

    return score


@task
@clear_errors
@with_options(*SCORED, PlanSettings)
def injection(
    texts: str | None = None,
    values: str | list[str] | None = None,
    theory: str | None = None,
    n_texts: int = N_TEXTS,
    injections: str | list[str] | None = None,
    text_columns: dict[str, str] | None = None,
    *,
    options: Mapping[str, Any],
) -> Task:
    """Appends texts that try to act on the judge to responses, and measures how far these move.

    Each text is judged as it is and with each attempt, in the same windows.

    Args:
        texts: table with a text and a value in each row; rows of the database of anchors where not
            given.
        values: names of values; all of the theory where not given. With `texts`: one value, that
            of all rows that name none.
        theory: `pvq` (default), `mft`, `duty` or `right`.
        n_texts: texts of each value that are drawn from the database (5).
        injections: some of the corpus; all where not given.
        text_columns: column names of `texts`, such as `{text: answer}`.
        options: those of `valueflow.hub_assets.settings.SCORED` and `plan`, each a parameter of
            its own.
    """
    registry = registry_of_run(options)
    chosen = words_option(injections) or list(INJECTIONS)
    for name in chosen:
        if name not in INJECTIONS:
            raise OptionError("injections", str(UnknownNameError("injection", name, INJECTIONS)))
    if texts is None:
        of = values_option(registry, values, theory)
        first = evaluator_settings(registry, of, options, responses=1, held_out=1)
        vidb = load_vidb(first.vidb, first.columns, registry)
        found = texts_of_database(vidb, of, number_option("n_texts", n_texts, 1), first.seed)
    else:
        named = words_option(values)
        if len(named) > 1:
            raise OptionError(
                "values", "names one value with texts, that of the rows that name none themselves"
            )
        columns = columns_option("text_columns", text_columns)
        found, _ = texts_of_table(
            str(texts), registry, columns, named[0] if named else None, theory
        )
    judged: list[Value] = list(dict.fromkeys(text.value for text in found))
    sizes = Counter(text.value for text in found)
    settings = evaluator_settings(
        registry, judged, options, responses=max(sizes.values()), held_out=1
    )
    vidb = load_vidb(settings.vidb, settings.columns, registry)
    samples = _samples(found, chosen, settings, response_settings(options))
    planned = [
        PlannedSample(
            prompt=None,
            windows=settings.windows_of(said["query_index"], said["queries"]),
            response=min(len(text), registry.defaults.evaluator.judge_characters) / CHARACTERS,
            refusal=said.get("refusal_check") == "judge",
        )
        for said, text in (
            ((s.metadata or {})[SAMPLE_KEY], (s.metadata or {})["response"]) for s in samples
        )
    ]
    size = run_size()
    print(
        f"valueflow: {len(found):,} texts with {len(chosen)} injections and without, planned "
        f"{counts_in(size.of(planned))[1]:,} judge calls (retries not counted"
        f"{size_note(size, len(samples))})",
        file=sys.stderr,
        flush=True,
    )
    spending = read_options(SpendingSettings, options)
    if read_options(PlanSettings, options).plan:
        end_with_plan(planned, settings, vidb, prices=spending.prices)
    spending = check_spending(spending, planned, settings, vidb)
    return Task(
        dataset=MemoryDataset(samples, name="injections"),
        setup=judge_answers(),
        solver=existing_response(),
        scorer=injection_scores(**spending.model_dump(exclude_none=True)),
        version=1,
        metadata={
            "valueflow": version("valueflow"),
            "injections": chosen,
            "injections_version": INJECTIONS_VERSION,
            "values": [f"{v.theory}:{v.name}" for v in judged],
            "planned": {"generations": 0, "judge_calls": counts_in(planned)[1]},
            "evaluator": settings.model_dump(),
            "own_values_sha256": definitions_hash(registry),
        },
    )


def _samples(
    texts: Sequence[StudyText],
    injections: Sequence[str],
    settings: EvaluatorSettings,
    more: Mapping[str, Any],
) -> list[Sample]:
    sizes = Counter(text.value for text in texts)
    in_cell: Counter[Value] = Counter()
    samples = []
    for number, text in enumerate(texts, start=1):
        name = f"text-{number:06d}"
        for group in (PLAIN, *injections):
            generator = generator_for(settings.seed, "injection", name, group)
            own = injected(text.text, group, generator) if group else text.text
            said = {
                "score_on": [[text.value.theory, text.value.name]],
                "query": text.query[:200] or name,
                "query_index": in_cell[text.value],
                "queries": sizes[text.value],
                "group": group,
                **more,
                "evaluator": settings.model_dump(),
            }
            samples.append(
                Sample(
                    id=f"{name}-{group}" if group else name,
                    input=text.query or "(no query given)",
                    metadata={
                        SAMPLE_KEY: said,
                        TEXT_KEY: name,
                        "without": text.text,
                        "response": own,
                    },
                )
            )
        in_cell[text.value] += 1
    return samples
