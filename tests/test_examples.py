"""The examples run end to end, offline, as their docstrings say."""

import contextlib
import csv
import io
import json
import os
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result
from inspect_ai.log import read_eval_log

from tests.conftest import inspect_command, nothing_drawn
from valueflow.cli import main

EXAMPLES = Path(__file__).parents[1] / "examples"


@dataclass
class Done:
    """What a script left: its status as a process has it, and what it wrote."""

    status: object
    stdout: str
    stderr: str


def run_here(command: list[str], **settings: Any) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` does of a command of valueflow or Inspect, in this process."""
    assert command[:2] == [sys.executable, "-m"], command
    with contextlib.chdir(settings.get("cwd") or "."):
        run = {"valueflow.cli": valueflow_command, "inspect_ai": inspect_command}[command[2]]
        done = run(*command[3:])
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    if settings.get("check") and done.exit_code:
        raise subprocess.CalledProcessError(done.exit_code, command)
    return subprocess.CompletedProcess(command, done.exit_code)


def valueflow_command(*arguments: str) -> Result:
    """`valueflow ...` as users type it."""
    return CliRunner().invoke(main, [*arguments])


def script(name: str, folder: Path, *arguments: str) -> Done:
    """Runs a script in this process: one of its own takes seconds to import what is here."""
    out, err, status = io.StringIO(), io.StringIO(), None
    with (
        contextlib.chdir(folder),
        patch.dict(os.environ, COLUMNS="100"),
        patch("subprocess.run", run_here),
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


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("examples")
    small = (EXAMPLES / "study.yaml").read_text(encoding="utf-8").replace("n_queries: 20", SMALL)
    assert SMALL in small
    (folder / "study.yaml").write_text(small, encoding="utf-8")
    with nothing_drawn():
        made = valueflow_command("study", str(folder / "study.yaml"), "--display", "none")
    assert made.exit_code == 0, made.output
    return folder, made.stdout


SMALL = "n_queries: 4"


def test_a_study_ranks_the_simulated_models_by_their_gain(done: tuple[Path, str]) -> None:
    folder, printed = done
    board = printed[printed.index("range (mean of 2)") :]
    places = [board.index(f"gain {gain}") for gain in (7, 5, 3)]
    assert places == sorted(places)
    assert len(list((folder / "study-logs").rglob("*.eval"))) == 3
    assert (folder / "study-report" / "index.html").is_file()


def test_results_are_read_as_frames(done: tuple[Path, str]) -> None:
    folder, _ = done
    read = script("read_results.py", folder, "study-logs", "-o", "tables")
    assert read.status == 0, read.stdout + read.stderr
    # A default is a row for each of the two values.
    assert f"responses: {3 * 4 * (2 + 4)} rows" in read.stdout
    assert f"cells: {3 * 6} rows" in read.stdout
    with (folder / "tables" / "cells.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert all(-10 <= float(row["mean"]) <= 10 and float(row["mean_se"]) > 0 for row in rows)
    with (folder / "tables" / "values.csv").open() as stream:
        values = {(row["study"], row["value"]): row for row in csv.DictReader(stream)}
    by_level = {(r["study"], r["value"], r["level"]): float(r["mean"]) for r in rows}
    for (study, value), row in values.items():
        span = by_level[study, value, "2"] - by_level[study, value, "-2"]
        assert float(row["range"]) == pytest.approx(span, abs=1e-6)


def test_the_notebook_runs_from_its_first_cell_to_its_last(tmp_path: Path) -> None:
    notebook = json.loads((EXAMPLES / "results.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    names: dict[str, object] = {}
    with contextlib.chdir(tmp_path), patch.dict(os.environ, MPLBACKEND="agg"):
        for cell in cells:
            exec(compile(cell, "results.ipynb", "exec"), names)
    assert len(names["windows"]) == 5 * (2 + 8) * 3  # type: ignore[arg-type]


def test_a_database_is_built_from_the_embedded_texts(tmp_path: Path) -> None:
    built = script("rebuild_database.py", tmp_path, "-o", "db")
    assert built.status == 0, built.stdout + built.stderr
    for line in built.stdout.splitlines()[-2:]:
        assert float(line.rpartition(" ")[2]) > 0.97
    spent = script("rebuild_database.py", tmp_path, "-o", "other", "--max-calls", "50")
    assert spent.status == 1
    assert "the budget of 50 calls is spent" in spent.stderr


def test_a_value_of_ones_own_goes_from_sixty_texts_to_an_evaluation(tmp_path: Path) -> None:
    done = script("own_value.py", tmp_path, "-o", "thrift")
    assert done.status == 0, done.stdout + done.stderr
    assert (tmp_path / "thrift" / "build" / "vidb" / "catalogue.yaml").is_file()
    (log,) = (tmp_path / "logs").glob("*.eval")
    scored = read_eval_log(str(log)).results
    assert scored is not None
    assert scored.scores[0].metrics["range"].value > 2


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_every_script_explains_itself(name: str, tmp_path: Path) -> None:
    told = script(name, tmp_path, "--help")
    assert told.status == 0, told.stderr
    assert f"python examples/{name}" in told.stdout
