"""From a value of one's own to an evaluation, offline: 60 texts, a database, a steered model.

    python examples/own_value.py -o thrift
    python examples/own_value.py -o thrift --judge openai/gpt-4o-mini --model openai/gpt-4o-mini

Writes `texts.csv` and `values.yaml`, and runs the commands of docs/rebuild.md one after the other,
printing each. Without `--judge` and `--model` they are simulated and know what the texts are worth:
that shows the way, and says nothing of any model.
"""

import argparse
import csv
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

THINGS = ("coat", "kettle", "bicycle", "lamp", "chair", "radio", "pan", "suitcase", "fan", "rug")
# What a text says, and how much thrift is in it, from -10 to 10.
STEMS = {
    "The {} had gone for the third time, so I sat down on Sunday and mended it with scraps.": 8.5,
    "Before paying for a new {}, I asked around whether somebody had one to spare.": 5.0,
    "I wrote down what the {} cost me, to see at the end of the month where money goes.": 2.0,
    "A cheaper {} would have done, but it was late and I took the first on the shelf.": -2.5,
    "We buy another {} every spring, whatever shape last year's is in.": -5.5,
    "I threw the {} out though it worked: who wants to look at one thing for so long?": -8.5,
}
VALUES = {
    "theories": {
        "household": {
            "title": "Values of a household",
            "source": "Made up for this example.",
            "nodes": {
                "thrift": {
                    "title": "Thrift",
                    "kind": "value",
                    "definition": "People who value thrift use what they have, mend it, and spend "
                    "nothing that they need not spend.",
                    "clause": "using and mending what is there, and spending no more than needed",
                }
            },
        }
    }
}


def write_inputs(folder: Path) -> None:
    """The 60 texts, what they are worth to simulated judges, and the catalogue."""
    with (
        (folder / "texts.csv").open("w", encoding="utf-8", newline="") as given,
        (folder / "truth.csv").open("w", encoding="utf-8", newline="") as known,
    ):
        texts, truth = csv.writer(given), csv.writer(known)
        texts.writerow(["text"])
        truth.writerow(["text", "value", "intensity"])
        for stem, worth in STEMS.items():
            for number, thing in enumerate(THINGS):
                text = stem.format(thing)
                texts.writerow([text])
                truth.writerow([text, "thrift", worth + (number - 4.5) / 4])
    (folder / "values.yaml").write_text(yaml.safe_dump(VALUES, sort_keys=False), encoding="utf-8")


def simulate(recipe: Path) -> None:
    """Puts simulated judges into the recipe, which read `truth.csv`."""
    parts = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    args = {"truth": "truth.csv", "seed": 1}
    panel = {"model": "valueflow/judge", "args": args, "seats": 7}
    parts["categorize"]["judges"] = [panel]
    parts["rank"]["judge"] = {"model": "valueflow/judge", "args": args}
    recipe.write_text(yaml.safe_dump(parts, sort_keys=False), encoding="utf-8")


def run(folder: Path, *command: str) -> None:
    print("$", shlex.join(command), flush=True)
    module = {"valueflow": "valueflow.cli", "inspect": "inspect_ai"}[command[0]]
    subprocess.run([sys.executable, "-m", module, *command[1:]], cwd=folder, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--judge", help="an Inspect model; simulated where not given")
    parser.add_argument("--model", help="the model to steer; simulated where not given")
    given = parser.parse_args()
    folder = given.output
    folder.mkdir(parents=True, exist_ok=True)
    write_inputs(folder)
    judge = given.judge or "valueflow/judge"
    run(
        folder,
        *("valueflow", "build", "init", "texts.csv", "--catalogue", "values.yaml"),
        *("--judge", judge, "-o", "recipe.yaml"),
    )
    if given.judge is None:
        simulate(folder / "recipe.yaml")
    run(folder, "valueflow", "build", "vidb", "recipe.yaml", "-o", "build", "--dry-run")
    run(folder, "valueflow", "build", "vidb", "recipe.yaml", "-o", "build")
    grader = judge if given.judge else "{model: valueflow/judge, model_args: {vidb: build/vidb}}"
    run(
        folder,
        *("inspect", "eval", "valueflow/steer"),
        *("--model", given.model or "valueflow/respondent", "--model-role", f"grader={grader}"),
        *("-T", "catalogue=build/vidb/catalogue.yaml", "-T", "vidb=build/vidb"),
        *("-T", "values=thrift", "-T", "levels=-2,0,2", "-T", "n_queries=4"),
    )


if __name__ == "__main__":
    main()
