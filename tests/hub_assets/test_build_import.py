"""Recipes are checked where they are wrong; texts keep source, licence and labels."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from valueflow.hub_assets.build_import import import_texts
from valueflow.hub_assets.build_recipe import Recipe, read_recipe
from valueflow.hub_assets.errors import InputFileError

JUDGE = {"model": "valueflow/judge"}


def recipe(folder: Path, *sources: dict[str, Any], **more: Any) -> Recipe:
    raw = {
        "theories": ["pvq"],
        "sources": list(sources),
        "categorize": {"values": "given"},
        "rank": {"judge": JUDGE},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**raw, **more}))
    return read_recipe(path)


def test_every_fault_of_a_recipe_is_named_with_its_place(tmp_path: Path) -> None:
    source = {"path": "a.csv", "source": "s", "license": "CC0-1.0"}
    with pytest.raises(InputFileError) as error:
        recipe(
            tmp_path,
            source,
            {"path": "b.csv", "license": "MIT"},
            rank={"judge": JUDGE, "window_size": 1},
            curates={},
        )
    for told in ("recipe.yaml", "sources.1", "where the texts are from", "rank.window_size"):
        assert told in str(error.value)
    assert "curates" in str(error.value)
    with pytest.raises(InputFileError, match="'benevolence'"):
        recipe(tmp_path, source, values=["benevolenz"])
    with pytest.raises(InputFileError, match="the panel has 3"):
        recipe(tmp_path, source, categorize={"judges": [{**JUDGE, "seats": 3}]})


def test_valueeval_labels_become_values_with_their_paths(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(
        "Argument ID\tConclusion\tStance\tPremise\n"
        "A1\tBan it\tin favor of\tit hurts\n"
        "A2\tBan it\tagainst\tit is fun\n"
        "A3\tBan it\tagainst\tIt  is FUN\n"
    )
    (tmp_path / "l.tsv").write_text(
        "Argument ID\tPower: dominance\tPower: resources\tUniversalism: objectivity\tHedonism\n"
        "A1\t1\t0\t1\t0\nA2\t1\t1\t0\t1\nA3\t0\t0\t1\t0\n"
    )
    source = {"adapter": "valueeval", "path": "a.tsv", "labels": "l.tsv"}
    texts, counts = import_texts(recipe(tmp_path, source))
    assert [text["text"] for text in texts] == ["it hurts", "it is fun"]
    assert counts["exact_duplicates"] == 1
    assert {(text["source"], text["license"]) for text in texts} == {("ValueEval", "CC-BY-4.0")}
    paths = [{name: label["path"] for name, label in text["labels"].items()} for text in texts]
    assert paths[0] == {
        "pvq:power": "self-protection/self-enhancement/power/dominance",
        "pvq:universalism": "growth/self-transcendence/universalism",
    }
    # Under two children, the path ends at their parent; a duplicate adds its labels.
    assert paths[1] == {
        "pvq:power": "self-protection/self-enhancement/power",
        "pvq:hedonism": "growth/openness-to-change/hedonism",
        "pvq:universalism": "growth/self-transcendence/universalism",
    }
    whole = import_texts(recipe(tmp_path, {**source, "text": "argument"}))[0]
    assert whole[0]["text"] == "Ban it (in favor of): it hurts"


def test_tables_of_any_kind_are_read_by_a_column_map(tmp_path: Path) -> None:
    rows = [
        {"says": "a b", "about": "caring|power", "way": "against", "from": "X", "terms": "MIT"},
        {"says": "c d", "about": "nonsense", "way": "", "from": "Y", "terms": "cc by 4.0"},
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"text": "says", "value": "about", "direction": "way"}
    columns |= {"source": "from", "license": "terms"}
    texts, counts = import_texts(recipe(tmp_path, {"path": "t.jsonl", "columns": columns}))
    assert texts[0]["labels"] == {
        "pvq:benevolence": {
            "direction": "oppose",
            "path": "growth/self-transcendence/benevolence/caring",
        },
        "pvq:power": {"direction": "oppose", "path": None},
    }
    assert [(t["source"], t["license"]) for t in texts] == [("X", "MIT"), ("Y", "CC-BY-4.0")]
    assert counts["unknown_labels"] == 1


def test_an_unknown_direction_is_named_with_its_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,value,direction\na,power,support\nb,power,sideways\n")
    source = {"path": "t.csv", "source": "s", "license": "MIT"}
    with pytest.raises(InputFileError, match=r"row 2, column 'direction'.*sideways"):
        import_texts(recipe(tmp_path, source))
