"""Writes the YAML files by which lm-evaluation-harness finds the tasks, and says where they lie.

The files are thin: names, metrics and the functions of this package that do the work. What the
tasks of a kind share stands once, in a file that they include and whose name begins with `_`; the
harness takes a file that names no task and no group for none. All are written from the catalogue by
`valueflow lm-eval sync` and committed.
"""

from collections.abc import Iterable, Sequence
from importlib.metadata import files
from pathlib import Path

from valueflow.hub_assets.files import write_text
from valueflow.hub_assets.registry.loading import Registry
from valueflow.lm_eval.leaves import (
    ALL_GROUP,
    SCORED,
    Leaf,
    OpinionLeaf,
    leaves,
    lower_is_better,
    opinion_leaves,
    with_errors,
)

__all__ = [
    "OPINION_TASK_VERSION",
    "TASK_VERSION",
    "opinion_yaml_files",
    "sync",
    "task_folder",
    "yaml_files",
]

TASK_VERSION = 2
"""Raised when numbers of the same options are no longer comparable."""

# A token is about three quarters of an English word; the word limit is 100.
MAX_TOKENS = 256

_HEADER = "# Written by `valueflow lm-eval sync` from registry.yaml; do not edit.\n"


def task_folder() -> Path:
    """The folder with the YAML files, for `--include_path`.

    In an installed wheel they lie where the harness looks by itself, in `lm_eval/tasks/valueflow`;
    in a checkout beside this module.
    """
    beside = Path(__file__).resolve().parent / "harness_tasks"
    if beside.is_dir():
        return beside
    for file in files("valueflow") or ():
        if file.parts[-4:-1] == ("lm_eval", "tasks", "valueflow"):
            return Path(str(file.locate())).resolve().parent
    return beside


def yaml_files(registry: Registry) -> dict[str, str]:
    """File name to text of every task and group."""
    every = leaves(registry)
    found = {f"{leaf.name}.yaml": _task(leaf.name, f"_{leaf.design}.yaml") for leaf in every}
    designs = list(dict.fromkeys(leaf.design for leaf in every))
    for design in designs:
        members = [leaf for leaf in every if leaf.design == design]
        found[f"_{design}.yaml"] = _settings_of_design(members[0])
        found[f"{members[0].group}.yaml"] = _group(
            members[0].group, [leaf.name for leaf in members]
        )
    found[f"{ALL_GROUP}.yaml"] = _group(ALL_GROUP, [f"{ALL_GROUP}-{one}" for one in designs])
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


def _task(name: str, shared: str) -> str:
    return f"{_HEADER}include: {shared}\ntask: {name}\ndataset_kwargs:\n  valueflow_task: {name}\n"


def _settings_of_design(leaf: Leaf) -> str:
    """What all tasks of a design share."""
    return (
        f"{_HEADER}"
        "custom_dataset: !function valueflow.lm_eval.steering.documents\n"
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
        "process_results: !function valueflow.lm_eval.steering.process_results\n"
        f"{_metric_list('steering', [SCORED, *leaf.metrics()])}"
        "metadata:\n"
        f"  version: {TASK_VERSION}\n"
    )


def _metric_list(module: str, metrics: Iterable[str]) -> str:
    """The metrics, each with the function of `valueflow.lm_eval.MODULE` that gives its number."""
    listed = "".join(
        f"  - metric: {name}\n"
        f"    aggregation: !function valueflow.lm_eval.{module}.{name}\n"
        f"    higher_is_better: {str(not lower_is_better(name)).lower()}\n"
        for name in with_errors(metrics)
    )
    return f"metric_list:\n{listed}"


def _group(name: str, members: list[str]) -> str:
    """A group without figures of its own: the harness would take its tasks' errors as independent,
    and they share their questions."""
    tasks = "".join(f"  - {member}\n" for member in members)
    return f"{_HEADER}group: {name}\ntask:\n{tasks}metadata:\n  version: {TASK_VERSION}\n"


OPINION_TASK_VERSION = 2
"""Raised when numbers of the same options are no longer comparable."""


def opinion_yaml_files(registry: Registry) -> dict[str, str]:
    """File name to text of every survey task and group.

    An attribute's tasks are written into their group's file, where the harness knows them by no
    name of their own; what they share stands once, beside the list of members.
    """
    every = opinion_leaves(registry)
    found = {f"{leaf.name}.yaml": _task(leaf.name, _shared(leaf)) for leaf in every}
    for members in _by_group(every):
        shared = f"{_form(registry, members[0])}{_metrics(registry, members)}{_VERSION}"
        found[_shared(members[0])] = f"{_HEADER}{shared}"
        tasks = "".join(f"  - {leaf.name}\n" for leaf in members)
        name = members[0].group
        found[f"{name}.yaml"] = f"{_HEADER}group: {name}\ntask:\n{tasks}{_VERSION}"
    for attribute in registry.opinion.attributes:
        for members in _by_group(opinion_leaves(registry, attribute)):
            name = members[0].group
            tasks = "".join(
                f"  - task: {leaf.pass_name}\n{_indented(_own(leaf))}" for leaf in members
            )
            settings = f"include: {_shared(members[0])}\n{_metrics(registry, members)}"
            found[f"{name}.yaml"] = f"{_HEADER}group: {name}\n{settings}task:\n{tasks}{_VERSION}"
    return found


def _shared(leaf: OpinionLeaf) -> str:
    """The file with what all survey tasks of a form share."""
    return "_opinionqa_letters.yaml" if leaf.letters else "_opinionqa.yaml"


_VERSION = f"metadata:\n  version: {OPINION_TASK_VERSION}\n"


def _by_group(leaves: Sequence[OpinionLeaf]) -> list[list[OpinionLeaf]]:
    names = dict.fromkeys(leaf.group for leaf in leaves)
    return [[leaf for leaf in leaves if leaf.group == name] for name in names]


def _own(leaf: OpinionLeaf) -> str:
    """What differs between the tasks of a group."""
    return f'dataset_kwargs:\n  valueflow_task: "{leaf.name}"\n{_VERSION}'


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def _metrics(registry: Registry, leaves: Sequence[OpinionLeaf]) -> str:
    """The metrics of all these tasks; one that a task lacks is not reported there."""
    metrics = dict.fromkeys(name for leaf in leaves for name in leaf.metrics(registry))
    return _metric_list("survey", metrics)


def _form(registry: Registry, leaf: OpinionLeaf) -> str:
    """How the questions are put and answered."""
    tokens = registry.defaults.opinionqa.answer_tokens
    if leaf.letters:
        # Under a chat template the harness leaves the space before a letter out.
        form = (
            "output_type: multiple_choice\n"
            "doc_to_choice: letters\n"
            'target_delimiter: " "\n'
        )  # fmt: skip
    else:
        form = (
            "output_type: generate_until\n"
            'target_delimiter: ""\n'
            "generation_kwargs:\n"
            '  until: ["\\nQuestion:"]\n'
            "  do_sample: false\n"
            f"  max_gen_toks: {tokens}\n"
        )
    return (
        "custom_dataset: !function valueflow.lm_eval.survey.documents\n"
        "test_split: test\n"
        f"{form}"
        "doc_to_text: prompt\n"
        "doc_to_target: target\n"
        "num_fewshot: 0\n"
        "process_results: !function valueflow.lm_eval.survey.process_results\n"
    )
