"""Steering by profiles in a real run, on a respondent whose true intensities are known."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from inspect_ai.model import get_model

from tests.conftest import inspect_command
from tests.study_runs import run_log
from valueflow.cli import main
from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.inputs.anchors import level_of_intensity
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.scorers.saved.logs import ScoredLog
from valueflow.scorers.summary.overview import overview, overview_text
from valueflow.scorers.summary.run import RunSummary, flatten, summarize
from valueflow.simulated.respondent import RespondentOptions, expected_intensity
from valueflow.steering.tasks import steer_profile

LAW = {"default": -1.0, "cross": 0.2, "spread": 0.5}
RESPONDENT = RespondentOptions(**LAW)  # type: ignore[arg-type]
ANNA = {"care-harm": 8.0, "fairness-cheating": 7.0, "loyalty-betrayal": 3.0,
        "liberty-oppression": -8.0, "sanctity-degradation": 0.0}  # fmt: skip
"""Authority is unknown, and sanctity known to leave her cold."""
BEA = {"care-harm": 10.0, "fairness-cheating": 10.0, "loyalty-betrayal": 6.0,
       "liberty-oppression": -9.0}  # fmt: skip
"""The same levels as Anna's, and other intensities."""


def write(folder: Path, name: str, known: dict[str, float], **changes: Any) -> Path:
    path = folder / f"{name}.json"
    values = [{"value": value, "intensity": x} for value, x in known.items()]
    told = {"valueflow_profile": 1, "name": name, "theory": "mft", "values": values, **changes}
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


def truth(known: dict[str, float]) -> dict[str, float]:
    """The respondent's mean intensity on each value of the theory under a profile's prompt."""
    values = load_registry().theory("mft").values
    levels = {value.name: level_of_intensity(known.get(value.name, 0)) for value in values}
    targets = [(value, levels[value.name]) for value in values if levels[value.name]]
    return {value.name: expected_intensity(value, targets, RESPONDENT) for value in values}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profiles")
    paths = [str(write(folder, "anna", ANNA)), str(write(folder, "bea", BEA))]
    task = steer_profile(profile=paths, n_queries=8, windows=1)
    judge = get_model("valueflow/judge", memoize=False, scale=2.0)
    return run_log(folder, task, judge=judge, **LAW)


@pytest.fixture(scope="module")
def summary(log: Path) -> RunSummary:
    return summarize(list(ScoredLog(log).records()))  # type: ignore[arg-type]


def test_the_distance_of_each_profile_is_the_one_that_the_respondent_keeps(
    summary: RunSummary,
) -> None:
    assert [one.name for one in summary.profiles] == ["anna", "bea"]
    for profile, asked in zip(summary.profiles, (ANNA, BEA), strict=True):
        means = truth(asked)
        away = math.sqrt(np.mean([(means[v] - x) ** 2 for v, x in asked.items()]))
        found = profile.figures["distance"]
        assert 0 < found.se < 1.2
        assert abs(found.value - away) < 3 * found.se
        assert profile.figures["sign_share"].value == 1
        # The true means keep the order of what is asked, but for values of one level.
        assert profile.figures["rank_correlation"].value > 0.5
        assert profile.figures["nearer"].value > 2 * profile.figures["nearer"].se


def test_what_was_not_asked_for_shows_as_a_leak_of_its_size(summary: RunSummary) -> None:
    means = truth(ANNA)
    own = [means[v] - RESPONDENT.default for v in ("authority-subversion", "sanctity-degradation")]
    found = summary.profiles[0].figures["leak"]
    assert abs(found.value - math.sqrt(np.mean(np.square(own)))) < 3 * found.se


def test_values_that_a_profile_does_not_know_are_measured_and_never_asked(
    summary: RunSummary,
) -> None:
    points = {point.value: point for point in summary.profiles[0].points}
    assert len(points) == 6
    assert points["authority-subversion"].asked is None
    assert points["sanctity-degradation"].level == 0
    assert points["care-harm"].level == 2
    flat = flatten(summary)
    assert flat["profile anna distance"] == summary.profiles[0].figures["distance"].value
    assert "anna | care-harm/+2 mean" in flat


def test_the_end_screen_and_the_command_show_what_was_asked_and_measured(
    log: Path, summary: RunSummary
) -> None:
    records = list(ScoredLog(log).records())
    found = overview(summary, records)  # type: ignore[arg-type]
    assert [table.title for table in found.tables] == ["asked and measured", "profiles"]
    assert [row["name"] for row in found.tables[1].numbers] == ["anna", "bea", "mean of 2"]
    told = overview_text(found)
    row = next(line for line in told.splitlines() if line.startswith("anna care-harm"))
    assert row.split()[2:4] == ["+8.0", "+2"]
    assert "unknown" in next(x for x in told.splitlines() if x.startswith("anna authority"))
    rows = CliRunner().invoke(main, ["summary", str(log), "--csv"])
    assert rows.exit_code == 0, rows.output
    assert rows.stdout.splitlines()[0].startswith("profile,value,asked")
    assert rows.stdout.count("bea,") == 6
    assert "--json has also: profiles" in rows.stderr


def test_only_the_strongest_values_are_named_and_all_known_ones_are_scored(tmp_path: Path) -> None:
    task = steer_profile(
        profile=str(write(tmp_path, "anna", ANNA)),
        values_per_prompt=2,
        others=False,
        n_queries=1,
        windows=1,
    )
    assert task.metadata is not None
    profile = task.metadata["profiles"]["anna"]
    assert profile["targets"] == {"care-harm": 2, "liberty-oppression": -2}
    (default, steered) = (sample.metadata["valueflow"] for sample in task.dataset)  # type: ignore[index]
    assert (
        {name for _, name in steered["score_on"]}
        == set(ANNA)
        == {name for _, name in default["score_on"]}
    )
    assert {name: x for _, name, x in steered["asked"]} == ANNA
    assert task.metadata["planned"]["judge_calls"] == 10


def test_profiles_that_cannot_be_used_end_the_run_before_it_begins(tmp_path: Path) -> None:
    anna = write(tmp_path, "anna", ANNA)
    other = write(tmp_path, "other", {"power": 5.0}, theory="pvq")
    faint = write(tmp_path, "faint", {"care-harm": 1.5})
    old = write(tmp_path, "old", ANNA, valueflow_profile=0)
    for given, message in (
        ({"profile": f"{anna},{other}"}, r"other\.json: is a profile of pvq, not of mft"),
        ({"profile": str(anna), "theory": "pvq"}, "is a profile of mft, not of pvq"),
        ({"profile": str(faint)}, "faint asks for nothing"),
        ({"profile": str(old)}, "version 0 of the schema"),
        ({"profile": f"{anna},{anna}"}, "two profiles have the name anna"),
        ({"profile": str(tmp_path / "none.json")}, "there is no such file"),
        ({"profile": ""}, "names no file"),
        ({"profile": str(anna), "values_per_prompt": 0}, "values_per_prompt"),
    ):
        with pytest.raises(ValueflowError, match=message):
            steer_profile(**given)  # type: ignore[arg-type]


def test_the_command_line_says_what_it_would_cost(tmp_path: Path) -> None:
    done = inspect_command(
        "eval", "valueflow/steer_profile", "--model", "valueflow/respondent",
        "--model-role", "grader=valueflow/judge", "-T", f"profile={write(tmp_path, 'anna', ANNA)}",
        "-T", "n_queries=2", "-T", "windows=1", "-T", "plan=true",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "planned 4 generations and 24 judge calls" in done.stderr
