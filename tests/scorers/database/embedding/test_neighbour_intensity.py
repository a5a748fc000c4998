"""Intensities from neighbours: honest about how little they tell, and no judge is ever asked."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import mock_model, output
from tests.tiny_encoder import make_tiny, needs_hives
from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.inputs.anchors import Anchor, load_vidb
from valueflow.scorers.database.embedding import kept
from valueflow.scorers.database.embedding.intensity import (
    NeighbourScale,
    calibrated,
    cell_mean,
)
from valueflow.scorers.database.embedding.metrics import unit
from valueflow.scorers.database.embedding.neighbours import nearest


def texts(
    count: int, seed: int, strength: float = 0.4, centre: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors one of whose directions has something to do with the intensity, about a centre."""
    generator = np.random.default_rng(seed)
    if centre is None:
        intensities = generator.choice([-7.0, -3.0, 3.0, 7.0], count)
    else:
        intensities = np.clip(generator.normal(centre, 2, count), -10, 10)
    vectors = generator.normal(size=(count, 8))
    vectors[:, 0] += strength * intensities / 3
    return unit(vectors), intensities


@pytest.fixture(scope="module")
def scale() -> NeighbourScale:
    return calibrated(*texts(800, seed=0))


def test_a_guess_has_a_standard_error_that_covers_texts_like_the_anchors(
    scale: NeighbourScale,
) -> None:
    vectors, truth = texts(1000, seed=1)
    guess = scale.calibration.expected(scale.raw(vectors))
    error = guess - truth
    assert np.sqrt((error**2).mean()) == pytest.approx(scale.calibration.se, rel=0.1)
    assert 0.92 < (np.abs(error) < 1.96 * scale.calibration.se).mean() < 0.99
    assert np.corrcoef(guess, truth)[0, 1] == pytest.approx(scale.calibration.pearson, abs=0.07)
    assert (np.sign(guess) == np.sign(truth)).mean() == pytest.approx(
        scale.calibration.sign, abs=0.05
    )


def test_cells_are_not_drawn_toward_the_middle_as_guesses_are(scale: NeighbourScale) -> None:
    inside, drawn_in = [], []
    for seed in range(40):
        vectors, truth = texts(60, seed=100 + seed, centre=4.0)
        raw = scale.raw(vectors)
        mean, se = cell_mean(raw, scale.calibration)
        inside.append(abs(mean - truth.mean()) < 1.96 * se)
        drawn_in.append(scale.calibration.expected(raw).mean() - truth.mean())
    assert np.mean(drawn_in) < -0.2
    assert np.mean(inside) >= 0.85


def test_vectors_that_tell_nothing_give_no_cell_and_the_anchors_own_spread() -> None:
    vectors, truth = texts(300, seed=2, strength=0)
    found = calibrated(vectors, truth).calibration
    assert found.se == pytest.approx(truth.std(), rel=0.1)
    assert found.pearson < 0.2
    assert all(map(math.isnan, cell_mean([1.0, 2.0], found)))


def test_a_value_with_few_anchors_borrows_from_others_and_has_its_own_somewhat_nearer() -> None:
    vectors, truth = texts(400, seed=6, strength=1)
    # Of two values, one has its intensities the other way round.
    values = np.arange(400) % 2
    known = np.where(values == 0, truth, -truth)
    shared = calibrated(vectors, known, values)
    query, sign = texts(100, seed=7, strength=1)
    one, other = (np.corrcoef(shared.raw(query, v), sign)[0, 1] for v in (0, 1))
    assert one > other + 0.1


def test_near_duplicates_do_not_vouch_for_each_other() -> None:
    vectors, truth = texts(200, seed=3, strength=0)
    twice = calibrated(np.vstack([vectors, vectors]), np.concatenate([truth, truth])).calibration
    assert twice.pearson < 0.2
    assert twice.se == pytest.approx(truth.std(), rel=0.1)


