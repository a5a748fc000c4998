"""OpinionQA on the real survey data, with simulated respondents, beside the closed form.

    python benchmarks/opinionqa.py --data DIR                   the whole file
    python benchmarks/opinionqa.py --data DIR --questions 50    some of its questions
    python benchmarks/opinionqa.py --data DIR --harness both    under lm-evaluation-harness too

DIR is the real data: `opinionqa/steerable_test_opinionqa_small.json` (4,475 rows) and
`opinionqa/group_value_scores.csv`. Three respondents answer: one draws from the group's own
distribution, one names the majority over all groups, one follows the profile lines in its prompt by
a stated rule. What each should score follows from the files alone; this script reads them by its
own code, so that an error in valueflow's reading, pairing or prompts would show.

`z` is the difference over the standard error of the draws; `largest |z|` is over the 8 attributes
and the 22 groups. Where letters are compared nothing is drawn, so that the closed form is met
exactly. A respondent answers the same prompt alike under both harnesses, so that their figures must
be the same: `--harness both` prints by how much they differ.
"""

import csv
import hashlib
import json
import math
import os
import re
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from inspect_ai import eval as inspect_eval

from valueflow import opinionqa
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.survey.questions import load_opinions
from valueflow.lm_eval.task_files import task_folder
from valueflow.simulated.survey import OpinionAnswers, OpinionAnswersOptions

FOLLOW = 0.8
LINES = 4

Expected = dict[str, tuple[float, float, int]]
"""Scope to expected accuracy, the standard error of its draws, and rows."""


