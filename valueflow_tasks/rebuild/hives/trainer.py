"""One stage under sentence-transformers' Trainer, with what watches over it."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from sentence_transformers import (
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sampler import DefaultBatchSampler
from torch import Tensor
from transformers import TrainerCallback

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.value_anchors import ValueAnchor
from valueflow.rebuild.hives.corpus import Corpus
from valueflow.rebuild.hives.losses.graded import GradedContrast
from valueflow.rebuild.hives.losses.infonce import AnchorInfoNCE
from valueflow.rebuild.hives.losses.level_by_level import LevelByLevel
from valueflow.rebuild.hives.losses.rows import RowLoss, RowTable, TrainingStopped, row_table
from valueflow.rebuild.hives.losses.weighted import WeightedSum
from valueflow.rebuild.hives.recipe import StageSpec, TrainSpec
from valueflow.rebuild.hives.samplers import RowDealer

__all__ = ["fit", "loss_of", "trainable"]

_WEIGHTS = "trainable.safetensors"
_KEPT_CHECKPOINTS = 2


def fit(
    model: Any,
    spec: TrainSpec,
    stage: StageSpec,
    place: Path,
    *,
    dealer: RowDealer,
    corpus: Corpus,
    anchors: Sequence[ValueAnchor],
    texts: Sequence[str],
    vectors: np.ndarray | None,
    prompt: str,
    seed: int,
    resume: Path | None,
    probe: Sequence[int],
) -> None:
    """Trains a model in place, to the end of a stage.

    Args:
        model: a SentenceTransformer; what requires a gradient is trained.
        spec: the recipe's settings.
        stage: of the stage.
        place: its folder, for checkpoints.
        dealer: of batches of row numbers.
        corpus: the training rows.
        anchors: that follow them.
        texts: of all rows.
        vectors: of all rows, which are put in place of the texts in mode `head`.
        prompt: put before every text.
        seed: of all draws.
        resume: a whole checkpoint to go on from.
        probe: rows whose mean cosine is looked at.

    Raises:
        TrainingStopped: the loss is no number, or the vectors collapse.
        OptionError: an argument that sentence-transformers does not know, or that is ours to set.
    """
    loss = loss_of(model, spec, stage, row_table(corpus, anchors))
    watch = _Watch(model, spec, [texts[row] for row in probe], vectors, probe, prompt, place)
    trainer = _Trainer(
        model=model,
        args=_arguments(spec, stage, place, dealer, prompt, seed, resume is not None),
        train_dataset=Dataset.from_dict({"text": list(texts), "label": list(range(len(texts)))}),
        loss=loss,
        callbacks=[watch],
        **({} if vectors is None else {"data_collator": _VectorCollator(vectors)}),
    )
    watch.log = trainer.log
    trainer.train(resume_from_checkpoint=None if resume is None else str(resume))


def loss_of(model: Any, spec: TrainSpec, stage: StageSpec, table: RowTable) -> RowLoss:
    """The loss of a stage; with anchors among the rows, the weighted sum of the three."""
    hierarchical: RowLoss
    if spec.loss == "level-by-level":
        hierarchical = LevelByLevel(model, table, stage.temperature)
    else:
        hierarchical = GradedContrast(model, table, stage.temperature, spec.ranking, spec.apart)
    if not bool((table.kind > 0).any()):
        return hierarchical
    first, second, third = spec.weights
    temperature = spec.anchor_temperature
    return WeightedSum(
        model,
        table,
        {
            "hierarchical": (0.0 if spec.loss == "infonce" else first, hierarchical),
            "individual": (second, AnchorInfoNCE(model, table, "individual", temperature)),
            "theory": (third, AnchorInfoNCE(model, table, "theory", temperature)),
        },
    )


def trainable(model: Any) -> dict[str, Tensor]:
    """What is trained of a model, by name."""
    return {
        name: weight.detach().cpu().contiguous()
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }


def _arguments(
    spec: TrainSpec,
    stage: StageSpec,
    place: Path,
    dealer: RowDealer,
    prompt: str,
    seed: int,
    resumed: bool,
) -> SentenceTransformerTrainingArguments:
    cuda = torch.cuda.is_available() and spec.device != "cpu"
    half = spec.precision == "auto" and cuda and torch.cuda.is_bf16_supported()
    ours: dict[str, Any] = {
        "output_dir": str(place),
        "max_steps": stage.steps,
        "per_device_train_batch_size": stage.batch,
        "learning_rate": stage.learning_rate,
        "warmup_steps": math.ceil(stage.warmup * stage.steps),
        "bf16": half or spec.precision == "bf16",
        "fp16": spec.precision == "fp16",
        "use_cpu": not cuda,
        "save_strategy": "steps",
        "save_steps": spec.checkpoint_every,
        "save_total_limit": _KEPT_CHECKPOINTS,
        "logging_steps": spec.look_every,
        "logging_nan_inf_filter": False,
        "seed": seed,
        "data_seed": seed,
    }
    own: dict[str, Any] = {"report_to": "none", "disable_tqdm": True, "dataloader_pin_memory": cuda}
    if prompt:
        own["prompts"] = prompt
    if taken := sorted(set(spec.arguments) & set(ours)):
        raise OptionError("train.arguments", f"'{taken[0]}' follows from the recipe; leave it out")
    try:
        made = SentenceTransformerTrainingArguments(**ours, **{**own, **spec.arguments})
    except (TypeError, ValueError) as error:
        raise OptionError("train.arguments", str(error).splitlines()[0]) from None
    # Each process takes its turn of the batches, and a step may take several.
    count = stage.steps * made.gradient_accumulation_steps * made.world_size
    made.batch_sampler = lambda *_, **__: _Batches(dealer, count, seed)
    return made


class _Batches(DefaultBatchSampler):  # type: ignore[misc]
    """The dealer's batches, as the Trainer takes them."""

    def __init__(self, dealer: RowDealer, count: int, seed: int) -> None:
        self.dealer, self.count, self.seed, self.epoch = dealer, count, seed, 0

    def __iter__(self) -> Iterator[list[int]]:
        return self.dealer.batches(self.count, self.seed, self.epoch)

    def __len__(self) -> int:
        return self.count


