"""Rebuild a value intensity database from real texts with simulated judges whose truth is known.

    python benchmarks/rebuild.py truth --data DIR      DIR holds ValueEval's *-training.tsv
    python benchmarks/rebuild.py paths --data DIR      values and paths found by the panel alone
    python benchmarks/rebuild.py units                 one unit whatever the judge's noise
    python benchmarks/rebuild.py size --rows 10000     time and memory of one value, or of several
    python benchmarks/rebuild.py kills --data DIR      killed at random moments, and resumed

`truth` gives every (text, value) of the ValueEval training split a seeded latent intensity, lets a
simulated panel of seven and a simulated judge of scale 1 see it through their noise, and compares
the database that comes out with it. `paths` hides the labels of the source from the panel, which
has to find the values and their children. `kills` compares the databases byte for byte, and counts
how often the judge was asked. These are checks of the pipeline; they say nothing about any language
model.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy loads

import csv
import hashlib
import json
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import click
import numpy as np
import yaml

from valueflow.hub_assets.registry.loading import load_registry
from valueflow.rebuild.database.recipe import read_recipe
from valueflow.rebuild.database.sources import import_texts
from valueflow.scorers.database.ranking.fit import fit_rankings
from valueflow.scorers.database.ranking.rounds import deal_round
from valueflow.scorers.database.ranking.scale import scale_from_directions
from valueflow.scorers.database.ranking.unit import redrawn

COUNTED = """
import os, sys
from valueflow.simulated import models as simulated_models
counter = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
asked = simulated_models.SimulatedModel.generate
async def generate(self, *arguments, **named):
    answer = await asked(self, *arguments, **named)
    os.write(counter, b".")
    return answer
simulated_models.SimulatedModel.generate = generate
from valueflow.cli import main
main(sys.argv[2:])
"""


def write_recipe(folder: Path, sources: list[dict[str, object]], **more: object) -> Path:
    """A recipe with simulated judges, and the truth table that they know."""
    judge: dict[str, object] = {"truth": "truth.csv", "scale": 1.0, "seed": 1}
    panel = {"model": "valueflow/judge", "args": {**judge, "seed": 100}, "seats": 7}
    recipe: dict[str, object] = {
        "theories": ["pvq"],
        "sources": sources,
        "categorize": {"judges": [panel], "values": "labels"},
        "rank": {"judge": {"model": "valueflow/judge", "args": judge}, "windows_per_text": 20},
        "flag": {"judges": [{**panel, "args": {**judge, "seed": 200}}]},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**recipe, **more}), encoding="utf-8")
    generator = np.random.default_rng(7)
    with (folder / "truth.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "value", "intensity"])
        for text in import_texts(read_recipe(path))[0]:
            for name, label in sorted(text["labels"].items()):
                intensity = generator.uniform(-10, 10)
                writer.writerow([text["text"], name, f"{intensity:.4f}"])
                leaf = (label["path"] or "").rpartition("/")[2]
                if leaf not in ("", name.partition(":")[2]):
                    writer.writerow([text["text"], f"pvq:{leaf}", f"{intensity:.4f}"])
    return path


def valueeval(data: Path, limit: int | None = None) -> list[dict[str, object]]:
    source: dict[str, object] = {"adapter": "valueeval"}
    source["path"] = str((data / "arguments-training.tsv").resolve())
    source["labels"] = str((data / "labels-training.tsv").resolve())
    return [source | ({"limit": limit} if limit else {})]


def hide_labels(recipe: Path, **more: object) -> None:
    """Lets the recipe's panel find the values of the texts by itself."""
    texts = import_texts(read_recipe(recipe))[0]
    with (recipe.parent / "texts.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text"], *([text["text"]] for text in texts)])
    raw = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    raw["sources"] = [{"path": "texts.csv", "source": "ValueEval", "license": "CC-BY-4.0"}]
    raw["categorize"] |= {"values": "panel", **more}
    recipe.write_text(yaml.safe_dump(raw), encoding="utf-8")


def build(recipe: Path, output: Path, *options: str) -> float:
    begin = time.perf_counter()
    command = [sys.executable, "-m", "valueflow.cli", "build", "vidb", str(recipe)]
    subprocess.run([*command, "-o", str(output), *options], check=True)
    return time.perf_counter() - begin


