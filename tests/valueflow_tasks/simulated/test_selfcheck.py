"""The instrument check runs the real task and recovers the simulated truth."""

import pytest
from click.testing import CliRunner

from valueflow.cli import main
from valueflow.simulated.selfcheck import run_selfcheck


@pytest.mark.parametrize("place_effect", [pytest.param(0.0, marks=pytest.mark.slow), 1.0])
def test_responses_uniform_on_the_scale_are_recovered(place_effect: float) -> None:
    check = run_selfcheck(
        respondent={"truth": "uniform", "seed": 1},
        judge={"scale": 1.0, "place_effect": place_effect},
        task={"values": "power", "n_queries": 40, "windows": 3, "window_size": 6},
    )
    assert check.responses == 200
    assert check.rmse <= 1.3
    assert check.slope == pytest.approx(1, abs=0.05)
    assert abs(check.bias) <= 0.3
    assert 0.88 <= check.coverage <= 1
    assert check.summary.evaluation is not None
    judge = check.summary.evaluation.judges["power"]
    assert judge.place_effect == pytest.approx(place_effect, abs=0.25)


@pytest.mark.parametrize("mode", ["rating", "placement"])
def test_a_judge_that_gives_numbers_is_calibrated_and_recovered(mode: str) -> None:
    check = run_selfcheck(
        respondent={"truth": "uniform"},
        judge={"scale": 1.2, "rating_level": 2.0, "rating_slope": 0.7, "text_sd": 1.0},
        task={"values": "power", "n_queries": 30, "windows": 1, "judge_mode": mode},
    )
    assert check.rmse <= 1.9
    assert check.slope == pytest.approx(1, abs=0.12)
    assert abs(check.bias) <= 0.7
    assert 0.88 <= check.coverage <= 1
    assert check.summary.evaluation is not None
    judge = check.summary.evaluation.rating_judges["power"]
    assert judge.slope == pytest.approx(0.7, abs=3 * judge.slope_se)
    assert judge.text_sd == pytest.approx(1.0, abs=0.6)


def test_the_command_prints_truth_beside_estimate() -> None:
    result = CliRunner().invoke(
        main, ["selfcheck", "--values", "power", "--n-queries", "3", "--failure-rate", "0.2"]
    )
    assert result.exit_code == 0, result.output
    assert "truth" in result.output
    assert "power/+2" in result.output
    assert "retries" in result.output
    assert "retries 0" not in result.output
