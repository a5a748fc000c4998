"""What the folder of an embedding model of ours (HiVES) holds, and what breaks it.

The folder is a sentence-transformers model with three files of ours beside it:

    modules.json, config*.json, tokenizer*, ...    sentence-transformers' own layout
    **/model.safetensors                           weights, in safetensors and in nothing else
    hives.json                                     what the model is made of: `HivesManifest`
    hives-trained-on.txt                           a hash a line: the texts and groups it has seen
    README.md                                      the card

A model without `hives.json` is an ordinary sentence-transformers model: it can be loaded and
evaluated, but nothing is known of what it was trained on.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import check_file, read_text, write_text
from valueflow.hub_assets.vidb.manifest import sha256_of

__all__ = [
    "HIVES_MANIFEST",
    "MODEL_FILES",
    "TRAINED_ON",
    "BaseRecord",
    "CorpusRecord",
    "HivesManifest",
    "MetricRecord",
    "SourceRecord",
    "check_model_folder",
    "manifest_fault",
    "model_hash",
    "read_hives_manifest",
    "read_trained_on",
    "write_hives_manifest",
    "write_trained_on",
]

HIVES_MANIFEST = "hives.json"
TRAINED_ON = "hives-trained-on.txt"
MODEL_FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.md")
"""What is fetched of a model on the Hub: weights in a format that cannot carry code, no pickles and
no Python files."""

_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack", ".joblib")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BaseRecord(_Record):
    """The model that training began from: its name as it was given, its revision on the Hub (empty
    for a folder), its `model_hash`, and its licence where it is known."""

    name: str
    revision: str = ""
    sha256: str
    license: str = "see the base model's card"


class SourceRecord(_Record):
    """A source of the corpus, its licence, and how many texts came from it."""

    source: str
    license: str
    rows: int = Field(ge=0)


class CorpusRecord(_Record):
    """What the model was trained on.

    Attributes:
        sha256: of the file of rows.
        rows: texts by split (`train`, `validation`, `test`).
        split_hash: changes when any text changes sides.
        sources: where the texts came from.
    """

    sha256: str
    rows: dict[str, int]
    split_hash: str
    sources: tuple[SourceRecord, ...]


class MetricRecord(_Record):
    """A figure of the evaluation: of which model (`hives`, `base`, `tf-idf`, `random`), metric,
    theory and split, with the bounds of its 95 % interval."""

    model: str
    metric: str
    theory: str
    split: str
    value: float
    low: float | None = None
    high: float | None = None


class HivesManifest(_Record):
    """What a model of ours is made of.

    Attributes:
        format: of this file.
        base: the model that training began from.
        mode: `full`, `lora` (merged into the weights) or `head` (a projection on the frozen base).
        theories: trained on, in the registry's order.
        values: trained on, as `theory:value`.
        dimensions: of a vector.
        max_seq_length: tokens of a text that are read.
        prompt: put before every text; empty for none.
        recipe: the training recipe as it was read.
        recipe_sha256: of the recipe, by which a folder of training goes on or is refused.
        corpus: what it was trained on.
        steps: optimiser steps, by stage of training.
        weights_sha256: `model_hash` of the folder.
        trained_on_sha256: of `hives-trained-on.txt`.
        metrics: the evaluation, where there is one.
        version: the tag that it was pushed under; empty before.
    """

    format: Literal[1] = 1
    base: BaseRecord
    mode: Literal["full", "lora", "head"]
    theories: tuple[str, ...]
    values: tuple[str, ...]
    dimensions: int = Field(ge=1)
    max_seq_length: int = Field(ge=1)
    prompt: str = ""
    recipe: dict[str, Any]
    recipe_sha256: str
    corpus: CorpusRecord
    steps: dict[str, int]
    weights_sha256: str
    trained_on_sha256: str
    metrics: tuple[MetricRecord, ...] = ()
    version: str = ""


def check_model_folder(folder: Path) -> HivesManifest | None:
    """Checks that a folder is a model that can be loaded safely, without loading it.

    Args:
        folder: the model's.

    Returns:
        Its manifest; None for an ordinary sentence-transformers model.

    Raises:
        InputFileError: it is no sentence-transformers model, has no safetensors, has weights in a
            form that runs code when it is read, asks for code of its own, or contradicts its
            manifest. The message says what was found.
    """
    if not folder.is_dir():
        raise InputFileError(
            folder, "is no folder; name the folder of a sentence-transformers model"
        )
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    found = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    if "modules.json" not in names:
        raise InputFileError(
            folder,
            "is no sentence-transformers model: it has no modules.json. Found: "
            f"{found or 'nothing'}",
        )
    if not any(name.endswith(".safetensors") for name in names):
        raise InputFileError(
            folder,
            f"has no weights in safetensors, the only form that is loaded. Found: {found}. Save "
            "it again with `model.save_pretrained(DIR, safe_serialization=True)`",
        )
    if pickled := [n for n in names if n.endswith(_PICKLES)]:
        raise InputFileError(
            folder, f"has {pickled[0]}, a form that can run code when it is read; remove it"
        )
    if code := [name for name in names if name.endswith(".py")]:
        raise InputFileError(
            folder, f"has code of its own ({code[0]}), which is never run; remove it"
        )
    _check_modules(folder / "modules.json")
    for name in names:
        if Path(name).name == "config.json" and "auto_map" in _mapping(folder / name):
            raise InputFileError(
                folder / name, "asks for code of its own ('auto_map'), which is never run"
            )
    manifest = read_hives_manifest(folder)
    if manifest is not None and (fault := manifest_fault(folder, manifest)):
        raise InputFileError(folder / HIVES_MANIFEST, fault)
    return manifest


def manifest_fault(folder: Path, manifest: HivesManifest) -> str:
    """How a folder differs from its manifest; the empty string where it does not."""
    if model_hash(folder) != manifest.weights_sha256:
        return "was written for other weights: files of the model have changed since"
    seen = folder / TRAINED_ON
    if not seen.is_file():
        return f"lacks {TRAINED_ON} beside it, the hashes of what the model was trained on"
    if sha256_of(seen) != manifest.trained_on_sha256:
        return f"was written for another {TRAINED_ON}"
    return ""


def model_hash(folder: Path) -> str:
    """The identity of a model: a hash over all that decides its vectors.

    Weights, configurations and tokenizer count; the card, our manifest and what training leaves
    behind do not. Files that embeddings are kept in name it, so that vectors of two models are
    never mixed.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        counts = path.suffix in (".safetensors", ".json", ".txt", ".model")
        if not path.is_file() or not counts or name in (HIVES_MANIFEST, TRAINED_ON):
            continue
        if path.name == "config_sentence_transformers.json":
            # It names the versions of libraries that wrote it, which decide nothing.
            body = {k: v for k, v in _mapping(path).items() if k != "__version__"}
            held = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        else:
            held = sha256_of(path)
        digest.update(f"{name}\0{held}\n".encode())
    return digest.hexdigest()


