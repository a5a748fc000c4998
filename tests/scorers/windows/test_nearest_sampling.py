"""Anchors near a response for an embedding model, in every bucket of the scale."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inspect_ai import eval as inspect_eval

from tests.conftest import CountingJudge, obedient
from tests.tiny_encoder import make_tiny, needs_hives
from valueflow.hub_assets import lazy
from valueflow.hub_assets.errors import OptionError, TaskOptionError
from valueflow.hub_assets.inputs.anchors import Anchor, load_vidb
from valueflow.hub_assets.settings import SAMPLE_KEY, EvaluatorSettings, read_options, read_sample
from valueflow.scorers.records import METADATA_KEY
from valueflow.scorers.windows.draw import draw_windows, nearest_of_buckets
from valueflow.steering.tasks import steer

GENERATOR = np.random.default_rng(3)
ANCHORS = [Anchor(f"text {n}", float(x)) for n, x in enumerate(GENERATOR.uniform(-10, 10, 200))]
APART = GENERATOR.uniform(0, 1, 200)


def test_windows_are_drawn_among_the_nearest_quarter_of_each_bucket() -> None:
    kept = nearest_of_buckets(ANCHORS, APART, windows=3, window_size=6)
    buckets = [
        [n for n, a in enumerate(ANCHORS) if int((a.intensity + 10) // 4) == b] for b in range(5)
    ]
    for members in buckets:
        near = sorted(members, key=lambda n: APART[n])[: int(np.ceil(len(members) / 4))]
        assert [ANCHORS[n] for n in sorted(near)] == [
            anchor for anchor in kept if anchor in [ANCHORS[n] for n in members]
        ]
    drawn = draw_windows(
        kept,
        windows=3,
        window_size=6,
        sampling="nearest",
        places=[0, 1, 2],
        generator=np.random.default_rng(0),
    )
    assert (drawn.borrowed, drawn.repeated) == (0, 0)
    for window in drawn.windows:
        assert sorted(int((a.intensity + 10) // 4) for a in window.anchors) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embedding_model": "m"}, "embedding_model: is for sampling=nearest, not sampling=bucket"),
        (
            {"sampling": "nearest", "anchor_length": "near"},
            "anchor_length: near does not go with sampling=nearest",
        ),
    ],
)
def test_options_that_do_not_go_with_it_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        read_options(EvaluatorSettings, options)


def test_it_leaves_no_trace_where_it_is_not_used_and_goes_with_another_sampling() -> None:
    assert "embedding_model" not in EvaluatorSettings().as_dict()
    near = {"sampling": "nearest", "embedding_model": "m"}
    assert EvaluatorSettings(**near).as_dict()["embedding_model"] == "m"  # type: ignore[arg-type]
    sample = {"score_on": [["pvq", "power"]], "query": "q", "wording": "2", "evaluator": near}
    found = read_sample({SAMPLE_KEY: sample}, {"sampling": "bucket"}).evaluator
    assert (found.sampling, found.embedding_model) == ("bucket", None)


def test_without_the_extra_it_is_refused_before_anything_is_spent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lazy, "find_spec", lambda _: None)
    with pytest.raises(TaskOptionError, match=r"pip install 'valueflow\[hives\]'"):
        steer(values="power", sampling="nearest")


@needs_hives
def test_a_run_shows_the_judge_anchors_near_the_response(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from valueflow.scorers.database.embedding.hives import encode, load

    monkeypatch.setenv("VALUEFLOW_CACHE_DIR", str(tmp_path / "cache"))
    tiny = str(make_tiny(tmp_path / "tiny"))
    log = inspect_eval(
        steer(values="power", levels="2", n_queries=1, sampling="nearest", embedding_model=tiny),
        model="valueflow/respondent",
        model_roles={"grader": CountingJudge(obedient).model},
        display="none",
    )[0]
    assert log.status == "success", log.error
    anchors = load_vidb("vidb-mini").anchors["pvq", "power"]
    model = load(tiny)
    vectors = encode(model, [anchor.text for anchor in anchors])
    for sample in log.samples or []:
        (score,) = (sample.scores or {}).values()
        record: Any = (score.metadata or {})[METADATA_KEY]
        assert record["judge"]["sampling"] == "nearest"
        assert record["judge"]["embedding_model"] == tiny
        apart = 1 - vectors @ encode(model, [sample.output.completion])[0]
        near = nearest_of_buckets(anchors, apart, 3, 6)
        assert len(near) < len(anchors)
        shown = {n for w in record["values"]["power"]["windows"] for n in w["anchors"]}
        assert shown <= {anchor.intensity for anchor in near}
