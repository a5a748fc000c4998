"""The judge of a run under lm-evaluation-harness: which model, and whether it can be made.

It is named in `--metadata '{"valueflow_grader": ...}'` or in the variable `VALUEFLOW_GRADER`, as a
model of Inspect (`openai/gpt-5`), or as a mapping like Inspect's model roles:
`{"model": "valueflow/judge", "model_args": {"scale": 0.3}, "max_tokens": 4000}`.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from inspect_ai.model import GenerateConfig, Model, get_model
from pydantic import ValidationError

from valueflow.hub_assets.errors import OptionError, UnknownNameError
from valueflow.hub_assets.registry.loading import load_registry

__all__ = [
    "DEFAULT_CONNECTIONS",
    "GRADER_VARIABLE",
    "NO_GRADER",
    "check_grader",
    "grader_spec",
    "make_grader",
]

GRADER_VARIABLE = "VALUEFLOW_GRADER"

NO_GRADER = "none"
"""In place of a model: generate, and judge later."""

DEFAULT_CONNECTIONS = 20

MAX_RETRIES = 6
"""Of a provider's error, before a window counts as failed; Inspect's default never gives up."""

_OPTION = "valueflow_grader"
_KEYS = {"model", "model_args", "base_url"}

# Providers that load the model's weights when they are made; that waits until generation is over.
_LOADS_WEIGHTS = {"hf", "vllm", "sglang", "transformer_lens", "nnterp", "llama-cpp-python"}


def grader_spec(raw: object) -> dict[str, Any] | None:
    """Reads a judge's name or mapping.

    Args:
        raw: what the user gave, or None: the variable `VALUEFLOW_GRADER` is read then.

    Returns:
        A mapping with the key `model`, and what else was given; None for `none`.

    Raises:
        OptionError: no judge is named, or the mapping cannot be read.
        UnknownNameError: a key that is none.
    """
    given = os.environ.get(GRADER_VARIABLE) if raw is None else raw
    if given is None or given == "":
        raise OptionError(
            _OPTION,
            "no judge is named, and responses cannot be scored without one: set "
            f"{GRADER_VARIABLE}=PROVIDER/MODEL or give --metadata "
            f'\'{{"{_OPTION}": "PROVIDER/MODEL"}}\'. To generate now and judge later, give '
            f'"{NO_GRADER}" or --predict_only',
        )
    if isinstance(given, str) and given.lstrip().startswith("{"):
        try:
            given = json.loads(given)
        except ValueError as error:
            raise OptionError(_OPTION, f"is not valid JSON ({error})") from None
    if isinstance(given, str):
        return None if given.strip().lower() == NO_GRADER else {"model": given.strip()}
    if not isinstance(given, Mapping) or not isinstance(given.get("model"), str):
        raise OptionError(
            _OPTION, f'{given!r} names no model; write "PROVIDER/MODEL" or {{"model": ...}}'
        )
    spec = {str(key): setting for key, setting in given.items()}
    if "api_key" in spec:
        raise OptionError(
            _OPTION, "holds an api_key, which would be written into the results; set the "
            "provider's environment variable"
        )  # fmt: skip
    fields = {*_KEYS, *GenerateConfig.model_fields}
    for key in spec:
        if key not in fields:
            raise UnknownNameError(f"key of {_OPTION}", key, fields)
    if not isinstance(spec.get("model_args", {}), Mapping):
        raise OptionError(_OPTION, "model_args must be a mapping of names")
    return spec


def make_grader(spec: Mapping[str, Any], connections: int) -> Model:
    """The judge, at temperature 0 unless the mapping says otherwise.

    Args:
        spec: from `grader_spec`.
        connections: most calls in flight.

    Raises:
        OptionError: a setting that is none, or Inspect cannot make the model.
    """
    defaults: dict[str, Any] = {
        "temperature": 0.0,
        "max_tokens": load_registry().defaults.evaluator.judge_max_tokens,
        "max_connections": connections,
        "max_retries": MAX_RETRIES,
    }
    own = {key: setting for key, setting in spec.items() if key not in _KEYS}
    try:
        config = GenerateConfig.model_validate({**defaults, **own})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise OptionError(_OPTION, f"{place}: {first['msg']}") from None
    try:
        return get_model(
            str(spec["model"]),
            config=config,
            base_url=spec.get("base_url"),
            memoize=False,
            **dict(spec.get("model_args", {})),
        )
    except Exception as error:
        reason = str(error).strip() or type(error).__name__
        raise OptionError(
            _OPTION, f"Inspect cannot make the judge {spec['model']!r}: {reason}"
        ) from None


def check_grader(spec: Mapping[str, Any]) -> None:
    """Makes the judge once, so that a wrong name or a missing key is found before generation.

    Judges whose weights are loaded are not made: the evaluated model has the memory.

    Raises:
        OptionError: Inspect cannot make it.
    """
    if str(spec["model"]).split("/")[0] not in _LOADS_WEIGHTS:
        make_grader(spec, DEFAULT_CONNECTIONS)
