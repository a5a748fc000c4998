"""Logs of survey runs as studies: what may be pooled is pooled, the rest is kept apart.

Logs are one study where they share everything that decides a number, as in `studies.py`. Passes and
groups may differ, so that a run of the default and a later run of the profile pass are compared
row by row; settings of a pass count only between logs that have the pass.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from valueflow.results.logs import Settings
from valueflow.results.studies import (
    LoggedStudies,
    LoggedStudy,
    Progress,
    alike,
    named,
    pooled,
    read_each,
    setting_warnings,
    without_repeats,
)
from valueflow.results.survey.logs import AskedQuestion, OpinionLog, read_opinion_log
from valueflow.scorers.survey.accuracy import ORDER, OptionSummary, summarize_options
from valueflow.scorers.survey.records import OptionRecord

__all__ = ["LEAKED", "OpinionStudies", "OpinionStudy", "opinion_studies_of"]

LEAKED = "profile built on the scored questions"
"""How a log says so; see `opinion_design.leakage_of`."""

# Settings whose difference makes studies incomparable, and not just different.
_COMPARABILITY = (
    "valueflow version",
    "task version",
    "wording",
    "language",
    "answer reader",
    "data hash",
    "holdout",
    "theory",
    "lines",
    "threshold",
    "profiles hash",
    "relevance model",
    "relevance hash",
    "leakage",
)


@dataclass(frozen=True, kw_only=True)
class OpinionStudy(LoggedStudy[OpinionLog]):
    """Answers that may be taken as one run, and what they say.

    Attributes, besides those of every study:
        records: all scored answers, each (pass, group, question, epoch) once.
        summary: their statistics.
        questions: by hash.
        golds: distribution of each (group, question) over the options.
    """

    records: list[OptionRecord]
    summary: OptionSummary
    questions: dict[str, AskedQuestion]
    golds: dict[tuple[str, str], tuple[float, ...]]

    @property
    def passes(self) -> list[str]:
        """The passes that it holds, what a reader came for first."""
        return sorted({record["pass_name"] for record in self.records}, key=ORDER.index)

    @property
    def left_out(self) -> dict[str, int]:
        """Rows of the data that were not asked, by reason; the largest number over the logs."""
        found: dict[str, int] = {}
        for log in self.logs:
            for kind in ("dropped", "left_out"):
                for reason, count in (log.metadata.get(kind) or {}).items():
                    found[str(reason)] = max(found.get(str(reason), 0), int(count))
        return found

    @property
    def is_leaked(self) -> bool:
        """Whether its profiles were built on the questions that they are scored on."""
        return "profile" in self.passes and self.summary.leakage.startswith("profile")

    @property
    def is_simulated(self) -> bool:
        """Whether the model or a community is one of this package's simulations."""
        others = [v for name, v in self.settings.items() if name.startswith("community ")]
        return any(name.startswith("valueflow/") for name in (self.model, *others))


OpinionStudies = LoggedStudies[OpinionStudy]


def opinion_studies_of(
    files: Sequence[Path],
    progress: Progress | None = None,
    tagged: bool = False,
    first_tag: int = 0,
) -> OpinionStudies:
    """The survey studies of some log files; none where no log can be used.

    Args:
        files: paths of logs.
        progress: is told what is done, how many are done, and how many there are.
        tagged: whether a lone study gets a letter too, because others stand beside it.
        first_tag: how many letters are taken already.
    """
    tell = progress or (lambda what, done, of: None)
    logs, skipped = read_each(files, read_opinion_log, tell, "reading survey logs")
    kept = [without_repeats(group, skipped) for group in _pools(logs)]
    settings = [_all_settings(group) for group in kept]
    called = named(settings, tagged=tagged, first_tag=first_tag)
    studies = [
        _study(tag, label, own, group)
        for (tag, label), own, group in zip(called, settings, kept, strict=True)
    ]
    warnings = setting_warnings([(s.tag, s.settings) for s in studies], _COMPARABILITY)
    return OpinionStudies(studies, skipped, [*warnings, *_row_warnings(studies)])


