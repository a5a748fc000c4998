"""The sentences that reach models: files by language and version, and a user's own folder.

`data/prompts/LANGUAGE.yaml` holds the sentences of steering, surveys and questions to judges, the
versions of those questions, and the catalogue's titles, definitions and clauses where they are not
those of `registry.yaml`. `LANGUAGE-VERSION.yaml` is an earlier wording; it says with `extends`
which file has the sentences that it leaves out. A folder of the user's own may hold `LANGUAGE.yaml`
as well: what stands there goes before the embedded file, and a language that is not embedded is
read from there alone.

A sentence names what the program fills in between braces. `FIELDS` says what each must and may
name, so that a sentence which lost its value or its stance is an error and no silent change.
"""

import hashlib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from string import Formatter
from typing import Any

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.files import parse_mapping, read_text
from valueflow.hub_assets.registry.records import Record

__all__ = [
    "ENGLISH",
    "FIELDS",
    "WORDING",
    "WORDINGS",
    "WORDINGS_OF_PERSONA",
    "Sentences",
    "embedded_languages",
    "prompts_path",
    "read_sentences",
    "with_texts",
]

ENGLISH = "en"

WORDINGS = ("1", "2")
"""Versions of the wording, the current one last."""

WORDING = WORDINGS[-1]

_VALUE = ("term", "Term", "title", "Title", "definition", "clause")

_ABOUT = ("count", "value", "theory", "meaning", "texts")

FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "steering.persona": (("target",), ()),
    "steering.personas": (("targets",), ()),
    "steering.target": (("stance",), _VALUE),
    "steering.target_line": (("stance",), _VALUE),
    "steering.stance": (("phrase",), ("object", *_VALUE)),
    "steering.object": ((), ()),
    "steering.texts": (("texts",), ()),
    "steering.form": (("words",), ()),
    "steering.form_sentence": (("words",), ()),
    "steering.form_plain": (("words",), ()),
    "steering.form_plain_sentence": (("words",), ()),
    "steering.base_question": (("query",), ()),
    "steering.base_answer": ((), ()),
    "chat.user": (("text",), ()),
    "chat.assistant": (("text",), ()),
    "survey.persona": (("group",), ()),
    "survey.profile": (("lines",), ()),
    "survey.profile_line": (("phrase",), ("band", *_VALUE)),
    "survey.voices": (("voices",), ()),
    "survey.voice": (("text",), ("number",)),
    "survey.form": ((), ()),
    "survey.base_question": (("question",), ()),
    "survey.base_answer": ((), ()),
    "survey.community": (("question",), ()),
    "ranking.question": (_ABOUT, ()),
    "ranking.correction": (("codes",), ()),
    "choice.question": ((*_ABOUT[1:], "first", "last"), ()),
    "choice.option": (("letter", "code"), ()),
    "rating.question": ((*_ABOUT, "low", "high"), ()),
    "rating.correction": (("codes", "low", "high"), ()),
    "rating.correction_differ": (("codes", "low", "high"), ()),
    "placement.question": ((*_ABOUT, "low", "high", "ruler"), ("known",)),
    "placement.known": (("intensity",), ()),
    "refusal.question": (("asked", "reply"), ()),
    "refusal.correction": ((), ()),
    "category.scope": ((), ("children",)),
    "category.direction": (("neutral",), ()),
    "category.direction_neutral": ((), ()),
    "category.about": (("neutral",), ()),
    "category.about_neutral": ((), ()),
}
"""Every sentence with the names that it must hold between braces, and those that it may."""

_VERSIONED = ("ranking", "choice", "rating", "placement", "refusal", "category", "plausible")
WORDINGS_OF_PERSONA = 5
"""Wordings of the persona in English, that of `steering` and its paraphrases."""

for _number in range(2, WORDINGS_OF_PERSONA + 1):
    FIELDS |= {
        f"paraphrase_{_number}.{_part}": FIELDS[f"steering.{_part}"]
        for _part in ("persona", "target", "stance")
    }
    FIELDS |= {f"paraphrase_{_number}.phrase_{_level:+d}": ((), ()) for _level in (-2, -1, 1, 2)}

_KEYS = ("language", "version", "note", "extends", "versions", "catalogue")

