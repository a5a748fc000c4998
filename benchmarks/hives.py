"""Embedding models trained on real arguments: losses side by side, without and with stage 2.

    python benchmarks/hives.py --data DIR --base MODEL [--mode head] [--steps 300] [-o WORK]
    python benchmarks/hives.py --data DIR --base MODEL --held-out
    python benchmarks/hives.py --data DIR --base MODEL --screening
    python benchmarks/hives.py --sampler

DIR holds `valueeval/` (arguments-*.tsv, labels-*.tsv of Touché23-ValueEval). Models are trained on
its training split and measured on its validation split, grouped by conclusion; no conclusion is in
both. Settings are chosen with `--held-out` alone: a fifth of the training split's conclusions is
held out and measured on in place of the validation split. WORK keeps what was trained, so that a
stopped run goes on. Time and memory per 1,000 steps are printed; the same command runs on a GPU.

`--screening` measures intensities from neighbours (the scorer valueflow/hives) on the rows of
`vidb_excerpt/`. `--sampler` gives the processor time that dealing a
batch from 100,000 rows takes.
"""

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.inputs.value_anchors import read_anchors
from valueflow.rebuild.database.judging import Budget
from valueflow.rebuild.hives.corpus import Corpus, build_corpus, read_corpus, rows_of_recipe
from valueflow.rebuild.hives.evaluation import evaluate_vectors, random_vectors, tfidf_vectors
from valueflow.rebuild.hives.recipe import read_hives_recipe
from valueflow.rebuild.hives.samplers import row_dealer
from valueflow.scorers.database.embedding.intensity import calibrated, cell_mean
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
        "--runs", nargs="*", help="only these: graded, ranking, level-by-level, infonce, stage2"
    )
    parser.add_argument("--probe", action="store_true", help="the probe learns from training rows")
    parser.add_argument(
        "--held-out", action="store_true", help="measure on a fifth of the training conclusions"
    )
    parser.add_argument("--screening", action="store_true", help="only intensities by neighbours")
    parser.add_argument("--sampler", action="store_true", help="only time the dealing of batches")
    parser.add_argument("-o", "--output", type=Path, default=Path("hives-benchmark"))
    given = parser.parse_args()
    if given.sampler:
        time_sampler()
        return
    if given.data is None or given.base is None:
        parser.error("--data and --base are needed")
    if given.screening:
        screen(given.data / "vidb_excerpt", given.base)
        return
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
        "ranking": {"ranking": 1.0, "stage1": {**stage, "temperature": 0.5}},
        "level-by-level": {"loss": "level-by-level", "stage1": {**stage, "temperature": 0.1}},
        "infonce": {"loss": "infonce", "stage1": stage},
        "stage2": {"stage1": {**stage, "temperature": 0.5}, "stage2": {**tied, "temperature": 0.5}},
    }
    test = None
    if not given.held_out:
        test = rows_of_recipe(
            read_hives_recipe(recipe(given, "validation", {})), given.output / "validation"
        )
    base = load(given.base)
    vectors: dict[str, np.ndarray] = {}
    taught: dict[str, np.ndarray] = {}
    learn: Corpus | None = None
    for name in given.runs or runs:
        folder = given.output / f"{given.mode}-{name}{'-held-out' if given.held_out else ''}"
        read = read_hives_recipe(recipe(given, "training", runs[name], name))
        build_corpus(read, folder, Budget(0))
        learn = read_corpus(folder).of("train")
        if test is None:
            test = read_corpus(folder).of("validation")
        if "base" not in vectors:
            vectors["base"] = encode(base, test.texts, batch_size=64)
        done_before = (folder / "model" / "hives.json").is_file()
        share_vectors(given.output, folder)
        began = time.monotonic()
        manifest = train(read, folder, print)
        if not done_before:
            print(f"{name}: {cost(sum(manifest.steps.values()), began)}", flush=True)
        model = load(folder / "model")
        vectors[name] = encode(model, test.texts, batch_size=64)
        if given.probe:
            taught[name] = encode(model, learn.texts, batch_size=64)
    assert test is not None
    both = tfidf_vectors([*test.texts, *(learn.texts if learn else [])])
    noise = random_vectors(len(both), base.dimensions, 0)
    vectors |= {"tf-idf": both[: len(test.rows)], "random": noise[: len(test.rows)]}
    probe = None
    if given.probe and learn is not None:
        taught["base"] = encode(base, learn.texts, batch_size=64)
        taught |= {"tf-idf": both[len(test.rows) :], "random": noise[len(test.rows) :]}
        probe = (learn, taught)
    print_table(vectors, test, probe)


