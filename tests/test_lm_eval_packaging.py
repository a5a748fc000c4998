"""A wheel brings its tasks to lm-evaluation-harness, and takes them away again."""

import subprocess
import sys
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from tests.test_packaging import ROOT, checkout, environment, run, wheel

__all__ = ["checkout", "wheel"]

TASKS = {path.name for path in ROOT.glob("valueflow_tasks/lm_eval/harness_tasks/*.yaml")}
FOLDER = "lm_eval/tasks/valueflow"

try:
    # Not by importing it: task files alone make `import lm_eval` succeed.
    HARNESS = version("lm_eval")
except PackageNotFoundError:
    HARNESS = ""


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def site_packages(environment: Path) -> Path:
    (site,) = (environment / "lib").glob("python*/site-packages")
    return site


@pytest.mark.packaging
def test_the_wheel_holds_the_tasks_where_the_harness_looks(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tasks = {f"{FOLDER}/{n}" for n in TASKS}
    assert {n for n in names if n.startswith("lm_eval/")} == tasks | {"lm_eval/valueflow-tasks.txt"}


@pytest.mark.packaging
def test_installing_and_uninstalling_leaves_nothing_behind(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    site = site_packages(tmp_path / "bare")
    before = files_in(site)
    run(python, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", str(wheel), cwd=tmp_path)
    assert {path.name for path in (site / FOLDER).iterdir()} == TASKS
    run(python, "-m", "pip", "uninstall", "-q", "-y", "valueflow", cwd=tmp_path)
    assert {n for n in files_in(site) - before if "__pycache__" not in n} == set()


@pytest.mark.packaging
def test_uninstalling_keeps_the_harnesss_own_tasks(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    tasks = site_packages(tmp_path / "bare") / "lm_eval" / "tasks"
    (tasks / "arc").mkdir(parents=True)
    (tasks / "arc" / "arc_easy.yaml").write_text("task: arc_easy\n")
    run(python, "-m", "pip", "install", "-q", "--no-deps", str(wheel), cwd=tmp_path)
    run(python, "-m", "pip", "uninstall", "-q", "-y", "valueflow", cwd=tmp_path)
    assert files_in(tasks.parent) == {"tasks", "tasks/arc", "tasks/arc/arc_easy.yaml"}


@pytest.mark.packaging
def test_the_command_names_the_installed_folder(wheel: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "environment")
    run(str(python), "-m", "pip", "install", "-q", "--no-deps", "--ignore-installed", str(wheel),
        cwd=tmp_path)  # fmt: skip
    printed = run(str(python.with_name("valueflow")), "lm-eval", "path", cwd=tmp_path).strip()
    assert Path(printed) == site_packages(tmp_path / "environment") / FOLDER
    assert {path.name for path in Path(printed).iterdir()} == TASKS


@pytest.mark.packaging
def test_without_the_harness_nothing_but_its_tasks_is_missed(wheel: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "environment")
    run(str(python), "-m", "pip", "install", "-q", "--no-deps", "--ignore-installed", str(wheel),
        cwd=tmp_path)  # fmt: skip
    # The task files alone make `import lm_eval` succeed, so nothing may take that for the harness.
    code = (
        "import sys\n"
        "for name in ('lm_eval.steering', 'lm_eval.survey', 'lm_eval.later', '_registry'):\n"
        "    __import__(f'valueflow.{name}')\n"
        "assert not [m for m in sys.modules if m.split('.')[0] == 'lm_eval']\n"
    )
    run(str(python), "-c", code, cwd=tmp_path)


@pytest.mark.packaging
def test_an_editable_install_puts_nothing_before_the_harness(
    checkout: Path, tmp_path: Path
) -> None:
    python = environment(tmp_path / "environment")
    run(str(python), "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation",
        "--ignore-installed", "-e", str(checkout), cwd=tmp_path)  # fmt: skip
    assert not (site_packages(tmp_path / "environment") / "lm_eval").exists()
    code = "from importlib.util import find_spec as f; s = f('lm_eval'); print(s and s.origin)"
    there = run(str(python), "-c", code, cwd=tmp_path).strip()
    here = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert there == here.stdout.strip()
    printed = run(str(python.with_name("valueflow")), "lm-eval", "path", cwd=tmp_path).strip()
    assert Path(printed) == (checkout / "valueflow_tasks" / "lm_eval" / "harness_tasks").resolve()


@pytest.mark.packaging
@pytest.mark.skipif(not HARNESS, reason="lm_eval is not installed (the extra lm-eval)")
def test_the_harness_finds_the_tasks_of_a_wheel_by_itself(wheel: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "environment")
    run(str(python), "-m", "pip", "install", "-q", "--no-deps", "--ignore-installed", str(wheel),
        f"lm_eval=={HARNESS}", cwd=tmp_path)  # fmt: skip
    code = (
        "from lm_eval.tasks import TaskManager\n"
        "manager = TaskManager(metadata={'valueflow_grader': 'none'})\n"
        "names = manager.match_tasks(['valueflow_*'])\n"
        "assert all(manager.load([name])['tasks'] for name in names)\n"
        "print(len(names), {str(manager.task_index[name].yaml_path.parent) for name in names})\n"
    )
    printed = run(str(python), "-c", code, cwd=tmp_path).splitlines()[-1]
    leaves = {name for name in TASKS if name.startswith("valueflow_")}
    folder = site_packages(tmp_path / "environment") / FOLDER
    assert printed == f"{len(leaves)} {{{str(folder)!r}}}"
    run(str(python), "-m", "pip", "uninstall", "-q", "-y", "valueflow", cwd=tmp_path)
    assert not folder.exists()
    assert (folder.parent / "arc").is_dir()
