"""`valueflow compare` on logs of real runs of simulated models."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import get_model

from tests.conftest import mock_model, output
from valueflow.cli import main
from valueflow.hub_assets.errors import InputFileError, UnknownNameError, ValueflowError
from valueflow.results.compare import compare_runs, read_models, read_run
from valueflow.scorers.records import METADATA_KEY
from valueflow.simulated.respondent import read_trailer
from valueflow.steering.tasks import steer


def run(
    folder: Path,
    *,
    respondent: dict[str, Any] | None = None,
    judge: dict[str, Any] | None = None,
    **options: Any,
) -> Path:
    log = inspect_eval(
        steer(**{"values": "power", "levels": "-2,2", "n_queries": 16, "windows": 2, **options}),
        model=get_model("valueflow/respondent", memoize=False, **(respondent or {})),
        model_roles={"grader": get_model("valueflow/judge", memoize=False, **(judge or {}))},
        display="none",
        log_dir=str(folder),
    )[0]
    assert log.status == "success", log.error
    return Path(log.location)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two runs of one truth with different noise, one that goes farther up, a short one."""
    folder = tmp_path_factory.mktemp("logs")
    return {
        "plain": run(folder / "plain", respondent={"seed": 1}, judge={"seed": 1}),
        "again": run(folder / "again", respondent={"seed": 2}, judge={"seed": 1}),
        "farther": run(folder / "far", respondent={"seed": 2, "gain_up": 9}, judge={"seed": 1}),
        "short": run(folder / "short", respondent={"seed": 3}, judge={"seed": 1}, n_queries=2),
    }


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


def edited(log: Path, path: Path, change: Any) -> Path:
    """A copy of a log whose records were changed."""
    copy: EvalLog = read_eval_log(str(log))
    copy.eval.task_id = f"{copy.eval.task_id}-{path.stem}"
    for sample in copy.samples or []:
        for score in (sample.scores or {}).values():
            assert score.metadata is not None
            change(sample, score.metadata[METADATA_KEY])
    write_eval_log(copy, str(path))
    return path


def test_two_runs_of_one_truth_differ_nowhere_and_a_larger_gain_is_found(
    logs: dict[str, Path],
) -> None:
    same = compare_runs(read_run(logs["plain"]), read_run(logs["again"]))
    assert same.same_judge
    assert not any(row.differs for row in same.differences)
    farther = compare_runs(read_run(logs["farther"]), read_run(logs["again"]))
    assert {row.cell for row in farther.differences if row.differs} == {"power/+2"}


def test_differences_agree_with_the_truth_that_the_respondent_states(logs: dict[str, Path]) -> None:
    def truth(name: str) -> float:
        samples = read_eval_log(str(logs[name])).samples or []
        found = [read_trailer(s.output.completion) for s in samples if str(s.id).endswith("+2")]
        return sum(one["power"] for one in found if one) / len(found)

    found = compare_runs(read_run(logs["farther"]), read_run(logs["plain"]))
    top = next(row for row in found.of("mean") if row.cell == "power/+2")
    assert top.difference == pytest.approx(truth("farther") - truth("plain"), abs=3 * top.se)
    assert top.shared == 16


def test_the_command_prints_a_table_and_writes_csv_and_versions(
    logs: dict[str, Path], tmp_path: Path
) -> None:
    table = tmp_path / "made" / "difference.csv"
    done = command(logs["farther"], logs["plain"], "-o", table)
    assert done.exit_code == 0, done.output
    assert "1 of 3 cells differ after Holm's correction at 5%." in done.output
    assert "shifts from the default differ after Holm's correction at 5%." in done.output
    assert "model option gain_up: 9 → (not given)" in done.output
    starred = [line for line in done.output.splitlines() if line.strip().startswith("*")]
    assert {line.split()[1] for line in starred} == {"power/+2", "power"}
    figures = list(csv.DictReader(table.with_name("difference_figures.csv").open()))
    (span,) = [row for row in figures if (row["what"], row["unit"]) == ("range", "power")]
    assert float(span["difference"]) > 0
    rows = list(csv.DictReader(table.open()))
    assert [(row["what"], row["cell"]) for row in rows] == [
        ("mean", "power/-2"),
        ("mean", "power/0"),
        ("mean", "power/+2"),
        ("shift", "power/-2"),
        ("shift", "power/+2"),
    ]
    top = rows[2]
    assert float(top["difference"]) == pytest.approx(float(top["a"]) - float(top["b"]), abs=1e-4)
    assert float(top["lower"]) > 0
    assert (top["differs"], top["responses_a"], top["shared_queries"]) == ("1", "16", "16")
    said = json.loads(table.with_suffix(".json").read_text())
    assert said["A"]["model"] == "valueflow/respondent"
    assert said["A"]["versions"]["judge_prompt"] == "1"
    assert said["A"]["judge"]["vidb"] == "vidb-mini"
    assert said["correction"] == "holm"
    assert said["same_judge"] is True


