"""What a run of judges has cost so far, and how long it will go on.

Puts very many questions to judges, and keeps every answer the moment it is there.

A number of workers take one question after the other; each writes its judgement to the store before
it takes the next. What is in the store is not asked again. A judgement may take several calls (an
answer that cannot be read is followed by a correction); each call goes to a journal beside the
store in the very step in which the provider's code hands it over, so that a kill between two calls
costs none of them. A budget of calls holds exactly.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import anyio
from inspect_ai.model import ChatMessage, GenerateConfig, Model, ModelOutput
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from valueflow.hub_assets.errors import InputFileError, OptionError, ValueflowError
from valueflow.rebuild.database.recipe import JudgeSpec, Recipe, TextsRecipe
from valueflow.scorers.judge.calls.memory import (
    GIVE_UP_AFTER,
    Budget,
    BudgetSpent,
    JudgeState,
    judge_with,
)
from valueflow.scorers.judge.calls.store import JudgementStore, open_store
from valueflow.scorers.judge.model import make_grader

__all__ = [
    "Budget",
    "BudgetSpent",
    "JudgingDisplay",
    "Question",
    "ask_all",
    "check_judges",
    "make_judge",
]

QUIET_SECONDS = 30
"""Between two lines on progress where there is no terminal."""


class JudgingDisplay:
    """Live progress with rate, tokens, cost and time left; lines where there is no terminal."""

    def __init__(self, title: str, total: int, budget: Budget) -> None:
        self.title, self.total, self.budget = title, total, budget
        self.done = self.new = 0
        self.began = self.told = time.monotonic()
        self.screen = Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[detail]}"),
            TimeRemainingColumn(),
            console=self.screen,
            transient=True,
            disable=not self.screen.is_terminal,
        )

    def __enter__(self) -> "JudgingDisplay":
        self.progress.__enter__()
        self.task = self.progress.add_task(self.title, total=self.total, detail="")
        return self

    def __exit__(self, *raised: Any) -> None:
        self.progress.__exit__(*raised)

    def known(self, count: int = 1) -> None:
        self.done += count
        self.progress.advance(self.task, count)

    def asked(self, count: int = 1) -> None:
        self.done += count
        self.new += count
        now = time.monotonic()
        if self.screen.is_terminal:
            self.progress.update(self.task, advance=count, detail=self._detail(now))
        elif now - self.told > QUIET_SECONDS:
            self.told = now
            left = (self.total - self.done) * (now - self.began) / max(self.new, 1)
            self.screen.print(
                f"{self.title}: {self.done:,}/{self.total:,} {self._detail(now)}, "
                f"{left / 60:.0f} min left",
                highlight=False,
            )

    def _detail(self, now: float) -> str:
        budget = self.budget
        rate = self.new / max(now - self.began, 1e-9)
        cost = f", ${budget.cost:,.2f}" if budget.cost else ""
        tokens = (budget.tokens_in + budget.tokens_out) / 1e6
        return f"{rate:,.1f}/s, {tokens:,.2f}M tokens{cost}"


UNREADABLE_IN_A_ROW = 50
"""Answers that nothing could be read of, one after the other, after which no more is asked: a judge
that refuses, or is cut short, would be paid for every question of a database."""


@dataclass
class _Asking:
    """The question that a worker is at: its key, the calls made for it, and where they are kept."""

    journal: JudgementStore
    key: str
    number: int = 0

    @property
    def call(self) -> str:
        return f"{self.key}#{self.number}"


_asking: ContextVar[_Asking] = ContextVar("asking")


class _Journal:
    """The calls of the questions that are being asked, each named by its question and a number.

    A question that a kill has interrupted goes on from the calls that it had.
    """

    forgets = False

    def name(self, messages: Sequence[ChatMessage], config: GenerateConfig) -> str:
        asking = _asking.get()
        asking.number += 1
        return asking.call

    def recall(self, name: str) -> ModelOutput | None:
        told = _asking.get().journal.rows.get(name)
        if told is None:
            return None
        return ModelOutput.from_content("journal", told["text"], stop_reason=told["stop"])

    def keep(self, name: str, output: ModelOutput) -> None:
        told = {"text": output.completion, "stop": output.choices[0].stop_reason}
        _asking.get().journal.add(name, told)


def make_judge(recipe: TextsRecipe, spec: JudgeSpec, budget: Budget) -> Model:
    """The judge of a recipe, whose every call is kept and taken from the budget.

    Paths in its arguments start where the recipe lies.

    Raises:
        OptionError: Inspect cannot make it.
    """
    args = dict(spec.args)
    for key in ("truth", "vidb"):
        if isinstance(args.get(key), str) and recipe.path(args[key]).exists():
            args[key] = str(recipe.path(args[key]))
    grader = {"model": spec.model, "model_args": args, **spec.config}
    try:
        made = make_grader(grader, recipe.connections)
    except OptionError as error:
        raise OptionError("judge", error.message) from None
    return judge_with(made, JudgeState(memory=_Journal(), budget=budget))


def check_judges(recipe: Recipe, stages: Collection[str]) -> None:
    """Makes all judges of some stages once, so that a missing key or package is told before the
    first call of any of them.

    Raises:
        OptionError: Inspect cannot make some; all of them, each with its place in the recipe.
    """
    flag = recipe.flag.judges if recipe.flag.ask != "none" else ()
    places: list[tuple[str, str, Sequence[JudgeSpec]]] = [
        ("categorize", "categorize.judges", recipe.categorize.judges),
        ("rank", "rank.judge", [recipe.rank.judge]),
        ("flag", "flag.judges", flag),
    ]
    faults: dict[str, list[str]] = {}
    for stage, place, specs in places:
        for spec in specs if stage in stages else ():
            try:
                make_judge(recipe, spec, Budget(0))
            except OptionError as error:
                faults.setdefault(error.message, []).append(f"{place} {spec.model}")
    if faults:
        told = [f"{', '.join(dict.fromkeys(at))}: {why}" for why, at in faults.items()]
        raise OptionError("judges", "; ".join(told))


@dataclass(frozen=True)
class Question:
    """One thing to ask: its key in the store, and how.

    `ask` returns the row to keep, or a row with `error` (a provider's), which is not kept.
    """

    key: str
    ask: Callable[[], Awaitable[Mapping[str, Any]]]


def ask_all(
    questions: Sequence[Question] | Iterable[Question],
    total: int,
    store: JudgementStore,
    recipe: TextsRecipe,
    budget: Budget,
    title: str,
) -> None:
    """Asks all questions whose answers are not in the store.

    Args:
        questions: taken one by one, so that not all of them need be in memory.
        total: how many they are.
        store: takes the answers.
        recipe: says how many calls may be in flight.
        budget: calls of the run.
        title: of the progress display.

    Raises:
        BudgetSpent: the budget was spent before the end; all that was asked is kept.
        ValueflowError: the provider failed, or answers cannot be read; all that came are kept.
        InputFileError: the disk takes no more.
    """

    def run() -> None:
        with open_store(store.path.with_suffix(".calls.jsonl")) as journal:
            store.repaired += journal.repaired
            anyio.run(_ask, iter(questions), total, (store, journal), recipe, budget, title)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


async def _ask(
    questions: Iterator[Question],
    total: int,
    stores: tuple[JudgementStore, JudgementStore],
    recipe: TextsRecipe,
    budget: Budget,
    title: str,
) -> None:
    store, journal = stores
    failures = 0
    in_a_row = 0
    unread = 0
    last = ""
    fault: ValueflowError | None = None
    with JudgingDisplay(title, total, budget) as display:

        async def work() -> None:
            nonlocal failures, in_a_row, unread, last, fault
            for question in questions:
                if question.key in store:
                    display.known()
                    continue
                if budget.spent() or in_a_row >= GIVE_UP_AFTER or unread >= UNREADABLE_IN_A_ROW:
                    return
                _asking.set(_Asking(journal, question.key))
                row = await question.ask()
                if journal.failed is not None:
                    # What cannot be kept would be paid for twice. No error of the provider, though
                    # it comes through its code.
                    fault = journal.failed
                    group.cancel_scope.cancel()
                    return
                if budget.spent() and "error" in row:
                    return
                if "error" in row:
                    failures += 1
                    in_a_row += 1
                    last = row["error"]
                    continue
                in_a_row = 0
                try:
                    store.add(question.key, row)
                except InputFileError as error:
                    fault = error
                    group.cancel_scope.cancel()
                    return
                unread = 0 if row.get("order") or row.get("answer") else unread + 1
                display.asked()

        async with anyio.create_task_group() as group:
            for _ in range(recipe.connections):
                group.start_soon(work)
    if fault is not None:
        raise fault
    if budget.spent():
        raise BudgetSpent(
            f"{title}: the budget of {budget.most:,} calls is spent; what was judged is kept. Run "
            "the same command again to go on"
        )
    if failures:
        raise ValueflowError(
            f"{title}: {failures:,} questions had no answer from the provider ({last}). What was "
            "judged is kept; run the same command again to ask for the rest"
        )
    if unread >= UNREADABLE_IN_A_ROW:
        raise ValueflowError(
            f"{title}: nothing could be read of the last {unread:,} answers, so no more was asked; "
            f"{journal.path} shows what the judge said. Mend the judge in the recipe (a larger "
            "max_tokens, or another model), or run the same command again to go on as it is"
        )
