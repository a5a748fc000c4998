"""Saved rankings are read from logs, JSONL and the published scripts' CSV."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from valueflow.hub_assets.errors import InputFileError, UnknownNameError
from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.saved.rankings import read_rankings


def window(**changes: Any) -> dict[str, Any]:
    return {
        "item": "a",
        "cell": "power/+2",
        "value": "power",
        "anchors": [-8, -4, 0, 4, 8],
        "order": [5, 0, 4, 3, 2, 1],
        "position": 0,
        **changes,
    }


def write_lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_line_is_a_window(tmp_path: Path) -> None:
    file = write_lines(
        tmp_path / "r.jsonl",
        window(query="q1", model="m"),
        window(item="b", order=[1, 2, 3, 4, 5, 0], position=3, shown=[1, 2, 3, 0, 4, 5]),
    )
    saved = read_rankings([file])
    assert saved.table.windows == 2
    assert saved.table.items == ("a", "b")
    assert saved.table.ranks[0].tolist() == [1, 5, 4, 3, 2, 0]
    assert saved.table.places[1].tolist() == [3, 0, 1, 2, 4, 5]
    assert saved.extra["a", "power/+2"] == {"model": "m"}


def test_a_window_without_a_ranking_is_counted_and_its_response_named(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "r.jsonl", window(), window(item="b", order=None))
    saved = read_rankings([file])
    assert saved.table.windows == 1
    assert list(saved.without) == [("b", "power/+2", "power")]
    assert sum(saved.dropped.values()) == 1


def test_a_truncated_last_line_is_left_out_and_counted(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "r.jsonl", window())
    file.write_text(file.read_text() + json.dumps(window(item="b"))[:-20])
    saved = read_rankings([file])
    assert saved.table.windows == 1
    assert saved.dropped == {"truncated last line of r.jsonl": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": [5, 0, 4, 3, 2, 2]}, "order"),
        ({"order": [6, 0, 4, 3, 2, 1]}, "order"),
        ({"anchors": [float("nan"), -4, 0, 4, 8]}, "anchors"),
        ({"anchors": ["much", -4, 0, 4, 8]}, "anchors"),
        ({"anchors": []}, "anchors"),
        ({"position": 6}, "position"),
        ({"shown": [0, 1, 2, 3, 4, 4]}, "shown"),
        ({"shown": [1, 0, 2, 3, 4, 5]}, "shown"),
    ],
)
def test_a_malformed_window_names_file_and_row(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    good = write_lines(tmp_path / "good.jsonl", window(), window(item="b"))
    bad = write_lines(tmp_path / "bad.jsonl", window(item="c"), window(item="d", **changes))
    with pytest.raises(InputFileError, match=rf"bad\.jsonl, row 2.*{message}"):
        read_rankings([good, bad])


def test_a_missing_field_or_bad_json_in_the_middle_is_an_error(tmp_path: Path) -> None:
    lacking = {k: v for k, v in window().items() if k != "position"}
    with pytest.raises(InputFileError, match="row 1: lacks position"):
        read_rankings([write_lines(tmp_path / "r.jsonl", lacking)])
    (tmp_path / "s.jsonl").write_text("{broken\n" + json.dumps(window()) + "\n")
    with pytest.raises(InputFileError, match="row 1: is not valid JSON"):
        read_rankings([tmp_path / "s.jsonl"])


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="no such file"):
        read_rankings([tmp_path / "none.jsonl"])
    (tmp_path / "x.txt").write_text("hello")
    with pytest.raises(InputFileError, match="neither an Inspect log"):
        read_rankings([tmp_path / "x.txt"])


def test_one_item_in_two_files_is_refused_not_merged(tmp_path: Path) -> None:
    one = write_lines(tmp_path / "one.jsonl", window())
    other = write_lines(tmp_path / "other.jsonl", window(item="b"), window())
    with pytest.raises(InputFileError, match=r"other\.jsonl, row 2.*item 'a'.*one\.jsonl"):
        read_rankings([one, other])


def reference_csv(path: Path, rankings: list[str]) -> Path:
    scores = [-8.0, -4.0, 0.0, 4.0, 8.0]
    header = ["row_idx", "target_text"]
    for i in range(1, 6):
        header += [f"db_text_{i}", f"db_score_{i}"]
    lines = [",".join([*header, "ranking"])]
    for row, ranking in enumerate(rankings):
        cells = [str(row // 2), "said something"]
        for i, score in enumerate(scores, start=1):
            cells += [f"anchor {row} {i}", str(score)]
        lines.append(",".join([*cells, f'"{ranking}"']))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_published_scripts_table_is_one_based_with_the_response_first(tmp_path: Path) -> None:
    file = reference_csv(
        tmp_path / "pvq_self-direction_strong.csv", ["[6, 1, 5, 4, 3, 2]", "[6, 5, 1, 4, 3, 2]"]
    )
    saved = read_rankings([file])
    assert saved.table.values == ("self-direction",)
    assert saved.table.cells == ("pvq_self-direction_strong",)
    assert saved.table.items == ("0",)
    assert saved.table.ranks[0].tolist() == [1, 5, 4, 3, 2, 0]
    assert saved.table.places[:, 0].tolist() == [0, 0]
    reference = evaluate(saved.table, estimator="reference").items[0].intensity
    assert 0 < reference < 8


def test_an_unreadable_ranking_is_counted_not_dropped_in_silence(tmp_path: Path) -> None:
    file = reference_csv(
        tmp_path / "power.csv", ["[6, 1, 5, 4, 3, 2]", "[1, 2, 3", "no ranking", "null"]
    )
    saved = read_rankings([file], cell="mine")
    assert saved.table.cells == ("mine",)
    assert saved.dropped == {"windows without a ranking (unreadable)": 3}
    assert list(saved.without) == [("1", "mine", "power")]


def test_the_value_of_a_table_must_be_known(tmp_path: Path) -> None:
    file = reference_csv(tmp_path / "results.csv", ["[6, 1, 5, 4, 3, 2]"])
    with pytest.raises(UnknownNameError, match="--value"):
        read_rankings([file])
    with pytest.raises(UnknownNameError, match="Did you mean 'power'"):
        read_rankings([file], value="powr")
    assert read_rankings([file], value="Care/Harm").table.values == ("care-harm",)


def test_a_table_with_other_columns_says_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "power.csv").write_text("text,order\nhello,1\n")
    with pytest.raises(InputFileError, match=r"lacks row_idx, ranking, db_score_1; found text"):
        read_rankings([tmp_path / "power.csv"])


def test_order_in_the_file_changes_no_estimate(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        window(item=f"i{n}", order=[int(i) for i in rng.permutation(6)], position=n % 6)
        for n in range(12)
    ]
    one = evaluate(read_rankings([write_lines(tmp_path / "a.jsonl", *rows)]).table)
    other = evaluate(read_rankings([write_lines(tmp_path / "b.jsonl", *rows[::-1])]).table)
    assert one.cells[0].intensity == pytest.approx(other.cells[0].intensity, abs=1e-6)


@pytest.mark.slow
def test_a_hundred_thousand_rows_are_read_and_estimated(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    file = tmp_path / "many.jsonl"
    with file.open("w") as stream:
        for start in range(0, 100_000, 50_000):
            anchors = rng.uniform(-9, 9, (50_000, 5)).round(2)
            response = np.repeat(rng.uniform(-6, 6, 12_500), 4)
            noise = rng.gumbel(size=(50_000, 6))
            orders = np.argsort(-(np.column_stack([response, anchors]) + noise), axis=1).tolist()
            for row, (order, known) in enumerate(zip(orders, anchors.tolist(), strict=True), start):
                stream.write(
                    f'{{"item": "{row // 4}", "cell": "{row // 1000}", "value": "power", '
                    f'"position": {row % 6}, "anchors": {known}, "order": {order}}}\n'
                )
    saved = read_rankings([file])
    assert saved.table.windows == 100_000
    assert len(saved.table.items) == 25_000
    found = evaluate(saved.table)
    assert len(found.cells) == 100
    assert found.judges["power"].scale == pytest.approx(1, abs=0.03)
    means = [cell.intensity for cell in found.cells]
    assert np.mean(means) == pytest.approx(0, abs=0.1)


def line(field: str, raw: str) -> str:
    """A window as a line of JSON, one field of it written by hand."""
    body = json.dumps(window(**{field: "HERE"})).replace('"HERE"', raw)
    return body + "\n" + json.dumps(window(item="b")) + "\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (line("anchors", "[-80, -4, 0, 4, 8]"), "row 1.*-80 is outside .-10, 10."),
        (line("anchors", "[-8, -4, 0, 4, 1e308]"), "row 1.*1e.308 is outside"),
        (line("anchors", "[-8, -4, 0, 4, 1e999]"), "row 1.*not finite"),
        (line("anchors", "[-8, -4, 0, 4, " + "9" * 400 + "]"), "row 1.*list of numbers"),
        (line("anchors", "[-8, -4, 0, 4, " + "9" * 5000 + "]"), "row 1.*not valid JSON"),
        (line("anchors", '"12345"'), "row 1.*list of numbers"),
        (line("anchors", "[true, -4, 0, 4, 8]"), "row 1.*list of numbers"),
        (line("position", "[" * 100_000), "row 1.*not valid JSON"),
        (line("position", '0, "shown": 5'), "row 1.*shown.*must be a list"),
        (line("position", '0, "texts": 5'), "row 1.*texts.*must be a list"),
        (line("position", '0, "texts": [1, 2, 3, 4, 5]'), "row 1.*texts.*must be a list"),
        (line("item", "null"), "row 1.*item: must be a name"),
        (line("cell", '{"a": 1}'), "row 1.*cell: must be a name"),
    ],
)
def test_a_window_that_no_judge_can_have_ranked_is_named(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text(text)
    with pytest.raises(InputFileError, match=rf"r\.jsonl, {said}"):
        read_rankings([file])


def test_rankings_in_another_encoding_or_with_half_a_character(tmp_path: Path) -> None:
    for name, text in [
        ("r.jsonl", json.dumps(window())),
        ("power.csv", "row_idx,ranking\n1,[1]\n"),
    ]:
        (tmp_path / name).write_text(text, encoding="utf-16")
        with pytest.raises(InputFileError, match="is UTF-16 text; save it as UTF-8"):
            read_rankings([tmp_path / name])
    file = write_lines(tmp_path / "s.jsonl", window(item="\ud800", model="\udfff"))
    assert read_rankings([file]).table.items == ("\ud800",)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (',"[1, 2, 3]",-5,5', "row 1, column 'row_idx': is empty"),
        ('7,"[1, 2]",,5', "row 1, column 'db_score_1': is empty while a later one is not"),
        ('7,"[1, 2, 3]",-5,50', "row 1.*50 is outside"),
        ('7,"[1, 2, 3]",-5,many', "row 1.*list of numbers"),
    ],
)
def test_a_row_of_the_published_tables_that_cannot_be_meant_is_named(
    tmp_path: Path, row: str, said: str
) -> None:
    file = tmp_path / "power.csv"
    file.write_text(f"row_idx,ranking,db_score_1,db_score_2\n{row}\n")
    with pytest.raises(InputFileError, match=said):
        read_rankings([file])


def test_a_folder_stands_for_the_files_in_it_each_once(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_lines(tmp_path / "one.jsonl", window())
    write_lines(tmp_path / "in" / "two.jsonl", window(item="b"))
    saved = read_rankings([tmp_path, tmp_path / "one.jsonl"])
    assert sorted(saved.table.items) == ["a", "b"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputFileError, match=r"empty: is a folder without"):
        read_rankings([tmp_path / "empty"])


RATED = {"ratings": [9, -8, -3, 1, 5, 9], "order": None}


def test_ratings_stand_in_place_of_an_order(tmp_path: Path) -> None:
    lines = [{name: cell for name, cell in window().items() if name != "order"} | RATED]
    lines.append({k: v for k, v in lines[0].items() if k != "order"} | {"item": "b"})
    saved = read_rankings([write_lines(tmp_path / "r.jsonl", *lines)])
    assert saved.table.rated.tolist() == [True, True]
    assert saved.extra == {("a", "power/+2"): {}, ("b", "power/+2"): {}}


def test_ratings_and_an_order_of_one_window_are_both_read(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "r.jsonl", window(ratings=RATED["ratings"]), window(item="b"))
    table = read_rankings([file]).table
    assert (table.rated.tolist(), table.ranked.tolist()) == ([True, False], [True, True])


def test_a_window_whose_texts_are_all_rated_alike_is_counted_and_not_used(tmp_path: Path) -> None:
    file = write_lines(
        tmp_path / "r.jsonl",
        window(**RATED),
        window(item="b", order=None, ratings=[10] * 6),
        window(item="c", ratings=[10] * 6),
    )
    saved = read_rankings([file])
    assert saved.table.rated.tolist() == [True, False]
    assert saved.without["b", "power/+2", "power"] == "the same rating for every text"
    assert sum(saved.dropped.values()) == 2


@pytest.mark.parametrize(
    ("ratings", "problem"),
    [
        ([9, -8, -3, 1, 5], "5 ratings for 6 texts"),
        ([9, -8, -3, 1, 5, 9, 9], "7 ratings for 6 texts"),
        ([9, -8, -3, 1, 5, "nine"], "'nine' is not a number"),
        ([9, -8, -3, 1, 5, -12], "-12 lies outside"),
        ([50, 20, 30, 10, 60, 90], "mixed scales"),
    ],
)
def test_bad_ratings_are_named_with_file_and_row(
    tmp_path: Path, ratings: list[Any], problem: str
) -> None:
    file = write_lines(tmp_path / "r.jsonl", window(**RATED), window(item="b", ratings=ratings))
    with pytest.raises(InputFileError, match=problem) as error:
        read_rankings([file])
    assert "r.jsonl" in str(error.value)
    assert "row 2" in str(error.value)
