"""InfoNCE of texts against anchors: short instances of a value, or concepts that theories share."""

import torch
from torch import Tensor, nn

from valueflow.hub_assets.inputs.value_anchors import AnchorKind
from valueflow.rebuild.hives.losses.rows import KINDS, BatchLabels, RowLoss, RowTable

__all__ = ["AnchorInfoNCE"]

_OUT = -1e4


class AnchorInfoNCE(RowLoss):
    r"""Draws each text to the anchors of its values, away from the other anchors of that kind.

    With A the anchors of one kind in the batch and A(i) those that tie a node above text i,

        L = − mean_i log ( Σ_{a ∈ A(i)} exp(cos_ia / τ) / Σ_{a ∈ A} exp(cos_ia / τ) ).

    An anchor that ties nodes of several theories draws texts of all of them: that is what brings
    theories together. Anchors support their values, so that a text that opposes one is not drawn
    to them, but away. An anchor of a child is no positive of a text that is labelled with its
    parent alone, and no negative either: it may fit. So may anchors of theories in which the text
    has no label at all, where they tie none of its own.

    Requirements: texts and anchors of the kind in one batch; texts without a positive are passed
    over, and a batch without any gives 0. Inputs: one column of texts, and the number of each row
    in the table, which says what is a text and what an anchor, as `label`.

    Relations: with one positive a text it is InfoNCE (van den Oord et al. 2018) or
    `MultipleNegativesRankingLoss` over the anchors; negatives are anchors only, never texts.

    Example:
        >>> table = row_table(corpus, read_anchors("individual"))          # doctest: +SKIP
        >>> loss = AnchorInfoNCE(model, table, "individual")               # doctest: +SKIP

    Args:
        model: a SentenceTransformer.
        table: the labels of all rows, anchors among them.
        kind: `individual` or `theory`.
        temperature: τ, in units of cosine.
    """

    def __init__(
        self, model: nn.Module, table: RowTable, kind: AnchorKind, temperature: float = 0.07
    ) -> None:
        super().__init__(model, table)
        self.code = KINDS[kind]
        self.temperature = temperature

    def of(self, vectors: Tensor, batch: BatchLabels) -> Tensor:
        texts, anchors = batch.kind == KINDS["text"], batch.kind == self.code
        nothing = vectors.sum() * 0
        if not bool(texts.any()) or not bool(anchors.any()):
            return nothing
        text, anchor = batch.rows(texts), batch.rows(anchors)
        opposed = text.in_direction(-1)
        held = (text.closure - opposed).clamp(min=0)
        positive = held @ anchor.own.T > 0
        negative_way = opposed @ anchor.own.T > 0
        # Below a label of the text, or beside it in a theory that it says nothing about.
        below = text.own @ anchor.closure.T > 0
        parts = torch.nn.functional.one_hot(batch.theories).float()
        strange = (text.own @ parts > 0).float() @ (anchor.own @ parts > 0).float().T == 0
        left_out = ~positive & ~negative_way & (below | strange)
        logits = vectors[texts] @ vectors[anchors].T / self.temperature
        logits = logits.masked_fill(left_out, _OUT)
        known = positive.any(dim=1) & (~positive & ~left_out).any(dim=1)
        if not bool(known.any()):
            return nothing
        drawn = torch.logsumexp(logits.masked_fill(~positive, _OUT)[known], dim=1)
        return (torch.logsumexp(logits[known], dim=1) - drawn).mean()
