"""Judgements from logs in which several judges scored the same responses, and from folders."""

import json
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.model import get_model

from valueflow import score
from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.scorers.saved.judgements import read_study


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same four responses, ranked by two judges and chosen from by a third."""
    folder = tmp_path_factory.mktemp("logs")
    table = folder / "responses.csv"
    answers = ["I lead.", "I follow.", "I give orders.", "I obey."]
    table.write_text(
        "response,value,query\n" + "".join(f"{a},power,Q{n}\n" for n, a in enumerate(answers))
    )
    found = []
    for name, mode in (("loud", "ranking"), ("quiet", "ranking"), ("third", "choice")):
        judge: dict[str, Any] = {"seed": len(name), "unknown": "hash"}
        model = get_model("valueflow/judge", memoize=False, **judge)
        (log,) = inspect_eval(
            score(responses=str(table), windows=1, judge_mode=mode),
            model="none/none",
            model_roles={"grader": model},
            log_dir=str(folder / name),
            display="none",
        )
        assert log.status == "success", log.error
        found.append(Path(log.location))
    return found


def test_logs_of_the_same_responses_are_a_study_without_labels(logs: list[Path]) -> None:
    study = read_study(logs[:1]).study
    assert len(study.texts) == 4
    assert {one.asked.way for one in study.scores} == {"ranking"}
    assert all(text.label is None for text in study.texts)


def test_choices_are_left_out_and_counted(logs: list[Path]) -> None:
    found = read_study([logs[0], logs[2]])
    assert found.left_out["windows with choices, which are neither rankings nor ratings"] == 4
    with pytest.raises(InputFileError, match="holds no judgement"):
        read_study([logs[2]])


def test_a_folder_stands_for_its_files_and_each_counts_once(tmp_path: Path) -> None:
    rows = [
        {"item": str(n), "value": "power", "judge": "A", "wording": "one", "rating": n}
        for n in range(4)
    ]
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_study([tmp_path, file])
    assert found.files == [file.resolve()]
    assert "repeated ratings of a text (averaged)" not in found.study.left_out
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputFileError, match="a folder without a log or a table"):
        read_study([tmp_path / "empty"])
    with pytest.raises(OptionError, match="files_are: 'texts' is none of wordings, judges"):
        read_study([file], files_are="texts")


def test_a_json_table_is_no_log(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    rows = [{"item": "x", "value": "power", "rating": 3, "label": 4}]
    file.write_text(json.dumps(rows))
    study = read_study([file]).study
    assert study.texts[0].label == 4
    assert study.scores[0].asked.wording == "a"


def test_lists_in_a_csv_are_json(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        'item,value,anchors,order,position\nx,power,"[-8, 0, 8]","[3, 0, 2, 1]",0\n'
        'y,power,"[-8, 0, 8]","[0, 3, 2, 1]",1\n'
    )
    study = read_study([file]).study
    assert study.scores[0].raw[1] > study.scores[0].raw[0]
    file.write_text("item,value,anchors,order,position\nx,power,-8 0 8,3 0 2 1,0\n")
    with pytest.raises(InputFileError, match="is not a JSON list"):
        read_study([file])
