"""A pilot's log tells judge, spread, anchors, tokens and money, and `plan --from` takes them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from inspect_ai.model import get_model

from tests.study_runs import run_log
from valueflow.cli import main
from valueflow.hub_assets.errors import InputFileError
from valueflow.results.steering.pilot import read_pilot
from valueflow.scorers.windows.plan import rating_variance
from valueflow.steering.tasks import steer


def pilot_log(folder: Path, mode: str, windows: int, **judge: float) -> Path:
    task = steer(values="power,benevolence", n_queries=8, windows=windows, judge_mode=mode)
    return run_log(folder, task, judge=get_model("valueflow/judge", memoize=False, **judge))


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rated")
    return pilot_log(folder, "rating", 2, scale=0.8, text_sd=3.0, rating_slope=0.8)


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pilot_log(tmp_path_factory.mktemp("ranked"), "ranking", 2, scale=0.8)


def test_a_pilot_of_ratings_tells_the_judges_noise_disagreement_and_the_anchors(
    rated: Path,
) -> None:
    pilot = read_pilot([rated])
    assert pilot.judge_mode == "rating"
    assert (pilot.values, pilot.levels, pilot.window_size) == (2, 5, 6)
    assert pilot.text_sd == pytest.approx(3.0, rel=0.35)
    assert rating_variance(pilot.scale) ** 0.5 == pytest.approx(
        rating_variance(0.8) ** 0.5, rel=0.3
    )
    assert pilot.anchors == pytest.approx(44, rel=0.15)
    assert pilot.spread is not None
    assert 0.3 < pilot.spread < 4
    assert pilot.windows == 2 * 2 * 5 * 8
    assert pilot.call_tokens is not None
    assert 200 < pilot.call_tokens < 2000


def test_a_pilot_of_rankings_tells_the_judges_scale(ranked: Path) -> None:
    pilot = read_pilot([ranked])
    assert pilot.judge_mode == "ranking"
    assert pilot.scale == pytest.approx(0.8, rel=0.4)
    assert pilot.text_sd < 1.5


def test_money_comes_from_a_table_of_prices(rated: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_text("model,input,output\nvalueflow/judge,2,10\nvalueflow/respondent,1,5\n")
    pilot = read_pilot([rated], str(prices))
    assert pilot.call_tokens is not None
    assert pilot.call_cost is not None
    assert pilot.generation_cost is not None
    assert 2e-6 * pilot.call_tokens < pilot.call_cost < 10e-6 * pilot.call_tokens
    assert pilot.generation_cost > 0


def test_logs_of_two_ways_of_asking_are_no_pilot(rated: Path, ranked: Path) -> None:
    with pytest.raises(InputFileError, match="several judges"):
        read_pilot([rated, ranked])


def test_plan_takes_what_the_pilot_says_and_options_go_before_it(rated: Path) -> None:
    def planned(*more: str) -> list[dict[str, float]]:
        line = ["plan", "--from", str(rated), "--queries", "50", "--json", *more]
        result = CliRunner().invoke(main, line)
        assert result.exit_code == 0, result.output
        rows: list[dict[str, float]] = json.loads(result.stdout)
        return rows

    pilot = read_pilot([rated])
    assert pilot.call_tokens is not None
    first = planned("--difference", "1")[0]
    assert first["judge calls"] == 50 * 2 * 5
    assert first["tokens"] == pytest.approx(500 * pilot.call_tokens, rel=0.01)
    sharper = planned("--text-sd", "0", "--difference", "1")[0]
    wanted = "queries for a difference of 1 in a cell"
    assert sharper[wanted] < 0.7 * first[wanted]
    told = CliRunner().invoke(main, ["plan", "--from", str(rated), "--queries", "50"]).output
    assert "Pilot of 72 responses and 160 windows" in " ".join(told.split())
