"""Training: every mode gives a model that loads, what is killed goes on, what goes wrong stops."""

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_encoder import make_tiny, needs_hives, recipe_of
from valueflow.hub_assets.errors import InputFileError, OptionError, ValueflowError
from valueflow.hub_assets.inputs.model_folder import (
    check_model_folder,
    read_hives_manifest,
    read_trained_on,
    write_hives_manifest,
    write_trained_on,
)
from valueflow.rebuild.database.judging import Budget
from valueflow.rebuild.hives.corpus import build_corpus, read_corpus
from valueflow.rebuild.hives.recipe import read_hives_recipe
from valueflow.rebuild.hives.training import check_training, train
from valueflow.scorers.database.embedding.hives import encode, load

pytestmark = needs_hives


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("tiny") / "base")


def build(folder: Path, model: Path, output: str = "out", **settings: Any) -> Path:
    """Corpus and training in a folder beside a link to the base; returns the build's folder."""
    link = folder / "base"
    if not link.exists():
        link.symlink_to(model)
    recipe = read_hives_recipe(recipe_of(folder, **settings))
    build_corpus(recipe, folder / output, Budget(0))
    train(recipe, folder / output)
    return folder / output


def vectors(folder: Path, texts: list[str]) -> np.ndarray:
    return encode(load(folder / "model", device="cpu"), texts)


@pytest.mark.parametrize("mode", ["full", "lora", "head"])
def test_every_mode_gives_a_folder_that_is_checked_loaded_and_has_moved(
    mode: str, base: Path, tmp_path: Path
) -> None:
    if mode == "lora":
        pytest.importorskip("peft", reason="needs peft: pip install 'valueflow[hives]'")
    built = build(tmp_path, base, mode=mode)
    manifest = check_model_folder(built / "model")
    assert manifest is not None
    assert (manifest.mode, manifest.dimensions) == (mode, 32)
    assert manifest.theories == ("pvq", "duty")
    texts = read_corpus(built).of("train").texts
    before = encode(load(base, device="cpu"), texts)
    after = vectors(built, texts)
    assert np.allclose(np.linalg.norm(after, axis=1), 1, atol=1e-5)
    assert np.abs(after - before).max() > 1e-3


def test_a_model_knows_what_it_was_trained_on_and_nothing_else(base: Path, tmp_path: Path) -> None:
    built = build(tmp_path, base, mode="head")
    seen = read_trained_on(built / "model")
    corpus = read_corpus(built)
    assert {row["id"] for row in corpus.of("train").rows} <= seen
    assert not {row["id"] for row in corpus.of("test").rows} & seen
    # A model that begins from it has seen all that it has.
    first = tmp_path / "first"
    shutil.copytree(built / "model", first)
    manifest = read_hives_manifest(first)
    assert manifest is not None
    digest = write_trained_on(first, [*seen, "of-the-first-alone"])
    write_hives_manifest(first, manifest.model_copy(update={"trained_on_sha256": digest}))
    again = build(tmp_path, base, "again", mode="head", base=str(first))
    assert read_trained_on(again / "model") == seen | {"of-the-first-alone"}


