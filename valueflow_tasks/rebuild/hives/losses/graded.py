"""Hierarchical contrast with positives graded by the overlap of paths and by direction (ours)."""

import torch
from torch import Tensor, nn

from valueflow.rebuild.hives.losses.rows import KINDS, BatchLabels, RowLoss, RowTable

__all__ = ["GradedContrast", "graded_overlap"]

_OUT = -1e4
_STEP = 0.1
"""Difference of mean cosines at which two bins begin to count as in order."""


class GradedContrast(RowLoss):
    r"""Draws texts together in proportion to how far their overlap is above what is usual.

    For texts i and j of one theory, let t_ij be the overlap of their paths (`graded_overlap`) and
    a_ij = max(0, t_ij − mean_k t_ik) its excess over the anchor's mean in the batch. Then

        L = − mean_i Σ_j (a_ij / Σ_k a_ik) log ( exp(cos_ij / τ) / Σ_{k≠i} exp(cos_ik / τ) ).

    Form and why. The targets are soft, so that sharing a child counts more than sharing a group
    above it, and a text with several labels needs no main one. Taking off the anchor's mean
    matters: nearly all pairs of multi-label texts share some ancestor, and weights on all of them
    draw everything together (with t_ij itself in place of a_ij, a linear head on real arguments
    went to a mean cosine of 0.9). Pairs that overlap less than usual are only pushed apart.

    Two terms may be added. `ranking` · mean log(1 + exp(−(m_ib − m_ia) / 0.1)), over anchors i and
    pairs of bins a below b, m_ib the mean cosine of i's others in bin b: nothing shared, the
    deepest node shared by level, the same label, the same in the same direction. It looks at every
    step of the hierarchy alike, as the figure rank accuracy does, where the contrast looks at the
    nearest. `apart` · mean cos², over pairs of values, of the mean vectors of their texts less the
    mean of the batch: texts that carry several values draw the values together, and this keeps
    their directions apart.

    Requirements: batches of at least 8 texts or so, in which labels recur; `RowSampler` deals such.
    Texts of different theories are neither positives nor negatives of each other.

    Inputs: one column of texts, and the number of each row in the table as `label`.

    Relations: with all a_ij equal on one shared label it is the supervised contrastive loss
    (Khosla et al. 2020); `LevelByLevel` treats each level by itself; soft targets from a hierarchy
    are in the spirit of Zhang et al. 2022.

    Example:
        >>> from sentence_transformers import SentenceTransformer
        >>> from valueflow.rebuild.hives.corpus import read_corpus
        >>> from valueflow.rebuild.hives.losses.graded import GradedContrast
        >>> from valueflow.rebuild.hives.losses.rows import row_table
        >>> corpus = read_corpus(Path("build")).of("train")                    # doctest: +SKIP
        >>> model = SentenceTransformer("sentence-transformers/all-MiniLM-L6-v2")  # doctest: +SKIP
        >>> loss = GradedContrast(model, row_table(corpus), temperature=0.5)   # doctest: +SKIP

    Args:
        model: a SentenceTransformer.
        table: the labels of all rows.
        temperature: τ, in units of cosine.
        ranking: weight of the order of bins.
        apart: weight of the values' cosines.
    """

    def __init__(
        self,
        model: nn.Module,
        table: RowTable,
        temperature: float = 0.5,
        ranking: float = 0.0,
        apart: float = 0.0,
    ) -> None:
        super().__init__(model, table)
        self.temperature = temperature
        self.ranking = ranking
        self.apart = apart

    def of(self, vectors: Tensor, batch: BatchLabels) -> Tensor:
        texts = batch.kind == KINDS["text"]
        vectors, batch = vectors[texts], batch.rows(texts)
        total = more = vectors.sum() * 0
        count = theories = 0
        for theory in range(int(batch.theories.max()) + 1):
            inside = (batch.own * (batch.theories == theory)).any(dim=1)
            if int(inside.sum()) < 3:
                continue
            part = batch.rows(inside)
            target = graded_overlap(part, theory)
            found, anchors = self._within(vectors[inside], target)
            total, count = total + found, count + anchors
            if self.ranking:
                more = more + self.ranking * _disorder(vectors[inside], part, theory)
            if self.apart:
                more = more + self.apart * _closeness(vectors[inside], part, theory)
            theories += 1
        return total / max(count, 1) + more / max(theories, 1)

    def _within(self, vectors: Tensor, overlap: Tensor) -> tuple[Tensor, int]:
        itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
        target = overlap.masked_fill(itself, 0)
        usual = target.sum(dim=1, keepdim=True) / (len(vectors) - 1)
        excess = (target - usual).clamp(min=0).masked_fill(itself, 0)
        known = excess.sum(dim=1) > 1e-6
        share = excess[known] / excess[known].sum(dim=1, keepdim=True)
        logits = (vectors @ vectors.T / self.temperature).masked_fill(itself, _OUT)
        found = -(share * torch.log_softmax(logits[known], dim=1)).sum()
        return found, int(known.sum())


