"""What a run will do and cost, before anything is asked.

Inspect makes a task anew for each model, when the model and its roles are known, and from its
command line what `--limit`, `--epochs` and `--model` say; from Python they are known to `eval`
alone, and the plan says so.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click
from inspect_ai.model import Model, get_model

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.anchors import Vidb
from valueflow.hub_assets.inputs.prices import Price
from valueflow.hub_assets.settings import EvaluatorSettings, SpendingSettings
from valueflow.scorers.judge.calls.spending import price_of
from valueflow.scorers.judge.panel import (
    check_panel_mode,
    judges_named,
)
from valueflow.scorers.windows.plan import FENCE_TOKENS, PROMPT_TOKENS

__all__ = [
    "Costs",
    "PlannedSample",
    "RunSize",
    "check_spending",
    "costs_of",
    "counts_in",
    "end_with_plan",
    "judges_of_run",
    "run_size",
    "size_note",
]

CHARACTERS = 4.0
"""Characters of a token, about."""

TOKENS_OF_A_WORD = 1.3

REFUSAL_TOKENS = 120
"""Tokens of the question whether a response declines, without response and question."""

TEMPLATE_TOKENS = 10
"""Tokens that a chat template adds to a prompt."""


@dataclass(frozen=True)
class PlannedSample:
    """What one sample asks for.

    Attributes:
        prompt: characters of its prompt; None where nothing is generated.
        windows: most windows that its response is judged in, over all values, by one judge or by
            judges that share them.
        response: tokens of its response, about.
        refusal: whether the judge is asked if the response declines.
    """

    prompt: int | None
    windows: float
    response: float
    refusal: bool


@dataclass(frozen=True)
class RunSize:
    """What Inspect's command line says of a run's size.

    Attributes:
        known: whether there is such a command line.
        first, last: samples of the dataset that are run, `last` not among them; None is to the end.
        epochs: how often each.
        models: names of the evaluated models.
        chosen: whether samples are chosen in a way that is not counted here (`--sample-id`).
    """

    known: bool = False
    first: int = 0
    last: int | None = None
    epochs: int = 1
    models: tuple[str, ...] = ()
    chosen: bool = False

    def of(self, samples: Sequence[PlannedSample]) -> list[PlannedSample]:
        """The samples that are run, each as often as there are epochs; for one model."""
        return [*samples[self.first : self.last]] * self.epochs


def run_size() -> RunSize:
    """The size of the run that Inspect's command line is about to make."""
    context = click.get_current_context(silent=True)
    while context is not None and not {"limit", "epochs", "model"} <= set(context.params):
        context = context.parent
    if context is None:
        return RunSize()
    given: dict[str, Any] = context.params
    first, last = 0, None
    if given["limit"]:
        begin, _, end = str(given["limit"]).partition("-")
        first, last = (int(begin) - 1, int(end)) if end else (0, int(begin))
    models = tuple(name.strip() for name in str(given["model"] or "").split(",") if name.strip())
    return RunSize(
        known=True,
        first=first,
        last=last,
        epochs=int(given["epochs"] or 1),
        models=models,
        chosen=bool(given.get("sample_id")),
    )


def counts_in(samples: Iterable[PlannedSample], judges: int = 1) -> tuple[int, int]:
    """Generations and most judge calls of some samples, retries not counted.

    Args:
        samples: what is run.
        judges: how many judge every window.
    """
    samples = list(samples)
    generations = sum(sample.prompt is not None for sample in samples)
    return generations, round(sum(judges * s.windows + s.refusal for s in samples))


def judges_of_run(settings: EvaluatorSettings) -> int:
    """How many judges every window has, as far as Inspect's command line tells; at least 1.

    Raises:
        OptionError: two judges are the same, or windows are to be shared and there is one judge.
    """
    if not run_size().known:
        return 1
    judges = len(judges_named()) or 1
    check_panel_mode(settings.panel, judges)
    return judges if settings.panel == "all" else 1


def size_note(size: RunSize, samples: int) -> str:
    """What the counts of a plan include, to stand at the end of its sentence."""
    if not size.known:
        return "; --limit and --epochs change both"
    run = len(range(samples)[size.first : size.last])
    told = [f"{run:,} of {samples:,} samples"] if run < samples else []
    if size.epochs > 1:
        told.append(f"{size.epochs} epochs")
    if len(size.models) > 1:
        told.append(f"for each of {len(size.models)} models")
    if size.chosen:
        told.append("--sample-id is not counted")
    return "".join(f"; {one}" for one in told)


@dataclass(frozen=True)
class Costs:
    """Tokens and money of a run of one model; money is in US dollars, None where no price is known.

    Attributes:
        generations, calls: how many.
        read, written: tokens that the model reads and writes.
        judge_read, judge_written: tokens that the judge reads and writes, without reasoning.
        price, judge_price: of both.
    """

    generations: int
    calls: int
    read: float
    written: float
    judge_read: float
    judge_written: float
    price: Price | None
    judge_price: Price | None

    @property
    def money(self) -> float | None:
        """What the generations cost."""
        if not self.generations:
            return 0.0
        return None if self.price is None else self.price.of(self.read, self.written)

    @property
    def judge_money(self) -> float | None:
        """What the judge's calls cost."""
        if not self.calls:
            return 0.0
        if self.judge_price is None:
            return None
        return self.judge_price.of(self.judge_read, self.judge_written)


