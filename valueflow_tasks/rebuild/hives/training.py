"""Trains an embedding model on a corpus, stage by stage; goes on after any kill.

    train/base_vectors.npz     the base's vectors of all rows, in mode `head`
    train/STAGE/checkpoint-N   trainable weights, optimiser, schedule and random states
    train/STAGE/done.json      the stage is finished; weights.safetensors are its result
    model/                     the finished model, see `valueflow.hub_assets.inputs.model_folder`

All is sentence-transformers' own Trainer: several devices (accelerate, torchrun), precision,
resumption and trackers are its. A checkpoint counts once its file `complete.json` is written, which
is written last; a run that goes on takes the newest such one.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from valueflow.hub_assets.errors import InputFileError, OptionError, ValueflowError
from valueflow.hub_assets.files import write_text
from valueflow.hub_assets.inputs.model_folder import (
    BaseRecord,
    CorpusRecord,
    HivesManifest,
    SourceRecord,
    card_license,
    model_hash,
    read_trained_on,
    write_hives_manifest,
    write_trained_on,
)
from valueflow.hub_assets.inputs.value_anchors import ValueAnchor
from valueflow.hub_assets.lazy import need
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.rebuild.database.recipe import fingerprint
from valueflow.rebuild.hives.anchors import recipe_anchors
from valueflow.rebuild.hives.corpus import Corpus, read_corpus
from valueflow.rebuild.hives.recipe import HivesRecipe, StageSpec, TrainSpec
from valueflow.rebuild.hives.samplers import RowDealer, row_dealer
from valueflow.scorers.database.embedding.hives import (
    HivesModel,
    check_device,
    dimensions_of,
    encode,
    find_model,
    load,
)

__all__ = ["check_training", "train"]

PROBE_TEXTS = 64
"""Texts whose mean cosine shows a collapse."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Stage:
    """A stage of training: its name, settings, and the rows and anchors that it deals."""

    name: str
    spec: StageSpec
    anchors: tuple[ValueAnchor, ...]
    mark: str


def check_training(recipe: HivesRecipe) -> None:
    """Checks, before any text is read, that the recipe's model can be trained here.

    Raises:
        ValueflowError: the extra is not installed, the base model cannot be had or has no weights
            in safetensors, or a device is not there.
    """
    spec = recipe.train
    lora = ("peft",) if spec.mode == "lora" else ()
    need("training", "hives", "sentence_transformers", "torch", "accelerate", "datasets", *lora)
    if spec.device != "auto":
        check_device(spec.device)
    find_model(_base_name(recipe))


def _base_name(recipe: HivesRecipe) -> str:
    """The base as a folder (relative to the recipe) or as `ORG/NAME@REVISION`."""
    spec = recipe.train
    if recipe.path(spec.base).is_dir():
        return str(recipe.path(spec.base))
    return f"{spec.base}@{spec.revision}" if spec.revision else spec.base


def train(recipe: HivesRecipe, folder: Path, say: Say = lambda _: None) -> HivesManifest:
    """Trains on the corpus of a build and writes `model/`.

    Args:
        recipe: the recipe.
        folder: of the build, whose corpus is there.
        say: told what was done.

    Returns:
        The manifest of the finished model.

    Raises:
        InputFileError: the folder was begun with other settings, or cannot be written to.
        ValueflowError: training was stopped: a loss that is no number, a collapse.
    """
    check_training(recipe)
    whole = read_corpus(folder)
    corpus = whole.of("train")
    device = None if recipe.train.device == "auto" else recipe.train.device
    base = load(_base_name(recipe), device=device)
    anchors = recipe_anchors(recipe, folder)
    stages = _stages(recipe, whole, base, anchors)
    target = folder / "model"
    mark = stages[-1].mark
    if (done := _finished_model(target, mark)) is not None:
        say(f"train: done before; the model lies in {target}")
        return done
    worker = _Worker(recipe, folder, base, corpus, say)
    for stage in stages:
        worker.run(stage)
    manifest = _save(recipe, worker, whole, stages, target)
    say(f"train: {sum(s.spec.steps for s in stages):,} steps; the model lies in {target}")
    return manifest


