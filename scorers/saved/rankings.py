"""Reads rankings that were saved, from the three places where they are kept.

- Inspect logs of the scorer `valueflow/intensity` (`.eval`, `.json`);
- this project's JSONL, one window a line: `item`, `cell`, `value`, `anchors` (intensities), `order`
  (indices from most supporting to most opposing, 0 the response and i the i-th anchor), `position`
  (place at which the response was shown, 0 first); optionally `shown` (all indices in shown order)
  and `query` (the cluster of a standard error). `order` may be null for a window that a judge
  failed on, or `choice` may stand in its place: the judge's probability that each index supports
  most. `ratings` may stand beside it or in its place: the judge's number for each index, the
  response first (null for an anchor that it was not asked about), and `rating_scale`, the ends of
  its scale. `judge` names the judge where there are several, in all lines. Other fields are kept;
- the ranking CSV of the method's published scripts: `row_idx, target_text, db_text_i, db_score_i,
  ranking`, a JSON list, 1-based, in which 1 is the response, always shown first; and `judge`, where
  there is such a column.
"""

import csv
import json
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from valueflow.hub_assets.errors import InputFileError, UnknownNameError
from valueflow.hub_assets.files import check_file, not_utf8
from valueflow.hub_assets.registry.loading import load_registry, slug
from valueflow.scorers.estimate.responses import LIMIT
from valueflow.scorers.estimate.table import WindowRecordError, WindowTable
from valueflow.scorers.records import (
    Distinct,
    JudgeUsed,
    ResponseRecord,
    dropped_judges,
    dropped_note,
    is_judged,
    judge_usage,
    lost_windows,
    measured,
    used_of,
    window_records,
)

__all__ = ["SavedRankings", "read_rankings"]

FIELDS = {
    "item",
    "cell",
    "value",
    "query",
    "anchors",
    "texts",
    "shown",
    "order",
    "choice",
    "ratings",
    "rating_scale",
    "position",
    "judge",
}
_KEPT_NOWHERE = FIELDS | {"labels", "raw", "calls", "repaired", "failure", "error", "target_text"}
_REQUIRED = {"item", "cell", "value", "anchors", "order", "position"}
_LOGS = (".eval", ".json")


