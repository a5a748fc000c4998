"""The published hierarchical loss: a supervised contrast a level, with a direction penalty."""

import torch
from torch import Tensor, nn

from valueflow.rebuild.hives.losses.rows import KINDS, BatchLabels, RowLoss, RowTable
from valueflow.scorers.database.embedding.labels import DIRECTION_CODES

__all__ = ["LevelByLevel"]

_OUT = -1e4


class LevelByLevel(RowLoss):
    r"""Positives of level l share a node of that level *and* the direction (VALUEFLOW, 2026).

    With P_l(i) the positives of anchor i at level l (1 the coarsest),

        L_l = − mean_i 1/|P_l(i)| Σ_{j ∈ P_l(i)} log ( exp(s_ij / τ) / Σ_{k≠i} exp(s_ik / τ) ),
        L   = Σ_l 2^(1/l) max(L_l, L_{l−1}),

    the maximum over a detached L_{l−1}; s_ij is the cosine, raised by `direction_penalty` where the
    two are labelled with the same node in opposite directions, so that they are pushed further
    apart. Sums are divided by the number of levels met, so that theories of any depth weigh alike.

    Known failure. As published it collapses: trained on the real data, a small base went to a mean
    cosine of 0.986 between random texts. The coarsest level, where nearly all texts are positives,
    weighs most, and the detached maximum leaves finer levels without gradient whenever they are
    below the coarser one. It is here to be compared with; train with `GradedContrast`.

    Requirements: batches in which labels recur. Inputs: one column of texts, and the number of
    each row in the table as `label`.

    Relations: HMCE of Zhang et al. 2022 ("Use All The Labels") constrains the other way round, a
    coarser level's loss never above a finer one's; with one level it is the supervised contrastive
    loss of Khosla et al. 2020.

    Example:
        >>> loss = LevelByLevel(model, row_table(corpus), temperature=0.1)  # doctest: +SKIP

    Args:
        model: a SentenceTransformer.
        table: the labels of all rows.
        temperature: τ, in units of cosine.
        direction_penalty: in units of cosine.
    """

    def __init__(
        self,
        model: nn.Module,
        table: RowTable,
        temperature: float = 0.1,
        direction_penalty: float = 0.1,
    ) -> None:
        super().__init__(model, table)
        self.temperature = temperature
        self.direction_penalty = direction_penalty

    def of(self, vectors: Tensor, batch: BatchLabels) -> Tensor:
        texts = batch.kind == KINDS["text"]
        vectors, batch = vectors[texts], batch.rows(texts)
        total, theories = vectors.sum() * 0, 0
        for theory in range(int(batch.theories.max()) + 1):
            inside = (batch.own * (batch.theories == theory)).any(dim=1)
            if int(inside.sum()) >= 3:
                total = total + self._within(vectors[inside], batch.rows(inside), theory)
                theories += 1
        return total / max(theories, 1)

    def _within(self, vectors: Tensor, batch: BatchLabels, theory: int) -> Tensor:
        at = batch.theories == theory
        itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
        by_direction = [batch.in_direction(code)[:, at] for code in DIRECTION_CODES.values()]
        support, oppose = (batch.in_direction(code)[:, at] for code in (1, -1))
        clash = support @ oppose.T + oppose @ support.T > 0
        logits = (vectors @ vectors.T + self.direction_penalty * clash) / self.temperature
        log_share = torch.log_softmax(logits.masked_fill(itself, _OUT), dim=1)
        total, before, met = vectors.sum() * 0, None, 0
        for level in range(1, int(batch.levels[at].max()) + 1):
            here = batch.levels[at] == level
            positive = sum((part[:, here] @ part[:, here].T for part in by_direction), itself * 0.0)
            positive = ((positive > 0) & ~itself).float()
            known = positive.sum(dim=1) > 0
            if not bool(known.any()):
                continue
            found = -((positive * log_share).sum(dim=1) / positive.sum(dim=1).clamp(min=1))[known]
            loss = found.mean()
            if before is not None:
                loss = torch.maximum(loss, before.detach())
            before = loss
            total, met = total + 2 ** (1 / level) * loss, met + 1
        return total / max(met, 1)
