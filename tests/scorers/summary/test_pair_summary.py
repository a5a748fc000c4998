"""Figures of pairs, from cells whose means are given."""

import math
from dataclasses import replace

import pytest

from tests.scorers.design_truth import at, given_cells
from valueflow.scorers.figures import Figure
from valueflow.scorers.summary.designs.pairs import PairSummary, pair_summaries


def pair(
    means: dict[tuple[int, int], tuple[float, float]],
    singles: dict[tuple[int, int], tuple[float, float]] | None = None,
    se: float = 0.1,
) -> PairSummary:
    """Power and face with defaults (1, 2); `means` by levels, `singles` with one level 0."""
    cells = {(at(), "power"): 1.0, (at(), "face"): 2.0}
    for (first, second), (power, face) in {**(singles or {}), **means}.items():
        levels = {name: lv for name, lv in (("power", first), ("face", second)) if lv}
        cells |= {(at(**levels), "power"): power, (at(**levels), "face"): face}
    return pair_summaries(*given_cells("pair", "power&face", cells, se))[0][0]


def test_a_shift_along_the_intended_direction_has_cosine_1() -> None:
    point = pair({(2, 1): (5.0, 4.0)}).points[0]
    assert point.condition == "power+2&face+1"
    assert [figure.value for figure in point.shift] == [4.0, 2.0]
    assert point.figures["cosine"].value == pytest.approx(1)
    assert point.figures["length"].value == pytest.approx(math.sqrt(20))
    assert point.figures["along"].value == pytest.approx(math.sqrt(20))
    assert point.figures["dominance"].value == pytest.approx(0)


def test_a_pair_that_moves_at_right_angles_has_cosine_0_and_one_against_it_minus_1() -> None:
    found = pair({(2, 2): (4.0, -1.0), (-2, -2): (4.0, 5.0)})
    assert [p.figures["cosine"].value for p in found.points] == pytest.approx([0, -1], abs=1e-12)
    assert found.figures["cosine"].value == pytest.approx(-0.5)


def test_dominance_is_positive_where_the_first_value_prevails_up_or_down() -> None:
    found = pair({(2, 2): (6.0, 3.0), (-2, -2): (-4.0, 1.0), (2, -2): (6.0, 1.0)})
    assert all(p.figures["dominance"].value == pytest.approx(2.5 - 0.5) for p in found.points)


def test_effects_that_add_have_additivity_1_and_no_interaction() -> None:
    singles = {(2, 0): (5.0, 1.0), (0, 2): (0.5, 6.0)}
    adds = pair({(2, 2): (4.5, 5.0)}, singles).points[0].figures
    assert adds["additivity"].value == pytest.approx(1)
    assert adds["interaction_power"].value == pytest.approx(0)
    halves = pair({(2, 2): (2.75, 3.5)}, singles).points[0].figures
    assert halves["additivity"].value == pytest.approx(0.5)
    assert halves["retained_power"].value == pytest.approx(1.75 / 4)


def test_a_point_whose_single_effects_all_but_cancel_does_not_rule_a_pairs_additivity() -> None:
    singles = {(2, 0): (5.0, 2.0), (0, 2): (1.0, 6.0), (-2, 0): (0.9, 2.0), (0, -2): (1.0, 2.0999)}
    found = pair({(2, 2): (5.0, 6.0), (-2, -2): (0.5, 1.5)}, singles)
    assert found.points[0].figures["additivity"].value == pytest.approx(1)
    assert abs(found.points[1].figures["additivity"].value) > 100
    # (8 + 1) of 8 points in the intended direction, over the square root of 2 each.
    assert found.figures["additivity"].value == pytest.approx(9 / 8, rel=1e-4)


def test_without_single_conditions_nothing_is_said_of_additivity() -> None:
    figures = pair({(2, 2): (4.5, 5.0)}).points[0].figures
    assert not any(name.startswith(("additivity", "interaction", "retained")) for name in figures)


def test_the_error_of_a_linear_figure_is_the_closed_form() -> None:
    figures = pair({(2, 2): (4.0, 6.0)}, se=0.3).points[0].figures
    # Four independent means, each with weight 1/sqrt(2).
    assert figures["along"].se == pytest.approx(0.3 * math.sqrt(2), rel=0.04)


def test_the_direction_of_a_shift_that_is_all_noise_is_not_known() -> None:
    sure = pair({(2, 2): (5.0, 6.0)}, se=0.1).points[0].figures["cosine"]
    noise = pair({(2, 2): (1.01, 2.01)}, se=0.5).points[0].figures["cosine"]
    assert sure.se < 0.01
    assert noise.se > 0.5


def test_two_children_of_one_parent_make_a_pair_of_one_dimension() -> None:
    parents = {"resources": "power", "dominance": "power"}
    targets = at(resources=2, dominance=2)
    means = {(at(), "power"): 1.0, (targets, "power"): 4.0}
    found = pair_summaries(*given_cells("pair", "resources&dominance", means, parents=parents))
    summary = found[0][0]
    assert summary.one_dimensional
    assert summary.points[0].figures["along"].value == pytest.approx(3)
    assert "cosine" not in summary.points[0].figures
    # It would drown the directions of true pairs.
    assert not found[1]


def test_a_condition_without_scores_is_left_out_and_the_rest_kept() -> None:
    cells, joint = given_cells(
        "pair",
        "power&face",
        {
            (at(), "power"): 1.0,
            (at(), "face"): 2.0,
            (at(power=2, face=2), "power"): 4.0,
            (at(power=2, face=2), "face"): 4.0,
            (at(power=1, face=2), "power"): 3.0,
            (at(power=1, face=2), "face"): 4.0,
        },
    )
    lost = "power+1&face+2 | face/+2"
    kept = {name: i for name, i in joint.index.items() if name != lost}
    summary = pair_summaries(cells, replace(joint, index=kept))[0][0]
    assert [point.condition for point in summary.points] == ["power+2&face+2"]


def test_an_error_that_is_not_known_gives_the_figure_without_one() -> None:
    cells, joint = given_cells(
        "pair",
        "power&face",
        {
            (at(), "power"): 1.0,
            (at(), "face"): 2.0,
            (at(power=2, face=2), "power"): 4.0,
            (at(power=2, face=2), "face"): 4.0,
        },
    )
    unknown = [replace(joint.errors[0], sd=math.inf), *joint.errors[1:]]
    summary = pair_summaries(cells, replace(joint, errors=unknown))[0][0]
    figure = summary.points[0].figures["along"]
    assert isinstance(figure, Figure)
    assert figure.value > 0
    assert math.isnan(figure.se)
