"""Queries are read, named and drawn evenly over their families."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.inputs.queries import Query, choose_queries, load_queries
from valueflow.hub_assets.registry.loading import load_registry


def test_a_draw_is_even_over_families_from_its_first_query_on() -> None:
    queries = load_queries("queries-mini").queries
    drawn = choose_queries(queries, 20, 0)
    assert Counter(q.family for q in drawn).most_common()[-1][1] == 4
    assert len({q.family for q in drawn[:5]}) == 5
    assert choose_queries(queries, 20, 0) == drawn
    assert choose_queries(queries, 20, 1) != drawn
    assert choose_queries(queries, 10, 0) == drawn[:10]
    assert len(choose_queries(queries, "all", 0)) == len(queries)


@pytest.mark.parametrize("number", [0, -1, 10**6, "many", 2.5])
def test_a_number_that_cannot_be_drawn_is_an_error(number: object) -> None:
    with pytest.raises(OptionError, match="n_queries"):
        choose_queries(load_queries("queries-mini").queries, number, 0)


def test_a_folder_of_files_gives_families_by_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text(f"query\nWhy {name}?\nHow {name}?\nWHY {name}?\n")
    loaded = load_queries(str(tmp_path))
    assert [(q.id, q.family) for q in loaded.queries][:2] == [
        ("one-001", "one"),
        ("one-002", "one"),
    ]
    assert loaded.notes == ("2 repeated queries left out",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("query\n", "holds no query"),
        ("", "holds no query"),
        ("query,id\nWhy?,a\n ,b\n", "row 2, column 'query': is empty"),
        ("query,id\nWhy?,a\nHow?,a\n", "row 2: the id 'a' stands twice"),
        ("topic\nWhy?\n", r"Found: topic.*query_columns='\{query"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "q.csv").write_text(text)
    with pytest.raises(InputFileError, match=message):
        load_queries(str(tmp_path / "q.csv"))


def test_ids_are_safe_for_samples(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text('query,id\nWhy?,"a, b*[1]?"\n')
    (query,) = load_queries(str(tmp_path / "q.csv"), {"query": "query"}).queries
    assert not set(query.id) & set(", *?[")


@pytest.mark.parametrize(
    ("number", "message"),
    [(0, "0 asked for, but there are 120; give 1 to 120, or 'all'"), (121, "121 asked for"),
     ("many", "'many' is neither a whole number nor 'all'"), (True, "neither a whole number")],
)  # fmt: skip
def test_the_message_says_how_many_there_are(number: object, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        choose_queries(load_queries("queries-mini").queries, number, 0)
    assert message in str(caught.value)


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=40), st.data())
def test_any_draw_is_as_even_as_the_families_allow(
    families: list[str], data: st.DataObject
) -> None:
    queries = tuple(Query(str(n), family, f"{n}?") for n, family in enumerate(families))
    number = data.draw(st.integers(1, len(queries)))
    drawn = choose_queries(queries, str(number), data.draw(st.integers(0, 99)))
    assert len(set(drawn)) == len(drawn) == number
    counts = Counter(query.family for query in drawn)
    sizes = Counter(families)
    # A family may be behind another only where it is used up, and by one in the last round.
    for family, size in sizes.items():
        assert counts[family] == size or counts[family] >= max(counts.values()) - 1


def test_a_column_without_a_name_is_neither_id_nor_family(tmp_path: Path) -> None:
    (tmp_path / "asked.csv").write_text(",query\n17,Why?\n18,How?\n")
    loaded = load_queries(tmp_path / "asked.csv")
    assert [(q.id, q.family) for q in loaded.queries] == [
        ("asked-001", "asked"),
        ("asked-002", "asked"),
    ]


def test_queries_without_ids_get_their_own_in_every_file_of_a_folder(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "asked.csv").write_text(f"query,family\nWhy {folder}?,daily\n")
    assert [q.id for q in load_queries(tmp_path).queries] == ["daily-001", "daily-001-2"]


def test_an_id_of_signs_alone_gives_way_to_one_that_can_be_typed(tmp_path: Path) -> None:
    (tmp_path / "asked.csv").write_text("query,id\nWhy?,???\nHow?,***\n")
    assert [q.id for q in load_queries(tmp_path / "asked.csv").queries] == [
        "asked-001",
        "asked-002",
    ]


def test_a_question_may_be_a_chat_of_one_message(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    chat = [{"role": "user", "content": " Why lie? "}]
    file.write_text(json.dumps({"query": chat}) + "\n" + json.dumps({"query": "Why not?"}))
    assert [q.text for q in load_queries(str(file)).queries] == ["Why lie?", "Why not?"]
    table = tmp_path / "q.csv"
    table.write_text('query\n"' + json.dumps(chat).replace('"', '""') + '"\n')
    assert [q.text for q in load_queries(str(table)).queries] == ["Why lie?"]


@pytest.mark.parametrize(
    "question",
    [
        ["Why?"],
        {"text": "Why?"},
        [],
        "[{'role': 'user', 'content': 'Why?'}]",
        True,
    ],
)
def test_a_question_that_is_no_text_is_refused_and_not_sent_as_python_prints_it(
    tmp_path: Path, question: object
) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(json.dumps({"query": "Why not?"}) + "\n" + json.dumps({"query": question}))
    with pytest.raises(InputFileError, match=r"row 2, column 'query': is .*write the text itself"):
        load_queries(str(file))


def test_a_question_of_zero_width_characters_is_empty(tmp_path: Path) -> None:
    file = tmp_path / "q.csv"
    file.write_text("query\n\u200b\u200b\n", encoding="utf-8")
    with pytest.raises(InputFileError, match="row 1, column 'query': is empty"):
        load_queries(str(file))


def test_every_embedded_question_says_which_values_have_something_to_do_with_it() -> None:
    loaded = load_queries("queries-mini")
    registry = load_registry()
    values = list(registry.macro_values())
    assert loaded.told == {(value.theory, value.name) for value in values}
    for query in loaded.queries:
        told = [loaded.off_topic(query, value) for value in values]
        assert None not in told
        assert 4 <= told.count(False) <= 30
    for value in values:
        related = [query for query in loaded.queries if not loaded.off_topic(query, value)]
        assert len({query.family for query in related}) >= 4
        assert len(related) < len(loaded.queries)


def test_of_what_a_set_does_not_speak_nothing_is_said(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("query,related\nWhy?,power|pvq:face\nHow?,\nWhen?,Power\n")
    loaded = load_queries(str(file))
    registry = load_registry()
    power, face, care = (registry.value(n) for n in ("power", "face", "care-harm"))
    why, how, when = loaded.queries
    assert [loaded.off_topic(why, v) for v in (power, face, care)] == [False, False, None]
    # An empty cell says nothing.
    assert [loaded.off_topic(how, v) for v in (power, face, care)] == [None, None, None]
    assert [loaded.off_topic(when, v) for v in (power, face, care)] == [False, True, None]
    file.write_text("query,related\nWhy?,powr\n")
    with pytest.raises(InputFileError, match=r"row 1, column 'related': .*Did you mean 'power'"):
        load_queries(str(file))
