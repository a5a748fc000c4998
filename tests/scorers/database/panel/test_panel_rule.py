"""A panel's votes settle a question by a rule, and early exactly where nothing can change."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valueflow.scorers.database.panel.rule import (
    accepted,
    choice,
    choice_settled,
    fewest_votes,
    settled,
)

RULES = st.tuples(st.integers(1, 7), st.integers(1, 4))


@pytest.mark.parametrize(
    ("votes", "answer"),
    [
        ("aaaaabb", "a"),
        ("aaabc", "a"),
        ("aaabb", None),
        ("aaaabbb", None),
        ("aab", None),
        ("aaaaabbbbb", None),
        ("", None),
        ("aa", "a"),
    ],
)
def test_five_votes_or_a_lead_of_two_settle_it(votes: str, answer: str | None) -> None:
    assert accepted(list(votes), 5, 2) == answer
    assert accepted([*votes, None, None], 5, 2) == answer  # no vote is no vote


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from("abc") | st.none(), max_size=7), st.integers(0, 4), RULES)
def test_it_is_settled_exactly_when_no_completion_changes_the_answer(
    votes: list[str | None], left: int, rule: tuple[int, int]
) -> None:
    rest = product(["a", "b", "c", "d", None], repeat=left)
    answers = {accepted([*votes, *more], *rule) for more in rest}
    assert settled(votes, len(votes) + left, *rule) == (len(answers) == 1)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(*[st.sampled_from(["yes", "no", "neutral"])] * 2) | st.none(), max_size=6),
    st.integers(0, 3),
    RULES,
)
def test_a_settled_choice_is_changed_by_no_completion(
    asked: list[tuple[str, str] | None], left: int, rule: tuple[int, int]
) -> None:
    """A seat answers about both things, or cannot be read at all."""

    def of(answers: list[tuple[str, str] | None]) -> list[list[str | None]]:
        return [[a and a[n] for a in answers] for n in (0, 1)]

    if not choice_settled(of(asked), len(asked) + left, *rule):
        return
    outcomes = set()
    pairs = list(product(["yes", "no", "neutral"], repeat=2))
    for more in product([*pairs, None], repeat=left):
        votes = of([*asked, *more])
        chosen = choice(votes, *rule)
        again = tuple(accepted(v, *rule) for v in votes) if chosen is None else ()
        outcomes.add((chosen, again))
    assert len(outcomes) == 1


@given(st.permutations(list("aaabbc")), RULES)
def test_neither_the_order_of_seats_nor_the_names_of_answers_matter(
    votes: list[str], rule: tuple[int, int]
) -> None:
    swapped = [{"a": "b", "b": "a"}.get(v, v) for v in votes]
    told, other = accepted(votes, *rule), accepted(swapped, *rule)
    assert told == accepted(sorted(votes), *rule)
    assert other == (told and {"a": "b", "b": "a"}.get(told, told))
    assert settled(votes, 9, *rule) == settled(swapped, 9, *rule)


def test_a_panel_of_seven_that_agrees_is_done_after_five() -> None:
    assert fewest_votes(7, 5, 2) == 5
    assert fewest_votes(3, 2, 2) == 2
    assert fewest_votes(1, 1, 1) == 1
    assert fewest_votes(5, 5, 9) == 5


def test_of_several_the_one_with_most_votes_is_chosen_and_the_first_of_equals() -> None:
    some, most = ["yes"] * 5 + ["no"] * 2, ["yes"] * 6 + ["no"]
    assert choice([some, most], 5, 2) == 1
    assert choice([most, most], 5, 2) == 0
    assert choice([["no"] * 7, ["yes"] * 4 + ["no"] * 3], 5, 2) is None
    # Both have five of five: whether the second overtakes is open until the last seat.
    assert not choice_settled([["yes"] * 5] * 2, 7, 5, 2)
    assert choice_settled([["yes"] * 5, ["yes"] * 2 + ["no"] * 3], 7, 5, 2)
