"""What the parts of a value were made from, and whether all of it still holds.

A stage that is run by itself must not put numbers on rows, rankings or settings that have changed
since; every stage therefore checks those before it.

The folder in which a database is built: what each stage wrote, and whether it still holds.

    import/texts.jsonl              texts with source, licence and given labels;  import/hub.json
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
was made from, and its counts. A part whose fingerprint still holds is not made again. Judgements
are kept when settings or texts change, in generations, and count where they answer what would be
asked now; those of another judge or other words are refused.

The curated rows of a database that is being built, with their numbers and the panel's marks.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import read_text, write_text
from valueflow.hub_assets.inputs.rows import rows_of
from valueflow.hub_assets.registry.loading import (
    Registry,
    Value,
    load_registry,
    open_catalogue,
    own_theories_text,
)
from valueflow.rebuild.database.recipe import (
    Recipe,
    TextsRecipe,
    fingerprint,
    key_of,
    own_definitions,
)
from valueflow.scorers.judge.questions.ranking import JUDGE_PROMPT_VERSION

__all__ = [
    "Begun",
    "Settings",
    "asked_mark",
    "check_begun",
    "check_catalogue",
    "check_scaled",
    "commits_of",
    "counts_of",
    "curated_values",
    "files_of",
    "finish",
    "finished",
    "fit_mark",
    "flag_reasons",
    "generation_of",
    "hash_of",
    "keep_catalogue",
    "keep_commits",
    "rank_mark",
    "read_lines",
    "registry_of",
    "scale_mark",
    "scored_rows",
    "stage_file",
    "support",
    "unfinished",
    "write_lines",
]

Rows = Sequence[Mapping[str, Any]]

SCALE_VERSION = 2
"""Of how utilities become intensities: 2 takes the judge's noise out of the unit. Scales of an
earlier version are made anew from the rankings that are there."""


def rank_mark(recipe: Recipe, value: Value, rows: Rows) -> str:
    """Of the rankings of a value, from its curated rows."""
    texts = [(row["id"], row["text"]) for row in rows]
    own = own_definitions(recipe.registry, [value])
    mark = (recipe.rank, recipe.seed, key_of(value), texts, JUDGE_PROMPT_VERSION)
    return fingerprint(*mark, *([own] if own else []), *recipe.told)


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
    ratings = hash_of(rated) if rated else None
    mark = (recipe.scale, hash_of(fitted), supports, ratings, SCALE_VERSION)
    before = stage_file(folder, "scale", value, ".before.json")
    return fingerprint(*mark, *([hash_of(before)] if before.is_file() else []))


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


def files_of(folder: Path, theory: str, name: str) -> dict[str, bytes]:
    """All files of one value, from its curated rows to its flags, by their place in a build."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for stage in ("curate", "rank", "fit", "scale", "flag")
        for path in sorted((folder / stage).glob(f"{theory}.{name}.*"))
        if path.suffix != ".lock"
    }


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


def counts_of(part: Path) -> dict[str, Any]:
    """The counts of a part as it was last finished; empty where it never was."""
    return dict((_record(_done(part)) or {}).get("counts", {}))


def finish(part: Path, mark: str, counts: Mapping[str, Any]) -> None:
    """Notes that a part is finished, with what it was made from."""
    record = {"fingerprint": mark, "counts": dict(counts)}
    if part.is_file():
        record["sha256"] = hash_of(part)
    write_text(_done(part), json.dumps(record, indent=1, sort_keys=True) + "\n")


@dataclass(frozen=True)
class Begun:
    """What the judgements of a store are asked with.

    Attributes:
        generation: 0 for the first settings and texts of the store, one more after each change.
        changes: what changed since the generation before, in words; empty for the first.
    """

    generation: int
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """Settings of a stage that asks.

    Attributes:
        asked: what must be the same for judgements to stand side by side: judges and wordings.
            Of lists, such as the seats of a panel, one may go on where the other ends.
        rest: everything else.
    """

    asked: Mapping[str, Any]
    rest: Mapping[str, Any]


