"""The large ranking fit, against known truth, closed forms and a plain-loop likelihood."""

import subprocess
import sys
from itertools import permutations
from math import factorial, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valueflow.scorers.database.ranking.fit import fit_rankings, ranking_log_likelihood


def plain_log_likelihood(utilities, ranking, stated=None):
    """Plackett-Luce written down stage by stage."""
    total = 0.0
    for place in range(len(ranking) - 1 if stated is None else min(stated, len(ranking) - 1)):
        left = [utilities[text] for text in ranking[place:]]
        total += left[0] - log(sum(np.exp(left)))
    return total


def draw_rankings(utilities, sizes, generator):
    """One ranking of random texts for each size, drawn from the model."""
    rankings = []
    for size in sizes:
        texts = generator.choice(utilities.size, size=size, replace=False)
        noisy = utilities[texts] + generator.gumbel(size=size)
        rankings.append(texts[np.argsort(-noisy)].tolist())
    return rankings


def draw_pairs(utilities, rounds, generator):
    """Every text in ``rounds`` pairs, as an array with the winner first."""
    shuffled = [generator.permutation(utilities.size) for _ in range(rounds)]
    pairs = np.concatenate(shuffled).reshape(-1, 2)
    difference = utilities[pairs[:, 0]] - utilities[pairs[:, 1]]
    lost = difference + generator.logistic(size=difference.size) < 0
    pairs[lost] = pairs[lost, ::-1]
    return pairs


@pytest.fixture(scope="module")
def mixed():
    generator = np.random.default_rng(1)
    truth = generator.normal(size=25)
    return truth, draw_rankings(truth, generator.integers(2, 11, size=150), generator)


class TestLikelihood:
    def test_equals_the_definition_for_mixed_lengths(self, mixed):
        truth, rankings = mixed
        expected = sum(plain_log_likelihood(truth, ranking) for ranking in rankings)
        assert ranking_log_likelihood(truth, rankings) == pytest.approx(expected, rel=1e-12)

    def test_stops_after_the_stated_places(self, mixed):
        truth, rankings = mixed
        stated = [1 + number % len(ranking) for number, ranking in enumerate(rankings)]
        expected = sum(map(plain_log_likelihood, [truth] * len(rankings), rankings, stated))
        actual = ranking_log_likelihood(truth, rankings, stated=stated)
        assert actual == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize(
        ("places", "tied"),
        [
            ([1, 1, 3, 4, 5], slice(0, 2)),
            ([1, 2, 2, 2, 5], slice(1, 4)),
            ([1, 2, 3, 3, 3], slice(2, 5)),
            ([1, 1, 1, 1, 1], slice(0, 5)),
        ],
    )
    def test_a_tie_is_the_mean_over_all_orders_of_the_tied_texts(self, places, tied):
        utilities = np.array([0.3, -1.0, 2.0, 0.1, -0.4])
        ranking = [2, 0, 4, 1, 3]
        orders = []
        for order in permutations(ranking[tied]):
            orders.append([*ranking[: tied.start], *order, *ranking[tied.stop :]])
        expected = np.mean([plain_log_likelihood(utilities, order) for order in orders])
        actual = ranking_log_likelihood(utilities, [ranking], places=[places])
        assert actual == pytest.approx(expected, rel=1e-12)

    def test_a_draw_is_half_a_win_for_each_side(self):
        utilities = np.array([1.2, 0.2])
        draw = ranking_log_likelihood(utilities, [[0, 1]], places=[[1, 1]])
        halves = ranking_log_likelihood(utilities, [[0, 1], [1, 0]], weights=[0.5, 0.5])
        assert draw == pytest.approx(halves, rel=1e-12)

    def test_stays_finite_at_extreme_utilities(self):
        value = ranking_log_likelihood([5000.0, 0.0, -5000.0], [[0, 1, 2], [2, 1, 0]])
        assert np.isfinite(value)

    def test_utilities_must_be_finite(self):
        with pytest.raises(ValueError, match="finite"):
            ranking_log_likelihood([0.0, np.nan], [[0, 1]])


