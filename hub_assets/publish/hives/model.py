"""An embedding model as a kind of asset: a sentence-transformers folder with card and manifest.

What a model's folder holds is in `valueflow.hub_assets.inputs.model_folder`. It is packaged by
links to its files, so that weights are never copied; `hives.json` is written anew, with the
version, the published corpus, and no paths of the machine that it was trained on.
"""

import hashlib
import json
import math
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from valueflow.hub_assets.errors import InputFileError, OptionError, ValueflowError
from valueflow.hub_assets.files import read_json_object, write_text
from valueflow.hub_assets.inputs.model_folder import (
    ENCODED,
    EVALUATION,
    HIVES_MANIFEST,
    PICKLES,
    VALUE_VECTORS,
    HivesManifest,
    MetricRecord,
    check_model_folder,
    decides_vectors,
    read_hives_manifest,
    read_value_vectors,
    write_hives_manifest,
)
from valueflow.hub_assets.publish.cards.markdown import license_metadata, rendered, yaml_text
from valueflow.hub_assets.publish.kind import Kind
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.vidb.licenses import joint_license, license_of, terms_of
from valueflow.hub_assets.vidb.manifest import (
    CARD,
    MANIFEST,
    NOTES,
    Manifest,
    make_manifest,
    seal,
)
from valueflow.hub_assets.vidb.schema import Problem

__all__ = ["KIND", "MODEL", "MeasureAgain", "check_encoded", "model_changes", "package_model"]

KIND = "hives"

ValueVectors = Mapping[str, Mapping[str, Sequence[float]]]
"""Theory, then value, to a vector."""

MeasureAgain = Callable[[str], tuple[Sequence[MetricRecord], ValueVectors]]
"""A split to figures and value vectors of a version before on its texts."""

_KEPT_OF_JUDGES = ("model", "seats", "config")


def package_model(
    model: Path,
    folder: Path,
    *,
    version: str,
    corpus: tuple[str, str] | None = None,
    base_license: str | None = None,
    base_name: str | None = None,
    encoded: Path | None = None,
    notes: str = "",
) -> Path:
    """Writes a model in its published form into an empty folder, by links to its files.

    Args:
        model: folder of a model of ours.
        folder: where to.
        version: the tag that it will be pushed under.
        corpus: where its corpus is published, `ORG/NAME@TAG`, and the hash of its files there.
        base_license: of the base model, where `hives.json` does not know it.
        base_name: of the base model on the Hub, where it was trained from a folder.
        encoded: folder of `valueflow encode` with this model's vectors of a database's texts.
        notes: Markdown for the card.

    Raises:
        InputFileError: it is no model of ours, or cannot be written; the vectors are another
            model's.
        OptionError: the base's licence is none that is known.
    """
    manifest = check_model_folder(model)
    if manifest is None:
        raise InputFileError(
            model,
            f"has no {HIVES_MANIFEST}: only models that `valueflow build hives` made are pushed",
        )
    if base_license is not None and license_of(base_license) is None:
        raise OptionError("base-license", f"{base_license!r} is no licence that valueflow knows")
    written = {CARD, MANIFEST, HIVES_MANIFEST, NOTES}
    for path in sorted(model.rglob("*")):
        name = path.relative_to(model)
        hidden = any(part.startswith(".") for part in name.parts)
        if not path.is_file() or hidden or name.as_posix() in written or name.parts[0] == ENCODED:
            continue
        # Pages of evaluations tell of the machine that they were made on.
        if name.parts[0] == EVALUATION and path.suffix not in (".png", ".csv"):
            continue
        _link(path, folder / name)
    if encoded is not None:
        for path in check_encoded(encoded, manifest):
            _link(path, folder / ENCODED / path.name)
    name_of_base = PurePath(manifest.base.name)
    base = manifest.base.model_copy(
        update={
            "name": base_name
            or (name_of_base.name if name_of_base.is_absolute() else str(name_of_base)),
            "license": base_license or manifest.base.license,
            "revision": manifest.base.revision or ("main" if base_name else ""),
        }
    )
    where = {} if corpus is None else {"repo": corpus[0], "repo_sha256": corpus[1]}
    published = manifest.model_copy(
        update={
            "version": version,
            "base": base,
            "corpus": manifest.corpus.model_copy(update=where),
            "recipe": _without_paths(manifest.recipe),
        }
    )
    write_hives_manifest(folder, published)
    if notes:
        write_text(folder / NOTES, notes)
    made = make_manifest(folder, kind=KIND, columns={})
    seal(folder, made, _card(folder, made, "ORG/NAME"))
    return folder


def check_encoded(folder: Path, manifest: HivesManifest) -> list[Path]:
    """The files of a folder of vectors, once they are this model's.

    Raises:
        InputFileError: there are none, or they are another model's.
    """
    note = folder / "encoding.json"
    model = read_json_object(note).get("model")
    if not isinstance(model, str):
        raise InputFileError(note, "does not say whose vectors these are")
    if model != manifest.weights_sha256:
        raise InputFileError(
            folder,
            f"holds vectors of another model ({model[:12]}, and not "
            f"{manifest.weights_sha256[:12]}); encode the texts again with this one",
        )
    files = sorted(p for p in folder.iterdir() if p.suffix in (".npz", ".parquet"))
    if not files:
        raise InputFileError(folder, "holds no vectors; finish `valueflow encode` first")
    return [*files, note]


