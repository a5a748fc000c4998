"""The stage `package`: merges people's ratings and writes the packaged database."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.registry.loading import Value
from valueflow.hub_assets.vidb.schema import split_hash_of
from valueflow.rebuild.database.finishing.flag import flag_mark
from valueflow.rebuild.database.finishing.provenance import dated, provenance_of
from valueflow.rebuild.database.folder import (
    check_scaled,
    finished,
    flag_reasons,
    hash_of,
    scored_rows,
    stage_file,
    write_lines,
)
from valueflow.rebuild.database.recipe import Recipe, key_of
from valueflow.rebuild.database.review.ratings import Rating, gather_ratings, review_told

__all__ = ["merged_score", "package_rows"]

SIMULATED_NOTE = (
    "a simulated judge had a hand in this: card and manifest say so, and a push needs --simulated"
)


def merged_score(
    intensity: float, intensity_se: float, rating: Rating, weight: float
) -> tuple[float, float]:
    """(1 - weight) * intensity + weight * mean rating, and its standard error.

    A single rating tells nothing of its error; the intensity's own error then stands for both.
    """
    rating_se = intensity_se if rating.standard_error is None else rating.standard_error
    merged = (1 - weight) * intensity + weight * rating.mean
    return merged, (((1 - weight) * intensity_se) ** 2 + (weight * rating_se) ** 2) ** 0.5


def package_rows(recipe: Recipe, folder: Path, values: Sequence[Value]) -> dict[str, Any]:
    """Merges ratings, those of the recipe and those of `DIR/review`, and writes the packaged
    database `vidb`.

    Returns:
        Counts: rows, rated and filtered rows, rated rows that are not `filtered` since they are
        held out, flagged rows that nobody has rated; and notes.

    Raises:
        ValueflowError: an earlier stage is not there, or was made from another recipe or other
            rows; no value has a row; or the rows break the schema.
    """
    from valueflow.hub_assets.publish.package import held_out_hashes, package_table

    spec = recipe.review
    scored = {value: _current(recipe, folder, value) for value in values}
    left_out = [key_of(value) for value, found in scored.items() if not found]
    if len(left_out) == len(scored):
        raise InputFileError(
            folder,
            "holds no row to package: no value has two rows or more that could be put on a scale; "
            "the notes of the stages 'curate' and 'scale' say why",
        )
    keys = {(row["id"], key_of(value)) for value, found in scored.items() for row in found}
    file = recipe.path(spec.ratings) if spec.ratings else None
    gathered = gather_ratings(file, folder, keys, recipe.registry)
    held_out = recipe.path(recipe.package.held_out) if recipe.package.held_out else None
    held = held_out_hashes(held_out) if held_out is not None else frozenset()
    rows: list[dict[str, Any]] = []
    rated = filtered = unreviewed = kept_for_tests = 0
    for value in values:
        marks = flag_reasons(folder, value)
        for row in scored.pop(value):
            rating = gathered.ratings.get((row["id"], key_of(value)))
            row["filtered"] = "false"
            unreviewed += row["id"] in marks and rating is None
            if rating is not None:
                rated += 1
                apart = abs(rating.mean - row["intensity"])
                if apart <= spec.agree_within and rating.mean * row["intensity"] >= 0:
                    if split_hash_of(row["text"]) in held:
                        kept_for_tests += 1
                    else:
                        row["filtered"] = "true"
                        filtered += 1
                row["intensity"], row["intensity_se"] = merged_score(
                    row["intensity"], row["intensity_se"], rating, spec.weight
                )
            for dropped in ("id", "votes"):
                del row[dropped]
            rows.append(row)
    left = [value for value in values if key_of(value) not in left_out]
    made = provenance_of(recipe, folder, left)
    told = review_told(gathered, folder, spec.weight, recipe.categorize.human is not None)
    with tempfile.TemporaryDirectory() as temporary:
        table = Path(temporary) / "rows.jsonl"
        write_lines(table, rows)
        packaged = package_table(
            table,
            folder / "vidb",
            held_out=held_out,
            notes=recipe.path(recipe.package.notes) if recipe.package.notes else None,
            construction=_construction(recipe) | told,
            provenance=dated(made, folder, hash_of(table)),
            leave_out_restricted=recipe.package.leave_out_restricted,
            overwrite=True,
            registry=recipe.registry,
        )
    return {
        "rows": len(rows),
        "rated": rated,
        "reviewers": len(gathered.reviewers),
        "filtered": filtered,
        "rated_and_held_out": kept_for_tests,
        "flagged_and_not_rated": unreviewed,
        "values_left_out": len(left_out),
        "notes": [
            *([f"left out, since they have no scale: {', '.join(left_out)}"] if left_out else []),
            *([SIMULATED_NOTE] if made["simulated"] else []),
            *gathered.notes,
            *packaged.notes,
        ],
    }


def _current(recipe: Recipe, folder: Path, value: Value) -> list[dict[str, Any]]:
    """The scored rows of a value, checked to be those of the recipe."""
    check_scaled(recipe, folder, value)
    rows = scored_rows(folder, value)
    part = stage_file(folder, "flag", value, ".csv")
    if part.is_file() and finished(part, flag_mark(recipe, rows)) is None:
        raise InputFileError(
            part, "was made from other scores or another recipe; run the stage 'flag' first"
        )
    return rows


def _construction(recipe: Recipe) -> dict[str, str]:
    """What the card says of how the intensities came about."""
    panel, rank, scale = recipe.categorize, recipe.rank, recipe.scale
    return {
        "categorisation": "values and directions from the sources"
        if panel.values == "given"
        else f"a panel of {len(panel.panel())} ({_models(panel.panel())}); accepted with "
        f"{panel.accept_votes} votes or a lead of {panel.accept_lead}",
        "ranking": f"{rank.judge.model}, windows of {rank.window_size} texts, "
        f"{rank.windows_per_text} windows a text{', adaptive' if rank.adaptive else ''}",
        "fit": f"Plackett-Luce, ridge {recipe.fit.ridge:g}",
        "scale": "rising map with the neutral point at 0, fitted on "
        + ("human ratings" if scale.fit_on == "ratings" else "direction labels"),
    }


def _models(panel: Sequence[Any]) -> str:
    return ", ".join(dict.fromkeys(seat.model for seat in panel))
