"""Composites beside direct steering, from cells whose means are given."""

import pytest

from tests.scorers.design_truth import at, given_cells
from valueflow.scorers.summary.designs.composites import CompositeSummary, composite_summaries

PARENTS = {"resources": "power", "dominance": "power"}


def composite(shares: dict[int, float], direct: bool = True) -> CompositeSummary:
    """The children move power by a share of the direct shift, which is 2 points per level."""
    means = {(at(), "power"): -1.0}
    for level, share in shares.items():
        means[at(resources=level, dominance=level), "power"] = -1 + 2 * level * share
        if direct:
            means[at(power=level), "power"] = -1 + 2.0 * level
    cells, joint = given_cells("composite", "power", means, parents=PARENTS)
    return composite_summaries(cells, joint)[0][0]


def test_children_that_do_half_have_half_the_size_and_every_direction() -> None:
    found = composite({-2: 0.5, -1: 0.5, 1: 0.5, 2: 0.5})
    assert found.children == ("resources", "dominance")
    assert [point.level for point in found.points] == [-2, -1, 1, 2]
    assert found.figures["relative_size"].value == pytest.approx(0.5)
    assert found.figures["direction_agreement"].value == 1
    assert found.figures["direction_agreement_direct"].value == 1


def test_children_that_push_the_other_way_at_one_level_of_two_agree_by_half() -> None:
    found = composite({-2: -0.5, 2: 1.0})
    assert found.figures["direction_agreement"].value == 0.5
    assert found.figures["relative_size"].value == pytest.approx(0.25)


def test_without_direct_steering_only_the_direction_is_told() -> None:
    found = composite({-2: 1.0, 2: 1.0}, direct=False)
    assert set(found.figures) == {"direction_agreement"}
    assert found.points[0].direct is None
