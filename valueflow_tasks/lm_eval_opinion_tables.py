"""Files of a survey task under lm-evaluation-harness: its figures, and what each answer was."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from valueflow.hub_assets.files import write_csv
from valueflow.scorers.option_records import OptionRecord

__all__ = ["write_opinion_tables"]


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
    figures = folder / f"figures_{name}_{time}.csv"
    write_csv(
        figures,
        ["figure", "value", "se"],
        [
            {"figure": name, "value": number, "se": flat.get(f"{name}_stderr")}
            for name, number in flat.items()
            if not name.endswith("_stderr")
        ],
    )
    answers = folder / f"answers_{name}_{time}.csv"
    write_csv(answers, list(OptionRecord.__annotations__), [{**record} for record in records])
    return [figures, answers]
