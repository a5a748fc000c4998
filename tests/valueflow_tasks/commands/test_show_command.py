"""`valueflow show`: a cell's responses by surprise, with windows and the judge's own words."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.study_runs import Page, changed, records_in, run_log
from valueflow.cli import main
from valueflow.results.steering.texts.shown import RESPONSE, shown_cell
from valueflow.steering.tasks import steer


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    task = steer(values="power", levels="-2,2", n_queries=5)
    return run_log(tmp_path_factory.mktemp("logs"), task, refusal_rate=0.2)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["show", *map(str, arguments)])


def test_responses_come_by_surprise_and_each_window_in_the_judges_order(log: Path) -> None:
    found = shown_cell(log, "power/+2")
    assert len(found.responses) == 5
    surprise = [one.surprise for one in found.responses]
    assert surprise == sorted(surprise, reverse=True)
    for one in found.responses:
        for window in one.windows:
            assert len(window.lines) == 6
            assert sum(RESPONSE in line for line in window.lines) == 1
            assert window.raw


def test_the_command_shows_texts_windows_and_on_request_raw_answers(log: Path) -> None:
    few = call(log, "--cell", "power/+2", "--most", "1")
    assert few.exit_code == 0, few.output
    assert few.stdout.count("answered: ") == 1
    assert "4 more" in few.stdout
    assert re.search(r"window 1, response shown in place \d", few.stdout) or "refused" in few.stdout
    assert "judge: " not in few.stdout
    assert "judge: " in call(log, "--cell", "power/+2", "--raw").stdout


def test_the_page_holds_every_text_and_no_markup_of_theirs(log: Path, tmp_path: Path) -> None:
    hostile = "</pre><script>alert(1)</script>"

    def put(one: object) -> None:
        for sample in one.samples:  # type: ignore[attr-defined]
            sample.output.choices[0].message.content = hostile
            sample.output.completion = hostile
        for record in records_in(one):  # type: ignore[arg-type]
            for value in record["values"].values():
                for window in value["windows"]:
                    window["raw"] = [hostile]

    copy = changed(log, tmp_path / "hostile.json", put)
    page = tmp_path / "cell.html"
    done = call(copy, "--cell", "power/+2", "-o", page)
    assert done.exit_code == 0, done.output
    assert "script" not in Page(page).tags
    assert Page(page).text.count(hostile) > 5


@pytest.mark.parametrize(
    ("options", "word"),
    [(("--cell", "power/+3"), "power/+2"), (("--cell", "power/0", "-o", "x.txt"), ".html")],
)
def test_what_is_not_there_is_named(log: Path, options: tuple[str, ...], word: str) -> None:
    said = call(log, *options)
    assert said.exit_code == 1
    assert word in said.output
