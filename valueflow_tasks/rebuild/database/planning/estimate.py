"""What a build will cost: calls and tokens that are still to come, before any is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valueflow.hub_assets.inputs.prices import Price, price_in
from valueflow.hub_assets.inputs.scripts import tokens_of
from valueflow.hub_assets.registry.loading import Value
from valueflow.hub_assets.registry.paths import below
from valueflow.rebuild.database.categorize.descent import child_units, group_levels
from valueflow.rebuild.database.categorize.plan import Step, Unit, first_seats, plan
from valueflow.rebuild.database.categorize.stage import (
    asked_values,
    label_of,
    value_step,
    value_units,
)
from valueflow.rebuild.database.folder import commits_of, read_lines, stage_file
from valueflow.rebuild.database.rank import expected_windows
from valueflow.rebuild.database.recipe import Recipe, key_of
from valueflow.rebuild.database.sources import import_texts
from valueflow.scorers.database.panel.prompts import plausible_prompt
from valueflow.scorers.judge.calls.store import read_store
from valueflow.scorers.judge.questions.ranking import judge_prompt

__all__ = ["Estimate", "estimate"]

_BEFORE = "a quarter, before {} are known; "
TOKENS_PER_CODE = 5
"""A code of five letters with its separator, as tokenizers of today cut it, about."""
VALUES_ABOUT = 0.25
"""Share of the values of a theory that a text is about: 0.24 in ValueEval's labels."""
SUSPECTS = 0.03
"""Share of rows whose direction and intensity disagree, with a panel and a judge of scale 1."""


@dataclass(frozen=True)
class Estimate:
    """Calls, tokens and money of one stage, and what they rest on.

    Attributes:
        least, expected, most: calls, from beginning to end.
        calls: those of a panel that agrees, where all is asked that may be.
        known: calls of these that were made already.
        tokens_in, tokens_out: of the expected calls.
        models: who is asked, one name a seat.
        basis: what the expected number rests on.
    """

    stage: str
    least: int
    expected: int
    most: int
    known: int
    tokens_in: int
    tokens_out: int
    models: tuple[str, ...]
    basis: str
    calls: int

    @property
    def left(self) -> int:
        """Expected calls that are still to come."""
        return max(0, self.expected - self.known)

    def cost(self, prices: Sequence[Price]) -> float | None:
        """US dollars of the expected calls, shared by the seats; None where a price is unknown."""
        found = [price_in(prices, model) for model in self.models]
        known = [price for price in found if price is not None]
        if not known or len(known) < len(found):
            return None
        return sum(p.of(self.tokens_in, self.tokens_out) for p in known) / len(known)


def estimate(recipe: Recipe, folder: Path) -> list[Estimate]:
    """Calls and tokens of the stages that ask judges; nothing is asked or written.

    A panel is expected to agree: then its first seats settle every question in one round, which is
    the least too; the most is all seats in both rounds. Counts of the ranking are exact where its
    rows are chosen; before that, the most is that all asked values of all texts go on. Calls that
    must be repeated, because an answer could not be read, are in none of them.
    """
    texts_file = folder / "import" / "texts.jsonl"
    if texts_file.is_file():
        texts = list(read_lines(texts_file, "import"))
    else:
        texts = import_texts(recipe, commits_of(folder))[0]
    theories = recipe.registry.theories
    found: list[Estimate] = []
    if recipe.categorize.panel():
        found += _panel(recipe, folder, texts)
    curated = (folder / "curate" / "values.jsonl").is_file()
    # Where a panel is still to say which values a text is about, few of those asked go on.
    share = VALUES_ABOUT if recipe.categorize.values == "panel" and not curated else 1.0
    expected = most = known = 0
    read = written = 0.0
    rows: dict[Value, Sequence[str]] = {}
    for value in recipe.wanted():
        file = stage_file(folder, "curate", value, ".jsonl")
        if curated:
            members = [r["text"] for r in read_lines(file, "curate")] if file.is_file() else []
        else:
            members = [t["text"] for t in texts if value in asked_values(t, recipe)]
        limit = recipe.curate.per_value
        likely = members[: min(limit, round(share * len(members)))]
        members = members[:limit]
        if len(members) < 2:
            continue
        rows[value] = members
        most += expected_windows(len(members), recipe.rank)
        windows = expected_windows(len(likely), recipe.rank)
        size = min(recipe.rank.window_size, len(members))
        frame = judge_prompt(value, theories[value.theory], [""] * size, ["CODES"] * size)
        mean = sum(map(tokens_of, members)) / len(members)
        expected += windows
        read += windows * (tokens_of(frame) + size * mean)
        written += windows * size * TOKENS_PER_CODE
        known += len(read_store(stage_file(folder, "rank", value, ".jsonl")))
    if curated:
        basis = "curated rows"
    elif share < 1:
        basis = f"a text is about {share:.0%} of the values; none or all of them at the ends"
    else:
        basis = "all rows that the sources give; none, where the panel takes none, at the least"
    judge = (recipe.rank.judge.model,)
    least = expected if curated else 0
    sums = (least, expected, most, known, round(read), round(written))
    found.append(Estimate("rank", *sums, judge, basis, most))
    if recipe.flag.panel() and recipe.flag.ask != "none":
        found.append(_flag(recipe, folder, rows, share))
    return found


