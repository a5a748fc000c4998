"""The documents of a task of lm-evaluation-harness: every query under every condition.

The harness hands `--metadata` to this function alone, so all that the later steps need stands in
the documents: the sample's settings (as Inspect's samples have them) and how the run is judged.
"""

import json
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from datasets import Dataset

from valueflow.evaluator_options import registry_of_run
from valueflow.hub_assets.registry import load_registry
from valueflow.hub_assets.sample_settings import SAMPLE_KEY, read_sample
from valueflow.lm_eval_cache import check_cache_folder
from valueflow.lm_eval_command_line import (
    check_requests_are_new,
    judging_is_skipped,
    output_folder,
)
from valueflow.lm_eval_grader import NO_GRADER, check_grader, grader_spec
from valueflow.lm_eval_leaves import leaf_named
from valueflow.lm_eval_options import (
    clear_option_names,
    conditions_of,
    max_connections,
    read_options,
)
from valueflow.options import yes_or_no
from valueflow.run_design import RunDesign, sample_settings, steering_design
from valueflow.solvers.steering_solver import steered_prompt
from valueflow.solvers.wording import WORDING_VERSION

__all__ = ["documents"]


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
    registry = load_registry()
    leaf = leaf_named(registry, str(rest.pop("valueflow_task", "")))
    options = read_options(rest)
    registry = registry_of_run(options.run)
    grader = None if judging_is_skipped() else grader_spec(options.grader)
    design = steering_design(conditions_of(registry, leaf, options), options.run)
    connections = max_connections(options)
    if grader is not None:
        check_grader(grader)
        check_cache_folder()
    folder = output_folder(options.output, rest)
    run = {
        "task": leaf.name,
        "grader": grader or NO_GRADER,
        "max_connections": connections,
        "singles": yes_or_no("singles", options.singles),
        "output": None if folder is None else str(folder),
        "method": design.method,
        "style": design.style,
        "wording": WORDING_VERSION,
    }
    _print_plan(leaf.name, design, grader is not None)
    return {"test": Dataset.from_list(_rows(design, run))}


def _rows(design: RunDesign, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    shared = json.dumps(run, sort_keys=True, ensure_ascii=False)
    for index, query in enumerate(design.queries):
        for name, condition in zip(design.names, design.conditions, strict=True):
            settings = sample_settings(design, index, condition)
            sample = read_sample({SAMPLE_KEY: settings})
            prompt, texts = steered_prompt(
                sample, design.method, design.style, design.exemplars, query.text
            )
            rows.append(
                {
                    "id": f"{query.id}/{name}",
                    "query": query.id,
                    "condition": name,
                    "question": query.text,
                    "prompt": prompt.user,
                    "target": "",
                    "exemplars": json.dumps(texts, ensure_ascii=False),
                    "settings": json.dumps(settings, sort_keys=True, ensure_ascii=False),
                    "run": shared,
                }
            )
    return rows


def _print_plan(task: str, design: RunDesign, judged: bool) -> None:
    planned = design.planned
    calls = f"{planned['judge_calls']:,} judge calls" if judged else "no judge calls"
    lines = [
        f"valueflow: {task}: {planned['queries']} queries under {len(design.conditions)} "
        f"conditions: {planned['generations']:,} generations and {calls} (--limit changes both)",
        *(f"valueflow: queries: {note}" for note in design.loaded.notes),
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)
    asset = load_registry().assets.get(design.settings.vidb)
    if asset is not None and asset.note:
        _print_once(f"valueflow: anchors from {asset.name}. {asset.note}")


@cache
def _print_once(line: str) -> None:
    """For what holds for all tasks of a command."""
    print(line, file=sys.stderr, flush=True)
