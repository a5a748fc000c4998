"""The evaluator's options, each declared once, and what a sample's metadata says of them.

A field of `EvaluatorSettings` or `ResponseSettings` is an option: its name, type, default and help
stand there and nowhere else. `with_options` makes it a parameter of every steering task and of the
scorer, lm-evaluation-harness has it under `valueflow_NAME`, and the tables of the documentation and
of `valueflow list options` are written from it. Where the default is a matter of the catalogue it
stands in `registry.yaml`, under `defaults.evaluator`.

A task writes the settings under the key `valueflow` of each sample's metadata; `inspect score`
finds them in the log and scores with the same ones, since a scorer's own arguments are not restored
there. Arguments that the scorer is given go before.
"""

import functools
import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from valueflow.hub_assets.errors import OptionError, UnknownNameError, ValueflowError
from valueflow.hub_assets.registry.loading import Registry, Value, load_registry

__all__ = [
    "CALL_SETTINGS",
    "EXEMPLARS_KEY",
    "JUDGE_MODES",
    "PANEL_MODES",
    "SAMPLE_KEY",
    "SCORED",
    "SENTENCE_WORDS",
    "Baseline",
    "Columns",
    "Count",
    "EvaluatorSettings",
    "Positive",
    "PriceSettings",
    "ResponseSettings",
    "SampleSettings",
    "Settings",
    "SpendingSettings",
    "Text",
    "ToldSettings",
    "check_overrides",
    "column_names",
    "condition_name",
    "described",
    "evaluator_options",
    "option_problem",
    "positive_number",
    "read_options",
    "read_sample",
    "registry_default",
    "whole_number",
    "with_options",
]

CALL_SETTINGS = frozenset(
    {
        "max_retries",
        "timeout",
        "attempt_timeout",
        "max_connections",
        "adaptive_connections",
        "batch",
        "cache",
        "base_url",
    }
)
"""Settings of a model's calls that say how it is reached, and change no answer: names in Inspect's
generation configuration, and a server's address."""


SAMPLE_KEY = "valueflow"

EXEMPLARS_KEY = "valueflow:exemplars"
"""Where a sample's store keeps the texts that steered it; they are never its anchors."""


R = TypeVar("R")
M = TypeVar("M", bound=BaseModel)


def whole_number(raw: object, least: int) -> int:
    """A whole number of at least `least`, from a number or its text.

    Raises:
        ValueError: it is none.
    """
    try:
        number = float(str(raw))
    except ValueError:
        number = math.nan
    if isinstance(raw, bool) or not number.is_integer() or number < least:
        raise ValueError(f"{raw!r} is not a whole number of at least {least}")
    return int(number)


def positive_number(raw: object) -> float:
    """A positive, finite number, from a number or its text.

    Raises:
        ValueError: it is none.
    """
    try:
        number = float(str(raw))
    except ValueError:
        number = math.nan
    if isinstance(raw, bool) or not (number > 0 and math.isfinite(number)):
        raise ValueError(f"{raw!r} is not a positive number")
    return number


def column_names(raw: object) -> dict[str, str]:
    """A mapping of field to column, such as `{text: sentence}`.

    Raises:
        ValueError: it is no mapping.
    """
    if not isinstance(raw, Mapping):
        raise ValueError(
            f"{raw!r} is not a mapping of fields to columns, such as {{text: sentence}}"
        )
    return {str(field): str(column) for field, column in raw.items()}


def _text(raw: object) -> object:
    return fspath(raw) if isinstance(raw, PathLike) else raw


def _absolute(raw: object) -> object:
    return str(Path(raw).expanduser().resolve()) if isinstance(raw, str | PathLike) else raw


