"""Where the numbers of a built database come from, for its card and manifest.

recipe      as it was read, every setting with its value; no folders of this machine, no keys
judges      by stage: model, arguments, configuration, seats
versions    of the program, of Inspect, and of what judges are asked
asked       by stage: calls, answers of which nothing could be read
values      by value: windows and those that failed, the neutral point and the unit with errors
simulated   whether a simulated judge had a hand in it
packaged    the day, in UTC
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from valueflow.hub_assets.registry.loading import Value
from valueflow.hub_assets.vidb.download import without_secrets
from valueflow.rebuild.database.folder import (
    SCALE_VERSION,
    commits_of,
    counts_of,
    finish,
    finished,
    stage_file,
)
from valueflow.rebuild.database.recipe import JudgeSpec, Recipe, fingerprint
from valueflow.scorers.database.panel.prompts import PLAUSIBLE_PROMPT_VERSION
from valueflow.scorers.judge.questions.ranking import JUDGE_PROMPT_VERSION

__all__ = ["dated", "provenance_of"]

SIMULATED = ("valueflow/", "mockllm/")
"""How the names of models begin that make their answers up."""

_SECRET = re.compile(r"(?i)key|token|secret|password|credential|header|auth")


def provenance_of(recipe: Recipe, folder: Path, values: Sequence[Value]) -> dict[str, Any]:
    """What a build was made from and with; the same for the same build, whatever the day.

    Args:
        recipe: of the build.
        folder: of the build, finished up to the stage `flag`.
        values: those in the database.
    """
    judges = _judges(recipe)
    sentences = recipe.registry.sentences
    return {
        "recipe": _public(recipe.model_dump(mode="json", exclude={"folder"})),
        "commits": commits_of(folder),
        "judges": judges,
        "versions": {
            "valueflow": version("valueflow"),
            "inspect-ai": version("inspect-ai"),
            "wording": recipe.wording,
            "question of the panel": sentences.version_of("category"),
            "question for a ranking": JUDGE_PROMPT_VERSION,
            "question about odd rows": PLAUSIBLE_PROMPT_VERSION,
            "scale": SCALE_VERSION,
        },
        "asked": _asked(folder, values),
        "values": {f"{value.theory}:{value.name}": _numbers(folder, value) for value in values},
        "simulated": any(str(judge["model"]).startswith(SIMULATED) for judge in judges),
    }


def dated(provenance: Mapping[str, Any], folder: Path, rows: str) -> dict[str, Any]:
    """Provenance with the day on which these rows were first packaged so.

    Packaging the same again changes nothing. `SOURCE_DATE_EPOCH` (seconds since 1970), the usual
    variable of reproducible builds, sets the day.

    Args:
        provenance: from `provenance_of`.
        folder: of the build.
        rows: hash of the rows.
    """
    part = folder / "vidb"
    mark = fingerprint(provenance, rows)
    before = finished(part, mark)
    day = before["packaged"] if before else _today()
    finish(part, mark, {"packaged": day})
    return {**provenance, "packaged": day}


def _today() -> str:
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.fromtimestamp(int(given), UTC) if given.isdecimal() else datetime.now(UTC)
    return now.date().isoformat()


def _judges(recipe: Recipe) -> list[dict[str, Any]]:
    flag = recipe.flag.judges if recipe.flag.ask != "none" else ()
    stages: list[tuple[str, Sequence[JudgeSpec]]] = [
        ("categorize", recipe.categorize.judges),
        ("rank", [recipe.rank.judge]),
        ("flag", flag),
    ]
    return [
        {"stage": stage, **_public(spec.model_dump(mode="json"))}
        for stage, specs in stages
        for spec in specs
    ]


def _public(part: Any, name: str = "") -> Any:
    """A part of a recipe as it may be published: no keys, and no folders of this machine."""
    if isinstance(part, Mapping):
        return {str(key): _public(below, str(key)) for key, below in part.items()}
    if isinstance(part, list | tuple):
        return [_public(below, name) for below in part]
    if isinstance(part, str) and _SECRET.search(name):
        return "***"
    if not isinstance(part, str):
        return part
    path = Path(part)
    return path.name if path.is_absolute() or part.startswith("~") else without_secrets(part)


def _asked(folder: Path, values: Sequence[Value]) -> dict[str, dict[str, int]]:
    flags = [counts_of(stage_file(folder, "flag", value, ".csv")) for value in values]
    ranks = [counts_of(stage_file(folder, "rank", value, ".jsonl")) for value in values]
    panel = counts_of(folder / "categorize" / "rows.jsonl")
    return {
        "categorize": {
            "answers asked for again": int(panel.get("asked_again", 0)),
            "unreadable answers": int(panel.get("unreadable_answers", 0)),
            "rows left to people": int(panel.get("unresolved", 0)),
        },
        "rank": {
            "windows": sum(int(counts.get("windows", 0)) for counts in ranks),
            "failed windows": sum(int(counts.get("failed_windows", 0)) for counts in ranks),
            "calls": sum(int(counts.get("calls", 0)) for counts in ranks),
        },
        "flag": {
            "rows asked about": sum(int(counts.get("asked", 0)) for counts in flags),
            "unreadable answers": sum(int(c.get("unreadable_answers", 0)) for c in flags),
        },
    }


def _numbers(folder: Path, value: Value) -> dict[str, Any]:
    ranked = counts_of(stage_file(folder, "rank", value, ".jsonl"))
    scaled = counts_of(stage_file(folder, "scale", value, ".csv"))
    found = {name: ranked.get(name) for name in ("windows", "failed_windows", "calls")}
    found |= {name: scaled.get(name) for name in ("neutral_utility", "neutral_se", "unit_se")}
    # A number that is none (no error is known of a scale that people's ratings fixed) is null.
    return json.loads(json.dumps(found).replace("NaN", "null"))  # type: ignore[no-any-return]
