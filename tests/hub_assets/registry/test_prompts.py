"""Every sentence that models are told is in a file, and one that is wrong is an error."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.registry.loading import load_registry, open_catalogue
from valueflow.hub_assets.registry.prompts import FIELDS, WORDINGS, embedded_languages
from valueflow.scorers.database.panel.prompts import PLAUSIBLE_PROMPT_VERSION
from valueflow.scorers.judge.questions.choice import CHOICE_PROMPT_VERSION
from valueflow.scorers.judge.questions.ranking import JUDGE_PROMPT_VERSION
from valueflow.scorers.judge.questions.rating import (
    PLACEMENT_PROMPT_VERSION,
    RATING_PROMPT_VERSION,
)
from valueflow.scorers.judge.questions.refusals import REFUSAL_PROMPT_VERSION

ENGLISH = load_registry().sentences

KEYED = {
    "ranking": JUDGE_PROMPT_VERSION,
    "choice": CHOICE_PROMPT_VERSION,
    "rating": RATING_PROMPT_VERSION,
    "placement": PLACEMENT_PROMPT_VERSION,
    "refusal": REFUSAL_PROMPT_VERSION,
    "plausible": PLAUSIBLE_PROMPT_VERSION,
}


def folder_with(tmp_path: Path, language: str, /, **sections: object) -> Path:
    (tmp_path / f"{language}.yaml").write_text(yaml.safe_dump(sections), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("question", KEYED)
def test_the_version_of_a_question_is_that_of_its_sentences(question: str) -> None:
    assert ENGLISH.versions[question] == KEYED[question]


@pytest.mark.parametrize("language", embedded_languages())
def test_an_embedded_language_has_every_sentence_and_every_text(language: str) -> None:
    registry = load_registry(language=language)
    missing = set(FIELDS) - set(registry.sentences.texts)
    # Paraphrases of the persona are there in English alone.
    assert {name.partition("_")[0] for name in missing} == (
        set() if language == "en" else {"paraphrase"}
    )
    assert all(level.phrase for level in registry.levels if level.level)
    assert {group.language for group in registry.opinion.groups} == {language}
    for value in registry.macro_values():
        assert value.language == language
        assert value.clause
        assert value.clause[-1].isalnum()


@pytest.mark.parametrize("wording", WORDINGS)
def test_english_has_every_wording(wording: str) -> None:
    assert load_registry(wording=wording).sentences.version == wording
    assert set(load_registry(wording=wording).sentences.texts) == set(FIELDS)


def test_a_users_sentence_goes_before_the_embedded_one_and_marks_the_version(
    tmp_path: Path,
) -> None:
    folder = folder_with(tmp_path, "en", steering={"persona": "Be this person: {target}"})
    said = load_registry(prompts=folder).sentences
    assert said.say("steering.persona", target="x") == "Be this person: x"
    assert said.texts["steering.texts"] == ENGLISH.texts["steering.texts"]
    assert said.version.startswith("2+")
    assert said.version_of("ranking").startswith("1+")
    assert load_registry().sentences == ENGLISH


def test_a_file_that_changes_is_another_version_once_it_is_opened_anew(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "en", steering={"persona": "One: {target}"})
    first = open_catalogue(None, prompts=folder).sentences
    folder_with(tmp_path, "en", steering={"persona": "Two: {target}"})
    assert load_registry(prompts=folder).sentences == first
    assert open_catalogue(None, prompts=folder).sentences.version != first.version


def test_a_sentence_that_is_missing_is_named_when_it_is_needed(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "xx", steering={"persona": "Xx {target}"})
    said = load_registry(language="xx", prompts=folder).sentences
    assert said.say("steering.persona", target="1") == "Xx 1"
    with pytest.raises(InputFileError, match=r"xx\.yaml: has no sentence 'steering\.form'"):
        said.say("steering.form", words=3)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"steering": {"persona": "Be someone."}}, r"steering\.persona: lacks \{target\}"),
        ({"steering": {"persona": "{target} {x}"}}, r"\{x\} cannot be filled in"),
        ({"steering": {"persona": "{target!r}"}}, "cannot be filled in"),
        ({"steering": {"persona": "{target"}}, r"steering\.persona: .*written twice"),
        ({"steering": {"person": "{target}"}}, r"steering\.person: is no sentence"),
        ({"steering": {"persona": 3}}, r"steering\.persona: must be a text"),
        ({"steering": "x"}, "steering: must be a mapping"),
        ({"language": "de"}, "language: is 'de', but the file is of 'en'"),
        ({"catalogue": "x"}, "catalogue: must be a mapping"),
        (
            {"catalogue": {"theories": {"pvq": {"nodes": {"powr": {"clause": "x"}}}}}},
            r"catalogue\.theories\.pvq\.nodes\.powr: the catalogue has no such name",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_its_place(
    sections: dict[str, object], message: str, tmp_path: Path
) -> None:
    folder = folder_with(tmp_path, "en", **sections)
    for load in (load_registry, open_catalogue):
        read: Callable[..., object] = load
        with pytest.raises(InputFileError, match=message) as told:
            read(None, prompts=folder)
        assert "en.yaml" in str(told.value)


def test_a_language_or_wording_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no prompts in 'xx'; embedded are"):
        load_registry(language="xx")
    with pytest.raises(OptionError, match="'3' is none of 1, 2"):
        load_registry(wording="3")
    with pytest.raises(InputFileError, match=r"holds no file fr\.yaml"):
        load_registry(language="fr", prompts=tmp_path)


def test_a_value_without_texts_in_the_language_is_named(tmp_path: Path) -> None:
    power = {"title": "Makht", "clause": "råde över andra", "definition": "En makt-människa."}
    texts = {"theories": {"pvq": {"nodes": {"power": power}}}}
    folder = folder_with(tmp_path, "sv", catalogue=texts)
    registry = load_registry(language="sv", prompts=folder)
    registry.check_language([registry.value("power")])
    with pytest.raises(OptionError, match=r"pvq:face has its texts in 'en', not in 'sv'"):
        registry.check_language([registry.value("power"), registry.value("face")])


def test_a_catalogue_of_ones_own_says_its_language(tmp_path: Path) -> None:
    own = {
        "language": "sv",
        "theories": {
            "craft": {
                "title": "Hantverk",
                "source": "Påhittat.",
                "nodes": {
                    "thrift": {
                        "title": "Sparsamhet",
                        "kind": "value",
                        "definition": "Den sparsamme slösar inte.",
                        "clause": "hushålla",
                    }
                },
            }
        },
    }
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump(own), encoding="utf-8")
    registry = load_registry(file)
    assert registry.value("thrift").language == "sv"
    with pytest.raises(OptionError, match="craft:thrift has its texts in 'sv'"):
        registry.check_language([registry.value("thrift")])
