"""Inspect logs as studies: what may be pooled is pooled, the rest is kept apart and labelled.

Logs are one study where they share everything that decides a number: model and its arguments,
method and wording, queries, judge, anchors, evaluator and versions. Anything else would mix
numbers that must not be averaged.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import OptionError
from valueflow.results.steering.logs import StudyLog, read_study_log
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
from valueflow.scorers.records import Distinct, ResponseRecord
from valueflow.scorers.summary.run import RunSummary, summarize

__all__ = [
    "Studies",
    "Study",
    "studies_of",
]


# Settings whose difference makes studies incomparable, and not just different.
_COMPARABILITY = (
    "valueflow version",
    "judge prompt version",
    "choice prompt version",
    "refusal prompt version",
    "refusal phrases version",
    "wording",
    "judge wording",
    "form",
    "baseline",
    "language",
    "system prompt hash",
    "wordings",
    "own values hash",
    "anchors",
    "anchors hash",
    "queries hash",
    "judge",
    "judge arguments",
    "windows",
    "window size",
    "sampling",
    "judge mode",
)


@dataclass(frozen=True, kw_only=True)
class Study(LoggedStudy[StudyLog]):
    """Responses that may be taken as one, and what they say.

    Attributes, besides those of every study:
        method: how it was steered.
        judge: the judge's record: model, config, anchors and how windows were drawn.
        records: all scored responses.
        summary: their statistics.
        versions: of the packages and of every text that decides a score.
        texts: by a record's item, the question and the response.
    """

    method: str
    judge: dict[str, Any]
    records: list[ResponseRecord]
    summary: RunSummary
    versions: dict[str, str]
    texts: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    _parts: dict[tuple[str, str], RunSummary] = field(
        default_factory=dict, repr=False, compare=False
    )

    def part(self, theory: str, group: str) -> RunSummary:
        """The statistics of one theory's values in one group alone; worked out once."""
        if (theory, group) not in self._parts:
            records = []
            for record in self.records:
                kept = {
                    name: value
                    for name, value in record["values"].items()
                    if value["theory"] == theory and value["group"] == group
                }
                if kept:
                    records.append({**record, "values": kept})
            self._parts[theory, group] = summarize(records)  # type: ignore[arg-type]
        return self._parts[theory, group]

    @property
    def is_simulated(self) -> bool:
        """Whether the model or the judge is one of this package's simulations."""
        judges = [str(one["model"]) for one in self.judge.get("judges", ())]
        names = (self.model, str(self.judge.get("model")), *judges)
        return any(name.startswith("valueflow/") for name in names)


Studies = LoggedStudies[Study]


def studies_of(
    files: Sequence[Path],
    progress: Progress | None = None,
    tagged: bool = False,
    names: Mapping[str, str] | None = None,
    only: Collection[str] = (),
) -> Studies:
    """The studies of some log files; none where no log can be used.

    Args:
        files: paths of logs.
        progress: is told what is done, how many are done, and how many there are.
        tagged: whether a lone study gets a letter too, because others stand beside it.
        names: what models are called, where they are not called by their own names.
        only: names of the values that are looked at; all where empty.

    Raises:
        OptionError: no log has one of the values, or no study is of one of the models.
    """
    tell = progress or (lambda what, done, of: None)
    logs, skipped = read_each(files, read_study_log, tell, "reading logs")
    kept = [without_repeats(group, skipped) for group in alike(logs)]
    called = named([group[0].settings for group in kept], names, tagged=tagged)
    if only:
        kept = [[only_values(log, only) for log in group] for group in kept]
        _check_values(kept, only)
    studies = []
    for index, ((tag, label), group) in enumerate(zip(called, kept, strict=True)):
        tell("estimating", index, len(kept))
        studies.append(_study(tag, label, group))
    if kept:
        tell("estimating", len(kept), len(kept))
    warnings = setting_warnings([(s.tag, s.settings) for s in studies], _COMPARABILITY)
    return Studies(studies, skipped, warnings)


def only_values(log: StudyLog, only: Collection[str]) -> StudyLog:
    """A log of which only some values were measured."""
    records = [
        {**record, "values": values}
        for record in log.records
        if (values := {n: v for n, v in record["values"].items() if v["value"] in only})
    ]
    return replace(log, records=records)  # type: ignore[arg-type]


def _check_values(kept: Sequence[Sequence[StudyLog]], only: Collection[str]) -> None:
    there = {
        value["value"]
        for group in kept
        for log in group
        for record in log.records
        for value in record["values"].values()
    }
    if lacking := [name for name in only if name not in there]:
        raise OptionError("values", f"{', '.join(lacking)}: measured in no log")


def _study(tag: str, label: str, logs: Sequence[StudyLog]) -> Study:
    distinct = Distinct()
    records = [
        distinct.of(record) for log in logs for record in _records_of(log, prefix=len(logs) > 1)
    ]
    first = logs[0]
    counts, usage = pooled(logs)
    summary = summarize(records)
    notes = [f"{log.name}: {note}" for log in logs for note in log.notes]
    if not any(cell.level == 0 and cell.count for cell in summary.cells):
        notes.append(
            "there is no scored response without steering (level 0), so there are no shifts; means "
            "are shown as they are"
        )
    if len(logs) > 1:
        notes.append(f"{len(logs)} logs with the same settings are pooled")
    if distinct.repeated:
        notes.append(
            f"{distinct.repeated} values of responses were measured in several logs in the same "
            "way, and count once"
        )
    return Study(
        tag=tag,
        label=label,
        model=first.model,
        method=first.settings["method"],
        judge=next((log.judge for log in logs if log.judge), {}),
        records=records,
        summary=summary,
        versions=first.versions,
        logs=list(logs),
        usage=usage,
        settings=first.settings,
        counts=counts,
        notes=notes,
        texts={
            _item_of(log, item, len(logs) > 1): text
            for log in logs
            for item, text in log.texts.items()
        },
    )


def _records_of(log: StudyLog, prefix: bool) -> list[ResponseRecord]:
    """A log's records; sample ids repeat between logs, so pooled items carry their log's."""
    if not prefix:
        return log.records
    return [{**record, "item": _item_of(log, record["item"], prefix)} for record in log.records]


def _item_of(log: StudyLog, item: str, prefix: bool) -> str:
    return f"{log.identity}:{item}" if prefix else item
