"""Reads the files that `make.py` made, by public commands and names alone.

`ARTEFACTS` holds a function for each artefact. It takes a `Study`, a copy of the files in a folder
of its own, and returns the parts `always` and `estimator` of `expected.json`, see `make.py`.
"""

import csv
import json
import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pyarrow.parquet
from click.testing import CliRunner
from inspect_ai import score as inspect_score
from inspect_ai.log import EvalLog, read_eval_log, recompute_metrics, write_eval_log
from inspect_ai.model import get_model

from tests.made_before.models import asked
from valueflow import opinionqa
from valueflow.hub_assets import load_registry, load_vidb
from valueflow.scorers import evaluate, intensity, read_rankings

__all__ = ["ARTEFACTS", "GRADER", "PLACE", "Study", "command", "opened"]

PLACE = "/study"
"""Stands in logs for the folder in which they were made."""

GRADER = {"model": "made_before/judge", "model_args": {"unknown": "hash"}}

STEERING = (
    "steer",
    "steer_refusals",
    "steer_choice",
    "steer_adaptive",
    "steer_pair",
    "steer_five",
    "steer_composite",
    "score",
)

# Metrics of a log that count what was read; the others are estimates.
COUNTS = (
    "anchors_borrowed",
    "anchors_repeated",
    "choice_fallbacks",
    "count",
    "judge_calls",
    "judge_repairs",
    "judge_retries",
    "over_word_limit",
    "refusal_rate",
    "truncated",
    "unscored",
    "windows_failed",
)

Found = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """A copy of the files, with its own folder in place of `PLACE`, and room for what is written.

    Attributes:
        files: the copy.
        room: an empty folder.
    """

    files: Path
    room: Path

    def log(self, name: str) -> Path:
        """The log of that name."""
        (path,) = self.files.joinpath("runs").glob(f"{name}.*")
        return path


def opened(files: Path, work: Path) -> Study:
    """Copies the files of `make.py` into a folder."""
    work = work.resolve()
    copy = work / "study"
    shutil.copytree(files, copy)
    for path in copy.joinpath("runs").glob("*.json"):
        path.write_text(path.read_text().replace(PLACE, str(copy)))
    room = work / "room"
    room.mkdir()
    return Study(copy, room)


def command(*arguments: str, fails: bool = False) -> str:
    """What the command `valueflow` prints.

    Raises:
        AssertionError: it ends otherwise than expected.
    """
    (found,) = entry_points(group="console_scripts", name="valueflow")
    done = CliRunner().invoke(found.load(), list(arguments))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert (done.exit_code != 0) == fails, f"valueflow {' '.join(arguments)}\n{done.output}"
    return done.output


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def parquet(path: Path) -> dict[str, list[Any]]:
    """The columns of a Parquet file."""
    return dict(pyarrow.parquet.read_table(path).to_pydict())


def embedded_anchors(values: Sequence[str]) -> list[tuple[str, str, float]]:
    """(value, text, intensity) of the embedded anchors of some values."""
    return [
        (value, anchor.text, anchor.intensity)
        for (_, value), anchors in load_vidb("vidb-mini").anchors.items()
        if value in values
        for anchor in anchors
    ]


def paid_calls(folder: Path) -> int:
    """How many calls of judges a build has kept."""
    return sum(path.read_bytes().count(b"\n") for path in folder.rglob("*.calls.jsonl"))


# Rankings: logs of the scorer, and what users saved.


def figures(paths: Sequence[Path], estimator: str) -> Found:
    """What `evaluate` makes of saved rankings: cells, responses, judges."""
    found = evaluate(read_rankings(paths).table, estimator=estimator)
    kept: Found = {
        "cells": {
            c.cell: [c.items, c.intensity, c.se, c.spread, c.lower, c.upper] for c in found.cells
        },
        "responses": {f"{e.item} | {e.cell}": [e.windows, e.intensity] for e in found.items},
    }
    if estimator == "population":
        kept["judges"] = {
            value: [j.scale, j.scale_se, j.place_effect, j.place_effect_se]
            for value, j in found.judges.items()
        }
    return kept


