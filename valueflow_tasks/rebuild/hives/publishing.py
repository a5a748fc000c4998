"""Puts what a build made into the form that is pushed: its model, and its corpus where it may go.

The corpus goes first, to a dataset repository, and the model names it by tag and hash.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError, ValueflowError
from valueflow.hub_assets.inputs.model_folder import (
    HIVES_MANIFEST,
    HivesManifest,
    MetricRecord,
    check_model_folder,
)
from valueflow.hub_assets.publish.hives.corpus import CORPUS, package_corpus
from valueflow.hub_assets.publish.hives.model import (
    MODEL,
    ValueVectors,
    model_changes,
    package_model,
)
from valueflow.hub_assets.publish.push import Plan, plan_push
from valueflow.hub_assets.vidb.licenses import license_of
from valueflow.hub_assets.vidb.schema import Problem, ProblemsError
from valueflow.rebuild.hives.corpus import Corpus, read_corpus, split_hash
from valueflow.scorers.database.embedding.vectors import read_vectors

__all__ = ["Extras", "build_parts", "plan_hives"]


@dataclass(frozen=True)
class Extras:
    """What goes with a model: see `package_model`."""

    base_license: str | None = None
    base_name: str | None = None
    encoded: Path | None = None
    notes: str = ""


def build_parts(folder: Path) -> tuple[Path, Path | None]:
    """The model and the corpus of a folder, which is that of a build or of a model alone.

    Raises:
        InputFileError: there is no model of ours in it.
    """
    if (folder / HIVES_MANIFEST).is_file():
        return folder, None
    model = folder / "model"
    if not (model / HIVES_MANIFEST).is_file():
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:12])
        raise InputFileError(
            folder,
            f"has neither {HIVES_MANIFEST} nor model/{HIVES_MANIFEST}; `valueflow build hives "
            f"RECIPE.yaml -o DIR` makes a folder that has. Found: {found or 'nothing'}",
        )
    corpus = folder / "corpus"
    return model, corpus if (corpus / "rows.jsonl").is_file() else None


def plan_hives(
    folder: Path,
    repo_id: str,
    tag: str,
    work: Path,
    *,
    corpus_repo: str | None,
    leave_out_restricted: bool = False,
    extras: Extras = Extras(),
    replace_foreign: bool = False,
    offline: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> list[Plan]:
    """Checks model and corpus, and plans their pushes, the corpus first.

    Args:
        folder: of a build, or of a model.
        repo_id: of the model, `ORG/NAME`.
        tag: of both; a corpus whose very rows are there already keeps the tag that it has.
        work: an empty folder for the published forms.
        corpus_repo: `ORG/NAME` of the corpus; None pushes the model alone.
        leave_out_restricted: leave out rows of the corpus whose licence forbids passing them on.
        extras: what goes with the model.
        replace_foreign: see `plan_push`.
        offline: see `plan_push`.
        say: is told of each step.

    Raises:
        ProblemsError: everything that stands against either push.
        InputFileError: there is no model, the corpus is another than it was trained on, or the
            vectors are another model's.
    """
    model, corpus = build_parts(folder)
    manifest = check_model_folder(model)
    assert manifest is not None
    if extras.encoded is not None:
        for file in sorted(extras.encoded.glob("*.npz")) + sorted(extras.encoded.glob("*.parquet")):
            read_vectors(file, manifest.weights_sha256, manifest.dimensions)
    plans: list[Plan] = []
    problems: list[Problem] = []
    where = None
    options: dict[str, Any] = {"replace_foreign": replace_foreign, "offline": offline, "say": say}
    if corpus is not None and corpus_repo is not None:
        held = read_corpus(corpus)
        if held.sha256 != manifest.corpus.sha256:
            raise InputFileError(
                corpus,
                "is another corpus than the model was trained on: build again, or push the model "
                "alone with --no-corpus",
            )
        if leave_out_restricted:
            held = _shareable(held)
        packaged = package_corpus(held.rows, held.about, work / "corpus")
        try:
            plan = plan_push(packaged, corpus_repo, tag, CORPUS, reuse=True, **options)
            plans.append(plan)
            where = (f"{corpus_repo}@{plan.tag}", plan.manifest.sha256)
        except ProblemsError as error:
            problems += _without_the_texts(error.problems)
    made = package_model(
        model,
        work / "model",
        version=tag,
        corpus=where,
        base_license=extras.base_license,
        base_name=extras.base_name,
        encoded=extras.encoded,
        notes=extras.notes,
    )
    kind = MODEL
    if corpus is not None and find_spec("sentence_transformers") is not None:
        kind = replace(
            MODEL, changes=partial(_changes, repo_id, read_corpus(corpus), manifest, say)
        )
    try:
        plans.append(plan_push(made, repo_id, tag, kind, **options))
    except ProblemsError as error:
        problems += error.problems
    if problems:
        raise ProblemsError(folder, problems)
    return plans


def _changes(
    repo_id: str,
    corpus: Corpus,
    manifest: HivesManifest,
    say: Callable[[str], None],
    old: Path,
    new: Path,
    since: str,
) -> dict[str, Any]:
    """What changed; a version before whose figures are of other texts is measured on the new ones.

    It is refused where it was trained on some of them, as in every evaluation.
    """
    from valueflow.rebuild.hives.evaluation import check_unseen, evaluate_vectors
    from valueflow.scorers.database.embedding.hives import encode, load

    def again(split: str) -> tuple[Sequence[MetricRecord], ValueVectors]:
        texts = corpus.of(split)
        if not texts.rows:
            raise ValueflowError(f"the corpus has no texts in the split '{split}'")
        before = load(f"{repo_id}@{since}")
        try:
            check_unseen(before.folder, texts)
        except InputFileError:
            raise ValueflowError(f"{since} was trained on some of its texts or groups") from None
        say(f"Measuring {since} on the {len(texts.rows):,} texts of the split {split} ...")
        found = evaluate_vectors(
            {"hives": encode(before, texts.texts, batch_size=64)}, texts, split
        )
        if found.texts != manifest.evaluated[split]:
            raise ValueflowError(
                "the recorded figures are of other texts or settings than the split and seed 0"
            )
        vectors = {
            part.theory: dict(zip(part.values, part.value_vectors["hives"].tolist(), strict=True))
            for part in found.theories
        }
        return found.records(), vectors

    return model_changes(old, new, since, again)


def _shareable(corpus: Corpus) -> Corpus:
    """The rows whose licence lets their texts be passed on, and what `corpus.json` says of them."""
    rows = tuple(
        row
        for row in corpus.rows
        if (found := license_of(row["license"])) is not None and found.redistributable
    )
    sources = Counter((row["source"], row["license"]) for row in rows)
    about = {
        **corpus.about,
        "split_hash": split_hash(rows),
        "left_out": len(corpus.rows) - len(rows),
        "sources": [
            {"source": source, "license": terms, "rows": count}
            for (source, terms), count in sorted(sources.items())
        ],
        "labels": dict(sorted(Counter(n for row in rows for n in row["labels"]).items())),
    }
    return Corpus(rows, about, corpus.sha256)


def _without_the_texts(problems: tuple[Problem, ...]) -> list[Problem]:
    """Problems of the corpus, with the way to push the model alone for those of licences."""
    way = "Package again with --leave-out-restricted"
    mended = "push with --leave-out-restricted, or the model alone with --no-corpus"
    return [
        Problem(p.file, p.row, p.column, p.message.replace(way, mended.capitalize()), p.found)
        for p in problems
    ]
