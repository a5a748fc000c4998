"""Texts of a table to unit vectors, a file a theory, in blocks that a stopped run does not repeat.

    OUT/encoding.json         model, source and form, by which a run goes on or is refused
    OUT/blocks/000000.npz     ids, theories and vectors of 1,024 rows each
    OUT/THEORY.npz            `ids` (n,), `vectors` (n, d) float32, and `model`, the model's hash

or OUT/THEORY.parquet with columns `id` and `vector` and the model's hash in its metadata. Files are
put together from the blocks row by row, so that memory does not grow with the table.
"""

import hashlib
import json
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from valueflow.hub_assets.errors import InputFileError, OptionError, ValueflowError
from valueflow.hub_assets.files import is_blank, sendable, write_text
from valueflow.hub_assets.inputs.rows import rows_of
from valueflow.hub_assets.inputs.source import column_map
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.scorers.database.embedding.hives import MOST_CHARACTERS, encode, load
from valueflow.scorers.database.embedding.metrics import unit

__all__ = ["BLOCK", "Encoder", "encode_table", "model_encoder", "server_encoder"]

BLOCK = 1024
"""Rows that a stopped run repeats at most."""

SERVER_ATTEMPTS = 4
SERVER_SECONDS = 120.0

_COLUMNS = {
    "text": ("text", "sentence", "statement", "scenario", "content"),
    "id": ("id", "text_id", "row_id"),
    "theory": ("theory", "framework"),
}
_ALL = "all"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Encoder:
    """What turns texts into vectors, and the identity by which files of vectors name it."""

    name: str
    sha256: str
    encode: Callable[[Sequence[str]], NDArray[np.float32]]


@contextmanager
def model_encoder(model: str, devices: Sequence[str], batch_size: int) -> Iterator[Encoder]:
    """A model on one device, or on several by sentence-transformers' own pool of processes.

    Raises:
        ValueflowError: the extra is not installed, the model cannot be had, a device is not there.
    """
    loaded = load(model, device=devices[0] if devices else None)
    if len(devices) < 2:
        yield Encoder(
            loaded.name, loaded.sha256, lambda texts: encode(loaded, texts, batch_size=batch_size)
        )
        return
    pool = loaded.model.start_multi_process_pool(list(devices))
    try:
        yield Encoder(
            loaded.name,
            loaded.sha256,
            lambda texts: unit(
                loaded.model.encode(
                    [text[:MOST_CHARACTERS] for text in texts],
                    pool=pool,
                    batch_size=batch_size,
                    show_progress_bar=False,
                )
            ),
        )
    finally:
        loaded.model.stop_multi_process_pool(pool)


