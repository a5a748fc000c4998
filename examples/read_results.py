"""Reads the results of valueflow as pandas data frames, and works with them.

    python examples/read_results.py logs
    python examples/read_results.py logs/RUN.eval -o tables

`valueflow.results.load` gives four frames: `responses` (a row per response and value, with texts
and estimates), `windows` (a row per window that the judge saw), `cells` and `values` (means,
shifts, ranges, with standard errors that count a query as one observation).

Do not average the responses' intensities where you want a cell's mean: take it from `cells`. Needs
pandas, which `pip install '.[report]'` brings.
"""

import argparse
from pathlib import Path

import pandas as pd

from valueflow.results import Frames, load


def summary(frames: Frames) -> pd.DataFrame:
    """Mean intensity, a row per study and value and a column per level, beside the range."""
    means = frames.cells.pivot_table("mean", ["study", "value"], "level", sort=False)
    ranges = frames.values.set_index(["study", "value"])[["range", "range_se"]]
    return means.join(ranges)


def place_of_responses(frames: Frames) -> pd.DataFrame:
    """Where the judge put responses among six texts, by level: mean rank, 1 supports most."""
    joined = frames.windows.merge(
        frames.responses[["study", "item", "cell", "level"]], on=["study", "item", "cell"]
    )
    return joined.pivot_table("rank", "value", "level")


def extremes(frames: Frames, count: int = 3) -> pd.DataFrame:
    """The responses that support, and oppose, their value most."""
    ordered = frames.responses.dropna(subset=["intensity"]).sort_values("intensity")
    ends = pd.concat([ordered.head(count), ordered.tail(count)])
    return ends[["cell", "intensity", "se", "response"]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("logs", nargs="+", type=Path, help="logs, or folders of logs")
    parser.add_argument("-o", "--output", type=Path, help="folder for the frames as CSV")
    options = parser.parse_args()
    frames = load(options.logs)
    pd.set_option("display.width", 120, "display.max_columns", 20, "display.precision", 2)
    for name, frame in frames._asdict().items():
        print(f"{name}: {len(frame)} rows")
    for title, frame in (
        ("Mean intensity by level, and the range", summary(frames)),
        ("Mean rank of responses among six texts", place_of_responses(frames)),
        ("The furthest responses", extremes(frames)),
    ):
        print(f"\n{title}")
        print(frame.to_string(max_colwidth=60))
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        for name, frame in frames._asdict().items():
            frame.to_csv(options.output / f"{name}.csv", index=False)
        print(f"\nWritten to {options.output}")


if __name__ == "__main__":
    main()
