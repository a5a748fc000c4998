"""The recipe of an embedding model: its texts and labels, and how it is trained."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from valueflow.hub_assets.registry.loading import load_registry
from valueflow.rebuild.database.recipe import (
    CategorizeSpec,
    JudgeSpec,
    RecipePart,
    TextsRecipe,
    parsed_recipe,
)

__all__ = [
    "AnchorBuildSpec",
    "AnchorSpec",
    "CorpusSpec",
    "HivesRecipe",
    "LoraSpec",
    "LossName",
    "StageSpec",
    "TrainSpec",
    "read_hives_recipe",
]

LossName = Literal["graded", "level-by-level", "infonce"]


class CorpusSpec(RecipePart):
    """How texts become a corpus.

    `shares` of the splits, by text group, in parts of 1. `near_duplicates` is the Jaccard
    similarity of word triples from which two texts are of one group. `max_characters`: longer texts
    are cut, and counted. `apart_from`: tables (assets, paths, `ORG/NAME@REVISION`) of which no text
    may be trained on; the embedded anchors and questions where not given.
    """

    shares: dict[Literal["train", "validation", "test"], float] = Field(
        default={"train": 0.8, "validation": 0.1, "test": 0.1}
    )
    near_duplicates: float = Field(default=0.8, gt=0, le=1)
    max_characters: int = Field(default=4000, ge=100)
    apart_from: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> "CorpusSpec":
        if min(self.shares.values()) < 0 or abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ValueError("the shares of train, validation and test must add up to 1")
        if self.shares.get("train", 0) <= 0:
            raise ValueError("nothing would be trained on: give 'train' a share")
        return self


class AnchorBuildSpec(RecipePart):
    """How anchors are made by judges: each proposes `instances` and `concepts` of every value, and
    all of them then vote on every candidate as on a database's texts (`CategorizeSpec`). `license`
    is that of what they write."""

    judges: tuple[JudgeSpec, ...] = Field(min_length=1)
    license: str
    instances: int = Field(default=6, ge=0)
    concepts: int = Field(default=6, ge=0)
    near_duplicates: float = Field(default=0.8, gt=0, le=1)
    accept_votes: int = Field(default=5, ge=1)
    accept_lead: int = Field(default=2, ge=1)
    texts_per_prompt: int = Field(default=8, ge=1, le=100)
    attempts: int = Field(default=3, ge=1)

    @model_validator(mode="after")
    def _check(self) -> "AnchorBuildSpec":
        self.categorize()
        if not self.instances and not self.concepts:
            raise ValueError("nothing would be proposed: give 'instances' or 'concepts' a number")
        return self

    def categorize(self) -> CategorizeSpec:
        """The panel's work on candidates."""
        shared = {"judges", "accept_votes", "accept_lead", "texts_per_prompt", "attempts"}
        return CategorizeSpec(**{name: getattr(self, name) for name in shared})

    def panel(self) -> list[JudgeSpec]:
        return self.categorize().panel()


class AnchorSpec(RecipePart):
    """Tables of individual and of theory anchors; the embedded ones where not given; or `build`,
    by which judges make them."""

    individual: str | None = None
    theory: str | None = None
    build: AnchorBuildSpec | None = None

    @model_validator(mode="after")
    def _check(self) -> "AnchorSpec":
        if self.build is not None and (self.individual or self.theory):
            raise ValueError("either name tables of anchors, or 'build' them")
        return self


class StageSpec(RecipePart):
    """One stage of training.

    `batch` rows a step and device; `positives` rows of a label that is drawn; `temperature` of the
    hierarchical loss. Warm-up is a share of the steps.
    """

    steps: int = Field(ge=1)
    batch: int = Field(default=32, ge=4)
    positives: int = Field(default=4, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    temperature: float = Field(default=0.5, gt=0)


class LoraSpec(RecipePart):
    """Low-rank adapters (peft): rank, scale, and the modules that get one; peft's own choice for
    the model's architecture where none are named."""

    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    modules: tuple[str, ...] | Literal["all-linear"] = "all-linear"


class TrainSpec(RecipePart):
    """How the model is trained.

    `base`: a sentence-transformers model, by folder or name on the Hub, at `revision`. `mode`:
    `full` trains all weights, `lora` adapters that are merged in the end, `head` a projection on
    the base's frozen and cached vectors. `stage2` ties theories together by anchors;
    None leaves it out. `ranking` and `apart` are weights of two terms of the loss `graded`.
    `weights` of the three losses of stage 2: hierarchical, individual, theory.
    `precision`: `auto` is bf16 where the device has it, else fp32. `mean_cosine_limit`: above it
    for `patience` looks in a row (a look every `look_every` steps), training stops. `arguments`
    are handed on to `SentenceTransformerTrainingArguments` as they are.
    """

    base: str = "Qwen/Qwen3-Embedding-0.6B"
    revision: str | None = None
    mode: Literal["full", "lora", "head"] = "full"
    loss: LossName = "graded"
    ranking: float = Field(default=0.0, ge=0)
    apart: float = Field(default=0.0, ge=0)
    max_seq_length: int = Field(default=256, ge=8)
    prompt: str | None = None
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    lora: LoraSpec = LoraSpec()
    stage1: StageSpec = StageSpec(steps=20_000)
    stage2: StageSpec | None = StageSpec(steps=5_000, batch=64, learning_rate=1e-5)
    weights: tuple[float, float, float] = (1.0, 0.5, 1.0)
    anchor_temperature: float = Field(default=0.07, gt=0)
    checkpoint_every: int = Field(default=500, ge=1)
    look_every: int = Field(default=50, ge=1)
    patience: int = Field(default=5, ge=1)
    mean_cosine_limit: float = Field(default=0.6, gt=0, le=1)
    arguments: dict[str, Any] = Field(default_factory=dict)


class HivesRecipe(TextsRecipe):
    """The recipe of an embedding model. Labels are those of the sources unless a panel is named."""

    categorize: CategorizeSpec = CategorizeSpec(values="given")
    corpus: CorpusSpec = CorpusSpec()
    anchors: AnchorSpec = AnchorSpec()
    train: TrainSpec = TrainSpec()

    def apart_from(self) -> tuple[str, ...]:
        """Tables of which no text may be trained on."""
        if self.corpus.apart_from is not None:
            return self.corpus.apart_from
        kinds = ("vidb", "queries", "opinion-questions")
        assets = load_registry().assets
        return tuple(n for n, a in assets.items() if a.kind in kinds and a.embedded is not None)


def read_hives_recipe(path: Path) -> HivesRecipe:
    """Reads and checks a recipe.

    Raises:
        InputFileError: it cannot be read, is not YAML, or a part of it is wrong; all faults are
            named with their places.
    """
    return parsed_recipe(path, HivesRecipe, "'sources' and 'train'")
