"""What a judge may cost: most calls, and most money.

Calls are counted where they reach the provider (`valueflow.scorers.judge.calls.memory`), so that
answers that a memory gives are free. Calls in flight when the money is spent are paid for as well.
"""

from dataclasses import dataclass

from inspect_ai.model import Model, get_model_info

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.prices import Price, load_prices, price_in
from valueflow.hub_assets.settings import SpendingSettings
from valueflow.scorers.judge.calls.memory import Budget, BudgetSpent

__all__ = ["MoneyBudget", "budget_of", "price_of"]


def price_of(model: Model | str, own: str | None = None) -> Price | None:
    """A model's price: Inspect's where it has one (`--model-cost-config`), else that of the tables.

    Args:
        model: the model, or its name.
        own: a table of the user's.

    Raises:
        InputFileError: the user's table cannot be read.
    """
    try:
        info = get_model_info(model)
    except Exception:  # Of a provider that is not installed, for instance; a price is no reason.
        info = None
    if info is not None and info.cost is not None:
        return Price(str(model), info.cost.input, info.cost.output, "Inspect's model costs")
    return price_in(load_prices(own), str(model))


@dataclass
class MoneyBudget(Budget):
    """Most calls of a run, and most money.

    Attributes:
        most_cost: US dollars; None for any sum.
        price: of the judge, where its provider does not state what a call cost.
    """

    most_cost: float | None = None
    price: Price | None = None

    @property
    def money(self) -> float:
        """US dollars that were spent."""
        stated = self.cost
        if stated or self.price is None:
            return stated
        return self.price.of(self.tokens_in, self.tokens_out)

    def take(self) -> None:
        """Takes a call.

        Raises:
            BudgetSpent: there is none left, or no money.
        """
        if self.most_cost is not None and self.money >= self.most_cost:
            self.refused = True
            raise BudgetSpent(f"the ${self.most_cost:.2f} for judge calls are spent")
        super().take()


def budget_of(settings: SpendingSettings, model: Model, judges: int = 1) -> Budget | None:
    """The budget of a judge; None where nothing limits it.

    Args:
        settings: what all judges of a run may cost.
        model: the judge.
        judges: how many there are; each has an equal share, whatever the others leave of theirs.

    Raises:
        OptionError: its money is limited, and its price is not known.
    """
    if settings.max_judge_calls is None and settings.max_cost is None:
        return None
    price = None
    if settings.max_cost is not None:
        price = price_of(model, settings.prices)
        if price is None:
            raise OptionError(
                "max_cost",
                f"needs the price of {model}, which is in no table: give prices=FILE with the "
                "columns model, input and output (US dollars per million tokens), or Inspect's "
                "--model-cost-config",
            )
    calls, cost = settings.max_judge_calls, settings.max_cost
    return MoneyBudget(
        None if calls is None else calls // judges,
        most_cost=None if cost is None else cost / judges,
        price=price,
    )
