"""Krippendorff's alpha: published values, values worked out by hand, and its interval."""

import numpy as np
import pytest

from valueflow.scorers.summary.agreement import (
    _alpha,
    _sums,
    agreement,
    agreement_of_numbers,
    correlation_of_numbers,
)

NONE = None
PUBLISHED = [
    # The four observers and twelve units of Krippendorff (2011), "Computing Krippendorff's
    # Alpha-Reliability", section C; the last unit has one answer only.
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
    [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
]


def by_item(rows: list[list[int | None]]) -> dict[int, dict[str, int]]:
    return {
        unit: {f"r{i}": row[unit] for i, row in enumerate(rows) if row[unit] is not None}
        for unit in range(len(rows[0]))
    }


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("interval", 0.849)])
def test_the_published_example_comes_out(level, alpha) -> None:
    found = agreement(by_item(PUBLISHED), level)
    assert found.alpha == pytest.approx(alpha, abs=5e-4)
    assert (found.items, found.compared, found.reviewers, found.answers) == (12, 11, 4, 41)
    assert found.low < found.alpha < found.high <= 1


def test_two_reviewers_worked_out_by_hand() -> None:
    # Pairs (0, 0), (0, 2), (4, 4), (4, 4). Observed: 2 * 4 / 8 = 1. The values 0, 0, 0, 2, 4, 4,
    # 4, 4 have the squared differences 3*4 + 12*16 + 4*4 = 220 over unordered pairs, so the
    # expected disagreement is 2 * 220 / (8 * 7), and alpha is 1 - 56 / 440.
    pairs = {0: (0, 0), 1: (0, 2), 2: (4, 4), 3: (4, 4)}
    answers = {item: {"a": a, "b": b} for item, (a, b) in pairs.items()}
    assert agreement(answers, "interval").alpha == pytest.approx(1 - 56 / 440)
    # Nominal: observed 2 / 8; of 28 unordered pairs 3 + 12 + 4 = 19 differ: expected 38 / 56.
    assert agreement(answers, "nominal").alpha == pytest.approx(1 - (2 / 8) / (38 / 56))


def test_labels_of_any_kind_agree_in_full_or_not_at_all() -> None:
    same = {i: {"a": d, "b": d} for i, d in enumerate(["support", "oppose", "none"] * 5)}
    assert agreement(same, "nominal").alpha == 1
    crossed = {i: {"a": "support", "b": "oppose"} for i in range(20)}
    assert agreement(crossed, "nominal").alpha < 0


def test_the_sums_over_items_give_the_same_as_the_library() -> None:
    generator = np.random.default_rng(3)
    answers = {
        i: {r: int(generator.integers(-10, 11)) for r in "abc" if generator.random() < 0.7}
        for i in range(80)
    }
    paired = [list(by.values()) for by in answers.values() if len(by) > 1]
    domain = sorted({a for by in paired for a in by})
    table = np.array([[by.count(a) for a in domain] for by in paired])
    for level in ("interval", "nominal"):
        totals = _sums(table, domain, level).sum(axis=0)[None]
        assert _alpha(totals)[0] == pytest.approx(agreement(answers, level).alpha, abs=1e-12)


def test_the_interval_is_seeded_and_holds_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    alpha = 0.8  # the share of variance between items: spread 2 between, 1 within
    held = 0
    for _ in range(120):
        truth = generator.normal(0, 2, 60)
        answers = {i: {r: t + generator.normal(0, 1) for r in "ab"} for i, t in enumerate(truth)}
        found = agreement(answers, "interval", draws=200)
        held += found.low <= alpha <= found.high
    assert agreement(answers, "interval", seed=1) == agreement(answers, "interval", seed=1)
    assert 0.88 <= held / 120 <= 0.99


def test_what_cannot_be_computed_is_said() -> None:
    alone = agreement({0: {"a": 1}, 1: {"b": 2}, 2: {}}, "interval")
    assert (alone.alpha, alone.items, alone.compared) == (None, 2, 0)
    assert "two reviewers" in alone.note
    same = agreement({0: {"a": 1, "b": 1}, 1: {"a": 1, "b": 1}}, "interval")
    assert same.alpha is None
    assert "not defined" in same.note
    one = agreement({0: {"a": 1, "b": 2}}, "interval")
    assert (one.low, one.note) == (None, "one item gives no interval")


def test_numbers_of_any_precision_have_the_alpha_of_the_library() -> None:
    krippendorff = pytest.importorskip("krippendorff")
    generator = np.random.default_rng(4)
    numbers = generator.normal(0, 2, (60, 1)) + generator.normal(0, 1, (60, 3))
    numbers[generator.random((60, 3)) < 0.3] = np.nan
    found = agreement_of_numbers(numbers)
    library = krippendorff.alpha(reliability_data=numbers.T, level_of_measurement="interval")
    assert found.alpha == pytest.approx(library, abs=1e-12)
    assert found.compared == int(((~np.isnan(numbers)).sum(axis=1) > 1).sum())


def test_intervals_over_queries_hold_where_the_responses_of_a_query_are_alike() -> None:
    # Twenty queries of five responses each, which the query makes alike: intervals that drew
    # responses would be too narrow, those that draw queries are not. The correlation is that of
    # the variances: (4 + 1) / (4 + 1 + 1).
    generator = np.random.default_rng(6)
    query = np.repeat(np.arange(20), 5)
    rho, held, narrow = 5 / 6, {"alpha": 0, "r": 0}, 0
    for _ in range(100):
        truth = generator.normal(0, 2, 20)[query] + generator.normal(0, 1, 100)
        numbers = truth[:, None] + generator.normal(0, 1, (100, 2))
        found = agreement_of_numbers(numbers, query, draws=200)
        held["alpha"] += found.low <= rho <= found.high
        r = correlation_of_numbers(*numbers.T, query, draws=200)
        held["r"] += r.lower <= rho <= r.upper
        alone = agreement_of_numbers(numbers, draws=200)
        narrow += alone.low <= rho <= alone.high
    assert held["alpha"] >= 80
    assert held["r"] >= 80
    assert narrow < held["alpha"]


def test_correlations_are_those_of_numpy_and_need_three_items() -> None:
    generator = np.random.default_rng(7)
    x = generator.normal(size=30)
    y = 0.5 * x + generator.normal(size=30)
    y[3] = np.nan
    kept = ~np.isnan(y)
    expected = np.corrcoef(x[kept], y[kept])[0, 1]
    assert correlation_of_numbers(x, y).value == pytest.approx(expected)
    assert np.isnan(correlation_of_numbers(x[:3], y[1:4]).value)
    assert np.isnan(correlation_of_numbers(np.ones(9), np.arange(9.0)).value)
    none = agreement_of_numbers(np.array([[1.0, np.nan], [np.nan, 2.0]]))
    assert (none.alpha, none.compared) == (None, 0)
    with pytest.raises(ValueError, match="one cluster for each item"):
        agreement_of_numbers(np.zeros((3, 2)), np.zeros(2, dtype=np.int64))