def recovered(output: Path, truth: Path) -> list[dict[str, float | str]]:
    """How near each value's rows come to their truth."""
    import pyarrow.parquet

    with truth.open(encoding="utf-8", newline="") as stream:
        known = {(r["text"], r["value"]): float(r["intensity"]) for r in csv.DictReader(stream)}
    found: list[dict[str, float | str]] = []
    for path in sorted((output / "vidb" / "data").glob("*/*/full.parquet")):
        rows = pyarrow.parquet.read_table(path).to_pylist()
        theory, name = path.parent.parent.name, path.parent.name
        real = np.array([known[row["text"], f"{theory}:{name}"] for row in rows])
        score, se, utility = (
            np.array([row[c] for row in rows]) for c in ("intensity", "intensity_se", "utility")
        )
        scale = json.loads((output / "scale" / f"{theory}.{name}.json").read_text())
        slope = 20 / (scale["utilities"][1] - scale["utilities"][0])
        # The utility that a text of intensity 0 has.
        zero = float(np.polyval(np.polyfit(real, utility, 1), 0.0))
        clear = np.abs(real) >= 1
        sign = np.sign(score) == np.sign(real)
        label = np.array([{"support": 1, "oppose": -1}.get(r["direction"], 0) for r in rows])
        found.append(
            {
                "value": name,
                "rows": len(rows),
                "correlation": float(np.corrcoef(score, real)[0, 1]),
                "rmse": float(np.sqrt(np.mean((score - real) ** 2))),
                "slope": float(np.polyfit(real, score, 1)[0]),
                "coverage_95": float(np.mean(np.abs(score - real) <= 1.96 * se)),
                "neutral_error": float(slope * (zero - scale["neutral"])),
                "signs_right": float(np.mean(sign)),
                "signs_right_from_1": float(np.mean(sign[clear])),
                "directions_right": float(np.mean(label == np.sign(real))),
            }
        )
    return found


def show(rows: list[dict[str, float | str]]) -> None:
    click.echo("  ".join(f"{name:>18}" for name in rows[0]))
    for row in rows:
        cells = (f"{c:.3f}" if isinstance(c, float) else f"{c}" for c in row.values())
        click.echo("  ".join(f"{cell:>18}" for cell in cells))
    counts = np.array([float(row["rows"]) for row in rows])
    means = [
        f"{name} {np.average([float(r[name]) for r in rows], weights=counts):.4f}"
        for name in list(rows[0])[2:]
        if name != "neutral_error"
    ]
    worst = max(abs(float(row["neutral_error"])) for row in rows)
    click.echo(f"all {counts.sum():,.0f} rows: {', '.join(means)}, worst neutral {worst:.3f}")


@click.group()
def main() -> None:
    """Checks of `valueflow build vidb` with known truth."""