def _link(path: Path, target: Path) -> None:
    """The same file under another name, or a copy where file systems differ."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path.resolve(), target)
    except OSError:
        try:
            shutil.copyfile(path, target)
        except OSError as error:
            raise InputFileError(target, f"cannot be written ({error.strerror})") from None


def _without_paths(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe without what tells of the machine that it was read on: folders of files, and
    arguments of judges, which may hold addresses and keys."""

    def plain(part: Any, key: str) -> Any:
        if isinstance(part, dict):
            kept = [k for k in part if key != "judges" or k in _KEPT_OF_JUDGES]
            return {k: plain(part[k], str(k)) for k in kept}
        if isinstance(part, list | tuple):
            return [plain(v, key) for v in part]
        is_path = isinstance(part, str) and key != "prompt" and PurePath(part).is_absolute()
        return PurePath(part).name if is_path else part

    return {name: plain(part, name) for name, part in recipe.items()}


def _problems(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """What is wrong beyond files and card: what cannot be loaded, and licences."""
    try:
        model = check_model_folder(folder)
    except InputFileError as error:
        name = PurePath(str(error.path)).name if error.path != folder else ""
        yield Problem(name, None, "", error.message)
        return
    if model is None:
        yield Problem(HIVES_MANIFEST, None, "", "is missing")
        return
    base = license_of(model.base.license)
    if base is None:
        message = (
            f"the licence of the base model {model.base.name} is not known: say which with "
            "--base-license"
        )
        yield Problem(HIVES_MANIFEST, None, "base", message)
    elif not base.derivable:
        message = "the licence of the base model does not allow what was made from it to be shared"
        yield Problem(HIVES_MANIFEST, None, "base", message, repr(model.base.license))
    for source in model.corpus.sources:
        license = license_of(source.license)
        if license is None:
            message = (
                f"{source.source}: its licence is not known to allow what was derived from its "
                "texts to be passed on; train without it"
            )
            yield Problem(HIVES_MANIFEST, None, "corpus", message, repr(source.license[:40]))
        elif not license.derivable:
            message = (
                f"{source.source}: its licence does not allow what was derived from its texts to "
                f"be passed on: {license.note}. Train without it"
            )
            yield Problem(HIVES_MANIFEST, None, "corpus", message, repr(license.name))


def _read(folder: Path) -> HivesManifest:
    found = read_hives_manifest(folder)
    if found is None:
        raise InputFileError(folder, f"has no {HIVES_MANIFEST}")
    return found


def _identity(folder: Path, manifest: Manifest) -> str:
    """Two versions are the same where weights, texts and figures are."""
    model = _read(folder)
    held = [
        *(model.weights_sha256, model.trained_on_sha256, model.base.license),
        *(model.evaluated, [record.model_dump() for record in model.metrics]),
    ]
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def model_changes(
    old: Path, new: Path, since: str, measure_again: MeasureAgain | None = None
) -> dict[str, Any]:
    """What changed between two versions of a model.

    Args:
        old: folder with `hives.json` of the version before.
        new: folder of the new one.
        since: tag of the version before.
        measure_again: measures the version before on the texts of a split of the new one, where its
            own figures are of others.

    Returns:
        `since`; whether the weights are the `same_weights`; `figures`, a row a figure of both
        (split, theory, metric, old, new) where they were measured on the same texts; `other_texts`,
        splits of which they were not, with the reason; and `value_vectors`, by split and theory the
        mean over the values of 1 - cosine of the centred value vectors (`moved`, None where
        dimensions differ), the mean absolute change of the cosines between two values (`turned`),
        and their number.
    """
    before, after = read_hives_manifest(old), _read(new)
    if before is None:
        return {"since": since, "same_weights": False, "figures": [], "other_texts": {}}
    figures: list[dict[str, Any]] = []
    moved: dict[str, Any] = {}
    others: dict[str, str] = {}
    now = read_value_vectors(new)
    for split, texts in after.evaluated.items():
        records: Sequence[MetricRecord] = before.metrics
        vectors: ValueVectors = read_value_vectors(old).get(split, {})
        if before.evaluated.get(split) != texts:
            try:
                if measure_again is None:
                    raise ValueflowError("figures then and now are of other texts")
                records, vectors = measure_again(split)
            except ValueflowError as error:
                # Its words go into the card: without the folder that they are about.
                others[split] = getattr(error, "message", str(error))
                continue
        then = {
            (r.theory, r.metric): r.value
            for r in records
            if r.model == "hives" and r.split == split
        }
        figures += [
            {
                "split": split,
                "theory": r.theory,
                "metric": r.metric,
                "old": then[key],
                "new": r.value,
            }
            for r in after.metrics
            if r.model == "hives" and r.split == split and (key := (r.theory, r.metric)) in then
        ]
        moved[split] = {
            theory: _moved(vectors[theory], found)
            for theory, found in now.get(split, {}).items()
            if theory in vectors
        }
    return {
        "since": since,
        "same_weights": before.weights_sha256 == after.weights_sha256,
        "figures": figures,
        "other_texts": others,
        "value_vectors": moved,
    }


def _moved(
    one: Mapping[str, Sequence[float]], other: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    names = [name for name in one if name in other]
    if not names:
        return {"values": 0, "moved": None, "turned": None}
    a, b = (np.array([held[name] for name in names], dtype=float) for held in (one, other))
    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (a, b))
    moved = None
    if a.shape == b.shape:
        moved = round(float(np.mean(1 - (a * b).sum(axis=1))), 6)
    above = np.triu_indices(len(names), 1)
    turned = None
    if len(above[0]):
        turned = round(float(np.mean(np.abs(a @ a.T - b @ b.T)[above])), 6)
    return {"values": len(names), "moved": moved, "turned": turned}


def _told(manifest: Manifest) -> str:
    found = manifest.changes
    if found is None:
        return "The first version."
    lines = [
        f"{row['theory']} {row['metric']} ({row['split']}): {row['old']:.3f} -> {row['new']:.3f}"
        for row in found["figures"]
    ]
    return "\n".join([f"Since {found['since']}:", *(lines or ["no figures of the same texts"])])


def _card(folder: Path, manifest: Manifest, repo_id: str) -> str:
    model = _read(folder)
    base = license_of(model.base.license)
    names = sorted({source.license for source in model.corpus.sources})
    known = [found for name in names if (found := license_of(name))]
    joint = joint_license(base, known) if base is not None and len(known) == len(names) else None
    registry = load_registry()
    notes = folder / NOTES
    pictures = sorted(
        path.relative_to(folder).as_posix() for path in (folder / EVALUATION).rglob("*.png")
    )
    corpus = model.corpus.repo.partition("@")[0]
    on_hub = model.base.name.count("/") == 1 and model.base.revision != ""
    return rendered(
        "model_card.md.jinja",
        metadata=yaml_text(
            {
                **license_metadata([model.base.license, *names], joint),
                "library_name": "sentence-transformers",
                "pipeline_tag": "sentence-similarity",
                **({"base_model": model.base.name} if on_hub else {}),
                **({"datasets": [corpus]} if corpus else {}),
                "tags": ["sentence-transformers", "human-values", "valueflow", "hives"],
            }
        ),
        manifest=manifest,
        model=model,
        on_hub=on_hub,
        theories={
            registry.theories[name].title if name in registry.theories else name: [
                value.partition(":")[2] for value in model.values if value.startswith(f"{name}:")
            ]
            for name in model.theories
        },
        evaluations=_evaluations(model),
        pictures=pictures,
        recipe=yaml_text(model.recipe),
        encoded=sorted(path.name for path in (folder / ENCODED).glob("*.npz"))
        + sorted(path.name for path in (folder / ENCODED).glob("*.parquet")),
        license=joint,
        licenses={name: license_of(name) for name in (*names, model.base.license)},
        terms=terms_of([*known, *([base] if base is not None else [])]),
        notes=notes.read_text(encoding="utf-8").strip() if notes.is_file() else "",
        repo_id=repo_id,
    )


def _evaluations(model: HivesManifest) -> list[dict[str, Any]]:
    """A table a split and theory: its models, and a row a metric with a cell a model."""
    tables: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for record in model.metrics:
        tables[record.split, record.theory].append(record)
    found = []
    for (split, theory), records in tables.items():
        models = list(Counter(record.model for record in records))
        cells = {(record.metric, record.model): _shown(record) for record in records}
        rows = [
            (metric, [cells.get((metric, name), "") for name in models])
            for metric in Counter(record.metric for record in records)
        ]
        found.append({"split": split, "theory": theory, "models": models, "rows": rows})
    return found


def _shown(record: Any) -> str:
    text = f"{record.value:.3f}"
    if record.low is not None and record.high is not None and math.isfinite(record.low):
        text += f" [{record.low:.3f}, {record.high:.3f}]"
    return text


def _is_read(name: str) -> bool:
    """Whether sentence-transformers or valueflow reads a file of that name."""
    ours = name in (HIVES_MANIFEST, VALUE_VECTORS) or name.startswith(f"{ENCODED}/")
    return ours or decides_vectors(name) or name.endswith((*PICKLES, ".py"))


MODEL = Kind(
    name=KIND,
    title="HiVES",
    repo_type="model",
    layout=HIVES_MANIFEST,
    made_by="`valueflow build hives RECIPE.yaml -o DIR` makes a model that has",
    holds=lambda folder: (folder / HIVES_MANIFEST).is_file(),
    check=_problems,
    card=_card,
    changes=model_changes,
    compared=(HIVES_MANIFEST, VALUE_VECTORS),
    told=_told,
    is_read=_is_read,
    use="valueflow encode texts.csv -o vectors --model {ref}",
    identity=_identity,
)
