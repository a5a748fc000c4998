"""Questions to judges: what cannot be kept or read is not paid for on and on."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.valueflow_tasks.rebuild.database.test_build_vidb import (
    JUDGE,
    build,
    contents,
    judgements,
    prepare,
)
from valueflow.cli import main


def run(recipe: Path, output: Path) -> Any:
    return CliRunner().invoke(main, ["build", "vidb", str(recipe), "-o", str(output)])


@pytest.mark.parametrize("store", ["power.jsonl", "power.calls.jsonl"])
def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    recipe = prepare(tmp_path, 30, values=["power"], connections=3, flag={})
    build(recipe, tmp_path / "plain")
    write, written = os.write, 0

    def full(file: int, line: bytes) -> int:
        nonlocal written
        if os.readlink(f"/proc/self/fd/{file}").endswith(store):
            written += 1
            if written == 20:
                write(file, line[:7])
                raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, line)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        stopped = run(recipe, tmp_path / "b")
    assert stopped.exit_code == 1
    assert "cannot be written to (No space left on device); make room" in stopped.output
    assert "provider" not in stopped.output
    # None of three workers asked on when nothing could be kept.
    assert judgements(tmp_path / "b")["rank/pvq.power.calls.jsonl"] <= 23
    build(recipe, tmp_path / "b")
    assert contents(tmp_path / "b" / "vidb") == contents(tmp_path / "plain" / "vidb")


def test_a_judge_that_says_nothing_readable_is_not_paid_for_every_question(tmp_path: Path) -> None:
    judge = {"model": "valueflow/judge", "args": {**JUDGE, "failure_rate": 1.0}}
    recipe = prepare(tmp_path, 60, rank={"judge": judge}, values=["power"], connections=2)
    stopped = run(recipe, tmp_path / "b")
    assert stopped.exit_code == 1
    assert "nothing could be read of the last 5" in stopped.output
    assert "pvq.power.calls.jsonl shows what the judge said" in stopped.output
    assert judgements(tmp_path / "b")["rank/pvq.power.calls.jsonl"] <= 3 * 52  # 200 windows
