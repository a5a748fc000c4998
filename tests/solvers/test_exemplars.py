"""Exemplars come from the target's bin and leave some of it as anchors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.anchors import Anchor
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.scorers.windows.draw import draw_windows
from valueflow.solvers.exemplars import choose_exemplars, level_bin

POWER = load_registry().value("power")
SCALE = [Anchor(f"text {x}", float(x)) for x in range(-10, 11)]


@pytest.mark.parametrize(
    ("level", "intensities"),
    [(2, [7, 8, 9, 10]), (1, [2, 3, 4, 5, 6]), (-1, [-6, -5, -4, -3, -2]), (-2, [-10, -9, -8, -7])],
)
def test_bins_by_intensity(level: int, intensities: list[float]) -> None:
    assert [anchor.intensity for anchor in level_bin(SCALE, level)] == intensities


def test_a_table_with_levels_decides_by_them() -> None:
    anchors = [Anchor("a", 3.0, 2), Anchor("b", 9.0, 1), Anchor("c", -5.0, -2)]
    assert [a.text for a in level_bin(anchors, 2)] == ["a"]
    assert [a.text for a in level_bin(anchors, 1)] == ["b"]


def test_a_draw_is_seeded_and_inside_the_bin() -> None:
    def draw(seed: int) -> list[str]:
        return [a.text for a in choose_exemplars(SCALE, POWER, 1, 3, np.random.default_rng(seed))]

    assert draw(0) == draw(0)
    assert len(set(draw(0))) == 3
    assert any(draw(0) != draw(seed) for seed in range(1, 5))
    assert all(2 <= float(text.split()[1]) <= 6 for text in draw(3))


@pytest.mark.parametrize(("count", "advice"), [(4, "exemplars=3 or fewer"), (9, "exemplars=3")])
def test_a_bin_that_would_be_used_up_is_an_error(count: int, advice: str) -> None:
    with pytest.raises(OptionError, match=advice):
        choose_exemplars(SCALE, POWER, 2, count, np.random.default_rng(0))


def test_a_bin_of_one_text_sends_to_the_other_method() -> None:
    with pytest.raises(OptionError, match="method=definition"):
        choose_exemplars([Anchor("a", 9.0)], POWER, 2, 1, np.random.default_rng(0))


def test_the_edges_of_a_bin_belong_to_the_weaker_level_and_the_middle_to_none() -> None:
    edges = [Anchor(f"{x}", x) for x in (-6.001, -6, -2, -1.999, 0, 1.999, 2, 6, 6.001)]
    found = {level: [a.intensity for a in level_bin(edges, level)] for level in (-2, -1, 1, 2)}
    assert found == {-2: [-6.001], -1: [-6, -2], 1: [2, 6], 2: [6.001]}


def test_an_error_names_value_level_and_numbers() -> None:
    with pytest.raises(OptionError) as caught:
        choose_exemplars(SCALE, POWER, -2, 4, np.random.default_rng(0))
    message = str(caught.value)
    assert message.startswith("exemplars: pvq:power has 4 texts at level -2; 4 exemplars")
    assert "-T vidb=" in message


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-10, 10), min_size=12, max_size=40),
    st.sampled_from([-2, -1, 1, 2]),
    st.integers(1, 3),
    st.integers(0, 10**6),
)
def test_exemplars_are_of_the_bin_leave_some_of_it_and_never_serve_as_anchors(
    intensities: list[float], level: int, count: int, seed: int
) -> None:
    anchors = [Anchor(f"t{n}", x) for n, x in enumerate(intensities)]
    inside = level_bin(anchors, level)
    if len(inside) <= count:
        with pytest.raises(OptionError):
            choose_exemplars(anchors, POWER, level, count, np.random.default_rng(seed))
        return
    chosen = choose_exemplars(anchors, POWER, level, count, np.random.default_rng(seed))
    assert len(set(chosen)) == count
    assert set(chosen) < set(inside)
    drawn = draw_windows(
        anchors,
        windows=4,
        window_size=6,
        sampling="bucket",
        places=(0, 1, 2, 3),
        generator=np.random.default_rng(seed),
        exclude={anchor.text for anchor in chosen},
    )
    assert not {a for window in drawn.windows for a in window.anchors} & set(chosen)
