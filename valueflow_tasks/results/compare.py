"""`valueflow compare`: which cells of two runs differ, and which only seem to."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from rich import box
from rich.table import Table

from valueflow.hub_assets.errors import (
    InputFileError,
    OptionError,
    UnknownNameError,
    ValueflowError,
)
from valueflow.hub_assets.files import write_csv, write_text
from valueflow.results.studies import tag_of
from valueflow.scorers.records import Distinct, ResponseRecord
from valueflow.scorers.saved.logs import (
    ScoredLog,
    find_logs,
    hidden,
    last_attempts,
    left_out,
)
from valueflow.scorers.summary.comparison import (
    AVERAGE,
    CellDifference,
    Comparison,
    FigureComparison,
    FigureDifference,
    compare,
    compare_figures,
)
from valueflow.scorers.summary.overview import figure_text

__all__ = [
    "FIGURE_COLUMNS",
    "Run",
    "as_table",
    "compare_run_figures",
    "compare_runs",
    "figure_rows",
    "figure_summary",
    "figure_tables",
    "names_of_runs",
    "read_models",
    "read_run",
    "runs_by_model",
    "summary",
    "tables",
    "write_comparison",
    "write_figures",
]

COLUMNS = [
    "what",
    "cell",
    "theory",
    "value",
    "group",
    "condition",
    "level",
    "a",
    "a_se",
    "b",
    "b_se",
    "difference",
    "se",
    "lower",
    "upper",
    "p_value",
    "p_adjusted",
    "differs",
    "shared_queries",
    "responses_a",
    "scored_a",
    "refusals_a",
    "responses_b",
    "scored_b",
    "refusals_b",
]

CORRECTION_NAMES = {
    "holm": "after Holm's correction",
    "bh": "after Benjamini and Hochberg's correction",
    "none": "without any correction",
}

CORRECTED_COLUMN = {"holm": ["Holm p"], "bh": ["BH p"], "none": []}

SETUP_NOTES = {
    "version of wording": "The prompts of A and B are of different versions, and so is what judges "
    "are told of the values: a difference may lie in the prompts.",
    "form": "The responses of A and B were asked for in different forms, and one sentence is "
    "shorter and a little weaker than a paragraph: a difference may lie in the form.",
    "baseline": "The defaults of A and B were asked in different ways, so that their shifts are "
    "taken from different baselines.",
    "system_sha256": "A and B were given different system prompts beside the persona: a difference "
    "may lie in these.",
    "wordings": "The personas of A and B were told in different numbers of wordings: a difference "
    "may lie in these.",
    "language": "Prompts and judges' questions of A and B are in different languages: a difference "
    "may lie in the language.",
    "version of queries_sha256": "The query sets of A and B differ: queries are paired by their "
    "ids, so make sure that equal ids are equal questions.",
}


TOLD = {
    "form": "paragraph",
    "baseline": "first_person",
    "language": "en",
    "system_sha256": None,
    "wordings": 1,
}
"""What models were asked for, and how it was before logs said so."""


@dataclass(frozen=True)
class Run:
    """One side of a comparison: a model's responses from one log or several.

    Attributes:
        model: the evaluated model.
        logs: the files read.
        responses: scored or not.
        left_out: what is missing, with counts.
        setup: what was run, one flat mapping, so that the sides' differences can be told.
    """

    model: str
    logs: list[Path]
    responses: list[ResponseRecord]
    left_out: Counter[str]
    setup: dict[str, str]

    @property
    def queries(self) -> int:
        """How many queries there are."""
        return len({response["query"] for response in self.responses})


def read_run(path: Path) -> Run:
    """The run in a log, or in all logs of a folder.

    Raises:
        InputFileError: a file cannot be read or has no score of ours, the logs are of several
            models, or two logs have the same response.
    """
    logs = [ScoredLog(log) for log in find_logs([path])]
    models = sorted({log.header.eval.model for log in logs})
    if len(models) > 1:
        raise InputFileError(
            path,
            f"holds logs of several models ({', '.join(models)}); give one log, or "
            f"`--logs {path} --models {models[0]} {models[1]}`",
        )
    return _run(logs)


def read_models(paths: Sequence[Path], models: tuple[str, str]) -> tuple[Run, Run]:
    """The runs of two models among logs.

    Raises:
        InputFileError: see `read_run`.
        UnknownNameError: a model has no log; the message offers those that have.
    """
    logs = [ScoredLog(log) for log in find_logs(paths)]
    known = {log.header.eval.model for log in logs}
    found = []
    for name in models:
        fitting = [m for m in known if m == name] or [m for m in known if m.endswith(f"/{name}")]
        if len(fitting) != 1:
            raise UnknownNameError("model", name, fitting or known, "It must be one with a log.")
        found.append(_run([log for log in logs if log.header.eval.model == fitting[0]]))
    return found[0], found[1]


def runs_by_model(paths: Sequence[Path]) -> list[Run]:
    """A run for each evaluated model of some logs, with its arguments, in the order of the logs.

    Raises:
        InputFileError: see `read_run`.
    """
    groups: dict[str, list[ScoredLog]] = {}
    for path in find_logs(paths):
        log = ScoredLog(path)
        arguments = json.dumps(log.header.eval.model_args, sort_keys=True, default=str)
        groups.setdefault(f"{log.header.eval.model} {arguments}", []).append(log)
    return [_run(logs) for logs in groups.values()]


def names_of_runs(runs: Sequence[Run], labels: Mapping[str, str] | None = None) -> list[str]:
    """A short name for each run: its model, by its label, with a letter where names repeat.

    Raises:
        OptionError: a label is of no run's model.
    """
    called = labels or {}
    if lacking := [model for model in called if model not in {run.model for run in runs}]:
        raise OptionError("label", f"{', '.join(lacking)}: no log is of this model")
    names = [called.get(run.model, run.model).replace(": ", ":") for run in runs]
    return [
        f"{tag_of(place)} {name}" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def _run(logs: Sequence[ScoredLog]) -> Run:
    missing: Counter[str] = Counter()
    read: dict[Path, list[ResponseRecord]] = {}
    for log in sorted(logs, key=lambda log: (str(log.header.eval.created), log.path.name)):
        read[log.path] = cast(list[ResponseRecord], list(log.records()))
    # A retried run leaves a log for each attempt. The last has all that the others have, unless it
    # was stopped early.
    pairs = last_attempts(
        [log for path in read for log in logs if log.path == path],
        lambda log: log.header.eval.task_id,
        lambda log: len(read[log.path]),
    )
    chosen = [log for log, best in pairs if log is best]
    if len(chosen) < len(logs):
        missing["logs of other attempts at the same run"] += len(logs) - len(chosen)
    responses: list[ResponseRecord] = []
    seen: dict[tuple[str, str], Path] = {}
    # Tasks of one model share their defaults, which may be one and the same measurement.
    distinct = Distinct() if len({log.header.eval.task for log in chosen}) > 1 else None
    for log in chosen:
        path = log.path
        missing.update(left_out(log.counts))
        if not read[path]:
            told = ", ".join(f"{count} {what}" for what, count in left_out(log.counts).items())
            raise InputFileError(
                path,
                f"holds no score of valueflow/intensity{f' ({told})' if told else ''}. Score it "
                f"with `inspect score {path} --scorer valueflow/intensity --model-role grader=Y`",
            )
        if distinct is not None:
            read[path] = [kept for r in read[path] if (kept := distinct.of(r))["values"]]
        for response in read[path]:
            for record in response["values"].values():
                key = (response["item"], record["cell"])
                if key in seen:
                    raise InputFileError(
                        path,
                        f"item {key[0]!r} of cell {key[1]!r} stands in "
                        f"{seen[key] if seen[key] != path else 'it twice'} too; give one log, or a "
                        "folder whose logs have different responses",
                    )
                seen[key] = path
        responses.extend(read[path])
    setups = [_setup(log.header) for log in chosen]
    setup = {
        name: " and ".join(dict.fromkeys(one[name] for one in setups if name in one))
        for name in dict.fromkeys(name for one in setups for name in one)
    }
    paths = [log.path for log in chosen]
    return Run(chosen[0].header.eval.model, paths, responses, missing, setup)


def _setup(header: Any) -> dict[str, str]:
    """What was run, flat: the model and its options, the task and its, and versions."""
    spec = header.eval
    found: dict[str, Any] = {"model": spec.model, "task": spec.task}
    found |= {f"model option {name}": value for name, value in hidden("", spec.model_args).items()}
    generation = spec.model_generate_config.model_dump(exclude_none=True)
    found |= {f"generation {name}": value for name, value in generation.items()}
    found |= {
        f"task option {name}": value for name, value in hidden("", spec.task_args_passed).items()
    }
    known = ("valueflow", "wording", "queries", "queries_revision", "queries_sha256")
    metadata = spec.metadata or {}
    found |= {f"version of {name}": metadata[name] for name in known if name in metadata}
    found |= {name: metadata.get(name, before) for name, before in TOLD.items()}
    return {name: str(value) for name, value in found.items()}


def compare_runs(
    a: Run, b: Run, *, confidence: float = 0.95, correction: str = "holm", force: bool = False
) -> Comparison:
    """Compares two runs, see `valueflow.scorers.summary.comparison.compare`; errors name logs.

    Raises:
        ValueflowError: the runs cannot be compared.
    """
    try:
        found = compare(
            a.responses, b.responses, confidence=confidence, correction=correction, force=force
        )
    except ValueflowError as error:
        raise ValueflowError(f"{error} (A: {_files(a)}; B: {_files(b)}).") from None
    notes = [
        note
        for name, note in SETUP_NOTES.items()
        if name in a.setup and name in b.setup and a.setup[name] != b.setup[name]
    ]
    return replace(found, notes=[*notes, *found.notes])


def differences_of_setup(a: Run, b: Run) -> list[str]:
    """What was run differently, for instance `task option method: definition, user_texts`."""
    names = dict.fromkeys([*a.setup, *b.setup])
    nothing = "(not given)"
    return [
        f"{name}: {a.setup.get(name, nothing)} → {b.setup.get(name, nothing)}"
        for name in names
        if a.setup.get(name) != b.setup.get(name)
    ]


def tables(found: Comparison) -> list[Table]:
    """A table of the differences of means, and one of those of shifts, if there are any."""
    titles = {
        "mean": "Mean intensity, A − B (n shared queries)",
        "shift": "Shift from the default, A − B (n shared queries)",
    }
    made = []
    for what, title in titles.items():
        rows = found.of(what)
        if not rows:
            continue
        made.append(_table_of(title, "cell", [(row.cell, row.shared, row) for row in rows], found))
    return made


def _table_of(
    title: str,
    of: str,
    rows: Sequence[tuple[str, int, CellDifference | FigureDifference]],
    found: Comparison | FigureComparison,
) -> Table:
    """Differences of A and B as a table: what each is of, how many queries it rests on, itself.

    Narrow enough for 80 columns; the table that is written has every figure.
    """
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    interval = f"{100 * found.confidence:g}% interval"
    corrected = CORRECTED_COLUMN[found.correction]
    table.add_column(f"  {of}", overflow="fold")
    for name in ("A", "B", "A − B", interval, "n", "p", *corrected):
        table.add_column(name, justify="right", no_wrap=True)
    for name, shared, row in rows:
        table.add_row(
            f"{'*' if row.differs else ' '} {name}",
            _signed(row.a.value),
            _signed(row.b.value),
            _signed(row.difference),
            f"{_signed(row.lower)} to {_signed(row.upper)}",
            str(shared),
            _chance(row.p_value),
            *([_chance(row.p_adjusted)] if corrected else []),
            style="bold" if row.differs else None,
        )
    return table


def _signed(number: float) -> str:
    # Adding 0 makes -0.00 a +0.00.
    return f"{round(number, 2) + 0.0:+.2f}"


def _chance(p_value: float) -> str:
    return f"{p_value:.3f}" if p_value >= 0.0005 else "<0.001"


def summary(found: Comparison) -> list[str]:
    """One sentence on means and one on shifts."""
    level = f"{100 * (1 - found.confidence):.3g}%"
    how = CORRECTION_NAMES[found.correction]
    sentences = []
    for what, noun in (("mean", "cells differ"), ("shift", "shifts from the default differ")):
        rows = found.of(what)
        if rows:
            count = sum(row.differs for row in rows)
            sentences.append(f"{count} of {len(rows)} {noun} {how} at {level}.")
    return sentences


def write_comparison(path: Path, found: Comparison, a: Run, b: Run) -> Path:
    """Writes the differences as CSV, and beside it versions, options and notes as JSON.

    Returns:
        Path of the JSON file.

    Raises:
        OptionError: the path ends in `.json`.
        InputFileError: a file cannot be written.
    """
    beside = path.with_suffix(".json")
    if beside == path:
        raise OptionError("output", f"{path} is to be a CSV table; give it the suffix .csv")
    write_csv(path, COLUMNS, [_row(one, found) for one in found.differences])
    said = {
        "valueflow": version("valueflow"),
        "confidence": found.confidence,
        "correction": found.correction,
        "same_judge": found.same_judge,
        "A": _side(a, found.judges[0]),
        "B": _side(b, found.judges[1]),
        "setup_differs": differences_of_setup(a, b),
        "summary": summary(found),
        "notes": found.notes,
    }
    write_text(beside, json.dumps(said, indent=2, ensure_ascii=False) + "\n")
    return beside


def _row(one: CellDifference, found: Comparison) -> dict[str, object]:
    a, b = found.cells[one.cell]
    row: dict[str, object] = {
        name: getattr(one, name)
        for name in COLUMNS
        if hasattr(one, name) and name not in ("a", "b")
    }
    row |= {"a": one.a.value, "a_se": one.a.se, "b": one.b.value, "b_se": one.b.se}
    row["shared_queries"] = one.shared
    row["differs"] = int(one.differs)
    for side, counts in (("a", a), ("b", b)):
        assert counts is not None
        row |= {
            f"responses_{side}": counts.responses,
            f"scored_{side}": counts.scored,
            f"refusals_{side}": counts.refusals,
        }
    return row


def _side(run: Run, judge: dict[str, Any]) -> dict[str, Any]:
    versions: dict[str, list[str]] = {}
    for response in run.responses:
        for name, one in response.get("versions", {}).items():
            if one not in versions.setdefault(name, []):
                versions[name].append(one)
    return {
        "model": run.model,
        "logs": [str(path) for path in run.logs],
        "responses": len(run.responses),
        "queries": run.queries,
        "left_out": dict(run.left_out),
        "setup": run.setup,
        "judge": judge,
        "versions": {name: ", ".join(found) for name, found in versions.items()},
    }


def _files(run: Run) -> str:
    more = f" and {len(run.logs) - 1} more" if len(run.logs) > 1 else ""
    return f"{run.logs[0]}{more}"


FIGURE_COLUMNS = [
    *("what", "unit", "first", "second", "a", "a_se", "b", "b_se", "difference", "se", "lower"),
    *("upper", "queries", "p_value", "p_adjusted", "differs"),
]


def compare_run_figures(
    runs: Mapping[str, Run],
    *,
    confidence: float = 0.95,
    correction: str = "holm",
    force: bool = False,
) -> FigureComparison:
    """Compares runs by what they are summed up by, see `compare_figures`; errors name logs.

    Raises:
        ValueflowError: the runs cannot be compared.
    """
    try:
        return compare_figures(
            {name: run.responses for name, run in runs.items()},
            confidence=confidence,
            correction=correction,
            force=force,
        )
    except ValueflowError as error:
        told = "; ".join(f"{name}: {_files(run)}" for name, run in runs.items())
        raise ValueflowError(f"{error} ({told}).") from None


def figure_tables(found: FigureComparison) -> list[Table]:
    """A leaderboard of each figure, and of two runs their differences by value, pair and square."""
    made = []
    for what, board in found.leaderboards.items():
        units = found.units[what]
        over = units[0] if len(units) == 1 else f"mean of {len(units)}"
        table = Table(title=f"{what} ({over})", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("model", overflow="fold")
        for name in (what, "95% interval"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("group", no_wrap=True)
        for one in board:
            low, high = one.figure.interval
            groups = " ".join(_letter(number) for number in one.groups)
            interval = f"{_signed(low)} to {_signed(high)}"
            table.add_row(one.run, figure_text(one.figure, 2), interval, groups)
        made.append(table)
    runs = {name for one in found.differences for name in (one.first, one.second)}
    if len(runs) == 2:
        made += _difference_tables(found)
    return made


def _letter(number: int) -> str:
    return tag_of(number - 1).lower()


def _difference_tables(found: FigureComparison) -> list[Table]:
    """The differences of two runs, A and B."""
    made = []
    for what in dict.fromkeys(one.what for one in found.differences):
        rows = [(one.unit, one.queries, one) for one in found.differences if one.what == what]
        made.append(_table_of(f"{what}, A − B", "of", rows, found))
    return made


def figure_summary(found: FigureComparison) -> list[str]:
    """What the groups mean, and how many differences there are."""
    tests = [one for one in found.differences if one.unit != AVERAGE]
    averages = [one for one in found.differences if one.unit == AVERAGE]
    level = f"{100 * (1 - found.confidence):.3g}%"
    told = []
    if found.leaderboards:
        told.append(
            f"Models that share a letter cannot be told apart at {level} "
            f"{CORRECTION_NAMES[found.correction]}; a group is no proof that they are equal."
        )
    for name, those in (("single values, pairs and squares", tests), ("averages", averages)):
        if those:
            count = sum(one.differs for one in those)
            told.append(f"{count} of {len(those)} differences of {name} are more than noise.")
    return told


def figure_rows(found: FigureComparison) -> list[dict[str, object]]:
    """A row for each difference, with the names of `FIGURE_COLUMNS`."""
    return [_figure_row(one) for one in found.differences]


def _figure_row(one: FigureDifference) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(one, name, None) for name in FIGURE_COLUMNS}
    row |= {"a": one.a.value, "a_se": one.a.se, "b": one.b.value, "b_se": one.b.se}
    return {**row, "differs": int(one.differs)}


def as_table(found: FigureComparison) -> Table:
    """All differences as one table, for programs."""
    table = Table(title="differences")
    words = ("what", "unit", "first", "second")
    for name in FIGURE_COLUMNS:
        table.add_column(name, justify="left" if name in words else "right")
    for row in figure_rows(found):
        table.add_row(*(f"{c:.6g}" if isinstance(c, float) else str(c) for c in row.values()))
    return table


def write_figures(path: Path, found: FigureComparison, runs: Mapping[str, Run]) -> Path:
    """Writes all differences as CSV, and beside it the leaderboards, runs and notes as JSON.

    Returns:
        Path of the JSON file.

    Raises:
        InputFileError: a file cannot be written.
    """
    write_csv(path, FIGURE_COLUMNS, figure_rows(found))
    said = {
        "valueflow": version("valueflow"),
        "confidence": found.confidence,
        "correction": found.correction,
        "averaged_over": found.units,
        "leaderboards": {
            what: [
                {
                    "run": one.run,
                    "value": one.figure.value,
                    "se": one.figure.se,
                    "groups": [_letter(number) for number in one.groups],
                }
                for one in board
            ]
            for what, board in found.leaderboards.items()
        },
        "runs": {
            name: {"model": run.model, "logs": [str(p) for p in run.logs], "setup": run.setup}
            for name, run in runs.items()
        },
        "summary": figure_summary(found),
        "notes": found.notes,
    }
    beside = path.with_suffix(".json")
    write_text(beside, json.dumps(said, indent=2, ensure_ascii=False) + "\n")
    return beside
