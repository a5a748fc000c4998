"""The task `valueflow/steer`: steer a model toward one value at a time and measure it.

inspect eval valueflow/steer --model X --model-role grader=Y -T values=benevolence,power

Tasks that steer toward several values at once: `steer_pair`, `steer_five`, `steer_composite` and
`steer_profile`.

inspect eval valueflow/steer_pair --model X --model-role grader=Y -T pairs=power+universalism
"""

from collections.abc import Mapping
from typing import Any

from inspect_ai import Task, task

from valueflow.hub_assets.inputs.options import clear_errors, yes_or_no
from valueflow.hub_assets.settings import with_options
from valueflow.steering.conditions import (
    children_conditions,
    five_value_conditions,
    pair_conditions,
    profile_conditions,
    single_conditions,
)
from valueflow.steering.design import RunDesign, steering_design, steering_task
from valueflow.steering.names import (
    levels_option,
    pair_levels_option,
    pairs_option,
    profiles_option,
    squares_option,
    strongest_option,
    values_option,
)
from valueflow.steering.settings import STEERED, headline_of, registry_of_run

__all__ = [
    "steer",
    "steer_composite",
    "steer_five",
    "steer_pair",
    "steer_profile",
]


@task
@clear_errors
@with_options(*STEERED)
def steer(
    theory: str | None = None,
    values: str | list[str] | None = None,
    levels: str | int | list[Any] | None = None,
    *,
    options: Mapping[str, Any],
) -> Task:
    """Steers a model toward one value at a time, at each level, and measures the intensity.

    Each query is answered once without steering (level 0) and once per value and level; the default
    response is scored on every value of the run. Samples are ordered query by query, so `--limit`
    keeps whole designs when it is a multiple of 1 + values × (levels − 1).

    Args:
        theory: `pvq` (default), `mft`, `duty` or `right`, in any usual spelling.
        values: names of values; all values of the theory where not given.
        levels: some of -2, -1, 0, 1, 2 (all); 0 is always generated.
        options: those of `valueflow.steering.settings.STEERED`, each a parameter of its own.
    """
    registry = registry_of_run(options)
    chosen = values_option(registry, values, theory)
    steps = levels_option(registry, levels)
    design = steering_design(registry, single_conditions(chosen, steps), options)
    headline = headline_of(steps)
    return steering_task(design, name=f"{chosen[0].theory} steering", headline=headline)


@task
@clear_errors
@with_options(*STEERED)
def steer_pair(
    theory: str | None = None,
    pairs: str | list[str] | None = None,
    levels: str | list[Any] | None = None,
    singles: bool = False,
    *,
    options: Mapping[str, Any],
) -> Task:
    """Steers a model toward two values at once, and measures both.

    A pair of children (`expression+assembly`) steers the children and is scored on their parents;
    where both have one parent it is scored once.

    Args:
        theory: whose pairs, where none is named: `pvq` (default), `mft`, `duty` or `right`.
        pairs: pairs such as `power+universalism`, of the catalogue or any other of one theory.
        levels: levels of the two, such as `2/2,2/-2`; each pair's own where not given.
        singles: also steer each member alone, scored on both values: tells whether effects add.
        options: those of `valueflow.steering.settings.STEERED`, each a parameter of its own.
    """
    registry = registry_of_run(options)
    chosen = pairs_option(registry, pairs, theory, pair_levels_option(registry, levels))
    conditions = pair_conditions(registry, chosen, singles=yes_or_no("singles", singles))
    design = steering_design(registry, conditions, options)
    return steering_task(
        design,
        name=f"{chosen[0].theory} pairs",
        headline=_pair_headline(design),
        more={"pairs": [pair.name for pair in chosen]},
    )


def _pair_headline(design: RunDesign) -> str:
    """The cosine; of pairs that are scored on one value each, which have none, how far they go."""
    pairs = [
        (name, condition)
        for name, condition in zip(design.names, design.conditions, strict=True)
        if condition.design == "pair"
    ]
    if any(len(condition.score_on) > 1 for _, condition in pairs):
        return "pair cosine"
    return f"{pairs[0][0]} along"


