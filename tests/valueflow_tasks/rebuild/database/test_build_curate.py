"""Near duplicates are found, directions balanced, and what is left out is counted."""

from typing import Any

import numpy as np
import pytest

from valueflow.rebuild.database.curate import curated, representatives
from valueflow.rebuild.database.recipe import CurateSpec


def words(number: int, generator: np.random.Generator) -> list[str]:
    return [f"w{i}" for i in generator.integers(0, 10_000, number)]


def rows(directions: str, value: str = "power") -> list[dict[str, Any]]:
    names = {"s": "support", "o": "oppose", "n": "neutral"}
    return [
        {"id": f"{i:03}", "text": f"text {i} is {i * 7} of {i * 31}", "theory": "pvq"}
        | {"value": value, "direction": names[letter]}
        for i, letter in enumerate(directions)
    ]


def test_changed_copies_are_found_and_other_texts_are_not() -> None:
    generator = np.random.default_rng(0)
    texts = {}
    for i in range(300):
        long = words(60, generator)
        texts[f"{i:03}a"] = " ".join(long)
        texts[f"{i:03}b"] = " ".join(long[:-2]).upper()
        texts[f"{i:03}c"] = " ".join(words(60, generator))
    found = representatives(texts, 0.8)
    assert all(found[f"{i:03}b"] == f"{i:03}a" for i in range(300))
    assert all(found[f"{i:03}c"] == f"{i:03}c" for i in range(300))


def test_strict_balance_keeps_as_many_of_either_direction() -> None:
    chosen, counts = curated(rows("ssssssoonnn"), CurateSpec(near_duplicates=None), 0)
    kept = [row["direction"] for row in chosen["pvq:power"]]
    assert {d: kept.count(d) for d in kept} == {"support": 2, "oppose": 2, "neutral": 2}
    assert counts["unbalanced"] == 5


def test_the_limit_holds_and_a_small_direction_is_kept_whole() -> None:
    spec = CurateSpec(per_value=6, balance="fill", near_duplicates=None)
    chosen, counts = curated(rows("s" * 20 + "oo"), spec, 0)
    kept = [row["direction"] for row in chosen["pvq:power"]]
    assert (kept.count("support"), kept.count("oppose")) == (4, 2)
    assert counts["over_the_limit"] == 16


def test_near_duplicates_share_a_hash_across_values() -> None:
    same = "one two three four five six seven eight nine ten eleven twelve"
    both = [
        {"id": "b", "text": same, "theory": "pvq", "value": "power", "direction": "support"},
        {"id": "c", "text": same.upper() + " !", "theory": "pvq", "value": "face"}
        | {"direction": "support"},
        {"id": "d", "text": same + "!", "theory": "pvq", "value": "power", "direction": "oppose"},
    ]
    chosen, counts = curated(both, CurateSpec(balance="none"), 0)
    assert [row["split_hash"] for part in chosen.values() for row in part] == ["b", "b"]
    assert counts["near_duplicates"] == 1


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 1.0])
def test_pairs_just_above_any_threshold_are_found(threshold: float) -> None:
    # Texts of 40 triples, of which as many are common as the threshold asks.
    common = int(np.ceil(2 * 40 * threshold / (1 + threshold)))
    texts = {}
    for number in range(150):
        shared = [f"s{number}.{i}" for i in range(common + 2)]
        for half in "ab":
            own = [f"{half}{number}.{i}" for i in range(40 - common)]
            texts[f"{number}{half}"] = " ".join([*shared, *own])
    found = representatives(texts, threshold)
    joined = sum(found[f"{number}a"] == found[f"{number}b"] for number in range(150))
    assert joined >= 149


def test_sentences_without_blanks_that_differ_in_one_word_are_near_duplicates() -> None:
    one = "我认为每个人都应该在工作之余抽出时间陪伴自己的家人和朋友因为亲情和友情比金钱更重要"
    texts = {
        "a": one,
        "b": one.replace("金钱", "财富"),
        "c": "她每天清晨都会去公园里跑步锻炼身体从来不因为天气不好而放弃自己多年的习惯",
    }
    found = representatives(texts, 0.8)
    assert found["b"] == found["a"] == "a"
    assert found["c"] == "c"
