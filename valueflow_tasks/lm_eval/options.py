"""What `--metadata` says to the tasks of lm-evaluation-harness.

Every option of the Inspect tasks is there under its name with the prefix `valueflow_`. The harness
mixes its model arguments into the same mapping, so keys without the prefix are passed over.

What lm-eval's own command line says and its tasks are not told: where results go, whether they
are wanted at all, and whether old prompts would be used again.
"""

import functools
import json
import os
import re
import string
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar

from inspect_ai.model import GenerateConfig

from valueflow.hub_assets.errors import OptionError, UnknownNameError, ValueflowError
from valueflow.hub_assets.inputs.options import number_option, words_option, yes_or_no
from valueflow.hub_assets.registry.loading import Registry
from valueflow.lm_eval.leaves import Leaf
from valueflow.scorers.judge.model import DEFAULT_CONNECTIONS, GRADER, KEYS
from valueflow.scorers.judge.panel import is_grader_role
from valueflow.steering.conditions import (
    Condition,
    five_value_conditions,
    pair_conditions,
    single_conditions,
)
from valueflow.steering.names import (
    levels_option,
    pair_levels_option,
    pairs_option,
    squares_option,
    values_option,
)
from valueflow.steering.settings import STEERED
from valueflow.survey.design import OpinionOptions

__all__ = [
    "DEFAULT_QUERIES",
    "GRADER_VARIABLE",
    "NO_GRADER",
    "OUTPUT_VARIABLE",
    "LmEvalOptions",
    "SurveyOptions",
    "check_requests_are_new",
    "clear_option_names",
    "conditions_of",
    "grader_spec",
    "judging_is_skipped",
    "max_connections",
    "output_folder",
    "read_options",
    "read_survey_options",
]

PREFIX = "valueflow_"

DEFAULT_QUERIES = 5
"""Queries of a run that names no number: a look, not a study."""

GRADER_VARIABLE = "VALUEFLOW_GRADER"

NO_GRADER = "none"
"""In place of a model: generate, and judge later."""

T = TypeVar("T")


@dataclass(frozen=True)
class LmEvalOptions:
    """A run's options as the user gave them, besides those of every steering run.

    Attributes:
        run: what the Inspect tasks take too, as given; the style is `user` unless `base` is given.
        values, levels: of the tasks `valueflow_steer_*`.
        pairs, pair_levels: of the tasks `valueflow_pair_*`.
        sets: names of squares, of the tasks `valueflow_five_*`.
        singles: also steer each member of a pair or square alone.
        grader: the judge, see `grader_spec`.
        max_connections: most judge calls in flight.
        output: folder for tables beside the results.
    """

    run: Mapping[str, Any] = field(default_factory=dict)
    values: object = None
    levels: object = None
    pairs: object = None
    pair_levels: object = None
    sets: object = None
    singles: object = False
    grader: object = None
    max_connections: object = DEFAULT_CONNECTIONS
    output: str | None = None


@dataclass(frozen=True)
class SurveyOptions:
    """Options of a survey task as the user gave them.

    Attributes:
        design: what the Inspect task takes too, without the passes.
        style: where the persona stands, `user` or `base`.
        output: folder for tables beside the results.
    """

    design: OpinionOptions
    style: Literal["user", "base"] = "user"
    output: str | None = None


_RUN = {name for model in STEERED for name in model.model_fields}
_OWN = {field.name for field in fields(LmEvalOptions)} - {"run"}
_SURVEY = {field.name for field in fields(OpinionOptions)} - {"passes", "method"}

_ELSEWHERE = {
    "plan": "is no option here; --limit 1 --predict_only shows the plan and asks no judge",
    "figures": "is no option here; valueflow_output=FOLDER writes tables of all figures",
    "passes": "is no option here: every pass is a task, such as valueflow_opinionqa_profile",
    "logprobs": "is no option here: the tasks valueflow_opinionqa_..._letters read likelihoods",
    "answer_tokens": "is no option here; give --gen_kwargs max_gen_toks=NUMBER",
}
"""Options of Inspect's tasks that lm-eval has in another place."""


def read_options(given: Mapping[str, Any]) -> LmEvalOptions:
    """Reads the keys with the prefix `valueflow_` that belong to steering.

    Raises:
        UnknownNameError: such a key is no option; the message offers the nearest names.
        OptionError: a style that lm-eval cannot show.
    """
    found = _named_options(given)
    shared = {n: s for n, s in found.items() if n in _RUN and s is not None}
    run = {"n_queries": DEFAULT_QUERIES, **shared, "style": _style(found)}
    own = {name: setting for name, setting in found.items() if name in _OWN}
    return LmEvalOptions(run=run, **own)


def read_survey_options(given: Mapping[str, Any]) -> SurveyOptions:
    """Reads the keys with the prefix `valueflow_` that belong to surveys.

    Raises:
        UnknownNameError: such a key is no option; the message offers the nearest names.
        OptionError: a style, or a method, that lm-eval cannot have.
    """
    found = _named_options(given)
    if found.get("method") == "modular_pluralism":
        raise OptionError("method", "'modular_pluralism' runs under Inspect alone")
    design = {name: setting for name, setting in found.items() if name in _SURVEY}
    return SurveyOptions(OpinionOptions(**design), _style(found), found.get("output"))


