"""The stage `categorize`: a panel says which values a text is about, and in which direction.

Every seat is asked about a text once, about all values together. Where its votes on a value are
divided, the panel is asked about those values again, and may then answer `neutral`; what is still
divided goes to people, through a queue file.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from valueflow.build_judging import (
    Budget,
    CountedJudge,
    Question,
    ask_all,
    ask_until_read,
    make_judge,
)
from valueflow.hub_assets.build_folder import (
    check_begun,
    finish,
    finished,
    hash_of,
    read_lines,
    write_lines,
)
from valueflow.hub_assets.build_recipe import CategorizeSpec, Recipe, fingerprint
from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import write_csv
from valueflow.hub_assets.judgement_store import JudgementStore, open_store
from valueflow.hub_assets.registry import Value, load_registry
from valueflow.hub_assets.review_directions import Settled, keep_settled, settle_directions
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.vidb_schema import DIRECTIONS, split_hash_of
from valueflow.scorers.judge_prompt import draw_labels
from valueflow.scorers.panel_prompt import (
    CATEGORY_PROMPT_VERSION,
    category_correction,
    category_prompt,
    read_category_answer,
)
from valueflow.scorers.panel_rule import accepted

__all__ = ["QUEUE", "asked_values", "categorize"]

QUEUE = ("id", "text", "theory", "value", "votes", "direction", "reviewer")

Record = Mapping[str, Any]


def categorize(recipe: Recipe, folder: Path, budget: Budget) -> dict[str, Any]:
    """Runs the stage; see the module's text.

    Returns:
        Counts: rows by direction, unresolved, judged, unreadable.

    Raises:
        ValueflowError: an earlier stage is not there; budget spent; the judge failed.
    """
    spec = recipe.categorize
    source = folder / "import" / "texts.jsonl"
    part = folder / "categorize" / "rows.jsonl"
    texts = list(read_lines(source, "import"))
    human = recipe.path(spec.human) if spec.human else None
    asked = fingerprint(
        hash_of(source),
        spec.model_copy(update={"human": None}),
        [v.name for v in recipe.wanted()],
        recipe.seed,
        CATEGORY_PROMPT_VERSION,
    )
    settled = Settled() if human else settle_directions(folder)
    mark = fingerprint(asked, spec, hash_of(human) if human else settled.mark)
    if (done := finished(part, mark)) is not None:
        return done
    told = _human_directions(human) if human else settled.directions
    repaired = 0
    votes: dict[str, dict[str, list[str]]] = {}
    unreadable = 0
    if spec.values != "given":
        path = folder / "categorize" / "judgements.jsonl"
        with open_store(path) as store:
            check_begun(path, asked, "categorize")
            repaired = store.repaired
            panel = [make_judge(recipe, seat, budget) for seat in spec.panel()]
            pending = {t["id"]: asked_values(t, recipe) for t in texts}
            for number in (1, 2):
                _ask_round(recipe, texts, pending, panel, store, budget, number)
                unreadable += _count_votes(pending, store, votes, len(panel), number)
                pending = _divided(pending, votes, spec)
    rows, queue = _decide(texts, votes, told, recipe)
    keep_settled(folder, settled)
    write_lines(part, rows)
    write_csv(folder / "categorize" / "queue.csv", QUEUE, queue)
    counts = {
        **Counter(row["direction"] for row in rows),
        "rows": len(rows),
        "unresolved": len(queue),
        "unreadable_answers": unreadable,
        "rows_cut_by_a_kill": repaired,
    }
    finish(part, mark, counts)
    return counts


def asked_values(text: Record, recipe: Recipe) -> list[Value]:
    """The values that a panel is asked about for a text."""
    wanted = recipe.wanted()
    if recipe.categorize.values == "panel":
        return list(wanted)
    return [value for value in wanted if f"{value.theory}:{value.name}" in text["labels"]]


def _ask_round(
    recipe: Recipe,
    texts: Sequence[Record],
    pending: Mapping[str, Sequence[Value]],
    panel: Sequence[CountedJudge],
    store: JudgementStore,
    budget: Budget,
    number: int,
) -> None:
    def questions() -> Iterator[Question]:
        for text in texts:
            for theory, values in _by_theory(pending[text["id"]]).items():
                for seat, judge in enumerate(panel):
                    key = _key(text["id"], theory, number, seat)
                    yield _question(recipe, key, text, theory, values, judge, number)

    groups = sum(len(_by_theory(values)) for values in pending.values())
    ask_all(questions(), groups * len(panel), store, recipe, budget, f"categorize, round {number}")


def _key(name: str, theory: str, number: int, seat: int) -> str:
    return f"{name}/{theory}/{number}/{seat}"


def _question(
    recipe: Recipe,
    key: str,
    text: Record,
    theory: str,
    values: Sequence[Value],
    judge: CountedJudge,
    number: int,
) -> Question:
    names = [value.name for value in values]

    async def ask() -> dict[str, Any]:
        generator = generator_for(recipe.seed, "category", text["id"], number)
        code = draw_labels([text["text"]], generator)[0]
        prompt = category_prompt(
            load_registry().theories[theory], values, text["text"], code, number
        )
        row = await ask_until_read(
            judge,
            prompt,
            lambda answer: read_category_answer(answer, names, number),
            category_correction(names, number),
            recipe.categorize.attempts,
        )
        return row if "error" in row else {"judge": str(judge.inner), **row}

    return Question(key, ask)


def _by_theory(values: Sequence[Value]) -> dict[str, list[Value]]:
    found: defaultdict[str, list[Value]] = defaultdict(list)
    for value in values:
        found[value.theory].append(value)
    return dict(found)


def _count_votes(
    pending: Mapping[str, Sequence[Value]],
    store: JudgementStore,
    votes: dict[str, dict[str, list[str]]],
    seats: int,
    number: int,
) -> int:
    """Puts the votes of a round in place of those before; how many seats could not be read."""
    unreadable = 0
    for name, values in pending.items():
        for theory, group in _by_theory(values).items():
            answers = [store.rows[_key(name, theory, number, s)]["answer"] for s in range(seats)]
            unreadable += sum(answer is None for answer in answers)
            for value in group:
                found = [answer[value.name] for answer in answers if answer is not None]
                votes.setdefault(name, {})[f"{theory}:{value.name}"] = found
    return unreadable


def _divided(
    pending: Mapping[str, Sequence[Value]],
    votes: Mapping[str, Mapping[str, Sequence[str]]],
    spec: CategorizeSpec,
) -> dict[str, list[Value]]:
    return {
        name: [
            v
            for v in values
            if accepted(votes[name][f"{v.theory}:{v.name}"], spec.accept_votes, spec.accept_lead)
            is None
        ]
        for name, values in pending.items()
    }


def _decide(
    texts: Sequence[Record],
    votes: Mapping[str, Mapping[str, Sequence[str]]],
    told: Mapping[tuple[str, str], str],
    recipe: Recipe,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows with a direction, and the queue of those that only a person can decide."""
    spec = recipe.categorize
    rows, queue = [], []
    for text in texts:
        for value in asked_values(text, recipe):
            name = f"{value.theory}:{value.name}"
            label = text["labels"].get(name, {"path": value.name, "direction": None})
            found = votes.get(text["id"], {}).get(name, [])
            if spec.values == "given":
                direction = label["direction"]
            else:
                direction = accepted(found, spec.accept_votes, spec.accept_lead)
            if direction == "none" and spec.values == "labels":
                direction = "neutral"  # the source says that it is about the value
            direction = told.get((text["id"], value.name), direction)
            counted = " ".join(f"{k}:{n}" for k, n in sorted(Counter(found).items()))
            row = {"id": text["id"], "text": text["text"], "theory": value.theory}
            row |= {"value": value.name, "votes": counted, "direction": direction}
            if direction is None:
                queue.append(row | {"direction": None})
            elif direction != "none":
                rows.append(
                    row
                    | {
                        "path": label["path"],
                        "source": text["source"],
                        "license": text["license"],
                    }
                )
    return rows, queue


def _human_directions(path: Path) -> dict[tuple[str, str], str]:
    """(text's id, value) to the direction that a person gave; rows left empty are passed over."""
    found: dict[tuple[str, str], str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for number, cells in enumerate(csv.DictReader(stream), start=1):
                direction = (cells.get("direction") or "").strip().lower()
                if not direction:
                    continue
                if direction not in (*DIRECTIONS, "none"):
                    raise InputFileError(
                        path,
                        f"{direction!r} is none of {', '.join(DIRECTIONS)}, none",
                        row=number,
                        column="direction",
                    )
                name = cells.get("id") or split_hash_of(cells.get("text") or "")
                found[name, load_registry().value(cells.get("value")).name] = direction
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror})") from None
    return found
