"""The judges of a run: one, or a panel of several, each in a role of its own.

Roles named `grader` or `grader_...` are judges (`--model-role grader=A --model-role grader_b=B`); a
role that holds several models holds as many judges. Without any, the evaluated model judges itself.
A judge's name is its model's, with its role behind it where two judges have one model.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from inspect_ai.model import GenerateConfig, Model, ModelAPI, model_roles

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.settings import CALL_SETTINGS
from valueflow.scorers.judge.asking import GRADER_ROLE, grader_model

__all__ = [
    "Grader",
    "arguments_hash",
    "check_panel",
    "check_panel_mode",
    "config_of",
    "forget_dead",
    "found_dead",
    "grader_roles",
    "graders_of_run",
    "is_grader_role",
    "judges_named",
    "named_graders",
    "turn_of",
    "why_dead",
]


@dataclass(frozen=True)
class Grader:
    """One judge of a run.

    Attributes:
        model: the judge, with temperature 0 and room for an answer where its role sets neither.
        named: whether it was named by a role; else it is the evaluated model.
        name: what its windows are known by; the model's name where it judges alone.
        role: the role that it has.
        dead: why it is not asked; None where it is.
    """

    model: Model
    named: bool
    name: str
    role: str = GRADER_ROLE
    dead: str | None = None


def is_grader_role(role: str) -> bool:
    """Whether a role is a judge's."""
    return role == GRADER_ROLE or role.startswith(f"{GRADER_ROLE}_")


def grader_roles() -> list[str]:
    """The roles of a run's judges, `grader` first and then in the order of their names."""
    return sorted(
        filter(is_grader_role, model_roles()), key=lambda role: (role != GRADER_ROLE, role)
    )


def judges_named() -> list[Grader]:
    """The judges that roles name, see `graders_of_run`; none where no role names one."""
    return graders_of_run() if grader_roles() else []


def graders_of_run() -> list[Grader]:
    """The judges of the run at hand, `grader` first and then in the order of their roles' names.

    Raises:
        OptionError: two of them are the same model with the same settings.
    """
    roles = grader_roles()
    if not roles:
        model, named = grader_model()
        return [Grader(model, named, str(model))]
    config = GenerateConfig(
        temperature=0.0, max_tokens=load_registry().defaults.evaluator.judge_max_tokens
    )
    found: list[tuple[str, Model]] = []
    for role in roles:
        given = model_roles()[role]
        models = given if isinstance(given, list) else [given]
        for number, one in enumerate(models):
            made = copy(one)
            made.config = config.merge(made.config)
            found.append((role if number == 0 else f"{role}#{number + 1}", made))
    return named_graders(found)


def named_graders(found: Sequence[tuple[str, Model]]) -> list[Grader]:
    """Judges from roles and models, each with a name of its own.

    Raises:
        OptionError: two of them are the same model with the same settings.
    """
    names = [(role, str(model)) for role, model in found]
    check_panel([(role, model) for role, model in found])
    count = Counter(name for _, name in names)
    return [
        Grader(model, True, name if count[name] == 1 else f"{name} [{role}]", role)
        for (role, name), (_, model) in zip(names, found, strict=True)
    ]


def check_panel(found: Sequence[tuple[str, Model]]) -> None:
    """Sees to it that no judge sits on a panel twice.

    Raises:
        OptionError: two roles have the same model, made and set in the same way: asked the same,
            they say the same, and the panel would count one view twice.
    """
    seen: dict[str, str] = {}
    for role, model in found:
        key = json.dumps(
            [str(model), model.api.base_url, arguments_hash(model), config_of(model)],
            sort_keys=True,
            default=str,
        )
        if key in seen:
            raise OptionError(
                "--model-role",
                f"{seen[key]} and {role} are the same judge, {model} with the same arguments and "
                "settings; a panel needs different ones (another model, or the same with other "
                "arguments)",
            )
        seen[key] = role


def check_panel_mode(mode: str, judges: int) -> None:
    """Sees to it that windows that are to be shared have judges to share them.

    Args:
        mode: `all` or `split`.
        judges: how many there are.

    Raises:
        OptionError: there is one judge.
    """
    if judges < 2 and mode == "split":
        raise OptionError(
            "panel",
            "split shares the windows among several judges, and there is one: name another "
            "(--model-role grader_b=PROVIDER/MODEL; in lm-eval a list of judges)",
        )


def arguments_hash(model: Model) -> str:
    """16 digits of the hash of a model's arguments, which may hold what must not be shown."""
    arguments = json.dumps(model.model_args, sort_keys=True, default=str)
    return hashlib.sha256(arguments.encode()).hexdigest()[:16]


def config_of(model: Model) -> dict[str, Any]:
    """A judge's settings that change an answer."""
    return model.config.model_dump(exclude_none=True, exclude={"response_schema", *CALL_SETTINGS})


def turn_of(number: int, judges: int, seed: int, level: int, *value: object) -> tuple[int, int]:
    """Which judge of a panel has a window, where the judges share them, and its how-manieth it is.

    The judges take turns over the windows of a cell, so that each has the same number of them; the
    next level begins with the next judge, so that each has the same share of a query's responses
    too; and every value begins with a judge of its own, drawn with the seed.

    Args:
        number: the window's number within its cell, in the order of the responses, from 0.
        judges: how many there are.
        seed: the run's seed.
        level: the level of the cell.
        value: names of the value, and of the condition beside the level.

    Returns:
        The judge's number, and the window's among those of this judge in the cell.
    """
    first = int(generator_for(seed, "panel", *value).integers(judges)) + level
    return (first + number) % judges, number // judges


_dead: WeakKeyDictionary[ModelAPI, str] = WeakKeyDictionary()


def found_dead(grader: Grader, why: str | None) -> None:
    """Notes what came of the first question to a judge of a panel: why it is not asked, or None."""
    if why is None:
        _dead.pop(grader.model.api, None)
    else:
        _dead[grader.model.api] = why


def why_dead(grader: Grader) -> str | None:
    """Why a judge of a panel is not asked in this process; None where it is."""
    return _dead.get(grader.model.api)


def forget_dead() -> None:
    """At the end of a run: what was dead then may live in the next one."""
    _dead.clear()
