"""One question to a judge before anything is spent, so that a dead one is noticed then.

The question is a real one of the run: two anchors of a value, ranked, or chosen between where the
run asks for choices. It is put past every cache, since a cache would answer for a judge that is
gone, and with few retries, since Inspect's default never gives up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from logging import getLogger

from inspect_ai.model import ChatMessage, GenerateConfig, Model, ModelOutput

from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.inputs.anchors import vidb_of_run
from valueflow.hub_assets.registry.loading import Value
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.settings import SampleSettings
from valueflow.scorers.judge.asking import judge_window
from valueflow.scorers.judge.calls.memory import JudgeState, judge_with
from valueflow.scorers.judge.questions.choice import ask_choice
from valueflow.scorers.judge.questions.ranking import draw_labels, judge_prompt

__all__ = ["DeadJudgeError", "probe_judge"]

logger = getLogger(__name__)

RETRIES = 2
"""Most times that Inspect tries the question again."""

SECONDS = 120
"""Most that one try may take; a judge that reasons takes its time."""

_BUSY = ("429", "RateLimit", "rate limit")


class DeadJudgeError(ValueflowError):
    """The judge did not answer before the run began."""


@dataclass
class _Forgetful:
    """A memory that holds nothing, in place of Inspect's cache."""

    forgets: bool = False

    def name(self, messages: Sequence[ChatMessage], config: GenerateConfig) -> str:
        return ""

    def recall(self, name: str) -> ModelOutput | None:
        return None

    def keep(self, name: str, output: ModelOutput) -> None:
        return None


async def probe_judge(model: Model, value: Value, sample: SampleSettings) -> str | None:
    """Asks a judge one question that a run will ask.

    Args:
        model: the judge.
        value: a value of the run.
        sample: settings of a sample of the run.

    Returns:
        What is odd about its answer, in a sentence; None where all is well. A judge that is only
        busy is alive.

    Raises:
        DeadJudgeError: the provider failed, or answered with nothing.
    """
    config = GenerateConfig(max_retries=RETRIES, attempt_timeout=SECONDS)
    judge = judge_with(model, JudgeState(memory=_Forgetful()))
    judge.config = judge.config.merge(config)
    settings, registry = sample.evaluator, sample.registry
    anchors = vidb_of_run(settings.vidb, settings.columns, registry).of(value)
    texts = [anchors[0].text, anchors[-1].text]
    theory = registry.theories[value.theory]
    generator = generator_for(settings.seed, "probe", value.theory, value.name)
    if settings.judge_mode == "choice":
        choice = await ask_choice(
            judge, value, theory, texts, generator, sentences=registry.sentences
        )
        failure: str | None = choice.failure
        error, raw = choice.error, choice.raw
    else:
        labels = draw_labels(texts, generator)
        said = await judge_window(
            judge,
            judge_prompt(value, theory, texts, labels, registry.sentences),
            labels,
            attempts=1,
        )
        failure, error, raw = said.failure, said.error, "".join(said.raw)
    if failure is None:
        return None
    if failure == "provider error":
        told = error or "no reason was given"
        if any(word in told for word in _BUSY):
            return f"the judge {model} is busy ({told})"
        raise DeadJudgeError(
            f"the judge {model} does not answer: {told}. Nothing was generated; name a judge that "
            "answers, or generate alone with --no-score and without a judge"
        )
    if failure == "no logprobs":
        return (
            f"the judge {model} returns no logprobs, which judge_mode=choice needs: every window "
            "will be asked for as a ranking"
        )
    return f"the judge {model} answered a first question with {raw[:200]!r} ({failure})"
