"""A judge whose view of the scale bends is found from the anchors, and only on evidence."""

from __future__ import annotations

import numpy as np
import pytest

from simulated_windows import Judge, cells_of_responses, draw_anchors, simulate
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.evidence import bend as bends
from valueflow.scorers.estimate.evidence.bend import STRAIGHT, bend_told, seen_at
from valueflow.scorers.estimate.judge import fit_judges
from valueflow.scorers.estimate.likelihood import read_orders
from valueflow.scorers.estimate.table import WindowTable


def half_below(intensity: np.ndarray) -> np.ndarray:
    """x where it supports, x / 2 where it opposes: 3/4 of x + 1/3 * |x|."""
    return np.where(intensity > 0, intensity, intensity / 2)


def windows(
    seed: int, judge: Judge, texts: int, each: int = 100, windows_each: int = 1
) -> WindowTable:
    """Five triples of cells at 0, 4 and -4, the last the mirror image of the second."""
    generator = np.random.default_rng(seed)
    up = cells_of_responses(generator, np.full(5, 4.0), each, 2.0)
    middle = cells_of_responses(generator, np.zeros(5), each, 2.0)
    truth = np.stack([middle, up, -up], axis=1).reshape(15, each)
    anchors = draw_anchors(generator, judge, texts)
    return simulate(generator, judge, truth, windows_each, anchors=anchors)


def asymmetry(table: WindowTable) -> float:
    default, up, down = (
        np.array([cell.intensity for cell in evaluate(table).cells]).reshape(-1, 3).T
    )
    return float((np.abs(up - default) - np.abs(down - default)).mean())


def test_a_judge_half_as_sharp_on_one_side_makes_no_asymmetry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = windows(3, Judge(0.3, view=half_below), 2000, windows_each=3)
    assert abs(asymmetry(table)) < 0.5
    monkeypatch.setattr(bends, "LEAST_GAIN", np.inf)
    assert asymmetry(table) > 1.0


def test_a_bend_is_found_within_its_error_and_told() -> None:
    table = windows(1, Judge(1.2, text_sd=1.0, view=half_below), 2000, 60)
    found = evaluate(table)
    model = found.judges["value"]
    error = np.sqrt(np.diag(model.bend_covariance))
    assert (error > 0).all()
    assert (error < 0.2).all()
    assert (np.abs(np.array(model.bend) - [1 / 3, 0]) < 3 * error).all()
    assert any("through this bend" in note for note in found.notes)


@pytest.mark.parametrize(("text_sd", "texts"), [(0.0, 2000), (3.9, 44)])
def test_a_straight_judge_is_left_straight(text_sd: float, texts: int) -> None:
    """44 texts seen elsewhere than they are look like a bend to all but the marginal likelihood."""
    for seed in range(2):
        orders = read_orders(windows(seed, Judge(1.2, text_sd=text_sd), texts, 20))
        model = fit_judges([orders], texts)[0].model
        assert model.bend == STRAIGHT
        assert model.bend_covariance == ((0.0, 0.0), (0.0, 0.0))


def test_what_chance_does_to_few_texts_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bends, "LEAST_SCORE", 0.0)
    orders = read_orders(windows(0, Judge(1.2, text_sd=3.9), 44, 60))
    told = bend_told([(orders, 0.35, 0.0)])
    assert told is not None
    assert told.gain > 10
    assert fit_judges([orders], 44)[0].model.bend == STRAIGHT


def test_derivatives_agree_with_finite_differences() -> None:
    orders = read_orders(windows(0, Judge(1.0, view=half_below), 300, 10))
    value, at, step = bends._Value(orders, 0.1), np.array([0.2, 0.1, -0.05]), 1e-5
    _, slope, information = value.at(at[0], at[1:])
    for index in range(3):
        move = step * np.eye(3)[index]
        more, less = (value.at(x[0], x[1:]) for x in (at + move, at - move))
        assert (more[0] - less[0]) / (2 * step) == pytest.approx(slope[index], rel=1e-4)
    assert (np.linalg.eigvalsh(information) > 0).all()


def test_a_higher_intensity_is_never_seen_lower() -> None:
    x = np.linspace(-14, 14, 200)
    for bend in ((0.9, 0.0), (-0.8, 0.9), (0.0, -2.0)):
        kept = bends._monotone(np.array(bend))
        assert (np.diff(seen_at(x, (float(kept[0]), float(kept[1])))) > 0).all()
