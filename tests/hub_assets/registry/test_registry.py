"""The registry knows every name in every spelling, and says what is wrong with a broken one."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from valueflow.hub_assets.errors import InputFileError, OptionError, UnknownNameError
from valueflow.hub_assets.registry.loading import (
    Value,
    load_registry,
    read_registry,
    registry_path,
    slug,
)

REGISTRY = load_registry()
SIZES = {"pvq": 12, "mft": 6, "duty": 7, "right": 7}
MACRO = [(v.theory, v.name) for v in REGISTRY.macro_values()]


def test_there_are_four_theories_and_32_values_with_names_of_their_own() -> None:
    assert {t.name: len(t.values) for t in REGISTRY.theories.values()} == SIZES
    assert len({slug(name) for _, name in MACRO}) == 32


@pytest.mark.parametrize(("theory", "name"), MACRO)
@pytest.mark.parametrize("sep", ["-", "_", "/", " ", "–"])
def test_every_spelling_of_a_value_finds_it(theory: str, name: str, sep: str) -> None:
    spelled = slug(name).replace("-", sep)
    for text in (spelled, spelled.upper(), spelled.title(), f"  {spelled} "):
        found = REGISTRY.value(text)
        assert (found.theory, found.name) == (theory, name)
        assert REGISTRY.value(text, theory) == found


def test_every_alias_finds_its_node() -> None:
    for theory in REGISTRY.theories.values():
        for spelling in (theory.name, *theory.aliases):
            assert REGISTRY.theory(spelling).name == theory.name
        for node in theory.nodes.values():
            for spelling in (node.name, *node.aliases):
                found = REGISTRY.value(spelling, theory.name, (node.kind,))
                assert found.name == node.name


@pytest.mark.parametrize(
    ("text", "name"),
    [("care/harm", "care-harm"), ("care_harm", "care-harm"), ("Self-direction", "self-direction"),
     ("self_improvement", "self-improvement"), ("pvq:power", "power")],
)  # fmt: skip
def test_spellings_of_the_field_are_known(text: str, name: str) -> None:
    assert REGISTRY.value(text).name == name
    assert REGISTRY.theory("rights").name == "right"
    assert REGISTRY.theory("SVT").name == "pvq"


SPELLINGS = [
    (node, spelling)
    for theory in REGISTRY.theories.values()
    for node in theory.nodes.values()
    for spelling in (node.name, *node.aliases)
]


@given(st.sampled_from(SPELLINGS), st.data())
def test_a_name_is_found_in_any_case_with_any_separators(
    named: tuple[Value, str], data: st.DataObject
) -> None:
    node, spelling = named
    separators = st.text(st.sampled_from(" _/-–—\t"), min_size=1, max_size=3)
    letters = [
        data.draw(separators)
        if letter == "-"
        else data.draw(st.sampled_from([letter, letter.upper()]))
        for letter in spelling
    ]
    written = data.draw(st.sampled_from(["", " ", "-"])) + "".join(letters) + " "
    assert slug(written) == slug(spelling)
    assert REGISTRY.value(written, node.theory, [node.kind]) is node
    if node.kind == "value":
        assert REGISTRY.value(written) is node
        assert REGISTRY.value(f"{node.theory}:{written}") is node


@given(st.text(max_size=40))
def test_slug_is_idempotent(text: str) -> None:
    assert slug(slug(text)) == slug(text)


def test_pvq_is_a_graph_with_three_values_of_two_parents() -> None:
    nodes = REGISTRY.theories["pvq"].nodes
    assert {n for n in nodes if len(nodes[n].parents) == 2} == {"hedonism", "face", "humility"}
    assert set(nodes["benevolence"].children) == {"dependability", "caring"}
    assert set(nodes["growth"].children) == {"self-transcendence", "openness-to-change"}
    for theory in REGISTRY.theories.values():
        for node in theory.nodes.values():
            assert all(node.name in theory.nodes[p].children for p in node.parents)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'benevolence'"):
        REGISTRY.value("benevolense")
    with pytest.raises(UnknownNameError, match="give theory=pvq"):
        REGISTRY.value("power", "mft")
    with pytest.raises(UnknownNameError, match="Did you mean 'pvq'"):
        REGISTRY.theory("pvw")
    with pytest.raises(UnknownNameError, match="vidb-mini"):
        REGISTRY.asset("vidb-min")
    with pytest.raises(UnknownNameError, match=r"write .*pvq:caring.* or .*mft:caring"):
        REGISTRY.value("caring", kinds=("child",))


@pytest.mark.parametrize("text", ["+2", 2, "2", "2.0", " 2 "])
def test_levels_are_read_as_people_write_them(text: object) -> None:
    assert REGISTRY.level(text).level == 2
    assert REGISTRY.level("−1").level == -1


@pytest.mark.parametrize("text", ["3", "strong", "", "1.5", "nan"])
def test_what_is_no_level_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="-2, -1, 0, 1, 2"):
        REGISTRY.level(text)


def broken(tmp_path: Path, change: Any) -> Path:
    raw = yaml.safe_load(registry_path().read_text(encoding="utf-8"))
    change(raw)
    path = tmp_path / "registry.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    return path


def _node(raw: Any, name: str) -> Any:
    return raw["theories"]["pvq"]["nodes"][name]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: _node(raw, "power").update(parents=["nowhere"]), "parent 'nowhere'"),
        (lambda raw: _node(raw, "power").pop("clause"), "power: a value needs a 'clause'"),
        (lambda raw: _node(raw, "power").update(aliases=["Face"]), "names both"),
        (lambda raw: _node(raw, "growth").update(parents=["benevolence"]), "circle"),
        (lambda raw: _node(raw, "power").update(colour="red"), "colour"),
        (lambda raw: raw["levels"].append({"level": 5, "name": "x", "phrase": "x"}), "levels.5"),
        (lambda raw: raw["assets"]["vidb-mini"].update(repo_id="a/b"), "one of 'embedded'"),
        (lambda raw: raw.update(schema_version=9), "schema_version"),
        (lambda raw: raw.pop("levels"), "levels: Field required"),
        (lambda raw: raw.update(theories=["pvq"]), "theories: .*dict"),
        (lambda raw: raw.update(assets=["vidb-mini"]), "assets: .*dict"),
        (lambda raw: raw["assets"].update({"vidb-mini": "here"}), r"assets\.vidb-mini"),
        (lambda raw: raw["theories"].update(pvq=None), r"theories\.pvq"),
        (lambda raw: raw["theories"].update(pvq="Schwartz"), r"theories\.pvq"),
        (lambda raw: raw["theories"]["pvq"].update(nodes=["power"]), r"theories\.pvq\.nodes"),
        (
            lambda raw: raw["theories"]["pvq"]["nodes"].update(power="rank"),
            r"theories\.pvq\.nodes\.power",
        ),
        (lambda raw: _node(raw, "power").update(parents="growth"), r"nodes\.power\.parents"),
        (lambda raw: _node(raw, "power").update(parents=[["growth"]]), r"power\.parents\.0"),
        (lambda raw: _node(raw, "power").update(kind="macro"), r"nodes\.power\.kind"),
        (lambda raw: _node(raw, "power").update(parents=["power"]), "circle"),
        (
            lambda raw: raw["defaults"]["evaluator"].update(refusal_words=0),
            r"defaults\.evaluator\.refusal_words",
        ),
    ],
)
def test_a_broken_catalogue_names_file_and_place(tmp_path: Path, change: Any, message: str) -> None:
    path = broken(tmp_path, change)
    with pytest.raises(InputFileError, match=message) as error:
        read_registry(path)
    assert str(path) in str(error.value)


def test_a_catalogue_that_is_no_yaml_or_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("a: [b")
    with pytest.raises(InputFileError, match="not valid YAML"):
        read_registry(tmp_path / "r.yaml")
    with pytest.raises(InputFileError, match="cannot be read"):
        read_registry(tmp_path / "none.yaml")
    (tmp_path / "l.yaml").write_text("- a")
    with pytest.raises(InputFileError, match="must be a mapping"):
        read_registry(tmp_path / "l.yaml")
    (tmp_path / "latin.yaml").write_bytes("schema_version: é".encode("latin-1"))
    with pytest.raises(InputFileError, match=r"latin\.yaml: is not UTF-8"):
        read_registry(tmp_path / "latin.yaml")


def test_an_untouched_copy_is_the_catalogue(tmp_path: Path) -> None:
    assert read_registry(broken(tmp_path, lambda raw: None)) == REGISTRY
