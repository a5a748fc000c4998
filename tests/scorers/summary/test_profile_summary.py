"""Figures of profiles, from cells whose means are given."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from tests.scorers.design_truth import at, given_cells
from valueflow.scorers.estimate.covariance import JointCells
from valueflow.scorers.figures import Figure
from valueflow.scorers.summary.cells import CellSummary
from valueflow.scorers.summary.designs.profiles import (
    ProfileSummary,
    profile_parts,
    profile_summaries,
)

ASKED = {"benevolence": 8.0, "power": -7.0, "hedonism": 3.0, "security": 0.0}
TARGETS = at(benevolence=2, power=-2, hedonism=1)


def cells_of(
    measured: Mapping[str, float], default: float = 1.0, se: float = 0.02
) -> tuple[list[CellSummary], JointCells]:
    """A profile's cells with these means, and a default of the same values."""
    means = {(at(), value): default for value in measured}
    means |= {(TARGETS, value): mean for value, mean in measured.items()}
    cells, joint = given_cells("profile", "anna", means, se)
    return [
        replace(cell, asked=ASKED.get(cell.value, math.nan)) if cell.targets else cell
        for cell in cells
    ], joint


def profile(measured: Mapping[str, float], default: float = 1.0) -> ProfileSummary:
    return profile_summaries(*cells_of(measured, default))[0][0]


def number(summary: ProfileSummary, name: str) -> float:
    return summary.figures[name].value


def test_measured_as_asked_is_no_distance_and_a_full_rank_correlation() -> None:
    found = profile(ASKED)
    assert number(found, "distance") < 0.02
    assert number(found, "rank_correlation") == pytest.approx(1)
    assert number(found, "sign_share") == 1
    assert "leak" in found.figures


def test_distance_is_the_root_mean_square_over_the_values_that_are_known() -> None:
    measured = {value: asked + 3 for value, asked in ASKED.items()} | {"face": -9.0}
    found = profile(measured)
    assert number(found, "distance") == pytest.approx(3, abs=0.01)
    away = math.sqrt(np.mean([(1 - asked) ** 2 for asked in ASKED.values()]))
    assert number(found, "distance_default") == pytest.approx(away, abs=0.01)
    assert number(found, "nearer") == pytest.approx(away - 3, abs=0.02)


def test_leak_is_the_shift_of_values_that_the_prompt_does_not_name() -> None:
    # Security is asked to be 0 and so not named; face is not known to the profile at all.
    found = profile({**ASKED, "security": 2.0, "face": 1.0})
    assert number(found, "leak") == pytest.approx(math.sqrt((1**2 + 0**2) / 2), abs=0.01)
    named = profile({value: ASKED[value] for value in ("benevolence", "power", "hedonism")})
    assert "leak" not in named.figures


def test_signs_count_values_asked_for_on_a_side_and_ranks_can_be_upside_down() -> None:
    found = profile({value: -asked for value, asked in ASKED.items()})
    assert number(found, "sign_share") == 0
    assert number(found, "rank_correlation") == pytest.approx(-1)
    half = profile({"benevolence": 5.0, "power": 5.0, "security": -5.0})
    assert number(half, "sign_share") == 0.5


def test_no_share_has_an_error_of_nothing() -> None:
    for figure in profile(ASKED).figures.values():
        assert figure.se > 0


def test_a_value_without_a_ranking_is_named_and_left_out() -> None:
    cells, joint = cells_of(ASKED)
    (power,) = [cell.cell for cell in cells if cell.value == "power" and cell.targets]
    which = {name: i for name, i in joint.index.items() if name != power}
    (found,), _ = profile_summaries(cells, replace(joint, index=which))
    assert found.missing == ("power",)
    assert [point.value for point in found.points] == ["benevolence", "hedonism", "security"]


def test_errors_of_the_means_do_not_make_the_distance_larger() -> None:
    """Truth 5 points from what is asked; measured with a standard error of 3."""
    generator = np.random.default_rng(7)
    corrected, plain = [], []
    for _ in range(20):
        drawn = generator.normal(0, 3, len(ASKED))
        # Each error with its opposite, so that what is left is what errors do on average.
        for noise in (drawn, -drawn):
            measured = {v: a + 5 + e for (v, a), e in zip(ASKED.items(), noise, strict=True)}
            cells, joint = cells_of(measured, se=3)
            (parts,) = profile_parts(cells, joint).values()
            names, function = parts["distance"]
            means = joint.mean[[joint.index[name] for name in names]]
            corrected.append(float(function(means)[0]) ** 2)
            plain.append(float(np.mean((5 + noise) ** 2)))
    # 80 squares of errors, each 9 on average.
    error = 9 * math.sqrt(2 / 80)
    assert abs(np.mean(corrected) - 25) < 3 * error
    assert np.mean(plain) - 25 > 4 * error


def test_several_profiles_are_averaged_and_those_of_equal_targets_kept_apart() -> None:
    cells, joint = cells_of(ASKED)
    names = {c.cell: f"ben{c.cell}" for c in cells if c.targets}
    twin = [
        replace(c, part_of="ben", cell=names[c.cell], asked=c.asked + 2) for c in cells if c.targets
    ]
    both = JointCells(
        {**joint.index, **{names[c]: len(joint.index) + i for i, c in enumerate(names)}},
        np.concatenate([joint.mean, [joint.mean[joint.index[c]] for c in names]]),
        [*joint.errors, *(joint.errors[joint.index[c]] for c in names)],
        [*joint.values, *(c.value for c in twin)],
    )
    found, overall = profile_summaries([*cells, *twin], both)
    assert [one.name for one in found] == ["anna", "ben"]
    assert number(found[1], "distance") == pytest.approx(2, abs=0.01)
    assert overall["distance"].value == pytest.approx(
        (number(found[0], "distance") + number(found[1], "distance")) / 2, abs=0.01
    )
    assert isinstance(overall["distance"], Figure)


def test_runs_have_in_common_only_profiles_that_ask_the_same() -> None:
    cells, joint = cells_of(ASKED)
    higher = [replace(cell, asked=cell.asked + 1) for cell in cells]
    (one,), (again,), (other,) = (profile_parts(c, joint) for c in (cells, list(cells), higher))
    assert one == again
    assert one != other
    assert one.startswith("anna ")
