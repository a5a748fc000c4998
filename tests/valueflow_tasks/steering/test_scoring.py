"""The task valueflow/score: responses made elsewhere."""

from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval

from valueflow.hub_assets.errors import ValueflowError
from valueflow.steering.existing import score

HEAD = "query,response,value,level,model\n"
ROWS = (
    'q1,"I take charge. [simulated intensities: power=+7.0]",power,2,m1\n'
    'q1,"I might. [simulated intensities: power=+0.5]",power,0,m1\n'
    'q2,"I take over. [simulated intensities: power=+6.0]",power,+2,m1\n'
    'q2,"Perhaps. [simulated intensities: power=-0.5]",power,0,m1\n'
    'q1,"No need. [simulated intensities: power=-6.0]",power,2,m2\n'
    "q2,,power,2,m2\n"
)


def run(**options: Any) -> dict[str, float]:
    log = inspect_eval(
        score(**{"figures": "all", **options}),
        model="none",
        model_roles={"grader": "valueflow/judge"},
        display="none",
    )[0]
    assert log.status == "success", log.error
    assert log.results is not None
    assert "none/none" not in (log.stats.model_usage or {})
    return {name: m.value for name, m in log.results.scores[0].metrics.items()}


def test_responses_are_measured_without_generation(tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    file.write_text(HEAD + ROWS)
    metrics = run(responses=str(file))
    assert metrics["m1 power/+2 shift"] > 3
    assert metrics["m2 power/+2 mean"] < 0
    assert metrics["m2 power/+2 unscored"] == 1
    assert metrics["judge_calls"] == 5 * 3


def test_a_table_without_a_value_takes_it_from_the_option(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text('{"text": "I lead. [simulated intensities: power=+5.0]"}\n')
    with pytest.raises(ValueflowError, match="response_columns"):
        score(responses=str(file), value="power")
    metrics = run(responses=str(file), value="Power", response_columns={"response": "text"})
    assert metrics["power/0 count"] == 1


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (HEAD, {}, "holds no response"),
        (HEAD + "q,r,powr,2,m\n", {}, "row 1.*Did you mean 'power'"),
        (HEAD + "q,r,power,7,m\n", {}, "row 1.*not a level"),
        (HEAD + "q,r,,2,m\n", {}, "row 1, column 'value'.*-T value=NAME"),
        ("query,response\nq,r\n", {}, "no column for 'value'"),
        (HEAD + ROWS, {"windows": -1}, "windows"),
    ],
)
def test_bad_tables_are_named(
    tmp_path: Path, text: str, options: dict[str, Any], message: str
) -> None:
    file = tmp_path / "answers.csv"
    file.write_text(text)
    with pytest.raises(ValueflowError, match=message):
        score(responses=str(file), **options)


def test_without_model_and_grader_the_run_ends_at_once(tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    file.write_text(HEAD + ROWS)
    log = inspect_eval(score(responses=str(file)), model="none", display="none")[0]
    assert log.status == "error"
    assert log.error is not None
    assert "--model-role grader=" in log.error.message


def test_long_queries_that_begin_alike_are_different_queries(tmp_path: Path) -> None:
    start = "Here is a long introduction that every question shares. " * 6
    file = tmp_path / "answers.csv"
    file.write_text(f"query,response\n{start} Why?,one\n{start} How?,two\n{start} Why?,three\n")
    built = score(responses=str(file), value="power")
    queries = [(sample.metadata or {})["valueflow"]["query"] for sample in built.dataset]
    assert queries[0] == queries[2] != queries[1]
