"""The covariance of cells' errors, and errors of functions of their means."""

import numpy as np
import pytest

from valueflow.scorers.estimate.covariance import (
    CellErrors,
    JointCells,
    average_of,
    cell_covariance,
    shift_error,
)


def errors(generator: np.random.Generator, common: np.ndarray, judge: float) -> CellErrors:
    influence = common + generator.normal(0, 0.5, len(common))
    return CellErrors(0.4, influence, np.arange(len(common)), np.array([judge, 0.1]))


def test_the_error_of_a_difference_is_that_of_the_shift() -> None:
    generator = np.random.default_rng(0)
    common = generator.normal(0, 1, 60)
    one, other = errors(generator, common, 0.3), errors(generator, common, 0.2)
    matrix = cell_covariance([one, other], ["power", "power"])
    difference = matrix[0, 0] + matrix[1, 1] - 2 * matrix[0, 1]
    assert np.sqrt(difference) == pytest.approx(shift_error(one, other)[0], rel=1e-12)


def test_judges_of_different_values_are_independent_and_their_queries_are_not() -> None:
    generator = np.random.default_rng(1)
    common = generator.normal(0, 1, 60)
    cells = [errors(generator, common, 5.0), errors(generator, common, 5.0)]
    same = cell_covariance(cells, ["power", "power"])[0, 1]
    different = cell_covariance(cells, ["power", "face"])[0, 1]
    assert same - different == pytest.approx(25.01)
    assert different > 0.05


def joint(mean: list[float], covariance: np.ndarray) -> JointCells:
    return JointCells({str(i): i for i in range(len(mean))}, np.array(mean), covariance)


def test_draws_give_the_closed_form_error_of_a_sum_and_do_so_every_time() -> None:
    covariance = np.array([[0.04, 0.02], [0.02, 0.09]])
    cells = joint([1.0, 2.0], covariance)
    found = cells.figures(["0", "1"], lambda m: m.sum(axis=-1, keepdims=True))[0]
    assert found.value == 3
    assert found.se == pytest.approx(np.sqrt(0.04 + 0.09 + 0.04), rel=0.04)
    assert cells.figures(["0", "1"], lambda m: m.sum(axis=-1, keepdims=True))[0] == found


def test_a_quotient_with_a_denominator_near_zero_has_a_large_but_finite_error() -> None:
    def quotient(means: np.ndarray) -> np.ndarray:
        return (means[..., 0] / means[..., 1])[..., None]

    near = joint([1.0, 0.01], np.eye(2) * 0.25).figures(["0", "1"], quotient, ratio=True)[0]
    far = joint([1.0, 50.0], np.eye(2) * 0.25).figures(["0", "1"], quotient, ratio=True)[0]
    assert 1 < near.se < 1000
    # First order: the numerator's error over the denominator.
    assert far.se == pytest.approx(0.5 / 50, rel=0.05)


def test_an_average_over_parts_shares_the_cells_that_they_share() -> None:
    def shift(means: np.ndarray) -> np.ndarray:
        return (means[..., 1] - means[..., 0])[..., None]

    cells = joint([0.0, 1.0, 3.0], np.eye(3))
    names, function = average_of([(["0", "1"], shift), (["0", "2"], shift)])
    found = cells.figures(names, function)[0]
    assert found.value == 2
    assert found.se == pytest.approx(np.sqrt(1 + 0.25 + 0.25), rel=0.04)
