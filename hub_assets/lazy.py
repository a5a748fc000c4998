"""Lets a package export names without importing their modules before they are asked for (PEP 562).

`valueflow` and its packages are imported by light tools and by heavy ones; what needs Inspect is
imported when its name is first used.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy_exports"]


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
