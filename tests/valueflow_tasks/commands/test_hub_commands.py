"""The commands package, push and pull, from a table to an evaluation, with the real clients."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_write_server import CUT, WRITER, WritableHub

WITHOUT_VALUEFLOW = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] == "valueflow":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
try:
    import valueflow
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("valueflow is there")
"""


class Machine:
    """A user's machine: a home of its own, processes of its own."""

    def __init__(self, home: Path, hub: WritableHub) -> None:
        self.home = home
        self.environment = {
            k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")
        } | {
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": str(home / "hf"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_TOKEN": "",
            "INSPECT_LOG_DIR": str(home / "logs"),
            "COLUMNS": "200",
        }

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.home,
            env=self.environment | environment,
            capture_output=True,
            text=True,
        )

    def valueflow(self, *arguments: str, fails: bool = False, **environment: str) -> str:
        """Both streams of a command that must succeed, or must fail."""
        done = self.run("-m", "valueflow.cli", *arguments, **environment)
        shown = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, shown
        assert "Traceback" not in shown
        assert WRITER not in shown
        return shown


TABLE = [
    {
        "text": f"Text {i} about {value}.",
        "value": value,
        "intensity": 9.5 - i,
        "intensity_se": 0.5,
        "source": "made-up",
        "license": "CC-BY-4.0",
        "filtered": i % 3 != 0,
    }
    for value in ("power", "benevolence", "justice")
    for i in range(20)
]


PUSH = ("push", "vidb", "db", "--repo", "org/vidb", "--tag", "v1.1")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, WritableHub]]:
    """A machine that packaged and pushed the table, and the Hub, whose newest data are others."""
    home = tmp_path_factory.mktemp("published")
    (home / "scored.json").write_text(json.dumps(TABLE))
    with WritableHub() as hub:
        machine = Machine(home, hub)
        made = machine.valueflow("package", "scored.json", "-o", "db")
        assert "3 values, rows: 60 full, 39 filtered" in made
        assert "org/vidb@v1.1 = " in machine.valueflow(*PUSH, HF_TOKEN=WRITER)
        # Whoever names the tag must not get these.
        hub.keep("org/vidb", {"README.md": b"# empty"})
        yield machine, hub


def test_a_dry_run_lists_what_would_be_pushed_and_a_tag_that_is_there_is_refused(
    published: tuple[Machine, WritableHub],
) -> None:
    machine, hub = published
    before = hub.steps.copy()
    again = machine.valueflow(*PUSH, HF_TOKEN=WRITER, fails=True)
    assert "an existing tag is never moved" in again
    (machine.home / "next.json").write_text(json.dumps(TABLE[1:]))
    machine.valueflow("package", "next.json", "-o", "next")
    push = ("push", "vidb", "next", "--repo", "org/vidb", "--tag", "v1.2", "--dry-run")
    refused = machine.valueflow(*push, HF_TOKEN=WRITER, fails=True)
    assert "README.md would be replaced" in refused
    dry = machine.valueflow(*push, "--replace", "-o", "preview", HF_TOKEN=WRITER)
    assert "would upload data/pvq/power/full.parquet" in dry
    assert "Changes since v1.1" in dry
    assert (machine.home / "preview/data/pvq/power/full.parquet").is_file()
    assert set(hub.steps[len(before) :]) == {"refs"}


def test_the_dataset_loads_by_theory_and_value_where_valueflow_is_not_installed(
    published: tuple[Machine, WritableHub],
) -> None:
    code = WITHOUT_VALUEFLOW + (
        "from datasets import load_dataset\n"
        "pvq = load_dataset('org/vidb', 'pvq', revision='v1.1')\n"
        "one = load_dataset('org/vidb', 'duty-justice', revision='v1.1', split='filtered')\n"
        "every = load_dataset('org/vidb', revision='v1.1', split='full')\n"
        "print(pvq.num_rows, one.num_rows, every.num_rows, sorted(set(pvq['full']['value'])))\n"
        "print(sorted(one.features), one.features['intensity'].dtype)\n"
    )
    done = published[0].run("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "{'full': 40, 'filtered': 26} 13 60 ['benevolence', 'power']",
        "['direction', 'intensity', 'intensity_se', 'license', 'n_comparisons', 'path', "
        "'source', 'split_hash', 'text', 'theory', 'utility', 'value'] float64",
    ]


