"""A simulated seat errs, and leaves texts out, at the rates that its options state."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from valueflow.hub_assets.registry.loading import load_registry
from valueflow.scorers.database.panel.prompts import category_prompt
from valueflow.scorers.judge.questions.ranking import draw_labels
from valueflow.simulated.judge import JudgeOptions, KnownAnchors
from valueflow.simulated.panel import panel_answer

PVQ = load_registry().theories["pvq"]
TEXTS = [f"text {n}" for n in range(400)]


@pytest.fixture
def known(tmp_path: Path) -> KnownAnchors:
    """Every text has the intensity 1 for power, is about dominance by 2, and about nothing else."""
    with (tmp_path / "truth.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["text", "value", "intensity"])
        rows.writerows([text, "power", 1] for text in TEXTS)
        rows.writerows([text, "pvq:dominance", -2] for text in TEXTS)
    return KnownAnchors(None, str(tmp_path / "truth.csv"))


def asked(known: KnownAnchors, names: list[str], kind: str, number: int = 1, **options: object):  # type: ignore[no-untyped-def]
    nodes = [[PVQ.nodes[name] for name in names]] * len(TEXTS)
    codes = draw_labels(TEXTS, np.random.default_rng(0))
    prompt = category_prompt(PVQ, nodes, TEXTS, codes, kind, number)  # type: ignore[arg-type]
    said = panel_answer(prompt, prompt, JudgeOptions.model_validate(options), known)
    return json.loads(said)


def test_directions_are_seen_through_the_judges_noise(known: KnownAnchors) -> None:
    found = asked(known, ["power", "face"], "direction", 2, scale=1, neutral_band=0)
    supports = np.mean([answer["power"] == "support" for answer in found.values()])
    assert supports == pytest.approx(expit(1), abs=4 * 0.022)
    assert {answer["face"] for answer in found.values()} == {"none"}


def test_a_text_is_about_a_node_as_strongly_as_it_is_far_from_neutral(known: KnownAnchors) -> None:
    names = ["dominance", "resources", "power", "self-enhancement", "growth"]
    found = asked(known, names, "about", scale=1)
    shares = {n: np.mean([answer[n] == "yes" for answer in found.values()]) for n in names}
    assert shares["dominance"] == pytest.approx(expit(2), abs=4 * 0.017)
    # A group as strongly as the value in it that the text is most about.
    assert shares["self-enhancement"] == pytest.approx(expit(1), abs=4 * 0.022)
    assert shares["resources"] == shares["growth"] == 0


def test_texts_are_left_out_of_an_answer_at_the_rate_that_was_asked_for(
    known: KnownAnchors,
) -> None:
    assert len(asked(known, ["power"], "direction", skip_rate=0)) == len(TEXTS)
    left = len(asked(known, ["power"], "direction", skip_rate=0.3))
    assert left / len(TEXTS) == pytest.approx(0.7, abs=4 * 0.023)


def test_later_places_are_seen_as_less_supporting_by_the_place_effect(known: KnownAnchors) -> None:
    found = asked(known, ["power"], "direction", scale=1e6, place_effect=1e4)  # 0.01 points a place
    assert [found[str(n)]["power"] for n in (1, 60, 200)] == ["support", "support", "oppose"]
