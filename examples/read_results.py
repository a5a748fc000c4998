"""Reads the results of valueflow as pandas data frames, in three ways.

    python examples/read_results.py logs/study
    python examples/read_results.py logs/RUN.eval -o tables

1. Runs: one row per log, by Inspect's `evals_df`, whose columns take any metric by its name.
2. Responses: one row per sample, by Inspect's `samples_df`. Fields longer than about 1,000
   characters, such as a score's metadata, are whole only in a column with `full=True`.
3. Cells: from each log's records by `valueflow.scorers.summarize`, with standard errors that count
   a query as one observation. `valueflow score LOG -o FOLDER` writes such tables without Python.

Do not average the responses' own estimates (way 2) where you want a cell's mean (way 3): they are
made before anything is known of the judge. Needs pandas, which `pip install '.[report]'` brings.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd
from inspect_ai.analysis import EvalColumn, SampleColumn, evals_df, samples_df

from valueflow.scorers import summarize
from valueflow.scorers.records import METADATA_KEY
from valueflow.scorers.saved.logs import ScoredLog, find_logs, left_out

RECORD = f"scores.intensity.metadata.{METADATA_KEY}"


def runs(logs: list[Path]) -> pd.DataFrame:
    """One row per log: what was run, and its metrics averaged over values."""
    metrics = "results.scores[0].metrics"
    columns = [
        EvalColumn("model", path="eval.model"),
        EvalColumn("status", path="status"),
        *(
            EvalColumn(name, path=f"{metrics}.{name}.value")
            for name in ("range", "range_stderr", "up", "down", "refusal_rate", "unscored")
        ),
    ]
    return evals_df([str(log) for log in logs], columns=columns, quiet=True)


def responses(logs: list[Path]) -> pd.DataFrame:
    """One row per response: its sample, its text, and what its record says of it."""
    columns = [
        SampleColumn("sample", path="id"),
        SampleColumn("response", path="output.choices[0].message.content", full=True),
        SampleColumn("intensity", path="scores.intensity.value", full=True),
        SampleColumn("record", path=RECORD, full=True),
    ]
    frame = samples_df([str(log) for log in logs], columns=columns, quiet=True)
    failed = frame["record"].isna()
    if failed.any():
        print(f"{failed.sum()} samples have no score and are left out")
        frame = frame[~failed].copy()
    records = [json.loads(text) for text in frame.pop("record")]
    frame["query"] = [record["query"] for record in records]
    frame["words"] = [record["words"] for record in records]
    frame["refusal"] = [record["refusal"] for record in records]
    frame["cells"] = [
        ", ".join(value["cell"] for value in record["values"].values()) for record in records
    ]
    return frame


def cells(logs: list[Path]) -> pd.DataFrame:
    """One row per log and cell: counts, mean and shift with standard errors."""
    rows: list[dict[str, Any]] = []
    for path in logs:
        log = ScoredLog(path)
        records = list(log.records())
        for what, count in left_out(log.counts).items():
            print(f"{path.name}: {count} {what}")
        for cell in summarize(records).cells:
            rows.append(
                {
                    "model": log.header.eval.model,
                    "eval_id": log.header.eval.eval_id,
                    "cell": cell.cell,
                    "value": cell.value,
                    "level": cell.level,
                    "scored": cell.count,
                    "mean": cell.mean.value,
                    "se": cell.mean.se,
                    "spread": cell.spread,
                    "shift": cell.shift.value if cell.shift else None,
                    "shift_se": cell.shift.se if cell.shift else None,
                }
            )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("logs", nargs="+", type=Path, help="logs, or folders of logs")
    parser.add_argument("-o", "--output", type=Path, help="folder for the frames as CSV")
    options = parser.parse_args()
    logs = find_logs(options.logs)
    frames = {"runs": runs(logs), "responses": responses(logs), "cells": cells(logs)}
    pd.set_option("display.width", 120, "display.max_columns", 20, "display.precision", 2)
    for name, frame in frames.items():
        print(f"\n{name}: {len(frame)} rows")
        print(frame.head(8).to_string(max_colwidth=24))
    print("\nMean intensity, a row per cell and a column per log")
    means = frames["cells"].pivot_table("mean", "cell", ["model", "eval_id"], sort=False)
    print(means.to_string())
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        for name, frame in frames.items():
            frame.to_csv(options.output / f"{name}.csv", index=False)
        print(f"\nWritten to {options.output}")


if __name__ == "__main__":
    main()