def what_was_read(paths: Sequence[Path]) -> Found:
    """Windows, responses without any, what was left out, and the orders of the judge."""
    saved = read_rankings(paths)
    return {
        "windows": int(saved.table.windows),
        "cells": sorted(saved.table.cells),
        "left_out": dict(saved.dropped),
        "unscored": {" | ".join(key): why for key, why in saved.without.items()},
        "own_fields": {" | ".join(key): fields for key, fields in saved.extra.items() if fields},
    }


def scored(study: Study, paths: Sequence[Path], estimator: str) -> Found:
    """The tables that `valueflow score` writes, and that their cells are those of `evaluate`."""
    folder = study.room / estimator
    told = [str(path) for path in paths]
    command("score", *told, "-o", str(folder), "--estimator", estimator)
    run = json.loads((folder / "run.json").read_text())
    rows = {row["cell"]: row for row in table(folder / "cells.csv")}
    exact = figures(paths, estimator)
    # The tables have six digits.
    for name, (items, mean, se, *_) in exact["cells"].items():
        row = rows[name]
        assert int(row["items"]) == items
        for shown, figure in ((row["intensity"], mean), (row["se"], se)):
            assert math.isclose(number(shown), figure, rel_tol=1e-5, abs_tol=1e-5) or (
                math.isnan(number(shown)) and math.isnan(figure)
            )
    shifts = folder / "shifts.csv"
    return {
        **exact,
        "windows": run["windows"],
        "unscored": sum(bool(row["unscored"]) for row in table(folder / "items.csv")),
        "shifts": {
            f"{row['cell']} − {row['baseline']}": [number(row[c]) for c in ("shift", "se", "pairs")]
            for row in (table(shifts) if shifts.is_file() else [])
        },
    }


def number(cell: str) -> float:
    """A cell of a table; NaN where it is empty."""
    return float(cell) if cell else math.nan


def rankings(study: Study, *paths: Path) -> Found:
    """Saved rankings by both estimators."""
    return {
        "always": {"read": what_was_read(paths), "reference": scored(study, paths, "reference")},
        "estimator": scored(study, paths, "population"),
    }


def metrics_of(log: EvalLog) -> dict[str, float]:
    """All metrics of a log by name."""
    assert log.results is not None
    (scores,) = log.results.scores
    return {name: metric.value for name, metric in scores.metrics.items()}


