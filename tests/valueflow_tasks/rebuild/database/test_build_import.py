"""Recipes are checked where they are wrong; texts keep source, licence and labels."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.rebuild.database.recipe import Recipe, fingerprint, read_recipe
from valueflow.rebuild.database.sources import import_texts

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
        recipe(
            tmp_path, source, categorize={"judges": [{**JUDGE, "seats": 3, "args": {"seed": 1}}]}
        )


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


def test_every_macro_value_is_known_by_its_name_alone_and_children_where_no_value_has_it(
    tmp_path: Path,
) -> None:
    names = [value.name for value in load_registry().macro_values()]
    rows = "".join(f"text about {name},{name}\n" for name in (*names, "vote"))
    (tmp_path / "t.csv").write_text(f"text,value\n{rows}")
    source = {"path": "t.csv", "source": "s", "license": "CC0-1.0"}
    texts, counts = import_texts(recipe(tmp_path, source, theories=[]))
    assert counts["unknown_labels"] == 0
    assert [label.partition(":")[2] for text in texts for label in text["labels"]] == [
        *names,
        "political_rights",
    ]


def test_seats_that_would_all_answer_alike_are_refused(tmp_path: Path) -> None:
    source = {"path": "a.csv", "source": "s", "license": "CC0-1.0"}
    seats = {"model": "openai/gpt-4o-mini", "seats": 7}
    with pytest.raises(InputFileError, match=r"would all answer alike.*temperature: 0\.7"):
        recipe(tmp_path, source, categorize={"judges": [seats]})
    warm = {**seats, "config": {"temperature": 0.7}}
    assert len(recipe(tmp_path, source, categorize={"judges": [warm]}).categorize.panel()) == 7


def test_how_a_judge_is_reached_is_no_part_of_what_judgements_depend_on(tmp_path: Path) -> None:
    source = {"path": "a.csv", "source": "s", "license": "CC0-1.0"}

    def mark(**config: Any) -> str:
        judge = {"model": "vllm/m", "config": config}
        return fingerprint(recipe(tmp_path, source, rank={"judge": judge}).rank)

    assert mark(base_url="http://a", max_retries=2) == mark(base_url="http://b", timeout=9)
    assert mark(temperature=0.5) != mark(temperature=0.7)


def imported(folder: Path, file: str, table: str, **source: Any) -> dict[str, dict[str, Any]]:
    (folder / file).write_text(table)
    texts, _ = import_texts(recipe(folder, {"path": file, **source}, theories=[]))
    return {
        text["text"]: {n.partition(":")[2]: label for n, label in text["labels"].items()}
        for text in texts
    }


def test_valuenet_rows_name_their_value_in_the_text_and_their_direction_in_the_label(
    tmp_path: Path,
) -> None:
    table = "scenario,label\n[POWER] I rule them.,1\n[SELF-DIRECTION] I obey.,-1.0\nPlain.,0\n"
    found = imported(tmp_path, "train.csv", table, adapter="valuenet")
    assert found["I rule them."]["power"]["direction"] == "support"
    assert found["I obey."]["self-direction"]["direction"] == "oppose"
    assert found["Plain."] == {}


def test_mfrc_annotations_are_foundations(tmp_path: Path) -> None:
    table = (
        "text,subreddit,bucket,annotator,annotation,confidence\n"
        'One.,x,y,a1,"Care,Loyalty",Confident\nTwo.,x,y,a1,Proportionality,Confident\n'
        "Three.,x,y,a1,Non-Moral,Confident\nFour.,x,y,a1,Purity,Confident\n"
    )
    found = imported(tmp_path, "mfrc.csv", table, adapter="mfrc")
    assert {text: sorted(labels) for text, labels in found.items()} == {
        "One.": ["care-harm", "loyalty-betrayal"],
        "Two.": ["fairness-cheating"],
        "Three.": [],
        "Four.": ["sanctity-degradation"],
    }
    assert found["One."]["loyalty-betrayal"]["path"] is None  # the foundation, not the virtue


def test_rules_of_thumb_carry_several_foundations_and_judgements_are_directions_when_asked_for(
    tmp_path: Path,
) -> None:
    table = (
        "area\trot-moral-foundations\taction\taction-moral-judgment\trot\n"
        "a\tcare-harm|loyalty-betrayal\thitting a friend\t-2.0\tYou should not hit friends.\n"
    )
    found = imported(tmp_path, "chem.tsv", table, adapter="social-chemistry")
    assert set(found["You should not hit friends."]) == {"care-harm", "loyalty-betrayal"}
    columns = {"text": "action", "direction": "action-moral-judgment"}
    found = imported(tmp_path, "chem.tsv", table, adapter="social-chemistry", columns=columns)
    assert found["hitting a friend"]["care-harm"]["direction"] == "oppose"


@pytest.mark.parametrize("column", ["value", "text"])
def test_valueprism_situations_have_the_value_in_either_column(tmp_path: Path, column: str) -> None:
    table = f"situation,vrd,{column},valence\nLying to a friend,Value,Benevolence,Opposes\n"
    found = imported(tmp_path, "prism.csv", table, adapter="valueprism")
    assert found["Lying to a friend"]["benevolence"]["direction"] == "oppose"


@pytest.mark.parametrize("cell", ["maybe", "nan"])
def test_what_is_no_direction_is_named_with_its_row(tmp_path: Path, cell: str) -> None:
    table = f"text,value,direction\nOne.,power,-1\nTwo.,power,{cell}\n"
    with pytest.raises(InputFileError, match=r"t\.csv.*row 2.*direction"):
        imported(tmp_path, "t.csv", table, source="s", license="MIT")


@pytest.mark.parametrize("rows", ["a text,{0}|{1}\n", "a text,{0}\na text,{1}\n"])
@pytest.mark.parametrize(
    ("labels", "end"),
    [
        (("dominance", "resources"), "power"),
        (("dominance", "power"), "power/dominance"),
        (("power", "dominance"), "power/dominance"),
    ],
)
def test_a_text_under_two_children_of_a_value_ends_at_the_value(
    tmp_path: Path, rows: str, labels: tuple[str, str], end: str
) -> None:
    (tmp_path / "a.csv").write_text("text,value\n" + rows.format(*labels))
    source = {"path": "a.csv", "source": "s", "license": "CC0-1.0"}
    (text,), _ = import_texts(recipe(tmp_path, source))
    assert text["labels"]["pvq:power"]["path"] == f"self-protection/self-enhancement/{end}"
