"""The value intensity database as a kind of asset."""

from functools import partial
from pathlib import Path

from valueflow.hub_assets.inputs.rows import is_table
from valueflow.hub_assets.publish.card import card_text
from valueflow.hub_assets.publish.changes import changes_between, told_changes
from valueflow.hub_assets.publish.checks import database_problems
from valueflow.hub_assets.publish.kind import Kind
from valueflow.hub_assets.publish.statistics import statistics_of
from valueflow.hub_assets.vidb.manifest import Manifest
from valueflow.hub_assets.vidb.schema import VIDB, form_files

__all__ = ["DATABASE"]


def _card(folder: Path, manifest: Manifest, repo_id: str) -> str:
    return card_text(folder, manifest, statistics_of(folder), repo_id)


DATABASE = Kind(
    name="vidb",
    title="VIDB",
    repo_type="dataset",
    layout="data/THEORY/VALUE/full.parquet",
    made_by="`valueflow package TABLE -o DIR` makes a folder that has",
    holds=lambda folder: any(form_files(folder, VIDB)),
    check=database_problems,
    card=_card,
    changes=partial(changes_between, form=VIDB),
    compared=("*.parquet",),
    told=told_changes,
    is_read=lambda name: name.startswith("data/") or is_table(Path(name)),
    use="inspect eval valueflow/steer -T vidb={ref}",
)
