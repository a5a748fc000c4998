"""The recipe of a database: where texts come from, who judges them, and how they are scored."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from valueflow.hub_assets.errors import InputFileError, UnknownNameError
from valueflow.hub_assets.files import parse_mapping, read_text
from valueflow.hub_assets.registry.loading import (
    Registry,
    Theory,
    Value,
    load_registry,
    open_catalogue,
)
from valueflow.hub_assets.settings import CALL_SETTINGS

__all__ = [
    "CategorizeSpec",
    "JudgeSpec",
    "Recipe",
    "RecipePart",
    "SourceSpec",
    "TextsRecipe",
    "fingerprint",
    "key_named",
    "key_of",
    "own_definitions",
    "parsed_recipe",
    "read_recipe",
]

AnyRecipe = TypeVar("AnyRecipe", bound="TextsRecipe")

Adapter = Literal[
    "table", "valueeval", "mfrc", "social-chemistry", "valuenet", "valueprism", "denevil"
]


class RecipePart(BaseModel):
    """A part of any recipe: what it does not know is a fault, and it never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceSpec(RecipePart):
    """One source of texts: a file or folder at `path`, relative to the recipe, or a dataset on the
    Hub, `hub: ORG/NAME`, at a `revision` (branch, tag or commit), with the `config` and `split` to
    take; without a split all of them are taken.

    `columns` maps our fields (text, value, direction, source, license) to the file's columns;
    `theory` and `value` are those of all rows, for a file without such a column; `text` chooses
    what counts as the text of a ValueEval argument; `limit` takes the first rows only.
    """

    adapter: Adapter = "table"
    path: str | None = None
    hub: str | None = Field(default=None, pattern=r"^[\w.\-]+/[\w.\-]+$")
    revision: str = "main"
    config: str | None = None
    split: str | None = None
    labels: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    source: str | None = None
    license: str | None = None
    theory: str | None = None
    value: str | None = None
    text: Literal["premise", "argument"] = "premise"
    limit: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _check(self) -> "SourceSpec":
        if (self.path is None) == (self.hub is None):
            raise ValueError("say where the texts lie: either 'path', or 'hub'")
        if self.hub is None and (self.config or self.split or self.revision != "main"):
            raise ValueError("'revision', 'config' and 'split' go with 'hub'")
        if self.hub is not None and self.adapter == "valueeval":
            raise ValueError("ValueEval is read from its files: give 'path' and 'labels'")
        if self.adapter == "valueeval" and self.labels is None:
            raise ValueError("ValueEval needs 'labels', the file labels-*.tsv")
        if self.adapter == "table" and (self.source is None) and "source" not in self.columns:
            raise ValueError("say where the texts are from: 'source', or a column for it")
        if self.adapter == "table" and (self.license is None) and "license" not in self.columns:
            raise ValueError("say under which licence they are: 'license', or a column for it")
        return self

    @property
    def reference(self) -> str:
        """`ORG/NAME@REVISION` of a dataset on the Hub, else the path."""
        return str(self.path) if self.hub is None else f"{self.hub}@{self.revision}"

    @model_serializer(mode="wrap")
    def _one_place(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """For fingerprints: what is said of the other kind of place is left out."""
        absent = ("path",) if self.hub else ("hub", "revision", "config", "split")
        return {name: part for name, part in whole(self).items() if name not in absent}


class JudgeSpec(RecipePart):
    """A judge: an Inspect model with its arguments and configuration.

    `seats` seats it several times in a panel; where `args` has a `seed`, or `config` has one, each
    seat counts it up by one.
    """

    model: str
    args: dict[str, Any] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)
    seats: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _check(self) -> "JudgeSpec":
        if self.seats > 1 and "temperature" not in self.config and "seed" not in self.args:
            raise ValueError(
                f"{self.seats} seats of {self.model} would all answer alike, as judges answer at "
                "temperature 0; give 'config: {temperature: 0.7}', or seat different models"
            )
        return self

    @field_serializer("config")
    def _what_decides_answers(self, config: dict[str, Any]) -> dict[str, Any]:
        """For fingerprints: a build goes on with another server, timeout or number of retries."""
        return {name: part for name, part in config.items() if name not in CALL_SETTINGS}

    def seated(self) -> list["JudgeSpec"]:
        """One spec a seat."""
        found = []
        for seat in range(self.seats):
            args, config = (
                {k: v + seat if k == "seed" else v for k, v in part.items()}
                for part in (self.args, self.config)
            )
            found.append(JudgeSpec(model=self.model, args=args, config=config))
        return found


