"""The tables of a report on survey runs: one per subject, in files and on the page."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from valueflow.results.survey.rows import (
    Row,
    accuracy_rows,
    answer_rows,
    difference_rows,
    extreme_rows,
    main_comparison,
    pass_title,
    question_rows,
)
from valueflow.results.survey.studies import OpinionStudies, OpinionStudy
from valueflow.results.tables import Table, log_rows, setting_rows, usage_rows

__all__ = ["opinion_tables_of"]

SHARES = ("accuracy", "accuracy_all", "refused", "unparsed", "covered", "with_lines")
DISTANCES = ("js", "emd")

_DISTANCE_COLUMNS = tuple(
    f"{name}{end}" for name in DISTANCES for end in ("_answers", "", "_se", "_lower", "_upper")
)


def opinion_tables_of(found: OpinionStudies) -> list[Table]:
    """All tables that hold a row; shares stay shares in the files and are percent on the page."""
    studies = found.studies
    accuracy = [row for s in studies for row in accuracy_rows(s.label, s.summary)]
    differing = [row for s in studies for row in difference_rows(s.label, s.summary)]
    questions = [
        row for s in studies for row in question_rows(s.label, s.records, s.questions, s.golds)
    ]
    answers = [row for s in studies for row in answer_rows(s.label, s.records)]
    distances = [row for row in accuracy if row["js"] is not None and _is_stated(row, studies)]
    tables = [
        _table("survey_studies", "Survey studies", [_study_row(s) for s in studies]),
        _table("survey_logs", "Survey logs", log_rows(studies)),
        *_by_kind(
            ["survey_accuracy", "survey_attributes", "survey_groups"],
            "Accuracy",
            [
                {name: cell for name, cell in row.items() if name not in _DISTANCE_COLUMNS}
                for row in accuracy
            ],
        ),
        *_by_kind(
            ["survey_differences", "survey_attribute_differences", "survey_group_differences"],
            "Differences",
            differing,
        ),
        *(_gains(study) for study in studies),
        _table("survey_questions", "All questions and comparisons", questions, file_only=True),
        *_by_kind(
            ["survey_distances", "survey_attribute_distances", "survey_group_distances"],
            "Distribution match",
            [_distance_row(row) for row in distances],
        ),
        _table(
            "survey_answers",
            "How answers were read",
            [row for row in answers if row["scope"] == "all"],
            ["scope"],
        ),
        _table(
            "survey_attribute_answers",
            "How answers were read, by attribute",
            [row for row in answers if row["scope"] != "all"],
        ),
        _table("survey_counts", "Counts", [_count_row(s) for s in studies]),
        _table("survey_cost", "Tokens", [row for s in studies for row in usage_rows(s)]),
        _table(
            "survey_settings", "All settings", [row for s in studies for row in setting_rows(s)]
        ),
    ]
    if not any(study.tag for study in studies):
        # A lone study needs no name in every row.
        tables = [
            table
            if table.name == "survey_studies"
            else replace(table, hidden=table.hidden | {"study"})
            for table in tables
        ]
    return [table for table in tables if table.rows]


def _table(
    name: str,
    title: str,
    rows: list[Row],
    hidden: Sequence[str] = (),
    file_only: bool = False,
) -> Table:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    forms = {column: "percent" for column in columns if _stem(column) in SHARES}
    forms |= {column: "fine" for column in columns if _stem(column) in DISTANCES}
    if "difference" in columns:
        forms |= dict.fromkeys(("difference", "difference_se", "lower", "upper"), "points")
    return Table(name, title, columns, rows, forms, frozenset(hidden), file_only)


def _stem(column: str) -> str:
    for end in ("_se", "_lower", "_upper"):
        column = column.removesuffix(end)
    return column


def _by_kind(names: Sequence[str], title: str, rows: Sequence[Row]) -> list[Table]:
    """Three tables: over all rows, by attribute and by group."""
    kinds = (("all", "mean of attributes"), ("attribute",), ("group",))
    ends = ("", " by attribute", " by group")
    return [
        _table(name, title + end, [row for row in rows if row["kind"] in some], ["kind"])
        for name, end, some in zip(names, ends, kinds, strict=True)
    ]


def _gains(study: OpinionStudy) -> Table:
    """The largest gains and losses of a study's main comparison; empty with one pass."""
    comparison = main_comparison(study.passes)
    rows: list[Row] = []
    if comparison is not None:
        rows = extreme_rows(
            question_rows(study.label, study.records, study.questions, study.golds, [comparison])
        )
    told = " − ".join(map(pass_title, comparison or ()))
    return _table(
        "survey_gains" + (f"_{study.tag}" if study.tag else ""),
        (f"{study.tag}: " if study.tag else "") + f"Largest gains and losses, {told}",
        rows,
        ["study", "comparison", "net", "groups_gained", "groups_lost", "question_hash"],
    )


def _is_stated(row: Mapping[str, object], studies: Sequence[OpinionStudy]) -> bool:
    """Whether the row's study states distributions at all; the baseline alone is no comparison."""
    return any(
        study.label == row["study"] and any(r["js"] is not None for r in study.records)
        for study in studies
    )


def _distance_row(row: Row) -> Row:
    first = {name: row[name] for name in ("study", "kind", "scope", "pass")}
    rest = {name: row[name] for name in (*_DISTANCE_COLUMNS, "covered", "mark")}
    return {**first, **rest}


def _study_row(study: OpinionStudy) -> Row:
    counts = study.summary.counts
    return {
        "study": study.label,
        "passes": ", ".join(study.passes),
        "data": study.settings.get("data", ""),
        "questions": len(study.questions),
        "groups": len(study.summary.groups),
        "rows": counts.get("rows", 0),
        "answers": counts["answers"],
        "refused_answers": counts["refused"],
        "unparsed_answers": counts["unparsed"],
        "ties": counts.get("gold_ties", 0),
        "logs": len(study.logs),
        "profile": study.settings.get("leakage", ""),
    }


def _count_row(study: OpinionStudy) -> Row:
    """What was planned, made, scored and lost, and what the data and the design left out."""
    row: Row = {
        "study": study.label,
        "logs": len(study.logs),
        "samples_planned": study.counts["planned"],
        "samples_in_logs": study.counts["in_log"],
        "samples_with_error": study.counts["error"],
        "samples_without_score": study.counts["without_score"],
        "repeated_answers": study.counts["repeated"],
        "generations": study.counts["generations"],
        "answers_of_the_same_prompt": study.counts["answers_of_the_same_prompt"],
        **{
            name: study.summary.counts.get(name, 0)
            for name in ("answers", "truncated", "rows", "gold_ties")
        },
    }
    for reason, count in study.left_out.items():
        row[f"left out: {reason}"] = count
    return row
