"""Adaptive windows: the information is right, the choice is good, the stops are honest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valueflow.scorers.windows.adaptive import (
    DESIGN_GRID,
    next_window,
    posterior_after,
    window_information,
)

POOL = np.round(np.random.default_rng(5).uniform(-10, 10, 2000), 2)


def normal(mean: float, sd: float) -> np.ndarray:
    return np.exp(-0.5 * ((DESIGN_GRID - mean) / sd) ** 2)


def simulated_information(
    response: float, anchors: np.ndarray, scale: float, draws: int = 100_000
) -> tuple[float, float]:
    """Mean square of the score over simulated orders, and its Monte-Carlo error."""
    texts = np.append(response, anchors)
    worth = np.exp(scale * (texts - texts.max()))
    noise = np.random.default_rng(1).gumbel(size=(draws, len(texts)))
    order = np.argsort(-(scale * texts + noise), axis=1)
    left = np.cumsum(worth[order][:, ::-1], axis=1)[:, ::-1]
    slot = (order == 0).argmax(axis=1)
    faced = np.arange(len(texts)) <= slot[:, None]
    square = (scale * (1 - (worth[0] / left * faced).sum(axis=1))) ** 2
    return float(square.mean()), float(square.std() / np.sqrt(draws))


@pytest.mark.parametrize(
    ("scale", "response", "anchors"),
    [
        (0.3, 3.0, [-8, -4, 0.5, 4, 8]),
        (1.0, 0.0, [-8, -4, 0.5, 4, 8]),
        (1.0, -9.0, [-8, -7, -6]),
        (3.0, 0.0, [-0.5, -0.2, 0.3, 1, 5]),
        (3.0, 9.0, [-8, -4, 0, 4, 8.3]),
    ],
)
def test_information_is_the_mean_square_of_the_score(
    scale: float, response: float, anchors: list[float]
) -> None:
    truth, error = simulated_information(response, np.array(anchors), scale)
    found = window_information(np.array([response]), np.array(anchors), scale)[0]
    assert found == pytest.approx(truth, abs=4 * error + 0.005 * truth)


def test_a_pair_of_equal_texts_tells_a_quarter() -> None:
    found = window_information(np.array([2.0]), np.array([2.0]), 0.7)[0]
    assert found == pytest.approx(0.49 / 4, rel=0.005)


def test_the_first_window_spans_the_scale() -> None:
    for seed in range(20):
        chosen = next_window(POOL, np.random.default_rng(seed))
        anchors = np.sort(POOL[chosen])
        np.testing.assert_allclose(anchors, [-20 / 3, -10 / 3, 0, 10 / 3, 20 / 3], atol=0.6)


@pytest.mark.parametrize("scale", [0.2, 0.5, 1.0, 3.0])
@pytest.mark.parametrize(("mean", "sd"), [(0.0, 2.0), (6.0, 1.0), (-9.0, 0.5)])
def test_later_windows_tell_more_than_windows_that_span(
    scale: float, mean: float, sd: float
) -> None:
    generator = np.random.default_rng(0)
    density = normal(mean, sd) / normal(mean, sd).sum()
    chosen = next_window(POOL, generator, posterior=normal(mean, sd), scale=scale)
    told = density @ window_information(DESIGN_GRID, POOL[chosen], scale)
    for _ in range(5):
        spanning = POOL[next_window(POOL, generator)]
        assert told > 1.05 * density @ window_information(DESIGN_GRID, spanning, scale)


@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_no_random_panel_about_the_response_beats_the_chosen_one(scale: float) -> None:
    density = normal(2.0, 1.5) / normal(2.0, 1.5).sum()
    generator = np.random.default_rng(3)

    def expected_variance(anchors: np.ndarray) -> float:
        information = window_information(DESIGN_GRID, anchors, scale)
        return float(density @ (1 / (1 / 1.5**2 + information)))

    chosen = POOL[next_window(POOL, generator, posterior=density, scale=scale)]
    others = [expected_variance(generator.normal(1.5, 2.5, 5)) for _ in range(300)]
    assert expected_variance(chosen) < 1.01 * min(others)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    count=st.integers(5, 60),
    size=st.integers(2, 6),
    scale=st.floats(0.05, 10),
    sd=st.floats(0.05, 20),
    equal=st.booleans(),
)
def test_a_window_never_repeats_an_anchor(
    seed: int, count: int, size: int, scale: float, sd: float, equal: bool
) -> None:
    generator = np.random.default_rng(seed)
    pool = np.full(count, 3.0) if equal else generator.uniform(-10, 10, count)
    for posterior in (None, normal(1.0, sd)):
        chosen = next_window(pool, generator, posterior=posterior, scale=scale, window_size=size)
        assert len(set(chosen.tolist())) == size - 1
        assert chosen.min() >= 0
        assert chosen.max() < count


def test_the_same_seed_draws_the_same_window_and_another_seed_varies_it() -> None:
    draws = [
        next_window(POOL, np.random.default_rng(seed), posterior=normal(0, 1)) for seed in (1, 1, 2)
    ]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()


@pytest.mark.parametrize(
    ("anchors", "options", "words"),
    [
        (POOL[:4], {}, "4 anchors"),
        (POOL, {"window_size": 1}, "2 texts"),
        (POOL, {"scale": 0.0}, "scale"),
        (POOL, {"scale": np.inf}, "scale"),
        (np.append(POOL, np.nan), {}, "finite"),
        (POOL, {"posterior": np.zeros(161)}, "posterior"),
        (POOL, {"posterior": np.full(161, np.nan)}, "posterior"),
        (POOL, {"posterior": np.ones(80)}, "posterior"),
    ],
)
def test_bad_input_is_named(anchors: np.ndarray, options: dict, words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=words):
        next_window(anchors, np.random.default_rng(0), **options)


def test_a_posterior_is_flat_at_first_and_then_lies_where_the_response_was_put() -> None:
    assert np.ptp(posterior_after([])) == 0
    window = {"anchors": [-8, -4, 0, 4, 8], "order": [5, 4, 0, 3, 2, 1], "position": 2}
    for scale in (1.0, 3.0):
        density = posterior_after([window] * 3, scale=scale)
        assert density.sum() == pytest.approx(1)
        assert density @ DESIGN_GRID == pytest.approx(2, abs=0.6)
