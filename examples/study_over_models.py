"""Steers several models toward the same values, and ranks them by how far they go.

The study runs as Inspect's `eval_set`: one log per model in a folder. Stopped or failed half-way,
the same command goes on where it stopped, and a study that is done is only printed again. Inspect
wants a folder of its own for each study: for other models, values or queries, take another one.

Offline, with three simulated models that differ in how far they can be steered:

    python examples/study_over_models.py

With real models (give as many as you like; each provider's key is taken from the environment):

    python examples/study_over_models.py openai/gpt-4o-mini google/gemini-2.5-flash \\
        --judge anthropic/claude-sonnet-4-5 --values benevolence,power --log-dir logs/my-study

Every model answers the same questions and is measured by the same judge. A rank is not a finding:
`valueflow compare`, whose commands are printed last, says which differences are more than noise.
"""

import argparse
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from inspect_ai import eval_set
from inspect_ai.log import EvalLog
from inspect_ai.model import Model, get_model
from rich import box
from rich.console import Console
from rich.table import Table

from valueflow import steer

JUDGE = "valueflow/judge"

SIMULATED: tuple[dict[str, Any], ...] = (
    {"gain_up": 3, "gain_down": 2, "seed": 1},
    {"gain_up": 5, "gain_down": 4, "seed": 2},
    {"gain_up": 7, "gain_down": 7, "seed": 3},
)
"""Options of the simulated models: points by which the outer levels move their intensity."""

FIGURES = ("range", "up", "down")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", help="provider/model; simulated ones where none")
    parser.add_argument("--judge", default=JUDGE, help="model that ranks (default: %(default)s)")
    parser.add_argument("--values", default="benevolence,power", help="default: %(default)s")
    parser.add_argument("--levels", default="-2,2", help="default: %(default)s")
    parser.add_argument("--n-queries", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--log-dir", type=Path, default=Path("logs/study"), help="default: %(default)s"
    )
    parser.add_argument("--display", default="rich", help="Inspect's display (%(default)s)")
    options = parser.parse_args()
    if options.models and options.judge == JUDGE:
        parser.error("the simulated judge knows only simulated models: name one with --judge")
    return options


def models_under_test(names: list[str]) -> list[Model]:
    """The named models, or the simulated ones."""
    if names:
        return [get_model(name) for name in names]
    return [get_model("valueflow/respondent", memoize=False, **one) for one in SIMULATED]


def name_of(log: EvalLog) -> str:
    """A model's name, with its options where it has any: the simulated ones share a name."""
    given = " ".join(f"{name}={value}" for name, value in log.eval.model_args.items())
    return f"{log.eval.model} {given}".strip()


def figures_of(log: EvalLog) -> dict[str, float]:
    """The metrics of a run: averages over its values are named without one."""
    scores = log.results.scores if log.results else []
    return {name: one.value for score in scores for name, one in score.metrics.items()}


def ranking(logs: list[EvalLog]) -> Table:
    """The models from the largest range to the smallest, with standard errors."""
    table = Table(title="Averages over values", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("")
    table.add_column("model", overflow="fold")
    for name in (*FIGURES, "refused"):
        table.add_column(name, justify="right", no_wrap=True)
    for place, log in enumerate(logs, start=1):
        found = figures_of(log)
        cells = [
            f"{found[name]:+.1f} ± {found.get(f'{name}_stderr', float('nan')):.1f}"
            if name in found
            else "-"
            for name in FIGURES
        ]
        table.add_row(str(place), name_of(log), *cells, f"{found.get('refusal_rate', 0):.0%}")
    return table


def main() -> None:
    options = arguments()
    task = steer(
        values=options.values, levels=options.levels, n_queries=options.n_queries, seed=options.seed
    )
    success, logs = eval_set(
        task,
        model=models_under_test(options.models),
        model_roles={"grader": options.judge},
        log_dir=str(options.log_dir),
        display=options.display,
        max_retries=6,  # Inspect's default tries a call again for ever
    )
    done = [log for log in logs if log.status == "success"]
    done.sort(key=lambda log: -figures_of(log).get("range", float("-inf")))
    Console().print(ranking(done))
    paths = [log.location.removeprefix("file://") for log in done]
    for better, worse in pairwise(paths):
        print(f"valueflow compare {better} {worse}")
    if not success:
        unfinished = ", ".join(name_of(log) for log in logs if log.status != "success")
        sys.exit(f"Not finished: {unfinished}. Run the same command again to go on.")


if __name__ == "__main__":
    main()
