"""Puts files where the built package needs them, from where the repository has them.

`registry.yaml` goes into the package, and the task files of lm-evaluation-harness into the folder
where the harness looks for tasks by itself. The latter are no package of ours: declared as one, an
editable install would put a hollow `lm_eval` before the real one. Everything else about the build
is declared in `pyproject.toml`. An editable install needs no copies: the registry is found in the
checkout, and `valueflow lm-eval path` names the folder of the tasks.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

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
            for file in Path("valueflow_tasks", "lm_eval_tasks").glob("*.yaml"):
                shutil.copyfile(file, tasks / file.name)
            tasks.parents[1].joinpath("valueflow-tasks.txt").write_text(NOTE, encoding="utf-8")


setup(cmdclass={"build_py": BuildWithFiles})
