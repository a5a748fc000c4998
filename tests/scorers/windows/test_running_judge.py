"""A run's windows tell of its judge while it goes on, and responses stop when they should."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulated_studies import adaptive_study
from valueflow.scorers.windows.adaptive import dulled_scale
from valueflow.scorers.windows.running import FIRST_FIT, STEP, RunningJudge, RunningPanel, Standing

ANCHORS = (-8.0, -4.0, 0.0, 4.0, 8.0)


def window(
    generator: np.random.Generator, seen: float, scale: float, rated: bool
) -> dict[str, Any]:
    """A judged window of five anchors that the judge sees where they are."""
    noisy = np.array([seen, *ANCHORS]) + generator.gumbel(size=6) / scale
    shown = [int(one) for one in generator.permutation(6)]
    told: dict[str, Any] = {"anchors": list(ANCHORS), "texts": [f"t{a:g}" for a in ANCHORS],
                            "shown": shown, "position": shown.index(0)}  # fmt: skip
    if rated:
        return told | {"ratings": [int(one) for one in np.clip(np.rint(noisy), -10, 10)]}
    return told | {"order": [int(one) for one in np.argsort(-noisy)]}


def run_of(scale: float, rated: bool, windows: int, assumed: float = 1.2) -> RunningJudge:
    generator = np.random.default_rng(0)
    running = RunningJudge(rated, assumed, 3.9)
    for number in range(windows):
        seen = float(generator.uniform(-8, 8))
        running.learn("power", f"r{number}", 0, window(generator, seen, scale, rated))
    return running


@pytest.mark.parametrize("rated", [False, True])
def test_before_the_first_fit_the_assumed_judge_holds_and_then_the_runs_own(rated: bool) -> None:
    generator = np.random.default_rng(1)
    own = [window(generator, 2.0, 2.0, rated) for _ in range(3)]
    early, late = run_of(2.0, rated, FIRST_FIT - 1), run_of(2.0, rated, 4 * FIRST_FIT)
    assert not early.standing("power", own, 44).fitted
    assert early.told("power")["text_sd"] == 3.9
    standing = late.standing("power", own, 44)
    assert standing.fitted
    assert late.fits == 3
    assert late.told("power")["text_sd"] < 1
    assert standing.se < 0.4 * early.standing("power", own, 44).se
    assert 0 < standing.mean < 4


def test_scales_at_which_windows_are_chosen_move_in_coarse_steps_from_the_assumed_one() -> None:
    assumed = dulled_scale(1.2, 3.9)
    for scale in (0.2, 1.0, 3.0):
        steps = np.log(run_of(scale, False, 64).design_scale / assumed) / np.log(STEP)
        assert steps == pytest.approx(round(steps))
        found = assumed * STEP**steps
        assert found == pytest.approx(scale, rel=0.6)
    assert run_of(3.0, False, FIRST_FIT - 1).design_scale == assumed


@pytest.mark.parametrize("rated", [False, True])
def test_the_order_in_which_the_same_windows_come_changes_nothing(rated: bool) -> None:
    generator = np.random.default_rng(2)
    windows = [window(generator, float(generator.uniform(-8, 8)), 1.0, rated) for _ in range(32)]
    forth, back = RunningJudge(rated, 1.2, 3.9), RunningJudge(rated, 1.2, 3.9)
    for number in range(32):
        forth.learn("power", f"r{number}", 0, windows[number])
        back.learn("power", f"r{31 - number}", 0, windows[31 - number])
    assert forth.told("power") == back.told("power")
    assert forth.design_scale == back.design_scale


def test_a_response_stops_at_the_target_or_where_no_window_could_take_it_there() -> None:
    assert Standing(0.0, se=1.4, floor=0.3, fitted=False).stops(1.5) == "target"
    assert Standing(0.0, se=3.9, floor=3.8, fitted=True).stops(1.5) == "disagreement"
    # Assumed of a judge, a disagreement ends nothing.
    assert Standing(0.0, se=3.9, floor=3.8, fitted=False).stops(1.5) is None
    assert Standing(0.0, se=4.9, floor=3.8, fitted=True).stops(1.5) is None
    assert Standing(0.0, se=1.9, floor=0.3, fitted=True).stops(1.5) is None


@pytest.mark.parametrize(
    ("scale", "text_sd", "rated", "target"),
    [(1.0, 0.0, False, 1.5), (0.4, 0.0, True, 1.7), (1.2, 1.0, True, 1.5)],
)
def test_the_target_is_met_by_the_final_estimate_and_honestly(
    scale: float, text_sd: float, rated: bool, target: float
) -> None:
    found = adaptive_study(3, scale, text_sd, rated=rated, target_se=target, size=16)
    assert found.stopped["target"] > 0.9 * len(found.truth)
    assert np.mean(found.se) < target
    assert np.mean(found.se < 1.25 * target) > 0.9
    # 80 responses: a standard deviation of the share inside is 0.024.
    assert np.mean(np.abs(found.estimate - found.truth) < 1.96 * found.se) > 0.87
    assert np.mean(found.windows) < 0.75 * found.most


@pytest.mark.parametrize("rated", [False, True])
def test_a_judge_that_disagrees_with_texts_is_not_asked_in_vain(rated: bool) -> None:
    found = adaptive_study(4, 1.2, 3.9, rated=rated, target_se=1.5, size=16)
    assert found.stopped["disagreement"] > 0.9 * len(found.truth)
    assert np.mean(found.windows) < (1.6 if rated else 4)
    assert np.mean(np.abs(found.estimate - found.truth) < 1.96 * found.se) > 0.85


@pytest.mark.parametrize("rated", [False, True])
def test_a_panel_is_learnt_judge_by_judge_and_averages_what_its_judges_disagree_on(
    rated: bool,
) -> None:
    generator = np.random.default_rng(5)
    panel = RunningPanel(("a", "b"), rated, 1.2, 3.9)
    lone = RunningPanel(("",), rated, 1.2, 3.9)
    own = [window(generator, 2.0, 2.0, rated) for _ in range(4)]
    for name in ("a", "b"):
        panel.of(name).learn("power", "r", 0, own[0])
    lone.learn("power", "r", 0, own[0])
    told = [one | {"judge": "ab"[place % 2]} for place, one in enumerate(own)]
    together, alone = panel.standing("power", told, 44), lone.standing("power", own, 44)
    # Half as much variance is left where two judges disagree independently.
    assert together.floor == pytest.approx(alone.floor / np.sqrt(2), rel=0.15)
    assert together.se < alone.se
    for number in range(2 * FIRST_FIT):
        seen = float(generator.uniform(-8, 8))
        scale, name = ((3.0, "a"), (0.3, "b"))[number % 2]
        panel.learn(
            "power", f"s{number}", 0, window(generator, seen, scale, rated) | {"judge": name}
        )
    known = panel.told("power")
    assert {name: one["windows"] for name, one in known.items()} == {"a": 17, "b": 17}
    sharp, blunt = panel.of("a").design_scale, panel.of("b").design_scale
    assert blunt <= panel.design_scale <= sharp
