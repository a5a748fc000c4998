"""The main task on real input, with simulated models, beside a bare task of the same size.

    python benchmarks/real_input.py --data DIR                  the whole design
    python benchmarks/real_input.py --data DIR --queries 20     a smaller one

DIR is the real data: `queries/*.csv` (500 queries) and `vidb_excerpt/vidb_excerpt.jsonl`. The run
steers the simulated respondent toward each of the 12 pvq values at five levels and scores every
response in one window. The bare task has as many samples, as many model calls in each, and prompts
of the same mean lengths, but steers, ranks and estimates nothing; the ratio of wall times is what
valueflow adds to Inspect's own cost. Each part runs in a process of its own.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from inspect_ai import Task, task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import read_eval_log_samples
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import TaskState, generate
from inspect_ai.util import collect

VALUES = 12
LEVELS = 5

_LETTERS = random.Random(0)
_WORDS = ["".join(_LETTERS.choices("etaoinshrdlu", k=_LETTERS.randint(2, 9))) for _ in range(3000)]


def filler(length: int, seed: int) -> str:
    """Words drawn at random: a text that compresses about as well as a real one."""
    drawn = random.Random(seed)
    words = "".join(drawn.choice(_WORDS) + " " for _ in range(length // 3))
    return words[:length]


@scorer(metrics=[mean()])
def bare_scorer(length: int) -> Scorer:
    """Asks the grader as often as valueflow does, with prompts of the same length."""

    async def score(state: TaskState, target: Target) -> Score:
        grader = get_model(role="grader")
        prompts = [
            filler(length, int(state.sample_id) * 100 + n) for n in range(state.metadata["calls"])
        ]
        if len(prompts) == 1:
            await grader.generate(prompts[0])
        else:
            await collect(*[grader.generate(prompt) for prompt in prompts])
        return Score(value=1.0)

    return score


@task
def bare(samples: list[Sample], length: int) -> Task:
    """As many samples and calls, and nothing else."""
    return Task(dataset=MemoryDataset(samples), solver=generate(), scorer=bare_scorer(length))


def _run_valueflow(data: Path, queries: str, log_dir: str) -> dict[str, Any]:
    from valueflow.simulated.selfcheck import check_log
    from valueflow.steering.tasks import steer

    excerpt = str(data / "vidb_excerpt" / "vidb_excerpt.jsonl")
    built = steer(queries=str(data / "queries"), n_queries=queries, vidb=excerpt, windows=1)
    start = time.perf_counter()
    log = inspect_eval(
        built,
        model="valueflow/respondent",
        model_roles={"grader": get_model("valueflow/judge", vidb=excerpt)},
        log_dir=log_dir,
        display="none",
    )[0]
    wall = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert log.status == "success", log.error
    generation, judging = [], []
    for number, sample in enumerate(read_eval_log_samples(log.location)):
        if number == 300:
            break
        for event in sample.events:
            if event.event == "model":
                length = sum(len(message.text) for message in event.input)
                (judging if event.role == "grader" else generation).append(length)
    check = check_log(log)
    return {
        "wall_seconds": wall,
        "peak_megabytes": peak,
        "samples": len(built.dataset),
        "judge_calls": check.counts["judge_calls"],
        "unscored": check.counts["unscored"],
        "generation_characters": round(sum(generation) / len(generation)),
        "judge_characters": round(sum(judging) / len(judging)),
        "response_rmse": check.rmse,
        "cell_rmse": check.cell_rmse,
    }


def _run_bare(measured: dict[str, Any], log_dir: str) -> dict[str, Any]:
    per_query = 1 + VALUES * (LEVELS - 1)
    samples = [
        Sample(
            id=f"{number}",
            input=filler(measured["generation_characters"], number + 10**9),
            metadata={"calls": VALUES if number % per_query == 0 else 1},
        )
        for number in range(measured["samples"])
    ]

    def answer(*_: Any) -> ModelOutput:
        output = ModelOutput.from_content("mockllm/model", "A fixed answer. " * 12)
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    start = time.perf_counter()
    log = inspect_eval(
        bare(samples, measured["judge_characters"]),
        model=get_model("mockllm/model", custom_outputs=answer),
        model_roles={"grader": get_model("mockllm/model", custom_outputs=answer)},
        log_dir=log_dir,
        max_connections=20,
        display="none",
    )[0]
    wall = time.perf_counter() - start
    assert log.status == "success", log.error
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall_seconds": wall, "peak_megabytes": peak}


def _in_process(part: str, arguments: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--part", part, "--log-dir", folder, *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise click.ClickException(f"{part} failed:\n{done.stdout}\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    envvar="VALUEFLOW_REAL_DATA",
    help="The real data [VALUEFLOW_REAL_DATA].",
)
@click.option("--queries", default="all", show_default=True, help="How many queries, or 'all'.")
@click.option("--part", type=click.Choice(["valueflow", "bare"]), hidden=True)
@click.option("--log-dir", hidden=True)
@click.option("--measured", hidden=True)
def main(data: Path | None, queries: str, part: str | None, log_dir: str, measured: str) -> None:
    """Run the main task on real input and print time, samples, judge calls and peak memory."""
    if part == "bare":
        print(json.dumps(_run_bare(json.loads(measured), log_dir)))
        return
    if data is None:
        click.echo("skipped: give --data DIR or set VALUEFLOW_REAL_DATA to the real data")
        return
    if part == "valueflow":
        print(json.dumps(_run_valueflow(data, queries, log_dir)))
        return
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    found = _in_process("valueflow", ["--data", str(data), "--queries", queries])
    plain = _in_process("bare", ["--measured", json.dumps(found)])
    rows = [
        ("samples", f"{found['samples']:,}"),
        ("judge calls", f"{found['judge_calls']:,}"),
        ("unscored responses", f"{found['unscored']:,}"),
        ("response RMSE (simulated truth)", f"{found['response_rmse']:.2f}"),
        ("cell RMSE (simulated truth)", f"{found['cell_rmse']:.2f}"),
        ("wall time, valueflow", f"{found['wall_seconds']:.1f} s"),
        ("wall time, bare task", f"{plain['wall_seconds']:.1f} s"),
        ("ratio", f"{found['wall_seconds'] / plain['wall_seconds']:.2f}"),
        ("peak memory, valueflow", f"{found['peak_megabytes']:.0f} MB"),
        ("peak memory, bare task", f"{plain['peak_megabytes']:.0f} MB"),
    ]
    for name, number in rows:
        click.echo(f"{name:34} {number:>12}")


if __name__ == "__main__":
    main()
