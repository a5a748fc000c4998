"""The stages `rank`, `fit` and `scale` of one value: from windows to intensities."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
    Settings,
    asked_mark,
    check_begun,
    finish,
    finished,
    fit_mark,
    generation_of,
    rank_mark,
    read_lines,
    scale_mark,
    stage_file,
    support,
)
from valueflow.rebuild.database.judging import Budget, Question, ask_all, make_judge
from valueflow.rebuild.database.recipe import RankSpec, Recipe, key_of, own_definitions
from valueflow.rebuild.database.review.ratings import read_ratings
from valueflow.scorers.database.ranking.fit import fit_rankings
from valueflow.scorers.database.ranking.rounds import (
    bridging_windows,
    deal_round,
    neighbour_round,
    parts_of,
)
from valueflow.scorers.database.ranking.scale import (
    IntensityScale,
    scale_from_directions,
    scale_from_ratings,
)
from valueflow.scorers.database.ranking.unit import redrawn
from valueflow.scorers.judge.asking import judge_window
from valueflow.scorers.judge.calls.store import JudgementStore, open_store, read_store
from valueflow.scorers.judge.questions.ranking import (
    JUDGE_PROMPT_VERSION,
    draw_labels,
    judge_prompt,
)

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
        mark_now = asked_mark(recipe, value, rows)
        settings = Settings(
            {
                "judge": recipe.rank.judge.model_dump(mode="json"),
                "version of the question": JUDGE_PROMPT_VERSION,
                "wording": recipe.wording,
                "definitions": own_definitions(recipe.registry, [value]),
            },
            {"seed": recipe.seed, "adaptive": spec.adaptive, "window_size": spec.window_size},
        )
        begun = check_begun(
            path, mark_now, "rank", settings, lambda: _mark_of_before(recipe, folder, value, store)
        )
        if begun.generation:
            _keep_scale(folder, value)
        earlier = {k: r for k, r in store.rows.items() if generation_of(r) < begun.generation}
        judge = make_judge(recipe, spec.judge, budget)
        title = f"rank {key_of(value)}"
        batches = (
            _added(recipe, value, rows, earlier, begun.generation)
            if begun.generation
            else _batches(recipe, value, rows, store.rows)
        )
        for windows in batches:
            asked = (
                _question(recipe, value, rows, judge, window, begun.generation)
                for window in windows
            )
            ask_all(asked, len(windows), store, recipe, budget, title)
        used = _within(store.rows, spec)
        ranked = _ranked(rows, used)
        counts: dict[str, Any] = {
            "texts": len(rows),
            "windows": len(used),
            "failed_windows": ranked.failed,
            "calls": ranked.calls,
            "rows_cut_by_a_kill": store.repaired,
        }
        if begun.generation:
            counts["windows_of_before"] = len(set(used) & set(earlier))
            counts["notes"] = [f"judgements of before are kept; {'; '.join(begun.changes)}"]
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
        deal_round(n, spec.window_size, generator_for(recipe.seed, "deal", key_of(value), r))
        for r in range(random)
    ]
    together = np.concatenate(dealt)
    bridges = bridging_windows(together, n, generator_for(recipe.seed, "bridge", key_of(value)))
    yield [
        *(w for r, windows in enumerate(dealt) for w in _named(str(r), windows)),
        *((f"bridge.{one}-{other}", (one, other)) for one, other in bridges),
    ]
    for r in range(random, rounds):
        # A run that was stopped has judged a part of this round too, which must not count yet.
        before = {k: row for k, row in judged.items() if _round_of(k) < r}
        fit = fit_rankings(_ranked(rows, before).rankings, n, ridge=recipe.fit.ridge)
        assert fit.standard_errors is not None
        generator = generator_for(recipe.seed, "neighbours", key_of(value), r)
        windows = neighbour_round(fit.utilities, fit.standard_errors, spec.window_size, generator)
        yield _named(str(r), windows)


def _added(
    recipe: Recipe,
    value: Value,
    rows: Sequence[Mapping[str, Any]],
    earlier: Mapping[str, Mapping[str, Any]],
    generation: int,
) -> Iterator[list[Window]]:
    """Windows for the texts that stand in fewer than they should, each with texts that stand in
    enough: these link the new ones into the scale that is there."""
    spec, n = recipe.rank, len(rows)
    if n < 2:
        return
    number = {row["id"]: place for place, row in enumerate(rows)}
    stood = np.zeros(n, dtype=np.int64)
    linked: list[list[int]] = []
    for row in _within(earlier, spec).values():
        members = [number[name] for name in row["texts"] if name in number]
        stood[members] += 1
        linked.append(members)
    size = min(spec.window_size, n)
    named: list[Window] = []
    for r in range(spec.windows_per_text):
        generator = generator_for(recipe.seed, "add", key_of(value), generation, r)
        lacking = spec.windows_per_text - stood > r
        fresh, links = np.flatnonzero(lacking), np.flatnonzero(~lacking)
        if not links.size:
            windows = deal_round(n, size, generator).tolist()
        else:
            windows = _with_links(fresh, links, size, generator)
        named += [(f"g{generation}.{r}.{i}", tuple(map(int, w))) for i, w in enumerate(windows)]
    linked += [list(members) for _, members in named]
    width = max(map(len, linked))
    padded = np.array([[*w, *([w[0]] * (width - len(w)))] for w in linked if w])
    generator = generator_for(recipe.seed, "bridge", key_of(value), generation)
    for one, other in bridging_windows(padded, n, generator):
        named.append((f"g{generation}.bridge.{one}-{other}", (one, other)))
    yield named


def _with_links(
    fresh: NDArray[np.int64],
    links: NDArray[np.int64],
    size: int,
    generator: np.random.Generator,
) -> list[list[int]]:
    """Windows in which every fresh text stands once, about a third of each being links."""
    share = min(max(1, size // 3), links.size)
    order = generator.permutation(fresh)
    windows = []
    for start in range(0, order.size, size - share):
        new = order[start : start + size - share]
        count = min(size - new.size, links.size)
        together = np.concatenate([new, generator.choice(links, count, replace=False)])
        windows.append(generator.permutation(together).tolist())
    return windows


def _mark_of_before(recipe: Recipe, folder: Path, value: Value, store: JudgementStore) -> str:
    """The mark of the texts that stand in a store, in the order in which they were ranked."""
    names = {name for row in store.rows.values() for name in row["texts"]}
    texts = read_lines(folder / "import" / "texts.jsonl", "import")
    rows = [text for text in texts if text["id"] in names]
    return asked_mark(recipe, value, sorted(rows, key=lambda row: str(row["id"])))


def _keep_scale(folder: Path, value: Value) -> None:
    """Keeps the first scale of a value and the utilities it was made for, before it grows."""
    kept = stage_file(folder, "scale", value, ".before.json")
    scale, table = (stage_file(folder, "scale", value, end) for end in (".json", ".csv"))
    if kept.is_file() or not scale.is_file() or not table.is_file():
        return
    cells = [row.cells for row in rows_of([table])]
    record = {
        "scale": json.loads(scale.read_text(encoding="utf-8")),
        "utilities": {str(c["id"]): float(c["utility"]) for c in cells},
        "errors": {str(c["id"]): float(c["utility_se"]) for c in cells},
    }
    write_text(kept, json.dumps(record, sort_keys=True) + "\n")


def _linked(kept: Path, ids: Sequence[str], utility: NDArray[np.float64]) -> IntensityScale:
    """The scale of before, moved to the utilities of now by the texts that both have.

    Raises:
        ValueError: they have fewer than two in common.
    """
    record = json.loads(kept.read_text(encoding="utf-8"))
    both = [place for place, name in enumerate(ids) if name in record["utilities"]]
    if len(both) < 2:
        raise ValueError("fewer than two texts of before are left to link the scale")
    old = np.array([record["utilities"][ids[place]] for place in both])
    errors = np.array([record["errors"][ids[place]] for place in both])
    new = utility[both]
    stretch = float(new.std() / max(float(old.std()), 1e-9))
    shift = float(new.mean() - stretch * old.mean())
    before = IntensityScale(**record["scale"])
    # What the errors of the links leave open of the stretch, beside the error of before.
    loose = float(np.sqrt(np.mean(errors**2)) / (max(float(old.std()), 1e-9) * np.sqrt(len(both))))
    return replace(
        before,
        utilities=tuple(shift + stretch * knot for knot in before.utilities),
        neutral=shift + stretch * before.neutral,
        neutral_se=stretch * float(np.hypot(before.neutral_se, loose * float(old.std()))),
        unit_se=float(np.hypot(0.0 if np.isnan(before.unit_se) else before.unit_se, loose)),
        notes=(*before.notes, f"the scale of before, linked by {len(both):,} texts"),
    )


def _within(judged: Mapping[str, Judgement], spec: RankSpec) -> dict[str, Judgement]:
    """The judgements of the recipe's rounds; a store may hold more, of an earlier recipe."""
    return {k: row for k, row in judged.items() if _round_of(k) < spec.windows_per_text}