_WANTED = "the keys 'language', 'steering', ..."


class Sentences(Record):
    """The sentences of one language in one version.

    Attributes:
        language: of all of them, such as `en`.
        version: of the wording; a user's own sentences add a hash of their file.
        note: who wrote and who reviewed them.
        versions: of each question to a judge, by its name.
        texts: the sentences by name, such as `steering.form`.
        place: the file that an error names.
        own_sha256: hash of the user's own file, where there is one.
    """

    language: str = ENGLISH
    version: str = WORDING
    note: str = ""
    versions: dict[str, str]
    texts: dict[str, str]
    place: str
    own_sha256: str | None = None

    def say(self, name: str, **parts: object) -> str:
        """A sentence with its parts filled in.

        Raises:
            InputFileError: there is no such sentence in this language.
        """
        if name not in self.texts:
            raise InputFileError(self.place, f"has no sentence '{name}'; add it there")
        return self.texts[name].format_map({key: str(part) for key, part in parts.items()})

    def has(self, section: str) -> bool:
        """Whether all sentences of a section, such as `steering`, are there."""
        return all(name in self.texts for name in FIELDS if name.startswith(f"{section}."))

    @property
    def wordings_of_persona(self) -> int:
        """In how many wordings a persona can be told; 1 where there are no paraphrases."""
        if self.version.partition("+")[0] != WORDING:
            return 1
        found = 1
        while found < WORDINGS_OF_PERSONA and self.has(f"paraphrase_{found + 1}"):
            found += 1
        return found

    def version_of(self, question: str) -> str:
        """Version of a question to a judge, for logs and cache keys.

        English in the embedded words has the bare number, which older logs have too.
        """
        number = self.versions[question]
        told = number if self.language == ENGLISH else f"{self.language}-{number}"
        return told if self.own_sha256 is None else f"{told}+{self.own_sha256[:8]}"


def prompts_path() -> Path:
    """The folder of the embedded files."""
    return Path(__file__).resolve().parents[1] / "data" / "prompts"


def embedded_languages() -> list[str]:
    """Languages that come with the package."""
    return sorted(path.stem for path in prompts_path().glob("*.yaml") if "-" not in path.stem)


def read_sentences(
    language: str, wording: str, own: tuple[str, str] | None = None
) -> tuple[Sentences, dict[str, Any], Path]:
    """The sentences of a language, and what its files say of the catalogue's names.

    Args:
        language: such as `en`.
        wording: version of the embedded files.
        own: path and text of the user's own file of this language, if there is one.

    Returns:
        The sentences, the part `catalogue` of the files, and the file to be named in errors.

    Raises:
        OptionError: no file of this language or version.
        InputFileError: a file is not YAML, or a sentence in it is unknown or lacks a part.
    """
    raw: dict[str, Any] = {}
    name = language if wording == WORDING else f"{language}-{wording}"
    path = prompts_path() / f"{name}.yaml"
    if language in embedded_languages():
        if not path.is_file():
            raise OptionError("wording", f"{wording} is there in English alone, not in {language}")
        raw = _with_base(path)
    elif own is None:
        raise OptionError(
            "language",
            f"there are no prompts in {language!r}; embedded are "
            f"{', '.join(embedded_languages())}. A folder with a file "
            "LANGUAGE.yaml of your own brings another: prompts=FOLDER",
        )
    sha = None
    if own is not None:
        path = Path(own[0])
        sha = hashlib.sha256(own[1].encode()).hexdigest()
        raw = _merged(raw, parse_mapping(path, own[1], _WANTED))
    said = raw.get("language", language)
    if said != language:
        raise InputFileError(path, f"language: is {said!r}, but the file is of {language!r}")
    version = str(raw.get("version", "1"))
    sentences = Sentences(
        language=language,
        version=version if sha is None else f"{version}+{sha[:8]}",
        note=str(raw.get("note", "")),
        versions={n: str((raw.get("versions") or {}).get(n, "1")) for n in _VERSIONED},
        texts=_checked(raw, path),
        place=str(path),
        own_sha256=sha,
    )
    catalogue = raw.get("catalogue") or {}
    if not isinstance(catalogue, dict):
        raise InputFileError(path, "catalogue: must be a mapping")
    return sentences, catalogue, path