def test_a_log_compared_with_itself_is_all_zero(logs: dict[str, Path]) -> None:
    done = command(logs["plain"], logs["plain"])
    assert done.exit_code == 0, done.output
    assert "0 of 3 cells differ" in done.output
    assert "+0.00" in done.output
    assert "-0.00 " not in done.output


def test_another_correction_and_confidence_are_named(logs: dict[str, Path]) -> None:
    done = command(logs["plain"], logs["again"], "--correction", "none", "--confidence", "0.9")
    assert "without any correction at 10%" in done.output
    assert "90% interval" in done.output
    done = command(logs["plain"], logs["again"], "--correction", "bh")
    assert "after Benjamini and Hochberg's correction" in done.output


def test_few_queries_are_noted(logs: dict[str, Path]) -> None:
    done = command(logs["plain"], logs["short"])
    assert done.exit_code == 0, done.output
    assert "Fewer than 10 queries stand behind power/-2" in done.output
    assert "share only a part of their queries" in done.output


def test_two_models_among_logs_are_chosen_by_name(logs: dict[str, Path], tmp_path: Path) -> None:
    for name, model in (("plain", "openai/old"), ("farther", "google/new")):
        log = read_eval_log(str(logs[name]))
        log.eval.model = model
        write_eval_log(log, str(tmp_path / f"{name}.eval"))
    a, b = read_models([tmp_path], ("new", "openai/old"))
    assert (a.model, b.model) == ("google/new", "openai/old")
    done = command("--logs", tmp_path, "--models", "google/new", "openai/old")
    assert "1 of 3 cells differ" in done.output
    with pytest.raises(UnknownNameError, match="Did you mean 'openai/old'"):
        read_models([tmp_path], ("openai/odl", "new"))
    with pytest.raises(InputFileError, match=r"several models \(google/new, openai/old\)"):
        read_run(tmp_path)


@pytest.mark.parametrize("year", [2001, 2101])
def test_of_a_run_and_its_attempts_the_fullest_counts_whichever_came_last(
    logs: dict[str, Path], tmp_path: Path, year: int
) -> None:
    log = read_eval_log(str(logs["plain"]))
    log.samples = (log.samples or [])[:7]
    log.eval.created = f"{year}-01-01T00:00:00+00:00"
    write_eval_log(log, str(tmp_path / "attempt.eval"))
    shutil.copy(logs["plain"], tmp_path)
    found = read_run(tmp_path)
    assert len(found.responses) == 48
    assert found.left_out == {"logs of other attempts at the same run": 1}


