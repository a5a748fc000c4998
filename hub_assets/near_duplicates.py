"""Finds texts that are nearly the same, among very many.

Two texts are near duplicates where the sets of their word triples have a Jaccard similarity of at
least a threshold. Candidates come from MinHash signatures in bands (Broder 1997; Indyk and Motwani
1998), cut so that a pair at the threshold is found with a chance above 0.999; every candidate is
checked on the sets themselves, so none is called a duplicate wrongly.
"""

import zlib
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from valueflow.hub_assets.vidb_schema import normalised

__all__ = ["representatives"]

_HASHES = 64
_MISSED = 0.001


def representatives(texts: Mapping[str, str], threshold: float) -> dict[str, str]:
    """The first near duplicate of each text, in order of the ids; itself where it has none.

    Args:
        texts: text by id.
        threshold: Jaccard similarity from which two texts are one, in (0, 1].

    Returns:
        Id to the id that stands for it. Likeness is handed on: a chain of near duplicates has one
        representative.
    """
    rows = _rows_of_a_band(threshold)
    generator = np.random.default_rng(0)  # any fixed hash functions do
    factors = generator.integers(1, 2**63, (_HASHES, 1), dtype=np.uint64) | np.uint64(1)
    offsets = generator.integers(0, 2**63, (_HASHES, 1), dtype=np.uint64)
    ids = sorted(texts)
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


def _triples(text: str) -> frozenset[int]:
    words = normalised(text).split()
    grams = [" ".join(words[i : i + 3]) for i in range(max(1, len(words) - 2))]
    return frozenset(zlib.crc32(gram.encode("utf-8", "surrogatepass")) for gram in grams)


def _similarity(one: frozenset[int], other: frozenset[int]) -> float:
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def _root(parent: list[int], number: int) -> int:
    while parent[number] != number:
        parent[number] = parent[parent[number]]
        number = parent[number]
    return number