class TestEstimate:
    @pytest.mark.parametrize("ridge", [0.0, 0.01, 1.0])
    def test_two_texts_have_the_closed_form_of_bradley_and_terry(self, ridge):
        fit = fit_rankings([[0, 1], [1, 0]], 2, weights=[3, 1], ridge=ridge)
        gap = fit.utilities[0] - fit.utilities[1]
        # Stationary point in the gap: 3 - 4 / (1 + exp(-gap)) = ridge * gap / 2.
        assert 3 - 4 / (1 + np.exp(-gap)) == pytest.approx(ridge * gap / 2, abs=1e-7)
        if ridge == 0:
            assert gap == pytest.approx(log(3), abs=1e-7)
            # Information 4 * 3/4 * 1/4 on the gap; each utility is half the gap.
            assert fit.standard_errors == pytest.approx(np.sqrt(4 / 3) / 2, rel=1e-6)

    @pytest.mark.parametrize("ridge", [0.0, 0.1])
    def test_the_gradient_vanishes_at_the_solution(self, mixed, ridge):
        _, rankings = mixed
        places = [[*range(len(ranking) - 1), len(ranking) - 2] for ranking in rankings]
        fit = fit_rankings(rankings, 25, places=places, ridge=ridge)
        assert fit.converged

        def objective(utilities):
            value = ranking_log_likelihood(utilities, rankings, places=places)
            return value - ridge / 2 * np.sum(utilities**2)

        for text in range(25):
            step = np.zeros(25)
            step[text] = 1e-5
            slope = objective(fit.utilities + step) - objective(fit.utilities - step)
            assert slope / 2e-5 == pytest.approx(0, abs=1e-5)

    def test_the_solution_is_centred(self, mixed):
        assert fit_rankings(mixed[1], 25).utilities.mean() == pytest.approx(0, abs=1e-12)

    def test_truth_is_recovered_with_much_data(self):
        generator = np.random.default_rng(2)
        truth = generator.normal(size=30)
        rankings = draw_rankings(truth, [6] * 4000, generator)
        fit = fit_rankings(rankings, 30, ridge=0)
        assert fit.utilities == pytest.approx(truth - truth.mean(), abs=0.15)

    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 10**6), order=st.permutations(range(12)))
    def test_permuting_the_texts_permutes_the_utilities(self, seed, order):
        generator = np.random.default_rng(seed)
        rankings = draw_rankings(np.zeros(12), [2, 3, 5, 8, 4], generator)
        plain = fit_rankings(rankings, 12, ridge=0.1)
        renamed = [[order[text] for text in ranking] for ranking in rankings]
        other = fit_rankings(renamed, 12, ridge=0.1)
        assert other.utilities[order] == pytest.approx(plain.utilities, abs=1e-6)
        assert other.standard_errors[order] == pytest.approx(plain.standard_errors, abs=1e-6)

    def test_a_weight_equals_repetition(self, mixed):
        _, rankings = mixed
        counts = np.arange(len(rankings)) % 3
        repeated = [r for r, count in zip(rankings, counts, strict=True) for _ in range(count)]
        weighted = fit_rankings(rankings, 25, weights=counts)
        again = fit_rankings(repeated, 25)
        assert weighted.utilities == pytest.approx(again.utilities, abs=1e-7)
        assert weighted.standard_errors == pytest.approx(again.standard_errors, rel=1e-6)
        assert weighted.log_likelihood == pytest.approx(again.log_likelihood, rel=1e-9)

    def test_padded_rows_equal_nested_rows(self, mixed):
        _, rankings = mixed
        padded = np.full((len(rankings), 10), -1)
        for row, ranking in enumerate(rankings):
            padded[row, : len(ranking)] = ranking
        nested = fit_rankings(rankings, 25)
        assert np.array_equal(fit_rankings(padded, 25).utilities, nested.utilities)

    def test_ties_are_symmetric(self):
        rankings = [[0, 1, 2, 3], [3, 2, 1, 0], [4, 0, 1, 2, 3]]
        places = [[1, 2, 2, 4], [1, 2, 2, 4], [1, 2, 2, 2, 2]]
        swapped = [[0, 2, 1, 3], [3, 1, 2, 0], [4, 3, 0, 2, 1]]
        fit = fit_rankings(rankings, 5, places=places)
        assert fit.utilities[1] == pytest.approx(fit.utilities[2], abs=1e-9)
        other = fit_rankings(swapped, 5, places=places)
        assert other.utilities == pytest.approx(fit.utilities, abs=1e-9)

    def test_a_tie_equals_all_orders_at_equal_weight(self):
        others = [[0, 3], [3, 1], [2, 0]]
        tied = fit_rankings(
            [[3, 0, 1, 2], *others], 4, places=[[1, 2, 2, 2], [1, 2], [1, 2], [1, 2]]
        )
        orders = [[3, *order] for order in permutations([0, 1, 2])]
        weights = [1 / factorial(3)] * 6 + [1.0] * 3
        spelled = fit_rankings([*orders, *others], 4, weights=weights)
        assert tied.utilities == pytest.approx(spelled.utilities, abs=1e-7)
        assert tied.standard_errors == pytest.approx(spelled.standard_errors, rel=1e-7)

    def test_the_iterative_solver_agrees_with_the_dense_one(self, monkeypatch):
        generator = np.random.default_rng(3)
        pairs = draw_pairs(generator.normal(size=200), 8, generator)
        dense = fit_rankings(pairs, 200)
        monkeypatch.setattr("valueflow.scorers.database.ranking.fit.DENSE_STEPS", 0)
        iterative = fit_rankings(pairs, 200)
        assert iterative.utilities == pytest.approx(dense.utilities, abs=1e-6)

    def test_a_long_chain_of_comparisons_converges(self):
        generator = np.random.default_rng(4)
        left = np.repeat(np.arange(2999), 6)
        pairs = np.column_stack([left, left + 1])
        lost = generator.random(left.size) < 0.5
        pairs[lost] = pairs[lost, ::-1]
        fit = fit_rankings(pairs, 3000, ridge=1e-4, standard_errors="none")
        assert fit.converged
        # On a chain without a ridge, neighbours differ by the log odds of their own comparisons.
        wins = np.bincount(left[~lost], minlength=2999)
        inside = np.flatnonzero((wins > 0) & (wins < 6))
        fit = fit_rankings(pairs, 3000, ridge=0, standard_errors="none")
        same = inside[fit.component[inside] == fit.component[inside + 1]]
        gaps = fit.utilities[same] - fit.utilities[same + 1]
        assert same.size > 2000
        assert gaps == pytest.approx(np.log(wins[same] / (6 - wins[same])), abs=1e-5)

    def test_too_few_steps_are_reported(self, mixed):
        fit = fit_rankings(mixed[1], 25, max_iterations=1)
        assert not fit.converged
        assert any("not converged" in note for note in fit.notes)


