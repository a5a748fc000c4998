"""The YAML files of the survey tasks: thin, and written from the catalogue like the others."""

from collections.abc import Sequence

from valueflow.hub_assets.registry import Registry
from valueflow.lm_eval_opinion_leaves import (
    OpinionLeaf,
    has_error,
    lower_is_better,
    opinion_leaves,
)

__all__ = ["OPINION_TASK_VERSION", "opinion_yaml_files"]

OPINION_TASK_VERSION = 1
"""Raised when numbers of the same options are no longer comparable."""

_HEADER = "# Written by `valueflow lm-eval sync` from registry.yaml; do not edit.\n"
_RESULTS = "valueflow.lm_eval_opinion_results"


def opinion_yaml_files(registry: Registry) -> dict[str, str]:
    """File name to text of every survey task and group.

    An attribute's tasks are written into their group's file, where the harness knows them by no
    name of their own; what they share stands once, beside the list of members.
    """
    every = opinion_leaves(registry)
    found = {
        f"{leaf.name}.yaml": f"{_HEADER}task: {leaf.name}\n{_settings(registry, [leaf])}"
        f"{_own(leaf)}"
        for leaf in every
    }
    for members in _by_group(every):
        tasks = "".join(f"  - {leaf.name}\n" for leaf in members)
        name = members[0].group
        found[f"{name}.yaml"] = f"{_HEADER}group: {name}\ntask:\n{tasks}{_VERSION}"
    for attribute in registry.opinion.attributes:
        for members in _by_group(opinion_leaves(registry, attribute)):
            name = members[0].group
            tasks = "".join(
                f"  - task: {leaf.pass_name}\n{_indented(_own(leaf))}" for leaf in members
            )
            settings = _settings(registry, members)
            found[f"{name}.yaml"] = f"{_HEADER}group: {name}\n{settings}task:\n{tasks}{_VERSION}"
    return found


_VERSION = f"metadata:\n  version: {OPINION_TASK_VERSION}\n"


def _by_group(leaves: Sequence[OpinionLeaf]) -> list[list[OpinionLeaf]]:
    names = dict.fromkeys(leaf.group for leaf in leaves)
    return [[leaf for leaf in leaves if leaf.group == name] for name in names]


def _own(leaf: OpinionLeaf) -> str:
    """What differs between the tasks of a group."""
    return f'dataset_kwargs:\n  valueflow_task: "{leaf.name}"\n{_VERSION}'


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def _settings(registry: Registry, leaves: Sequence[OpinionLeaf]) -> str:
    """What the tasks share; a metric that one of them lacks is not reported there."""
    metrics: dict[str, None] = {}
    for leaf in leaves:
        for name in leaf.metrics(registry):
            metrics |= {name: None, **({f"{name}_se": None} if has_error(name) else {})}
    listed = "".join(
        f"  - metric: {name}\n"
        f"    aggregation: !function {_RESULTS}.{name}\n"
        f"    higher_is_better: {str(not lower_is_better(name)).lower()}\n"
        for name in metrics
    )
    tokens = registry.defaults.opinionqa.answer_tokens
    if leaves[0].letters:
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
        "custom_dataset: !function valueflow.lm_eval_opinion_documents.documents\n"
        "test_split: test\n"
        f"{form}"
        "doc_to_text: prompt\n"
        "doc_to_target: target\n"
        "num_fewshot: 0\n"
        f"process_results: !function {_RESULTS}.process_results\n"
        f"metric_list:\n{listed}"
    )
