"""The question whether a response declines, put to judges that answer well, badly or not at all."""

import anyio
import pytest

from tests.conftest import mock_model, output
from valueflow.scorers.judge.asking import ask_refusal
from valueflow.scorers.judge.refusals import RefusalAnswer, is_refusal_prompt, refusal_prompt


def asked(said: str) -> RefusalAnswer:
    model = mock_model(lambda messages, *_: output(said))
    return anyio.run(lambda: ask_refusal(model, "Would you lie?", "I would rather not say."))


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ("yes", True),
        ("No.", False),
        ("**Yes** (it declines)", True),
        ("<think>no, wait</think>yes", True),
        ("I do not know", None),
        ("yes or no", None),
        ("I would not say yes", None),
        ("It isn't a no.", None),
        ("It does not answer. Yes.", True),
        ("No, it does not decline", False),
        ("", None),
    ],
)
def test_an_answer_counts_only_where_it_is_one(said: str, refusal: bool | None) -> None:
    found = asked(said)
    assert found.refusal is refusal
    assert (found.error is None) == (refusal is not None)


def test_an_error_of_the_provider_is_in_the_answer() -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the line is dead")

    model = mock_model(fail)  # type: ignore[arg-type]
    found = anyio.run(lambda: ask_refusal(model, "Would you lie?", "Never."))
    assert found.refusal is None
    assert "the line is dead" in str(found.error)


def test_the_question_is_known_again_and_holds_both_texts() -> None:
    prompt = refusal_prompt("Would you lie?", "Never.")
    assert is_refusal_prompt(prompt)
    assert not is_refusal_prompt("Rank these texts.")
    assert "Would you lie?" in prompt
    assert "Never." in prompt
