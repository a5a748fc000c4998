"""The example scripts run end to end, offline, as their docstrings say."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def script(name: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "COLUMNS": "100"},
    )


def study(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    small = ("--n-queries", "4", "--values", "power", "--log-dir", "study", "--display", "none")
    return script("study_over_models.py", folder, *small, *more)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("examples")
    first = study(folder)
    assert first.returncode == 0, first.stdout + first.stderr
    return folder, first.stdout


def test_a_study_ranks_the_simulated_models_by_their_gain(done: tuple[Path, str]) -> None:
    folder, printed = done
    places = [printed.index(f"gain_up={gain}") for gain in (7, 5, 3)]
    assert places == sorted(places)
    assert len(list((folder / "study").glob("*.eval"))) == 3


def test_a_study_that_is_done_is_printed_again_and_not_run_again(done: tuple[Path, str]) -> None:
    folder, printed = done
    before = sorted((folder / "study").glob("*.eval"))
    again = study(folder)
    assert again.returncode == 0, again.stdout + again.stderr
    assert sorted((folder / "study").glob("*.eval")) == before
    figures = [line for line in printed.splitlines() if "±" in line]
    assert figures == [line for line in again.stdout.splitlines() if "±" in line]


def test_the_comparisons_that_a_study_prints_can_be_run(done: tuple[Path, str]) -> None:
    folder, printed = done
    commands = [line.split() for line in printed.splitlines() if line.startswith("valueflow ")]
    assert len(commands) == 2
    program = Path(sys.executable).parent / commands[0][0]
    made = subprocess.run(
        [str(program), *commands[0][1:]], capture_output=True, text=True, cwd=folder
    )
    assert made.returncode == 0, made.stderr
    assert "of 3 cells differ" in made.stdout


def test_results_are_read_as_frames_of_runs_responses_and_cells(done: tuple[Path, str]) -> None:
    folder, _ = done
    read = script("read_results.py", folder, "study", "-o", "tables")
    assert read.returncode == 0, read.stdout + read.stderr
    assert "runs: 3 rows" in read.stdout
    assert f"responses: {3 * 4 * 3} rows" in read.stdout
    assert "cells: 9 rows" in read.stdout
    with (folder / "tables" / "cells.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["cell"] for row in rows} == {"power/-2", "power/0", "power/+2"}
    assert all(-10 <= float(row["mean"]) <= 10 and float(row["se"]) > 0 for row in rows)
    with (folder / "tables" / "runs.csv").open() as stream:
        runs = {row["eval_id"]: row for row in csv.DictReader(stream)}
    by_level = {(row["eval_id"], row["level"]): float(row["mean"]) for row in rows}
    for run, row in runs.items():
        span = by_level[run, "2"] - by_level[run, "-2"]
        assert float(row["range"]) == pytest.approx(span, abs=1e-6)


def test_a_database_is_built_from_the_embedded_texts(tmp_path: Path) -> None:
    built = script("rebuild_database.py", tmp_path, "-o", "db")
    assert built.returncode == 0, built.stdout + built.stderr
    for line in built.stdout.splitlines()[-2:]:
        assert float(line.rpartition(" ")[2]) > 0.97
    spent = script("rebuild_database.py", tmp_path, "-o", "other", "--max-calls", "50")
    assert spent.returncode == 1
    assert "the budget of 50 calls is spent" in spent.stderr


def test_a_real_model_needs_a_real_judge(tmp_path: Path) -> None:
    refused = study(tmp_path, "openai/gpt-4o-mini")
    assert refused.returncode == 2
    assert "name one with --judge" in refused.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_every_script_explains_itself(name: str, tmp_path: Path) -> None:
    told = script(name, tmp_path, "--help")
    assert told.returncode == 0, told.stderr
    assert f"python examples/{name}" in told.stdout
