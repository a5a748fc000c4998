"""The tasks, groups and metrics that lm-evaluation-harness sees, derived from the catalogue.

Only leaf tasks are called `valueflow_*`: the harness refuses a pattern that matches a group
together with its members, so groups are `valueflow` and `valueflow-*`.
"""

from dataclasses import dataclass
from typing import Literal

from valueflow.hub_assets.errors import UnknownNameError
from valueflow.hub_assets.registry import Registry

__all__ = ["ALL_GROUP", "METRICS", "SHARES", "Leaf", "LeafDesign", "leaf_named", "leaves"]

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

SHARES = ("refusal_rate", "unscored_share")
"""Metrics of every design that are shares of responses."""

NEEDS_SINGLES = ("pair_additivity",)
"""Metrics that a run has only where its members are steered alone too."""

LOWER_IS_BETTER = (*SHARES, "shift_down", "five_fading")


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