def test_what_was_pulled_at_the_tag_evaluates_without_a_network(
    published: tuple[Machine, WritableHub],
) -> None:
    from inspect_ai.log import list_eval_logs, read_eval_log

    machine, hub = published
    pulled = machine.valueflow("pull", "org/vidb@v1.1")
    commit = hub.tags["org/vidb"]["v1.1"]
    assert f"org/vidb@v1.1 = {commit}" in pulled
    assert "3 files, 39 rows" in pulled
    assert "manifest v1.1" in pulled
    asked = len(hub.requests)
    evaluated = machine.run(
        *("-m", "inspect_ai", "eval", "valueflow/steer", "-T", "vidb=org/vidb@v1.1"),
        *("-T", "values=power", "-T", "levels=2", "-T", "n_queries=2", "--display", "none"),
        *("-M", "vidb=org/vidb@v1.1", "--model", "valueflow/respondent"),
        *("--model-role", '{"grader": {"model": "valueflow/judge", "vidb": "org/vidb@v1.1"}}'),
        HF_HUB_OFFLINE="1",
    )
    assert evaluated.returncode == 0, evaluated.stdout + evaluated.stderr
    assert len(hub.requests) == asked
    log = read_eval_log(list_eval_logs(str(machine.home / "logs"))[0])
    assert log.status == "success"
    assert f"org/vidb@{commit}" in log.model_dump_json()
    assert len(log.samples or []) == 4


def test_offline_a_warm_cache_serves_what_it_has_and_nothing_in_the_place_of_another(
    tmp_path: Path,
) -> None:
    (tmp_path / "scored.json").write_text(json.dumps(TABLE[:20]))
    with WritableHub() as hub:
        machine = Machine(tmp_path, hub)
        machine.valueflow("package", "scored.json", "-o", "db")
        machine.valueflow(
            "push", "vidb", "db", "--repo", "org/vidb", "--tag", "v1", HF_TOKEN=WRITER
        )
        machine.valueflow("pull", "org/vidb@v1")
        commit = hub.tags["org/vidb"]["v1"]
    # The server is gone now.
    assert f"= {commit}" in machine.valueflow("pull", "org/vidb@v1", "--offline")
    assert f"= {commit}" in machine.valueflow("pull", "org/vidb@v1", HF_HUB_OFFLINE="1")
    for missing in ("v2", "0" * 40):
        answer = machine.valueflow("pull", f"org/vidb@{missing}", "--offline", fails=True)
        assert f"org/vidb@{missing}: cannot be loaded from the Hub" in answer
    blob = next((tmp_path / "hf/hub").rglob(f"snapshots/{commit}/data/pvq/power/full.parquet"))
    blob.write_bytes((tmp_path / "db/data/pvq/power/filtered.parquet").read_bytes())
    changed = machine.valueflow("pull", "org/vidb@v1", "--offline", fails=True)
    assert "full.parquet: is not the file that the manifest describes" in changed


def test_embedded_assets_are_reported_and_what_the_registry_lacks_is_said(tmp_path: Path) -> None:
    with WritableHub() as hub:
        machine = Machine(tmp_path, hub)
        shown = machine.valueflow("pull", "queries")
        assert "embedded; nothing to fetch" in shown
        missing = machine.valueflow("pull", "vidb", fails=True)
        assert "1,408 rows" in missing
        assert "vidb-filtered: snu-aidas/vidb-filtered@main: cannot be loaded" in missing
        profiles = machine.valueflow("pull", "profiles", "questions")
        assert "704 rows" in profiles
        assert "groups: 22" in profiles
        assert "built on the questions of OpinionQA itself" in profiles
        assert "1,408 rows" in profiles
        assert "questions: 64" in profiles
        assert "Did you mean 'vidb'" in machine.valueflow("pull", "vidbb", fails=True)


def test_no_command_takes_or_shows_a_token(tmp_path: Path) -> None:
    (tmp_path / "scored.json").write_text(json.dumps(TABLE[:20]))
    with WritableHub() as hub:
        machine = Machine(tmp_path, hub)
        machine.valueflow("package", "scored.json", "-o", "db")
        for command in (("pull",), ("push", "vidb"), ("package",)):
            assert "token" not in machine.valueflow(*command, "--help", HF_TOKEN=WRITER).lower()
        hub.fails["commit"] = CUT
        push = ("push", "vidb", "db", "--repo", "org/vidb", "--tag", "v1")
        assert "run the command again" in machine.valueflow(*push, fails=True, HF_TOKEN=WRITER)


@pytest.mark.parametrize("option", [("-o", "out"), ("--offline",)])
def test_options_of_a_dry_run_alone_are_refused(tmp_path: Path, option: tuple[str, ...]) -> None:
    with WritableHub() as hub:
        push = ("push", "vidb", ".", "--repo", "org/vidb", "--tag", "v1", *option)
        assert "goes with --dry-run" in Machine(tmp_path, hub).valueflow(*push, fails=True)
