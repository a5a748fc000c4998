"""`valueflow list` shows what the registry and the tasks say."""

import inspect
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

import valueflow
from valueflow.cli import main
from valueflow.commands import listing


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("overview", "valueflow/steer"),
        ("theories", "Moral Foundations"),
        ("values", "care-harm"),
        ("levels", "strongly"),
        ("tasks", "valueflow/score"),
        ("assets", "vidb-mini"),
        ("queries", "dilemma"),
    ],
)
def test_list_shows_the_registry(what: str, expected: str) -> None:
    result = call("list", what)
    assert result.exit_code == 0, result.output
    assert expected in result.output


def test_the_overview_lists_the_tasks_as_they_are_and_imports_none() -> None:
    code = """import sys
from click.testing import CliRunner
from valueflow.cli import main
print(CliRunner().invoke(main, ["list"]).output)
assert "inspect_ai" not in sys.modules and "scipy" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    table = next(iter(listing.tables("tasks")))
    names, lines, parameters = (list(column.cells) for column in table.columns)
    assert names == [f"valueflow/{name}" for name in valueflow.TASK_MODULES]
    for name, line, shown in zip(valueflow.TASK_MODULES, lines, parameters, strict=True):
        function = getattr(valueflow, name)
        assert f"valueflow/{name}" in done.stdout
        assert line == (function.__doc__ or "").splitlines()[0]
        own = inspect.signature(function).parameters.values()
        assert shown == ", ".join(p.name for p in own if p.kind is not p.VAR_KEYWORD)


def test_list_shows_one_theory_whole_and_mends_spellings() -> None:
    result = call("list", "values", "--theory", "SVT", "--all")
    assert "dependability" in result.output
    assert "care-harm" not in result.output
    bad = call("list", "values", "--theory", "pvc")
    assert bad.exit_code == 1
    assert "Did you mean 'pvq'" in bad.output
