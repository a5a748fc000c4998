"""The end of a run, as Inspect's own command line shows it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from inspect_ai.log import read_eval_log
from inspect_ai.scorer import SampleScore

from tests.study_runs import run_log
from valueflow.hub_assets.errors import ValueflowError
from valueflow.scorers.intensity_scorer import steering_headline, summary_of
from valueflow.scorers.summary.run import flatten
from valueflow.steering.tasks import steer, steer_pair

RUN = (
    "eval",
    "valueflow/steer",
    *("--model", "valueflow/respondent"),
    *("-T", "values=power,benevolence", "-T", "n_queries=2", "-T", "windows=1"),
)


def run(folder: Path, *more: str) -> tuple[list[str], str]:
    """The lines that a run prints, and its log's path."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("inspect")), *RUN, *more],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    (log,) = folder.glob("logs/*.eval")
    return (done.stderr + done.stdout).splitlines(), str(log)


def test_a_run_ends_on_one_screen_and_finds_its_headline(tmp_path: Path) -> None:
    lines, log = run(tmp_path, "--model-role", "grader=valueflow/judge")
    assert not any("not found in eval results" in " ".join(lines[i : i + 3]) for i in range(99))
    shown = "\n".join(lines)
    assert re.search(r"^value +-2 +-1 +0 +\+1 +\+2 +up +down +range$", shown, re.MULTILINE)
    assert re.search(r"^benevolence .* ± ", shown, re.MULTILINE)
    assert "Judge valueflow/judge: 20 windows" in shown
    assert "valueflow report" in shown
    assert len(lines) < 60
    header = read_eval_log(log, header_only=True)
    assert header.results is not None
    assert header.results.headline is not None
    assert header.results.headline.metric == "range"
    (score,) = header.results.scores
    assert next(iter(score.metrics)) == "range"
    assert len(score.metrics) < 16


def test_a_model_that_judges_itself_is_told_in_the_first_line_and_at_the_end(
    tmp_path: Path,
) -> None:
    lines, log = run(tmp_path)
    assert "judges its own responses" in lines[0]
    assert "inspect score LOG" in lines[0]
    assert sum("judges its own responses" in line for line in lines) == 2
    assert "itself" in read_eval_log(log, header_only=True).eval.metadata["judge"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("levels", "headline"), [("-2,2", "range"), ("1,2", "up"), ("-1", "down"), (None, "range")]
)
def test_the_headline_is_a_figure_that_the_levels_allow(levels: str | None, headline: str) -> None:
    task = steer(values="power", levels=levels, n_queries=1)
    assert task.headline_metric is not None
    assert task.headline_metric.metric == headline


def test_pairs_that_are_scored_on_one_value_have_a_headline_too() -> None:
    task = steer_pair(pairs="expression+assembly", levels="2/2", n_queries=1)
    assert task.headline_metric is not None
    assert task.headline_metric.metric == "expression+2&assembly+2 along"


def test_few_figures_are_those_of_all_figures(tmp_path: Path) -> None:
    log = read_eval_log(str(run_log(tmp_path, steer(values="power", n_queries=2, windows=1))))
    assert log.results is not None
    few = {name: metric.value for name, metric in log.results.scores[0].metrics.items()}
    scores = [
        SampleScore(score=score, sample_id=sample.id)
        for sample in log.samples or []
        for score in (sample.scores or {}).values()
    ]
    records = [score.score.metadata["valueflow"] for score in scores]  # type: ignore[index]
    flat = flatten(summary_of(records))
    assert {name: flat[name] for name in few} == pytest.approx(few)
    first: dict[str, float] = dict(steering_headline("down")(scores[:1]))  # type: ignore[arg-type]
    assert next(iter(first)) == "down"
    assert first["down"] != first["down"]


def test_what_is_listed_is_few_or_all() -> None:
    with pytest.raises(ValueflowError, match="figures"):
        steer(values="power", n_queries=1, figures="some")
