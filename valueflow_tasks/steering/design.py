"""From conditions and options to an Inspect task: samples, the plan, and what the log says.

Samples come query by query, the default first, so that `--limit` keeps whole designs when it is a
multiple of the number of conditions.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, get_args

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import HeadlineMetric

from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.inputs.queries import Queries, Query, choose_queries, load_queries
from valueflow.hub_assets.registry.loading import Registry, Value, definitions_hash
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.settings import (
    SAMPLE_KEY,
    EvaluatorSettings,
    SpendingSettings,
    read_options,
    read_sample,
)
from valueflow.scorers.intensity_scorer import intensity
from valueflow.solvers.exemplars import choose_exemplars
from valueflow.solvers.steering_solver import check_method, steer_values, steered_prompt
from valueflow.solvers.wording import WORDING_VERSION, Style
from valueflow.steering.before import judge_answers, listed, say_who_judges
from valueflow.steering.conditions import Condition, names_in_run, scored_values, with_default
from valueflow.steering.plan import (
    TOKENS_OF_A_WORD,
    PlannedSample,
    check_spending,
    counts_in,
    end_with_plan,
    judges_of_run,
    run_size,
    size_note,
)
from valueflow.steering.settings import (
    LogSettings,
    PlanSettings,
    SteeringSettings,
    evaluator_settings,
    planned_windows,
    response_settings,
)

__all__ = ["RunDesign", "planned_of", "sample_settings", "steering_design", "steering_task"]

TASK_VERSION = 1
"""Raised when numbers of the same options are no longer comparable."""


@dataclass(frozen=True)
class RunDesign:
    """A run that has been checked and can be made into samples for any harness.

    Attributes:
        registry: the run's catalogue.
        conditions: the default first.
        queries: those that were chosen.
        settings: how responses are measured.
        more: the fields of `ResponseSettings`, which every sample's settings hold.
        method, style, exemplars: see `steer_values`.
        spending: what scoring may cost.
        plan: whether only the plan is wanted.
        logged: what Inspect's log lists.
        loaded: the query set, for its source and notes.
    """

    registry: Registry
    conditions: list[Condition]
    queries: list[Query]
    settings: EvaluatorSettings
    more: dict[str, Any]
    method: str
    style: Style
    exemplars: int
    spending: SpendingSettings
    plan: bool
    logged: LogSettings
    loaded: Queries

    @property
    def values(self) -> tuple[Value, ...]:
        """Every value that is scored."""
        return self.conditions[0].score_on

    @property
    def names(self) -> list[str]:
        """A name for each condition, all different."""
        return names_in_run(self.conditions)

    def planned(self, judges: int = 1) -> dict[str, int]:
        """Planned counts of queries, generations and judge calls, retries not counted.

        Args:
            judges: how many judge every window.
        """
        cells = sum(len(condition.score_on) for condition in self.conditions)
        generations = len(self.queries) * len(self.conditions)
        calls = judges * cells * planned_windows(self.settings, len(self.queries))
        if self.more["refusal_check"] == "judge":
            calls += generations
        return {
            "queries": len(self.queries),
            "generations": generations,
            "judge_calls": calls,
        }


def steering_design(
    registry: Registry, conditions: Sequence[Condition], options: Mapping[str, Any]
) -> RunDesign:
    """Checks a run's options, before anything is spent.

    Args:
        registry: the run's catalogue, from `registry_of_run`.
        conditions: without the default, which is added.
        options: as the user gave them.

    Raises:
        ValueflowError: an option, a query set or a table of anchors that cannot be used.
    """
    made = read_options(SteeringSettings, options)
    check_method(made.method, made.style)
    more = response_settings(options)
    loaded = load_queries(made.queries, made.query_columns, registry)
    seed = read_options(EvaluatorSettings, options).seed
    chosen = choose_queries(loaded.queries, made.n_queries, seed)
    every = with_default(conditions, registry)
    settings = evaluator_settings(
        registry,
        list(scored_values(every, registry)),
        options,
        responses=len(chosen),
        held_out=made.exemplars if made.method == "user_texts" else 0,
    )
    if made.method == "user_texts":
        _check_exemplars(registry, every, settings, made.exemplars)
    return RunDesign(
        registry=registry,
        conditions=every,
        queries=chosen,
        settings=settings,
        more=more,
        method=made.method,
        style=next(s for s in get_args(Style) if s == made.style),
        exemplars=made.exemplars,
        spending=read_options(SpendingSettings, options),
        plan=read_options(PlanSettings, options).plan,
        logged=read_options(LogSettings, options),
        loaded=loaded,
    )


def steering_task(
    design: RunDesign, *, name: str, headline: str, more: dict[str, Any] | None = None
) -> Task:
    """An Inspect task; prints what the run will do.

    Args:
        design: from `steering_design`.
        name: what the task is called in the log's dataset.
        headline: metric that Inspect shows first.
        more: further metadata of the log.
    """
    samples = [
        Sample(
            id=f"{query.id}/{name}",
            input=query.text,
            metadata={SAMPLE_KEY: sample_settings(design, index, condition)},
        )
        for index, query in enumerate(design.queries)
        for name, condition in zip(design.names, design.conditions, strict=True)
    ]
    judge = say_who_judges()
    _print_plan(design)
    vidb = load_vidb(design.settings.vidb, design.settings.columns, design.registry)
    if design.plan:
        end_with_plan(
            planned_samples(design, prompts=True),
            design.settings,
            vidb,
            prices=design.spending.prices,
        )
    spending = check_spending(
        design.spending,
        planned_samples(design, prompts=design.spending.max_cost is not None),
        design.settings,
        vidb,
    )
    source = design.loaded.source
    return Task(
        dataset=MemoryDataset(samples, name=name),
        setup=judge_answers(),
        solver=steer_values(method=design.method, style=design.style, exemplars=design.exemplars),
        scorer=intensity(**spending.model_dump(exclude_none=True)),
        metrics=[*listed(design.logged, headline)],
        version=TASK_VERSION,
        headline_metric=HeadlineMetric(metric=headline),
        metadata={
            "valueflow": version("valueflow"),
            "wording": WORDING_VERSION,
            "values": [f"{value.theory}:{value.name}" for value in design.values],
            "conditions": design.names,
            "levels": _levels(design.conditions),
            "method": design.method,
            "style": design.style,
            "queries": source.reference,
            "queries_revision": source.revision,
            "queries_sha256": source.sha256[:16],
            "planned": design.planned(judges_of_run(design.settings)),
            "evaluator": design.settings.model_dump(),
            "own_values_sha256": definitions_hash(design.registry),
            **design.more,
            **(more or {}),
            **judge,
        },
    )


def sample_settings(design: RunDesign, index: int, condition: Condition) -> dict[str, Any]:
    """The settings of one sample, for query number `index` under a condition."""
    query = design.queries[index]
    return {
        **condition.as_settings(),
        "query": query.id,
        "family": query.family,
        "query_index": index,
        "queries": len(design.queries),
        **design.more,
        "evaluator": design.settings.model_dump(),
    }


def planned_samples(design: RunDesign, *, prompts: bool = False) -> list[PlannedSample]:
    """What each sample of a run asks for, in order.

    Args:
        design: the run.
        prompts: whether the lengths of prompts are wanted, which takes a while.
    """
    refusal = design.more["refusal_check"] == "judge"
    found = []
    for index, query in enumerate(design.queries):
        windows = design.settings.windows_of(index, len(design.queries))
        for condition in design.conditions:
            length = 0
            if prompts:
                sample = read_sample({SAMPLE_KEY: sample_settings(design, index, condition)})
                prompt, _ = steered_prompt(
                    sample, design.method, design.style, design.exemplars, query.text
                )
                length = len(prompt.system or "") + len(prompt.user)
            found.append(
                PlannedSample(
                    prompt=length,
                    windows=windows * len(condition.score_on),
                    response=TOKENS_OF_A_WORD * design.more["word_limit"],
                    refusal=refusal,
                )
            )
    return found


def planned_of(
    task: Task, seen: set[tuple[str, ...]], limit: int | None = None
) -> tuple[list[PlannedSample], EvaluatorSettings, Registry]:
    """What a built task asks for that was not asked before, with its settings and its catalogue.

    Args:
        task: from `steering_task`.
        seen: prompts, and prompts with the values that their responses were scored on, of the
            tasks before; those of this one are added.
        limit: samples that are run, from the first.
    """
    metadata = task.metadata or {}
    found = []
    settings: EvaluatorSettings | None = None
    registry: Registry | None = None
    for sample in list(task.dataset)[:limit]:
        read = read_sample(sample.metadata or {})
        settings, registry = read.evaluator, read.registry
        style = next(s for s in get_args(Style) if s == metadata["style"])
        exemplars = registry.defaults.steer.exemplars
        question = sample.input if isinstance(sample.input, str) else sample.input[-1].text
        prompt, _ = steered_prompt(read, metadata["method"], style, exemplars, question)
        # User texts are drawn for each sample; the prompt tells which.
        asked = (prompt.system or "", prompt.user)
        fresh = [v for v in read.score_on if (*asked, *v) not in seen]
        windows = settings.windows_of(read.query_index, read.queries)
        if asked in seen and not fresh:
            continue
        found.append(
            PlannedSample(
                prompt=None if asked in seen else len(asked[0]) + len(asked[1]),
                windows=windows * len(fresh),
                response=TOKENS_OF_A_WORD * read.word_limit,
                refusal=read.refusal_check == "judge" and asked not in seen,
            )
        )
        seen.add(asked)
        seen.update((*asked, *v) for v in fresh)
    if settings is None or registry is None:
        raise ValueError("the task holds no sample")
    return found, settings, registry


def _levels(conditions: Sequence[Condition]) -> list[int]:
    return sorted({0, *(level for condition in conditions for _, level in condition.targets)})


def _check_exemplars(
    registry: Registry, conditions: Sequence[Condition], settings: EvaluatorSettings, count: int
) -> None:
    vidb = load_vidb(settings.vidb, settings.columns, registry)
    targets = {(v.theory, v.name, level): v for c in conditions for v, level in c.targets}
    for (_, _, level), value in targets.items():
        choose_exemplars(vidb.of(value), value, level, count, generator_for(0, "check"))


def _print_plan(design: RunDesign) -> None:
    names = ", ".join(value.name for value in design.values)
    settings, size = design.settings, run_size()
    samples = planned_samples(design)
    generations, calls = counts_in(size.of(samples), judges_of_run(settings))
    count = len(design.values)
    lines = [
        f"valueflow: {count} {'value' if count == 1 else 'values'} ({names}), levels "
        f"{', '.join(map(str, _levels(design.conditions)))}, {len(design.conditions)} conditions, "
        f"{len(design.queries)} queries",
        f"valueflow: planned {generations:,} generations and "
        f"{'at most ' if settings.target_se else ''}{calls:,} judge calls "
        f"({settings.sampling} windows of {settings.window_size}; retries not counted"
        f"{size_note(size, len(samples))})",
        *(f"valueflow: queries: {note}" for note in design.loaded.notes),
    ]
    asset = design.registry.assets.get(settings.vidb)
    if asset is not None and asset.note:
        lines.append(f"valueflow: anchors from {asset.name}. {asset.note}")
    # On standard error and before Inspect's display starts, so that it stays readable.
    print("\n".join(lines), file=sys.stderr, flush=True)