def share_vectors(output: Path, folder: Path) -> None:
    """Gives a run the frozen base's vectors of another one, which know what they are of."""
    mine = folder / "train" / "base_vectors.npz"
    others = sorted(output.glob("*/train/base_vectors.npz"), key=lambda file: file.stat().st_size)
    if others and not mine.is_file():
        mine.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(others[-1], mine)


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
        shares = {"train": 0.8, "validation": 0.2} if given.held_out else {"train": 1.0}
        body |= {"corpus": {"shares": shares}, "train": settings}
    given.output.mkdir(parents=True, exist_ok=True)
    path = Path(given.output / f"{split}-{name or 'rows'}.yaml")
    path.write_text(yaml.safe_dump(body), encoding="utf-8")
    return path


def cost(steps: int, began: float) -> str:
    """Time and memory of a training that began then, by 1,000 steps."""
    import resource

    import torch

    seconds = time.monotonic() - began
    told = f"{seconds:,.0f} s; {seconds / steps * 1000:,.0f} s per 1,000 steps"
    if torch.cuda.is_available():
        return f"{told}, {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB of the GPU's memory"
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return f"{told}, {most:.1f} GiB of memory, on the CPU"


def screen(table: Path, model: str, repeats: int = 20) -> None:
    """How well neighbours tell intensities, of rows that were held out."""
    from valueflow.scorers.database.embedding.hives import encode, load

    anchors = load_vidb(table).anchors
    rows = [anchor for own in anchors.values() for anchor in own]
    of = np.repeat(np.arange(len(anchors)), [len(own) for own in anchors.values()])
    truth = np.array([anchor.intensity for anchor in rows])
    vectors = encode(load(model), [anchor.text for anchor in rows], batch_size=64)
    whole = calibrated(vectors, truth, of).calibration
    print(
        f"{len(rows)} rows of {len(anchors)} values, each held out: correlation "
        f"{whole.pearson:.2f}, right sign {whole.sign:.2f}, standard error {whole.se:.2f}"
    )
    generator = np.random.default_rng(0)
    singles, cells = [], []
    for _ in range(repeats):
        order = generator.permutation(len(rows))
        kept, out = order[: 3 * len(rows) // 4], order[3 * len(rows) // 4 :]
        scale = calibrated(vectors[kept], truth[kept], of[kept])
        found = scale.calibration
        raw = np.array([scale.raw(vectors[[row]], int(of[row]))[0] for row in out])
        error = found.expected(raw) - truth[out]
        singles.append(
            (
                np.corrcoef(raw, truth[out])[0, 1],
                np.mean(np.sign(found.expected(raw)) == np.sign(truth[out])),
                np.mean(np.abs(error) < 1.96 * found.se),
                np.sqrt(np.mean(error**2)),
                found.se,
            )
        )
        for low, high in ((-11, -6), (-6, 0), (0, 6), (6, 11)):
            inside = (truth[out] > low) & (truth[out] <= high)
            cells.append((*cell_mean(raw[inside], found), truth[out][inside].mean()))
    r, sign, covered, rmse, se = np.mean(singles, axis=0)
    print(
        f"a quarter held out, {repeats} times: correlation {r:.2f}, right sign {sign:.2f}, root "
        f"mean square error {rmse:.2f} (standard error {se:.2f}), coverage {covered:.3f}"
    )
    mean, error, known = np.array(cells).T
    told = np.isfinite(mean)
    inside = np.abs(mean[told] - known[told]) < 1.96 * error[told]
    print(
        f"cells of about {len(rows) // 16} rows, of which {told.mean():.2f} are told: slope "
        f"{np.polyfit(known[told], mean[told], 1)[0]:.2f}, coverage {inside.mean():.2f}, standard "
        f"error {np.median(error[told]):.2f}"
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