def _pools(logs: Sequence[OpinionLog]) -> list[list[OpinionLog]]:
    """Logs that may be pooled together.

    Where logs of otherwise equal settings disagree on a pass's own settings, those without the pass
    could stand beside any of them, and so stand alone.
    """
    pools = []
    for group in alike(logs):
        variants = {(name, *sorted(own.items())) for log in group for name, own in log.own.items()}
        if len(variants) == len({name for log in group for name in log.own}):
            pools.append(group)
            continue
        apart: dict[tuple[object, ...], list[OpinionLog]] = defaultdict(list)
        for log in group:
            key = tuple((name, *sorted(log.own[name].items())) for name in sorted(log.own))
            apart[key].append(log)
        pools += list(apart.values())
    return pools


def _all_settings(logs: Sequence[OpinionLog]) -> Settings:
    own = {name: setting for log in logs for of in log.own.values() for name, setting in of.items()}
    return {**logs[0].settings, **own}


def _study(tag: str, label: str, settings: Settings, logs: Sequence[OpinionLog]) -> OpinionStudy:
    counts, usage = pooled(logs)
    questions: dict[str, AskedQuestion] = {}
    golds: dict[tuple[str, str], tuple[float, ...]] = {}
    for log in logs:
        questions |= log.questions
        golds |= log.golds
    records = _each_once(logs)
    counts["repeated"] = sum(log.size for log in logs) - len(records)
    # Notes on the data stand in every log.
    notes = Counter(note for log in logs for note in set(log.notes))
    told = list(dict.fromkeys(note for log in logs for note in log.notes))
    many = len(logs) > 1
    shown = [
        note
        if not many or notes[note] == len(logs)
        else f"{', '.join(log.name for log in logs if note in log.notes)}: {note}"
        for note in told
    ]
    if many:
        shown.append(f"{len(logs)} logs with the same settings are pooled")
    if counts["repeated"]:
        shown.append(
            f"{counts['repeated']:,} answers to a question, group and pass that a fuller log holds "
            "already were left out"
        )
    return OpinionStudy(
        tag=tag,
        label=label,
        model=logs[0].model,
        records=records,
        summary=summarize_options(records),
        questions=questions,
        golds=golds,
        logs=list(logs),
        usage=usage,
        settings=settings,
        counts=counts,
        notes=[*shown, *_uneven(records)],
    )


def _each_once(logs: Sequence[OpinionLog]) -> list[OptionRecord]:
    """Every (pass, group, question, epoch) once, from the fullest log that has it; a question that
    stood in two logs would weigh twice."""
    found: dict[tuple[str, str, str, int], OptionRecord] = {}
    for log in sorted(logs, key=lambda log: -log.size):
        for record in log.records:
            key = (record["pass_name"], record["group"], record["question"], record["epoch"])
            found.setdefault(key, record)
    return list(found.values())


def _uneven(records: Sequence[OptionRecord]) -> list[str]:
    """Whether the passes were asked different rows, so that their accuracies do not compare."""
    rows: dict[str, set[tuple[str, str, int]]] = defaultdict(set)
    for record in records:
        rows[record["pass_name"]].add((record["group"], record["question"], record["epoch"]))
    if len({frozenset(own) for own in rows.values()}) < 2:
        return []
    told = ", ".join(f"{name} {len(own):,}" for name, own in rows.items())
    return [
        f"the passes hold different questions, groups or epochs ({told} answers), so that their "
        "accuracies do not compare; the differences are over the rows that both have"
    ]


def _row_warnings(studies: Sequence[OpinionStudy]) -> list[str]:
    """Whether studies of the same data were asked different questions or groups."""
    rows = {frozenset((r["group"], r["question"]) for r in study.records) for study in studies}
    if len(rows) < 2:
        return []
    told = "; ".join(
        f"{study.tag}: {len(study.questions):,} questions, {len(study.summary.groups)} groups"
        for study in studies
    )
    return [
        f"The survey studies do not hold the same questions and groups ({told}), so that their "
        "accuracies do not compare like with like."
    ]
