"""The documents of a task of lm-evaluation-harness: every query under every condition.

The harness hands `--metadata` to this function alone, so all that the later steps need stands in
the documents: the sample's settings (as Inspect's samples have them) and how the run is judged.

The functions that the YAML files name for results: what a document yields, and one per metric.
All responses are judged when the first of them is called.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset

from valueflow.hub_assets.inputs.chats import in_words
from valueflow.hub_assets.inputs.options import yes_or_no
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.settings import SAMPLE_KEY, read_sample
from valueflow.lm_eval.aggregation import Entry, aggregations, entries_of, say, say_once
from valueflow.lm_eval.figures import numbers_of
from valueflow.lm_eval.judging import GivenResponse
from valueflow.lm_eval.leaves import METRICS, SCORED, SHARES, leaf_named, with_errors
from valueflow.lm_eval.options import (
    NO_GRADER,
    check_requests_are_new,
    clear_option_names,
    conditions_of,
    grader_spec,
    judging_is_skipped,
    max_connections,
    output_folder,
    read_options,
)
from valueflow.scorers.judge.calls.memory import check_cache_folder
from valueflow.scorers.judge.model import check_grader, grader_specs
from valueflow.scorers.judge.panel import check_panel, check_panel_mode
from valueflow.solvers.steering_solver import steered_prompt
from valueflow.steering.design import RunDesign, sample_settings, steering_design, topics_line
from valueflow.steering.settings import registry_of_run

__all__ = ["documents", "process_results"]


@clear_option_names
def documents(**given: Any) -> dict[str, Dataset]:
    """Makes a task's documents; the function `custom_dataset` of its YAML file.

    Args:
        given: `valueflow_task`, the task's name; the options of `--metadata`, each with the prefix
            `valueflow_`; and whatever else the harness passes, which is not read.

    Returns:
        The split `test`, query by query with the default first. Columns: `id` (as Inspect's sample
        ids), `query`, `condition`, `question`, `prompt`, `target` (empty), `exemplars` (texts that
        steer), `settings` and `run` (JSON).

    Raises:
        ValueflowError: an option, the judge, a file or the cache folder cannot be used; nothing has
            been generated yet.
    """
    check_requests_are_new()
    rest = dict(given)
    leaf = leaf_named(load_registry(), str(rest.pop("valueflow_task", "")))
    options = read_options(rest)
    registry = registry_of_run(options.run)
    grader = None if judging_is_skipped() else grader_spec(options.grader)
    design = steering_design(registry, conditions_of(registry, leaf, options), options.run)
    connections = max_connections(options)
    if grader is not None:
        check_panel(check_grader(grader))
        check_panel_mode(design.settings.panel, len(grader_specs(grader)))
        check_cache_folder()
    folder = output_folder(options.output, rest)
    run = {
        "task": leaf.name,
        "grader": grader or NO_GRADER,
        "max_connections": connections,
        **design.spending.model_dump(exclude_none=True),
        "singles": yes_or_no("singles", options.singles),
        "output": None if folder is None else str(folder),
        "method": design.method,
        "style": design.style,
        "baseline": design.baseline,
        "wording": registry.sentences.version,
        "wordings": design.wordings,
        "language": registry.sentences.language,
        "form": design.more["form"],
        "relevant": design.relevant,
        "system_sha256": design.system_sha256,
        "topics": design.topics,
    }
    _print_plan(leaf.name, design, 0 if grader is None else len(grader_specs(grader)))
    return {"test": Dataset.from_list(_rows(design, run))}


def _rows(design: RunDesign, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    shared = json.dumps(run, sort_keys=True, ensure_ascii=False)
    for one in design.asked:
        settings = sample_settings(design, one.index, one.condition)
        sample = read_sample({SAMPLE_KEY: settings})
        prompt, texts = steered_prompt(
            sample,
            design.method,
            design.style,
            design.exemplars,
            one.query.chat,
            design.system,
            one_text=True,
        )
        rows.append(
            {
                "id": f"{one.query.id}/{one.name}",
                "query": one.query.id,
                "condition": one.name,
                "question": in_words(one.query.chat, design.registry.sentences.say),
                "prompt": prompt.user,
                "target": "",
                "exemplars": json.dumps(texts, ensure_ascii=False),
                "settings": json.dumps(settings, sort_keys=True, ensure_ascii=False),
                "run": shared,
            }
        )
    return rows


def _print_plan(task: str, design: RunDesign, judges: int) -> None:
    planned = design.planned(judges if design.settings.panel == "all" else 1)
    calls = f"{planned['judge_calls']:,} judge calls" if judges else "no judge calls"
    say(
        task,
        f"{planned['queries']} queries under {len(design.conditions)} conditions: "
        f"{planned['generations']:,} generations and {calls} (--limit changes both)",
    )
    for note in design.loaded.notes:
        say("queries", note)
    if told := topics_line(design):
        say("queries", told)
    asset = design.registry.assets.get(design.settings.vidb)
    if asset is not None and asset.note:
        say_once(f"anchors from {asset.name}. {asset.note}")


def process_results(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, Entry]:
    """The entries of one document; the function `process_results` of the YAML files.

    Args:
        doc: from `documents`.
        results: the response, alone in a list.
    """
    text = results[0] if isinstance(results[0], str) else results[0][0]
    response = GivenResponse({key: str(cell) for key, cell in doc.items()}, text)
    run = response.run
    metrics = leaf_named(load_registry(), run["task"]).metrics(singles=bool(run["singles"]))
    return entries_of(response, with_errors([SCORED, *metrics]), SCORED, {})


_METRICS = with_errors([SCORED, *SHARES, *(name for names in METRICS.values() for name in names)])

__getattr__ = aggregations(__name__, _METRICS.__contains__, SCORED, numbers_of)
