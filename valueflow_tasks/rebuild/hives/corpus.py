"""The corpus: texts with the nodes of the hierarchies that they are about, split by text group.

    corpus/rows.jsonl       a row a text: id, text, source, license, group, groups, split, labels
    corpus/held_out.jsonl   texts that are among the anchors or questions that runs are scored with
    corpus/corpus.json      counts, hash of the splits, sources, coverage of the anchors

A row's `labels` are `theory:node` to a direction: support, oppose, neutral or unknown. It is taken
before any balancing or cap, and has every text that the import and the panel gave a label.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import write_text
from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.inputs.queries import load_queries
from valueflow.hub_assets.inputs.source import hub_reference
from valueflow.hub_assets.inputs.value_anchors import ValueAnchor, coverage
from valueflow.hub_assets.publish.hives.corpus import packaged_rows
from valueflow.hub_assets.publish.pull import pull_asset, wanted_assets
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.survey.questions import load_opinions
from valueflow.hub_assets.vidb.manifest import MANIFEST
from valueflow.hub_assets.vidb.schema import normalised, split_hash_of
from valueflow.rebuild.database.categorize.stage import categorize
from valueflow.rebuild.database.curate import representatives
from valueflow.rebuild.database.folder import finish, finished, hash_of, read_lines, write_lines
from valueflow.rebuild.database.judging import Budget
from valueflow.rebuild.database.recipe import fingerprint
from valueflow.rebuild.database.running.stages import import_stage
from valueflow.rebuild.hives.anchors import recipe_anchors
from valueflow.rebuild.hives.recipe import HivesRecipe
from valueflow.scorers.database.embedding.labels import LabelTable, label_table

__all__ = [
    "CORPUS_VERSION",
    "SPLITS",
    "Corpus",
    "build_corpus",
    "check_trainable",
    "corpus_folder",
    "corpus_notes",
    "read_corpus",
    "rows_of_recipe",
    "split_hash",
]

SPLITS = ("train", "validation", "test")
CORPUS_VERSION = 1
Row = dict[str, Any]


@dataclass(frozen=True)
class Corpus:
    """Texts of some splits with their labels.

    Attributes:
        rows: as they are in `rows.jsonl`.
        about: what `corpus.json` says.
        sha256: of the file of rows.
    """

    rows: tuple[Row, ...]
    about: Mapping[str, Any]
    sha256: str

    @property
    def texts(self) -> list[str]:
        return [row["text"] for row in self.rows]

    @property
    def theories(self) -> tuple[str, ...]:
        """Theories with any label, in the registry's order."""
        there = {name.partition(":")[0] for row in self.rows for name in row["labels"]}
        return tuple(name for name in load_registry().theories if name in there)

    def of(self, split: str) -> "Corpus":
        """The rows of one split."""
        rows = tuple(row for row in self.rows if row["split"] == split)
        return Corpus(rows, self.about, self.sha256)

    def labels(self, theory: str) -> LabelTable:
        """The labels in one theory, of all rows; a row may have none."""
        prefix = f"{theory}:"
        return label_table(
            theory,
            [
                [
                    (name[len(prefix) :], way)
                    for name, way in row["labels"].items()
                    if name.startswith(prefix)
                ]
                for row in self.rows
            ],
        )

    def groups(self) -> np.ndarray:
        """Number of each row's text group, from 0, shape (rows,)."""
        names = [row["group"] for row in self.rows]
        return np.unique(names, return_inverse=True)[1].astype(np.int64)