def _disorder(vectors: Tensor, batch: BatchLabels, theory: int) -> Tensor:
    """How far the mean cosines of an anchor's bins are from their order."""
    bins, count = _bins(batch, theory)
    others = ~torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    member = torch.nn.functional.one_hot(bins, count).float() * others[:, :, None]
    size = member.sum(dim=1)
    cosines = vectors @ vectors.T
    mean = torch.einsum("ij,ijb->ib", cosines, member) / size.clamp(min=1)
    there = size > 0
    low, high = torch.triu_indices(count, count, offset=1, device=vectors.device)
    both = there[:, low] & there[:, high]
    wrong = nn.functional.softplus((mean[:, low] - mean[:, high]) / _STEP)
    return (wrong * both).sum() / both.sum().clamp(min=1)


def _bins(batch: BatchLabels, theory: int) -> tuple[Tensor, int]:
    """The bin of each pair, shape (b, b), and how many bins there are; as `level_bins` has them."""
    at = batch.theories == theory
    closure, own, ways = batch.closure[:, at], batch.own[:, at], batch.directions[:, at]
    levels = batch.levels[at]
    deepest = int(levels.max())
    bins = torch.zeros((len(own), len(own)), dtype=torch.long, device=own.device)
    for level in range(1, deepest + 1):
        here = closure[:, levels == level]
        bins[here @ here.T > 0] = level
    bins[own @ own.T > 0] = deepest + 1
    for code in (1, -1, 2):
        same = (ways == code).float()
        bins[same @ same.T > 0] = deepest + 2
    return bins, deepest + 3


def _closeness(vectors: Tensor, batch: BatchLabels, theory: int) -> Tensor:
    """The mean squared cosine of the centred mean vectors of values with two texts or more."""
    under = batch.closure[:, (batch.theories == theory) & batch.values]
    under = under[:, under.sum(dim=0) >= 2]
    count = under.shape[1]
    means = nn.functional.normalize(under.T @ (vectors - vectors.mean(dim=0)), dim=1)
    cosines = means @ means.T
    return (cosines.square().sum() - cosines.diag().square().sum()) / max(count * (count - 1), 1)


def graded_overlap(batch: BatchLabels, theory: int, same_direction: float = 0.25) -> Tensor:
    """The overlap of each pair's labels in one theory, shape (b, b).

    The Jaccard similarity of the sets of nodes (labels with all their ancestors), to which comes
    `same_direction` times the share of common labels with one known direction, less the share with
    opposite ones: as `valueflow.scorers.database.embedding.labels.overlap` has it for arrays.
    """
    at = batch.theories == theory
    own, closure = batch.own[:, at], batch.closure[:, at]
    common = closure @ closure.T
    size = closure.sum(dim=1)
    jaccard = common / (size[:, None] + size[None, :] - common).clamp(min=1)
    shared = own @ own.T
    ways = batch.directions[:, at]
    for_it, against, neither = ((ways == code).float() for code in (1, -1, 2))
    agree = for_it @ for_it.T + against @ against.T + neither @ neither.T
    differ = for_it @ against.T + against @ for_it.T
    return jaccard + same_direction * (agree - differ) / shared.clamp(min=1)
