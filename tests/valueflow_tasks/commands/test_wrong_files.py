"""Every command that takes a file ends with a sentence where the file is none that it can read."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from valueflow.cli import main

CONTENTS: dict[str, bytes] = {
    "nothing": b"",
    "zero bytes": b"\0" * 100,
    "every byte": bytes(range(256)) * 4,
    "UTF-16": "text,value\na,b\n".encode("utf-16"),
    "nesting without end": b"[" * 100_000,
    "a number of 5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "a list": b"[1, 2, 3]\n",
    "half a character": b'{"text": "\\ud800", "value": "power", "intensity": 3}\n',
    "objects for texts": b'{"text": {"a": 1}, "value": ["power"], "intensity": {"b": 2}}\n',
    "keys of a recipe": b'{"sources": 3, "rank": [], "categorize": null}\n',
    "a header alone": b"text,value,intensity\n",
    "an open quotation mark": b'text,value\n"abc,d\n',
}

COMMANDS: dict[str, Callable[[Path, Path], list[object]]] = {
    "score": lambda file, out: ["score", file, "-o", out, "--value", "power"],
    "report": lambda file, out: ["report", file, "-o", out],
    "compare": lambda file, out: ["compare", file, file],
    "judge-study": lambda file, out: ["judge-study", file, "-o", out],
    "build vidb": lambda file, out: ["build", "vidb", file, "-o", out],
    "build relevance": lambda file, out: [
        *("build", "relevance", "--data", file),
        *("--judge", "mockllm/model", "-o", out / "relevance.csv"),
    ],
    "review": lambda file, out: ["review", file],
    "package": lambda file, out: ["package", "vidb", file, "-o", out, "--name", "mine"],
    "push": lambda file, out: ["push", "vidb", file, "--repo", "a/b", "--tag", "v1", "--dry-run"],
    "pull": lambda file, out: ["pull", file],
    "lm-eval score": lambda file, out: ["lm-eval", "score", file, "-o", out],
}


def check(command: str, file: Path, out: Path) -> None:
    arguments = [str(argument) for argument in COMMANDS[command](file, out)]
    result = CliRunner().invoke(main, arguments)
    assert isinstance(result.exception, SystemExit), (arguments, result.exception)
    assert result.exit_code in (1, 2), result.output
    assert "Error: " in result.output
    assert "Traceback" not in result.output


@pytest.mark.timeout(120)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".json", ".parquet", ".yaml", ".eval"])
def test_a_file_of_something_else_is_told(command: str, suffix: str, tmp_path: Path) -> None:
    for number, content in enumerate(CONTENTS.values()):
        file = tmp_path / f"file{number}{suffix}"
        file.write_bytes(content)
        check(command, file, tmp_path / f"out{number}")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_file_is_told(command: str, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as stream:
        stream.truncate(2 * 2**30)
    for path in (Path("/dev/zero"), tmp_path / "gone.csv", tmp_path / "folder.csv", huge):
        check(command, path, tmp_path / "out")