def check_begun(
    store: Path,
    mark: str,
    stage: str,
    settings: Settings,
    legacy: Callable[[], str] | None = None,
) -> Begun:
    """Notes what judgements of a store are asked with from now on.

    Judgements of before stay, and count wherever they answer what would be asked now. They are
    refused where another judge would answer, or other words would be asked: such answers do not
    stand beside them.

    Args:
        store: of the judgements.
        mark: a fingerprint of all settings and texts.
        stage: for messages.
        settings: see `Settings`.
        legacy: for a store that an earlier version began, which noted no settings: the mark that
            its texts would have had under the settings of now.

    Raises:
        InputFileError: the store holds judgements that would not stand beside new ones; it says
            which setting changed, and from what.
    """
    note = store.with_name(f"{store.stem}.begun.json")
    record = _record(note)
    files = [file for file in (store, store.with_suffix(".calls.jsonl")) if file.is_file()]
    now: dict[str, Any] = json.loads(json.dumps(asdict(settings), default=str))
    if record is None or not any(file.stat().st_size for file in files):
        write_text(note, json.dumps({"fingerprint": mark, "settings": now}) + "\n")
        return Begun(0)
    generation = int(record.get("generation", 0))
    changes = tuple(record.get("changes", ()))
    if record.get("fingerprint") == mark:
        if "settings" not in record:
            write_text(note, json.dumps(record | {"settings": now}) + "\n")
        return Begun(generation, changes)
    before = record.get("settings")
    if before is None and (legacy is None or legacy() != record.get("fingerprint")):
        raise InputFileError(
            store,
            "was begun by an earlier version of valueflow with other settings or texts, and does "
            "not say which; go on with the recipe and the texts of then, or build into another "
            "folder. What was judged stays as it is",
        )
    changes = ("more texts, or other ones",)
    if before is not None:
        if told := _differences(before["asked"], now["asked"]):
            raise InputFileError(
                store,
                f"holds judgements of other settings: {'; '.join(told)}. Put that back "
                f"to go on, or build into another folder; what was judged stays as it is",
            )
        changes = tuple(_differences(before["rest"], now["rest"])) or changes
    record = {"fingerprint": mark, "settings": now, "generation": generation + 1}
    write_text(note, json.dumps(record | {"changes": changes}) + "\n")
    return Begun(generation + 1, changes)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], place: str = "") -> list[str]:
    """The settings that changed, as `seed: 0 is now 1`."""
    told = []
    for name in dict.fromkeys((*before, *now)):
        one, other = before.get(name), now.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            told += _differences(one, other, f"{place}{name}.")
        elif isinstance(one, list) and isinstance(other, list) and name == "judges":
            for seat, (a, b) in enumerate(zip(one, other, strict=False), start=1):
                told += _differences(a, b, f"{place}{name}, seat {seat}: ")
        elif one != other:
            told.append(f"{place}{name}: {_brief(one)} is now {_brief(other)}")
    return told


def _brief(setting: Any) -> str:
    text = json.dumps(setting, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def generation_of(row: Mapping[str, Any]) -> int:
    """In which generation of its store a judgement was made; see `Begun`."""
    return int(row.get("generation", 0))


def _done(part: Path) -> Path:
    return part.with_name(f"{part.name}.done.json")


def _record(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def unfinished(folder: Path, stages: Sequence[str]) -> tuple[str, ...]:
    """Those among some stages that may still have something to do."""

    def is_open(stage: str) -> bool:
        if stage == "categorize":
            return not _done(folder / "categorize" / "rows.jsonl").is_file()
        if not (folder / "curate" / "values.jsonl").is_file():
            return True
        suffix = ".jsonl" if stage == "rank" else ".csv"
        return not all(
            _done(stage_file(folder, stage, value, suffix)).is_file()
            for value in curated_values(folder)
        )

    return tuple(stage for stage in stages if is_open(stage))


HUB = "hub.json"
"""Of `import`: the commits at which sources on the Hub were first read."""


def commits_of(folder: Path) -> dict[str, str]:
    """The commits of a build's sources on the Hub, by `ORG/NAME@REVISION`."""
    return {
        str(name): str(commit) for name, commit in (_record(folder / "import" / HUB) or {}).items()
    }


def keep_commits(folder: Path, commits: Mapping[str, str]) -> None:
    """Keeps the commits of a build's sources on the Hub."""
    write_text(folder / "import" / HUB, json.dumps(commits, indent=1, sort_keys=True) + "\n")


CATALOGUE = "catalogue.yaml"


def keep_catalogue(recipe: TextsRecipe, folder: Path) -> None:
    """Keeps what a user's own catalogue says of values, so that a review needs no recipe."""
    own = own_theories_text(recipe.registry)
    if own is not None:
        write_text(folder / CATALOGUE, own)


def check_catalogue(folder: Path, path: Path) -> None:
    """Checks that a build's catalogue is a user's own, and keeps it where the build has none yet.

    Raises:
        InputFileError: the build was made with another, or `path` says nothing of values.
    """
    own, kept = own_theories_text(open_catalogue(path)), folder / CATALOGUE
    if own is None:
        raise InputFileError(path, "says nothing of theories and values")
    if not kept.is_file():
        write_text(kept, own)
    elif yaml.safe_load(read_text(kept)) != yaml.safe_load(own):
        raise InputFileError(
            path, f"says other things of values than {kept}, with which {folder} was built"
        )


def registry_of(folder: Path) -> Registry:
    """The catalogue of a build."""
    own = folder / CATALOGUE
    return open_catalogue(own) if own.is_file() else load_registry()


def curated_values(folder: Path, registry: Registry | None = None) -> list[Value]:
    """The values that have rows enough to be ranked, in the registry's order.

    Args:
        folder: of the build.
        registry: its catalogue, where it is known.

    Raises:
        InputFileError: the stage `curate` was not run.
    """
    index = read_lines(folder / "curate" / "values.jsonl", "curate")
    known = registry or registry_of(folder)
    return [known.value(row["value"]) for row in index if row["rows"] >= 2]


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
