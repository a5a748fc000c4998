"""Copies `registry.yaml` from the top of the repository into the built package.

Everything else about the build is declared in `pyproject.toml`. An editable install needs no
copy: `valueflow.hub_assets.registry` finds the file in the checkout.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithRegistry(build_py):
    def run(self) -> None:
        super().run()
        if not getattr(self, "editable_mode", False):
            target = Path(self.build_lib, "valueflow", "hub_assets", "registry.yaml")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile("registry.yaml", target)


setup(cmdclass={"build_py": BuildWithRegistry})