def _stages(
    recipe: HivesRecipe, whole: Corpus, base: HivesModel, anchors: Sequence[ValueAnchor]
) -> list[_Stage]:
    spec = recipe.train
    frame = spec.model_dump(
        mode="json",
        exclude={"stage1", "stage2", "checkpoint_every", "look_every", "device", "arguments"},
    )
    mark = fingerprint(
        frame, whole.sha256, base.sha256, recipe.seed, sorted(spec.arguments.items())
    )
    mark = fingerprint(mark, spec.stage1)
    tied = tuple(anchors)
    # InfoNCE has anchors to draw texts to from the first stage on.
    found = [_Stage("stage1", spec.stage1, tied if spec.loss == "infonce" else (), mark)]
    if spec.stage2 is not None:
        if not tied:
            raise InputFileError(recipe.folder, "has no anchors for stage2; leave it out: null")
        mark = fingerprint(mark, spec.stage2, [str(anchor) for anchor in tied])
        found.append(_Stage("stage2", spec.stage2, tied, mark))
    return found


class _Worker:
    """The model that is trained, and what its stages share."""

    def __init__(
        self, recipe: HivesRecipe, folder: Path, base: HivesModel, corpus: Corpus, say: Say
    ) -> None:
        self.recipe, self.folder, self.corpus, self.say = recipe, folder, corpus, say
        self.spec: TrainSpec = recipe.train
        self.base = base
        self.model = _copy_of(base)
        self.prompt = _prepare(self.model, self.spec)
        self.trained = self.model
        if self.spec.mode == "lora":
            _add_adapters(self.model, self.spec)
        elif self.spec.mode == "head":
            self.trained = _head(dimensions_of(self.model), self.model.device)

    def run(self, stage: _Stage) -> None:
        """One stage to its end, from where it was."""
        from safetensors.torch import load_file

        place = self.folder / "train" / stage.name
        weights = place / "weights.safetensors"
        if _record(place / "done.json").get("mark") == stage.mark and weights.is_file():
            self.trained.load_state_dict(load_file(weights), strict=False)
            return
        begun = _record(place / "begun.json").get("mark")
        if begun is not None and begun != stage.mark:
            raise InputFileError(
                place,
                "was begun with other settings, texts or weights; build into another folder, or "
                "delete it to train anew",
            )
        write_text(place / "begun.json", json.dumps({"mark": stage.mark}) + "\n")
        self._fit(stage, place)
        _write_weights(self.trained, weights)
        write_text(place / "done.json", json.dumps({"mark": stage.mark}) + "\n")
        for checkpoint in place.glob("checkpoint-*"):
            shutil.rmtree(checkpoint, ignore_errors=True)

    def _fit(self, stage: _Stage, place: Path) -> None:
        from safetensors import SafetensorError

        from valueflow.rebuild.hives.losses.rows import TrainingStopped
        from valueflow.rebuild.hives.trainer import fit

        last = _last_complete(place)
        if last is not None:
            self.say(f"train: {stage.name} goes on from step {last.name.partition('-')[2]}")
        rows = [*self.corpus.texts, *(anchor.text for anchor in stage.anchors)]
        try:
            fit(
                self.trained,
                self.spec,
                stage.spec,
                place,
                dealer=self._dealer(stage),
                corpus=self.corpus,
                anchors=stage.anchors,
                texts=rows,
                vectors=self._base_vectors(rows) if self.spec.mode == "head" else None,
                prompt=self.prompt,
                seed=self.recipe.seed,
                resume=last,
                probe=_probe_rows(len(self.corpus.rows), self.recipe.seed),
            )
        except TrainingStopped as stopped:
            kept = _last_complete(place)
            where = f"; the last good checkpoint is {kept}" if kept is not None else ""
            raise ValueflowError(
                f"training of {stage.name} was stopped: {stopped}{where}"
            ) from None
        except (OSError, SafetensorError, RuntimeError) as error:
            # torch.save tells of a full disk by a RuntimeError of its own.
            told = str(error)
            full = "No space left" in told or "file write failed" in told or "disk" in told.lower()
            if isinstance(error, OSError | SafetensorError) or full:
                kept = _last_complete(place)
                where = (
                    f"the last good checkpoint is {kept}" if kept else "no checkpoint is whole yet"
                )
                raise InputFileError(
                    place,
                    f"cannot be written to ({told.splitlines()[0]}); {where}. Make room and "
                    "run the same command again to go on",
                ) from None
            raise

    def _dealer(self, stage: _Stage) -> RowDealer:
        return row_dealer(self.corpus, stage.anchors, stage.spec.batch, stage.spec.positives)

    def _base_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """The frozen base's vectors of all rows, kept from run to run and from stage to stage."""
        path = self.folder / "train" / "base_vectors.npz"
        key = fingerprint(self.base.sha256, self.prompt, self.spec.max_seq_length)
        ids = [fingerprint(text) for text in texts]
        held = _held_vectors(path, key)
        lacking = {name: text for name, text in zip(ids, texts, strict=True) if name not in held}
        if lacking:
            self.say(f"train: encoding {len(lacking):,} texts with the frozen base, once")
            model = HivesModel("", self.base.folder, "", None, self.base.dimensions, self.model)
            found = encode(model, list(lacking.values()))
            held |= dict(zip(lacking, found, strict=True))
            _keep_vectors(path, key, held)
        return np.stack([held[name] for name in ids])

    def finished(self) -> Any:
        """The model with adapters merged in, or with its head on."""
        from sentence_transformers import SentenceTransformer

        if self.spec.mode == "lora":
            _merge_adapters(self.model)
        if self.spec.mode != "head":
            return self.model
        from sentence_transformers.models import Normalize

        modules = [*self.model, Normalize(), *self.trained]
        made = SentenceTransformer(modules=modules, device=str(self.model.device))
        made.max_seq_length = self.model.max_seq_length
        made.prompts, made.default_prompt_name = self.model.prompts, self.model.default_prompt_name
        return made


