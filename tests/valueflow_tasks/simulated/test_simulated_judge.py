"""The simulated judge errs at the rates that its options state."""

from collections import Counter
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from valueflow.hub_assets.registry.loading import load_registry
from valueflow.scorers.judge.answer import read_ranking
from valueflow.scorers.judge.questions.ranking import draw_labels, judge_prompt
from valueflow.simulated.judge import JudgeOptions, KnownAnchors, judge_answer

REGISTRY = load_registry()
POWER, PVQ = REGISTRY.value("power"), REGISTRY.theories["pvq"]
KNOWN = KnownAnchors(None)


def response(intensity: float, name: str = "power") -> str:
    return f"So I would. [simulated intensities: {name}={intensity:+.3f}]"


def said(texts: list[str], n: int, known: KnownAnchors = KNOWN, **options: object) -> str:
    labels = draw_labels(texts, np.random.default_rng(n))
    prompt = judge_prompt(POWER, PVQ, texts, labels)
    answer = judge_answer(prompt, f"{prompt} {n}", JudgeOptions.model_validate(options), known)
    ranking = read_ranking(answer, labels)
    return "" if ranking is None else "".join(str(labels.index(x)) for x in ranking.labels)


def rates(texts: list[str], count: int, **options: object) -> dict[str, float]:
    orders = Counter(said(texts, n, **options) for n in range(count))  # type: ignore[arg-type]
    return {order: number / count for order, number in orders.items()}


def test_gumbel_noise_is_the_plackett_luce_model_for_every_order() -> None:
    intensities = [1.0, 0.4, -0.5]
    worths = np.exp(0.8 * np.array(intensities))
    found = rates([response(x) for x in intensities], 3000, scale=0.8)
    for order in ("012", "021", "102", "120", "201", "210"):
        a, b, c = (worths[int(i)] for i in order)
        expected = a / (a + b + c) * b / (b + c)
        error = np.sqrt(expected * (1 - expected) / 3000)
        assert found[order] == pytest.approx(expected, abs=4.5 * error)


def test_reversed_noise_picks_the_worst_as_gumbel_noise_picks_the_best() -> None:
    high, low = np.exp(2.0), np.exp(-2.0)
    equals = [f"{n}. {response(0)}" for n in range(5)]
    first = rates([*equals, response(2)], 1500, noise="gumbel")
    last = rates([*equals, response(-2)], 1500, noise="reversed")
    assert _share(first, 0) == pytest.approx(high / (high + 5), abs=0.055)
    assert _share(last, -1) == pytest.approx(high / (high + 5), abs=0.055)
    # By the Plackett-Luce model the worst comes last more often.
    likely = rates([*equals, response(-2)], 1500, noise="gumbel")
    expected = np.prod([n / (n + low) for n in range(1, 6)])
    assert _share(likely, -1) == pytest.approx(expected, abs=0.055)


def _share(found: dict[str, float], place: int) -> float:
    return sum(rate for order, rate in found.items() if order[place] == "5")


def test_failures_come_at_their_rate_and_are_no_rankings() -> None:
    found = rates([response(1), response(2)], 800, failure_rate=0.25)
    assert found[""] == pytest.approx(0.25, abs=0.06)


def test_lapses_rank_at_random_at_their_rate() -> None:
    found = rates([response(9), response(-9)], 800, lapse_rate=0.4)
    assert found["10"] == pytest.approx(0.2, abs=0.06)


def test_a_disagreement_with_a_text_stands() -> None:
    texts = [response(x) for x in (0.3, 0.2, 0.1, 0.0)]
    calm = {said(texts, n, scale=500) for n in range(5)}
    upset = {said(texts, n, scale=500, text_sd=5, seed=1) for n in range(5)}
    assert calm == {"0123"}
    assert len(upset) == 1
    assert upset != calm
    assert {said(texts, 0, scale=500, text_sd=5, seed=s) for s in range(2, 8)} != upset


def test_a_question_asked_again_is_answered_afresh() -> None:
    texts = [response(0) for _ in range(5)]
    texts = [f"{n}. {text}" for n, text in enumerate(texts)]
    labels = draw_labels(texts, np.random.default_rng(0))
    prompt = judge_prompt(POWER, PVQ, texts, labels)
    options = JudgeOptions(failure_rate=0.0)
    once = judge_answer(prompt, prompt, options, KNOWN)
    assert judge_answer(prompt, prompt, options, KNOWN) == once
    assert judge_answer(prompt, prompt + "\nAgain.", options, KNOWN) != once


def test_a_table_of_ones_own_is_known_beside_the_embedded_one(tmp_path: Path) -> None:
    (tmp_path / "power.csv").write_text("text,intensity\nI reign,9\n")
    known = KnownAnchors(str(tmp_path / "power.csv"))
    embedded = min(KNOWN.tables[0].of(POWER), key=lambda a: a.intensity)
    assert said([embedded.text, "I reign"], 0, known, scale=50) == "10"
    assert known.exemplars().of(POWER)[0].text == "I reign"
    with pytest.raises(ValueError, match="unknown text for power: 'I reign'"):
        said([embedded.text, "I reign"], 0)


def test_a_response_without_the_values_truth_and_a_strange_question_are_named() -> None:
    with pytest.raises(ValueError, match="unknown text for power"):
        said([response(1), response(1, "face")], 0)
    with pytest.raises(ValueError, match="not a ranking question"):
        judge_answer("Which is best?", "", JudgeOptions(), KNOWN)
    prompt = judge_prompt(POWER, REGISTRY.theories["mft"], ["a", "b"], ["CDFGH", "JKLMN"])
    with pytest.raises(ValueError, match=r"unknown value Power \(Moral Foundations Theory\)"):
        judge_answer(prompt, prompt, JudgeOptions(), KNOWN)


def test_every_macro_value_is_known_by_its_titles() -> None:
    for value in REGISTRY.macro_values():
        name, intensities = KNOWN.of(value.title, REGISTRY.theories[value.theory].title)
        assert name == value.name
        assert len(intensities) >= 40


def test_normal_noise_is_thurstones_model_with_the_spread_of_the_gumbel() -> None:
    found = rates([response(2.5), response(0)], 2000, noise="normal")
    # The difference of two deviations has the standard deviation pi / sqrt(3).
    expected = NormalDist(0, np.pi / np.sqrt(3)).cdf(2.5)
    assert found["01"] == pytest.approx(expected, abs=0.03)


def test_an_unknown_text_gets_the_same_made_up_intensity_every_time_if_asked_for() -> None:
    texts = ["I reign.", response(0.0), "I yield."]
    orders = {said(texts, n, unknown="hash", scale=50) for n in range(20)}
    assert len(orders) == 1
    others = {said(texts, 0, unknown="hash", scale=50, seed=seed) for seed in range(20)}
    assert len(others) > 1
    spread = [
        "".join(said([f"Text {n}.", response(0.0)], n, unknown="hash", scale=50)) for n in range(60)
    ]
    assert 15 < spread.count("01") < 45
