"""From options to the samples of a survey run, for any harness.

Samples come question by question, group by group, the passes side by side, so that a limit keeps
whole comparisons when it is a multiple of the number of passes.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.options import (
    columns_option,
    given,
    number_option,
    one_of,
    words_option,
)
from valueflow.hub_assets.registry.groups import Group, Preset
from valueflow.hub_assets.registry.loading import Registry, open_catalogue
from valueflow.hub_assets.settings import ToldSettings, read_options
from valueflow.hub_assets.survey.profiles import GroupProfiles, ProfileLine, load_profiles
from valueflow.hub_assets.survey.questions import (
    OpinionQuestion,
    OpinionSet,
    choose_questions,
    holdout_questions,
    load_opinions,
    text_hash,
)
from valueflow.hub_assets.survey.relevance import RelevanceTable, load_relevance
from valueflow.hub_assets.survey.sample import PASSES, OpinionSample, Pass

__all__ = [
    "OpinionDesign",
    "OpinionOptions",
    "counts_of",
    "leakage_notes",
    "leakage_of",
    "opinion_design",
    "share_option",
]

METHODS = ("profile", "modular_pluralism")


@dataclass(frozen=True)
class OpinionOptions:
    """Options of a survey run, as the user gave them; None is the default of the registry.

    Attributes are those of the task `opinionqa`, which describes them.
    """

    preset: str | None = None
    passes: object = None
    method: str = "profile"
    theory: str | None = None
    lines: object = None
    threshold: object = None
    relevance: str | None = None
    profiles: str | None = None
    groups: object = None
    attributes: object = None
    data: str | None = None
    data_columns: object = None
    n_questions: object = "all"
    holdout: object = 0.0
    ordinal: str = "stated"
    seed: object = None
    wording: object = None
    language: object = None
    prompts: object = None


@dataclass(frozen=True)
class OpinionDesign:
    """A survey run that has been checked.

    Attributes:
        samples: what is asked, in order.
        passes: of each group and question.
        groups: that are asked, in the registry's order.
        data: the question set.
        theory, lines, threshold: of the profile pass; threshold None where there is none.
        profiles, relevance: the tables, where there is a profile pass.
        left_out: rows that the design leaves out, by reason, beyond those the data drop.
        leakage: what is known of the questions that the profiles were built on.
        holdout: share of questions set aside.
        seed: of the draws.
        preset: the published settings, where they were asked for.
        notes: what a reader should know, one sentence each.
        told: wording, language and own prompts, as every sample says them.
    """

    samples: list[OpinionSample]
    passes: tuple[Pass, ...]
    groups: list[Group]
    data: OpinionSet
    theory: str
    lines: int
    threshold: float | None
    profiles: GroupProfiles | None
    relevance: RelevanceTable | None
    left_out: dict[str, int]
    leakage: str
    holdout: float
    seed: int
    preset: Preset | None
    notes: list[str]
    told: ToldSettings

    @property
    def with_lines(self) -> int:
        """Samples of the profile pass whose prompts have profile lines."""
        return sum(bool(sample.lines) for sample in self.samples)


def share_option(option: str, raw: object, most: float = 1.0, *, whole: bool = True) -> float:
    """A number from 0 to `most`, which itself counts where `whole` is true.

    Raises:
        OptionError: it is none.
    """
    try:
        number = float(str(raw))
    except ValueError:
        number = math.nan
    if isinstance(raw, bool) or not 0 <= number <= most or (number == most and not whole):
        raise OptionError(
            option, f"{raw!r} is no number from 0 to {'' if whole else 'below '}{most:g}"
        )
    return number


def opinion_design(options: OpinionOptions) -> OpinionDesign:
    """Checks the options and makes the samples.

    Raises:
        ValueflowError: an option, or a table, that cannot be used.
    """
    told = read_options(
        ToldSettings, {name: getattr(options, name) for name in ToldSettings.model_fields}
    )
    registry = open_catalogue(
        None, wording=told.wording, language=told.language, prompts=told.prompts
    )
    defaults = registry.defaults.opinionqa
    preset = None if options.preset is None else registry.opinion.preset(options.preset)
    theory = registry.theory(
        given(options.theory, preset.theory if preset else defaults.theory)
    ).name
    lines = number_option(
        "lines", given(options.lines, preset.lines if preset else defaults.lines), 1
    )
    seed = number_option("seed", given(options.seed, defaults.seed), 0)
    holdout = share_option("holdout", options.holdout, whole=False)
    one_of("ordinal", options.ordinal, "stated", "all", "none")
    raw_threshold = given(options.threshold, preset.threshold if preset else None)
    threshold = None if raw_threshold is None else share_option("threshold", raw_threshold)
    table = None if options.relevance is None else load_relevance(options.relevance)
    passes, notes = _passes(options, preset, threshold, table)

    columns = columns_option("data_columns", options.data_columns)
    data = load_opinions(options.data or defaults.data, columns)
    groups = _groups(registry, options, data)
    profiles = None
    profile_lines: dict[str, tuple[ProfileLine, ...]] = {}
    relevance: Mapping[str, float] = {}
    if "profile" in passes:
        profiles = load_profiles(options.profiles or defaults.profiles)
        profile_lines = {g.name: profiles.lines(g.name, theory, lines) for g in groups}
        relevance = table.of(theory) if table else {}
        if table and threshold and not {q.id for q in data.questions} & set(relevance):
            raise OptionError(
                "relevance",
                f"{table.source.reference} has none of the questions for {theory}; build it from "
                "the same questions with `valueflow build relevance`",
            )
    elif options.profiles is not None:
        raise OptionError("profiles", "is given, but no pass uses it; add passes=default,profile")

    _check_language(registry, groups, profile_lines)

    left_out: Counter[str] = Counter()
    apart = holdout_questions([q.id for q in data.questions], holdout, seed)
    leaked = profiles.questions if profiles else frozenset()
    wanted = {group.name: group for group in groups}
    open_questions = []
    for question in data.questions:
        rows = sum(row.group in wanted for row in data.by_question[question.id])
        if question.id in leaked:
            left_out["questions that built the profile"] += rows
        elif question.id in apart:
            left_out["questions held out"] += rows
        elif rows:
            open_questions.append(question)
    if not open_questions:
        raise OptionError(
            "data",
            "no question is left to be asked; see groups, holdout and the profiles' questions",
        )
    chosen = choose_questions(open_questions, options.n_questions, seed)
    leakage = leakage_of(chosen, profiles)
    samples = []
    unrated: set[str] = set()
    for question in chosen:
        ordinal = {"all": True, "none": False}.get(options.ordinal, question.ordinal)
        pooled = data.pooled(question.id)
        assert pooled is not None
        for row in data.by_question[question.id]:
            if row.group not in wanted:
                continue
            others = data.pooled(question.id, without=row.group)
            score = relevance.get(question.id)
            for name in passes:
                use = name == "profile" and (
                    threshold == 0 or (score is not None and score >= (threshold or 0))
                )
                if name == "profile" and threshold and score is None:
                    unrated.add(question.id)
                samples.append(
                    OpinionSample(
                        pass_name=name,
                        group=row.group,
                        attribute=wanted[row.group].attribute,
                        question=question.id,
                        text=question.text,
                        options=question.options,
                        ordinal=ordinal,
                        gold=row.gold,
                        pooled=tuple(pooled.tolist()),
                        others=None if others is None else tuple(others.tolist()),
                        theory=theory if name == "profile" else "",
                        lines=tuple(
                            (line.value.name, line.score) for line in profile_lines[row.group]
                        )
                        if use
                        else (),
                        relevance=score if name == "profile" else None,
                        leakage=leakage,
                        **told.model_dump(),
                    )
                )
    if unrated:
        notes.append(
            f"{len(unrated):,} questions are not in the relevance table; they get no profile lines"
        )
    return OpinionDesign(
        samples=samples,
        passes=passes,
        groups=groups,
        data=data,
        theory=theory,
        lines=lines,
        threshold=threshold if profiles else None,
        profiles=profiles,
        relevance=table if profiles else None,
        left_out=dict(left_out),
        leakage=leakage,
        holdout=holdout,
        seed=seed,
        preset=preset,
        notes=[*notes, *leakage_notes(leakage)],
        told=told,
    )


def _check_language(
    registry: Registry,
    groups: Sequence[Group],
    lines: Mapping[str, Sequence[ProfileLine]],
) -> None:
    """Checks that groups and values have texts in the language of the run.

    Raises:
        OptionError: one has none.
    """
    language = registry.sentences.language
    for group in (registry.opinion.group(one.name) for one in groups):
        if group.language != language:
            raise OptionError(
                "language",
                f"{group.name} has its sentence in {group.language!r}, not in {language!r}; add "
                f"catalogue.groups.{group.name} to a file {language}.yaml and give its folder: "
                "prompts=FOLDER",
            )
    registry.check_language(
        registry.value(line.value.name, line.value.theory) for of in lines.values() for line in of
    )


def leakage_of(questions: Sequence[OpinionQuestion], profiles: GroupProfiles | None) -> str:
    """What is known of the questions that the profiles were built on; empty without a profile pass.

    A log says `profile built on the scored questions` (or on how many of them), `none: ...` or
    `unknown: ...`.

    Args:
        questions: those that are asked.
        profiles: those that are used.
    """
    if profiles is None:
        return ""
    if profiles.states_questions:
        return "none: the questions that built the profile are left out"
    if not profiles.built_on:
        return "unknown: the table of profiles does not say which questions it was built on"
    known = sum(text_hash(question.text) in profiles.built_on_texts for question in questions)
    if known == len(questions):
        return "profile built on the scored questions"
    if known:
        return f"profile built on {known:,} of the {len(questions):,} scored questions"
    if profiles.built_on_texts:
        return f"none: the profile was built on other questions ({profiles.built_on})"
    return f"unknown: which questions are {profiles.built_on} is not known"


def leakage_notes(leakage: str) -> list[str]:
    """What a run says aloud of it: one sentence, or none without a profile pass."""
    if leakage.startswith("profile"):
        return [
            f"{leakage}: the published table was computed from OpinionQA's own answers, so that "
            "its gains are no evidence for new questions"
        ]
    return [f"leakage {leakage}"] if leakage else []


def _passes(
    options: OpinionOptions,
    preset: Preset | None,
    threshold: float | None,
    table: RelevanceTable | None,
) -> tuple[tuple[Pass, ...], list[str]]:
    """The passes in the order of `PASSES`, and notes on what was left out of the defaults."""
    method = one_of("method", options.method, *METHODS)
    words = words_option(options.passes)
    for word in words:
        one_of("passes", word, *PASSES)
    if len(set(words)) < len(words):
        raise OptionError("passes", "a pass is named twice")
    ready = threshold == 0 or (table is not None and threshold is not None)
    help_ = (
        "build one with `valueflow build relevance` and give it with relevance=FILE, or apply the "
        "profile to every question with threshold=0"
    )
    notes: list[str] = []
    if not words:
        words = ["blind", "default"]
        if ready or preset or table or threshold is not None:
            words.append("profile")
        elif method == "profile":
            notes.append(f"no profile pass: there is no table of relevance; {help_}")
    if method == "modular_pluralism" and "modular_pluralism" not in words:
        words.append("modular_pluralism")
    if "profile" in words and not ready:
        if table is not None:
            raise OptionError("threshold", "is needed with a table of relevance; give 0 to 1")
        at = "" if threshold is None else f" for the threshold {threshold:g}"
        raise OptionError("relevance", f"the pass 'profile' needs a table{at}; {help_}")
    return tuple(name for name in PASSES if name in words), notes


def _groups(registry: Registry, options: OpinionOptions, data: OpinionSet) -> list[Group]:
    """The groups that were asked for and have rows."""
    have = {row.group for row in data.rows}
    names = [*words_option(options.groups), *words_option(options.attributes)]
    if not names:
        return [group for group in registry.opinion.groups if group.name in have]
    if options.groups is not None and options.attributes is not None:
        raise OptionError("groups", "and attributes cannot both be given; groups takes either")
    chosen = registry.opinion.chosen_groups(names)
    missing = [group.name for group in chosen if group.name not in have]
    if missing:
        raise OptionError("groups", f"{data.source.reference} has no row of {', '.join(missing)}")
    return chosen


def counts_of(samples: Sequence[OpinionSample]) -> dict[str, int]:
    """Planned numbers of questions, groups and generations."""
    return {
        "questions": len({sample.question for sample in samples}),
        "groups": len({sample.group for sample in samples}),
        "generations": len(samples),
    }
