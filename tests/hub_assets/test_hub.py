"""Tables on the Hub load at a pinned revision, and again without a network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub_server import hub_server

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "README.md": b"---\nlicense: cc-by-4.0\n---\n",
    "pvq/power.csv": b"text,final_rating\nI rule,8\nI serve,-7\n",
    "pvq/face.csv": b"text,final_rating\nI bow out,2\n",
    "weights.bin": b"not wanted",
}
LOAD = """
import sys
from valueflow.hub_assets import load_vidb, load_registry
from valueflow.hub_assets.errors import InputFileError
try:
    vidb = load_vidb(sys.argv[1])
    print(vidb.source.reference, vidb.of(load_registry().value("power"))[0].intensity,
          len(vidb.anchors), [f.name for f in vidb.source.files])
except InputFileError as error:
    print("InputFileError:", error)
"""


def load(source: str, home: Path, endpoint: str, offline: bool = False) -> str:
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "1" if offline else "0",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", LOAD, source], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("revision", ["v1", COMMIT])
def test_a_dataset_loads_at_its_revision_and_from_a_warm_cache(
    tmp_path: Path, revision: str
) -> None:
    expected = f"org/vidb@{COMMIT} 8.0 2 ['face.csv', 'power.csv']"
    with hub_server("org/vidb", "v1", COMMIT, FILES) as endpoint:
        assert load(f"org/vidb@{revision}", tmp_path, endpoint) == expected
    # The server is gone.
    assert load(f"org/vidb@{revision}", tmp_path, endpoint, offline=True) == expected


def test_a_revision_that_is_not_there_is_an_error_online_and_offline(tmp_path: Path) -> None:
    with hub_server("org/vidb", "v1", COMMIT, FILES) as endpoint:
        load("org/vidb@v1", tmp_path, endpoint)
        online = load("org/vidb@v2", tmp_path, endpoint)
    offline = load("org/vidb@v2", tmp_path, endpoint, offline=True)
    for said in (online, offline):
        assert said.startswith("InputFileError: org/vidb@v2: cannot be loaded from the Hub")
        assert "vidb-mini" in said


def test_a_dataset_that_is_not_there_is_named(tmp_path: Path) -> None:
    with hub_server("org/vidb", "v1", COMMIT, FILES) as endpoint:
        said = load("org/other@v1", tmp_path, endpoint)
    assert said.startswith("InputFileError: org/other@v1")
