"""Figures of embeddings against truth: counted by hand, drawn with a known answer, resampled."""

import itertools

import numpy as np
import pytest

from valueflow.scorers.database.embedding.labels import LabelTable, label_table, level_bins, overlap
from valueflow.scorers.database.embedding.metrics import (
    difference,
    fit_probe,
    group_weights,
    interval,
    measure,
    probe_f1,
    value_vectors,
)

NODES = ("caring", "dependability", "tolerance", "rules", "hedonism", "resources")


def drawn(n: int, seed: int = 0) -> LabelTable:
    generator = np.random.default_rng(seed)
    ways = ("support", "oppose", "unknown")
    labels = [
        [
            (NODES[i], ways[generator.integers(3)])
            for i in generator.choice(6, 1 + n % 2, replace=False)
        ]
        for _ in range(n)
    ]
    return label_table("pvq", labels)


def test_bins_go_from_nothing_shared_to_the_same_label_in_the_same_direction() -> None:
    table = label_table(
        "pvq",
        [
            [("caring", "support")],
            [("caring", "support")],
            [("caring", "oppose")],
            [("dependability", "support")],
            [("tolerance", "support")],
            [("thought", "support")],
            [("rules", "support")],
        ],
    )
    bins, names = level_bins(table, table)
    told = [names[int(number)] for number in bins[0, 1:]]
    assert told == [
        "same label and direction",
        "same label",
        "level 3",
        "level 2",
        "level 1",
        "nothing shared",
    ]
    found = overlap(table, table)[0, 1:]
    assert list(found) == sorted(found, reverse=True)
    assert found[0] == pytest.approx(1.25)
    assert found[1] == pytest.approx(0.75)


def test_rank_accuracy_is_that_of_counting_all_pairs_and_all_chains_of_texts() -> None:
    table, groups = drawn(24), np.arange(24) // 2
    x = np.random.default_rng(1).normal(size=(24, 5)).round(1)
    x[3] = x[9]  # ties
    found = measure(x, table, groups)
    unit = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    cosine, (bins, _) = unit @ unit.T, level_bins(table, table)
    pairwise, strict = [], []
    for i in range(24):
        others = [j for j in range(24) if groups[j] != groups[i]]
        levels = sorted({int(bins[i, j]) for j in others})
        by_bin = {b: [cosine[i, j] for j in others if bins[i, j] == b] for b in levels}
        if len(levels) < 2:
            continue
        areas = [
            np.mean([(near > far) + (near == far) / 2 for near in by_bin[b] for far in by_bin[a]])
            for a, b in itertools.combinations(levels, 2)
        ]
        pairwise.append(np.mean(areas))
        chains = [all(np.diff(chain) > 0) for chain in itertools.product(*by_bin.values())]
        strict.append(np.mean(chains))
    assert found["rank accuracy (pairwise)"].value == pytest.approx(np.mean(pairwise), abs=1e-9)
    assert found["rank accuracy (strict)"].value == pytest.approx(np.mean(strict), abs=1e-9)


def test_vectors_that_are_the_labels_rank_perfectly_and_random_ones_by_chance() -> None:
    labels = [[(NODES[i % 6], "support")] for i in range(120)]
    table, groups = label_table("pvq", labels), np.arange(120)
    perfect = measure(table.closure @ np.diag(2.0**table.levels), table, groups)
    assert perfect["rank accuracy (pairwise)"].value > 0.99
    chance = measure(np.random.default_rng(0).normal(size=(120, 64)), table, groups)
    assert chance["rank accuracy (pairwise)"].value == pytest.approx(0.5, abs=0.03)
    assert chance["similarity correlation"].value == pytest.approx(0, abs=0.03)
    assert chance["mean cosine"].value == pytest.approx(0, abs=0.02)


def test_intervals_are_those_of_drawing_the_groups_again() -> None:
    """The linearised bootstrap against the figure of really resampled texts."""
    n, size = 120, 3
    generator = np.random.default_rng(3)
    kinds = generator.integers(0, 6, n // size).repeat(size)
    table = label_table("pvq", [[(NODES[k], "unknown")] for k in kinds])
    groups = np.arange(n) // size
    centre = generator.normal(size=(6, 12))
    shared = generator.normal(size=(n // size, 12)).repeat(size, axis=0)
    x = centre[kinds] + 1.5 * shared + generator.normal(size=(n, 12))
    found = measure(x, table, groups)
    weights = group_weights(groups, 1000, 0)
    names = (
        "rank accuracy (pairwise)",
        "rank accuracy (strict)",
        "similarity correlation",
        "mean cosine",
    )
    drawn_again: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(40):
        chosen = generator.integers(0, n // size, n // size)
        rows = np.concatenate([np.flatnonzero(groups == g) for g in chosen])
        # A group that is drawn twice is one group: its texts are not compared with themselves.
        again = measure(x[rows], table.rows(rows), groups[rows])
        for name in names:
            drawn_again[name].append(again[name].value)
    for name in names:
        told = interval(found[name], groups, weights)
        assert told.low < told.value < told.high
        assert told.se == pytest.approx(np.std(drawn_again[name]), rel=0.35), name


def test_a_paired_difference_is_surer_than_two_figures_apart() -> None:
    table, groups = drawn(80, 5), np.arange(80)
    x = np.random.default_rng(2).normal(size=(80, 8))
    near = x + 0.05 * np.random.default_rng(4).normal(size=x.shape)
    one, other = measure(x, table, groups), measure(near, table, groups)
    weights = group_weights(groups, 500, 0)
    name = "rank accuracy (pairwise)"
    paired = interval(difference(one[name], other[name]), groups, weights)
    assert paired.se < interval(one[name], groups, weights).se / 2


def test_centring_takes_off_what_all_texts_share() -> None:
    labels = [[(NODES[i % 6], "unknown")] for i in range(90)]
    table = label_table("pvq", labels)
    x = np.random.default_rng(0).normal(size=(90, 200)) + 5
    raw, centred = (value_vectors(x, table, centred=c)[1] for c in (False, True))
    assert np.abs(raw @ raw.T).min() > 0.9
    found = measure(x, table, np.arange(90))
    assert found["orthogonality (raw)"].value < 0.1 < found["orthogonality (centred)"].value
    assert np.abs(centred @ centred.T - np.eye(len(centred))).max() < 0.5


def test_the_probe_finds_what_a_line_can_tell_and_only_that() -> None:
    generator = np.random.default_rng(0)
    truth = generator.random((400, 3)) < (0.5, 0.1, 0.3)
    x = np.hstack(
        [truth + 0.3 * generator.normal(size=truth.shape), generator.normal(size=(400, 4))]
    )
    told = probe_f1(fit_probe(x[:300], truth[:300]), x[300:], truth[300:])
    assert told.value > 0.7
    nothing = generator.normal(size=(400, 4))
    assert probe_f1(fit_probe(nothing[:300], truth[:300]), nothing[300:], truth[300:]).value < 0.55
