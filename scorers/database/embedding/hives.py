"""Embedding models in use: load one, encode texts, find the nearest.

    from valueflow import hives

    model = hives.load("hives")                    # or a folder, or ORG/NAME@REVISION
    vectors = hives.encode(model, ["I keep my word."])
    found = hives.nearest(vectors, corpus_vectors, k=5)

Needs sentence-transformers: `pip install 'valueflow[hives]'`. Weights are read as safetensors and
in no other form, and a model's own code is never run.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from valueflow.hub_assets.errors import InputFileError, OptionError, UnknownNameError
from valueflow.hub_assets.inputs.model_folder import (
    HivesManifest,
    check_model_folder,
    fetch_model,
    model_hash,
)
from valueflow.hub_assets.inputs.source import hub_reference
from valueflow.hub_assets.lazy import need
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.scorers.database.embedding.neighbours import Nearest, nearest

__all__ = ["HivesModel", "Nearest", "encode", "find_model", "load", "nearest"]

MOST_CHARACTERS = 20_000
"""Longer texts are cut here before they are read; a model reads some hundred tokens anyway."""


@dataclass(frozen=True)
class HivesModel:
    """A model that is loaded.

    Attributes:
        name: as it was asked for, with the commit where it came from the Hub.
        folder: where its files lie.
        sha256: its identity, by which files of vectors name it.
        manifest: what it is made of; None for an ordinary sentence-transformers model.
        dimensions: of a vector.
        model: the SentenceTransformer.
    """

    name: str
    folder: Path
    sha256: str
    manifest: HivesManifest | None
    dimensions: int
    model: Any = field(repr=False)


@dataclass(frozen=True)
class ModelPlace:
    """Where a model lies: its name with the commit, and its folder."""

    name: str
    folder: Path
    commit: str
    manifest: HivesManifest | None


def find_model(model: str | os.PathLike[str], *, offline: bool = False) -> ModelPlace:
    """Finds and checks a model's files without loading them.

    Args:
        model: a folder, an asset of the registry (`hives`), or `ORG/NAME@REVISION` on the Hub.
        offline: look into the cache only.

    Raises:
        InputFileError: the folder is no model that can be loaded safely.
        UnknownNameError: neither a folder, nor an asset, nor a name on the Hub.
    """
    text = str(model).strip()
    folder = Path(text).expanduser()
    if folder.exists():
        return ModelPlace(text, folder, "", check_model_folder(folder))
    assets = load_registry().assets
    asset = assets.get(text)
    if asset is not None and asset.kind == "embedding-model" and asset.repo_id is not None:
        repo_id, revision, sha256 = asset.repo_id, asset.revision, asset.sha256
    elif found := (None if text.startswith((".", "/", "~")) else hub_reference(text)):
        (repo_id, revision), sha256 = found, None
    elif "/" in text:
        raise InputFileError(text, "there is no such folder")
    else:
        known = [name for name, a in assets.items() if a.kind == "embedding-model"]
        raise UnknownNameError(
            "model", text, known, "Give a folder, an asset, or ORG/NAME@REVISION on the Hub."
        )
    advice = ", or give the folder of a sentence-transformers model"
    place, manifest = fetch_model(repo_id, revision, sha256, offline=offline, advice=advice)
    return ModelPlace(f"{repo_id}@{place.commit}", place.folder, place.commit, manifest)


def load(
    model: str | os.PathLike[str], *, device: str | None = None, offline: bool = False
) -> HivesModel:
    """Loads a model; the same folder, unchanged, is loaded once a process and device.

    Args:
        model: a folder, an asset of the registry (`hives`), or `ORG/NAME@REVISION` on the Hub.
        device: `cpu`, `cuda`, `cuda:1`, ...; the best there is where not given.
        offline: look into the cache only.

    Raises:
        ValueflowError: sentence-transformers is not installed, or the model cannot be had.
        InputFileError: it is no model that can be loaded safely.
        OptionError: a device that is not there.
    """
    need("loading an embedding model", "hives", "sentence_transformers", "torch")
    place = find_model(model, offline=offline)
    check_device(device)
    found = _loaded(place.name, place.folder, model_hash(place.folder), device)
    # Figures may be written into a manifest after its model was loaded.
    return replace(found, manifest=place.manifest)


def check_device(device: str | None) -> None:
    """Checks that a device is there.

    Raises:
        OptionError: CUDA is asked for where there is none.
    """
    if device is not None and device.startswith("cuda"):
        import torch

        if not torch.cuda.is_available():
            raise OptionError("device", f"{device} is asked for, and there is no CUDA device here")


@lru_cache(maxsize=4)
def _loaded(name: str, folder: Path, sha256: str, device: str | None) -> HivesModel:
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(
            str(folder),
            device=device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # of transformers, safetensors, tokenizers: one sentence for all
        reason = (str(error).strip().splitlines() or [repr(error)])[0]
        raise InputFileError(folder, f"cannot be loaded as a model ({reason})") from None
    model.eval()
    return HivesModel(name, folder, sha256, None, dimensions_of(model), model)


def dimensions_of(model: Any) -> int:
    """Dimensions of a SentenceTransformer's vectors."""
    # The name of the method changed with sentence-transformers 5.4.
    ask = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
    return int(ask())


def encode(
    model: HivesModel, texts: Sequence[str], *, batch_size: int = 32, progress: bool = False
) -> NDArray[np.float32]:
    """Unit vectors of texts.

    Args:
        model: from `load`; a prompt that it was trained with is put before every text.
        texts: n texts; those beyond `MOST_CHARACTERS` are cut there.
        batch_size: texts that are read at once.
        progress: whether to show a bar.

    Returns:
        Shape (n, dimensions), float32, each row of length 1.
    """
    if not len(texts):
        return np.zeros((0, model.dimensions), dtype=np.float32)
    found = model.model.encode(
        [text[:MOST_CHARACTERS] for text in texts],
        batch_size=batch_size,
        show_progress_bar=progress,
        convert_to_numpy=True,
        normalize_embeddings=True,
    )
    return np.asarray(found, dtype=np.float32)
