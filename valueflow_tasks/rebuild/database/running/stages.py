"""The stages of building a database in their order, whole or for a share of the values."""

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.files import write_text
from valueflow.hub_assets.registry.loading import Value
from valueflow.hub_assets.vidb.licenses import license_of
from valueflow.rebuild.database.categorize.stage import categorize
from valueflow.rebuild.database.curate import curated
from valueflow.rebuild.database.finishing.flag import flag_value, write_queue
from valueflow.rebuild.database.finishing.package import package_rows
from valueflow.rebuild.database.folder import (
    commits_of,
    curated_values,
    finish,
    finished,
    hash_of,
    keep_catalogue,
    keep_commits,
    read_lines,
    stage_file,
    support,
    write_lines,
)
from valueflow.rebuild.database.judging import Budget
from valueflow.rebuild.database.rank import fit_value, rank_value, scale_value
from valueflow.rebuild.database.recipe import Recipe, TextsRecipe, fingerprint, key_of
from valueflow.rebuild.database.review.directions import direction_notes
from valueflow.rebuild.database.sources import hub_commits, import_texts
from valueflow.scorers.judge.calls.store import read_store

__all__ = [
    "SHARED_STAGES",
    "STAGES",
    "VALUE_STAGES",
    "Run",
    "import_stage",
    "merge",
    "run_stage",
    "share_of",
    "stage_of_value",
]

SHARED_STAGES = ("import", "categorize", "curate")
VALUE_STAGES = ("rank", "fit", "scale", "flag")
STAGES = (*SHARED_STAGES, *VALUE_STAGES, "package")

_SUFFIXES = {
    "rank": (".jsonl", ".jsonl.done.json", ".begun.json"),
    "fit": (".csv", ".csv.done.json"),
    "scale": (".csv", ".csv.done.json", ".json", ".before.json"),
    "flag": (".csv", ".csv.done.json", ".jsonl", ".begun.json"),
}


@dataclass(frozen=True)
class Run:
    """A recipe at work in a folder, on all values or on some.

    Attributes:
        values: names of the values that this run is for; all where None.
        shard: (i, n), the i-th of n shares of the values, from 1.
        say: told what a stage did.
    """

    recipe: Recipe
    folder: Path
    budget: Budget
    values: tuple[str, ...] | None = None
    shard: tuple[int, int] | None = None
    say: Callable[[str], None] = lambda _: None

    @property
    def whole(self) -> bool:
        return self.values is None and self.shard is None


def run_stage(run: Run, stage: str) -> None:
    """Runs a stage, or passes over what is done already.

    Raises:
        ValueflowError: an earlier stage is not there; the budget is spent; the judge failed.
    """
    if stage == "import":
        run.say(_told(stage, import_stage(run.recipe, run.folder)))
    elif stage == "categorize":
        counts = categorize(run.recipe, run.folder, run.budget)
        run.say(_told(stage, counts))
        for note in direction_notes(run.folder, counts["unresolved"], run.recipe.categorize.human):
            run.say(f"  note: {note}")
    elif stage == "curate":
        run.say(_told(stage, _curate(run)))
    elif stage == "package":
        values = _curated_values(run)
        run.say(_told(stage, package_rows(run.recipe, run.folder, values)))
    else:
        for value in share_of(run):
            run.say(
                _told(f"{stage} {value.theory}:{value.name}", stage_of_value(run, stage, value))
            )
        if stage == "flag" and run.whole:
            queued = write_queue(run.folder, share_of(run))
            told = f"flag: {queued:,} rows for review in {run.folder / 'flag' / 'queue.csv'}"
            show = f"; `valueflow review {run.folder} --queue ratings` shows them" if queued else ""
            run.say(f"{told}{show}")


def stage_of_value(run: Run, stage: str, value: Value) -> Mapping[str, Any]:
    """Runs one of `VALUE_STAGES` for one value; returns counts.

    Raises:
        ValueflowError: an earlier stage is not there; the budget is spent; the judge failed.
    """
    if stage == "rank":
        return rank_value(run.recipe, run.folder, value, run.budget)
    if stage == "fit":
        return fit_value(run.recipe, run.folder, value)
    if stage == "scale":
        return scale_value(run.recipe, run.folder, value)
    return flag_value(run.recipe, run.folder, value, run.budget)


