"""The stages `rank`, `fit` and `scale` of one value: from windows to intensities."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from inspect_ai.model import Model
from numpy.typing import NDArray

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import write_csv, write_text
from valueflow.hub_assets.inputs.rows import rows_of
from valueflow.hub_assets.registry.loading import Value
from valueflow.hub_assets.seeds import generator_for
from valueflow.rebuild.database.folder import (
    asked_mark,
    check_begun,
    finish,
    finished,
    fit_mark,
    rank_mark,
    read_lines,
    scale_mark,
    stage_file,
    support,
)
from valueflow.rebuild.database.judging import Budget, Question, ask_all, make_judge
from valueflow.rebuild.database.recipe import RankSpec, Recipe
from valueflow.rebuild.database.review.ratings import read_ratings
from valueflow.scorers.database.ranking.fit import fit_rankings
from valueflow.scorers.database.ranking.rounds import (
    bridging_windows,
    deal_round,
    neighbour_round,
    parts_of,
)
from valueflow.scorers.database.ranking.scale import scale_from_directions, scale_from_ratings
from valueflow.scorers.judge.asking import judge_window
from valueflow.scorers.judge.calls.store import open_store, read_store
from valueflow.scorers.judge.questions.ranking import draw_labels, judge_prompt

__all__ = ["expected_windows", "fit_value", "rank_value", "scale_value"]

FIT = ("id", "utility", "utility_se", "n_comparisons")
SCALE = ("id", "utility", "utility_se", "intensity", "intensity_se", "n_comparisons")

Judgement = Mapping[str, Any]

Window = tuple[str, tuple[int, ...]]
"""Key of a window in the store, and the numbers of its texts in shown order."""


@dataclass(frozen=True)
class Ranked:
    """What the judge said of a value: rankings as numbers of texts, best first."""

    rankings: list[tuple[int, ...]]
    failed: int
    calls: int


def expected_windows(n_texts: int, spec: RankSpec) -> int:
    """Windows of a value with so many texts."""
    size = min(spec.window_size, n_texts)
    return spec.windows_per_text * -(-n_texts // size) if n_texts > 1 else 0


def rank_value(recipe: Recipe, folder: Path, value: Value, budget: Budget) -> dict[str, Any]:
    """Asks the judge about all windows of a value that it has not been asked about.

    Returns:
        Counts: texts, windows, failed windows (no complete ranking), calls, and rows that a kill
        had cut.

    Raises:
        ValueflowError: the earlier stage is not there; budget spent; the judge failed.
    """
    rows = list(read_lines(stage_file(folder, "curate", value, ".jsonl"), "curate"))
    path = stage_file(folder, "rank", value, ".jsonl")
    mark = rank_mark(recipe, value, rows)
    if (done := finished(path, mark)) is not None:
        return done
    spec = recipe.rank
    with open_store(path) as store:
        check_begun(path, asked_mark(recipe, value, rows), "rank")
        judge = make_judge(recipe, spec.judge, budget)
        title = f"rank {value.name}"
        total = expected_windows(len(rows), spec)
        for windows in _batches(recipe, value, rows, store.rows):
            asked = (_question(recipe, value, rows, judge, window) for window in windows)
            ask_all(asked, len(windows) or total, store, recipe, budget, title)
        used = _within(store.rows, spec)
        ranked = _ranked(rows, used)
        counts = {
            "texts": len(rows),
            "windows": len(used),
            "failed_windows": ranked.failed,
            "calls": ranked.calls,
            "rows_cut_by_a_kill": store.repaired,
        }
    finish(path, mark, counts)
    return counts


def _batches(
    recipe: Recipe,
    value: Value,
    rows: Sequence[Mapping[str, Any]],
    judged: Mapping[str, Mapping[str, Any]],
) -> Iterator[list[Window]]:
    """Windows in batches; a batch is drawn when the judgements of those before it are there.

    What is drawn depends on the seed and on earlier judgements alone, so that a second run draws
    the same.
    """
    spec, n = recipe.rank, len(rows)
    if n < 2:
        return
    rounds = spec.windows_per_text
    random = rounds if not spec.adaptive else min(rounds, max(2, -(-rounds // 3)))
    dealt = [
        deal_round(n, spec.window_size, generator_for(recipe.seed, "deal", value.name, r))
        for r in range(random)
    ]
    together = np.concatenate(dealt)
    bridges = bridging_windows(together, n, generator_for(recipe.seed, "bridge", value.name))
    yield [
        *(w for r, windows in enumerate(dealt) for w in _named(str(r), windows)),
        *((f"bridge.{one}-{other}", (one, other)) for one, other in bridges),
    ]
    for r in range(random, rounds):
        # A run that was stopped has judged a part of this round too, which must not count yet.
        before = {k: row for k, row in judged.items() if _round_of(k) < r}
        fit = fit_rankings(_ranked(rows, before).rankings, n, ridge=recipe.fit.ridge)
        assert fit.standard_errors is not None
        generator = generator_for(recipe.seed, "neighbours", value.name, r)
        windows = neighbour_round(fit.utilities, fit.standard_errors, spec.window_size, generator)
        yield _named(str(r), windows)


def _within(judged: Mapping[str, Judgement], spec: RankSpec) -> dict[str, Judgement]:
    """The judgements of the recipe's rounds; a store may hold more, of an earlier recipe."""
    return {k: row for k, row in judged.items() if _round_of(k) < spec.windows_per_text}


