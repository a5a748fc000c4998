"""Deals the rows of a batch, at a cost that depends on the batch alone and not on the corpus."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from valueflow.hub_assets.inputs.value_anchors import ValueAnchor
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.seeds import generator_for
from valueflow.rebuild.hives.corpus import Corpus

__all__ = ["RowDealer", "row_dealer"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class _Lists:
    """Lists of numbers, one after the other: list i is `flat[start[i]:start[i + 1]]`."""

    flat: Ints
    start: Ints

    def draw(self, which: Ints, generator: np.random.Generator) -> Ints:
        """One number of each of some lists, none of them empty."""
        length = self.start[which + 1] - self.start[which]
        place = (generator.random(len(which)) * length).astype(np.int64)
        return np.asarray(self.flat[self.start[which] + place])

    def lengths(self) -> Ints:
        return np.diff(self.start)


def _lists(members: Sequence[Sequence[int]]) -> _Lists:
    start = np.concatenate([[0], np.cumsum([len(part) for part in members])]).astype(np.int64)
    flat = np.array([number for part in members for number in part], dtype=np.int64)
    return _Lists(flat, start)


@dataclass(frozen=True)
class RowDealer:
    """Batches of row numbers.

    A batch of stage 1 is of one theory, drawn by its number of texts: texts at random, each with
    `positives` − 1 more that share one of its labels. A batch of stage 2 is half texts of all
    theories, a quarter individual and a quarter theory anchors; most anchors are drawn for the
    values of the texts of the batch, so that each text has a positive. No row stands twice in a
    batch, so that one may be smaller than asked for.

    Attributes:
        texts: rows by theory.
        labels_of: numbers of labels by row.
        rows_of: rows by label.
        anchors_of: for individual and theory anchors, rows by label; a label without any has none.
        batch: rows in a batch.
        positives: texts that share a label with the one they were drawn for, itself among them.
    """

    texts: _Lists
    labels_of: _Lists
    rows_of: _Lists
    anchors_of: tuple[_Lists, ...]
    batch: int
    positives: int

    def batches(self, count: int, seed: int, epoch: int = 0) -> Iterator[list[int]]:
        """So many batches; the same for the same seed and epoch."""
        generator = generator_for(seed, "hives", "batches", epoch)
        for _ in range(count):
            yield self._one(generator)

    def _one(self, generator: np.random.Generator) -> list[int]:
        if not self.anchors_of:
            found = self._texts(self.batch, generator, together=True)
        else:
            quarter = self.batch // 4
            texts = self._texts(self.batch - 2 * quarter, generator, together=False)
            parts = [self._anchors(lists, texts, quarter, generator) for lists in self.anchors_of]
            found = np.concatenate([texts, *parts])
        return [int(row) for row in dict.fromkeys(found.tolist())]

    def _texts(self, count: int, generator: np.random.Generator, *, together: bool) -> Ints:
        """Texts of one theory, or of any, with others of a label beside each."""
        size = self.texts.start
        first = -(-count // self.positives)
        if together:
            theory = int(np.searchsorted(size, generator.integers(size[-1]), side="right")) - 1
            low, high = size[theory], size[theory + 1]
        else:
            low, high = size[0], size[-1]
        seeds = self.texts.flat[generator.integers(low, high, first)]
        labels = self.labels_of.draw(np.repeat(seeds, self.positives - 1), generator)
        return np.concatenate([seeds, self.rows_of.draw(labels, generator)])[:count]

    def _anchors(
        self, lists: _Lists, texts: Ints, count: int, generator: np.random.Generator
    ) -> Ints:
        """Anchors of labels that the texts have, then any, so that there are negatives too."""
        wanted = self.labels_of.draw(texts[generator.integers(0, len(texts), count)], generator)
        there = lists.lengths()[wanted] > 0
        fitting = lists.draw(wanted[there][: -(-3 * count // 4)], generator)
        more = lists.flat[generator.integers(0, len(lists.flat), 2 * count)]
        return np.array(list(dict.fromkeys([*fitting.tolist(), *more.tolist()]))[:count])


def row_dealer(
    corpus: Corpus, anchors: Sequence[ValueAnchor], batch: int, positives: int
) -> RowDealer:
    """A dealer for the rows of `row_table(corpus, anchors)`.

    Args:
        corpus: the training rows.
        anchors: individual and theory anchors; none for batches of texts alone.
        batch: rows in a batch.
        positives: see `RowDealer`.
    """
    theories = list(load_registry().theories)
    names = {
        f"{theory}:{node}": number
        for number, (theory, node) in enumerate(
            (theory, node) for theory in theories for node in load_registry().theories[theory].nodes
        )
    }
    labels = [[names[name] for name in row["labels"]] for row in corpus.rows]
    by_label: list[list[int]] = [[] for _ in names]
    by_theory: dict[str, list[int]] = {theory: [] for theory in theories}
    for row, found in enumerate(labels):
        for label in found:
            by_label[label].append(row)
        for theory in dict.fromkeys(name.partition(":")[0] for name in corpus.rows[row]["labels"]):
            by_theory[theory].append(row)
    tied: list[_Lists] = []
    for kind in ("individual", "theory") if anchors else ():
        below: list[list[int]] = [[] for _ in names]
        for number, anchor in enumerate(anchors, start=len(corpus.rows)):
            if anchor.kind == kind:
                for label in _reached(anchor, names):
                    below[label].append(number)
        tied.append(_lists(below))
    return RowDealer(
        _lists([rows for rows in by_theory.values() if rows]),
        _lists(labels),
        _lists(by_label),
        tuple(tied),
        batch,
        positives,
    )


def _reached(anchor: ValueAnchor, names: dict[str, int]) -> list[int]:
    """The labels of texts that an anchor is a positive of: its nodes and all below them."""
    found: dict[str, None] = {}
    waiting = list(anchor.nodes)
    while waiting:
        name = waiting.pop()
        theory, _, label = name.partition(":")
        found[name] = None
        children = load_registry().theories[theory].nodes[label].children
        waiting += [f"{theory}:{child}" for child in children]
    return [names[name] for name in found]
