"""Pairs and squares of the catalogue, and catalogues of one's own."""

from pathlib import Path

import pytest
import yaml

from valueflow.hub_assets.errors import InputFileError, OptionError, UnknownNameError
from valueflow.hub_assets.inputs.anchors import load_vidb, vidb_of_run
from valueflow.hub_assets.registry.loading import Pair, load_registry, open_catalogue
from valueflow.hub_assets.settings import read_sample
from valueflow.steering.conditions import single_conditions, with_default

OWN = {
    "theories": {
        "craft": {
            "title": "Values of a workshop",
            "source": "Made up for this test.",
            "nodes": {
                "thrift": {
                    "title": "Thrift",
                    "kind": "value",
                    "definition": "A thrifty person wastes nothing.",
                    "clause": "wasting nothing",
                },
                "finish": {
                    "title": "Finish",
                    "kind": "value",
                    "definition": "A person who values finish wants every piece to look perfect.",
                    "clause": "making every piece look perfect",
                },
                "polish": {
                    "title": "Polish",
                    "kind": "child",
                    "parents": ["finish"],
                    "definition": "A person who values polish wants surfaces to shine.",
                    "clause": "surfaces that shine",
                },
            },
        }
    },
    "pairs": [{"theory": "craft", "values": ["thrift", "finish"], "levels": [[2, -2]]}],
    "assets": {"craft-anchors": {"kind": "vidb", "title": "Own anchors", "path": "anchors.csv"}},
}


def write(folder: Path, catalogue: object, name: str = "own.yaml") -> Path:
    (folder / "anchors.csv").write_text(
        "value,text,intensity\n"
        + "".join(
            f"{value},{value} text {i},{i * 2 - 10}\n"
            for value in ("thrift", "finish")
            for i in range(11)
        ),
        encoding="utf-8",
    )
    path = folder / name
    path.write_text(
        catalogue if isinstance(catalogue, str) else yaml.safe_dump(catalogue), encoding="utf-8"
    )
    return path


def test_every_theory_has_pairs_and_a_square_of_its_own_members() -> None:
    registry = load_registry()
    for theory in registry.theories:
        assert len([pair for pair in registry.pairs if pair.theory == theory]) == 5
        assert registry.five_value_squares[theory].theory == theory
    for pair in registry.pairs:
        first, second = registry.check_pair(pair)
        assert first.theory == second.theory == pair.theory
        assert len(registry.levels_of_pair(pair)) >= 4


def test_pairs_of_rights_steer_children_and_are_scored_on_their_parents() -> None:
    registry = load_registry()
    scored = {
        pair.name: [v.name for m in registry.check_pair(pair) for v in registry.scored_on(m)]
        for pair in registry.pairs
        if pair.theory == "right"
    }
    assert scored["education&work"] == ["cultural_rights", "economic_rights"]
    assert scored["expression&assembly"] == ["political_rights", "political_rights"]
    assert registry.steerable("due process", "right").name == "fair-trial"


def test_a_pair_of_a_value_with_itself_is_refused_and_one_with_its_child_is_not() -> None:
    registry = load_registry()
    with pytest.raises(OptionError, match="power stands on both sides"):
        registry.check_pair(Pair(theory="pvq", values=("power", "Power")))
    registry.check_pair(Pair(theory="pvq", values=("power", "resources")))


def test_an_own_theory_is_known_with_its_pairs_and_its_anchors(tmp_path: Path) -> None:
    path = write(tmp_path, OWN)
    registry = load_registry(path)
    assert registry.catalogue == str(path.resolve())
    assert registry.value("thrift").theory == "craft"
    assert [v.name for v in registry.composites("craft")] == ["finish"]
    assert registry.levels_of_pair(registry.pairs[-1]) == ((2, -2),)
    assert len(load_vidb("craft-anchors", None, registry).of(registry.value("thrift"))) == 11
    # What was there before is as it was.
    assert registry.theory("mft").values[0].name == "care-harm"


def test_values_can_be_added_to_a_theory_that_is_there(tmp_path: Path) -> None:
    node = OWN["theories"]["craft"]["nodes"]["thrift"]  # type: ignore[index]
    registry = load_registry(write(tmp_path, {"theories": {"pvq": {"nodes": {"thrift": node}}}}))
    assert registry.value("thrift", "svt").theory == "pvq"
    assert len(registry.theory("pvq").values) == 13
    assert len(load_registry().theory("pvq").values) == 12


def test_rows_of_own_values_are_read_by_their_catalogue_alone(tmp_path: Path) -> None:
    own = load_registry(write(tmp_path, OWN))
    assert vidb_of_run(str(tmp_path / "anchors.csv"), None, own).anchors
    with pytest.raises(InputFileError, match="no anchor of a known value"):
        vidb_of_run(str(tmp_path / "anchors.csv"), None, load_registry())


