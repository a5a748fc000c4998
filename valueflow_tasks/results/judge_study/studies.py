"""Logs of `valueflow/judge_stability` as studies.

Logs that asked about the same texts beside the same anchors are one study, whichever judges they
asked, so that each judge may have a run of its own.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from valueflow.hub_assets.errors import InputFileError
from valueflow.results.logs import RunLog, Settings, as_settings, header_of, run_notes
from valueflow.results.studies import (
    LoggedStudies,
    LoggedStudy,
    Progress,
    Skipped,
    alike,
    named,
    pooled,
    read_each,
    without_repeats,
)
from valueflow.scorers.estimate.table import WindowRecordError
from valueflow.scorers.saved.judgements import study_kind
from valueflow.scorers.saved.logs import ScoredLog, is_log_of
from valueflow.scorers.summary.stability.judgements import (
    StudyRecord,
    judgements_in,
    read_judgements,
)
from valueflow.scorers.summary.stability.study import StabilityStudy, stability_of

__all__ = ["JudgeStudies", "JudgeStudy", "is_study_log", "judge_studies_of", "saved_study"]

NAME = "judge study"
"""Stands where studies of other tasks name the evaluated model: there is none."""


@dataclass(frozen=True, kw_only=True)
class JudgeStudyLog(RunLog):
    """One log with the records of its texts."""

    records: list[StudyRecord]

    @property
    def size(self) -> int:
        return len(self.records)


@dataclass(frozen=True, kw_only=True)
class JudgeStudy(LoggedStudy[JudgeStudyLog]):
    """Texts that several judges judged, and what that says; without logs where judgements were
    read from tables.

    Attributes:
        study: its figures.
    """

    study: StabilityStudy

    @property
    def judges(self) -> list[str]:
        """The judges that were asked."""
        return list(dict.fromkeys(one.asked.judge for one in self.study.scores))

    @property
    def is_simulated(self) -> bool:
        """Whether a judge is one of this package's simulations."""
        return any(name.startswith("valueflow/") for name in self.judges)


JudgeStudies = LoggedStudies[JudgeStudy]
"""All judge studies of some logs."""


def saved_study(study: StabilityStudy, notes: Sequence[str] = ()) -> JudgeStudy:
    """A study of judgements that were read from tables or logs of any kind.

    Args:
        study: its figures.
        notes: what a reader must be told beside those of the study.
    """
    return JudgeStudy(
        tag="",
        label=NAME,
        model=NAME,
        logs=[],
        usage={},
        settings={},
        counts={},
        notes=list(notes),
        study=study,
    )


def is_study_log(path: str | Path) -> bool:
    """Whether a log is of the task `judge_stability`; false where it cannot be read."""
    return is_log_of(study_kind(), path)


def judge_studies_of(
    files: Sequence[Path],
    progress: Progress | None = None,
    tagged: bool = False,
    first_tag: int = 0,
) -> JudgeStudies:
    """The judge studies of some log files; none where no log can be used.

    Args:
        files: paths of logs.
        progress: is told what is done, how many are done, and how many there are.
        tagged: whether a lone study gets a letter too, because others stand beside it.
        first_tag: how many letters are taken already.
    """
    tell = progress or (lambda what, done, of: None)
    logs, skipped = read_each(files, _read, tell, "reading judge studies")
    kept = [without_repeats(group, skipped) for group in alike(logs)]
    studies = []
    called = named([group[0].settings for group in kept], tagged=tagged, first_tag=first_tag)
    for (tag, label), group in zip(called, kept, strict=True):
        rows = [one for log in group for record in log.records for one in judgements_in(record)]
        judgements = read_judgements(rows)
        try:
            study = stability_of(judgements)
        except WindowRecordError as error:
            skipped.append(Skipped(group[0].path, f"cannot be used: {error.problem}"))
            continue
        counts, usage = pooled(group)
        studies.append(
            JudgeStudy(
                tag=tag,
                label=label,
                model=NAME,
                study=study,
                logs=group,
                usage=usage,
                counts=counts,
                settings=group[0].settings,
                notes=[f"{log.name}: {note}" for log in group for note in log.notes],
            )
        )
    return JudgeStudies(studies, skipped, [])


def _read(path: str | Path) -> JudgeStudyLog:
    """Reads a log, finished or not.

    Raises:
        InputFileError: it cannot be read, or holds no judgement.
    """
    log = ScoredLog(path, study_kind())
    records = [cast(StudyRecord, record) for record in log.records()]
    if not any(judgement["failure"] is None for r in records for judgement in r["judgements"]):
        raise InputFileError(path, "holds no judgement of a text")
    header = header_of(log.header, path)
    header["usage"] = _usage(records)
    return JudgeStudyLog(
        **header,
        settings=_settings(header["metadata"]),
        versions={},
        records=records,
        counts=dict(log.counts),
        notes=run_notes(log.header.status, log.counts),
    )


def _usage(records: Sequence[StudyRecord]) -> dict[tuple[str, str], dict[str, int]]:
    found: dict[tuple[str, str], dict[str, int]] = {}
    for record in records:
        for used in record["judge_used"]:
            own = found.setdefault(("judge", used["judge"]), defaultdict(int))
            own["input"] += used["tokens_in"]
            own["output"] += used["tokens_out"]
            own["total"] += used["tokens_in"] + used["tokens_out"]
            own["calls"] += used["asked"] + used["failed"]
            own["cached_calls"] += used["cached"]
    return {name: dict(own) for name, own in found.items()}


def _settings(metadata: dict[str, Any]) -> Settings:
    """What two logs share whose texts were judged beside the same anchors."""
    found: dict[str, Any] = {"model": NAME}
    names = ("texts", "texts_sha256", "vidb", "vidb_sha256", "own_values_sha256", "valueflow")
    for name in names:
        found[name.replace("_sha256", " hash").replace("vidb", "anchors")] = metadata.get(name)
    skipped = {"vidb", "judge_mode", "judge_attempts"}
    for name, setting in (metadata.get("evaluator") or {}).items():
        if name not in skipped:
            found[name.replace("_", " ")] = setting
    return as_settings(found)
