"""Groups are found by their names as they really are; bands and presets are the published ones."""

import pytest

from valueflow.hub_assets.errors import OptionError, UnknownNameError
from valueflow.hub_assets.registry.loading import load_registry

OPINION = load_registry().opinion


def test_there_are_22_groups_of_8_attributes() -> None:
    assert len(OPINION.groups) == 22
    assert len(OPINION.attributes) == 8
    assert len({group.sentence for group in OPINION.groups}) == 22


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("INCOME__100_000_or_more", "INCOME_$100,000 or more"),
        ("INCOME_$100,000 or more", "INCOME_$100,000 or more"),
        ("INCOME_Less_than_30_000", "INCOME_Less than $30,000"),
        ("income_less than $30,000", "INCOME_Less than $30,000"),
        (
            "EDUCATION_College_graduate_some_postgrad",
            "EDUCATION_College graduate/some postgrad",
        ),
        (
            "EDUCATION_College graduate/some postgrad",
            "EDUCATION_College graduate/some postgrad",
        ),
    ],
)
def test_sanitised_and_real_names_are_the_same_group(spelling: str, name: str) -> None:
    assert OPINION.group(spelling).name == name


def test_a_name_that_a_command_line_split_at_its_comma_is_joined_again() -> None:
    words = ["SEX_Male", "INCOME_$100", "000 or more", "INCOME_Less than $30", "000"]
    assert [group.name for group in OPINION.chosen_groups(words)] == [
        "INCOME_$100,000 or more",
        "INCOME_Less than $30,000",
        "SEX_Male",
    ]


def test_an_attribute_stands_for_its_groups_by_any_of_its_names() -> None:
    for name in ("RELIG", "religion", "Religion"):
        assert len(OPINION.chosen_groups([name])) == 5
    assert [g.attribute for g in OPINION.chosen_groups(["Reg", "Sex"])] == [
        "CREGION",
        "CREGION",
        "SEX",
        "SEX",
    ]


def test_an_unknown_group_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UnknownNameError, match="SEX_Male"):
        OPINION.chosen_groups(["SEX_Mal"])


def test_a_group_that_is_named_twice_is_refused() -> None:
    with pytest.raises(OptionError, match="named twice"):
        OPINION.chosen_groups(["RELIG", "RELIG_Hindu"])


@pytest.mark.parametrize(
    ("score", "band"),
    [
        (-1, "very low"),
        (-0.61, "very low"),
        (-0.6, "low"),
        (-0.2, "medium"),
        (0.19, "medium"),
        (0.2, "high"),
        (0.6, "very high"),
        (1, "very high"),
    ],
)
def test_a_score_on_a_bound_belongs_to_the_band_above(score: float, band: str) -> None:
    assert OPINION.band(score).name == band


def test_the_published_presets_are_found_by_their_own_or_the_models_name() -> None:
    qwen = OPINION.preset("Qwen/Qwen3-32B")
    assert (qwen.name, qwen.theory, qwen.lines, qwen.threshold) == ("qwen3-32b", "duty", 4, 0.65)
    phi = OPINION.preset("phi-4")
    assert (phi.theory, phi.lines, phi.threshold) == ("pvq", 6, 0.17)
    glm = OPINION.preset("glm-4-32b")
    assert (glm.theory, glm.lines, glm.threshold) == ("duty", 4, 0.5)
    with pytest.raises(UnknownNameError, match="preset"):
        OPINION.preset("gpt-2")