def _flag(
    recipe: Recipe, folder: Path, rows: Mapping[Value, Sequence[str]], share: float
) -> Estimate:
    """The panel's questions about scores: one a row and seat."""
    seats, theories = len(recipe.flag.panel()), recipe.registry.theories
    most = known = 0
    read = 0.0
    for value, texts in rows.items():
        frame = tokens_of(plausible_prompt(theories[value.theory], value, "", "CODES", -10.0))
        most += seats * len(texts)
        read += seats * (len(texts) * frame + sum(map(tokens_of, texts)))
        known += len(read_store(stage_file(folder, "flag", value, ".jsonl")))
    if recipe.flag.ask == "suspects":
        share *= SUSPECTS
        basis = f"direction and intensity disagree in {SUSPECTS:.0%} of the rows"
    else:
        basis = "all rows that are ranked"
    expected = round(share * most)
    least = most if share == 1 else 0
    models = tuple(seat.model for seat in recipe.flag.panel())
    calls = (least, expected, most, known)
    return Estimate("flag", *calls, round(share * read), expected, models, basis, most)


def _panel(recipe: Recipe, folder: Path, texts: Sequence[Mapping[str, Any]]) -> list[Estimate]:
    """The panel's questions about groups, values and children."""
    spec, theories = recipe.categorize, recipe.registry.theories
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
            known = "" if number == 1 else _BEFORE.format("the groups above")
            found.append(_step(recipe, step, units, keys, known))
    known = "" if spec.start == "values" else _BEFORE.format("the groups")
    found.append(_step(recipe, value_step(recipe), value_units(texts, recipe), keys, known))
    at = {
        (text["id"], key_of(value)): (text["text"], value)
        for text in texts
        for value in asked_values(text, recipe)
        if spec.descend and label_of(text, value)["path"] is None
    }
    level = 1
    while groups_below := {
        m: (text, nodes)
        for m, (text, node) in at.items()
        if (nodes := below(theories[node.theory], node))
    }:
        step = Step(f"children-{level}", "children", "about", spec.texts_per_prompt)
        # Where the source names the values, each has a direction, and its children are asked about.
        first = spec.values == "labels" and level == 1
        known = "" if first else _BEFORE.format("the values")
        found.append(_step(recipe, step, child_units(theories, groups_below), keys, known))
        deeper = {
            m: next((n for n in nodes if below(theories[n.theory], n)), None)
            for m, (_, nodes) in groups_below.items()
        }
        at = {m: (at[m][0], node) for m, node in deeper.items() if node is not None}
        level += 1
    return found


def _step(
    recipe: Recipe, step: Step, units: Sequence[Unit], keys: Sequence[str], known: str
) -> Estimate:
    spec = recipe.categorize
    first, seats = first_seats(spec), len(spec.panel())
    calls = 0
    read = written = 0.0
    for seat in range(first):
        for batch in plan(units, step, 1, seat, recipe.seed):
            calls += 1
            if seat == 0:  # the others are shown the same in another order
                read += tokens_of(batch.prompt(batch.units, recipe.registry, recipe.seed))
                written += sum(2 + 8 * len(unit.nodes) for unit in batch.units)
    # Before the level above is answered, all that could be asked is the most.
    share = VALUES_ABOUT if known and spec.values == "panel" else 1.0
    expected = round(share * calls)
    least = 0 if known else calls
    done = sum(key.startswith(f"{step.name}/") for key in keys)
    basis = f"{known}{first} of {seats} seats, while they agree"
    tokens = (round(share * first * read), round(share * first * written))
    models = tuple(seat.model for seat in spec.panel()[:first])
    most = 2 * calls * seats // first
    name = f"categorize, {step.name}"
    return Estimate(name, least, expected, most, done, *tokens, models, basis, calls)
