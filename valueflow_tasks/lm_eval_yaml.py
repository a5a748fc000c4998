"""Writes the YAML files by which lm-evaluation-harness finds the tasks, and says where they lie.

The files are thin: names, metrics and the functions of this package that do the work. They are
written from the catalogue by `valueflow lm-eval sync` and committed.
"""

from importlib.metadata import files
from pathlib import Path

from valueflow.hub_assets.files import write_text
from valueflow.hub_assets.registry import Registry
from valueflow.lm_eval_leaves import ALL_GROUP, LOWER_IS_BETTER, Leaf, leaves
from valueflow.lm_eval_opinion_yaml import opinion_yaml_files

__all__ = ["SCORED", "TASK_VERSION", "sync", "task_folder", "yaml_files"]

TASK_VERSION = 1
"""Raised when numbers of the same options are no longer comparable."""

SCORED = "scored"
"""Metric that counts the responses which were ranked; its sample entries hold the estimates."""

# A token is about three quarters of an English word; the word limit is 100.
MAX_TOKENS = 256

_HEADER = "# Written by `valueflow lm-eval sync` from registry.yaml; do not edit.\n"


def task_folder() -> Path:
    """The folder with the YAML files, for `--include_path`.

    In an installed wheel they lie where the harness looks by itself, in `lm_eval/tasks/valueflow`;
    in a checkout beside this module.
    """
    beside = Path(__file__).resolve().parent / "lm_eval_tasks"
    if beside.is_dir():
        return beside
    for file in files("valueflow") or ():
        if file.parts[-4:-1] == ("lm_eval", "tasks", "valueflow"):
            return Path(str(file.locate())).resolve().parent
    return beside


def yaml_files(registry: Registry) -> dict[str, str]:
    """File name to text of every task and group."""
    every = leaves(registry)
    found = {f"{leaf.name}.yaml": _task(leaf) for leaf in every}
    designs = list(dict.fromkeys(leaf.design for leaf in every))
    for design in designs:
        members = [leaf for leaf in every if leaf.design == design]
        metrics = members[0].metrics(singles=False)
        found[f"{members[0].group}.yaml"] = _group(
            members[0].group, [leaf.name for leaf in members], metrics
        )
    shared = [
        name
        for name in every[0].metrics(singles=False)
        if all(name in leaf.metrics(singles=False) for leaf in every)
    ]
    groups = [f"{ALL_GROUP}-{design}" for design in designs]
    found[f"{ALL_GROUP}.yaml"] = _group(ALL_GROUP, groups, shared)
    return found | opinion_yaml_files(registry)


def sync(registry: Registry, folder: Path) -> list[Path]:
    """Writes all files, and removes those of tasks that are no longer there.

    Returns:
        The files that changed.

    Raises:
        InputFileError: the folder cannot be written to.
    """
    wanted = yaml_files(registry)
    changed = []
    for name, text in wanted.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
            changed.append(path)
    for path in folder.glob("*.yaml"):
        if path.name not in wanted:
            path.unlink()
            changed.append(path)
    return changed


def _task(leaf: Leaf) -> str:
    names = [SCORED]
    for name in leaf.metrics():
        names += [name, f"{name}_se"]
    metrics = "".join(
        f"  - metric: {name}\n"
        f"    aggregation: !function valueflow.lm_eval_results.{name}\n"
        f"    higher_is_better: {str(not _lower(name)).lower()}\n"
        for name in names
    )
    return (
        f"{_HEADER}"
        f"task: {leaf.name}\n"
        "custom_dataset: !function valueflow.lm_eval_documents.documents\n"
        "dataset_kwargs:\n"
        f"  valueflow_task: {leaf.name}\n"
        "test_split: test\n"
        "output_type: generate_until\n"
        "doc_to_text: prompt\n"
        "doc_to_target: target\n"
        'target_delimiter: ""\n'
        "num_fewshot: 0\n"
        "generation_kwargs:\n"
        '  until: ["\\nQuestion:"]\n'
        "  do_sample: false\n"
        f"  max_gen_toks: {MAX_TOKENS}\n"
        "process_results: !function valueflow.lm_eval_results.process_results\n"
        "metric_list:\n"
        f"{metrics}"
        "metadata:\n"
        f"  version: {TASK_VERSION}\n"
    )


def _lower(name: str) -> bool:
    return name.endswith("_se") or name in LOWER_IS_BETTER


def _group(name: str, members: list[str], metrics: list[str]) -> str:
    tasks = "".join(f"  - {member}\n" for member in members)
    aggregated = "".join(
        f"  - metric: {metric}\n    aggregation: mean\n    weight_by_size: false\n"
        for metric in metrics
    )
    return (
        f"{_HEADER}group: {name}\ntask:\n{tasks}aggregate_metric_list:\n{aggregated}"
        f"metadata:\n  version: {TASK_VERSION}\n"
    )