class TestComponents:
    def test_disconnected_texts_are_reported_and_centred_apart(self):
        one = [[0, 1, 2], [2, 1, 0], [1, 0]]
        fit = fit_rankings([*one, [3, 4], [4, 3], [3, 4]], 6)
        assert fit.component[0] == fit.component[1] == fit.component[2]
        assert fit.component[3] == fit.component[4]
        assert np.unique(fit.component).size == 3  # text 5 was never compared
        assert fit.utilities[:3].sum() == pytest.approx(0, abs=1e-9)
        assert fit.utilities[3:5].sum() == pytest.approx(0, abs=1e-9)
        assert any("2 components that share no comparison" in note for note in fit.notes)
        assert any("1 of 6 texts appear in no ranking" in note for note in fit.notes)
        alone = fit_rankings(one, 3)
        assert fit.utilities[:3] == pytest.approx(alone.utilities, abs=1e-7)
        assert fit.standard_errors[:3] == pytest.approx(alone.standard_errors, rel=1e-7)

    def test_a_text_that_was_never_compared_has_the_error_of_the_prior(self):
        fit = fit_rankings([[0, 1], [1, 0]], 3, ridge=0.25)
        assert fit.utilities[2] == 0
        assert fit.standard_errors[2] == pytest.approx(2.0)

    def test_a_text_that_always_wins_is_finite_under_a_ridge_and_reported(self):
        rankings = [[0, 1, 2], [0, 2, 1], [1, 2, 3], [2, 1, 3]]
        fit = fit_rankings(rankings, 4)
        assert np.isfinite(fit.utilities).all()
        assert np.argmax(fit.utilities) == 0
        assert np.argmin(fit.utilities) == 3
        assert fit.strong_component[1] == fit.strong_component[2]
        assert np.unique(fit.strong_component).size == 3
        assert any("1 texts always came first, 1 always last" in note for note in fit.notes)

    def test_without_a_ridge_strong_components_are_fitted_apart(self):
        below = [[1, 2], [1, 2], [2, 1]]
        fit = fit_rankings([[0, 1, 2], [0, 2, 1], *below], 3, ridge=0)
        # The choices inside the lower component: texts 1 and 2 placed 3 times and twice first.
        assert np.isnan(fit.utilities[0])
        assert np.isnan(fit.standard_errors[0])
        assert fit.utilities[1] - fit.utilities[2] == pytest.approx(log(3 / 2), abs=1e-7)
        assert fit.component[0] != fit.component[1]

    def test_the_limit_of_a_vanishing_ridge_is_the_fit_without_one(self):
        generator = np.random.default_rng(5)
        rankings = draw_rankings(np.linspace(-9, 9, 14), [4] * 40, generator)
        plain = fit_rankings(rankings, 14, ridge=0)
        small = fit_rankings(rankings, 14, ridge=1e-9, tolerance=1e-12)
        assert np.unique(plain.component).size > 1
        for part in np.unique(plain.component):
            texts = plain.component == part
            if texts.sum() > 1:
                expected = small.utilities[texts] - small.utilities[texts].mean()
                assert plain.utilities[texts] == pytest.approx(expected, abs=1e-4)
        assert plain.log_likelihood == pytest.approx(small.log_likelihood, abs=1e-4)

    def test_nothing_to_estimate_without_a_ridge_is_an_error(self):
        with pytest.raises(ValueError, match="ridge=0 has no estimate"):
            fit_rankings([[0, 1, 2]], 3, ridge=0)

    def test_unstated_texts_are_joined_to_the_graph(self):
        fit = fit_rankings([[0, 1, 2]], 3, stated=[1])
        assert np.unique(fit.component).size == 1
        assert fit.utilities[1] == pytest.approx(fit.utilities[2], abs=1e-12)


