"""What the folder of an embedding model of ours (HiVES) holds, and what breaks it.

The folder is a sentence-transformers model with three files of ours beside it:

    modules.json, config*.json, tokenizer*, ...    sentence-transformers' own layout
    **/model.safetensors                           weights, in safetensors and in nothing else
    hives.json                                     what the model is made of: `HivesManifest`
    hives-trained-on.txt                           a hash a line: the texts and groups it has seen
    hives-values.json                              value vectors of its evaluations, where recorded
    evaluation/SPLIT/...                           tables and pictures of its evaluations
    encoded/THEORY.npz                             vectors of a database's texts, where published
    README.md, valueflow-manifest.json             the card, and the hashes of a published model

A model without `hives.json` is an ordinary sentence-transformers model: it can be loaded and
evaluated, but nothing is known of what it was trained on.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import MOST_TABLE_BYTES, read_json_object, read_text, write_text
from valueflow.hub_assets.vidb.download import Download, download
from valueflow.hub_assets.vidb.licenses import license_of
from valueflow.hub_assets.vidb.manifest import MANIFEST, sha256_of

__all__ = [
    "ENCODED",
    "EVALUATION",
    "HIVES_MANIFEST",
    "MODEL_FILES",
    "PICKLES",
    "TRAINED_ON",
    "VALUE_VECTORS",
    "BaseRecord",
    "CorpusRecord",
    "HivesManifest",
    "MetricRecord",
    "SourceRecord",
    "card_license",
    "check_model_folder",
    "decides_vectors",
    "fetch_model",
    "manifest_fault",
    "model_hash",
    "read_hives_manifest",
    "read_trained_on",
    "read_value_vectors",
    "write_hives_manifest",
    "write_trained_on",
    "write_value_vectors",
]

HIVES_MANIFEST = "hives.json"
TRAINED_ON = "hives-trained-on.txt"
VALUE_VECTORS = "hives-values.json"
EVALUATION = "evaluation"
ENCODED = "encoded"
MODEL_FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.md")
"""What is fetched of a model on the Hub: weights in a format that cannot carry code, no pickles and
no Python files."""

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack", ".joblib")


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
        repo: where it is published, as `ORG/NAME@TAG`; empty where it is not.
        repo_sha256: of its files there, by their manifest.
        sha256: of the file of rows.
        rows: texts by split (`train`, `validation`, `test`).
        split_hash: changes when any text changes sides.
        sources: where the texts came from.
    """

    sha256: str
    rows: dict[str, int]
    split_hash: str
    sources: tuple[SourceRecord, ...]
    repo: str = ""
    repo_sha256: str = ""


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
        evaluated: by split, the hash of the texts, labels and settings of its evaluation: figures
            of two versions are of the same texts where it is the same.
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
    evaluated: dict[str, str] = Field(default_factory=dict)
    version: str = ""


