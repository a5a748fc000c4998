"""How good an embedding model is, beside baselines on the same texts.

Rows that a model has been trained on are never evaluated: its folder holds the hashes of all texts
and groups that it has seen, and an overlap ends the evaluation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from valueflow.hub_assets.errors import InputFileError, OptionError, ValueflowError
from valueflow.hub_assets.inputs.model_folder import (
    MetricRecord,
    model_hash,
    read_trained_on,
    write_hives_manifest,
    write_value_vectors,
)
from valueflow.hub_assets.seeds import generator_for
from valueflow.rebuild.database.recipe import fingerprint
from valueflow.rebuild.hives.corpus import Corpus
from valueflow.scorers.database.embedding.hives import HivesModel, encode, find_model, load
from valueflow.scorers.database.embedding.labels import LabelTable
from valueflow.scorers.database.embedding.metrics import (
    Interval,
    Measured,
    difference,
    fit_probe,
    group_weights,
    interval,
    measure,
    probe_f1,
    value_vectors,
)

__all__ = [
    "HIGHER_IS_BETTER",
    "Evaluated",
    "EvaluatedTheory",
    "check_unseen",
    "evaluate_model",
    "evaluate_vectors",
    "record_metrics",
    "tfidf_vectors",
]

MOST_ROWS = 5000
"""Texts of a theory that are compared with one another; of more, whole groups are drawn."""

REPLICATES = 2000
FOLDS = 5
TFIDF_WORDS = 1024

HIGHER_IS_BETTER = (
    "rank accuracy (pairwise)",
    "rank accuracy (strict)",
    "similarity correlation",
    "orthogonality (centred)",
    "probe F1",
)
"""The figures that decide; the others describe."""

Vectors = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class EvaluatedTheory:
    """The figures of one theory.

    Attributes:
        theory: its name.
        texts: how many were compared.
        groups: text groups among them.
        figures: model, then name, to a figure with its interval.
        differences: name to the paired difference of the model and its base, where it has one.
        values: names of the values that have texts.
        value_vectors: by model, centred, shape (values, d).
    """

    theory: str
    texts: int
    groups: int
    figures: Mapping[str, Mapping[str, Interval]]
    differences: Mapping[str, Interval]
    values: Sequence[str]
    value_vectors: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Evaluated:
    """An evaluation: its theories, what a reader must know of it, and the hash of the texts, labels
    and settings that its figures are of."""

    split: str
    theories: tuple[EvaluatedTheory, ...]
    notes: tuple[str, ...] = field(default=())
    texts: str = ""

    def records(self) -> tuple[MetricRecord, ...]:
        """The figures as a manifest keeps them."""
        return tuple(
            MetricRecord(
                model=model,
                metric=name,
                theory=found.theory,
                split=self.split,
                value=round(figure.value, 6),
                low=round(figure.low, 6),
                high=round(figure.high, 6),
            )
            for found in self.theories
            for model, figures in found.figures.items()
            for name, figure in figures.items()
        )


def check_unseen(folder: Path, corpus: Corpus) -> None:
    """Refuses texts that a model was trained on, or of whose groups it was.

    Raises:
        InputFileError: there are some; says how many.
    """
    seen = read_trained_on(folder)
    known = [row for row in corpus.rows if seen & {row["group"], *row["groups"]}]
    if known:
        raise InputFileError(
            folder,
            f"was trained on {len(known):,} of the {len(corpus.rows):,} texts to evaluate, or on "
            f"others of their groups (the first: {known[0]['text'][:60]!r}). Figures on them say "
            "nothing: evaluate on the validation or test split of its corpus, or on other texts",
        )


def evaluate_model(
    model: str,
    corpus: Corpus,
    split: str,
    *,
    probe: Corpus | None = None,
    beside: Sequence[str] = (),
    theories: Sequence[str] = (),
    device: str | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> Evaluated:
    """Evaluates a model, its base, others, TF-IDF and random vectors on the same texts.

    Args:
        model: a folder, an asset or `ORG/NAME@REVISION`.
        corpus: the texts to evaluate on, of one split.
        split: its name, for the table.
        probe: texts that the linear probe learns from; folds of `corpus` where not given.
        beside: other models for the same table, each as `model` is given.
        theories: only these; all that have labels where empty.
        device: to encode on.
        seed: of the draws.
        say: told what is going on.

    Raises:
        InputFileError: a model was trained on some of the texts.
        OptionError: two models beside each other have one name.
        ValueflowError: nothing to evaluate.
    """
    others = _named_apart(beside)
    place = find_model(model)
    check_unseen(place.folder, corpus)
    notes = []
    if place.manifest is None:
        notes.append(
            f"{place.name} does not say what it was trained on (it has no hives.json): whether it "
            "has seen these texts cannot be checked"
        )
    texts = corpus.texts
    learn = probe.texts if probe is not None else []
    models = {"hives": load(model, device=device)}
    if place.manifest is not None:
        base = place.manifest.base
        try:
            name = f"{base.name}@{base.revision}" if base.revision else base.name
            found = load(name, device=device)
            if found.sha256 != base.sha256:
                raise InputFileError(found.folder, "has other weights than training began from")
            models["base"] = found
        except ValueflowError as error:
            notes.append(f"no figures of the base model: {error}")
    for name, given in others.items():
        check_unseen(find_model(given).folder, corpus)
        models[name] = load(given, device=device)
    held: dict[str, NDArray[np.float32]] = {}
    taught: dict[str, NDArray[np.float32]] = {}
    for name, loaded in models.items():
        say(f"encoding {len(texts) + len(learn):,} texts with {name}")
        both = _encoded(loaded, [*texts, *learn])
        held[name], taught[name] = both[: len(texts)], both[len(texts) :]
    for name, both in (
        ("tf-idf", tfidf_vectors([*texts, *learn])),
        ("random", random_vectors(len(texts) + len(learn), models["hives"].dimensions, seed)),
    ):
        held[name], taught[name] = both[: len(texts)], both[len(texts) :]
    learned = None if probe is None else (probe, taught)
    done = evaluate_vectors(held, corpus, split, probe=learned, theories=theories, seed=seed)
    return replace(done, notes=(*notes, *done.notes))


def _named_apart(beside: Sequence[str]) -> dict[str, str]:
    """Names for a table to the models as they were given: the last part of each."""
    found: dict[str, str] = {}
    taken = {"hives", "base", "tf-idf", "random"}
    for given in beside:
        name = given.rstrip("/").rpartition("/")[2].partition("@")[0]
        if name in taken or name in found:
            raise OptionError("beside", f"two models of the table would be called {name!r}")
        found[name] = given
    return found


def _encoded(model: HivesModel, texts: Sequence[str]) -> NDArray[np.float32]:
    return encode(model, texts, batch_size=64)


def tfidf_vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """TF-IDF vectors over the commonest words, shape (n, at most `TFIDF_WORDS`).

    Raises:
        ValueflowError: scikit-learn, which the extra brings, is not installed.
    """
    from valueflow.hub_assets.lazy import need

    need("the TF-IDF baseline", "hives", "sklearn")
    from sklearn.feature_extraction.text import TfidfVectorizer

    made = TfidfVectorizer(sublinear_tf=True, max_features=TFIDF_WORDS, stop_words="english")
    return np.asarray(made.fit_transform(texts).toarray(), dtype=np.float32)


def random_vectors(count: int, dimensions: int, seed: int) -> NDArray[np.float32]:
    """Vectors without any meaning, of random directions."""
    generator = generator_for(seed, "hives", "random vectors")
    return generator.standard_normal((count, dimensions)).astype(np.float32)


def evaluate_vectors(
    vectors: Vectors,
    corpus: Corpus,
    split: str,
    *,
    probe: tuple[Corpus, Vectors] | None = None,
    theories: Sequence[str] = (),
    seed: int = 0,
) -> Evaluated:
    """All figures of several models' vectors of the same texts.

    Args:
        vectors: by model, shape (rows of the corpus, d); `hives` and `base` are compared.
        corpus: the texts, with labels and groups.
        split: its name.
        probe: texts that the linear probe learns from, with their vectors by model; without it, it
            learns from the other folds of the groups of `corpus`.
        theories: only these.
        seed: of the bootstrap and of the folds.

    Raises:
        OptionError: a theory in which no text has a label.
        ValueflowError: fewer than three text groups.
    """
    there = corpus.theories
    if lacking := [name for name in theories if name not in there]:
        raise OptionError("theory", f"no text has a label in {', '.join(lacking)}")
    found, notes = [], []
    for theory in [name for name in there if not theories or name in theories]:
        table = corpus.labels(theory)
        rows, note = _chosen(table, corpus.groups(), theory, seed)
        notes += note
        groups = np.unique(corpus.groups()[rows], return_inverse=True)[1]
        if groups.max(initial=0) < 2:
            raise ValueflowError(
                f"{theory}: the texts are of {groups.max(initial=0) + 1} groups; three are needed, "
                "since texts of one group are never compared"
            )
        found.append(_theory(vectors, table, rows, groups, probe, seed))
    learned = [] if probe is None else [row["id"] for row in probe[0].rows]
    labelled = [(row["id"], row["group"], sorted(row["labels"].items())) for row in corpus.rows]
    texts = fingerprint(sorted(labelled), sorted(learned), seed)
    return Evaluated(split, tuple(found), tuple(notes), texts)


def _theory(
    vectors: Vectors,
    table: LabelTable,
    rows: NDArray[np.int64],
    groups: NDArray[np.int64],
    probe: tuple[Corpus, Vectors] | None,
    seed: int,
) -> EvaluatedTheory:
    part = table.rows(rows)
    weights = group_weights(groups, REPLICATES, seed)
    measured: dict[str, dict[str, Measured]] = {}
    directions: dict[str, NDArray[np.float64]] = {}
    names: list[str] = []
    for model, held in vectors.items():
        x = held[rows]
        measured[model] = measure(x, part, groups)
        learned = None if probe is None else (probe[0].labels(table.theory), probe[1][model])
        if (f1 := _probed(x, part, groups, learned, seed)) is not None:
            measured[model]["probe F1"] = f1
        names, directions[model] = value_vectors(x, part, centred=True)
    figures = {
        model: {name: interval(figure, groups, weights) for name, figure in found.items()}
        for model, found in measured.items()
    }
    differences: dict[str, Interval] = {}
    if {"hives", "base"} <= set(measured):
        ours, base = measured["hives"], measured["base"]
        differences = {
            name: interval(difference(figure, base[name]), groups, weights)
            for name, figure in ours.items()
            if name in base
        }
    count = int(groups.max()) + 1
    return EvaluatedTheory(table.theory, len(rows), count, figures, differences, names, directions)


def _chosen(
    table: LabelTable, groups: NDArray[np.int64], theory: str, seed: int
) -> tuple[NDArray[np.int64], list[str]]:
    """Rows with a label in the theory, at most `MOST_ROWS` of them."""
    rows = np.flatnonzero(table.own.any(axis=1))
    if len(rows) <= MOST_ROWS:
        return rows, []
    generator = generator_for(seed, "hives", "evaluated", theory)
    order = generator.permutation(int(groups.max()) + 1)
    by_place = rows[np.argsort(order[groups[rows]], kind="stable")]
    kept = np.sort(by_place[:MOST_ROWS])
    return kept, [f"{theory}: {MOST_ROWS:,} of {len(rows):,} texts are compared, drawn by group"]


def _probed(
    x: NDArray[np.float32],
    table: LabelTable,
    groups: NDArray[np.int64],
    learned: tuple[LabelTable, NDArray[np.float32]] | None,
    seed: int,
) -> Measured | None:
    """The probe's F1; over folds of the groups, the mean of the folds' figures."""
    if learned is not None:
        labels, taught = learned
        inside = labels.own.any(axis=1)
        fitted = fit_probe(taught[inside], labels.own[inside])
        return probe_f1(fitted, x, table.own) if len(fitted.columns) else None
    fold = generator_for(seed, "hives", "folds").permutation(int(groups.max()) + 1) % FOLDS
    total, influence, folds = 0.0, np.zeros(len(x)), 0
    for number in range(FOLDS):
        test = fold[groups] == number
        if not test.any() or test.all():
            continue
        fitted = fit_probe(x[~test], table.own[~test])
        known = table.own[test][:, fitted.columns]
        if not known.any():
            continue
        part = probe_f1(fitted, x[test], table.own[test])
        total, folds = total + part.value, folds + 1
        influence[test] += part.influence
    return Measured(total / folds, influence / folds) if folds else None


def record_metrics(folder: Path, found: Evaluated) -> None:
    """Writes an evaluation's figures into a model's `hives.json`, in place of those of its split,
    and its value vectors beside them.

    Raises:
        InputFileError: the folder has no manifest, or other weights than it was written for.
    """
    manifest = find_model(folder).manifest
    if manifest is None:
        raise InputFileError(folder, "has no hives.json to write the figures into")
    kept = tuple(record for record in manifest.metrics if record.split != found.split)
    assert manifest.weights_sha256 == model_hash(folder)
    write_value_vectors(
        folder,
        found.split,
        {part.theory: (part.values, part.value_vectors["hives"]) for part in found.theories},
    )
    evaluated = {**manifest.evaluated, found.split: found.texts}
    changed = {"metrics": (*kept, *found.records()), "evaluated": evaluated}
    write_hives_manifest(folder, manifest.model_copy(update=changed))
