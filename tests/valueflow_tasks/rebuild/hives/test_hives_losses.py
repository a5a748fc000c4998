"""Losses see the rows that are theirs, and pull together what they say they do."""

from pathlib import Path

import numpy as np
import pytest

from tests.tiny_encoder import needs_hives
from valueflow.hub_assets.inputs.value_anchors import ValueAnchor
from valueflow.rebuild.hives.corpus import Corpus
from valueflow.rebuild.hives.samplers import row_dealer
from valueflow.scorers.database.embedding.labels import label_table, overlap

pytestmark = needs_hives

LABELS = [
    {"pvq:caring": "support", "duty:fidelity": "support"},
    {"pvq:dependability": "support"},
    {"pvq:caring": "oppose"},
    {"pvq:hedonism": "unknown", "pvq:face": "neutral"},
    {"pvq:stimulation": "support"},
    {"duty:fidelity": "oppose", "duty:gratitude": "support"},
]
CORPUS = Corpus(
    tuple({"labels": labels, "text": str(n)} for n, labels in enumerate(LABELS)), {}, ""
)
ANCHORS = (
    ValueAnchor("individual", "a", ("pvq:benevolence",)),
    ValueAnchor("individual", "b", ("pvq:stimulation",)),
    ValueAnchor("individual", "c", ("duty:gratitude",)),
    ValueAnchor("theory", "d", ("pvq:benevolence", "duty:fidelity")),
    ValueAnchor("theory", "e", ("pvq:security", "right:social_rights")),
)


def test_the_overlap_of_a_batch_is_that_of_the_evaluation() -> None:
    import torch

    from valueflow.rebuild.hives.losses.graded import graded_overlap
    from valueflow.rebuild.hives.losses.rows import row_table

    batch = row_table(CORPUS)(torch.arange(6))
    for number, theory in ((0, "pvq"), (2, "duty")):
        mine = [
            [(n.partition(":")[2], way) for n, way in row.items() if n.startswith(f"{theory}:")]
            for row in LABELS
        ]
        table = label_table(theory, mine)
        assert np.allclose(graded_overlap(batch, number).numpy(), overlap(table, table), atol=1e-6)


def test_no_loss_depends_on_the_order_of_a_batch() -> None:
    import torch

    from valueflow.rebuild.hives.losses.graded import GradedContrast
    from valueflow.rebuild.hives.losses.infonce import AnchorInfoNCE
    from valueflow.rebuild.hives.losses.level_by_level import LevelByLevel
    from valueflow.rebuild.hives.losses.rows import row_table
    from valueflow.rebuild.hives.losses.weighted import WeightedSum

    table, nothing = row_table(CORPUS, ANCHORS), torch.nn.Identity()
    whole = WeightedSum(
        nothing,
        table,
        {
            "graded": (1.0, GradedContrast(nothing, table)),
            "levels": (1.0, LevelByLevel(nothing, table)),
            "individual": (0.5, AnchorInfoNCE(nothing, table, "individual")),
            "theory": (1.0, AnchorInfoNCE(nothing, table, "theory")),
        },
    )
    rows = torch.arange(len(table))
    generator = torch.Generator().manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(len(rows), 5, generator=generator), dim=1)
    found = whole.of(vectors, table(rows))
    assert all(float(part) > 0 for part in found.values())
    order = torch.randperm(len(rows), generator=generator)
    for name, part in whole.of(vectors[order], table(rows[order])).items():
        assert float(part) == pytest.approx(float(found[name]), rel=1e-5), name


def test_a_text_is_drawn_to_anchors_of_its_values_and_away_where_it_opposes_them() -> None:
    import torch

    from valueflow.rebuild.hives.losses.infonce import AnchorInfoNCE
    from valueflow.rebuild.hives.losses.rows import row_table

    table, nothing = row_table(CORPUS, ANCHORS), torch.nn.Identity()
    loss = AnchorInfoNCE(nothing, table, "individual")

    def of(text: int, near: int) -> float:
        """The loss of one text that stands where an anchor stands."""
        rows = torch.tensor([text, 6, 7, 8])
        vectors = torch.eye(4)
        vectors[0] = vectors[near - 5]
        return float(loss.of(vectors, table(rows)))

    supports_care, opposes_care = 0, 2
    assert of(supports_care, near=6) < of(supports_care, near=7)
    # A text that opposes what all its anchors support has none to be drawn to.
    assert of(opposes_care, near=6) == 0
    # One that opposes fidelity and supports gratitude is drawn to gratitude.
    assert of(5, near=8) == 0  # no anchor of its theory beside it to be told from
    assert of(4, near=7) < of(4, near=6)


