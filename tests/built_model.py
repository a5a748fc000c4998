"""The folder of a build of an embedding model as it looks from outside: no weights that can be
loaded, but every file, hash and record in its place."""

import json
from pathlib import Path
from typing import Any

from valueflow.hub_assets.inputs.model_folder import (
    BaseRecord,
    CorpusRecord,
    HivesManifest,
    MetricRecord,
    SourceRecord,
    model_hash,
    write_hives_manifest,
    write_trained_on,
    write_value_vectors,
)
from valueflow.hub_assets.vidb.schema import split_hash_of
from valueflow.rebuild.database.folder import write_lines
from valueflow.rebuild.hives.corpus import read_corpus, split_hash

SAID = ["I keep my word", "obey the rules", "a new thrill", "help a friend"]
LABELS = ["duty:fidelity", "pvq:rules", "pvq:stimulation", "pvq:caring"]


def corpus_rows(license: str = "CC-BY-4.0", count: int = 12) -> list[dict[str, Any]]:
    """Texts in three splits, each a group of its own; every other is of the given licence."""
    rows: list[dict[str, Any]] = []
    for number in range(count):
        text = f"{SAID[number % 4]}, number {number}."
        name = split_hash_of(text)
        labels = {LABELS[number % 4]: "support", "pvq:tradition": "unknown"}
        rows.append(
            {
                "id": name,
                "text": text,
                "source": "theirs" if number % 2 else "ours",
                "license": license if number % 2 else "CC0-1.0",
                "labels": dict(sorted(labels.items())),
                "group": name,
                "groups": [name],
                "split": ("train", "train", "validation", "test")[number % 4],
            }
        )
    return rows


def write_corpus(folder: Path, rows: list[dict[str, Any]]) -> None:
    """`corpus/` of a build."""
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        key = row["source"], row["license"]
        counts[key] = counts.get(key, 0) + 1
    about = {
        "format": 1,
        "split_hash": split_hash(rows),
        "sources": [
            {"source": source, "license": terms, "rows": n}
            for (source, terms), n in sorted(counts.items())
        ],
        "labels": {label: len(rows) // 4 for label in LABELS},
    }
    write_lines(folder / "rows.jsonl", rows)
    (folder / "corpus.json").write_text(json.dumps(about))


def make_build(
    folder: Path,
    *,
    weights: bytes = b"weights",
    license: str = "CC-BY-4.0",
    base: str = "org/base",
    base_license: str = "Apache-2.0",
    figure: float | None = 0.6,
    texts: str = "those",
    turn: float = 0.0,
    recipe: dict[str, Any] | None = None,
) -> Path:
    """A build's folder with `model/` and `corpus/`.

    Args:
        folder: where to.
        weights: what stands for the weights.
        license: of half of the texts.
        base: name of the base model.
        base_license: its licence.
        figure: of the model's evaluation; None leaves it out.
        texts: the hash of the texts that it was evaluated on.
        turn: how far the second value's vector points to the first's.
        recipe: parts of the recipe.
    """
    rows = corpus_rows(license)
    write_corpus(folder / "corpus", rows)
    corpus = read_corpus(folder)
    model = folder / "model"
    (model / "1_Pooling").mkdir(parents=True)
    module = {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"}
    (model / "modules.json").write_text(json.dumps([module]))
    (model / "config.json").write_text("{}")
    (model / "1_Pooling/config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(weights)
    seen = write_trained_on(model, [row["id"] for row in rows if row["split"] == "train"])
    metrics = [
        MetricRecord(model=name, metric="rank", theory="pvq", split="test", value=value, low=0.1)
        for name, value in (("hives", figure), ("base", 0.5))
        if value is not None and figure is not None
    ]
    if figure is not None:
        vectors = [[1.0, 0.0], [turn, (1 - turn**2) ** 0.5]]
        write_value_vectors(model, "test", {"pvq": (["benevolence", "conformity"], vectors)})
    manifest = HivesManifest(
        base=BaseRecord(name=base, revision="0" * 40, sha256="b", license=base_license),
        mode="full",
        theories=("pvq", "duty"),
        values=("pvq:benevolence", "pvq:conformity", "duty:fidelity"),
        dimensions=2,
        max_seq_length=24,
        recipe=recipe or {"seed": 0, "sources": [{"path": "texts.csv"}]},
        recipe_sha256="r",
        corpus=CorpusRecord(
            sha256=corpus.sha256,
            rows={"train": 6, "validation": 3, "test": 3},
            split_hash=corpus.about["split_hash"],
            sources=tuple(SourceRecord(**source) for source in corpus.about["sources"]),
        ),
        steps={"stage1": 6},
        weights_sha256=model_hash(model),
        trained_on_sha256=seen,
        metrics=tuple(metrics),
        evaluated={"test": texts} if figure is not None else {},
    )
    write_hives_manifest(model, manifest)
    return folder
