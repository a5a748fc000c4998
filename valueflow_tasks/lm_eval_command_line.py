"""What lm-eval's own command line says and its tasks are not told: where results go, whether they
are wanted at all, and whether old prompts would be used again."""

import os
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import OptionError

__all__ = ["OUTPUT_VARIABLE", "check_requests_are_new", "judging_is_skipped", "output_folder"]

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