def test_a_cell_of_one_text_and_anchors_that_cannot_be_held_out(scale: NeighbourScale) -> None:
    assert cell_mean([3.0], scale.calibration)[1] > cell_mean([3.0] * 9, scale.calibration)[1] > 0
    with pytest.raises(ValueflowError, match="11 anchors are too few"):
        calibrated(*texts(11, seed=4))
    with pytest.raises(ValueflowError, match="of one intensity"):
        calibrated(texts(30, seed=4)[0], np.full(30, 5.0))


def test_the_nearest_of_many_are_those_of_a_full_sort_and_skip_what_is_too_near() -> None:
    generator = np.random.default_rng(5)
    among = np.round(generator.normal(size=(300, 2)), 1)  # with ties
    query = among[:20]
    found = nearest(query, among, 7)
    cosine = unit(query) @ unit(among).T
    assert np.array_equal(found.rows, np.argsort(-cosine, axis=1, kind="stable")[:, :7])
    apart = nearest(query, among, 7, below=0.95)
    assert apart.cosines.max() < 0.95


@needs_hives
def test_vectors_of_anchors_are_kept_under_model_and_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from valueflow.scorers.database.embedding.hives import load

    monkeypatch.setenv("VALUEFLOW_CACHE_DIR", str(tmp_path / "cache"))
    model = load(make_tiny(tmp_path / "tiny"), device="cpu")
    anchors = (Anchor("keep my word", 5.0), Anchor("a new risk", -2.0))
    first = kept.anchor_vectors(model, anchors)
    kept._HELD.clear()
    with monkeypatch.context() as change:
        change.setattr(kept, "encode", lambda *_, **__: pytest.fail("encoded again"))
        assert np.array_equal(kept.anchor_vectors(model, anchors), first)
    (file,) = (tmp_path / "cache/vectors").iterdir()
    file.write_bytes(b"half")
    kept._HELD.clear()
    assert np.array_equal(kept.anchor_vectors(model, anchors), first)


@needs_hives
def test_responses_are_screened_by_inspect_without_a_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from inspect_ai import eval as inspect_eval
    from inspect_ai import score as inspect_score

    from valueflow.scorers.database.embedding.scorer import SCREENED, hives
    from valueflow.steering.tasks import steer

    monkeypatch.setenv("VALUEFLOW_CACHE_DIR", str(tmp_path / "cache"))
    registry_anchors = load_vidb("vidb-mini").anchors["pvq", "power"]
    strong = max(registry_anchors, key=lambda anchor: anchor.intensity)
    answers = iter([strong.text, "I can't help with that.", strong.text, strong.text])

    def answer(messages: list[Any], *_: Any) -> Any:
        return output(next(answers))

    log = inspect_eval(
        steer(values="power", levels="2", n_queries=2),
        model=mock_model(answer),
        score=False,
        display="none",
        max_samples=1,
    )[0]
    made = hives(model=str(make_tiny(tmp_path / "tiny")), device="cpu")
    assert "for screening and smoke tests only" in capsys.readouterr().err
    scored = inspect_score(log, made, display="none")
    assert scored.status == "success", scored.error
    found = [s.scores["hives"] for s in scored.samples or [] if s.scores]
    assert [score.reason for score in found].count("refusal") == 1
    guesses = [score.value for score in found if score.reason is None]
    for guess in guesses:
        assert isinstance(guess, dict)
        assert -10 <= float(guess["power"]) <= 10  # type: ignore[arg-type]
        assert float(guess["power_stderr"]) > 2  # type: ignore[arg-type]
    record = next(s.metadata[SCREENED] for s in found if s.metadata and s.reason is None)
    assert record["values"]["power"]["calibration"]["texts"] > len(registry_anchors)
    assert "screening" in str(found[0].explanation)
    assert scored.results is not None
    figures = {name: m.value for name, m in scored.results.scores[0].metrics.items()}
    assert (figures["responses"], figures["refusals"]) == (4, 1)
    assert {"power/+2 mean", "power/0 mean", "held-out pearson"} <= set(figures)
