"""From conditions and options to an Inspect task: samples, the plan, and what the log says.

Samples come query by query, the default first, so that `--limit` keeps whole designs when it is a
multiple of the number of conditions.
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import HeadlineMetric

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.files import is_blank, read_text
from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.inputs.chats import chat_of
from valueflow.hub_assets.inputs.queries import Queries, Query, choose_queries, load_queries
from valueflow.hub_assets.registry.loading import Registry, Value, definitions_hash
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.settings import (
    SAMPLE_KEY,
    Baseline,
    EvaluatorSettings,
    SpendingSettings,
    read_options,
    read_sample,
)
from valueflow.scorers.intensity_scorer import intensity
from valueflow.solvers.exemplars import choose_exemplars
from valueflow.solvers.steering_solver import (
    as_message,
    check_method,
    steer_values,
    steered_prompt,
)
from valueflow.solvers.wording import Style
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
    response_settings,
)

__all__ = [
    "Asked",
    "RunDesign",
    "planned_of",
    "sample_settings",
    "steering_design",
    "steering_task",
    "topics_line",
]

TASK_VERSION = 2
"""Raised when numbers of the same options are no longer comparable."""


@dataclass(frozen=True)
class Asked:
    """One query under one condition: what a sample asks.

    Attributes:
        index: the query's number in the run.
        query: the query.
        name: of the condition, in the run.
        condition: what the response is steered toward and scored on.
    """

    index: int
    query: Query
    name: str
    condition: Condition


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
        baseline: how the default is asked.
        system: the user's own system prompt; empty where there is none.
        wordings: in how many wordings the persona is told.
        spending: what scoring may cost.
        plan: whether only the plan is wanted.
        logged: what Inspect's log lists.
        loaded: the query set, for its source and notes.
        relevant: whether queries are left out where a value has nothing to do with them.
    """

    registry: Registry
    conditions: list[Condition]
    queries: list[Query]
    settings: EvaluatorSettings
    more: dict[str, Any]
    method: str
    style: Style
    exemplars: int
    baseline: Baseline
    spending: SpendingSettings
    plan: bool
    logged: LogSettings
    loaded: Queries
    relevant: bool = False
    system: str = ""
    wordings: int = 1

    def paraphrase_of(self, index: int) -> int | None:
        """The wording of the persona for query number `index`; None where there is one wording.

        Of as many consecutive queries as there are wordings each has another, in random order.
        """
        if self.wordings == 1:
            return None
        block, place = divmod(index, self.wordings)
        generator = generator_for(self.settings.seed, "wordings", block)
        return int(generator.permutation(self.wordings)[place]) + 1

    @property
    def system_sha256(self) -> str | None:
        """Of the user's own system prompt, 16 digits."""
        return hashlib.sha256(self.system.encode()).hexdigest()[:16] if self.system else None

    @property
    def values(self) -> tuple[Value, ...]:
        """Every value that is scored."""
        return self.conditions[0].score_on

    @property
    def names(self) -> list[str]:
        """A name for each condition, all different."""
        return names_in_run(self.conditions)

    @cached_property
    def asked(self) -> list[Asked]:
        """Every query under every condition, query by query, the default first.

        Where off-topic pairs are left out, a condition is not asked of a query with which a value
        of its targets has nothing to do, and the others are scored on the values that are left.
        """
        found = []
        for index, query in enumerate(self.queries):
            for name, condition in zip(self.names, self.conditions, strict=True):
                steered = (
                    v for node, _ in condition.targets for v in self.registry.scored_on(node)
                )
                if self.relevant and any(self.loaded.off_topic(query, v) for v in steered):
                    continue
                kept = tuple(v for v in condition.score_on if not self._left_out(query, v))
                if kept:
                    found.append(Asked(index, query, name, replace(condition, score_on=kept)))
        return found

    def _left_out(self, query: Query, value: Value) -> bool:
        return self.relevant and bool(self.loaded.off_topic(query, value))

    @cached_property
    def topics(self) -> dict[str, int]:
        """Pairs of a query and a scored value: `pairs`, `known` (the query set says whether the
        value has anything to do with the query), `off_topic`, and `left_out` of these."""
        told = [self.loaded.off_topic(q, v) for q in self.queries for v in self.values]
        off = sum(map(bool, told))
        return {
            "pairs": len(told),
            "known": sum(one is not None for one in told),
            "off_topic": off,
            "left_out": off if self.relevant else 0,
        }

    def planned(self, judges: int = 1) -> dict[str, int]:
        """Planned counts of queries, generations and judge calls, retries not counted.

        Args:
            judges: how many judge every window.
        """
        generations = len(self.asked)
        calls = judges * sum(
            len(one.condition.score_on) * self.settings.windows_of(one.index, len(self.queries))
            for one in self.asked
        )
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
    registry.check_language(
        node for one in every for node in (*one.score_on, *(value for value, _ in one.targets))
    )
    settings = evaluator_settings(
        registry,
        list(scored_values(every, registry)),
        options,
        responses=len(chosen),
        held_out=made.exemplars if made.method == "user_texts" else 0,
    )
    if made.method == "user_texts":
        _check_exemplars(registry, every, settings, made.exemplars)
    design = RunDesign(
        registry=registry,
        conditions=every,
        queries=chosen,
        settings=settings,
        more=more,
        method=made.method,
        style=next(s for s in get_args(Style) if s == made.style),
        exemplars=made.exemplars,
        baseline=made.baseline,
        spending=read_options(SpendingSettings, options),
        plan=read_options(PlanSettings, options).plan,
        logged=read_options(LogSettings, options),
        loaded=loaded,
        relevant=made.relevant,
        system=_system(made.system),
        wordings=made.wordings,
    )
    _check_wordings(design)
    _check_topics(design)
    return design


