"""A judge's answers, good and bad, through Inspect's model interface."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from inspect_ai.model import ContentReasoning, ContentText, GenerateConfig, ModelOutput
from inspect_ai.util import LimitExceededError

from tests.conftest import CountingJudge, mock_model, obedient, output
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.scorers.judge.asking import Judgement, Reply, ask_refusal, judge_window
from valueflow.scorers.judge.asking import ask as ask_anything
from valueflow.scorers.judge.questions.choice import choose_window
from valueflow.scorers.judge.questions.ranking import judge_prompt

LABELS = ("CDFGH", "JKLMN", "PQRTV")


def ask(judge: CountingJudge, attempts: int = 3, own_config: bool = True) -> Judgement:
    registry = load_registry()
    value = registry.value("power")
    texts = ["I like to lead.", "It rained.", "I gave my seat away."]
    prompt = judge_prompt(value, registry.theories["pvq"], texts, LABELS)

    async def call() -> Judgement:
        return await judge_window(
            judge.model, prompt, LABELS, attempts=attempts, own_config=own_config
        )

    return anyio.run(call)


def test_a_clean_answer_takes_one_call() -> None:
    judge = CountingJudge(obedient)
    judgement = ask(judge)
    assert judgement.labels == LABELS
    assert (judgement.calls, judgement.repaired, judge.calls) == (1, False, 1)


def test_decoration_is_passed_over_and_counted() -> None:
    judgement = ask(
        CountingJudge(lambda labels, _: "Ranking:\n" + "\n".join(f"- {c}" for c in labels))
    )
    assert judgement.labels == LABELS
    assert judgement.repaired


@pytest.mark.parametrize(
    "nonsense",
    [
        lambda labels, _: "All of them are fine.",
        lambda labels, _: " > ".join(labels[:2]),
        lambda labels, _: " > ".join([*labels, labels[0]]),
        lambda labels, _: " > ".join([*labels[:2], "ZZZZZ"]),
    ],
)
def test_nonsense_is_asked_again_a_bounded_number_of_times(
    nonsense: Callable[[list[str], int], str],
) -> None:
    judge = CountingJudge(nonsense)
    judgement = ask(judge, attempts=3)
    assert judgement.labels is None
    assert judgement.failure == "no complete ranking"
    assert judgement.calls == judge.calls == 3
    assert len(judgement.raw) == 3


@pytest.mark.parametrize("nothing", [output(""), output(" \n"), ModelOutput(model="mockllm/model")])
def test_an_empty_answer_is_an_error_of_the_provider(nothing: ModelOutput) -> None:
    nothing.usage = output("").usage
    judge = CountingJudge(lambda labels, _: nothing)
    judgement = ask(judge, attempts=2)
    assert (judgement.labels, judgement.failure, judge.calls) == (None, "provider error", 2)
    assert judgement.error == "the judge answered with nothing"


def test_a_judge_that_mends_its_answer_is_heard() -> None:
    judge = CountingJudge(lambda labels, attempt: "Hm." if attempt == 0 else obedient(labels, 0))
    judgement = ask(judge)
    assert judgement.labels == LABELS
    assert judgement.calls == 2
    assert judgement.raw[0] == "Hm."


def test_an_answer_cut_by_the_token_limit_is_asked_again_with_more_room() -> None:
    judge: CountingJudge

    def cut_first(labels: list[str], attempt: int) -> ModelOutput:
        if judge.calls == 1:
            return output("<think>First I weigh", "max_tokens")
        return output(obedient(labels, 0))

    judge = CountingJudge(cut_first)
    judge.model.config = GenerateConfig(max_tokens=100)
    judgement = ask(judge)
    assert judgement.labels == LABELS
    assert [config.max_tokens for config in judge.configs] == [100, 400]


def test_a_judge_that_is_always_cut_fails_with_that_reason() -> None:
    judge = CountingJudge(lambda labels, _: output(" > ".join(labels), "max_tokens"))
    judgement = ask(judge, attempts=2)
    assert judgement.labels is None
    assert judgement.failure == "cut by the token limit"


def test_reasoning_before_the_answer_is_no_part_of_it() -> None:
    def reasoning(labels: list[str], attempt: int) -> ModelOutput:
        made = ModelOutput.from_content(
            "mockllm/model",
            [
                ContentReasoning(reasoning=" > ".join(reversed(labels))),
                ContentText(text=" > ".join(labels)),
            ],
        )
        made.usage = output("").usage
        return made

    judgement = ask(CountingJudge(reasoning))
    assert judgement.labels == LABELS
    assert " > ".join(reversed(LABELS)) in judgement.raw[0]


def test_a_dead_provider_ends_the_window_and_says_why() -> None:
    def dead(labels: list[str], attempt: int) -> str:
        raise ConnectionError("no route to the judge")

    judgement = ask(CountingJudge(dead))
    assert judgement.labels is None
    assert judgement.failure == "provider error"
    assert judgement.error is not None
    assert "no route to the judge" in judgement.error


def test_the_same_question_is_answered_from_the_cache() -> None:
    judge = CountingJudge(obedient)
    first = ask(judge)
    second = ask(judge)
    assert first.labels == second.labels
    assert judge.calls == 1


@pytest.mark.parametrize("bad", ["Hm.", "", None])
def test_a_cached_answer_that_cannot_be_read_is_asked_for_anew_and_then_found(
    bad: str | None,
) -> None:
    made = ModelOutput(model="mockllm/model") if bad is None else output(bad)
    made.usage = output("").usage
    down = True
    judge = CountingJudge(lambda labels, _: made if down else obedient(labels, 0))
    assert ask(judge, attempts=2).labels is None
    assert ask(judge, attempts=2).labels is None  # still down: asked, and not read from the cache
    assert judge.calls == 4
    down = False
    assert ask(judge, attempts=2).labels == LABELS
    assert judge.calls == 5
    assert ask(judge, attempts=2).labels == LABELS
    assert judge.calls == 5


def test_an_evaluated_model_that_judges_does_so_at_temperature_0_with_room() -> None:
    judge = CountingJudge(obedient)
    judge.model.config = GenerateConfig(temperature=1.0, max_tokens=7)
    ask(judge, own_config=False)
    assert judge.configs[0].temperature == 0
    assert judge.configs[0].max_tokens == load_registry().defaults.evaluator.judge_max_tokens


def put(
    answer: Callable[..., ModelOutput], correct: str | None = None, **settings: Any
) -> Reply[str]:
    """Asks whatever answers for a word in capitals."""

    def read(said: ModelOutput) -> str | None:
        return said.completion if said.completion.isupper() else None

    return anyio.run(
        lambda: ask_anything(
            mock_model(answer), "Well?", read, correct, version="test 1", **settings
        )
    )


def test_every_question_is_corrected_given_room_and_bounded_alike() -> None:
    seen: list[tuple[int, int | None]] = []
    told = [output("hm"), output("CUT", "max_tokens"), output("hm"), output("YES")]

    def answer(messages: list[Any], tools: Any, choice: Any, config: GenerateConfig) -> ModelOutput:
        seen.append((len(messages), config.max_tokens))
        return told[len(seen) - 1]

    reply = put(answer, "In capitals.", attempts=4, config=GenerateConfig(max_tokens=20))
    assert (reply.found, reply.calls, reply.raw) == ("YES", 4, ("hm", "CUT", "hm", "YES"))
    assert seen == [(1, 20), (3, 20), (3, 80), (3, 80)]
    seen.clear()
    bounded = put(answer, attempts=2)
    assert (bounded.found, bounded.calls, bounded.cut) == (None, 2, True)


def test_a_limit_of_the_run_is_raised_whatever_is_asked() -> None:
    def over(*_: object) -> ModelOutput:
        raise LimitExceededError("token", value=2, limit=1)

    model = mock_model(over)
    for question in (
        lambda: judge_window(model, "Rank.", LABELS, attempts=2),
        lambda: ask_refusal(model, "Would you lie?", "No."),
        lambda: choose_window(model, "Pick.", ("A", "B")),
    ):
        with pytest.raises(LimitExceededError):
            anyio.run(question)
    with pytest.raises(LimitExceededError):
        put(over, attempts=3)
