"""The documents of a survey task of lm-evaluation-harness: every question, as every group's member.

Order and prompts are those of Inspect's samples with `style=user`, so that all passes ask the same
rows in the same order, and `--limit` keeps the same ones in each.

The functions that the survey tasks' YAML files name for results.

No model is asked here: an answer is read by the rules of `valueflow.scorers.survey.answers`, or is
the likeliest letter, and all figures come from `valueflow.scorers.survey.accuracy`, by the names
that Inspect's log has for them.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from datasets import Dataset

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.options import words_option
from valueflow.hub_assets.registry.loading import Registry, load_registry
from valueflow.hub_assets.survey.sample import OpinionSample
from valueflow.lm_eval.aggregation import (
    Entry,
    Numbers,
    aggregations,
    attempt,
    entries_of,
    say,
    say_once,
    say_written,
)
from valueflow.lm_eval.leaves import (
    ANSWERS,
    OpinionLeaf,
    all_metrics,
    opinion_leaf_named,
    with_errors,
)
from valueflow.lm_eval.options import (
    check_requests_are_new,
    clear_option_names,
    output_folder,
    read_survey_options,
)
from valueflow.lm_eval.tables import write_opinion_tables
from valueflow.scorers.figures import Figure
from valueflow.scorers.judge.questions.choice import letter_shares, option_letters
from valueflow.scorers.survey.accuracy import flatten_options, summarize_options
from valueflow.scorers.survey.answers import ReadAnswer, read_answer
from valueflow.scorers.survey.records import OptionRecord, option_record, top_options
from valueflow.solvers.survey_wording import sample_prompt
from valueflow.solvers.wording import Style
from valueflow.survey.design import (
    OpinionDesign,
    OpinionOptions,
    counts_of,
    leakage_notes,
    opinion_design,
)
from valueflow.survey.plan import notes_of, profile_notes, run_metadata, sample_id

__all__ = ["documents", "process_results", "record_of"]


@clear_option_names
def documents(**given: Any) -> dict[str, Dataset]:
    """Makes a survey task's documents; the function `custom_dataset` of its YAML file.

    Args:
        given: `valueflow_task`, the task's name; the options of `--metadata`, each with the prefix
            `valueflow_`; and whatever else the harness passes, which is not read.

    Returns:
        The split `test`, question by question and group by group. Columns: `id` (as Inspect's
        sample ids), `prompt`, `letters` of the options, `target` (the right option: its letter, or
        its place where letters are compared; the first of tied ones), `sample` and `run` (JSON).

    Raises:
        ValueflowError: an option or a file cannot be used; nothing has been generated yet.
    """
    check_requests_are_new()
    rest = dict(given)
    registry = load_registry()
    leaf = opinion_leaf_named(registry, str(rest.pop("valueflow_task", "")))
    options = read_survey_options(rest)
    chosen = _of_the_task(registry, leaf, options.design)
    design = opinion_design(chosen)
    samples = [_marked(one) for one in design.samples if one.pass_name == leaf.pass_name]
    folder = output_folder(options.output, rest)
    run = {
        **{key: part for key, part in run_metadata(design).items() if key != "notes"},
        "planned": counts_of(samples),
        "task": leaf.name,
        "style": options.style,
        "output": None if folder is None else str(folder),
        "passes": [leaf.pass_name],
    }
    if leaf.pass_name != "profile":
        run.pop("leakage", None)
    _print_plan(leaf, design, len(samples), threshold_given=options.design.threshold is not None)
    return {"test": Dataset.from_list(_rows(samples, leaf, options.style, run))}


def _of_the_task(registry: Registry, leaf: OpinionLeaf, options: OpinionOptions) -> OpinionOptions:
    """The options for one pass, and for one attribute where the task has one.

    The profile pass has lines on every question unless a threshold, a preset or a table of
    relevance is given: who names that task wants it. A table of profiles may leave questions out,
    which then no pass may ask, so that every task reads it.
    """
    passes = list(dict.fromkeys([leaf.pass_name, *(["profile"] if options.profiles else [])]))
    options = replace(options, passes=passes)
    bare = options.threshold is None and options.preset is None and options.relevance is None
    if "profile" in passes and bare:
        options = replace(options, threshold=0)
    if leaf.attribute is None:
        return options
    names = [*words_option(options.groups), *words_option(options.attributes)]
    if not names:
        return replace(options, attributes=leaf.attribute)
    groups = [
        group.name
        for group in registry.opinion.chosen_groups(names)
        if group.attribute == leaf.attribute
    ]
    if not groups:
        raise OptionError(
            "groups",
            f"none of {', '.join(names)} belongs to {leaf.attribute}, whose groups {leaf.name} "
            "asks; leave that task out of --tasks, or name one of them too",
        )
    return replace(options, groups=groups, attributes=None)


def _marked(sample: OpinionSample) -> OpinionSample:
    """Only prompts with a profile can be marked as built on the scored questions."""
    if sample.pass_name == "profile":
        return sample
    return sample.model_copy(update={"leakage": ""})


def _rows(
    samples: Sequence[OpinionSample], leaf: OpinionLeaf, style: Style, run: Mapping[str, Any]
) -> list[dict[str, Any]]:
    rows = []
    shared = json.dumps(run, sort_keys=True, ensure_ascii=False)
    for one in samples:
        letters = list(option_letters(len(one.options)))
        right = top_options(one.gold)[0]
        rows.append(
            {
                "id": sample_id(one),
                "prompt": sample_prompt(one, style).user,
                "letters": letters,
                "target": right if leaf.letters else letters[right],
                "sample": one.model_dump_json(),
                "run": shared,
            }
        )
    return rows


def _print_plan(
    leaf: OpinionLeaf, design: OpinionDesign, documents: int, *, threshold_given: bool
) -> None:
    questions = len({sample.question for sample in design.samples})
    form = "comparisons of letters" if leaf.letters else "generations"
    lines = [
        f"{questions:,} questions, {len(design.groups)} groups: {documents:,} {form} (--limit "
        "changes it)"
    ]
    leakage = leakage_notes(design.leakage)
    if leaf.pass_name == "profile":
        lines += [*profile_notes(design), *leakage]
    for line in lines:
        say(leaf.name, line)
    if leaf.pass_name == "profile" and design.threshold == 0 and not threshold_given:
        say_once(
            "no threshold is given, so that every profile prompt has lines; for the relevant "
            "questions alone give valueflow_relevance and valueflow_threshold"
        )
    if design.preset is not None and not leaf.letters:
        say_once(
            f"the preset {design.preset.name} was published with room for "
            f"{design.preset.answer_tokens} tokens; here the room is that of --gen_kwargs "
            "max_gen_toks=NUMBER"
        )
    for note in notes_of(design):
        if note not in leakage:
            say_once(note, design.data.source.sha256)


@dataclass(frozen=True)
class GivenAnswer:
    """An answer as it was read.

    Attributes:
        id: of its document.
        record: what was read.
        run: what the documents say of the run.
    """

    id: str
    record: OptionRecord
    run: str

    @property
    def identity(self) -> str:
        """Tells it from other answers."""
        return json.dumps([self.run, self.record], sort_keys=True)


def record_of(doc: Mapping[str, Any], results: Sequence[Any]) -> OptionRecord:
    """The record of one answer.

    Args:
        doc: from `valueflow.lm_eval.survey`.
        results: the answer, alone in a list; or a log-likelihood for each letter, the first of a
            pair.
    """
    sample = OpinionSample.model_validate_json(doc["sample"])
    if not opinion_leaf_named(load_registry(), json.loads(doc["run"])["task"]).letters:
        text = results[0] if isinstance(results[0], str) else results[0][0]
        return option_record(sample, read_answer(text, sample.options))
    chances = [float(result[0]) for result in results]
    if any(map(math.isnan, chances)) or max(chances) == -math.inf:
        return option_record(sample, ReadAnswer(None, "unparsed"))
    stated, covered = letter_shares([math.exp(min(chance, 0.0)) for chance in chances])
    answer = ReadAnswer(chances.index(max(chances)), "letter")
    return option_record(sample, answer, stated=stated, covered=covered)


def process_results(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, Entry]:
    """The entries of one document; the function `process_results` of the YAML files.

    Args:
        doc, results: see `record_of`.
    """
    answer = GivenAnswer(doc["id"], record_of(doc, results), doc["run"])
    return entries_of(answer, _metrics_of(doc["run"]), ANSWERS, {**answer.record})


@cache
def _metrics_of(run: str) -> tuple[str, ...]:
    """The metrics of a run's task, without those of groups that it does not ask."""
    registry = load_registry()
    told = json.loads(run)
    asked = {registry.opinion.group(name) for name in told["groups"]}
    absent = {g for g in registry.opinion.groups if g not in asked}
    names = {f"accuracy_{group.safe_name}" for group in absent}
    metrics = opinion_leaf_named(registry, told["task"]).metrics(registry)
    return tuple(with_errors(metric for metric in metrics if metric not in names))


def _numbers_of(answers: Sequence[GivenAnswer]) -> Numbers:
    """Sums up a run, tells it, and writes its tables where the run names a folder."""
    run = json.loads(answers[0].run)
    task = run["task"]
    records = [answer.record for answer in answers]
    flat = attempt(
        lambda: flatten_options(summarize_options(records)),
        lambda why: say(task, f"not summed up{why}"),
    )
    if flat is None:
        return Numbers()
    message = (
        f"{flat['answers']:,.0f} answers, {flat['refused']:,.0f} refused, "
        f"{flat['unparsed']:,.0f} unparsed"
    )
    if run.get("leakage", "").startswith("profile"):
        message += f"; {run['leakage']}"
    say(task, message)
    if run["output"] is not None:
        folder = Path(run["output"])
        say_written(task, lambda: write_opinion_tables(folder, task, records, flat))
    metrics = opinion_leaf_named(load_registry(), task).metrics(load_registry())
    return Numbers(
        {
            metric: Figure(flat[name], flat.get(f"{name}_stderr", math.nan))
            for metric, name in metrics.items()
            if name in flat
        }
    )


__getattr__ = aggregations(
    __name__, lambda name: name in all_metrics(load_registry()), ANSWERS, _numbers_of
)
