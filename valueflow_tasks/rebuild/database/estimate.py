"""What a build will cost: calls and tokens that are still to come, before any is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valueflow.hub_assets.registry.loading import Value, load_registry
from valueflow.hub_assets.registry.paths import below
from valueflow.rebuild.database.categorize.descent import child_units, group_levels
from valueflow.rebuild.database.categorize.plan import Step, Unit, first_seats, plan
from valueflow.rebuild.database.categorize.stage import (
    asked_values,
    label_of,
    value_step,
    value_units,
)
from valueflow.rebuild.database.folder import read_lines, stage_file
from valueflow.rebuild.database.rank import expected_windows
from valueflow.rebuild.database.recipe import Recipe
from valueflow.rebuild.database.sources import import_texts
from valueflow.scorers.database.panel.prompts import plausible_prompt
from valueflow.scorers.judge.calls.store import read_store
from valueflow.scorers.judge.questions.ranking import judge_prompt

__all__ = ["Estimate", "estimate"]

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_CODE = 5
"""A code of five letters with its separator, as tokenizers of today cut it, about."""


@dataclass(frozen=True)
class Estimate:
    """Calls and tokens of one stage, and what they rest on."""

    stage: str
    calls: int
    known: int
    tokens_in: int
    tokens_out: int
    basis: str


def estimate(recipe: Recipe, folder: Path) -> list[Estimate]:
    """Calls and tokens of the stages that ask judges; nothing is asked or written.

    A panel is expected to agree: then its first seats settle every question in one round; the most
    that it can come to, with all seats in both rounds, is stated beside that. Otherwise counts are
    exact where the stage before is done; else they are the most that there can be (all asked values
    of all texts go on), and say so. Calls that must be repeated, because an answer could not be
    read, are not in them.
    """
    texts_file = folder / "import" / "texts.jsonl"
    if texts_file.is_file():
        texts = list(read_lines(texts_file, "import"))
    else:
        texts = import_texts(recipe)[0]
    theories = load_registry().theories
    found: list[Estimate] = []
    if recipe.categorize.panel():
        found += _panel(recipe, folder, texts)
    calls = known = read = written = 0
    rows: dict[Value, Sequence[str]] = {}
    curated = (folder / "curate" / "values.jsonl").is_file()
    for value in recipe.wanted():
        file = stage_file(folder, "curate", value, ".jsonl")
        if curated:
            members = [r["text"] for r in read_lines(file, "curate")] if file.is_file() else []
        else:
            members = [t["text"] for t in texts if value in asked_values(t, recipe)]
            members = members[: recipe.curate.per_value]
        if len(members) < 2:
            continue
        rows[value] = members
        windows = expected_windows(len(members), recipe.rank)
        size = min(recipe.rank.window_size, len(members))
        frame = len(judge_prompt(value, theories[value.theory], [""] * size, ["CODES"] * size))
        mean = sum(map(len, members)) / len(members)
        calls += windows
        read += round(windows * (frame + size * mean)) // CHARACTERS_PER_TOKEN
        written += windows * size * TOKENS_PER_CODE
        known += len(read_store(stage_file(folder, "rank", value, ".jsonl")))
    basis = "curated rows" if curated else "at most: before categories and duplicates are known"
    found.append(Estimate("rank", calls, known, read, written, basis))
    if recipe.flag.panel() and recipe.flag.ask != "none":
        found.append(_flag(recipe, folder, rows))
    return found


def _flag(recipe: Recipe, folder: Path, rows: Mapping[Value, Sequence[str]]) -> Estimate:
    """The panel's questions about scores: one a row and seat."""
    seats, theories = len(recipe.flag.panel()), load_registry().theories
    calls = known = read = 0
    for value, texts in rows.items():
        frame = len(plausible_prompt(theories[value.theory], value, "", "CODES", -10.0))
        calls += seats * len(texts)
        read += seats * (len(texts) * frame + sum(map(len, texts)))
        known += len(read_store(stage_file(folder, "flag", value, ".jsonl")))
    if recipe.flag.ask == "all":
        basis = "all rows that are ranked"
    else:
        basis = "at most: only rows whose direction and intensity disagree are asked about"
    return Estimate("flag", calls, known, read // CHARACTERS_PER_TOKEN, calls, basis)


def _panel(recipe: Recipe, folder: Path, texts: Sequence[Mapping[str, Any]]) -> list[Estimate]:
    """The panel's questions about groups, values and children."""
    spec = recipe.categorize
    keys = list(read_store(folder / "categorize" / "judgements.jsonl"))
    found = []
    if spec.start == "top":
        for number, groups in enumerate(group_levels(recipe), start=1):
            step = Step(f"groups-{number}", "groups", "about", spec.texts_per_prompt)
            units = [
                Unit(text["id"], text["text"], tuple(n for n in groups if n.theory == theory))
                for text in texts
                for theory in dict.fromkeys(node.theory for node in groups)
            ]
            known = "" if number == 1 else "at most: before the groups above are known; "
            found.append(_step(recipe, step, units, keys, known))
    known = "" if spec.start == "values" else "at most: before the groups are known; "
    found.append(_step(recipe, value_step(recipe), value_units(texts, recipe), keys, known))
    at = {
        (text["id"], value.name): (text["text"], value)
        for text in texts
        for value in asked_values(text, recipe)
        if spec.descend and label_of(text, value)["path"] is None
    }
    level = 1
    while groups_below := {m: (text, below(node)) for m, (text, node) in at.items() if below(node)}:
        step = Step(f"children-{level}", "children", "about", spec.texts_per_prompt)
        # Where the source names the values, each has a direction, and its children are asked about.
        known = (
            "" if spec.values == "labels" and level == 1 else "at most: before values are known; "
        )
        found.append(_step(recipe, step, child_units(groups_below), keys, known))
        deeper = {
            m: next((n for n in nodes if below(n)), None) for m, (_, nodes) in groups_below.items()
        }
        at = {m: (at[m][0], node) for m, node in deeper.items() if node is not None}
        level += 1
    return found


def _step(
    recipe: Recipe, step: Step, units: Sequence[Unit], keys: Sequence[str], known: str
) -> Estimate:
    spec = recipe.categorize
    first, seats = first_seats(spec), len(spec.panel())
    calls = read = written = 0
    for seat in range(first):
        for batch in plan(units, step, 1, seat, recipe.seed):
            calls += 1
            if seat == 0:  # the others are shown the same in another order
                read += len(batch.prompt(batch.units, recipe.seed, recipe.registry))
                written += sum(2 + 8 * len(unit.nodes) for unit in batch.units)
    most = 2 * calls * seats // first
    basis = f"{known}{first} of {seats} seats, while they agree; {most:,} if they never do"
    done = sum(key.startswith(f"{step.name}/") for key in keys)
    name = f"categorize, {step.name}"
    return Estimate(name, calls, done, first * read // CHARACTERS_PER_TOKEN, first * written, basis)
