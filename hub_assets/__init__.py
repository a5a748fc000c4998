"""Where names, texts and tables come from: the registry, embedded data, local files, the Hub."""

from typing import TYPE_CHECKING

from valueflow.hub_assets.lazy import lazy_exports

if TYPE_CHECKING:
    from valueflow.hub_assets.errors import (
        InputFileError,
        OptionError,
        UnknownNameError,
        ValueflowError,
    )
    from valueflow.hub_assets.inputs.anchors import load_vidb
    from valueflow.hub_assets.inputs.queries import load_queries
    from valueflow.hub_assets.registry.loading import load_registry

__all__ = [
    "InputFileError",
    "OptionError",
    "UnknownNameError",
    "ValueflowError",
    "load_queries",
    "load_registry",
    "load_vidb",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "InputFileError": "valueflow.hub_assets.errors",
        "OptionError": "valueflow.hub_assets.errors",
        "UnknownNameError": "valueflow.hub_assets.errors",
        "ValueflowError": "valueflow.hub_assets.errors",
        "load_queries": "valueflow.hub_assets.inputs.queries",
        "load_registry": "valueflow.hub_assets.registry.loading",
        "load_vidb": "valueflow.hub_assets.inputs.anchors",
    },
)
