"""Chooses the texts that steer a model by the method `user_texts`.

A bin holds the anchors of a value at one steering level. Where the table gives levels, they decide;
otherwise `level_of_intensity` does: ±1 is 2 ≤ |intensity| ≤ 6 and ±2 is |intensity| > 6.
"""

from collections.abc import Sequence

import numpy as np

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.anchors import Anchor, level_of_intensity
from valueflow.hub_assets.registry.loading import Value

__all__ = ["choose_exemplars", "level_bin"]


def level_bin(anchors: Sequence[Anchor], level: int) -> list[Anchor]:
    """The anchors whose level is `level` (−2, −1, 1 or 2)."""
    if any(anchor.level is not None for anchor in anchors):
        return [anchor for anchor in anchors if anchor.level == level]
    return [anchor for anchor in anchors if level_of_intensity(anchor.intensity) == level]


def choose_exemplars(
    anchors: Sequence[Anchor],
    value: Value,
    level: int,
    count: int,
    generator: np.random.Generator,
) -> list[Anchor]:
    """Draws `count` exemplars from the bin of a target, leaving some of the bin as anchors.

    Args:
        anchors: all anchors of the value.
        value: the value, for the error.
        level: the target's level, not 0.
        count: how many exemplars.
        generator: seeded for the sample.

    Raises:
        OptionError: the bin is too small to give exemplars and keep at least one anchor, so that
            responses at this end of the scale could not be placed.
    """
    inside = level_bin(anchors, level)
    if len(inside) <= count:
        most = len(inside) - 1
        advice = (
            f"use -T exemplars={most} or fewer, or a larger table (-T vidb=...)"
            if most >= 1
            else "use -T method=definition, or a larger table (-T vidb=...)"
        )
        raise OptionError(
            "exemplars",
            f"{value.theory}:{value.name} has {len(inside)} texts at level {level:+d}; {count} "
            f"exemplars would leave none of them as anchors: {advice}",
        )
    chosen = generator.choice(len(inside), size=count, replace=False)
    return [inside[i] for i in chosen]
