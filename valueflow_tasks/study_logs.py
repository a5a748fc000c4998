"""Reads one Inspect log: its scored responses, what they were made with, and what is missing.

`settings_of` says what two logs must share for their responses to be taken as one study.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.sample_settings import SAMPLE_KEY
from valueflow.scorers.records import METADATA_KEY, ResponseRecord

__all__ = ["MODEL_ARGUMENT", "Settings", "StudyLog", "find_logs", "read_study_log"]

SUFFIXES = (".eval", ".json")

SCORER = "intensity"

Settings = dict[str, str]
"""What a log's responses were made and judged with: readable name to readable value."""

_NO_MATTER = {
    "max_retries",
    "timeout",
    "attempt_timeout",
    "max_connections",
    "adaptive_connections",
    "batch",
    "cache",
}
"""Settings of a model's calls that change no answer."""

MODEL_ARGUMENT = "-M "
"""Begins the names of the evaluated model's arguments, as users give them."""

_SECRET = re.compile("key|token|secret|password|credential", re.IGNORECASE)


@dataclass(frozen=True)
class StudyLog:
    """One log with all its scored responses.

    Attributes:
        path: where it was read from.
        name: its file's name.
        identity: what no other log has; prefixes items where logs are pooled.
        attempt_of: what a log and its retries share.
        model, task, task_version, created, status: from its header.
        settings: what its responses were made and judged with.
        judge: the judge's record, empty where nothing was judged.
        versions: of the packages and of every text that decides a score.
        metadata: what the task put there.
        records: the scored responses, without the judge's raw answers.
        counts: `planned` samples, those `in_log`, with an `error`, `without_score`; `generations`.
        usage: (`model` or `role`, name) to kinds of tokens and their numbers.
        notes: what a reader must be told of this log.
    """

    path: str
    name: str
    identity: str
    attempt_of: str
    model: str
    task: str
    task_version: str
    created: str
    status: str
    settings: Settings
    judge: dict[str, Any]
    versions: dict[str, str]
    metadata: dict[str, Any]
    records: list[ResponseRecord]
    counts: dict[str, int]
    usage: dict[tuple[str, str], dict[str, int]]
    notes: list[str] = field(default_factory=list)


def find_logs(paths: Iterable[str | Path]) -> list[str]:
    """All log files that some files and folders name, folders searched through; each once.

    Raises:
        InputFileError: a path is not there or is no log, or a folder holds none.
    """
    from inspect_ai.log import list_eval_logs

    found: list[str] = []
    for given in paths:
        path = Path(given)
        if path.is_dir():
            inside = [info.name for info in list_eval_logs(str(path))]
            if not inside:
                raise InputFileError(path, "holds no Inspect log (.eval or .json)")
            found += [name.removeprefix("file://") for name in inside]
        elif not path.is_file():
            raise InputFileError(path, "there is no such file or folder")
        elif path.suffix not in SUFFIXES:
            raise InputFileError(path, "is no Inspect log; logs end in .eval or .json")
        else:
            found.append(str(path.resolve()))
    return list(dict.fromkeys(str(Path(name).resolve()) for name in found))


def read_study_log(path: str) -> StudyLog:
    """Reads a log, finished or not.

    Raises:
        InputFileError: it cannot be read, has no score of `valueflow/intensity`, has two of them
            for a sample, or more than one judge; the message says which and what to do.
    """
    from inspect_ai.log import read_eval_log

    from valueflow.scorers.log_samples import log_samples

    try:
        log = read_eval_log(path, header_only=True)
        head = log.eval
        if not _may_have_scores(log):
            raise InputFileError(path, "has no scores of valueflow/intensity")
        counts: Counter[str] = Counter()
        records: list[ResponseRecord] = []
        sample_settings: dict[str, Any] = {}
        for sample in log_samples(path):
            counts["in_log"] += 1
            counts["generations"] += sample.output.choices != []
            counts["error"] += sample.error is not None
            sample_settings = sample_settings or (sample.metadata or {}).get(SAMPLE_KEY, {})
            found = [
                score.metadata[METADATA_KEY]
                for score in (sample.scores or {}).values()
                if score.metadata and METADATA_KEY in score.metadata
            ]
            if len(found) > 1:
                raise InputFileError(
                    path,
                    f"sample {sample.id} has {len(found)} scores of valueflow/intensity, whose "
                    "windows must not be counted together. Score the log again with "
                    "--action overwrite",
                )
            counts["without_score"] += not found
            records += [_without_answers(record) for record in found]
    except InputFileError:
        raise
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputFileError(path, f"is not a readable Inspect log ({reason})") from None
    if not records:
        raise InputFileError(path, "has no scores of valueflow/intensity")
    judge = _only(path, "judge", [r["judge"] for r in records if r.get("judge")])
    versions = _only(path, "version", [r["versions"] for r in records if r.get("versions")])
    metadata = dict(head.metadata or {})
    # The ids are those that --limit and --sample-id left of the dataset.
    planned = len(head.dataset.sample_ids or []) or (head.dataset.samples or 0)
    planned *= head.config.epochs or 1
    counts["planned"] = max(planned, counts["in_log"])
    return StudyLog(
        path=path,
        name=Path(path).name,
        identity=head.eval_id or f"{head.run_id}/{head.task_id}",
        attempt_of=head.task_id or head.eval_id,
        model=head.model,
        task=head.task_registry_name or head.task,
        task_version=str(head.task_version),
        created=str(head.created),
        status=log.status,
        settings=_settings(log, metadata, judge, versions, sample_settings),
        judge=judge,
        versions={**versions, "inspect_ai": str(head.packages.get("inspect_ai", ""))},
        metadata=metadata,
        records=records,
        counts=dict(counts),
        usage=_usage(log.stats),
        notes=_notes(log.status, counts, judge),
    )