def test_logs_with_the_same_responses_are_not_taken_together(
    logs: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copy(logs["plain"], tmp_path)
    shutil.copy(logs["again"], tmp_path)
    with pytest.raises(InputFileError, match=r"of cell 'power/.*' stands in .*\.eval too"):
        read_run(tmp_path)


def test_missing_samples_are_counted_and_the_rest_is_compared(
    logs: dict[str, Path], tmp_path: Path
) -> None:
    log = read_eval_log(str(logs["plain"]))
    log.samples = [s for s in log.samples or [] if not str(s.id).endswith("power-2")]
    write_eval_log(log, str(tmp_path / "cut.json"))
    done = command(tmp_path / "cut.json", logs["again"])
    assert done.exit_code == 0, done.output
    assert "Left out of A: 16 samples that were never run" in done.output
    assert "Only B has scored responses of power/-2" in done.output
    assert "0 of 2 cells differ" in done.output


def test_other_anchors_are_an_error_unless_forced(logs: dict[str, Path], tmp_path: Path) -> None:
    def change(_: Any, record: Any) -> None:
        record["judge"]["vidb_sha256"] = "another"

    other = edited(logs["again"], tmp_path / "other.json", change)
    done = command(logs["plain"], other)
    assert done.exit_code == 1
    assert "not on one scale: the anchors differ" in done.output
    assert "other.json" in done.output
    forced = command(logs["plain"], other, "--force")
    assert forced.exit_code == 0, forced.output
    assert "Compared although the anchors differ" in forced.output


def test_other_judges_are_told(tmp_path: Path, logs: dict[str, Path]) -> None:
    other = run(tmp_path, respondent={"seed": 1}, judge={"seed": 1, "scale": 0.5})
    done = command(logs["plain"], other)
    assert done.exit_code == 0, done.output
    assert "A and B have different judges" in done.output


@pytest.mark.parametrize(
    ("told", "other", "note"),
    [
        ("wording", "1", "prompts of A and B are of different versions"),
        ("form", "sentence", "asked for in different forms"),
        ("baseline", "plain", "asked in different ways"),
        ("language", "de", "are in different languages"),
    ],
)
def test_what_models_were_told_otherwise_is_said(
    told: str, other: str, note: str, logs: dict[str, Path], tmp_path: Path
) -> None:
    log = read_eval_log(str(logs["again"]))
    assert log.eval.metadata is not None
    log.eval.metadata[told] = other
    write_eval_log(log, str(tmp_path / "other.json"))
    done = command(logs["plain"], tmp_path / "other.json")
    assert note in " ".join(done.output.split())
    # What a log of before does not say is what was done then.
    del log.eval.metadata[told]
    write_eval_log(log, str(tmp_path / "silent.json"))
    silent = command(logs["plain"], tmp_path / "silent.json")
    assert note not in " ".join(silent.output.split())


def test_runs_of_other_values_have_nothing_in_common(logs: dict[str, Path], tmp_path: Path) -> None:
    other = run(tmp_path, values="tradition", n_queries=2)
    done = command(logs["plain"], other)
    assert done.exit_code == 1
    assert "A has power/-2, power/0, power/+2; B has tradition/-2" in done.output


def test_a_log_without_our_scores_is_named(logs: dict[str, Path], tmp_path: Path) -> None:
    other = inspect_eval(
        Task(dataset=[Sample(id="one", input="Hello")]),
        model=mock_model(lambda *_: output("hello")),
        display="none",
        log_dir=str(tmp_path),
    )[0]
    done = command(logs["plain"], other.location)
    assert done.exit_code == 1
    assert f"{Path(other.location).name}: holds no score of valueflow/intensity" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "two runs or more are compared, not 0"),
        (["A.eval"], "two runs or more are compared, not 1"),
        (["A.eval", "B.eval", "--models", "x", "y"], "models: goes with --logs"),
        (["--models", "x", "y"], "models: goes with --logs"),
        (["A.eval", "B.eval", "--logs", "."], "logs: takes the place of A B"),
        (["nowhere.eval", "B.eval"], "nowhere.eval: there is no such file or folder"),
        (["A.eval", "B.eval", "-o", "c.json"], "give it the suffix .csv"),
    ],
)
def test_bad_options_end_with_one_sentence(arguments: list[str], message: str) -> None:
    done = command(*arguments)
    assert done.exit_code == 1
    assert message in done.output
    assert "Traceback" not in done.output


def test_errors_of_a_comparison_name_the_logs(logs: dict[str, Path]) -> None:
    a, b = read_run(logs["plain"]), read_run(logs["short"])
    b.responses.clear()
    with pytest.raises(ValueflowError, match=rf"^B: .*A: .*{logs['plain'].name}; B: "):
        compare_runs(a, b)
