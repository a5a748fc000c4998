"""Vectors of anchors, encoded once and kept from run to run, and what is near to them."""

import hashlib
import sys
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import CACHE_VARIABLE, cache_folder, write_bytes
from valueflow.hub_assets.inputs.anchors import Anchor
from valueflow.scorers.database.embedding.hives import HivesModel, encode, load
from valueflow.scorers.database.embedding.vectors import read_vectors

__all__ = ["ENCODING", "anchor_vectors", "model_of_run", "nearness"]

ENCODING = Lock()
"""Held by a thread while it loads or asks a model, which reads one text after the other."""

TOLD_FROM = 500
"""So many texts take long enough on a CPU that a user should know what is going on."""

MOST_HELD = 64
"""Values whose vectors stay in memory."""

Vectors = NDArray[np.float32]

_HELD: dict[tuple[str, tuple[Anchor, ...]], Vectors] = {}


def anchor_vectors(model: HivesModel, anchors: tuple[Anchor, ...]) -> Vectors:
    """Unit vectors of a value's anchors, shape (anchors, d).

    They are kept in the user's cache folder under the hashes of model and texts, so that vectors of
    another model or table are never taken for them; a file that cannot be read is made anew.

    Args:
        model: from `load`.
        anchors: n of them.

    Raises:
        InputFileError: the cache folder cannot be written to.
    """
    key = (model.sha256, anchors)
    if key not in _HELD:
        _HELD[key] = _kept_or_made(model, anchors)
        while len(_HELD) > MOST_HELD:
            del _HELD[next(iter(_HELD))]
    return _HELD[key]


def _kept_or_made(model: HivesModel, anchors: tuple[Anchor, ...]) -> Vectors:
    ids = tuple(_hash(anchor.text) for anchor in anchors)
    name = f"{model.sha256[:16]}-{_hash(*ids)}.npz"
    path = cache_folder() / "vectors" / name
    if path.is_file():
        try:
            held = read_vectors(path, model.sha256, model.dimensions)
        except InputFileError:
            held = None
        if held is not None and held.ids == ids:
            return held.vectors
    if len(anchors) >= TOLD_FROM:
        told = f"valueflow: encoding {len(anchors):,} anchors with {model.name}, once"
        print(told, file=sys.stderr)
    found = encode(model, [anchor.text for anchor in anchors], batch_size=64)
    _keep(path, ids, found, model.sha256)
    return found


@lru_cache(maxsize=4)
def model_of_run(model: str, device: str | None = None) -> HivesModel:
    """A model that a run's samples name, checked, hashed and loaded once per process.

    Args:
        model: as `load` takes it.
        device: as `load` takes it.

    Raises:
        ValueflowError: see `load`.
    """
    return load(model, device=device)


@lru_cache(maxsize=256)
def _text_vector(model: str, text: str) -> Vectors:
    return np.asarray(encode(model_of_run(model), [text])[0])


def nearness(model: str, text: str, anchors: tuple[Anchor, ...]) -> NDArray[np.float64]:
    """How far anchors are from a response: 1 − their cosine, shape (anchors,).

    Args:
        model: as `load` takes it.
        text: of the response.
        anchors: of a value.
    """
    with ENCODING:
        vectors = anchor_vectors(model_of_run(model), anchors)
        return np.asarray(1 - vectors @ _text_vector(model, text), dtype=float)


def _keep(path: Path, ids: Sequence[str], vectors: Vectors, sha256: str) -> None:
    stream = BytesIO()
    np.savez(stream, ids=np.array(ids), vectors=vectors, model=np.array(sha256))
    try:
        write_bytes(path, stream.getvalue())
    except InputFileError as error:
        raise InputFileError(
            path,
            f"{error.message}, and vectors of anchors are kept there; name "
            f"another folder in {CACHE_VARIABLE}",
        ) from None


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