def _round_of(key: str) -> int:
    """The round of a window; bridges belong to the first."""
    parts = key.split(".")
    name = parts[1] if parts[0].startswith("g") else parts[0]
    return int(name) if name.isdecimal() else 0


def _named(round_name: str, windows: NDArray[np.int64]) -> list[Window]:
    return [(f"{round_name}.{i}", tuple(map(int, w))) for i, w in enumerate(windows)]


def _question(
    recipe: Recipe,
    value: Value,
    rows: Sequence[Mapping[str, Any]],
    judge: Model,
    window: Window,
    generation: int = 0,
) -> Question:
    key, members = window

    async def ask() -> dict[str, Any]:
        texts = [rows[number]["text"] for number in members]
        labels = draw_labels(texts, generator_for(recipe.seed, "labels", key_of(value), key))
        theory = recipe.registry.theories[value.theory]
        prompt = judge_prompt(theory.nodes[value.name], theory, texts, labels)
        said = await judge_window(judge, prompt, labels, attempts=recipe.rank.attempts)
        if said.failure == "provider error":
            return {"error": said.error or "provider error"}
        shown = [rows[number]["id"] for number in members]
        order = said.labels and [shown[labels.index(label)] for label in said.labels]
        row: dict[str, Any] = {"judge": str(judge), "texts": shown, "order": order}
        row["calls"] = said.calls
        if generation:
            row["generation"] = generation
        return row | ({"failure": said.failure} if said.failure else {})

    return Question(key, ask)