def _named_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Ours, without their prefix; one `--metadata` holds for tasks of all kinds."""
    found = {key.removeprefix(PREFIX): setting for key, setting in given.items() if _is_ours(key)}
    for name in found:
        if name in _ELSEWHERE:
            raise OptionError(name, _ELSEWHERE[name])
        if name not in _RUN | _OWN | _SURVEY:
            known = [f"{PREFIX}{known}" for known in _RUN | _OWN | _SURVEY]
            raise UnknownNameError("key in --metadata", f"{PREFIX}{name}", known)
    return found


def _style(found: Mapping[str, Any]) -> Literal["user", "base"]:
    style = str(found.get("style", "user"))
    if style not in ("user", "base"):
        raise OptionError(
            "style",
            f"{style!r} is none of user, base; in lm-eval the persona differs from document to "
            "document, so it cannot be a system message",
        )
    return "base" if style == "base" else "user"


def _is_ours(key: str) -> bool:
    return key.startswith(PREFIX)


def conditions_of(registry: Registry, leaf: Leaf, options: LmEvalOptions) -> list[Condition]:
    """The conditions of a task, without the default.

    One `--metadata` holds for all tasks of a command, so names of other theories are passed over;
    a task of which nothing is named cannot run.

    Raises:
        ValueflowError: an unknown name, or none of the task's theory.
    """
    theory = leaf.theory
    singles = yes_or_no("singles", options.singles)
    if leaf.design == "steer":
        values = _own(leaf, "values", options.values, lambda word: registry.value(word).theory)
        chosen = values_option(registry, values, theory)
        return single_conditions(chosen, levels_option(registry, options.levels))
    if leaf.design == "pair":
        pairs = _own(leaf, "pairs", options.pairs, lambda w: _pair_theory(registry, w, theory))
        levels = pair_levels_option(registry, options.pair_levels)
        both = pairs_option(registry, pairs, theory, levels)
        return pair_conditions(registry, both, singles=singles)
    sets = _own(leaf, "sets", options.sets, lambda w: squares_option(registry, w, None)[0].theory)
    return five_value_conditions(registry, squares_option(registry, sets, theory), singles)


def _pair_theory(registry: Registry, word: str, theory: str) -> str:
    try:
        return pairs_option(registry, word, theory)[0].theory
    except UnknownNameError:
        return pairs_option(registry, word, None)[0].theory


def _own(leaf: Leaf, option: str, raw: object, theory_of: Callable[[str], str]) -> list[str] | None:
    words = words_option(raw)
    if raw is None:
        return None
    own = [word for word in words if theory_of(word) == leaf.theory]
    if words and not own:
        raise OptionError(
            option,
            f"none of {', '.join(words)} belongs to {leaf.theory}, which {leaf.name} steers; leave "
            f"that task out of --tasks, or name something of {leaf.theory} too",
        )
    return own


def clear_option_names(function: Callable[..., T]) -> Callable[..., T]:
    """Lets errors name options as they stand in `--metadata`: `valueflow_levels`, not `levels`."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> T:
        try:
            return function(*args, **kwargs)
        except ValueflowError as error:
            message = re.sub(r"-T (\w+)=", rf"{PREFIX}\1=", str(error))
            if isinstance(error, OptionError) and not error.option.startswith((PREFIX, "-")):
                message = message.removeprefix(f"{error.option}: ")
                raise OptionError(f"{PREFIX}{error.option}", message) from None
            if message != str(error):
                raise ValueflowError(message) from None
            raise

    return wrapped


def max_connections(options: LmEvalOptions) -> int:
    """Most judge calls in flight.

    Raises:
        OptionError: not a whole number of at least 1.
    """
    return number_option("max_connections", options.max_connections, 1)


OUTPUT_VARIABLE = "VALUEFLOW_OUTPUT"


def _harness_arguments() -> list[str]:
    """The command line, where it is lm-eval's own."""
    program = Path(sys.argv[0]) if sys.argv else Path()
    own = program.stem in ("lm_eval", "lm-eval") or program.parent.name == "lm_eval"
    return sys.argv[1:] if own else []


def judging_is_skipped() -> bool:
    """Whether lm-eval's command line says that only responses are wanted.

    The harness tells a task's functions nothing about `--predict_only`; from Python, where there is
    no command line, the grader `none` says the same.
    """
    return bool({"--predict_only", "-x"} & set(_harness_arguments()))


