"""Makes a judge from a mapping like Inspect's model roles, where Inspect's command line does not.

Such a mapping is `{"model": "valueflow/judge", "model_args": {"scale": 0.3}, "max_tokens": 4000}`:
a model of Inspect, how it is made, and its configuration.
"""

from collections.abc import Mapping
from typing import Any

from inspect_ai.model import GenerateConfig, Model, get_model
from pydantic import ValidationError

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.registry.loading import load_registry

__all__ = [
    "DEFAULT_CONNECTIONS",
    "GRADER",
    "KEYS",
    "GraderSpec",
    "check_grader",
    "grader_specs",
    "make_grader",
]

DEFAULT_CONNECTIONS = 20

MAX_RETRIES = 6
"""Of a provider's error, before a window counts as failed; Inspect's default never gives up."""

GRADER = "valueflow_grader"
"""The option that errors name."""

KEYS = {"model", "model_args", "base_url"}
"""Of a mapping; its other keys are fields of the model's configuration."""

GraderSpec = Mapping[str, Any]
"""One judge's mapping with the key `model`, or a panel's, from roles to such mappings."""

# Providers that load the model's weights when they are made; that waits until generation is over.
_LOADS_WEIGHTS = {"hf", "vllm", "sglang", "transformer_lens", "nnterp", "llama-cpp-python"}


def make_grader(spec: Mapping[str, Any], connections: int) -> Model:
    """The judge, at temperature 0 unless the mapping says otherwise.

    Args:
        spec: a mapping with the key `model`, as above.
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
    own = {key: setting for key, setting in spec.items() if key not in KEYS}
    try:
        config = GenerateConfig.model_validate({**defaults, **own})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise OptionError(GRADER, f"{place}: {first['msg']}") from None
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
            GRADER, f"Inspect cannot make the judge {spec['model']!r}: {reason}"
        ) from None


def grader_specs(given: GraderSpec) -> dict[str, Mapping[str, Any]]:
    """The judges' mappings by role, whether there is one or a panel."""
    return {"grader": given} if "model" in given else dict(given)


def check_grader(given: GraderSpec) -> list[tuple[str, Model]]:
    """Makes the judges once, so that a wrong name or a missing key is found before generation.

    Judges whose weights are loaded are not made: the evaluated model has the memory.

    Returns:
        Roles and models of those that were made.

    Raises:
        OptionError: Inspect cannot make one.
    """
    return [
        (role, make_grader(spec, DEFAULT_CONNECTIONS))
        for role, spec in grader_specs(given).items()
        if str(spec["model"]).split("/")[0] not in _LOADS_WEIGHTS
    ]
