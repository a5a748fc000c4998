"""Profiles of groups: the published table, and a user's own."""

import csv
from pathlib import Path

import pytest

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.survey.profiles import GroupProfiles, load_profiles

HEADER = "group,theory,value,score\n"


def load(tmp_path: Path, text: str) -> GroupProfiles:
    file = tmp_path / "profiles.csv"
    file.write_text(text, encoding="utf-8")
    return load_profiles(str(file))


def test_the_published_table_has_every_group_and_value() -> None:
    found = load_profiles("group-value-scores")
    registry = load_registry()
    assert len(found.scores) == 22 * 4
    for group in registry.opinion.groups:
        for theory in registry.theories.values():
            assert set(found.scores[group.name, theory.name]) == {v.name for v in theory.values}
    assert "OpinionQA" in found.built_on
    assert not found.states_questions


def test_bands_are_those_of_the_published_table() -> None:
    found = load_profiles("group-value-scores")
    registry = load_registry()
    with found.source.files[0].open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            score = float(row["score"])
            assert registry.opinion.band(score).name == row["band"].replace("_", " ")


def test_lines_are_chosen_by_the_scores_as_they_are(tmp_path: Path) -> None:
    # Cast to whole numbers, all of these would be 0.
    rows = ["fidelity,0.1", "reparation,0.9", "gratitude,-0.9", "justice,0.2", "beneficence,-0.5"]
    found = load(tmp_path, HEADER + "".join(f"SEX_Male,duty,{row}\n" for row in rows))
    chosen = found.lines("SEX_Male", "duty", 4)
    assert [line.value.name for line in chosen] == [
        "reparation",
        "justice",
        "beneficence",
        "gratitude",
    ]
    assert [line.band.name for line in chosen] == ["very high", "high", "low", "very low"]


def test_equal_scores_go_by_the_order_of_the_registry(tmp_path: Path) -> None:
    names = [value.name for value in load_registry().theories["duty"].values]
    text = HEADER + "".join(f"SEX_Male,duty,{name},0.5\n" for name in reversed(names))
    chosen = load(tmp_path, text).lines("SEX_Male", "duty", 5)
    assert {line.value.name for line in chosen} == set(names[:5])
    assert [line.value.name for line in chosen][:3] == names[:3]


def test_more_lines_than_values_are_refused() -> None:
    with pytest.raises(OptionError, match="lines: 8 lines are asked of the 7 duty values"):
        load_profiles("group-value-scores").lines("SEX_Male", "duty", 8)


def test_a_group_without_a_profile_is_refused_by_name(tmp_path: Path) -> None:
    found = load(tmp_path, HEADER + "SEX_Male,duty,justice,0.5\n")
    with pytest.raises(OptionError, match=r"no duty profile of the group 'SEX_Female'.*SEX_Male"):
        found.lines("SEX_Female", "duty", 1)
    with pytest.raises(OptionError, match="no pvq profile"):
        found.lines("SEX_Male", "pvq", 1)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("SEX_Man,duty,justice,0.5", "unknown group"),
        ("SEX_Male,dutty,justice,0.5", "unknown theory"),
        ("SEX_Male,duty,power,0.5", "unknown value"),
        ("SEX_Male,duty,gratitude,1.5", "no number from -1 to 1"),
        ("SEX_Male,duty,gratitude,high", "no number from -1 to 1"),
        ("SEX_Male,duty,gratitude,nan", "no number from -1 to 1"),
        ("SEX_Male,duty,Justice,0.5", "stands twice"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(InputFileError, match="row 2") as error:
        load(tmp_path, f"{HEADER}SEX_Male,duty,justice,0.5\n{row}\n")
    assert message in str(error.value)


def test_a_table_without_a_column_says_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="no column for 'score'"):
        load(tmp_path, "group,theory,value,points\nSEX_Male,duty,justice,0.5\n")


def test_a_profile_names_the_questions_that_it_was_built_on(tmp_path: Path) -> None:
    first, second = "0123456789abcdef", "fedcba9876543210"
    found = load(
        tmp_path,
        "group,theory,value,score,questions\n"
        f"SEX_Male,duty,justice,0.5,{first} {second}\nSEX_Male,duty,gratitude,0.1,\n",
    )
    assert found.questions == {first, second}
    assert found.states_questions
    with pytest.raises(InputFileError, match="is no question's hash"):
        load(tmp_path, "group,theory,value,score,questions\nSEX_Male,duty,justice,0.5,q17\n")


def test_an_empty_column_of_questions_states_none(tmp_path: Path) -> None:
    found = load(tmp_path, "group,theory,value,score,questions\nSEX_Male,duty,justice,0.5,\n")
    assert not found.states_questions


def test_a_copy_of_the_published_table_was_built_on_the_same_questions(tmp_path: Path) -> None:
    published = load_profiles("group-value-scores")
    own = published.scores["SEX_Male", "duty"]
    rows = [f"SEX_Male,duty,{value},{score}\n" for value, score in own.items()]
    assert load(tmp_path, HEADER + "".join(rows)).built_on == published.built_on != ""
    assert load(tmp_path, HEADER + "".join(rows[1:])).built_on == ""
