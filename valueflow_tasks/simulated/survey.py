"""A simulated answerer of survey questions, whose distribution over the options is known.

It reads question, group and profile lines from the prompt alone, and draws its answer from

- `group`: the distribution of the group that the prompt names; without one, the pooled one;
- `majority`: the most frequent option of the pooled distribution, whoever is asked;
- `profile`: a rule that follows the profile lines. Every question turns on one value of a theory
  (`turns_on`). Where the prompt has a line for that value, the option is the first for a high or
  very high band, the last for a low or very low one, the middle one for medium, with probability
  `opinion_follow`, else the majority; without such a line always the majority.

Shares and majorities are those of `opinion_data`, the run's question set.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from string import ascii_uppercase
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from valueflow.hub_assets.registry.loading import Registry, Value, load_registry, opened_registries
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.survey.questions import OpinionQuestion, OpinionSet, load_opinions
from valueflow.solvers.survey_wording import profile_line

__all__ = ["OpinionAnswers", "OpinionAnswersOptions", "turns_on"]

_OPTIONS = re.compile(r"\n\n(?=(A\. .*(?:\n[A-Z]\. .*)*)\n\n(?:Reply with|Answer:))")


class OpinionAnswersOptions(BaseModel):
    """Options of `valueflow/respondent` for survey questions, given as `-M opinion=majority`.

    `opinion_form` is how an answer is written: a `letter`, or `mixed`: letters, sentences and texts
    of options in turn, which all name the same option. `opinion_refusals` is the share declined.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    opinion: Literal["group", "majority", "profile"] = "group"
    opinion_data: str = "opinionqa-mini"
    opinion_follow: float = Field(default=0.8, ge=0, le=1)
    opinion_form: Literal["letter", "mixed"] = "letter"
    opinion_refusals: float = Field(default=0.0, ge=0, le=1)


def turns_on(question: str, values: Sequence[Value]) -> Value:
    """The value of a theory that a question turns on, drawn by the question's hash.

    Args:
        question: the hash.
        values: the theory's macro-values in order.
    """
    digest = hashlib.sha256(f"turns on {question}".encode()).digest()
    return values[int.from_bytes(digest[:4], "big") % len(values)]


class OpinionAnswers:
    """Answers prompts of `valueflow.solvers.survey_wording`."""

    def __init__(self, options: OpinionAnswersOptions, seed: int = 0) -> None:
        self.options = options
        self.seed = seed

    def knows(self, conversation: str) -> bool:
        """Whether a conversation ends in a survey question."""
        return bool(_OPTIONS.search(conversation))

    def answer(self, conversation: str) -> tuple[str, dict[str, float]]:
        """The answer, and where it is a letter the log-probability of each that has one.

        Raises:
            ValueError: the question is not in the question set that the simulation knows.
        """
        question, before = self._question(conversation)
        shares = self._shares(question, before)
        generator = generator_for(self.seed, "opinion", conversation)
        if generator.random() < self.options.opinion_refusals:
            return "I'm sorry, but I can't answer that.", {}
        option = int(generator.choice(len(shares), p=shares))
        letter = ascii_uppercase[option]
        text = letter
        if self.options.opinion_form == "mixed":
            forms = (letter, f"Answer: {letter}.", f"I choose {letter}", question.options[option])
            text = forms[int(generator.integers(len(forms)))]
        if text != letter:
            return text, {}
        stated = {
            ascii_uppercase[n]: float(np.log(share)) for n, share in enumerate(shares) if share > 0
        }
        return text, stated

    def _question(self, conversation: str) -> tuple[OpinionQuestion, str]:
        """The question, and what stands before it in the conversation."""
        found = list(_OPTIONS.finditer(conversation))[-1]
        options = tuple(line[3:] for line in found[1].split("\n"))
        before = conversation[: found.start()]
        fitting = [q for q in self._by_options.get(options, ()) if before.endswith(q.text)]
        if not fitting:
            raise ValueError(
                "valueflow/respondent does not know this survey question; name the run's question "
                "set with -M opinion_data=..."
            )
        question = max(fitting, key=lambda q: len(q.text))
        return question, before.removesuffix(question.text)

    def _shares(self, question: OpinionQuestion, before: str) -> NDArray[np.float64]:
        pooled = self._data.pooled(question.id)
        assert pooled is not None
        majority: NDArray[np.float64] = np.eye(len(pooled))[int(np.argmax(pooled))]
        if self.options.opinion == "majority":
            return majority
        if self.options.opinion == "group":
            named = [
                group
                for registry in opened_registries()
                for group in registry.opinion.groups
                if group.sentence in before
            ]
            golds = [
                row.gold
                for row in self._data.by_question[question.id]
                if named and row.group == named[-1].name
            ]
            return np.asarray(golds[0] if golds else pooled, dtype=float)
        option = self._ruled(question, before)
        if option is None:
            return majority
        follow = self.options.opinion_follow
        ruled: NDArray[np.float64] = np.eye(len(pooled))[option]
        return follow * ruled + (1 - follow) * majority

    def _ruled(self, question: OpinionQuestion, before: str) -> int | None:
        """The option that the prompt's profile lines lead to."""
        registry = load_registry()
        bands: dict[tuple[str, str], str] = {}
        lines = _profile_lines(opened_registries())
        for line in before.splitlines():
            if line in lines:
                value, band = lines[line]
                bands[value.theory, value.name] = band
        for theory in {theory for theory, _ in bands}:
            value = turns_on(question.id, registry.theories[theory].values)
            if (theory, value.name) in bands:
                last = len(question.options) - 1
                middle = {"high": 0, "very high": 0, "medium": last // 2}
                return middle.get(bands[theory, value.name], last)
        return None

    @cached_property
    def _data(self) -> OpinionSet:
        return load_opinions(self.options.opinion_data)

    @cached_property
    def _by_options(self) -> Mapping[tuple[str, ...], list[OpinionQuestion]]:
        found: dict[tuple[str, ...], list[OpinionQuestion]] = {}
        for question in self._data.questions:
            found.setdefault(question.options, []).append(question)
        return found


@lru_cache(maxsize=1)
def _profile_lines(registries: tuple[Registry, ...]) -> dict[str, tuple[Value, str]]:
    """Every profile line with what it says."""
    return {
        profile_line(value, band, registry): (value, band.name)
        for registry in registries
        if registry.sentences.has("survey")
        for value in registry.macro_values()
        for band in registry.opinion.bands
    }
