"""Windows span the scale, waste no anchor, and show the response in balanced places."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.anchors import Anchor
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.seeds import generator_for
from valueflow.scorers.windows.draw import (
    DrawnWindows,
    check_anchors,
    draw_windows,
    place_of_window,
    preferred_anchors,
)

POWER = load_registry().value("power")
SCALE = [Anchor(f"text {x:.1f}", float(x)) for x in np.linspace(-9.5, 9.5, 40)]


def response_places(windows: int, size: int, index: int, seed: int, cell: str) -> list[int]:
    """The places of a response in its windows, which follow those of the responses before it."""
    numbers = range(index * windows, (index + 1) * windows)
    return [place_of_window(number, size, seed, cell) for number in numbers]


def draw(anchors: list[Anchor] = SCALE, seed: int = 0, **options: Any) -> DrawnWindows:
    settings_ = {"windows": 3, "window_size": 6, "sampling": "bucket", **options}
    places = response_places(settings_["windows"], settings_["window_size"], 0, 0, "cell")
    return draw_windows(anchors, places=places, generator=np.random.default_rng(seed), **settings_)


def texts(drawn: DrawnWindows) -> list[list[str]]:
    return [[anchor.text for anchor in window.anchors] for window in drawn.windows]


def test_each_bucket_gives_one_anchor() -> None:
    for window in draw().windows:
        buckets = sorted(min(int((a.intensity + 10) // 4), 4) for a in window.anchors)
        assert buckets == [0, 1, 2, 3, 4]


def test_an_empty_bucket_takes_the_nearest_unused_anchor_and_is_counted() -> None:
    sides = [a for a in SCALE if abs(a.intensity) > 2]
    drawn = draw(sides)
    assert drawn.borrowed == 3
    for window in drawn.windows:
        assert len(window.anchors) == 5
        # The middle bucket's substitute is as near to 0 as an unused anchor can be.
        assert min(abs(a.intensity) for a in window.anchors) < 3.5


def test_two_anchors_in_one_bucket_are_not_lost_when_the_pool_runs_out() -> None:
    few = [Anchor(f"t{x}", x) for x in (-9.0, -8.5, 0.0, 0.5, 5.0, 9.0, 9.5)]
    drawn = draw(few)
    assert all(len({a.text for a in window.anchors}) == 5 for window in drawn.windows)
    assert {t for window in texts(drawn) for t in window} == {a.text for a in few}
    assert drawn.repeated == 15 - 7


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-10, 10), min_size=5, max_size=30),
    st.integers(1, 6),
    st.sampled_from(["bucket", "random"]),
    st.integers(0, 10**6),
)
def test_no_text_twice_in_a_window_nor_across_while_the_pool_lasts(
    intensities: list[float], windows: int, sampling: str, seed: int
) -> None:
    pool = [Anchor(f"t{i}", x) for i, x in enumerate(intensities)]
    drawn = draw(pool, seed, windows=windows, sampling=sampling)
    used = texts(drawn)
    assert all(len(set(window)) == 5 for window in used)
    counts = Counter(text for window in used for text in window)
    # A text is used again only after every other text was used as often.
    times = [counts.get(anchor.text, 0) for anchor in pool]
    assert max(times) - min(times) <= 1
    assert drawn.repeated == 5 * windows - len(counts)
    if 5 * windows <= len(pool):
        assert drawn.repeated == 0
    for window in drawn.windows:
        assert sorted(window.shown) == list(range(6))


def test_excluded_texts_never_serve() -> None:
    banned = {anchor.text for anchor in SCALE[:20]}
    assert not banned & {t for window in texts(draw(exclude=banned)) for t in window}


def test_a_seed_gives_the_same_windows_again() -> None:
    assert draw(seed=3) == draw(seed=3)
    assert draw(seed=3) != draw(seed=4)


def test_a_fixed_panel_is_gone_through_in_order() -> None:
    panel = SCALE[:10]
    used = texts(draw(panel, sampling="fixed"))
    assert used[0] == [a.text for a in panel[:5]]
    assert used[1] == [a.text for a in panel[5:]]
    assert used[2] == used[0]


@settings(deadline=None)
@given(st.integers(1, 7), st.integers(2, 10), st.integers(0, 10**6))
def test_every_run_of_k_windows_of_a_cell_uses_each_place_once_in_mirrored_pairs(
    windows: int, size: int, seed: int
) -> None:
    responses = 2 * size
    places = [
        place
        for index in range(responses)
        for place in response_places(windows, size, index, seed, "cell")
    ]
    for block in range(len(places) // size):
        run = places[block * size : (block + 1) * size]
        assert sorted(run) == list(range(size))
        for first, second in zip(run[: size // 2 * 2 : 2], run[1::2], strict=False):
            assert first + second == size - 1


def test_places_do_not_depend_on_when_they_are_asked() -> None:
    forward = [response_places(3, 6, i, 0, "a") for i in range(10)]
    backward = [response_places(3, 6, i, 0, "a") for i in reversed(range(10))]
    assert forward == backward[::-1]
    assert forward != [response_places(3, 6, i, 0, "b") for i in range(10)]


def test_the_response_stands_at_its_place() -> None:
    places = response_places(3, 6, 0, 0, "cell")
    assert [window.position for window in draw().windows] == places


@pytest.mark.parametrize(
    ("anchors", "size", "sampling", "held_out", "message"),
    [
        (SCALE[:4], 6, "bucket", 0, "4 usable anchors; a window of 6 needs 5.*window_size=5"),
        (SCALE[:7], 6, "bucket", 3, "4 usable anchors once 3 serve as exemplars"),
        (SCALE[:6], 6, "bucket", 0, "all 6 anchors of pvq:power lie in one.*sampling=random"),
        (SCALE, 6, "spiral", 0, "bucket, random, fixed"),
        (SCALE, 1, "bucket", 0, "window_size: 1 is too small"),
    ],
)
def test_anchors_that_cannot_serve_are_found_before_anything_is_spent(
    anchors: list[Anchor], size: int, sampling: str, held_out: int, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        check_anchors(anchors, POWER, size, sampling, held_out)
    check_anchors(SCALE, POWER, 6, "bucket", 3)


def test_too_few_anchors_after_exclusion_is_an_error() -> None:
    with pytest.raises(OptionError, match="2 anchors are left"):
        draw(SCALE[:4], exclude={SCALE[0].text, SCALE[1].text})


def test_a_bucket_without_anchors_borrows_the_one_nearest_to_its_middle() -> None:
    # Buckets are [-10, 0) and [0, 10]; nothing lies in the second, whose middle is 5.
    pool = [Anchor(f"t{x}", x) for x in (-9.0, -6.0, -1.0)]
    for seed in range(20):
        drawn = draw(pool, seed, windows=1, window_size=3)
        own, borrowed = drawn.windows[0].anchors
        assert drawn.borrowed == 1
        assert borrowed.intensity == (-6.0 if own.intensity == -1.0 else -1.0)


def test_full_buckets_are_served_before_empty_ones_borrow() -> None:
    # The fourth of five buckets is empty; its nearest anchor is the only one of the third.
    pool = [Anchor(f"t{x}", x) for x in (-9.0, -7.0, -5.0, 1.9, 9.0, 9.5)]
    for seed in range(20):
        (window,) = draw(pool, seed, windows=1).windows
        assert [a.intensity for a in window.anchors[1:3]] == [-5.0, 1.9]
        assert window.anchors[4].intensity in (9.0, 9.5)


def test_the_ends_of_the_scale_and_its_middle_belong_to_a_bucket() -> None:
    pool = [Anchor(f"t{x}", x) for x in (-10.0, 0.0, 10.0)]
    for size in (3, 4):
        (window,) = draw(pool, windows=1, window_size=size).windows
        assert sum(a.intensity == -10 for a in window.anchors) == 1
        assert draw(pool, windows=1, window_size=size).borrowed == 0


def test_neither_the_order_of_responses_nor_other_draws_change_a_responses_windows() -> None:
    def windows_of(sample: str) -> DrawnWindows:
        return draw_windows(
            SCALE,
            windows=3,
            window_size=6,
            sampling="bucket",
            places=(0, 1, 2),
            generator=generator_for(0, "windows", sample, "power"),
        )

    forward = {sample: windows_of(sample) for sample in "abcd"}
    backward = {sample: windows_of(sample) for sample in "dcba"}
    assert forward == backward
    assert forward["a"] != forward["b"]


def test_the_place_of_an_anchor_tells_nothing_of_its_intensity() -> None:
    means = np.zeros(5)
    for seed in range(300):
        for window in draw(seed=seed).windows:
            shown = [window.anchors[i - 1].intensity for i in window.shown if i]
            means += np.array(shown) / 900
    # The standard error is 5.8 / sqrt(900) = 0.19.
    assert np.abs(means).max() < 0.8


def test_the_first_place_of_a_cell_varies_with_cell_and_seed() -> None:
    firsts = [response_places(1, 6, 0, 0, str(cell))[0] for cell in range(300)]
    assert all(30 <= firsts.count(place) <= 75 for place in range(6))
    assert len({tuple(response_places(6, 6, 0, seed, "cell")) for seed in range(20)}) > 10


@pytest.mark.parametrize(("count", "responses"), [(44, 10), (300, 6), (10_000, 100)])
def test_responses_of_a_cell_prefer_different_anchors_that_all_span_the_scale(
    count: int, responses: int
) -> None:
    intensities = np.round(np.random.default_rng(0).uniform(-10, 10, count), 1)
    parts = [
        preferred_anchors(intensities, index, responses, 15, 0, "power/+2")
        for index in range(responses)
    ]
    met = np.sum(parts, axis=0)
    assert met.max() - met.min() <= 1 + (responses * parts[0].sum() > count)
    assert all(part.sum() >= 15 for part in parts)
    for part in parts:
        assert np.diff(np.sort(np.append(intensities[part], [-10, 10]))).max() < 4
    again = preferred_anchors(intensities, 0, responses, 15, 0, "power/+2")
    np.testing.assert_array_equal(parts[0], again)
    assert (parts[0] != preferred_anchors(intensities, 0, responses, 15, 1, "power/+2")).any()


def test_too_few_anchors_for_two_parts_are_all_preferred() -> None:
    assert preferred_anchors(np.linspace(-9, 9, 20), 3, 10, 15, 0, "cell").all()