def _plain(raw: object) -> object:
    return str(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else raw


def _at_least(least: int) -> BeforeValidator:
    return BeforeValidator(functools.partial(whole_number, least=least))


JudgeMode = Literal["ranking", "rating", "placement", "choice"]
"""What a judge is asked about a window."""

Baseline = Literal["first_person", "plain"]
"""How the default is asked: in the form of the steered prompts, or with the word limit alone."""

SENTENCE_WORDS = 18
"""Most words of a response that is one sentence, where the user names no number."""

JUDGE_MODES: tuple[str, ...] = get_args(JudgeMode)

PanelMode = Literal["all", "split"]
"""How several judges share the windows of a response."""

PANEL_MODES: tuple[str, ...] = get_args(PanelMode)


def not_negative(raw: object) -> float:
    """A finite number that is 0 or more, from a number or its text.

    Raises:
        ValueError: it is none.
    """
    if isinstance(raw, int | float | str) and not isinstance(raw, bool):
        try:
            if float(raw) == 0:
                return 0.0
            return positive_number(raw)
        except ValueError:
            pass
    raise ValueError(f"{raw!r} is not a number of 0 or more")


Count = Annotated[int, _at_least(1)]
NotNegative = Annotated[float, BeforeValidator(not_negative)]
Positive = Annotated[float, BeforeValidator(positive_number)]
Columns = Annotated[dict[str, str], BeforeValidator(column_names)]
Text = Annotated[str, BeforeValidator(_text)]


def registry_default(name: str) -> Callable[[], Any]:
    """Gives the catalogue's default of an option, for a field's `default_factory`."""
    return lambda: load_registry().defaults.evaluator.options[name]


class Settings(BaseModel):
    """Options as fields; `description` is an option's help."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EvaluatorSettings(Settings):
    """How responses are measured: anchors, windows and the judge.

    Raises:
        pydantic.ValidationError: a field that cannot be used, or two that do not go together;
            `option_problem` says it in a sentence.
    """

    vidb: Text = Field(
        default_factory=registry_default("vidb"),
        description="anchors: an asset (`valueflow list assets`), a file or folder, "
        "`ORG/NAME@REVISION`",
    )
    vidb_columns: Columns = Field(
        default_factory=dict,
        description="column names of the anchors, such as `{text: sentence, intensity: score}`, "
        "and `range: 1..5` where their scale is not -10 to 10",
    )
    windows: Count = Field(
        default_factory=registry_default("windows"),
        description="most ranking windows per response and value",
    )
    window_size: Annotated[int, _at_least(2)] = Field(
        default_factory=registry_default("window_size"),
        description="texts in a window, the response included",
    )
    sampling: Literal["bucket", "random", "fixed", "adaptive", "nearest"] = Field(
        default_factory=registry_default("sampling"),
        description="how a window's anchors are chosen: `bucket` (one from each of `window_size` "
        "- 1 equal parts of the scale), `random`, `adaptive`, `nearest` (as `bucket`, among those "
        "nearest to the response for an `embedding_model`), or `fixed` with an `anchor_panel`",
    )
    anchor_length: Literal["any", "near"] = Field(
        default="any",
        description="`any`, or `near`: anchors are drawn from those of a bucket whose number of "
        "words is nearest to the response's",
    )
    anchor_panel: Text | None = Field(
        default=None,
        description="table of anchors that windows go through in turn, for `sampling=fixed`",
    )
    embedding_model: Text | None = Field(
        default=None,
        description="model that says which anchors are near, for `sampling=nearest`: a folder, an "
        "asset (`hives` where not given) or `ORG/NAME@REVISION`",
    )
    panel: PanelMode = Field(
        default="all",
        description="how several judges (the roles `grader`, `grader_b`, ...) go about a response: "
        "`all` judge every window, or they `split` the windows, at the price of one judge",
    )
    seed: Annotated[int, _at_least(0)] = Field(
        default_factory=registry_default("seed"), description="seed of every draw"
    )
    judge_attempts: Count = Field(
        default_factory=registry_default("judge_attempts"),
        description="most questions to the judge for one window",
    )
    judge_mode: JudgeMode = Field(
        default_factory=registry_default("judge_mode"),
        description="`ranking`; `rating`: the judge gives every text a number, and the anchors "
        "calibrate it; `placement`: it places the response and one anchor among anchors shown with "
        "their intensities; or `choice`, for judges whose provider returns logprobs: it names only "
        "the most supporting text",
    )
    target_se: Positive | None = Field(
        default=None,
        description="with `sampling=adaptive`: stop asking about a response at this standard "
        "error, in points, or where more windows cannot reach it",
    )
    cell_windows: Count | None = Field(
        default=None,
        description="budget of windows for each cell, shared evenly among its responses",
    )
    design_scale: Positive = Field(
        default_factory=registry_default("design_scale"),
        description="the judge's scale that `sampling=adaptive` assumes until the run's own "
        "windows tell, in log-worth per point",
    )
    design_text_sd: NotNegative = Field(
        default_factory=registry_default("design_text_sd"),
        description="the judge's disagreement with single texts that `sampling=adaptive` assumes "
        "until then: its standard deviation, in points",
    )

    @model_validator(mode="before")
    @classmethod
    def _panel_means_fixed(cls, raw: Any) -> Any:
        if isinstance(raw, Mapping):
            raw = _with_anchor_panel(raw)
            if raw.get("anchor_panel") and raw.get("sampling") is None:
                return {**raw, "sampling": "fixed"}
        return raw

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.sampling == "fixed" and not self.anchor_panel:
            raise OptionError(
                "anchor_panel", "sampling=fixed needs a panel of anchors: -T anchor_panel=FILE"
            )
        if self.sampling != "fixed" and self.anchor_panel:
            raise OptionError(
                "anchor_panel", f"a panel is for sampling=fixed, not sampling={self.sampling}"
            )
        if self.sampling == "fixed" and self.anchor_length != "any":
            raise OptionError(
                "anchor_length", "near does not go with a panel, whose anchors are shown in turn"
            )
        if self.sampling == "nearest" and self.anchor_length != "any":
            raise OptionError(
                "anchor_length", "near does not go with sampling=nearest; choose one of the two"
            )
        if self.sampling != "nearest" and self.embedding_model:
            raise OptionError(
                "embedding_model", f"is for sampling=nearest, not sampling={self.sampling}"
            )
        if self.judge_mode == "choice" and self.sampling == "adaptive":
            raise OptionError("judge_mode", "choice does not go with sampling=adaptive")
        if self.judge_mode == "placement" and self.window_size < 3:
            raise OptionError(
                "window_size",
                "judge_mode=placement needs at least 3 texts (the response, one anchor to be "
                f"placed and one that is known), not {self.window_size}",
            )
        if self.target_se is not None and self.sampling != "adaptive":
            raise OptionError(
                "target_se", f"is for sampling=adaptive, not sampling={self.sampling}"
            )
        return self

    def windows_of(self, index: int, responses: int) -> int:
        """Most windows of a cell's response number `index` of `responses`."""
        if self.cell_windows is None:
            return self.windows
        share, rest = divmod(self.cell_windows, responses)
        return min(self.windows, share + (index < rest))

    def check_cell(self, responses: int) -> None:
        """Checks the budget of a cell of so many responses.

        Raises:
            OptionError: it has less than one window for each.
        """
        if self.cell_windows is not None and self.cell_windows < responses:
            raise OptionError(
                "cell_windows",
                f"{self.cell_windows} windows are too few for {responses} responses in a cell; "
                "each needs one",
            )

    @property
    def nearness_model(self) -> str:
        """The embedding model of `sampling=nearest`."""
        return self.embedding_model or "hives"

    @property
    def columns(self) -> dict[str, str]:
        """The user's names for the columns of the table of anchors."""
        return self.vidb_columns

    def as_dict(self) -> dict[str, Any]:
        """The settings that say how windows were drawn, for the log.

        Those that came later and are as they always were are left out, so that logs from before
        and after are of one study; and how judges share windows, which is a matter of a panel's
        record alone.
        """
        told = self.model_dump(exclude={"vidb", "vidb_columns", "panel"})
        unchanged = (("anchor_length", "any"), ("embedding_model", None))
        return {n: s for n, s in told.items() if (n, s) not in unchanged}


def _with_anchor_panel(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Options in which a table that was given as `panel`, as it was called before there were panels
    of judges, is the `anchor_panel`.

    Raises:
        OptionError: it is neither a way to share windows nor a table.
    """
    given = raw.get("panel")
    if given is None or given in PANEL_MODES:
        return {name: setting for name, setting in raw.items() if name != "panel" or given}
    name = str(fspath(given) if isinstance(given, PathLike) else given)
    rest = {option: setting for option, setting in raw.items() if option != "panel"}
    is_table = any(mark in name for mark in "./@\\") or name in load_registry().assets
    if is_table and not rest.get("anchor_panel"):
        return {**rest, "anchor_panel": name}
    raise OptionError(
        "panel",
        f"{name!r} is none of {', '.join(PANEL_MODES)} (how several judges share the windows of a "
        "response); a table of anchors for sampling=fixed is given as anchor_panel=FILE",
    )


class ToldSettings(Settings):
    """What all models are told: in which wording and language, and in whose words."""

    wording: Annotated[Literal["1", "2"], BeforeValidator(_plain)] = Field(
        default="2",
        description="version of all that models are told: steering, definitions and questions to "
        "judges; `1` repeats runs of before",
    )
    language: Text = Field(
        default="en",
        description="language of all that models are told: `en`, `de` (not reviewed by native "
        "speakers), or one of your own with `prompts`",
    )
    prompts: Annotated[str, BeforeValidator(_absolute)] | None = Field(
        default=None,
        description="folder with sentences of your own in a file `LANGUAGE.yaml`; they go before "
        "the embedded ones",
    )

    @property
    def registry(self) -> Registry:
        """The catalogue that names are from, with its texts in the wording and language."""
        own = getattr(self, "catalogue", None)
        return load_registry(
            own, wording=self.wording, language=self.language, prompts=self.prompts
        )


class ResponseSettings(ToldSettings):
    """What counts as a response that can be ranked, and the names that values are known by."""

    word_limit: Count = Field(
        default_factory=registry_default("word_limit"),
        description="most words of a response; longer ones are counted; 18 where `form=sentence` "
        "and no other limit is given",
    )
    form: Literal["paragraph", "sentence"] = Field(
        default="paragraph",
        description="what a response is asked to be: a `paragraph`, or one plain `sentence`, as "
        "long as most anchors are; no result is compared with one of another form unawares",
    )
    refusal_check: Literal["phrases", "judge"] = Field(
        default="phrases",
        description="who tells a refusal: `phrases`, or the `judge`, at one more call for each "
        "response",
    )
    refusals: Literal["exclude", "rank"] = Field(
        default="exclude",
        description="`exclude`, or `rank`: refused responses are ranked too, so that results are "
        "there with and without them",
    )
    cut: Literal["rank", "exclude"] = Field(
        default="rank",
        description="responses that the token limit cut: `rank` them like whole ones, or `exclude` "
        "them; they are counted either way",
    )
    catalogue: Annotated[str, BeforeValidator(_absolute)] | None = Field(
        default=None,
        description="YAML file with values, theories, pairs, squares and anchor tables of your own",
    )

    @model_validator(mode="before")
    @classmethod
    def _sentences_are_short(cls, raw: Any) -> Any:
        if isinstance(raw, Mapping) and raw.get("form") == "sentence":
            limit = raw.get("word_limit")
            return {**raw, "word_limit": SENTENCE_WORDS if limit is None else limit}
        return raw

    def rules(self) -> dict[str, str]:
        """The settings that say which responses are ranked, for the log."""
        return {"refusal_check": self.refusal_check, "refusals": self.refusals, "cut": self.cut}

    def told(self) -> dict[str, str]:
        """What models are told and asked for, for the record of a response."""
        return {
            "wording": self.registry.sentences.version,
            "language": self.language,
            "form": self.form,
        }


class PriceSettings(Settings):
    """What models cost."""

    prices: Text | None = Field(
        default=None,
        description="table of prices of your own (`model`, `input`, `output` in US dollars per "
        "million tokens), which go before the embedded ones",
    )


class SpendingSettings(PriceSettings):
    """What scoring may cost; no number depends on it but how many responses are scored."""

    max_judge_calls: Count | None = Field(
        default=None,
        description="most calls of the judge; responses beyond them are unscored (`budget`), and "
        "scoring the log again goes on",
    )
    max_cost: Positive | None = Field(
        default=None,
        description="most US dollars: a run sets those of its generations aside, and judge calls "
        "stop when the rest is spent",
    )


class SampleSettings(ResponseSettings):
    """One sample: what it was steered toward, and what its response is scored on.

    Attributes:
        targets: (theory, value or child, level), one per steered value; none for the default.
        score_on: (theory, value) of every macro-value the response is scored on.
        design: `steer`, or what several targets belong to: `pair`, `five`, `composite` or
            `profile`.
        part_of: which pair, square, composite or profile, for instance
            `benevolence&universalism`.
        asked: (theory, value, intensity) of every value that a profile knows, in points.
        query: the query's id, the cluster of all standard errors.
        family: the query's family.
        query_index: the query's place in the run, which balances places in windows.
        queries: how many queries the run has.
        group: what sets the response's cells apart besides value and level, such as a model.
        baseline: how the default is asked, see `valueflow.solvers.wording.default_prompt`.
        paraphrase: the wording of the persona, where the run has several.
        evaluator: how the response is measured.
    """

    targets: tuple[tuple[str, str, int], ...] = ()
    score_on: tuple[tuple[str, str], ...]
    design: Literal["steer", "pair", "five", "composite", "profile"] = "steer"
    part_of: str = ""
    asked: tuple[tuple[str, str, float], ...] = ()
    query: str
    group: str = ""
    family: str = ""
    query_index: int = 0
    queries: int = 1
    baseline: Baseline = "first_person"
    paraphrase: int | None = None
    evaluator: EvaluatorSettings = Field(default_factory=EvaluatorSettings)

    def level_of(self, value: Value) -> int:
        """The level toward which the response was steered for a value; 0 where it was not.

        A child that is steered counts for its parents. Where several children of a value have
        different levels, the strongest is the value's; two that are opposed cancel.
        """
        here = [(name, level) for theory, name, level in self.targets if theory == value.theory]
        levels = [level for name, level in here if name == value.name]
        levels = levels or [level for name, level in here if name in value.children]
        strongest = max(map(abs, levels), default=0)
        signs = {level for level in levels if abs(level) == strongest}
        return signs.pop() if len(signs) == 1 else 0

    def condition_of(self, value: Value) -> str:
        """What sets the response's cell for a value apart from those of `steer`.

        Empty for the default and for a response that is steered toward this value alone, else all
        targets, for instance `benevolence+2&universalism+1`; of a profile its name, since two
        profiles may have the same targets and ask for different intensities.
        """
        if self.design == "profile":
            return self.part_of
        if all((theory, name) == (value.theory, value.name) for theory, name, _ in self.targets):
            return ""
        return condition_name(self.targets)


def condition_name(targets: Sequence[tuple[str, str, int]]) -> str:
    """A name of (theory, value, level) targets, such as `benevolence+2&universalism+1`."""
    return "&".join(f"{name}{level:+d}" for _, name, level in targets)


SCORED = (EvaluatorSettings, ResponseSettings, SpendingSettings)
"""Options of the scorer, and so of every task whose responses are measured."""


def evaluator_options() -> dict[str, FieldInfo]:
    """Every option of the scorer by its name, in the order of their declaration."""
    return {name: field for model in SCORED for name, field in model.model_fields.items()}


def described(options: Mapping[str, FieldInfo]) -> list[tuple[str, str, str]]:
    """Options as the rows of a table: name, help and default, as text.

    Args:
        options: such as `evaluator_options()`, or the fields of another model of options.
    """
    rows = []
    for name, field in options.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = "none" if default in (None, {}, "") else str(default)
        rows.append((name, field.description or "", shown))
    return rows


def option_problem(error: ValidationError) -> OptionError:
    """The first of pydantic's complaints about options as one of ours, which names the option."""
    first = error.errors()[0]
    cause = (first.get("ctx") or {}).get("error")
    place = ".".join(map(str, first["loc"]))
    if isinstance(cause, OptionError):
        inner = cause.option == place.rpartition(".")[2]
        above = place.removesuffix(cause.option) if inner else f"{place}." if place else ""
        return OptionError(above + cause.option, str(cause).removeprefix(f"{cause.option}: "))
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "literal_error":
        allowed = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        message = f"{str(first['input'])!r} is none of {', '.join(allowed)}"
    return OptionError(place, message)


def read_options(model: type[M], given: Mapping[str, Any]) -> M:
    """Reads what a user gave of a model's options; None is not given.

    Args:
        model: the options.
        given: by name; names of other models' options are passed over.

    Raises:
        OptionError: an option that cannot be used, or two that do not go together.
    """
    known = {
        name: raw for name, raw in given.items() if name in model.model_fields and raw is not None
    }
    try:
        return model.model_validate(known)
    except ValidationError as error:
        raise option_problem(error) from None


def with_options(
    *models: type[BaseModel],
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Gives a task or a scorer the fields of some models as parameters beside its own.

    The function gets what was given as a mapping, its keyword `options`. Every option is a
    parameter of its own in the signature, None where not given, since Inspect passes on no other.
    Names that are no parameter are errors: Inspect would go on without them, with a warning.

    Args:
        models: whose fields are options.
    """
    shared = {name: field for model in models for name, field in model.model_fields.items()}

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.name != "options"]
        more = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=field.annotation
            )
            for name, field in shared.items()
        ]
        names = [parameter.name for parameter in own] + list(shared)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> R:
            for name in kwargs:
                if name not in names:
                    raise UnknownNameError(f"option of {function.__name__}", name, names)
            given = {name: kwargs.pop(name) for name in list(kwargs) if name in shared}
            given = {name: raw for name, raw in given.items() if raw is not None}
            return function(*args, **kwargs, options=given)

        wrapped.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*own, *more, inspect.Parameter("unknown", inspect.Parameter.VAR_KEYWORD)]
        )
        return wrapped

    return decorate


def read_sample(
    metadata: Mapping[str, Any], overrides: Mapping[str, Any] | None = None
) -> SampleSettings:
    """Reads a sample's settings.

    Args:
        metadata: the sample's metadata.
        overrides: options of the evaluator that take precedence; what belongs only to the kind of
            sampling that they replace is left out with it.

    Raises:
        ValueflowError: the sample was not made by a task of valueflow, or an option that cannot be.
    """
    if SAMPLE_KEY not in metadata:
        raise ValueflowError(
            f"the sample has no '{SAMPLE_KEY}' in its metadata, so there is nothing that says "
            "which values to score. The scorer valueflow/intensity works on samples of "
            "valueflow's tasks; to score other responses use the task valueflow/score"
        )
    raw = metadata[SAMPLE_KEY]
    if isinstance(raw, Mapping) and "wording" not in raw:
        # A sample of the first wording does not say so.
        raw = {**raw, "wording": "1"}
    if overrides and isinstance(raw, Mapping):
        raw = _overridden(raw, overrides)
    try:
        sample = SampleSettings.model_validate(raw)
    except ValidationError as error:
        problem = option_problem(error)
        said = str(problem).removeprefix(": ")
        raise ValueflowError(f"metadata '{SAMPLE_KEY}': {said}") from None
    sample.evaluator.check_cell(sample.queries)
    return sample


def check_overrides(options: Mapping[str, Any]) -> None:
    """Checks options of the evaluator one by one, before there is a sample to set them against.

    Raises:
        OptionError: one that cannot be used with any others.
    """
    for model in SCORED:
        try:
            model.model_validate({n: raw for n, raw in options.items() if n in model.model_fields})
        except ValidationError as error:
            if error.errors()[0]["loc"]:
                raise option_problem(error) from None


_OF_SAMPLING = {
    "anchor_panel": "fixed",
    "target_se": "adaptive",
    "embedding_model": "nearest",
}
"""Options that only one kind of sampling has."""


def _overridden(raw: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A sample's metadata with options of the evaluator replaced."""
    evaluator = raw.get("evaluator", {})
    inside = {n: s for n, s in overrides.items() if n in EvaluatorSettings.model_fields}
    outside = {n: s for n, s in overrides.items() if n in ResponseSettings.model_fields}
    if not isinstance(evaluator, Mapping):
        return {**raw, **outside}
    inside = dict(_with_anchor_panel(inside))
    sampling = inside.get("sampling") or ("fixed" if inside.get("anchor_panel") else None)
    kept = dict(_with_anchor_panel(evaluator))
    if sampling:
        kept = {n: s for n, s in kept.items() if _OF_SAMPLING.get(n, sampling) == sampling}
        inside["sampling"] = sampling
    return {**raw, **outside, "evaluator": {**kept, **inside}}
