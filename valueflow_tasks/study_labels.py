"""How studies are told apart: letters, labels, and what makes them incomparable."""

from collections import defaultdict
from collections.abc import Sequence

from valueflow.run_logs import MODEL_ARGUMENT, Settings

__all__ = ["labels_of", "setting_warnings", "tag_of"]

LABELLED = 3
"""Most differing settings that a label names."""

# Settings that no label needs where another one says the same.
_FOLLOWING = {
    "anchors revision": "anchors",
    "queries revision": "queries",
    "data revision": "data",
    "data hash": "data",
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


def labels_of(settings: Sequence[Settings]) -> list[str]:
    """A label per study, from their settings: the model, then what differs between the studies."""
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
        labels.append(f"{one['model']} ({', '.join(shown)})" if shown else one["model"])
    return labels


def _word(name: str, setting: str) -> str:
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
