"""Judges that rate have a figure: their numbers for the anchors, and the scale that was fitted."""

from pathlib import Path

import pytest
from inspect_ai.model import get_model

from tests.study_runs import read_studies, run_log
from valueflow.results.steering.figures.judge import judge_ratings
from valueflow.results.steering.rows import rated_anchors
from valueflow.results.steering.studies import Study
from valueflow.results.style import flat
from valueflow.steering.tasks import steer


def study_of(folder: Path, slope: float, mode: str = "rating") -> Study:
    task = steer(values="power,benevolence", n_queries=5, windows=1, judge_mode=mode)
    judge = get_model("valueflow/judge", memoize=False, scale=2.0, rating_slope=slope)
    (study,) = read_studies([run_log(folder, task, judge=judge)]).studies
    return study


@pytest.fixture(scope="module")
def flat_judge(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return study_of(tmp_path_factory.mktemp("flat"), 0.5)


def test_one_study_has_a_panel_a_value_with_its_anchors_and_the_fitted_line(
    flat_judge: Study,
) -> None:
    (drawing,) = judge_ratings([flat_judge])
    panels = flat([drawing.figure.axes])
    assert {one.get_title(loc="left").split("\n")[0] for one in panels} == {"power", "benevolence"}
    assert flat_judge.summary.evaluation is not None
    for axes in panels:
        name = axes.get_title(loc="left").split("\n")[0]
        judge = flat_judge.summary.evaluation.rating_judges[name]
        points = axes.collections[0].get_offsets()
        assert len(points) == judge.texts == len(rated_anchors(flat_judge)[name])
        line = axes.lines[-1].get_ydata()
        # From -10 to 10 the line climbs by 20 slopes, and so do the points about it.
        assert line[-1] - line[0] == pytest.approx(20 * judge.slope, rel=0.25)
        assert judge.slope == pytest.approx(0.5, abs=0.15)


def test_several_studies_have_a_panel_each(flat_judge: Study, tmp_path: Path) -> None:
    other = study_of(tmp_path, 0.9)
    (drawing,) = judge_ratings([flat_judge, other])
    assert len(flat([drawing.figure.axes])) == 2


def test_judges_that_rank_have_none(tmp_path: Path) -> None:
    assert judge_ratings([study_of(tmp_path, 1.0, mode="ranking")]) == []