def check_requests_are_new() -> None:
    """Refuses `--cache_requests true`: the harness finds cached prompts again by the task's name
    alone, so that those of other options would be taken for this run's.

    Raises:
        OptionError: the flag is given.
    """
    arguments = _harness_arguments()
    if "--cache_requests=true" in arguments or any(
        pair == ("--cache_requests", "true") for pair in pairwise(arguments)
    ):
        raise OptionError(
            "--cache_requests",
            "would mix up runs with different options, since lm-eval keeps prompts by the task's "
            "name; leave it out (--use_cache keeps responses, and is safe)",
        )


def output_folder(named: str | None, given: Mapping[str, Any]) -> Path | None:
    """Where tables go: `valueflow_output`, else `VALUEFLOW_OUTPUT`, else beside lm-eval's results.

    The harness does not tell its tasks about `--output_path`, so it is read from the command line,
    and the model's folder in it from the model's arguments.

    Args:
        named: the option `valueflow_output`.
        given: everything that the harness passed.
    """
    named = named or os.environ.get(OUTPUT_VARIABLE)
    if named:
        return Path(named).expanduser().resolve()
    arguments = _harness_arguments()
    path = None
    for place, argument in enumerate(arguments):
        if argument in ("--output_path", "-o") and place + 1 < len(arguments):
            path = arguments[place + 1]
        elif argument.startswith("--output_path="):
            path = argument.partition("=")[2]
    if path is None:
        return None
    folder = Path(path).expanduser().resolve()
    if folder.suffix == ".json":
        return folder.parent
    # The keys and their order are the harness's own.
    for key in ("peft", "delta", "pretrained", "model", "path", "engine"):
        if key in given:
            from lm_eval.utils import sanitize_model_name

            return folder / str(sanitize_model_name(str(given[key])))
    return folder


def grader_spec(raw: object) -> dict[str, Any] | None:
    """Reads which judges a run has: models of Inspect, or mappings like Inspect's model roles.

    They are named in `--metadata '{"valueflow_grader": ...}'` or in the variable
    `VALUEFLOW_GRADER`: `openai/gpt-5`, or `{"model": "valueflow/judge", "model_args": {"scale":
    0.3}}`, in which fields of the model's configuration (`"max_tokens": 4000`) may stand too. A
    panel is a list of such judges, whose roles are then grader, grader_b, grader_c and so on.

    Args:
        raw: what the user gave, or None: the variable `VALUEFLOW_GRADER` is read then.

    Returns:
        A mapping with the key `model`, and what else was given; of a panel, a mapping from roles to
        such mappings; None for `none`.

    Raises:
        OptionError: no judge is named, or the mapping cannot be read.
        UnknownNameError: a key that is none.
    """
    given = os.environ.get(GRADER_VARIABLE) if raw is None else raw
    if given is None or given == "":
        raise OptionError(
            GRADER,
            "no judge is named, and responses cannot be scored without one: set "
            f"{GRADER_VARIABLE}=PROVIDER/MODEL or give --metadata "
            f'\'{{"{GRADER}": "PROVIDER/MODEL"}}\'. To generate now and judge later, give '
            f'"{NO_GRADER}" or --predict_only',
        )
    if isinstance(given, str) and given.lstrip().startswith(("{", "[")):
        try:
            given = json.loads(given)
        except ValueError as error:
            raise OptionError(GRADER, f"is not valid JSON ({error})") from None
    if isinstance(given, str):
        return None if given.strip().lower() == NO_GRADER else {"model": given.strip()}
    if isinstance(given, list):
        return _panel_spec(given)
    if isinstance(given, Mapping) and given and all(map(is_grader_role, map(str, given))):
        # A panel that was read before.
        return _panel_spec(list(given.values()))
    if not isinstance(given, Mapping) or not isinstance(given.get("model"), str):
        raise OptionError(
            GRADER, f'{given!r} names no model; write "PROVIDER/MODEL" or {{"model": ...}}'
        )
    spec = {str(key): setting for key, setting in given.items()}
    if "api_key" in spec:
        raise OptionError(
            GRADER, "holds an api_key, which would be written into the results; set the "
            "provider's environment variable"
        )  # fmt: skip
    fields = {*KEYS, *GenerateConfig.model_fields}
    for key in spec:
        if key not in fields:
            raise UnknownNameError(f"key of {GRADER}", key, fields)
    if not isinstance(spec.get("model_args", {}), Mapping):
        raise OptionError(GRADER, "model_args must be a mapping of names")
    return spec


def _panel_spec(given: list[Any]) -> dict[str, Any]:
    """A panel's judges by role; one alone is no panel."""
    found = []
    for one in given:
        if isinstance(one, list) or (spec := grader_spec(one)) is None or "model" not in spec:
            raise OptionError(GRADER, f"{one!r} is no judge of a panel; each names one model")
        found.append(spec)
    if not found:
        raise OptionError(GRADER, "is an empty list; name at least one judge")
    if len(found) == 1:
        return found[0]
    if len(found) > len(string.ascii_lowercase):
        raise OptionError(GRADER, f"names {len(found)} judges, and 26 are the most")
    letters = string.ascii_lowercase[1:]
    return {f"grader_{letters[n - 1]}" if n else "grader": spec for n, spec in enumerate(found)}
