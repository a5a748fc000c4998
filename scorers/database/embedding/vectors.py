"""Reads files of vectors that `valueflow encode` wrote, and refuses those of another model."""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from valueflow.hub_assets.errors import InputFileError

__all__ = ["Vectors", "read_vectors"]


@dataclass(frozen=True)
class Vectors:
    """Vectors of n texts: their ids, shape (n,); unit vectors, shape (n, d); the model's hash."""

    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    model: str


def read_vectors(path: Path, model: str | None = None, dimensions: int | None = None) -> Vectors:
    """Reads a file of vectors.

    Args:
        path: NPZ or Parquet, from `valueflow encode`.
        model: hash that the model must have; any where not given.
        dimensions: that the vectors must have; any where not given.

    Raises:
        InputFileError: it is no such file, or of another model or dimension.
    """
    try:
        found = _parquet(path) if path.suffix.lower() == ".parquet" else _npz(path)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputFileError(path, f"is no file of vectors of ours ({error})") from None
    if model is not None and found.model != model:
        raise InputFileError(
            path,
            f"holds vectors of another model ({found.model[:12]}, and not {model[:12]}); encode "
            "the texts again with this one",
        )
    if dimensions is not None and found.vectors.shape[1] != dimensions:
        raise InputFileError(
            path, f"holds vectors of {found.vectors.shape[1]} dimensions, and not of {dimensions}"
        )
    return found


def _npz(path: Path) -> Vectors:
    with np.load(path, allow_pickle=False) as held:
        ids = tuple(str(name) for name in held["ids"])
        return Vectors(ids, np.asarray(held["vectors"], dtype=np.float32), str(held["model"]))


def _parquet(path: Path) -> Vectors:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    model = (table.schema.metadata or {})[b"valueflow_model"].decode()
    column = table["vector"].combine_chunks()
    dimensions = column.type.list_size
    flat = column.flatten().to_numpy(zero_copy_only=False)
    vectors = np.asarray(flat, dtype=np.float32).reshape(len(table), dimensions)
    return Vectors(tuple(table["id"].to_pylist()), vectors, model)