@main.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--output", type=click.Path(path_type=Path), help="Keep the build here.")
@click.option("--window-size", default=6, show_default=True)
@click.option("--adaptive", is_flag=True)
def truth(data: Path, output: Path | None, window_size: int, adaptive: bool) -> None:
    """Recovery of a known truth on the ValueEval training split."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = output or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        judge = {"model": "valueflow/judge", "args": {"truth": "truth.csv", "seed": 1}}
        rank = {"judge": judge, "windows_per_text": 20, "window_size": window_size}
        recipe = write_recipe(folder, valueeval(data), rank={**rank, "adaptive": adaptive})
        seconds = build(recipe, folder / "build")
        show(recovered(folder / "build", folder / "truth.csv"))
        journal = folder / "build" / "categorize" / "judgements.calls.jsonl"
        calls = len(journal.read_bytes().splitlines())
        click.echo(f"{calls:,} calls of the panel that categorises")
        click.echo(f"{seconds:.0f} s, {peak_memory():.0f} MiB")


@main.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--start", type=click.Choice(["values", "top"]), default="values", show_default=True)
@click.option("--texts-per-prompt", default=8, show_default=True)
@click.option("--all-seats", is_flag=True)
def paths(data: Path, start: str, texts_per_prompt: int, all_seats: bool) -> None:
    """Values, directions and paths that a panel finds in ValueEval's texts without their labels."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recipe = write_recipe(folder, valueeval(data))
        labelled = import_texts(read_recipe(recipe))[0]
        more = {"texts_per_prompt": texts_per_prompt, "ask_all_seats": all_seats, "start": start}
        hide_labels(recipe, **more)
        seconds = build(folder / "recipe.yaml", folder / "build", "--until", "categorize")
        with (folder / "truth.csv").open(encoding="utf-8", newline="") as stream:
            known = {(r["text"], r["value"]): float(r["intensity"]) for r in csv.DictReader(stream)}
        real = {
            (text["text"], name): label["path"]
            for text in labelled
            for name, label in text["labels"].items()
        }
        lines = (folder / "build" / "categorize" / "rows.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        right = [row for row in rows if (row["text"], f"{row['theory']}:{row['value']}") in real]
        keys = [(row["text"], f"{row['theory']}:{row['value']}") for row in right]
        signs = [{"support": 1, "oppose": -1}.get(row["direction"], 0) for row in right]
        shares = {
            "of the labelled values found": len(right) / len(real),
            "of the rows labelled": len(right) / len(rows),
            "directions right": np.mean(signs == np.sign([known[key] for key in keys])),
            "paths right": np.mean(
                [r["path"] == real[k] for r, k in zip(right, keys, strict=True)]
            ),
            "paths to a child right": np.mean(
                [
                    row["path"] == real[key]
                    for row, key in zip(right, keys, strict=True)
                    if not real[key].endswith(f"/{row['value']}")
                ]
            ),
        }
        click.echo(", ".join(f"{name} {share:.4f}" for name, share in shares.items()))
        journal = folder / "build" / "categorize" / "judgements.calls.jsonl"
        calls = Counter(json.loads(line)["key"].split("/")[0] for line in journal.open())
        told = ", ".join(f"{name} {count:,}" for name, count in calls.items())
        click.echo(f"{len(labelled):,} texts, {calls.total():,} calls ({told}), {seconds:.0f} s")


@main.command()
@click.option("--rows", default=96, show_default=True, help="Rows of a value.")
@click.option("--values", "wanted", default=12, show_default=True)
@click.option("--jobs", default="1:4 1:8 1:20 1:40 0.3:8 0.3:20", show_default=True)
def units(rows: int, wanted: int, jobs: str) -> None:
    """Whether intensities have one unit whatever the judge's scale and the windows a text.

    Texts with intensities drawn evenly from -10 to 10, ranked by a judge of known scale in windows
    of six, with a panel of seven of the same noise; `slope` is of the intensity on the truth.
    """
    click.echo("scale  windows   slope  (no clip)  coverage  +- of unit  mean se")
    for job in jobs.split():
        scale, _, windows = job.partition(":")
        found = np.array([_unit(rows, int(windows), float(scale), s) for s in range(wanted)])
        slope, free, covered, unit, error = found.mean(axis=0)
        click.echo(
            f"{scale:>5}  {windows:>7}  {slope:6.3f}  {free:9.3f}  {covered:8.3f}  {unit:10.3f}"
            f"  {error:7.2f}"
        )


def _unit(rows: int, windows: int, scale: float, seed: int) -> list[float]:
    """Slope, slope without clipping, coverage, standard error of the unit and of intensities."""
    generator = np.random.default_rng(seed)
    truth = generator.uniform(-10, 10, rows)
    table = np.concatenate([deal_round(rows, 6, generator) for _ in range(windows)])
    worth = scale * truth[table] + generator.gumbel(size=table.shape)
    rankings = np.take_along_axis(table, np.argsort(-worth, axis=1), axis=1)
    seen = truth[:, None] + generator.logistic(size=(rows, 7)) / scale
    fit = fit_rankings(rankings, rows)
    assert fit.standard_errors is not None
    found = scale_from_directions(
        fit.utilities,
        (seen > 0).mean(axis=1),
        errors=fit.standard_errors,
        redraw=redrawn(rankings, rows, 0.01),
        seed=seed,
    )
    real = truth / 0.99  # 99% of such truths lie within 9.9
    score, error = found.intensity(fit.utilities), found.error(fit.utilities, fit.standard_errors)
    free = (fit.utilities - found.neutral) * found.slope(found.neutral)
    return [
        float(np.polyfit(real, score, 1)[0]),
        float(np.polyfit(real, free, 1)[0]),
        float(np.mean(np.abs(score - real) <= 1.96 * error)),
        found.unit_se,
        float(np.sqrt(np.mean(error**2))),
    ]


@main.command()
@click.option("--rows", default=10_000, show_default=True)
@click.option("--values", "wanted", default=1, show_default=True, help="Values of so many rows.")
@click.option("--window-size", default=6, show_default=True)
def size(rows: int, wanted: int, window_size: int) -> None:
    """Time, memory and disk of values of so many rows each, whose directions are given."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        generator = np.random.default_rng(3)
        words = np.array([f"w{i}" for i in range(5000)])
        names = [v.name for v in load_registry().macro_values() if v.name != "power"]
        names = ["power", *names][:wanted]
        with (folder / "texts.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "value", "direction", "intensity"])
            for name in names:
                texts = [" ".join(words[generator.integers(0, 5000, 25)]) for _ in range(rows)]
                truth = generator.uniform(-10, 10, rows)
                for text, real in zip(texts, truth, strict=True):
                    writer.writerow([text, name, "support" if real > 0 else "oppose", real])
        judge = {"model": "valueflow/judge", "args": {"truth": "texts.csv"}}
        recipe = write_recipe(
            folder,
            [{"path": "texts.csv", "source": "made up", "license": "CC0-1.0"}],
            categorize={"values": "given"},
            rank={"judge": judge, "windows_per_text": 20, "window_size": window_size},
            curate={"balance": "none"},
            flag={"ask": "none"},
            theories=[],
            values=names,
        )
        seconds = build(recipe, folder / "build")
        disk = sum(f.stat().st_size for f in (folder / "build").rglob("*") if f.is_file())
        click.echo(
            f"{len(names)} values of {rows:,} rows: {seconds:,.0f} s, {peak_memory():,.0f} MiB of "
            f"memory, {disk / 2**20:,.0f} MiB on disk"
        )


def peak_memory() -> float:
    """Of the largest child process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


@main.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--kills", "wanted", default=20, show_default=True)
@click.option("--limit", default=500, show_default=True, help="Arguments of ValueEval to take.")
@click.option("--seed", default=0, show_default=True)
def kills(data: Path, wanted: int, limit: int, seed: int) -> None:
    """Killed at random moments, resumed each time: the same database for the same calls."""
    generator = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recipe = write_recipe(folder, valueeval(data, limit))
        hide_labels(recipe, start="top")
        run_counted(folder, recipe, "plain", None)
        answers = (folder / "plain.count").stat().st_size
        done = 0
        # Most kills fall while judges are asked, three in what comes after, or in the start.
        for target in sorted(generator.integers(0, answers, max(0, wanted - 3))):
            done += run_counted(folder, recipe, "killed", (int(target), generator.uniform(0, 0.05)))
        for _ in range(min(3, wanted)):
            shutil.rmtree(folder / "killed" / "vidb", ignore_errors=True)
            done += run_counted(folder, recipe, "killed", (answers - 200, generator.uniform(0, 2)))
        run_counted(folder, recipe, "killed", None)
        same = contents(folder / "plain" / "vidb") == contents(folder / "killed" / "vidb")
        rows = {name: stored(folder / name) for name in ("plain", "killed")}
        asked = {name: (folder / f"{name}.count").stat().st_size for name in rows}
        click.echo(f"killed {done} times; database the same byte for byte: {same}")
        click.echo(
            f"calls kept: {rows['plain']:,} undisturbed, {rows['killed']:,} killed; the judge "
            f"finished {asked['plain']:,} and {asked['killed']:,} answers"
        )
        if not same or rows["plain"] != rows["killed"]:
            raise SystemExit(1)


def run_counted(folder: Path, recipe: Path, name: str, kill: tuple[int, float] | None) -> bool:
    """Runs the build; kills it so many seconds after so many answers. Whether it was killed."""
    counter = folder / f"{name}.count"
    command = [sys.executable, "-c", COUNTED, str(counter)]
    command += ["build", "vidb", str(recipe), "-o", str(folder / name)]
    log = folder / f"{name}.log"
    with log.open("w") as stream:
        process = subprocess.Popen(command, stderr=stream, stdout=stream)
        if kill is not None:
            answers, seconds = kill
            while process.poll() is None and not (
                counter.is_file() and counter.stat().st_size > answers
            ):
                time.sleep(0.001)
            time.sleep(seconds)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
                return True
        if process.wait():
            raise SystemExit(log.read_text())
    return False


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def stored(folder: Path) -> int:
    """Calls in all journals of a build; a key that stood twice would have been refused."""
    stores = [*folder.glob("categorize/*.calls.jsonl"), *folder.glob("rank/*.calls.jsonl")]
    stores += folder.glob("flag/*.calls.jsonl")
    return sum(path.read_bytes().count(b"\n") for path in stores)


if __name__ == "__main__":
    main()
