"""The example scripts run end to end, offline, as their docstrings say."""

import contextlib
import csv
import io
import os
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner
from inspect_ai.log import read_eval_log

from valueflow.cli import main

EXAMPLES = Path(__file__).parents[1] / "examples"


@dataclass
class Done:
    """What a script left: its status as a process has it, and what it wrote."""

    status: object
    stdout: str
    stderr: str


def script(name: str, folder: Path, *arguments: str) -> Done:
    """Runs a script in this process: one of its own takes seconds to import what is here."""
    out, err, status = io.StringIO(), io.StringIO(), None
    with (
        contextlib.chdir(folder),
        patch.dict(os.environ, COLUMNS="100"),
        patch.object(sys, "argv", [f"examples/{name}", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        except SystemExit as end:
            status = end.code
            if isinstance(status, str):
                err.write(status)
                status = 1
    return Done(status or 0, out.getvalue(), err.getvalue())


SMALL = ("--n-queries", "4", "--values", "power", "--log-dir", "study", "--display", "none")


def study(folder: Path, *more: str) -> Done:
    return script("study_over_models.py", folder, *SMALL, *more)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("examples")
    # As a user runs it, in a process of its own.
    line = [sys.executable, str(EXAMPLES / "study_over_models.py"), *SMALL]
    environment = {**os.environ, "COLUMNS": "100"}
    first = subprocess.run(line, capture_output=True, text=True, cwd=folder, env=environment)
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
    assert again.status == 0, again.stdout + again.stderr
    assert sorted((folder / "study").glob("*.eval")) == before
    figures = [line for line in printed.splitlines() if "±" in line]
    assert figures == [line for line in again.stdout.splitlines() if "±" in line]


def test_the_comparisons_that_a_study_prints_can_be_run(done: tuple[Path, str]) -> None:
    folder, printed = done
    commands = [line.split() for line in printed.splitlines() if line.startswith("valueflow ")]
    assert len(commands) == 2
    with contextlib.chdir(folder):
        made = CliRunner().invoke(main, commands[0][1:])
    assert made.exit_code == 0, made.output
    assert "of 3 cells differ" in made.stdout


def test_results_are_read_as_frames_of_runs_responses_and_cells(done: tuple[Path, str]) -> None:
    folder, _ = done
    read = script("read_results.py", folder, "study", "-o", "tables")
    assert read.status == 0, read.stdout + read.stderr
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


def test_a_database_is_built_from_the_embedded_texts(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    built = script("rebuild_database.py", tmp_path, "-o", "db")
    assert built.status == 0, built.stdout + built.stderr
    for line in built.stdout.splitlines()[-2:]:
        assert float(line.rpartition(" ")[2]) > 0.97
    spent = script("rebuild_database.py", tmp_path, "-o", "other", "--max-calls", "50")
    assert spent.status == 1
    # The command that the script starts writes to the terminal itself.
    assert "the budget of 50 calls is spent" in capfd.readouterr().err


def test_a_value_of_ones_own_goes_from_sixty_texts_to_an_evaluation(tmp_path: Path) -> None:
    done = script("own_value.py", tmp_path, "-o", "thrift")
    assert done.status == 0, done.stdout + done.stderr
    assert (tmp_path / "thrift" / "build" / "vidb" / "catalogue.yaml").is_file()
    (log,) = (tmp_path / "thrift" / "logs").glob("*.eval")
    scored = read_eval_log(str(log)).results
    assert scored is not None
    assert scored.scores[0].metrics["slope"].value > 1


def test_a_real_model_needs_a_real_judge(tmp_path: Path) -> None:
    refused = study(tmp_path, "openai/gpt-4o-mini")
    assert refused.status == 2
    assert "name one with --judge" in refused.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_every_script_explains_itself(name: str, tmp_path: Path) -> None:
    told = script(name, tmp_path, "--help")
    assert told.status == 0, told.stderr
    assert f"python examples/{name}" in told.stdout
