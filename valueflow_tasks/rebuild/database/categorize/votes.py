"""Puts the questions of a step to the panel, seat after seat and round after round.

The seats that no decision can do without are asked at once, the others one after the other, each
only about the texts that those before it left open. What the panel was divided on is asked a second
time, with `neutral` allowed. What is asked next depends on stored judgements and on nothing else.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from inspect_ai.model import Model, ModelOutput

from valueflow.rebuild.database.categorize.plan import (
    Answer,
    Batch,
    Step,
    Unit,
    first_seats,
    is_settled,
    plan,
    votes_on,
)
from valueflow.rebuild.database.folder import generation_of
from valueflow.rebuild.database.judging import Budget, Question, ask_all
from valueflow.rebuild.database.recipe import Recipe, fingerprint
from valueflow.scorers.database.panel.prompts import (
    category_correction,
    read_category_answer,
)
from valueflow.scorers.database.panel.rule import accepted, choice
from valueflow.scorers.judge.asking import ask
from valueflow.scorers.judge.calls.store import JudgementStore

__all__ = ["Outcomes", "Panel", "Tally", "ask_step"]


class Tally(NamedTuple):
    """What the panel said about one node.

    Attributes:
        answer: the one that was accepted; None where the panel stayed divided.
        round_number: in which its last votes were given.
        votes: them, as `oppose:1 support:5`.
        for_it: votes `yes` among them.
    """

    answer: str | None
    round_number: int
    votes: str
    for_it: int


Outcomes = dict[tuple[str, str], dict[str, Tally]]
"""By unit (see `Unit.key`) and node."""


Earlier = dict[str, tuple[str, Answer | None]]
"""By unit's id: a mark of the nodes that were asked, and the answer, None where none was read."""


@dataclass
class Panel:
    """The seats at work.

    Attributes:
        generation: of the store's settings and texts; see `Begun`.
        counts: `unreadable_answers` (about a text, of a seat that was asked as often as allowed)
            and `asked_again` (calls made because an answer could not be read, or only in part).
    """

    recipe: Recipe
    judges: Sequence[Model]
    store: JudgementStore
    budget: Budget
    counts: Counter[str] = field(default_factory=Counter)
    generation: int = 0
    _earlier: dict[tuple[str, str, int, int], Earlier] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for key, row in self.store.rows.items() if self.generation else ():
            if generation_of(row) < self.generation:
                step, theory, number, seat, _ = key.split("/")
                known = self._earlier.setdefault((step, theory, int(number), int(seat)), {})
                for unit, nodes in row.get("asked", {}).items():
                    known[unit] = (nodes, row["answer"].get(unit))

    def earlier(
        self, step: Step, number: int, seat: int, units: Sequence[Unit]
    ) -> dict[tuple[str, str], Answer | None]:
        """What a seat said of units in earlier generations, where the same nodes were asked."""
        found = {}
        for unit in units:
            known = self._earlier.get((step.name, unit.theory, number, seat), {})
            nodes, answer = known.get(unit.id, ("", None))
            if nodes and nodes == _nodes_mark(unit):
                found[unit.key] = answer
        return found


def _nodes_mark(unit: Unit) -> str:
    return fingerprint([node.name for node in unit.nodes])[:8]


def ask_step(panel: Panel, step: Step, units: Sequence[Unit]) -> Outcomes:
    """Asks the panel about all units, in two rounds where it is divided.

    Raises:
        BudgetSpent: the budget was spent before the end; all that was asked is kept.
        ValueflowError: the provider failed; all answers that came are kept.
    """
    outcomes: Outcomes = {}
    spec = panel.recipe.categorize
    for number in (1, 2):
        again = []
        for unit, answers in zip(units, _ask_round(panel, step, number, units), strict=True):
            tallies = {
                node.name: _tally(
                    tuple(votes_on(step, answers, node.name)),
                    number,
                    spec.accept_votes,
                    spec.accept_lead,
                )
                for node in unit.nodes
            }
            outcomes.setdefault(unit.key, {}).update(tallies)
            divided = _divided(step, unit, answers, tallies, panel.recipe)
            if divided:
                again.append(unit.only(divided))
        units = again
    return outcomes


def _divided(
    step: Step,
    unit: Unit,
    answers: Sequence[Answer | None],
    tallies: Mapping[str, Tally],
    recipe: Recipe,
) -> list[Any]:
    """The nodes that are asked about again: where one of a contest is chosen, none of it is."""
    spec = recipe.categorize
    done: set[str] = set()
    if unit.chosen_only:
        for group in unit.contests:
            votes = [votes_on(step, answers, name) for name in group]
            if choice(votes, spec.accept_votes, spec.accept_lead) is not None:
                done.update(group)
    return [n for n in unit.nodes if tallies[n.name].answer is None and n.name not in done]