def computed_anew(path: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Counts and estimates that today's metric makes of a log's records."""
    log = read_eval_log(str(path))
    recompute_metrics(log)
    found = metrics_of(log)
    counts = {name: x for name, x in found.items() if name.split(" ")[-1] in COUNTS}
    return counts, {name: x for name, x in found.items() if name not in counts}


def steering_log(name: str) -> Callable[[Study], Found]:
    """Reads a log of a steering task."""

    def read(study: Study) -> Found:
        found = rankings(study, study.log(name))
        counts, estimates = computed_anew(study.log(name))
        found["always"]["metrics"] = counts
        found["estimator"]["metrics"] = estimates
        return found

    return read


def choice_log(study: Study) -> Found:
    """A log of choices, which the published estimator cannot read."""
    path = study.log("steer_choice")
    counts, estimates = computed_anew(path)
    return {
        "always": {"read": what_was_read([path]), "metrics": counts},
        "estimator": {**scored(study, [path], "population"), "metrics": estimates},
    }


def refusals_log(study: Study) -> Found:
    """A log whose refused responses were ranked: no cell holds them, by its own metrics.

    The cells are those of the log without its refused samples, and not what `valueflow score LOG`
    makes of it as long as that counts refused responses in: see `cells_of_refusals_log`.
    """
    path = study.log("steer_refusals")
    counts, estimates = computed_anew(path)
    log = read_eval_log(str(path))
    samples = {f"{sample.id}#{sample.epoch}": sample for sample in log.samples or []}
    refused = [n for n, s in samples.items() if s.output.completion.startswith("I'm sorry")]
    log.samples = [sample for name, sample in samples.items() if name not in refused]
    kept = study.room / "answered.json"
    write_eval_log(log, str(kept))
    every = figures([path], "reference")["responses"]
    return {
        "always": {
            "refused": refused,
            "read": what_was_read([path]),
            "without_refused": figures([kept], "reference"),
            "responses": {
                name: found for name, found in every.items() if name.split(" | ")[0] not in refused
            },
            "metrics": counts,
        },
        "estimator": {"metrics": estimates},
    }


def cells_of_refusals_log(study: Study, estimator: str) -> dict[str, list[float]]:
    """[responses, mean] of each cell, as `valueflow score LOG` tells them."""
    folder = study.room / "score"
    log = str(study.log("steer_refusals"))
    command("score", log, "-o", str(folder), "--estimator", estimator)
    rows = table(folder / "cells.csv")
    return {row["cell"]: [int(row["items"]), number(row["intensity"])] for row in rows}


def scored_again(name: str) -> Callable[[Study], Found]:
    """Judges the responses of a log again: the same windows, and the same answers of the judge."""

    def read(study: Study) -> Found:
        path = study.log(name)
        log = read_eval_log(str(path))
        assert log.eval.model_roles is not None
        grader = log.eval.model_roles["grader"]
        again = inspect_score(
            log,
            intensity(),
            action="overwrite",
            model_roles={"grader": get_model(grader.model, memoize=False, **grader.args)},
            display="none",
        )
        found = metrics_of(again)
        return {
            "always": {n: x for n, x in found.items() if n.split(" ")[-1] in COUNTS},
            "estimator": {n: x for n, x in found.items() if n.split(" ")[-1] not in COUNTS},
        }

    return read


def survey_log(study: Study) -> Found:
    """The log of a survey, with profiles and relevance of the user's own. Nothing is estimated."""
    log = read_eval_log(str(study.log("opinionqa")))
    recompute_metrics(log)
    return {"always": as_before(metrics_of(log)), "estimator": {}}


def as_before(figures: Mapping[str, float]) -> dict[str, float]:
    """Later versions give the accuracy of all answers by attribute too."""
    added = re.compile(r"\w+ (macro|[A-Z]+) accuracy_all(_stderr)?")
    return {name: found for name, found in figures.items() if not added.fullmatch(name)}


def survey_tables(study: Study) -> Found:
    """The samples that old tables of profiles and relevance make are those of their old log."""
    old = read_eval_log(str(study.log("opinionqa")))
    task = opinionqa(
        **{
            **old.eval.task_args_passed,
            "relevance": str(study.files / "survey" / "relevance.parquet"),
            "profiles": str(study.files / "survey" / "profiles.csv"),
        }
    )
    made = {str(sample.id): sample for sample in task.dataset}
    for sample in old.samples or []:
        assert made[str(sample.id)].input == sample.input
        for key, settings in sample.metadata.items():
            now = (made[str(sample.id)].metadata or {})[key]
            # Later versions may add to what a sample says, and change nothing of it.
            assert {name: now[name] for name in settings} == settings
    return {"always": sorted(made), "estimator": {}}


def reports(study: Study) -> Found:
    """A report of a steering run and a survey: what was counted, and every cell."""
    logs = [str(study.log(name)) for name in ("steer_refusals", "opinionqa")]
    command("report", *logs, "-o", str(study.room / "report"))
    tables = study.room / "report" / "tables"
    counted = ("counts", "survey_counts", "survey_accuracy", "survey_answers")

    def rows(name: str) -> list[dict[str, Any]]:
        # A study's label is for readers, and may be worded otherwise.
        found = read_back(table(tables / f"{name}.csv"))
        told = [{n: cell for n, cell in row.items() if n != "study"} for row in found]
        for row in told:
            if "pass" in row:  # So is the name of a baseline, since it says what it is.
                row["pass"] = row["pass"].removesuffix(" (oracle)")
        return told

    return {
        "always": {name: rows(name) for name in counted},
        "estimator": {name: rows(name) for name in ("cells", "values")},
    }


def read_back(rows: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Rows of a table with numbers as numbers, and without empty cells."""
    return [{name: value_of(cell) for name, cell in row.items() if cell} for row in rows]


def value_of(cell: str) -> float | str:
    """The number that a cell holds, else its text."""
    try:
        return float(cell)
    except ValueError:
        return cell


def compared(study: Study) -> Found:
    """Two runs side by side."""
    out = study.room / "comparison.csv"
    logs = [str(study.log(name)) for name in ("steer", "steer_adaptive")]
    command("compare", *logs, "-o", str(out))
    rows = read_back(table(out))
    return {
        "always": [[row["what"], row["cell"]] for row in rows],
        "estimator": rows,
    }


# lm-evaluation-harness.


@contextmanager
def cache_at(folder: Path) -> Iterator[None]:
    """Judgements are kept in a folder, within this block."""
    name = "VALUEFLOW_CACHE_DIR"
    before = os.environ.get(name)
    os.environ[name] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def lm_eval_steering(study: Study) -> Found:
    """Samples of a steering task, scored from the judgements that were kept: nobody is asked."""
    asked.clear()
    files = study.files / "lm_eval"
    samples = files / "steer" / "samples_valueflow_steer_pvq.jsonl"
    with cache_at(files / "cache"):
        told = ("--grader", json.dumps(GRADER), "-o", str(study.room))
        command("lm-eval", "score", str(samples), *told)
    (windows,) = study.room.glob("windows_*.jsonl")
    (numbers,) = study.room.glob("figures_*.csv")
    every = {row["figure"]: number(row["value"]) for row in table(numbers)}
    (told_then,) = json.loads((files / "steer" / "results.json").read_text())["results"].values()
    shared = ("scored", "refusal_rate", "unscored_share")
    old = {k.split(",")[0]: x for k, x in told_then.items() if isinstance(x, int | float)}
    return {
        "always": {
            "judge_calls": asked.total(),
            "read": what_was_read([windows]),
            "reference": figures([windows], "reference"),
            "figures": {n: x for n, x in every.items() if n.split(" ")[-1] in COUNTS},
            "harness": {name: old[name] for name in shared},
        },
        "estimator": {
            "figures": {n: x for n, x in every.items() if n.split(" ")[-1] not in COUNTS},
        },
    }


def lm_eval_windows(study: Study) -> Found:
    """The windows that the run itself wrote beside its results."""
    (path,) = study.files.joinpath("lm_eval", "steer").glob("windows_*.jsonl")
    return rankings(study, path)


def lm_eval_survey(study: Study) -> Found:
    """Samples of three passes put together, and of the letters by themselves."""
    folder = study.files / "lm_eval" / "survey"
    passes = sorted(folder.glob("samples_*[!s].jsonl"))
    assert len(passes) == 3
    found = {}
    for name, paths in (("words", passes), ("letters", [*folder.glob("samples_*_letters.jsonl")])):
        out = study.room / name
        command("lm-eval", "score", *map(str, paths), "-o", str(out))
        (numbers,) = out.glob("figures_*.csv")
        (answers,) = out.glob("answers_*.csv")
        found[name] = as_before({r["figure"]: number(r["value"]) for r in table(numbers)})
        found[name]["rows"] = len(table(answers))
    told = json.loads((folder / "results.json").read_text())["results"]
    for task, numbers in told.items():
        name = task.removeprefix("valueflow_opinionqa_").removesuffix("_letters")
        scored_now = found["letters" if task.endswith("_letters") else "words"]
        for metric in ("accuracy", "macro_accuracy"):
            shown = scored_now[f"{name} {metric.replace('_', ' ')}"]
            assert math.isclose(numbers[f"{metric},none"], shown, rel_tol=1e-5)
    return {"always": found, "estimator": {}}


# Databases.


def database_rows(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stands in a packaged database: rows by value and text, and their numbers."""
    rows: dict[str, Any] = {}
    numbers: dict[str, Any] = {}
    for path in sorted(folder.joinpath("data").rglob("*.parquet")):
        for row in pyarrow.parquet.read_table(path).to_pylist():
            key = f"{path.stem} {row['value']}: {row['text']}"
            rows[key] = [row[c] for c in ("path", "direction", "n_comparisons", "license")]
            numbers[key] = [row[c] for c in ("intensity", "intensity_se", "utility")]
    return rows, numbers


def built(name: str) -> Callable[[Study], Found]:
    """Goes on with a build: what was asked, and the database."""

    def read(study: Study) -> Found:
        asked.clear()
        folder = study.files / "database"
        kept = paid_calls(folder / name)
        # What was begun in the first wording goes on in it where the recipe says so.
        with (folder / "recipe.yaml").open("a", encoding="utf-8") as recipe:
            recipe.write("wording: 1\n")
        told = command("build", "vidb", str(folder / "recipe.yaml"), "-o", str(folder / name))
        (line,) = (line for line in told.splitlines() if line.startswith("judge calls in this run"))
        rows, numbers = database_rows(folder / name / "vidb")
        return {
            "always": {
                "calls_kept": kept,
                "calls_made": asked.total(),
                "calls_told": int(line.split(":")[1].split("(")[0].replace(",", "")),
                "rows": rows,
            },
            "estimator": {"numbers": numbers},
        }

    return read


def reviewed(study: Study) -> Found:
    """Decisions of people: their agreement, and how often each was given."""
    folder = study.files / "database" / "finished"
    out = study.room / "agreement.csv"
    command("review", str(folder), "--agreement", "-o", str(out))
    sheet = study.room / "queue.csv"
    command("review", str(folder), "--export", str(sheet), "--sample", "6")
    answers = Counter(
        f"{row['queue']} {row['reviewer']}: {row['answer']}"
        for row in table(sheet)
        if row["answer"]
    )
    return {
        "always": {"agreement": read_back(table(out)), "answers": dict(answers)},
        "estimator": {},
    }


def packaged(study: Study) -> Found:
    """A packaged database: it passes every check before a push, and gives its anchors."""
    folder = study.files / "packaged"
    told = ("--repo", "someone/anchors", "--tag", "v1.0", "--dry-run", "--offline")
    command("push", "vidb", str(folder), *told)
    rows, numbers = database_rows(folder)
    anchors = {
        f"{theory} {value}": [[a.text, a.intensity] for a in found]
        for (theory, value), found in load_vidb(str(folder)).anchors.items()
    }
    return {
        "always": {"rows": rows, "numbers": numbers, "anchors": anchors},
        "estimator": {},
    }


def names(study: Study) -> Found:
    """What the registry calls things: names in users' files and commands."""
    registry = load_registry()
    return {
        "always": {
            name: [value.name for value in registry.theory(name).values]
            for name in ("pvq", "mft", "duty", "right")
        },
        "estimator": {},
    }


ARTEFACTS: dict[str, Callable[[Study], Found]] = {
    **{name: steering_log(name) for name in STEERING},
    "steer_choice": choice_log,
    "steer_refusals": refusals_log,
    "catalogue": steering_log("catalogue"),
    "steer_scored_again": scored_again("steer"),
    "catalogue_scored_again": scored_again("catalogue"),
    "opinionqa": survey_log,
    "survey_tables": survey_tables,
    "report": reports,
    "comparison": compared,
    "rankings_jsonl": lambda study: rankings(study, study.files / "rankings" / "saved.jsonl"),
    "rankings_csv": lambda study: rankings(
        study, study.files / "rankings" / "benevolence_strong.csv"
    ),
    "lm_eval_steer": lm_eval_steering,
    "lm_eval_windows": lm_eval_windows,
    "lm_eval_survey": lm_eval_survey,
    "database_finished": built("finished"),
    "database_half": built("half"),
    "reviews": reviewed,
    "packaged": packaged,
    "names": names,
}
