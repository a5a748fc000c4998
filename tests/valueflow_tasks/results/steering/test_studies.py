"""Which logs are taken as one study, and what is said of those that are not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import get_model
from inspect_ai.scorer import includes

from tests.hub_assets.registry.test_catalogues import OWN, write
from tests.study_runs import changed, copied, read_studies, records_in, run_log
from valueflow.hub_assets.errors import InputFileError
from valueflow.scorers.intensity_scorer import intensity
from valueflow.steering.tasks import steer

THRIFT = OWN["theories"]["craft"]["nodes"]["thrift"]  # type: ignore[index]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_log(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def other_values(tmp_path_factory: pytest.TempPathFactory) -> Path:
    task = steer(values="power,tradition", levels="-2,2", n_queries=3)
    return run_log(tmp_path_factory.mktemp("runs"), task)


def test_logs_with_the_same_settings_are_one_study_and_the_same_measurement_counts_once(
    log: Path, other_values: Path
) -> None:
    (study,) = read_studies([log, other_values]).studies
    assert len(study.logs) == 2
    assert len(study.records) == 30
    assert len({record["item"] for record in study.records}) == 30
    power = {c.level: c for c in study.summary.cells if c.value == "power"}
    # Both runs made the same responses on power, with the same windows and judgements.
    assert power[2].count == 3
    assert any("values of responses were measured in several logs" in n for n in study.notes)
    assert study.summary.counts["responses"] == 30
    assert study.usage["judge", "valueflow/judge"]["total"] == sum(
        one.usage["judge", "valueflow/judge"]["total"] for one in study.logs
    )
    assert any("pooled" in note for note in study.notes)
    assert study.label == "valueflow/respondent"


def test_one_log_gives_the_numbers_of_its_own_run(log: Path) -> None:
    (study,) = read_studies([log]).studies
    results = read_eval_log(str(log), header_only=True).results
    assert results is not None
    metrics = results.scores[0].metrics
    for cell in study.summary.cells:
        assert cell.mean.value == pytest.approx(metrics[f"{cell.cell} mean"].value)


def test_json_logs_are_read_as_well(log: Path, tmp_path: Path) -> None:
    (compact,) = read_studies([log]).studies
    (plain,) = read_studies([changed(log, tmp_path / "log.json", lambda log: None)]).studies
    assert plain.summary.cells == compact.summary.cells


def set_metadata(name: str, value: Any) -> Callable[[EvalLog], None]:
    def change(log: EvalLog) -> None:
        assert log.eval.metadata is not None
        log.eval.metadata[name] = value

    return change


def set_judge(name: str, value: Any) -> Callable[[EvalLog], None]:
    def change(log: EvalLog) -> None:
        for record in records_in(log):
            record["judge"][name] = value

    return change


def set_version(name: str, value: str) -> Callable[[EvalLog], None]:
    def change(log: EvalLog) -> None:
        for record in records_in(log):
            record["versions"][name] = value

    return change


def set_step(name: str, value: Any) -> Callable[[EvalLog], None]:
    def change(log: EvalLog) -> None:
        log.plan.steps[-1].params[name] = value

    return change


def set_word_limit(log: EvalLog) -> None:
    for sample in log.samples or []:
        sample.metadata["valueflow"]["word_limit"] = 50


def set_model(log: EvalLog) -> None:
    log.eval.model = "openai/gpt-4o-mini"


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        (set_model, None),
        (set_step("method", "user_texts"), None),
        (set_step("style", "user"), None),
        (set_word_limit, None),
        (set_metadata("wording", "1"), "wording"),
        (set_metadata("form", "sentence"), "form"),
        (set_metadata("baseline", "plain"), "baseline"),
        (set_metadata("language", "de"), "language"),
        (set_metadata("queries_sha256", "0123"), "queries hash"),
        (set_version("valueflow", "9.9"), "valueflow version"),
        (set_version("judge_prompt", "2"), "judge prompt version"),
        (set_version("refusals", "2"), "refusal phrases version"),
        (set_judge("model", "openai/gpt-5"), "judge"),
        (set_judge("model_args", "0123"), "judge arguments"),
        (set_judge("config", {"temperature": 0.7}), None),
        (set_judge("vidb_sha256", "0123"), "anchors hash"),
        (set_judge("windows", 4), "windows"),
        (set_judge("seed", 1), None),
    ],
)
def test_whatever_decides_a_number_keeps_logs_apart(
    log: Path, tmp_path: Path, change: Callable[[EvalLog], None], flag: str | None
) -> None:
    other = changed(log, tmp_path / "other.eval", change)
    found = read_studies([log, other])
    assert [study.tag for study in found.studies] == ["A", "B"]
    assert [len(study.records) for study in found.studies] == [15, 15]
    labels = [study.label for study in found.studies]
    assert len(set(labels)) == 2
    if flag is not None:
        assert any(f"differ in {flag} (" in warning for warning in found.warnings)


def test_settings_that_change_no_answer_keep_nothing_apart(log: Path, tmp_path: Path) -> None:
    def more_connections(log: EvalLog) -> None:
        log.eval.model_generate_config.max_connections = 50

    other = changed(log, tmp_path / "other.eval", more_connections)
    assert len(read_studies([log, other]).studies) == 1


def test_labels_name_what_differs_and_hide_secrets(log: Path, tmp_path: Path) -> None:
    def arguments(log: EvalLog) -> None:
        log.eval.model_args = {"gain_up": 6, "api_key": "sk-very-secret"}

    other = changed(log, tmp_path / "other.eval", arguments)
    first, second = read_studies([log, other]).studies
    assert first.label == "A: valueflow/respondent"
    assert "gain_up=6" in second.label
    assert "sk-very-secret" not in json.dumps(second.settings) + second.label


def test_logs_whose_own_catalogues_define_values_differently_stay_apart(tmp_path: Path) -> None:
    def run(definition: str, **more: Any) -> Path:
        nodes = {"thrift": {**THRIFT, "definition": definition}}
        theories = {"craft": {**OWN["theories"]["craft"], "nodes": nodes}}  # type: ignore[index]
        path = write(tmp_path, {**OWN, "theories": theories, "pairs": [], **more})
        task = steer(theory="craft", levels=2, n_queries=2, catalogue=str(path))
        judge = get_model("valueflow/judge", vidb="craft-anchors", memoize=False)
        return run_log(tmp_path, task, judge)

    first = run("A thrifty person wastes nothing.")
    # What the catalogue says of other things decides no number.
    same = run("A thrifty person wastes nothing.", five_value_squares={})
    other = run("A thrifty person hoards.")
    assert len(read_studies([first, same]).studies) == 1
    found = read_studies([first, other])
    assert len(found.studies) == 2
    assert any("own values hash" in warning for warning in found.warnings)


def test_a_judges_arguments_are_readable_where_the_header_has_them(tmp_path: Path) -> None:
    judge = get_model("valueflow/judge", scale=0.4)
    (study,) = read_studies([run_log(tmp_path, judge=judge)]).studies
    assert study.settings["judge arguments"] == "scale=0.4"


def test_the_same_log_twice_and_a_copy_count_once(log: Path, tmp_path: Path) -> None:
    copy = copied(log, tmp_path / "copies")
    found = read_studies([log, log, copy])
    assert [len(study.records) for study in found.studies] == [15]
    assert len(found.skipped) == 1
    assert "copy" in found.skipped[0].reason


def test_of_a_run_and_its_retry_the_fuller_log_counts(log: Path, tmp_path: Path) -> None:
    def broken(log: EvalLog) -> None:
        assert log.samples is not None
        log.samples, log.status = log.samples[:4], "error"
        log.eval.eval_id = "earlier try"

    failed = changed(log, tmp_path / "failed.eval", broken, fresh=False)
    found = read_studies([failed, log])
    assert [len(study.records) for study in found.studies] == [15]
    assert [Path(one.path).name for one in found.skipped] == ["failed.eval"]


def test_an_unfinished_log_is_used_and_what_is_missing_is_counted(
    log: Path, tmp_path: Path
) -> None:
    def broken(log: EvalLog) -> None:
        assert log.samples is not None
        log.samples, log.status = log.samples[:7], "error"
        log.samples[6].scores = None

    (study,) = read_studies([changed(log, tmp_path / "broken.eval", broken)]).studies
    assert study.counts["planned"] == 15
    assert study.counts["in_log"] == 7
    assert study.counts["without_score"] == 1
    assert len(study.records) == 6
    told = " ".join(study.notes)
    assert "did not finish" in told
    assert "8 of 15 planned samples are not in the log" in told
    assert "1 samples have no score" in told


def test_a_study_without_a_default_says_that_it_has_no_shifts(log: Path, tmp_path: Path) -> None:
    def steered_only(log: EvalLog) -> None:
        log.samples = [s for s in log.samples or [] if not str(s.id).endswith("default")]

    (study,) = read_studies([changed(log, tmp_path / "bare.eval", steered_only)]).studies
    assert all(cell.shift is None for cell in study.summary.cells)
    assert any("no shifts" in note for note in study.notes)


def test_a_model_that_judged_itself_is_told(log: Path, tmp_path: Path) -> None:
    other = changed(log, tmp_path / "self.eval", set_judge("is_evaluated_model", True))
    (study,) = read_studies([other]).studies
    assert any("judged its own responses" in note for note in study.notes)


def without_scores(log: EvalLog) -> None:
    for sample in log.samples or []:
        sample.scores = None


def test_a_log_without_scores_is_an_error_alone_and_counted_among_others(
    log: Path, tmp_path: Path
) -> None:
    bare = changed(log, tmp_path / "bare.eval", without_scores)
    with pytest.raises(InputFileError, match=r"bare\.eval: has no scores of valueflow/intensity"):
        read_studies([bare])
    found = read_studies([bare, log])
    assert len(found.studies) == 1
    assert [one.reason for one in found.skipped] == ["has no scores of valueflow/intensity"]
    with pytest.raises(InputFileError, match="none of the 2 logs can be used"):
        read_studies([bare, changed(log, tmp_path / "bare2.eval", without_scores)])


def test_of_two_scores_of_a_sample_the_newest_alone_counts(log: Path, tmp_path: Path) -> None:
    twice = inspect_score(
        read_eval_log(str(log)),
        intensity(windows=1),
        model_roles={"grader": "valueflow/judge"},
        action="append",
        display="none",
    )
    write_eval_log(twice, str(tmp_path / "twice.eval"))
    (study,) = read_studies([tmp_path / "twice.eval"]).studies
    assert {len(v["windows"]) for r in study.records for v in r["values"].values()} == {1}
    assert any("scored more than once" in note for note in study.notes)


def test_a_log_half_scored_by_another_judge_is_refused(log: Path, tmp_path: Path) -> None:
    def half(log: EvalLog) -> None:
        for record in records_in(log)[:5]:
            record["judge"]["model"] = "openai/gpt-5"

    mixed = changed(log, tmp_path / "mixed.eval", half)
    with pytest.raises(InputFileError, match="more than one judge"):
        read_studies([mixed])


def test_paths_that_hold_no_log_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="no such file or folder"):
        read_studies([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputFileError, match="a folder without an Inspect log"):
        read_studies([tmp_path / "empty"])
    (tmp_path / "answers.csv").write_text("a,b\n")
    with pytest.raises(InputFileError, match=r"answers\.csv: is no Inspect log"):
        read_studies([tmp_path / "answers.csv"])
    (tmp_path / "broken.eval").write_bytes(b"PK but nothing else")
    with pytest.raises(InputFileError, match=r"broken\.eval: is not a readable Inspect log"):
        read_studies([tmp_path / "broken.eval"])


def test_logs_of_other_evaluations_are_left_out(log: Path, tmp_path: Path) -> None:
    other = Task(dataset=[Sample(id="one", input="1+1?", target="2")], scorer=includes())
    done = inspect_eval(other, model="mockllm/model", display="none", log_dir=str(tmp_path))[0]
    found = read_studies([log, Path(done.location)])
    assert len(found.studies) == 1
    assert [one.reason for one in found.skipped] == ["has no scores of valueflow/intensity"]
