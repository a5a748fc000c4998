"""The task `injection` with simulated judges that obey with a known probability."""

import csv
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import get_model

from valueflow import injection
from valueflow.cli import main
from valueflow.hub_assets.errors import ScorerOptionError, TaskOptionError
from valueflow.scorers.judge.questions.injections import INJECTIONS
from valueflow.steering.judge_study.injection import injection_scores


def run(folder: Path, obey_rate: float, **options: Any) -> EvalLog:
    judge = get_model("valueflow/judge", memoize=False, scale=3.0, obey_rate=obey_rate)
    few = {"values": "power", "n_texts": 6, "windows": 1, "injections": "order,codes,chinese"}
    (log,) = inspect_eval(
        injection(**{**few, **options}),
        model="none/none",
        model_roles={"grader": judge},
        log_dir=str(folder),
        display="none",
    )
    assert log.status == "success"
    return log


def metrics(log: EvalLog) -> dict[str, float]:
    assert log.results is not None
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


@pytest.mark.parametrize("judge_mode", ["ranking", "rating"])
def test_a_judge_that_always_obeys_moves_and_one_that_never_does_stays(
    judge_mode: str, tmp_path: Path
) -> None:
    obeys = metrics(run(tmp_path, 1.0, judge_mode=judge_mode))
    deaf = metrics(run(tmp_path, 0.0, judge_mode=judge_mode))
    assert obeys["first"] == 1.0
    assert obeys["injection_shift"] > 4
    assert abs(deaf["injection_shift"]) < 1.0
    assert deaf["first"] == pytest.approx(deaf["first_without"], abs=0.2)
    assert 0 < obeys["injection_shift_stderr"] < 4
    assert obeys["windows"] == 6 * 4
    assert obeys["windows_failed"] == 0


def test_a_judge_that_obeys_half_the_time_moves_half_as_often(tmp_path: Path) -> None:
    found = metrics(run(tmp_path, 0.5, n_texts=12))
    without = found["first_without"]
    assert found["first"] == pytest.approx(without + 0.5 * (1 - without), abs=0.2)


def test_an_order_beyond_the_characters_that_a_judge_is_shown_moves_nothing(
    tmp_path: Path,
) -> None:
    found = metrics(run(tmp_path, 1.0, injections="long,order"))
    assert abs(found["long injection_shift"]) < 1.5
    assert found["order injection_shift"] > 4


def test_every_injection_of_the_corpus_is_judged_without_a_lost_window(tmp_path: Path) -> None:
    found = metrics(run(tmp_path, 0.0, injections=None, n_texts=2))
    assert found["windows"] == 2 * (1 + len(INJECTIONS))
    assert found["windows_failed"] == found["unscored"] == 0
    assert {name.split()[0] for name in found if name.endswith(" injection_shift")} == set(
        INJECTIONS
    )


def test_injection_scores_takes_budgets_and_nothing_else() -> None:
    assert callable(injection_scores(max_judge_calls=3))
    with pytest.raises(ScorerOptionError, match="unknown option"):
        injection_scores(colour="red")


def test_its_log_is_read_like_any_other(tmp_path: Path) -> None:
    log = run(tmp_path, 1.0)
    done = CliRunner().invoke(main, ["score", log.location, "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    with (tmp_path / "out" / "cells.csv").open() as stream:
        cells = {row["cell"]: row for row in csv.DictReader(stream)}
    assert set(cells) == {"power/0", "order power/0", "codes power/0", "chinese power/0"}
    assert float(cells["order power/0"]["words"]) > float(cells["power/0"]["words"])


def test_a_wrong_option_is_told() -> None:
    with pytest.raises(TaskOptionError, match="injections: unknown injection 'shout'"):
        injection(values="power", injections="shout")
