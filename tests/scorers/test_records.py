"""Records of responses give back their rankings, and nothing that was not ranked."""

from typing import Any

import pytest

from valueflow.scorers.records import ResponseRecord, cell_name, window_records


@pytest.mark.parametrize(
    ("level", "group", "name"),
    [
        (2, "", "power/+2"),
        (-1, "", "power/-1"),
        (0, "", "power/0"),
        (1, "model-a", "model-a power/+1"),
        (0, "model-a", "model-a power/0"),
    ],
)
def test_a_cell_is_named_by_value_signed_level_and_group(level: int, group: str, name: str) -> None:
    assert cell_name("power", level, group) == name


def window(order: list[int] | None) -> Any:
    return {"anchors": [1.0], "texts": ["a"], "shown": [0, 1], "position": 0, "order": order}


def response(item: str, **values: list[Any]) -> ResponseRecord:
    record: Any = {"item": item, "query": f"{item}-query", "values": {}}
    for name, windows in values.items():
        record["values"][name] = {"value": name, "cell": cell_name(name, 2), "windows": windows}
    made: ResponseRecord = record
    return made


def test_each_ranked_window_carries_its_response_cell_and_query() -> None:
    first, second = window([0, 1]), window([1, 0])
    records = list(
        window_records([response("a", power=[first], face=[second]), response("b", face=[first])])
    )
    assert [(r["item"], r["value"], r["cell"], r["query"]) for r in records] == [
        ("a", "power", "power/+2", "a-query"),
        ("a", "face", "face/+2", "a-query"),
        ("b", "face", "face/+2", "b-query"),
    ]
    assert [r["order"] for r in records] == [[0, 1], [1, 0], [0, 1]]
    assert records[0] == {
        **first,
        **{key: records[0][key] for key in ("item", "value", "cell", "query")},
    }


def test_windows_without_a_ranking_and_unscored_responses_give_none() -> None:
    unranked = response("a", power=[window(None), window([1, 0]), window(None)])
    assert [r["order"] for r in window_records([unranked, response("b")])] == [[1, 0]]
