"""Reads one Inspect log: its scored responses, what they were made with, and what is missing.

`settings_of` says what two logs must share for their responses to be taken as one study.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from inspect_ai.log import EvalSample
from inspect_ai.model import ChatMessage

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.settings import CALL_SETTINGS, SAMPLE_KEY
from valueflow.results.logs import (
    RunLog,
    Settings,
    as_settings,
    evaluated_with,
    header_of,
    run_notes,
    shown,
    the_only,
)
from valueflow.scorers.judge.answer import strip_reasoning
from valueflow.scorers.records import JudgeUsed, ResponseRecord, judge_usage
from valueflow.scorers.saved.logs import ScoredLog, hidden

__all__ = ["StudyLog", "question_text", "read_study_log", "response_text"]


@dataclass(frozen=True, kw_only=True)
class StudyLog(RunLog):
    """One log with all its scored responses.

    Attributes:
        judge: the judge's record, empty where nothing was judged.
        records: the scored responses, without the judge's raw answers.
        texts: by a record's item, the question and the response.
    """

    judge: dict[str, Any]
    records: list[ResponseRecord]
    texts: dict[str, tuple[str, str]]

    @property
    def size(self) -> int:
        return len(self.records)


def read_study_log(path: str | Path) -> StudyLog:
    """Reads a log, finished or not.

    Raises:
        InputFileError: it cannot be read, has no score of `valueflow/intensity`, or more than one
            judge; the message says which and what to do.
    """
    log = ScoredLog(path)
    records: list[ResponseRecord] = []
    sample_settings: dict[str, Any] = {}
    texts: dict[str, tuple[str, str]] = {}
    for sample, found in log.samples():
        sample_settings = sample_settings or (sample.metadata or {}).get(SAMPLE_KEY, {})
        if found is not None:
            records.append(_without_answers(cast(ResponseRecord, found)))
            texts[found["item"]] = (question_text(sample.input), response_text(sample))
    if not records:
        raise InputFileError(path, "has no scores of valueflow/intensity")
    judge = the_only(path, "judge", [r["judge"] for r in records if r.get("judge")])
    versions = the_only(path, "version", [r["versions"] for r in records if r.get("versions")])
    head = log.header.eval
    metadata = dict(head.metadata or {})
    header = header_of(log.header, path)
    header["usage"] = _usage(header["usage"], header["model"], judge_usage(records))
    return StudyLog(
        **header,
        settings=_settings(log.header, metadata, judge, versions, sample_settings),
        judge=judge,
        versions={**versions, "inspect_ai": str(head.packages.get("inspect_ai", ""))},
        records=records,
        texts=texts,
        counts=dict(log.counts),
        notes=[*_notes(log.header.status, log.counts, judge), *_topics(metadata)],
    )


def response_text(sample: EvalSample) -> str:
    """What the model answered, without its reasoning; empty where it answered nothing."""
    return strip_reasoning(sample.output.completion) if sample.output.choices else ""


def question_text(asked: str | list[ChatMessage]) -> str:
    """The question of a sample: its text, or a conversation with who said what."""
    if isinstance(asked, str):
        return asked
    told = [(message.role, message.text) for message in asked if message.role != "system"]
    if len(told) == 1:
        return told[0][1]
    return "\n".join(f"{role.capitalize()}: {text}" for role, text in told)


def _usage(
    stated: dict[tuple[str, str], dict[str, int]], model: str, judges: Mapping[str, JudgeUsed]
) -> dict[tuple[str, str], dict[str, int]]:
    """The log's account, with that of its judge from the records where they have one.

    The log's own stays that of the first judge when another scores it again.
    """
    if not judges:
        return stated
    found = {
        (what, name): used
        for (what, name), used in stated.items()
        if what == "model" and (name == model or name in judges)
    }
    for name, used in judges.items():
        read, written = used["tokens_in"], used["tokens_out"]
        found["judge", name] = {
            "input": read,
            "output": written,
            "total": read + written,
            "calls": used["asked"] + used["failed"],
            "cached_calls": used["cached"],
        }
    return found


def _without_answers(record: ResponseRecord) -> ResponseRecord:
    """A record without the judge's raw answers, which are most of its size and no statistic."""
    values = {
        name: {**value, "windows": [{**w, "raw": [], "labels": []} for w in value["windows"]]}
        for name, value in record["values"].items()
    }
    return {**record, "values": values}  # type: ignore[typeddict-item]


