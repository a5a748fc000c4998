"""Solvers, scorers and metrics by the names under which Inspect finds them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.scorer import SampleScore, Score, match

import valueflow
from tests.conftest import mock_model, output
from valueflow import TASK_MODULES, opinionqa, steer
from valueflow.scorers.intensity_scorer import steering_headline, steering_summary
from valueflow.scorers.survey.scorer import opinion_summary
from valueflow.solvers.survey_solver import answer_as_group
from valueflow.steering.before import judge_answers
from valueflow.steering.existing import existing_response

ROOM = Path(__file__).parents[2] / "valueflow_tasks"


def test_the_listing_names_every_task_and_no_other() -> None:
    listed = yaml.safe_load((ROOM / "eval.yaml").read_text(encoding="utf-8"))
    assert {task["name"] for task in listed["tasks"]} == set(TASK_MODULES)
    assert all(hasattr(valueflow, task["name"]) for task in listed["tasks"])


def test_existing_response_gives_the_response_of_the_table_and_asks_no_model() -> None:
    sample = Sample(input="What now?", target="I wait.", metadata={"response": "I wait."})
    asked: list[str] = []

    def answer(*_: Any) -> Any:
        asked.append("!")
        return output("no")

    log = inspect_eval(
        Task(dataset=[sample], solver=existing_response(), scorer=match()),
        model=mock_model(answer),
        display="none",
    )[0]
    assert log.status == "success", log.error
    assert log.samples is not None
    assert log.samples[0].output.completion == "I wait."
    assert not asked


def test_answer_as_group_answers_each_question_with_an_option() -> None:
    task = opinionqa(passes="default", groups="POLPARTY_Republican", n_questions=3)
    task.solver = answer_as_group()
    log = inspect_eval(task, model=mock_model(lambda *_: output("A")), display="none")[0]
    assert log.status == "success", log.error
    assert {sample.output.completion for sample in log.samples or []} == {"A"}


def test_judge_answers_lets_a_model_that_judges_itself_pass_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    task = steer(values="power", levels="2", n_queries=1, windows=1)
    task.setup = judge_answers()
    log = inspect_eval(
        task, model=mock_model(lambda *_: output("I lead.")), display="none", score=False
    )[0]
    assert log.status == "success", log.error
    assert "judges its own responses" in capsys.readouterr().err


@pytest.mark.parametrize("metric", [steering_headline, steering_summary, opinion_summary])
def test_a_metric_of_nothing_is_a_mapping_of_numbers(metric: Any) -> None:
    nothing = metric()([])
    assert isinstance(nothing, dict)
    assert all(isinstance(number, int | float) for number in nothing.values())
    foreign = SampleScore(score=Score(value=0.0), sample_id="other")
    assert metric()([foreign]).keys() == nothing.keys()
