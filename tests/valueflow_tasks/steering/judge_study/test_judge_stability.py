"""The task `judge_stability` under Inspect with simulated judges of known truth, and its report."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.log import EvalLog
from inspect_ai.model import Model, get_model

from tests.conftest import inspect_command
from valueflow import judge_stability
from valueflow.cli import main
from valueflow.hub_assets.errors import TaskOptionError
from valueflow.scorers.saved.judgements import read_study
from valueflow.scorers.summary.stability.judgements import STUDY_KEY
from valueflow.steering.judge_study.scorer import judge_stability_scores


def judge(**options: Any) -> Model:
    return get_model("valueflow/judge", memoize=False, **options)


def run(
    tmp_path: Path, judges: dict[str, Model] | None = None, limit: Any = None, **options: Any
) -> EvalLog:
    roles: dict[str, Any] = judges or {
        "grader": judge(scale=3.0),
        "grader_b": judge(scale=3.0, rating_level=3.0, rating_slope=0.6, seed=1),
    }
    (log,) = inspect_eval(
        judge_stability(**{"values": "power", "n_texts": 8, "windows": 1, **options}),
        model="none/none",
        model_roles=roles,
        log_dir=str(tmp_path / "logs"),
        display="none",
        limit=limit,
    )
    return log


def metrics(log: EvalLog) -> dict[str, float]:
    assert log.results is not None
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> EvalLog:
    return run(tmp_path_factory.mktemp("study"))


def test_a_judge_on_a_scale_of_its_own_differs_raw_and_hardly_calibrated(
    finished: EvalLog,
) -> None:
    assert finished.status == "success"
    found = metrics(finished)
    # Level 3 and slope 0.6 against 0 and 1, on texts spread over the scale.
    for way in ("rating", "window_rating"):
        assert found[f"{way} raw judge_range"] > 2.5
        assert found[f"{way} calibrated judge_range"] < found[f"{way} raw judge_range"] - 0.5
    assert found["ranking calibrated sign_accuracy"] > 0.8
    assert found["rating raw pairwise_accuracy"] > 0.9
    # 8 texts, 2 judges, 2 wordings, 3 ways, one window each.
    assert found["judgements"] == found["judge_calls"] == 8 * 2 * 2 * 3
    assert found["judgements_failed"] == 0


def test_every_judge_sees_the_same_windows_in_every_wording(finished: EvalLog) -> None:
    assert finished.samples
    for sample in finished.samples:
        (score,) = (sample.scores or {}).values()
        told = (score.metadata or {})[STUDY_KEY]["judgements"]
        shown = [json.dumps([one["texts"], one["shown"]]) for one in told if "texts" in one]
        assert len(shown) == 2 * 2 * 2
        assert len(set(shown)) == 1
        assert {one["judge"] for one in told} == {
            "valueflow/judge [grader]", "valueflow/judge [grader_b]",
        }  # fmt: skip
        assert {one["wording"] for one in told} == {"standard", "plain"}
        versions = {(one["way"], one["wording"]): one["version"] for one in told}
        assert len(set(versions.values())) == 6
        assert sample.metadata["response"] not in {t for one in told for t in one.get("texts", [])}


def test_the_log_and_the_command_and_the_report_say_the_same(
    finished: EvalLog, tmp_path: Path
) -> None:
    found = metrics(finished)
    saved = read_study([Path(finished.location)])
    for one in saved.study.figures:
        assert one.figure.value == pytest.approx(found[f"{one.way} {one.scale} {one.name}"])
    command = CliRunner().invoke(
        main, ["judge-study", finished.location, "-o", str(tmp_path / "out")]
    )
    assert command.exit_code == 0, command.output
    assert "2.10" in command.output  # The published figures stand beside.
    report = CliRunner().invoke(main, ["report", finished.location, "-o", str(tmp_path / "page")])
    assert report.exit_code == 0, report.output
    page = (tmp_path / "page" / "index.html").read_text()
    assert "How stable the judges are" in page
    with (tmp_path / "page" / "tables" / "judge_stability.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(saved.study.figures)
    assert (tmp_path / "page" / "figures" / "judge_stability.svg").exists()


def test_a_study_of_one_judge_says_nothing_of_differences_between_judges(tmp_path: Path) -> None:
    log = run(tmp_path, {"grader": judge()}, ways="rating", wordings="plain", n_texts=3)
    found = metrics(log)
    assert found["judge_calls"] == 3
    assert not [name for name in found if "judge_variance" in name or "wording_change" in name]


def test_texts_of_ones_own_need_no_label(tmp_path: Path) -> None:
    table = tmp_path / "texts.csv"
    table.write_text(
        "answer,value,human,question\n"
        "I would share it all,benevolence,7.5,Q1\nMine alone,benevolence,,Q1\n"
    )
    log = run(
        tmp_path,
        {"grader": judge(unknown="hash"), "grader_b": judge(unknown="hash", seed=3)},
        texts=str(table), values=None, text_columns={"label": "human"}, ways="rating,ranking",
    )  # fmt: skip
    found = metrics(log)
    assert log.status == "success"
    assert found["texts"] == 2
    assert "ranking raw judge_range" in found


def test_a_judge_that_fails_is_counted_and_the_others_go_on(tmp_path: Path) -> None:
    judges = {"grader": judge(), "grader_b": judge(failure_rate=1.0)}
    log = run(tmp_path, judges, n_texts=3, ways="rating", wordings="standard")
    found = metrics(log)
    assert found["judgements_failed"] == 3
    assert "rating raw sign_accuracy" in found
    study = read_study([Path(log.location)]).study
    assert study.left_out["no complete ratings"] == 3


def test_the_budget_is_that_of_all_judges_together(tmp_path: Path) -> None:
    log = run(tmp_path, n_texts=4, ways="rating", max_judge_calls=7)
    found = metrics(log)
    assert found["judge_calls"] == 7
    assert found["judgements_failed"] == 4 * 4 - 7


def test_scoring_a_log_again_asks_the_same_questions(finished: EvalLog, tmp_path: Path) -> None:
    roles = {"grader": judge(scale=3.0), "grader_b": judge(scale=3.0, rating_level=3.0, seed=1)}
    again = inspect_score(
        finished, judge_stability_scores(), action="overwrite", model_roles=roles, display="none"
    )
    assert metrics(again)["ranking raw slope"] == metrics(finished)["ranking raw slope"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"wordings": "fancy"}, "wordings: unknown wording 'fancy'"),
        ({"ways": "guess"}, "ways: 'guess' is none of rating, window_rating, ranking"),
        ({"ways": "rating,rating"}, "ways: must name at least one, and none twice"),
        ({"n_texts": 0}, "n_texts: 0 is not a whole number of at least 1"),
        ({"n_texts": 10_000}, "n_texts: 10000 texts are more than"),
        ({"judge_mode": "rating"}, "judge_mode: the study asks in several ways"),
        ({"sampling": "adaptive"}, "sampling: adaptive does not go with a study"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_asked(
    options: dict[str, Any], told: str
) -> None:
    with pytest.raises(TaskOptionError, match=told):
        judge_stability(**{"values": "power", **options})


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("Mine,power,strong", "the label 'strong' is no number from -10 to 10"),
        ("Mine,power,11", "the label '11' is no number from -10 to 10"),
        (",power,3", "the text is empty"),
        ("Mine,strength,3", "unknown value 'strength'"),
        ("Mine,,3", "names no value"),
    ],
)
def test_a_wrong_row_of_texts_is_named(row: str, told: str, tmp_path: Path) -> None:
    table = tmp_path / "texts.csv"
    table.write_text(f"text,value,label\nYours,power,1\n{row}\n")
    with pytest.raises(TaskOptionError, match=told) as error:
        judge_stability(texts=str(table))
    assert "row 2" in str(error.value)


def test_a_plan_prints_what_each_judge_costs_and_ends_without_a_call(tmp_path: Path) -> None:
    prices = tmp_path / "mine.csv"
    prices.write_text("model,input,output\nvalueflow/judge,0,100\n")
    done = inspect_command(
        "eval", "valueflow/judge_stability", "--model", "none",
        "--model-role", "grader=valueflow/judge",
        "--model-role", "grader_b={model: valueflow/judge, model_args: {seed: 1}}",
        "-T", "values=power", "-T", "n_texts=4", "-T", "windows=3", "-T", "plan=true",
        "-T", f"prices={prices}",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    told = " ".join(done.stderr.split())
    # Four texts in two wordings: alone, and in three windows rated and ranked.
    each = 4 * 2 * (1 + 3 + 3)
    assert f"4 texts, 2 judges: planned {each} calls of each, {2 * each} in all" in told
    assert told.count(f"]: {each} calls, about") == 2
    # 36 tokens to answer for six texts, 6 for one, at 100 dollars a million.
    money = 2 * (4 * 2 * 6 * 36 + 4 * 2 * 6) * 100 / 1e6
    assert f"plan: in all ${money:.2f}" in told
    assert "Nothing was asked" in told


def test_a_study_without_a_judge_says_how_to_name_one() -> None:
    done = inspect_command(
        "eval", "valueflow/judge_stability", "--model", "none", "-T", "values=power",
        "-T", "n_texts=2", "--display", "plain",
    )  # fmt: skip
    assert "--model-role grader=PROVIDER/MODEL" in " ".join((done.output + done.stderr).split())