def test_two_catalogues_give_one_name_two_meanings_and_do_not_mix(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    theory = OWN["theories"]["craft"]  # type: ignore[index]
    hoard = {**theory["nodes"]["thrift"], "definition": "A thrifty person hoards."}
    other = {**theory, "nodes": {**theory["nodes"], "thrift": hoard}}
    first = load_registry(write(tmp_path / "a", OWN))
    second = load_registry(write(tmp_path / "b", {**OWN, "theories": {"craft": other}}))
    assert first.value("thrift").definition == "A thrifty person wastes nothing."
    assert second.value("thrift").definition == "A thrifty person hoards."
    assert {first, second, load_registry(tmp_path / "a" / "own.yaml")} == {first, second}
    with pytest.raises(UnknownNameError):
        load_registry().value("thrift")
    # Each has the table of anchors that lies beside it.
    (tmp_path / "b" / "anchors.csv").write_text("value,text,intensity\nthrift,I hoard.,9\n")
    texts = {
        registry.catalogue: [a.text for a in load_vidb("craft-anchors", None, registry).of(value)]
        for registry in (first, second)
        for value in [registry.value("thrift")]
    }
    assert [len(found) for found in texts.values()] == [11, 1]


def test_a_catalogue_that_changes_is_taken_as_it_was_opened(tmp_path: Path) -> None:
    before = open_catalogue(write(tmp_path, OWN))
    path = write(tmp_path, {**OWN, "pairs": []})
    assert load_registry(path) is before
    assert len(open_catalogue(path).pairs) == len(before.pairs) - 1
    assert load_registry(path) is not before


def test_a_sample_brings_its_catalogue_along(tmp_path: Path) -> None:
    path = write(tmp_path, OWN)
    sample = {
        "targets": [["craft", "polish", 2]],
        "score_on": [["craft", "finish"]],
        "query": "q",
        "catalogue": str(path),
    }
    read = read_sample({"valueflow": sample})
    assert read.level_of(read.registry.value("finish")) == 2
    assert read.condition_of(read.registry.value("finish")) == "polish+2"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs": [{"theory": "craft", "values": ["thrift", "finnish"]}]}, "unknown value"),
        ({"pairs": [{"theory": "craft", "values": ["thrift", "thrift"]}]}, "both sides"),
        (
            {"pairs": [{"theory": "craft", "values": ["thrift", "finish"], "levels": [[0, 2]]}]},
            "level 0",
        ),
        ({"pairs": [{"theory": "craft", "values": ["thrift"]}]}, "pairs.20.values"),
        ({"theories": {"pvq": {"nodes": {"power": {}}}}}, "theories.pvq.nodes.power: is there"),
        ({"theories": {"pvq": {"title": "Mine"}}}, "only 'nodes' can be added"),
        ({"levels": []}, "has the key 'levels'"),
        ({"assets": {"vidb-mini": {}}}, "assets.vidb-mini: is there already"),
        ({"assets": {"own": {"kind": "vidb", "title": "t"}}}, "exactly one of"),
        ({"schema_version": 2}, "schema_version"),
        ({"theories": []}, "theories: must be a mapping"),
        ("[1, 2]", "must be a mapping"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_a_faulty_catalogue_is_named_with_its_place_and_adds_nothing(
    tmp_path: Path, change: object, message: str
) -> None:
    before = load_registry()
    catalogue = {**OWN, **change} if isinstance(change, dict) else change
    if isinstance(change, dict) and "theories" in change:
        catalogue = change
    path = write(tmp_path, catalogue)
    with pytest.raises(InputFileError) as error:
        load_registry(path)
    assert str(path.resolve()) in str(error.value)
    assert message in str(error.value)
    assert load_registry() is before


def test_a_value_whose_name_another_theory_has_is_named_with_its_theory(tmp_path: Path) -> None:
    node = OWN["theories"]["craft"]["nodes"]["thrift"]  # type: ignore[index]
    theory = {"title": "t", "source": "s", "nodes": {"power": node}}
    registry = load_registry(write(tmp_path, {"theories": {"craft": theory}}))
    assert registry.value("power", "craft").theory == "craft"
    assert registry.value("pvq:power").theory == "pvq"
    with pytest.raises(UnknownNameError, match=r"write pvq:power or craft:power"):
        registry.value("power")
    both = [registry.value("pvq:power"), registry.value("craft:power")]
    with pytest.raises(OptionError, match=r"craft:power and pvq:power have one name"):
        with_default(single_conditions(both, [1]), registry)


def test_a_missing_catalogue_is_named() -> None:
    with pytest.raises(InputFileError, match=r"gone\.yaml: cannot be read"):
        load_registry("gone.yaml")