class CategorizeSpec(RecipePart):
    """Who says which values a text is about, and in which direction.

    `values`: `panel` asks about all values of a theory; `labels` only about those that the source
    gives; `given` asks nobody and takes value and direction from the source.

    `texts_per_prompt`: a prompt shows so many texts. `descend`: the panel is also asked which child
    of a value a text is about. `start`: `values` asks about all values of a theory at once; `top`
    first about the groups that hold them, and then only about the values of groups that it
    accepted. `ask_all_seats`: also those whose vote can change nothing any more.
    """

    judges: tuple[JudgeSpec, ...] = ()
    values: Literal["panel", "labels", "given"] = "panel"
    accept_votes: int = Field(default=5, ge=1)
    accept_lead: int = Field(default=2, ge=1)
    texts_per_prompt: int = Field(default=8, ge=1, le=100)
    descend: bool = True
    start: Literal["values", "top"] = "values"
    ask_all_seats: bool = False
    human: str | None = None
    attempts: int = Field(default=3, ge=1)

    @model_validator(mode="after")
    def _check(self) -> "CategorizeSpec":
        seats = sum(judge.seats for judge in self.judges)
        if self.values == "given" and seats:
            raise ValueError("'values: given' asks nobody: leave 'judges' out")
        if self.values != "given" and not seats:
            raise ValueError("name the panel in 'judges'")
        if self.values != "given" and self.accept_votes > seats:
            raise ValueError(f"accept_votes is {self.accept_votes}, and the panel has {seats}")
        if self.start == "top" and self.values != "panel":
            raise ValueError("'start: top' finds the values itself: it goes with 'values: panel'")
        return self

    def panel(self) -> list[JudgeSpec]:
        return [seat for judge in self.judges for seat in judge.seated()]


class CurateSpec(RecipePart):
    """Which rows go on: at most `per_value` of a value; `strict` balance keeps as many opposing
    as supporting rows, `fill` only makes room for both, `none` looks at no direction.
    `near_duplicates` is the Jaccard similarity of word triples from which two texts are one."""

    per_value: int = Field(default=10_000, ge=2)
    balance: Literal["strict", "fill", "none"] = "strict"
    near_duplicates: float | None = Field(default=0.8, gt=0, le=1)


class RankSpec(RecipePart):
    """The ranking windows. `adaptive` puts texts of like utility together after a third of the
    rounds."""

    judge: JudgeSpec
    window_size: int = Field(default=6, ge=2, le=20)
    windows_per_text: int = Field(default=20, ge=1)
    adaptive: bool = False
    attempts: int = Field(default=3, ge=1)

    @field_validator("judge")
    @classmethod
    def _one(cls, judge: JudgeSpec) -> JudgeSpec:
        if judge.seats != 1:
            raise ValueError("one judge ranks; 'seats' is for panels")
        return judge


class FitSpec(RecipePart):
    """The Plackett-Luce fit; see `fit_rankings`."""

    ridge: float = Field(default=0.01, gt=0)


class ScaleSpec(RecipePart):
    """How utilities become intensities. `end_quantile` of the texts lie within [-10, 10] before
    clipping, where directions fix the scale; ratings (text, value, rating) fix its shape too.
    `link`: a database that has grown keeps the scale that it had."""

    fit_on: Literal["directions", "ratings"] = "directions"
    ratings: str | None = None
    end_quantile: float = Field(default=0.99, gt=0.5, le=1)
    link: bool = True

    @model_validator(mode="after")
    def _check(self) -> "ScaleSpec":
        if (self.fit_on == "ratings") != (self.ratings is not None):
            raise ValueError("'fit_on: ratings' and a file 'ratings' go together")
        return self


class FlagSpec(RecipePart):
    """Which rows a panel is asked about: `suspects`, whose direction and intensity disagree, `all`
    rows, or `none`."""

    judges: tuple[JudgeSpec, ...] = ()
    ask: Literal["suspects", "all", "none"] = "suspects"
    attempts: int = Field(default=3, ge=1)

    def panel(self) -> list[JudgeSpec]:
        return [seat for judge in self.judges for seat in judge.seated()]


class ReviewSpec(RecipePart):
    """Human ratings (text, theory, value, rating, reviewer): the merged score is
    (1 - weight) * intensity + weight * mean rating; rows whose two scores agree within
    `agree_within` points and in sign are the filtered ones."""

    ratings: str | None = None
    weight: float = Field(default=0.5, ge=0, le=1)
    agree_within: float = Field(default=3.0, gt=0)


class PackageSpec(RecipePart):
    held_out: str | None = None
    notes: str | None = None
    leave_out_restricted: bool = False


