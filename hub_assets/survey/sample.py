"""What the metadata of one survey sample tell the solver and the scorer: one schema for both.

The task writes it under the key `valueflow_opinion`, with the profile lines that were chosen and
the distributions that the answer is held against, so that a log can be scored again without the
question set.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.registry.loading import Registry, load_registry
from valueflow.hub_assets.registry.prompts import ENGLISH, WORDING

__all__ = ["OPINION_KEY", "PASSES", "OpinionSample", "Pass", "read_opinion_sample"]

OPINION_KEY = "valueflow_opinion"

Pass = Literal["blind", "default", "profile", "modular_pluralism"]
"""How a question is asked: without a group, with its sentence, with its profile lines as well, or
with its sentence and what community models said."""

PASSES: tuple[Pass, ...] = get_args(Pass)


class OpinionSample(BaseModel):
    """One question, asked of one group, in one pass.

    Attributes:
        pass_name: how it is asked.
        group, attribute: names of the registry.
        question: hash of the question; the cluster of all standard errors.
        text, options: the question.
        ordinal: whether the options are in order; None where the data do not say.
        gold: the group's distribution over the options.
        pooled: the mean distribution over all groups of the question, each counting alike.
        others: the same without this group; None where no other group has the question.
        theory: theory of the profile lines.
        lines: (value, score) of each profile line that was put into the prompt.
        relevance: the question's relevance, where a table has it.
        leakage: what is known of the questions that the profile was built on.
        wording, language, prompts: of all that the model is told, see
            `valueflow.hub_assets.settings.ResponseSettings`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pass_name: Pass
    group: str
    attribute: str
    question: str
    text: str
    options: tuple[str, ...]
    ordinal: bool | None = None
    gold: tuple[float, ...]
    pooled: tuple[float, ...]
    others: tuple[float, ...] | None = None
    theory: str = ""
    lines: tuple[tuple[str, float], ...] = ()
    relevance: float | None = None
    leakage: str = ""
    wording: str = WORDING
    language: str = ENGLISH
    prompts: str | None = None

    @property
    def registry(self) -> Registry:
        """The catalogue, with its texts in the sample's wording and language."""
        return load_registry(wording=self.wording, language=self.language, prompts=self.prompts)


def read_opinion_sample(metadata: Mapping[str, Any]) -> OpinionSample:
    """Reads a sample's settings.

    Raises:
        ValueflowError: the sample was not made by the task `opinionqa`.
    """
    if OPINION_KEY not in metadata:
        raise ValueflowError(
            f"the sample has no '{OPINION_KEY}' in its metadata; the scorer "
            "valueflow/option_choice works on samples of the task valueflow/opinionqa"
        )
    try:
        raw = metadata[OPINION_KEY]
        # A sample of the first wording does not say so.
        known = {"wording": "1", **raw} if isinstance(raw, Mapping) else raw
        return OpinionSample.model_validate(known)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueflowError(f"metadata '{OPINION_KEY}': {place}: {first['msg']}") from None
