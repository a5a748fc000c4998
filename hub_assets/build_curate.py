"""Chooses the rows that are scored: no near duplicates, balanced directions, so many per value."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from valueflow.hub_assets.build_recipe import CurateSpec
from valueflow.hub_assets.near_duplicates import representatives
from valueflow.hub_assets.seeds import generator_for

__all__ = ["curated"]

Rows = list[dict[str, Any]]


def curated(
    rows: Iterable[Mapping[str, Any]], spec: CurateSpec, seed: int
) -> tuple[dict[str, Rows], dict[str, int]]:
    """The rows that are scored, by value (`theory:name`), each value's in order of the ids.

    Args:
        rows: with `id`, `text`, `theory`, `value` and `direction`.
        spec: the rules.
        seed: of the choice where there are too many.

    Returns:
        The rows, each with a `split_hash` that near duplicates share, under whichever value they
        stand; and counts of what was left out.
    """
    by_value: defaultdict[str, Rows] = defaultdict(list)
    texts: dict[str, str] = {}
    for row in rows:
        by_value[f"{row['theory']}:{row['value']}"].append(dict(row))
        texts[row["id"]] = row["text"]
    stands_for = {name: name for name in texts}
    if spec.near_duplicates is not None:
        stands_for = representatives(texts, spec.near_duplicates)
    counts: Counter[str] = Counter(rows=0, near_duplicates=0, unbalanced=0, over_the_limit=0)
    chosen: dict[str, Rows] = {}
    for value in sorted(by_value):
        seen: set[str] = set()
        kept: Rows = []
        for row in sorted(by_value[value], key=lambda row: row["id"]):
            row["split_hash"] = stands_for[row["id"]]
            if row["split_hash"] in seen:
                counts["near_duplicates"] += 1
                continue
            seen.add(row["split_hash"])
            kept.append(row)
        chosen[value] = _balanced(kept, spec, value, seed, counts)
        counts["rows"] += len(chosen[value])
    return chosen, dict(counts)


def _balanced(rows: Rows, spec: CurateSpec, value: str, seed: int, counts: Counter[str]) -> Rows:
    """At most `per_value` rows, with the directions that the rules ask for."""
    order = generator_for(seed, "curate", value).permutation(len(rows))
    by_direction: dict[str, Rows] = {"support": [], "oppose": [], "neutral": []}
    for place in order:
        by_direction[rows[place]["direction"]].append(rows[place])
    support, oppose, neutral = by_direction.values()
    if spec.balance == "none":
        kept = [rows[place] for place in order][: spec.per_value]
    elif spec.balance == "strict":
        each = min(len(support), len(oppose))
        neutral = neutral[:each]
        counts["unbalanced"] += len(rows) - 2 * each - len(neutral)
        neutral = neutral[: spec.per_value // 3]
        share = min(each, (spec.per_value - len(neutral)) // 2)
        counts["over_the_limit"] += 2 * (each - share)
        kept = support[:share] + oppose[:share] + neutral
    else:
        # Turn by turn, so that a direction with few rows keeps them all.
        turns = zip(*(_padded(part, len(rows)) for part in (support, oppose, neutral)), strict=True)
        kept = [row for turn in turns for row in turn if row is not None][: spec.per_value]
    if spec.balance != "strict":
        counts["over_the_limit"] += len(rows) - len(kept)
    return sorted(kept, key=lambda row: str(row["id"]))


def _padded(rows: Rows, length: int) -> list[dict[str, Any] | None]:
    return [*rows, *([None] * (length - len(rows)))]
