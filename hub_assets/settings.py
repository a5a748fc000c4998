"""Settings of a model's calls that say how it is reached, and change no answer.

What a sample's metadata tells the solver and the scorer: one schema for both.

A task writes it under the key `valueflow`; `inspect score` finds it in the log and scores with the
same settings, since a scorer's own arguments are not restored there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.registry.loading import Value, add_catalogue, load_registry

__all__ = [
    "CALL_SETTINGS",
    "EXEMPLARS_KEY",
    "JUDGE_MODES",
    "SAMPLE_KEY",
    "EvaluatorSettings",
    "SampleSettings",
    "condition_name",
    "read_sample",
]

CALL_SETTINGS = frozenset(
    {
        "max_retries",
        "timeout",
        "attempt_timeout",
        "max_connections",
        "adaptive_connections",
        "batch",
        "cache",
        "base_url",
    }
)
"""Names in Inspect's generation configuration, and a server's address."""


SAMPLE_KEY = "valueflow"

EXEMPLARS_KEY = "valueflow:exemplars"
"""Where a sample's store keeps the texts that steered it; they are never its anchors."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


JudgeMode = Literal["ranking", "rating", "placement", "choice"]
"""What a judge is asked about a window."""

JUDGE_MODES: tuple[str, ...] = get_args(JudgeMode)


def _defaults() -> Any:
    return load_registry().defaults.evaluator


class EvaluatorSettings(_Settings):
    """How responses are measured; every field has the registry's default.

    Attributes:
        windows: most windows per response and value.
        target_se: with adaptive windows, stop at this posterior standard deviation of a response.
        cell_windows: budget of windows for a cell, shared evenly among its responses.
        design_scale: the judge's scale that adaptive windows assume.
        judge_mode: `ranking`, `rating` of all texts, `placement` on a ruler of anchors, or `choice`
            where the judge's provider returns logprobs.
    """

    vidb: str = Field(default_factory=lambda: str(_defaults().vidb))
    vidb_columns: dict[str, str] = Field(default_factory=dict)
    windows: int = Field(default_factory=lambda: int(_defaults().windows), ge=1)
    window_size: int = Field(default_factory=lambda: int(_defaults().window_size), ge=2)
    sampling: str = Field(default_factory=lambda: str(_defaults().sampling))
    panel: str | None = None
    seed: int = 0
    judge_attempts: int = Field(default_factory=lambda: int(_defaults().judge_attempts), ge=1)
    judge_mode: JudgeMode = Field(default_factory=lambda: _defaults().judge_mode)
    target_se: float | None = Field(default=None, gt=0)
    cell_windows: int | None = Field(default=None, ge=1)
    design_scale: float = Field(default_factory=lambda: float(_defaults().design_scale), gt=0)

    def windows_of(self, index: int, responses: int) -> int:
        """Most windows of a cell's response number `index` of `responses`."""
        if self.cell_windows is None:
            return self.windows
        share, rest = divmod(self.cell_windows, responses)
        return min(self.windows, share + (index < rest))

    @property
    def columns(self) -> dict[str, str]:
        """The user's names for the columns of the table of anchors."""
        return self.vidb_columns

    def as_dict(self) -> dict[str, Any]:
        """The settings that say how windows were drawn, for the log."""
        return self.model_dump(exclude={"vidb", "vidb_columns"})


class SampleSettings(_Settings):
    """One sample: what it was steered toward, and what its response is scored on.

    Attributes:
        targets: (theory, value or child, level), one per steered value; none for the default.
        score_on: (theory, value) of every macro-value the response is scored on.
        design: `steer`, or what several targets belong to: `pair`, `five` or `composite`.
        part_of: which pair, square or composite, for instance `benevolence&universalism`.
        query: the query's id, the cluster of all standard errors.
        family: the query's family.
        query_index: the query's place in the run, which balances places in windows.
        queries: how many queries the run has.
        group: what sets the response's cells apart besides value and level, such as a model.
        word_limit: most words that the response should have.
        catalogue: the user's own catalogue, where one was added.
        refusal_check: `phrases`, or `judge`: the judge is asked whether the response declines.
        refusals: `exclude`, or `rank`: refused responses are ranked all the same.
    """

    targets: tuple[tuple[str, str, int], ...] = ()
    score_on: tuple[tuple[str, str], ...]
    design: Literal["steer", "pair", "five", "composite"] = "steer"
    part_of: str = ""
    query: str
    group: str = ""
    family: str = ""
    query_index: int = 0
    queries: int = 1
    word_limit: int = 100
    catalogue: str | None = None
    refusal_check: Literal["phrases", "judge"] = "phrases"
    refusals: Literal["exclude", "rank"] = "exclude"
    evaluator: EvaluatorSettings = Field(default_factory=EvaluatorSettings)

    def level_of(self, value: Value) -> int:
        """The level toward which the response was steered for a value; 0 where it was not.

        A child that is steered counts for its parents. Where several children of a value have
        different levels, the strongest is the value's; two that are opposed cancel.
        """
        here = [(name, level) for theory, name, level in self.targets if theory == value.theory]
        levels = [level for name, level in here if name == value.name]
        levels = levels or [level for name, level in here if name in value.children]
        strongest = max(map(abs, levels), default=0)
        signs = {level for level in levels if abs(level) == strongest}
        return signs.pop() if len(signs) == 1 else 0

    def condition_of(self, value: Value) -> str:
        """What sets the response's cell for a value apart from those of `steer`.

        Empty for the default and for a response that is steered toward this value alone, else all
        targets, for instance `benevolence+2&universalism+1`.
        """
        if all((theory, name) == (value.theory, value.name) for theory, name, _ in self.targets):
            return ""
        return condition_name(self.targets)


def condition_name(targets: Sequence[tuple[str, str, int]]) -> str:
    """A name of (theory, value, level) targets, such as `benevolence+2&universalism+1`."""
    return "&".join(f"{name}{level:+d}" for _, name, level in targets)


def read_sample(
    metadata: Mapping[str, Any], overrides: Mapping[str, Any] | None = None
) -> SampleSettings:
    """Reads a sample's settings.

    Args:
        metadata: the sample's metadata.
        overrides: evaluator settings that take precedence.

    Raises:
        ValueflowError: the sample was not made by a task of valueflow.
    """
    if SAMPLE_KEY not in metadata:
        raise ValueflowError(
            f"the sample has no '{SAMPLE_KEY}' in its metadata, so there is nothing that says "
            "which values to score. The scorer valueflow/intensity works on samples of "
            "valueflow's tasks; to score other responses use the task valueflow/score"
        )
    raw = metadata[SAMPLE_KEY]
    if isinstance(raw, Mapping) and raw.get("catalogue"):
        add_catalogue(str(raw["catalogue"]), again=False)
    if overrides and isinstance(raw, Mapping):
        evaluator = raw.get("evaluator", {})
        if isinstance(evaluator, Mapping):
            raw = {**raw, "evaluator": {**evaluator, **overrides}}
    try:
        return SampleSettings.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        where = f"{place}: " if place else ""
        raise ValueflowError(f"metadata '{SAMPLE_KEY}': {where}{first['msg']}") from None
