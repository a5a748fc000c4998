"""Profiles are read whole or not at all, and what is wrong with one is said of its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.inputs.anchors import level_of_intensity
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.survey.persons import (
    Profile,
    known_values,
    load_profile,
    profile_files,
    text_sha256,
    write_profile,
)

WHOLE: dict[str, Any] = {
    "valueflow_profile": 1,
    "name": "anna",
    "theory": "svt",
    "values": [
        {"value": "Self-direction", "intensity": -3.5, "se": 0.8, "texts": 4, "evidence": ["t2"]},
        {"value": "benevolence", "intensity": 7},
        {"value": "power"},
    ],
    "text_hashes": {"t1": text_sha256("I help."), "t2": text_sha256("Do as you are told.")},
}


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "profile.json"
    path.write_text(json.dumps({**WHOLE, **changes}), encoding="utf-8")
    return path


def test_names_become_the_catalogues_and_unknown_values_have_no_intensity(tmp_path: Path) -> None:
    found = load_profile(write(tmp_path))
    assert found.theory == "pvq"
    assert [one.value for one in found.values] == ["benevolence", "self-direction", "power"]
    assert found.known == {"benevolence": 7.0, "self-direction": -3.5}
    assert [v.name for v, _ in known_values(found, load_registry())] == list(found.known)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    found = load_profile(write(tmp_path))
    again = tmp_path / "again" / "profile.json"
    write_profile(again, found)
    assert load_profile(again) == found
    assert "null" not in again.read_text(encoding="utf-8")


def test_the_hash_is_that_of_what_is_asked_and_of_nothing_else(tmp_path: Path) -> None:
    found = load_profile(write(tmp_path))
    assert found.sha256 == load_profile(write(tmp_path, name="ben", text_hashes={})).sha256
    other = [{"value": "power", "intensity": 1}]
    assert found.sha256 != load_profile(write(tmp_path, values=other)).sha256


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valueflow_profile": 0}, "version 0 of the schema.*make the profile again"),
        ({"valueflow_profile": 2}, "version 2 of the schema.*update valueflow"),
        ({"valueflow_profile": "one"}, "version 'one' of the schema"),
        ({"theory": "big five"}, "theory: unknown theory 'big five'"),
        ({"theory": "mft"}, "row 1: unknown value of mft 'Self-direction'"),
        ({"values": []}, "values: "),
        ({"values": [{"value": "power", "intensity": 11}]}, r"entry 1 \(power\), intensity"),
        ({"values": [{"value": "power", "intensity": "much"}]}, r"entry 1 \(power\), intensity"),
        ({"values": [{"value": "power", "intensity": 1, "se": 0}]}, "se: .*greater than 0"),
        ({"values": [{"value": "power", "se": 1}]}, "a standard error and no intensity"),
        ({"values": [{"value": "power"}, {"value": "Power"}]}, "row 2: power stands twice"),
        ({"values": [{"value": "power", "strength": 1}]}, "strength: Extra inputs"),
        ({"values": [{"value": "power", "evidence": ["t9"]}]}, "without a hash: t9"),
        ({"text_hashes": {"t2": "short"}}, "text_hashes, t2"),
        ({"name": "a|b"}, "name: 'a|b' cannot name cells"),
        ({"name": "default"}, "name: 'default' cannot name cells"),
        ({"name": "two\nlines"}, "name: .* is no name"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(InputFileError, match=message) as raised:
        load_profile(path)
    assert str(raised.value).startswith(str(path))


def test_a_profile_of_another_theory_is_refused_with_both_names(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="is a profile of pvq, not of mft"):
        load_profile(write(tmp_path), theory="moral foundations")


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is not valid JSON"), ("[]", "is no profile"), ('{"name": "a"}', "is no profile")],
)
def test_other_files_are_no_profiles(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputFileError, match=message):
        load_profile(path)


def test_a_folder_stands_for_the_profiles_in_it(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"holds no profile\.json"):
        profile_files(tmp_path)
    for name in ("ben", "anna"):
        (tmp_path / name).mkdir()
        write(tmp_path / name)
    assert [path.parent.name for path in profile_files(tmp_path)] == ["anna", "ben"]
    assert profile_files(tmp_path / "ben") == [tmp_path / "ben" / "profile.json"]


@pytest.mark.parametrize(
    ("intensity", "level"),
    [(0, 0), (1.9, 0), (-1.9, 0), (2, 1), (-2, -1), (6, 1), (6.1, 2), (-6.1, -2), (-10, -2)],
)
def test_an_intensity_has_the_level_whose_bin_it_falls_into(intensity: float, level: int) -> None:
    assert level_of_intensity(intensity) == level


def test_a_profile_is_no_profile_without_a_value_that_stands_once() -> None:
    with pytest.raises(ValueError, match="power stands twice"):
        Profile(name="a", theory="pvq", values=[{"value": "power"}, {"value": "power"}])  # type: ignore[arg-type,list-item]
