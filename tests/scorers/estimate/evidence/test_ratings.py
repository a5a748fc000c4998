"""A judge's scale is recovered from its ratings of the anchors, and misuse of it is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from simulated_windows import Judge, cells_of_responses, draw_anchors, simulate
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.evidence import ratings as module
from valueflow.scorers.estimate.evidence.ratings import (
    RatingFit,
    Ratings,
    fit_rating_judges,
)
from valueflow.scorers.estimate.evidence.value import ratings_of
from valueflow.scorers.estimate.table import WindowTable

RATER = Judge(1.2, text_sd=2.0, rating_level=1.5, rating_slope=0.8)


def rated_table(
    judge: Judge, seed: int = 0, *, windows: int = 2, pool: int = 200, reach: float = 9.5
) -> WindowTable:
    generator = np.random.default_rng(seed)
    anchors = draw_anchors(generator, judge, pool, reach)
    truth = cells_of_responses(generator, np.array([-5.0, 0.0, 5.0]), 40, 2.0)
    return simulate(generator, judge, truth, windows, anchors=anchors, rated=True)


def fit_of(table: WindowTable) -> RatingFit:
    return fit_rating_judges(ratings_of(table, np.arange(table.windows)), 1)


def several_values(
    levels: list[float], text: list[float], *, texts: int = 12, seed: int = 0
) -> Ratings:
    """Values with anchors of their own, each rated four times, and no response that tells."""
    generator = np.random.default_rng(seed)
    rating, intensity, key, value = [], [], [], []
    for code, (level, sd) in enumerate(zip(levels, text, strict=True)):
        s = generator.uniform(-9, 9, texts)
        view = level + 0.8 * (s + sd * generator.normal(size=texts))
        for _ in range(4 * texts // 5):
            chosen = generator.permutation(texts)[:5]
            seen = np.rint(np.clip(view[chosen] + 0.5 * generator.normal(size=5), -10, 10))
            rating.append([0.0, *seen])
            intensity.append(s[chosen])
            key.append(code * texts + chosen)
            value.append(code)
    windows = len(value)
    return Ratings(
        rating=np.array(rating),
        intensity=np.array(intensity),
        key=np.array(key),
        place=np.zeros((windows, 6)),
        item=np.arange(windows),
        value=np.array(value),
        step=1.0,
    )


@pytest.mark.parametrize("text_sd", [0.0, 2.0, 4.0])
def test_level_slope_disagreement_and_noise_are_recovered(text_sd: float) -> None:
    judge = fit_of(rated_table(replace(RATER, text_sd=text_sd))).judges[0]
    noise = 0.8 * np.pi / np.sqrt(6) / 1.2
    mean_noise = 0.8 * np.euler_gamma / 1.2  # Gumbel
    assert abs(judge.level - 1.5 - mean_noise) < 3 * judge.level_se + 0.1
    assert abs(judge.slope - 0.8) < 3 * judge.slope_se + 0.02
    assert abs(judge.text_sd - text_sd) < 0.6
    assert judge.noise_sd == pytest.approx(np.hypot(noise, 12**-0.5), rel=0.15)


def test_the_gradient_is_that_of_the_marginal_likelihood(monkeypatch: pytest.MonkeyPatch) -> None:
    ratings = several_values([0.0, 1.0, -1.0], [1.0, 2.0, 3.0])
    seen: list[float] = []
    maximise = module._Marginal.maximise

    def checked(
        self: module._Marginal, start: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], float]:
        at = start + 0.3 * np.sin(np.arange(len(start)))
        steps = 1e-5 * np.eye(len(at))
        numeric = [(self(at + h)[0] - self(at - h)[0]) / 2e-5 for h in steps]
        seen.append(float(np.abs(self(at)[1] - numeric).max()))
        return maximise(self, start)

    monkeypatch.setattr(module._Marginal, "maximise", checked)
    fit_rating_judges(ratings, 3)
    assert len(seen) >= 2
    assert max(seen) < 1e-5


def test_values_borrow_strength_and_keep_what_is_their_own() -> None:
    levels = [3.0, -1.0, 0.0, 1.0, 0.5, -0.5]
    ratings = several_values(levels, [2.0] * 5 + [4.0])
    judges = fit_rating_judges(ratings, 6).judges
    alone = [
        fit_rating_judges(
            replace(ratings.take(rows), value=np.zeros(len(rows), dtype=np.int64)), 1
        ).judges[0]
        for rows in (np.flatnonzero(ratings.value == code) for code in range(6))
    ]
    error = [one.slope - 0.8 for one in judges]
    assert np.square(error).mean() < np.square([one.slope - 0.8 for one in alone]).mean()
    assert judges[0].level == pytest.approx(3.0, abs=2 * judges[0].level_se)
    assert judges[5].text_sd > 1.3 * np.mean([one.text_sd for one in judges[:5]])


def test_a_value_without_ratings_has_the_judge_of_the_others() -> None:
    ratings = several_values([1.0, 1.0, 1.0], [2.0, 2.0, 2.0])
    judge = fit_rating_judges(ratings.take(np.flatnonzero(ratings.value < 2)), 3).judges[2]
    assert judge.texts == 0
    assert judge.slope == pytest.approx(0.8, abs=0.2)


def test_ratings_cut_off_at_the_ends_do_not_flatten_the_slope() -> None:
    """A judge of slope 1.6 gives 10 to every text above 6."""
    judge = Judge(3.0, text_sd=1.0, rating_slope=1.6)
    table = rated_table(judge)
    assert table.ratings is not None
    x, y = table.intensities.ravel(), table.ratings[:, 1:].ravel()
    naive = np.polyfit(x, y, 1)[0]
    assert naive < 1.4
    assert fit_of(table).judges[0].slope == pytest.approx(1.6, abs=0.1)


def test_a_bend_is_found_where_there_is_one_and_only_there() -> None:
    def half_as_sharp_below(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(x < 0, x / 2, x)

    bent = fit_of(rated_table(Judge(3.0, text_sd=1.0, view=half_as_sharp_below))).judges[0]
    assert bent.bent
    below, middle, above = bent.expected(np.array([-6.0, 0.0, 6.0]))
    assert (above - middle) / (middle - below) == pytest.approx(2.0, rel=0.25)
    straight = [fit_of(rated_table(RATER, seed)).judges[0].bent for seed in range(4)]
    assert not any(straight)


def test_a_higher_intensity_is_never_expected_to_be_rated_lower() -> None:
    table = rated_table(Judge(3.0, view=lambda x: 6 * np.tanh(x / 3)))
    expected = fit_of(table).judges[0].expected(np.linspace(-25, 25, 201))
    assert (np.diff(expected) > 0).all()


def test_lapses_are_found_and_weigh_nothing() -> None:
    table = rated_table(replace(RATER, text_sd=0.0, lapse_rate=0.2), windows=3)
    judge = fit_of(table).judges[0]
    assert judge.lapse_rate == pytest.approx(0.2, abs=0.06)
    assert judge.slope == pytest.approx(0.8, abs=0.05)


def test_ratings_repeated_to_the_letter_leave_an_error() -> None:
    table = rated_table(Judge(1e6, text_sd=2.0), windows=3)
    found = evaluate(table)
    assert min(item.se for item in found.items) > 0.2
    assert min(cell.se for cell in found.cells) > 0.1


def test_a_judge_that_rates_upside_down_is_told_so_and_not_believed() -> None:
    found = evaluate(rated_table(replace(RATER, rating_slope=-0.8)))
    assert any("upside down" in note for note in found.notes)
    assert max(abs(item.flat_prior) for item in found.items) < 1e-6


@pytest.mark.parametrize("constant", [10.0, 0.0])
def test_a_judge_that_rates_everything_alike_is_told_so_and_not_believed(constant: float) -> None:
    table = rated_table(RATER)
    assert table.ratings is not None
    found = evaluate(replace(table, ratings=np.full_like(table.ratings, constant)))
    assert any("do not follow the anchors" in note for note in found.notes)
    assert max(abs(item.flat_prior) for item in found.items) < 1e-6
    assert min(cell.se for cell in found.cells) > 1.0


def test_the_anchors_most_disagreed_with_are_listed() -> None:
    table = rated_table(replace(RATER, text_sd=0.0), pool=40)
    assert table.ratings is not None
    ratings = table.ratings.copy()
    odd = table.anchor_key == 7
    ratings[:, 1:][odd] = np.where(table.intensities[odd] > 0, -10.0, 10.0)
    key, intensity, mean, size = fit_of(replace(table, ratings=ratings)).judges[0].contradicting[0]
    assert key == 7
    assert mean * intensity < 0
    assert abs(size) > 6