def _system(file: str | None) -> str:
    """The user's own system prompt.

    Raises:
        InputFileError: the file is missing, no text, or empty.
    """
    if file is None:
        return ""
    text = read_text(Path(file).expanduser()).strip()
    if is_blank(text):
        raise InputFileError(file, "is empty; it should hold a system prompt")
    return text


LEAST_IN_WORDING = 2
"""Questions that each wording of the persona must have, so that questions and wordings can be told
apart."""


def _check_wordings(design: RunDesign) -> None:
    """Checks that the persona can be told in so many wordings, and that they can be compared.

    Raises:
        OptionError: it cannot.
    """
    wanted, registry = design.wordings, design.registry
    if wanted == 1:
        return
    if design.method != "definition" or any(len(one.targets) > 1 for one in design.conditions):
        raise OptionError(
            "wordings", "goes with personas of one value (steer, method=definition); leave it out"
        )
    there = registry.sentences.wordings_of_persona
    if wanted > there:
        which = f"{registry.sentences.language}, wording {registry.sentences.version}"
        raise OptionError("wordings", f"{wanted} asked for, but the persona has {there} in {which}")
    if len(design.queries) < LEAST_IN_WORDING * wanted:
        raise OptionError(
            "wordings",
            f"{wanted} need at least {LEAST_IN_WORDING * wanted} queries, and there are "
            f"{len(design.queries)}; raise n_queries",
        )


def _check_topics(design: RunDesign) -> None:
    """Checks that every condition is asked of some query.

    Raises:
        OptionError: off-topic pairs are to be left out, and the query set does not say which they
            are, or a condition has none left.
    """
    if not design.relevant:
        return
    if not design.topics["known"]:
        raise OptionError(
            "relevant",
            f"{design.loaded.source.reference} does not say which values a query has to do with; "
            "give it a column `related` with their names, parted by |",
        )
    asked = {one.name for one in design.asked}
    for name in design.names:
        if name not in asked:
            raise OptionError(
                "relevant",
                f"none of the {len(design.queries)} queries has to do with all values of {name}; "
                "raise n_queries, or leave this condition out",
            )


def topics_line(design: RunDesign) -> str | None:
    """What share of the pairs of a query and a value is off topic; None where none is."""
    told = design.topics
    if not told["off_topic"]:
        return None
    share = f"{100 * told['off_topic'] / told['known']:.0f} %"
    many = f"{told['off_topic']:,} of {told['known']:,} pairs of a query and a value"
    if design.relevant:
        return f"{share} of pairs are off topic and left out ({many})"
    return f"{share} of pairs are off topic ({many}); relevant=true leaves them out"


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
            id=f"{one.query.id}/{one.name}",
            input=[as_message(turn) for turn in one.query.chat]
            if one.query.before
            else one.query.text,
            metadata={SAMPLE_KEY: sample_settings(design, one.index, one.condition)},
        )
        for one in design.asked
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
        solver=steer_values(
            method=design.method,
            style=design.style,
            exemplars=design.exemplars,
            **({"system": design.system} if design.system else {}),
        ),
        scorer=intensity(**spending.model_dump(exclude_none=True)),
        metrics=[*listed(design.logged, headline)],
        version=TASK_VERSION,
        headline_metric=HeadlineMetric(metric=headline),
        metadata={
            "valueflow": version("valueflow"),
            "values": [f"{value.theory}:{value.name}" for value in design.values],
            "conditions": design.names,
            "levels": _levels(design.conditions),
            "method": design.method,
            "style": design.style,
            "baseline": design.baseline,
            "wordings": design.wordings,
            "system": design.system or None,
            "system_sha256": design.system_sha256,
            "queries": source.reference,
            "queries_revision": source.revision,
            "queries_sha256": source.sha256[:16],
            "planned": design.planned(judges_of_run(design.settings)),
            "relevant": design.relevant,
            "topics": design.topics,
            "evaluator": design.settings.model_dump(),
            "own_values_sha256": definitions_hash(design.registry),
            **design.more,
            "wording": design.registry.sentences.version,
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
        "baseline": design.baseline,
        **({} if design.wordings == 1 else {"paraphrase": design.paraphrase_of(index)}),
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
    for one in design.asked:
        length = 0
        if prompts:
            sample = read_sample({SAMPLE_KEY: sample_settings(design, one.index, one.condition)})
            prompt, _ = steered_prompt(
                sample,
                design.method,
                design.style,
                design.exemplars,
                one.query.chat,
                design.system,
            )
            length = sum(map(len, prompt.texts))
        windows = design.settings.windows_of(one.index, len(design.queries))
        found.append(
            PlannedSample(
                prompt=length,
                windows=windows * len(one.condition.score_on),
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
        prompt, _ = steered_prompt(
            read,
            metadata["method"],
            style,
            exemplars,
            chat_of(sample.input),
            metadata.get("system") or "",
        )
        # User texts are drawn for each sample; the prompt tells which.
        asked = prompt.texts
        fresh = [v for v in read.score_on if (*asked, *v) not in seen]
        windows = settings.windows_of(read.query_index, read.queries)
        if asked in seen and not fresh:
            continue
        found.append(
            PlannedSample(
                prompt=None if asked in seen else sum(map(len, asked)),
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
        *(f"valueflow: queries: {told}" for told in [topics_line(design)] if told),
    ]
    asset = design.registry.assets.get(settings.vidb)
    if asset is not None and asset.note:
        lines.append(f"valueflow: anchors from {asset.name}. {asset.note}")
    # On standard error and before Inspect's display starts, so that it stays readable.
    print("\n".join(lines), file=sys.stderr, flush=True)
