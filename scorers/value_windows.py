"""The windows and items of one value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .responses import Estimate
from .window_likelihood import Orders, read_orders
from .window_table import WindowTable

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


class ValueWindows:
    """The windows and items of one value, numbered from 0."""

    def __init__(self, table: WindowTable, code: int) -> None:
        self.name = table.values[code]
        windows = np.flatnonzero(table.item_value[table.item] == code)
        self.items, self.item = np.unique(table.item[windows], return_inverse=True)
        self.orders: Orders = read_orders(table, windows)
        self.counts = np.bincount(self.item, minlength=len(self.items))
        self.item = self.orders.by_window(self.item)
        cells = table.item_cell[self.items]
        by_cell = np.argsort(cells, kind="stable")
        starts = np.flatnonzero(np.diff(cells[by_cell], prepend=-1))
        self.members: list[IntArray] = np.split(by_cell, starts[1:]) if len(cells) else []

    def count_choices(self, weight: float) -> None:
        """Let a choice distribution, if there are any, count for ``weight`` drawn choices."""
        if self.orders.probability is not None:
            self.orders = replace(self.orders, choice_weight=weight)

    @property
    def evidence(self) -> float:
        """Windows of the item that has most of them, a choice counting by its weight."""
        return float(self.counts.max()) * max(self.orders.choice_weight, 1.0)


def estimates_of(
    table: WindowTable, value: ValueWindows, members: IntArray, cell: str, columns: Array
) -> list[Estimate]:
    index = value.items[members]
    names = [table.items[item] for item in index.tolist()]
    queries = [table.queries[query] for query in table.item_query[index].tolist()]
    rows = zip(names, queries, columns.T.tolist(), value.counts[members].tolist(), strict=True)
    return [
        Estimate(item, cell, value.name, query, *numbers, windows)  # type: ignore[call-arg]
        for item, query, numbers, windows in rows
    ]
