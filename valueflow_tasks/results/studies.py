"""How studies are told apart: letters, labels, and what makes them incomparable."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.results.logs import MODEL_ARGUMENT, RunLog, Settings, without_folders
from valueflow.scorers.saved.logs import last_attempts

__all__ = [
    "Log",
    "LoggedStudies",
    "LoggedStudy",
    "Progress",
    "Skipped",
    "alike",
    "labels_of",
    "named",
    "pooled",
    "read_each",
    "setting_warnings",
    "tag_of",
    "unusable",
    "without_repeats",
]

LABELLED = 3
"""Most differing settings that a label names."""

# Settings that no label needs where another one says the same.
_FOLLOWING = {
    "anchors revision": "anchors",
    "judge wording": "wording",
    "queries revision": "queries",
    "data revision": "data",
    "data hash": "data",
    "responses hash": "responses",
    "leakage": "data",
    "profiles hash": "profiles",
    "relevance hash": "relevance",
    "relevance model": "relevance",
    "relevance method": "relevance",
}


def tag_of(index: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def labels_of(settings: Sequence[Settings], models: Mapping[str, str] | None = None) -> list[str]:
    """A label per study, from their settings: the model, then what differs between the studies.

    Args:
        settings: of each study.
        models: what models are called, where they are not called by their own names.

    Raises:
        OptionError: no study is of one of these models.
    """
    called = models or {}
    if lacking := [name for name in called if name not in {one["model"] for one in settings}]:
        raise OptionError("label", f"{', '.join(lacking)}: no log is of this model")
    names = list(dict.fromkeys(name for one in settings for name in one))
    # Method first, then the model's arguments, then the rest as it was written.
    names.sort(key=lambda name: (name != "method", not name.startswith(MODEL_ARGUMENT)))
    labels = []
    for one in settings:
        differing = [
            name
            for name in names
            if name != "model"
            and len({other.get(name) for other in _beside(one, settings, name)}) > 1
        ]
        told = [name for name in differing if _FOLLOWING.get(name) not in differing]
        words = [_word(name, one[name]) for name in told if name in one]
        more = len(words) - LABELLED
        shown = words if more <= 0 else [*words[:LABELLED], f"and {more} more"]
        model = called.get(one["model"], one["model"])
        labels.append(f"{model} ({', '.join(shown)})" if shown else model)
    return labels


def _word(name: str, setting: str) -> str:
    setting = without_folders(setting)
    if name == "method":
        return setting
    if name.startswith(MODEL_ARGUMENT):
        return f"{name.removeprefix(MODEL_ARGUMENT)}={setting}"
    if name == "judge arguments":
        return "judge without arguments" if setting == "none" else f"judge with {setting}"
    return f"{name}: {setting}"


def _beside(one: Settings, settings: Sequence[Settings], name: str) -> list[Settings]:
    """The studies from which a setting must tell a study apart: those of the same model; methods
    are named wherever there are several."""
    return [other for other in settings if name == "method" or other["model"] == one["model"]]


def setting_warnings(
    studies: Sequence[tuple[str, Settings]], comparability: Sequence[str]
) -> list[str]:
    """What makes studies incomparable, told by their letters.

    Args:
        studies: letter and settings of each.
        comparability: names of the settings that decide it.
    """
    warnings = []
    for name in comparability:
        found: dict[str, list[str]] = defaultdict(list)
        for tag, settings in studies:
            if settings.get(name) is not None:
                found[settings[name]].append(tag)
        if len(found) > 1:
            told = "; ".join(f"{', '.join(of)}: {value}" for value, of in found.items())
            warnings.append(
                f"The studies differ in {name} ({told}). They are never pooled; differences "
                "between them may come from this and not from the models."
            )
    return warnings


Log = TypeVar("Log", bound=RunLog)


Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Skipped:
    """A log that was not used, and why."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class LoggedStudy(Generic[Log]):
    """Logs that may be taken as one, whatever their task.

    Attributes:
        tag: a letter, for short; empty where there is one study only.
        label: the tag, the model, and what sets the study apart from others of the model.
        model: the evaluated model.
        logs: the logs that were pooled.
        usage: (`model`, `judge` or `role`, name) to kinds of tokens and their numbers, of all logs.
        settings: everything that the logs share.
        counts: samples planned, in the logs, failed, without score, and generations.
        notes: what a reader must be told.
    """

    tag: str
    label: str
    model: str
    logs: list[Log]
    usage: dict[tuple[str, str], dict[str, int]]
    settings: Settings
    counts: dict[str, int]
    notes: list[str]