class TestStandardErrors:
    @pytest.mark.parametrize("ridge", [0.1, 0.001])
    def test_sampled_errors_are_near_the_dense_inverse(self, ridge):
        generator = np.random.default_rng(6)
        pairs = draw_pairs(generator.normal(size=1000), 10, generator)
        dense = fit_rankings(pairs, 1000, ridge=ridge, standard_errors="dense")
        sampled = fit_rankings(pairs, 1000, ridge=ridge, standard_errors="sampled")
        ratio = sampled.standard_errors / dense.standard_errors
        assert np.sqrt(np.mean((ratio - 1) ** 2)) < 0.03
        assert abs(ratio.mean() - 1) < 0.003  # no bias
        assert np.abs(ratio - 1).max() < 0.15

    def test_sampled_errors_hold_for_components_and_no_ridge(self):
        generator = np.random.default_rng(7)
        blocks = [draw_rankings(np.zeros(40), [3] * 300, generator) for _ in range(2)]
        shifted = [[text + 40 for text in ranking] for ranking in blocks[1]]
        both = [*blocks[0], *shifted]
        dense = fit_rankings(both, 80, ridge=0, standard_errors="dense")
        sampled = fit_rankings(both, 80, ridge=0, standard_errors="sampled", probes=2000)
        assert sampled.standard_errors == pytest.approx(dense.standard_errors, rel=0.02)

    def test_dense_errors_match_the_inverse_of_a_numerical_hessian(self):
        generator = np.random.default_rng(8)
        rankings = draw_rankings(np.zeros(5), [4] * 40, generator)
        fit = fit_rankings(rankings, 5, ridge=0.05)

        def at(*steps):
            moved = fit.utilities.copy()
            for text, step in steps:
                moved[text] += step
            return ranking_log_likelihood(moved, rankings) - 0.025 * np.sum(moved**2)

        step = 1e-3
        hessian = np.empty((5, 5))
        for i in range(5):
            for j in range(5):
                corners = [at((i, a), (j, b)) for a in (step, -step) for b in (step, -step)]
                hessian[i, j] = np.dot(corners, [1, -1, -1, 1]) / (4 * step**2)
        centring = np.eye(5) - 1 / 5
        covariance = centring @ np.linalg.inv(-hessian) @ centring
        assert fit.standard_errors == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-4)

    def test_intervals_cover_the_truth(self):
        generator = np.random.default_rng(9)
        inside = []
        for _ in range(60):
            truth = generator.normal(size=60)
            pairs = draw_pairs(truth, 40, generator)
            fit = fit_rankings(pairs, 60, ridge=1.0)  # the prior that the truth is drawn from
            error = fit.utilities - (truth - truth.mean())
            inside.append(np.abs(error) < 1.96 * fit.standard_errors)
        # 3600 intervals, correlated within a fit: the binomial error of 0.4% is a lower bound.
        assert np.mean(inside) == pytest.approx(0.95, abs=0.015)

    def test_the_same_seed_gives_the_same_errors(self, mixed):
        first, again, other = (
            fit_rankings(mixed[1], 25, standard_errors="sampled", seed=seed) for seed in (1, 1, 2)
        )
        assert np.array_equal(first.standard_errors, again.standard_errors)
        assert not np.array_equal(first.standard_errors, other.standard_errors)

    def test_they_can_be_left_out(self, mixed):
        assert fit_rankings(mixed[1], 25, standard_errors="none").standard_errors is None


