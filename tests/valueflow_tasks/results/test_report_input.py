"""Reports of unusual logs, bad input, and the command line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from inspect_ai.log import EvalLog

from tests.study_runs import Page, changed, read_studies, rows, run_log
from valueflow.cli import main
from valueflow.commands.results import report as report_commands
from valueflow.hub_assets.errors import OptionError
from valueflow.results.report import write_report
from valueflow.results.steering.rows import shifts_by_level
from valueflow.results.steering.series import series_of
from valueflow.scorers.figures import Figure
from valueflow.steering.existing import score
from valueflow.steering.tasks import steer_pair


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["report", *arguments])


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of two values at two levels."""
    return run_log(tmp_path_factory.mktemp("logs"))


def test_a_study_without_default_is_drawn_and_told(single: Path, tmp_path: Path) -> None:
    def steered_only(log: EvalLog) -> None:
        log.samples = [s for s in log.samples or [] if not str(s.id).endswith("default")]

    bare = changed(single, tmp_path / "bare.eval", steered_only)
    report = write_report([bare], tmp_path / "out")
    assert "no shifts, no ranges" in Page(report.folder / "index.html").text
    assert "figures/values_by_model_pvq.png" in report.files
    assert "figures/steerability_pvq.png" not in report.files


def test_a_model_that_refuses_everything_gets_counts_and_no_intensity(tmp_path: Path) -> None:
    log = run_log(tmp_path / "logs", refusal_rate=1.0)
    report = write_report([log], tmp_path / "out")
    assert "none of its 15 responses could be scored" in Page(report.folder / "index.html").text
    assert [name for name in report.files if name.endswith(".png")] == ["figures/refusals.png"]


def test_responses_made_elsewhere_get_a_panel_for_each_model(tmp_path: Path) -> None:
    lines = ["response,value,level,model,query"]
    for model in ("first", "second"):
        for query in ("a", "b", "c"):
            for level in (0, 2):
                end = f"[simulated intensities: power={3 * level + 1:+d}]"
                lines.append(f'"I would act. {end}",power,{level},{model},{query}')
    table = tmp_path / "answers.csv"
    table.write_text("\n".join(lines) + "\n")
    log = run_log(tmp_path / "logs", score(responses=str(table)))
    report = write_report([log], tmp_path / "out")
    text = Page(report.folder / "index.html").text
    assert "valueflow/respondent, first" in text
    assert "figures/models_by_value_pvq.png" in report.files
    ranked = rows(report.folder / "tables" / "values.csv")
    assert {row["group"] for row in ranked} == {"first", "second"}


@pytest.mark.usefixtures("not_drawn")
def test_text_from_logs_and_options_cannot_become_markup(single: Path, tmp_path: Path) -> None:
    def name(log: EvalLog) -> None:
        log.eval.model = "<script>alert(1)</script>"

    other = changed(single, tmp_path / "odd.eval", name)
    write_report([other], tmp_path / "out", title="<img src=x>")
    found = Page(tmp_path / "out" / "index.html")
    assert "script" not in found.tags
    assert "x" not in found.references
    assert "<script>alert(1)</script>" in found.text


def test_the_same_logs_make_the_same_files(single: Path, tmp_path: Path) -> None:
    first, second = (write_report([single], tmp_path / name) for name in ("one", "two"))
    assert first.files == second.files
    for name in first.files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.usefixtures("not_drawn")
def test_a_later_report_removes_its_own_old_files_and_no_others(
    single: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    pair = run_log(tmp_path / "logs", steer_pair(pairs="power+universalism", n_queries=2))
    write_report([pair], folder)
    assert (folder / "figures" / "pair_pvq_power_universalism.png").exists()
    (folder / "figures" / "mine.png").write_bytes(b"mine")
    listed = json.loads((folder / "report.json").read_text())
    (tmp_path / "precious.csv").write_text("mine")
    listed["files"].append("../precious.csv")
    (folder / "report.json").write_text(json.dumps(listed))
    write_report([single], folder)
    assert not (folder / "figures" / "pair_pvq_power_universalism.png").exists()
    assert (folder / "figures" / "mine.png").exists()
    assert (tmp_path / "precious.csv").exists()


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=r"-o: .*cannot be written to"):
        write_report([tmp_path / "nowhere"], tmp_path / "file" / "out")


@pytest.mark.usefixtures("not_drawn")
def test_the_command_tells_what_was_left_out(single: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.eval").write_bytes(b"PK")
    result = call(str(single), str(tmp_path / "broken.eval"), "-o", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    assert "Left out: " in result.output
    assert "broken.eval is not a readable Inspect log" in " ".join(result.output.split())
    assert str(tmp_path / "out" / "index.html") in result.output
    page = Page(tmp_path / "out" / "index.html")
    assert "1 log was left out" in page.text
    assert "broken.eval" in page.text


def test_bad_input_ends_with_one_message_and_writes_no_page(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = call(str(tmp_path / "empty"), "-o", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "a folder without an Inspect log" in " ".join(result.output.split())
    assert not (tmp_path / "out" / "index.html").exists()


def test_without_the_extra_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        report_commands, "find_spec", lambda name: None if name == "jinja2" else object()
    )
    result = call(str(tmp_path), "-o", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "needs jinja2: pip install 'valueflow[report]'" in result.output


def test_help_has_examples() -> None:
    result = call("--help")
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert "valueflow report logs -o report" in result.output


def test_shifts_with_and_without_refusals_are_averaged_over_the_same_values(single: Path) -> None:
    (study,) = read_studies([single]).studies
    (series,) = series_of([study])
    assert shifts_by_level(series) == []  # nothing was refused
    power, other = (v for v in series.values)
    refusing = replace(power.cells[2], refusals=1, with_refusals=Figure(0.0, 1.0))
    series.values[0] = replace(power, cells={**power.cells, 2: refusing})
    high = shifts_by_level(series)[-1]
    assert power.cells[2].shift is not None
    assert other.cells[2].shift is not None
    first, second = power.cells[2].shift.value, other.cells[2].shift.value
    assert high["shift"] == pytest.approx((first + second) / 2)
    assert high["with_refusals"] == pytest.approx(second / 2)
    unknown = replace(refusing, with_refusals=None)
    series.values[0] = replace(power, cells={**power.cells, 2: unknown, -2: refusing})
    assert shifts_by_level(series)[-1]["shift"] == pytest.approx(second)
