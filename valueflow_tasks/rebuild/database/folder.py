"""What the parts of a value were made from, and whether all of it still holds.

A stage that is run by itself must not put numbers on rows, rankings or settings that have changed
since; every stage therefore checks those before it.

The folder in which a database is built: what each stage wrote, and whether it still holds.

    import/texts.jsonl              texts with source, licence and given labels
    categorize/judgements.jsonl     the panel's answers, as they came
    categorize/rows.jsonl           (text, value) with its direction;  categorize/queue.csv
    curate/THEORY.VALUE.jsonl       the rows that are scored
    rank/THEORY.VALUE.jsonl         the judge's rankings, as they came
    */*.calls.jsonl                 what judges said in each call, word for word
    fit/THEORY.VALUE.csv            utilities
    scale/THEORY.VALUE.csv, .json   intensities, and the map that made them
    flag/THEORY.VALUE.jsonl, .csv   the panel's marks;  flag/queue.csv
    vidb/                           the packaged database

Each finished part has a record `*.done.json`: the fingerprint of the settings and inputs that it
was made from, and its counts. A part whose fingerprint still holds is not made again; judgements
whose settings changed are never mixed, but refused.

The curated rows of a database that is being built, with their numbers and the panel's marks.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import write_text
from valueflow.hub_assets.inputs.rows import rows_of
from valueflow.hub_assets.registry.loading import Value, load_registry
from valueflow.rebuild.database.recipe import Recipe, fingerprint
from valueflow.scorers.judge.questions.ranking import JUDGE_PROMPT_VERSION

__all__ = [
    "asked_mark",
    "check_begun",
    "check_scaled",
    "curated_values",
    "finish",
    "finished",
    "fit_mark",
    "flag_reasons",
    "hash_of",
    "rank_mark",
    "read_lines",
    "scale_mark",
    "scored_rows",
    "stage_file",
    "support",
    "write_lines",
]

Rows = Sequence[Mapping[str, Any]]


def rank_mark(recipe: Recipe, value: Value, rows: Rows) -> str:
    """Of the rankings of a value, from its curated rows."""
    texts = [(row["id"], row["text"]) for row in rows]
    return fingerprint(
        recipe.rank, recipe.seed, value.name, texts, JUDGE_PROMPT_VERSION, *recipe.told
    )


def asked_mark(recipe: Recipe, value: Value, rows: Rows) -> str:
    """Of what a judge is asked about a value.

    Windows that are dealt at random are the same however many rounds of them there are, so that a
    build can go on with more rounds, or with fewer; adaptive ones are not.
    """
    spec = recipe.rank
    if not spec.adaptive:
        spec = spec.model_copy(update={"windows_per_text": 0})
    spec = spec.model_copy(update={"attempts": 0})
    return rank_mark(recipe.model_copy(update={"rank": spec}), value, rows)


def fit_mark(recipe: Recipe, folder: Path, value: Value, rows: Rows) -> str:
    """Of the utilities of a value.

    Raises:
        InputFileError: it is not ranked to the end, or was under another recipe or on other rows.
    """
    store = stage_file(folder, "rank", value, ".jsonl")
    ranked = rank_mark(recipe, value, rows)
    _check(store, ranked, "rank")
    return fingerprint(recipe.fit, ranked, hash_of(store))


def scale_mark(recipe: Recipe, folder: Path, value: Value, rows: Rows) -> str:
    """Of the intensities of a value.

    Raises:
        InputFileError: it is not fitted, or was under another recipe or to other rankings.
    """
    fitted = stage_file(folder, "fit", value, ".csv")
    _check(fitted, fit_mark(recipe, folder, value, rows), "fit")
    rated = recipe.path(recipe.scale.ratings) if recipe.scale.ratings else None
    supports = [support(row) for row in rows]
    return fingerprint(recipe.scale, hash_of(fitted), supports, hash_of(rated) if rated else None)


def check_scaled(recipe: Recipe, folder: Path, value: Value) -> None:
    """Checks that the intensities of a value are those of the recipe and of its curated rows.

    Raises:
        InputFileError: they, or what they were made from, are not.
    """
    rows = list(read_lines(stage_file(folder, "curate", value, ".jsonl"), "curate"))
    part = stage_file(folder, "scale", value, ".csv")
    _check(part, scale_mark(recipe, folder, value, rows), "scale")


def _check(part: Path, mark: str, stage: str) -> None:
    if not part.is_file():
        raise InputFileError(part, f"is not there yet; run the stage '{stage}' first")
    if finished(part, mark) is None:
        raise InputFileError(
            part,
            f"is not finished, or was made from another recipe or other rows; run the stage "
            f"'{stage}' first (`valueflow build vidb` runs all that are needed)",
        )


def support(row: Mapping[str, Any]) -> float:
    """From 0 (opposes) to 1 (supports): the share of the panel's votes, else the direction."""
    votes = [vote.split(":") for vote in row["votes"].split()]
    if votes:
        worth = {"support": 1.0, "oppose": 0.0}
        return sum(worth.get(k, 0.5) * int(n) for k, n in votes) / sum(int(n) for _, n in votes)
    return {"support": 1.0, "oppose": 0.0}.get(row["direction"], 0.5)


