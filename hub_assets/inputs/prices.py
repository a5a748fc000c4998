"""What models cost: a user's own table, and an embedded one of what runs on one's own machine.

Columns: `model` (a name of Inspect, or a pattern such as `hf/*`), `input` and `output` (US dollars
per million tokens), and optionally `as_of`, the month that the price was looked up in. Providers'
prices are not embedded, since they change: a plan that does not know one says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.inputs.rows import SUFFIXES, Row, is_table, rows_of

__all__ = ["Price", "load_prices", "price_in"]

EMBEDDED = Path(__file__).parents[1] / "data" / "prices.csv"


@dataclass(frozen=True)
class Price:
    """The price of a model.

    Attributes:
        model: its name, or a pattern.
        input, output: US dollars per million tokens.
        source: where the price is from, in words.
    """

    model: str
    input: float
    output: float
    source: str

    def of(self, tokens_in: float, tokens_out: float) -> float:
        """US dollars for some tokens."""
        return (self.input * tokens_in + self.output * tokens_out) / 1_000_000


def load_prices(own: str | None = None) -> list[Price]:
    """The user's prices, which go before, and the embedded ones.

    Args:
        own: a table (CSV, TSV, JSONL, JSON, Parquet) of the user's.

    Raises:
        InputFileError: the table cannot be read, or a row of it is no price.
    """
    found: list[Price] = []
    if own is not None:
        path = Path(own).expanduser()
        if not path.is_file() or not is_table(path):
            raise InputFileError(own, f"is no file of prices ({', '.join(SUFFIXES)})")
        found = [_price(row, path.name) for row in rows_of([path])]
        if not found:
            raise InputFileError(own, "holds no price; its columns are model, input and output")
    return [*found, *(_price(row, "") for row in rows_of([EMBEDDED]))]


def _price(row: Row, file: str) -> Price:
    model = str(row.cells.get("model") or "").strip()
    if not model:
        raise InputFileError(row.file, "names no model", row=row.number, column="model")
    numbers: list[float] = []
    for column in ("input", "output"):
        try:
            number = float(str(row.cells.get(column)))
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number >= 0):
            raise InputFileError(
                row.file,
                f"{row.cells.get(column)!r} is no price in US dollars per million tokens",
                row=row.number,
                column=column,
            )
        numbers.append(number)
    when = str(row.cells.get("as_of") or "").strip()
    source = file or ("list price" if any(numbers) else "")
    told = f"{source} of {when}" if when and source else source
    return Price(model, numbers[0], numbers[1], told)


def price_in(prices: Sequence[Price], model: str) -> Price | None:
    """The price of a model: by its name, else by the first pattern that fits."""
    name = model.casefold()
    for price in prices:
        if price.model.casefold() == name:
            return price
    return next((p for p in prices if fnmatchcase(name, p.model.casefold())), None)
