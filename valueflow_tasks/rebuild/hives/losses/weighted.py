"""A weighted sum of losses over one encoding of a batch."""

from collections.abc import Mapping

from torch import Tensor, nn

from valueflow.rebuild.hives.losses.rows import BatchLabels, RowLoss, RowTable

__all__ = ["WeightedSum"]


class WeightedSum(RowLoss):
    r"""L = Σ_n w_n L_n; stage 2 is L_hier + 0.5 L_individual + 1.0 L_theory.

    Each part takes from the batch the rows that are its own, by their kinds in the table, so that
    shuffling a batch changes nothing; the batch is encoded once. The parts are logged by name.

    Requirements: parts that share the model and the table. Inputs: as its parts'.

    Relations: a loss that slices a batch by position, as the published scripts do, needs a sampler
    that keeps the order, and sees the wrong rows without one.

    Example:
        >>> loss = WeightedSum(model, table, {                              # doctest: +SKIP
        ...     "hierarchical": (1.0, GradedContrast(model, table)),
        ...     "individual": (0.5, AnchorInfoNCE(model, table, "individual")),
        ...     "theory": (1.0, AnchorInfoNCE(model, table, "theory")),
        ... })

    Args:
        model: a SentenceTransformer.
        table: the labels of all rows.
        parts: name to weight and loss; those of weight 0 are not computed.
    """

    def __init__(
        self, model: nn.Module, table: RowTable, parts: Mapping[str, tuple[float, RowLoss]]
    ) -> None:
        super().__init__(model, table)
        self.weights = {name: weight for name, (weight, _) in parts.items() if weight}
        # Outside the module's own parameters, which would count the model once a part.
        self._parts = {name: part for name, (weight, part) in parts.items() if weight}

    def of(self, vectors: Tensor, batch: BatchLabels) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for name, part in self._parts.items():
            loss = part.of(vectors, batch)
            assert isinstance(loss, Tensor)
            found[name] = self.weights[name] * loss
        return found