def _may_have_scores(log: Any) -> bool:
    """Whether the header names our scorer; an unfinished log may have scores it does not name."""
    named = [score.scorer for score in (log.results.scores if log.results else [])]
    named += [scorer.name for scorer in log.eval.scorers or []]
    return not named or any(name.split("/")[-1] == SCORER for name in named)


def _without_answers(record: ResponseRecord) -> ResponseRecord:
    """A record without the judge's raw answers, which are most of its size and no statistic."""
    values = {
        name: {**value, "windows": [{**w, "raw": [], "labels": []} for w in value["windows"]]}
        for name, value in record["values"].items()
    }
    return {**record, "values": values}  # type: ignore[typeddict-item]


def _only(path: str, what: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    different = {json.dumps(one, sort_keys=True, default=str): one for one in found}
    if len(different) > 1:
        first, second = list(different.values())[:2]
        at = next(k for k in {**first, **second} if first.get(k) != second.get(k))
        raise InputFileError(
            path,
            f"has scores of more than one {what} ({at}: {first.get(at)} and {second.get(at)}), "
            "which must not be counted together. Score the log again with --action overwrite",
        )
    return next(iter(different.values()), {})


def _settings(
    log: Any,
    metadata: Mapping[str, Any],
    judge: Mapping[str, Any],
    versions: Mapping[str, str],
    sample: Mapping[str, Any],
) -> Settings:
    head = log.eval
    found: dict[str, Any] = {"model": head.model}
    for name, argument in (head.model_args or {}).items():
        found[f"{MODEL_ARGUMENT}{name}"] = "(hidden)" if _SECRET.search(name) else argument
    config = {**log.plan.config.model_dump(exclude_none=True)}
    config |= head.model_generate_config.model_dump(exclude_none=True)
    found |= {name: setting for name, setting in config.items() if name not in _NO_MATTER}
    step: dict[str, Any] = log.plan.steps[0].params if log.plan.steps else {}
    found["method"] = step.get("method") or metadata.get("method") or "responses made elsewhere"
    found["style"] = step.get("style")
    if found["method"] == "user_texts":
        found["exemplars"] = step.get("exemplars")
    found["word limit"] = sample.get("word_limit")
    found["wording"] = metadata.get("wording")
    found["responses"] = metadata.get("responses")
    found["queries"] = metadata.get("queries")
    found["queries revision"] = metadata.get("queries_revision")
    found["queries hash"] = metadata.get("queries_sha256")
    found["own values hash"] = metadata.get("own_values_sha256")
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
        if name not in _NO_MATTER:
            found[f"judge {name.replace('_', ' ')}"] = setting
    named = {"vidb": "anchors", "vidb_revision": "anchors revision", "vidb_sha256": "anchors hash"}
    skipped = {"model", "model_args", "config", "prompt_version", "is_evaluated_model"}
    for name, setting in drawn.items():
        if name not in skipped:
            found[named.get(name, name.replace("_", " "))] = setting
    return {name: _shown(setting) for name, setting in found.items() if setting not in (None, {})}


def _judge_arguments(roles: Mapping[str, Any], judge: Mapping[str, Any]) -> str | None:
    """The judge's model arguments, readable where the log's header still has those that were used
    (scoring again leaves the first judge's there), else as the hash that the record keeps."""
    known = judge.get("model_args")
    grader = roles.get("grader")
    arguments = dict(grader.args or {}) if grader is not None else {}
    for candidate in (arguments, {}):
        text = json.dumps(candidate, sort_keys=True, default=str)
        if hashlib.sha256(text.encode()).hexdigest()[:16] == known:
            shown = [
                f"{name}={'(hidden)' if _SECRET.search(name) else _shown(argument)}"
                for name, argument in candidate.items()
            ]
            return " ".join(shown) or "none"
    return str(known) if known else None


def _shown(setting: Any) -> str:
    if isinstance(setting, str):
        return setting
    return json.dumps(setting, sort_keys=True, default=str)


def _usage(stats: Any) -> dict[tuple[str, str], dict[str, int]]:
    kinds = {
        "input": "input_tokens",
        "output": "output_tokens",
        "reasoning": "reasoning_tokens",
        "cache_read": "input_tokens_cache_read",
        "total": "total_tokens",
    }
    return {
        (what, name): {kind: int(getattr(used, at) or 0) for kind, at in kinds.items()}
        for what, table in (("model", stats.model_usage), ("role", stats.role_usage))
        for name, used in table.items()
    }


def _notes(status: str, counts: Mapping[str, int], judge: Mapping[str, Any]) -> list[str]:
    notes = []
    if status != "success":
        notes.append(f"the run did not finish (status {status}); what there is was used")
    lacking = counts["planned"] - counts["in_log"]
    if lacking > 0:
        notes.append(f"{lacking} of {counts['planned']} planned samples are not in the log")
    if counts["error"]:
        notes.append(f"{counts['error']} samples ended in an error")
    if counts["without_score"]:
        notes.append(f"{counts['without_score']} samples have no score and were left out")
    if judge.get("is_evaluated_model"):
        notes.append("no grader was named, so the evaluated model judged its own responses")
    return notes
