"""Raw and calibrated scores of simulated judges whose scale and disagreement are known, and bad
judgements."""

from typing import Any

import numpy as np
import pytest

from valueflow.scorers.estimate.table import WindowRecordError
from valueflow.scorers.summary.stability.judgements import WAYS, read_judgements
from valueflow.scorers.summary.stability.study import StabilityStudy, stability_of

TEXTS = 40


def simulated(
    *,
    level: float = 0.0,
    slope: float = 1.0,
    disagreement: float = 1.5,
    noise: float = 0.5,
    judge: str = "A",
    seed: int = 0,
    ways: tuple[str, ...] = WAYS,
) -> list[dict[str, Any]]:
    """One judge in one wording, asked in all ways about 40 texts among anchors of 30."""
    generator = np.random.default_rng([seed, 7])
    labels = np.round(generator.uniform(-8, 8, TEXTS), 1)
    anchors = np.round(generator.uniform(-9, 9, 30), 1)
    own = np.random.default_rng([seed, sum(map(ord, judge))])
    view = labels + own.normal(0, disagreement, TEXTS)
    seen = anchors + own.normal(0, disagreement, 30)
    rows = []
    for text in range(TEXTS):
        named = {
            "judge": judge, "wording": "one", "item": f"text {text}", "value": "power",
            "label": float(labels[text]),
        }  # fmt: skip
        chosen = own.choice(30, 5, replace=False)
        truths = np.concatenate([[view[text]], seen[chosen]])
        number = np.clip(np.rint(level + slope * (truths + own.normal(0, noise, 6))), -10, 10)
        order = np.argsort(-(truths + own.normal(0, noise, 6)))
        window = {
            "anchors": anchors[chosen].tolist(), "texts": [str(n) for n in chosen], "position": 0,
        }  # fmt: skip
        one = float(np.clip(np.rint(level + slope * (view[text] + own.normal(0, noise))), -10, 10))
        answers = {
            "rating": {"rating": one},
            "window_rating": {**window, "ratings": number.tolist(), "rating_scale": [-10, 10]},
            "ranking": {**window, "order": order.tolist()},
        }
        rows += [{**named, **answers[way]} for way in ways]
    return rows


def figure(study: StabilityStudy, way: str, scale: str, name: str) -> float:
    return next(
        one.figure.value
        for one in study.figures
        if (one.way, one.scale, one.name) == (way, scale, name)
    )


def test_calibration_undoes_a_judges_own_scale_and_no_label_scores_its_own_text() -> None:
    """Judges that differ in level and slope alone: raw numbers differ, calibrated ones hardly."""
    rows = [
        *simulated(judge="A", level=3.0, slope=0.5, ways=("rating", "window_rating")),
        *simulated(judge="B", level=-2.0, slope=0.9, ways=("rating", "window_rating")),
    ]
    study = stability_of(read_judgements(rows))
    for way in ("rating", "window_rating"):
        assert figure(study, way, "raw", "judge_range") > 4.0
        assert figure(study, way, "calibrated", "judge_range") < 3.0
        assert figure(study, way, "raw", "slope") == pytest.approx(0.7, abs=0.1)
        assert figure(study, way, "calibrated", "slope") > 0.8
        # Two judges that disagree with labels by 1.5 points each: mean |difference| 1.5·2/√π.
        assert figure(study, way, "calibrated", "judge_range") == pytest.approx(1.7, abs=0.6)


def test_labels_without_any_relation_to_a_judge_are_not_fitted() -> None:
    """With ratings that know nothing, calibrating by labels must not find them again."""
    rows = simulated(ways=("rating",))
    shuffled = np.random.default_rng(1).permutation([row["rating"] for row in rows])
    for row, rating in zip(rows, shuffled, strict=True):
        row["rating"] = float(rating)
    study = stability_of(read_judgements(rows))
    assert abs(figure(study, "rating", "raw", "correlation")) < 0.2
    # The evaluator knows nothing of these texts and says so: 0, which has no sign, give or take 6.
    assert figure(study, "rating", "calibrated", "sign_accuracy") == 0.5
    assert study.scores[0].se.min() > 5


def test_rankings_are_read_raw_as_published_and_calibrated() -> None:
    study = stability_of(read_judgements(simulated(ways=("ranking",))))
    for scale in ("raw", "calibrated"):
        assert figure(study, "ranking", scale, "correlation") > 0.85
        assert figure(study, "ranking", scale, "sign_accuracy") > 0.85


def test_a_line_with_an_order_and_ratings_counts_for_both_ways() -> None:
    rows = simulated(ways=("window_rating", "ranking"))
    both = [
        {**ranked, **rated}
        for rated, ranked in zip(rows[::2], rows[1::2], strict=True)
    ]  # fmt: skip
    together = stability_of(read_judgements(both))
    apart = stability_of(read_judgements(rows))
    told = [(one.way, one.scale, one.name, one.figure.value) for one in together.figures]
    assert told == [(one.way, one.scale, one.name, one.figure.value) for one in apart.figures]


