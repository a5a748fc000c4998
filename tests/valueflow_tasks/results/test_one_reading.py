"""All that reads a scored log gives the same cell means as the log's own metrics."""

from pathlib import Path

import pytest
from inspect_ai import Epochs
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import get_model

from tests.study_runs import changed, read_studies
from valueflow.commands.results.score import score_rankings
from valueflow.lm_eval.tables import write_tables
from valueflow.results.compare import compare_runs, read_run
from valueflow.scorers import evaluate, read_rankings
from valueflow.simulated.selfcheck import check_log
from valueflow.steering.tasks import steer

Means = dict[str, float]


def run(folder: Path, scale: float) -> Path:
    """A run whose judge ranks a part of the refusals too, fails on windows and on responses."""
    log = inspect_eval(
        steer(
            values="power", levels="-2,2", n_queries=6, windows=2, refusals="rank", figures="all"
        ),
        model="valueflow/respondent",
        model_args={"refusal_rate": 0.3},
        model_roles={
            "grader": get_model(
                "valueflow/judge", memoize=False, scale=scale, failure_rate=0.5, skip_rate=0.1
            )
        },
        epochs=Epochs(2),
        display="none",
        log_dir=str(folder),
    )[0]
    assert log.status == "success", log.error
    return Path(log.location)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("logs")
    return run(folder, 1.0), run(folder, 1.5)


@pytest.fixture(scope="module")
def metrics(logs: tuple[Path, Path]) -> dict[str, float]:
    (score,) = read_eval_log(str(logs[0]), header_only=True).results.scores  # type: ignore[union-attr]
    return {name: metric.value for name, metric in score.metrics.items()}


@pytest.fixture(scope="module")
def means(metrics: dict[str, float]) -> Means:
    return {name[: -len(" mean")]: m for name, m in metrics.items() if name.endswith(" mean")}


def test_the_run_has_refusals_failed_windows_and_unscored_responses(
    metrics: dict[str, float], means: Means
) -> None:
    assert metrics["refusal_rate"] > 0.1
    assert metrics["windows_failed"] > 0
    assert metrics["unscored"] > 0
    assert set(means) == {"power/-2", "power/0", "power/+2"}
    # Ranked refusals would move the means by far more than the tolerance of the other tests.
    moved = metrics["power/+2 shift"] - metrics["power/+2 shift_with_refusals"]
    assert abs(moved) > 0.1


def same(found: Means, means: Means) -> None:
    assert found == pytest.approx(means, abs=1e-9)


def test_score_gives_the_metrics_means(
    logs: tuple[Path, Path], means: Means, tmp_path: Path
) -> None:
    found, saved = score_rankings([logs[0]], tmp_path)
    same({cell.cell: cell.intensity for cell in found.cells}, means)
    assert "refusal" in saved.without.values()


def test_the_report_gives_the_metrics_means(logs: tuple[Path, Path], means: Means) -> None:
    (study,) = read_studies([logs[0]]).studies
    same({c.cell: c.mean.value for c in study.summary.cells if c.mean}, means)


def test_a_comparison_gives_the_metrics_means(logs: tuple[Path, Path], means: Means) -> None:
    # Judges of two scales are estimated apart, so that each side stands by itself.
    found = compare_runs(read_run(logs[0]), read_run(logs[1]))
    assert not found.same_judge
    same({one.cell: one.a.value for one in found.of("mean")}, means)


def test_selfcheck_gives_the_metrics_means(logs: tuple[Path, Path], means: Means) -> None:
    found = check_log(read_eval_log(str(logs[0])))
    same({c.cell: c.mean.value for c in found.summary.cells if c.mean}, means)


def test_files_of_lm_eval_give_the_metrics_means(
    logs: tuple[Path, Path], means: Means, tmp_path: Path
) -> None:
    (study,) = read_studies([logs[0]]).studies
    _, _, windows = write_tables(tmp_path, "steer", study.summary, study.records)
    found = evaluate(read_rankings([windows]).table)
    same({cell.cell: cell.intensity for cell in found.cells}, means)


def test_a_sample_that_failed_is_left_out_alike(logs: tuple[Path, Path], tmp_path: Path) -> None:
    def fail(log: EvalLog) -> None:
        assert log.samples
        log.samples[0].scores = {}
        log.samples = log.samples[:-1]

    cut = changed(logs[0], tmp_path / "cut.eval", fail)
    scored, saved = score_rankings([cut], tmp_path / "scores")
    (study,) = read_studies([cut]).studies
    means = {c.cell: c.mean.value for c in study.summary.cells if c.mean}
    same({cell.cell: cell.intensity for cell in scored.cells}, means)
    lost = {"samples without a score of valueflow/intensity": 1, "samples that were never run": 1}
    assert lost.items() <= saved.dropped.items()
    assert lost.items() <= read_run(cut).left_out.items()


def test_a_file_named_twice_counts_once(logs: tuple[Path, Path], tmp_path: Path) -> None:
    once, _ = score_rankings([logs[0]], tmp_path / "once")
    twice, saved = score_rankings([logs[0], logs[0]], tmp_path / "twice")
    assert twice.cells == once.cells
    assert saved.dropped["files named twice"] == 1


def test_a_folder_is_read_log_by_log(logs: tuple[Path, Path], tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / logs[0].name).write_bytes(logs[0].read_bytes())
    folder, _ = score_rankings([alone], tmp_path / "folder")
    once, _ = score_rankings([logs[0]], tmp_path / "once")
    assert folder.cells == once.cells


def test_the_same_measurement_in_several_runs_counts_once(
    logs: tuple[Path, Path], tmp_path: Path
) -> None:
    def another_run(log: EvalLog) -> None:
        for sample in log.samples or []:
            sample.id = f"again-{sample.id}"
            for score in (sample.scores or {}).values():
                assert score.metadata is not None
                record = score.metadata["valueflow"]
                record["item"] = f"again-{record['item']}"

    again = changed(logs[0], tmp_path / "again.eval", another_run)
    once, _ = score_rankings([logs[0]], tmp_path / "once")
    both, saved = score_rankings([logs[0], again], tmp_path / "both")
    assert both.judges == once.judges
    assert both.cells == once.cells
    repeated = "values of responses measured in another log in the same way"
    assert saved.dropped[repeated] >= len(once.items)
    (study,) = read_studies([logs[0], again]).studies
    assert study.summary.evaluation is not None
    pooled, alone = study.summary.evaluation.judges["power"], once.judges["power"]
    assert (pooled.scale, pooled.scale_se) == pytest.approx((alone.scale, alone.scale_se))
    assert any("count once" in note for note in study.notes)