def build_corpus(recipe: HivesRecipe, folder: Path, budget: Budget) -> dict[str, Any]:
    """Runs the stages up to the corpus, or passes over what is done already.

    Args:
        recipe: the recipe.
        folder: of the build.
        budget: most calls of a panel.

    Returns:
        Counts of the corpus.

    Raises:
        ValueflowError: a source is missing or malformed, or what is left cannot be trained on.
    """
    import_stage(recipe, folder, nodes=True)
    source = folder / "import" / "nodes.jsonl"
    parts = [hash_of(source)]
    if recipe.categorize.values != "given":
        categorize(recipe, folder, budget)
        parts.append(hash_of(folder / "categorize" / "rows.jsonl"))
    part = folder / "corpus" / "rows.jsonl"
    anchors = recipe_anchors(recipe, folder)
    apart = _apart(recipe)
    mark = fingerprint(
        recipe.corpus, recipe.seed, parts, sorted(apart), [str(a) for a in anchors], CORPUS_VERSION
    )
    if (done := finished(part, mark)) is not None and (part.parent / "corpus.json").is_file():
        return done
    rows, held_out, counts = _rows(recipe, folder, apart)
    wanted = {f"{value.theory}:{value.name}" for value in recipe.wanted()}
    about = _about(rows, counts, anchors, wanted)
    check_trainable(rows, part)
    write_lines(part.parent / "held_out.jsonl", held_out)
    write_lines(part, rows)
    write_text(part.parent / "corpus.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    finish(part, mark, counts)
    return counts


def rows_of_recipe(recipe: HivesRecipe, folder: Path) -> Corpus:
    """The labelled texts of a recipe's sources as one split `all`, for an evaluation.

    Args:
        recipe: whose labels are given by its sources.
        folder: for the imported texts.
    """
    import_stage(recipe, folder, nodes=True)
    rows, _, counts = _rows(recipe, folder, {})
    for row in rows:
        row["split"] = "all"
    about = {**counts, "split_hash": split_hash(rows)}
    return Corpus(tuple(rows), about, hash_of(folder / "import" / "nodes.jsonl"))


def read_corpus(folder: Path) -> Corpus:
    """Reads a corpus that was built, or that was pulled.

    Args:
        folder: of the build, its folder `corpus`, or a corpus in its published form.

    Raises:
        InputFileError: there is none, or its rows were changed since.
    """
    place = folder / "corpus" if (folder / "corpus").is_dir() else folder
    published = (place / MANIFEST).is_file() and not (place / "rows.jsonl").is_file()
    rows = tuple(packaged_rows(place) if published else read_lines(place / "rows.jsonl", "corpus"))
    try:
        about = json.loads((place / "corpus.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputFileError(place / "corpus.json", f"cannot be read ({error})") from None
    if split_hash(rows) != about["split_hash"]:
        raise InputFileError(
            place / "rows.jsonl", "does not have the splits that corpus.json was written for"
        )
    if published:
        # The hash of the file of rows that the same corpus has in a build.
        lines = "".join(f"{json.dumps(row, sort_keys=True)}\n" for row in rows)
        return Corpus(rows, about, hashlib.sha256(lines.encode()).hexdigest()[:16])
    return Corpus(rows, about, hash_of(place / "rows.jsonl"))


def corpus_folder(data: Path) -> Path:
    """A path as it is where it exists; the folder of a corpus that is named as on the Hub.

    Raises:
        ValueflowError: it cannot be had, or is no corpus.
    """
    if data.exists() or data.suffix in (".yaml", ".yml") or hub_reference(str(data)) is None:
        return data
    [asset] = wanted_assets(str(data), "corpus")
    return pull_asset(asset).folder


def corpus_notes(folder: Path) -> list[str]:
    """What a reader should know of a corpus: labels with one text, values without an anchor."""
    about = read_corpus(folder).about
    notes = []
    if thin := about["labels_of_one_training_text"]:
        notes.append(f"labels with one training text, which nothing is near to: {', '.join(thin)}")
    for kind, names in about["anchors"]["not_reached"].items():
        if names:
            notes.append(f"values that no {kind} anchor reaches: {', '.join(names)}")
    return notes


def check_trainable(rows: Sequence[Row], place: Path) -> None:
    """Checks that the training rows have something to be told apart.

    Raises:
        InputFileError: fewer than two labels, or no label with two texts.
    """
    seen = Counter(name for row in rows if row["split"] == "train" for name in row["labels"])
    if len(seen) < 2:
        one = f"one label only ({next(iter(seen))})" if seen else "no labelled text"
        raise InputFileError(
            place, f"the training rows have {one}: there is nothing to tell apart. Add sources"
        )
    if max(seen.values()) < 2:
        raise InputFileError(
            place, "no label has two training texts, so that nothing could be drawn together"
        )


def _rows(
    recipe: HivesRecipe, folder: Path, apart: Mapping[str, str]
) -> tuple[list[Row], list[Row], dict[str, Any]]:
    counts: Counter[str] = Counter(cut_texts=0, without_label=0, held_out=0)
    texts = _labelled(recipe, folder, counts)
    for row in texts:
        if len(row["text"]) > recipe.corpus.max_characters:
            row["text"] = row["text"][: recipe.corpus.max_characters]
            counts["cut_texts"] += 1
    # Texts that must not be trained on stand among the others when near duplicates are looked for.
    ours = {row["id"]: row["text"] for row in texts}
    stands_for = representatives({**apart, **ours}, recipe.corpus.near_duplicates)
    barred = {stands_for[name] for name in apart}
    kept: list[Row] = []
    held_out: list[Row] = []
    for row in texts:
        row["group"] = stands_for[row["id"]]
        if row["group"] in barred:
            held_out.append({"id": row["id"], "text": row["text"], "source": row["source"]})
        else:
            kept.append(row)
    counts["held_out"] = len(held_out)
    _join_groups(kept)
    _split(kept, recipe)
    counts["texts"] = len(kept)
    counts["groups"] = len({row["group"] for row in kept})
    for split in SPLITS:
        counts[split] = sum(row["split"] == split for row in kept)
    return kept, held_out, dict(counts)


def _labelled(recipe: HivesRecipe, folder: Path, counts: Counter[str]) -> list[Row]:
    """A row a text, with its labels: those of the sources, or what a panel said."""
    given = {row["id"]: row for row in read_lines(folder / "import" / "nodes.jsonl", "import")}
    found: list[Row] = []
    said: dict[str, dict[str, str]] = {}
    panel = recipe.categorize.values != "given"
    if panel:
        for row in read_lines(folder / "categorize" / "rows.jsonl", "categorize"):
            node = f"{row['theory']}:{row['path'].rpartition('/')[2]}"
            said.setdefault(row["id"], {})[node] = row["direction"]
    for text in read_lines(folder / "import" / "texts.jsonl", "import"):
        more = given[text["id"]]
        labels = said.get(text["id"], {}) if panel else more["nodes"]
        if not labels:
            counts["without_label"] += 1
            continue
        row = {key: text[key] for key in ("id", "text", "source", "license")}
        row["labels"] = {name: way or "unknown" for name, way in sorted(labels.items())}
        # By its hash, as the texts are: what a model was trained on is told by hashes alone.
        row["given_group"] = _hash("group", normalised(more["group"])) if more["group"] else None
        found.append(row)
    return found


def _join_groups(rows: Sequence[Row]) -> None:
    """Near duplicates and what the source puts together become one group, however they chain."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for row in rows:
        one = root(row["group"])
        if row["given_group"]:
            other = root(row["given_group"])
            parent[max(one, other)] = min(one, other)
    for row in rows:
        # Every name that another corpus could know the group by.
        row["groups"] = sorted({row["id"], row["group"], *filter(None, [row.pop("given_group")])})
        row["group"] = root(row["group"])


def _split(rows: Sequence[Row], recipe: HivesRecipe) -> None:
    """Gives whole groups to the splits, in a random order, each to the split that lacks most."""
    sizes = Counter(row["group"] for row in rows)
    names = sorted(sizes)
    order = generator_for(recipe.seed, "hives", "splits").permutation(len(names))
    shares: dict[str, float] = {str(name): n for name, n in recipe.corpus.shares.items()}
    held = dict.fromkeys([split for split in SPLITS if shares.get(split, 0) > 0], 0)
    side: dict[str, str] = {}
    for place in order:
        group = names[place]
        lacking = {s: shares[s] * len(rows) - count for s, count in held.items()}
        split = max(held, key=lambda s: (lacking[s] / shares[s], shares[s]))
        side[group] = split
        held[split] += sizes[group]
    for row in rows:
        row["split"] = side[row["group"]]


def _apart(recipe: HivesRecipe) -> dict[str, str]:
    """Texts that must not be trained on, by an id that no text of ours has."""
    found: dict[str, str] = {}
    assets = load_registry().assets
    for name in recipe.apart_from():
        kind = assets[name].kind if name in assets else "vidb"
        place = name if name in assets or not recipe.path(name).exists() else str(recipe.path(name))
        for text in _texts_of(place, kind):
            found[f"apart:{split_hash_of(text)}"] = text
    return found


def _texts_of(place: str, kind: str) -> Iterable[str]:
    if kind == "queries":
        return [str(query.text) for query in load_queries(place).queries]
    if kind == "opinion-questions":
        return [question.text for question in load_opinions(place).questions]
    return [anchor.text for found in load_vidb(place).anchors.values() for anchor in found]


def _about(
    rows: Sequence[Row],
    counts: Mapping[str, Any],
    anchors: Sequence[ValueAnchor],
    wanted: set[str],
) -> Row:
    sources = Counter((row["source"], row["license"]) for row in rows)
    labels = Counter(name for row in rows for name in row["labels"])
    train = Counter(n for row in rows if row["split"] == "train" for n in row["labels"])
    reached: dict[str, dict[str, int]] = {}
    for kind in ("individual", "theory"):
        found = coverage(a for a in anchors if a.kind == kind)
        reached[kind] = {name: n for name, n in found.items() if name in wanted}
    return {
        "format": CORPUS_VERSION,
        "counts": dict(counts),
        "split_hash": split_hash(rows),
        "sources": [
            {"source": source, "license": terms, "rows": n}
            for (source, terms), n in sorted(sources.items())
        ],
        "labels": dict(sorted(labels.items())),
        "labels_of_one_training_text": sorted(name for name, n in train.items() if n == 1),
        "anchors": {
            "reached": reached,
            "not_reached": {
                kind: [name for name, n in found.items() if n == 0]
                for kind, found in reached.items()
            },
        },
    }


def split_hash(rows: Sequence[Row]) -> str:
    """A hash that changes when any text changes sides."""
    return _hash(*sorted(f"{row['id']} {row['split']}" for row in rows))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
