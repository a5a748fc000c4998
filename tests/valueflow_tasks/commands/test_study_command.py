"""`valueflow study`: one file, one plan, one command that can be stopped and goes on."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from inspect_ai.log import read_eval_log

from valueflow.cli import main
from valueflow.scorers.records import panel_of
from valueflow.scorers.saved.logs import ScoredLog, find_logs

STUDY = """
title: Two models
models:
  - {model: valueflow/respondent, name: weak, args: {gain_up: 2, gain_down: 1, seed: 1}}
  - {model: valueflow/respondent, name: strong, args: {gain_up: 7, gain_down: 6, seed: 2}}
judges: [valueflow/judge]
tasks:
  - steer: {values: "power,universalism", levels: "-2,2", n_queries: 4, windows: 1}
  - steer_pair: {pairs: power+universalism, levels: "2/2", n_queries: 4, windows: 1}
"""


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["study", *map(str, arguments)])


def study(folder: Path, text: str = STUDY) -> Path:
    path = folder / "study.yaml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("study")
    result = call(study(folder), "--display", "none")
    assert result.exit_code == 0, result.output
    return folder, result


def test_the_plan_counts_defaults_once_and_asks_nothing(tmp_path: Path) -> None:
    said = call(study(tmp_path), "--plan")
    assert said.exit_code == 0, said.output
    assert "Nothing was asked" in said.output
    # 4 queries: 5 conditions of steer and 1 of the pair; the default of the pair is that of steer.
    # Windows: the default on 2 values, 4 steered cells, the pair on 2 values; 4 queries each.
    (row,) = {
        tuple(line.split()[2:4]) for line in said.output.splitlines() if "valueflow/judge" in line
    }
    assert row == ("24", "32")
    assert not (tmp_path / "logs").exists()


PANEL = "[valueflow/judge, {model: valueflow/judge, args: {seed: 2, scale: 0.5}}]"


@pytest.mark.parametrize(("panel", "calls"), [("all", "64"), ("split", "32")])
def test_a_panel_judges_every_window_or_shares_them(tmp_path: Path, panel: str, calls: str) -> None:
    text = STUDY.replace("[valueflow/judge]", f"[{{panel: {PANEL}, name: both}}]")
    text = text.replace("windows: 1", f"windows: 1, panel: {panel}")
    said = call(study(tmp_path, text), "--plan")
    assert said.exit_code == 0, said.output
    (row,) = {tuple(line.split()[1:4]) for line in said.output.splitlines() if " both " in line}
    assert row == ("both", "24", calls)


def test_a_studys_panel_is_read_as_one_panel(tmp_path: Path) -> None:
    lines = [line for line in STUDY.splitlines() if "weak" not in line and "pair" not in line]
    one = "\n".join(lines)
    text = one.replace("[valueflow/judge]", f"[{{panel: {PANEL}}}]").replace("power,univ", "univ")
    said = call(study(tmp_path, text), "--display", "none")
    assert said.exit_code == 0, said.output
    (log,) = find_logs([tmp_path / "logs"])
    records = list(ScoredLog(log).records())
    assert len(panel_of(records)) == 2
    shown = CliRunner().invoke(main, ["summary", str(log)]).output
    assert "Panel of 2 judges" in shown
    assert sum("without it" in line for line in shown.splitlines()) >= 1


def test_every_model_runs_every_task_and_defaults_are_asked_and_judged_once(
    done: tuple[Path, Result],
) -> None:
    folder, _ = done
    logs = find_logs([folder / "logs"])
    assert len(logs) == 4
    headers = [read_eval_log(str(log), header_only=True) for log in logs]
    assert {(h.eval.task, h.eval.model_args["seed"]) for h in headers} == {
        (task, seed) for task in ("valueflow/steer", "valueflow/steer_pair") for seed in (1, 2)
    }
    # A judge's memory knows a question by its words, so equal windows of equal responses cost
    # nothing twice (simulated judges have no memory, and answer alike).
    defaults: dict[tuple[int, str], list[Any]] = {}
    for header, log in zip(headers, logs, strict=True):
        for sample, record in ScoredLog(log).samples():
            if record is not None and str(sample.id).endswith("/default"):
                windows = [
                    [value["value"], window["texts"], window["shown"], window["labels"]]
                    for value in record["values"].values()
                    for window in value["windows"]
                ]
                key = (header.eval.model_args["seed"], str(sample.id))
                told = [sample.output.completion, sorted(map(str, windows))]
                defaults.setdefault(key, []).append(told)
    assert len(defaults) == 2 * 4
    for both in defaults.values():
        assert len(both) == 2
        assert both[0] == both[1]
    texts = {key: both[0][0] for key, both in defaults.items()}
    # Two models of one name that differ in their options do not answer for one another.
    assert all(texts[1, sample] != texts[2, sample] for _, sample in texts)


def test_it_ends_with_the_comparison_and_the_report(done: tuple[Path, Result]) -> None:
    folder, result = done
    assert "strong" in result.output
    assert "cannot be told apart" in result.output
    said = json.loads((folder / "logs" / "comparison-valueflow-judge.json").read_text())
    assert [one["run"] for one in said["leaderboards"]["range"]] == ["strong", "weak"]
    assert (folder / "report" / "index.html").is_file()


def test_a_study_that_is_done_is_not_run_again(done: tuple[Path, Result]) -> None:
    folder, _ = done
    before = {log: log.stat().st_mtime_ns for log in find_logs([folder / "logs"])}
    again = call(folder / "study.yaml", "--display", "none")
    assert again.exit_code == 0, again.output
    assert {log: log.stat().st_mtime_ns for log in find_logs([folder / "logs"])} == before


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("judges: [valueflow/judge]", "judges: []", "judges"),
        ("judges: [valueflow/judge]", "judges: [{panel: [valueflow/judge]}]", "two judges or more"),
        ("judges: [valueflow/judge]", "judges: [{name: nobody}]", "give `model`, or `panel`"),
        ("tasks:", "task:", "tasks"),
        ("steer:", "stear:", "stear"),
        ("name: strong, ", "name: weak, ", "stands twice"),
        ("title: Two models", "seeds: [1, 1]", "seeds"),
        ("judges: [valueflow/judge]", "judges: [unknown/judge]\nmax_cost: 1", "price"),
        ("n_queries: 4, windows: 1}\n  - steer_pair", "seed: 4}\n  - steer_pair", "seeds"),
        ("title: Two models", "[", "YAML"),
    ],
)
def test_a_wrong_file_ends_with_one_sentence_before_any_call(
    tmp_path: Path, old: str, new: str, word: str
) -> None:
    assert old in STUDY
    said = call(study(tmp_path, STUDY.replace(old, new, 1)))
    assert said.exit_code == 1, said.output
    assert word in said.output
    assert not (tmp_path / "logs").exists()