def _round_of(key: str) -> int:
    """The round of a window; bridges belong to the first."""
    name = key.partition(".")[0]
    return int(name) if name.isdecimal() else 0


def _named(round_name: str, windows: NDArray[np.int64]) -> list[Window]:
    return [(f"{round_name}.{i}", tuple(map(int, w))) for i, w in enumerate(windows)]


def _question(
    recipe: Recipe,
    value: Value,
    rows: Sequence[Mapping[str, Any]],
    judge: Model,
    window: Window,
) -> Question:
    key, members = window

    async def ask() -> dict[str, Any]:
        texts = [rows[number]["text"] for number in members]
        labels = draw_labels(texts, generator_for(recipe.seed, "labels", value.name, key))
        theory = recipe.registry.theories[value.theory]
        prompt = judge_prompt(theory.nodes[value.name], theory, texts, labels)
        said = await judge_window(judge, prompt, labels, attempts=recipe.rank.attempts)
        if said.failure == "provider error":
            return {"error": said.error or "provider error"}
        shown = [rows[number]["id"] for number in members]
        order = said.labels and [shown[labels.index(label)] for label in said.labels]
        row: dict[str, Any] = {"judge": str(judge), "texts": shown, "order": order}
        row["calls"] = said.calls
        return row | ({"failure": said.failure} if said.failure else {})

    return Question(key, ask)


def _ranked(rows: Sequence[Mapping[str, Any]], judged: Mapping[str, Mapping[str, Any]]) -> Ranked:
    """Rankings in the order of their keys, so that the order in which they came makes nothing."""
    number = {row["id"]: place for place, row in enumerate(rows)}
    rankings = []
    for key in sorted(judged):
        if judged[key]["order"]:
            rankings.append(tuple(number[name] for name in judged[key]["order"]))
    calls = sum(int(row["calls"]) for row in judged.values())
    return Ranked(rankings, len(judged) - len(rankings), calls)