@contextmanager
def server_encoder(url: str, model: str, batch_size: int) -> Iterator[Encoder]:
    """A model behind an OpenAI-compatible `/embeddings`; the key is taken from OPENAI_API_KEY.

    Its weights cannot be hashed from here: the identity is that of the model's name.
    """
    import httpx

    key = os.environ.get("OPENAI_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    place = f"{url.rstrip('/')}/embeddings"
    identity = hashlib.sha256(f"server\0{model}".encode()).hexdigest()
    with httpx.Client(headers=headers, timeout=SERVER_SECONDS) as client:

        def ask(texts: Sequence[str]) -> NDArray[np.float32]:
            parts = [
                _asked(client, place, model, texts[start : start + batch_size])
                for start in range(0, len(texts), batch_size)
            ]
            return unit(np.concatenate(parts))

        yield Encoder(f"{model} at {url}", identity, ask)


def _asked(client: Any, place: str, model: str, texts: Sequence[str]) -> NDArray[np.float32]:
    import httpx

    body = {"model": model, "input": [t[:MOST_CHARACTERS] for t in texts]}
    reason = ""
    for attempt in range(SERVER_ATTEMPTS):
        if attempt:
            time.sleep(2.0**attempt / 4)
        try:
            answer = client.post(place, json=body)
        except httpx.HTTPError as error:
            reason = f"{type(error).__name__}: {error}"
            continue
        if answer.status_code == 429 or answer.status_code >= 500:
            reason = f"status {answer.status_code}"
            continue
        if answer.status_code != 200:
            raise OptionError(
                "server", f"{place} answers {answer.status_code}: {answer.text[:200]}"
            )
        try:
            parts = sorted(answer.json()["data"], key=lambda part: int(part["index"]))
            found = np.array([part["embedding"] for part in parts], dtype=np.float32)
        except (ValueError, KeyError, TypeError) as error:
            raise OptionError("server", f"{place} gave no embeddings ({error!r})") from None
        if found.ndim != 2 or len(found) != len(texts):
            raise OptionError("server", f"{place} gave {len(found)} vectors for {len(texts)} texts")
        return found
    raise OptionError("server", f"{place} cannot be reached ({reason}); run the same command again")


def encode_table(
    texts: Path,
    output: Path,
    encoder: Encoder,
    *,
    kind: str = "npz",
    theory: str | None = None,
    columns: Mapping[str, str] | None = None,
    say: Say = lambda _: None,
) -> dict[Path, int]:
    """Encodes a table; a run that was stopped goes on behind its last whole block.

    Args:
        texts: CSV, TSV, JSONL or Parquet.
        output: folder to write.
        encoder: what makes the vectors.
        kind: `npz` or `parquet`.
        theory: of all texts; else the table's column, else all texts go into one file `all`.
        columns: the user's names for `text`, `id`, `theory`.
        say: told of the progress, with rate and time left.

    Returns:
        Each file that was written, and its number of vectors.

    Raises:
        InputFileError: the table is malformed, a text is empty, or the folder was begun with
            another model, table or option.
    """
    if theory is not None:
        theory = load_registry().theory(theory).name
    made_of = {
        "model": encoder.sha256,
        "source": _hash_of(texts),
        "columns": dict(columns or {}),
        "theory": theory,
        "kind": kind,
        "block": BLOCK,
    }
    _begin(output, made_of)
    blocks = output / "blocks"
    blocks.mkdir(exist_ok=True)
    total = sum(1 for _ in rows_of([texts]))
    if not total:
        raise InputFileError(texts, "holds no rows")
    started, encoded, last = time.monotonic(), 0, 0.0
    number = -1
    for number, block in enumerate(_blocks(texts, theory, columns or {})):
        file = blocks / f"{number:06}.npz"
        if file.is_file():
            continue
        ids, theories, rows = block
        found = encoder.encode(rows)
        _write_block(file, ids, theories, found)
        encoded += len(rows)
        now = time.monotonic() - started
        if now - last > 5:
            last = now
            done = min((number + 1) * BLOCK, total)
            left = (total - done) * now / encoded
            say(f"{done:,} of {total:,} texts, {encoded / now:,.0f} a second, {left:,.0f} s left")
    files = _put_together(output, blocks, number + 1, encoder, kind)
    shutil.rmtree(blocks)
    return files


def _begin(output: Path, made_of: Mapping[str, Any]) -> None:
    note = output / "encoding.json"
    try:
        output.mkdir(parents=True, exist_ok=True)
        held = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else None
    except (OSError, ValueError) as error:
        raise InputFileError(note, f"cannot be used ({error})") from None
    if held is not None and held != made_of:
        changed = ", ".join(name for name in made_of if held.get(name) != made_of[name])
        raise InputFileError(
            output,
            f"holds vectors of another {changed}; encode into another folder, or delete it",
        )
    write_text(note, json.dumps(made_of, indent=1, sort_keys=True) + "\n")


def _blocks(
    texts: Path, theory: str | None, columns: Mapping[str, str]
) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """Ids, theories and texts of the rows, block by block."""
    mapping: dict[str, str] = {}
    ids: list[str] = []
    theories: list[str] = []
    rows: list[str] = []
    for row in rows_of([texts]):
        if not mapping:
            mapping = column_map(row, _COLUMNS, ["text"], columns, "--columns")
        text = row.text(mapping, "text")
        if is_blank(text):
            raise InputFileError(texts, "is empty", row=row.number, column=mapping["text"])
        name = row.cell(mapping, "theory") if theory is None else theory
        given = row.cell(mapping, "id")
        ids.append(sendable(str(row.number if given in (None, "") else given)))
        theories.append(_ALL if name in (None, "") else load_registry().theory(name).name)
        rows.append(text)
        if len(rows) == BLOCK:
            yield ids, theories, rows
            ids, theories, rows = [], [], []
    if rows:
        yield ids, theories, rows


def _write_block(
    file: Path, ids: Sequence[str], theories: Sequence[str], vectors: NDArray[np.float32]
) -> None:
    temporary = file.with_name(f".{file.name}")
    try:
        with temporary.open("wb") as stream:
            np.savez(stream, ids=np.array(ids), theories=np.array(theories), vectors=vectors)
        os.replace(temporary, file)
    except OSError as error:
        raise InputFileError(file, f"cannot be written ({error.strerror})") from None


def _read_block(file: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float32]]:
    with np.load(file, allow_pickle=False) as held:
        return held["ids"], held["theories"], held["vectors"]


