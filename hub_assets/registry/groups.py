"""The records of the catalogue's part `opinion`: groups of people, bands of scores, presets."""

import math
import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property
from typing import Self

from pydantic import Field, model_validator

from valueflow.hub_assets.errors import OptionError, UnknownNameError
from valueflow.hub_assets.registry.records import Record, slug

__all__ = ["Attribute", "Band", "Group", "OpinionCatalogue", "Preset", "group_key"]


def group_key(name: object) -> str:
    """One spelling of a group's name: lower case, every run of other characters one hyphen.

    So `INCOME_$100,000 or more` and `INCOME__100_000_or_more` are the same.
    """
    text = unicodedata.normalize("NFKC", str(name)).lower()
    return re.sub(r"[\W_]+", "-", text).strip("-")


class Band(Record):
    """A range of scores: those below `below` and in no earlier band; the last has no bound.

    `title` is what models are shown in place of the name, in another language.
    """

    name: str
    below: float | None
    phrase: str
    title: str = ""

    @property
    def spoken(self) -> str:
        """What models are shown, for instance `very high`."""
        return self.title or self.name


class Group(Record):
    """People who share an attribute; `sentence` says so to a model, in the second person."""

    name: str
    attribute: str
    sentence: str
    language: str = "en"
    aliases: tuple[str, ...] = ()

    @property
    def safe_name(self) -> str:
        """The name with letters, digits and `_` only, for identifiers and file names."""
        return re.sub(r"[\W_]+", "_", self.name).strip("_")


class Attribute(Record):
    """What groups differ in, such as religion."""

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    groups: tuple[Group, ...]

    @model_validator(mode="before")
    @classmethod
    def _groups_know_their_attribute(cls, raw: object) -> object:
        if isinstance(raw, dict) and isinstance(raw.get("groups"), list):
            groups = [
                {**group, "attribute": raw.get("name")} if isinstance(group, dict) else group
                for group in raw["groups"]
            ]
            return {**raw, "groups": groups}
        return raw


class Preset(Record):
    """Settings that were published for a model; `published` holds accuracies in percent by pass."""

    name: str
    model: str
    theory: str
    lines: int = Field(ge=1)
    threshold: float = Field(ge=0, le=1)
    answer_tokens: int = Field(ge=1)
    published: dict[str, float] = Field(default_factory=dict)


class OpinionCatalogue(Record):
    """Bands, attributes with their groups, and presets."""

    bands: tuple[Band, ...]
    attributes: dict[str, Attribute]
    presets: dict[str, Preset]

    @model_validator(mode="after")
    def _check(self) -> Self:
        bounds = [math.inf if band.below is None else band.below for band in self.bands]
        if bounds != sorted(set(bounds)) or not bounds or bounds[-1] != math.inf:
            raise ValueError("bands: must rise, and only the last has no bound")
        taken: dict[str, str] = {}
        for group in self.groups:
            for spelling in (group.name, *group.aliases):
                if taken.setdefault(group_key(spelling), group.name) != group.name:
                    raise ValueError(f"attributes: '{spelling}' names two groups")
        return self

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """All groups, attribute by attribute."""
        return tuple(group for one in self.attributes.values() for group in one.groups)

    @cached_property
    def _by_key(self) -> dict[str, Group]:
        return {group_key(n): g for g in self.groups for n in (g.name, *g.aliases)}

    def group(self, name: object) -> Group:
        """The group of that name, in the survey's spelling, a sanitised one or any like them.

        Raises:
            UnknownNameError: there is none.
        """
        found = self._by_key.get(group_key(name))
        if found is None:
            known = [group.name for group in self.groups]
            raise UnknownNameError("group", name, known, "`valueflow list groups` shows them.")
        return found

    def chosen_groups(self, names: Sequence[str]) -> list[Group]:
        """The named groups and all groups of the named attributes, in the registry's order.

        A command line splits `INCOME_$100,000 or more` at its comma, so neighbouring parts are
        joined again where they make a name and do not alone.

        Raises:
            OptionError: a group is named twice.
            UnknownNameError: a name is of no group and no attribute.
        """
        found: list[Group] = []
        place = 0
        while place < len(names):
            for stop in range(len(names), place, -1):
                groups = self._named(",".join(names[place:stop]))
                if groups:
                    break
            else:
                return [self.group(names[place])]  # Raises, with the names that are near.
            found += groups
            place = stop
        if len(set(found)) < len(found):
            twice = next(group for group in found if found.count(group) > 1)
            raise OptionError("groups", f"{twice.name} is named twice")
        return [group for group in self.groups if group in found]

    def _named(self, name: str) -> list[Group]:
        group = self._by_key.get(group_key(name))
        if group is not None:
            return [group]
        for one in self.attributes.values():
            if slug(name) in {slug(n) for n in (one.name, one.title, *one.aliases)}:
                return list(one.groups)
        return []

    def band(self, score: float) -> Band:
        """The band of a score in [−1, 1]."""
        return next(b for b in self.bands if b.below is None or score < b.below)

    def preset(self, name: object) -> Preset:
        """The preset of that name, or of the model's name.

        Raises:
            UnknownNameError: there is none.
        """
        for preset in self.presets.values():
            if slug(name) in {slug(preset.name), slug(preset.model)}:
                return preset
        raise UnknownNameError("preset", name, self.presets)