def _settings(
    log: Any,
    metadata: Mapping[str, Any],
    judge: Mapping[str, Any],
    versions: Mapping[str, str],
    sample: Mapping[str, Any],
) -> Settings:
    head = log.eval
    found = evaluated_with(log)
    # Before the solver stands the step that asks whether the judge answers.
    steps: list[dict[str, Any]] = [step.params for step in log.plan.steps]
    step = next((params for params in steps if "method" in params), {})
    found["method"] = step.get("method") or metadata.get("method") or "responses made elsewhere"
    found["style"] = step.get("style")
    if found["method"] == "user_texts":
        found["exemplars"] = step.get("exemplars")
    found["word limit"] = sample.get("word_limit")
    found["wording"] = metadata.get("wording")
    if found["wording"] is not None:
        # How runs were before their logs said so.
        found["form"] = metadata.get("form", "paragraph")
        found["baseline"] = metadata.get("baseline", "first_person")
        found["off-topic pairs"] = "left out" if metadata.get("relevant") else None
        found["system prompt hash"] = metadata.get("system_sha256")
        found["wordings"] = metadata.get("wordings", 1)
        found["language"] = metadata.get("language", "en")
    found["responses"] = metadata.get("responses")
    found["responses hash"] = metadata.get("responses_sha256")
    found["queries"] = metadata.get("queries")
    found["queries revision"] = metadata.get("queries_revision")
    found["queries hash"] = metadata.get("queries_sha256")
    found["own values hash"] = metadata.get("own_values_sha256")
    profiles = metadata.get("profiles") or {}
    found["profiles"] = ", ".join(f"{n} {p['sha256']}" for n, p in profiles.items()) or None
    found["refusal check"] = sample.get("refusal_check")
    found["refusals"] = sample.get("refusals")
    for name in ("valueflow", "judge_prompt", "choice_prompt", "refusal_prompt"):
        found[f"{name.replace('_', ' ')} version"] = versions.get(name) or metadata.get(name)
    found["refusal phrases version"] = versions.get("refusals")
    # A log whose every response was refused has no judge's record; its task says how it was set.
    drawn = judge or {**(metadata.get("evaluator") or {}), "model": None}
    found["judge"] = drawn.get("model")
    found["judge arguments"] = _judge_arguments(head.model_roles or {}, judge)
    for name, setting in (drawn.get("config") or {}).items():
        if name not in CALL_SETTINGS:
            found[f"judge {name.replace('_', ' ')}"] = setting
    named = {
        "vidb": "anchors",
        "vidb_revision": "anchors revision",
        "vidb_sha256": "anchors hash",
        "wording": "judge wording",
    }
    skipped = {"model", "model_args", "config", "prompt_version", "is_evaluated_model", "judges"}
    for one in drawn.get("judges", ()):
        config = {n: c for n, c in one["config"].items() if n not in CALL_SETTINGS}
        found[f"judge {one['name']}"] = " ".join(f"{n}={shown(c)}" for n, c in config.items())
    for name, setting in drawn.items():
        if name not in skipped:
            found[named.get(name, name.replace("_", " "))] = setting
    return as_settings(found)


def _judge_arguments(roles: Mapping[str, Any], judge: Mapping[str, Any]) -> str | None:
    """The judge's model arguments, readable where the log's header still has those that were used
    (scoring again leaves the first judge's there), else as the hash that the record keeps."""
    known = judge.get("model_args")
    held = roles.get("grader")
    grader = held[0] if isinstance(held, list) else held
    arguments = dict(grader.args or {}) if grader is not None else {}
    for candidate in (arguments, {}):
        text = json.dumps(candidate, sort_keys=True, default=str)
        if hashlib.sha256(text.encode()).hexdigest()[:16] == known:
            told = [
                f"{name}={shown(hidden(name, argument))}" for name, argument in candidate.items()
            ]
            return " ".join(told) or "none"
    return str(known) if known else None


def _topics(metadata: Mapping[str, Any]) -> list[str]:
    """What share of the pairs of a question and a value is off topic, where the log knows."""
    told = metadata.get("topics") or {}
    known, off = int(told.get("known", 0)), int(told.get("off_topic", 0))
    if not known:
        return []
    what = "left out" if metadata.get("relevant") else "asked like the others"
    return [
        f"{100 * off / known:.0f} % of the pairs of a question and a value are off topic "
        f"({off:,} of {known:,}); they were {what}"
    ]


def _notes(status: str, counts: Mapping[str, int], judge: Mapping[str, Any]) -> list[str]:
    notes = run_notes(status, counts)
    if judge.get("is_evaluated_model"):
        notes.append("no grader was named, so the evaluated model judged its own responses")
    return notes
