"""The task `valueflow/judge_stability`: how far judges, wordings and ways of asking agree.

inspect eval valueflow/judge_stability --model none --model-role grader=A --model-role grader_b=B
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import click
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import Model

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.anchors import Vidb, load_vidb
from valueflow.hub_assets.inputs.options import (
    clear_errors,
    columns_option,
    number_option,
    words_option,
)
from valueflow.hub_assets.registry.loading import Value, definitions_hash
from valueflow.hub_assets.settings import (
    SAMPLE_KEY,
    SCORED,
    EvaluatorSettings,
    SpendingSettings,
    read_options,
    with_options,
)
from valueflow.scorers.judge.asking import GRADER_ROLE
from valueflow.scorers.judge.calls.spending import budget_of
from valueflow.scorers.judge.panel import judges_named
from valueflow.scorers.judge.questions.wordings import WORDINGS
from valueflow.scorers.summary.stability.judgements import STUDY_KEY, WAYS
from valueflow.steering.before import judge_answers
from valueflow.steering.existing import existing_response
from valueflow.steering.judge_study.scorer import judge_stability_scores
from valueflow.steering.judge_study.settings import StudySettings
from valueflow.steering.judge_study.texts import StudyText, texts_of_database, texts_of_table
from valueflow.steering.names import values_option
from valueflow.steering.plan import CHARACTERS, PlannedSample, costs_of, run_size, size_note
from valueflow.steering.settings import (
    PlanSettings,
    evaluator_settings,
    registry_of_run,
    response_settings,
)

__all__ = ["judge_stability"]

TASK_VERSION = 1
"""Raised when numbers of the same options are no longer comparable."""

N_TEXTS = 10
"""Texts of each value that are drawn from the database."""


@task
@clear_errors
@with_options(*SCORED, PlanSettings)
def judge_stability(
    texts: str | None = None,
    values: str | list[str] | None = None,
    theory: str | None = None,
    n_texts: int = N_TEXTS,
    ways: str | list[str] | None = None,
    wordings: str | list[str] | None = None,
    text_columns: dict[str, str] | None = None,
    *,
    options: Mapping[str, Any],
) -> Task:
    """Asks several judges about the same texts, in several ways and wordings.

    The judges are the models in the roles `grader`, `grader_b`, `grader_c`, ...

    Args:
        texts: table with a text and a value in each row, and optionally the intensity that people
            gave it (`label`) and what it answers (`query`); rows of the database of anchors where
            not given, whose intensities are the labels.
        values: names of values; all of the theory where not given. With `texts`: one value, that
            of all rows that name none.
        theory: `pvq` (default), `mft`, `duty` or `right`.
        n_texts: texts of each value that are drawn from the database (10).
        ways: some of `rating`, `window_rating` and `ranking`; all where not given.
        wordings: some of `standard` and `plain`; all where not given.
        text_columns: column names of `texts`, such as `{label: human_score}`.
        options: those of `valueflow.hub_assets.settings.SCORED` and `plan`, each a parameter of
            its own.
    """
    registry = registry_of_run(options)
    _check_mode(options)
    study = _study(words_option(ways) or WAYS, words_option(wordings) or tuple(WORDINGS))
    columns = columns_option("text_columns", text_columns)
    source, digest = "", ""
    if texts is None:
        chosen = values_option(registry, values, theory)
        # Read first for its rows; checked with the other options below.
        first = evaluator_settings(registry, chosen, options, responses=1, held_out=1)
        vidb = load_vidb(first.vidb, first.columns, registry)
        count = number_option("n_texts", n_texts, 1)
        found = texts_of_database(vidb, chosen, count, first.seed)
    else:
        source = str(texts)
        named = words_option(values)
        if len(named) > 1:
            raise OptionError(
                "values", "names one value with texts, that of the rows that name none themselves"
            )
        found, digest = texts_of_table(
            source, registry, columns, named[0] if named else None, theory
        )
    judged: list[Value] = list(dict.fromkeys(text.value for text in found))
    sizes = Counter(text.value for text in found)
    settings = evaluator_settings(
        registry, judged, options, responses=max(sizes.values()), held_out=1
    )
    vidb = load_vidb(settings.vidb, settings.columns, registry)
    samples = _samples(found, study, {**response_settings(options), "evaluator": settings})
    spending = read_options(SpendingSettings, options)
    planned = _Planned(found, study, settings, vidb, spending.prices)
    planned.tell(read_options(PlanSettings, options).plan)
    for judge in judges_named():
        budget_of(spending, judge.model)  # Raises where money is limited and a price is not known.
    return Task(
        dataset=MemoryDataset(samples, name="texts"),
        setup=judge_answers(every=True),
        solver=existing_response(),
        scorer=judge_stability_scores(**spending.model_dump(exclude_none=True)),
        version=TASK_VERSION,
        metadata={
            "valueflow": version("valueflow"),
            "texts": source or vidb.source.reference,
            "texts_sha256": (digest or vidb.source.sha256)[:16],
            "vidb": vidb.source.reference,
            "vidb_sha256": vidb.source.sha256[:16],
            "values": [f"{v.theory}:{v.name}" for v in judged],
            "ways": list(study.ways),
            "wordings": list(study.wordings),
            "planned": {"generations": 0, "judge_calls": planned.calls * len(judges_named())},
            "evaluator": settings.model_dump(),
            "own_values_sha256": definitions_hash(registry),
        },
    )


def _check_mode(options: Mapping[str, Any]) -> None:
    """Options that a study has no use for, before they are silently without effect.

    Raises:
        OptionError: one was given.
    """
    for name, why in (
        ("judge_mode", "the study asks in several ways; choose them with -T ways=rating,ranking"),
        ("target_se", "the study shows every judge the same windows, and as many"),
    ):
        if options.get(name) is not None:
            raise OptionError(name, why)
    if options.get("sampling") == "adaptive":
        raise OptionError("sampling", "adaptive does not go with a study, in which every judge "
                          "sees the same windows. Take sampling=bucket")  # fmt: skip


def _study(ways: Sequence[str], wordings: Sequence[str]) -> StudySettings:
    return read_options(StudySettings, {"ways": tuple(ways), "wordings": tuple(wordings)})


def _samples(
    texts: Sequence[StudyText], study: StudySettings, more: Mapping[str, Any]
) -> list[Sample]:
    sizes = Counter(text.value for text in texts)
    in_cell: Counter[Value] = Counter()
    samples = []
    for number, text in enumerate(texts, start=1):
        evaluator: EvaluatorSettings = more["evaluator"]
        settings = {
            "score_on": [[text.value.theory, text.value.name]],
            "query": text.query[:200] or f"text {number}",
            "query_index": in_cell[text.value],
            "queries": sizes[text.value],
            **more,
            "evaluator": evaluator.model_dump(),
        }
        in_cell[text.value] += 1
        own = study.model_copy(update={"label": text.label})
        samples.append(
            Sample(
                id=f"text-{number:06d}",
                input=text.query or "(no query given)",
                metadata={
                    SAMPLE_KEY: settings,
                    STUDY_KEY: own.model_dump(),
                    "response": text.text,
                },
            )
        )
    return samples


class _Planned:
    """What a study asks of each judge, and what that costs."""

    def __init__(
        self,
        texts: Sequence[StudyText],
        study: StudySettings,
        settings: EvaluatorSettings,
        vidb: Vidb,
        prices: str | None,
    ) -> None:
        self.texts, self.settings, self.vidb, self.prices = texts, settings, vidb, prices
        self.size = run_size()
        wordings = len(study.wordings)
        self.single = wordings * ("rating" in study.ways)
        self.windows = wordings * sum(way != "rating" for way in study.ways)
        index: Counter[Value] = Counter()
        sizes = Counter(text.value for text in texts)
        self.asked: list[tuple[PlannedSample, PlannedSample]] = []
        for text in texts:
            length = len(text.text) / CHARACTERS
            most = settings.windows_of(index[text.value], sizes[text.value])
            index[text.value] += 1
            self.asked.append(
                (
                    PlannedSample(None, self.windows * most, length, refusal=False),
                    PlannedSample(None, self.single, length, refusal=False),
                )
            )

    @property
    def calls(self) -> int:
        """Judge calls of one judge for the whole data set, retries not counted."""
        return round(sum(float(one.windows) for pair in self.asked for one in pair))

    def tell(self, end: bool) -> None:
        """Prints calls and, where the run is to end here, tokens and money of each judge.

        Raises:
            click.exceptions.Exit: `end`, with status 0.
        """
        run = range(len(self.texts))[self.size.first : self.size.last]
        pairs = [self.asked[n] for n in run] * self.size.epochs
        calls = sum(one.windows for pair in pairs for one in pair)
        judges = judges_named()
        count = len(judges) or 1
        _say(
            f"{len(self.texts):,} texts, {count} judges: planned {calls:,} calls of each, "
            f"{calls * count:,} in all (retries not counted"
            f"{size_note(self.size, len(self.texts))})"
        )
        if not end:
            return
        total: float | None = 0.0
        alone = self.settings.model_copy(update={"window_size": 1})
        asked: list[tuple[str, Model | None]] = [(one.name, one.model) for one in judges]
        asked = asked or [(GRADER_ROLE, None)]
        for name, model in asked:
            read = written = 0.0
            money: float | None = 0.0
            for place, settings in ((0, self.settings), (1, alone)):
                costs = costs_of(
                    [pair[place] for pair in pairs], settings, self.vidb,
                    model=None, judge=model, prices=self.prices,
                )  # fmt: skip
                read, written = read + costs.judge_read, written + costs.judge_written
                part = costs.judge_money
                money = None if money is None or part is None else money + part
            total = None if total is None or money is None else total + money
            told = "no price known" if money is None else f"${money:,.2f}"
            _say(
                f"plan: judge {name}: {calls:,} calls, about "
                f"{read:,.0f} tokens in and {written:,.0f} out, {told}"
            )
        told = (
            "no price known for all of it; give -T prices=FILE"
            if total is None
            else f"${total:,.2f}"
        )
        _say(f"plan: in all {told}. Retries and reasoning are not counted. Nothing was asked.")
        raise click.exceptions.Exit(0)


def _say(line: str) -> None:
    print(f"valueflow: {line}", file=sys.stderr, flush=True)
