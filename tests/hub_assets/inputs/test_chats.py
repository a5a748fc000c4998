"""Questions may be conversations: they are read whole, or an error says which message is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.inputs.chats import Turn, in_words
from valueflow.hub_assets.inputs.queries import load_queries
from valueflow.hub_assets.registry.loading import load_registry

SAY = load_registry().sentences.say


def says(*turns: str) -> list[dict[str, str]]:
    """Messages written as `role: text`."""
    return [{"role": t.partition(": ")[0], "content": t.partition(": ")[2]} for t in turns]


def table(folder: Path, *conversations: Any) -> str:
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps({"messages": one}) + "\n" for one in conversations))
    return str(path)


def test_a_conversation_is_read_with_what_comes_before_its_question(tmp_path: Path) -> None:
    first = says(
        "system: Be brief.", "user: I lead a team.", "assistant: Since when?", "user: Now?"
    )
    other = says("user: I lead a choir.", "assistant: Since when?", "user: Now?")
    one, two, three = load_queries(table(tmp_path, first, other, "Now?", first)).queries
    assert one.text == two.text == three.text == "Now?"
    assert [turn.role for turn in one.before] == ["system", "user", "assistant"]
    assert three.before == ()
    assert one.chat[-1] == Turn("user", "Now?")
    assert in_words(one.chat, SAY) == (
        "Question: I lead a team.\n\nAnswer: Since when?\n\nQuestion: Now?"
    )
    assert in_words(three.chat, SAY) == "Now?"


def test_a_cell_of_a_csv_may_hold_a_conversation_as_json(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    cell = json.dumps(says("user: A?", "assistant: B.", "user: C?")).replace('"', '""')
    path.write_text(f'query\n"{cell}"\n')
    assert [turn.text for turn in load_queries(str(path)).queries[0].chat] == ["A?", "B.", "C?"]


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        (says("user: A?", "assistant: B."), "ends without a question"),
        (says("system: A."), "ends without a question"),
        (says("user: A?", "user: B?"), r"message \(2\) of the role 'user' where 'assistant'"),
        (says("system: S", "assistant: B."), r"message \(2\) of the role 'assistant' where 'user'"),
        (says("user: A?", "tool: B.", "user: C?"), r"message \(2\) of the role 'tool'"),
        ([{"role": "user", "content": " "}], r"message \(1\) without text"),
        ([{"role": "user", "content": [{"type": "image"}]}], r"message \(1\) that is not"),
        ([{"role": "user"}], r"message \(1\) that is not"),
    ],
)
def test_a_conversation_that_cannot_be_asked_is_named(
    tmp_path: Path, messages: Any, message: str
) -> None:
    with pytest.raises(InputFileError, match=rf"row 1, column 'messages': .*{message}"):
        load_queries(table(tmp_path, messages))
