"""The likelihood of windows is a probability, and splits into anchors and response."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valueflow.scorers.estimate.likelihood import (
    anchor_log_likelihood,
    insertion_log_likelihood,
    read_orders,
)
from valueflow.scorers.estimate.table import WindowTable

ANCHORS = [-5.0, 1.0, 4.0]
SCALE, PLACE_EFFECT, RESPONSE = 0.4, 0.3, 2.0
intensities = st.floats(-10, 10)


def table(order: Sequence[Any], shown: Sequence[int] | None = None) -> WindowTable:
    shown = list(range(len(ANCHORS) + 1)) if shown is None else list(shown)
    fields = {"item": "i", "cell": "c", "value": "v", "query": None, "position": shown.index(0)}
    return WindowTable.from_records(
        [{**fields, "anchors": ANCHORS, "order": order, "shown": shown}]
    )


def probability(order: Sequence[Any], shown: Sequence[int] | None = None) -> float:
    """Probability of an order, from the anchors' and the response's parts."""
    orders = read_orders(table(order, shown))
    anchors = np.exp(anchor_log_likelihood(orders, SCALE, PLACE_EFFECT))
    response = np.exp(
        insertion_log_likelihood(orders, SCALE, PLACE_EFFECT, np.array([RESPONSE]))[:, 0]
    )
    return float((anchors * response).sum())


def stage_by_stage(order: Sequence[int], shown: Sequence[int]) -> float:
    """The same from the definition."""
    worth = {
        text: np.exp(SCALE * intensity - PLACE_EFFECT * list(shown).index(text))
        for text, intensity in enumerate([RESPONSE, *ANCHORS])
    }
    result = 1.0
    for stage, text in enumerate(order):
        result *= worth[text] / sum(worth[rest] for rest in order[stage:])
    return float(result)


@pytest.mark.parametrize("shown", [(0, 1, 2, 3), (2, 0, 3, 1)])
def test_the_two_parts_multiply_to_plackett_luce(shown: tuple[int, ...]) -> None:
    for order in itertools.permutations(range(4)):
        assert probability(order, shown) == pytest.approx(stage_by_stage(order, shown), rel=1e-10)


def test_all_orders_together_are_certain() -> None:
    total = sum(probability(order) for order in itertools.permutations(range(4)))
    assert total == pytest.approx(1.0)


@pytest.mark.parametrize("named", [[2], [0], [3, 0], [1, 2]])
def test_a_partial_order_is_as_likely_as_all_its_completions(named: list[int]) -> None:
    rest = [text for text in range(4) if text not in named]
    completions = sum(probability([*named, *tail]) for tail in itertools.permutations(rest))
    assert probability(named) == pytest.approx(completions, rel=1e-10)


@pytest.mark.parametrize(
    ("tied", "orders"),
    [
        ([[1, 2], 0, 3], [[1, 2, 0, 3], [2, 1, 0, 3]]),
        ([[1, 0], 2, 3], [[1, 0, 2, 3], [0, 1, 2, 3]]),
        ([3, [0, 2], 1], [[3, 0, 2, 1], [3, 2, 0, 1]]),
        ([3, 0, [1, 2]], [[3, 0, 1, 2], [3, 0, 2, 1]]),
        (
            [[0, 1], [2, 3]],
            [[a, b, c, d] for a, b in ((0, 1), (1, 0)) for c, d in ((2, 3), (3, 2))],
        ),
    ],
)
def test_a_tie_is_as_likely_as_the_orders_it_allows(
    tied: list[Any], orders: list[list[int]]
) -> None:
    allowed = sum(probability(order) for order in orders)
    assert probability(tied) == pytest.approx(allowed, rel=1e-10)


def test_a_window_that_ties_all_texts_tells_nothing() -> None:
    orders = read_orders(table([[0, 1, 2, 3]]))
    grid = np.linspace(-10, 10, 5)
    assert np.ptp(insertion_log_likelihood(orders, SCALE, PLACE_EFFECT, grid)) == pytest.approx(0)


def test_extreme_judges_and_intensities_stay_finite_and_positive() -> None:
    orders = read_orders(table([3, 2, 1, 0]))
    likelihood = insertion_log_likelihood(orders, 50.0, 20.0, np.linspace(-20, 20, 9))
    assert np.isfinite(likelihood).all()
    assert np.isfinite(anchor_log_likelihood(orders, 50.0, 20.0)).all()


@settings(max_examples=50, deadline=None)
@given(
    anchors=st.lists(intensities, min_size=2, max_size=5),
    scale=st.floats(0.05, 3),
    shift=st.floats(-4, 4),
    order_seed=st.integers(0, 1000),
)
def test_only_differences_of_intensity_matter(
    anchors: list[float], scale: float, shift: float, order_seed: int
) -> None:
    order = np.random.default_rng(order_seed).permutation(len(anchors) + 1).tolist()
    fields = {"item": "i", "cell": "c", "value": "v", "query": None, "order": order, "position": 0}
    grid = np.linspace(-5, 5, 7)
    plain, moved = (
        read_orders(WindowTable.from_records([{**fields, "anchors": list(np.add(anchors, by))}]))
        for by in (0.0, shift)
    )
    np.testing.assert_allclose(
        insertion_log_likelihood(plain, scale, 0.0, grid),
        insertion_log_likelihood(moved, scale, 0.0, grid + shift),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        anchor_log_likelihood(plain, scale, 0.0),
        anchor_log_likelihood(moved, scale, 0.0),
        rtol=1e-6,
        atol=1e-9,
    )