@task
@clear_errors
@with_options(*STEERED)
def steer_five(
    theory: str | None = None,
    sets: str | list[str] | None = None,
    singles: bool = False,
    *,
    options: Mapping[str, Any],
) -> Task:
    """Steers a model toward five values at once, in a Latin square of levels, and measures all.

    Args:
        theory: whose square, where none is named: `pvq` (default), `mft`, `duty` or `right`.
        sets: names of squares of the catalogue (`valueflow list squares`).
        singles: also steer each value alone at each level: tells how much of it is left among five.
        options: those of `valueflow.steering.settings.STEERED`, each a parameter of its own.
    """
    registry = registry_of_run(options)
    chosen = squares_option(registry, sets, theory)
    conditions = five_value_conditions(registry, chosen, yes_or_no("singles", singles))
    return steering_task(
        steering_design(registry, conditions, options),
        name=f"{chosen[0].theory} five values",
        headline="five rank_agreement",
        more={"squares": [square.name for square in chosen]},
    )


@task
@clear_errors
@with_options(*STEERED)
def steer_composite(
    theory: str | None = None,
    values: str | list[str] | None = None,
    levels: str | int | list[Any] | None = None,
    direct: bool = True,
    *,
    options: Mapping[str, Any],
) -> Task:
    """Steers a model toward all children of a value at once, and measures the value.

    Args:
        theory: whose values, where none is named: `pvq` (default), `mft` or `right`.
        values: values with children; all of the theory where not given.
        levels: some of -2, -1, 1, 2 (all), of every child.
        direct: also steer the value itself, to compare with.
        options: those of `valueflow.steering.settings.STEERED`, each a parameter of its own.
    """
    registry = registry_of_run(options)
    wanted = theory or registry.defaults.steer.theory
    chosen = (
        values_option(registry, values, theory)
        if values is not None
        else list(registry.composites(wanted)) or values_option(registry, None, wanted)
    )
    conditions = children_conditions(
        registry, chosen, levels_option(registry, levels), yes_or_no("direct", direct)
    )
    return steering_task(
        steering_design(registry, conditions, options),
        name=f"{chosen[0].theory} composites",
        headline="composite direction_agreement",
    )


@task
@clear_errors
@with_options(*STEERED)
def steer_profile(
    profile: str | list[str],
    theory: str | None = None,
    values_per_prompt: int | str = "all",
    others: bool = True,
    *,
    options: Mapping[str, Any],
) -> Task:
    """Steers a model by the profile of a person or group, and measures how near it comes.

    Each intensity of a profile is spoken at the level whose bin it falls into: strongly beyond 6
    points of either sign, slightly from 2 to 6, and not at all below 2. Each query is answered once
    without steering and once for each profile.

    Args:
        profile: files (`profile.json`) or folders of them, parted by commas.
        theory: the theory that the profiles must be of; that of the first where not given.
        values_per_prompt: how many values a prompt names, those furthest from 0, or `all`.
        others: also score on the values of the theory that a profile does not know, which tells
            what leaks into them.
        options: those of `valueflow.steering.settings.STEERED`, each a parameter of its own.
    """
    registry = registry_of_run(options)
    chosen = profiles_option(registry, profile, theory)
    conditions = profile_conditions(
        registry, chosen, strongest_option(values_per_prompt), yes_or_no("others", others)
    )
    return steering_task(
        steering_design(registry, conditions, options),
        name=f"{chosen[0].theory} profiles",
        headline="profile distance",
        more={
            "profiles": {
                one.name: {
                    "sha256": one.sha256,
                    "targets": {value.name: level for value, level in condition.targets},
                }
                for one, condition in zip(chosen, conditions, strict=True)
            }
        },
    )
