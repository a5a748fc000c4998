"""Rows of any dataset on the Hub, by its own configurations and splits.

The files come from one commit, as for databases (`vidb.download`); which of them make a
configuration or a split is what the library `datasets` reads from the repository's card and from
the names of its files. No code of a repository is fetched or run.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.inputs.rows import SUFFIXES, Row
from valueflow.hub_assets.vidb.download import Download, download

__all__ = ["dataset_rows", "fetch_dataset"]


def fetch_dataset(repo_id: str, revision: str) -> Download:
    """Brings the tables and the card of a dataset to this machine.

    Args:
        repo_id: `ORG/NAME`.
        revision: branch, tag or commit.

    Raises:
        InputFileError: it cannot be had.
    """
    return download(
        repo_id,
        revision,
        [*(f"*{suffix}" for suffix in SUFFIXES), "README.md"],
        advice=", or give a file as `path`",
    )


def dataset_rows(
    repo_id: str, revision: str, config: str | None = None, split: str | None = None
) -> Iterator[Row]:
    """Rows of a dataset, in its own order.

    Args:
        repo_id: `ORG/NAME`.
        revision: branch, tag or commit.
        config: which of its configurations; may be left out where it has one, or names a default.
        split: which of its splits; all of them, one after the other, where not given.

    Yields:
        Rows whose cells are plain: a class has its name, a list of texts is joined by commas.

    Raises:
        InputFileError: it cannot be had, holds no table, or has no such configuration or split.
    """
    from datasets import ClassLabel, load_dataset

    found = fetch_dataset(repo_id, revision)
    name = f"{repo_id}@{found.commit}"
    if not any(path.name.lower().endswith(SUFFIXES) for path in found.folder.rglob("*")):
        held = ", ".join(found.listing[:20]) + (" ..." if len(found.listing) > 20 else "")
        told = f"; it holds {held}" if held else ""
        raise InputFileError(
            name, f"holds no table ({', '.join(SUFFIXES)}), and its code is not run{told}"
        )
    try:
        loaded = load_dataset(str(found.folder), config, streaming=True)
    except Exception as error:
        raise InputFileError(name, f"cannot be read ({_first_line(error)})") from None
    if split is not None and split not in loaded:
        raise InputFileError(name, f"has no split {split!r}; it has {', '.join(map(str, loaded))}")
    for part in [split] if split is not None else list(loaded):
        features = loaded[part].features or {}
        classes = {c: kind for c, kind in features.items() if isinstance(kind, ClassLabel)}
        place = Path(name, *([config] if config else []), str(part))
        rows = enumerate(loaded[part], start=1)
        while True:
            try:
                number, cells = next(rows)
            except StopIteration:
                break
            except Exception as error:  # Of any of the libraries that read the files.
                raise InputFileError(place, f"cannot be read ({_first_line(error)})") from None
            yield Row(_plain(cells, classes), place, number)


def _plain(cells: Mapping[str, Any], classes: Mapping[str, Any]) -> dict[str, Any]:
    plain = {}
    for column, cell in cells.items():
        if column in classes and isinstance(cell, int):
            cell = classes[column].int2str(cell) if cell >= 0 else None
        elif isinstance(cell, list) and all(isinstance(one, str) for one in cell):
            cell = ",".join(cell)
        plain[column] = cell
    return plain


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
