"""Value profiles of a person or a group: how strongly each value of a theory is held.

A profile is a JSON file with a version of its schema. What is not known of a value is left out, or
stands there without an intensity; it is never 0, which would say that the value leaves one cold.

    {"valueflow_profile": 1, "name": "anna", "theory": "pvq",
     "values": [{"value": "benevolence", "intensity": 6.2, "se": 0.7, "texts": 14,
                 "evidence": ["t03", "t11"]},
                {"value": "power"}],
     "text_hashes": {"t03": "9f2c41d07be6a813", "t11": "04be77a1c95d20f3"}}

Group scores of survey questions, in [−1, 1], are another thing:
`valueflow.hub_assets.survey.profiles`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from valueflow.hub_assets.errors import InputFileError, UnknownNameError, printable
from valueflow.hub_assets.files import is_blank, read_json_object, write_text
from valueflow.hub_assets.registry.loading import Registry, Value, load_registry

__all__ = [
    "PROFILE_FILE",
    "SCHEMA",
    "Profile",
    "ProfileValue",
    "known_values",
    "load_profile",
    "profile_files",
    "text_sha256",
    "write_profile",
]

SCHEMA: Literal[1] = 1
"""Version of the schema; raised when a file of an earlier one no longer says the same."""

PROFILE_FILE = "profile.json"

MOST_NAME = 80

_VERSION = "valueflow_profile"

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProfileValue(_Part):
    """What is known of one value.

    Attributes:
        value: its name.
        intensity: in points of [−10, 10]; None where it is not known.
        se: standard error of the intensity, in points; None where nobody stated one.
        texts: how many texts of the person tell of the value.
        evidence: ids of the texts that moved the intensity most, the strongest first.
    """

    value: str
    intensity: Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)] | None = None
    se: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    texts: int = Field(default=0, ge=0)
    evidence: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _unknown_has_no_error(self) -> Self:
        if self.intensity is None and self.se is not None:
            raise ValueError("has a standard error and no intensity; leave both out, or give both")
        return self


class Profile(_Part):
    """How strongly a person or a group holds the values of one theory.

    Attributes:
        valueflow_profile: version of the schema.
        name: of the person or group; a run's cells bear it.
        theory: whose values these are.
        values: those that something is said of; all others are unknown.
        text_hashes: id to hash (`text_sha256`) of every text that was used.
        made_by: how it came about, such as the judge and its settings.
    """

    valueflow_profile: Literal[1] = SCHEMA
    name: str = Field(min_length=1, max_length=MOST_NAME)
    theory: str
    values: tuple[ProfileValue, ...] = Field(min_length=1)
    text_hashes: Mapping[str, Hash] = Field(default_factory=dict)
    made_by: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _can_name_cells(cls, name: str) -> str:
        if is_blank(name) or name != name.strip() or printable(name) != name:
            raise ValueError(f"{name!r} is no name: give printable characters and no line ends")
        if set(name) & set("|/&") or name == "default":
            raise ValueError(f"{name!r} cannot name cells: no |, / or &, and not 'default'")
        return name

    @model_validator(mode="after")
    def _names_stand_once(self) -> Self:
        names = [one.value for one in self.values]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} stands twice")
        if self.text_hashes:
            unknown = {text for one in self.values for text in one.evidence} - {*self.text_hashes}
            if unknown:
                raise ValueError(
                    f"the evidence names texts without a hash: {', '.join(sorted(unknown)[:3])}"
                )
        return self

    @cached_property
    def known(self) -> dict[str, float]:
        """Intensity, in points, of every value that has one."""
        return {one.value: one.intensity for one in self.values if one.intensity is not None}

    @property
    def sha256(self) -> str:
        """Of what it says of values, 16 digits: two profiles that ask the same have the same."""
        told = json.dumps([self.theory, sorted(self.known.items())])
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def text_sha256(text: str) -> str:
    """Hash of a text as a profile keeps it: 16 hexadecimal digits of SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def profile_files(place: str | Path) -> list[Path]:
    """The profiles that a path names: a file, a folder with `profile.json`, or a folder of such.

    Raises:
        InputFileError: there is nothing, or a folder without a profile.
    """
    path = Path(place).expanduser()
    if not path.is_dir():
        return [path]
    if (path / PROFILE_FILE).is_file():
        return [path / PROFILE_FILE]
    found = sorted(path.glob(f"*/{PROFILE_FILE}"))
    if not found:
        raise InputFileError(
            path, f"holds no {PROFILE_FILE}, and no folder that does; name the file itself"
        )
    return found


