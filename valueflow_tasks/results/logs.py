"""What logs of all our tasks have in common: where they are found, and what their headers say."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.settings import CALL_SETTINGS
from valueflow.scorers.saved.logs import hidden

__all__ = [
    "MODEL_ARGUMENT",
    "RunLog",
    "Settings",
    "as_settings",
    "evaluated_with",
    "header_of",
    "run_notes",
    "run_usage",
    "shown",
    "the_only",
    "without_folders",
]


Settings = dict[str, str]
"""What a log's responses were made and judged with: readable name to readable value."""

MODEL_ARGUMENT = "-M "
"""Begins the names of the evaluated model's arguments, as users give them."""


@dataclass(frozen=True, kw_only=True)
class RunLog:
    """One log with what its header says.

    Attributes:
        path: where it was read from.
        name: its file's name.
        identity: what no other log has; prefixes items where logs are pooled.
        attempt_of: what a log and its retries share.
        model, task, task_version, created, status: from its header.
        settings: what its responses were made and judged with.
        versions: of the packages and of every text that decides a score.
        metadata: what the task put there.
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
    versions: dict[str, str]
    metadata: dict[str, Any]
    counts: dict[str, int]
    usage: dict[tuple[str, str], dict[str, int]]
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many scored samples it holds."""
        raise NotImplementedError


def header_of(log: Any, path: str | Path) -> dict[str, Any]:
    """The fields of a `RunLog` that the header alone decides."""
    head = log.eval
    return {
        "path": str(path),
        "name": Path(path).name,
        "identity": head.eval_id or f"{head.run_id}/{head.task_id}",
        "attempt_of": head.task_id or head.eval_id,
        "model": head.model,
        "task": head.task_registry_name or head.task,
        "task_version": str(head.task_version),
        "created": str(head.created),
        "status": log.status,
        "metadata": dict(head.metadata or {}),
        "usage": run_usage(log.stats),
    }


def evaluated_with(log: Any) -> dict[str, Any]:
    """The evaluated model, its arguments with secrets hidden, and its generation settings."""
    head = log.eval
    found: dict[str, Any] = {"model": head.model}
    for name, argument in (head.model_args or {}).items():
        found[f"{MODEL_ARGUMENT}{name}"] = hidden(name, argument)
    config = {**log.plan.config.model_dump(exclude_none=True)}
    config |= head.model_generate_config.model_dump(exclude_none=True)
    return found | {name: setting for name, setting in config.items() if name not in CALL_SETTINGS}


def as_settings(found: Mapping[str, Any]) -> Settings:
    """Settings as text, without those that were not given."""
    return {name: shown(setting) for name, setting in found.items() if setting not in (None, {})}


# A path from the root of a machine; what stands before it is no part of a URL, a name or a path.
_FOLDERS = re.compile(
    r"(?:(?<![\w/.:])|(?<=\w/))/(?:[^\s/,;:()'\"<>]+/)+(?=[^\s/,;:()'\"<>])"
    r"|(?<!\w)[A-Za-z]:\\(?:[^\s\\]+\\)*"
)


def without_folders(text: str, known: Iterable[str] = ()) -> str:
    """A text in which files are named by their own names alone, as pages that are passed on need.

    Args:
        text: to be shown.
        known: paths that it may hold, for those with spaces.
    """
    for path in sorted(known, key=len, reverse=True):
        text = text.replace(path, path.rstrip("/").rpartition("/")[2])
    return _FOLDERS.sub("", text)


def shown(setting: Any) -> str:
    """A setting as text."""
    if isinstance(setting, str):
        return setting
    return json.dumps(setting, sort_keys=True, default=str)


def run_usage(stats: Any) -> dict[tuple[str, str], dict[str, int]]:
    """Tokens by model and by role, as the log states them."""
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


def the_only(path: str | Path, what: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """The one mapping that all are; empty where there is none.

    Raises:
        InputFileError: they differ.
    """
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


def run_notes(status: str, counts: Mapping[str, int]) -> list[str]:
    """What is missing in a log, one sentence each."""
    notes = []
    if status != "success":
        notes.append(f"the run did not finish (status {status}); what there is was used")
    lacking = counts["planned"] - counts["in_log"]
    if lacking > 0:
        notes.append(f"{lacking} of {counts['planned']} planned samples are not in the log")
    if counts["error"]:
        notes.append(f"{counts['error']} samples ended in an error")
    if counts["without_score"]:
        notes.append(f"{counts['without_score']} samples have no score (left out)")
    if counts["rescored"]:
        notes.append(f"{counts['rescored']} samples were scored more than once; the newest counts")
    return notes
