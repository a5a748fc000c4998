"""Shares of responses with standard errors over queries."""

import math
from typing import Any

import numpy as np
import pytest

from valueflow.scorers.figures import share


def record(query: str, refusal: bool) -> Any:
    return {"query": query, "refusal": refusal}


def refused(response: Any) -> bool:
    return bool(response["refusal"])


def test_with_one_response_a_query_it_is_the_binomial_share() -> None:
    found = share([record(f"q{i}", i < 3) for i in range(10)], refused)
    assert found is not None
    assert found.value == pytest.approx(0.3)
    assert found.se == pytest.approx(math.sqrt(0.3 * 0.7 / 9))


def test_responses_of_one_query_count_as_one_observation() -> None:
    once = share([record(f"q{i}", i < 3) for i in range(10)], refused)
    often = share([record(f"q{i}", i < 3) for i in range(10) for _ in range(7)], refused)
    assert often == once


def test_the_standard_error_is_the_spread_of_the_share_over_samples_of_queries() -> None:
    generator = np.random.default_rng(0)

    def sample() -> Any:
        rates = generator.beta(1, 2, 40)
        sizes = generator.integers(1, 6, 40)
        return share(
            [
                record(str(q), bool(generator.random() < rates[q]))
                for q in range(40)
                for _ in range(sizes[q])
            ],
            refused,
        )

    found = [sample() for _ in range(400)]
    spread = np.std([figure.value for figure in found], ddof=1)
    assert np.mean([figure.se for figure in found]) == pytest.approx(spread, rel=0.12)


def test_one_query_has_a_share_but_no_standard_error() -> None:
    found = share([record("q", True), record("q", False)], refused)
    assert found is not None
    assert found.value == 0.5
    assert math.isnan(found.se)


def test_nothing_has_no_share() -> None:
    assert share([], refused) is None


def test_what_was_never_seen_may_still_happen() -> None:
    none = share([record(f"q{i}", False) for i in range(20)], refused)
    every = share([record(f"q{i}", True) for i in range(20)], refused)
    more = share([record(f"q{i}", False) for i in range(20) for _ in range(9)], refused)
    assert none is not None
    assert every is not None
    assert none.se > 0.01
    assert none.interval[0] == 0.0
    # The 97.5 % point of the beta distribution of 0.5 and 20.5.
    assert none.interval[1] == pytest.approx(0.1166, abs=1e-4)
    assert every.se == pytest.approx(none.se)
    assert every.interval == pytest.approx((1 - none.interval[1], 1.0))
    assert more == none