def fit_value(recipe: Recipe, folder: Path, value: Value) -> dict[str, Any]:
    """Fits utilities to the rankings of a value.

    Returns:
        Counts, and the notes of the fit.

    Raises:
        InputFileError: the value is not ranked to the end, or no window has a ranking.
    """
    rows = list(read_lines(stage_file(folder, "curate", value, ".jsonl"), "curate"))
    store = stage_file(folder, "rank", value, ".jsonl")
    part = stage_file(folder, "fit", value, ".csv")
    mark = fit_mark(recipe, folder, value, rows)
    if (done := finished(part, mark)) is not None:
        return done
    ranked = _ranked(rows, _within(read_store(store), recipe.rank))
    if not ranked.rankings:
        raise InputFileError(store, "holds no complete ranking; choose another judge")
    fit = fit_rankings(ranked.rankings, len(rows), ridge=recipe.fit.ridge, seed=recipe.seed)
    assert fit.standard_errors is not None
    seen = np.bincount(np.concatenate(ranked.rankings), minlength=len(rows))
    cells = zip(rows, fit.utilities, fit.standard_errors, seen, strict=True)
    write_csv(
        part,
        FIT,
        (
            {
                "id": row["id"],
                "utility": float(u),
                "utility_se": float(se),
                "n_comparisons": int(n),
            }
            for row, u, se, n in cells
        ),
    )
    longest = max(map(len, ranked.rankings))
    padded = np.array([[*r, *([r[0]] * (longest - len(r)))] for r in ranked.rankings])
    counts = {
        "texts": len(rows),
        "rankings": len(ranked.rankings),
        "parts": int(parts_of(padded, len(rows)).max()) + 1,
        "converged": fit.converged,
        "median_se": round(float(np.median(fit.standard_errors)), 4),
        "notes": list(fit.notes),
    }
    finish(part, mark, counts)
    return counts


def scale_value(recipe: Recipe, folder: Path, value: Value) -> dict[str, Any]:
    """Maps the utilities of a value to intensities, and stores the map.

    A value of which nothing says where its neutral point lies gets an empty table: it is left out
    of the database, and the others, which were paid for, go on.

    Returns:
        Counts, and where the neutral point lies; or that the value is left out, and why.

    Raises:
        InputFileError: the earlier stage is not there, or was made from other rows or settings.
    """
    fitted = stage_file(folder, "fit", value, ".csv")
    part = stage_file(folder, "scale", value, ".csv")
    spec = recipe.scale
    rated = recipe.path(spec.ratings) if spec.ratings else None
    rows = list(read_lines(stage_file(folder, "curate", value, ".jsonl"), "curate"))
    mark = scale_mark(recipe, folder, value, rows)
    if (done := finished(part, mark)) is not None:
        return done
    cells = [row.cells for row in rows_of([fitted])]
    utility, error = (np.array([float(c[k]) for c in cells]) for k in ("utility", "utility_se"))
    try:
        if rated is not None:
            ratings = read_ratings(rated)
            means = [ratings.get((row["id"], value.name)) for row in rows]
            known = np.array([m is not None for m in means])
            given = np.array([m.mean for m in means if m is not None])
            scale = scale_from_ratings(utility[known], given)
        else:
            scale = scale_from_directions(
                utility, [support(row) for row in rows], end_quantile=spec.end_quantile
            )
    except ValueError as reason:
        return _left_out(part, mark, len(rows), str(reason))
    intensity = scale.intensity(utility)
    intensity_se = error * scale.slope(utility)
    write_text(
        stage_file(folder, "scale", value, ".json"),
        json.dumps(scale.record(), indent=1, sort_keys=True) + "\n",
    )
    write_csv(
        part,
        SCALE,
        (
            {**cell, "intensity": float(s), "intensity_se": float(se)}
            for cell, s, se in zip(cells, intensity, intensity_se, strict=True)
        ),
    )
    counts = {
        "texts": len(rows),
        "neutral_utility": round(scale.neutral, 4),
        "neutral_se": round(scale.neutral_se, 4),
        "clipped": int(np.sum(np.abs(intensity) >= 10)),
        "notes": list(scale.notes),
    }
    finish(part, mark, counts)
    return counts


def _left_out(part: Path, mark: str, texts: int, reason: str) -> dict[str, Any]:
    part.with_suffix(".json").unlink(missing_ok=True)
    write_csv(part, SCALE, [])
    told = (
        f"left out of the database: {reason}. Give ratings from -10 to 10 of some of its texts "
        "('scale: {fit_on: ratings, ratings: FILE.csv}'; rankings are kept), or build it again "
        "from more texts"
    )
    counts = {"rows_left_out": texts, "notes": [told]}
    finish(part, mark, counts)
    return counts
