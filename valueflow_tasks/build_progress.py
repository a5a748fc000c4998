"""What a run of judges has cost so far, and how long it will go on."""

import time
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from valueflow.hub_assets.errors import ValueflowError

__all__ = ["Budget", "BudgetSpent", "JudgingDisplay"]

QUIET_SECONDS = 30
"""Between two lines on progress where there is no terminal."""


class BudgetSpent(ValueflowError):
    """The calls that a run may make are made."""


@dataclass
class Budget:
    """Calls and tokens of a run, of all its judges together.

    Attributes:
        most: most calls; None for any number.
        calls: calls made.
        tokens_in: tokens read by judges.
        tokens_out: tokens written by them.
        cost: what providers that state it said it cost, in US dollars.
        refused: whether a call was not made for want of budget.
    """

    most: int | None = None
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    refused: bool = False

    def spent(self) -> bool:
        """Whether a call was not made for want of budget."""
        return self.refused

    def take(self) -> None:
        """Takes a call.

        Raises:
            BudgetSpent: there is none left.
        """
        if self.most is not None and self.calls >= self.most:
            self.refused = True
            raise BudgetSpent(f"the budget of {self.most:,} calls is spent")
        self.calls += 1


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

    def known(self) -> None:
        self.done += 1
        self.progress.advance(self.task)

    def asked(self) -> None:
        self.done += 1
        self.new += 1
        now = time.monotonic()
        if self.screen.is_terminal:
            self.progress.update(self.task, advance=1, detail=self._detail(now))
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
