"""The task `valueflow/score`: measure responses that were made elsewhere, with no generation.

inspect eval valueflow/score --model none --model-role grader=Y -T responses=answers.csv
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import HeadlineMetric
from inspect_ai.model import ChatMessageAssistant, ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver

from valueflow.hub_assets.errors import InputFileError, ValueflowError
from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.inputs.chats import Chat, chat_of
from valueflow.hub_assets.inputs.options import clear_errors, columns_option
from valueflow.hub_assets.inputs.source import SUFFIXES, Row, column_map, open_source, read_rows
from valueflow.hub_assets.registry.loading import Registry, Value, definitions_hash
from valueflow.hub_assets.settings import (
    SAMPLE_KEY,
    EvaluatorSettings,
    SpendingSettings,
    read_options,
    with_options,
)
from valueflow.scorers.intensity_scorer import intensity
from valueflow.scorers.judge.asking import GRADER_ROLE
from valueflow.scorers.judge.panel import grader_roles
from valueflow.scorers.records import cell_name
from valueflow.solvers.steering_solver import as_message
from valueflow.steering.before import judge_answers, listed
from valueflow.steering.plan import (
    CHARACTERS,
    PlannedSample,
    check_spending,
    counts_in,
    end_with_plan,
    judges_of_run,
    run_size,
    size_note,
)
from valueflow.steering.settings import (
    MEASURED,
    LogSettings,
    PlanSettings,
    evaluator_settings,
    headline_of,
    registry_of_run,
    response_settings,
)

__all__ = ["existing_response", "score"]

COLUMNS = {
    "response": ("response", "answer", "output", "generation", "completion"),
    "query": ("query", "question", "prompt", "input"),
    "value": ("value", "target_value", "value_name"),
    "theory": ("theory", "framework"),
    "level": ("level", "target_level"),
    "model": ("model", "model_name"),
    "dataset": ("dataset", "source"),
}


@solver
def existing_response() -> Solver:
    """Takes the response from the sample's metadata; no model is called."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        judged = bool(grader_roles())
        if str(state.model).split("/")[0] == "none" and not judged:
            raise ValueflowError(
                f"there is no model to judge with: give --model-role {GRADER_ROLE}=PROVIDER/MODEL"
            )
        text = str(state.metadata["response"])
        state.messages = [
            *(as_message(turn) for turn in chat_of(state.input)),
            ChatMessageAssistant(content=text),
        ]
        state.output = ModelOutput.from_content(str(state.model), text)
        return state

    return solve


@task
@clear_errors
@with_options(*MEASURED)
def score(
    responses: str,
    value: str | None = None,
    theory: str | None = None,
    level: int | str | None = None,
    response_columns: dict[str, str] | None = None,
    *,
    options: Mapping[str, Any],
) -> Task:
    """Scores responses that were made elsewhere: a table with a response and a value per row.

    Columns: `response` is needed; `value` too, unless the option `value` names one for all rows.
    Optional: `query` (a text or a conversation; rows with the same one form one cluster of the
    standard errors), `level` (shifts are taken against level 0), `theory`, `model` and `dataset`
    (one cell each).

    Args:
        responses: CSV, TSV, JSONL, JSON or Parquet file.
        value: the value of all rows that name none.
        theory: the theory of the values, where a name is in several.
        level: the level of all rows that give none (0).
        response_columns: column names, such as `{response: completion}`.
        options: those of `valueflow.steering.settings.MEASURED`, each a parameter of its own.
    """
    registry = registry_of_run(options)
    if not str(responses).endswith(SUFFIXES):
        raise InputFileError(responses, f"must be a file of responses ({', '.join(SUFFIXES)})")
    columns = columns_option("response_columns", response_columns)
    rows = _read(registry, responses, columns, value, theory, level)
    values = list(dict.fromkeys(row_value for row_value, _, _ in rows))
    sizes = Counter(_cell(row) for row in rows)
    settings = evaluator_settings(registry, values, options, responses=max(sizes.values()))
    more = {**response_settings(options), "evaluator": settings.model_dump()}
    samples = _samples(rows, more)
    planned = _planned(samples, settings, asked=more["refusal_check"] == "judge")
    size = run_size()
    judges = judges_of_run(settings)
    calls = counts_in(planned, judges)[1]
    print(
        f"valueflow: {len(samples):,} responses, planned {'at most ' if settings.target_se else ''}"
        f"{counts_in(size.of(planned), judges)[1]:,} judge calls ({settings.sampling} windows of "
        f"{settings.window_size}; retries not counted{size_note(size, len(samples))})",
        file=sys.stderr,
        flush=True,
    )
    vidb = load_vidb(settings.vidb, settings.columns, registry)
    spending = read_options(SpendingSettings, options)
    if read_options(PlanSettings, options).plan:
        end_with_plan(planned, settings, vidb, prices=spending.prices)
    spending = check_spending(spending, planned, settings, vidb)
    headline = _headline(rows)
    return Task(
        dataset=MemoryDataset(samples, name="responses"),
        setup=judge_answers(),
        solver=existing_response(),
        scorer=intensity(**spending.model_dump(exclude_none=True)),
        metrics=[*listed(read_options(LogSettings, options), headline)],
        version=1,
        headline_metric=HeadlineMetric(metric=headline),
        metadata={
            "valueflow": version("valueflow"),
            "responses": str(responses),
            "responses_sha256": open_source(responses, "queries").sha256[:16],
            "values": [f"{v.theory}:{v.name}" for v in values],
            "planned": {"generations": 0, "judge_calls": calls},
            "evaluator": settings.model_dump(),
            "own_values_sha256": definitions_hash(registry),
        },
    )