def _ranked(rows: Sequence[Mapping[str, Any]], judged: Mapping[str, Mapping[str, Any]]) -> Ranked:
    """Rankings in the order of their keys, so that the order in which they came makes nothing."""
    number = {row["id"]: place for place, row in enumerate(rows)}
    rankings = []
    for key in sorted(judged):
        # A ranking holds for those of its texts that are still here (Luce's axiom).
        here = tuple(number[name] for name in judged[key]["order"] or () if name in number)
        if len(here) > 1:
            rankings.append(here)
    calls = sum(int(row["calls"]) for row in judged.values())
    failed = sum(not row["order"] for row in judged.values())
    return Ranked(rankings, failed, calls)


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
    kept = stage_file(folder, "scale", value, ".before.json")
    try:
        if spec.link and kept.is_file():
            scale = _linked(kept, [row["id"] for row in rows], utility)
        elif rated is not None:
            ratings = read_ratings(rated, recipe.registry)
            means = [ratings.get((row["id"], key_of(value))) for row in rows]
            known = np.array([m is not None for m in means])
            given = np.array([m.mean for m in means if m is not None])
            scale = scale_from_ratings(utility[known], given)
        else:
            store = read_store(stage_file(folder, "rank", value, ".jsonl"))
            ranked = _ranked(rows, _within(store, recipe.rank))
            scale = scale_from_directions(
                utility,
                [support(row) for row in rows],
                errors=error,
                redraw=redrawn(ranked.rankings, len(rows), recipe.fit.ridge, error),
                end_quantile=spec.end_quantile,
                seed=recipe.seed,
            )
    except ValueError as reason:
        return _left_out(part, mark, len(rows), str(reason))
    intensity = scale.intensity(utility)
    intensity_se = scale.error(utility, error)
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
        "unit_se": round(scale.unit_se, 4),
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
