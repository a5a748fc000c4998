"""How far the reviewers of a build agree: per queue and per value, as rows of a table."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.files import write_csv, write_text
from valueflow.hub_assets.registry.loading import Registry, load_registry
from valueflow.rebuild.database.recipe import key_of
from valueflow.rebuild.database.review.decisions import Decisions, QueueName
from valueflow.scorers.summary.agreement import Level, agreement

__all__ = ["AGREEMENT", "agreement_rows", "write_agreement"]

AGREEMENT = (
    "queue",
    "theory",
    "value",
    "items",
    "compared",
    "reviewers",
    "answers",
    "blind",
    "metric",
    "alpha",
    "low",
    "high",
    "note",
)

METRICS: dict[QueueName, Level] = {"directions": "nominal", "ratings": "interval"}


def agreement_rows(
    decisions: Decisions,
    queues: Sequence[QueueName],
    values: Collection[str] | None = None,
    seed: int = 0,
    registry: Registry | None = None,
) -> list[dict[str, Any]]:
    """One row for each queue as a whole (`value` is `all`) and one for each of its values.

    Args:
        decisions: of the build.
        queues: to be told.
        values: names of values; all where None.
        seed: of the bootstrap.
        registry: catalogue of the build; the installation's where not given.

    Returns:
        Rows with the columns `AGREEMENT`: `compared` counts items with answers of two or more,
        `blind` answers that were given blind; see `Agreement` for the others.
    """
    registry = registry or load_registry()
    rows: list[dict[str, Any]] = []
    for queue in queues:
        given = {
            key: by
            for key, by in decisions.answers(queue).items()
            if values is None or key.value in values
        }
        names = {key.value for key in given}
        parts = [v for v in registry.macro_values() if key_of(v) in names]
        for value in [None, *parts] if given else ():
            mine = {k: by for k, by in given.items() if value is None or k.value == key_of(value)}
            answers = {k: {name: d.answer for name, d in by.items()} for k, by in mine.items()}
            row: dict[str, Any] = {"queue": queue, "metric": METRICS[queue]}
            row["theory"] = value.theory if value is not None else "all"
            row["value"] = value.name if value is not None else "all"
            row["blind"] = sum(d.blind for by in mine.values() for d in by.values())
            row |= asdict(agreement(answers, METRICS[queue], seed=seed))
            rows.append(row)
    return rows


def write_agreement(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Writes the rows as CSV, or as JSON where the name ends so.

    Raises:
        OptionError: the name ends otherwise.
        InputFileError: it cannot be written.
    """
    if path.suffix.lower() == ".csv":
        write_csv(path, AGREEMENT, rows)
    elif path.suffix.lower() == ".json":
        ordered = [{name: row[name] for name in AGREEMENT} for row in rows]
        write_text(path, json.dumps(ordered, indent=1) + "\n")
    else:
        raise OptionError("output", f"{path} must end in .csv or .json")
