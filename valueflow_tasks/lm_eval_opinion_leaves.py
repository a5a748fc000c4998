"""The survey tasks, their groups and their metrics as lm-evaluation-harness sees them.

Each pass is a task, answered in words (`valueflow_opinionqa_default`) or by the likelihood of the
options' letters (`valueflow_opinionqa_default_letters`). Every attribute has a group of the same
passes (`valueflow-opinionqa-income`), whose members exist in it alone: a pattern `valueflow_*`
must not ask the same questions twice.

A metric's name has letters, digits and `_` only: the harness puts a comma after it, and names of
groups have commas of their own.
"""

from dataclasses import dataclass
from typing import get_args

from valueflow.hub_assets.errors import UnknownNameError
from valueflow.hub_assets.opinion_sample import Pass
from valueflow.hub_assets.registry import Registry
from valueflow.lm_eval_leaves import ALL_GROUP

__all__ = [
    "ANSWERS",
    "OPINION_GROUP",
    "OpinionLeaf",
    "all_metrics",
    "figure_name",
    "has_error",
    "lower_is_better",
    "opinion_leaf_named",
    "opinion_leaves",
]

OPINION_GROUP = f"{ALL_GROUP}-opinionqa"

ANSWERS = "answers"
"""Metric that counts the answers; its sample entries show what was read."""

LETTERS = "letters"

# What community models say would have to be generated first, so that pass is Inspect's alone.
LM_EVAL_PASSES: tuple[Pass, ...] = tuple(p for p in get_args(Pass) if p != "modular_pluralism")

# A metric to the figure's name in Inspect's log; {} is the pass.
_EVERY = {
    ANSWERS: "answers",
    "accuracy": "{} accuracy",
    "above_baseline": "{}-baseline difference",
    "baseline_accuracy": "baseline accuracy",
    "baseline_others_accuracy": "baseline_others accuracy",
    "unparsed": "{} unparsed",
    "gold_ties": "gold_ties",
}
_GENERATION = {"accuracy_all": "{} accuracy_all", "refused": "{} refused"}
_LETTERS = {
    "js": "{} js",
    "emd": "{} emd",
    "covered": "{} covered",
    "baseline_js": "baseline js",
    "baseline_emd": "baseline emd",
}
_MACRO = {
    "macro_accuracy": "{} macro accuracy",
    "baseline_macro_accuracy": "baseline macro accuracy",
}
_PROFILE = {
    "with_lines": "{} with_lines",
    "profile_built_on_scored_questions": "profile_built_on_scored_questions",
}

_NO_ERROR = {ANSWERS, "gold_ties", *_PROFILE}
_LOWER = {
    *("refused", "unparsed", "js", "emd", "baseline_js", "baseline_emd", "gold_ties"),
    "profile_built_on_scored_questions",
}


@dataclass(frozen=True)
class OpinionLeaf:
    """One task: a pass, how it is answered, and the one attribute that it asks (None: all)."""

    pass_name: Pass
    letters: bool = False
    attribute: str | None = None

    @property
    def group(self) -> str:
        """For instance `valueflow-opinionqa`, `valueflow-opinionqa-letters-income`."""
        parts = [OPINION_GROUP]
        parts += [LETTERS] if self.letters else []
        parts += [self.attribute.lower()] if self.attribute else []
        return "-".join(parts)

    @property
    def name(self) -> str:
        """For instance `valueflow_opinionqa_blind`; of an attribute's task `GROUP::blind`."""
        if self.attribute:
            return f"{self.group}::{self.pass_name}"
        return f"valueflow_opinionqa_{self.pass_name}" + (f"_{LETTERS}" if self.letters else "")

    def metrics(self, registry: Registry) -> dict[str, str]:
        """Its metrics without standard errors, each with the figure's name in Inspect's log."""
        found = {**_EVERY, **(_LETTERS if self.letters else _GENERATION)}
        if self.attribute is None:
            found |= _MACRO
            for name in registry.opinion.attributes:
                found[f"accuracy_{name.lower()}"] = f"{{}} {name} accuracy"
        else:
            for group in registry.opinion.attributes[self.attribute].groups:
                found[f"accuracy_{group.safe_name}"] = f"{{}} {group.name} accuracy"
        if self.pass_name == "profile":
            found |= _PROFILE
        return {metric: figure_name(name, self.pass_name) for metric, name in found.items()}


def figure_name(name: str, pass_name: str) -> str:
    """A figure's name in Inspect's log, with the pass in the place that is kept for it."""
    return name.replace("{}", pass_name)


def has_error(metric: str) -> bool:
    """Whether a metric has a standard error beside it, `METRIC_se`."""
    return metric not in _NO_ERROR


def lower_is_better(metric: str) -> bool:
    """What the harness shows as an arrow."""
    return metric.endswith("_se") or metric in _LOWER


def opinion_leaves(registry: Registry, attribute: str | None = None) -> list[OpinionLeaf]:
    """The tasks of all groups, or of one attribute's: answers in words first, then letters."""
    return [
        OpinionLeaf(pass_name, letters, attribute)
        for letters in (False, True)
        for pass_name in LM_EVAL_PASSES
    ]


def all_metrics(registry: Registry) -> set[str]:
    """Every metric of any survey task, standard errors among them."""
    found: set[str] = set()
    for leaf in _every_leaf(registry):
        for metric in leaf.metrics(registry):
            found |= {metric, f"{metric}_se"} if has_error(metric) else {metric}
    return found


def opinion_leaf_named(registry: Registry, name: str) -> OpinionLeaf:
    """The survey task of that name.

    Raises:
        UnknownNameError: there is none.
    """
    known = {leaf.name: leaf for leaf in _every_leaf(registry)}
    if name not in known:
        raise UnknownNameError("lm-eval task", name, known)
    return known[name]


def _every_leaf(registry: Registry) -> list[OpinionLeaf]:
    attributes = (None, *registry.opinion.attributes)
    return [leaf for attribute in attributes for leaf in opinion_leaves(registry, attribute)]
