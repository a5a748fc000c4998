"""Logs that were changed by hand, renamed, or made from files of one's own, in every reader."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai.log import EvalError, EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import get_model
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tests.study_runs import Page, changed, read_studies, run_log
from valueflow.cli import main
from valueflow.results.logs import without_folders
from valueflow.results.report import write_report
from valueflow.results.steering.figures.judge import judge_fits, judge_parameters
from valueflow.results.style import style
from valueflow.scorers.records import METADATA_KEY
from valueflow.steering.tasks import steer


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run whose anchors and questions are files of its user's."""
    folder = tmp_path_factory.mktemp("own files")
    anchors = folder / "my anchors.csv"
    rows = "".join(f"Anchor {'abcdefghijkl'[i]},{i * 1.6 - 9:.1f},power\n" for i in range(12))
    anchors.write_text(f"text,intensity,value\n{rows}")
    queries = folder / "questions.csv"
    queries.write_text("query\nWhy?\nHow?\nWhen?\n")
    task = steer(values="power", levels=[2], queries=str(queries), n_queries=3, vidb=str(anchors))
    judge = get_model("valueflow/judge", vidb=str(anchors))
    return run_log(tmp_path_factory.mktemp("logs"), task, judge, vidb=str(anchors))


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def first_record(log: EvalLog) -> dict[str, Any]:
    assert log.samples
    (score,) = (log.samples[0].scores or {}).values()
    assert score.metadata is not None
    record: dict[str, Any] = score.metadata[METADATA_KEY]
    return record


def first_window(log: EvalLog) -> dict[str, Any]:
    window: dict[str, Any] = first_record(log)["values"]["power"]["windows"][0]
    return window


FAULTS: dict[str, Callable[[EvalLog], Any]] = {
    "windows": lambda log: first_record(log)["values"]["power"].update(windows=3),
    "cell": lambda log: first_record(log)["values"]["power"].pop("cell"),
    "values": lambda log: first_record(log).update(values=[1]),
    "order": lambda log: first_window(log).update(order=[0, 0, 1, 2, 3, 4]),
    "order ": lambda log: first_window(log).update(order=[9]),
    "order  ": lambda log: first_window(log).update(order="012345"),
    "anchors": lambda log: first_window(log)["anchors"].__setitem__(0, -80),
    "anchors ": lambda log: first_window(log).update(anchors=[]),
    "shown": lambda log: first_window(log).update(shown=[0]),
    "texts": lambda log: first_window(log).update(texts=["one"]),
    "position": lambda log: first_window(log).update(position="first"),
}


@pytest.mark.parametrize("field", FAULTS)
def test_a_record_that_was_changed_by_hand_is_named_with_its_sample(
    log: Path, tmp_path: Path, field: str
) -> None:
    broken = changed(log, tmp_path / "broken.eval", FAULTS[field])
    sample = (read_eval_log(str(broken)).samples or [])[0].id
    for command in (
        ("report", broken, "-o", tmp_path / "report"),
        ("compare", broken, log),
        ("score", broken, "-o", tmp_path / "scores"),
    ):
        code, said = call(*command)
        assert code == 1, command
        assert f"sample {sample}, epoch 1: the record of valueflow/intensity" in said
        assert field.strip() in said.split("the record of valueflow/intensity")[1]


@pytest.mark.usefixtures("not_drawn")
def test_a_json_log_may_have_any_name(log: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    write_eval_log(read_eval_log(str(log)), str(mine))
    report = write_report([mine], tmp_path / "out")
    assert len(report.studies) == 1
    table = (tmp_path / "out" / "tables" / "logs.csv").read_text()
    assert "mine.json" in table
    assert "valueflow/respondent" in table


@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04", b"[[[[", b"\xff\xfe{\x00", b"null"])
@pytest.mark.parametrize("suffix", [".eval", ".json"])
def test_what_is_no_log_is_told_by_every_command(
    tmp_path: Path, content: bytes, suffix: str
) -> None:
    bad = tmp_path / f"bad{suffix}"
    bad.write_bytes(content)
    for command in (
        ("report", bad, "-o", tmp_path / "report"),
        ("compare", bad, bad),
        ("compare", "--logs", bad, "--models", "a", "b"),
        ("score", bad, "-o", tmp_path / "scores"),
    ):
        code, said = call(*command)
        assert code == 1, command
        assert bad.name in said


@pytest.mark.usefixtures("not_drawn")
def test_a_page_names_files_by_their_own_names_and_hashes(log: Path, tmp_path: Path) -> None:
    write_report([log], tmp_path / "out")
    page = Page(tmp_path / "out" / "index.html").text
    methods = (tmp_path / "out" / "methods.txt").read_text()
    for text in (page, methods):
        assert "my anchors.csv" in text
        assert "questions.csv" in text
        assert "own files" not in text
        assert str(Path.home()) not in text
        assert "/tmp/" not in text
        assert "SHA-256" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("anchors /home/me/a.csv (rev)", "anchors a.csv (rev)"),
        ("/home/me/a b/c.csv#full", "c.csv#full"),
        ("hf//data/models/m, n", "hf/m, n"),
        (r"C:\Users\me\a.csv", "a.csv"),
        ("https://host/a/b.csv", "https://host/a/b.csv"),
        ("openai/gpt-4o and power/+2", "openai/gpt-4o and power/+2"),
        ("either /or/ and 1 / 2", "either /or/ and 1 / 2"),
    ],
)
def test_folders_are_left_out_and_nothing_else(text: str, shown: str) -> None:
    assert without_folders(text, ["/home/me/a b/c.csv#full"]) == shown


def test_legends_lie_inside_the_picture(log: Path) -> None:
    studies = read_studies([log]).studies
    with style():
        for drawing in (*judge_fits(studies), *judge_parameters(studies)):
            renderer = FigureCanvasAgg(drawing.figure).get_renderer()
            drawing.figure.draw(renderer)
            (legend,) = drawing.figure.legends
            box = legend.get_window_extent(renderer)
            assert box.x0 >= 0
            assert box.x1 <= drawing.figure.bbox.width


@pytest.mark.usefixtures("not_drawn")
def test_a_sample_that_ended_in_an_error_is_counted_once(log: Path, tmp_path: Path) -> None:
    def fail(one: EvalLog) -> None:
        assert one.samples
        one.samples[0].scores = {}
        one.samples[0].error = EvalError(message="boom", traceback="", traceback_ansi="")

    broken = changed(log, tmp_path / "broken.eval", fail)
    write_report([broken], tmp_path / "out")
    text = Page(tmp_path / "out" / "index.html").text
    assert "1 sample ended in an error" in text
    assert "no score (left out)" not in text
    code, said = call("score", broken, "-o", tmp_path / "scores")
    assert code == 0
    assert "Left out: 1 sample that ended in an error" in said
    assert "without a score" not in said
    run = json.loads((tmp_path / "scores" / "run.json").read_text())
    assert sum(run["left_out"].values()) == 1


@pytest.mark.parametrize("found", ["9" * 5000, "[" * 50_000])
def test_a_json_log_that_would_crash_a_parser_is_told(
    log: Path, tmp_path: Path, found: str
) -> None:
    mine = tmp_path / "mine.json"
    write_eval_log(read_eval_log(str(log)), str(mine))
    mine.write_text(mine.read_text().replace('"version": 2', f'"version": {found}', 1))
    code, said = call("score", mine, "-o", tmp_path / "scores")
    assert code == 1
    assert "more than 1,000 digits, or nesting without end" in said