def _with_base(path: Path) -> dict[str, Any]:
    raw = parse_mapping(path, read_text(path), _WANTED)
    base = raw.get("extends")
    return raw if base is None else _merged(_with_base(path.with_name(f"{base}.yaml")), raw)


def _merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, part in more.items():
        inner = merged.get(key)
        merged[key] = (
            _merged(inner, part) if isinstance(inner, dict) and isinstance(part, dict) else part
        )
    return merged


def _checked(raw: Mapping[str, Any], path: Path) -> dict[str, str]:
    """The sentences by name; those that are not there are missed where they are said."""
    found: dict[str, str] = {}
    for section, body in raw.items():
        if section in _KEYS:
            continue
        if not isinstance(body, dict):
            raise InputFileError(path, f"{section}: must be a mapping of sentences")
        for key, sentence in body.items():
            name = f"{section}.{key}"
            if name not in FIELDS:
                raise InputFileError(path, f"{name}: is no sentence; known are {', '.join(FIELDS)}")
            if not isinstance(sentence, str):
                raise InputFileError(path, f"{name}: must be a text")
            found[name] = _whole(name, sentence, path)
    return found


def _whole(name: str, sentence: str, path: Path) -> str:
    try:
        parts = list(Formatter().parse(sentence))
    except ValueError as error:
        raise InputFileError(
            path, f"{name}: {error}; a brace that is meant is written twice"
        ) from None
    named = {field for _, field, _, _ in parts if field is not None}
    must, may = FIELDS[name]
    unknown = sorted(named - {*must, *may})
    if unknown or any(spec or kind for _, _, spec, kind in parts):
        known = ", ".join(f"{{{one}}}" for one in (*must, *may)) or "none"
        raise InputFileError(
            path, f"{name}: {{{(unknown or sorted(named))[0]}}} cannot be filled in; known: {known}"
        )
    lost = [one for one in must if one not in named]
    if lost:
        raise InputFileError(path, f"{name}: lacks {{{lost[0]}}}")
    return sentence


def with_texts(
    raw: Mapping[str, Any], texts: Mapping[str, Any], language: str, path: Path
) -> dict[str, Any]:
    """A catalogue as it stands in its file, with the titles and texts of another wording.

    Args:
        raw: the catalogue, plain data.
        texts: `levels` (phrase by number), `bands` and `groups` (by name), `theories` (title, and
            `nodes` with title, term, definition, clause, object).
        language: of the texts; every node that they name is in it.
        path: for errors.

    Raises:
        InputFileError: a name that the catalogue does not have.
    """
    if not texts:
        return dict(raw)
    made = deepcopy(dict(raw))
    places: list[tuple[str, Any, dict[str, Any]]] = []
    phrases = {one.get("level"): one for one in made.get("levels", ())}
    for level, phrase in (texts.get("levels") or {}).items():
        places.append((f"levels.{level}", {"phrase": phrase}, phrases.get(level, {})))
    opinion = made.get("opinion") or {}
    bands = {one["name"]: one for one in opinion.get("bands", ())}
    for name, body in (texts.get("bands") or {}).items():
        places.append((f"bands.{name}", body, bands.get(name, {})))
    groups = {
        group["name"]: group
        for attribute in (opinion.get("attributes") or {}).values()
        for group in attribute.get("groups", ())
    }
    for name, sentence in (texts.get("groups") or {}).items():
        body = {"sentence": sentence, "language": language}
        places.append((f"groups.{name}", body, groups.get(name, {})))
    for name, body in (texts.get("theories") or {}).items():
        theory = made["theories"].get(name, {})
        nodes = theory.get("nodes") or {}
        places.append((f"theories.{name}", {k: v for k, v in body.items() if k != "nodes"}, theory))
        for node, said in (body.get("nodes") or {}).items():
            place = f"theories.{name}.nodes.{node}"
            places.append((place, {**said, "language": language}, nodes.get(node, {})))
    for place, body, record in places:
        if not record:
            raise InputFileError(path, f"catalogue.{place}: the catalogue has no such name")
        record.update(body)
    return made
