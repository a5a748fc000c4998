"""Decisions: nothing is deleted, nothing is lost, and a name is one person."""

import json
from pathlib import Path

import pytest

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.rebuild.database.review.decisions import (
    Decision,
    ItemKey,
    checked_answer,
    decisions_path,
    open_decisions,
    read_decisions,
    reviewer_name,
)

ONE, TWO = ItemKey("ratings", "1", "power"), ItemKey("ratings", "2", "power")


def said(key: ItemKey, answer: float | None, reviewer: str = "Ada", **more) -> Decision:
    return Decision(key, "pvq", reviewer, answer, **more)


def test_the_last_word_of_each_reviewer_holds(tmp_path: Path) -> None:
    with open_decisions(tmp_path) as decisions:
        for answer in (1.0, 2.0):
            decisions.add(said(ONE, answer))
        decisions.add(said(ONE, -3.0, "Ben"))
        decisions.add(said(TWO, None))
    found = read_decisions(tmp_path)
    assert {r: d.answer for r, d in found.answers()[ONE].items()} == {"Ada": 2.0, "Ben": -3.0}
    assert TWO not in found.answers()
    assert found.latest("Ada")[TWO].answer is None


def test_an_undo_brings_back_what_held_before_and_deletes_nothing(tmp_path: Path) -> None:
    with open_decisions(tmp_path) as decisions:
        decisions.add(said(ONE, 1.0))
        decisions.add(said(ONE, 2.0))
        taken = decisions.undo("Ada")
        assert taken is not None
        assert taken.answer == 2.0
        assert decisions.latest("Ada")[ONE].answer == 1.0
        decisions.undo("Ada")
        assert not decisions.can_undo("Ada")
        assert decisions.undo("Ada") is None
        assert decisions.made == 0
    lines = decisions_path(tmp_path).read_text().splitlines()
    assert [json.loads(line)["do"] for line in lines] == ["decide", "decide", "undo", "undo"]
    assert read_decisions(tmp_path).answers() == {}


def test_an_undo_leaves_other_reviewers_and_spreadsheets_alone(tmp_path: Path) -> None:
    with open_decisions(tmp_path) as decisions:
        decisions.add(said(ONE, 1.0, via="csv"))
        decisions.add(said(TWO, 5.0))
        decisions.add(said(ONE, 7.0, "Ben"))
        taken = decisions.undo("Ada")
        assert taken is not None
        assert taken.key == TWO
        assert decisions.undo("Ada") is None
        assert len(decisions.answers()[ONE]) == 2


def test_a_line_that_a_kill_cut_is_taken_off_and_told(tmp_path: Path) -> None:
    with open_decisions(tmp_path) as decisions:
        decisions.add(said(ONE, 1.0, comment="ünï"))
    path = decisions_path(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"do": "decide", "que')
    assert len(read_decisions(tmp_path).answers()) == 1
    with open_decisions(tmp_path) as decisions:
        assert decisions.repaired == 1
        decisions.add(said(TWO, 2.0))
    assert len(read_decisions(tmp_path).answers()) == 2
    assert path.read_bytes().startswith(whole)


def test_a_second_process_is_kept_out_and_told_why(tmp_path: Path) -> None:
    with (
        open_decisions(tmp_path),
        pytest.raises(InputFileError, match="a review is open in another process"),
        open_decisions(tmp_path),
    ):
        pass


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = decisions_path(tmp_path)
    path.parent.mkdir()
    path.write_text('{"key": "1", "do": "decide"}\n')
    with pytest.raises(InputFileError, match="no decision"):
        read_decisions(tmp_path)


def test_names_are_one_person_however_they_are_spelled(tmp_path: Path) -> None:
    assert reviewer_name("  Ada \t Byron ") == "Ada Byron"
    for name in ("", "   ", "x" * 61, "a\x07b"):
        with pytest.raises(OptionError, match="reviewer"):
            reviewer_name(name)
    with open_decisions(tmp_path) as decisions:
        decisions.add(said(ONE, 1.0))
        assert decisions.known_name("ADA") == "Ada"
        assert decisions.known_name("Ben") == "Ben"


def test_answers_are_checked() -> None:
    assert checked_answer("ratings", "−7,5") == -7.5
    assert checked_answer("ratings", 10) == 10
    assert checked_answer("directions", " Support ") == "support"
    for queue, answer in (
        ("ratings", "10.1"),
        ("ratings", "nan"),
        ("ratings", True),
        ("ratings", None),
        ("directions", "maybe"),
        ("directions", 3),
    ):
        with pytest.raises(ValueError, match="is no"):
            checked_answer(queue, answer)
