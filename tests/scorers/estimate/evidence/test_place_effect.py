"""Where only the responses' places were recorded, their slots tell the place effect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulated_windows import Judge, cells_of_responses, simulate
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.table import PAD, WindowTable


def without_anchor_places(table: WindowTable) -> WindowTable:
    places = table.places.copy()
    places[:, 1:] = PAD
    return replace(table, places=places)


@pytest.mark.parametrize("place_effect", [-0.2, 0.0, 0.3])
def test_it_is_found_from_the_responses_alone(place_effect: float) -> None:
    generator = np.random.default_rng(0)
    truth = cells_of_responses(generator, generator.uniform(-5, 5, 10), 50, 2.0)
    table = without_anchor_places(simulate(generator, Judge(1.0, place_effect), truth, 3))
    result = evaluate(table)
    judge = result.judges["value"]
    assert abs(judge.place_effect - place_effect) < 3 * judge.place_effect_se + 0.1 * abs(
        place_effect
    )
    assert 0.01 < judge.place_effect_se < 0.1
    estimate = np.array([cell.intensity for cell in result.cells])
    assert np.mean(estimate - truth.mean(axis=1)) == pytest.approx(0.0, abs=0.1)


def test_a_response_always_shown_first_leaves_it_unknown_and_says_so() -> None:
    generator = np.random.default_rng(1)
    truth = cells_of_responses(generator, np.zeros(2), 50, 2.0)
    table = simulate(generator, Judge(1.0), truth, 2, response_first=True)
    result = evaluate(without_anchor_places(table))
    assert result.judges["value"].place_effect_se > 0.7
    assert any("place at which a text is shown" in note for note in result.notes)
    # An unknown place effect of 0.75 a place is worth points at both ends of a window.
    assert result.cells[0].se > 1.0
    assert evaluate(table).cells[0].se < 0.6


def test_an_even_selection_of_many_windows_tells_what_all_of_them_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = np.random.default_rng(3)
    truth = cells_of_responses(generator, generator.uniform(-5, 5, 8), 50, 2.0)
    table = without_anchor_places(simulate(generator, Judge(1.0, 0.3), truth, 3))
    whole = evaluate(table).judges["value"]
    monkeypatch.setattr("valueflow.scorers.estimate.evidence.place_effect.MOST_WINDOWS", 400)
    part = evaluate(table).judges["value"]
    assert part.place_effect != whole.place_effect
    assert abs(part.place_effect - whole.place_effect) < 3 * part.place_effect_se
    # A third of the windows.
    assert part.place_effect_se == pytest.approx(whole.place_effect_se * 3**0.5, rel=0.35)