@cache
def _tally(votes: tuple[str | None, ...], number: int, enough: int, lead: int) -> Tally:
    """One object for equal votes, since there are millions of them."""
    counted = Counter(vote for vote in votes if vote is not None)
    shown = " ".join(f"{vote}:{count}" for vote, count in sorted(counted.items()))
    return Tally(accepted(votes, enough, lead), number, shown, counted["yes"])


def _ask_round(
    panel: Panel, step: Step, number: int, units: Sequence[Unit]
) -> list[list[Answer | None]]:
    """The answers about each unit, one a seat that was asked about it."""
    spec, seats = panel.recipe.categorize, len(panel.judges)
    answers: dict[tuple[str, str], list[Answer | None]] = {unit.key: [] for unit in units}
    first = first_seats(spec)
    open_units = list(units)
    for group in (range(first), *([seat] for seat in range(first, seats))):
        known = {seat: panel.earlier(step, number, seat, open_units) for seat in group}
        batches = [
            batch
            for seat in group
            for batch in plan(
                [unit for unit in open_units if unit.key not in known[seat]],
                step,
                number,
                seat,
                panel.recipe.seed,
            )
        ]
        for found in known.values():
            panel.counts["answers_of_before"] += len(found)
            for key, said in found.items():
                answers[key].append(said)
        missing = sum(batch.key not in panel.store for batch in batches)
        if missing:
            last = f", seat {group[0] + 1} of {seats}" if group[0] else ""
            title = f"categorize, {step.title}, round {number}{last}"
            questions = _questions(panel, batches)
            ask_all(questions, len(batches), panel.store, panel.recipe, panel.budget, title)
        for batch in batches:
            row = panel.store.rows[batch.key]
            panel.counts["asked_again"] += row["calls"] - 1
            for unit in batch.units:
                answer = row["answer"].get(unit.id)
                panel.counts["unreadable_answers"] += answer is None
                answers[unit.key].append(answer)
        if not spec.ask_all_seats:
            open_units = [
                u for u in open_units if not is_settled(step, u, answers[u.key], seats, spec)
            ]
    return [answers[unit.key] for unit in units]


def _questions(panel: Panel, batches: Sequence[Batch]) -> Iterator[Question]:
    for batch in batches:
        yield _question(panel, batch)


def _question(panel: Panel, batch: Batch) -> Question:
    judge = panel.judges[batch.seat]

    async def put() -> dict[str, Any]:
        row = await _ask_batch(judge, batch, panel.recipe)
        if "error" in row:
            return row
        row["asked"] = {unit.id: _nodes_mark(unit) for unit in batch.units}
        if panel.generation:
            row["generation"] = panel.generation
        return {"judge": str(judge), **row}

    return Question(batch.key, put)


async def _ask_batch(judge: Model, batch: Batch, recipe: Recipe) -> dict[str, Any]:
    """Asks about a batch until all of it was answered, or as often as allowed.

    Where a part could be read, the rest is asked about afresh, without the other texts; where
    nothing could, the judge is told so.

    Returns:
        `answer` (see `Answer`; by unit's id, without those that could not be read), `rest` (what
        the answer is for nodes that are not in it) and `calls`; or `error`, where the provider
        failed.
    """
    found: dict[str, dict[str, str]] = {}
    left = list(batch.units)
    step, number = batch.step, batch.round_number
    calls = 0
    while left and calls < recipe.categorize.attempts:
        names = [[node.name for node in unit.nodes] for unit in left]

        def read(
            output: ModelOutput, names: list[list[str]] = names
        ) -> dict[int, dict[str, str]] | None:
            return read_category_answer(output.completion, names, step.kind, number) or None

        reply = await ask(
            judge,
            batch.prompt(left, recipe.registry, recipe.seed),
            read,
            category_correction(names, step.kind, number),
            attempts=recipe.categorize.attempts - calls,
            version=f"category {recipe.registry.sentences.version_of('category')}",
            whole=False,  # what was said about some of the texts counts
        )
        if reply.error is not None:
            return {"error": reply.error}
        calls += reply.calls
        for place, answer in (reply.found or {}).items():
            told = {name: vote for name, vote in answer.items() if vote != step.nothing}
            found[left[place].id] = told
        left = [unit for unit in left if unit.id not in found]
    return {"answer": found, "rest": step.nothing, "calls": calls}
