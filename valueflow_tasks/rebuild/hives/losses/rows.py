"""The labels of all rows of training, and the base of the losses that read them.

A batch carries the numbers of its rows and nothing else: whatever shuffles, shards or slices it, a
row stays tied to its own labels and to its own kind (text, individual anchor, theory anchor).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from scipy.linalg import block_diag
from torch import Tensor, nn

from valueflow.hub_assets.inputs.value_anchors import ValueAnchor
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.registry.paths import level_of
from valueflow.rebuild.hives.corpus import Corpus
from valueflow.scorers.database.embedding.labels import DIRECTION_CODES, ancestors_of

__all__ = ["KINDS", "BatchLabels", "RowLoss", "RowTable", "TrainingStopped", "row_table"]

KINDS = {"text": 0, "individual": 1, "theory": 2}


class TrainingStopped(RuntimeError):
    """Training must not go on; says why and what to do."""


@dataclass(frozen=True)
class BatchLabels:
    """The labels of b rows over the m nodes of all theories.

    Attributes:
        kind: codes of `KINDS`, shape (b,).
        own: which nodes a row is labelled with, shape (b, m), 0 or 1.
        directions: codes of `DIRECTION_CODES` where `own`, shape (b, m).
        ancestors: row a, column n: whether node n is node a or above it, shape (m, m).
        levels: level of each node, shape (m,), from 1.
        theories: number of each node's theory, shape (m,).
        values: which nodes are the values that are scored, shape (m,).
    """

    kind: Tensor
    own: Tensor
    directions: Tensor
    ancestors: Tensor
    levels: Tensor
    theories: Tensor
    values: Tensor

    @property
    def closure(self) -> Tensor:
        """Labels with all their ancestors, shape (b, m), 0 or 1."""
        return (self.own @ self.ancestors > 0).float()

    def in_direction(self, code: int) -> Tensor:
        """The closure of the labels with one direction, shape (b, m), 0 or 1."""
        return ((self.own * (self.directions == code)) @ self.ancestors > 0).float()

    def rows(self, chosen: Tensor) -> "BatchLabels":
        """Some of the rows."""
        return BatchLabels(
            self.kind[chosen],
            self.own[chosen],
            self.directions[chosen],
            self.ancestors,
            self.levels,
            self.theories,
            self.values,
        )


class RowTable(nn.Module):
    """Labels by number of row, as buffers, so that they go where the loss goes and are not saved.

    Args:
        kind, own, directions, ancestors, levels, theories, values: as in `BatchLabels`, of all
            rows.
    """

    kind: Tensor
    own: Tensor
    directions: Tensor
    ancestors: Tensor
    levels: Tensor
    theories: Tensor
    values: Tensor

    def __init__(
        self,
        kind: Tensor,
        own: Tensor,
        directions: Tensor,
        ancestors: Tensor,
        levels: Tensor,
        theories: Tensor,
        values: Tensor,
    ) -> None:
        super().__init__()
        self.register_buffer("kind", kind.to(torch.int8), persistent=False)
        self.register_buffer("own", own.to(torch.bool), persistent=False)
        self.register_buffer("directions", directions.to(torch.int8), persistent=False)
        self.register_buffer("ancestors", ancestors.float(), persistent=False)
        self.register_buffer("levels", levels, persistent=False)
        self.register_buffer("theories", theories, persistent=False)
        self.register_buffer("values", values, persistent=False)

    def __len__(self) -> int:
        return len(self.kind)

    def forward(self, rows: Tensor) -> BatchLabels:
        """The labels of some rows, given by number, shape (b,)."""
        rows = rows.to(self.kind.device)
        return BatchLabels(
            self.kind[rows],
            self.own[rows].float(),
            self.directions[rows],
            self.ancestors,
            self.levels,
            self.theories,
            self.values,
        )


def row_table(corpus: Corpus, anchors: Sequence[ValueAnchor] = ()) -> RowTable:
    """The labels of a corpus's rows, then of the anchors, in their orders."""
    theories = load_registry().theories
    names = [f"{theory}:{node}" for theory, record in theories.items() for node in record.nodes]
    place = {name: number for number, name in enumerate(names)}
    count = len(corpus.rows) + len(anchors)
    own = torch.zeros((count, len(names)), dtype=torch.bool)
    directions = torch.zeros((count, len(names)), dtype=torch.int8)
    kind = torch.zeros(count, dtype=torch.int8)
    for number, row in enumerate(corpus.rows):
        for name, way in row["labels"].items():
            own[number, place[name]] = True
            directions[number, place[name]] = DIRECTION_CODES[way]
    for number, anchor in enumerate(anchors, start=len(corpus.rows)):
        kind[number] = KINDS[anchor.kind]
        for name in anchor.nodes:
            own[number, place[name]] = True
            directions[number, place[name]] = DIRECTION_CODES["support"]
    blocks = [ancestors_of(record) for record in theories.values()]
    ancestors = torch.from_numpy(block_diag(*blocks)).float()
    levels = [level_of(r, node) for r in theories.values() for node in r.nodes.values()]
    numbers = [n for n, record in enumerate(theories.values()) for _ in record.nodes]
    values = [node.kind == "value" for r in theories.values() for node in r.nodes.values()]
    return RowTable(
        kind,
        own,
        directions,
        ancestors,
        torch.tensor(levels),
        torch.tensor(numbers),
        torch.tensor(values),
    )


class RowLoss(nn.Module):
    """A loss of the vectors of a batch and of its rows' labels.

    Args:
        model: a SentenceTransformer, or anything that gives `sentence_embedding`.
        table: the labels of all rows.
    """

    def __init__(self, model: nn.Module, table: RowTable) -> None:
        super().__init__()
        self.model = model
        self.table = table

    def forward(
        self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor
    ) -> Tensor | dict[str, Tensor]:
        """The loss of a batch.

        Args:
            sentence_features: the tokens of one column of texts.
            labels: numbers of their rows, shape (b,).

        Raises:
            TrainingStopped: the loss is no finite number.
        """
        (features,) = sentence_features
        vectors = cast(Any, self.model)(features)["sentence_embedding"].float()
        unit = nn.functional.normalize(vectors, dim=1)
        found = self.of(unit, self.table(labels))
        total = sum(found.values()) if isinstance(found, dict) else found
        if not bool(torch.isfinite(torch.as_tensor(total)).all()):
            raise TrainingStopped(
                "the loss is not a finite number any more; lower learning_rate, or train in "
                "precision: fp32"
            )
        return found

    def of(self, vectors: Tensor, batch: BatchLabels) -> Tensor | dict[str, Tensor]:
        """The loss of unit vectors, shape (b, d), and their labels."""
        raise NotImplementedError
