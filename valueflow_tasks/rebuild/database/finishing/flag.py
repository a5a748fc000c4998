"""The stage `flag`: rows that look odd, for people to rate."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inspect_ai.model import Model

from valueflow.hub_assets.files import write_csv
from valueflow.hub_assets.registry.loading import Value
from valueflow.hub_assets.seeds import generator_for
from valueflow.rebuild.database.folder import (
    Settings,
    check_begun,
    check_scaled,
    finish,
    finished,
    flag_reasons,
    scored_rows,
    stage_file,
)
from valueflow.rebuild.database.judging import (
    Budget,
    Question,
    ask_all,
    make_judge,
)
from valueflow.rebuild.database.recipe import Recipe, fingerprint, key_of, own_definitions
from valueflow.scorers.database.panel.prompts import (
    PLAUSIBLE_PROMPT_VERSION,
    plausible_answer,
    plausible_prompt,
    shown_score,
)
from valueflow.scorers.judge.asking import ask
from valueflow.scorers.judge.calls.store import open_store
from valueflow.scorers.judge.questions.ranking import draw_labels

__all__ = ["QUEUE", "flag_mark", "flag_value", "write_queue"]

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
    mark = flag_mark(recipe, rows)
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
            own = own_definitions(recipe.registry, [value])
            asked_with = (spec.judges, recipe.seed, key_of(value), PLAUSIBLE_PROMPT_VERSION)
            asked_by = fingerprint(*asked_with, *([own] if own else []), *recipe.told)
            settings = Settings(
                {
                    "judges": [seat.model_dump(mode="json") for seat in panel],
                    "version of the question": PLAUSIBLE_PROMPT_VERSION,
                    "wording": recipe.wording,
                    "definitions": own,
                },
                {"seed": recipe.seed},
            )
            check_begun(path, asked_by, "flag", settings)
            judges = [make_judge(recipe, seat, budget) for seat in panel]

            def questions() -> Iterator[Question]:
                for row in asked:
                    for seat, judge in enumerate(judges):
                        yield _question(recipe, value, row, seat, judge)

            total = len(asked) * len(judges)
            ask_all(questions(), total, store, recipe, budget, f"flag {key_of(value)}")
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


def flag_mark(recipe: Recipe, rows: Sequence[Mapping[str, Any]]) -> str:
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
