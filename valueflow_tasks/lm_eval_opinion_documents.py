"""The documents of a survey task of lm-evaluation-harness: every question, as every group's member.

Order and prompts are those of Inspect's samples with `style=user`, so that all passes ask the same
rows in the same order, and `--limit` keeps the same ones in each.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from datasets import Dataset

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.opinion_sample import OpinionSample
from valueflow.hub_assets.registry import Registry, load_registry
from valueflow.lm_eval_command_line import check_requests_are_new, output_folder
from valueflow.lm_eval_opinion_leaves import OpinionLeaf, opinion_leaf_named
from valueflow.lm_eval_options import clear_option_names, read_survey_options
from valueflow.opinion_design import (
    OpinionDesign,
    OpinionOptions,
    counts_of,
    leakage_notes,
    opinion_design,
)
from valueflow.opinion_plan import notes_of, profile_notes, run_metadata, sample_id
from valueflow.options import words_option
from valueflow.scorers.choice_judging import option_letters
from valueflow.scorers.option_gold import top_options
from valueflow.solvers.profile_wording import sample_prompt
from valueflow.solvers.wording import Style

__all__ = ["documents"]


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
        print(f"valueflow: {leaf.name}: {line}", file=sys.stderr, flush=True)
    if leaf.pass_name == "profile" and design.threshold == 0 and not threshold_given:
        _print_once(
            "no threshold is given, so that every profile prompt has lines; for the relevant "
            "questions alone give valueflow_relevance and valueflow_threshold"
        )
    if design.preset is not None and not leaf.letters:
        _print_once(
            f"the preset {design.preset.name} was published with room for "
            f"{design.preset.answer_tokens} tokens; here the room is that of --gen_kwargs "
            "max_gen_toks=NUMBER"
        )
    for note in notes_of(design):
        if note not in leakage:
            _print_once(note, design.data.source.sha256)


@cache
def _print_once(line: str, about: str = "") -> None:
    """For what holds for several tasks of a command; `about` tells the same line of other data."""
    print(f"valueflow: {line}", file=sys.stderr, flush=True)
