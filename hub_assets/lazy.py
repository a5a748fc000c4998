"""Lets a package export names without importing their modules before they are asked for (PEP 562).

`valueflow` and its packages are imported by light tools and by heavy ones; what needs Inspect is
imported when its name is first used. What only one feature needs is in an extra, and said to be
missing before that feature begins.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from valueflow.hub_assets.errors import ValueflowError

__all__ = ["lazy_exports", "need"]


def lazy_exports(package: str, exports: Mapping[str, str]) -> Callable[[str], Any]:
    """A `__getattr__` for a package.

    Args:
        package: the package's name.
        exports: exported name to the module that defines it; no name is also a module's.
    """

    def getattribute(name: str) -> Any:
        if name not in exports:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(exports[name]), name)

    return getattribute


def need(what: str, extra: str, *modules: str) -> None:
    """Checks that what an extra brings is installed.

    Args:
        what: the feature, for the error.
        extra: name of the extra.
        modules: that the feature imports.

    Raises:
        ValueflowError: some are not there; says how to install them.
    """
    lacking = [name for name in modules if find_spec(name) is None]
    if lacking:
        raise ValueflowError(
            f"{what} needs {', '.join(lacking)}: python -m pip install 'valueflow[{extra}]'"
        )
