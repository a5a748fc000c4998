"""Files of a run under lm-evaluation-harness: tables of cells, windows, kept responses.

A table's name ends like those of the harness's own files, in the time.

Files of a survey task under lm-evaluation-harness: its figures, and what each answer was.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import (
    MOST_TABLE_BYTES,
    cache_folder,
    read_text,
    write_csv,
    write_text,
)
from valueflow.hub_assets.settings import SAMPLE_KEY, read_sample
from valueflow.lm_eval.aggregation import digest_of
from valueflow.lm_eval.judging import GivenResponse
from valueflow.scorers.records import ResponseRecord, measured, window_records
from valueflow.scorers.summary.agreement import PanelJudge
from valueflow.scorers.summary.cells import CellSummary
from valueflow.scorers.summary.run import RunSummary, flatten
from valueflow.scorers.survey.records import OptionRecord

__all__ = [
    "CELL_COLUMNS",
    "keep_responses",
    "read_responses",
    "read_samples",
    "write_opinion_tables",
    "write_tables",
]

T = TypeVar("T")

CELL_COLUMNS = [
    "cell",
    "condition",
    "theory",
    "value",
    "level",
    "design",
    "part_of",
    "responses",
    "count",
    "mean",
    "mean_se",
    "lower",
    "upper",
    "spread",
    "shift",
    "shift_se",
    "sign_accuracy",
    "sign_accuracy_se",
    "refusals",
    "unscored",
    "cut",
    "over_word_limit",
]


def write_tables(
    folder: Path, task: str, summary: RunSummary, records: Sequence[ResponseRecord]
) -> list[Path]:
    """Writes `cells_TASK_TIME.csv`, `figures_TASK_TIME.csv` and `windows_TASK_TIME.jsonl`.

    Of a panel of judges `panel_TASK_TIME.csv` too: what each judge took, and figures without it.

    The figures are those of Inspect's log, by the same names. The windows are rankings that
    `valueflow score` reads.

    Returns:
        The files.

    Raises:
        InputFileError: the folder cannot be written to.
    """
    time = datetime.now().isoformat().replace(":", "-")
    cells = folder / f"cells_{task}_{time}.csv"
    write_csv(cells, CELL_COLUMNS, [_cell_row(cell) for cell in summary.cells])
    figures = _write_figures(folder / f"figures_{task}_{time}.csv", flatten(summary))
    windows = folder / f"windows_{task}_{time}.jsonl"
    lines = (
        json.dumps(window, ensure_ascii=False) + "\n"
        for window in window_records(measured(records))
    )
    write_text(windows, "".join(lines))
    more = []
    if summary.panel is not None:
        more = [folder / f"panel_{task}_{time}.csv"]
        judges = [_judge_row(judge) for judge in summary.panel.judges]
        write_csv(more[0], list(dict.fromkeys(name for row in judges for name in row)), judges)
    return [cells, figures, windows, *more]


def _judge_row(judge: PanelJudge) -> dict[str, Any]:
    """What a judge of a panel judged and took, and the figures without it."""
    row: dict[str, Any] = {
        "judge": judge.name,
        "judged": judge.judged,
        "lost": judge.lost,
        "dropped": judge.dropped,
        **{n: c for n, c in (judge.used or {}).items() if n != "model"},
    }
    for name, figure in judge.without.items():
        row |= {f"{name} without it": figure.value, f"{name} without it_se": figure.se}
    return row


def _write_figures(path: Path, flat: Mapping[str, float]) -> Path:
    rows = [
        {"figure": name, "value": number, "se": flat.get(f"{name}_stderr")}
        for name, number in flat.items()
        if not name.endswith("_stderr")
    ]
    write_csv(path, ["figure", "value", "se"], rows)
    return path


def _cell_row(cell: CellSummary) -> dict[str, Any]:
    row = asdict(cell)
    for name in ("mean", "shift", "sign_accuracy"):
        figure = row.pop(name) or {"value": None, "se": None}
        row[name], row[f"{name}_se"] = figure["value"], figure["se"]
    return row


def keep_responses(responses: Sequence[GivenResponse]) -> Path:
    """Keeps responses that could not be judged, one line for each value that they are scored on.

    `read_responses` reads the whole documents back. The columns `response`, `query`, `value`,
    `theory`, `level` and `dataset` (the condition, where there are several targets) are those of
    the Inspect task `valueflow/score`.

    Raises:
        InputFileError: the cache folder cannot be written to.
    """
    task = responses[0].run["task"]
    path = cache_folder() / "responses" / f"{task}-{digest_of(responses)}.jsonl"
    lines = []
    for response in responses:
        sample = read_sample({SAMPLE_KEY: response.settings})
        for theory, name in sample.score_on:
            value = sample.registry.value(name, theory)
            line = {
                "response": response.text,
                "query": response.doc["question"],
                "value": name,
                "theory": theory,
                "level": sample.level_of(value),
                "dataset": sample.condition_of(value),
                "doc": dict(response.doc),
            }
            lines.append(json.dumps(line, ensure_ascii=False))
    write_text(path, "\n".join(lines) + "\n")
    return path


def read_responses(path: Path) -> list[GivenResponse]:
    """Reads kept responses, or a samples file of lm-eval (`--log_samples`, `--predict_only`).

    Raises:
        InputFileError: the file cannot be read, or a line is neither.
    """
    problem = (
        "is no response of a valueflow task; give a file samples_valueflow_*.jsonl of lm-eval, or "
        "one that valueflow has kept"
    )
    found = {response.id: response for _, response in read_samples(path, _response, problem)}
    if not found:
        raise InputFileError(path, "holds no response")
    return list(found.values())


def _response(row: Mapping[str, Any]) -> GivenResponse:
    names = ("id", "question", "exemplars", "run", "settings")
    doc = {name: str(row["doc"][name]) for name in names}
    response = row["response"] if "response" in row else row["filtered_resps"][0]
    return GivenResponse(doc, str(response))


def read_samples(
    path: Path, read: Callable[[Mapping[str, Any]], T], problem: str
) -> Iterator[tuple[int, T]]:
    """Reads a file with a sample on each line; yields its number and what `read` makes of it.

    Raises:
        InputFileError: the file cannot be read; or `problem`, for a line that is no such sample.
    """
    for number, line in enumerate(read_text(path, MOST_TABLE_BYTES).split("\n"), 1):
        if line.strip():
            try:
                found = read(json.loads(line))
            except (ValueError, KeyError, TypeError, IndexError, RecursionError):
                raise InputFileError(path, problem, row=number) from None
            yield number, found


def write_opinion_tables(
    folder: Path, task: str, records: Sequence[OptionRecord], flat: Mapping[str, float]
) -> list[Path]:
    """Writes `figures_TASK_TIME.csv` and `answers_TASK_TIME.csv`.

    Args:
        folder: where to; made where it is missing.
        task: its name.
        records: a row each in the table of answers.
        flat: every figure by the name that Inspect's log has for it, `_stderr` beside it.

    Returns:
        The files.

    Raises:
        InputFileError: the folder cannot be written to.
    """
    time = datetime.now().isoformat().replace(":", "-")
    name = task.replace("::", "-")
    figures = _write_figures(folder / f"figures_{name}_{time}.csv", flat)
    answers = folder / f"answers_{name}_{time}.csv"
    write_csv(answers, list(OptionRecord.__annotations__), [{**record} for record in records])
    return [figures, answers]