def safe(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The rows that can be scored: more than one option, no text twice, each only once."""
    seen = set()
    rows = []
    for row in json.loads(file.read_text(encoding="utf-8")):
        key = (row["question"], tuple(row["options"]), row["attribute"])
        repeated = len(set(row["options"])) < len(row["options"])
        if len(row["options"]) < 2 or repeated or key in seen:
            continue
        seen.add(key)
        rows.append(row)
    return rows


def credits(rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], list[int], int]]:
    """Each row with its right options and the first most frequent option over all groups."""
    pools = defaultdict(list)
    for row in rows:
        pools[row["question"]].append(row["gold_distribution"])
    majority = {}
    for question, golds in pools.items():
        mean = [sum(column) / len(golds) for column in zip(*golds, strict=True)]
        majority[question] = next(n for n, x in enumerate(mean) if x >= max(mean) - 1e-12)
    return [
        (row, [n for n, x in enumerate(gold) if x >= max(gold) - 1e-9], majority[row["question"]])
        for row in rows
        for gold in [row["gold_distribution"]]
    ]


def summed(parts: list[tuple[str, float]]) -> Expected:
    """From (group, probability of being right) to expected accuracies by scope."""
    scopes = defaultdict(list)
    for group, chance in parts:
        for scope in ("", group.split("_")[0], group):
            scopes[scope].append(chance)
    return {
        scope: (
            sum(own) / len(own),
            math.sqrt(sum(p * (1 - p) for p in own)) / len(own),
            len(own),
        )
        for scope, own in scopes.items()
    }


def profile_bands(file: Path, theory: str) -> dict[str, dict[str, str]]:
    """The bands of the lines that each group's profile gets, by sanitised group and value."""
    order = [value.name for value in load_registry().theories[theory].values]
    scores: dict[str, dict[str, tuple[float, str]]] = defaultdict(dict)
    with file.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["theory"] == theory:
                value = row["value"].replace("_", "-")
                scores[safe(row["attribute"])][value] = (float(row["score"]), row["band"])
    found = {}
    for group, own in scores.items():
        rising = sorted(own, key=lambda v: (own[v][0], order.index(v)))
        falling = sorted(own, key=lambda v: (-own[v][0], order.index(v)))
        high = falling[: LINES // 2]
        low = [value for value in rising if value not in high][: LINES // 2]
        found[group] = {value: own[value][1] for value in (*high, *low)}
    return found


def expect_profile(
    rows: list[dict[str, Any]], ids: dict[str, str], file: Path, follow: float
) -> Expected:
    """What the rule of the respondent `profile` scores with lines of duty."""
    order = [value.name for value in load_registry().theories["duty"].values]
    bands = profile_bands(file, "duty")
    parts = []
    for row, right, majority in credits(rows):
        digest = hashlib.sha256(f"turns on {ids[row['question']]}".encode()).digest()
        value = order[int.from_bytes(digest[:4], "big") % len(order)]
        band = bands[safe(row["attribute"])].get(value)
        if band is None:
            parts.append((row["attribute"], float(majority in right)))
            continue
        last = len(row["options"]) - 1
        option = {"high": 0, "very_high": 0, "medium": last // 2}.get(band, last)
        chance = follow * (option in right) + (1 - follow) * (majority in right)
        parts.append((row["attribute"], chance))
    return summed(parts)


@dataclass(frozen=True)
class Run:
    """Figures by the names of Inspect's log, the questions that were asked, and the seconds."""

    found: dict[str, float]
    asked: set[tuple[str, str]]
    seconds: float


def run_inspect(
    data: Path, questions: int | None, mode: str, passes: tuple[str, ...], folder: str
) -> Run:
    start = time.perf_counter()
    log = inspect_eval(
        opinionqa(
            data=str(data),
            passes=list(passes),
            threshold=0,
            n_questions=questions or "all",
            style="user",
        ),
        model="valueflow/respondent",
        model_args={"opinion": mode, "opinion_data": str(data), "opinion_follow": FOLLOW},
        display="none",
        log_dir=folder,
        log_realtime=False,
    )[0]
    if log.status != "success" or log.results is None:
        raise SystemExit(f"the run failed: {log.error}")
    samples = [sample.metadata["valueflow_opinion"] for sample in log.samples or []]
    return Run(
        {key: metric.value for key, metric in log.results.scores[0].metrics.items()},
        {(sample["text"], sample["question"]) for sample in samples},
        time.perf_counter() - start,
    )


def run_lm_eval(
    data: Path, questions: int | None, mode: str, passes: tuple[str, ...], form: str
) -> Run:
    """Tasks `valueflow_opinionqa_PASS` (form "") or their comparisons of letters ("_letters")."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import lm_eval
        from lm_eval.api.model import LM
        from lm_eval.tasks import TaskManager
    except ImportError:
        raise click.ClickException("lm-eval is missing: pip install 'valueflow[lm-eval]'") from None

    respondent = OpinionAnswers(
        OpinionAnswersOptions(opinion=mode, opinion_data=str(data), opinion_follow=FOLLOW), 0
    )

    class Respondent(LM):
        def generate_until(self, requests: list[Any], **_: Any) -> list[str]:
            return [respondent.answer(request.args[0])[0] for request in requests]

        def loglikelihood(self, requests: list[Any], **_: Any) -> list[tuple[float, bool]]:
            found = []
            for request in requests:
                prompt, letter = request.args
                found.append((stated(prompt).get(letter.strip(), -math.inf), False))
            return found

        def loglikelihood_rolling(self, requests: list[Any], **_: Any) -> Any:
            raise NotImplementedError

    known: dict[str, dict[str, float]] = {}

    def stated(prompt: str) -> dict[str, float]:
        if prompt not in known:
            known[prompt] = respondent.answer(prompt)[1]
        return known[prompt]

    start = time.perf_counter()
    tasks = {name: f"valueflow_opinionqa_{name}{form}" for name in passes}
    options = {"data": str(data), "threshold": 0, "n_questions": questions or "all"}
    made = lm_eval.simple_evaluate(
        model=Respondent(),
        tasks=list(tasks.values()),
        task_manager=TaskManager(
            include_path=str(task_folder()),
            include_defaults=False,
            metadata={f"valueflow_{key}": setting for key, setting in options.items()},
        ),
        bootstrap_iters=0,
    )
    found: dict[str, float] = {}
    asked = set()
    attributes = {name.lower(): name for name in load_registry().opinion.attributes}
    for name, task in tasks.items():
        for key, number in made["results"][task].items():
            metric = key.partition(",")[0]
            error = "_stderr" if metric.endswith("_se") else ""
            scope = attributes.get(metric.removesuffix("_se").removeprefix("accuracy_"), "")
            if scope or metric.removesuffix("_se") == "accuracy":
                found[f"{name} {scope} accuracy{error}".replace("  ", " ")] = number
        # Groups stand in no metric of these tasks; the answers have them.
        groups = defaultdict(list)
        for sample in made["samples"][task]:
            record = sample["answers"]
            groups[record["group"]].append(record["correct"])
            asked.add((json.loads(sample["doc"]["sample"])["text"], record["question"]))
        for group, own in groups.items():
            found[f"{name} {group} accuracy"] = sum(own) / len(own)
    return Run(found, asked, time.perf_counter() - start)


def compare(one: Run, name: str, mode: str, expected: Expected, harness: str) -> None:
    largest = 0.0
    for scope, (chance, error, _) in expected.items():
        accuracy = one.found[f"{name} {scope} accuracy" if scope else f"{name} accuracy"]
        off = abs(accuracy - chance)
        largest = max(largest, off / error if error else (0.0 if off < 1e-9 else math.inf))
    chance, error, rows = expected[""]
    accuracy = one.found[f"{name} accuracy"]
    z = (accuracy - chance) / error if error else 0.0
    click.echo(
        f"{mode:9} {name:8} {rows:5,} {accuracy:9.4f} {chance:11.4f} {z:+6.2f} "
        f"{largest:12.2f} {one.found[f'{name} accuracy_stderr']:15.4f} {one.seconds:8.0f}  "
        f"{harness}"
    )


def expectations(
    mode: str, passes: tuple[str, ...], one: Run, file: Path, scores: Path, drawn: bool
) -> dict[str, Expected]:
    """By pass, what a respondent should score; with comparisons of letters nothing is drawn."""
    rows, ids = chosen_rows(file, one.asked)
    base = credits(rows)
    blind = summed([(r["attribute"], float(most in right)) for r, right, most in base])
    if mode == "profile":
        return {
            "default": blind,
            "profile": expect_profile(rows, ids, scores, FOLLOW if drawn else 1.0),
        }
    if mode == "majority":
        return dict.fromkeys(passes, blind)
    parts = [
        (
            r["attribute"],
            min(1.0, sum(r["gold_distribution"][n] for n in right)) if drawn else 1.0,
        )
        for r, right, _ in base
    ]
    return {"default": summed(parts)}


@click.command()
@click.option("--data", envvar="VALUEFLOW_REAL_DATA", type=click.Path(path_type=Path))
@click.option("--questions", type=int, help="Draw this many questions.")
@click.option(
    "--harness",
    type=click.Choice(["inspect", "lm-eval", "both"]),
    default="inspect",
    show_default=True,
)
def main(data: Path | None, questions: int | None, harness: str) -> None:
    """Accuracies of three simulated respondents beside the closed form."""
    if data is None:
        click.echo("set VALUEFLOW_REAL_DATA, or give --data, to the folder of the real data")
        return
    file = data / "opinionqa" / "steerable_test_opinionqa_small.json"
    scores = data / "opinionqa" / "group_value_scores.csv"
    loaded = load_opinions(file)
    click.echo(f"{len(loaded.rows):,} rows, {len(loaded.questions):,} questions")
    for note in loaded.notes:
        click.echo(note)
    click.echo(
        "respondent pass      rows  accuracy closed form      z  largest |z| clustered error"
        "  seconds  harness"
    )
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    differences = []
    with tempfile.TemporaryDirectory() as folder:
        for mode, passes in (
            ("group", ("default",)),
            ("majority", ("blind",)),
            ("profile", ("default", "profile")),
        ):
            runs: dict[str, Run] = {}
            if harness != "lm-eval":
                runs["Inspect"] = run_inspect(file, questions, mode, passes, folder)
            if harness != "inspect":
                runs["lm-eval"] = run_lm_eval(file, questions, mode, passes, "")
                letters = run_lm_eval(file, questions, mode, passes, "_letters")
                runs["lm-eval, letters"] = letters
            for where, one in runs.items():
                drawn = "letters" not in where
                told = expectations(mode, passes, one, file, scores, drawn)
                for name, expected in told.items():
                    compare(one, name, mode, expected, where)
            if harness == "both":
                first, second = runs["Inspect"].found, runs["lm-eval"].found
                differences += [abs(first[figure] - number) for figure, number in second.items()]
            if mode == "profile" and "Inspect" in runs:
                found = runs["Inspect"].found
    if harness != "lm-eval":
        click.echo(
            f"profile-default difference {found['profile-default difference']:+.4f} "
            f"± {found['profile-default difference_stderr']:.4f}, McNemar p "
            f"{found['profile-default mcnemar_p']:.2g}; gold ties {found['gold_ties']:.0f}; "
            f"profile_built_on_scored_questions {found['profile_built_on_scored_questions']:.0f}"
        )
    if differences:
        click.echo(
            f"largest difference between the harnesses: {max(differences):.1g} over "
            f"{len(differences)} figures"
        )


def chosen_rows(
    file: Path, asked: set[tuple[str, str]]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The file's rows of the questions that were asked, and their hashes."""
    # The hash is valueflow's name of a question, and stands for text and options together.
    by_key = {q.id: q for q in load_opinions(file).questions}
    wanted = {
        (simple(text), tuple(map(simple, by_key[identifier].options))): identifier
        for text, identifier in asked
    }
    rows, ids = [], {}
    for row in read_rows(file):
        body = row["question"].removeprefix("Question: ").partition("\nOptions:")[0]
        key = (simple(body), tuple(map(simple, row["options"])))
        if key in wanted:
            ids[row["question"]] = wanted[key]
            rows.append(row)
    return rows, ids


def simple(text: str) -> str:
    """Letters and digits only: what quotation marks and spaces cannot change."""
    return re.sub(r"\W+", "", text)


if __name__ == "__main__":
    sys.exit(main())
