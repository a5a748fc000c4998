"""Reads saved judgements of the same texts by several judges, from the places where they are kept.

- Inspect logs of the task `valueflow/judge_stability` (`.eval`, `.json`);
- Inspect logs of the scorer `valueflow/intensity`, when several judges scored the same responses:
  the judge is the log's, the wording the version of its question;
- tables (JSONL, JSON, CSV, TSV, Parquet), one judgement a row: `item`, `value`, `judge`, `wording`,
  optionally `label` and `query`, and `rating`, or the fields of a window as in saved rankings
  (`anchors`, `order`, `ratings`, ...), which CSV holds as JSON.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.inputs.rows import SUFFIXES, rows_of
from valueflow.scorers.estimate.table import WindowRecordError
from valueflow.scorers.records import ResponseRecord, measured, window_records
from valueflow.scorers.summary.stability.judgements import (
    STUDY_KEY,
    Judgements,
    StudyRecord,
    judgements_in,
    read_judgements,
)
from valueflow.scorers.summary.stability.study import StabilityStudy, stability_of

__all__ = ["FIELDS", "FILES_ARE", "SavedStudy", "read_study", "study_kind"]

FIELDS = (
    "item",
    "value",
    "judge",
    "wording",
    "label",
    "query",
    "rating",
    "ratings",
    "rating_scale",
    "order",
    "anchors",
    "texts",
    "shown",
    "position",
    "failure",
)
"""Columns of a table of judgements; others are passed over."""

FILES_ARE = ("wordings", "judges")
"""What the files of a study may stand for, where their rows do not say."""

_LISTS = {"ratings", "rating_scale", "order", "anchors", "texts", "shown"}
_NUMBERS = {"rating", "position"}


@dataclass
class SavedStudy:
    """A study read from files.

    Attributes:
        study: its figures.
        files: what was read.
        left_out: what was not used, with counts, beside what the study itself left out.
    """

    study: StabilityStudy
    files: list[Path]
    left_out: Counter[str] = field(default_factory=Counter)


def study_kind() -> Any:
    """What a log is read for, see `valueflow.scorers.saved.logs.Kind`."""
    from valueflow.scorers.saved.logs import Kind

    return Kind(STUDY_KEY, "valueflow/judge_stability_scores", task="judge_stability")


def read_study(
    paths: Sequence[Path],
    columns: Mapping[str, str] | None = None,
    files_are: str = "wordings",
) -> SavedStudy:
    """Reads saved judgements of any number of files as one study.

    Args:
        paths: logs and tables, see above, and folders of them; a file named twice counts once.
        columns: fields of `FIELDS` to the columns that hold them, where they are named otherwise.
        files_are: what a file's name (without its suffix) stands for in rows that do not say:
            `wordings` of one judge, or `judges` in one wording.

    Raises:
        InputFileError: a file cannot be read or a row is malformed; file and row are named.
        OptionError: `columns` names an unknown field, or `files_are` is none of `FILES_ARE`.
    """
    for name in columns or {}:
        if name not in FIELDS:
            raise OptionError("columns", f"'{name}' is not one of {', '.join(FIELDS)}")
    if files_are not in FILES_ARE:
        raise OptionError("files_are", f"{files_are!r} is none of {', '.join(FILES_ARE)}")
    files, left_out = _files(paths), Counter[str]()
    places: list[tuple[Path, int]] = []

    def records() -> Iterator[Mapping[str, Any]]:
        for path in files:
            logged = path.suffix == ".eval" or (path.suffix == ".json" and _is_log(path))
            rows = _logged(path, left_out) if logged else _rows(path, columns or {}, files_are)
            for number, record in rows:
                places.append((path, number))
                yield record

    try:
        judgements = read_judgements(records())
        _check(judgements, files)
        study = stability_of(judgements)
    except WindowRecordError as error:
        path, row = places[error.record]
        raise InputFileError(path, error.problem, row=row) from None
    return SavedStudy(study, files, left_out)


def _check(judgements: Judgements, files: Sequence[Path]) -> None:
    if judgements.asked:
        return
    lost = "; ".join(f"{count} {why}" for why, count in judgements.failed.items())
    raise InputFileError(
        ", ".join(map(str, files)), f"holds no judgement{f' ({lost})' if lost else ''}"
    )


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(f for f in path.rglob("*") if f.suffix in (".eval", *SUFFIXES))
            if not inside:
                raise InputFileError(path, "is a folder without a log or a table of judgements")
            found += inside
        elif not path.is_file():
            raise InputFileError(path, "there is no such file or folder")
        elif path.suffix not in (".eval", *SUFFIXES):
            raise InputFileError(
                path,
                f"is neither an Inspect log (.eval, .json) nor a table ({', '.join(SUFFIXES)})",
            )
        else:
            found.append(path)
    return list(dict.fromkeys(path.resolve() for path in found))


def _is_log(path: Path) -> bool:
    """Whether a JSON file begins as a log does; a table is a list."""
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        return stream.read(200).lstrip().startswith("{")


def _rows(
    path: Path, columns: Mapping[str, str], files_are: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    stem = path.stem
    fallback = {"judge": stem if files_are == "judges" else "judge"}
    fallback["wording"] = stem if files_are == "wordings" else "wording"
    for row in rows_of([path]):
        for name in columns.values():
            if name not in row.cells and path.suffix != ".jsonl":
                raise InputFileError(
                    path, f"has no column '{name}'; it has {', '.join(map(str, row.cells))}"
                )
        # As lines of JSON need not name what they lack, a field is missing where no row is to have
        # it alone; an empty cell is none.
        record = {}
        for name in FIELDS:
            column = columns.get(name, name)
            if column in row.cells:
                record[name] = _cell(row.cells[column], name, path, row.number)
        for name, instead in fallback.items():
            if record.get(name) is None:
                record[name] = instead
        yield row.number, record


def _cell(cell: Any, name: str, path: Path, row: int) -> Any:
    """A cell as JSON would hold it: CSV knows texts alone."""
    if not isinstance(cell, str):
        return cell.tolist() if hasattr(cell, "tolist") else cell
    if not cell.strip() and name not in ("item", "value"):
        return None
    if name in _LISTS:
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            raise InputFileError(
                path, f"{cell[:60]!r} is not a JSON list", row=row, column=name
            ) from None
    if name in _NUMBERS and path.suffix in (".csv", ".tsv"):
        try:
            number = float(cell)
        except ValueError:
            return cell  # The study says that it is no number, and where.
        return int(number) if name == "position" and number.is_integer() else number
    return cell


def _logged(path: Path, left_out: Counter[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    from valueflow.scorers.saved.logs import INTENSITY, ScoredLog, is_log_of
    from valueflow.scorers.saved.logs import left_out as lacking

    kind = study_kind()
    own = is_log_of(kind, path)
    log = ScoredLog(path, kind if own else INTENSITY)
    for number, (_, record) in enumerate(log.samples(), start=1):
        if record is None:
            continue
        if own:
            for judgement in judgements_in(cast(StudyRecord, record)):
                yield number, judgement
            continue
        response = cast(ResponseRecord, record)
        if response["refusal"]:
            left_out["refusals"] += 1
        judge = response.get("judge") or {}
        for window in window_records(measured([response])):
            if "order" not in window and "ratings" not in window:
                left_out["windows with choices, which are neither rankings nor ratings"] += 1
                continue
            yield (
                number,
                {
                    **window,
                    "item": f"{window['cell']} {window['item']}",
                    "judge": judge.get("model", "judge"),
                    "wording": str(judge.get("prompt_version", "1")),
                },
            )
    left_out.update(lacking(log.counts))