def _held_vectors(path: Path, key: str) -> dict[str, np.ndarray]:
    """Vectors by the hash of their text; none where they are of another base or prompt."""
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as held:
            if str(held["key"]) == key:
                return dict(zip(held["ids"].tolist(), held["vectors"], strict=True))
    except (OSError, ValueError, KeyError, BadZipFile):
        pass  # A file that cannot be read is made anew.
    return {}


def _keep_vectors(path: Path, key: str, held: Mapping[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    try:
        with temporary.open("wb") as stream:
            np.savez(
                stream,
                key=np.array(key),
                ids=np.array(list(held)),
                vectors=np.stack(list(held.values())),
            )
        os.replace(temporary, path)
    except OSError as error:
        raise InputFileError(path, f"cannot be written ({error.strerror})") from None


def _copy_of(base: HivesModel) -> Any:
    """A model of its own to train: the loaded one is shared by the process."""
    import copy

    return copy.deepcopy(base.model)


def _prepare(model: Any, spec: TrainSpec) -> str:
    """Sets length, padding side and prompt; returns the prompt."""
    model.max_seq_length = min(spec.max_seq_length, model.max_seq_length or spec.max_seq_length)
    # Where the last token is taken for the whole text, padding must stand before it.
    if any(getattr(module, "pooling_mode_lasttoken", False) for module in model):
        model.tokenizer.padding_side = "left"
    prompt = spec.prompt if spec.prompt is not None else dict(model.prompts or {}).get("query", "")
    model.prompts = {"hives": prompt or ""}
    model.default_prompt_name = "hives" if prompt else None
    return prompt or ""


def _head(dimensions: int, device: Any) -> Any:
    """A projection that begins as nothing added to the vector itself."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Dense, Normalize

    dense = Dense(
        dimensions,
        dimensions,
        activation_function=torch.nn.Identity(),
        init_weight=torch.eye(dimensions),
        init_bias=torch.zeros(dimensions),
    )
    return SentenceTransformer(modules=[dense, Normalize()], device=str(device))


def _add_adapters(model: Any, spec: TrainSpec) -> None:
    from peft import LoraConfig, get_peft_model

    modules = spec.lora.modules
    config = LoraConfig(
        r=spec.lora.rank,
        lora_alpha=spec.lora.alpha,
        lora_dropout=spec.lora.dropout,
        target_modules=modules if isinstance(modules, str) else list(modules),
    )
    try:
        first = model[0]
        name = "model" if "model" in dict(first.named_children()) else "auto_model"
        setattr(first, name, get_peft_model(getattr(first, name), config))
    except ValueError as error:
        raise OptionError("train.lora.modules", str(error).splitlines()[0]) from None


def _merge_adapters(model: Any) -> None:
    first = model[0]
    name = "model" if "model" in dict(first.named_children()) else "auto_model"
    setattr(first, name, getattr(first, name).merge_and_unload())


def _write_weights(model: Any, path: Path) -> None:
    """Trainable weights, whole or not at all."""
    from safetensors.torch import save_file

    from valueflow.rebuild.hives.trainer import trainable

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    try:
        save_file(trainable(model), temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise InputFileError(path, f"cannot be written ({error.strerror})") from None


def _probe_rows(count: int, seed: int) -> list[int]:
    from valueflow.hub_assets.seeds import generator_for

    generator = generator_for(seed, "hives", "probe")
    return [int(row) for row in generator.permutation(count)[:PROBE_TEXTS]]


def _last_complete(place: Path) -> Path | None:
    """The newest checkpoint that was written to its end; unfinished ones are removed."""
    found: list[tuple[int, Path]] = []
    for checkpoint in place.glob("checkpoint-*"):
        if (checkpoint / "complete.json").is_file():
            found.append((int(checkpoint.name.partition("-")[2]), checkpoint))
        else:
            shutil.rmtree(checkpoint, ignore_errors=True)
    return max(found)[1] if found else None


def _record(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _finished_model(target: Path, mark: str) -> HivesManifest | None:
    from valueflow.hub_assets.inputs.model_folder import check_model_folder

    if not (target / "hives.json").is_file():
        return None
    manifest = check_model_folder(target)
    if manifest is None or manifest.recipe_sha256 != mark:
        raise InputFileError(
            target, "holds a model of other settings; build into another folder, or delete it"
        )
    return manifest


def _save(
    recipe: HivesRecipe, worker: _Worker, whole: Corpus, stages: Sequence[_Stage], target: Path
) -> HivesManifest:
    """Writes the model's folder beside its place, then puts it there."""
    made = worker.finished()
    temporary = target.with_name(".model")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        made.save_pretrained(str(temporary), create_model_card=False, safe_serialization=True)
    except OSError as error:
        raise InputFileError(target, f"cannot be written ({error.strerror or error})") from None
    corpus = worker.corpus
    # What the base has seen, where it is a model of ours, this one has seen too.
    seen = set(read_trained_on(worker.base.folder))
    seen |= {name for row in corpus.rows for name in (row["group"], *row["groups"])}
    trained_on = write_trained_on(temporary, seen)
    wanted = [f"{value.theory}:{value.name}" for value in recipe.wanted()]
    theories = [name for name in load_registry().theories if name in corpus.theories]
    manifest = HivesManifest(
        base=BaseRecord(
            name=recipe.train.base,
            revision=find_model(_base_name(recipe)).commit or recipe.train.revision or "",
            sha256=worker.base.sha256,
            license=card_license(worker.base.folder) or "see the base model's card",
        ),
        mode=recipe.train.mode,
        theories=tuple(theories),
        values=tuple(name for name in wanted if name.partition(":")[0] in theories),
        dimensions=dimensions_of(made),
        max_seq_length=int(made.max_seq_length),
        prompt=worker.prompt,
        recipe=recipe.model_dump(mode="json", exclude={"folder"}),
        recipe_sha256=stages[-1].mark,
        corpus=CorpusRecord(
            sha256=whole.sha256,
            rows={s: sum(row["split"] == s for row in whole.rows) for s in _SPLITS},
            split_hash=whole.about["split_hash"],
            sources=tuple(SourceRecord(**source) for source in whole.about["sources"]),
        ),
        steps={stage.name: stage.spec.steps for stage in stages},
        weights_sha256=model_hash(temporary),
        trained_on_sha256=trained_on,
    )
    write_hives_manifest(temporary, manifest)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(temporary, target)
    return manifest


_SPLITS = ("train", "validation", "test")