def _put_together(
    output: Path, blocks: Path, count: int, encoder: Encoder, kind: str
) -> dict[Path, int]:
    files = [blocks / f"{number:06}.npz" for number in range(count)]
    sizes: dict[str, int] = {}
    width, dimensions = 1, None
    for file in files:
        ids, theories, vectors = _read_block(file)
        width = max(width, ids.dtype.itemsize // 4)
        if dimensions not in (None, vectors.shape[1]):
            raise ValueflowError(
                f"{file}: vectors of {vectors.shape[1]} dimensions among others of {dimensions}; "
                "the model has changed meanwhile. Delete the folder and encode again"
            )
        dimensions = vectors.shape[1]
        for name, rows in zip(*np.unique(theories, return_counts=True), strict=True):
            sizes[str(name)] = sizes.get(str(name), 0) + int(rows)
    done = {}
    for name, rows in sizes.items():
        target = output / f"{name}.{kind}"
        parts = (
            (ids[theories == name], vectors[theories == name])
            for ids, theories, vectors in map(_read_block, files)
        )
        temporary = output / f".{target.name}"
        if kind == "npz":
            _write_npz(temporary, parts, rows, width, int(dimensions or 0), encoder.sha256)
        else:
            _write_parquet(temporary, parts, int(dimensions or 0), encoder.sha256)
        os.replace(temporary, target)
        done[target] = rows
    return done


_Parts = Iterator[tuple[NDArray[Any], NDArray[np.float32]]]


def _write_npz(
    file: Path, parts: _Parts, rows: int, width: int, dimensions: int, sha256: str
) -> None:
    """A ZIP of arrays, as NumPy writes it, filled part by part on disk."""
    work = file.with_suffix(".parts")
    work.mkdir(exist_ok=True)
    form = np.lib.format.open_memmap
    ids = form(work / "ids.npy", mode="w+", dtype=f"<U{width}", shape=(rows,))
    vectors = form(work / "vectors.npy", mode="w+", dtype=np.float32, shape=(rows, dimensions))
    start = 0
    for some, held in parts:
        ids[start : start + len(some)] = some
        vectors[start : start + len(some)] = held
        start += len(some)
    ids.flush()
    vectors.flush()
    np.save(work / "model.npy", np.array(sha256))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name in ("ids", "vectors", "model"):
            archive.write(work / f"{name}.npy", f"{name}.npy")
    shutil.rmtree(work)


def _write_parquet(file: Path, parts: _Parts, dimensions: int, sha256: str) -> None:
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema(
        [("id", pyarrow.string()), ("vector", pyarrow.list_(pyarrow.float32(), dimensions))],
        metadata={"valueflow_model": sha256},
    )
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        for ids, vectors in parts:
            flat = pyarrow.array(vectors.ravel(), pyarrow.float32())
            column = pyarrow.FixedSizeListArray.from_arrays(flat, dimensions)
            writer.write_table(pyarrow.table([[str(i) for i in ids], column], schema=schema))


def _hash_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror})") from None
