"""What the parts of a value were made from, and whether all of it still holds.

A stage that is run by itself must not put numbers on rows, rankings or settings that have changed
since; every stage therefore checks those before it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from valueflow.hub_assets.build_folder import finished, hash_of, read_lines, stage_file
from valueflow.hub_assets.build_recipe import Recipe, fingerprint
from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.registry import Value
from valueflow.scorers.judge_prompt import JUDGE_PROMPT_VERSION

__all__ = ["asked_mark", "check_scaled", "fit_mark", "rank_mark", "scale_mark", "support"]

Rows = Sequence[Mapping[str, Any]]


def rank_mark(recipe: Recipe, value: Value, rows: Rows) -> str:
    """Of the rankings of a value, from its curated rows."""
    texts = [(row["id"], row["text"]) for row in rows]
    return fingerprint(recipe.rank, recipe.seed, value.name, texts, JUDGE_PROMPT_VERSION)


def asked_mark(recipe: Recipe, value: Value, rows: Rows) -> str:
    """Of what a judge is asked about a value.

    Windows that are dealt at random are the same however many rounds of them there are, so that a
    build can go on with more rounds, or with fewer; adaptive ones are not.
    """
    spec = recipe.rank
    if not spec.adaptive:
        spec = spec.model_copy(update={"windows_per_text": 0})
    spec = spec.model_copy(update={"attempts": 0})
    return rank_mark(recipe.model_copy(update={"rank": spec}), value, rows)


def fit_mark(recipe: Recipe, folder: Path, value: Value, rows: Rows) -> str:
    """Of the utilities of a value.

    Raises:
        InputFileError: it is not ranked to the end, or was under another recipe or on other rows.
    """
    store = stage_file(folder, "rank", value, ".jsonl")
    ranked = rank_mark(recipe, value, rows)
    _check(store, ranked, "rank")
    return fingerprint(recipe.fit, ranked, hash_of(store))


def scale_mark(recipe: Recipe, folder: Path, value: Value, rows: Rows) -> str:
    """Of the intensities of a value.

    Raises:
        InputFileError: it is not fitted, or was under another recipe or to other rankings.
    """
    fitted = stage_file(folder, "fit", value, ".csv")
    _check(fitted, fit_mark(recipe, folder, value, rows), "fit")
    rated = recipe.path(recipe.scale.ratings) if recipe.scale.ratings else None
    supports = [support(row) for row in rows]
    return fingerprint(recipe.scale, hash_of(fitted), supports, hash_of(rated) if rated else None)


def check_scaled(recipe: Recipe, folder: Path, value: Value) -> None:
    """Checks that the intensities of a value are those of the recipe and of its curated rows.

    Raises:
        InputFileError: they, or what they were made from, are not.
    """
    rows = list(read_lines(stage_file(folder, "curate", value, ".jsonl"), "curate"))
    part = stage_file(folder, "scale", value, ".csv")
    _check(part, scale_mark(recipe, folder, value, rows), "scale")


def _check(part: Path, mark: str, stage: str) -> None:
    if not part.is_file():
        raise InputFileError(part, f"is not there yet; run the stage '{stage}' first")
    if finished(part, mark) is None:
        raise InputFileError(
            part,
            f"is not finished, or was made from another recipe or other rows; run the stage "
            f"'{stage}' first (`valueflow build vidb` runs all that are needed)",
        )


def support(row: Mapping[str, Any]) -> float:
    """From 0 (opposes) to 1 (supports): the share of the panel's votes, else the direction."""
    votes = [vote.split(":") for vote in row["votes"].split()]
    if votes:
        worth = {"support": 1.0, "oppose": 0.0}
        return sum(worth.get(k, 0.5) * int(n) for k, n in votes) / sum(int(n) for _, n in votes)
    return {"support": 1.0, "oppose": 0.0}.get(row["direction"], 0.5)
