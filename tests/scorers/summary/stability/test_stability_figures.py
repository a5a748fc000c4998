"""Figures of a judge-stability study against numbers worked out by hand, and their intervals
against known truth."""

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest

from valueflow.scorers.summary.stability.judgements import read_judgements
from valueflow.scorers.summary.stability.study import StabilityStudy, figures_of, stability_of


def ratings(
    numbers: dict[tuple[str, str], list[float]], labels: list[float] | None = None
) -> Iterator[dict[str, object]]:
    for (judge, wording), given in numbers.items():
        for text, rating in enumerate(given):
            label = None if labels is None else labels[text]
            yield {
                "item": f"text {text}", "value": "power", "judge": judge, "wording": wording,
                "rating": rating, "label": label,
            }  # fmt: skip


def raw(study: StabilityStudy) -> dict[str, float]:
    return {one.name: one.figure.value for one in study.figures if one.scale == "raw"}


def test_figures_are_those_worked_out_by_hand() -> None:
    numbers = {
        ("A", "one"): [4.0, -2.0, 9.0],
        ("A", "two"): [6.0, 2.0, 9.0],
        ("B", "one"): [-4.0, -3.0, 7.0],
        ("B", "two"): [0.0, -3.0, 3.0],
    }
    found = raw(stability_of(read_judgements(ratings(numbers))))
    # Wording one: differences 8, 1, 2; wording two: 6, 5, 6. A variance of two is half a square.
    assert found["judge_variance"] == pytest.approx((64 + 1 + 4 + 36 + 25 + 36) / 2 / 6)
    assert found["judge_range"] == pytest.approx((8 + 1 + 2 + 6 + 5 + 6) / 6)
    # Opposite signs: text 0 in wording one, text 1 in wording two; 0 has no sign.
    assert found["sign_flips"] == pytest.approx(2 / 6)
    assert found["wording_change"] == pytest.approx((2 + 4 + 0 + 4 + 0 + 4) / 6)
    assert found["wording_sign_flips"] == pytest.approx(1 / 6)
    assert "sign_accuracy" not in found


def test_accuracies_count_ties_half_and_leave_out_labels_of_zero() -> None:
    numbers = {("A", "one"): [5.0, 5.0, -1.0, 0.0]}
    found = raw(stability_of(read_judgements(ratings(numbers, [8.0, 2.0, -6.0, 0.0]))))
    assert found["sign_accuracy"] == pytest.approx(1.0)
    assert found["pairwise_accuracy"] == pytest.approx((0.5 + 1 + 1 + 1 + 1 + 1) / 6)
    found = raw(stability_of(read_judgements(ratings(numbers, [8.0, 2.0, -6.0, -3.0]))))
    assert found["sign_accuracy"] == pytest.approx(3.5 / 4)
    assert found["deviation"] == pytest.approx((3 + 3 + 5 + 3) / 4)


def test_texts_of_different_values_are_not_compared() -> None:
    rows = [
        {"item": "a", "value": "power", "judge": "A", "wording": "one", "rating": 5, "label": -5},
        {"item": "b", "value": "security", "judge": "A", "wording": "one", "rating": 1, "label": 5},
    ]
    assert "pairwise_accuracy" not in raw(stability_of(read_judgements(rows)))


def test_a_text_that_one_judge_did_not_score_is_left_out_and_counted() -> None:
    rows = list(ratings({("A", "one"): [1.0, 2.0, 3.0], ("B", "one"): [2.0, 2.0, 2.0]}))
    rows[5] |= {"rating": None, "failure": "provider error"}
    study = stability_of(read_judgements(rows))
    assert raw(study)["judge_range"] == pytest.approx(0.5)
    assert study.left_out == {
        "provider error": 1,
        "texts that not every judge and wording scored (rating)": 1,
    }


def test_a_share_of_none_has_an_error_and_an_interval() -> None:
    numbers = {("A", "one"): [1.0] * 19 + [2.0], ("B", "one"): [3.0] * 20}
    study = stability_of(read_judgements(ratings(numbers)))
    flips = next(one.figure for one in study.figures if one.name == "sign_flips")
    assert (flips.value, flips.lower) == (0, 0)
    assert flips.se > 0.01
    assert 0.1 < flips.upper < 0.25


