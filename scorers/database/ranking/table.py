"""Rankings of texts, checked and laid end to end, and the graph of which text beat which.

A ranking lists text numbers, best first. It may tie neighbouring texts, state only the places of
its first few, and carry a weight; rankings of different lengths may be mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

__all__ = [
    "LARGEST_TIE",
    "RankingTable",
    "Rankings",
    "beats_graph",
    "table_of_rankings",
    "within_components",
]

Rankings = Sequence[Sequence[int]] | NDArray[np.integer]
"""Rankings, best text first: nested sequences, or one row each with -1 after the last text."""

LARGEST_TIE = 10
"""The largest tied group; a group of ``d`` texts costs ``2**d`` terms."""


@dataclass(frozen=True)
class RankingTable:
    """Checked rankings laid end to end.

    ``texts`` (total length): text numbers, best first. ``opens`` (total length): whether a text
    begins a new place, false where it ties with the text before it. ``lengths``, ``stated`` and
    ``weights`` (one per ranking): number of texts, of texts whose place is stated, and the weight.
    """

    n_texts: int
    texts: NDArray[np.intp]
    opens: NDArray[np.bool_]
    lengths: NDArray[np.intp]
    stated: NDArray[np.intp]
    weights: NDArray[np.float64]

    def owner(self) -> NDArray[np.intp]:
        """The ranking to which each entry of ``texts`` belongs."""
        return np.repeat(np.arange(self.lengths.size), self.lengths)

    def place(self) -> NDArray[np.intp]:
        """How many texts stand before each entry of ``texts`` in its ranking."""
        first = np.cumsum(self.lengths) - self.lengths
        return np.arange(self.texts.size) - np.repeat(first, self.lengths)


def _lay_end_to_end(
    rows: Rankings, name: str, used: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_] | None]:
    """Return the entries of ``rows`` in one line, the length of each row, and the mask of use."""
    if isinstance(rows, np.ndarray):
        if rows.ndim != 2:
            raise ValueError(f"{name} as an array need two dimensions, not {rows.ndim}")
        if rows.dtype.kind not in "iu":
            raise ValueError(f"{name} must hold whole numbers, not {rows.dtype}")
        if used is None:
            used = rows != -1
            if np.any(used[:, 1:] & ~used[:, :-1]):
                raise ValueError(f"{name}: -1 may only follow the last text of a row")
        elif used.shape != rows.shape:
            raise ValueError(f"{name} have shape {rows.shape}, the rankings {used.shape}")
        lengths = used.sum(axis=1).astype(np.intp)
        return rows[used].astype(np.intp), lengths, used
    lengths = np.array([len(row) for row in rows], dtype=np.intp)
    entries = np.array(list(chain.from_iterable(rows)))
    if entries.size and entries.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold whole numbers, not {entries.dtype}")
    return entries.astype(np.intp), lengths, None


def table_of_rankings(
    rankings: Rankings,
    n_texts: int,
    *,
    places: Rankings | None = None,
    stated: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> RankingTable:
    """Check rankings and lay them end to end; arguments as in ``fit_rankings``.

    Rankings of weight zero are checked and then left out.

    Raises:
        ValueError: as listed at ``fit_rankings``.

    Args:
        rankings, n_texts, places, stated, weights: as in ``fit_rankings``.

    Returns:
        The rankings of positive weight.
    """
    if n_texts < 1:
        raise ValueError(f"n_texts must be at least 1, not {n_texts}")
    if len(rankings) == 0:
        raise ValueError("there are no rankings")
    texts, lengths, used = _lay_end_to_end(rankings, "rankings")
    count = lengths.size
    if lengths.min() < 2:
        row = int(np.argmax(lengths < 2))
        raise ValueError(f"ranking {row} has {lengths[row]} text(s); a ranking needs at least two")
    owner = np.repeat(np.arange(count), lengths)
    outside = (texts < 0) | (texts >= n_texts)
    if outside.any():
        entry = int(np.argmax(outside))
        raise ValueError(
            f"ranking {owner[entry]} names text {texts[entry]}, outside 0 to {n_texts - 1}"
        )
    keys = np.sort(owner * n_texts + texts)
    repeated = keys[1:] == keys[:-1]
    if repeated.any():
        row, text = divmod(int(keys[np.argmax(repeated)]), n_texts)
        raise ValueError(f"ranking {row} names text {text} more than once")

    weight = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if weight.shape != (count,):
        raise ValueError(f"weights have shape {weight.shape}; {count} rankings need ({count},)")
    bad = ~(np.isfinite(weight) & (weight >= 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"ranking {row} has weight {weight[row]}; weights are finite and >= 0")
    if not weight.any():
        raise ValueError("every ranking has weight zero")

    told = lengths if stated is None else np.asarray(stated)
    if told.shape != (count,) or told.dtype.kind not in "iu":
        raise ValueError(f"stated needs one whole number for each of the {count} rankings")
    if np.any((told < 1) | (told > lengths)):
        row = int(np.argmax((told < 1) | (told > lengths)))
        raise ValueError(f"ranking {row} states {told[row]} places of {lengths[row]}")

    table = RankingTable(
        n_texts=n_texts,
        texts=texts,
        opens=np.ones(texts.size, dtype=bool),
        lengths=lengths,
        stated=told.astype(np.intp),
        weights=weight,
    )
    if places is not None:
        table.opens[:] = _openings(table, places, used)
    return table if weight.all() else _selected(table, np.flatnonzero(weight))


def _openings(
    table: RankingTable, places: Rankings, used: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """Which texts begin a new place, read from place numbers such as 1, 2, 2, 4."""
    values, lengths, _ = _lay_end_to_end(places, "places", used)
    if not np.array_equal(lengths, table.lengths):
        raise ValueError("places and rankings differ in length")
    position = table.place()
    # Texts beyond the stated ones have no place, so their numbers are not read.
    inside = (position > 0) & (position < np.repeat(table.stated, table.lengths))
    change = np.diff(values, prepend=values[:1])
    if np.any(inside & (change < 0)):
        row = int(table.owner()[np.argmax(inside & (change < 0))])
        raise ValueError(f"the places of ranking {row} must not decrease")
    opens = ~inside | (change > 0)
    heads = np.flatnonzero(opens)
    sizes = np.diff(heads, append=opens.size)
    if sizes.max() > LARGEST_TIE:
        row = int(table.owner()[heads[np.argmax(sizes)]])
        raise ValueError(
            f"ranking {row} ties {sizes.max()} texts; at most {LARGEST_TIE} may tie "
            "(for texts below the stated ones use `stated`)"
        )
    return opens


def _selected(table: RankingTable, rows: NDArray[np.intp]) -> RankingTable:
    """The rankings numbered ``rows`` (ascending) alone."""
    keep = np.zeros(table.lengths.size, dtype=bool)
    keep[rows] = True
    entries = np.repeat(keep, table.lengths)
    return RankingTable(
        table.n_texts,
        table.texts[entries],
        table.opens[entries],
        table.lengths[keep],
        table.stated[keep],
        table.weights[keep],
    )


def beats_graph(table: RankingTable) -> sparse.csr_array:
    """Directed graph with a path from each text to every text that it was placed above.

    Entry (i, j) is positive where text ``i`` stands directly above ``j`` in some ranking, or
    beside it; that is enough for the components, connected and strongly connected.

    Args:
        table: checked rankings.

    Returns:
        Sparse matrix (texts, texts).
    """
    place = table.place()
    told = np.repeat(table.stated, table.lengths)
    head = np.flatnonzero((place > 0) & (place < told))
    upper, lower = [table.texts[head - 1]], [table.texts[head]]
    # A text without a stated place lies below the last text that has one.
    tail = np.flatnonzero(place >= told)
    last = (np.cumsum(table.lengths) - table.lengths + table.stated - 1)[table.owner()[tail]]
    upper.append(table.texts[last])
    lower.append(table.texts[tail])
    # Tied texts count as above each other: close the chain of a tied group into a ring.
    tied = np.flatnonzero(~table.opens)
    upper.append(table.texts[tied])
    lower.append(table.texts[tied - 1])
    source, target = np.concatenate(upper), np.concatenate(lower)
    shape = (table.n_texts, table.n_texts)
    return sparse.coo_array((np.ones(source.size), (source, target)), shape=shape).tocsr()


def within_components(table: RankingTable, component: NDArray[np.intp]) -> RankingTable:
    """Split every ranking by component, keeping the order inside each part.

    With strongly connected components this is the limit of the likelihood when the utilities of a
    component that was only ever placed above another move away from it without bound: choices
    between components become certain and drop out, choices inside a component stay.

    Args:
        table: checked rankings.
        component: number of each text's component.

    Returns:
        The rankings of two and more texts that remain.
    """
    owner, place = table.owner(), table.place()
    label = component[table.texts]
    order = np.lexsort((place, label, owner))
    new_owner = owner[order]
    new_label = label[order]
    begins = np.ones(order.size, dtype=bool)
    begins[1:] = (np.diff(new_owner) != 0) | (np.diff(new_label) != 0)
    lengths = np.diff(np.flatnonzero(begins), append=order.size)
    told = (place < np.repeat(table.stated, table.lengths))[order]
    stated = np.add.reduceat(told.astype(np.intp), np.flatnonzero(begins))
    parts = RankingTable(
        table.n_texts,
        table.texts[order],
        table.opens[order] | begins,
        lengths,
        stated,
        table.weights[new_owner[begins]],
    )
    return _selected(parts, np.flatnonzero((lengths > 1) & (stated > 0)))