BAD_INPUT = [
    ("no rankings", {"rankings": []}),
    ("no rankings", {"rankings": np.empty((0, 2), dtype=int)}),
    ("ranking 1 has 1 text", {"rankings": [[0, 1], [2]]}),
    ("ranking 0 has 0 text", {"rankings": [[]]}),
    ("names text 3, outside 0 to 2", {"rankings": [[0, 1], [1, 3]]}),
    ("names text -2", {"rankings": [[0, -2]]}),
    ("names text 1 more than once", {"rankings": [[0, 2], [1, 2, 1]]}),
    ("whole numbers", {"rankings": [[0, 1.5]]}),
    ("whole numbers", {"rankings": np.array([[0.0, 1.0]])}),
    ("two dimensions", {"rankings": np.array([0, 1])}),
    ("-1 may only follow", {"rankings": np.array([[0, -1, 1]])}),
    ("n_texts must be at least 1", {"n_texts": 0}),
    ("weight nan", {"weights": [1, np.nan]}),
    ("weight inf", {"weights": [1, np.inf]}),
    ("weight -1", {"weights": [-1, 1]}),
    ("weights have shape", {"weights": [1]}),
    ("every ranking has weight zero", {"weights": [0, 0]}),
    ("states 0 places", {"stated": [0, 1]}),
    ("states 4 places", {"stated": [4, 1]}),
    ("one whole number for each", {"stated": [1]}),
    ("differ in length", {"places": [[1, 2], [1, 2]]}),
    ("must not decrease", {"places": [[1, 3, 2], [1, 2]]}),
    ("at most 10 may tie", {"rankings": [range(11)], "places": [[1] * 11], "n_texts": 11}),
    ("ridge must be finite", {"ridge": -1.0}),
    ("ridge must be finite", {"ridge": np.nan}),
    ("standard_errors is", {"standard_errors": "some"}),
    ("must be positive", {"tolerance": 0.0}),
    ("must be positive", {"probes": 0}),
    ("must be positive", {"max_iterations": 0}),
]


@pytest.mark.parametrize(("message", "change"), BAD_INPUT)
def test_bad_input_is_named(message, change):
    arguments = {"rankings": [[0, 1, 2], [1, 0]], "n_texts": 3, **change}
    with pytest.raises(ValueError, match=message):
        fit_rankings(**arguments)


def test_the_module_needs_no_evaluation_harness():
    code = (
        "import sys, valueflow.scorers.database.ranking.fit; sys.exit('inspect_ai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
