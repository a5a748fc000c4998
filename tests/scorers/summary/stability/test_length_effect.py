"""What a judge makes of a text's length: found where it is there, and nothing where it is not."""

import numpy as np
import pytest

from valueflow.scorers.estimate.table import WindowTable
from valueflow.scorers.summary.stability.length import LengthEffect, length_effect

ANCHORS = 60


def table_of(
    seed: int,
    per_doubling: float,
    *,
    rated: bool = False,
    text_sd: float = 2.0,
    windows: int = 150,
    texts: bool = True,
) -> WindowTable:
    """Windows of a judge that sees a text of twice the words so many points higher, among 60
    anchors of 4 to 32 words with which it disagrees persistently."""
    generator = np.random.default_rng([seed, 11])
    intensity = generator.uniform(-9, 9, ANCHORS).round(1)
    words = np.rint(2 ** generator.uniform(2, 5, ANCHORS)).astype(int)
    seen = intensity + per_doubling * np.log2(words / 8) + generator.normal(0, text_sd, ANCHORS)
    rows = []
    for number in range(windows):
        chosen = generator.choice(ANCHORS, 5, replace=False)
        told = np.concatenate([[generator.uniform(-5, 5)], seen[chosen]])
        told = told + generator.normal(0, 1, 6)
        row = {
            "item": f"item {number}", "cell": "power", "value": "power", "position": 0,
            "anchors": intensity[chosen].tolist(),
        }  # fmt: skip
        if texts:
            row["texts"] = [" ".join([f"w{n}"] * int(words[n])) for n in chosen]
        if rated:
            row |= {"ratings": np.clip(np.rint(told), -10, 10).tolist(), "rating_scale": [-10, 10]}
        else:
            row["order"] = np.argsort(-told).tolist()
        rows.append(row)
    return WindowTable.from_records(rows)


def found(*arguments: object, words: int = 90, **options: object) -> LengthEffect:
    effect = length_effect(table_of(*arguments, **options), [words] * 20)  # type: ignore[arg-type]
    assert effect is not None
    return effect


@pytest.mark.parametrize("rated", [False, True])
@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_intervals_hold_the_truth_of_judges_that_disagree_with_single_texts(
    rated: bool, truth: float
) -> None:
    effects = [found(seed, truth, rated=rated) for seed in range(100)]
    values = [one.per_doubling.value for one in effects]
    assert np.mean(values) == pytest.approx(truth, abs=0.12)
    covered = [one.per_doubling.lower <= truth <= one.per_doubling.upper for one in effects]
    assert np.mean(covered) >= 0.88
    told = np.mean([one.per_doubling.se for one in effects])
    assert told == pytest.approx(np.std(values), rel=0.25)


def test_a_long_response_is_warned_of_where_length_counts_and_not_where_it_does_not() -> None:
    warned = [bool(found(seed, 1.5, rated=True).notes()) for seed in range(20)]
    assert np.mean(warned) > 0.8
    warned = [bool(found(seed, 0.0, rated=True).notes()) for seed in range(60)]
    assert np.mean(warned) < 0.08
    same = [bool(found(seed, 1.5, rated=True, words=11).notes()) for seed in range(20)]
    assert not any(same)


def test_the_warning_says_how_far_and_what_to_do() -> None:
    effect = found(3, 1.5, rated=True, windows=400)
    assert effect.bias.value == pytest.approx(
        effect.per_doubling.value * np.log2(effect.response_words / effect.anchor_words)
    )
    (note,) = effect.notes()
    assert "Responses have 90 words" in note
    assert "anchor_length=near" in note
    short = found(3, 1.5, rated=True, windows=400, words=2)
    assert "less supporting than they are" in short.notes()[0]


def test_nothing_is_said_where_the_anchors_do_not_tell() -> None:
    assert length_effect(table_of(0, 1.0, texts=False), [90]) is None
    rows = table_of(0, 1.0, windows=3)
    assert length_effect(rows, [90]) is None
