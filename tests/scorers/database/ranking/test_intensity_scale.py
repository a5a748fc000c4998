"""The scale rises, has its zero where directions part, and leads back to utilities."""

import numpy as np
import pytest

from valueflow.scorers.database.ranking.scale import (
    IntensityScale,
    scale_from_directions,
    scale_from_ratings,
)


def test_directions_fix_the_zero_and_texts_fill_the_range() -> None:
    generator = np.random.default_rng(0)
    truth = generator.uniform(-10, 10, 2000)
    labels = (truth + generator.logistic(size=truth.size) > 0).astype(float)
    scale = scale_from_directions(truth + 3, labels, end_quantile=1.0)
    assert scale.neutral == pytest.approx(3, abs=3 * scale.neutral_se)
    assert scale.neutral_se < 0.2
    found = scale.intensity(truth + 3)
    assert np.abs(found).max() == pytest.approx(10)
    assert np.abs(found - truth).max() < 0.3


def test_the_error_of_the_zero_covers_it() -> None:
    off = []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        truth = generator.uniform(-10, 10, 200)
        labels = (truth + generator.logistic(size=truth.size) > 0).astype(float)
        scale = scale_from_directions(truth, labels)
        off.append(scale.neutral / scale.neutral_se)
    assert 0.9 < np.mean(np.abs(off) < 1.96) <= 0.99


def test_cleanly_parted_directions_have_a_finite_zero_between_them() -> None:
    scale = scale_from_directions([-3.0, -2.0, 4.0, 5.0], [0, 0, 1, 1])
    assert -2 < scale.neutral < 4


@pytest.mark.parametrize("labels", [[1, 1, 1, 1], [0.5, 0.5, 0.5, 0.5], [1, 1, 0, 0]])
def test_directions_that_say_nothing_are_refused(labels: list[float]) -> None:
    with pytest.raises(ValueError):
        scale_from_directions([-3.0, -2.0, 4.0, 5.0], labels)


def test_ratings_fix_the_shape_too_and_the_map_leads_back() -> None:
    generator = np.random.default_rng(1)
    utility = generator.normal(2, 3, 3000)
    truth = 10 * np.tanh((utility - 1) / 4)
    ratings = np.clip(truth + generator.normal(0, 2, truth.size), -10, 10)
    scale = scale_from_ratings(utility, ratings)
    assert np.corrcoef(scale.intensity(utility), truth)[0, 1] > 0.99
    assert scale.neutral == pytest.approx(1, abs=0.4)
    again = IntensityScale(**scale.record())
    inside = np.abs(scale.intensity(utility)) < 10
    back = again.utility(again.intensity(utility[inside]))
    np.testing.assert_allclose(back, utility[inside], atol=1e-9)
    assert (scale.slope(utility) > 0).all()


def test_ratings_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValueError, match="rise"):
        scale_from_ratings(np.arange(40.0), np.linspace(9, -9, 40))
