"""What cards have in common: their templates, cells of tables, and the metadata of licences."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.vidb.licenses import License, license_of

__all__ = ["license_metadata", "rendered", "size_category", "yaml_text"]

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def rendered(template: str, **parts: Any) -> str:
    """A card in Markdown.

    Args:
        template: its file beside this one.
        parts: names of the template to what they stand for.

    Raises:
        OptionError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise OptionError(
            "card", "needs jinja2: python -m pip install 'valueflow[report]'"
        ) from None
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = _cell
    environment.filters["settings"] = _settings
    return environment.get_template(template).render(**parts)


def _cell(text: object) -> str:
    """Text that stays within its cell of a Markdown table."""
    return " ".join(str(text).replace("|", r"\|").split())


def _settings(judge: Mapping[str, Any]) -> str:
    """Arguments and configuration of a judge in a line."""
    parts = {**judge.get("args", {}), **judge.get("config", {})}
    return ", ".join(f"{name}: {part}" for name, part in parts.items())


def yaml_text(part: Any) -> str:
    """YAML as it stands in a card; the empty string for nothing."""
    if not part:
        return ""
    return str(yaml.safe_dump(part, sort_keys=False, allow_unicode=True, width=100))


def license_metadata(names: Sequence[str], alone: License | None = None) -> dict[str, Any]:
    """The metadata of a card that say under which licence something is.

    Args:
        names: licences of its parts.
        alone: the licence of the whole, where there is one; that of the parts where all have one.
    """
    known = [found for name in names if (found := license_of(name))]
    if alone is None and len(known) == len(names) == 1:
        alone = known[0]
    hub = alone.hub if alone is not None else "other"
    if hub != "other":
        return {"license": hub}
    name = alone.name.lower() if alone else "mixed" if len(names) > 1 else names[0].lower()
    return {"license": "other", "license_name": name, "license_link": "README.md"}


def size_category(rows: int) -> str:
    """The Hub's word for a number of rows."""
    return next((name for most, name in _SIZES if rows < most), "1M<n<10M")