ReadRow = tuple[Value, int, Row]


def _headline(rows: list[ReadRow]) -> str:
    """The figure that says most; where nothing was steered, the mean of the first cell."""
    levels = {level for _, level, _ in rows}
    if (levels != {0} and 0 in levels) or len(levels) > 1:
        return headline_of(levels)
    value, level, row = rows[0]
    return f"{cell_name(value.name, level, _group(row))} mean"


def _read(
    registry: Registry,
    path: str,
    columns: dict[str, str],
    value: str | None,
    theory: str | None,
    level: int | str | None,
) -> list[ReadRow]:
    fallback = registry.value(value, theory) if value is not None else None
    fallback_level = registry.level(0 if level is None else level).level
    found: list[ReadRow] = []
    mapping: dict[str, str] = {}
    for row in read_rows(open_source(path, "queries", registry)):
        if not mapping:
            required = ["response"] if fallback else ["response", "value"]
            mapping = column_map(row, COLUMNS, required, columns, "response_columns")
        cells = {field: row.cells.get(column) for field, column in mapping.items()}
        row_value, row_level = fallback, fallback_level
        try:
            if cells.get("value") not in (None, ""):
                row_value = registry.value(cells["value"], cells.get("theory") or theory)
            if cells.get("level") not in (None, ""):
                row_level = registry.level(cells["level"]).level
        except ValueflowError as error:
            raise InputFileError(row.file, str(error), row=row.number) from None
        if row_value is None:
            raise InputFileError(
                row.file,
                "names no value; fill the cell, or give -T value=NAME for such rows",
                row=row.number,
                column=mapping["value"],
            )
        if "response" in mapping:
            cells["response"] = row.text(mapping, "response", role="assistant")
        if "query" in mapping:
            cells["query"] = row.chat(mapping, "query")
        found.append((row_value, row_level, Row(cells, row.file, row.number)))
    if not found:
        raise InputFileError(path, "holds no response; give a file with at least one row")
    return found


def _query_id(query: str) -> str:
    """The query itself where it is short; long ones that begin alike are told apart by a hash."""
    if len(query) <= 200:
        return query
    return f"{query[:180]} {hashlib.sha256(query.encode()).hexdigest()[:16]}"


def _group(row: Row) -> str:
    return " ".join(str(row.cells[f]) for f in ("model", "dataset") if row.cells.get(f))


def _cell(read: ReadRow) -> tuple[str, str, int]:
    value, level, row = read
    return (_group(row), value.name, level)


def _planned(
    samples: list[Sample], settings: EvaluatorSettings, *, asked: bool
) -> list[PlannedSample]:
    """What each response asks of the judge; nothing is generated."""
    found = []
    for sample in samples:
        said = (sample.metadata or {})[SAMPLE_KEY]
        found.append(
            PlannedSample(
                prompt=None,
                windows=settings.windows_of(said["query_index"], said["queries"]),
                response=len((sample.metadata or {})["response"]) / CHARACTERS,
                refusal=asked,
            )
        )
    return found


def _samples(rows: list[ReadRow], more: dict[str, Any]) -> list[Sample]:
    sizes = Counter(_cell(row) for row in rows)
    in_cell: Counter[tuple[str, str, int]] = Counter()
    samples = []
    for value, level, row in rows:
        chat: Chat = row.cells.get("query") or ()
        query = "\n".join(turn.text for turn in chat)
        cell = _cell((value, level, row))
        settings = {
            "targets": [[value.theory, value.name, level]] if level else [],
            "score_on": [[value.theory, value.name]],
            # Rows without a query are clusters of their own.
            "query": _query_id(query) or f"row {row.number}",
            "query_index": in_cell[cell],
            "queries": sizes[cell],
            "group": _group(row),
            **more,
        }
        in_cell[cell] += 1
        response = row.cells.get("response")
        samples.append(
            Sample(
                id=f"row-{row.number:06d}",
                input=[as_message(turn) for turn in chat]
                if len(chat) > 1
                else query or "(no query given)",
                metadata={
                    SAMPLE_KEY: settings,
                    "response": "" if response is None else str(response),
                },
            )
        )
    return samples