@pytest.mark.parametrize("mode", ["full", "head"])
def test_a_killed_training_goes_on_to_the_weights_of_an_undisturbed_one(
    mode: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from valueflow.rebuild.hives import trainer

    torch.set_num_threads(1)
    whole = build(tmp_path, base, "whole", mode=mode)
    real = trainer._Watch.on_step_end

    def killed(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
        real(self, args, state, control, **more)
        if state.global_step == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as change:
        change.setattr(trainer._Watch, "on_step_end", killed)
        with pytest.raises(KeyboardInterrupt):
            build(tmp_path, base, "cut", mode=mode)
    assert (tmp_path / "cut/train/stage1/checkpoint-4/complete.json").is_file()
    cut = build(tmp_path, base, "cut", mode=mode)
    texts = read_corpus(whole).texts
    assert np.array_equal(vectors(whole, texts), vectors(cut, texts))


def test_a_checkpoint_that_was_not_written_to_its_end_does_not_count(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from valueflow.rebuild.hives import trainer

    def full_disk(weights: Any, path: Path) -> None:
        if "checkpoint-4" in str(path):
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(weights, path)

    real = trainer.save_file
    with monkeypatch.context() as change:
        change.setattr(trainer, "save_file", full_disk)
        with pytest.raises(
            InputFileError, match=r"No space left.*last good checkpoint.*checkpoint-2"
        ):
            build(tmp_path, base)
    assert not (tmp_path / "out/train/stage1/checkpoint-4").exists()
    built = build(tmp_path, base)
    whole = build(tmp_path, base, "whole")
    texts = read_corpus(built).texts
    assert np.array_equal(vectors(built, texts), vectors(whole, texts))


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from valueflow.rebuild.hives.losses.graded import GradedContrast

    real = GradedContrast.of
    calls = 0

    def of(self: Any, found: Any, batch: Any) -> Any:
        nonlocal calls
        calls += 1
        return real(self, found, batch) * (float("nan") if calls > 3 else 1.0)

    monkeypatch.setattr(GradedContrast, "of", of)
    with pytest.raises(ValueflowError, match=r"not a finite number.*learning_rate.*checkpoint-2"):
        build(tmp_path, base)
    assert not (tmp_path / "out/model").exists()


def test_vectors_that_collapse_stop_the_training_and_say_so(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueflowError, match=r"collapse.*mean cosine of .*Raise temperature"):
        build(tmp_path, base, mean_cosine_limit=1e-6, patience=2)


def test_a_folder_that_was_begun_with_other_settings_is_refused(base: Path, tmp_path: Path) -> None:
    build(tmp_path, base)
    with pytest.raises(InputFileError, match="other settings"):
        build(tmp_path, base, stage1={"steps": 7, "batch": 8})


def test_the_frozen_base_reads_every_text_once(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from valueflow.rebuild.hives import training

    read: list[str] = []
    real = training.encode

    def counted(model: Any, texts: Any, **more: Any) -> Any:
        read.extend(texts)
        return real(model, texts, **more)

    monkeypatch.setattr(training, "encode", counted)
    stage = {"steps": 2, "batch": 8, "learning_rate": 1e-3}
    built = build(tmp_path, base, mode="head", stage1=stage, stage2=stage)
    texts = set(read_corpus(built).of("train").texts)
    assert len(read) == len(set(read)) > len(texts)
    assert texts < set(read)


def test_stage_two_ties_theories_by_anchors_of_both_kinds(base: Path, tmp_path: Path) -> None:
    stage = {"steps": 3, "batch": 16, "learning_rate": 1e-3}
    built = build(tmp_path, base, stage2=stage)
    manifest = check_model_folder(built / "model")
    assert manifest is not None
    assert manifest.steps == {"stage1": 6, "stage2": 3}
    assert json.loads((built / "train/stage2/done.json").read_text())["mark"]


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        ({"base": "no/such-folder-here"}, ValueflowError, "no/such-folder-here"),
        ({"device": "cuda"}, OptionError, "no CUDA device here"),
        ({"arguments": {"max_steps": 3}}, OptionError, "'max_steps' follows from the recipe"),
        ({"arguments": {"no_such": 3}}, OptionError, "no_such"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_a_reason(
    settings: dict[str, Any], error: type[Exception], told: str, base: Path, tmp_path: Path
) -> None:
    import torch

    if torch.cuda.is_available() and "device" in settings:
        pytest.skip("there is a CUDA device here")
    with pytest.raises(error, match=told):
        build(tmp_path, base, **settings)


def test_a_base_without_safetensors_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    bare = tmp_path / "base"
    bare.mkdir()
    (bare / "modules.json").write_text("[]")
    (bare / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(InputFileError, match=r"no weights in safetensors.*pytorch_model\.bin"):
        check_training(read_hives_recipe(recipe_of(tmp_path)))
