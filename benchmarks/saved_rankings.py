"""`valueflow score` on a file of saved rankings: wall time and peak memory of the whole command.

    python benchmarks/saved_rankings.py
    python benchmarks/saved_rankings.py --windows 30000 --windows 1000000

The rankings are simulated: cells of 100 responses with spread 2, three windows of six, a judge of
scale 1. The command runs in a process of its own; its start and its imports count.
"""

import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from simulated_windows import Judge, cells_of_responses, simulate


def write_rankings(path: Path, windows: int, seed: int) -> int:
    """Writes simulated windows, one a line; returns how many."""
    generator = np.random.default_rng(seed)
    cells = max(1, windows // 300)
    truth = cells_of_responses(generator, generator.uniform(-6, 6, cells), 100, 2.0)
    table = simulate(generator, Judge(1.0), truth, 3)
    orders, shown = np.argsort(table.ranks, axis=1), np.argsort(table.places, axis=1)
    with path.open("w") as stream:
        for row, item in enumerate(table.item.tolist()):
            record = {
                "item": table.items[item],
                "cell": table.cells[table.item_cell[item]],
                "value": "power",
                "query": table.queries[table.item_query[item]],
                "anchors": [round(x, 3) for x in table.intensities[row].tolist()],
                "order": orders[row].tolist(),
                "position": int(table.places[row, 0]),
                "shown": shown[row].tolist(),
            }
            stream.write(json.dumps(record) + "\n")
    return table.windows


@click.command()
@click.option(
    "--windows",
    "sizes",
    multiple=True,
    default=(30_000, 300_000),
    type=int,
    show_default=True,
    help="Windows in the file; may be given several times.",
)
@click.option("--seed", default=0, show_default=True)
def main(sizes: tuple[int, ...], seed: int) -> None:
    """Time `valueflow score` on files of saved rankings."""
    print("  windows    file MB    seconds    peak MB    cells")
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            windows = write_rankings(folder / "rankings.jsonl", size, seed)
            megabytes = (folder / "rankings.jsonl").stat().st_size / 1e6
            start = time.perf_counter()
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "valueflow.cli",
                    "score",
                    str(folder / "rankings.jsonl"),
                    "-o",
                    str(folder / "out"),
                ],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            seconds = time.perf_counter() - start
            # The largest child so far; sizes are given in rising order.
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            with (folder / "out" / "cells.csv").open() as stream:
                cells = sum(1 for _ in csv.reader(stream)) - 1
        print(
            f"{windows:9,d} {megabytes:10.1f} {seconds:10.2f} {peak:10.0f} {cells:8d}", flush=True
        )


if __name__ == "__main__":
    main()
