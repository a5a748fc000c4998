"""Builds a small value intensity database offline, from texts to the packaged folder.

    python examples/rebuild_database.py -o database
    python examples/rebuild_database.py -o database --judge openai/gpt-4o-mini --max-calls 500

Writes the embedded texts of a few values to `texts.csv` and a recipe to `recipe.yaml`, and runs
`valueflow build vidb` on them; both files are meant to be changed for texts of your own. Without
`--judge`, panel and judge are simulated and know the intensities that the embedded texts have, so
that what comes out can be set beside them; this shows the pipeline, and says nothing of any model.
"""

import argparse
import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from valueflow.hub_assets import load_vidb

VALUES = ("benevolence", "power")


def write_texts(path: Path) -> None:
    """The embedded texts of the values, without their intensities."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["text", "theory", "value"])
        for (theory, value), anchors in load_vidb("vidb-mini").anchors.items():
            if value in VALUES:
                table.writerows([anchor.text, theory, value] for anchor in anchors)


def recipe(judge: str | None) -> dict[str, Any]:
    """Seven seats say which side a text takes; one judge ranks texts in windows of six."""
    one = {"model": judge or "valueflow/judge"}
    seat = {**one, "args": {"seed": 1}} if judge is None else {**one, "config": {"temperature": 1}}
    return {
        "values": list(VALUES),
        "sources": [{"path": "texts.csv", "source": "vidb-mini", "license": "CC-BY-4.0"}],
        "categorize": {"judges": [{**seat, "seats": 7}], "values": "labels"},
        "curate": {"balance": "none"},
        "rank": {"judge": one, "window_size": 6, "windows_per_text": 20},
    }


def compare(folder: Path) -> None:
    """Sets the new intensities beside those of the embedded table."""
    old = load_vidb("vidb-mini").anchors
    for key, anchors in load_vidb(str(folder)).anchors.items():
        known = {anchor.text: anchor.intensity for anchor in old[key]}
        pairs = np.array([(a.intensity, known[a.text]) for a in anchors])
        correlation = np.corrcoef(pairs.T)[0, 1]
        print(f"{key[1]}: {len(anchors)} texts, correlation with vidb-mini {correlation:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("database"))
    parser.add_argument("--judge", help="an Inspect model; simulated where none is named")
    parser.add_argument("--max-calls", type=int, help="most judge calls of this run")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    write_texts(options.output / "texts.csv")
    path = options.output / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe(options.judge), sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "valueflow.cli", "build", "vidb", str(path)]
    command += ["-o", str(options.output / "build")]
    if options.max_calls is not None:
        command += ["--max-calls", str(options.max_calls)]
    if code := subprocess.run(command).returncode:
        sys.exit(code)
    compare(options.output / "build" / "vidb")


if __name__ == "__main__":
    main()