def stage_file(folder: Path, stage: str, value: Value, suffix: str) -> Path:
    """The file of one value in one stage."""
    return folder / stage / f"{value.theory}.{value.name}{suffix}"


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes JSON lines, whole or not at all."""
    write_text(path, "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))


def read_lines(path: Path, stage: str) -> Iterator[dict[str, Any]]:
    """Reads JSON lines that an earlier stage wrote.

    Raises:
        InputFileError: the file is not there, or a row is damaged.
    """
    if not path.is_file():
        raise InputFileError(path, f"is not there yet; run the stage '{stage}' first")
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                yield json.loads(line)
            except ValueError:
                raise InputFileError(path, "is not valid JSON", row=number) from None


def hash_of(path: Path) -> str:
    """Hash of a file's contents.

    Raises:
        InputFileError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror})") from None


def finished(part: Path, mark: str) -> dict[str, Any] | None:
    """The counts of a finished part, or None where it is not finished or was made otherwise."""
    record = _record(_done(part))
    if record is None or record.get("fingerprint") != mark or not part.exists():
        return None
    if part.is_file() and record.get("sha256") != hash_of(part):
        return None
    return dict(record["counts"])


def finish(part: Path, mark: str, counts: Mapping[str, Any]) -> None:
    """Notes that a part is finished, with what it was made from."""
    record = {"fingerprint": mark, "counts": dict(counts)}
    if part.is_file():
        record["sha256"] = hash_of(part)
    write_text(_done(part), json.dumps(record, indent=1, sort_keys=True) + "\n")


def check_begun(store: Path, mark: str, stage: str) -> None:
    """Notes what judgements of a store are asked with; refuses to mix them with others.

    Raises:
        InputFileError: the store was begun with other settings or texts.
    """
    note = store.with_name(f"{store.stem}.begun.json")
    record = _record(note)
    files = [file for file in (store, store.with_suffix(".calls.jsonl")) if file.is_file()]
    if record is None or not any(file.stat().st_size for file in files):
        write_text(note, json.dumps({"fingerprint": mark}) + "\n")
    elif record.get("fingerprint") != mark:
        named = " and ".join(map(str, files))
        raise InputFileError(
            store,
            f"holds judgements of other settings or texts (the recipe, or what came before "
            f"'{stage}', has changed); build into another folder, or delete {named} to ask again",
        )


def _done(part: Path) -> Path:
    return part.with_name(f"{part.name}.done.json")


def _record(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def curated_values(folder: Path) -> list[Value]:
    """The values that have rows enough to be ranked, in the registry's order.

    Raises:
        InputFileError: the stage `curate` was not run.
    """
    index = read_lines(folder / "curate" / "values.jsonl", "curate")
    return [load_registry().value(row["value"]) for row in index if row["rows"] >= 2]


def scored_rows(folder: Path, value: Value) -> list[dict[str, Any]]:
    """Curated rows of a value with `utility`, `intensity`, `intensity_se` and `n_comparisons`;
    none where the value could not be scaled and is left out.

    Raises:
        InputFileError: the stage `scale` was not run, or ran before the rows were chosen anew.
    """
    scaled = stage_file(folder, "scale", value, ".csv")
    if not scaled.is_file():
        raise InputFileError(scaled, "is not there yet; run the stage 'scale' first")
    numbers = {row.cells["id"]: row.cells for row in rows_of([scaled])}
    if not numbers:
        return []
    found = []
    for row in read_lines(stage_file(folder, "curate", value, ".jsonl"), "curate"):
        if row["id"] not in numbers:
            raise InputFileError(
                scaled,
                "lacks a text that was chosen since; run `valueflow build vidb` again",
            )
        cells = numbers[row["id"]]
        for name in ("utility", "intensity", "intensity_se"):
            row[name] = float(cells[name])
        row["n_comparisons"] = int(cells["n_comparisons"])
        found.append(row)
    return found


def flag_reasons(folder: Path, value: Value) -> dict[str, str]:
    """Id of each flagged text of a value to the reason.

    Raises:
        InputFileError: the stage `flag` was not run.
    """
    part = stage_file(folder, "flag", value, ".csv")
    if not part.is_file():
        raise InputFileError(part, "is not there yet; run the stage 'flag' first")
    cells = (row.cells for row in rows_of([part]))
    return {str(c["id"]): str(c["reason"]) for c in cells if c["flagged"] == "1"}
