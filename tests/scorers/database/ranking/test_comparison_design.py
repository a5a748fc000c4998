"""Every text is compared equally often, and all texts share one scale."""

import numpy as np
import pytest

from valueflow.scorers.database.ranking.rounds import (
    bridging_windows,
    deal_round,
    neighbour_round,
    parts_of,
)


@pytest.mark.parametrize(("n", "k"), [(2, 6), (5, 6), (7, 2), (30, 6), (31, 6), (101, 4)])
def test_a_round_shows_every_text_once_and_no_text_to_itself(n: int, k: int) -> None:
    windows = deal_round(n, k, np.random.default_rng(n))
    seen = np.bincount(windows.ravel(), minlength=n)
    assert seen.min() == 1
    assert seen.max() <= 2
    assert (seen == 2).sum() == -n % min(n, k)
    assert all(len(set(window)) == len(window) for window in windows.tolist())


def test_bridges_join_what_is_apart() -> None:
    apart = np.array([[0, 1], [2, 3], [4, 5]])
    assert parts_of(apart, 6).max() == 2
    bridges = bridging_windows(apart, 6, np.random.default_rng(0))
    assert parts_of(np.concatenate([apart, bridges]), 6).max() == 0
    assert not bridging_windows(np.array([[0, 1], [1, 2]]), 3, np.random.default_rng(0))


def test_well_known_texts_meet_their_neighbours() -> None:
    utilities = np.random.default_rng(0).permutation(np.arange(60.0))
    windows = neighbour_round(utilities, np.full(60, 0.01), 6, np.random.default_rng(1))
    spans = np.ptp(utilities[windows], axis=1)
    assert np.sort(spans)[:-1].max() == 5  # all but the window across the two ends
    assert np.bincount(windows.ravel(), minlength=60).tolist() == [1] * 60