def test_a_judge_that_rates_everything_10_is_told_and_calibrates_to_nothing() -> None:
    rows = simulated(ways=("rating",))
    study = stability_of(read_judgements([{**row, "rating": 10} for row in rows]))
    assert any("gave all 40 texts the same score (10)" in note for note in study.notes)
    assert not any(one.scale == "calibrated" for one in study.figures)
    assert figure(study, "rating", "raw", "pairwise_accuracy") == 0.5


def test_windows_rated_all_alike_are_left_out_and_counted() -> None:
    rows = simulated(ways=("window_rating",))
    rows[3]["ratings"] = [10] * 6
    study = stability_of(read_judgements(rows))
    assert study.left_out["the same rating for every text"] == 1
    with_order = {**rows[3], "order": [0, 1, 2, 3, 4, 5]}
    found = read_judgements([with_order])
    assert [asked.way for asked in found.asked] == ["ranking"]


def test_ratings_that_are_upside_down_are_told() -> None:
    rows = [{**row, "rating": -row["rating"]} for row in simulated(ways=("rating",))]
    study = stability_of(read_judgements(rows))
    assert any("orders the texts upside down" in note for note in study.notes)
    study = stability_of(read_judgements(simulated(ways=("rating",))))
    assert not any("upside down" in note for note in study.notes)


def test_without_labels_there_is_stability_and_no_accuracy() -> None:
    rows = [
        {**row, "label": None}
        for judge in "AB"
        for row in simulated(judge=judge, ways=("rating", "window_rating"))
    ]
    study = stability_of(read_judgements(rows))
    names = {(one.way, one.scale, one.name) for one in study.figures}
    assert ("window_rating", "calibrated", "judge_variance") in names
    assert ("rating", "raw", "judge_variance") in names
    assert ("rating", "calibrated", "judge_variance") not in names
    assert not {name for _, _, name in names} & {"sign_accuracy", "pairwise_accuracy", "slope"}
    assert any("No text has a label" in note for note in study.notes)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rating": "high"}, "'high' is not a number"),
        ({"rating": float("nan")}, "is not a finite number"),
        ({"rating": -11}, "-11 lies outside -10 to 10 and 0 to 100"),
        ({"rating": 150}, "150 lies outside -10 to 10 and 0 to 100"),
        ({"rating": 3, "rating_scale": [1, 7]}, "mixed scales"),
        ({"rating": 5, "ratings": [1, 2]}, "stands beside an order or ratings"),
        ({"label": "strong"}, "'strong' is not a number"),
        ({"label": 40}, "40 is outside"),
        ({"label": 3.0, "item": "text 0"}, "was labelled"),
        ({"judge": None}, "must be a name"),
        ({"wording": " "}, "is empty"),
        ({"query": "q", "item": "text 0"}, "already has another query"),
    ],
)
def test_a_bad_rating_names_its_record_and_field(change: dict[str, Any], told: str) -> None:
    rows = simulated(ways=("rating",))[:5]
    rows[3] |= change
    with pytest.raises(WindowRecordError, match=told) as error:
        read_judgements(rows)
    assert error.value.record == 3
    assert error.value.field in change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ratings": [1, 2, 3]}, "has 3 ratings for 6 texts"),
        ({"ratings": [1, 2, 3, 4, 5, 6, 7]}, "has 7 ratings for 6 texts"),
        ({"ratings": [1, 2, 3, 4, 5, "x"]}, "'x' is not a number"),
        ({"ratings": [1, 2, 3, 4, 5, 12]}, "12 lies outside the scale"),
        ({"ratings": [None, 2, 3, 4, 5, 1]}, "the response, which comes first, has no rating"),
        ({"rating_scale": [0, 100]}, "mixed scales"),
        ({"anchors": [1, 2, 3, 4, 99]}, "the intensity 99 is outside"),
    ],
)
def test_a_bad_window_names_its_record_and_field(change: dict[str, Any], told: str) -> None:
    rows = simulated(ways=("rating", "window_rating"))[:20]
    rows[7] |= change
    with pytest.raises(WindowRecordError, match=told) as error:
        stability_of(read_judgements(rows))
    assert error.value.record == 7


def test_judges_on_different_scales_are_brought_to_one() -> None:
    """Ratings from 0 to 100 stand beside ratings from -10 to 10 of another wording."""
    rows = simulated(ways=("rating",))
    other = [
        {**row, "wording": "hundred", "rating": 50 + 5 * row["rating"], "rating_scale": [0, 100]}
        for row in rows
    ]
    study = stability_of(read_judgements([*rows, *other]))
    assert figure(study, "rating", "raw", "wording_change") == pytest.approx(0.0, abs=1e-9)