class _VectorCollator:
    """Puts kept vectors in place of texts."""

    valid_label_columns = ("label",)

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = torch.from_numpy(np.asarray(vectors, dtype=np.float32))

    def __call__(self, features: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        rows = torch.tensor([feature["label"] for feature in features])
        return {"text_sentence_embedding": self.vectors[rows], "label": rows}


class _Trainer(SentenceTransformerTrainer):  # type: ignore[misc]
    """Keeps in a checkpoint what is trained, in safetensors, and nothing of base or texts."""

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """None: it would copy texts, which have licences of their own, into a card."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_file(trainable(self.model), folder / _WEIGHTS)

    def _load_from_checkpoint(self, checkpoint_path: str, *_: Any, **__: Any) -> None:
        held = load_file(Path(checkpoint_path) / _WEIGHTS)
        lacking, strange = self.model.load_state_dict(held, strict=False)
        if strange or set(lacking) & set(trainable(self.model)):
            raise TrainingStopped(f"{checkpoint_path} holds the weights of another model")


class _Watch(TrainerCallback):
    """Looks for a collapse, and lets a checkpoint count once it is whole and finite."""

    log: Any = None

    def __init__(
        self,
        model: Any,
        spec: TrainSpec,
        texts: list[str],
        vectors: np.ndarray | None,
        rows: Sequence[int],
        prompt: str,
        place: Path,
    ) -> None:
        self.model, self.spec, self.texts, self.prompt = model, spec, texts, prompt
        self.vectors = None if vectors is None else torch.from_numpy(vectors[list(rows)])
        self.place = place
        self.above = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self.spec.look_every:
            return
        found = self._mean_cosine()
        if self.log is not None:
            self.log({"mean_cosine": found})
        if not math.isfinite(found):
            raise TrainingStopped("weights are no finite numbers any more; lower learning_rate")
        self.above = self.above + 1 if found > self.spec.mean_cosine_limit else 0
        if self.above >= self.spec.patience:
            raise TrainingStopped(
                f"the vectors collapse: random texts have a mean cosine of {found:.3f}, above "
                f"{self.spec.mean_cosine_limit} for {self.above} looks of {self.spec.look_every} "
                "steps. Raise temperature, lower learning_rate, or use the loss 'graded'"
            )

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not state.is_world_process_zero:
            return
        checkpoint = self.place / f"checkpoint-{state.global_step}"
        held = load_file(checkpoint / _WEIGHTS)
        if not all(bool(torch.isfinite(weight).all()) for weight in held.values()):
            raise TrainingStopped("weights are no finite numbers any more; lower learning_rate")
        told = json.dumps({"step": state.global_step}) + "\n"
        (checkpoint / "complete.json").write_text(told, encoding="utf-8")

    def _mean_cosine(self) -> float:
        """Of all pairs of the probe's texts."""
        training = self.model.training
        self.model.eval()
        with torch.no_grad():
            if self.vectors is not None:
                features = {"sentence_embedding": self.vectors.to(self.model.device)}
                found = self.model(features)["sentence_embedding"]
            else:
                found = self.model.encode(
                    self.texts,
                    prompt=self.prompt or None,
                    convert_to_tensor=True,
                    show_progress_bar=False,
                )
        self.model.train(training)
        unit = torch.nn.functional.normalize(found.float(), dim=1)
        n = len(unit)
        total = float((unit.sum(dim=0) ** 2).sum())
        return (total - n) / (n * (n - 1)) if n > 1 else 0.0