def costs_of(
    samples: Sequence[PlannedSample],
    settings: EvaluatorSettings | None,
    vidb: Vidb | None,
    *,
    model: str | Model | None,
    judge: str | Model | None,
    prices: str | None,
) -> Costs:
    """What a run of one model takes, in round numbers: four characters are counted as a token.

    Args:
        samples: those that are run, from `RunSize.of`.
        settings: how responses are measured; None where they are not.
        vidb: the anchors, whose length counts.
        model, judge: None where not known.
        prices: a table of the user's.
    """
    generations = counts_in(samples)[0]
    calls = round(sum(sample.windows + sample.refusal for sample in samples))
    read = written = 0.0
    if settings is not None and vidb is not None:
        texts = [anchor.text for anchors in vidb.anchors.values() for anchor in anchors]
        anchor = sum(map(len, texts)) / len(texts) / CHARACTERS
        fences = FENCE_TOKENS * settings.window_size
        others = (settings.window_size - 1) * anchor
        read = sum(s.windows * (PROMPT_TOKENS + others + s.response + fences) for s in samples)
        answer = 1.0 if settings.judge_mode == "choice" else fences / 2
        written = sum(s.windows * answer for s in samples)
    asked = [s for s in samples if s.refusal]
    return Costs(
        generations=generations,
        calls=calls,
        read=sum(s.prompt / CHARACTERS + TEMPLATE_TOKENS for s in samples if s.prompt is not None),
        written=sum(s.response for s in samples if s.prompt is not None),
        judge_read=read + sum(REFUSAL_TOKENS + s.response for s in asked),
        judge_written=written + len(asked),
        price=None if model is None else price_of(model, prices),
        judge_price=None if judge is None else price_of(judge, prices),
    )


def _active() -> tuple[Model | None, list[Model]]:
    """The model that the task is made for, and its judges; none where they are not known yet."""
    if not run_size().known:
        return None, []
    model = get_model()
    return model, [judge.model for judge in judges_named()] or [model]


def _of_judge(
    samples: Sequence[PlannedSample], settings: EvaluatorSettings | None, number: int, judges: int
) -> list[PlannedSample]:
    """What one judge is asked: its windows, and of the first whether responses decline."""
    shared = judges if settings is not None and settings.panel == "split" else 1
    return [
        replace(
            one,
            prompt=one.prompt if number == 0 else None,
            windows=one.windows / shared,
            refusal=one.refusal and number == 0,
        )
        for one in samples
    ]


def check_spending(
    spending: SpendingSettings,
    samples: Sequence[PlannedSample],
    settings: EvaluatorSettings,
    vidb: Vidb,
) -> SpendingSettings:
    """Sets the money of the generations aside, before anything is spent.

    Returns:
        What the judge may cost.

    Raises:
        OptionError: a price that is needed is not known, or the generations alone cost more.
    """
    if spending.max_cost is None:
        return spending
    model, judges = _active()
    if model is None:
        return spending
    run = run_size().of(samples)
    money = 0.0
    for number, judge in enumerate(judges):
        own = _of_judge(run, settings, number, len(judges))
        costs = costs_of(own, settings, vidb, model=model, judge=judge, prices=spending.prices)
        for name, sum_of in ((model, costs.money), (judge, costs.judge_money)):
            if sum_of is None:
                raise OptionError(
                    "max_cost",
                    f"needs the price of {name}, which is in no table: give -T prices=FILE with "
                    "the columns model, input and output (US dollars per million tokens), or "
                    "Inspect's --model-cost-config",
                )
        money += costs.money or 0.0
    if money >= spending.max_cost:
        raise OptionError(
            "max_cost",
            f"the generations alone cost about ${money:.2f}; -T plan=true shows what a run costs",
        )
    return spending.model_copy(update={"max_cost": spending.max_cost - money})


def end_with_plan(
    samples: Sequence[PlannedSample],
    settings: EvaluatorSettings | None = None,
    vidb: Vidb | None = None,
    *,
    prices: str | None = None,
) -> None:
    """Prints tokens and money of every model of the run, and ends Inspect's command.

    Args:
        samples: of the whole dataset.
        settings: how responses are measured; None where they are not.
        vidb: the anchors.
        prices: a table of the user's.

    Raises:
        click.exceptions.Exit: always, with status 0.
    """
    size = run_size()
    active, named = _active()
    if settings is not None:
        judges_of_run(settings)
    run = size.of(samples)
    names: list[str | Model | None] = list(size.models) or [active]
    total: float | None = 0.0
    sources: dict[str, None] = {}
    for name in names:
        judges: list[str | Model | None] = [*named] if judges_named() else [name]
        for number, judge in enumerate(judges):
            own = _of_judge(run, settings, number, len(judges))
            costs = costs_of(own, settings, vidb, model=name, judge=judge, prices=prices)
            for price in (costs.price, costs.judge_price):
                if price is not None and price.source:
                    sources[price.source] = None
            lines = [
                (
                    f"judge {judge or 'of the run'}",
                    f"{costs.calls:,} calls",
                    (costs.judge_read, costs.judge_written),
                    costs.judge_money,
                )
            ]
            if settings is None:
                lines = []
            if number == 0:
                made = (costs.read, costs.written)
                count = f"{costs.generations:,} generations"
                lines.insert(0, (f"{name or 'the model'}", count, made, costs.money))
            for who, count, (read, written), money in lines:
                total = None if total is None or money is None else total + money
                _say(
                    f"{who}: {count}, about {read:,.0f} tokens in and {written:,.0f} out, "
                    + ("no price known" if money is None else f"${money:,.2f}")
                )
    told = (
        "no price known for all of it; give -T prices=FILE" if total is None else f"${total:,.2f}"
    )
    where = f" ({', '.join(sources)})" if sources else ""
    _say(f"in all {told}{where}. Retries and reasoning are not counted. Nothing was asked.")
    raise click.exceptions.Exit(0)


def _say(line: str) -> None:
    print(f"valueflow: plan: {line}", file=sys.stderr, flush=True)
