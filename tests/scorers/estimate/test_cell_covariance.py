"""The covariance of cells' errors, and errors of functions of their means."""

import numpy as np
import pytest

from valueflow.scorers.estimate.covariance import (
    Bounded,
    CellErrors,
    JointCells,
    average_of,
    cell_covariance,
)


def errors(generator: np.random.Generator, common: np.ndarray, judge: float) -> CellErrors:
    influence = common + generator.normal(0, 0.5, len(common))
    return CellErrors(0.4, influence, np.arange(len(common)), np.array([judge, 0.1]))


def test_the_error_of_a_difference_is_that_of_the_covariance() -> None:
    generator = np.random.default_rng(0)
    common = generator.normal(0, 1, 60)
    cells = [errors(generator, common, 0.3), errors(generator, common, 0.2)]
    matrix = cell_covariance(cells, ["power", "power"])
    difference = matrix[0, 0] + matrix[1, 1] - 2 * matrix[0, 1]
    drawn = JointCells({"a": 0, "b": 1}, np.zeros(2), cells, ["power", "power"])
    found = drawn.figures(["a", "b"], lambda m: (m[..., 1] - m[..., 0])[..., None])[0]
    assert found.se == pytest.approx(np.sqrt(difference), rel=0.04)


def test_judges_of_different_values_are_independent_and_their_queries_are_not() -> None:
    generator = np.random.default_rng(1)
    common = generator.normal(0, 1, 60)
    cells = [errors(generator, common, 5.0), errors(generator, common, 5.0)]
    same = cell_covariance(cells, ["power", "power"])[0, 1]
    different = cell_covariance(cells, ["power", "face"])[0, 1]
    assert same - different == pytest.approx(25.01, abs=0.02)
    assert different > 0.05


def joint(mean: list[float], sd: list[float], alike: float = 0.0) -> JointCells:
    """Cells whose errors have given sizes and, at 2000 queries, ``alike`` of them in common."""
    generator = np.random.default_rng(5)
    common = generator.normal(0, 1, 2000)
    cells = []
    for place, size in enumerate(sd):
        own = generator.normal(0, 1, 2000)
        query = np.arange(2000) + (0 if alike else 2000 * place)
        influence = np.sqrt(alike) * common + np.sqrt(1 - alike) * own
        cells.append(CellErrors(size, influence, query, np.zeros(0)))
    index = {str(i): i for i in range(len(mean))}
    return JointCells(index, np.array(mean), cells, ["power"] * len(mean))


def test_draws_give_the_closed_form_error_of_a_sum_and_do_so_every_time() -> None:
    cells = joint([1.0, 2.0], [0.2, 0.3], alike=1 / 3)
    found = cells.figures(["0", "1"], lambda m: m.sum(axis=-1, keepdims=True))[0]
    assert found.value == 3
    assert found.se == pytest.approx(np.sqrt(0.04 + 0.09 + 0.04), rel=0.06)
    low, high = found.interval
    assert low == pytest.approx(3 - 1.96 * found.se, rel=0.05)
    assert high == pytest.approx(3 + 1.96 * found.se, rel=0.05)
    assert cells.figures(["0", "1"], lambda m: m.sum(axis=-1, keepdims=True))[0] == found


def test_a_mean_near_the_end_of_the_scale_has_an_interval_that_stays_on_it() -> None:
    near = Bounded(float(np.arctanh(0.98)), 0.6, 0.0, 0.0, np.array([0.3]))
    cell = CellErrors(0.2, np.ones(3), np.arange(3), np.array([0.1]), near)
    cells = JointCells({"a": 0}, np.array([9.8]), [cell], ["power"])
    found = cells.figures(["a"], lambda m: m, straight=True)[0]
    assert 7 < found.lower < 9 < 9.9 < found.upper < 10
    assert found.se > 0.1
    # The closed form: a normal distribution of atanh(mean / 10) with the judge's part added.
    z = 1.96 * np.hypot(0.6, 0.3)
    expected = 10 * np.tanh(np.arctanh(0.98) - z), 10 * np.tanh(np.arctanh(0.98) + z)
    assert near.bounds(0.025) == pytest.approx(expected, abs=1e-3)
    assert found.lower == pytest.approx(expected[0], abs=0.1)


def test_a_quotient_with_a_denominator_near_zero_has_a_large_but_finite_error() -> None:
    def quotient(means: np.ndarray) -> np.ndarray:
        return (means[..., 0] / means[..., 1])[..., None]

    near = joint([1.0, 0.01], [0.5, 0.5]).figures(["0", "1"], quotient, ratio=True)[0]
    far = joint([1.0, 50.0], [0.5, 0.5]).figures(["0", "1"], quotient, ratio=True)[0]
    assert 1 < near.se < 1000
    # First order: the numerator's error over the denominator.
    assert far.se == pytest.approx(0.5 / 50, rel=0.05)


def test_an_average_over_parts_shares_the_cells_that_they_share() -> None:
    def shift(means: np.ndarray) -> np.ndarray:
        return (means[..., 1] - means[..., 0])[..., None]

    cells = joint([0.0, 1.0, 3.0], [1.0] * 3)
    names, function = average_of([(["0", "1"], shift), (["0", "2"], shift)])
    found = cells.figures(names, function)[0]
    assert found.value == 2
    assert found.se == pytest.approx(np.sqrt(1 + 0.25 + 0.25), rel=0.04)
