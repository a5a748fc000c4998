"""Rows of a report's tables about cells, values, models, logs and counts."""

from collections.abc import Sequence
from typing import Any, Protocol

from valueflow.report_series import Series, bounds, interval, ranking, theories_of, value_rank
from valueflow.run_logs import RunLog, Settings
from valueflow.scorers.summary import Figure
from valueflow.studies import Study

__all__ = [
    "Row",
    "cell_rows",
    "count_row",
    "log_rows",
    "put",
    "ranking_rows",
    "setting_rows",
    "study_row",
    "usage_rows",
    "value_rows",
]

FIGURES = ("up", "down", "range", "asymmetry", "monotonicity", "slope")

Row = dict[str, Any]


class LoggedStudy(Protocol):
    """A study of any task, as far as its logs go."""

    @property
    def tag(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def logs(self) -> Sequence[RunLog]: ...

    @property
    def usage(self) -> dict[tuple[str, str], dict[str, int]]: ...

    @property
    def settings(self) -> Settings: ...


def put(row: Row, name: str, figure: Figure | None) -> None:
    """Adds a figure and its standard error to a row."""
    row[name] = figure.value if figure else None
    row[f"{name}_se"] = figure.se if figure else None


def cell_rows(study: Study) -> list[Row]:
    """One row per cell."""
    rows = []
    for cell in study.summary.cells:
        lower, upper = interval(cell)
        row: Row = {
            "study": study.label,
            "theory": cell.theory,
            "value": cell.value,
            "group": cell.group,
            "condition": cell.condition,
            "level": cell.level,
            "responses": cell.responses,
            "scored": cell.count,
            "mean": cell.mean.value,
            "mean_se": cell.mean.se,
            "lower": lower,
            "upper": upper,
            "spread": cell.spread,
        }
        put(row, "shift", cell.shift)
        put(row, "shift_with_refusals", cell.with_refusals)
        put(row, "sign_accuracy", cell.sign_accuracy)
        row |= {
            "refusals": cell.refusals,
            "unscored": cell.unscored,
            "over_word_limit": cell.over_word_limit,
        }
        rows.append(row)
    return sorted(rows, key=lambda r: (value_rank(r["theory"], r["value"]), r["group"]))


def value_rows(study: Study) -> list[Row]:
    """One row per value that was steered alone."""
    rows = []
    for value in study.summary.values:
        row: Row = {
            "study": study.label,
            "theory": value.theory,
            "value": value.value,
            "group": value.group,
        }
        for name in FIGURES:
            put(row, name, value.figures.get(name))
        rows.append(row)
    return sorted(rows, key=lambda r: (value_rank(r["theory"], r["value"]), r["group"]))


def ranking_rows(series: Sequence[Series]) -> list[Row]:
    rows = []
    for theory in theories_of(series):
        for place, one in enumerate(ranking(series, theory), start=1):
            lower, upper = bounds(one.range)
            rows.append(
                {
                    "theory": theory,
                    "rank": place,
                    "study": one.series.label,
                    "mean_range": one.range.value,
                    "mean_range_se": one.range.se,
                    "lower": lower,
                    "upper": upper,
                    "regime": one.regime or "none: levels do not go from -2 to +2",
                    "lowest_level": one.levels[0],
                    "highest_level": one.levels[1],
                    "values": len(one.values),
                }
            )
    return rows


def count_row(study: Study) -> Row:
    """What was planned, made, scored and lost."""
    counts = study.summary.counts
    unscored: dict[str, int] = {}
    for record in study.records:
        if record["unscored"]:
            unscored[record["unscored"]] = unscored.get(record["unscored"], 0) + 1
    return {
        "study": study.label,
        "logs": len(study.logs),
        "samples_planned": study.counts["planned"],
        "samples_in_logs": study.counts["in_log"],
        "samples_with_error": study.counts["error"],
        "samples_without_score": study.counts["without_score"],
        "generations": study.counts["generations"],
        **counts,
        **{f"unscored_{reason}": number for reason, number in sorted(unscored.items())},
    }


def usage_rows(study: LoggedStudy) -> list[Row]:
    """Tokens by model, and by role where roles were named."""
    return [
        {"study": study.label, "counted_by": what, "name": name, **used}
        for (what, name), used in study.usage.items()
    ]


def setting_rows(study: LoggedStudy) -> list[Row]:
    """Everything that a study's logs share, in long form."""
    return [
        {"study": study.label, "setting": name, "value": setting}
        for name, setting in study.settings.items()
    ]


def study_row(study: Study) -> Row:
    """What a study is, in one row."""
    counts = study.summary.counts
    return {
        "study": study.label,
        "method": study.method,
        "judge": study.judge.get("model", ""),
        "anchors": study.settings.get("anchors", ""),
        "questions": len({record["query"] for record in study.records}),
        "responses": counts["responses"],
        "refusals": counts["refusals"],
        "unscored": counts["unscored"],
        "logs": len(study.logs),
    }


def log_rows(studies: Sequence[LoggedStudy]) -> list[Row]:
    """The header of every log that was used, from Inspect's own table of logs."""
    from inspect_ai.analysis import EvalColumn, evals_df

    of = {log.path: study for study in studies for log in study.logs}
    columns = [
        EvalColumn("task", path="eval.task"),
        EvalColumn("model", path="eval.model"),
        EvalColumn("created", path="eval.created"),
        EvalColumn("status", path="status"),
        EvalColumn("samples_planned", path="results.total_samples"),
        EvalColumn("samples_completed", path="results.completed_samples"),
        EvalColumn("run_id", path="eval.run_id"),
        EvalColumn("task_id", path="eval.task_id"),
    ]
    rows = []
    for path, study in of.items():
        frame = evals_df(path, columns=columns, quiet=True)
        (header,) = frame[[column.name for column in columns]].astype(object).to_dict("records")
        known = {str(name): None if cell != cell else cell for name, cell in header.items()}
        rows.append({"study": study.tag or study.label, "log": path, **known})
    return rows
