"""The unit of intensities is that of the true utilities, whatever the judge's noise."""

import numpy as np
import pytest

from valueflow.scorers.database.ranking.fit import fit_rankings
from valueflow.scorers.database.ranking.rounds import deal_round
from valueflow.scorers.database.ranking.scale import IntensityScale, scale_from_directions
from valueflow.scorers.database.ranking.unit import reach_of, redrawn

N = 90


def scored(scale: float, windows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, spread evenly from -10 to 10; intensities and their errors from simulated rankings."""
    generator = np.random.default_rng(seed)
    truth = generator.permutation(np.linspace(-10, 10, N))
    table = np.concatenate([deal_round(N, 6, generator) for _ in range(windows)])
    worth = scale * truth[table] + generator.gumbel(size=table.shape)
    rankings = np.take_along_axis(table, np.argsort(-worth, axis=1), axis=1)
    fit = fit_rankings(rankings, N)
    assert fit.standard_errors is not None
    supports = (truth[:, None] + generator.logistic(size=(N, 7)) / scale > 0).mean(axis=1)
    found = scale_from_directions(
        fit.utilities, supports, errors=fit.standard_errors, redraw=redrawn(rankings, N, 0.01)
    )
    errors = found.error(fit.utilities, fit.standard_errors)
    return truth, found.intensity(fit.utilities), errors


@pytest.mark.parametrize(("scale", "windows"), [(1.0, 8), (1.0, 20), (0.3, 20)])
def test_judges_of_any_noise_give_one_unit_with_an_error_that_is_true(
    scale: float, windows: int
) -> None:
    found = [scored(scale, windows, seed) for seed in range(3)]
    slopes = [np.polyfit(truth, score, 1)[0] for truth, score, _ in found]
    covered = [np.mean(np.abs(score - truth) <= 1.96 * error) for truth, score, error in found]
    assert np.mean(slopes) == pytest.approx(1, abs=0.1)
    assert np.mean(covered) > 0.88


def test_the_ends_of_noisy_estimates_are_not_taken_for_those_of_the_truth() -> None:
    generator = np.random.default_rng(5)
    truth = np.linspace(-10, 10, 400)
    errors = np.full(400, 3.0)
    estimates = truth + 3.0 * generator.standard_normal(400)
    raw = np.quantile(np.abs(estimates), 0.99)
    found = reach_of(estimates, errors, 0.0, 0.99)
    assert raw > 13
    assert found.reach == pytest.approx(9.9, rel=0.12)
    assert found.log_se > 0


def test_the_same_seed_gives_the_same_unit_and_exact_utilities_need_no_draw() -> None:
    utilities = np.linspace(-4, 4, 50)
    exact = reach_of(utilities, np.zeros(50), 0.0, 0.99)
    assert (exact.reach, exact.log_se) == (pytest.approx(4.0), 0.0)
    windows = [tuple(map(int, w)) for w in deal_round(50, 5, np.random.default_rng(0))] * 4
    errors = np.full(50, 0.8)
    redraw = redrawn(windows, 50, 0.01)
    one, two = (reach_of(utilities, errors, 0.0, 0.99, redraw, seed=3) for _ in range(2))
    assert one == two


def test_scales_of_before_are_read_and_have_no_error_of_the_unit() -> None:
    before = IntensityScale((-1.0, 1.0), (-10.0, 10.0), 0.0, 0.1, "directions", ())
    np.testing.assert_allclose(before.error([0.5], [0.2]), 10 * np.hypot(0.2, 0.1))
    after = IntensityScale((-1.0, 1.0), (-10.0, 10.0), 0.0, 0.1, "directions", (), 0.2)
    np.testing.assert_allclose(
        after.error([0.5], [0.2]), np.hypot(10 * np.hypot(0.2, 0.1), 0.2 * 5.0)
    )
