"""The card of a packaged database: metadata for `load_dataset`, and a page for people."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from valueflow.hub_assets.publish.cards.markdown import (
    license_metadata,
    rendered,
    size_category,
    yaml_text,
)
from valueflow.hub_assets.publish.statistics import Statistics, ValueStatistics
from valueflow.hub_assets.registry.loading import Registry
from valueflow.hub_assets.vidb.licenses import license_of, terms_of
from valueflow.hub_assets.vidb.manifest import Manifest, packaged_registry
from valueflow.hub_assets.vidb.schema import COLUMNS

__all__ = ["PICTURE", "card_text", "config_name", "draw_intensities"]

PICTURE = "intensities.png"


def config_name(theory: str, value: str) -> str:
    """The name under which `load_dataset` gives one value; names there may hold no slash."""
    return f"{theory}-{value}"


def card_text(
    folder: Path, manifest: Manifest, statistics: Statistics, repo_id: str = "ORG/NAME"
) -> str:
    """The card in Markdown with YAML metadata.

    Args:
        folder: the packaged folder, for its notes and picture.
        manifest: version, construction and changes.
        statistics: of the folder's tables.
        repo_id: the repository that the examples name.

    Raises:
        OptionError: jinja2 is not installed.
    """
    notes = folder / "NOTES.md"
    licenses = sorted({license for _, license in statistics.sources})
    known = [found for name in licenses if (found := license_of(name))]
    return rendered(
        "dataset_card.md.jinja",
        metadata=yaml_text(_metadata(statistics, licenses)),
        manifest=manifest,
        statistics=statistics,
        theories=_by_theory(statistics.values, packaged_registry(folder)),
        columns=COLUMNS,
        licenses={name: license_of(name) for name in licenses},
        terms=terms_of(known),
        picture=PICTURE if (folder / PICTURE).is_file() else None,
        notes=notes.read_text(encoding="utf-8").strip() if notes.is_file() else "",
        held_out=_lines(folder / "held_out.txt"),
        provenance=manifest.provenance,
        recipe=yaml_text((manifest.provenance or {}).get("recipe")),
        repo_id=repo_id,
    )


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else 0


def _by_theory(
    values: Sequence[ValueStatistics], registry: Registry
) -> dict[str, list[ValueStatistics]]:
    found: dict[str, list[ValueStatistics]] = {}
    for value in values:
        found.setdefault(value.theory, []).append(value)
    return {registry.theory(name).title: members for name, members in found.items()}


def _metadata(statistics: Statistics, names: Sequence[str]) -> dict[str, Any]:
    return {
        **license_metadata(names),
        "pretty_name": "Value intensity database (VIDB)",
        "tags": ["human-values", "valueflow"],
        "size_categories": [size_category(statistics.rows)],
        "configs": _configs(statistics.values),
    }


def _configs(values: Sequence[ValueStatistics]) -> list[dict[str, Any]]:
    """One configuration of everything, one per theory, one per value; splits that have rows."""

    def config(name: str, folder: str, members: Sequence[ValueStatistics]) -> dict[str, Any]:
        files = [{"split": "full", "path": f"data/{folder}/full.parquet"}]
        if any(member.filtered for member in members):
            files.append({"split": "filtered", "path": f"data/{folder}/filtered.parquet"})
        return {"config_name": name, "data_files": files}

    configs = [{**config("all", "*/*", values), "default": True}]
    theories = dict.fromkeys(value.theory for value in values)
    for theory in theories:
        configs.append(config(theory, f"{theory}/*", [v for v in values if v.theory == theory]))
    for value in values:
        name = config_name(value.theory, value.value)
        configs.append(config(name, f"{value.theory}/{value.value}", [value]))
    return configs


def draw_intensities(statistics: Statistics, folder: Path) -> bool:
    """Draws how many rows stand at each intensity, one row of cells per value.

    Returns:
        Whether there is a picture now; without matplotlib there is none.
    """
    try:
        import matplotlib
    except ImportError:
        return False
    import numpy as np
    from matplotlib.figure import Figure

    values = statistics.values
    shares = np.array([np.array(v.bins) / max(1, sum(v.bins)) for v in values])
    with matplotlib.rc_context({"font.size": 8, "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(7, 1 + 0.2 * len(values)), layout="constrained")
        axes = figure.subplots()
        drawn = axes.imshow(
            shares, extent=(-10, 10, len(values), 0), aspect="auto", cmap="Blues", vmin=0
        )
        axes.set_yticks(
            [i + 0.5 for i in range(len(values))], [f"{v.theory} {v.value}" for v in values]
        )
        axes.set_xlabel("intensity (points)")
        figure.colorbar(drawn, ax=axes, label="share of the value's rows")
        # Without the version of the library in it, the same rows give the same file.
        figure.savefig(folder / PICTURE, dpi=110, metadata={"Software": None})
    return True
