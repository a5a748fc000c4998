"""The stage `categorize`: a panel says which values a text is about, and in which direction.

Every seat is asked about all values of a theory at once, several texts in a prompt. Where its votes
on a value are divided, the panel is asked about those values again, and may then answer `neutral`;
what is still divided goes to people, through a queue file. Then the panel is asked which children
of the values found a text is about, so that every row has a path from the top of the theory down.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from valueflow.hub_assets.files import write_csv
from valueflow.hub_assets.registry.loading import Value
from valueflow.hub_assets.registry.paths import path_to
from valueflow.hub_assets.vidb.schema import DIRECTIONS
from valueflow.rebuild.database.categorize.descent import (
    Ends,
    Member,
    ask_groups,
    descend,
    is_open,
    preferred,
)
from valueflow.rebuild.database.categorize.plan import CHARACTERS_PER_PROMPT, Step, Unit
from valueflow.rebuild.database.categorize.votes import Outcomes, Panel, Tally, ask_step
from valueflow.rebuild.database.folder import (
    Settings,
    check_begun,
    finish,
    finished,
    hash_of,
    read_lines,
    write_lines,
)
from valueflow.rebuild.database.judging import Budget, make_judge
from valueflow.rebuild.database.recipe import TextsRecipe, fingerprint, key_of, own_definitions
from valueflow.rebuild.database.review.directions import (
    Settled,
    file_directions,
    keep_settled,
    settle_directions,
)
from valueflow.scorers.judge.calls.store import open_store

__all__ = ["QUEUE", "asked_values", "categorize", "label_of", "value_step", "value_units"]

QUEUE = ("id", "text", "theory", "value", "votes", "direction", "reviewer")

Record = Mapping[str, Any]
Told = Mapping[tuple[str, str], str]

_NOT_ASKED = Tally(None, 0, "", 0)


@dataclass
class _Found:
    """What the panel said of values, of the groups above them and of the nodes below."""

    values: Outcomes = field(default_factory=dict)
    groups: Outcomes = field(default_factory=dict)
    ends: Ends = field(default_factory=dict)


def categorize(recipe: TextsRecipe, folder: Path, budget: Budget) -> dict[str, Any]:
    """Runs the stage; see the module's text.

    Returns:
        Counts: rows by direction, unresolved, judged, unreadable, paths by where they end.

    Raises:
        ValueflowError: an earlier stage is not there; budget spent; the judge failed.
    """
    spec = recipe.categorize
    source = folder / "import" / "texts.jsonl"
    part = folder / "categorize" / "rows.jsonl"
    texts = list(read_lines(source, "import"))
    human = recipe.path(spec.human) if spec.human else None
    own = own_definitions(recipe.registry, recipe.wanted())
    asked = fingerprint(
        hash_of(source),
        spec.model_copy(update={"human": None}),
        [key_of(v) for v in recipe.wanted()],
        recipe.seed,
        recipe.registry.sentences.version_of("category"),
        CHARACTERS_PER_PROMPT,
        *([own] if own else []),
    )
    settled = Settled() if human else settle_directions(folder)
    mark = fingerprint(asked, spec, hash_of(human) if human else settled.mark)
    if (finished_before := finished(part, mark)) is not None:
        return finished_before
    told = settled.directions
    strangers = 0
    if human:
        told = file_directions(human, recipe.registry)
        known = {text["id"] for text in texts}
        strangers = sum(name not in known for name, _ in told)
    found = _Found()
    changes: tuple[str, ...] = ()
    counts: Counter[str] = Counter(unreadable_answers=0, asked_again=0, rows_cut_by_a_kill=0)
    if spec.values != "given":
        path = folder / "categorize" / "judgements.jsonl"
        with open_store(path) as store:
            # In other company, or on the way down from other groups, a text is another question.
            company = {"texts_per_prompt", "start", "descend"}
            settings = Settings(
                {
                    "judges": [seat.model_dump(mode="json") for seat in spec.panel()],
                    "version of the question": recipe.registry.sentences.version_of("category"),
                    "wording": recipe.wording,
                    "definitions": own,
                    **spec.model_dump(mode="json", include=company),
                },
                {
                    **spec.model_dump(
                        mode="json", exclude={"judges", "human", "attempts", *company}
                    ),
                    "seed": recipe.seed,
                    "texts": len(texts),
                    "values": [key_of(value) for value in recipe.wanted()],
                },
            )
            begun = check_begun(path, asked, "categorize", settings)
            judges = [make_judge(recipe, seat, budget) for seat in spec.panel()]
            panel = Panel(recipe, judges, store, budget, counts, begun.generation)
            found = _ask(panel, texts, told)
            counts["rows_cut_by_a_kill"] = store.repaired
            changes = begun.changes
    rows, queue = _decide(texts, found, told, recipe)
    keep_settled(folder, settled)
    write_lines(part, rows)
    write_csv(folder / "categorize" / "queue.csv", QUEUE, queue)
    done: dict[str, Any] = {
        **Counter(row["direction"] for row in rows),
        "rows": len(rows),
        "unresolved": len(queue),
        "human_rows_of_texts_that_are_not_here": strangers,
        **counts,
    }
    if changes:
        done["notes"] = [f"judgements of before are kept; {'; '.join(changes)}"]
    finish(part, mark, done)
    return done


def asked_values(text: Record, recipe: TextsRecipe) -> list[Value]:
    """The values that a panel is asked about for a text, where it starts at the values."""
    wanted = recipe.wanted()
    if recipe.categorize.values == "panel":
        return list(wanted)
    return [value for value in wanted if f"{value.theory}:{value.name}" in text["labels"]]


def label_of(text: Record, value: Value) -> Record:
    """What the source says of a text and a value: direction and path, None where it says none."""
    label: Record = text["labels"].get(f"{value.theory}:{value.name}")
    return label or {"path": None, "direction": None}


def value_step(recipe: TextsRecipe) -> Step:
    """The question about values."""
    return Step("values", "values", "direction", recipe.categorize.texts_per_prompt)


def value_units(
    texts: Sequence[Record], recipe: TextsRecipe, groups: Outcomes | None = None
) -> list[Unit]:
    """What is asked about each text: its values of a theory together.

    Args:
        texts: as they were imported.
        recipe: the recipe.
        groups: what the panel said of the groups above the values; None to pass none over.
    """
    units = []
    for text in texts:
        by_theory: dict[str, list[Value]] = {}
        for value in asked_values(text, recipe):
            if groups is None or is_open(value, groups.get((text["id"], value.theory), {})):
                by_theory.setdefault(value.theory, []).append(value)
        units += [Unit(text["id"], text["text"], tuple(group)) for group in by_theory.values()]
    return units


def _ask(panel: Panel, texts: Sequence[Record], told: Told) -> _Found:
    recipe = panel.recipe
    found = _Found()
    top = recipe.categorize.start == "top"
    if top:
        found.groups = ask_groups(panel, texts)
    units = value_units(texts, recipe, found.groups if top else None)
    found.values = ask_step(panel, value_step(recipe), units)
    if recipe.categorize.descend:
        sure: dict[Member, tuple[str, Value]] = {}
        late: dict[Member, tuple[str, Value]] = {}
        for text in texts:
            for value in asked_values(text, recipe):
                if label_of(text, value)["path"] is not None:
                    continue
                member = (text["id"], key_of(value))
                if _direction(text, value, found, recipe) in DIRECTIONS:
                    sure[member] = (text["text"], value)
                elif told.get(member) in DIRECTIONS:
                    late[member] = (text["text"], value)
        found.ends = descend(panel, sure)
        # By themselves: what people decide comes later, and must not change the other questions.
        found.ends |= descend(panel, late, alone=True)
    return found


def _tally(text: Record, value: Value, found: _Found) -> Tally:
    return found.values.get((text["id"], value.theory), {}).get(value.name, _NOT_ASKED)


def _direction(text: Record, value: Value, found: _Found, recipe: TextsRecipe) -> str | None:
    """What the panel says, or the source where nobody was asked; None where it is divided."""
    spec = recipe.categorize
    if spec.values == "given":
        given: str | None = label_of(text, value)["direction"]
        return given
    tally = _tally(text, value, found)
    if tally is _NOT_ASKED:
        return "none"  # no group that holds it was accepted
    if tally.answer == "none" and spec.values == "labels":
        return "neutral"  # the source says that it is about the value
    return tally.answer


def _decide(
    texts: Sequence[Record], found: _Found, told: Told, recipe: TextsRecipe
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows with a direction, and the queue of those that only a person can decide."""
    rows, queue = [], []
    for text in texts:
        for value in asked_values(text, recipe):
            direction = _direction(text, value, found, recipe)
            direction = told.get((text["id"], key_of(value)), direction)
            row = {"id": text["id"], "text": text["text"], "theory": value.theory}
            row |= {"value": value.name, "votes": _tally(text, value, found).votes}
            row |= {"direction": direction}
            if direction is None:
                queue.append(row)
            elif direction != "none":
                path = label_of(text, value)["path"] or _path(recipe, text, value, found)
                row |= {"path": path, "source": text["source"], "license": text["license"]}
                rows.append(row)
    return rows, queue


def _path(recipe: TextsRecipe, text: Record, value: Value, found: _Found) -> str:
    theory = recipe.registry.theories[value.theory]
    groups = found.groups.get((text["id"], value.theory), {})
    lower = found.ends.get((text["id"], key_of(value)), ())
    return "/".join(
        [path_to(theory, value, preferred(theory, groups)), *(node.name for node in lower)]
    )
