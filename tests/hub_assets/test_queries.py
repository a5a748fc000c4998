"""Queries are read, named and drawn evenly over their families."""

from collections import Counter
from pathlib import Path

import pytest

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.queries import choose_queries, load_queries


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