OneStudy = TypeVar("OneStudy", bound=LoggedStudy[Any])


@dataclass(frozen=True)
class LoggedStudies(Generic[OneStudy]):
    """All studies of some logs.

    Attributes:
        studies: in the order of their first logs.
        skipped: logs that were left out.
        warnings: what a reader must be told before comparing studies.
    """

    studies: list[OneStudy]
    skipped: list[Skipped]
    warnings: list[str]


def read_each(
    files: Sequence[Path], read: Callable[[Path], Log], tell: Progress, doing: str
) -> tuple[list[Log], list[Skipped]]:
    """Reads logs one by one; those that cannot be used are told with the reason."""
    logs: list[Log] = []
    skipped: list[Skipped] = []
    for index, path in enumerate(files):
        tell(doing, index, len(files))
        try:
            logs.append(read(path))
        except InputFileError as error:
            skipped.append(Skipped(str(path), error.message))
    if files:
        tell(doing, len(files), len(files))
    return logs, skipped


def unusable(paths: Iterable[str | Path], skipped: Sequence[Skipped]) -> InputFileError:
    """The error for logs of which none can be used."""
    if len(skipped) == 1:
        return InputFileError(skipped[0].path, skipped[0].reason)
    told = "; ".join(f"{Path(one.path).name} {one.reason}" for one in skipped)
    return InputFileError(
        ", ".join(map(str, paths)), f"none of the {len(skipped)} logs can be used: {told}"
    )


def alike(logs: Sequence[Log]) -> list[list[Log]]:
    """Logs of the same settings together, in the order in which they were made."""
    groups: dict[tuple[tuple[str, str], ...], list[Log]] = defaultdict(list)
    for log in sorted(logs, key=lambda log: (log.created, log.path)):
        groups[tuple(sorted(log.settings.items()))].append(log)
    return list(groups.values())


def named(
    settings: Sequence[Settings],
    models: Mapping[str, str] | None = None,
    *,
    tagged: bool = False,
    first_tag: int = 0,
) -> list[tuple[str, str]]:
    """Letter and label of each study, see `labels_of`; a study that stands alone has no letter.

    Args:
        settings: of each study.
        models: what models are called, where they are not called by their own names.
        tagged: whether a lone study gets a letter too, because others stand beside it.
        first_tag: how many letters are taken already.

    Raises:
        OptionError: no study is of one of these models.
    """
    labels = labels_of(settings, models)
    if not tagged and len(labels) < 2:
        return [("", label) for label in labels]
    tags = [tag_of(first_tag + index) for index in range(len(labels))]
    return [(tag, f"{tag}: {label}") for tag, label in zip(tags, labels, strict=True)]


def without_repeats(group: Sequence[Log], skipped: list[Skipped]) -> list[Log]:
    """Logs of one study, without those that a retry or a copy repeats; these go to `skipped`."""
    kept = []
    for log, best in last_attempts(group, lambda log: log.attempt_of, lambda log: log.size):
        if log is best:
            kept.append(log)
            continue
        reason = (
            f"holds responses of the same task as {best.name}, its retry or copy, which is used "
            "instead"
        )
        skipped.append(Skipped(log.path, reason))
    return kept


def pooled(logs: Sequence[RunLog]) -> tuple[dict[str, int], dict[tuple[str, str], dict[str, int]]]:
    """Counts and usage of several logs, summed; see `RunLog`."""
    counts: Counter[str] = Counter()
    usage: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for log in logs:
        counts.update(log.counts)
        for name, used in log.usage.items():
            usage[name].update(used)
    return dict(counts), {name: dict(used) for name, used in usage.items()}
