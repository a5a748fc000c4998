"""The stages `flag` and `package`: what looks odd goes to people, the rest into the database."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inspect_ai.model import Model

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import write_csv
from valueflow.hub_assets.registry.loading import Value
from valueflow.hub_assets.seeds import generator_for
from valueflow.rebuild.database.folder import (
    check_begun,
    check_scaled,
    finish,
    finished,
    flag_reasons,
    scored_rows,
    stage_file,
    write_lines,
)
from valueflow.rebuild.database.judging import (
    Budget,
    Question,
    ask_all,
    make_judge,
)
from valueflow.rebuild.database.recipe import Recipe, fingerprint
from valueflow.rebuild.database.review.ratings import Rating, gather_ratings, review_told
from valueflow.scorers.database.panel.prompts import (
    PLAUSIBLE_PROMPT_VERSION,
    plausible_answer,
    plausible_prompt,
    shown_score,
)
from valueflow.scorers.judge.asking import ask
from valueflow.scorers.judge.calls.store import open_store
from valueflow.scorers.judge.questions.ranking import draw_labels

__all__ = ["QUEUE", "flag_value", "merged_score", "package_rows", "write_queue"]

FLAGS = ("id", "reason", "odd_votes", "votes", "flagged")
QUEUE = (
    "id",
    "text",
    "theory",
    "value",
    "direction",
    "intensity",
    "intensity_se",
    "reason",
    "rating",
    "reviewer",
)

FAR_FROM_NEUTRAL = 5.0
"""Points from 0 at which a text that was labelled neutral is a suspect."""


def flag_value(recipe: Recipe, folder: Path, value: Value, budget: Budget) -> dict[str, Any]:
    """Finds odd rows of a value: suspects by their numbers, which a panel confirms where there is
    one.

    Returns:
        Counts: suspects, asked, flagged, unreadable answers.

    Raises:
        ValueflowError: the earlier stage is not there; budget spent; the judge failed.
    """
    spec = recipe.flag
    part = stage_file(folder, "flag", value, ".csv")
    check_scaled(recipe, folder, value)
    rows = scored_rows(folder, value)
    mark = _mark(recipe, rows)
    if (done := finished(part, mark)) is not None:
        return done
    reasons = {row["id"]: _suspicion(row) for row in rows}
    panel = spec.panel() if spec.ask != "none" else []
    asked = [row for row in rows if panel and (spec.ask == "all" or reasons[row["id"]])]
    votes: dict[str, list[str | None]] = {}
    if asked:
        path = stage_file(folder, "flag", value, ".jsonl")
        with open_store(path) as store:
            # The score that is shown is in a question's key, so that only other judges would mix.
            asked_by = fingerprint(
                spec.judges, recipe.seed, value.name, PLAUSIBLE_PROMPT_VERSION, *recipe.told
            )
            check_begun(path, asked_by, "flag")
            judges = [make_judge(recipe, seat, budget) for seat in panel]

            def questions() -> Iterator[Question]:
                for row in asked:
                    for seat, judge in enumerate(judges):
                        yield _question(recipe, value, row, seat, judge)

            total = len(asked) * len(judges)
            ask_all(questions(), total, store, recipe, budget, f"flag {value.name}")
            for row in asked:
                keys = [_key(row, seat) for seat in range(len(judges))]
                votes[row["id"]] = [store.rows[key]["answer"] for key in keys]
    marks = []
    for row in rows:
        said = votes.get(row["id"], [])
        odd = sum(vote == "odd" for vote in said)
        readable = sum(vote is not None for vote in said)
        reason = reasons[row["id"]]
        # A panel has the last word; without one, a suspect is flagged as it is.
        flagged = 2 * odd > readable if readable else bool(reason)
        if reason or flagged:
            why = reason or "the panel calls the score odd"
            votes_told = {"odd_votes": odd, "votes": readable, "flagged": int(flagged)}
            marks.append({"id": row["id"], "reason": why, **votes_told})
    write_csv(part, FLAGS, marks)
    counts = {
        "suspects": sum(bool(reason) for reason in reasons.values()),
        "asked": len(asked),
        "flagged": sum(mark["flagged"] for mark in marks),
        "unreadable_answers": sum(vote is None for said in votes.values() for vote in said),
    }
    finish(part, mark, counts)
    return counts


def _mark(recipe: Recipe, rows: Sequence[Mapping[str, Any]]) -> str:
    return fingerprint(recipe.flag, rows, recipe.seed, PLAUSIBLE_PROMPT_VERSION, *recipe.told)


def _suspicion(row: Mapping[str, Any]) -> str:
    """Why a row's numbers look odd; the empty string where they do not."""
    intensity, error, direction = row["intensity"], row["intensity_se"], row["direction"]
    if row["n_comparisons"] == 0:
        return "in no ranking"
    if direction == "support" and intensity + error < 0:
        return "labelled as supporting, ranked as opposing"
    if direction == "oppose" and intensity - error > 0:
        return "labelled as opposing, ranked as supporting"
    if direction == "neutral" and abs(intensity) - error > FAR_FROM_NEUTRAL:
        return "labelled neutral, ranked far from it"
    return ""


