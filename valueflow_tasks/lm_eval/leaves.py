"""The tasks, groups and metrics that lm-evaluation-harness sees, derived from the catalogue.

Only leaf tasks are called `valueflow_*`: the harness refuses a pattern that matches a group
together with its members, so groups are `valueflow` and `valueflow-*`.

The survey tasks, their groups and their metrics as lm-evaluation-harness sees them.

Each pass is a task, answered in words (`valueflow_opinionqa_default`) or by the likelihood of the
options' letters (`valueflow_opinionqa_default_letters`). Every attribute has a group of the same
passes (`valueflow-opinionqa-income`), whose members exist in it alone: a pattern `valueflow_*`
must not ask the same questions twice.

A metric's name has letters, digits and `_` only: the harness puts a comma after it, and names of
groups have commas of their own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from valueflow.hub_assets.errors import UnknownNameError
from valueflow.hub_assets.registry.loading import Registry
from valueflow.hub_assets.survey.sample import Pass

__all__ = [
    "ALL_GROUP",
    "ANSWERS",
    "ERROR",
    "METRICS",
    "OPINION_GROUP",
    "SCORED",
    "SHARES",
    "Leaf",
    "LeafDesign",
    "OpinionLeaf",
    "all_metrics",
    "figure_name",
    "leaf_named",
    "leaves",
    "lower_is_better",
    "opinion_leaf_named",
    "opinion_leaves",
    "with_errors",
]

LeafDesign = Literal["steer", "pair", "five"]

ALL_GROUP = "valueflow"

METRICS: dict[LeafDesign, dict[str, str]] = {
    "steer": {
        "shift_up": "up",
        "shift_down": "down",
        "range": "range",
        "monotonicity": "monotonicity",
        "sign_accuracy": "sign_accuracy",
    },
    "pair": {
        "pair_cosine": "pair cosine",
        "pair_along": "pair along",
        "pair_additivity": "pair additivity",
    },
    "five": {
        "five_top_share": "five top_share",
        "five_rank_agreement": "five rank_agreement",
        "five_fading": "five fading",
    },
}
"""By design, a metric's name to the figure of `RunSummary.overall` that it shows."""

ERROR = "_stderr"
"""What the name of a metric's standard error ends in."""

SHARES = ("refusal_rate", "unscored_share")
"""Metrics of every design that are shares of responses."""

NEEDS_SINGLES = ("pair_additivity",)
"""Metrics that a run has only where its members are steered alone too."""

SCORED = "scored"
"""Metric that counts the responses which were ranked; its sample entries hold the estimates."""


@dataclass(frozen=True)
class Leaf:
    """One task: a design and the theory that it draws its conditions from."""

    design: LeafDesign
    theory: str

    @property
    def name(self) -> str:
        """For instance `valueflow_steer_pvq`."""
        return f"valueflow_{self.design}_{self.theory}"

    @property
    def group(self) -> str:
        """The group of all tasks with this design."""
        return f"{ALL_GROUP}-{self.design}"

    def metrics(self, singles: bool = True) -> list[str]:
        """Names of its metrics, standard errors not among them.

        Args:
            singles: whether values are steered alone beside their pairs.
        """
        own = [name for name in METRICS[self.design] if singles or name not in NEEDS_SINGLES]
        return [*own, *SHARES]


def leaves(registry: Registry) -> list[Leaf]:
    """All tasks: every theory steered, and those that have pairs and five-value squares."""
    found = [Leaf("steer", theory) for theory in registry.theories]
    pairs = {registry.theory(pair.theory).name for pair in registry.pairs}
    found += [Leaf("pair", theory) for theory in registry.theories if theory in pairs]
    squares = {registry.theory(s.theory).name for s in registry.five_value_squares.values()}
    return found + [Leaf("five", theory) for theory in registry.theories if theory in squares]


def leaf_named(registry: Registry, name: str) -> Leaf:
    """The task of that name.

    Raises:
        UnknownNameError: there is none.
    """
    known = {leaf.name: leaf for leaf in leaves(registry)}
    if name not in known:
        raise UnknownNameError("lm-eval task", name, known)
    return known[name]


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
    "unparsed": "{} unparsed",
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
_MACRO_GENERATION = {"macro_accuracy_all": "{} macro accuracy_all"}
_PROFILE = {
    "with_lines": "{} with_lines",
    "profile_built_on_scored_questions": "profile_built_on_scored_questions",
}

_NO_ERROR = {SCORED, ANSWERS, *_PROFILE}
_LOWER = {
    *(*SHARES, "shift_down", "five_fading"),
    *("refused", "unparsed", "js", "emd", "baseline_js", "baseline_emd"),
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
        """Its metrics without standard errors, each with the figure's name in Inspect's log.

        They are what the harness prints; all figures are in the run's table of figures. The task of
        one attribute has each group's accuracy.
        """
        found = {**_EVERY, **(_LETTERS if self.letters else _GENERATION)}
        if self.attribute is None:
            found |= _MACRO if self.letters else _MACRO | _MACRO_GENERATION
        else:
            for group in registry.opinion.attributes[self.attribute].groups:
                found[f"accuracy_{group.safe_name}"] = f"{{}} {group.name} accuracy"
        if self.pass_name == "profile":
            found |= _PROFILE
        return {metric: figure_name(name, self.pass_name) for metric, name in found.items()}


def figure_name(name: str, pass_name: str) -> str:
    """A figure's name in Inspect's log, with the pass in the place that is kept for it."""
    return name.replace("{}", pass_name)


def with_errors(metrics: Iterable[str]) -> list[str]:
    """Metrics, each followed by its standard error where it has one.

    The harness itself calls a metric's standard error `METRIC_stderr` and has none for a metric
    that needs all responses. A metric of that name that follows takes its place, in the results
    and in the column `Stderr` of the printed table.
    """
    found: list[str] = []
    for metric in metrics:
        found += [metric] if metric in _NO_ERROR else [metric, f"{metric}{ERROR}"]
    return found


def lower_is_better(metric: str) -> bool:
    """What the harness shows as an arrow."""
    return metric.endswith(ERROR) or metric in _LOWER


def opinion_leaves(registry: Registry, attribute: str | None = None) -> list[OpinionLeaf]:
    """The tasks of all groups, or of one attribute's: answers in words first, then letters."""
    return [
        OpinionLeaf(pass_name, letters, attribute)
        for letters in (False, True)
        for pass_name in LM_EVAL_PASSES
    ]


def all_metrics(registry: Registry) -> set[str]:
    """Every metric of any survey task, standard errors among them."""
    leaves = _every_leaf(registry)
    return {metric for leaf in leaves for metric in with_errors(leaf.metrics(registry))}


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
