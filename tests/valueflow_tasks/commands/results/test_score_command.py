"""`valueflow score` writes tables of logs and saved rankings, and says what it left out."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.model import get_model

from tests.conftest import CountingJudge, obedient
from valueflow.cli import main
from valueflow.scorers.intensity_scorer import intensity
from valueflow.steering.tasks import steer


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_score_writes_tables_that_agree_with_the_run(tmp_path: Path) -> None:
    log = inspect_eval(
        steer(values="power", levels="-2,2", n_queries=4, figures="all"),
        model="valueflow/respondent",
        model_roles={"grader": "valueflow/judge"},
        display="none",
    )[0]
    result = call("score", log.location, "-o", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    cells = {row["cell"]: row for row in rows(tmp_path / "out" / "cells.csv")}
    items = rows(tmp_path / "out" / "items.csv")
    shifts = {row["cell"]: row for row in rows(tmp_path / "out" / "shifts.csv")}
    assert len(items) == 12
    assert log.results is not None
    metrics = log.results.scores[0].metrics
    for cell in ("power/-2", "power/0", "power/+2"):
        assert float(cells[cell]["intensity"]) == pytest.approx(
            metrics[f"{cell} mean"].value, abs=1e-4
        )
        assert float(cells[cell]["se"]) == pytest.approx(
            metrics[f"{cell} mean_stderr"].value, abs=1e-4
        )
    assert float(shifts["power/+2"]["shift"]) == pytest.approx(
        metrics["power/+2 shift"].value, abs=1e-4
    )
    written = json.loads((tmp_path / "out" / "run.json").read_text())
    assert written["windows"] == 36
    assert written["valueflow"]


def test_score_keeps_unknown_fields_and_names_unscored_items(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    window = {"cell": "c", "value": "power", "anchors": [-5, 5], "position": 0}
    lines = [
        {"item": "a", "order": [2, 0, 1], "dataset": "mine", **window},
        {"item": "b", "order": None, **window},
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = call("score", str(file), "-o", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    first, second = rows(tmp_path / "out" / "items.csv")
    assert first["dataset"] == "mine"
    assert (second["item"], second["intensity"], second["unscored"]) == ("b", "", "order is null")
    assert "Left out: 1" in result.output


def test_score_of_nothing_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text("")
    result = call("score", str(file), "-o", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "no window with a ranking" in result.output
    assert not (tmp_path / "out").exists()


def test_the_two_estimators_differ_and_both_run(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    lines = [
        {
            "item": str(n),
            "cell": "c",
            "value": "power",
            "anchors": [-6, -2, 2, 6],
            "order": [4, 0, 3, 2, 1] if n % 2 else [4, 3, 0, 1, 2],
            "position": n % 5,
        }
        for n in range(8)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    means = []
    for estimator in ("population", "reference"):
        folder = tmp_path / estimator
        assert call("score", str(file), "-o", str(folder), "--estimator", estimator).exit_code == 0
        means.append(float(rows(folder / "cells.csv")[0]["intensity"]))
    assert means[0] != pytest.approx(means[1], abs=1e-3)


def test_logs_of_several_models_or_judges_are_not_taken_for_one(tmp_path: Path) -> None:
    def log_of(model: Any, judge: object, queries: str) -> str:
        return inspect_eval(
            steer(values="power", levels="2", n_queries=queries),
            model=model,
            model_roles={"grader": judge},  # type: ignore[dict-item]
            display="none",
        )[0].location

    plain = log_of("valueflow/respondent", "valueflow/judge", "1")
    other_judge = log_of("valueflow/respondent", CountingJudge(obedient).model, "2")
    judges = call("score", plain, other_judge, "-o", str(tmp_path / "out"))
    assert judges.exit_code == 1
    assert "more than one judge" in judges.output
    louder = get_model("valueflow/respondent", memoize=False, gain_up=9.0)
    twice = call("score", plain, log_of(louder, "valueflow/judge", "1"), "-o",
                 str(tmp_path / "out"))  # fmt: skip
    assert twice.exit_code == 1
    assert "must not be taken for one" in " ".join(twice.output.split())
    assert not (tmp_path / "out").exists()
    added = inspect_score(
        read_eval_log(plain),
        intensity(),
        model_roles={"grader": "valueflow/judge"},
        action="append",
        display="none",
    )
    write_eval_log(added, str(tmp_path / "added.eval"))
    result = call("score", str(tmp_path / "added.eval"), "-o", str(tmp_path / "out"))
    assert result.exit_code == 0
    assert "2 older scores of samples that were scored again" in " ".join(result.output.split())
