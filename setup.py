"""Puts files where the built package needs them, from where the repository has them.

`registry.yaml` goes into the package, and the task files of lm-evaluation-harness into the folder
where the harness looks for tasks by itself. The latter are no package of ours: declared as one, an
editable install would put a hollow `lm_eval` before the real one. Everything else about the build
is declared in `pyproject.toml`, but for the packages: below each of the four folders they are found
here, since `packages.find` cannot give a folder another name, and a list that lacks one would build
a wheel without it and without an error. An editable install needs no copies: the registry is found
in the checkout, and `valueflow lm-eval path` names the folder of the tasks.
"""

import shutil
import tomllib
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.egg_info import egg_info

# pip removes a folder only where a file of ours lies directly in it; without this one, uninstalling
# where the harness is absent would leave empty folders, which Python takes for a package.
NOTE = """The folder tasks/valueflow belongs to the Python package valueflow, not to
lm-evaluation-harness. Where the harness is not installed, nothing else is here.
"""


class BuildWithFiles(build_py):
    def run(self) -> None:
        super().run()
        if not getattr(self, "editable_mode", False):
            target = Path(self.build_lib, "valueflow", "hub_assets", "registry.yaml")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile("registry.yaml", target)
            tasks = Path(self.build_lib, "lm_eval", "tasks", "valueflow")
            tasks.mkdir(parents=True, exist_ok=True)
            for file in Path("valueflow_tasks", "lm_eval", "harness_tasks").glob("*.yaml"):
                shutil.copyfile(file, tasks / file.name)
            tasks.parents[1].joinpath("valueflow-tasks.txt").write_text(NOTE, encoding="utf-8")


class EggInfoAside(egg_info):
    """Leaves no `valueflow.egg-info` in the checkout.

    Python run there would find it before the installed package's own record, from which Inspect
    takes that the package is installed, and would name the tasks without `valueflow/`.
    """

    def initialize_options(self) -> None:
        super().initialize_options()
        Path("build").mkdir(exist_ok=True)
        self.egg_base = "build"


SETTINGS = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
ROOMS = SETTINGS["tool"]["setuptools"]["package-dir"]
PACKAGES = [
    package
    for room, folder in ROOMS.items()
    for package in (room, *(f"{room}.{inside}" for inside in find_packages(folder)))
]

setup(cmdclass={"build_py": BuildWithFiles, "egg_info": EggInfoAside}, packages=PACKAGES)