def check_model_folder(folder: Path, listing: Sequence[str] = ()) -> HivesManifest | None:
    """Checks that a folder is a model that can be loaded safely, without loading it.

    Args:
        folder: the model's.
        listing: all files of the repository that it was fetched from, for the message.

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
    there = listing or names
    found = ", ".join(there[:12]) + (f" and {len(there) - 12} more" if len(there) > 12 else "")
    packed = [name for name in there if name.endswith(PICKLES)]
    if listing and packed and not any(name.endswith(".safetensors") for name in names):
        raise InputFileError(
            folder,
            f"has weights as {', '.join(packed[:3])} only, a format that can run code when it is "
            "opened, so that it is not fetched. Ask its owner for model.safetensors, or load it "
            "yourself where you trust it and save it again with `save_pretrained`",
        )
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
    if pickled := [n for n in names if n.endswith(PICKLES)]:
        raise InputFileError(
            folder, f"has {pickled[0]}, a form that can run code when it is read; remove it"
        )
    if code := [name for name in names if name.endswith(".py")]:
        raise InputFileError(
            folder, f"has code of its own ({code[0]}), which is never run; remove it"
        )
    _check_modules(folder / "modules.json")
    for name in names:
        if Path(name).name == "config.json" and "auto_map" in read_json_object(folder / name):
            raise InputFileError(
                folder / name, "asks for code of its own ('auto_map'), which is never run"
            )
    manifest = read_hives_manifest(folder)
    if manifest is not None and (fault := manifest_fault(folder, manifest)):
        raise InputFileError(folder / HIVES_MANIFEST, fault)
    return manifest


def fetch_model(
    repo_id: str,
    revision: str,
    sha256: str | None = None,
    *,
    encoded: bool = False,
    offline: bool = False,
    advice: str = "",
) -> tuple[Download, HivesManifest | None]:
    """Fetches a model from the Hub and checks it without loading it.

    Args:
        repo_id: `ORG/NAME`.
        revision: branch, tag or commit.
        sha256: the `model_hash` that it must have; any where not given.
        encoded: fetch the vectors that lie beside it too, where there are any.
        offline: look into the cache only.
        advice: for the error, where it cannot be had.

    Raises:
        InputFileError: it cannot be had, is no model that can be loaded safely, contradicts one of
            its manifests or is not the one that is pinned.
        ProblemsError: files that differ from its `valueflow-manifest.json`.
    """
    patterns = (*MODEL_FILES, f"{ENCODED}/*") if encoded else MODEL_FILES
    found = download(repo_id, revision, patterns, repo_type="model", offline=offline, advice=advice)
    try:
        manifest = check_model_folder(found.folder, found.listing)
    except InputFileError as error:
        if error.path != found.folder:
            raise
        raise InputFileError(f"{repo_id}@{found.commit}", error.message) from None
    if sha256 is not None and (held := model_hash(found.folder)) != sha256:
        raise InputFileError(
            f"{repo_id}@{found.commit}",
            f"its files have the hash {held}, and the registry pins {sha256}: this is not the "
            "model that was meant",
        )
    return found, manifest


def card_license(folder: Path) -> str | None:
    """The licence in the metadata of a model's card, under the name that valueflow has for it; None
    where there is no card, or it states none that is known."""
    path = folder / "README.md"
    if not path.is_file():
        return None
    head = re.match(r"---\s*\n(.*?)\n---\s*\n", path.read_text("utf-8", "replace"), re.DOTALL)
    try:
        body = yaml.safe_load(head[1]) if head else None
    except yaml.YAMLError:
        return None
    found = license_of(body.get("license")) if isinstance(body, dict) else None
    return found.name if found else None


def decides_vectors(name: str) -> bool:
    """Whether a file of that name, from the model's folder on, counts for its identity."""
    if name in (HIVES_MANIFEST, TRAINED_ON, VALUE_VECTORS, MANIFEST):
        return False
    if name.startswith((f"{EVALUATION}/", f"{ENCODED}/")):
        return False
    return name.endswith((".safetensors", ".json", ".txt", ".model"))


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

    Weights, configurations and tokenizer count; the card, our manifests, evaluations and what
    training leaves behind do not. Files that embeddings are kept in name it, so that vectors of two
    models are never mixed.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or not decides_vectors(name):
            continue
        if path.name == "config_sentence_transformers.json":
            # It names the versions of libraries that wrote it, which decide nothing.
            body = {
                k: v
                for k, v in read_json_object(path, MOST_TABLE_BYTES).items()
                if k != "__version__"
            }
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
        return HivesManifest.model_validate(read_json_object(path, MOST_TABLE_BYTES))
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


def write_value_vectors(
    folder: Path, split: str, theories: Mapping[str, tuple[Sequence[str], Any]]
) -> None:
    """Keeps the value vectors of an evaluation, in place of those of its split.

    Args:
        folder: of the model.
        split: that they were measured on.
        theories: name to the values' names and their centred vectors, shape (values, d).

    Raises:
        InputFileError: the folder cannot be written to.
    """
    held = (
        read_json_object(folder / VALUE_VECTORS, MOST_TABLE_BYTES)
        if (folder / VALUE_VECTORS).is_file()
        else {}
    )
    held[split] = {
        theory: {
            name: [float(f"{x:.5g}") for x in vector]
            for name, vector in zip(names, vectors, strict=True)
        }
        for theory, (names, vectors) in theories.items()
    }
    write_text(folder / VALUE_VECTORS, json.dumps(held, sort_keys=True) + "\n")


def read_value_vectors(folder: Path) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Split, theory and value to a value vector; empty where none were kept.

    Raises:
        InputFileError: the file cannot be read.
    """
    path = folder / VALUE_VECTORS
    return read_json_object(path, MOST_TABLE_BYTES) if path.is_file() else {}


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
