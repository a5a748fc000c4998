"""The checks that reviewers of public Inspect evaluations run, on the installed arrangement."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.packaging
def test_the_linter_of_public_evaluations_finds_no_failure(tmp_path: Path) -> None:
    linter = shutil.which("inspect-evals-lint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("inspect-evals-lint is not installed")
    package = tmp_path / "src" / "valueflow"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "valueflow_tasks", package, ignore=ignored)
    for room in ("scorers", "solvers", "hub_assets"):
        shutil.copytree(ROOT / room, package / room, ignore=ignored)
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    done = subprocess.run(
        [linter, "--all", "--preset", "single-eval", "--root", tmp_path, "--output-format", "json"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    told = json.loads(done.stdout)
    assert told["score"]["pass"] > 10
    assert told["score"]["fail"] == 0, done.stdout