def _told(what: str, counts: Mapping[str, Any]) -> str:
    """The counts of a stage in a line, notes below it; counts of nought say nothing."""
    shown = [
        f"{name.replace('_', ' ')} {number:,}"
        for name, number in sorted(counts.items())
        if name != "notes" and not isinstance(number, bool) and number != 0
    ]
    notes = "".join(f"\n  note: {note}" for note in counts.get("notes", ()))
    return f"{what}: {', '.join(shown) or 'nothing to tell'}{notes}"


def import_stage(recipe: TextsRecipe, folder: Path, *, nodes: bool = False) -> dict[str, Any]:
    """Reads the texts of a recipe's sources into a folder; returns counts.

    Args:
        recipe: whose sources.
        folder: of the build.
        nodes: whether to write `import/nodes.jsonl` too: labels at nodes of any level, and groups.

    Raises:
        InputFileError: a source is missing or malformed.
    """
    parts = [folder / "import" / "texts.jsonl"]
    if nodes:
        parts.append(folder / "import" / "nodes.jsonl")
    commits = hub_commits(recipe, commits_of(folder))
    files: list[object] = [
        hash_of(file)
        for source in recipe.sources
        for name in (source.path, source.labels)
        if name is not None
        for file in _files(recipe.path(name))
    ]
    if commits:
        files.append(commits)
        keep_commits(folder, commits)
    keep_catalogue(recipe, folder)
    mark = fingerprint(recipe.sources, [key_of(v) for v in recipe.wanted()], files)
    done = [finished(part, mark) for part in parts]
    if done[-1] is not None and None not in done:
        return done[-1]
    texts, counted = import_texts(recipe, commits)
    notes = [f"{name} is taken at the commit {commit}" for name, commit in commits.items()]
    notes += _licence_notes(texts, recipe) if isinstance(recipe, Recipe) else []
    counts: dict[str, Any] = {**counted, "notes": notes}
    found = [
        {"id": text["id"], "nodes": text.pop("nodes"), "group": text.pop("group")} for text in texts
    ]
    for part, rows in zip(parts, (texts, found), strict=False):
        write_lines(part, rows)
        finish(part, mark, counts)
    return counts


def _licence_notes(texts: Sequence[Mapping[str, Any]], recipe: Recipe) -> list[str]:
    """What a push will not accept, told before anything is paid for."""
    stopped = Counter(
        (text["license"], text["source"])
        for text in texts
        if (known := license_of(text["license"])) is None or not known.redistributable
    )
    if not stopped or recipe.package.leave_out_restricted:
        return []
    named = ", ".join(f"{n:,} of {source} ({name!r})" for (name, source), n in stopped.items())
    return [
        f"a push will not accept the licences of {stopped.total():,} texts: {named}. Name a known "
        "licence, or leave these rows out of the package ('package: {leave_out_restricted: true}')"
    ]


