"""The real data load, and a small run of the main job goes through on them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from valueflow.hub_assets import load_queries, load_registry, load_vidb
from valueflow.scorers.windows.draw import check_anchors

ROOT = Path(__file__).parents[1]
DATA = os.environ.get("VALUEFLOW_REAL_DATA")

needs_data = pytest.mark.skipif(
    not DATA, reason="set VALUEFLOW_REAL_DATA to the folder of the real data"
)


@pytest.mark.slow
@needs_data
def test_the_joint_fit_of_a_real_judge_foretells_windows_it_has_not_seen() -> None:
    line = [sys.executable, str(ROOT / "benchmarks" / "held_out.py"), "--data", str(DATA)]
    done = subprocess.run(
        [*line, "--folds", "3", "--scales", "1.2"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tables = done.stdout.split("\n\n")
    assert len(tables) == 3
    for table in tables:
        told = {
            name: float(table.split(f"\n{name} ")[1].split("same pass")[1].split("±")[0])
            for name in ("scale alone", "scale, then texts", "scale 1.2", "joint")
        }
        assert told["joint"] > -1.13
        assert told["joint"] > told["scale, then texts"] > told["scale alone"] + 1
        assert told["joint"] > told["scale 1.2"] - 0.05


@needs_data
def test_the_published_queries_and_anchors_load_whole() -> None:
    queries = load_queries(Path(str(DATA), "queries"))
    assert len(queries.queries) == 500
    assert len({query.family for query in queries.queries}) == 5
    vidb = load_vidb(Path(str(DATA), "vidb_excerpt", "vidb_excerpt.jsonl"))
    assert vidb.notes == ()
    for value in load_registry().macro_values():
        assert len(vidb.of(value)) == 12
        check_anchors(vidb.of(value), value, 6, "bucket")


@pytest.mark.slow
@needs_data
def test_the_real_input_run_finishes_and_prints_its_cost() -> None:
    line = [sys.executable, str(ROOT / "benchmarks" / "real_input.py"), "--data", str(DATA)]
    done = subprocess.run([*line, "--queries", "5"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = dict(row.rsplit("  ", 1) for row in done.stdout.splitlines())
    found = {name.strip(): text.strip() for name, text in rows.items()}
    assert found["samples"] == "245"
    assert found["judge calls"] == "300"
    assert found["unscored responses"] == "0"
    assert float(found["ratio"]) > 0
    assert found["peak memory, valueflow"].endswith("MB")


def test_without_data_the_run_says_which_variable_to_set() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "VALUEFLOW_REAL_DATA"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "real_input.py")],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 0
    assert "VALUEFLOW_REAL_DATA" in done.stdout


@pytest.mark.slow
@needs_data
def test_simulated_respondents_score_what_the_survey_file_says() -> None:
    line = [sys.executable, str(ROOT / "benchmarks" / "opinionqa.py"), "--data", str(DATA)]
    done = subprocess.run([*line, "--questions", "10"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4,443 rows, 1,001 questions" in done.stdout
    for reason in ("16 rows left out: one option", "2 rows left out: repeated question"):
        assert reason in done.stdout
    rows = [
        line.split()
        for line in done.stdout.splitlines()
        if line.startswith(("group ", "majority ", "profile "))
    ]
    assert len(rows) == 4
    for _, _, _, accuracy, expected, z, *_ in rows:
        assert abs(float(z)) < 4, (accuracy, expected)
