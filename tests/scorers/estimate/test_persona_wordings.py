"""What the wordings of a persona do to cells' means is found again, and stands in their errors."""

from typing import Any

import numpy as np
import pytest

from valueflow.scorers.estimate.covariance import (
    CellErrors,
    WordingEffects,
    cell_covariance,
    with_wordings,
    wording_effects,
)

LEVELS = (-2, -1, 1, 2)
VALUES = [f"v{number}" for number in range(6)]
LEVEL_OF = {f"{value}/{level:+d}": level for value in VALUES for level in LEVELS}
VALUE_OF = {name: name.partition("/")[0] for name in LEVEL_OF}


def study(
    seed: int, common: float, own: float, wordings: int = 3, queries: int = 60
) -> tuple[dict[str, float], dict[str, CellErrors]]:
    """Means and errors of cells whose responses are known, about a true mean of 0.

    Args:
        seed: of the draws.
        common, own: standard deviations between wordings of what all values share, and of what is
            a value's own.
        wordings: of which each question has one.
        queries: questions, each of which moves all cells alike by a standard deviation of 1 too.
    """
    generator = np.random.default_rng(seed)
    worded = np.arange(queries) % wordings
    question = generator.normal(size=queries)
    shared = generator.normal(scale=common, size=(len(LEVELS), wordings))
    means, errors = {}, {}
    for name, level in LEVEL_OF.items():
        effect = shared[LEVELS.index(level)] + generator.normal(scale=own, size=wordings)
        told = question + effect[worded] + generator.normal(scale=2, size=queries)
        means[name] = float(told.mean())
        errors[name] = CellErrors(
            sd=float(told.std(ddof=1) / np.sqrt(queries)),
            influence=(told - told.mean()) / queries,
            query=np.arange(queries),
            judge=np.zeros(0),
            worded=worded + 1,
        )
    return means, errors


def effects(errors: dict[str, CellErrors]) -> WordingEffects:
    found = wording_effects(errors, VALUE_OF, LEVEL_OF)
    assert found is not None
    return found


@pytest.mark.parametrize(("common", "own"), [(0.0, 0.0), (0.0, 1.0), (1.0, 0.6)])
def test_the_variance_between_wordings_is_found_again(common: float, own: float) -> None:
    found = [effects(study(seed, common, own)[1]) for seed in range(40)]
    truth = float(np.hypot(common, own))
    variance = np.array([one.sd.value**2 for one in found])
    assert variance.mean() == pytest.approx(truth**2, abs=0.08 + 0.2 * truth**2)
    inner = np.array([np.diag(one.own).mean() for one in found])
    outer = np.array([np.diag(one.common).mean() for one in found])
    # Eigenvalues below 0 are left out, which a variance near 0 gains a little by.
    assert inner.mean() == pytest.approx(own**2, abs=0.15 + 0.1 * own**2)
    assert outer.mean() == pytest.approx(common**2, abs=0.15 + 0.2 * common**2)
    if common == 0:
        assert np.mean([one.sd.lower <= truth <= one.sd.upper for one in found]) > 0.85


@pytest.mark.parametrize("wordings", [3, 5])
def test_errors_cover_the_mean_over_all_wordings_where_those_of_one_do_not(wordings: int) -> None:
    names = list(LEVEL_OF)
    inside: dict[str, list[Any]] = {"cell": [], "average": [], "without": []}
    for seed in range(100, 150):
        means, errors = study(seed, 0.7, 0.7, wordings)
        known = with_wordings(errors, VALUE_OF, LEVEL_OF, effects(errors))
        values = [VALUE_OF[name] for name in names]
        weight = np.array([np.sign(LEVEL_OF[name]) for name in names]) / len(VALUES)
        mean = np.array([means[name] for name in names])
        for told, which in ((errors, "without"), (known, "average")):
            covariance = cell_covariance([told[name] for name in names], values)
            inside[which].append(abs(weight @ mean) < 1.96 * np.sqrt(weight @ covariance @ weight))
        sd = np.sqrt(np.diag(covariance))
        inside["cell"].append(np.mean(np.abs(mean) < 1.96 * sd))
    assert 0.9 < np.mean(inside["cell"]) < 0.995
    assert np.mean(inside["average"]) > 0.88
    assert np.mean(inside["without"]) < 0.7


def test_a_wording_that_goes_further_is_told_with_its_error() -> None:
    errors = study(7, 0.0, 0.0)[1]
    for name, cell in errors.items():
        further = np.where(cell.worded == 2, 1.5, 0.0) * np.sign(LEVEL_OF[name])
        told = cell.influence + (further - further.mean()) / len(further)
        sd = float(np.sqrt(told @ told * len(told) / (len(told) - 1)))
        errors[name] = CellErrors(sd, told, cell.query, cell.judge, worded=cell.worded)
    strength = effects(errors).strength
    assert strength[2].lower < 1.0 < strength[2].upper
    assert strength[2].value > 3 * strength[2].se > 0
    assert sum(one.value for one in strength.values()) == pytest.approx(0, abs=1e-9)


def test_one_wording_has_no_effects() -> None:
    errors = study(3, 0.0, 0.0, wordings=1)[1]
    assert wording_effects(errors, VALUE_OF, LEVEL_OF) is None