def _files(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _curate(run: Run) -> dict[str, Any]:
    source = run.folder / "categorize" / "rows.jsonl"
    part = run.folder / "curate" / "values.jsonl"
    rows = read_lines(source, "categorize")
    if not source.is_file():
        raise InputFileError(source, "is not there yet; run the stage 'categorize' first")
    mark = fingerprint(run.recipe.curate, run.recipe.seed, hash_of(source))
    if (done := finished(part, mark)) is not None and _as_listed(run):
        return done
    ranked = {
        f"{value.theory}:{value.name}": _ranked_texts(run.folder, value)
        for value in run.recipe.wanted()
    }
    chosen, counts = curated(rows, run.recipe.curate, run.recipe.seed, ranked)
    index: list[dict[str, Any]] = []
    for name, members in chosen.items():
        value = run.recipe.registry.value(name)
        file = stage_file(run.folder, "curate", value, ".jsonl")
        write_lines(file, members)
        index.append({"value": name, "rows": len(members), "sha256": hash_of(file)})
    write_lines(part, index)
    one_sided = [
        f"{name} ({len(members)})"
        for name, members in chosen.items()
        if len(members) > 1 and not _parts(members)
    ]
    thin = [f"{row['value']} ({row['rows']})" for row in index if row["rows"] < 2]
    told: dict[str, Any] = dict(counts)
    if thin:
        told["notes"] = [f"values with fewer than two rows are not scored: {', '.join(thin)}"]
    if one_sided:
        note = (
            f"values without both supporting and opposing rows: {', '.join(one_sided)}; they are "
            "ranked, but have no neutral point and are left out unless 'scale' is fitted on ratings"
        )
        told["notes"] = [*told.get("notes", []), note]
    finish(part, mark, told)
    return told


def _ranked_texts(folder: Path, value: Value) -> frozenset[str]:
    """Ids of the texts of a value that a judge has ranked."""
    store = read_store(stage_file(folder, "rank", value, ".jsonl"))
    return frozenset(name for row in store.values() for name in row["texts"])


def _parts(rows: Sequence[Mapping[str, Any]]) -> bool:
    supports = [support(row) for row in rows]
    return min(supports) < 0.5 < max(supports)


def _as_listed(run: Run) -> bool:
    """Whether the rows of each value are those that the list of values names: a stage under
    another recipe, killed half way, leaves the list and changes some of them."""
    return all(
        file.is_file() and hash_of(file) == row["sha256"]
        for row in _curated(run)
        for value in [run.recipe.registry.value(row["value"])]
        for file in [stage_file(run.folder, "curate", value, ".jsonl")]
    )


def _curated(run: Run) -> list[dict[str, Any]]:
    return list(read_lines(run.folder / "curate" / "values.jsonl", "curate"))


def _curated_values(run: Run) -> list[Value]:
    return curated_values(run.folder, run.recipe.registry)


def share_of(run: Run) -> list[Value]:
    """The values that a run is for, in the registry's order.

    Shards take the values from the largest to the smallest, each to the shard that has the fewest
    rows so far, so that all take about as long.

    Raises:
        OptionError: a value that has no rows, or a shard that there is not.
    """
    rows = {row["value"]: row["rows"] for row in _curated(run) if row["rows"] >= 2}
    values = _curated_values(run)
    if run.values is not None:
        wanted = {key_of(run.recipe.registry.value(name)) for name in run.values}
        lacking = wanted - {key_of(value) for value in values}
        if lacking:
            raise OptionError("values", f"no rows were curated for {', '.join(sorted(lacking))}")
        values = [value for value in values if key_of(value) in wanted]
    if run.shard is not None:
        number, shards = run.shard
        loads = [0] * shards
        mine = set()
        for value in sorted(values, key=lambda v: (-rows[f"{v.theory}:{v.name}"], key_of(v))):
            least = loads.index(min(loads))
            loads[least] += rows[f"{value.theory}:{value.name}"]
            if least == number - 1:
                mine.add(key_of(value))
        values = [value for value in values if key_of(value) in mine]
    return values


def merge(run: Run, others: Sequence[Path]) -> list[str]:
    """Brings the values that other folders have scored into the run's folder, checked.

    Args:
        run: its folder has the curated rows, as the others do.
        others: folders in which shards of the same build ran; none where all shards share one.

    Returns:
        Sentences on what was brought.

    Raises:
        InputFileError: a folder was built from other rows, has scored a value differently, or a
            value is nowhere scored to the end.
    """
    index = run.folder / "curate" / "values.jsonl"
    if not index.is_file() and others:
        for stage in SHARED_STAGES:
            if (others[0] / stage).is_dir():
                shutil.copytree(others[0] / stage, run.folder / stage, dirs_exist_ok=True)
        keep_catalogue(run.recipe, run.folder)
    told = []
    for other in others:
        theirs = other / "curate" / "values.jsonl"
        if not theirs.is_file() or hash_of(theirs) != hash_of(index):
            raise InputFileError(other, f"was not built from the same rows as {run.folder}")
        brought = [key_of(v) for v in _curated_values(run) if _bring(run.folder, other, v)]
        told.append(f"{other}: {', '.join(brought) or 'nothing new'}")
    lacking = [
        key_of(value)
        for value in _curated_values(run)
        if not stage_file(run.folder, "flag", value, ".csv.done.json").is_file()
    ]
    if lacking:
        raise InputFileError(
            run.folder,
            f"no folder has finished {', '.join(lacking)}; run the shards that have them",
        )
    return told


def _bring(folder: Path, other: Path, value: Value) -> bool:
    """Copies the finished work on a value; whether there was any that was new."""
    if not stage_file(other, "flag", value, ".csv.done.json").is_file():
        return False
    ours = stage_file(folder, "scale", value, ".csv")
    theirs = stage_file(other, "scale", value, ".csv")
    if ours.is_file():
        if hash_of(ours) != hash_of(theirs):
            raise InputFileError(theirs, f"scores {key_of(value)} otherwise than {ours}; keep one")
        if stage_file(folder, "flag", value, ".csv.done.json").is_file():
            return False
    for stage, suffixes in _SUFFIXES.items():
        for suffix in suffixes:
            file = stage_file(other, stage, value, suffix)
            if file.is_file():
                target = stage_file(folder, stage, value, suffix)
                write_text(target, file.read_text(encoding="utf-8"))
    return True