def read_hives_manifest(folder: Path) -> HivesManifest | None:
    """The manifest of a model's folder, or None where it has none.

    Raises:
        InputFileError: it cannot be read, or lacks a part; all faults are named.
    """
    path = folder / HIVES_MANIFEST
    if not path.is_file():
        return None
    try:
        return HivesManifest.model_validate(_mapping(path))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg']}" for e in error.errors()]
        raise InputFileError(
            path, f"is not a manifest that can be read ({'; '.join(faults)})"
        ) from None


def write_hives_manifest(folder: Path, manifest: HivesManifest) -> None:
    """Writes the manifest, whole or not at all.

    Raises:
        InputFileError: the folder cannot be written to.
    """
    body = json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False)
    write_text(folder / HIVES_MANIFEST, body + "\n")


def write_trained_on(folder: Path, hashes: Iterable[str]) -> str:
    """Writes the hashes of the texts and groups that a model has seen; returns the file's hash.

    Raises:
        InputFileError: the folder cannot be written to.
    """
    path = folder / TRAINED_ON
    write_text(path, "".join(f"{name}\n" for name in sorted(set(hashes))))
    return sha256_of(path)


def read_trained_on(folder: Path) -> frozenset[str]:
    """The hashes of the texts and groups that a model has seen; none where the file is missing."""
    path = folder / TRAINED_ON
    return frozenset(read_text(path, 2**30).split()) if path.is_file() else frozenset()


def _check_modules(path: Path) -> None:
    """Modules that sentence-transformers itself brings are loaded, and no others."""
    try:
        modules = json.loads(read_text(path))
        types = [str(module["type"]) for module in modules]
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, InputFileError):
            raise
        raise InputFileError(path, f"is no list of modules that can be read ({error!r})") from None
    for name in types:
        if not name.startswith("sentence_transformers."):
            raise InputFileError(path, f"names the module {name}, which would run code of its own")


def _mapping(path: Path) -> dict[str, Any]:
    check_file(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputFileError(path, f"is not valid JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputFileError(path, "must be a JSON object")
    return found
