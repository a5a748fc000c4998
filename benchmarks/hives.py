"""Embedding models trained on real arguments: losses side by side, without and with stage 2.

    python benchmarks/hives.py --data DIR --base MODEL [--mode head] [--steps 300] [-o WORK]

DIR holds `valueeval/` (arguments-*.tsv, labels-*.tsv of Touché23-ValueEval). Models are trained on
its training split and measured on its validation split, grouped by conclusion; no conclusion is in
both. WORK keeps what was trained, so that a stopped run goes on. The same command runs on a GPU,
and then prints time and memory per 1,000 steps. `--sampler` gives the processor time that dealing a
batch from 100,000 rows takes.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from valueflow.hub_assets.inputs.value_anchors import read_anchors
from valueflow.rebuild.database.judging import Budget
from valueflow.rebuild.hives.corpus import Corpus, build_corpus, read_corpus, rows_of_recipe
from valueflow.rebuild.hives.evaluation import evaluate_vectors, random_vectors, tfidf_vectors
from valueflow.rebuild.hives.recipe import read_hives_recipe
from valueflow.rebuild.hives.samplers import row_dealer
from valueflow.scorers.database.embedding.metrics import Interval

SHOWN = (
    "rank accuracy (pairwise)",
    "rank accuracy (strict)",
    "similarity correlation",
    "probe F1",
    "orthogonality (centred)",
    "mean cosine",
    "kNN accuracy, level 4",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of the real data")
    parser.add_argument("--base", help="sentence-transformers model to begin from")
    parser.add_argument("--mode", choices=["full", "lora", "head"], default="head")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=None)
    parser.add_argument("--rate", type=float, default=None, help="learning rate")
    parser.add_argument("--length", type=int, default=96, help="tokens of a text that are read")
    parser.add_argument(
        "--runs", nargs="*", help="only these: graded, level-by-level, infonce, stage2"
    )
    parser.add_argument("--probe", action="store_true", help="the probe learns from training rows")
    parser.add_argument("--sampler", action="store_true", help="only time the dealing of batches")
    parser.add_argument("-o", "--output", type=Path, default=Path("hives-benchmark"))
    given = parser.parse_args()
    if given.sampler:
        time_sampler()
        return
    if given.data is None or given.base is None:
        parser.error("--data and --base are needed")
    compare(given)


def compare(given: argparse.Namespace) -> None:
    """Trains a model a loss, and prints all on the same texts."""
    from valueflow.rebuild.hives.training import train
    from valueflow.scorers.database.embedding.hives import encode, load

    head = given.mode == "head"
    stage = {
        "steps": given.steps,
        "batch": given.batch or (128 if head else 32),
        "positives": 1,
        "learning_rate": given.rate or (2e-3 if head else 1e-4),
    }
    tied = {**stage, "steps": max(given.steps // 4, 1), "learning_rate": stage["learning_rate"] / 4}
    runs: dict[str, dict[str, Any]] = {
        "graded": {"stage1": {**stage, "temperature": 0.5}},
        "level-by-level": {"loss": "level-by-level", "stage1": {**stage, "temperature": 0.1}},
        "infonce": {"loss": "infonce", "stage1": stage},
        "stage2": {"stage1": {**stage, "temperature": 0.5}, "stage2": {**tied, "temperature": 0.5}},
    }
    test = rows_of_recipe(
        read_hives_recipe(recipe(given, "validation", {})), given.output / "validation"
    )
    base = load(given.base)
    vectors = {"base": encode(base, test.texts, batch_size=64)}
    taught: dict[str, np.ndarray] = {}
    learn: Corpus | None = None
    for name in given.runs or runs:
        folder = given.output / f"{given.mode}-{name}"
        read = read_hives_recipe(recipe(given, "training", runs[name], name))
        build_corpus(read, folder, Budget(0))
        learn = read_corpus(folder).of("train")
        began = time.monotonic()
        train(read, folder, print)
        print(f"{name}: {time.monotonic() - began:,.0f} s{memory(given.steps, began)}", flush=True)
        model = load(folder / "model")
        vectors[name] = encode(model, test.texts, batch_size=64)
        if given.probe:
            taught[name] = encode(model, learn.texts, batch_size=64)
    both = tfidf_vectors([*test.texts, *(learn.texts if learn else [])])
    noise = random_vectors(len(both), base.dimensions, 0)
    vectors |= {"tf-idf": both[: len(test.rows)], "random": noise[: len(test.rows)]}
    probe = None
    if given.probe and learn is not None:
        taught["base"] = encode(base, learn.texts, batch_size=64)
        taught |= {"tf-idf": both[len(test.rows) :], "random": noise[len(test.rows) :]}
        probe = (learn, taught)
    print_table(vectors, test, probe)


def print_table(vectors: dict[str, np.ndarray], test: Corpus, probe: Any) -> None:
    """Figures of every model, then the paired difference of each to the base."""
    (found,) = evaluate_vectors(vectors, test, "validation", probe=probe).theories
    print(f"\n{found.texts:,} texts of {found.groups} conclusions; 95 % intervals by conclusion\n")
    print(f"{'':26}" + "".join(f"{model:>22}" for model in found.figures))
    for name in SHOWN:
        cells = [told(figures.get(name)) for figures in found.figures.values()]
        print(f"{name:26}" + "".join(f"{cell:>22}" for cell in cells))
    print("\nless the base, paired")
    for model in vectors:
        if model in ("base", "tf-idf", "random"):
            continue
        pair = {"hives": vectors[model], "base": vectors["base"]}
        learned = None
        if probe is not None:
            learned = (probe[0], {"hives": probe[1][model], "base": probe[1]["base"]})
        (found,) = evaluate_vectors(pair, test, "validation", probe=learned).theories
        cells = [f"{name} {told(found.differences.get(name), '+')}" for name in SHOWN]
        print(f"{model}: " + "; ".join(cells))


def told(figure: Interval | None, sign: str = "") -> str:
    if figure is None:
        return ""
    return f"{figure.value:{sign}.3f} [{figure.low:{sign}.3f}, {figure.high:{sign}.3f}]"


def recipe(given: argparse.Namespace, split: str, train: dict[str, Any], name: str = "") -> Path:
    """Writes the recipe of a run."""
    data = given.data.resolve() / "valueeval"
    source = {
        "adapter": "valueeval",
        "path": str(data / f"arguments-{split}.tsv"),
        "labels": str(data / f"labels-{split}.tsv"),
    }
    base = Path(given.base)
    settings = {
        "base": str(base.resolve()) if base.exists() else given.base,
        "mode": given.mode,
        "max_seq_length": given.length,
        "checkpoint_every": max(given.steps // 5, 1),
        "look_every": max(given.steps // 10, 1),
        # The published loss is let go on to where it goes.
        "mean_cosine_limit": 1.0,
        "stage2": None,
        **train,
    }
    body: dict[str, Any] = {"theories": ["pvq"], "sources": [source]}
    if train:
        body |= {"corpus": {"shares": {"train": 1.0}}, "train": settings}
    given.output.mkdir(parents=True, exist_ok=True)
    path = Path(given.output / f"{split}-{name or 'rows'}.yaml")
    path.write_text(yaml.safe_dump(body), encoding="utf-8")
    return path


def memory(steps: int, began: float) -> str:
    """Time and memory per 1,000 steps, on a GPU."""
    import torch

    if not torch.cuda.is_available():
        return ""
    seconds = (time.monotonic() - began) / steps * 1000
    return (
        f"; {seconds:,.0f} s per 1,000 steps, {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB"
    )


def time_sampler(rows: int = 100_000, batches: int = 2000) -> None:
    """Milliseconds a batch from so many rows."""
    generator = np.random.default_rng(0)
    names = [f"pvq:{n}" for n in ("caring", "rules", "thought", "nature", "resources", "hedonism")]
    names += [f"duty:{n}" for n in ("fidelity", "gratitude", "justice")]
    labels = generator.integers(0, len(names), (rows, 2))
    made = tuple({"labels": {names[a]: "support", names[b]: "support"}} for a, b in labels)
    corpus = Corpus(made, {}, "")
    anchors = [*read_anchors("individual"), *read_anchors("theory")]
    for told_as, tied, batch in (("stage 1", [], 32), ("stage 2", anchors, 64)):
        dealer = row_dealer(corpus, tied, batch, 4)
        began = time.process_time()
        dealt = sum(1 for _ in dealer.batches(batches, 0))
        spent = (time.process_time() - began) / dealt * 1e3
        print(f"{told_as}: {spent:.3f} ms a batch of {batch} from {rows:,} rows")


if __name__ == "__main__":
    main()