def test_texts_of_one_value_come_nearer_by_the_graded_contrast() -> None:
    import torch

    from valueflow.rebuild.hives.losses.graded import GradedContrast
    from valueflow.rebuild.hives.losses.rows import row_table

    labels = ("caring", "caring", "dependability", "stimulation", "rules")
    rows = tuple({"labels": {f"pvq:{name}": "support"}} for name in labels)
    table, nothing = row_table(Corpus(rows, {}, "")), torch.nn.Identity()
    loss, at = GradedContrast(nothing, table), table(torch.arange(5))

    def together(other: int) -> float:
        """The loss where the first text stands where another one stands."""
        vectors = torch.eye(5)
        vectors[0] = vectors[other]
        return float(loss.of(vectors, at))

    same_label, same_value, another_value = (together(n) for n in (1, 2, 3))
    assert same_label < same_value < another_value
    assert same_label < float(loss.of(torch.eye(5), at)) < another_value


def test_the_added_terms_are_what_they_say() -> None:
    import torch

    from valueflow.rebuild.hives.losses.graded import GradedContrast, _bins
    from valueflow.rebuild.hives.losses.rows import row_table
    from valueflow.scorers.database.embedding.labels import level_bins
    from valueflow.scorers.database.embedding.metrics import value_vectors

    labels = [f"pvq:{n}" for n in ("caring", "stimulation", "rules", "nature")]
    ways = ("support", "oppose", "unknown")
    rows = tuple({"labels": {labels[n % 4]: ways[n % 3]}} for n in range(24))
    corpus, nothing = Corpus(rows, {}, ""), torch.nn.Identity()
    table, known = row_table(corpus), corpus.labels("pvq")
    at = table(torch.arange(24))
    bins, names = level_bins(known, known)
    assert np.array_equal(_bins(at, 0)[0].numpy(), bins)
    assert _bins(at, 0)[1] == len(names)
    generator = torch.Generator().manual_seed(1)
    vectors = torch.nn.functional.normalize(torch.randn(24, 6, generator=generator), dim=1)
    cosine = (vectors @ vectors.T).numpy()
    plain = float(GradedContrast(nothing, table).of(vectors, at))
    wrong = []
    for i in range(24):
        others = np.arange(24) != i
        there = np.unique(bins[i, others])
        mean = {b: cosine[i, others & (bins[i] == b)].mean() for b in there}
        wrong += [
            np.log1p(np.exp((mean[a] - mean[b]) / 0.1)) for a in there for b in there if a < b
        ]
    more = float(GradedContrast(nothing, table, ranking=2.0).of(vectors, at)) - plain
    assert more == pytest.approx(2 * np.mean(wrong), abs=1e-4)
    _, means = value_vectors(vectors.numpy(), known, centred=True)
    cosines = (means @ means.T)[~np.eye(len(means), dtype=bool)]
    more = float(GradedContrast(nothing, table, apart=3.0).of(vectors, at)) - plain
    assert more == pytest.approx(3 * np.mean(cosines**2), abs=1e-4)


def test_a_batch_of_stage_two_is_half_texts_and_a_quarter_of_each_kind(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    labels = ["pvq:caring", "pvq:rules", "duty:fidelity"]
    rows = tuple({"labels": {labels[n]: "support"}} for n in generator.integers(0, 3, 500))
    anchors = [
        ValueAnchor(kind, f"{kind} {n}", (labels[n % 3], labels[(n + 1) % 3]))  # type: ignore[arg-type]
        for kind in ("individual", "theory")
        for n in range(40)
    ]
    dealer = row_dealer(Corpus(rows, {}, ""), anchors, batch=64, positives=4)
    for batch in dealer.batches(20, seed=1):
        assert len(set(batch)) == len(batch)
        kinds = np.digitize(batch, [500, 540])
        assert list(np.bincount(kinds)[1:]) == [16, 16]
        assert 24 <= (kinds == 0).sum() <= 32
    assert list(dealer.batches(5, 1)) == list(dealer.batches(5, 1)) != list(dealer.batches(5, 2))
    alone = row_dealer(Corpus(rows, {}, ""), [], batch=32, positives=4)
    for batch in alone.batches(20, seed=1):
        theories = {next(iter(rows[n]["labels"])).partition(":")[0] for n in batch}
        assert len(theories) == 1
