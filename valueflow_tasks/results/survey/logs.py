"""Reads one Inspect log of the task `opinionqa`: records, questions, and what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from valueflow.hub_assets.errors import InputFileError, ValueflowError
from valueflow.hub_assets.survey.sample import OPINION_KEY, read_opinion_sample
from valueflow.results.logs import (
    RunLog,
    Settings,
    as_settings,
    evaluated_with,
    header_of,
    run_notes,
    shown,
)
from valueflow.scorers.saved.logs import Kind, ScoredLog, hidden, is_log_of
from valueflow.scorers.survey.records import OptionRecord

__all__ = ["AskedQuestion", "OpinionLog", "is_opinion_log", "read_opinion_log"]

SURVEY = Kind(OPINION_KEY, "valueflow/option_choice", "opinionqa")

RESCORE = "Score it with `inspect score LOG --scorer valueflow/option_choice`"


@dataclass(frozen=True)
class AskedQuestion:
    """A question as it was asked."""

    text: str
    options: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class OpinionLog(RunLog):
    """One log of a survey run.

    Attributes:
        own: settings of the passes `profile` and `modular_pluralism`, where the log has them; they
            decide nothing about the other passes. `settings` holds those of every pass.
        records: all scored answers.
        questions: by hash.
        golds: distribution of each (group, question) over the options.
    """

    own: dict[str, Settings]
    records: list[OptionRecord]
    questions: dict[str, AskedQuestion]
    golds: dict[tuple[str, str], tuple[float, ...]]

    @property
    def size(self) -> int:
        return len(self.records)


EXCLUDED = frozenset({"messages", "attachments", "events", "events_data"})
"""Fields of a sample that a report does not read; its store says whose answer it was given."""


def is_opinion_log(path: str | Path) -> bool:
    """Whether a log is of the task `opinionqa`; false where it cannot be read."""
    return is_log_of(SURVEY, path)


def read_opinion_log(path: str | Path) -> OpinionLog:
    """Reads a log, finished or not.

    Raises:
        InputFileError: it cannot be read, has no score of `valueflow/option_choice`, or scores by
            more than one version of the reader.
    """
    from valueflow.solvers.shared_answers import ANSWER_OF

    scored = ScoredLog(path, SURVEY)
    log = scored.header
    borrowed = 0
    records: list[OptionRecord] = []
    questions: dict[str, AskedQuestion] = {}
    golds: dict[tuple[str, str], tuple[float, ...]] = {}
    for sample, record in scored.samples(EXCLUDED):
        borrowed += ANSWER_OF in sample.store
        if record is None:
            continue
        try:
            asked = read_opinion_sample(sample.metadata)
        except (ValueError, KeyError, ValueflowError) as error:
            raise InputFileError(path, f"sample {sample.id} is unreadable ({error})") from None
        records.append(cast(OptionRecord, record))
        questions[asked.question] = AskedQuestion(asked.text, asked.options)
        golds[asked.group, asked.question] = asked.gold
    counts = scored.counts
    counts["answers_of_the_same_prompt"] = borrowed
    counts["generations"] -= borrowed
    if not records:
        raise InputFileError(path, f"has no scores of {SURVEY.scorer}. {RESCORE}")
    readers = sorted({record["reader"] for record in records})
    if len(readers) > 1:
        raise InputFileError(
            path,
            f"has answers read by versions {' and '.join(readers)} of the rules. Score the log "
            "again with --action overwrite",
        )
    head = log.eval
    metadata = dict(head.metadata or {})
    passes = {record["pass_name"] for record in records}
    return OpinionLog(
        **header_of(log, path),
        settings=_settings(log, metadata, readers[0]),
        own=_own(metadata, head.model_roles or {}, passes),
        versions={
            "valueflow": str(metadata.get("valueflow", "")),
            "inspect_ai": str(head.packages.get("inspect_ai", "")),
        },
        records=records,
        questions=questions,
        golds=golds,
        counts=dict(counts),
        notes=[*run_notes(log.status, counts), *map(str, metadata.get("notes") or [])],
    )


def _settings(log: Any, metadata: Mapping[str, Any], reader: str) -> Settings:
    """What decides the numbers of every pass."""
    found = evaluated_with(log)
    step: dict[str, Any] = log.plan.steps[0].params if log.plan.steps else {}
    found["style"] = step.get("style")
    found["logprobs"] = step.get("logprobs")
    found["wording"] = metadata.get("wording")
    found["language"] = metadata.get("language", "en")
    found["answer reader"] = reader
    found["data"] = metadata.get("data")
    found["data revision"] = metadata.get("data_revision")
    found["data hash"] = metadata.get("data_sha256")
    found["ordinal"] = (log.eval.task_args or {}).get("ordinal")
    found["holdout"] = metadata.get("holdout")
    found["seed"] = metadata.get("seed")
    found["valueflow version"] = metadata.get("valueflow")
    found["task version"] = log.eval.task_version
    return as_settings(found)


def _own(
    metadata: Mapping[str, Any], roles: Mapping[str, Any], passes: set[str]
) -> dict[str, Settings]:
    """What decides the numbers of single passes: profile lines, and community models."""
    found: dict[str, Settings] = {}
    if "profile" in passes:
        names = (
            "theory",
            "lines",
            "threshold",
            "profiles",
            "profiles_sha256",
            "relevance",
            "relevance_sha256",
            "relevance_model",
            "relevance_method",
            "leakage",
        )
        found["profile"] = as_settings(
            {name.replace("_sha256", " hash").replace("_", " "): metadata.get(name)
             for name in names}
        )  # fmt: skip
    if "modular_pluralism" in passes:
        communities = {}
        for role, model in sorted(roles.items(), key=lambda item: (len(item[0]), item[0])):
            if role.startswith("community_"):
                arguments = {name: hidden(name, at) for name, at in (model.args or {}).items()}
                config = model.config.model_dump(exclude_none=True)
                said = {**arguments, **config}
                communities[role.replace("_", " ")] = f"{model.model}" + (
                    f" ({shown(said)})" if said else ""
                )
        found["modular_pluralism"] = as_settings(communities)
    return found