def _question(
    recipe: Recipe, value: Value, row: Mapping[str, Any], seat: int, judge: Model
) -> Question:
    async def put() -> dict[str, Any]:
        code = draw_labels([row["text"]], generator_for(recipe.seed, "flag", row["id"]))[0]
        theory = recipe.registry.theories[value.theory]
        prompt = plausible_prompt(
            theory, theory.nodes[value.name], row["text"], code, row["intensity"]
        )
        reply = await ask(
            judge,
            prompt,
            lambda output: plausible_answer(output.completion),
            "Answer with the one word 'plausible' or 'odd'.",
            attempts=recipe.flag.attempts,
            version=f"plausible {PLAUSIBLE_PROMPT_VERSION}",
        )
        if reply.error is not None:
            return {"error": reply.error}
        return {"judge": str(judge), "answer": reply.found, "calls": reply.calls}

    return Question(_key(row, seat), put)


def _key(row: Mapping[str, Any], seat: int) -> str:
    return f"{row['id']}/{seat}/{shown_score(row['intensity'])}"


def write_queue(folder: Path, values: Sequence[Value]) -> int:
    """Writes `flag/queue.csv`: all flagged rows, with room for a rating; how many they are."""
    queue = []
    for value in values:
        marks = flag_reasons(folder, value)
        for row in scored_rows(folder, value):
            if row["id"] in marks:
                queue.append(row | {"reason": marks[row["id"]], "rating": None, "reviewer": None})
    write_csv(folder / "flag" / "queue.csv", QUEUE, queue)
    return len(queue)


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
        Counts: rows, rated and filtered rows, flagged rows that nobody has rated; and notes.

    Raises:
        ValueflowError: an earlier stage is not there, or was made from another recipe or other
            rows; no value has a row; or the rows break the schema.
    """
    from valueflow.hub_assets.publish.package import package_table

    spec = recipe.review
    scored = {value: _current(recipe, folder, value) for value in values}
    left_out = [value.name for value, found in scored.items() if not found]
    if len(left_out) == len(scored):
        raise InputFileError(
            folder,
            "holds no row to package: no value has two rows or more that could be put on a scale; "
            "the notes of the stages 'curate' and 'scale' say why",
        )
    keys = {(row["id"], value.name) for value, found in scored.items() for row in found}
    file = recipe.path(spec.ratings) if spec.ratings else None
    gathered = gather_ratings(file, folder, keys)
    rows: list[dict[str, Any]] = []
    rated = filtered = unreviewed = 0
    for value in values:
        marks = flag_reasons(folder, value)
        for row in scored.pop(value):
            rating = gathered.ratings.get((row["id"], value.name))
            row["filtered"] = "false"
            unreviewed += row["id"] in marks and rating is None
            if rating is not None:
                rated += 1
                apart = abs(rating.mean - row["intensity"])
                if apart <= spec.agree_within and rating.mean * row["intensity"] >= 0:
                    row["filtered"] = "true"
                    filtered += 1
                row["intensity"], row["intensity_se"] = merged_score(
                    row["intensity"], row["intensity_se"], rating, spec.weight
                )
            for dropped in ("id", "votes"):
                del row[dropped]
            rows.append(row)
    told = review_told(gathered, folder, spec.weight, recipe.categorize.human is not None)
    with tempfile.TemporaryDirectory() as temporary:
        table = Path(temporary) / "rows.jsonl"
        write_lines(table, rows)
        packaged = package_table(
            table,
            folder / "vidb",
            held_out=recipe.path(recipe.package.held_out) if recipe.package.held_out else None,
            notes=recipe.path(recipe.package.notes) if recipe.package.notes else None,
            construction=_construction(recipe) | told,
            leave_out_restricted=recipe.package.leave_out_restricted,
            overwrite=True,
        )
    return {
        "rows": len(rows),
        "rated": rated,
        "reviewers": len(gathered.reviewers),
        "filtered": filtered,
        "flagged_and_not_rated": unreviewed,
        "values_left_out": len(left_out),
        "notes": [
            *([f"left out, since they have no scale: {', '.join(left_out)}"] if left_out else []),
            *gathered.notes,
            *packaged.notes,
        ],
    }


def _current(recipe: Recipe, folder: Path, value: Value) -> list[dict[str, Any]]:
    """The scored rows of a value, checked to be those of the recipe."""
    check_scaled(recipe, folder, value)
    rows = scored_rows(folder, value)
    part = stage_file(folder, "flag", value, ".csv")
    if part.is_file() and finished(part, _mark(recipe, rows)) is None:
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
