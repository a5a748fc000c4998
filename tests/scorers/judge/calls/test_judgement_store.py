"""The store of judgements: nothing finished is lost or asked twice."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from valueflow.hub_assets.errors import InputFileError
from valueflow.scorers.judge.calls.store import open_store, read_store


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.jsonl") as store:
        store.add("one", {"answer": "x\n\ud800"})
        store.add("two", {"answer": None})
        assert "one" in store
    with open_store(tmp_path / "a.jsonl") as store:
        assert list(store.rows) == ["one", "two"]
        assert store.repaired == 0


def test_a_key_cannot_be_added_twice(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.jsonl") as store:
        store.add("one", {})
        with pytest.raises(ValueError, match="already"):
            store.add("one", {})


def test_every_cut_of_the_last_row_is_repaired_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with open_store(path) as store:
        store.add("one", {"answer": "é"})
        first = path.stat().st_size
        store.add("two", {"answer": "ü"})
    whole = path.read_bytes()
    for end in range(first + 1, len(whole)):
        path.write_bytes(whole[:end])
        assert list(read_store(path)) == ["one"]
        with open_store(path) as store:
            assert (list(store.rows), store.repaired) == (["one"], 1)
            store.add("two", {"answer": "ü"})
        assert path.read_bytes() == whole


def test_a_damaged_row_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"key": "one"}\nnonsense\n{"key": "two"}\n')
    with pytest.raises(InputFileError, match="row 2"), open_store(path):
        pass


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from valueflow.scorers.judge.calls.store import open_store\n"
        "with open_store(Path(sys.argv[1])):\n    pass\n"
    )
    with open_store(path):
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True
        )
        assert done.returncode == 1
        assert "another process" in done.stderr
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_full_disk_leaves_whole_rows_and_takes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    write, calls = os.write, iter(range(9))

    def full(file: int, line: bytes) -> int:
        if next(calls) > 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, line[:5])

    with open_store(path) as store:
        store.add("one", {"answer": 1})
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            with pytest.raises(InputFileError, match=r"No space left.*make room"):
                store.add("two", {"answer": 2})
        # There is room again, but what came in between is lost: nothing is added behind it.
        with pytest.raises(InputFileError, match="No space left"):
            store.add("three", {"answer": 3})
        assert "two" not in store
    with open_store(path) as store:
        assert (list(store.rows), store.repaired) == (["one"], 0)
