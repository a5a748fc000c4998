"""Which texts a seat of the panel is shown together, and when it need not be asked at all.

A plan is a function of the texts that are still undecided, of the recipe's seed and of the seat, so
that a run that goes on after a kill makes the same plan again. Every seat has an order of its own:
whether a text stands first or last in a prompt, and beside which others, differs from seat to seat,
so that neither shifts its votes as a whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from valueflow.hub_assets.registry.loading import Registry, Value
from valueflow.hub_assets.seeds import generator_for
from valueflow.rebuild.database.recipe import CategorizeSpec, fingerprint
from valueflow.scorers.database.panel.prompts import Kind, category_answers, category_prompt
from valueflow.scorers.database.panel.rule import choice_settled, fewest_votes, settled
from valueflow.scorers.judge.questions.ranking import draw_labels

__all__ = [
    "CHARACTERS_PER_PROMPT",
    "Answer",
    "Batch",
    "Step",
    "Unit",
    "first_seats",
    "is_settled",
    "plan",
    "votes_on",
]

CHARACTERS_PER_PROMPT = 12_000
"""Of texts: longer ones make smaller batches. A single text may be longer."""

Answer = Mapping[str, str]
"""What a seat says about a unit: an answer by node, without those that say that there is nothing
to say (see `Step.nothing`), which most do: a database has hundreds of millions."""


@dataclass(frozen=True)
class Unit:
    """A text and what a panel is to be asked about it.

    Attributes:
        id: the text's, or another that no other unit of the step with the same theory has.
        text: the text.
        nodes: what is asked, of one theory, in the registry's order.
        contests: names of nodes of which only one is chosen, each group in the order that decides
            between equals.
        chosen_only: whether nothing matters but which node of each contest is chosen.
    """

    id: str
    text: str
    nodes: tuple[Value, ...]
    contests: tuple[tuple[str, ...], ...] = ()
    chosen_only: bool = False

    @property
    def theory(self) -> str:
        return self.nodes[0].theory

    @property
    def key(self) -> tuple[str, str]:
        return self.id, self.theory

    def only(self, nodes: Sequence[Value]) -> "Unit":
        """The unit with some of its nodes."""
        names = {node.name for node in nodes}
        contests = (tuple(name for name in group if name in names) for group in self.contests)
        return replace(
            self, nodes=tuple(nodes), contests=tuple(group for group in contests if group)
        )


@dataclass(frozen=True)
class Step:
    """One level of questions: its name in the store, how it is called, what may be answered, and
    how many texts a prompt shows."""

    name: str
    title: str
    kind: Kind
    texts_per_prompt: int

    @property
    def nothing(self) -> str:
        """The answer that is given where a text has nothing to do with a node."""
        return category_answers(self.kind, 1)[-1]


@dataclass(frozen=True)
class Batch:
    """Units of one theory that a seat is shown in one prompt, in that order."""

    step: Step
    round_number: int
    seat: int
    units: tuple[Unit, ...]

    @cached_property
    def key(self) -> str:
        """Names the judgement in the store."""
        shown = [(unit.id, [node.name for node in unit.nodes]) for unit in self.units]
        theory = self.units[0].theory
        return f"{self.step.name}/{theory}/{self.round_number}/{self.seat}/{fingerprint(shown)}"

    def prompt(self, units: Sequence[Unit], registry: Registry, seed: int) -> str:
        """The question about the units, or about those of them that are still to be answered."""
        texts = [unit.text for unit in units]
        codes = draw_labels(texts, generator_for(seed, "category", self.key))
        nodes = [unit.nodes for unit in units]
        theory = registry.theories[units[0].theory]
        return category_prompt(
            theory,
            nodes,
            texts,
            codes,
            self.step.kind,
            self.round_number,
            registry.sentences,
        )


def plan(
    units: Sequence[Unit], step: Step, round_number: int, seat: int, seed: int
) -> Iterator[Batch]:
    """The prompts in which a seat is asked about all units."""
    by_theory: dict[str, list[Unit]] = {}
    for unit in units:
        by_theory.setdefault(unit.theory, []).append(unit)
    for theory, members in by_theory.items():
        generator = generator_for(seed, "seating", step.name, theory, round_number, seat)
        together: list[Unit] = []
        for place in generator.permutation(len(members)):
            unit = members[place]
            characters = sum(len(u.text) for u in together) + len(unit.text)
            full = len(together) >= step.texts_per_prompt
            if together and (full or characters > CHARACTERS_PER_PROMPT):
                yield Batch(step, round_number, seat, tuple(together))
                together = []
            together.append(unit)
        if together:
            yield Batch(step, round_number, seat, tuple(together))


def first_seats(spec: CategorizeSpec) -> int:
    """Seats that are asked about every text; the others only where these leave something open."""
    seats = len(spec.panel())
    return seats if spec.ask_all_seats else fewest_votes(seats, spec.accept_votes, spec.accept_lead)


def votes_on(step: Step, answers: Sequence[Answer | None], node: str) -> list[str | None]:
    """The votes on one node, one a seat; None where its answer could not be read."""
    nothing = step.nothing
    return [None if answer is None else answer.get(node, nothing) for answer in answers]


def is_settled(
    step: Step, unit: Unit, answers: Sequence[Answer | None], seats: int, spec: CategorizeSpec
) -> bool:
    """Whether the remaining seats can change nothing that follows from the answers so far."""
    rule = (spec.accept_votes, spec.accept_lead)
    votes = {node.name: votes_on(step, answers, node.name) for node in unit.nodes}
    if not unit.chosen_only and not all(settled(v, seats, *rule) for v in votes.values()):
        return False
    return all(
        choice_settled([votes[name] for name in group], seats, *rule) for group in unit.contests
    )