class TextsRecipe(RecipePart):
    """What every recipe has that begins with texts: their sources, the values they are labelled
    with, and who says so; `folder` is where it lies, and paths in it start there. `catalogue` adds
    theories and values of the user's own. `wording` is that of the definitions and questions that
    judges are shown; a build that was begun in the first wording goes on with `wording: 1`.
    """

    catalogue: str | None = None
    theories: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    wording: Annotated[Literal["1", "2"], BeforeValidator(str)] = "2"
    seed: int = 0
    connections: int = Field(default=20, ge=1)
    sources: tuple[SourceSpec, ...] = Field(min_length=1)
    categorize: CategorizeSpec
    folder: Path = Path(".")

    @model_validator(mode="after")
    def _check(self) -> "TextsRecipe":
        self.wanted()
        return self

    def wanted(self) -> tuple[Value, ...]:
        """The values that the recipe is about, in the registry's order."""
        return _wanted(self.theories, self.values, self.registry)

    @property
    def registry(self) -> Registry:
        """The catalogue that all names of the build are from, with what judges are told of values
        in the recipe's wording."""
        return load_registry(
            self.path(self.catalogue) if self.catalogue else None, wording=self.wording
        )

    @property
    def told(self) -> tuple[str, ...]:
        """What judges are told, as a part of fingerprints; builds of the first wording had none."""
        return () if self.wording == "1" else (f"wording {self.wording}",)

    def path(self, name: str) -> Path:
        """A path of the recipe, from the folder that the recipe lies in."""
        return self.folder / Path(name).expanduser()


class Recipe(TextsRecipe):
    """The recipe of a database."""

    curate: CurateSpec = CurateSpec()
    rank: RankSpec
    fit: FitSpec = FitSpec()
    scale: ScaleSpec = ScaleSpec()
    flag: FlagSpec = FlagSpec()
    review: ReviewSpec = ReviewSpec()
    package: PackageSpec = PackageSpec()


@cache
def _wanted(
    theories: tuple[str, ...], values: tuple[str, ...], registry: Registry
) -> tuple[Value, ...]:
    """Kept, since it is asked for every text of a database."""
    theories = tuple(registry.theory(name).name for name in theories)
    chosen = {(v.theory, v.name) for v in (registry.value(name) for name in values)}
    return tuple(
        value
        for value in registry.macro_values()
        if not theories or value.theory in theories
        if not chosen or (value.theory, value.name) in chosen
    )


def key_of(value: Value) -> str:
    """Names a value in files and keys of a build; see `key_named`."""
    return key_named(value.theory, value.name)


@cache
def key_named(theory: str, name: str) -> str:
    """The name alone of a value of the installation's catalogue, which has no other of that name;
    `theory:name` of a user's own."""
    own = load_registry().theories.get(theory)
    node = own.nodes.get(name) if own else None
    return name if node is not None and node.kind == "value" else f"{theory}:{name}"


def own_definitions(registry: Registry, values: Iterable[Value]) -> str | None:
    """A fingerprint of what judges are told of values that are not the installation's: their own
    text, that of their children and groups, and their theory's title. None where there are none.
    """
    there = load_registry().theories
    told = []
    for value in values:
        theory = registry.theories[value.theory]
        known = there[theory.name].nodes if theory.name in there else {}
        nodes = [value, *(node for node in theory.nodes.values() if _related(theory, node, value))]
        told += [
            [theory.title, node.name, node.title, node.definition]
            for node in nodes
            if known.get(node.name) is None
        ]
    return fingerprint(told) if told else None


def _related(theory: Theory, node: Value, value: Value) -> bool:
    """Whether a node is a child of a value, or above it."""
    if value.name in node.parents:
        return True
    parents = [theory.nodes[name] for name in value.parents]
    return node in parents or any(_related(theory, node, parent) for parent in parents)


def read_recipe(path: Path, catalogue: Path | None = None) -> Recipe:
    """Reads and checks the recipe of a database; see `parsed_recipe`."""
    return parsed_recipe(path, Recipe, "'sources', 'categorize' and 'rank'", catalogue)


def parsed_recipe(
    path: Path, kind: type[AnyRecipe], parts: str, catalogue: Path | None = None
) -> AnyRecipe:
    """Reads and checks a recipe.

    Args:
        path: of the recipe.
        kind: of recipe.
        parts: that it must have, for the error.
        catalogue: in place of the one that the recipe names.

    Raises:
        InputFileError: it cannot be read, is not YAML, or a part of it is wrong; all faults are
            named with their places.
    """
    raw = parse_mapping(path, read_text(path), parts)
    if catalogue is not None:
        raw["catalogue"] = str(catalogue.resolve())
    folder = path.resolve().parent
    if isinstance(raw.get("catalogue"), str):
        open_catalogue(folder / Path(raw["catalogue"]).expanduser())
    try:
        return kind.model_validate({**raw, "folder": folder})
    except UnknownNameError as error:
        raise InputFileError(path, str(error)) from None
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, e['loc'])) or 'the recipe'}: "
            f"{e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        ]
        raise InputFileError(path, "; ".join(faults)) from None


def fingerprint(*parts: object) -> str:
    """16 hexadecimal digits that change when any of the parts does."""
    plain = [p.model_dump(mode="json") if isinstance(p, BaseModel) else p for p in parts]
    text = json.dumps(plain, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _plain(part: object) -> object:
    if isinstance(part, BaseModel):
        return part.model_dump(mode="json")
    if isinstance(part, Mapping):
        return dict(part)
    return str(part)
