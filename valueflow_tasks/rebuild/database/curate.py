"""Finds texts that are nearly the same, among very many.

Two texts are near duplicates where the sets of their word triples (of pairs of characters, in
scripts without blanks between words) have a Jaccard similarity of at least a threshold. Candidates
come from MinHash signatures in bands (Broder 1997; Indyk and Motwani 1998), cut so that a pair at
the threshold is found with a chance above 0.999; every candidate is checked on the sets themselves,
so none is called a duplicate wrongly.

Chooses the rows that are scored: no near duplicates, balanced directions, so many per value.
"""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from valueflow.hub_assets.inputs.scripts import WITHOUT_BLANKS
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.vidb.schema import normalised
from valueflow.rebuild.database.recipe import CurateSpec

__all__ = [
    "curated",
    "representatives",
]

_HASHES = 64
_MISSED = 0.001


def representatives(
    texts: Mapping[str, str], threshold: float, leading: Collection[str] = ()
) -> dict[str, str]:
    """The first near duplicate of each text, in order of the ids; itself where it has none.

    Args:
        texts: text by id.
        leading: ids that go before all others.
        threshold: Jaccard similarity from which two texts are one, in (0, 1].

    Returns:
        Id to the id that stands for it. Likeness is handed on: a chain of near duplicates has one
        representative.
    """
    rows = _rows_of_a_band(threshold)
    generator = np.random.default_rng(0)  # any fixed hash functions do
    factors = generator.integers(1, 2**63, (_HASHES, 1), dtype=np.uint64) | np.uint64(1)
    offsets = generator.integers(0, 2**63, (_HASHES, 1), dtype=np.uint64)
    ids = sorted(texts, key=lambda name: (name not in leading, name))
    sets: list[frozenset[int]] = []
    parent = list(range(len(ids)))
    bands: list[defaultdict[bytes, list[int]]] = [defaultdict(list) for _ in range(_HASHES // rows)]
    for number, name in enumerate(ids):
        triples = _triples(texts[name])
        sets.append(triples)
        hashed = np.fromiter(triples, dtype=np.uint64, count=len(triples))
        signature = ((hashed * factors + offsets) >> np.uint64(32)).min(axis=1)
        checked: set[int] = set()
        for band, keys in enumerate(bands):
            key = signature[band * rows : (band + 1) * rows].tobytes()
            for other in keys[key]:
                if other not in checked:
                    checked.add(other)
                    if _similarity(triples, sets[other]) >= threshold:
                        first, second = _root(parent, number), _root(parent, other)
                        parent[max(first, second)] = min(first, second)
            # One member of a group of like texts stands for it in a band; groups stay short.
            if not checked or not any(_root(parent, o) == _root(parent, number) for o in keys[key]):
                keys[key].append(number)
    return {name: ids[_root(parent, number)] for number, name in enumerate(ids)}


def _rows_of_a_band(threshold: float) -> int:
    """The most hashes of a band (a power of 2) with which few enough pairs are missed: the more
    hashes must agree, the fewer candidates there are to check."""
    rows = 4
    while rows > 1 and (1 - threshold**rows) ** (_HASHES // rows) > _MISSED:
        rows //= 2
    return rows


_WORDS = re.compile(f"[{WITHOUT_BLANKS}]|[^{WITHOUT_BLANKS}\\s]+")


def _triples(text: str) -> frozenset[int]:
    """Hashes of the word triples of a text; of pairs of characters, where most of it is in a script
    that writes words without blanks between them."""
    words = _WORDS.findall(normalised(text))
    signs = sum(len(word) == 1 and not word.isascii() for word in words)
    size = 2 if 2 * signs > len(words) else 3
    grams = [" ".join(words[i : i + size]) for i in range(max(1, len(words) - size + 1))]
    return frozenset(zlib.crc32(gram.encode("utf-8", "surrogatepass")) for gram in grams)


def _similarity(one: frozenset[int], other: frozenset[int]) -> float:
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def _root(parent: list[int], number: int) -> int:
    while parent[number] != number:
        parent[number] = parent[parent[number]]
        number = parent[number]
    return number


Rows = list[dict[str, Any]]


def curated(
    rows: Iterable[Mapping[str, Any]],
    spec: CurateSpec,
    seed: int,
    ranked: Mapping[str, Collection[str]] | None = None,
) -> tuple[dict[str, Rows], dict[str, int]]:
    """The rows that are scored, by value (`theory:name`), each value's in order of the ids.

    Args:
        rows: with `id`, `text`, `theory`, `value` and `direction`.
        spec: the rules.
        seed: of the choice where there are too many.
        ranked: by value, ids of texts that a judge has ranked already; they go before others.

    Returns:
        The rows, each with a `split_hash` that near duplicates share, under whichever value they
        stand; and counts of what was left out.
    """
    ranked = ranked or {}
    by_value: defaultdict[str, Rows] = defaultdict(list)
    texts: dict[str, str] = {}
    for row in rows:
        by_value[f"{row['theory']}:{row['value']}"].append(dict(row))
        texts[row["id"]] = row["text"]
    stands_for = {name: name for name in texts}
    if spec.near_duplicates is not None:
        paid = {name for names in ranked.values() for name in names}
        stands_for = representatives(texts, spec.near_duplicates, paid)
    counts: Counter[str] = Counter(rows=0, near_duplicates=0, unbalanced=0, over_the_limit=0)
    chosen: dict[str, Rows] = {}
    for value in sorted(by_value):
        seen: set[str] = set()
        kept: Rows = []
        before = ranked.get(value, ())
        for row in sorted(by_value[value], key=lambda row: (row["id"] not in before, row["id"])):
            row["split_hash"] = stands_for[row["id"]]
            if row["split_hash"] in seen:
                counts["near_duplicates"] += 1
                continue
            seen.add(row["split_hash"])
            kept.append(row)
        chosen[value] = _balanced(kept, spec, value, seed, counts, before)
        counts["rows"] += len(chosen[value])
    return chosen, dict(counts)


def _balanced(
    rows: Rows,
    spec: CurateSpec,
    value: str,
    seed: int,
    counts: Counter[str],
    before: Collection[str],
) -> Rows:
    """At most `per_value` rows, with the directions that the rules ask for."""
    drawn = generator_for(seed, "curate", value).permutation(len(rows)).tolist()
    order = sorted(drawn, key=lambda place: rows[place]["id"] not in before)
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