@dataclass
class SavedRankings:
    """Rankings read from files.

    Attributes:
        table: all windows that have a ranking.
        extra: (item, cell) to the unknown fields of its first window.
        without: (item, cell, value) of responses that have no ranking at all, and why.
        dropped: what was left out, with counts, for the user to see.
        words: (item, cell) to the number of words of its response, where that is known.
        notes: which judges of a panel were left out, and why.
        judges: windows of each judge of a panel that it judged, and that are lost.
        used: what each judge took, where logs tell it.
    """

    table: WindowTable
    extra: dict[tuple[str, str], dict[str, Any]]
    without: dict[tuple[str, str, str], str]
    dropped: Counter[str] = field(default_factory=Counter)
    words: dict[tuple[str, str], int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    judges: dict[str, tuple[int, int]] = field(default_factory=dict)
    used: dict[str, JudgeUsed] = field(default_factory=dict)


@dataclass
class _Reading:
    """Where each record came from, so that an error can name file and row."""

    files: list[tuple[int, Path]] = field(default_factory=list)
    rows: "array[int]" = field(default_factory=lambda: array("L"))
    extra: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    failed: dict[tuple[str, str, str], str] = field(default_factory=dict)
    ranked: dict[tuple[str, str], Path] = field(default_factory=dict)
    sources: dict[str, dict[str, Path]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    distinct: Distinct = field(default_factory=Distinct)
    words: dict[tuple[str, str], int] = field(default_factory=dict)
    judges: dict[str, list[int]] = field(default_factory=dict)
    used: dict[str, JudgeUsed] = field(default_factory=dict)

    def keep(self, row: int, record: Mapping[str, Any]) -> Mapping[str, Any]:
        self.rows.append(row)
        self.count(record.get("judge"), lost=0)
        key = (str(record.get("item")), str(record.get("cell")))
        path = self.files[-1][1]
        first = self.ranked.setdefault(key, path)
        if first != path:
            raise InputFileError(
                path,
                f"item {key[0]!r} of cell {key[1]!r} stands in {first} too; different "
                "responses must not be taken for one. Score the files one by one, or give the "
                "items other names",
                row=row,
            )
        count = record.get("words")
        if isinstance(count, int) and not isinstance(count, bool):
            self.words[key] = count
        if key not in self.extra:
            self.extra[key] = {
                name: cell
                for name, cell in record.items()
                if name not in _KEPT_NOWHERE and isinstance(cell, str | int | float)
            }
        return record

    def one_source(self, what: str, name: str) -> None:
        """Sees to it that all logs have the same evaluated model, and the same judge."""
        path = self.files[-1][1]
        names = self.sources.setdefault(what, {})
        names.setdefault(name, path)
        if len(names) > 1:
            told = " and ".join(f"{other} in {where}" for other, where in names.items())
            raise InputFileError(
                path, f"more than one {what}: {told}. Score each one's logs on their own"
            )

    def count(self, judge: object, *, lost: int) -> None:
        """Counts a window of a panel's judge, one that it judged or one that is lost."""
        if isinstance(judge, str):
            self.judges.setdefault(judge, [0, 0])[lost] += 1

    def fail(self, record: Mapping[str, Any], reason: str) -> None:
        self.count(record.get("judge"), lost=1)
        self.dropped[f"windows without a ranking ({reason})"] += 1
        key = (str(record["item"]), str(record["cell"]), str(record["value"]))
        self.failed.setdefault(key, reason)


def read_rankings(
    paths: Sequence[Path], value: str | None = None, cell: str | None = None
) -> SavedRankings:
    """Reads saved rankings of any number of files into one table.

    Args:
        paths: Inspect logs, JSONL files, the published scripts' CSV files, and folders (their logs,
            or else their JSONL and CSV files); a file that is named twice counts once, and so does
            a run with its retry.
        value: for CSV files, the value that was ranked; else it is read from the file's name.
        cell: for CSV files, the cell; else the file's name without its suffix.

    Raises:
        InputFileError: a file cannot be read or a row is malformed; file and row are named.
        UnknownNameError: `value` is not in the registry.
    """
    reading = _Reading()

    def records() -> Iterator[Mapping[str, Any]]:
        for path in _one_attempt_each(paths, reading):
            reading.files.append((len(reading.rows), path))
            check_file(path)
            if path.suffix == ".jsonl":
                yield from _json_lines(path, reading)
            elif path.suffix == ".csv":
                yield from _reference_csv(path, reading, value, cell)
            elif path.suffix in _LOGS:
                yield from _inspect_log(path, reading)
            else:
                raise InputFileError(
                    path,
                    "is neither an Inspect log (.eval, .json), a .jsonl nor a .csv of rankings",
                )

    try:
        table = WindowTable.from_records(records(), most=LIMIT)
    except WindowRecordError as error:
        path = next(p for start, p in reversed(reading.files) if start <= error.record)
        message = re.sub(r"^record \d+, ", "", str(error))
        raise InputFileError(path, message, row=reading.rows[error.record]) from None
    counts = {name: (judged, lost) for name, (judged, lost) in reading.judges.items()}
    notes = []
    if out := dropped_judges(counts):
        notes = [dropped_note(name, counts[name]) for name in out]
        table = table.of_judges([name for name in table.judges if name not in out])
    without = {k: why for k, why in reading.failed.items() if k[:2] not in reading.ranked}
    return SavedRankings(
        table,
        reading.extra,
        without,
        reading.dropped,
        reading.words,
        notes,
        counts,
        reading.used,
    )


def _in_folder(folder: Path) -> list[Path]:
    """All logs of a folder, or where it holds none all its files of rankings.

    Raises:
        InputFileError: it holds neither.
    """
    from valueflow.scorers.saved.logs import find_logs

    try:
        return find_logs([folder])
    except InputFileError:
        tables = sorted(f for f in folder.rglob("*") if f.suffix in (".jsonl", ".csv"))
        if not tables:
            raise
        return tables


def _json_lines(path: Path, reading: _Reading) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(_text_lines(path), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            if not line.endswith("\n"):
                reading.dropped[f"truncated last line of {path.name}"] += 1
                return
            # Besides wrong JSON: numbers of thousands of digits, nesting without end.
            reason = error.msg if isinstance(error, json.JSONDecodeError) else error
            raise InputFileError(path, f"is not valid JSON ({reason})", row=number) from None
        if not isinstance(record, dict):
            raise InputFileError(path, "is not an object with named fields", row=number)
        if _all_the_same(record.get("ratings")):
            if record.get("order") is None and record.get("choice") is None:
                record.setdefault("failure", "the same rating for every text")
            else:
                alike = "ratings beside an order that are the same for every text"
                reading.dropped[alike] += 1
            record |= {"order": record.get("order"), "ratings": None}
        chosen = record.get("choice") is not None or record.get("ratings") is not None
        if not record.keys() >= _REQUIRED:
            missing = sorted(_REQUIRED - set(record) - ({"order"} if chosen else set()))
            if missing:
                raise InputFileError(path, f"lacks {', '.join(missing)}", row=number)
        for name in ("item", "cell", "value"):
            if not isinstance(record[name], str | int) or isinstance(record[name], bool):
                raise InputFileError(path, f"{name}: must be a name", row=number)
        if record.get("order") is None and not chosen:
            reading.fail(record, str(record.get("failure") or "order is null"))
            continue
        if chosen and record.get("order") is None:
            record.pop("order", None)
        yield reading.keep(number, record)


def _all_the_same(ratings: object) -> bool:
    """Whether more than two texts were rated, and all of them alike."""
    if not isinstance(ratings, list):
        return False
    given = [rating for rating in ratings if rating is not None]
    return len(given) > 2 and all(rating == given[0] for rating in given)


def _text_lines(path: Path) -> Iterator[str]:
    """The lines of a text file.

    Raises:
        InputFileError: it cannot be read, or is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield from stream
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from None


def _reference_csv(
    path: Path, reading: _Reading, value: str | None, cell: str | None
) -> Iterator[Mapping[str, Any]]:
    name = _value_of(path, value)
    cell = cell or path.stem
    csv.field_size_limit(2**31 - 1)
    number = 0
    try:
        reader = csv.DictReader(_text_lines(path))
        columns = reader.fieldnames or []
        scores = sorted(
            (c for c in columns if re.fullmatch(r"db_score_\d+", c)), key=lambda c: int(c[9:])
        )
        lacking = [c for c in ("row_idx", "ranking") if c not in columns]
        if lacking or not scores:
            raise InputFileError(
                path,
                f"lacks {', '.join([*lacking, *([] if scores else ['db_score_1'])])}; found "
                f"{', '.join(columns) or 'no columns'}",
            )
        for number, row in enumerate(reader, start=1):
            if not (row["row_idx"] or "").strip():
                raise InputFileError(path, "is empty", row=number, column="row_idx")
            record: dict[str, Any] = {
                "item": row["row_idx"],
                "cell": cell,
                "value": name,
                "position": 0,
            }
            order = _one_based(row["ranking"])
            if order is None:
                reading.fail(record, "unreadable")
                continue
            used = [c for c in scores if (row[c] or "").strip()]
            if used != scores[: len(used)]:
                empty = next(c for c in scores if c not in used)
                raise InputFileError(
                    path,
                    "is empty while a later one is not, so that the ranking's numbers could mean "
                    "either",
                    row=number,
                    column=empty,
                )
            texts = [row.get(c.replace("score", "text")) for c in used]
            if (row.get("judge") or "").strip():
                record["judge"] = row["judge"]
            record |= {"anchors": [row[c] for c in used], "order": order}
            if all(texts):
                record["texts"] = texts
            yield reading.keep(number, record)
    except csv.Error as error:
        raise InputFileError(path, f"is not valid CSV ({error})", row=number + 1) from None


def _one_based(raw: str | None) -> list[int] | None:
    """A 1-based JSON list of indices as 0-based ones; None where it is no list of numbers."""
    try:
        found = json.loads(raw or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or not found:
        return None
    if not all(isinstance(i, int) and not isinstance(i, bool) for i in found):
        return None
    return [i - 1 for i in found]


def _value_of(path: Path, value: str | None) -> str:
    registry = load_registry()
    if value is not None:
        return registry.value(value).name
    words = slug(path.stem)
    # The longest name wins, so that "self-direction" is not taken for a shorter one inside it.
    found = [v for v in registry.macro_values() if f"-{slug(v.name)}-" in f"-{words}-"]
    if not found:
        raise UnknownNameError(
            "value in the file name",
            path.name,
            [v.name for v in registry.macro_values()],
            "Name the value with --value.",
        )
    return max(found, key=lambda v: len(v.name)).name


def _inspect_log(path: Path, reading: _Reading) -> Iterator[Mapping[str, Any]]:
    from valueflow.scorers.saved.logs import ScoredLog, left_out

    log = ScoredLog(path)
    failed: list[ResponseRecord] = []
    reading.one_source("evaluated model", log.header.eval.model)
    for number, (_, found) in enumerate(log.samples(), start=1):
        if found is None:
            continue
        response = cast(ResponseRecord, found)
        if judge := response.get("judge"):
            reading.one_source("judge", judge["model"])
        for name, values in response["values"].items():
            reading.words[response["item"], values["cell"]] = response["words"]
            key = (response["item"], values["cell"], name)
            if response["refusal"] or not any(is_judged(w) for w in values["windows"]):
                why = "refusal" if response["refusal"] else response["unscored"]
                reading.failed.setdefault(key, why or "grader_failed")
                reading.dropped[f"responses unscored ({reading.failed[key]})"] += 1
        if lost_windows([response]):
            failed.append(response)
        for window in (w for v in response["values"].values() for w in v["windows"]):
            if not is_judged(window):
                reading.count(window.get("judge"), lost=1)
        if used_of(response):
            so_far = {"judges_used": list(reading.used.values())}
            reading.used = judge_usage([cast(ResponseRecord, so_far), response])
        before = reading.distinct.repeated
        for record in window_records(measured([reading.distinct.of(response)])):
            yield reading.keep(number, record)
        if repeated := reading.distinct.repeated - before:
            reading.dropped["values of responses measured in another log in the same way"] += (
                repeated
            )
    for why, count in lost_windows(failed).items():
        reading.dropped[f"windows without a ranking ({why})"] += count
    reading.dropped.update(left_out(log.counts))
    if log.counts["rescored"]:
        reading.dropped["older scores of samples that were scored again"] += log.counts["rescored"]


def _one_attempt_each(paths: Sequence[Path], reading: _Reading) -> Iterator[Path]:
    """The files without repetition: each once, and of a run and its retries the fullest."""
    files = [f for path in paths for f in (_in_folder(path) if path.is_dir() else [path])]
    once = list(dict.fromkeys(file.resolve() for file in files))
    if len(once) < len(files):
        reading.dropped["files named twice"] += len(files) - len(once)
    given = {file.resolve(): file for file in reversed(files)}
    if not any(file.suffix in _LOGS for file in once):
        return (given[file] for file in once)
    # Imported here: Inspect takes longer than thousands of responses, and reads logs alone.
    from valueflow.scorers.saved.logs import ScoredLog, last_attempts

    logs = [ScoredLog(file) for file in once if file.suffix in _LOGS and file.is_file()]
    logs.sort(key=lambda log: str(log.header.eval.created))
    runs = Counter(log.header.eval.task_id for log in logs)

    def attempt_of(log: ScoredLog) -> str:
        # A copy that another judge scored is no other attempt, but another measurement.
        name = log.header.eval.task_id
        judges = (str(r["judge"]["model"]) for r in log.records() if r.get("judge"))
        return f"{name} {next(judges, '')}" if runs[name] > 1 else name

    chosen = last_attempts(logs, attempt_of, lambda log: sum(1 for _ in log.records()))
    repeated = {log.path for log, best in chosen if best is not log}
    if repeated:
        reading.dropped["logs of other attempts at the same run"] += len(repeated)
    return (given[file] for file in once if file not in repeated)
