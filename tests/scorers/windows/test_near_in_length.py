"""Anchors chosen by their length."""

import numpy as np
import pytest

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.anchors import Anchor
from valueflow.hub_assets.settings import EvaluatorSettings, read_options
from valueflow.scorers.windows.draw import near_in_length

GENERATOR = np.random.default_rng(2)
ANCHORS = [
    Anchor(" ".join(["word"] * int(words)), float(intensity))
    for words, intensity in zip(
        GENERATOR.integers(3, 60, 400), GENERATOR.uniform(-10, 10, 400), strict=True
    )
]


def lengths(anchors: list[Anchor]) -> list[int]:
    return [len(anchor.text.split()) for anchor in anchors]


def test_anchors_of_every_bucket_come_near_the_response() -> None:
    for words in (5, 50):
        kept = near_in_length(ANCHORS, words, 3, 6)
        assert 100 <= len(kept) <= 110
        assert {int((anchor.intensity + 10) // 4) for anchor in kept} == {0, 1, 2, 3, 4}
        apart = np.abs(np.log(np.array(lengths(kept)) / words)).mean()
        assert apart < 0.6 * np.abs(np.log(np.array(lengths(ANCHORS)) / words)).mean()


def test_their_order_and_texts_stay_as_they_were() -> None:
    kept = near_in_length(ANCHORS, 20, 3, 6)
    places = [ANCHORS.index(anchor) for anchor in kept]
    assert places == sorted(set(places))


def test_a_small_table_is_taken_whole() -> None:
    few = ANCHORS[:12]
    assert near_in_length(few, 20, 3, 6) == few
    assert near_in_length([], 20, 3, 6) == []


def test_logs_from_before_the_option_are_of_one_study_with_those_that_leave_it_as_it_was() -> None:
    assert "anchor_length" not in EvaluatorSettings().as_dict()
    assert EvaluatorSettings(anchor_length="near").as_dict()["anchor_length"] == "near"


def test_a_panel_that_is_shown_in_turn_is_not_chosen_by_length() -> None:
    with pytest.raises(OptionError, match="anchor_length: near does not go with a panel"):
        read_options(EvaluatorSettings, {"panel": "anchors.csv", "anchor_length": "near"})
