"""Runs compared by what they are summed up by: paired by query, corrected, grouped."""

import math
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from tests.study_runs import run_log
from valueflow.hub_assets.errors import ValueflowError
from valueflow.scorers.records import ResponseRecord
from valueflow.scorers.saved.logs import ScoredLog
from valueflow.scorers.summary.comparison import AVERAGE, alike, compare_figures
from valueflow.scorers.summary.run import summarize
from valueflow.steering.tasks import steer, steer_pair

Records = list[ResponseRecord]


def records(folder: Path, gain: float, seed: int, task: object = None) -> Records:
    made = task or steer(values="power,benevolence", levels="-2,2", n_queries=8, windows=2)
    path = run_log(folder, made, gain_up=gain, gain_down=gain, seed=seed, spread=1.0)  # type: ignore[arg-type]
    return [cast(ResponseRecord, record) for record in ScoredLog(path).records()]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Records]:
    folder = tmp_path_factory.mktemp("logs")
    return {
        "weak": records(folder, 1.5, 1),
        "twin": records(folder, 1.5, 2),
        "strong": records(folder, 6.0, 3),
    }


def test_the_figures_are_near_those_of_each_run_alone(runs: dict[str, Records]) -> None:
    found = compare_figures(runs)
    for name, own in runs.items():
        overall = summarize(own).overall
        (standing,) = [one for one in found.leaderboards["range"] if one.run == name]
        # The judge is estimated from all runs together, which moves figures a little.
        assert standing.figure.value == pytest.approx(overall["range"].value, abs=0.4)
        assert 0.5 < standing.figure.se / overall["range"].se < 1.5


def test_what_differs_is_found_and_twins_share_a_group(runs: dict[str, Records]) -> None:
    found = compare_figures(runs)
    board = found.leaderboards["range"]
    assert board[0].run == "strong"
    assert board[0].groups == (1,)
    assert board[1].groups == board[2].groups == (2,)
    for one in found.differences:
        if one.what == "range" and "strong" in (one.first, one.second):
            assert one.differs
            # 9 points by truth, less what the ends of the scale take away.
            assert 6 < abs(one.difference) < 12
    (twins,) = [
        one
        for one in found.differences
        if (one.what, one.unit, one.first, one.second) == ("range", AVERAGE, "weak", "twin")
    ]
    assert abs(twins.difference) < 3 * twins.se
    assert twins.lower < 0 < twins.upper


def test_averages_are_taken_over_values_that_all_runs_have(
    runs: dict[str, Records], tmp_path: Path
) -> None:
    task = steer(values="power", levels="-2,2", n_queries=12, windows=2)
    found = compare_figures({**runs, "narrow": records(tmp_path, 3, 4, task)})
    assert found.units["range"] == ["power"]
    assert {one.unit for one in found.differences if one.what == "range"} == {
        "power",
        "benevolence",
    }


def test_pairing_by_query_makes_differences_of_like_runs_surer(runs: dict[str, Records]) -> None:
    apart = [cast(ResponseRecord, {**r, "query": f"other {r['query']}"}) for r in runs["twin"]]

    def error(twin: Records) -> float:
        found = compare_figures({"a": runs["weak"], "b": twin})
        return float(np.mean([d.se for d in found.differences if d.what == "up"]))

    assert error(runs["twin"]) < 1.1 * error(apart)


def test_pairs_are_compared_by_their_own_figures(tmp_path: Path) -> None:
    def pair() -> object:
        return steer_pair(pairs="power+universalism", levels="2/2", n_queries=8, windows=2)

    found = compare_figures(
        {"a": records(tmp_path, 1, 1, pair()), "b": records(tmp_path, 5, 2, pair())}
    )
    (along,) = [
        d for d in found.differences if (d.what, d.unit) == ("pair along", "power&universalism")
    ]
    assert along.difference < -2
    assert along.differs


def test_runs_of_different_judges_are_refused(runs: dict[str, Records]) -> None:
    other = [
        cast(ResponseRecord, {**r, "judge": {**r["judge"], "model": "other/judge"}})
        for r in runs["twin"]
    ]
    with pytest.raises(ValueflowError, match="different judges"):
        compare_figures({"a": runs["weak"], "b": other})


@pytest.mark.parametrize(
    ("apart", "groups"),
    [
        ([], ["abcd"]),
        (["ad"], ["abc", "bcd"]),
        (["ab", "ac", "ad", "bc", "bd", "cd"], ["a", "b", "c", "d"]),
        (["ac", "ad", "bd"], ["ab", "bc", "cd"]),
        (["ac", "bd"], ["ab", "ad", "bc", "cd"]),
    ],
)
def test_groups_hold_what_cannot_be_told_apart_and_nothing_that_can(
    apart: list[str], groups: list[str]
) -> None:
    found = alike("abcd", [frozenset(pair) for pair in apart])
    assert sorted("".join(sorted(group)) for group in found) == groups


def test_no_difference_has_an_error_of_zero(runs: dict[str, Records]) -> None:
    for one in compare_figures(runs).differences:
        assert one.se > 0
        assert not math.isnan(one.p_adjusted)