def load_profile(
    path: Path, registry: Registry | None = None, theory: object | None = None
) -> Profile:
    """Reads a profile and checks it against the schema and the catalogue.

    Args:
        path: the file.
        registry: whose theories and values; the installation's where not given.
        theory: the theory that it must be of; any where not given.

    Returns:
        The profile, with the catalogue's spelling of its names and in the catalogue's order.

    Raises:
        InputFileError: no JSON, no profile, another version of the schema or another theory; an
            unknown value or one that stands twice; an intensity outside [−10, 10].
    """
    registry = registry or load_registry()
    no_profile = f"is no profile: it has no field '{_VERSION}' with its version"
    raw = read_json_object(path, otherwise=no_profile)
    if _VERSION not in raw:
        raise InputFileError(path, no_profile)
    _check_version(path, raw[_VERSION])
    try:
        profile = Profile.model_validate(raw)
    except ValidationError as error:
        raise InputFileError(path, _problem(error, raw)) from None
    try:
        own = registry.theory(profile.theory)
    except UnknownNameError as error:
        raise InputFileError(path, f"theory: {error}") from None
    wanted = registry.theory(theory).name if theory is not None else own.name
    if own.name != wanted:
        raise InputFileError(
            path,
            f"is a profile of {own.name}, not of {wanted}: intensities of two theories have no "
            "values in common. Run it apart, or make a profile of that theory from the texts",
        )
    return _named(path, registry, profile, own.name)


def _check_version(path: Path, version: object) -> None:
    if version == SCHEMA and not isinstance(version, bool):
        return
    whole = isinstance(version, int) and not isinstance(version, bool)
    older = isinstance(version, int) and whole and version < SCHEMA
    todo = "make the profile again from its texts" if older else "update valueflow to read it"
    raise InputFileError(
        path,
        f"is of version {version!r} of the schema of profiles, and version {SCHEMA} is read here"
        + (f"; {todo}" if whole else ""),
    )


def _problem(error: ValidationError, raw: Mapping[str, Any]) -> str:
    """The first complaint, with the value that it is about."""
    first = error.errors()[0]
    place = list(first["loc"])
    values = raw.get("values")
    if len(place) > 1 and place[0] == "values" and isinstance(values, Sequence):
        entry = values[int(place[1])]
        named = entry.get("value") if isinstance(entry, Mapping) else None
        place[:2] = [f"values, entry {int(place[1]) + 1}" + (f" ({named})" if named else "")]
    where = ", ".join(map(str, place))
    told = first["msg"].removeprefix("Value error, ")
    return f"{where}: {told}" if where else told


def _named(path: Path, registry: Registry, profile: Profile, theory: str) -> Profile:
    values = registry.theory(theory).values
    order = {value.name: place for place, value in enumerate(values)}
    found: dict[str, ProfileValue] = {}
    for row, one in enumerate(profile.values, start=1):
        try:
            name = registry.value(one.value, theory).name
        except UnknownNameError as error:
            raise InputFileError(path, str(error), row=row) from None
        if name in found:
            raise InputFileError(path, f"{name} stands twice, in two spellings", row=row)
        found[name] = one.model_copy(update={"value": name})
    ordered = tuple(found[name] for name in sorted(found, key=order.__getitem__))
    return profile.model_copy(update={"theory": theory, "values": ordered})


def write_profile(path: Path, profile: Profile) -> None:
    """Writes a profile; values that are not known stand there without an intensity.

    Raises:
        InputFileError: the folder cannot be written to.
    """
    told = profile.model_dump(mode="json", exclude_none=True)
    write_text(path, json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def known_values(profile: Profile, registry: Registry) -> list[tuple[Value, float]]:
    """The values that have an intensity, in points, in the catalogue's order."""
    of_theory = registry.theory(profile.theory).values
    return [
        (value, profile.known[value.name]) for value in of_theory if value.name in profile.known
    ]
