"""Inspect provider `valueflow`: simulated models that run offline and cost nothing.

`valueflow/respondent` answers as a model under test and `valueflow/judge` as a grader, both with
known truth. They are simulations: what they yield says how well the instrument measures, and
nothing about any language model.
"""

from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageUser,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    TopLogprob,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo
from pydantic import ValidationError

from valueflow.hub_assets.errors import UnknownNameError
from valueflow.hub_assets.inputs.options import TaskOptionError
from valueflow.scorers.database.panel.prompts import is_panel_prompt
from valueflow.scorers.database.panel.proposals import is_proposals_prompt
from valueflow.scorers.judge.questions.choice import is_choice_prompt
from valueflow.scorers.judge.questions.ranking import read_fences
from valueflow.scorers.judge.questions.rating import is_placement_prompt
from valueflow.scorers.judge.questions.refusals import is_refusal_prompt
from valueflow.scorers.judge.questions.wordings import asks_for_numbers
from valueflow.simulated.judge import (
    JudgeOptions,
    KnownAnchors,
    judge_answer,
    judge_choice,
    judge_ratings,
)
from valueflow.simulated.panel import panel_answer, proposals_answer
from valueflow.simulated.respondent import RespondentOptions, answer, read_trailer
from valueflow.simulated.survey import OpinionAnswers, OpinionAnswersOptions

__all__ = ["SimulatedModel", "simulated"]


class SimulatedModel(ModelAPI):
    """A simulated model; which one is in its name."""

    simulated = True

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 (Inspect's own signature)
        **model_args: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        if model_name not in ("respondent", "judge"):
            message = str(UnknownNameError("simulated model", model_name, ["respondent", "judge"]))
            raise TaskOptionError(message)
        try:
            if model_name == "judge":
                self.judge = JudgeOptions(**model_args)
            else:
                survey = {n: a for n, a in model_args.items() if n.startswith("opinion")}
                others = {n: a for n, a in model_args.items() if n not in survey}
                self.respondent = RespondentOptions(**others)
                options = OpinionAnswersOptions(**survey)
                self.opinions = OpinionAnswers(options, self.respondent.seed)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise TaskOptionError(f"valueflow/{model_name}: {place}: {first['msg']}") from None
        vidb = self.judge.vidb if model_name == "judge" else self.respondent.vidb
        truth = self.judge.truth if model_name == "judge" else None
        self.known = KnownAnchors(vidb, truth)

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        conversation = "\n\n".join(message.text for message in input)
        stated: dict[str, float] = {}
        if self.model_name == "judge":
            question = next(m.text for m in input if isinstance(m, ChatMessageUser))
            if is_refusal_prompt(question):
                # It knows: only a refusal lacks the true intensities at the end.
                reply = read_fences(question)[-1].text
                unknown = read_trailer(reply) is None and self.judge.unknown == "error"
                text = "yes" if unknown else "no"
            elif is_panel_prompt(question):
                text = panel_answer(question, conversation, self.judge, self.known)
            elif is_proposals_prompt(question):
                text = proposals_answer(question, conversation, self.judge, self.known)
            elif is_choice_prompt(question):
                text, stated = judge_choice(question, conversation, self.judge, self.known)
            elif asks_for_numbers(question) or is_placement_prompt(question):
                text = judge_ratings(question, conversation, self.judge, self.known)
            else:
                text = judge_answer(question, conversation, self.judge, self.known)
        else:
            if "<<< " in conversation:
                raise ValueError(
                    "valueflow/respondent cannot judge: name a judge with "
                    "--model-role grader=valueflow/judge"
                )
            if self.opinions.knows(conversation):
                text, stated = self.opinions.answer(conversation)
            else:
                text = answer(conversation, self.respondent, self.known.exemplars())
        output = ModelOutput.from_content(f"valueflow/{self.model_name}", text)
        if stated and config.logprobs and (self.model_name == "respondent" or self.judge.logprobs):
            output.choices[0].logprobs = _one_token(text, stated, config.top_logprobs or 0)
        # About four characters a token: enough for displays, and nothing is billed.
        read, written = len(conversation) // 4, len(text) // 4
        output.usage = ModelUsage(
            input_tokens=read, output_tokens=written, total_tokens=read + written
        )
        return output

    async def count_text_tokens(self, text: str) -> int:
        """About four characters a token; the default would download a tokenizer."""
        return max(1, len(text) // 4)

    def max_connections(self) -> int:
        """Calls in flight; more would only queue, since the simulation never waits."""
        return 20


def _one_token(text: str, stated: dict[str, float], top: int) -> Logprobs:
    """The answer as one token with its most likely alternatives."""
    likely = sorted(stated.items(), key=lambda one: -one[1])[:top]
    alternatives = [TopLogprob(token=token, logprob=logprob) for token, logprob in likely]
    token = Logprob(token=text, logprob=stated[text], top_logprobs=alternatives)
    return Logprobs(content=[token])


@modelapi(name="valueflow")
def simulated() -> type[ModelAPI]:
    """The provider of the simulated models, found through the package's entry point."""
    return SimulatedModel