def test_judges_that_agree_to_the_last_digit_have_no_standard_error_of_zero() -> None:
    numbers = {("A", "one"): [1.0, 5.0, -2.0], ("B", "one"): [1.0, 5.0, -2.0]}
    study = stability_of(read_judgements(ratings(numbers)))
    variance = next(one.figure for one in study.figures if one.name == "judge_variance")
    assert variance.value == 0
    assert math.isnan(variance.se)


def truth_of(
    generator: np.random.Generator, texts: int, per_query: int
) -> tuple[dict[tuple[str, str], np.ndarray], np.ndarray, np.ndarray]:
    """Two judges in two wordings: label + view of the text by the judge + noise; texts of a query
    share a third of the judge's view."""
    cluster = np.arange(texts) // per_query
    labels = generator.uniform(-8, 8, texts)
    grid = {}
    for judge in "AB":
        shared = generator.normal(0, 1.5, cluster.max() + 1)[cluster]
        view = shared + generator.normal(0, 2.0, texts)
        for wording in ("one", "two"):
            grid[judge, wording] = labels + view + generator.normal(0, 1.0, texts)
    return grid, labels, cluster


def test_intervals_cover_the_truth_where_texts_share_queries() -> None:
    """Of 300 studies of 60 texts in 20 queries; the truth is that of 40,000 texts, and for pairs
    of texts of many studies together."""
    generator = np.random.default_rng(4)
    many = truth_of(generator, 40_000, 2)
    values = np.full(40_000, "power")
    small = [figures_of(*_with_values(truth_of(generator, 60, 3))) for _ in range(300)]
    some = np.arange(1_500)
    part = {asked: scores[some] for asked, scores in many[0].items()}
    truths = {
        name: one.value
        for name, one in figures_of(part, many[1][some], values[some], many[2][some]).items()
    }
    wide = {name: float(np.mean([found[name].value for found in small])) for name in truths}
    for name in ("judge_variance", "judge_range", "sign_flips", "wording_change", "sign_accuracy",
                 "pairwise_accuracy", "deviation", "correlation", "slope"):  # fmt: skip
        assert wide[name] == pytest.approx(truths[name], rel=0.12), name
        figures = [found[name].figure() for found in small]
        covered = np.mean([one.lower <= wide[name] <= one.upper for one in figures])
        assert 0.90 <= covered <= 0.99, (name, covered)
        errors = np.sqrt(np.mean([one.se**2 for one in figures]))
        spread = np.std([one.value for one in figures])
        assert errors == pytest.approx(spread, rel=0.2), name


def _with_values(study: tuple) -> tuple:
    grid, labels, cluster = study
    return grid, labels, np.full(len(labels), "power"), cluster


def test_the_variance_across_judges_is_that_of_their_views_and_noise() -> None:
    grid, _, _ = truth_of(np.random.default_rng(1), 20_000, 2)
    found = figures_of(
        grid,
        np.full(20_000, np.nan),
        np.full(20_000, "power"),
        np.arange(20_000),
    )
    assert found["judge_variance"].value == pytest.approx(1.5**2 + 2**2 + 1, rel=0.05)
    # The mean size of a difference of two noises of spread 1.
    assert found["wording_change"].value == pytest.approx(2 / math.sqrt(math.pi), rel=0.05)


def test_differences_of_ways_are_paired_by_text() -> None:
    """Two ways that share all of their error differ by nothing but the shift between them."""
    generator = np.random.default_rng(3)
    grid, labels, cluster = truth_of(generator, 60, 1)
    values = np.full(60, "power")
    one = figures_of(grid, labels, values, cluster)["judge_variance"]
    twice = figures_of({k: 2 * s for k, s in grid.items()}, labels, values, cluster)
    apart = twice["judge_variance"].without - 4 * one.without
    assert np.ptp(apart) < 1e-9


def test_pairs_within_a_study_are_counted_once_for_each_judge() -> None:
    labels = np.array([1.0, 2.0, 3.0, 4.0])
    scores = np.array([1.0, 3.0, 2.0, 4.0])
    found = figures_of({("A", "one"): scores}, labels, np.full(4, "power"), np.arange(4))[
        "pairwise_accuracy"
    ]
    agree = [
        (scores[i] < scores[j]) == (labels[i] < labels[j]) for i, j in combinations(range(4), 2)
    ]
    assert found.value == pytest.approx(np.mean(agree))
    # Leaving out text 1 takes the only pair that is in the wrong order along.
    assert found.without[1] == 1.0
