"""The sections of a report on survey runs, and what to know before using their numbers."""

from valueflow.hub_assets.errors import UnknownNameError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.results.page import Section
from valueflow.results.survey.figures import (
    accuracies,
    differences,
    distances,
    group_accuracies,
    models,
)
from valueflow.results.survey.studies import LEAKED, OpinionStudies, OpinionStudy
from valueflow.results.survey.tables import opinion_tables_of
from valueflow.results.tables import Table

__all__ = ["opinion_cautions", "opinion_sections_of"]


def opinion_sections_of(found: OpinionStudies) -> list[Section]:
    """The parts of the page in order, with all figures and tables; none without a study."""
    studies = found.studies
    if not studies:
        return []
    tables = {table.name: table for table in opinion_tables_of(found)}

    def some(*names: str) -> list[Table]:
        return [tables[name] for name in names if name in tables]

    gains = [name for name in tables if name.startswith("survey_gains")]
    return [
        Section("survey_runs", "Survey runs", [], [], some("survey_studies", "survey_logs")),
        Section("survey_by_attribute", "Accuracy by attribute", [_ACCURACY],
                models(studies) + accuracies(studies),
                some("survey_accuracy", "survey_attributes")),
        Section("survey_by_pass", "Differences between passes",
                [_DIFFERENCES] if "survey_differences" in tables else [], differences(studies),
                some("survey_differences", "survey_attribute_differences",
                     "survey_group_differences")),
        Section("survey_by_group", "Accuracy by group", [], group_accuracies(studies),
                some("survey_groups")),
        Section("survey_by_question", "Gains and losses by question",
                [_QUESTIONS] if gains else [], [], some(*gains, "survey_questions")),
        Section("survey_distributions", "Distribution match", [],
                distances(studies), some("survey_distances", "survey_attribute_distances",
                                       "survey_group_distances")),
        Section("survey_reading", "How answers were read", [_READING], [],
                some("survey_answers", "survey_attribute_answers")),
        Section("survey_lost", "Survey counts and cost", [], [],
                some("survey_counts", "survey_cost")),
        Section("survey_set", "Survey settings", [], [], some("survey_settings")),
    ]  # fmt: skip


_ACCURACY = (
    "An answer is right where it names the group's most frequent option. Accuracy is over answers "
    "that name an option; accuracy all counts refused and unparsed answers as wrong, as "
    "published accuracies do. The group-blind majority is an oracle, read off the answers to the "
    "very questions, and a strong rival: a pass that does not beat it knows less about "
    "groups than their common opinion does. Standard errors follow a ± sign."
)

_DIFFERENCES = (
    "On the rows that both passes answered. McNemar's p takes rows for independent although groups "
    "share questions: where it and the interval disagree, believe the interval. Among many groups "
    "some differ by chance."
)

_READING = (
    "Answers are those that name an option, refused ones and unparsed ones; truncated are unparsed "
    "ones that hit the limit of tokens. Ties are answers to a question and group whose most "
    "frequent options share the top: each of them is right."
)


_QUESTIONS = (
    "Up to ten gains and ten losses by the net number of answers: gained are those that only the "
    "first pass got right, lost those that only the second did. Letters are options with the "
    "number of groups: groups say is the groups' own most frequent option, first says and second "
    "says are the model's answers in the two passes. The largest of many differences are large "
    "partly by chance; they show where to look, and prove nothing. The files name the groups."
)


def opinion_cautions(found: OpinionStudies) -> list[str]:
    """What a reader must know before using the numbers, the gravest first."""
    studies = found.studies
    told = []
    leaked = [study for study in studies if study.is_leaked]
    if leaked:
        which = f" ({', '.join(s.tag for s in leaked)})" if leaked[0].tag else ""
        told.append(
            f"{LEAKED[0].upper()}{LEAKED[1:]}{which}: the table of profiles was computed from the "
            "answers to OpinionQA's own questions. Gains of the profile pass are no evidence for "
            "new questions."
        )
    for study in studies:
        if study.summary.leakage.startswith("unknown") and "profile" in study.passes:
            told.append(
                f"{study.label}: whether the profiles were built on the scored questions is "
                f"{study.summary.leakage}."
            )
    simulated = [study for study in studies if study.is_simulated]
    if simulated:
        which = f" ({', '.join(s.tag for s in simulated)})" if simulated[0].tag else ""
        told.append(
            f"Simulated models answered the survey{which}: valueflow/respondent. Their numbers "
            "check the instrument and say nothing about any language model."
        )
    told += [f"{name}: {note}" for name, note in _invented(studies).items()]
    for study in studies:
        lost = study.counts["planned"] - study.counts["in_log"]
        lost += study.counts["error"] + study.counts["without_score"]
        if lost > 0:
            told.append(
                f"{study.label}: {lost:,} of {study.counts['planned']:,} planned samples failed, "
                "are missing or have no score; the figures show the rest."
            )
        counts = study.summary.counts
        if counts["refused"] + counts["unparsed"] == counts["answers"]:
            told.append(
                f"{study.label}: none of its {counts['answers']:,} answers names an option; only "
                "counts and the baseline are shown."
            )
    return told + found.warnings


def _invented(studies: list[OpinionStudy]) -> dict[str, str]:
    """Embedded question sets that some study used, with the registry's note on each."""
    registry = load_registry()
    found = {}
    for study in studies:
        name = study.settings.get("data", "")
        try:
            asset = registry.asset(name)
        except UnknownNameError:
            continue
        if asset.embedded and asset.note:
            found[name] = f"{asset.title}. {asset.note}"
    return found
