"""What a user says of a steering run: its options, checked before anything is spent.

The options of measuring are declared in `valueflow.hub_assets.settings`; here are those of making
the responses. Both come as one mapping of what was given, by name.
"""

import functools
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SkipValidation

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.inputs.options import yes_or_no
from valueflow.hub_assets.lazy import need
from valueflow.hub_assets.registry.loading import (
    Registry,
    Value,
    load_registry,
    open_catalogue,
)
from valueflow.hub_assets.settings import (
    SCORED,
    Baseline,
    Columns,
    Count,
    EvaluatorSettings,
    PriceSettings,
    ResponseSettings,
    Settings,
    Text,
    read_options,
)
from valueflow.scorers.database.embedding.hives import find_model
from valueflow.scorers.judge.questions.refusals import PHRASE_LANGUAGES
from valueflow.scorers.windows.draw import check_anchors

__all__ = [
    "MEASURED",
    "STEERED",
    "LogSettings",
    "PlanSettings",
    "SteeringSettings",
    "evaluator_settings",
    "headline_of",
    "registry_of_run",
    "response_settings",
]


def _default(name: str) -> Any:
    return lambda: getattr(load_registry().defaults.steer, name)


class SteeringSettings(Settings):
    """How the responses of a steering run are made."""

    method: str = Field(
        default_factory=_default("method"),
        description="`definition`: a persona sentence and the value's meaning; `user_texts`: texts "
        "as a user's own",
    )
    queries: Text = Field(
        default_factory=_default("queries"),
        description="query set: an asset, a file or folder, `ORG/NAME@REVISION`",
    )
    query_columns: Columns = Field(
        default_factory=dict,
        description="column names of the query set, such as `{query: prompt}`",
    )
    n_queries: Annotated[int | str, SkipValidation] = Field(
        default_factory=_default("n_queries"),
        description="how many queries, drawn evenly over their families, or `all`",
    )
    relevant: Annotated[bool, BeforeValidator(functools.partial(yes_or_no, "relevant"))] = Field(
        default=False,
        description="leave out pairs of a query and a value that has nothing to do with it, by the "
        "column `related` of the query set; their share is told either way",
    )
    exemplars: Count = Field(
        default_factory=_default("exemplars"), description="texts per target for `user_texts`"
    )
    baseline: Baseline = Field(
        default="first_person",
        description="how level 0 is asked: `first_person`, in the words of the steered prompts; or "
        "`plain`, with the word limit alone",
    )
    system: Text | None = Field(
        default=None,
        description="text file with a system prompt of your own; it stands before the persona, in "
        "every condition alike",
    )
    wordings: Count = Field(
        default=1,
        description="in how many wordings the persona is told, each to its share of the questions: "
        "what the wording does is measured, and stands in the errors (of `steer` by `definition`)",
    )
    style: str = Field(
        default="system",
        description="where the persona stands: `system`, `user`, or `base` for a base model",
    )


class PlanSettings(PriceSettings):
    """Whether there is a run at all."""

    plan: Annotated[bool, BeforeValidator(functools.partial(yes_or_no, "plan"))] = Field(
        default=False,
        description="print generations, judge calls, tokens and money, and end without any call",
    )


class LogSettings(Settings):
    """What Inspect's log lists."""

    figures: Literal["few", "all"] = Field(
        default="few",
        description="metrics that Inspect prints and lists: `few` (the headline, averages, counts) "
        "or `all` (those of every cell too)",
    )


MEASURED = (*SCORED, PlanSettings, LogSettings)
"""Options of every task whose responses are measured."""

STEERED = (SteeringSettings, *MEASURED)
"""Options of every steering task."""


def headline_of(levels: Iterable[int]) -> str:
    """The figure that says most of values steered to these levels."""
    signs = {(level > 0) - (level < 0) for level in levels}
    return "range" if {1, -1} <= signs else "down" if -1 in signs else "up"


def registry_of_run(options: Mapping[str, Any]) -> Registry:
    """The catalogue that a run holds: the installation's with the user's own, if there is one.

    Raises:
        InputFileError: the user's own cannot be read or breaks the schema.
        OptionError: there is nothing in the language or wording that was asked for.
    """
    told = read_options(ResponseSettings, options)
    return open_catalogue(
        told.catalogue, wording=told.wording, language=told.language, prompts=told.prompts
    )


def evaluator_settings(
    registry: Registry,
    values: list[Value],
    options: Mapping[str, Any],
    *,
    responses: int,
    held_out: int = 0,
) -> EvaluatorSettings:
    """Checks the evaluator's options against the anchors, before anything is spent.

    Args:
        registry: the run's catalogue.
        values: the values on which responses are scored.
        options: as the user gave them.
        responses: the size of the largest cell.
        held_out: texts per value that steer a response and are no anchors for it.

    Raises:
        ValueflowError: an option or a table of anchors that cannot be used.
    """
    own = _own_anchors(registry)
    settings = read_options(EvaluatorSettings, {**({"vidb": own} if own else {}), **options})
    settings.check_cell(responses)
    table = load_vidb(settings.vidb, settings.columns, registry)
    given = settings.anchor_panel
    panel = load_vidb(given, settings.columns, registry) if given else None
    size, sampling = settings.window_size, settings.sampling
    for value in values:
        if panel is None:
            check_anchors(table.of(value), value, size, sampling, held_out)
        else:
            check_anchors(panel.of(value), value, size, sampling)
    for note in (*table.notes, *(panel.notes if panel else ())):
        print(f"valueflow: anchors: {note}", file=sys.stderr)
    read = {"vidb": table.source.reference}
    if sampling == "nearest":
        need("sampling=nearest", "hives", "sentence_transformers", "torch")
        read["embedding_model"] = find_model(settings.nearness_model).name
    read |= {"anchor_panel": panel.source.reference} if panel else {}
    return settings.model_copy(update=read)


def response_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """What samples say of their responses: word limit, refusals and the user's catalogue.

    Raises:
        OptionError: an option that cannot be used.
    """
    settings = read_options(ResponseSettings, options)
    if settings.refusal_check == "phrases" and settings.language not in PHRASE_LANGUAGES:
        raise OptionError(
            "refusal_check",
            f"phrases of refusal are known in {', '.join(PHRASE_LANGUAGES)}, and not in "
            f"{settings.language!r}; let the judge tell: refusal_check=judge",
        )
    return settings.model_dump(exclude_none=True)


def _own_anchors(registry: Registry) -> str | None:
    """The table of anchors that the user's catalogue brings, where it brings exactly one."""
    own = [name for name, asset in registry.assets.items() if asset.kind == "vidb" and asset.path]
    return own[0] if len(own) == 1 else None
